/* flat - what comes and goes leaves nothing: clients, subscriptions, machines with new spools. Memory of each process,
 * disk and System V objects are
 * after the second half what they were after the first. The long form: 200,000 clients, 1,000,000 subscriptions, 300
 * machines. */
#include <ftw.h>
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include "ipc/layout.h"
#include <lib/talk.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* MEMORY_KIB: the allocator's own noise */
enum { MEMORY_KIB = 256, ROLES_MOST = 16, TOPICS = 50, SUBSCRIBERS = 20 };

static struct server broker, one;
static struct now { int n, objects; struct { pid_t pid; char comm[16]; long kib; } process[ROLES_MOST]; long registries,
    files; } before, after;

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

static void
processes_of(struct now *n, pid_t parent)
{
	pid_t pids[PROC_MAX];
	int count = proc_children(parent, pids, PROC_MAX - 1);
	pids[count++] = parent;
	for (int i = 0; i < count && n->n < ROLES_MOST; i++, n->n++) {
		n->process[n->n].pid = pids[i];
		n->process[n->n].kib = proc_status(pids[i], "RssAnon:");
		proc_comm(pids[i], n->process[n->n].comm, sizeof n->process[0].comm);
	}
}

static long files;

static int
count_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)where;
	/* segments and their spares: how many is a matter of when the last check-point was; NAME.new is there for a
	 * moment */
	files += type == FTW_F && st->st_size && !strstr(path, "/log-") && !strstr(path, ".new");
	return 0;
}

static long
bytes_of(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? (long)st.st_size : 0;
}

static int
views_are_empty(void)
{
	files = 0;
	nftw(t_text("%s/shard-0/sub", broker.store), count_file, 16, FTW_PHYS);
	nftw(t_text("%s/shard-0/topics", broker.store), count_file, 16, FTW_PHYS);
	return files == 0;
}

static int
no_client_is_listed(void)
{
	char *list = t_read_file(t_text("%s/clients", one.store));
	return !strstr(list, t_text(" state %d ", SLOT_LIVE)) && !strstr(list, t_text(" state %d ", SLOT_DYING));
}

static void
measure(struct now *n)
{
	char text[200];
	memset(n, 0, sizeof *n);
	WAIT_FOR(views_are_empty(), "%ld files of views are left", files);
	WAIT_FOR(no_client_is_listed(), "clients are still on the daemon's list");
	processes_of(n, broker.pid);
	processes_of(n, one.pid);
	n->objects = sysv_left(t_dir(), text, sizeof text);
	n->registries = bytes_of(server_registry(&broker)) + bytes_of(server_registry(&one));
	files = 0;
	nftw(broker.store, count_file, 16, FTW_PHYS);
	nftw(one.store, count_file, 16, FTW_PHYS);
	n->files = files;
}

/* 256 KiB: up to there a registry's file is appended to, then it is written anew */
static void
is_flat(const char *what)
{
	REQUIRE(before.objects == after.objects, "%s: %d System V objects, then %d", what, before.objects,
	    after.objects);
	REQUIRE(after.files <= before.files, "%s: %ld files, then %ld", what, before.files, after.files);
	REQUIRE(after.registries < 2 * 260 * 1024, "%s: registries of %ld bytes", what, after.registries);
	for (int i = 0; i < before.n; i++)
		for (int k = 0; k < after.n; k++) {
			if (before.process[i].pid != after.process[k].pid)
				continue;
			t_remark("%s: %s: %ld KiB, then %ld", what, before.process[i].comm, before.process[i].kib,
			    after.process[k].kib);
#ifndef __SANITIZE_ADDRESS__                    /* which keeps what is freed */
			CHECK(after.process[k].kib <= before.process[i].kib + MEMORY_KIB,
			    "%s: %s has %ld KiB, then %ld", what, before.process[i].comm,
			    before.process[i].kib, after.process[k].kib);
#endif
		}
}

static void
twice(const char *what, void (*half)(int), int count, int most)
{
	half(t_is_long() ? most / 2 : count / 2);
	measure(&before);
	half(t_is_long() ? most / 2 : count / 2);
	measure(&after);
	is_flat(what);
}

static void
create_and_destroy(int count)
{
	for (int i = 0; i < count; i++)
		bye(talk_create());
}

TEST(clients, "clients that are created and destroyed leave nothing")
{
	up();
	twice("clients", create_and_destroy, 600, 200000);
}

static void
subscriber(void *count)
{
	int id = talk_create();
	for (int i = 0; i < (int)(intptr_t)count; i += TOPICS) {
		for (int k = 0; k < TOPICS; k++)
			talk_subscribe(id, t_text("flat/%d/%d/%d", (int)getpid(), i, k));
		for (int k = 0; k < TOPICS; k++) {
			int r = mom_unsubscribe(id, t_text("flat/%d/%d/%d", (int)getpid(), i, k));
			REQUIRE(r == 0, "%s", mom_error_text(id));
		}
	}
	bye(id);
}

/* Several at once: each waits for the disk, and one sync serves all who wait. */
static void
subscribe_and_unsubscribe(int count)
{
	pid_t pids[SUBSCRIBERS];
	for (int each = count / SUBSCRIBERS, now; each > 0; each -= now) {
		now = each < 10 * TOPICS ? each : 10 * TOPICS;
		for (int i = 0; i < SUBSCRIBERS; i++)
			pids[i] = t_spawn(subscriber, (void *)(intptr_t)now);
		for (int i = 0; i < SUBSCRIBERS; i++)
			t_join(pids[i]);
	}
}

TEST(subscriptions, "subscriptions, each to a topic of its own, that come and go leave nothing")
{
	up();
	twice("subscriptions", subscribe_and_unsubscribe, 2000, 1000000);
}

static void
machines(int count)
{
	static struct server guest;
	static int number;
	for (int i = 0; i < count; i++) {
		daemon_start(&guest, t_text("guest-%d", number++), broker.port);
		use_daemon(&guest);
		int id = talk_create();
		talk_subscribe(id, "flat");
		say(id, "flat", "here");
		hear(id, "flat", "here");
		bye(id);
		server_stop(&guest);
		run_command("rm -rf %s %s", guest.store, guest.run);
	}
	use_daemon(&one);
}

TEST(machines, "machines with new spools come, talk and go: what stays is a line for each in db/machines, and its "
    "place")
{
	up();
	twice("machines", machines, 12, 300);
}
