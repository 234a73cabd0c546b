/* mom groups, mom group - the groups of the brokers here; and what is done with one
 * READS    the files `groups` of the stores, which are up to a second late; what is done goes through a daemon */
#include "look/look_groups.h"
#include "tools/mom/cmd_json.h"
#include "tools/mom/cmd_look.h"
#include "tools/mom/cmd_store.h"
#include <errno.h>
#include <mom.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_TRIES = 256, OPT_TIMEOUT, OPT_HOLD, OPT_TEMPORARY, OPT_ORDERED, OPT_EXCLUSIVE };

/* ---- mom groups ---- */

static struct { int json, verbose, bad; size_t shown; const char *only; } groups;

static void
show_json(const struct look_group *g, const char *store)
{
	char id[24];
	json_open(NULL, '{');
	json_text("group", g->name);
	json_text("kind", g->kind);
	json_text("store", store);
	json_number("members", g->members);
	json_number("waiting", g->waiting);
	json_number("waiting_bytes", g->bytes);
	if (g->oldest_us)
		json_signed("oldest_seconds", look_group_oldest(g));
	else
		json_null("oldest_seconds");
	json_number("out", g->out);
	json_number("back", g->back);
	json_number("dead", g->dead);
	json_number("handed", g->handed);
	json_number("settled", g->settled);
	json_number("max_tries", g->max_tries);
	json_number("hand_timeout_ms", (uint64_t)g->hand_timeout_s * 1000);
	json_number("max_hold_ms", g->max_hold_ms);
	json_open("bindings", '[');
	for (size_t i = 0; i < g->binding_count; i++)
		json_text(NULL, g->bindings[i]);
	json_close(']');
	json_open("clients", '[');
	for (size_t i = 0; i < g->member_count; i++) {
		json_open(NULL, '{');
		snprintf(id, sizeof id, "%016llx", (unsigned long long)g->member[i].id);
		json_text("client", id);
		json_number("prefetch", g->member[i].prefetch);
		json_number("out", g->member[i].out);
		json_close('}');
	}
	json_close(']');
	json_close('}');
}

static void
show_more(const struct look_group *g)
{
	printf("    %s; dead after %u tries; taken back from a machine that is away for %u s", g->kind, g->max_tries,
	    g->hand_timeout_s);
	if (g->max_hold_ms)
		printf(", from a member after %u ms", g->max_hold_ms);
	printf("\n    since the start of its workers: %llu handed out, %llu settled\n", (unsigned long long)g->handed,
	    (unsigned long long)g->settled);
	for (size_t i = 0; i < g->member_count; i++)
		printf("    member %016llx prefetch %u out %llu\n", (unsigned long long)g->member[i].id,
		    g->member[i].prefetch, g->member[i].out);
}

static void
show_line(const struct look_group *g)
{
	char age[24] = "-";
	if (g->oldest_us)
		text_age(age, look_group_oldest(g));
	text_column(g->name, 20);
	printf(" %7llu %9llu %7llu %7llu %7llu %6s ", (unsigned long long)g->members, (unsigned long long)g->waiting,
	    (unsigned long long)g->out, (unsigned long long)g->back, (unsigned long long)g->dead, age);
	for (size_t i = 0; i < g->binding_count; i++) {
		if (i)
			putchar(' ');
		text_put(g->bindings[i], strlen(g->bindings[i]), 0);
	}
	printf(g->binding_count ? "\n" : "-\n");
	if (groups.verbose)
		show_more(g);
}

static void
show_store(const char *store)
{
	struct store_names names;
	struct look_group *found;
	size_t count;
	if (store_names(store, &names) < 0 || look_groups(store, names.shards, &found, &count) < 0) {
		groups.bad = cmd_fail(&cmd_groups, "%s: %s: run this as the user of the broker, or as root", store,
		    strerror(errno));
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (groups.only && strcmp(groups.only, found[i].name) != 0)
			continue;
		groups.shown++;
		if (groups.json)
			show_json(&found[i], store);
		else
			show_line(&found[i]);
	}
	look_groups_free(found, count);
}

/* folders: as mom topics has them */
static int
show_all(char **folders, int n)
{
	struct servers s;
	size_t stores = 0;
	servers_look(&s, &cmd_groups, folders, n, 0);
	if (groups.json)
		json_open(NULL, '[');
	for (size_t i = 0; i < s.count; i++) {
		if (!s.server[i].is_broker)
			continue;
		stores++;
		if (!groups.json)
			servers_heading(&s, i, "GROUP                MEMBERS   WAITING     OUT    BACK    DEAD OLDEST "
			    "BOUND TO");
		show_store(s.server[i].files);
	}
	if (groups.json)
		json_close(']');
	groups.bad |= s.bad;
	if (stores == 0 && servers_none(&s, &cmd_groups, 1, 0) != CMD_OK)
		groups.bad = 1;
	servers_free(&s);
	return groups.bad ? CMD_FAILED : CMD_OK;
}

static int
groups_run(int argc, char **argv)
{
	static const struct option longs[] = { { "json", 0, 0, 'j' }, { "help", 0, 0, 'h' }, { 0 } };
	for (int o; (o = cmd_option(&cmd_groups, argc, argv, "hv", longs)) != -1;) {
		groups.json |= o == 'j';
		groups.verbose |= o == 'v';
	}
	return show_all(cmd_line.word, cmd_line.count);
}

