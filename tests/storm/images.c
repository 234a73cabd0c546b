/* images - every disk that a crash could leave of a shard's folder (log and check-point), recovered and judged; every
 * bit of a log and of a check-point flipped, every truncation of them
 *
 * A life: a shard is opened as worker does it, takes messages, syncs, rolls, packs, writes check-points. Behind each
 * call that changes the disk the states that a crash there could leave are made (disk.h), recovered and judged; one of
 * them is where the next life begins. SEED=n: other lives. LIFE=n: only chain n of them. */
#include <storm/disk.h>
#include "log/seglog.h"
#include "worker/checkpoint.h"
#include "worker/shard.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SEGMENT = 8 * 1024, NUMBERS = 4096, MACHINE = 1, DATA_MOST = 900,
	LIVES = 4,                     /* of a chain */
	SNAPS = 2048
};
static const uint64_t ID = (uint64_t)MACHINE << 32 | 1;

/* ---- what was written: number n is a message to topic a or b whose bytes follow from (n, life) ---- */

struct known { uint64_t offset; unsigned life; };
static struct {
	struct known known[NUMBERS];
	uint64_t written, acked;       /* numbers; acked: synced and said so */
	uint64_t place;                /* of the machine */
	uint64_t highest;              /* offset that was given */
	unsigned life;
	int chain, dir;
	const char *repeat;            /* BIT, CUT; NULL: LIFE */
	char *before;                  /* the image as it was, described: with LIFE=n only, it takes time */
	long images, cuts, lives, kills;
} z;

/* our own look at a segment: where its sound records end, and where END leads */
struct look { uint64_t pos, at, mark, end; int packed; };
static struct look
look_at(const unsigned char *p, size_t n)
{
	struct look k = { SEGLOG_HEADER, n >= SEGLOG_HEADER ? get_u64(p + 16) : 0, 0, 0, 0 };
	k.packed = n >= SEGLOG_HEADER && get_u32(p + 12) == 1;
	while (n >= SEGLOG_HEADER && !k.end && k.pos + RECORD_HEADER <= n) {
		const unsigned char *r = p + k.pos;
		uint32_t len = get_u32(r);
		if (len < RECORD_HEADER || len > n - k.pos || record_stride(len) > n - k.pos ||
		    !record_is_sound(r, n - k.pos) ||
		    get_u32(r + 4) != record_crc(r, len, get_u64(p + 24)) ||
		    (k.packed ? get_u64(r + 16) < k.at : get_u64(r + 16) != k.at))
			break;
		if (r[9] == REC_END)
			k.end = get_u64(r + 48);
		if (r[9] == REC_MARK)
			k.mark = get_u64(r + 48);
		k.at = r[9] == REC_GAP ? get_u64(r + 48) : get_u64(r + 16) + record_stride(len);
		k.pos += record_stride(len);
	}
	return k;
}

/* the files, for whoever has to understand a failure */
static char *
describe(int dir)
{
	char names[DISK_FILES][DISK_NAME], *text = t_text(" "), *next;
	int n = disk_names(dir, names, DISK_FILES);
	for (int i = 0; i < n; i++, text = next) {
		size_t size;
		unsigned char *bytes = (unsigned char *)disk_get(dir, names[i], &size);
		struct look k = look_at(bytes, bytes ? size : 0);
		next = t_text("%s\n    %s: %zu bytes", text, names[i], bytes ? size : 0);
		if (bytes && strncmp(names[i], "log-", 4) == 0)
			next = t_text("%s, %ssound up to byte %llu, offset %llx, mark %llx, end %llx", next,
			    k.packed ? "packed, " : "", (unsigned long long)k.pos,
			    (unsigned long long)k.at, (unsigned long long)k.mark, (unsigned long long)k.end);
		else if (bytes && size >= 24)
			next = t_text("%s, as of %llx", next, (unsigned long long)get_u64(bytes + 16));
		free(bytes);
	}
	return text;
}

#define WANT(cond, ...) do { if (!(cond)) want_fail(__LINE__, #cond, t_text(__VA_ARGS__)); } while (0)
static void want_fail(int line, const char *what, const char *text) __attribute__((noreturn));
static void
want_fail(int line, const char *what, const char *text)
{
	const char *seed = getenv("SEED");
	t_fail(__FILE__, line, what, "%s\n    repeat: SEED=%s %s=%d%s build/tests-release/storm/images %s\n    log: %s "
	    "   before:%s\n    now:%s", text, seed ? seed : "1",
	    z.repeat ? z.repeat : "LIFE", z.chain, t_is_long() ? " LONG=1" : "",
	    z.repeat == NULL ? "crash" : z.repeat[0] == 'B' ? "flips" : "truncations", disk_log,
	    z.before ? z.before : " (with LIFE=n)", z.dir ? describe(z.dir) : "");
}

