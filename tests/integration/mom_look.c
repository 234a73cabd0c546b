/* mom_look - what the command line tool shows of servers that run: topics, clients, machines, counters, limits */
#include <lib/json.h>
#include <lib/load.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <lib/views.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server broker, one;

static void
up(const char *extra)
{
	broker_start(&broker, "broker", 0, extra);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

static struct ran
mom(const char *arguments, const char *folder)
{
	return run_command("'%s' %s '%s'", t_bin("mom"), arguments, folder);
}

/* its output, which must be JSON */
static const char *
json(const char *arguments, const char *folder)
{
	struct ran r = mom(arguments, folder);
	REQUIRE(r.status == 0, "mom %s: status %d: %s", arguments, r.status, r.err);
	REQUIRE(json_fault(r.out) == NULL, "mom %s: %s:\n%s", arguments, json_fault(r.out), r.out);
	return r.out;
}

static const char *
value(const char *text, int element, const char *member)
{
	char path[100], out[2000];
	snprintf(path, sizeof path, "%d.%s", element, member);
	REQUIRE(element >= 0 && json_at(text, path, out, sizeof out), "no %s in\n%s", path, text);
	return t_text("%s", out);
}

static long long
number(const char *text, int element, const char *member)
{
	return atoll(value(text, element, member));
}

/* A member of the element of which `key` is `name`, looked up anew; "" where there is none. What was seen is kept for
 * the message. */
static const char *seen = "";
static const char *
look_up(const char *arguments, const char *folder, const char *key, const char *name, const char *member)
{
	seen = json(arguments, folder);
	int i = json_find(seen, key, name, 0);
	return i < 0 ? "" : value(seen, i, member);
}

static const char *
id_text(int id)
{
	return t_text("%016llx", (unsigned long long)mom_global_id(id));
}

/* the first word of each line below the heading, parted by blanks */
static const char *
first_words(const char *text)
{
	char words[4000] = "";
	strtok(strdup(text), "\n");
	for (char *line = strtok(NULL, "\n"); line; line = strtok(NULL, "\n"))
		snprintf(words + strlen(words), sizeof words - strlen(words), "%.*s ", (int)strcspn(line, " "), line);
	return t_text("%s", words);
}

/* ---- topics ---- */

TEST(topics, "topics are listed by name, one a line: those with subscribers, those of the store, those that are only "
    "published to; with what went through")
{
	up("--workers 3");
	int a = talk_create(), b = talk_create(), c = talk_open("stoker");
	talk_subscribe(a, "plant/boiler");
	talk_subscribe(b, "plant/boiler");
	talk_subscribe(a, ".dot//%41/subscribers/\xc3\xa4");
	say(a, "plant/boiler", "one");
	say(a, "plant/boiler", "two");
	say(a, "nobody/hears", "three");
	struct ran r;
	WAIT_FOR(strcmp(first_words((r = mom("topics", broker.run)).out),
	    ".dot//%41/subscribers/\xc3\xa4 general log news nobody/hears plant/boiler ") == 0,
	    "%s%s", r.out, r.err);
	REQUIRE(r.status == 0 && view_has(&broker, mom_global_id(b), "plant/boiler"), "%d: %s%s", r.status, r.out,
	    r.err);
	const char *text = json("topics --json -v", broker.run);
	int i = json_find(text, "topic", "plant/boiler", 0);
	REQUIRE(number(text, i, "subscribers") == 2 && number(text, i, "messages") == 2, "%s", text);
	talk_subscribe(c, "plant/boiler/name");
	REQUIRE(view_has(&broker, mom_global_id(c), "plant/boiler/name"), "not in the views");
	const char *named = json("topics --json -v", broker.run);
	int k = json_find(named, "topic", "plant/boiler/name", 0);
	REQUIRE(strcmp(value(named, k, "clients.0.name"), "stoker") == 0 && value(named, k, "clients.0.host")[0],
	    "%s", named);
	bye(c);
	const char *first = value(text, i, "clients.0.client"), *second = value(text, i, "clients.1.client");
	REQUIRE((strcmp(first, id_text(a)) == 0 && strcmp(second, id_text(b)) == 0) ||
	    (strcmp(first, id_text(b)) == 0 && strcmp(second, id_text(a)) == 0), "%s", text);
	i = json_find(text, "topic", "nobody/hears", 0);
	REQUIRE(number(text, i, "subscribers") == 0 && number(text, i, "messages") == 1, "%s", text);
	i = json_find(text, "topic", "general", 0);
	REQUIRE(strcmp(value(text, i, "messages"), "null") == 0, "%s", text);
	bye(a);
	bye(b);
}

TEST(topics_of_a_store, "--db shows the topics of a store, whether its broker runs or not, and a folder that is none "
    "is an error that says so")
{
	up(NULL);
	int id = talk_open("keeper");
	uint64_t keeper = mom_global_id(id);
	talk_subscribe(id, "kept");
	mom_close(id);
	server_stop(&one);
	server_stop(&broker);
	struct ran r = mom("topics --db", broker.store);
	REQUIRE(r.status == 0 && strcmp(first_words(r.out), "general kept log news ") == 0, "%s%s", r.out, r.err);
	broker.extra[0] = "--views";
	broker.extra[1] = "off";
	server_start(&broker);
	r = mom("topics -v --db", broker.store);
	REQUIRE(r.status == 0 && strcmp(first_words(r.out), "general kept  log news ") == 0, "%s%s", r.out, r.err);
	REQUIRE(strstr(r.out, t_text("client %016llx machine 1 since ", (unsigned long long)keeper)), "%s", r.out);
	r = mom("topics --db", t_dir());
	REQUIRE(r.status == 1 && r.out[0] == '\0' && strstr(r.err, "--db"), "%d %s%s", r.status, r.out, r.err);
	r = mom("topics --db x", broker.store);
	REQUIRE(r.status == 2, "%d %s", r.status, r.err);
}

/* ---- clients ---- */

TEST(clients, "each client is told by id, name, process and user, with its topics; mail that waits and requests on "
    "their way are counted")
{
	up(NULL);
	int plain = talk_create(), named = talk_open("billing");
	talk_subscribe(named, "invoices");
	talk_subscribe(named, "credits");
	REQUIRE(view_has(&broker, mom_global_id(named), "credits"), "not in the views");
	const char *text = json(t_text("clients --json '%s'", broker.run), one.run);
	int i = json_find(text, "id", id_text(named), 0);
	REQUIRE(strcmp(value(text, i, "name"), "billing") == 0 && strcmp(value(text, i, "state"), "live") == 0 &&
	    strcmp(value(text, i, "durable"), "true") == 0,
	    "%s", text);
	REQUIRE(number(text, i, "pid") == getpid() && number(text, i, "mail_bytes") == 0 &&
	    number(text, i, "request_bytes") == 0, "%s", text);
	REQUIRE(strcmp(value(text, i, "topics"), "[\"credits\", \"invoices\"]") == 0 ||
	    strcmp(value(text, i, "topics"), "[\"invoices\", \"credits\"]") == 0, "%s", text);
	i = json_find(text, "id", id_text(plain), 0);
	REQUIRE(strcmp(value(text, i, "name"), "null") == 0 && strcmp(value(text, i, "topics"), "[]") == 0, "%s", text);
	say(plain, "invoices", "waits in the mail box");
	WAIT_FOR(atoi(look_up("clients --json", one.run, "id", id_text(named), "mail_bytes")) > 20, "%s", seen);
	struct ran r = mom("clients", one.run);
	REQUIRE(r.status == 0 && strstr(r.out, "billing") && strstr(r.out, id_text(plain)), "%s%s", r.out, r.err);
	hear(named, "invoices", "waits in the mail box");
	mom_close(named);
	WAIT_FOR(strcmp(look_up("clients --json", one.run, "name", "billing", "state"), "away") == 0, "%s", seen);
	bye(plain);
}

TEST(clients_behind, "a client that does not read is shown as behind, and requests that wait for an absent broker as "
    "bytes without an answer")
{
	up(NULL);
	char payload[4096];
	memset(payload, 'x', sizeof payload);
	int slow = talk_create(), pub = talk_create();
	talk_subscribe(slow, "much");
	for (int i = 0; i < 600; i++)
		REQUIRE(mom_publish(pub, "much", payload, sizeof payload, MOM_ASYNC) == 0, "%s", mom_error_text(pub));
	REQUIRE(mom_flush(pub, -1) == 0, "%s", mom_error_text(pub));
	WAIT_FOR(strcmp(look_up("clients --json", one.run, "id", id_text(slow), "behind"), "true") == 0, "%s", seen);
	server_stop(&broker);
	REQUIRE(mom_publish(pub, "much", payload, sizeof payload, MOM_ASYNC) == 0, "%s", mom_error_text(pub));
	REQUIRE(atoi(look_up("clients --json", one.run, "id", id_text(pub), "request_bytes")) >= (int)sizeof payload,
	    "%s", seen);
	server_start(&broker);
	REQUIRE(mom_flush(pub, -1) == 0, "%s", mom_error_text(pub));
	bye(pub);
	bye(slow);
}

TEST(several, "where several servers of a kind run, each has a table of its own below its name; what a daemon without "
    "its broker cannot know is not shown as 0")
{
	static struct server two, other;
	up(NULL);
	int id = talk_open("billing");
	talk_subscribe(id, "invoices");
	WAIT_FOR(strcmp(look_up("clients --json", one.run, "name", "billing", "subscriptions"), "1") == 0, "%s", seen);
	mom_close(id);
	server_stop(&one);
	server_stop(&broker);
	server_start_unready(&one);
	const char *out;
	WAIT_FOR(strstr(out = mom("clients --json", one.run).out, "\"subscriptions\": null"), "%s", out);
	out = mom("clients", one.run).out;
	REQUIRE(strstr(out, " ? -\n") && strncmp(out, "ID ", 3) == 0, "%s", out);
	server_start(&broker);
	WAIT_FOR(strcmp(look_up("clients --json", one.run, "name", "billing", "subscriptions"), "1") == 0, "%s", seen);
	daemon_start(&two, "two", broker.port);
	broker_start(&other, "other", 0, NULL);
	out = mom(t_text("clients '%s'", one.run), two.run).out;
	REQUIRE(strncmp(out, t_text("daemon %s\nID ", one.run), strlen(one.run) + 11) == 0 &&
	    strstr(out, t_text("\n\ndaemon %s\nID ", two.run)) > strstr(out, "billing"), "%s", out);
	out = mom(t_text("machines '%s'", broker.run), other.run).out;
	REQUIRE(strncmp(out, t_text("broker %s\nMACHINE ", broker.run), strlen(broker.run) + 16) == 0 &&
	    strstr(out, t_text("\n\nbroker %s\nMACHINE ", other.run)), "%s", out);
}

/* ---- how much waits ---- */

static int
waits(long long wanted)
{
	const char *text = json("clients --json", one.run);
	int i = json_find(text, "name", "counted", 0);
	seen = text;
	return i >= 0 && number(text, i, "waiting_messages") == wanted &&
	    (number(text, i, "waiting_bytes") > 0) == (wanted > 0);
}

static void
publish_counted(int pub, int n)
{
	static const char payload[1024];
	for (int i = 0; i < n; i++)
		REQUIRE(mom_publish(pub, "counted", payload, sizeof payload, MOM_ASYNC) == 0, "%s",
		    mom_error_text(pub));
	REQUIRE(mom_flush(pub, -1) == 0, "%s", mom_error_text(pub));
}

static void
take_counted(int id, int n)
{
	struct mom_message m;
	for (int i = 0; i < n; i++)
		REQUIRE(mom_receive(id, &m, T_PATIENCE_MS) == 0 && !(m.flags & MOM_GAP), "%s", mom_error_text(id));
	REQUIRE(mom_ack(id) == 0, "%s", mom_error_text(id));
}

static int
open_counted(void)
{
	int id = talk_open("counted");
	REQUIRE(mom_set_option(id, MOM_OPT_MANUAL_ACK, 1) == 0, "%s", mom_error_text(id));
	return id;
}

TEST(waiting, "how many messages wait for a client is right to the message: in its mail box and in the spool, read and "
    "not acknowledged, while it is away, after a kill of the forwarder, of the daemon, and when it comes back")
{
	up(NULL);
	int pub = talk_create(), id = open_counted();
	talk_subscribe(id, "counted");
	REQUIRE(waits(0), "%s", seen);
	publish_counted(pub, 3000);
	WAIT_FOR(waits(3000), "3000 of a live one: %s", seen);
	take_counted(id, 500);
	WAIT_FOR(waits(2500), "500 are acknowledged: %s", seen);
	struct mom_message m;
	REQUIRE(mom_receive(id, &m, T_PATIENCE_MS) == 0, "%s", mom_error_text(id));
	WAIT_FOR(waits(2500), "one is read: %s", seen);
	mom_close(id);
	WAIT_FOR(strcmp(look_up("clients --json", one.run, "name", "counted", "state"), "away") == 0 && waits(2500),
	    "it is away: %s", seen);
	publish_counted(pub, 100);
	WAIT_FOR(waits(2600), "100 more: %s", seen);
	pid_t forwarder = server_child(&one, "mom_forwarder");
	kill(forwarder, SIGKILL);
	server_replaced(&one, "mom_forwarder", forwarder);
	WAIT_FOR(waits(2600), "the forwarder was killed: %s", seen);
	bye(pub);
	server_kill_all(&one);
	server_start(&one);
	WAIT_FOR(waits(2600), "the daemon was killed: %s", seen);
	id = open_counted();
	WAIT_FOR(strcmp(look_up("clients --json", one.run, "name", "counted", "state"), "live") == 0 && waits(2600),
	    "it is back: %s", seen);
	take_counted(id, 1000);
	WAIT_FOR(waits(1600), "1000 more are acknowledged: %s", seen);
	struct ran r = run_command("'%s' stats --prometheus '%s' | grep 'client_waiting_messages{.*\"counted\"} 1600$'",
	    t_bin("mom"), one.run);
	REQUIRE(r.status == 0, "%s", run_command("'%s' stats --prometheus '%s'", t_bin("mom"), one.run).out);
	r = run_command("'%s' top -n 1 -d 0.1 '%s' | grep 'counted .* 1600 '", t_bin("mom"), one.run);
	REQUIRE(r.status == 0, "%s", run_command("'%s' top -n 1 -d 0.1 '%s'", t_bin("mom"), one.run).out);
	take_counted(id, 1600);
	WAIT_FOR(waits(0), "all is acknowledged: %s", seen);
	bye(id);
}

/* user_main under a name that would colour the screen and set its title */
static pid_t
hostile_client(int *to)
{
	int fds[2];
	REQUIRE(pipe(fds) == 0, "pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fds[0], 0);
		int null = open("/dev/null", O_WRONLY);
		dup2(null, 1);
		dup2(null, 2);
		for (int fd = 3; fd < 256; fd++)
			close(fd);
		execl(t_bin("user_main"), "\033[31m\033]0;evil\007\xe2\x80\xae\n", "--run", one.run, (char *)NULL);
		_exit(127);
	}
	REQUIRE(pid > 0 && write(fds[1], "S news\n", 7) == 7, "%s", strerror(errno));
	close(fds[0]);
	*to = fds[1];
	return pid;
}

/* the word that ends below the last letter of that heading, in the row that has the word `who` */
static const char *
below(const char *out, const char *heading, const char *who)
{
	const char *title = strstr(out, heading), *line = title;
	while (line && line > out && line[-1] != '\n')
		line--;
	const char *row = title ? strstr(title, who) : NULL;
	while (row && row[-1] != '\n')
		row--;
	size_t end = title ? (size_t)(title - line) + strlen(heading) : 0, begin = end;
	REQUIRE(row && strcspn(row, "\n") > end && end <= 80 && row[end] == ' ', "%s ends at column %zu:\n%s",
	    heading, end, out);
	while (begin > 0 && row[begin - 1] != ' ')
		begin--;
	return t_text("%.*s", (int)(end - begin), row + begin);
}

TEST(columns, "what tells who is behind stands in the first 80 columns, each number below its heading")
{
	up(NULL);
	int slow = talk_open("billing"), pub = talk_create();
	talk_subscribe(slow, "much");
	for (int i = 0; i < 3; i++)
		say(pub, "much", "it waits");
	WAIT_FOR(atoi(look_up("clients --json", one.run, "name", "billing", "waiting_messages")) == 3, "%s", seen);
	const char *out = mom("clients", one.run).out;
	REQUIRE(strcmp(below(out, "WAITING", "billing"), "3") == 0 && strchr(below(out, "OLDEST", "billing"), 's') &&
	    strcmp(below(out, "PID", "billing"), t_text("%d", (int)getpid())) == 0, "%s", out);
	out = mom("top -n 1 -d 0.1", one.run).out;
	REQUIRE(strcmp(below(out, "WAITING", "billing"), "3") == 0 && strchr(below(out, "OLDEST", "billing"), 's') &&
	    below(out, "QUEUE", "mom_forwarder"), "%s", out);
	bye(pub);
	bye(slow);
}

TEST(hostile, "what a client calls itself never reaches the terminal as it is: control characters are escaped, JSON "
    "stays JSON")
{
	int to;
	up(NULL);
	pid_t pid = hostile_client(&to);
	const char *text, *out;
	WAIT_FOR(json_length(text = json("clients --json", one.run)) == 1, "%s", text);
	WAIT_FOR(strstr(text = json("clients --json", one.run), "evil") != NULL, "%s", text);
	REQUIRE(number(text, 0, "pid") == pid, "%s", text);
	out = mom("clients", one.run).out;
	for (const unsigned char *p = (const unsigned char *)out; *p; p++)
		REQUIRE(*p >= 0x20 || *p == '\n', "byte %02x in %s", *p, out);
	const char *row = strchr(out, '\n') + 1;          /* below the heading */
	REQUIRE(strchr(row, '\n') == strrchr(row, '\n') && strstr(out, "\\x1B[31m") &&
	    strstr(out, "\xe2\x80\xae") == NULL, "%s", out);
	close(to);
	waitpid(pid, NULL, 0);
}

/* ---- machines ---- */

/* the number of that metric for that machine, as Prometheus gets it; -1: there is none */
static long
metric(const char *name, int machine)
{
	struct ran r = mom("stats --prometheus", broker.run);
	char *line = strstr(r.out, t_text("\n%s{", name));
	for (char *end; line && !strncmp(line + 1, name, strlen(name)); line = end) {
		const char *found = strstr(line, t_text("machine=\"%d\",host=", machine));
		end = strchr(line + 1, '\n');
		if (found && found < end)
			return atol(strchr(strchr(found, '}'), ' '));
	}
	return -1;
}

TEST(machines, "a machine is shown connected with its address and how far behind it is, then away")
{
	static struct server two;
	up("--workers 2");
	int id = talk_create();
	talk_subscribe(id, "t");
	daemon_start(&two, "two", broker.port);
	use_daemon(&two);
	int other = talk_create();
	say(other, "t", "x");
	hear(id, "t", "x");
	const char *text = json("machines --json", broker.run);
	REQUIRE(json_length(text) == 2 && number(text, 0, "machine") == 1 &&
	    strcmp(value(text, 0, "state"), "connected") == 0, "%s", text);
	REQUIRE(strncmp(value(text, 0, "address"), "127.", 4) == 0 && number(text, 0, "window_bytes") > 0 &&
	    number(text, 0, "seconds") >= 0, "%s", text);
	char host[65] = "";
	REQUIRE(gethostname(host, sizeof host) == 0 && strcmp(value(text, 0, "host"), host) == 0, "%s is not %s in %s",
	    value(text, 0, "host"), host, text);
	/* it tells its place with the next ping */
	WAIT_FOR(strcmp(look_up("machines --json", broker.run, "machine", "1", "lag_bytes"), "0") == 0, "%s", seen);
	server_freeze(&one);
	for (int i = 0; i < 100; i++)
		say(other, "t", "while one is frozen");
	REQUIRE(atoi(look_up("machines --json", broker.run, "machine", "1", "lag_bytes")) > 100 * 56, "%s", seen);
	REQUIRE(metric("mom_machine_lag_bytes", 1) == atol(look_up("machines --json", broker.run, "machine", "1",
	    "lag_bytes")) && metric("mom_machine_connected", 1) == 1, "%ld for %s", metric("mom_machine_lag_bytes", 1),
	    seen);
	server_thaw(&one);
	for (int i = 0; i < 100; i++)
		hear(id, "t", "while one is frozen");
	WAIT_FOR(strcmp(look_up("machines --json", broker.run, "machine", "1", "lag_bytes"), "0") == 0, "%s", seen);
	bye(id);
	bye(other);
	server_stop(&one);
	WAIT_FOR(strcmp(look_up("machines --json", broker.run, "machine", "1", "state"), "away") == 0, "%s", seen);
	struct ran r = mom("machines", broker.run);
	REQUIRE(r.status == 0 && strstr(r.out, "away") && strstr(r.out, "connected") && strstr(r.out, host), "%s%s",
	    r.out, r.err);
	REQUIRE(strcmp(look_up("machines --json", broker.run, "machine", "1", "host"), host) == 0,
	    "who is away has no host: %s", seen);
	REQUIRE(metric("mom_machine_connected", 1) == 0 && metric("mom_machine_connected", 2) == 1, "%ld %ld",
	    metric("mom_machine_connected", 1), metric("mom_machine_connected", 2));
	WAIT_FOR(strcmp(look_up("machines --json", broker.run, "machine", "1", "seconds"), "null") != 0,
	    "no check-point says for how long: %s", seen);
	server_stop(&broker);
	server_start(&broker);                 /* offsets go on far above */
	REQUIRE(atol(look_up("machines --json", broker.run, "machine", "1", "lag_bytes")) < 1000000, "%s", seen);
}

static int
links(void)
{
	return atoi(run_command("find '%s' -name 'run-at-*' | wc -l", t_path("mom")).out);
}

TEST(elsewhere, "servers with run folders of their own are found without being named, as long as they run")
{
	static struct server two;
	up(NULL);
	daemon_start(&two, "two", broker.port);
	int id = talk_create();
	use_daemon(&two);
	int other = talk_open("other");
	unsetenv("MOM_RUN");
	struct ran r = run_command("'%s' clients --json", t_bin("mom"));
	REQUIRE(r.status == 0 && json_length(r.out) == 2 && json_find(r.out, "name", "other", 0) >= 0, "%d %s%s",
	    r.status, r.out, r.err);
	r = run_command("'%s' machines --json", t_bin("mom"));
	REQUIRE(r.status == 0 && json_length(r.out) == 2, "%d %s%s", r.status, r.out, r.err);
	bye(id);
	bye(other);
	server_kill_all(&one);
	REQUIRE(links() == 3, "%d links", links());
	server_start(&one);
	REQUIRE(links() == 3, "%d links", links());
	server_stop(&one);
	server_stop(&two);
	server_stop(&broker);
	REQUIRE(links() == 0 && access(t_path("mom"), F_OK) < 0, "%d links are left, or their folder", links());
	server_start(&broker);
	server_start(&one);
}

TEST(lag, "a program that does not receive makes its mail wait on its machine, and its machine is not behind")
{
	enum { SENT = 3000 };
	static char text[1024];
	up(NULL);
	int sleeper = talk_create(), mouth = talk_create();
	talk_subscribe(sleeper, "t");
	memset(text, 'x', sizeof text - 1);
	for (int i = 0; i < SENT; i++)
		REQUIRE(mom_publish(mouth, "t", text, sizeof text, MOM_FAST | MOM_ASYNC) == 0, "%s",
		    mom_error_text(mouth));
	WAIT_FOR(mom_flush(mouth, T_PATIENCE_MS) == 0, "%s", mom_error_text(mouth));
	WAIT_FOR(strcmp(look_up("machines --json", broker.run, "machine", "1", "lag_bytes"), "0") == 0, "%s", seen);
	WAIT_FOR(strstr(json("clients --json", one.run), t_text("\"waiting_messages\": %d,", SENT)) != NULL, "%s",
	    json("clients --json", one.run));
	bye(sleeper);
	bye(mouth);
}

/* ---- counters ---- */

TEST(stats, "a thousand messages are a thousand in the worker's, the handler's and the requester's counters, and as "
    "copies in the forwarder's")
{
	up(NULL);
	int sub = talk_create(), pub = talk_create();
	struct mom_message m;
	talk_subscribe(sub, "count");
	for (int i = 0; i < 1000; i++)
		REQUIRE(mom_publish(pub, "count", "x", 1, MOM_ASYNC) == 0, "%s", mom_error_text(pub));
	REQUIRE(mom_flush(pub, -1) == 0, "%s", mom_error_text(pub));
	for (int i = 0; i < 1000; i++)
		REQUIRE(mom_receive(sub, &m, 20000) == 0, "%s", mom_error_text(sub));
	static const struct { const char *role, *counter; } wanted[] = {
		{ "worker", "counters.messages_in_total" }, { "broker_handler", "counters.messages_in_total" },
		    { "broker_sender", "counters.messages_out_total" },
		{ "mom_requester", "counters.messages_out_total" }, { "mom_forwarder", "counters.copies_total" },
	};
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		WAIT_FOR(atoi(look_up(t_text("stats --json '%s'", broker.run), one.run, "role", wanted[i].role,
		    wanted[i].counter)) == 1000,
		    "%s %s:\n%s", wanted[i].role, wanted[i].counter, seen);
	struct ran r = mom("stats", broker.run);
	REQUIRE(r.status == 0 && strstr(r.out, "worker shard 0") &&
	    strstr(r.out, "messages_in_total                        1000"), "%s%s", r.out, r.err);
	bye(pub);
	bye(sub);
}

/* A sample's metric must be declared just before, under a HELP and a TYPE of its own; no line twice. */
static void
judge_page(const char *text)
{
	char declared[200] = "", name[200];
	int lines = 0;
	for (char *line = strtok(strdup(text), "\n"); line; line = strtok(NULL, "\n"), lines++) {
		if (sscanf(line, "# TYPE %199s", declared) == 1 || strncmp(line, "# HELP ", 7) == 0)
			continue;
		size_t n = strcspn(line, "{ ");
		snprintf(name, sizeof name, "%.*s", (int)n, line);
		REQUIRE(strncmp(name, declared, strlen(declared)) == 0, "%s stands under %s", line, declared);
		char *end = strrchr(line, ' ');
		REQUIRE(end && end[1] && end[1 + strspn(end + 1, "0123456789")] == '\0', "no number: %s", line);
		if (line[n] == '{')
			REQUIRE(end[-1] == '}', "labels without their end: %s", line);
		*end = '\0';
		const char *again = strstr(text, t_text("\n%s ", line));
		REQUIRE(again == NULL || strstr(again + 1, t_text("\n%s ", line)) == NULL, "twice: %s", line);
	}
	REQUIRE(lines > 50, "%d lines", lines);
}

TEST(prometheus, "the page for Prometheus has every sample under its HELP and TYPE, no series twice, also after a "
    "machine came twice and a worker died")
{
	up("--workers 2");
	server_stop(&one);
	server_start(&one);
	int id = talk_create();
	talk_subscribe(id, "t");
	say(id, "t", "x");
	pid_t worker = server_child(&broker, "worker");
	kill(worker, SIGKILL);
	server_replaced(&broker, "worker", worker);
	say(id, "t", "y");
	struct ran r = mom(t_text("stats --prometheus '%s'", one.run), broker.run);
	REQUIRE(r.status == 0, "%s", r.err);
	judge_page(r.out);
	REQUIRE(strstr(r.out, "\nmom_starts_total{role=\"worker\"") &&
	    strstr(r.out, "# TYPE mom_sync_microseconds histogram\n"), "%s", r.out);
	r = mom("stats --prometheus --json", broker.run);
	REQUIRE(r.status == 2, "%d", r.status);
	bye(id);
}

/* ---- limits ---- */

TEST(limits, "each limit has its value, what is in use of it, and what changes it; a client more is a client, a "
    "segment and a semaphore more")
{
	up("--store-max 100000000");
	int first = talk_create();             /* connected, from here on */
	const char *before = json(t_text("limits --json '%s'", broker.run), one.run);
	int id = talk_create();
	const char *after = json(t_text("limits --json '%s'", broker.run), one.run);
	static const char *const more[] = { "clients", "kernel.shmmni", "kernel.sem semmni", "kernel.sem semmns" };
	for (size_t i = 0; i < sizeof more / sizeof *more; i++)
		REQUIRE(number(after, json_find(after, "limit", more[i], 0), "ours") == number(before,
		    json_find(before, "limit", more[i], 0), "ours") + 1,
		    "%s:\n%s%s", more[i], before, after);
	REQUIRE(number(after, json_find(after, "limit", "store bytes", 0), "value") == 100000000, "%s", after);
	REQUIRE(number(after, json_find(after, "limit", "payload bytes", 0), "value") == MOM_MESSAGE_MAX, "%s", after);
	REQUIRE(number(after, json_find(after, "limit", "ulimit -n", 0), "ours") > 5, "%s", after);
	struct ran r = mom("limits", one.run);
	REQUIRE(r.status == 0 && strstr(r.out, "kernel.msgmni") && strstr(r.out, "topic name bytes"), "%s%s", r.out,
	    r.err);
	bye(first);
	bye(id);
}

/* ---- all of them ---- */

static const char *const commands[] = { "topics", "clients", "machines", "stats", "top", "ipc", "limits", "doctor" };

TEST(usage, "each command has a page with an example; an unknown option is wrong use (2), a folder without a server an "
    "error (1) that says what to name")
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		struct ran r = run_command("'%s' %s --help", t_bin("mom"), commands[i]);
		REQUIRE(r.status == 0 && strstr(r.out, t_text("usage: mom %s", commands[i])) &&
		    strstr(r.out, "Example: ") && strstr(r.out, "Exit status: "), "%s", r.out);
		r = run_command("'%s' help | grep -q '^  %s '", t_bin("mom"), commands[i]);
		REQUIRE(r.status == 0, "%s is not in the list", commands[i]);
		r = run_command("'%s' %s --nonsense", t_bin("mom"), commands[i]);
		REQUIRE(r.status == 2 && strstr(r.err, "--help"), "%s: %d %s", commands[i], r.status, r.err);
		r = run_command("'%s' %s %s '%s'", t_bin("mom"), commands[i],
		    strcmp(commands[i], "top") == 0 ? "-n 1 -d 0.1" : "", t_dir());
		REQUIRE(r.status == 1, "%s: %d %s", commands[i], r.status, r.err);
		REQUIRE(strstr(r.err, "folder") || strstr(r.err, "registry") || strstr(r.err, "doctor") ||
		    strstr(r.out, "name a run folder"), "%s: %s", commands[i], r.err);
	}
}

