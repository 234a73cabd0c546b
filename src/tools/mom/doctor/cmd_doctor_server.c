/* cmd_doctor_server - the servers that run here: of this version, all their processes, connected; a part of mom
 * doctor */
#include "tools/mom/doctor/cmd_doctor.h"
#include "base/fdio.h"
#include "base/proc.h"
#include "look/look_groups.h"
#include "look/look_machines.h"
#include "look/look_processes.h"
#include "base/net.h"
#include "config/config_keys.h"
#include "ipc/rundir.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* AWAY_S: a machine that is away for less is just starting its daemon again */
enum { CONNECT_MS = 3000, AWAY_S = 3 };

static const char *
name_of(const struct look_server *s)
{
	return s->is_broker ? "broker" : "daemon";
}

/* Replaced by a newer one since it was started. */
static int
program_is_old(pid_t pid)
{
	char link[40], path[PATH_MAX];
	snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
	ssize_t n = readlink(link, path, sizeof path - 1);
	path[n > 0 ? n : 0] = '\0';
	return n > 10 && strcmp(path + n - 10, " (deleted)") == 0;
}

static void
descriptors(const struct look_server *s)
{
	uint64_t in_use, soft, hard;
	if (process_descriptors(s->pid, &in_use, &soft, &hard) < 0)
		return;
	enum doctor_level level = in_use + 16 > soft ? DOCTOR_FAIL : in_use > soft / 5 * 4 ||
	    soft < 1024 ? DOCTOR_WARN : DOCTOR_OK;
	doctor_say(level, name_of(s), level == DOCTOR_OK ? NULL : "ulimit -n, or LimitNOFILE of its service, then "
	    "start it again",
	    "%s: %" PRIu64 " of %" PRIu64 " descriptors are in use, two a %s", s->run, in_use, soft,
	    s->is_broker ? "machine" : "client");
}

static void
workers(const struct look_server *s)
{
	struct look_process p;
	for (uint32_t k = 0; s->broker && k < s->broker->shards && k < SHARDS_MAX; k++) {
		uint64_t starts = look_process(s, COUNTERS_WORKER(k), &p) == 1
		    ? counters_get(p.counters, COUNT_STARTS) : 0;
		if (starts > 1)
			doctor_say(DOCTOR_WARN, "broker", "its log says why",
			    "%s: worker of shard %" PRIu32 " has died and was started again, %" PRIu64 " times", s->run,
			    k,
			    starts - 1);
		if (!atomic_load(&s->broker->shard[k].ready))
			doctor_say(DOCTOR_FAIL, "broker", "it recovers, or its disk failed: its log says which; after "
			    "a failed disk mend it and start the broker again",
			    "%s: worker of shard %" PRIu32 " does not serve", s->run, k);
		if (atomic_load(&s->broker->shard[k].full))
			doctor_say(DOCTOR_FAIL, "store", "let who is behind receive (mom machines, mom clients), "
			    "forget it, or raise --store-max", "%s: shard %" PRIu32 " has used up its share of "
			    "--store-max: publishes are refused", s->run, k);
	}
}

/* Whoever waits for it waits for ever, and nothing else tells why. */
static void
stopped(const struct look_server *s)
{
	struct look_process p;
	char name[80], cure[80];
	for (uint32_t page = 0; look_stopped(s, &page, &p);) {
		look_process_name(&p, name, sizeof name);
		snprintf(cure, sizeof cure, "kill -CONT %d lets it go on", (int)p.pid);
		doctor_say(DOCTOR_FAIL, name_of(s), cure, "%s: %s (process %d) is stopped", s->run, name, (int)p.pid);
	}
}

/* What waits for a machine that does not come keeps its room in the store. */
static void
machines_away(const struct look_server *s)
{
	struct look_machine *list = NULL;
	char text[24];
	int n = s->is_broker && s->pid ? look_machines(s, &list) : 0;
	for (int i = 0; i < n; i++)
		if (!list[i].connected && list[i].lag_known && list[i].lag && list[i].seconds > AWAY_S)
			doctor_say(DOCTOR_WARN, "machines", "start its mom_daemon, see mom doctor there; or let "
			    "--machine-expiry forget it", "%s: machine %" PRIu32 "%s%s is away for %s, and %" PRIu64
			    " bytes of the log wait for it", s->run, list[i].serial, list[i].host[0] ? " " : "",
			    list[i].host, text_age(text, list[i].seconds), list[i].lag);
	free(list);
}

