/* MOM's payload coding: numbers, bytes and texts in a message that any machine and language reads alike.
 *
 * All numbers little endian, in as many bytes as their name says, without padding; i64 is two's complement, f64 the 8
 * bytes of an IEEE 754 double. Bytes and strings are a length (u8, u16 or u32, as the name says) and so many bytes; a
 * string has no closing NUL on the wire and none inside. Nothing says which types follow each other: both ends know.
 *
 *     u16 0x0102 -> 02 01        string8 "hi" -> 02 68 69        i64 -1 -> ff ff ff ff ff ff ff ff
 *
 * A writer fills a buffer of the caller's, a reader walks through one; neither allocates. What does not fit, and what
 * is not there, sticks: from then on nothing is written, everything that is read is 0 or empty, and one question at the
 * end tells.
 *
 *     unsigned char bytes[64];
 *     struct mom_writer w;
 *     mom_writer_init(&w, bytes, sizeof bytes);
 *     mom_put_u32(&w, 42);
 *     mom_put_string8(&w, "forty-two");
 *     if (!mom_writer_failed(&w))
 *         mom_publish(id, "numbers", bytes, w.len, 0);
 *
 *     struct mom_reader r;
 *     char name[32];
 *     mom_reader_init(&r, m.data, m.len);
 *     uint32_t number = mom_get_u32(&r);
 *     mom_get_string8(&r, name, sizeof name);
 *     if (mom_reader_failed(&r))
 *         puts("not one of ours");
 *
 * A reader never looks beyond the bytes that it was given, whatever lengths stand in them: bytes of strangers are safe
 * to read. */
#ifndef MOM_CODING_H
#define MOM_CODING_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mom_writer {
	unsigned char *bytes;      /* the caller's */
	size_t size;               /* of bytes */
	size_t len;                /* written so far: what is published */
	int failed;
};

struct mom_reader {
	const unsigned char *bytes;
	size_t len;                /* of bytes */
	size_t at;                 /* read so far */
	int failed;
};

/* ---- writing ---- */

/* Begin with an empty buffer of size bytes; bytes may be NULL where size is 0.
 *     mom_writer_init(&w, bytes, sizeof bytes); */
void mom_writer_init(struct mom_writer *w, void *bytes, size_t size);

/* 1: something did not fit (the buffer, or the prefix: 256 bytes after a u8), what is in the buffer is not whole. 0:
 * all is there, w->len bytes.
 *     if (mom_writer_failed(&w)) puts("too much"); */
int  mom_writer_failed(const struct mom_writer *w);

/* Each appends one value.
 *     mom_put_i64(&w, -5);  mom_put_f64(&w, 0.1); */
void mom_put_u8(struct mom_writer *w, uint8_t value);
void mom_put_u16(struct mom_writer *w, uint16_t value);
void mom_put_u32(struct mom_writer *w, uint32_t value);
void mom_put_u64(struct mom_writer *w, uint64_t value);
void mom_put_i64(struct mom_writer *w, int64_t value);
void mom_put_f64(struct mom_writer *w, double value);

/* Append bytes as they are, without a length: where both ends know how many. data may be NULL where len is 0.
 *     mom_put_raw(&w, digest, 32); */
void mom_put_raw(struct mom_writer *w, const void *data, size_t len);

/* Append a length and the bytes: up to 255, 65535, 4294967295 of them; more fails.
 *     mom_put_bytes16(&w, picture, picture_len); */
void mom_put_bytes8(struct mom_writer *w, const void *data, size_t len);
void mom_put_bytes16(struct mom_writer *w, const void *data, size_t len);
void mom_put_bytes32(struct mom_writer *w, const void *data, size_t len);

/* The same for a text, up to its NUL.
 *     mom_put_string8(&w, "forty-two"); */
void mom_put_string8(struct mom_writer *w, const char *text);
void mom_put_string16(struct mom_writer *w, const char *text);
void mom_put_string32(struct mom_writer *w, const char *text);

/* ---- reading ---- */

/* Begin at the first of len bytes, which stay the caller's: valid as long as the message is. bytes may be NULL where
 * len is 0.
 *     mom_reader_init(&r, m.data, m.len); */
void mom_reader_init(struct mom_reader *r, const void *bytes, size_t len);

/* 1: something was not there, or not as it should be; do not use what was read. Asked once, at the end.
 *     if (mom_reader_failed(&r)) puts("not one of ours"); */
int  mom_reader_failed(const struct mom_reader *r);

/* How many bytes are left; 0 after a failure. 0 without one: all was read. For lists without a count:
 *     while (mom_reader_left(&r)) add(mom_get_u32(&r)); */
size_t mom_reader_left(const struct mom_reader *r);

/* Each takes one value; 0 where it is not there whole.
 *     int64_t a = mom_get_i64(&r), b = mom_get_i64(&r); */
uint8_t  mom_get_u8(struct mom_reader *r);
uint16_t mom_get_u16(struct mom_reader *r);
uint32_t mom_get_u32(struct mom_reader *r);
uint64_t mom_get_u64(struct mom_reader *r);
int64_t  mom_get_i64(struct mom_reader *r);
double   mom_get_f64(struct mom_reader *r);

/* Take len bytes without a length before them: where they lie in the reader's buffer (not aligned), or NULL and failed.
 *     const void *digest = mom_get_raw(&r, 32); */
const void *mom_get_raw(struct mom_reader *r, size_t len);

/* Take a length and its bytes: where they lie in the reader's buffer and how many in *len; never NULL, *len is 0 after
 * a failure.
 *     size_t n;  const void *picture = mom_get_bytes16(&r, &n); */
const void *mom_get_bytes8(struct mom_reader *r, size_t *len);
const void *mom_get_bytes16(struct mom_reader *r, size_t *len);
const void *mom_get_bytes32(struct mom_reader *r, size_t *len);

/* Take a text into text (size bytes, 1 at least), with a closing NUL, and return its length. One that is too long for
 * it, or that has a NUL inside, fails; text is "" then.
 *     char name[32];  mom_get_string8(&r, name, sizeof name); */
size_t mom_get_string8(struct mom_reader *r, char *text, size_t size);
size_t mom_get_string16(struct mom_reader *r, char *text, size_t size);
size_t mom_get_string32(struct mom_reader *r, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