static size_t
data_of(uint64_t number, unsigned life, char *data)
{
	struct t_rng r = { number * 7919 + life * UINT64_C(0x9E3779B97F4A7C15) };
	size_t n = t_rng_below(&r, t_rng_below(&r, 8) ? 200 : DATA_MOST);
	t_rng_fill(&r, data, n);
	return n;
}

static const char *
topic_of(uint64_t number)
{
	/* b, for which nobody waits: one in four */
	return number * UINT64_C(0x9E3779B97F4A7C15) >> 62 ? "a" : "b";
}

/* ---- a shard as worker runs it ---- */

static int
replay(void *with, const void *bytes, uint64_t offset)
{
	shard_apply(with, bytes, offset + record_stride(get_u32(bytes)));
	return 0;
}

static uint64_t
append(struct shard *s, struct record *r, const char *topic, const void *data, uint32_t n)
{
	void *at = seglog_reserve(&s->log, record_stride(RECORD_HEADER + 2 + n), 0);
	WANT(at, "no room in the log: %s", strerror(errno));
	record_make(at, r, topic, data, n);
	uint64_t offset = seglog_take(&s->log, at);
	shard_apply(s, at, s->log.end);
	WANT(offset > z.highest, "offset %llx after %llx", (unsigned long long)offset, (unsigned long long)z.highest);
	z.highest = offset;
	return offset;
}

static int
shard_open(struct shard *s, int dir)
{
	struct seglog_place place = { dir, "corrupt", "shard-0", RECORD_MAX, 0 };
	*s = (struct shard){ .dir = dir };
	disk_log[0] = 0;
	if (checkpoint_load(s) < 0)
		return -1;
	return seglog_open(&s->log, &place, SEGMENT, s->checkpoint, replay, s);
}

static void
shard_close(struct shard *s)
{
	size_t at = 0;
	seglog_close(&s->log);
	for (struct client *c; (at = 0, c = map_each(&s->table.clients, &at)) != NULL;)
		shard_destroy(s, c);
	shard_clean(s);
	for (struct topic *t; (at = 0, t = map_each(&s->table.topics, &at)) != NULL;) {
		free(t->machines);
		subscriptions_forget_topic(&s->table, &t->subscribed);
	}
	for (struct machine *m; (m = s->machines) != NULL;) {
		s->machines = m->next;
		free(m->needs);
		free(m);
	}
	map_free(&s->table.clients);
	map_free(&s->table.topics);
	free(s->starts);
}

static void
shard_checkpoint(struct shard *s)
{
	WANT(seglog_sync(&s->log) == 0, "sync: %s", strerror(errno));
	z.acked = z.written;
	WANT(checkpoint_write(s, s->log.end) == 0, "check-point: %s", strerror(errno));
	seglog_prune(&s->log, shard_needed_from(s, s->checkpoint));
}

static void
shard_begin(struct shard *s)
{
	struct record r = { .type = REC_START, .aux = 4711 + z.life };
	append(s, &r, NULL, NULL, 0);
	WANT(seglog_sync(&s->log) == 0, "sync: %s", strerror(errno));
	shard_checkpoint(s);
}

static void
publish(struct shard *s)
{
	char data[DATA_MOST];
	uint64_t number = z.written + 1;
	WANT(number < NUMBERS, "too many messages");
	struct record r = { .type = REC_MESSAGE, .publisher = ID, .number = number, .topic_len = 1,
	    .flags = REC_F_DURABLE };
	z.known[number].life = z.life;
	size_t n = data_of(number, z.life, data);
	z.known[number].offset = append(s, &r, topic_of(number), data, (uint32_t)n);
	z.written = number;
}

static int
needed(void *with, const void *bytes)
{
	return shard_record_is_needed(with, bytes);
}

static void
pack(struct shard *s, struct t_rng *rng)
{
	size_t n = 0;
	while (n + 1 < s->log.count && s->log.files[n + 1].base <= s->checkpoint)
		n++;
	if (n > 0 && seglog_pack(&s->log, t_rng_below(rng, n), UINT64_MAX, needed, s) < 0)
		WANT(0, "pack: %s", strerror(errno));
}

