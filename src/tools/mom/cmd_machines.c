/* mom machines - the machines that the brokers here know: connected or away, how far behind
 * READS    db/machines, the check-points, the broker's table and the segments of its connections (only the words in
 *          front) */
#include "tools/mom/cmd_json.h"
#include "tools/mom/cmd_look.h"
#include "look/look_machines.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: mom machines [--json] [FOLDER ...]\n"
    "  One machine a line: serial, connected or away, since when (away: at most for so long), the host's name as its "
    "daemon told it, address, bytes of\n"
    "  the log that it has not taken yet (all shards), bytes of deliveries that it has taken on this connection, how "
    "many may be on their way.\n"
    "  Where several brokers run here, each has a table of its own. HOST is - until the machine's first program "
    "connects.\n"
    "  FOLDER   a broker's run folder or store; without any, those in the usual places\n"
    "  --json   an array of objects: machine, id, state, seconds, host, address, lag_bytes, taken_bytes, window_bytes, "
    "broker\n"
    "Exit status: 0   1 a broker cannot be looked into, or there is none   2 wrong use\n"
    "Example: mom machines\n";

static void
show_json(const struct look_machine *m, const struct look_server *broker)
{
	json_open(NULL, '{');
	json_number("machine", m->serial);
	json_text("id", m->id[0] ? m->id : "-");
	json_text("state", m->connected ? "connected" : "away");
	if (m->seconds >= 0)
		json_signed("seconds", m->seconds);
	else
		json_null("seconds");
	json_text("host", m->host[0] ? m->host : NULL);
	json_text("address", m->address[0] ? m->address : NULL);
	if (m->lag_known)
		json_number("lag_bytes", m->lag);
	else
		json_null("lag_bytes");
	json_number("taken_bytes", m->taken);
	json_number("window_bytes", m->window);
	json_text("broker", broker->run);
	json_close('}');
}

static void
show_line(const struct look_machine *m)
{
	char age[24] = "-", lag[24] = "-", since[32];
	if (m->seconds >= 0)
		text_age(age, m->seconds);
	snprintf(since, sizeof since, "%s%s", !m->connected && m->seconds >= 0 ? "<=" : "", age);
	if (m->lag_known)
		snprintf(lag, sizeof lag, "%llu", (unsigned long long)m->lag);
	printf("%7u %-9s %6s ", m->serial, m->connected ? "connected" : "away", since);
	text_column(m->host[0] ? m->host : "-", 16);
	putchar(' ');
	text_column(m->address[0] ? m->address : "-", 22);
	printf(" %12s %14llu %9llu\n", lag, (unsigned long long)m->taken, (unsigned long long)m->window);
}

static int
show_broker(const struct look_server *s, int json)
{
	struct look_machine *list;
	int n = look_machines(s, &list);
	if (n < 0)
		return cmd_fail(&cmd_machines, "%s: %s: %s", s->files, strerror(errno),
		    errno == EACCES ? "run this as the user of the broker, or as root" :
		    "is it a broker's store?");
	for (int i = 0; i < n; i++) {
		if (json)
			show_json(&list[i], s);
		else
			show_line(&list[i]);
	}
	free(list);
	return CMD_OK;
}

static int
run(int argc, char **argv)
{
	static const struct option longs[] = { { "json", 0, 0, 'j' }, { "help", 0, 0, 'h' }, { 0 } };
	struct servers s;
	int json = 0, bad;
	for (int o; (o = cmd_option(&cmd_machines, argc, argv, "h", longs)) != -1;)
		json |= o == 'j';
	servers_look(&s, &cmd_machines, cmd_line.word, cmd_line.count, 0);
	bad = servers_none(&s, &cmd_machines, 1, 0) != CMD_OK || s.bad;
	if (json)
		json_open(NULL, '[');
	for (size_t i = 0; i < s.count; i++) {
		if (!s.server[i].is_broker)
			continue;
		if (!json)
			servers_heading(&s, i, "MACHINE STATE      SINCE HOST             ADDRESS                 "
			    "        LAG          TAKEN    WINDOW");
		bad |= show_broker(&s.server[i], json) != CMD_OK;
	}
	if (json)
		json_close(']');
	servers_free(&s);
	return bad ? CMD_FAILED : CMD_OK;
}

const struct cmd cmd_machines = { "machines", "machines that the brokers here know: connected or away, how far behind",
    usage, run };
