/* trial - reads what witness.so wrote down of a run and ends the case at the first promise that came too early */
#include <storm/shim/witness.h>
#include "format/kinds.h"
#include <storm/trial.h>
#include <lib/t.h>
#include "base/map.h"
#include "format/wire.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_DEEDS = 16384, CANDIDATES = 8, SLEEPERS = 8, PUNCH_BYTES = 64 << 20 };

struct client {              /* of a shard */
	uint64_t key[2];     /* id, shard */
	uint64_t top;        /* the highest number in the log */
	uint64_t stored;     /* offset */
	int destroyed;
};
struct rec {                 /* of the log, and not stored yet */
	struct client *of;
	uint64_t at, number, offset, write;
	uint32_t topic;
	uint16_t shard;
	uint8_t type, must, wrote; /* must: it has to be stored before it is answered; wrote: the call has returned */
};
struct file {
	uint64_t id;
	struct folder *folder;
	enum deed_name name, sure;                /* sure: what the disk calls it */
	uint64_t number, sure_number, as_of;
	uint64_t last;                            /* the highest offset in it */
	uint64_t writes, ended, stored, failed;   /* counts: begun, returned, covered by a sync, by one that failed */
	int renamed_away;                         /* it was log-X, and the folder was not synced since */
	struct rec *recs;
	long count, room;
	struct file *next;
};
struct rename {
	struct file *file;
	enum deed_name from, to;
	uint64_t number;
	uint32_t pid;
	int ended;
	struct rename *next;
};
struct folder {
	uint64_t id;
	int is_spool;
	uint64_t checkpoint;     /* what the disk has is as of this offset */
	struct rename *renames;  /* not synced, the oldest first */
};
struct process {
	uint32_t pid;
	uint64_t writes;         /* so many bytes just now */
	uint64_t syncs, covers;  /* the file that it syncs; so many writes or renames are covered by that */
};
struct owner {
	uint64_t publisher, destroy;
	uint32_t generation;
};
struct slot {
	uint64_t key;            /* serial, slot */
	struct owner owner[CANDIDATES];    /* the newest first */
};
struct mail {
	uint64_t offset;
	int spooled;
};
struct sleeper {
	uint64_t id;
	struct map since;
	struct mail *mail[SHARDS_MAX];
	long count[SHARDS_MAX], room[SHARDS_MAX], judged[SHARDS_MAX];
	uint64_t place[SHARDS_MAX];
};
struct since {
	uint32_t topic;
	uint64_t offset;
};

struct trial_counts trial_counts;
static struct {
	int fd;
	uint64_t at, punched;
	struct file *files;
	struct map folders, processes, clients, slots;
	uint64_t head[SHARDS_MAX];
	struct sleeper sleeper[SLEEPERS];
	int sleepers;
	struct deed deeds[READ_DEEDS];
	const struct deed *now;
} t = { .fd = -1 };

static const char *const roles[] = { "?", "worker", "mom_forwarder", "mom_requester", "broker_sender" };

static void __attribute__((noreturn, format(printf, 2, 3))) too_early(const char *sentence, const char *format, ...)
{
	char text[400];
	va_list list;
	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	t_fail(__FILE__, __LINE__, sentence, "%s %u, deed %llu: %s (SEED=%s)", roles[t.now->role], t.now->pid,
	    (unsigned long long)(t.at / sizeof *t.now), text, getenv("SEED"));
}

static void *
made(struct map *m, const void *key, size_t len, size_t size) /* the key is the value's first bytes */
{
	void *value = map_get(m, key, len);
	if (value)
		return value;
	value = calloc(1, size);
	REQUIRE(value, "no memory");
	memcpy(value, key, len);
	REQUIRE(map_put(m, value, len, value) == 0, "no memory");
	return value;
}

static struct client *
client_of(uint64_t id, uint16_t shard, int make)
{
	uint64_t key[2] = { id, shard };
	return make ? made(&t.clients, key, sizeof key, sizeof(struct client)) : map_get(&t.clients, key, sizeof key);
}

static struct process *
process_now(void)
{
	return made(&t.processes, &t.now->pid, sizeof t.now->pid, sizeof(struct process));
}

static struct folder *
folder_of(uint64_t id)
{
	struct folder *d = made(&t.folders, &id, sizeof id, sizeof *d);
	d->is_spool = t.now->role == ROLE_FORWARDER_PROCESS;
	return d;
}

