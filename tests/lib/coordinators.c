/* coordinators - mom_coordinator processes of a case; see coordinators.h */
#include <lib/coordinators.h>
#include <lib/run.h>
#include <lib/t.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static struct { struct running process; char *log; struct server *daemon; } crew[COORDINATORS_MOST];

static void
stop_all(void)
{
	for (int i = 0; i < COORDINATORS_MOST; i++)
		if (crew[i].process.pid)
			coordinator_stop(i);
}

static void
check_end(int i, int status)
{
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "coordinator %d: status %x: %s", i, status,
	    t_read_file(crew[i].log));
	CHECK(strstr(t_read_file(crew[i].log), "Sanitizer") == NULL, "%s", t_read_file(crew[i].log));
}

void
coordinator_begin(int i, struct server *daemon)
{
	crew[i].daemon = daemon ? daemon : crew[i].daemon;
	crew[i].log = t_path("c%d.log", i);
	t_at_end(stop_all);
	crew[i].process = run_start("MOM_RUN='%s' exec '%s' --name c%d --alive 50 --missed 10 -v 2>>'%s'",
	    crew[i].daemon->run, t_bin("mom_coordinator"), i, crew[i].log);
}

void
coordinator_start(int i, struct server *daemon)
{
	coordinator_begin(i, daemon);
	WAIT_FOR(strstr(t_read_file(crew[i].process.out), "ready"), "coordinator %d: %s", i, t_read_file(crew[i].log));
}

pid_t
coordinator_pid(int i)
{
	return crew[i].process.pid;
}

void
coordinator_kill(int i)
{
	kill(crew[i].process.pid, SIGKILL);
	t_join(crew[i].process.pid);
	crew[i].process.pid = 0;
}

void
coordinator_stop(int i)
{
	kill(crew[i].process.pid, SIGTERM);
	kill(crew[i].process.pid, SIGCONT);
	check_end(i, t_join(crew[i].process.pid));
	crew[i].process.pid = 0;
}

void
coordinators_settled(int count)
{
	const char *wanted = t_text("%d coordinators; groups of resources: %d held by two, %d by one, 0 by nobody; 32 "
	    "answered for", count,
	    count > 1 ? 32 : 0, count > 1 ? 0 : 32);
	struct server *daemon = NULL;
	struct ran r;
	for (int i = 0; i < COORDINATORS_MOST; i++)
		daemon = crew[i].process.pid ? crew[i].daemon : daemon;
	WAIT_FOR((r = run_command("MOM_RUN='%s' '%s' --list", daemon->run, t_bin("mom_coordinator")),
	    strstr(r.out, wanted)), "%s%s", r.out, r.err);
}

int
coordinator_said(int i, const char *words)
{
	return strstr(t_read_file(crew[i].log), words) != NULL;
}