/* ---- judging what a recovery made of an image ---- */

/* numbers that must, that may be there; offset, place that were given */
struct image { uint64_t least, most, highest, place; };

/* The torn tail that the last segment has, as the log must name it; "" where there is none, or only what a reused file
 * held before. */
static char *
torn_tail(int dir)
{
	char names[DISK_FILES][DISK_NAME];
	int n = disk_names(dir, names, DISK_FILES), last = -1;
	for (int i = 0; i < n; i++)
		if (strncmp(names[i], "log-", 4) == 0 && strlen(names[i]) == 20)
			last = i;
	if (last < 0)
		return strdup("");
	size_t size;
	unsigned char *bytes = (unsigned char *)disk_get(dir, names[last], &size);
	struct look k = look_at(bytes, size);
	int leftover = size >= SEGLOG_HEADER && get_u32(bytes + 32) == 1 && k.pos + 24 <= size &&
	    get_u64(bytes + k.pos + 16) != k.at;
	free(bytes);
	if (k.end || k.pos == size || leftover)
		return strdup("");
	return t_text("torn tail cut at offset %llx, %llu bytes", (unsigned long long)k.at,
	    (unsigned long long)(size - k.pos));
}

struct reading { uint64_t number, from, last_offset; };

static void
judge_message(struct reading *rd, const char *p)
{
	struct record r;
	char data[DATA_MOST];
	record_get(&r, p);
	WANT(r.type != REC_GAP, "a gap at %llx, but the disk damaged nothing", (unsigned long long)r.offset);
	WANT(r.offset > rd->last_offset, "offset %llx after %llx", (unsigned long long)r.offset,
	    (unsigned long long)rd->last_offset);
	rd->last_offset = r.offset;
	if (r.type != REC_MESSAGE || record_topic(p)[0] != 'a' || r.offset < rd->from)
		return;
	for (rd->number++; rd->number < NUMBERS && (topic_of(rd->number)[0] != 'a' ||
	    z.known[rd->number].offset < rd->from); rd->number++)
		;
	WANT(r.number == rd->number, "a reader gets number %llu, next is %llu", (unsigned long long)r.number,
	    (unsigned long long)rd->number);
	WANT(r.offset == z.known[r.number].offset, "number %llu: offset %llx was %llx", (unsigned long long)r.number,
	    (unsigned long long)r.offset,
	    (unsigned long long)z.known[r.number].offset);
	size_t n = data_of(r.number, z.known[r.number].life, data);
	WANT(record_data_len(p, &r) == n && memcmp(record_data(p, &r), data, n) == 0,
	    "number %llu is not what was written", (unsigned long long)r.number);
}

/* All that the machine has not taken: each once, in order, unchanged, up to number `last`. */
static void
judge_reading(const struct shard *s, uint64_t place, uint64_t last)
{
	static char bytes[BATCH + 2 * RECORD_MAX];
	struct reading rd = { .number = 2, .from = place };
	struct seglog_cursor c;
	ssize_t n;
	if (last < 3)
		return;
	WANT(seglog_seek(&c, s->dir, place) >= 0, "seek: %s", strerror(errno));
	while ((n = seglog_read(&c, bytes, sizeof bytes, s->log.end)) > 0)
		for (ssize_t q = 0; q < n; q += record_stride(get_u32(bytes + q)))
			judge_message(&rd, bytes + q);
	WANT(n == 0, "read: %s", strerror(errno));
	seglog_leave(&c);
	for (rd.number++; rd.number <= last && (topic_of(rd.number)[0] != 'a' || z.known[rd.number].offset < rd.from);
	    rd.number++)
		;
	WANT(rd.number > last, "a reader gets all below number %llu, but not it, of %llu",
	    (unsigned long long)rd.number, (unsigned long long)last);
}

