/* small_file - see small_file.h */
#include "look/small_file.h"
#include "ipc/registry.h"
#include "ipc/ring_file.h"
#include "base/sealed.h"
#include "log/store_file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char damaged[] = "damaged", newer[] = "of a newer format than this program knows";

static const char *
store_fault(const char *text, size_t n)
{
	struct store_file s;
	return store_file_parse(&s, text, n) == 0 ? NULL : errno == EPROTONOSUPPORT ? newer : damaged;
}

static const char *
machines_fault(const char *text, size_t n)
{
	struct machines_file f;
	int r = machines_file_parse(&f, text, n);
	free(f.list);
	return r == 0 ? (f.is_torn ? "damaged in its last line" : NULL) : errno == EPROTONOSUPPORT ? newer
	    : errno == EBADMSG ? damaged : strerror(errno);
}

static const char *
registry_text_fault(const char *text, size_t n)
{
	static char fault[60];
	size_t line = registry_fault(text, n);
	snprintf(fault, sizeof fault, "damaged in line %zu", line);
	return line ? fault : NULL;
}

static const char *
about_fault(const char *text, size_t n)
{
	static const char *const keys[] = { "kind ", "pid ", "run ", "files ", "address " };
	const char *end = text + n;
	if (sealed_look(text, &n) == 1)
		return NULL;
	int words = 0;                                                 /* of the last line: address IP PORT */
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {      /* one from before there was a CRC */
		const char *next = memchr(text, '\n', (size_t)(end - text));
		if (next == NULL || strncmp(text, keys[i], strlen(keys[i])) != 0)
			return damaged;
		for (words = 1; text < next; text++)
			words += *text == ' ' || (unsigned char)*text < ' ';
		text = next + 1;
	}
	return text == end && words == 3 ? NULL : damaged;
}

static const char *
sealed_fault(const char *text, size_t n)
{
	return sealed_look(text, &n) == 1 ? NULL : damaged;
}

static const char *
ring_fault(const char *bytes, size_t n)
{
	size_t from, to;
	return ring_file_look(bytes, n, &from, &to);
}

static const struct { const char *name; const char *(*fault)(const char *text, size_t n); } files[] = {
	{ "store", store_fault }, { "machines", machines_fault }, { "registry", registry_text_fault },
	{ "about", about_fault }, { "views", sealed_fault }, { "identity", sealed_fault }, { "clients", sealed_fault },
	{ "starts", sealed_fault }, { "forgotten", sealed_fault },
	{ "settings", sealed_fault }, { "words-", sealed_fault }, { "ring-", ring_fault },
};

static size_t
file_of(const char *name)
{
	size_t i = 0, n = strlen(name);
	for (; i < sizeof files / sizeof *files; i++) {
		size_t len = strlen(files[i].name);
		int has_slot = files[i].name[len - 1] == '-';
		if (strncmp(name, files[i].name, len) != 0 || has_slot != (n > len))
			continue;
		if (strspn(name + len, "0123456789") == n - len)
			break;
	}
	return i;
}

int
small_file_is(const char *name)
{
	return file_of(name) < sizeof files / sizeof *files;
}

const char *
small_file_fault(const char *name, const char *text, size_t n)
{
	return small_file_is(name) ? files[file_of(name)].fault(text, n) : NULL;
}