static struct file *
file_by_id(uint64_t id)
{
	for (struct file *f = t.files; f; f = f->next)
		if (f->id == id)
			return f;
	return NULL;
}

static struct file *
file_by_name(const struct folder *d, enum deed_name name, uint64_t number)
{
	for (struct file *f = t.files; f; f = f->next)
		if (f->folder == d && f->name == name && f->number == number)
			return f;
	return NULL;
}

static const char *
name_text(enum deed_name name, uint64_t number)
{
	static const char *const formats[] = { "nothing", "log-%016llx", "log-%016llx.new", "spare-%llu.new",
		"checkpoint", "checkpoint.new" };
	static char text[2][40];
	static int turn;
	turn = !turn;
	snprintf(text[turn], sizeof text[0], formats[name], (unsigned long long)number);
	return text[turn];
}

/* ---- what becomes stored ---- */

static void
sleeper_mail(struct sleeper *z, uint16_t shard, uint64_t offset, int spooled)
{
	long n = z->count[shard], i = n;
	while (i > 0 && z->mail[shard][i - 1].offset > offset)
		i--;
	if (i > 0 && z->mail[shard][i - 1].offset == offset) {
		z->mail[shard][i - 1].spooled |= spooled;
		return;
	}
	if (n == z->room[shard]) {
		z->room[shard] = z->room[shard] * 2 + 256;
		z->mail[shard] = realloc(z->mail[shard], (size_t)z->room[shard] * sizeof **z->mail);
		REQUIRE(z->mail[shard], "no memory");
	}
	memmove(z->mail[shard] + i + 1, z->mail[shard] + i, (size_t)(n - i) * sizeof **z->mail);
	z->mail[shard][i] = (struct mail){ offset, spooled };
	z->count[shard]++;
	if (i < z->judged[shard] && !spooled)
		z->judged[shard] = i;
}

/* a message that the broker has stored, or its subscription */
static void
sleepers_look(const struct rec *r)
{
	for (struct sleeper *z = t.sleeper; z < t.sleeper + t.sleepers; z++) {
		struct since *s = map_get(&z->since, &r->topic, sizeof r->topic);
		if (r->type == REC_SUBSCRIBE && r->of->key[0] == z->id && s == NULL) {
			s = made(&z->since, &r->topic, sizeof r->topic, sizeof *s);
			s->offset = r->offset;
		} else if (r->type == REC_MESSAGE && s && r->offset > s->offset)
			sleeper_mail(z, r->shard, r->offset, 0);
		else if (r->type == REC_ENTRY && r->of->key[0] == z->id)
			sleeper_mail(z, r->shard, r->offset, 1);
	}
}

static int
is_stored(const struct file *f, const struct rec *r)
{
	return r->wrote && r->write <= f->stored && r->write > f->failed && f->name == NAME_LOG &&
	       f->sure == NAME_LOG && f->sure_number == f->number;
}

static void
file_look(struct file *f)
{
	long n = 0;
	for (long i = 0; i < f->count; i++) {
		struct rec *r = &f->recs[i];
		if (!is_stored(f, r)) {
			f->recs[n++] = *r;
			continue;
		}
		if (r->type != REC_ENTRY && r->offset > r->of->stored)
			r->of->stored = r->offset;
		trial_counts.stored++;
		sleepers_look(r);
	}
	f->count = n;
}

static void
file_forget(struct file *f, uint64_t from, uint64_t to) /* records that begin in between */
{
	long n = 0;
	for (long i = 0; i < f->count; i++)
		if (f->recs[i].at < from || f->recs[i].at >= to)
			f->recs[n++] = f->recs[i];
	f->count = n;
}

/* ---- calls on files ---- */

static int
is_renamed_now(const struct file *f)
{
	for (const struct rename *r = f->folder->renames; r; r = r->next)
		if (r->file == f)
			return 1;
	return 0;
}

static void
files_sweep(void)
{
	for (struct file **at = &t.files, *f; (f = *at) != NULL;) {
		if (f->name != NAME_NONE || is_renamed_now(f)) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		free(f->recs);
		free(f);
	}
}

