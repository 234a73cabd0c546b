/* unit - requester, responser and forwarder: one unit of failure, with rings and words of its own; a part of
 * mom_daemon */
#include "daemon/daemon.h"
#include "base/clock.h"
#include "ipc/counters.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int
unit_queue(struct daemon *d, id_word *word, const char *role)
{
	int id = atomic_load(word);
	if (id >= 0 && registry_check(&d->registry, REGISTRY_MSG, id))
		return 0;
	id = registry_make(&d->registry, REGISTRY_MSG, 0, geteuid(), 1, role);
	if (id < 0) {
		log_peer(LOG_FROM_WARN, 0, "msgget(%s): %s: %s", role, strerror(errno), registry_hint(&d->registry));
		return -1;
	}
	atomic_store(word, id);
	for (uint32_t i = 0; i < d->used; i++) {
		struct client_segment *c = d->members[i].segment;
		if (c == NULL)
			continue;
		atomic_store(&c->request_queue, atomic_load(&d->table->request_queue));
		atomic_store(&c->deliver_queue, atomic_load(&d->table->deliver_queue));
	}
	return 0;
}

static int
unit_objects(struct daemon *d)
{
	if (unit_queue(d, &d->table->request_queue, "requester-queue") < 0 ||
	    unit_queue(d, &d->table->deliver_queue, "forwarder-queue") < 0)
		return -1;
	d->unit_id = registry_make(&d->registry, REGISTRY_SHM, daemon_unit_bytes(d->table->capacity, d->message_max),
	    geteuid(), 0, "unit");
	d->unit = d->unit_id < 0 ? NULL : ipcq_attach(d->unit_id, 0);
	if (d->unit == NULL) {
		log_peer(LOG_FROM_WARN, 0, "shmget(unit): %s: %s", strerror(errno), registry_hint(&d->registry));
		return -1;
	}
	d->unit->slots = d->table->capacity;
	d->unit->message_max = d->message_max;
	d->unit->magic = MAGIC_UNIT;
	return 0;
}

static pid_t
unit_child(struct daemon *d, const char *program, int fd)
{
	struct child_plan plan = { program, d->host, d->table_id, d->unit_id, d->verbose,
		{ fd, d->notify, d->spool_lock, -1 }, NULL };
	pid_t pid = child_start(&plan);
	if (pid < 0)
		log_peer(LOG_FROM_WARN, 0, "%s cannot be started: %s: %s: tried again", program, strerror(errno),
		    child_hint(errno));
	return pid < 0 ? 0 : pid;
}

static void
unit_remove(struct daemon *d)
{
	if (d->unit)
		ipcq_detach(d->unit);
	d->unit = NULL;
	if (d->unit_id >= 0)
		registry_remove(&d->registry, REGISTRY_SHM, d->unit_id);
	d->unit_id = -1;
}

int
unit_is_gone(const struct daemon *d)
{
	return d->requester == 0 && d->responser == 0 && d->forwarder == 0;
}

void
unit_step(struct daemon *d, int64_t now)
{
	if (!unit_is_gone(d) || now < d->unit_due || atomic_load(&d->table->stopping))
		return;
	unit_remove(d);
	d->unit_ending = 0;
	d->unit_started = now;
	if (unit_objects(d) == 0)
		d->forwarder = unit_child(d, "mom_forwarder", d->spool_dir);
	if (d->forwarder == 0) {
		unit_remove(d);
		d->unit_due = now + backoff_after(&d->unit_backoff, 0, 0);
	}
}

void
unit_connect(struct daemon *d)
{
	counters_add(COUNT_CONNECTIONS, 1);
	d->requester = unit_child(d, "mom_requester", d->socket);
	d->responser = unit_child(d, "mom_responser", d->socket);
	if (d->requester == 0 || d->responser == 0)
		unit_end(d);
}

void
unit_end(struct daemon *d)
{
	d->unit_ending = 1;
	if (d->requester)
		kill(d->requester, SIGKILL);
	if (d->responser)
		kill(d->responser, SIGKILL);
	if (d->forwarder)
		kill(d->forwarder, SIGKILL);
	link_down(d);
}

int
unit_reaped(struct daemon *d, pid_t pid, int status, int64_t now)
{
	pid_t *which = pid == d->requester ? &d->requester : pid == d->responser ? &d->responser : pid == d->forwarder
	    ? &d->forwarder : NULL;
	const char *name = which == &d->requester ? "mom_requester" : which == &d->responser ? "mom_responser"
	    : "mom_forwarder";
	if (which == NULL)
		return 0;
	*which = 0;
	if (!d->unit_ending) {
		counters_add(COUNT_DEATHS, !child_ended_well(status));
		/* a connection that ended is no fault of the unit: the link has a back-off of its own */
		int fault = !child_was_killed(status) && !child_ended_well(status);
		d->unit_due = now + backoff_after(&d->unit_backoff, !fault, now - d->unit_started);
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DISK) {
			d->spool_state = SPOOL_BROKEN;
			d->unit_due = INT64_MAX;
			log_error("the spool is off (see the forwarder's line): start this daemon again once it is "
			    "mended");
		} else if (d->unit && d->unit->refused[0])
			link_refused(d);
		else if (!atomic_load(&d->table->stopping))
			log_peer(LOG_FROM_WARN, log_peer_of(name), "%s ended (%s): requester, responser and forwarder "
			    "are started anew", name, child_status_text(status));
		unit_end(d);
	}
	return 1;
}

void
unit_bells(struct daemon *d)
{
	if (d->unit == NULL)
		return;
	bell_ring_always(&d->unit->requester_time, &d->table->request_queue);
	bell_ring_always(&d->unit->forwarder_time, &d->table->deliver_queue);
}