static void
groups(const struct look_server *s)
{
	struct look_group *list;
	size_t n;
	char cure[2 * MOM_NAME_MAX + 120];
	if (!s->is_broker || s->broker == NULL || look_groups(s->files, s->broker->shards, &list, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct look_group *g = &list[i];
		snprintf(cure, sizeof cure, "start a worker (mom work --group %s), or mom group delete %s", g->name,
		    g->name);
		if (g->members == 0 && g->waiting + g->back)
			doctor_say(DOCTOR_WARN, "groups", cure, "%s: %" PRIu64 " messages wait in the group %s, which "
			    "has no worker", s->run, g->waiting + g->back, g->name);
		snprintf(cure, sizeof cure, "mom dead %s shows them; --retry or --purge ends that", g->name);
		if (g->dead)
			doctor_say(DOCTOR_WARN, "groups", cure, "%s: %" PRIu64 " messages of the group %s are dead: "
			    "tried too often, or refused for good", s->run, g->dead, g->name);
	}
	look_groups_free(list, n);
}

void
doctor_server(const struct look_server *s)
{
	struct ipc_tally t = { .bytes = 0 };
	ipc_tally(server_registry_folder(s), &t);
	if (s->pid == 0) {
		doctor_say(DOCTOR_WARN, name_of(s), "its next start removes them, or mom ipc clean",
		    "%s: it does not run, and left %" PRIu64 " System V objects behind", s->run,
		    t.objects[0] + t.objects[1] + t.objects[2]);
		return;
	}
	if (s->why[0])
		doctor_say(DOCTOR_FAIL, name_of(s), "its log says more", "%s: %s", s->run, s->why);
	else if (program_is_old(s->pid))
		doctor_say(DOCTOR_WARN, name_of(s), "start it again to use the new one",
		    "%s: process %d runs a program that was replaced since", s->run, (int)s->pid);
	else
		doctor_say(DOCTOR_OK, name_of(s), NULL, "%s: process %d runs, of this tool's layouts", s->run,
		    (int)s->pid);
	descriptors(s);
	workers(s);
	stopped(s);
	machines_away(s);
	groups(s);
}

/* ---- connections ---- */

/* requester and responser run while there is a connection, and only then */
static int
is_connected(const struct look_server *s)
{
	struct look_process p;
	char command[64];
	return look_process(s, COUNTERS_UNIT(UNIT_RESPONSER), &p) == 1 &&
	    proc_command(p.pid, command, sizeof command) == 0 &&
	    strncmp(command, "mom_responser", 13) == 0;
}

/* 0: somebody listens there. Else an errno */
static int
try_address(const struct net_address *a)
{
	int done, error = 0, fd = net_connect(a, &done);
	socklen_t n = sizeof error;
	if (fd < 0)
		return errno;
	struct pollfd p = { fd, POLLOUT, 0 };
	if (!done && poll(&p, 1, CONNECT_MS) <= 0)
		error = ETIMEDOUT;
	else if (!done && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
		error = errno;
	close(fd);
	return error;
}

/* NULL: somebody listens there. Else why not, and *cure */
static const char *
try_connect(const char *address, const char **cure)
{
	struct net_address a[NET_ADDRESSES];
	char host[NET_HOST], port[16];
	const char *why = "this is no address";
	int error = 0;
	*cure = "see `getent hosts`, and whether the name is right";
	if (sscanf(address, "%253s %15s", host, port) != 2)
		return why;
	int count = net_resolve(a, host, port, &why);
	for (int i = 0; i < count; i++)
		if ((error = try_address(&a[i])) == 0)
			return NULL;
	if (count == 0)
		return why;
	*cure = error == ECONNREFUSED ? "start the broker there, or start the daemon with its address"
	    : "see ping and the firewall between";
	return strerror(error);
}

static int
is_run_of(const struct look_server *s, const char *path)
{
	char real[PATH_MAX];
	return path[0] && realpath(path, real) && strcmp(real, s->run) == 0;
}

/* Programs look where MOM_RUN or client.conf says, and nowhere else; without either in the usual places. */
static void
programs(const struct look_server *s)
{
	char root[PATH_MAX];
	const char *run = cmd_client_run();
	int found = run && is_run_of(s, run);
	for (int i = 0; i < RUNDIR_ROOTS && !run; i++) {
		rundir_root(i, root);
		found |= is_run_of(s, root);
	}
	if (found)
		doctor_say(DOCTOR_OK, "programs", NULL, "find the daemon in %s", s->run);
	else
		doctor_say(DOCTOR_WARN, "programs", "set MOM_RUN to that folder for them",
		    "do not find the daemon in %s by themselves", s->run);
}

void
doctor_programs(const struct servers *s)
{
	char origin[PATH_MAX + 40];
	const char *run = cmd_client_run(), *why;
	const struct config *c = cmd_client_config(&why);
	int daemons = 0, there = 0;
	for (size_t i = 0; i < s->count; i++) {
		int runs = !s->server[i].is_broker && s->server[i].pid != 0;
		daemons += runs;
		there |= runs && run && is_run_of(&s->server[i], run);
	}
	if (run && !there)
		doctor_say(DOCTOR_FAIL, "programs", "start a daemon with that --run, or take that setting away",
		    "%s names %s, where no mom_daemon runs: programs look nowhere else",
		    c ? config_origin(c, CLIENT_RUN, origin, sizeof origin) : "MOM_RUN", run);
	else if (c == NULL)
		doctor_say(DOCTOR_FAIL, "programs", "mend that file, or name another in MOM_CONFIG", "%s", why);
	else if (daemons == 0 && s->count)
		doctor_say(DOCTOR_WARN, "programs", "where programs of this machine are to use MOM, start mom_daemon "
		    "HOST PORT with the broker's address", "no mom_daemon runs here: programs cannot connect");
}

void
doctor_link(const struct look_server *s)
{
	if (s->is_broker || s->pid == 0 || s->machine == NULL)
		return;
	programs(s);
	if (is_connected(s)) {
		doctor_say(DOCTOR_OK, "connection", NULL, "%s is connected to its broker %s", s->run, s->address);
		return;
	}
	const char *cure, *why = try_connect(s->address, &cure);
	if (why == NULL && s->trouble[0])
		doctor_say(DOCTOR_FAIL, "connection", strstr(s->trouble, "refused:") ? "do what that says"
		    : "the daemon tries again; is it a broker_server of this version that listens there? See its log",
		    "%s is not connected: %s", s->run, s->trouble);
	else if (why)
		doctor_say(DOCTOR_FAIL, "connection", cure, "%s does not reach its broker %s: %s", s->run, s->address,
		    why);
	else
		doctor_say(DOCTOR_FAIL, "connection", "the daemon waits 12 s for an answer, then says more here; is it "
		    "a broker_server that listens there?", "%s reaches %s, but is not connected", s->run, s->address);
}
