/* ring_file - see ring_file.h */
#include "ipc/ring_file.h"
#include "base/crc32c.h"
#include <string.h>

enum { RING_FILE_VERSION = 1 };
static const char magic[] = "MOMRING\n";

void
ring_file_seal(char *bytes, size_t n, uint64_t id)
{
	memset(bytes, 0, RING_FILE_HEADER);
	memcpy(bytes, magic, 8);
	put_u32(bytes + 8, RING_FILE_VERSION);
	put_u64(bytes + 16, id);
	put_u64(bytes + 24, n);
	put_u32(bytes + 60, crc32c(0, bytes, 60));
	for (size_t q = RING_FILE_HEADER; q < RING_FILE_HEADER + n; q += record_stride(get_u32(bytes + q)))
		put_u32(bytes + q + 4, record_crc(bytes + q, get_u32(bytes + q), id));
}

static int
record_is_whole(const char *p, size_t n)
{
	return n >= RECORD_HEADER && record_is_sound(p, n) && record_stride(get_u32(p)) <= n;
}

static int
has_crc(const char *p, uint64_t id)
{
	return get_u32(p + 4) == record_crc(p, get_u32(p), id);
}

const char *
ring_file_look(const char *bytes, size_t n, size_t *from, size_t *to)
{
	int sealed = n >= 8 && memcmp(bytes, magic, 8) == 0;
	uint64_t id = 0;
	*from = *to = 0;
	if (n == 0)
		return "it is empty";
	if (sealed) {
		if (n < RING_FILE_HEADER || get_u32(bytes + 60) != crc32c(0, bytes, 60))
			return "its head is damaged";
		if (get_u32(bytes + 8) > RING_FILE_VERSION)
			return "of a newer format than this program knows";
		id = get_u64(bytes + 16);
		*from = *to = RING_FILE_HEADER;
	}
	while (record_is_whole(bytes + *to, n - *to) && (!sealed || has_crc(bytes + *to, id)))
		*to += record_stride(get_u32(bytes + *to));
	if (*to < n)
		return "a record is damaged";
	return sealed && get_u64(bytes + 24) != n - RING_FILE_HEADER ? "its end is missing" : NULL;
}
