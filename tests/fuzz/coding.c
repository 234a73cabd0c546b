/* coding - proves: of any bytes, readers take only what is there; what they hand out lies inside the message, and after
 * the first failure there is nothing. What writers say fitted is read back the same.
 * INPUT  u8 steps, u8 size of the writer's buffer; so many u8 what to take; then the message */
#include <mom_coding.h>
#include "take_over.h"
#include "api/coding.c"

enum { STEPS = 64, KINDS = 13 };

static struct fuzz_input in;

/* a value of each kind, read from r and put again to w; a failure of r fails w, too */
static void
take(struct mom_reader *r, struct mom_writer *w, unsigned kind)
{
	char text[20];
	size_t n = 0;
	const char *p = "";
	switch (kind) {
	case 0: mom_put_u8(w, mom_get_u8(r)); return;
	case 1: mom_put_u16(w, mom_get_u16(r)); return;
	case 2: mom_put_u32(w, mom_get_u32(r)); return;
	case 3: mom_put_u64(w, mom_get_u64(r)); return;
	case 4: mom_put_i64(w, mom_get_i64(r)); return;
	case 5: mom_put_f64(w, mom_get_f64(r)); return;
	case 6: p = mom_get_bytes8(r, &n), mom_put_bytes8(w, p, n); break;
	case 7: p = mom_get_bytes16(r, &n), mom_put_bytes16(w, p, n); break;
	case 8: p = mom_get_bytes32(r, &n), mom_put_bytes32(w, p, n); break;
	case 9: n = mom_get_string8(r, text, sizeof text), mom_put_string8(w, text); break;
	case 10: n = mom_get_string16(r, text, sizeof text), mom_put_string16(w, text); break;
	case 11: n = mom_get_string32(r, text, 1), text[n] = '\0', mom_put_string32(w, text); break;
	default: p = mom_get_raw(r, 3), n = p ? 3 : 0, mom_put_raw(w, p, n); break;
	}
	if (kind >= 9 && kind <= 11)
		FUZZ_CHECK(n < sizeof text && strlen(text) == n);
	else
		FUZZ_CHECK(n == 0 || (p >= (const char *)r->bytes && p + n <= (const char *)r->bytes + r->len));
	FUZZ_CHECK(!mom_reader_failed(r) || n == 0);
}

static void
body(void)
{
	unsigned steps = (unsigned)fuzz_number(&in, 1) % STEPS;
	size_t size = (size_t)fuzz_number(&in, 1);
	unsigned char kinds[STEPS], *message, *copy = malloc(size ? size : 1);
	memset(kinds, 0, sizeof kinds);
	fuzz_bytes(&in, kinds, steps);
	size_t n = in.n;
	message = malloc(n ? n : 1);
	fuzz_bytes(&in, message, n);
	struct mom_reader r;
	struct mom_writer w;
	mom_reader_init(&r, message, n);
	mom_writer_init(&w, copy, size);
	for (unsigned i = 0; i < steps; i++) {
		int failed = mom_reader_failed(&r), full = mom_writer_failed(&w);
		size_t at = r.at, len = w.len;
		take(&r, &w, kinds[i] % KINDS);
		FUZZ_CHECK(r.at <= n && w.len <= size && r.at >= at && w.len >= len);
		FUZZ_CHECK(!failed || (mom_reader_failed(&r) && r.at == at && mom_reader_left(&r) == 0));
		FUZZ_CHECK(!full || (mom_writer_failed(&w) && w.len == len));
	}
	if (!mom_reader_failed(&r) && !mom_writer_failed(&w))
		FUZZ_CHECK(w.len == r.at && memcmp(copy, message, w.len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	in = (struct fuzz_input){ data, size };
	FUZZ_CHECK(fuzz_run(body) == -1);
	return 0;
}

/* ---- seeds ---- */

void
fuzz_seeds(fuzz_seed_fn seed)
{
	unsigned char b[256];
	struct mom_writer w;
	mom_writer_init(&w, b, sizeof b);
	mom_put_raw(&w, "\14\200\0\1\2\3\4\5\6\7\10\11\12\14", 14);
	mom_put_u8(&w, 1), mom_put_u16(&w, 2), mom_put_u32(&w, 3), mom_put_u64(&w, 4), mom_put_i64(&w, -5),
	    mom_put_f64(&w, 0.5);
	mom_put_bytes8(&w, "six", 3), mom_put_bytes16(&w, "seven", 5), mom_put_bytes32(&w, "eight", 5),
	    mom_put_string8(&w, "nine"), mom_put_string16(&w, "ten");
	mom_put_raw(&w, "raw", 3);
	seed("all", b, w.len);
	seed("cut", b, w.len - 5);
	b[1] = 40;
	seed("writer-full", b, w.len);
	seed("lengths", "\5\377\6\7\10\11\12\377\377\377\377\377\377\377\377\377\377", 17);
	seed("length-32", "\2\377\10\0\377\377\377\377abc", 11);
	seed("nul-inside", "\1\377\11\3a\0b", 7);
}