static void
on_open(const struct deed *d)
{
	struct folder *folder = folder_of(d->dir);
	files_sweep();
	struct file *f = file_by_id(d->file);
	enum deed_name name = (enum deed_name)d->from;
	if (f == NULL) {
		f = calloc(1, sizeof *f);
		REQUIRE(f, "no memory");
		f->id = d->file;
		f->next = t.files;
		t.files = f;
	}
	if (d->b || f->folder == NULL) { /* a new one: the old file of that number in the kernel is gone */
		free(f->recs);
		*f = (struct file){ .id = f->id, .next = f->next };
	}
	f->folder = folder;
	/* found by its name: whoever opens it has synced the folder since, or the disk told it after a power cut */
	if (name == NAME_LOG && !d->b) {
		f->sure = name;
		f->sure_number = d->a;
	}
	struct file *old = file_by_name(folder, name, d->a);
	if (old && old != f) /* it was made by somebody who died, and a power cut took it */
		old->name = NAME_NONE;
	f->name = name;
	f->number = d->a;
	file_look(f);
}

static struct file *
written_now(void)
{
	struct file *f = file_by_id(t.now->file);
	if (f == NULL)
		too_early("nothing", "a file that was never opened");
	return f;
}

static void
on_write(const struct deed *d)
{
	struct file *f = written_now();
	if (f->renamed_away)
		too_early("T6", "%s is written to, though after a power cut it may be a segment again: the folder was "
		    "not synced since it was renamed", name_text(f->name, f->number));
	process_now()->writes = d->b;
	f->writes++;
	file_forget(f, d->a, d->a + d->b);
}

static void
on_wrote(const struct deed *d)
{
	struct file *f = written_now();
	if (d->a != process_now()->writes)
		too_early("nothing", "a write failed, or was short: what follows would not be understood");
	f->ended = f->writes;
	for (long i = f->count; i-- > 0 && f->recs[i].write == f->writes;)
		f->recs[i].wrote = 1;
}

static int
is_sleeper(uint64_t id)
{
	for (int i = 0; i < t.sleepers; i++)
		if (t.sleeper[i].id == id)
			return 1;
	return 0;
}

static void
on_record(const struct deed *d)
{
	struct file *f = written_now();
	int must = d->flags & REC_F_DURABLE || d->type != REC_MESSAGE;
	trial_counts.records++;
	f->last = d->c > f->last ? d->c : f->last;
	if (d->type == REC_ENTRY && !is_sleeper(d->a))
		return;
	struct client *c = client_of(d->a, d->shard, 1);
	if (d->type != REC_ENTRY) {
		c->top = d->b > c->top ? d->b : c->top;
		c->destroyed |= d->type == REC_DESTROY;
		if (d->c <= c->stored)
			return; /* the same bytes once more */
		if (must && d->c < t.head[d->shard])
			too_early("T2",
			    "shard %u: head is %llx already, but offset %llx is only now going to be written", d->shard,
			    (unsigned long long)t.head[d->shard], (unsigned long long)d->c);
	}
	if (f->count == f->room) {
		f->room = f->room * 2 + 64;
		f->recs = realloc(f->recs, (size_t)f->room * sizeof *f->recs);
		REQUIRE(f->recs, "no memory");
	}
	f->recs[f->count++] = (struct rec){ .of = c,
		.at = d->dir,
		.number = d->b,
		.offset = d->c,
		.write = f->writes,
		.topic = d->topic,
		.shard = d->shard,
		.type = d->type,
		.must = (uint8_t)must };
}

static void
on_header(const struct deed *d)
{
	struct file *f = written_now();
	(void)d;
	f->count = 0;
	f->last = 0;
	trial_counts.segments++;
}

/* ---- syncs ---- */

static void
on_sync(const struct deed *d)
{
	struct process *p = process_now();
	struct file *f = file_by_id(d->file);
	p->syncs = d->file;
	p->covers = f ? f->ended : 0;
	struct folder *folder = f ? NULL : map_get(&t.folders, &d->file, sizeof d->file);
	for (struct rename *r = folder ? folder->renames : NULL; r; r = r->next)
		p->covers += r->ended || r->pid != d->pid; /* of one that was killed: done by now, or never */
}

static void
folder_synced(struct folder *folder, uint64_t covers)
{
	for (struct rename *r; covers > 0 && (r = folder->renames) != NULL; covers--) {
		struct file *f = r->file;
		folder->renames = r->next;
		if (r->ended && r->from == NAME_LOG)
			f->renamed_away--;
		if (r->ended) {
			f->sure = r->to;
			f->sure_number = r->number;
		}
		if (r->ended && r->to == NAME_CHECKPOINT && f->as_of > folder->checkpoint)
			folder->checkpoint = f->as_of;
		free(r);
		file_look(f);
	}
}