/* mom as a user that owns nothing here */
static struct ran
mom_as_nobody(const char *command, const char *folder)
{
	char *out = t_path("nobody.out"), *err = t_path("nobody.err");
	pid_t pid = fork();
	if (pid == 0) {
		int to = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600),
		    log = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(to, 1);
		dup2(log, 2);
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(126);
		execl(t_bin("mom"), "mom", command, folder, (char *)NULL);
		_exit(127);
	}
	int status = t_join(pid);
	return (struct ran){ WIFEXITED(status) ? WEXITSTATUS(status) : -1, t_read_file(out), t_read_file(err) };
}

TEST(permission, "another user is told to run it as the server's user or as root, by whichever of folder and segment "
    "stops it")
{
	if (geteuid() != 0) {
		t_remark("left out: needs root");
		return;
	}
	up(NULL);
	chmod(t_dir(), 0755);
	chmod(t_path("broker"), 0755);
	struct ran r = mom_as_nobody("stats", broker.run);
	if (r.status == 127) {
		t_remark("left out: the user nobody cannot reach the programs");
		return;
	}
	REQUIRE(r.status == 1 && strstr(r.err, "as root"), "%d %s%s", r.status, r.out, r.err);
	chmod(broker.run, 0755);
	r = mom_as_nobody("stats", broker.run);
	REQUIRE(r.status == 1 && r.out[0] == '\0' && r.err[0], "%d %s%s", r.status, r.out, r.err);
	chmod(broker.store, 0755);
	chmod(t_text("%s/registry", broker.store), 0644);
	chmod(t_text("%s/about", broker.run), 0644);
	r = mom_as_nobody("stats", broker.run);
	REQUIRE(r.status == 1 && strstr(r.err, "as root"), "%d %s%s", r.status, r.out, r.err);
	chmod(broker.run, 0700);
	chmod(broker.store, 0700);
}
