/* sealed - see sealed.h */
#include "base/sealed.h"
#include "base/crc32c.h"
#include "base/fdio.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
seal(char line[SEAL_BYTES + 1], const char *text, size_t n)
{
	snprintf(line, SEAL_BYTES + 1, "crc %08x\n", crc32c(0, text, n));
}

int
sealed_save(int dir, const char *name, char *text, size_t n, int durable)
{
	seal(text + n, text, n);
	return fdio_replace(dir, name, text, n + SEAL_BYTES, durable);
}

int
sealed_look(const char *text, size_t *n)
{
	char line[SEAL_BYTES + 1];
	const char *last = *n < SEAL_BYTES ? NULL : text + *n - SEAL_BYTES;
	if (last == NULL || memcmp(last, "crc ", 4) != 0 || (last > text && last[-1] != '\n'))
		return 0;
	seal(line, text, *n - SEAL_BYTES);
	if (memcmp(line, last, SEAL_BYTES) != 0)
		return -1;
	*n -= SEAL_BYTES;
	return 1;
}

char *
sealed_load(int dir, const char *name, size_t most)
{
	size_t n;
	char *text = fdio_load(dir, name, &n, most);
	if (text == NULL)
		return NULL;
	if (sealed_look(text, &n) != 1) {
		free(text);
		errno = EBADMSG;
		return NULL;
	}
	text[n] = '\0';
	return text;
}