static void
on_synced(const struct deed *d)
{
	struct process *p = process_now();
	struct file *f = file_by_id(d->file);
	if (p->syncs != d->file)
		too_early("nothing", "a sync ends that did not begin");
	trial_counts.syncs++;
	if (f && (int64_t)d->a < 0)
		f->failed = f->writes; /* a later one says 0 though these bytes are gone */
	else if (f && p->covers > f->stored)
		f->stored = p->covers;
	if (f)
		file_look(f);
	struct folder *folder = f ? NULL : map_get(&t.folders, &d->file, sizeof d->file);
	if (folder && d->a == 0)
		folder_synced(folder, p->covers);
	p->syncs = 0;
}

/* ---- names ---- */

static void
loses_its_name(const struct file *f)
{
	if (f->name == NAME_LOG && !f->folder->is_spool && f->last > f->folder->checkpoint)
		too_early("T5",
		    "%s goes, though no stored check-point covers it: its last offset is %llx, the check-point is of "
		    "%llx",
		    name_text(f->name, f->number), (unsigned long long)f->last,
		    (unsigned long long)f->folder->checkpoint);
}

static void
checkpoint_covers_what_is_stored(const struct file *checkpoint)
{
	for (const struct file *f = t.files; f; f = f->next)
		for (long i = 0; f->folder == checkpoint->folder && i < f->count; i++)
			if (f->recs[i].offset < checkpoint->as_of)
				too_early("T4",
				    "a check-point of %llx takes its name, but offset %llx in %s is not stored",
				    (unsigned long long)checkpoint->as_of, (unsigned long long)f->recs[i].offset,
				    name_text(f->name, f->number));
}

static void
on_rename(const struct deed *d)
{
	struct folder *folder = folder_of(d->dir);
	struct file *f = file_by_name(folder, (enum deed_name)d->from, d->a),
		    *old = file_by_name(folder, (enum deed_name)d->to, d->b);
	struct rename *r = calloc(1, sizeof *r), **last = &folder->renames;
	if (f == NULL)
		too_early("nothing", "%s is renamed, which nobody opened", name_text((enum deed_name)d->from, d->a));
	if ((d->to == NAME_LOG || d->to == NAME_CHECKPOINT) && f->stored != f->writes)
		too_early("T3", "%s becomes %s, but not all its bytes are stored",
		    name_text((enum deed_name)d->from, d->a), name_text((enum deed_name)d->to, d->b));
	if (d->to == NAME_CHECKPOINT)
		checkpoint_covers_what_is_stored(f);
	loses_its_name(f);
	if (old)
		loses_its_name(old);
	*r = (struct rename){
		.file = f, .from = (enum deed_name)d->from, .to = (enum deed_name)d->to, .number = d->b, .pid = d->pid
	};
	while (*last)
		last = &(*last)->next;
	*last = r;
	trial_counts.renames++;
	trial_counts.reused += d->from == NAME_SPARE;
	trial_counts.packed += d->to == NAME_LOG && old;
}

static void
on_renamed(const struct deed *d)
{
	struct folder *folder = folder_of(d->dir);
	struct rename **at = &folder->renames, *r;
	while (*at && (*at)->next)
		at = &(*at)->next;
	r = *at;
	if (r == NULL || r->pid != d->pid)
		too_early("nothing", "a rename ends that did not begin");
	if (d->c != 0) {
		*at = NULL;
		free(r);
		return;
	}
	struct file *old = file_by_name(folder, r->to, r->number);
	if (old)
		old->name = NAME_NONE;
	r->ended = 1;
	r->file->name = r->to;
	r->file->number = r->number;
	r->file->renamed_away += r->from == NAME_LOG;
	trial_counts.checkpoints += r->to == NAME_CHECKPOINT;
}

static void
on_unlink(const struct deed *d)
{
	struct file *f = file_by_name(folder_of(d->dir), (enum deed_name)d->from, d->a);
	if (f == NULL)
		return;
	loses_its_name(f);
	f->name = NAME_NONE;
	f->count = 0;
}

/* ---- what leaves a process ---- */

static struct slot *
slot_of(uint64_t serial, uint64_t slot)
{
	uint64_t key = serial << 32 | slot;
	return made(&t.slots, &key, sizeof key, sizeof(struct slot));
}

