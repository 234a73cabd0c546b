/* folders - where what must be kept lies, what a cleaner of old files takes, what happens when a folder is gone */
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SOMEBODY = 54321 };
static struct server broker, one;

/* Root's folders are others. 0: the case cannot run */
static int
become_somebody(void)
{
	if (geteuid() != 0)
		return 1;
	REQUIRE(chown(t_dir(), SOMEBODY, SOMEBODY) == 0, "chown: %s", strerror(errno));
	REQUIRE(setresgid(SOMEBODY, SOMEBODY, SOMEBODY) == 0, "setresgid: %s", strerror(errno));
	REQUIRE(setresuid(SOMEBODY, SOMEBODY, SOMEBODY) == 0, "setresuid: %s", strerror(errno));
	prctl(PR_SET_DUMPABLE, 1);
	if (access(t_bin("worker"), X_OK) == 0)
		return 1;
	t_remark("left out: other users cannot reach %s", t_bin("worker"));
	return 0;
}

static int
is_there(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

/* ---- where a user's spool is ---- */

#define HOME_SPOOL "home/.local/state/mom/spool"

/* a daemon that is not told where its spool is */
static void
plan_without_spool(struct server *s)
{
	daemon_plan(s, "one", broker.port);
	s->bare = 1;
	const char *arguments[] = { s->ip, t_text("%d", s->port), "--run", s->run };
	memcpy(s->extra, arguments, sizeof arguments);
}

TEST(state_folder, "a user's spool is in $XDG_STATE_HOME/mom, else ~/.local/state/mom; with neither it is told what to set")
{
	if (!become_somebody())
		return;
	broker_start(&broker, "broker", 0, NULL);
	plan_without_spool(&one);
	setenv("HOME", t_path("home"), 1);
	setenv("XDG_STATE_HOME", t_path("state"), 1);
	server_start(&one);
	REQUIRE(is_there(t_path("state/mom/spool/identity")), "the spool is not there: %s", t_read_file(one.log));
	server_stop(&one);
	setenv("XDG_STATE_HOME", "relative", 1);
	server_start(&one);
	REQUIRE(is_there(t_path(HOME_SPOOL "/identity")), "the spool is not there: %s", t_read_file(one.log));
	REQUIRE(!is_there(t_text("%s/spool", one.run)), "there is a spool in the run folder");
	server_stop(&one);
	static const char *const homes[] = { NULL, "", "relative" };
	for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
		homes[i] ? setenv("HOME", homes[i], 1) : unsetenv("HOME");
		unlink(one.log);
		int status = server_run_to_end(&one);
		char *said = t_read_file(one.log);
		REQUIRE(status == 111 && strstr(said, "XDG_STATE_HOME nor HOME") && strstr(said, "--spool"), "%d: %s", status, said);
	}
}

TEST(old_spool, "a spool that an older release made in the run folder is used; a line says how to move it; moved so it goes on")
{
	if (!become_somebody())
		return;
	broker_start(&broker, "broker", 0, NULL);
	plan_without_spool(&one);
	setenv("HOME", t_path("home"), 1);
	unsetenv("XDG_STATE_HOME");
	one.extra[4] = "--spool";
	one.extra[5] = t_text("%s/spool", one.run);
	server_start(&one);
	use_daemon(&one);
	int id = talk_open("billing"), mouth = talk_create();
	talk_subscribe(id, "orders");
	mom_close(id);
	say(mouth, "orders", "invoice 1");
	say(mouth, "orders", "invoice 2");
	bye(mouth);
	server_stop(&one);
	one.extra[4] = NULL;
	unlink(one.log);
	server_start(&one);
	REQUIRE(server_log_has(&one, "warn: the spool is still in"), "%s", t_read_file(one.log));
	REQUIRE(!is_there(t_path(HOME_SPOOL)), "another spool was begun");
	id = talk_open("billing");
	hear(id, "orders", "invoice 1");
	mom_close(id);
	server_stop(&one);
	/* as its line says */
	char *how = strstr(t_read_file(one.log), "mkdir -pm"), *end = how ? strstr(how, ", start it again") : NULL;
	char *then = how ? strstr(how, ", mv ") : NULL;
	REQUIRE(how && end && then, "%s", t_read_file(one.log));
	*end = '\0';
	*then = ';';
	struct ran r = run_command("%s", how);
	REQUIRE(r.status == 0, "%s: %s", how, r.err);
	unlink(one.log);
	server_start(&one);
	REQUIRE(!server_log_has(&one, "still in") && !is_there(t_text("%s/spool/identity", one.run)), "%s",
	    t_read_file(one.log));
	id = talk_open("billing");
	hear(id, "orders", "invoice 2");
	hear_nothing(id);
	bye(id);
}