/* Recovers the image in dir and judges it; the highest number that is there. */
static uint64_t
judge_image(int dir, struct image want)
{
	struct shard s;
	char *torn = torn_tail(dir);
	z.dir = dir;
	if (getenv("LIFE"))
		z.before = describe(dir);
	WANT(shard_open(&s, dir) == 0, "not taken up: %s", strerror(errno));
	struct client *c = shard_client(&s, ID);
	uint64_t last = c ? c->last : 0;
	WANT(last >= want.least, "number %llu is the last, but %llu was acknowledged", (unsigned long long)last,
	    (unsigned long long)want.least);
	WANT(last <= want.most, "number %llu is the last, %llu was written", (unsigned long long)last,
	    (unsigned long long)want.most);
	WANT(s.log.base > want.highest, "the log goes on at %llx, %llx was given", (unsigned long long)s.log.base,
	    (unsigned long long)want.highest);
	WANT(c == NULL || c->machine->place <= want.place, "place %llx, the machine was at %llx",
	    (unsigned long long)c->machine->place,
	    (unsigned long long)want.place);
	WANT(last < 2 || c->subscriber.count == 1, "the subscription is gone");
	WANT(*torn == 0 ? strstr(disk_log, "torn") == NULL : strstr(disk_log, torn) != NULL, "the log should say: %s",
	    *torn ? torn : "nothing of a cut");
	WANT(strstr(disk_log, "error") == NULL, "an error");
	struct stat st;
	WANT(fstatat(dir, "corrupt", &st, 0) < 0, "something moved to corrupt/");
	z.cuts += *torn != 0;
	judge_reading(&s, want.place, last);
	shard_close(&s);
	free(torn);
	z.images++;
	return last;
}

/* ---- the images of a life ---- */

struct snap { struct disk *disk; struct image want; int after_sync; };
static struct snap snaps[SNAPS];
static size_t snap_count;

static void
take_snap(int syncs)
{
	REQUIRE(snap_count < SNAPS, "a life is too long");
	snaps[snap_count++] = (struct snap){ disk_copy(), { z.acked, z.written, z.highest, z.place }, syncs };
}

static enum disk_way
some_way(struct t_rng *rng)
{
	return (enum disk_way)t_rng_below(rng, 5);
}

/* All subsets where they are few (the newest change is there: without it the image was made one step before), else
 * samples. */
static uint64_t
judge_snap(const struct snap *sn, struct t_rng *rng, int dir, size_t most)
{
	size_t n = disk_pending(sn->disk), fixed = n > 0 && !sn->after_sync, count;
	unsigned char way[DISK_PENDING];
	int all = n - fixed <= 12 && (size_t)1 << (n - fixed) <= most;
	count = all ? (size_t)1 << (n - fixed) : most;
	uint64_t last = 0;
	for (size_t i = 0; i < count; i++) {
		int plain = (int)t_rng_below(rng, 3);
		for (size_t b = 0; b < n; b++) {
			int keep = b + fixed >= n ? 1 : all ? (int)(i >> b & 1) : (int)t_rng_below(rng, 2);
			way[b] = (unsigned char)(keep ? DISK_KEEP : plain ? DISK_DROP : some_way(rng));
		}
		if (fixed && t_rng_below(rng, 4) == 0)
			way[n - 1] = (unsigned char)some_way(rng);
		disk_image(sn->disk, way, rng, dir);
		last = judge_image(dir, sn->want);
	}
	return last;
}

/* ---- lives ---- */

static void
act(struct shard *s, struct t_rng *rng)
{
	struct machine *m = shard_machine(s, MACHINE);
	for (uint64_t n = t_rng_below(rng, 6); n > 0; n--)
		publish(s);
	switch (t_rng_below(rng, 12)) {
	case 0:
		shard_checkpoint(s);
		break;
	case 1:
		WANT(seglog_roll(&s->log) == 0, "roll: %s", strerror(errno));
		break;
	case 2:
		pack(s, rng);
		break;
	case 3:                                        /* the machine took some */
		if (z.acked > 3) {
			uint64_t offset = z.known[3 + t_rng_below(rng, z.acked - 2)].offset;
			if (offset > m->place && offset > z.place)
				m->place = z.place = offset;
			if (t_rng_below(rng, 2))
				break;
			WANT(seglog_roll(&s->log) == 0, "roll: %s", strerror(errno));
			shard_checkpoint(s);
		}
		break;
	case 4: case 5: case 6: case 7:
		WANT(seglog_flush(&s->log) == 0, "flush: %s", strerror(errno));
		break;
	default:
		WANT(seglog_sync(&s->log) == 0, "sync: %s", strerror(errno));
		z.acked = z.written;
	}
}

