/* workers - starting and restarting the workers, one a shard; a part of broker_server */
#include "broker/broker.h"
#include "base/clock.h"
#include "ipc/counters.h"
#include "base/log.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

static int
worker_queue(struct broker *b, uint32_t i)
{
	char role[40];
	int id = atomic_load(&b->table->shard[i].queue);
	if (id >= 0 && registry_check(&b->registry, REGISTRY_MSG, id))
		return 0;
	snprintf(role, sizeof role, "worker-%u-queue", i);
	id = registry_make(&b->registry, REGISTRY_MSG, 0, geteuid(), 0, role);
	if (id < 0) {
		log_warn("msgget(queue of worker %u): %s: %s", i, strerror(errno), registry_hint(&b->registry));
		return -1;
	}
	atomic_store(&b->table->shard[i].queue, id);
	return 0;
}

void
workers_start(struct broker *b, int64_t now)
{
	for (uint32_t i = 0; i < b->store.shards && !b->store_lost; i++) {
		struct worker_child *w = &b->workers[i];
		char title[24];
		if (w->pid || w->failed || now < w->due)
			continue;
		struct child_plan plan = { "worker", title, b->table_id, (int)i, b->verbose,
			{ b->store.shard_dirs[i], b->store.lock, -1 }, NULL };
		snprintf(title, sizeof title, "shard %u", i);
		atomic_store(&b->table->shard[i].ready, 0);
		int queue = worker_queue(b, i);
		if (queue < 0 || (w->pid = child_start(&plan)) < 0) {
			w->pid = 0;
			w->due = now + backoff_after(&w->backoff, 0, 0);
			if (queue == 0)
				log_warn("worker of shard %u cannot be started: %s: %s: tried again", i,
				    strerror(errno), child_hint(errno));
			continue;
		}
		w->started = now;
	}
}

int
workers_reaped(struct broker *b, pid_t pid, int status, int64_t now)
{
	for (uint32_t i = 0; i < b->store.shards; i++) {
		struct worker_child *w = &b->workers[i];
		if (w->pid != pid)
			continue;
		w->pid = 0;
		if (atomic_load(&b->table->stopping) || b->store_lost)
			return 1;
		counters_add(COUNT_DEATHS, !child_ended_well(status));
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DISK) {
			w->failed = 1;
			log_error("shard %u is off: its disk failed or it is damaged (see the worker's line); start "
			    "the broker again once that is mended", i);
			return 1;
		}
		int wait = backoff_after(&w->backoff, child_was_killed(status), now - w->started);
		w->due = now + wait;
		log_warn("worker of shard %u ended (%s): started again%s", i, child_status_text(status),
		    wait ? " in a moment" : "");
		return 1;
	}
	return 0;
}

void
workers_end(struct broker *b)
{
	for (uint32_t i = 0; i < b->store.shards; i++)
		if (b->workers[i].pid) {
			kill(b->workers[i].pid, SIGKILL);
			atomic_store(&b->table->shard[i].ready, 0);
		}
}

int64_t
workers_due(const struct broker *b)
{
	int64_t due = -1;
	for (uint32_t i = 0; i < b->store.shards && !b->store_lost; i++)
		if (!b->workers[i].pid && !b->workers[i].failed && (due < 0 || b->workers[i].due < due))
			due = b->workers[i].due;
	return due;
}

int
workers_ready(const struct broker *b)
{
	for (uint32_t i = 0; i < b->store.shards; i++)
		if (!b->workers[i].failed && !atomic_load(&b->table->shard[i].ready))
			return 0;
	return 1;
}
