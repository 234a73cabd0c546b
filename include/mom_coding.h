/* MOM's payload coding: numbers, bytes and texts in a message that every machine and language reads alike.
 *
 * Numbers are little endian, in as many bytes as their name says, without padding. i64 is two's complement; f64 is the
 * 8 bytes of an IEEE 754 double. Bytes and strings are a length (u8, u16 or u32, as the name says), then so many bytes.
 * A string has no NUL on the wire, neither at its end nor inside. The bytes do not say which types follow each other:
 * both ends have to know.
 *
 *     u16 0x0102 -> 02 01        string8 "hi" -> 02 68 69        i64 -1 -> ff ff ff ff ff ff ff ff
 *
 * A writer fills a buffer of the caller; a reader walks through one. Neither allocates. A failure sticks: once
 * something did not fit, nothing more is written; once something was not there, everything that is read is 0 or empty.
 * So one question at the end is enough.
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
 * A reader never looks beyond the bytes that it was given, whatever lengths stand in them. So it is safe to read the
 * bytes of strangers. */
#ifndef MOM_CODING_H
#define MOM_CODING_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mom_writer {
	unsigned char *bytes;      /* the caller's */
	size_t size;               /* how many bytes fit into it */
	size_t len;                /* bytes written so far: publish so many */
	int failed;
};

struct mom_reader {
	const unsigned char *bytes;
	size_t len;                /* how many bytes there are */
	size_t at;                 /* bytes read so far */
	int failed;
};

/* ---- writing ---- */

/* Begin with an empty buffer of size bytes. bytes may be NULL if size is 0.
 *     mom_writer_init(&w, bytes, sizeof bytes); */
void mom_writer_init(struct mom_writer *w, void *bytes, size_t size);

/* 1: something did not fit into the buffer, or its length did not fit into the prefix (256 bytes after a u8); what is
 * in the buffer is not whole. 0: everything is there, in w->len bytes.
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

/* Append bytes as they are, without a length. Use it if both ends know how many bytes they are. data may be NULL if len
 * is 0.
 *     mom_put_raw(&w, digest, 32); */
void mom_put_raw(struct mom_writer *w, const void *data, size_t len);

/* Append a length and the bytes. At most 255, 65535 or 4294967295 bytes fit; more is a failure.
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

/* Begin at the first of len bytes. The bytes stay the caller's, so the reader is valid as long as the message is. bytes
 * may be NULL if len is 0.
 *     mom_reader_init(&r, m.data, m.len); */
void mom_reader_init(struct mom_reader *r, const void *bytes, size_t len);

/* 1: something was not there, or not as it should be: do not use what was read. Ask once, at the end.
 *     if (mom_reader_failed(&r)) puts("not one of ours"); */
int  mom_reader_failed(const struct mom_reader *r);

/* How many bytes are left; 0 after a failure. 0 without a failure: everything was read. It helps with lists that have
 * no count:
 *     while (mom_reader_left(&r)) add(mom_get_u32(&r)); */
size_t mom_reader_left(const struct mom_reader *r);

/* Each takes one value. It returns 0 if the value is not there as a whole.
 *     int64_t a = mom_get_i64(&r), b = mom_get_i64(&r); */
uint8_t  mom_get_u8(struct mom_reader *r);
uint16_t mom_get_u16(struct mom_reader *r);
uint32_t mom_get_u32(struct mom_reader *r);
uint64_t mom_get_u64(struct mom_reader *r);
int64_t  mom_get_i64(struct mom_reader *r);
double   mom_get_f64(struct mom_reader *r);

/* Take len bytes that have no length before them. Returns where they lie in the reader's buffer (not aligned), or NULL
 * after a failure.
 *     const void *digest = mom_get_raw(&r, 32); */
const void *mom_get_raw(struct mom_reader *r, size_t len);

/* Take a length and so many bytes. Returns where they lie in the reader's buffer, and how many there are in *len. Never
 * NULL; after a failure *len is 0.
 *     size_t n;  const void *picture = mom_get_bytes16(&r, &n); */
const void *mom_get_bytes8(struct mom_reader *r, size_t *len);
const void *mom_get_bytes16(struct mom_reader *r, size_t *len);
const void *mom_get_bytes32(struct mom_reader *r, size_t *len);

/* Take a text, put it into `text` (size bytes, at least 1) with a NUL behind it, and return its length. It is a failure
 * if the text is too long for the buffer or has a NUL inside; `text` is "" then.
 *     char name[32];  mom_get_string8(&r, name, sizeof name); */
size_t mom_get_string8(struct mom_reader *r, char *text, size_t size);
size_t mom_get_string16(struct mom_reader *r, char *text, size_t size);
size_t mom_get_string32(struct mom_reader *r, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