static void
live(int dir, struct t_rng *rng)
{
	struct shard s;
	z.life++;
	z.lives++;
	disk_step = take_snap;
	WANT(shard_open(&s, dir) == 0, "not taken up: %s", strerror(errno));
	z.acked = z.written;                           /* shown from now on */
	if (z.written == 0) {
		struct record create = { .type = REC_CREATE, .publisher = ID, .number = 1, .aux = 1 };
		struct record subscribe = { .type = REC_SUBSCRIBE, .publisher = ID, .number = 2, .topic_len = 1 };
		z.written = 1;
		append(&s, &create, NULL, NULL, 0);
		z.written = 2;
		z.place = append(&s, &subscribe, "a", NULL, 0);
	}
	shard_begin(&s);
	for (uint64_t n = 10 + t_rng_below(rng, 40); n > 0; n--)
		act(&s, rng);
	disk_unwatch();
	disk_step = NULL;
	shard_close(&s);
}

/* The power fails there, or the processes are killed; from what is left the next life begins (and once it was
 * judged). */
static void
die(const struct snap *sn, struct t_rng *rng, int live_dir, int image_dir)
{
	unsigned char way[DISK_PENDING];
	int killed = t_rng_below(rng, 3) == 0;
	for (size_t b = 0; b < disk_pending(sn->disk); b++)
		way[b] = (unsigned char)(killed ? DISK_KEEP : some_way(rng));
	struct t_rng same = *rng;
	disk_image(sn->disk, way, &same, image_dir);
	z.written = judge_image(image_dir, sn->want);
	if (killed) {
		disk_resume(sn->disk, live_dir);
		z.acked = sn->want.least;
	} else {
		disk_image(sn->disk, way, rng, live_dir);
		disk_watch(live_dir);
		z.acked = z.written;
	}
	z.kills += killed;
}

static void
chain(int live_dir, int image_dir, struct t_rng *rng, long until, size_t most)
{
	z.written = z.acked = z.highest = z.place = 0;
	z.life = 0;
	disk_clear(live_dir);
	disk_watch(live_dir);
	for (int i = 0; i < LIVES && z.images < until; i++) {
		live(live_dir, rng);
		/* one image in so many, so that the budget sees many lives */
		size_t next = t_rng_below(rng, snap_count), every = t_is_long() ? 3 : 5, from = t_rng_below(rng, every);
		for (size_t k = from; k < snap_count && z.images < until; k += every)
			judge_snap(&snaps[k], rng, image_dir, most);
		die(&snaps[next], rng, live_dir, image_dir);
		z.highest = snaps[next].want.highest;
		z.place = snaps[next].want.place;
		for (size_t k = 0; k < snap_count; k++)
			disk_free(snaps[k].disk);
		snap_count = 0;
	}
}

/* In memory where that is allowed (root: a mount of this process alone): thirty times as fast. */
static void
prepare(void)
{
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
	if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		mount("storm", t_dir(), "tmpfs", 0, NULL);
}

static int
folder(const char *name)
{
	char *path = t_path("%s", name);
	REQUIRE(mkdir(path, 0700) == 0, "mkdir: %s", strerror(errno));
	int dir = open(path, O_RDONLY | O_DIRECTORY);
	REQUIRE(dir >= 0, "open: %s", strerror(errno));
	return dir;
}

TEST(crash, "whatever of its unsynced writes and renames a crash takes, tears or mixes up: what was synced is there, "
    "once, in order; a cut is told")
{
	prepare();
	int live_dir = folder("live"), image_dir = folder("image"), chains = 0;
	long until = t_is_long() ? 50000 : 5000;
	const char *only = getenv("LIFE");
	for (z.chain = only ? atoi(only) : 0; z.images < until && (only == NULL || chains == 0); z.chain++, chains++) {
		struct t_rng rng;
		t_rng_init(&rng, (uint64_t)z.chain);
		disk_random_seed(t_rng_next(&rng));
		chain(live_dir, image_dir, &rng, until, t_is_long() ? 64 : 8);
	}
	t_remark("%ld crash images of %ld lives in %d chains recovered, %ld lives ended by kill -9, %ld torn tails cut",
	    z.images, z.lives, chains, z.kills, z.cuts);
}

/* ---- damage: a bit that flipped, an end that is missing ---- */

enum { PARTS = 32, LOG_BYTES = 64 * 1024, GAPS = 32 };
struct part { char name[DISK_NAME]; unsigned char *bytes; size_t size; ino_t inode; };
static struct {
	struct part part[PARTS];
	int count, last;               /* last: of the log's segments */
	uint64_t place, checkpoint, mark, size;
	long harmless, told, cut;
} y;

