/* machines - proves: of any bytes in db/machines and db/store broker_server takes up either nothing, with a clear
 * error, or what it writes and reads again unchanged; a machine gets a serial of its own that nobody else has, and only
 * with a token that it was given; what is admitted is in the file.
 * INPUT  u8 1: store, 2: no file, 4: --max-message is given; then its bytes, a zero byte, and pairs: u8 which machine,
 *        u8 which token it shows */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include "base/fdio.h"
#include "base/hex.h"
#include "base/lock.h"
#include "ipc/rundir.h"
#include "take_over.h"

static struct {
	struct fuzz_input in;
	char *bytes;                               /* of the file */
	size_t n;
	uint64_t random;
	int unsynced;                              /* what was appended */
} fz;

static void *
edge_load(int dir, const char *name, size_t *n, size_t most)
{
	(void)dir, (void)name;
	if (fz.bytes == NULL || fz.n > most) {
		errno = fz.bytes ? EFBIG : ENOENT;
		return NULL;
	}
	char *p = malloc(fz.n + 1);
	memcpy(p, fz.bytes, fz.n);
	p[fz.n] = '\0';
	*n = fz.n;
	return p;
}

static int
edge_replace(int dir, const char *name, const void *bytes, size_t n, int durable)
{
	(void)dir, (void)name;
	FUZZ_CHECK(durable);
	fz.bytes = malloc(n + 1);
	memcpy(fz.bytes, bytes, n);
	fz.n = n;
	return 0;
}

static int
edge_random(void *bytes, size_t n)
{
	memset(bytes, 0, n);
	fz.random += 2;
	memcpy(bytes, &fz.random, n < 8 ? n : 8);
	return 0;
}

static int
edge_open_at(int dir, const char *name, int flags, int mode)
{
	(void)dir, (void)name, (void)mode;
	FUZZ_CHECK(flags == (O_WRONLY | O_APPEND) && fz.bytes);
	return 1000000;
}

static void
edge_close(int *fd)
{
	*fd = -1;
}

static int
edge_append(int fd, const void *bytes, size_t n)
{
	(void)fd;
	fz.bytes = realloc(fz.bytes, fz.n + n + 1);
	memcpy(fz.bytes + fz.n, bytes, n);
	fz.n += n;
	fz.unsynced = 1;
	return 0;
}

static int
edge_datasync(int fd)
{
	(void)fd;
	fz.unsynced = 0;
	return 0;
}

#define fdio_load       edge_load
#define fdio_replace    edge_replace
#define fdio_random     edge_random
#define fdio_open_at    edge_open_at
#define fdio_write_full edge_append
#define fdio_allocate(fd, n) ((void)(fd), (void)(n), 0)
#define fdio_close      edge_close
#define fdio_datasync   edge_datasync
#define fdio_sync(dir)  ((void)(dir), 0)
#include "base/sealed.c"
#include "base/map.c"
#include "log/store_file.c"
#include "broker/machines.c"
#undef fdio_open_at
#undef fdio_close
#undef fdio_allocate
#undef fdio_sync
#include "broker/store.c"

static void
check_same(const struct machines *a, const struct machines *b)
{
	size_t at = 0;
	FUZZ_CHECK(a->by_serial.used == b->by_serial.used && a->by_id.used == b->by_id.used &&
	    a->reserved == b->reserved);
	FUZZ_CHECK(a->by_serial.used == 0 || memcmp(a->key, b->key, sizeof a->key) == 0);
	for (const struct known_machine *k, *same; (k = map_each(&a->by_serial, &at)) != NULL;) {
		same = map_get(&b->by_serial, &k->serial, sizeof k->serial);
		FUZZ_CHECK(same && memcmp(k, same, sizeof *k) == 0 && k->serial < a->reserved && k->token != 0);
	}
}

static void
check_kept(const struct machines *m)
{
	struct machines again;
	FUZZ_CHECK(!fz.unsynced && machines_load(&again, 0) == 0);
	check_same(m, &again);
}

static struct known_machine *
some_machine(struct machines *m, unsigned who)
{
	size_t at = 0;
	struct known_machine *k = NULL;
	for (unsigned i = 0; i <= who && i < m->by_id.used; i++)
		k = map_each(&m->by_id, &at);
	return who < 128 && who < m->by_id.used ? k : NULL;
}

/* shows: of a known machine one of its tokens, of another its ticket, or something else */
static void
admit(struct machines *m, unsigned who, unsigned shows, struct known_machine *visitor)
{
	struct known_machine *k = some_machine(m, who), got = { .serial = 0 };
	uint8_t id[WIRE_ID_BYTES] = { (uint8_t)who };
	if (k)
		memcpy(id, k->id, sizeof id);
	else
		k = machines_find(m, id);
	struct known_machine *had = k ? k : visitor->serial && memcmp(visitor->id, id, sizeof id) == 0 ? visitor : NULL;
	uint64_t shown = shows == 0 || had == NULL ? shows : shows & 1 ? had->token : shows & 2 ? had->before : shows;
	int must = had ? shown == had->token || shown == had->before || (k == NULL && shown == 0) : shown == 0;
	uint32_t next = m->next, used = (uint32_t)m->by_serial.used;
	int r = machines_admit(m, id, shown, &got);
	if (m->next < next || (r < 0 && must))
		FUZZ_CHECK(m->reserved > UINT32_MAX - SERIAL_BLOCK);
	if (r < 0)
		return;
	FUZZ_CHECK(must && got.token != 0 && got.before == shown && memcmp(got.id, id, sizeof id) == 0 &&
	    m->by_serial.used == used);
	FUZZ_CHECK(k ? got.serial == k->serial && got.token == k->token
	    : got.serial == (shown ? visitor->serial : next));
	if (k == NULL)
		*visitor = got;
	if (k == NULL && shows & 4 && machines_keep(m, &got) == 0)
		FUZZ_CHECK((k = machines_find(m, id)) != NULL && k->serial == got.serial && k->token == got.token);
	if (k && shows & 8)
		machines_confirm(m, k->serial, k->token);
	check_kept(m);
}

