/* mom clients - the programs that the daemons of this machine serve: who they are, what waits for them
 * READS    the daemons' tables and client segments, /proc; topics from the views of a broker on this machine */
#include "tools/mom/cmd_json.h"
#include "base/proc.h"
#include "tools/mom/cmd_look.h"
#include "tools/mom/cmd_store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: mom clients [--json] [FOLDER ...]\n"
    "  One client a line: global id, name (- anonymous), state (live, away: durable without a process, "
    "dying,\n"
    "  cut: too much waited for it, so nothing more comes until it has read that), "
    "messages that it has not acknowledged\n"
    "  (in its mail box and in the spool), how long the oldest waits, process, user, bytes in its mail box, "
    "whether more waits in the spool,\n"
    "  bytes of its requests that are not acknowledged, its topics (some alone where its broker runs elsewhere; ? "
    "until it has listed\n"
    "  them), its command. Where several daemons run here, each has a table of its own.\n"
    "  FOLDER   a daemon's run folder (and its broker's, for the topics); without any, those in the usual places, "
    "MOM_RUN first\n"
    "  --json   an array of objects: id, name, state, durable, pid, user, command, topics (null: elsewhere), "
    "subscriptions\n"
    "           (null: not known yet), waiting_messages, waiting_bytes, oldest_seconds,\n"
    "           mail_bytes, behind, cut, request_bytes, daemon\n"
    "Exit status: 0   1 a daemon cannot be looked into, or there is none   2 wrong use\n"
    "Example: mom clients\n";

static const char *
state_name(const struct look_client *c)
{
	enum slot_state state = c->state;
	if (c->cut && state != SLOT_DYING)
		return "cut";
	return state == SLOT_LIVE ? "live" : state == SLOT_AWAY ? "away" : "dying";
}

/* The broker on this machine that this daemon's spool belongs to: ids of different brokers' clients may be the same. */
static const struct look_server *
broker_of(const struct servers *s, const struct look_server *daemon, struct store_names *names)
{
	char store[40];
	if (spool_store(daemon->files, store) < 0)
		return NULL;
	for (size_t i = 0; i < s->count; i++)
		if (s->server[i].is_broker && store_names(s->server[i].files, names) == 0 && !names->newer &&
		    strcmp(names->id, store) == 0)
			return &s->server[i];
	return NULL;
}

static void
show_json(const struct look_server *daemon, const struct look_client *c, int known, char *topics)
{
	char id[20], command[4096], *rest = NULL;
	snprintf(id, sizeof id, "%016llx", (unsigned long long)c->id);
	json_open(NULL, '{');
	json_text("id", id);
	json_text("name", c->name[0] ? c->name : NULL);
	json_text("state", state_name(c));
	json_bool("durable", c->durable);
	if (c->pid)
		json_number("pid", (uint64_t)c->pid);
	else
		json_null("pid");
	json_text("user", c->pid ? user_name(c->uid) : NULL);
	json_text("command", proc_command(c->pid, command, sizeof command) == 0 ? command : NULL);
	if (known) {
		json_open("topics", '[');
		for (char *line = topics ? strtok_r(topics, "\n", &rest)
		    : NULL; line; line = strtok_r(NULL, "\n", &rest))
			json_text(NULL, line);
		json_close(']');
	} else
		json_null("topics");
	if (c->subscriptions == SUBSCRIPTIONS_UNKNOWN)
		json_null("subscriptions");
	else
		json_number("subscriptions", c->subscriptions);
	json_number("waiting_messages", c->waiting);
	json_number("waiting_bytes", c->waiting_bytes);
	json_number("oldest_seconds", look_oldest(c));
	json_number("mail_bytes", c->mail_bytes);
	json_bool("behind", c->behind);
	json_bool("cut", c->cut);
	json_number("request_bytes", c->request_bytes);
	json_text("daemon", daemon->run);
	json_close('}');
}

static void
show_topics(int known, char *topics, const struct look_client *c)
{
	enum { SHOWN = 3 };
	if (!known) {                                  /* its broker runs elsewhere: what its daemon says of them */
		const char *some = c->topics[0] ? c->topics : c->subscriptions == SUBSCRIPTIONS_UNKNOWN ? "?" : "0";
		text_put(some, strlen(some), 0);
		return;
	}
	char *rest = NULL;
	size_t n = 0;
	for (char *line = topics ? strtok_r(topics, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest),
	    n++) {
		if (n < SHOWN) {
			fputs(n ? "," : "", stdout);
			text_put(line, strlen(line), 0);
		}
	}
	if (n > SHOWN)
		printf(" and %zu more", n - SHOWN);
	if (n == 0)
		putchar('0');
}

static void
show_line(const struct look_client *c, int known, char *topics)
{
	char command[4096];
	printf("%016llx ", (unsigned long long)c->id);
	text_column(c->name[0] ? c->name : "-", 16);
	printf(" %-5s ", state_name(c));
	printf("%9llu %6llus ", (unsigned long long)c->waiting, (unsigned long long)look_oldest(c));
	if (c->pid)
		printf("%7d %-8s", (int)c->pid, user_name(c->uid));
	else
		printf("%7s %-8s", "-", "-");
	printf(" %9llu %-6s %9llu ", (unsigned long long)c->mail_bytes, c->behind ? "behind" : "-",
	    (unsigned long long)c->request_bytes);
	show_topics(known, topics, c);
	putchar(' ');
	if (proc_command(c->pid, command, sizeof command) == 0)
		text_put(command, strlen(command), 60);
	else
		putchar('-');
	putchar('\n');
}

static void
show_daemon(const struct servers *named, const struct servers *all, const struct look_server *daemon, int json)
{
	struct store_names names;
	struct look_client c;
	const struct look_server *broker = broker_of(named, daemon, &names);
	broker = broker ? broker : broker_of(all, daemon, &names);
	for (uint32_t i = 0;; i++) {
		int there = look_client(daemon, i, &c);
		if (there < 0)
			break;
		if (there == 0)
			continue;
		char *topics = broker ? store_topics_of(broker->files, names.shards, c.id) : NULL;
		if (json)
			show_json(daemon, &c, broker != NULL, topics);
		else
			show_line(&c, broker != NULL, topics);
		free(topics);
	}
}

static int
run(int argc, char **argv)
{
	static const struct option longs[] = { { "json", 0, 0, 'j' }, { "help", 0, 0, 'h' }, { 0 } };
	struct servers s, all;
	int json = 0, bad;
	for (int o; (o = cmd_option(&cmd_clients, argc, argv, "h", longs)) != -1;)
		json |= o == 'j';
	servers_look(&s, &cmd_clients, cmd_line.word, cmd_line.count, 0);
	servers_look(&all, &cmd_clients, NULL, 0, 1);          /* the brokers: for their views */
	bad = servers_none(&s, &cmd_clients, 0, 1) != CMD_OK || s.bad;
	if (json)
		json_open(NULL, '[');
	for (size_t i = 0; i < s.count; i++) {
		if (s.server[i].is_broker || s.server[i].machine == NULL)
			continue;
		if (!json)
			servers_heading(&s, i, "ID               NAME             STATE   WAITING  OLDEST     PID "
			    "USER          MAIL SPOOL     UNACKED TOPICS COMMAND");
		show_daemon(&s, &all, &s.server[i], json);
	}
	if (json)
		json_close(']');
	servers_free(&all);
	servers_free(&s);
	return bad ? CMD_FAILED : CMD_OK;
}

const struct cmd cmd_clients = { "clients", "programs that the daemons here serve, and what waits for them", usage,
    run };