struct damaged_reading { unsigned char seen[NUMBERS]; struct { uint64_t from, to; } gap[GAPS]; int gaps;
    uint64_t last_offset; };

/* a log of 64 KiB in segments, the last check-point behind so many bytes, an end that was not synced */
static void
make_log(int dir, uint64_t checkpoint_at)
{
	struct shard s;
	z.written = z.acked = z.highest = z.life = 0;
	y.size = 0;
	disk_clear(dir);
	WANT(shard_open(&s, dir) == 0, "open: %s", strerror(errno));
	struct record create = { .type = REC_CREATE, .publisher = ID, .number = 1, .aux = 1 };
	struct record subscribe = { .type = REC_SUBSCRIBE, .publisher = ID, .number = 2, .topic_len = 1 };
	append(&s, &create, NULL, NULL, 0);
	append(&s, &subscribe, "a", NULL, 0);
	z.written = 2;
	shard_begin(&s);
	y.place = s.log.end;
	while (s.log.total + s.log.used < LOG_BYTES) {
		publish(&s);
		if (z.written % 7 == 0)
			WANT(seglog_sync(&s.log) == 0, "sync: %s", strerror(errno));
		if (s.log.total < checkpoint_at + 2 * DATA_MOST && s.log.total > checkpoint_at)
			shard_checkpoint(&s);
	}
	WANT(seglog_flush(&s.log) == 0, "flush: %s", strerror(errno));
	y.checkpoint = s.checkpoint;
	shard_close(&s);
	char names[DISK_FILES][DISK_NAME];
	y.count = disk_names(dir, names, PARTS);
	for (int i = 0; i < y.count; i++) {
		struct part *part = &y.part[i];
		memcpy(part->name, names[i], DISK_NAME);
		part->bytes = (unsigned char *)disk_get(dir, names[i], &part->size);
		if (strncmp(names[i], "log-", 4) == 0) {
			y.last = i;
			y.mark = look_at(part->bytes, part->size).mark;
			y.size += part->size;
		}
	}
	REQUIRE(y.last >= 7 && y.mark && y.checkpoint > y.place, "%d segments, mark %llx", y.last,
	    (unsigned long long)y.mark);
}

static void
damaged_message(struct damaged_reading *rd, const char *p)
{
	struct record r;
	char data[DATA_MOST];
	record_get(&r, p);
	WANT(r.offset > rd->last_offset, "offset %llx after %llx", (unsigned long long)r.offset,
	    (unsigned long long)rd->last_offset);
	rd->last_offset = r.offset;
	if (r.type == REC_GAP) {
		WANT(rd->gaps < GAPS && r.aux >= r.offset, "gap from %llx to %llx", (unsigned long long)r.offset,
		    (unsigned long long)r.aux);
		WANT(strstr(disk_log, t_text("damaged from offset %llx to %llx", (unsigned long long)r.offset,
		    (unsigned long long)r.aux)), "the gap from %llx is not in the log",
		    (unsigned long long)r.offset);
		rd->gap[rd->gaps].from = r.offset;
		rd->gap[rd->gaps++].to = r.aux;
	}
	if (r.type != REC_MESSAGE)
		return;
	WANT(r.number < NUMBERS && !rd->seen[r.number] && r.offset == z.known[r.number].offset, "number %llu at %llx",
	    (unsigned long long)r.number,
	    (unsigned long long)r.offset);
	rd->seen[r.number] = 1;
	size_t n = data_of(r.number, z.known[r.number].life, data);
	WANT(record_data_len(p, &r) == n && memcmp(record_data(p, &r), data, n) == 0,
	    "number %llu is not what was written", (unsigned long long)r.number);
}

/* as a sender reads; where it meets damage, the worker mends */
static void
damaged_read(struct shard *s, struct damaged_reading *rd)
{
	static char bytes[BATCH + 2 * RECORD_MAX];
	struct seglog_cursor c = { .file = { .fd = -1 } };
	uint64_t at = y.place;
	for (int mended = 0;; mended++) {
		ssize_t n = seglog_seek(&c, s->dir, at) < 0 ? -1 : 1;
		while (n > 0 && (n = seglog_read(&c, bytes, sizeof bytes, s->log.end)) > 0)
			for (ssize_t q = 0; q < n; q += record_stride(get_u32(bytes + q)))
				damaged_message(rd, bytes + q);
		int e = errno;
		at = c.file.at;
		seglog_leave(&c);
		if (n == 0)
			return;
		WANT(e == EBADMSG && mended < 20, "read at %llx: %s", (unsigned long long)at, strerror(e));
		WANT(seglog_repair(&s->log, at) == 0, "repair at %llx: %s", (unsigned long long)at, strerror(errno));
	}
}