static void
run_machines(void)
{
	struct machines m;
	struct known_machine visitor = { .serial = 0 };
	fz.unsynced = fz.bytes != NULL;                /* its writer was killed before it could sync */
	if (machines_load(&m, 0) < 0)
		return;
	FUZZ_CHECK(!fz.unsynced);
	FUZZ_CHECK(m.by_serial.used <= fz.n / 4);
	if (m.by_serial.used) {
		FUZZ_CHECK(machines_rewrite(&m) == 0);
		check_kept(&m);
	}
	for (int i = 0; i < 16 && fz.in.n > 0; i++) {
		unsigned who = (unsigned)fuzz_number(&fz.in, 1);
		admit(&m, who, (unsigned)fuzz_number(&fz.in, 1), &visitor);
	}
}

static void
run_store(uint32_t message_max)
{
	struct store a = { .shards = 2 }, b = { .shards = 2 };
	char *before = fz.bytes;
	store_identity(&a, "db", message_max);
	FUZZ_CHECK(a.message_max <= MESSAGE_LIMIT && a.message_max >= message_max);
	if (fz.bytes == before)
		return;
	store_identity(&b, "db", 0);                   /* what was written is the same */
	FUZZ_CHECK(memcmp(a.id, b.id, sizeof a.id) == 0 && !b.fresh && a.message_max == b.message_max);
}

static void
body(void)
{
	unsigned which = (unsigned)fuzz_number(&fz.in, 1);
	const uint8_t *end = fz.in.n ? memchr(fz.in.p, 0, fz.in.n) : NULL;
	fz.n = end ? (size_t)(end - fz.in.p) : fz.in.n;
	fz.bytes = which & 2 ? NULL : malloc(fz.n + 1);
	if (fz.bytes)
		fuzz_bytes(&fz.in, fz.bytes, fz.n);
	fuzz_number(&fz.in, 1);
	if (which & 1)
		run_store(which & 4 ? 2 << 20 : 0);
	else
		run_machines();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&fz, 0, sizeof fz);
	fz.in = (struct fuzz_input){ data, size };
	int status = fuzz_run(body);
	FUZZ_CHECK(status == -1 || status == EXIT_SYSTEM || status == EXIT_USAGE);
	return 0;
}

/* ---- seeds ---- */

/* A file with what was appended, and machines that come. */
static void
seed_appended(fuzz_seed_fn seed)
{
	static const char moves[] = "\0\0\1\1\2\300\4\301\1\0\7\301\2\300\5\300\15";
	struct known_machine k = { .serial = 1, .id = { 7 }, .token = 11 };
	struct machines_file f = { .next = 65, .key = { 1 }, .list = &k, .count = 1 };
	size_t bytes, n = 1;
	char text[2000] = "", line[MACHINE_LINE + 1];
	FUZZ_CHECK(machines_file_write(&f, 0, &bytes) == 0);
	memcpy(text + n, fz.bytes, fz.n);
	n += fz.n;
	k = (struct known_machine){ .serial = 64, .id = { 8 }, .token = 13, .before = 13 };
	memcpy(text + n, line, bytes = machines_file_line(line, &k));
	n += bytes;
	memcpy(text + n, line, bytes = machines_file_next(line, 129));
	n += bytes;
	memcpy(text + n, moves, sizeof moves - 1);
	seed("appended", text, n + sizeof moves - 1);
	memmove(text + n - 9, moves, sizeof moves - 1);
	seed("appended-cut", text, n - 9 + sizeof moves - 1);
}

void
fuzz_seeds(fuzz_seed_fn seed)
{
#define ID "00112233445566778899aabbccddee"
	static const char two[] = "\0001 " ID "ff 000000000000000b 0000000000000000\n2 " ID "fe 0000000000000011 "
	    "000000000000000b\n\0\0\1\1\2\300\0\301\1\0\7";
	static const char wrong_serial[] = "\0002 " ID "ff b 0\n";
	static const char twice[] = "\0001 " ID "ff b 0\n2 " ID "ff d 0\n\0\0\1";
	static const char short_id[] = "\0001 0011 b 0\n";
	static const char none[] = "\2\0\1\0\1\1\2\0";
	static const char store[] = "\1mom store 1 id " ID "ff shards 2\n";
	static const char store_shards[] = "\1mom store 1 id " ID "ff shards 4711\n";
	static const char store_newer[] = "\1mom store 2 id " ID "ff shards 2\n";
	seed("two", two, sizeof two - 1);
	seed("wrong-serial", wrong_serial, sizeof wrong_serial - 1);
	seed("twice", twice, sizeof twice - 1);
	seed("short-id", short_id, sizeof short_id - 1);
	seed_appended(seed);
	seed("none", none, sizeof none - 1);
	seed("store", store, sizeof store - 1);
	seed("store-shards", store_shards, sizeof store_shards - 1);
	seed("store-newer", store_newer, sizeof store_newer - 1);
	seed("store-none", "\3", 1);
	static const char store_message[] = "\5mom store 1 id " ID "ff shards 2 message 1048577\n";
	seed("store-message", store_message, sizeof store_message - 1);
}