const struct cmd cmd_groups = { "groups", "groups of the brokers here: members, what waits, is out, came back, is dead",
	"usage: mom groups [-v] [--json] [FOLDER ...]\n"
	"  One group a line: members, messages that wait, that are out with a member, that came back, that are dead, "
	"how long\n"
	"  the oldest has waited, and the topics and patterns that the group is bound to. Up to a second late.\n"
	"  FOLDER   a broker's run folder or store; without any, those in the usual places\n"
	"  -v       also what the group is set to, and its members\n"
	"  --json   an array of objects: group, kind, store, members, waiting, waiting_bytes, oldest_seconds, out, "
	"back, dead, handed,\n"
	"           settled, max_tries, hand_timeout_ms, max_hold_ms, bindings, clients\n"
	"Exit status: 0   1 a broker cannot be looked into, or there is none   2 wrong use\n"
	"Example: mom groups -v\n", groups_run };

/* ---- mom group ---- */

static struct mom_group set = MOM_GROUP_INIT;

static int
fails(int id, int r)
{
	if (r == 0)
		return 0;
	return cmd_fail(&cmd_group, "%s", mom_error_text(id));
}

static int
act(const char *what, const char *name, char **patterns, int n)
{
	int id = cmd_client(&cmd_group, NULL), bad = 0;
	if (id < 0)
		return cmd_fail(&cmd_group, "%s", mom_error_text(-1));
	if (strcmp(what, "set") == 0)
		bad = fails(id, mom_group_set(id, name, &set));
	else if (strcmp(what, "delete") == 0)
		bad = fails(id, mom_group_delete(id, name));
	for (int i = 0; i < n && !bad; i++) {
		int r = strcmp(what, "unbind") ? mom_group_bind(id, name, patterns[i])
		    : mom_group_unbind(id, name, patterns[i]);
		bad = fails(id, r == MOM_EEXIST ? 0 : r);      /* as it shall be: it may be said again */
	}
	mom_destroy(id);
	return bad ? CMD_FAILED : CMD_OK;
}

static void
take_option(int o)
{
	switch (o) {
	case OPT_TRIES: set.max_tries = (int64_t)cmd_number(&cmd_group, "--max-tries", cmd_line.value, 0,
	    1000000); break;
	case OPT_TIMEOUT: set.hand_timeout_ms = (int64_t)(cmd_time(&cmd_group, "--hand-timeout", cmd_line.value,
	    (double)MOM_HOLD_MAX / 1000) * 1000); break;
	case OPT_HOLD: set.max_hold_ms = (int64_t)(cmd_time(&cmd_group, "--max-hold", cmd_line.value,
	    (double)MOM_HOLD_MAX / 1000) * 1000); break;
	case OPT_TEMPORARY: set.kind |= MOM_GROUP_TEMPORARY; break;
	case OPT_ORDERED: set.kind |= MOM_GROUP_ORDERED; break;
	case OPT_EXCLUSIVE: set.kind |= MOM_GROUP_EXCLUSIVE; break;
	}
}

static int
group_run(int argc, char **argv)
{
	static const struct option longs[] = { { "max-tries", 1, 0, OPT_TRIES }, { "hand-timeout", 1, 0, OPT_TIMEOUT },
	    { "max-hold", 1, 0, OPT_HOLD }, { "temporary", 0, 0, OPT_TEMPORARY }, { "ordered", 0, 0, OPT_ORDERED },
	    { "exclusive", 0, 0, OPT_EXCLUSIVE }, { "help", 0, 0, 'h' }, { 0 } };
	static const char *const acts[] = { "set", "bind", "unbind", "delete", "show" };
	int settings = 0, known = 0;
	for (int o; (o = cmd_option(&cmd_group, argc, argv, "h", longs)) != -1; settings = 1)
		take_option(o);
	const char *what = cmd_line.count ? cmd_line.word[0] : "";
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
		known |= strcmp(what, acts[i]) == 0;
	if (!known)
		cmd_wrong_use(&cmd_group, "set, bind, unbind, delete or show, then the group's name");
	if (cmd_line.count < 2)
		cmd_wrong_use(&cmd_group, "%s which group?", what);
	int n = cmd_line.count - 2, binds = strstr(what, "bind") != NULL;
	if (binds != (n > 0) || (settings && strcmp(what, "set") != 0))
		cmd_wrong_use(&cmd_group, binds ? "%s to which topics or patterns?" : settings
		    ? "settings go with set, not with %s" : "%s takes one group", what);
	if (strcmp(what, "show") == 0) {
		groups.only = cmd_line.word[1];
		groups.verbose = 1;
		int r = show_all(NULL, 0);
		return r == CMD_OK && groups.shown == 0 ? cmd_fail(&cmd_group, "no broker here has a group %s",
		    groups.only) : r;
	}
	return act(what, cmd_line.word[1], cmd_line.word + 2, n);
}

const struct cmd cmd_group = { "group", "make a group, change its settings or bindings, delete it",
	"usage: mom group set NAME [SETTINGS]\n"
	"       mom group bind|unbind NAME TOPIC ...\n"
	"       mom group show|delete NAME\n"
	"A group is a queue with several workers: each message goes to one of them. set makes it, or changes it.\n"
	"  --max-tries N      a message that was tried so often is dead (0: never; 20)\n"
	"  --hand-timeout T   what a machine has comes back when it is away so long (30s)\n"
	"  --max-hold T       what a living worker has comes back after so long (0: never)\n"
	"  --ordered          of the messages with one key one is in work at a time, in order\n"
	"  --exclusive        the worker that came first gets all, in order; the others stand by\n"
	"  --temporary        the group ends with its last worker\n"
	"  TOPIC   a topic, or a pattern in quotes; the group collects what is published from then on\n"
	"  delete  what waits in it is gone; it must have no workers\n"
	"Exit status: 0 done   1 error   2 wrong use\n"
	"Example: mom group set billing --max-tries 5 && mom group bind billing 'orders/#'\n", group_run };