/* Never silently shorter: what is missing lies in a gap that is told, or above all that is known to be on disk, and the
 * cut is told. */
static void
judge_damage(int dir, uint64_t durable)
{
	struct shard s;
	static struct damaged_reading rd;
	memset(&rd, 0, sizeof rd);
	z.dir = dir;
	if (getenv("BIT") || getenv("CUT"))
		z.before = describe(dir);
	char *torn = torn_tail(dir);
	WANT(shard_open(&s, dir) == 0, "not taken up: %s", strerror(errno));
	WANT(s.log.base > z.highest, "the log goes on at %llx, %llx was given", (unsigned long long)s.log.base,
	    (unsigned long long)z.highest);
	damaged_read(&s, &rd);
	int cut = 0;
	for (uint64_t n = 3; n <= z.written; n++) {
		uint64_t offset = z.known[n].offset;
		int told = 0;
		for (int i = 0; i < rd.gaps; i++)
			told |= offset >= rd.gap[i].from && offset < rd.gap[i].to;
		if (rd.seen[n] || told)
			continue;
		WANT(offset >= durable, "number %llu at %llx is gone without a word, on disk was all below %llx",
		    (unsigned long long)n, (unsigned long long)offset,
		    (unsigned long long)durable);
		cut = 1;
	}
	WANT(!cut || *torn == 0 || strstr(disk_log, torn) != NULL || rd.gaps, "the log should say: %s", torn);
	struct stat st;
	WANT(rd.gaps == 0 || fstatat(dir, "corrupt", &st, 0) == 0, "there is no corrupt/");
	y.harmless += !cut && rd.gaps == 0;
	y.told += rd.gaps > 0;
	y.cut += cut && rd.gaps == 0;
	shard_close(&s);
	free(torn);
}

/* The whole log again, part `changed` (-1: none) as it is now: what a recovery left alone stays. */
static void
put_parts(int dir, int changed)
{
	static int before = -1;
	char names[DISK_FILES][DISK_NAME];
	int n = disk_names(dir, names, DISK_FILES);
	for (int k = 0; k < n; k++) {
		struct stat st;
		int i = 0;
		while (i < y.count && strcmp(names[k], y.part[i].name) != 0)
			i++;
		if (i == y.count || i == changed || i == before || fstatat(dir, names[k], &st, 0) < 0 ||
		    st.st_ino != y.part[i].inode || (size_t)st.st_size != y.part[i].size)
			disk_remove(dir, names[k]);
	}
	for (int i = 0; i < y.count; i++) {
		struct stat st;
		if (fstatat(dir, y.part[i].name, &st, 0) == 0)
			continue;
		disk_put(dir, y.part[i].name, y.part[i].bytes, y.part[i].size);
		if (fstatat(dir, y.part[i].name, &st, 0) == 0)
			y.part[i].inode = st.st_ino;
	}
	before = changed;
}

/* from, step: every how many; NAME=n in the environment: that one alone */
static size_t
only_or(const char *name, size_t from, size_t *step)
{
	const char *only = getenv(name);
	if (only)
		*step = SIZE_MAX / 2;
	return only ? strtoull(only, NULL, 0) : from;
}

TEST(flips, "whichever bit of a log flips: all is there, or what is missing is named, told to readers, and the damaged "
    "file kept")
{
	prepare();
	int dir = folder("image");
	size_t step = t_is_long() ? 1 : 797, at = 0, n = 0;
	make_log(dir, LOG_BYTES / 2);
	z.repeat = "BIT";
	for (z.chain = (int)only_or("BIT", 0, &step); (size_t)z.chain < y.size * 8; z.chain += (int)step, n++) {
		int i = 0;
		for (at = (size_t)z.chain; strncmp(y.part[i].name, "log-", 4) != 0 || at >= y.part[i].size * 8; i++)
			at -= strncmp(y.part[i].name, "log-", 4) == 0 ? y.part[i].size * 8 : 0;
		y.part[i].bytes[at / 8] ^= (unsigned char)(1 << at % 8);
		put_parts(dir, i);
		y.part[i].bytes[at / 8] ^= (unsigned char)(1 << at % 8);
		judge_damage(dir, y.mark);
		if (step > y.size * 8)
			break;
	}
	t_remark("%zu bits of a log of %llu bytes flipped: %ld harmless, %ld told as damage, %ld cut above the last "
	    "mark", n,
	    (unsigned long long)y.size, y.harmless, y.told, y.cut);
}

