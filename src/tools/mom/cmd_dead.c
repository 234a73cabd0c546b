/* mom dead - the messages of a group that were tried too often or refused for good: shown, handed out again, forgotten
 * READS    the store: the file `groups` of each shard, and the copies in its log; retry and purge go through a
 * daemon */
#include "format/group.h"
#include "format/properties.h"
#include "look/look_groups.h"
#include "tools/mom/cmd_message.h"
#include "tools/mom/cmd_shards.h"
#include <errno.h>
#include <inttypes.h>
#include <mom.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct { struct message_style style; int retry, purge; unsigned long long shown; } dead;

enum { OPT_DB = 256, OPT_RETRY, OPT_PURGE };

static void
show_letter(int dir, const struct look_dead *d, char *buffer, size_t room)
{
	struct seglog_cursor c;
	struct record r;
	int shard = store_shard_open(dir, (int)d->shard);
	ssize_t n = shard < 0 || seglog_seek(&c, shard, d->copy) < 0 ? -1 : seglog_read(&c, buffer, room,
	    UINT64_MAX);
	if (!dead.style.json && !dead.style.format)
		printf("%016" PRIx64 " %u tries, %s: ", d->origin, d->tries, d->why);
	if (n > 0 && get_u64(buffer + 16) == d->copy) {
		record_get(&r, buffer);
		struct mom_message m = { record_topic(buffer), record_data(buffer, &r), record_data_len(buffer, &r),
		    r.publisher, d->origin, r.time, r.flags & REC_F_PROPERTIES ? MOM_PROPERTIES : 0 };
		message_print(&dead.style, &m);
		dead.shown++;
	} else
		printf("(it is gone meanwhile, or cannot be read)\n");
	if (n >= 0)
		seglog_leave(&c);
	if (shard >= 0)
		close(shard);
}

static int
show(const char *group, uint64_t id, int dir, const char *path)
{
	struct look_group *found;
	size_t count, room = RECORD_MOST(MESSAGE_LIMIT);
	int shards = store_shards(dir), seen = 0;
	char *buffer = malloc(room);
	if (buffer == NULL)
		return cmd_fail(&cmd_dead, "no memory");
	if (shards <= 0 || look_groups(path, (uint32_t)shards, &found, &count) < 0)
		return cmd_fail(&cmd_dead, "%s: %s: name the store with --db DIR, and run this as the user of the "
		    "broker", path, shards == 0 ? "no store is there" : strerror(errno));
	for (size_t i = 0; i < count; i++) {
		if (strcmp(found[i].name, group) != 0)
			continue;
		seen = 1;
		for (size_t k = 0; k < found[i].letter_count; k++)
			if (id == 0 || found[i].letters[k].origin == id)
				show_letter(dir, &found[i].letters[k], buffer, room);
		if (id == 0 && found[i].dead > found[i].letter_count)
			fprintf(stderr, "mom dead: and %" PRIu64 " more\n", found[i].dead - found[i].letter_count);
	}
	look_groups_free(found, count);
	free(buffer);
	if (!seen)
		return cmd_fail(&cmd_dead, "%s: there is no group %s: see mom groups", path, group);
	return dead.shown ? CMD_OK : CMD_NOTHING;
}

static int
act(const char *group, uint64_t origin)
{
	int id = cmd_client(&cmd_dead, NULL);
	if (id < 0)
		return cmd_fail(&cmd_dead, "%s", mom_error_text(-1));
	int r = dead.retry ? mom_group_retry(id, group, origin) : mom_group_purge(id, group, origin);
	int bad = r < 0 ? cmd_fail(&cmd_dead, "%s", mom_error_text(id)) : 0;
	mom_destroy(id);
	return bad ? CMD_FAILED : CMD_OK;
}

static int
dead_run(int argc, char **argv)
{
	static const struct option longs[] = { MESSAGE_LONGS, { "db", 1, 0, OPT_DB }, { "retry", 0, 0, OPT_RETRY },
	    { "purge", 0, 0, OPT_PURGE }, { "help", 0, 0, 'h' }, { 0 } };
	const char *given = NULL;
	for (int o; (o = cmd_option(&cmd_dead, argc, argv, MESSAGE_SHORTS "h", longs)) != -1;) {
		dead.retry |= o == OPT_RETRY;
		dead.purge |= o == OPT_PURGE;
		if (!message_option(&cmd_dead, &dead.style, o, cmd_line.value) && o == OPT_DB)
			given = cmd_line.value;
	}
	if (cmd_line.count < 1 || cmd_line.count > 2)
		cmd_wrong_use(&cmd_dead, cmd_line.count ? "one group, and at most one message" : "of which group?");
	if (dead.retry && dead.purge)
		cmd_wrong_use(&cmd_dead, "--retry or --purge, not both");
	char *end = NULL;
	uint64_t id = cmd_line.count == 2 ? strtoull(cmd_line.word[1], &end, 16) : 0;
	if (end && (*end || end == cmd_line.word[1] || id == 0))
		cmd_wrong_use(&cmd_dead, "%s is no message: name it as mom dead %s shows it", cmd_line.word[1],
		    cmd_line.word[0]);
	if (dead.retry || dead.purge)
		return act(cmd_line.word[0], id);
	int dir;
	const char *path = store_find(&cmd_dead, given, &dir);
	int r = show(cmd_line.word[0], id, dir, path);
	close(dir);
	return r;
}

const struct cmd cmd_dead = { "dead", "messages of a group that were tried too often or refused for good",
	"usage: mom dead GROUP [ID] [options]\n"
	"       mom dead GROUP [ID] --retry|--purge\n"
	"Shows the dead messages of a group, or hands them out again, or forgets them. They stay in the group until "
	"then. The list is up\nto a second late.\n"
	"  ID                 only this one, by its number in the list\n"
	"  --retry            hand it out again, its tries counted anew\n"
	"  --purge            forget it\n"
	MESSAGE_USAGE
	"  --db DIR           a store, or a broker's run folder; without it the store of the broker that runs here\n"
	"Exit status: 0 something was shown, or done   1 error   2 wrong use   27 there is nothing\n"
	"Example: mom dead billing -v && mom dead billing --retry\n", dead_run };
