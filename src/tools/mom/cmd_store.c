/* cmd_store - see cmd_store.h. Files are replaced as a whole by their writers, so what is read is one state or the
 * next, never half of each; between two files anything may have happened. */
#include "tools/mom/cmd_store.h"
#include "base/fdio.h"
#include "base/hex.h"
#include "log/store_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* as fdio_load */
static char *
store_load(const char *folder, const char *name, size_t most)
{
	size_t n;
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *text = dir < 0 ? NULL : fdio_load(dir, name, &n, most);
	int keep = errno;
	fdio_close(&dir);
	errno = keep;
	return text;
}

int
store_names(const char *folder, struct store_names *s)
{
	struct store_file f;
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = dir < 0 ? -1 : store_file_read(&f, dir);
	*s = (struct store_names){ .newer = r < 0 && errno == EPROTONOSUPPORT };
	if (r == 0) {
		hex_text(s->id, f.id, sizeof f.id);
		s->shards = f.shards;
		s->message = f.message;
	}
	int keep = errno;
	fdio_close(&dir);
	errno = keep;
	return s->newer ? 0 : r;
}

int
spool_store(const char *folder, char store[40])
{
	char *text = store_load(folder, "identity", 4096);
	int found = text && sscanf(text, "mom spool %*u machine %*32s store %32s", store) == 1 &&
	    strspn(store, "0") != strlen(store);
	int error = text ? ENOENT : errno;
	free(text);
	errno = error;
	return found ? 0 : -1;
}