TEST(truncations, "wherever a segment of a log ends too early: all is there, or what is missing below the last mark or "
    "check-point is named and told")
{
	prepare();
	int dir = folder("image");
	size_t step = t_is_long() ? 1 : 127, n = 0;
	z.repeat = "CUT";
	for (int late = 0; late < 2; late++) {
		make_log(dir, late ? LOG_BYTES - 2048 : LOG_BYTES / 2);
		for (z.chain = (int)only_or("CUT", late * y.size, &step); (size_t)z.chain < y.size * (1 + (size_t)late);
		    z.chain += (int)step, n++) {
			int i = 0;
			size_t at = (size_t)z.chain - late * y.size;
			if (late * y.size > (size_t)z.chain)
				break;
			for (; strncmp(y.part[i].name, "log-", 4) != 0 || at >= y.part[i].size; i++)
				at -= strncmp(y.part[i].name, "log-", 4) == 0 ? y.part[i].size : 0;
			size_t whole = y.part[i].size;
			y.part[i].size = at;
			put_parts(dir, i);
			y.part[i].size = whole;
			uint64_t mark = i == y.last ? look_at(y.part[i].bytes, at).mark : y.mark;
			judge_damage(dir, mark > y.checkpoint ? mark : y.checkpoint);
			if (step > y.size)
				return;
		}
	}
	t_remark("%zu ends of a log of %llu bytes: %ld harmless, %ld told as damage, %ld cut above the last mark", n,
	    (unsigned long long)y.size, y.harmless, y.told, y.cut);
}

TEST(lost_files, "whichever segments are gone, the last ones too: the check-point knows that they were there, and it "
    "is told")
{
	prepare();
	int dir = folder("image");
	make_log(dir, LOG_BYTES - 2048);
	for (int from = 2; from <= y.last; from++)     /* the oldest may have been pruned */
		for (int to = from; to <= y.last; to++) {
			put_parts(dir, -1);
			for (int i = from; i <= to; i++)
				if (strncmp(y.part[i].name, "log-", 4) == 0)
					REQUIRE(unlinkat(dir, y.part[i].name, 0) == 0, "unlink");
			judge_damage(dir, to < y.last ? y.mark : y.checkpoint);
		}
}

/* the bytes behind a record's end, up to the next multiple of 8, say nothing */
static int
is_padding(const struct part *part, size_t at)
{
	size_t q = CHECKPOINT_HEADER, len = 0;
	while (q + (len = get_u32(part->bytes + q)) <= at && q + record_stride((uint32_t)len) <= at)
		q += record_stride((uint32_t)len);
	return at >= q + len;
}

TEST(checkpoints, "whichever bit of a check-point flips, and wherever it ends too early: it is refused by name, never "
    "taken for another state")
{
	prepare();
	int dir = folder("image");
	long n = 0;
	make_log(dir, LOG_BYTES / 2);
	struct part *part = &y.part[0];
	REQUIRE(strcmp(part->name, "checkpoint") == 0, "the first file is %s", part->name);
	put_parts(dir, -1);
	for (size_t i = 0; i < part->size * 9; i++, n++) {
		struct shard s = { .dir = dir };
		size_t size = i < part->size * 8 ? part->size : i - part->size * 8;
		if (i < part->size * 8)
			part->bytes[i / 8] ^= (unsigned char)(1 << i % 8);
		disk_put(dir, part->name, part->bytes, size);
		if (i < part->size * 8)
			part->bytes[i / 8] ^= (unsigned char)(1 << i % 8);
		disk_log[0] = 0;
		int r = checkpoint_load(&s);
		int harmless = r == 0 && i < part->size * 8 && is_padding(part, i / 8);
		REQUIRE(harmless || (r == -1 && strstr(disk_log, "checkpoint ")), "%s %zu: %d, log: %s",
		    i < part->size * 8 ? "bit" : "cut to", i < part->size * 8 ? i : size, r, disk_log);
		s.log.fd = -1;
		shard_close(&s);
	}
	t_remark("%ld damaged check-points of %zu bytes refused", n, part->size);
}
