/* cmd_peek - mom peek: the messages of a topic that the store still has, without a client: nothing is consumed, nothing
 * written. Two looks at the log: which offsets are the last, then those. The broker may go on meanwhile. */
#include "tools/mom/cmd_message.h"
#include "tools/mom/cmd_shards.h"
#include "format/topic.h"
#include "routing/patterns.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_DB = 256 };

static struct {
	struct message_style style;
	const char *topic;
	uint16_t topic_len;
	struct patterns pattern;               /* or it is one, which belongs to every shard */
	size_t last;                           /* so many; 0: all */
	uint64_t *offsets;                     /* of the last, in a ring */
	unsigned long long found, shown;
	uint64_t from, to;                     /* offsets that are shown */
	int damaged;
} peeking = { .to = UINT64_MAX };

typedef void (*record_fn)(const struct record *r, const char *bytes);

static void
note_offset(const struct record *r, const char *bytes)
{
	(void)bytes;
	peeking.offsets[peeking.found++ % peeking.last] = r->offset;
}

static void
show(const struct record *r, const char *bytes)
{
	if (r->offset < peeking.from || r->offset > peeking.to)
		return;
	struct mom_message m = { record_topic(bytes), record_data(bytes, r), record_data_len(bytes, r), r->publisher,
	    r->offset, r->time, r->flags & REC_F_PROPERTIES ? MOM_PROPERTIES : 0 };
	message_print(&peeking.style, &m);
	peeking.shown++;
}

static int
is_wanted(const char *topic, uint16_t len)
{
	void **found;
	if (peeking.pattern.count)
		return patterns_match(&peeking.pattern, topic, len, &found) > 0;
	return len == peeking.topic_len && memcmp(topic, peeking.topic, len) == 0;
}

static void
look_at_records(const char *bytes, size_t n, record_fn fn)
{
	for (size_t q = 0; q < n; q += record_stride(get_u32(bytes + q))) {
		struct record r;
		record_get(&r, bytes + q);
		if (r.type == REC_MESSAGE && is_wanted(record_topic(bytes + q), r.topic_len))
			fn(&r, bytes + q);
		if (r.type == REC_GAP && fn == show)
			fprintf(stderr, "mom peek: from offset %016" PRIx64 " to %016" PRIx64 " the log was damaged\n",
			    r.offset, r.aux);
	}
}

/* What was given back while it was read is no loss: nobody needs it. */
static void
look_at_segment(int dir, uint64_t base, record_fn fn)
{
	struct seglog_reader w;
	const char *bytes;
	ssize_t n;
	if (seglog_reader_open(&w, dir, base, O_RDONLY) < 0) {
		if (errno != ENOENT && errno != ESTALE)
			peeking.damaged = cmd_fail(&cmd_peek, "log-%016" PRIx64 ": %s; see mom check", base,
			    errno == EBADMSG ? "damaged" : strerror(errno));
		return;
	}
	while ((n = seglog_reader_next(&w, &bytes)) > 0)
		look_at_records(bytes, (size_t)n, fn);
	enum seglog_tail tail = n < 0 ? SEGLOG_UNREADABLE : seglog_reader_tail(&w);
	if (tail == SEGLOG_DAMAGED || tail == SEGLOG_UNREADABLE)
		peeking.damaged = cmd_fail(&cmd_peek, "log-%016" PRIx64 ": %s at offset %016" PRIx64 "; see mom check",
		    base,
		    tail == SEGLOG_DAMAGED ? "damaged" : strerror(errno), w.at);
	seglog_reader_close(&w);
}

static int
look_at_log(int dir, record_fn fn)
{
	struct seglog_file *files;
	size_t count;
	if (seglog_list(dir, &files, &count) < 0)
		return -1;
	for (size_t i = 0; i < count && !ferror(stdout); i++)
		look_at_segment(dir, files[i].base, fn);
	free(files);
	return 0;
}