static void
on_asked(const struct deed *d)
{
	struct owner *o = slot_of(d->a >> 32, d->b)->owner;
	struct owner new = { d->a, d->type == REC_DESTROY ? d->c : 0, number_generation(d->c) };
	for (int i = 0; i < CANDIDATES; i++)
		if (memcmp(&o[i], &new, sizeof new) == 0)
			return;
	memmove(o + 1, o, (CANDIDATES - 1) * sizeof *o);
	o[0] = new;
}

/* The first record of that client, up to that number, that is not stored as it must be; of == NULL: of any, below that
 * offset. */
static const struct rec *
missing(const struct client *of, uint16_t shard, uint64_t limit, const struct file **in)
{
	for (const struct file *f = t.files; f; f = f->next) {
		for (long i = 0; i < f->count; i++) {
			const struct rec *r = &f->recs[i];
			if (r->shard != shard || r->type == REC_ENTRY ||
			    (of ? r->of != of || r->number > limit : r->offset >= limit))
				continue;
			*in = f;
			if (r->must || !r->wrote)
				return r;
		}
	}
	return NULL;
}

static const char *
why_not(const struct file *f, const struct rec *r)
{
	return !r->wrote	       ? "its write has not returned"
	       : r->write > f->stored  ? "no sync that began after its write has returned 0"
	       : r->write <= f->failed ? "its sync failed"
				       : "the name of its file is not synced";
}

/* NULL: that owner may be told so. Else why not. */
static const char *
owner_fault(const struct owner *o, uint16_t shard, uint64_t number)
{
	const struct client *c = client_of(o->publisher, shard, 0);
	const struct file *f = NULL;
	if (o->destroy == number && (c == NULL || c->destroyed))
		number =
		    UINT64_MAX; /* there is no such client: that is what it asked for; but its end must be stored */
	else if (c == NULL || number > c->top)
		return "there is no such record in the log";
	const struct rec *r = c ? missing(c, shard, number, &f) : NULL;
	return r ? t_text("%s number %llx at offset %llx in %s: %s", kind_of(r->type)->name,
		       (unsigned long long)r->number, (unsigned long long)r->offset, name_text(f->name, f->number),
		       why_not(f, r))
		 : NULL;
}

static void
on_answer(const struct deed *d, const char *what)
{
	const struct owner *o = slot_of(d->a, d->b)->owner;
	const char *why = "nobody used that slot";
	for (int i = 0; i < CANDIDATES && o[i].publisher; i++)
		if ((o[i].generation == number_generation(d->c) || o[i].destroy == d->c) &&
		    (why = owner_fault(&o[i], d->shard, d->c)) == NULL)
			return;
	too_early("T1", "%s number %llx to slot %llu of machine %llu, shard %u: %s", what, (unsigned long long)d->c,
	    (unsigned long long)d->b, (unsigned long long)d->a, d->shard, why);
}

static void
on_head(const struct deed *d)
{
	const struct file *f;
	const struct rec *r = missing(NULL, d->shard, d->c, &f);
	t.head[d->shard] = d->c;
	if (r)
		too_early("T2", "shard %u: head is %llx, but offset %llx in %s is not to be shown yet: %s", d->shard,
		    (unsigned long long)d->c, (unsigned long long)r->offset, name_text(f->name, f->number),
		    why_not(f, r));
}

static void
sleeper_judge(struct sleeper *z, uint16_t shard)
{
	for (long *i = &z->judged[shard]; *i < z->count[shard] && z->mail[shard][*i].offset < z->place[shard]; ++*i) {
		if (!z->mail[shard][*i].spooled)
			too_early("T7",
			    "shard %u: the broker was told that all below %llx is safe, but offset %llx for client "
			    "%016llx is not stored in the spool",
			    shard, (unsigned long long)z->place[shard], (unsigned long long)z->mail[shard][*i].offset,
			    (unsigned long long)z->id);
		trial_counts.sleepers_mail++;
	}
}

static void
on_place(const struct deed *d)
{
	for (struct sleeper *z = t.sleeper; z < t.sleeper + t.sleepers; z++) {
		if (z->id >> 32 != d->a || d->shard >= SHARDS_MAX)
			continue;
		z->place[d->shard] = d->c > z->place[d->shard] ? d->c : z->place[d->shard];
		sleeper_judge(z, d->shard);
	}
}

