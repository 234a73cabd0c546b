/* machines - proves: of any bytes in db/machines and db/store broker_server takes up either nothing, with a clear error, or what it writes
 * and reads again unchanged; a machine gets a serial of its own that nobody else has, and only with a token that it was given.
 * INPUT  u8 1: store, 2: no file, 4: --max-message is given; then its bytes, a zero byte, and pairs: u8 which machine, u8 which token it shows */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include "common/fdio.h"
#include "common/hex.h"
#include "common/lock.h"
#include "common/rundir.h"
#include "take_over.h"

static struct {
	struct fuzz_input in;
	char *bytes;                               /* of the file */
	size_t n;
	uint64_t random;
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

#define fdio_load    edge_load
#define fdio_replace edge_replace
#define fdio_random  edge_random
#include "common/sealed.c"
#include "common/store_file.c"
#include "broker/machines.c"
#include "broker/store.c"

static void
check_same(const struct machines *a, const struct machines *b)
{
	FUZZ_CHECK(a->count == b->count && (a->count == 0 || memcmp(a->list, b->list, a->count * sizeof *a->list) == 0));
}

static void
admit(struct machines *m, unsigned who, unsigned shows)
{
	struct machines again;
	uint8_t id[WIRE_ID_BYTES] = { (uint8_t)who };
	uint32_t count = m->count, known = 0;
	if (who < 128 && who < m->count)
		memcpy(id, m->list[who].id, sizeof id);
	while (known < m->count && memcmp(m->list[known].id, id, sizeof id) != 0)
		known++;
	struct known_machine *k = known < m->count ? &m->list[known] : NULL;
	uint64_t token = 0, shown = shows == 0 || k == NULL ? shows : shows & 1 ? k->token : shows & 2 ? k->before : shows;
	int must = k ? shown == k->token || shown == k->before : shown == 0;
	uint32_t serial = machines_admit(m, id, shown, &token);
	FUZZ_CHECK((serial != 0) == must && (serial == 0 || (serial == known + 1 && token != 0)));
	FUZZ_CHECK(m->count == (serial > count ? count + 1 : count));
	if (serial == 0)
		return;
	FUZZ_CHECK(m->list[known].token == token && m->list[known].before == shown && memcmp(m->list[known].id, id, sizeof id) == 0);
	FUZZ_CHECK(machines_load(&again, 0) == 0);
	check_same(m, &again);
}

static void
run_machines(void)
{
	struct machines m, again;
	if (machines_load(&m, 0) < 0)
		return;
	FUZZ_CHECK(m.count <= fz.n / 4);
	if (m.count) {
		FUZZ_CHECK(machines_save(&m) == 0 && machines_load(&again, 0) == 0);
		check_same(&m, &again);
	}
	for (int i = 0; i < 16 && fz.in.n > 0; i++) {
		unsigned who = (unsigned)fuzz_number(&fz.in, 1);
		admit(&m, who, (unsigned)fuzz_number(&fz.in, 1));
	}
}

static void
run_store(uint32_t message_max)
{
	struct store a = { .shards = 2 }, b = { .shards = 2 };
	char *before = fz.bytes;
	store_identity(&a, "db", 2, message_max);
	FUZZ_CHECK(a.message_max <= MESSAGE_LIMIT && a.message_max >= message_max);
	if (fz.bytes == before)
		return;
	store_identity(&b, "db", 2, 0);                /* what was written is the same */
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

void
fuzz_seeds(fuzz_seed_fn seed)
{
#define ID "00112233445566778899aabbccddee"
	static const char two[] = "\0001 " ID "ff 000000000000000b 0000000000000000\n2 " ID "fe 0000000000000011 000000000000000b\n\0\0\1\1\2\300\0\301\1\0\7";
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
	seed("none", none, sizeof none - 1);
	seed("store", store, sizeof store - 1);
	seed("store-shards", store_shards, sizeof store_shards - 1);
	seed("store-newer", store_newer, sizeof store_newer - 1);
	seed("store-none", "\3", 1);
	static const char store_message[] = "\5mom store 1 id " ID "ff shards 2 message 1048577\n";
	seed("store-message", store_message, sizeof store_message - 1);
}
