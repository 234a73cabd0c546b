/* cmd_doctor_clients - programs that are stopped or slow while mail waits for them; a part of mom doctor */
#include "tools/mom/doctor/cmd_doctor.h"
#include "base/proc.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { COMMAND_SHOWN = 60, SLOW_S = 10 };

static void
command_or_dash(pid_t pid, char *command, size_t size)
{
	if (proc_command(pid, command, size) < 0)
		snprintf(command, size, "-");
}

static void
stopped(const struct look_client *c)
{
	char cure[80], command[4096];
	command_or_dash(c->pid, command, sizeof command);
	snprintf(cure, sizeof cure, "kill -CONT %d lets it go on; or end it", (int)c->pid);
	doctor_say(DOCTOR_WARN, "clients", cure, "%016" PRIx64 " (process %d, %.*s) is stopped, and %" PRIu64 " "
	    "bytes%s wait for it", c->id, (int)c->pid, COMMAND_SHOWN, command,
	    c->mail_bytes, c->behind ? " and more in the spool" : "");
}

/* In what its process sleeps: pipe_write: its output is full. "" where that cannot be seen. */
static void
sleeps_in(pid_t pid, char text[64])
{
	char name[40];
	proc_read(pid, "wchan", name, sizeof name);
	snprintf(text, 64, name[0] && name[1] ? ", sleeps in %s" : "%.0s", name);
}

static void
is_slow(const struct look_client *c)
{
	char where[64], command[4096];
	command_or_dash(c->pid, command, sizeof command);
	sleeps_in(c->pid, where);
	doctor_say(DOCTOR_WARN, "clients", "see what that program waits for", "%" PRIu64 " messages wait for %016"
	    PRIx64 " (process %d, %.*s%s), the oldest for %" PRIu64 " s", c->waiting, c->id, (int)c->pid, COMMAND_SHOWN,
	    command, where, look_oldest(c));
}

static void
is_cut(const struct look_client *c)
{
	doctor_say(DOCTOR_WARN, "clients", "let it read what waits, then it is told and subscribes anew; allow more "
	    "with mom_daemon's --client-backlog-max, or make room on its spool's disk", "%016" PRIx64 "%s%s was cut: "
	    "too much waited for it, and nothing more comes to it", c->id, c->name[0] ? " " : "", c->name);
}

void
doctor_clients(const struct look_server *s)
{
	struct look_client c;
	int there;
	if (s->is_broker || s->pid == 0 || s->machine == NULL)
		return;
	for (uint32_t i = 0; (there = look_client(s, i, &c)) >= 0; i++) {
		if (there && c.cut)
			is_cut(&c);
		if (there && (c.mail_bytes || c.behind) && proc_is_stopped(c.pid, NULL))
			stopped(&c);
		else if (there && c.pid && look_oldest(&c) > SLOW_S)
			is_slow(&c);
	}
}
