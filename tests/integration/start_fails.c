/* start_fails - a start that fails leaves no object, file or process behind; but what a living client uses stays */
#include <lib/run.h>
#include <lib/segment.h>
#include <lib/server.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct server broker, one;

/* a port where somebody else listens */
static int
taken_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
	REQUIRE(bind(fd, (struct sockaddr *)&at, size) == 0 && listen(fd, 1) == 0 &&
	    getsockname(fd, (struct sockaddr *)&at, &size) == 0, "listen: %s", strerror(errno));
	return ntohs(at.sin_port);
}

/* names in a folder; none where there is no such folder */
static const char *
names_in(const char *path)
{
	static char names[1000];
	DIR *d = opendir(path);
	names[0] = '\0';
	for (struct dirent *e; d && (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.')
			strcat(strcat(names, e->d_name), " ");
	if (d)
		closedir(d);
	return names;
}

static int objects, idle = -1;          /* idle: those of a broker without connections, if there is one */

static int
objects_now(char *text, unsigned n)
{
	return geteuid() == 0 ? sysv_all(text, n) : 0;         /* root has an IPC namespace for each case */
}

static void
idle_is_now(void)
{
	char text[300];
	idle = objects_now(text, sizeof text);
}

static void
nothing_is_left(struct server *s, const char *when)
{
	char text[300] = "";
	if (idle >= 0)                                 /* a broker still has the objects of a connection that ended */
		WAIT_FOR(objects_now(text, sizeof text) == objects, "%s: %s: objects are left: %s", s->name, when,
		    text);
	int more = objects_now(text, sizeof text) - objects;
	CHECK(more == 0, "%s: %s: %d objects are left: %s", s->name, when, more, text);
	CHECK(sysv_left(t_path("%s", s->name), text, sizeof text) == 0, "%s: %s left %s", s->name, when, text);
	CHECK(access(server_registry(s), F_OK) < 0, "%s: %s left its registry", s->name, when);
	CHECK(names_in(s->run)[0] == '\0', "%s: %s left %s", s->name, when, names_in(s->run));
	unlink(s->log);
}

/* It fails with this status, says these words, and leaves nothing. */
static void
fails(struct server *s, int status, const char *words)
{
	char text[300];
	if (idle >= 0)
		WAIT_FOR(objects_now(text, sizeof text) == idle, "the broker still has %s", text);
	objects = objects_now(text, sizeof text);
	int is = server_run_to_end(s);
	CHECK(is == status && server_log_has(s, words), "%s: exit %d, wanted %d and '%s': %s", s->name, is, status,
	    words, t_read_file(s->log));
	nothing_is_left(s, words);
}

/* the same with one more argument of its own */
static void
fails_with(struct server *s, const char *flag, const char *value, int status, const char *words)
{
	int n = 0;
	while (s->extra[n])
		n++;
	s->extra[n] = flag;
	s->extra[n + 1] = value;
	fails(s, status, words);
	s->extra[n] = s->extra[n + 1] = NULL;
}

static void
spoil(const char *folder, const char *name, const char *text)
{
	FILE *f = fopen(t_text("%s/%s", folder, name), "w");
	REQUIRE(f && fputs(text, f) >= 0 && fclose(f) == 0, "%s/%s: %s", folder, name, strerror(errno));
}

TEST(broker_refused, "a broker that cannot start for a port or a file leaves nothing, and says what would help")
{
	char *http = t_text("127.0.0.1:%d", taken_port()), *nowhere = t_path("nowhere/log");
	broker_start(&broker, "broker", 0, NULL);
	server_stop(&broker);
	fails_with(&broker, "--http", http, 111, "take another address with --http");
	fails_with(&broker, "--log-file", nowhere, 111, "name another --log-file");
	fails_with(&broker, "--workers", "3", 100, "start it with that");
	fails_with(&broker, "--http", "nonsense", 100, "http");
	spoil(broker.store, "machines", "nonsense\n");
	fails(&broker, 111, "machines: damaged: restore it from a backup");
	REQUIRE(unlink(t_text("%s/machines", broker.store)) == 0, "unlink");
	REQUIRE(mkdir(t_text("%s/registry", broker.store), 0700) == 0, "mkdir");
	int status = server_run_to_end(&broker);
	REQUIRE(status == 111 && server_log_has(&broker, "/registry: "), "%d: %s", status, t_read_file(broker.log));
	REQUIRE(rmdir(t_text("%s/registry", broker.store)) == 0, "rmdir");
	server_start(&broker);
}

TEST(daemon_refused, "a daemon that cannot start for a port or a file leaves nothing, and says what would help")
{
	char *http = t_text("127.0.0.1:%d", taken_port()), *nowhere = t_path("nowhere/log");
	broker_start(&broker, "broker", 0, NULL);
	idle_is_now();
	daemon_start(&one, "one", broker.port);
	server_stop(&one);
	fails_with(&one, "--http", http, 111, "take another address with --http");
	fails_with(&one, "--log-file", nowhere, 111, "name another --log-file");
	fails_with(&one, "--http", "nonsense", 100, "http");
	REQUIRE(mkdir(t_text("%s/socket.old", one.run), 0700) == 0, "mkdir");
	REQUIRE(mkdir(t_text("%s/socket", one.run), 0700) == 0, "mkdir");
	spoil(t_text("%s/socket.old", one.run), "file", "");
	int status = server_run_to_end(&one);
	REQUIRE(status == 111 && server_log_has(&one, "/socket: "), "%d: %s", status, t_read_file(one.log));
	REQUIRE(run_command("rm -r '%s'", one.run).status == 0, "rm");
	char *clients = t_text("%s/clients", one.store), *aside = t_path("clients");
	REQUIRE(rename(clients, aside) == 0, "rename");
	spoil(one.store, "clients", "nonsense\n");
	fails(&one, 111, "restore the spool from a backup");
	REQUIRE(rename(aside, clients) == 0, "rename");
	server_start(&one);
}

/* An end by log_fatal at the n-th call of its kind: nothing is left, whatever was made by then. */
static void
at_each(struct server *s, const char *role, const char *call, const char *error, int most)
{
	char text[300];
	int failed = 0;
	for (int n = 1; n <= most; n++) {
		if (idle >= 0)                         /* a broker still has the objects of a connection that ended */
			WAIT_FOR(objects_now(text, sizeof text) == idle, "the broker still has %s", text);
		objects = objects_now(text, sizeof text);
		s->fault = t_text("%s/%s=%s@%d", role, call, error, n);
		server_start_unready(s);
		/* it ends, or goes on without: then it is stopped */
		int status = server_end_or_ready(s);
		if (status < 0) {
			REQUIRE(s->pid, "%s at %d: it was killed: %s", call, n, t_read_file(s->log));
			server_stop(s);
			continue;
		}
		failed++;
		CHECK(status == 111 && server_log_has(s, "fatal: "), "%s at %d: exit %d: %s", call, n, status,
		    t_read_file(s->log));
		nothing_is_left(s, t_text("%s at %d", call, n));
	}
	t_remark("%s: %d of %d starts with a failing %s failed", role, failed, most, call);
	REQUIRE(failed > 0, "no start failed");
}

static int
has_faults(void)
{
	const char *on = getenv("FAULTS");
	if (on == NULL || *on == '\0')
		t_remark("left out: this build has no fault points");
	return on && *on;
}

TEST(broker_by_fault, "a broker whose kernel gives it no more of something at its start leaves nothing")
{
	if (!has_faults())
		return;
	broker_plan(&broker, "broker", 0, NULL);
	at_each(&broker, "broker_server", "shmget", "ENOSPC", 3);
	at_each(&broker, "broker_server", "shmat", "ENOMEM", 2);
	at_each(&broker, "broker_server", "open", "EMFILE", 12);
	at_each(&broker, "broker_server", "write", "ENOSPC", 8);
	at_each(&broker, "broker_server", "rename", "EIO", 4);
}

/* a durable client with mail, without a process */
static void
leave_somebody(void)
{
	int id = talk_open("keeper");
	talk_subscribe(id, "kept");
	say(id, "kept", "mail");
	REQUIRE(mom_close(id) == 0, "%s", mom_error_text(id));
}

TEST(daemon_by_fault, "a daemon whose kernel gives it no more of something at its start leaves nothing but its spool")
{
	if (!has_faults())
		return;
	broker_start(&broker, "broker", 0, NULL);
	idle_is_now();
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	leave_somebody();
	server_stop(&one);
	at_each(&one, "mom_daemon", "shmget", "ENOSPC", 4);
	at_each(&one, "mom_daemon", "semget", "ENOSPC", 2);
	at_each(&one, "mom_daemon", "shmat", "ENOMEM", 2);
	at_each(&one, "mom_daemon", "open", "EMFILE", 12);
	at_each(&one, "mom_daemon", "rename", "EIO", 2);
	server_start(&one);
	int id = talk_open("keeper");
	hear(id, "kept", "mail");
	bye(id);
}

/* what is left and is no client's */
static int
left_of_daemon(const char **which)
{
	struct sysv_object all[64];
	int left = 0, count = sysv_registry(server_registry(&one), all, 64);
	for (int i = 0; i < count; i++)
		if (sysv_exists(&all[i]) && strncmp(all[i].role, "client-", 7) != 0) {
			*which = t_text("%s %s", all[i].kind, all[i].role);
			left++;
		}
	return left;
}

TEST(living_client, "a start that fails leaves a living client its segment, and the next start a dead one's requests")
{
	const char *which = "";
	struct sysv_object segment;
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int ear = talk_open("ear"), id = talk_create();
	talk_subscribe(ear, "t");
	talk_subscribe(id, "t");
	say(id, "t", "before");
	hear(id, "t", "before");
	hear(ear, "t", "before");
	server_freeze(&broker);
	REQUIRE(mom_publish(ear, "t", "of the dead", 11, MOM_ASYNC) == 0, "%s", mom_error_text(ear));
	server_kill_all(&one);
	/* as if its process were gone; it has the lower slot, and is taken up before the start fails */
	segment_attach(&one, mom_global_id(ear), NULL)->goodbye = 1;
	one.extra[0] = "--max-message";
	one.extra[1] = "4m";
	int status = server_run_to_end(&one);
	one.extra[0] = one.extra[1] = NULL;
	REQUIRE(status == 100 && server_log_has(&one, "rings that are too small"), "%d: %s", status,
	    t_read_file(one.log));
	REQUIRE(left_of_daemon(&which) == 0, "left: %s", which);
	REQUIRE(sysv_find(server_registry(&one), "client-1=", &segment), "the living client has lost its segment");
	REQUIRE(strcmp(names_in(one.run), "registry ") == 0, "left: %s", names_in(one.run));
	server_thaw(&broker);
	server_start(&one);
	hear(id, "t", "of the dead");
	say(id, "t", "after");
	hear(id, "t", "after");
	bye(id);
}
