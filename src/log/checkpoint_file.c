/* checkpoint_file - see checkpoint_file.h */
#include "log/checkpoint_file.h"
#include "base/crc32c.h"
#include "base/fdio.h"
#include "base/log.h"
#include "format/record.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CHECKPOINT_MOST = 1 << 30 };

void
checkpoint_head_put(void *bytes, uint64_t as_of, uint64_t records)
{
	char *p = bytes;
	memset(p, 0, CHECKPOINT_HEADER);
	memcpy(p, "MOMCKPT\n", 8);
	put_u32(p + 8, CHECKPOINT_VERSION);
	put_u64(p + 16, as_of);
	put_u64(p + 24, records);
	put_u32(p + 60, crc32c(0, p, 60));
}

static const char *
checkpoint_fault(const char *p, size_t n)
{
	if (n < CHECKPOINT_HEADER || memcmp(p, "MOMCKPT\n", 8) != 0)
		return "is no check-point";
	if (get_u32(p + 8) > CHECKPOINT_VERSION)
		return "has a newer format than this program knows; use the newer program";
	if (get_u32(p + 60) != crc32c(0, p, 60))
		return "is damaged; restore the store from a backup";
	return NULL;
}

int
checkpoint_read(int dir, uint64_t *as_of, checkpoint_fn fn, void *with)
{
	size_t n, q = CHECKPOINT_HEADER;
	uint64_t records = 0;
	char *p = fdio_load(dir, "checkpoint", &n, CHECKPOINT_MOST);
	if (p == NULL && errno == ENOENT)
		return 1;
	int error = p ? EBADMSG : errno;
	const char *fault = p ? checkpoint_fault(p, n) : strerror(error);
	if (fault == NULL) {
		*as_of = get_u64(p + 16);
		for (; q + RECORD_HEADER <= n && record_is_sound(p + q, n - q); q += record_stride(get_u32(p + q))) {
			if (record_stride(get_u32(p + q)) > n - q)
				break;                 /* whoever keeps it copies it with the zeros behind it */
			if (get_u32(p + q + 4) != record_crc(p + q, get_u32(p + q), *as_of) || fn(with, p + q) != 0)
				break;
			records++;
		}
		if (q != n || records != get_u64(p + 24))
			fault = "is damaged; restore the store from a backup";
	}
	free(p);
	if (fault)
		log_error("checkpoint %s", fault);
	errno = error;
	return fault ? -1 : 0;
}