/* The offsets of the last so many. */
static int
find_last(int dir)
{
	if (peeking.offsets == NULL)
		peeking.offsets = malloc(peeking.last * sizeof *peeking.offsets);
	peeking.found = 0;
	if (peeking.offsets == NULL || look_at_log(dir, note_offset) < 0)
		return -1;
	peeking.from = peeking.found > peeking.last ? peeking.offsets[peeking.found % peeking.last] : 0;
	peeking.to = peeking.found ? peeking.offsets[(peeking.found - 1) % peeking.last] : 0;
	return 0;
}

static int
peek(int dir, const char *path)
{
	int shards = store_shards(dir);
	if (shards <= 0)
		return cmd_fail(&cmd_peek, "%s/store: %s: name the store with --db DIR", path,
		    shards ? strerror(errno) : "no store is there");
	int own = (int)topic_shard(peeking.topic, peeking.topic_len, (uint32_t)shards);
	for (int k = peeking.pattern.count ? 0 : own; k < shards; k++) {
		int fd = store_shard_open(dir, k);
		if (fd < 0 || (peeking.last && find_last(fd) < 0) || look_at_log(fd, show) < 0)
			return cmd_fail(&cmd_peek, "%s/shard-%d: %s", path, k, strerror(errno));
		close(fd);
		if (peeking.pattern.count == 0)
			break;
	}
	free(peeking.offsets);
	patterns_free(&peeking.pattern);
	return peeking.damaged ? CMD_FAILED : peeking.shown ? CMD_OK : CMD_NOTHING;
}

static int
peek_run(int argc, char **argv)
{
	static const struct option options[] = { MESSAGE_LONGS, { "last", 1, 0, 'n' }, { "db", 1, 0, OPT_DB },
	    { "help", 0, 0, 'h' }, { 0 } };
	const char *given = NULL;
	int dir;
	for (int o; (o = cmd_option(&cmd_peek, argc, argv, MESSAGE_SHORTS "n:h", options)) != -1;) {
		if (o == 'n')
			peeking.last = cmd_number(&cmd_peek, "-n", cmd_line.value, 1, 100000000);
		else if (!message_option(&cmd_peek, &peeking.style, o, cmd_line.value))
			given = cmd_line.value;
	}
	if (cmd_line.count < 1 || cmd_line.count > 2 || (cmd_line.count == 2 && given))
		cmd_wrong_use(&cmd_peek, cmd_line.count == 0 ? "which topic?" : "one topic, and at most one folder");
	peeking.topic = cmd_line.word[0];
	const char *fault = pattern_fault(peeking.topic, strlen(peeking.topic));
	if (fault)
		cmd_wrong_use(&cmd_peek, "the topic %s", fault);
	peeking.topic_len = (uint16_t)strlen(peeking.topic);
	if (topic_is_pattern(peeking.topic, peeking.topic_len) &&
	    patterns_add(&peeking.pattern, peeking.topic, peeking.topic_len, &peeking) < 0)
		return cmd_fail(&cmd_peek, "no memory");
	const char *path = store_find(&cmd_peek, cmd_line.count == 2 ? cmd_line.word[1] : given, &dir);
	int r = peek(dir, path);
	if (r == CMD_NOTHING)
		cmd_fail(&cmd_peek, "nothing of %s is in the store: what nobody subscribes to is not kept, and what "
		    "all have received goes in time",
		    peeking.topic);
	close(dir);
	return r;
}

const struct cmd cmd_peek = { "peek", "look at the messages of a topic that are still stored, without consuming them",
	"usage: mom peek TOPIC [FOLDER] [options]\n"
	"TOPIC may be a pattern, in quotes, such as 'plant/#'. The messages of one worker then follow those of "
	"another.\n"
	"Reads the store of the broker on this machine; it may go on, or not run. Shown is what the store still has, "
	    "also what subscribers got already.\n"
	MESSAGE_USAGE
	"  -n, --last N       only the last N (of a pattern: of each worker)\n"
	"  FOLDER             a store, or a broker's run folder; without it the store of the broker that runs here, "
	    "else what broker.conf names, or db\n"
	"  --db DIR           the same as FOLDER\n"
	"Exit status: 0 something was shown   1 error or damage   2 wrong use   27 there is nothing\n"
	"Example: mom peek -v -n 10 plant/boiler\n", peek_run };
