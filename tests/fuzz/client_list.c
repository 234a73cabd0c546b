/* client_list - proves: of any files in the spool the daemon takes up either nothing, with a clear error, or values
 * that are sound and that it writes and reads again unchanged; a client's saved ring goes into its segment as whole
 * records, and is saved from a segment that a hostile process still writes to without a byte beyond.
 * INPUT  u8 which file, u8 what is repaired (1: the CRC line, 2: head and CRCs of a ring); then its bytes */
#include <errno.h>
#include <fcntl.h>
#include "base/crc32c.h"
#include "base/fdio.h"
#include "base/hex.h"
#include "format/topic.h"
#include "daemon/members_file.h"
#include "take_over.h"

enum { TABLE = 1, CLIENT = 10, SLOTS = 4, SHARDS = 3, FILES = 6, LARGE_RECORD = 256 * 1024 };
static const char *const names[FILES] = { "identity", "clients", "words-0", "ring-0", "starts", "forgotten" };

static struct {
	struct fuzz_input in;
	struct { char *bytes; size_t n; } file[FILES];
	struct ring *moving;                       /* somebody moves its head on while it is copied */
	int moves;
} fz;

static int
file_of(const char *name)
{
	for (int i = 0; i < FILES; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	fuzz_fail(__FILE__, __LINE__, name);
}

static void *
edge_load(int dir, const char *name, size_t *n, size_t most)
{
	int i = file_of(name);
	(void)dir;
	if (fz.file[i].bytes == NULL || fz.file[i].n > most) {
		errno = fz.file[i].bytes ? EFBIG : ENOENT;
		return NULL;
	}
	char *p = malloc(fz.file[i].n + 1);
	memcpy(p, fz.file[i].bytes, fz.file[i].n);
	p[fz.file[i].n] = '\0';
	*n = fz.file[i].n;
	return p;
}

static int
edge_replace(int dir, const char *name, const void *bytes, size_t n, int durable)
{
	int i = file_of(name);
	(void)dir, (void)durable;
	fz.file[i].bytes = malloc(n + 1);
	memcpy(fz.file[i].bytes, bytes, n);
	fz.file[i].n = n;
	return 0;
}

static void *
edge_copy(void *to, const void *from, size_t n)
{
	memcpy(to, from, n);
	if (fz.moving && fz.moves-- > 0)
		fz.moving->head += LARGE_RECORD;
	return to;
}

#define fdio_load    edge_load
#define fdio_replace edge_replace
#define unlinkat(dir, name, flags) ((void)(dir), (void)(flags), (void)file_of(name))
#include "base/sealed.c"
#include "daemon/members_file.c"
#define memcpy(to, from, n) edge_copy(to, from, n)
#include "ipc/ring.c"
#undef memcpy

static void
new_daemon(struct daemon *d)
{
	*d = (struct daemon){ .shards = SHARDS, .table = ipcq_attach(TABLE, 0) };
	d->members = calloc(SLOTS, sizeof *d->members);
	d->members[0].segment = ipcq_attach(CLIENT, 0);
	d->members[0].ring = WINDOW;
	d->members[0].id = 0x700000005;
}

static void
run_identity(void)
{
	struct daemon a = { 0 }, b = { 0 };
	identity_load(&a);
	FUZZ_CHECK(identity_save(&a) == 0);
	identity_load(&b);
	FUZZ_CHECK(memcmp(a.machine, b.machine, sizeof a.machine) == 0 &&
	    memcmp(a.store, b.store, sizeof a.store) == 0);
	FUZZ_CHECK(a.serial == b.serial && a.shards == b.shards && a.shards <= SHARDS_MAX);
}

static void
run_list(void)
{
	struct daemon a, b;
	new_daemon(&a);
	new_daemon(&b);
	members_read(&a);
	FUZZ_CHECK(a.used <= SLOTS);
	for (uint32_t i = 0; i < a.used; i++) {
		struct member *m = &a.members[i];
		FUZZ_CHECK(m->state <= SLOT_DYING && memchr(m->name, '\0', sizeof m->name) != NULL);
		FUZZ_CHECK(m->name[0] == '\0' || client_name_fault(m->name) == NULL);
		FUZZ_CHECK(m->durable == 0 || m->durable == 1);
	}
	FUZZ_CHECK(members_save(&a) == 0);
	members_read(&b);
	FUZZ_CHECK(a.used == b.used && a.reserved_id == b.reserved_id);
	for (uint32_t i = 0; i < a.used; i++) {
		struct member *m = &a.members[i], *n = &b.members[i];
		FUZZ_CHECK(m->state == n->state && m->id == n->id && m->generation == n->generation &&
		    m->owner == n->owner && m->uid == n->uid &&
		    m->started == n->started && m->durable == n->durable && m->shm == n->shm &&
		    strcmp(m->name, n->name) == 0 &&
		    memcmp(m->nonce, n->nonce, sizeof m->nonce) == 0);
	}
}

static void
run_words(void)
{
	struct daemon d;
	new_daemon(&d);
	members_load_words(&d, 0);
	struct client_segment *c = d.members[0].segment;
	for (uint32_t k = 0; k < SHARDS_MAX; k++)
		FUZZ_CHECK(c->acked[k] == c->handed[k]);
	members_save_words(&d, 0, WORDS_LIVE);
}

/* Everything that is in the ring, as the requester reads it. */
static uint64_t
count_ring(struct ring *ring)
{
	struct ring_reader r;
	int broken;
	uint64_t n = 0;
	ring_reader_init(&r, ring, WINDOW, ring->tail);
	while (ring_next(&r, &broken) != NULL)
		n++;
	FUZZ_CHECK(!broken && r.at == ring->head);
	return n;
}

static void
run_ring(void)
{
	struct daemon d;
	new_daemon(&d);
	struct client_segment *c = d.members[0].segment;
	struct ring *ring = client_requests(c);
	members_load_ring(&d, 0);
	count_ring(ring);
	fz.file[3].bytes = NULL;
	members_save_ring(&d, 0);
	size_t from, to;
	FUZZ_CHECK(fz.file[3].bytes == NULL || (ring_file_look(fz.file[3].bytes, fz.file[3].n, &from, &to) == NULL &&
	    to == fz.file[3].n));
}

/* A head in front, and the CRCs of what looks like records. */
static char *
sealed_ring(char *bytes, size_t *n)
{
	char *whole = malloc(RING_FILE_HEADER + *n + 16);
	size_t q = 0;
	ring_file_seal(whole, 0, 0x700000005);
	memcpy(whole + RING_FILE_HEADER, bytes, *n);
	put_u64(whole + 24, *n);
	put_u32(whole + 60, crc32c(0, whole, 60));
	char *p = whole + RING_FILE_HEADER;
	for (; q + RECORD_HEADER <= *n && record_is_sound(p + q, *n - q); q += record_stride(get_u32(p + q)))
		put_u32(p + q + 4, record_crc(p + q, get_u32(p + q), 0x700000005));
	*n += RING_FILE_HEADER;
	return whole;
}

/* What is in the file is taken for a ring in which somebody goes on writing. */
static void
run_moving_ring(void)
{
	struct daemon d;
	new_daemon(&d);
	struct ring *ring = client_requests(d.members[0].segment);
	for (uint64_t at = 0; at + LARGE_RECORD <= WINDOW; at += LARGE_RECORD) {
		struct record r = { .type = REC_MESSAGE, .header = RECORD_HEADER, .number = 1, .len = LARGE_RECORD };
		record_put(ring->bytes + at, &r);
	}
	ring->head = fuzz_number(&fz.in, 4) % (WINDOW / LARGE_RECORD + 1) * LARGE_RECORD;
	fz.moves = (int)fuzz_number(&fz.in, 1) % 16;
	fz.moving = ring;
	members_save_ring(&d, 0);
	fz.moving = NULL;
	FUZZ_CHECK(fz.file[3].n <= RING_FILE_HEADER + WINDOW);
}

static void
run_starts(void)
{
	struct daemon d;
	uint64_t start[SHARDS_MAX], bits[SHARDS_MAX];
	new_daemon(&d);
	fuzz_wipe(d.table, sizeof *d.table);
	starts_load(&d);
	memcpy(start, d.table->start, sizeof start);
	memcpy(bits, d.table->start_bits, sizeof bits);
	d.shards = SHARDS_MAX;
	starts_save(&d);
	starts_load(&d);
	FUZZ_CHECK(memcmp(start, d.table->start, sizeof start) == 0 &&
	    memcmp(bits, d.table->start_bits, sizeof bits) == 0);
}

static void
run_forgotten(void)
{
	struct daemon a, b;
	struct member m = { .uid = 1000, .name = "billing" };
	new_daemon(&a);
	new_daemon(&b);
	forgotten_load(&a);
	forgotten_add(&a, &m);
	forgotten_load(&b);
	FUZZ_CHECK(a.forgotten_count == b.forgotten_count);
	for (size_t i = 0; i < a.forgotten_count; i++)
		FUZZ_CHECK(a.forgotten[i].uid == b.forgotten[i].uid &&
		    strcmp(a.forgotten[i].name, b.forgotten[i].name) == 0 &&
		    client_name_fault(a.forgotten[i].name) == NULL);
	FUZZ_CHECK(forgotten_take(&a, 1000, "billing") && !forgotten_take(&a, 1000, "*"));
}

static void
body(void)
{
	static void (*const runs[FILES])(void) = { run_identity, run_list, run_words, run_ring, run_starts,
	    run_forgotten };
	unsigned which = (unsigned)fuzz_number(&fz.in, 1) % (FILES + 1), how = (unsigned)fuzz_number(&fz.in, 1);
	if (which == FILES) {
		run_moving_ring();
		return;
	}
	size_t n = fz.in.n;
	char *bytes = malloc(n + 16);
	fuzz_bytes(&fz.in, bytes, n);
	if (how & 1)
		n += (size_t)sprintf(bytes + n, "crc %08x\n", crc32c(0, bytes, n));
	if (how & 2 && which == 3)
		bytes = sealed_ring(bytes, &n);
	fz.file[which].bytes = bytes;
	fz.file[which].n = n;
	runs[which]();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine_table *t = fuzz_segment(TABLE, sizeof *t);
	struct client_segment *c = fuzz_segment(CLIENT, client_bytes(MOM_MESSAGE_MAX));
	memset(&fz, 0, sizeof fz);
	t->capacity = SLOTS;
	fz.in = (struct fuzz_input){ data, size };
	if (size > 0 && data[0] % (FILES + 1) >= 2)
		fuzz_wipe(c, client_bytes(MOM_MESSAGE_MAX));
	int status = fuzz_run(body);
	FUZZ_CHECK(status == -1 || status == EXIT_SYSTEM || status == EXIT_USAGE);
	return 0;
}

/* ---- seeds ---- */

static void
seed_text(fuzz_seed_fn seed, const char *name, int which, const char *text)
{
	char b[1024];
	seed(name, b, (size_t)snprintf(b, sizeof b, "%c\1%s", which, text));
}

void
fuzz_seeds(fuzz_seed_fn seed)
{
	char b[1024] = { 3, 0 };
	size_t n = 2;
	seed_text(seed, "identity", 7, "mom spool 1 machine 00112233445566778899aabbccddeeff store "
	    "ffeeddccbbaa99887766554433221100 serial 7 shards 1 token 15 message 1048576\n");
	seed_text(seed, "identity-short-hex", 7, "mom spool 1 machine 0011 store ff serial 7 shards 1 token 15 message "
	    "1048576\n");
	seed_text(seed, "identity-shards", 7, "mom spool 1 machine 00112233445566778899aabbccddeeff store "
	    "ffeeddccbbaa99887766554433221100 serial 7 shards 4711 token 15 message 1048576\n");
	seed_text(seed, "clients", 1, "mom clients 1 boot x next 1025\nslot 0 state 1 generation 1 owner 1 id "
	    "0000000700000001 uid 1000 pid 42 started 4711 durable 1 shm 5 sem 6 away 7 nonce "
	    "00112233445566778899aabbccddeeff name billing\nslot 2 state 3 generation 2 owner 3 id 0000000700000002 "
	    "uid 0 pid 43 started 1 durable 0 shm -1 sem -1 away 0 nonce 00112233445566778899aabbccddeeff name *\nslot "
	    "3 state 2 generation 2 owner 3 id 0000000700000003 uid 0 pid 0 started 0 durable 1 shm -1 sem -1 away 9 "
	    "nonce 00112233445566778899aabbccddeeff name -\n");
	seed_text(seed, "clients-hostile", 1, "mom clients 1 boot x next 1025\nslot 0 state 1 generation 1 owner 1 id "
	    "0000000700000001 uid 1000 pid 42 started 4711 durable 7 shm 5 sem 6 away 7 nonce 00 name ../\033[2J\n");
	seed_text(seed, "words", 2, "mom words 1 id 0000000700000005\nshard 0 acked 10 again 20 first 30\nshard 63 "
	    "acked 1 again 2 first 3\nshard 64 acked 1\n");
	seed_text(seed, "starts", 4, "mom starts 1\nshard 0 start 20000000000 bits 4711\nshard 63 start 1 bits "
	    "ffffffffffffffff\nshard 64 start 1 bits 1\n");
	seed_text(seed, "forgotten", 5, "mom forgotten 1\nuid 1000 name billing\nuid 0 name ..\nuid 7 name \033[2J\n");
	struct record r = { .type = REC_MESSAGE, .topic_len = 4, .number = 1 };
	n += record_make(b + n, &r, "news", "hello", 5);
	n += record_make(b + n, &r, "news", "world!", 6);
	seed("ring", b, n);
	seed("ring-cut-in-padding", b, n - 2);
	b[1] = 2;
	seed("ring-sealed", b, n);
	memcpy(b, "\6\0\5\0\0\0\17", 7);
	seed("ring-moves", b, 7);
}
