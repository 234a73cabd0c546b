/* json - see json.h */
#include <lib/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char fault[200];
static const char *whole;

/* Behind the value at p; NULL: none, fault says why. */
static const char *skip_value(const char *p, int depth);

static const char *
blank(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

static const char *
bad(const char *p, const char *why)
{
	snprintf(fault, sizeof fault, "%s at byte %d: %.60s", why, (int)(p - whole), p);
	return NULL;
}

static const char *
skip_string(const char *p)
{
	if (*p++ != '"')
		return bad(p - 1, "no string");
	for (; *p != '"'; p++) {
		if ((unsigned char)*p < 0x20)
			return bad(p, *p ? "a control character" : "a string without its end");
		if (*p == '\\' && *++p == 'u') {
			if (strspn(p + 1, "0123456789abcdefABCDEF") < 4)
				return bad(p, "\\u without its digits");
			p += 4;
		} else if (p[-1] == '\\' && strchr("\"\\/bfnrtu", *p) == NULL)
			return bad(p, "an unknown escape");
	}
	return p + 1;
}

static const char *
skip_many(const char *p, int depth, char end)
{
	for (p = blank(p + 1); *p != end;) {
		if (end == '}') {
			p = skip_string(p);
			p = p ? blank(p) : NULL;
			if (p == NULL || *p != ':')
				return p ? bad(p, "no colon") : NULL;
			p = blank(p + 1);
		}
		p = skip_value(p, depth + 1);
		if (p == NULL)
			return NULL;
		p = blank(p);
		if (*p == ',' && *blank(p + 1) != end)
			p = blank(p + 1);
		else if (*p != end)
			return bad(p, "no comma, or one too many");
	}
	return p + 1;
}

static const char *
skip_number(const char *p)
{
	const char *begin = p;
	p += *p == '-';
	if (*p == '0' && p[1] >= '0' && p[1] <= '9')
		return bad(begin, "a number with leading zeros");
	size_t n = strspn(p, "0123456789");
	p += n;
	if (n && *p == '.')
		n = strspn(++p, "0123456789"), p += n;
	if (n && (*p == 'e' || *p == 'E')) {
		p += 1 + (p[1] == '+' || p[1] == '-');
		n = strspn(p, "0123456789"), p += n;
	}
	return n ? p : bad(begin, "no value");
}

static const char *
skip_value(const char *p, int depth)
{
	static const char *const words[] = { "true", "false", "null" };
	if (depth > 100)
		return bad(p, "too deep");
	if (*p == '{' || *p == '[')
		return skip_many(p, depth, *p == '{' ? '}' : ']');
	if (*p == '"')
		return skip_string(p);
	for (size_t i = 0; i < 3; i++)
		if (strncmp(p, words[i], strlen(words[i])) == 0)
			return p + strlen(words[i]);
	return skip_number(p);
}

const char *
json_fault(const char *text)
{
	whole = text;
	const char *p = skip_value(blank(text), 0);
	if (p && *blank(p) != '\0')
		bad(blank(p), "something behind the end");
	else if (p)
		return NULL;
	return fault;
}

/* The element or member of the value at p that this step of a path names; NULL: none. */
static const char *
step(const char *p, const char *name, size_t n)
{
	long index = strtol(name, NULL, 10), i = 0;
	char end = *p == '{' ? '}' : ']';
	if (*p != '{' && *p != '[')
		return NULL;
	for (p = blank(p + 1); *p != end; i++) {
		int found = i == index;
		if (end == '}') {
			const char *key = p + 1;
			p = skip_string(p);
			found = (size_t)(p - key) == n + 1 && memcmp(key, name, n) == 0;
			p = blank(blank(p) + 1);
		}
		if (found)
			return p;
		p = blank(skip_value(p, 0));
		p = *p == ',' ? blank(p + 1) : p;
	}
	return NULL;
}

int
json_at(const char *text, const char *path, char *out, size_t size)
{
	if (json_fault(text))
		return 0;
	const char *p = blank(text);
	while (*path && p) {
		size_t n = strcspn(path, ".");
		p = step(p, path, n);
		path += n + (path[n] == '.');
	}
	if (p == NULL)
		return 0;
	const char *end = skip_value(p, 0);
	if (*p == '"') {
		p++;
		end--;
	}
	snprintf(out, size, "%.*s", (int)(end - p), p);
	return 1;
}

int
json_length(const char *text)
{
	char path[16], value[8];
	int n = 0;
	if (json_fault(text) || *blank(text) != '[')
		return -1;
	for (;; n++) {
		snprintf(path, sizeof path, "%d", n);
		if (!json_at(text, path, value, sizeof value))
			return n;
	}
}

int
json_find(const char *text, const char *member, const char *value, int from)
{
	char path[100], found[1000];
	int n = json_length(text);
	for (int i = from; i < n; i++) {
		snprintf(path, sizeof path, "%d.%s", i, member);
		if (json_at(text, path, found, sizeof found) && strcmp(found, value) == 0)
			return i;
	}
	return -1;
}