static void
on_deed(const struct deed *d)
{
	t.now = d;
	switch (d->kind) {
	case DEED_OPEN: on_open(d); break;
	case DEED_WRITE: on_write(d); break;
	case DEED_WROTE: on_wrote(d); break;
	case DEED_RECORD: on_record(d); break;
	case DEED_HEADER: on_header(d); break;
	case DEED_CHECKPOINT: written_now()->as_of = d->a; break;
	case DEED_TRUNCATED: file_forget(written_now(), d->a, UINT64_MAX); break;
	case DEED_SYNC: on_sync(d); break;
	case DEED_SYNCED: on_synced(d); break;
	case DEED_RENAME: on_rename(d); break;
	case DEED_RENAMED: on_renamed(d); break;
	case DEED_UNLINK: on_unlink(d); break;
	case DEED_ACKED:
		on_answer(d, "the word acked is");
		trial_counts.words++;
		break;
	case DEED_ANSWER:
		on_answer(d, "ANSWERS says");
		trial_counts.answers++;
		break;
	case DEED_HEAD:
		on_head(d);
		trial_counts.heads++;
		break;
	case DEED_ASKED: on_asked(d); break;
	case DEED_PLACE:
		on_place(d);
		trial_counts.places++;
		break;
	case DEED_UNKNOWN:
		too_early("nothing", "%llu bytes at %llx are no whole records, or no whole frames",
		    (unsigned long long)d->b, (unsigned long long)d->a);
	default: too_early("nothing", "a deed of kind %u", d->kind);
	}
}

void
trial_hear(void)
{
	for (ssize_t n; (n = pread(t.fd, t.deeds, sizeof t.deeds, (off_t)t.at)) >= (ssize_t)sizeof *t.deeds;) {
		for (long i = 0; i < n / (ssize_t)sizeof *t.deeds; i++, t.at += sizeof *t.deeds)
			on_deed(&t.deeds[i]);
		if (t.at - t.punched > PUNCH_BYTES &&
		    fallocate(t.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)t.at) == 0)
			t.punched = t.at;
	}
}

void
trial_cut(const char *path)
{
	struct stat st;
	size_t at = 0;
	trial_hear();
	REQUIRE(stat(path, &st) == 0, "%s: %s", path, strerror(errno));
	for (struct folder *d; (d = map_each(&t.folders, &at)) != NULL;) {
		if ((d->id ^ (uint64_t)st.st_dev << 48) >> 48)
			continue;
		for (struct rename *r; (r = d->renames) != NULL; free(r))
			d->renames = r->next;
		for (struct file *f = t.files; f; f = f->next) {
			if (f->folder != d)
				continue;
			f->name = f->sure;
			f->number = f->sure_number;
			f->count = f->renamed_away = 0;
		}
	}
}

void
trial_begin(void)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	t.fd = open(t_path("deeds"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	REQUIRE(n > 0 && t.fd >= 0, "%s", strerror(errno));
	self[n] = '\0';
	strrchr(self, '/')[0] = '\0';
	setenv("MOM_WITNESS", t_path("deeds"), 1);
	setenv("LD_PRELOAD", t_text("%s/witness.so", self), 1);
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
}

void
trial_sleeper(uint64_t id)
{
	REQUIRE(t.sleepers < SLEEPERS, "too many sleepers");
	t.sleeper[t.sleepers++] = (struct sleeper){ .id = id };
}

void
trial_wake(void)
{
	trial_hear();
	for (; t.sleepers > 0; t.sleepers--) {
		struct sleeper *z = &t.sleeper[t.sleepers - 1];
		size_t at = 0;
		for (struct since *s; (s = map_each(&z->since, &at)) != NULL;)
			free(s);
		map_free(&z->since);
		for (int k = 0; k < SHARDS_MAX; k++)
			free(z->mail[k]);
	}
}

const char *
trial_closing(void)
{
	const struct trial_counts *c = &trial_counts;
	return t_text("witnessed: %ld words and %ld answers of acknowledgement, %ld heads, %ld places with %ld "
		      "messages of sleepers; %ld records written, %ld stored by %ld "
		      "syncs; %ld segments, %ld of them in files used again, %ld packed; %ld check-points, %ld renames",
	    c->words, c->answers, c->heads, c->places, c->sleepers_mail, c->records, c->stored, c->syncs, c->segments,
	    c->reused, c->packed, c->checkpoints, c->renames);
}
