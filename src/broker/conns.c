/* conns - connections: a slot of the table, a handler and a sender process, a segment and a queue each; a part of
 * broker_server */
#include "broker/broker.h"
#include "ipc/counters.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include "base/net.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* the conns changed: workers look */
static void
broker_touch(struct broker *b)
{
	atomic_fetch_add(&b->table->epoch, 1);
	for (uint32_t i = 0; i < b->store.shards; i++)
		bell_ring_always(&b->table->shard[i].time_bell, &b->table->shard[i].queue);
}

static int
conn_free_slot(struct broker *b)
{
	for (uint32_t i = 0; i < b->table->capacity; i++)
		if (atomic_load(&b->table->conn[i].state) == CONN_FREE)
			return (int)i;
	return -1;
}

static int
conn_start_handler(struct broker *b, uint32_t i)
{
	struct conn *c = &b->conns[i];
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	struct child_plan plan = { "broker_handler", c->peer, b->table_id, (int)i, b->verbose,
		{ c->socket, pair[1], -1 }, NULL };
	c->handler = child_start(&plan);
	close(pair[1]);
	if (c->handler < 0) {
		close(pair[0]);
		c->handler = 0;
		return -1;
	}
	c->control = pair[0];
	return 0;
}

static int
conn_begin(void *broker, int fd)
{
	struct broker *b = broker;
	int slot = conn_free_slot(b);
	if (slot < 0) {
		log_peer(LOG_FROM_WARN, 0, "all %u connections are in use (kernel.shmmni): a machine is turned away; "
		    "raise kernel.shmmni and start the broker again", b->table->capacity);
		close(fd);
		return -1;
	}
	struct conn *c = &b->conns[slot];
	struct conn_word *word = &b->table->conn[slot];
	net_tune(fd, PEER_DEAD_MS);
	*c = (struct conn){ .socket = fd, .control = -1, .unit = -1, .queue = -1 };
	net_peer_text(fd, c->peer, sizeof c->peer);
	if (conn_start_handler(b, (uint32_t)slot) < 0) {
		log_peer(LOG_FROM_WARN, log_peer_of(c->peer), "%s: no process for it: %s: %s", c->peer, strerror(errno),
		    child_hint(errno));
		fdio_close(&c->socket);
		return -1;
	}
	atomic_store(&word->seq, atomic_load(&word->seq) + 1);
	atomic_store(&word->unit, -1);
	atomic_store(&word->queue, -1);
	atomic_store(&word->state, CONN_HELLO);
	if (atomic_load(&b->table->conns) <= (uint32_t)slot)
		atomic_store(&b->table->conns, (uint32_t)slot + 1);
	return slot;
}

/* The connection that this machine has, but for this one; NULL: none */
static const struct conn *
conn_of(const struct broker *b, const uint8_t machine[WIRE_ID_BYTES], const struct conn *but)
{
	for (uint32_t k = 0; k < atomic_load(&b->table->conns); k++)
		if (&b->conns[k] != but && atomic_load(&b->table->conn[k].state) != CONN_FREE &&
		    memcmp(b->conns[k].machine.id, machine, WIRE_ID_BYTES) == 0)
			return &b->conns[k];
	return NULL;
}

/* Whoever repeats the HELLO of a machine that is connected is no better than others. */
static int
conn_is_known(void *broker, const uint8_t machine[WIRE_ID_BYTES], uint64_t token)
{
	const struct broker *b = broker;
	const struct known_machine *k = machines_find(&b->machines, machine);
	return k && machine_shows(k, token) && conn_of(b, machine, NULL) == NULL;
}

static void
conn_drop(void *broker, uint32_t i)
{
	conn_end(broker, i);
}

const struct lobby_host conn_host = { .known = conn_is_known, .take = conn_begin, .drop = conn_drop };

static const char *
conn_fault(struct broker *b, uint32_t i, const struct hello *h, char *text, size_t n)
{
	const struct conn *other;
	static const uint8_t none[WIRE_ID_BYTES];
	if (h->version != WIRE_VERSION)
		return "the daemon speaks another version of the protocol: use programs of one release";
	if (h->message_max < b->table->message_max) {
		snprintf(text, n, "this broker takes payloads up to %u bytes, the daemon up to %u: start it with "
		    "--max-message %u", b->table->message_max,
		    h->message_max, b->table->message_max);
		return text;
	}
	if (h->slots < 1 || h->slots > SLOTS_MAX || h->message_max > MESSAGE_LIMIT ||
	    h->window != WINDOW_OF(h->message_max))
		return "the daemon's limits cannot be";
	if (memcmp(h->machine, none, sizeof none) == 0)
		return "the daemon has no machine id";
	if (memcmp(h->store, none, sizeof none) != 0 && memcmp(h->store, b->store.id, sizeof b->store.id) != 0)
		return "the daemon's spool belongs to another store: point it at that broker; or was this broker "
		    "started with another --db than before? A new spool folder would lose the mail in the old one";
	if ((other = conn_of(b, h->machine, &b->conns[i])) == NULL)
		return NULL;
	snprintf(text, n, "this machine is connected already, from %s: stop that daemon, or give this one a spool "
	    "folder of its own", other->peer);
	return text;
}

static const char disk_failed[] = "the broker's disk failed; look at its log";

/* Why the machine is none of this store. NULL: that is not the trouble, the disk is. */
static const char *
conn_stranger(int error)
{
	if (error == ESTALE)
		return "its spool is a copy, or older than the one that was here last; or this store is an older copy "
		    "of itself: bring back the newer one, or give this daemon a new spool folder";
	if (error == ENOENT)
		return "it was here before, but this store does not know it: the store is an older copy of itself: "
		    "bring back the newer one, or give this daemon a new spool folder";
	if (error == EOVERFLOW)
		return "this store knows as many machines as it can: give this daemon the spool folder of a machine "
		    "that is no more, or begin a new store";
	return NULL;
}

static int
conn_make_objects(struct broker *b, uint32_t i, const struct hello *h)
{
	struct conn *c = &b->conns[i];
	struct conn_word *word = &b->table->conn[i];
	char role[40];
	snprintf(role, sizeof role, "unit-%u", i);
	c->unit = registry_make(&b->registry, REGISTRY_SHM, broker_unit_bytes(b->store.shards, h->slots,
	    b->table->message_max), geteuid(), 0, role);
	snprintf(role, sizeof role, "sender-%u-queue", i);
	c->queue = c->unit < 0 ? -1 : registry_make(&b->registry, REGISTRY_MSG, 0, geteuid(), 0, role);
	struct broker_unit *u = c->queue < 0 ? NULL : ipcq_attach(c->unit, 0);
	if (u == NULL) {
		log_peer(LOG_FROM_WARN, log_peer_of(c->peer), "%s: no unit for it: %s: %s", c->peer, strerror(errno),
		    registry_hint(&b->registry));
		return -1;
	}
	u->shards = b->store.shards;
	u->slots = h->slots;
	u->serial = word->serial;
	u->window = h->window;
	u->message_max = b->table->message_max;
	u->magic = MAGIC_UNIT;
	ipcq_detach(u);
	word->slots = h->slots;
	word->window = h->window;
	atomic_store(&word->unit, c->unit);
	atomic_store(&word->queue, c->queue);
	return 0;
}

/* Whoever gave up would leave a connection that turns its next one away. */
static int
conn_gave_up(const struct conn *c)
{
	char byte;
	return recv(c->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void
conn_admit(struct broker *b, uint32_t i, const struct hello *h)
{
	struct conn *c = &b->conns[i];
	struct control_answer a = { .unit = -1 };
	char text[200];
	const char *fault = conn_fault(b, i, h, text, sizeof text);
	struct known_machine machine;
	if (fault == NULL && machines_admit(&b->machines, h->machine, h->token, &machine) < 0) {
		int error = errno;
		fault = conn_stranger(error);
		if (fault == NULL) {
			log_peer(LOG_FROM_WARN, log_peer_of(c->peer), "%s: machines: %s: %s", c->peer, strerror(error),
			    fdio_hint(error));
			fault = disk_failed;
		}
	}
	for (uint32_t k = 0; fault == NULL && k < atomic_load(&b->table->conns); k++)
		/* tickets of a store that was brought back from a backup */
		if (k != i && b->conns[k].machine.serial == machine.serial)
			fault = conn_stranger(ENOENT);
	if (fault == NULL)
		b->table->conn[i].serial = machine.serial;
	if (fault == NULL && conn_make_objects(b, i, h) < 0)
		fault = "a limit of the broker's kernel is reached; look at its log";
	if (fault == NULL) {
		machines_host(&b->machines, &machine, h->host);
		c->machine = machine;
		c->is_known = a.is_known = machines_find(&b->machines, machine.id) != NULL;
		a.ok = 1;
		a.unit = c->unit;
		a.welcome = (struct welcome){ .version = WIRE_VERSION, .serial = machine.serial,
			.shards = b->store.shards,
			.message_max = b->table->message_max, .window = WINDOW_OF(b->table->message_max),
			.token = machine.token, .expiry = atomic_load(&b->table->expiry) };
		memcpy(a.welcome.store, b->store.id, sizeof b->store.id);
	} else
		snprintf(a.text, sizeof a.text, "%s", fault);
	if (fdio_write_full(c->control, &a, sizeof a) < 0)
		conn_end(b, i);
	else
		lobby_welcomed(&b->lobby, i, clock_ms());
}

/* Its first client comes. */
static void
conn_keep(struct broker *b, uint32_t i)
{
	struct conn *c = &b->conns[i];
	char code = 0;
	c->is_known = machines_keep(&b->machines, &c->machine) == 0;
	if (!c->is_known) {
		code = (char)(errno == EOVERFLOW ? -MOM_ELIMIT : -MOM_EFULL);
		if (clock_ms() - b->keep_said > TICK_MS)
			log_peer(LOG_FROM_WARN, log_peer_of(c->peer), "%s: machines: %s: its clients are refused; %s",
			    c->peer, strerror(errno),
			    errno == EOVERFLOW ? conn_stranger(errno) : errno == EEXIST ? disk_failed
			    : fdio_hint(errno));
		b->keep_said = clock_ms();
	}
	if (fdio_write_full(c->control, &code, 1) < 0)
		conn_end(b, i);
	else if (c->is_known)
		fdio_close(&c->control);
}

static void
conn_go(struct broker *b, uint32_t i)
{
	struct conn *c = &b->conns[i];
	struct child_plan plan = { "broker_sender", c->peer, b->table_id, (int)i, b->verbose,
		{ c->socket, b->store.dir, -1 }, NULL };
	if (c->is_known)
		fdio_close(&c->control);
	lobby_leave(&b->lobby, i);
	c->sender = child_start(&plan);
	if (c->sender < 0) {
		c->sender = 0;
		log_peer(LOG_FROM_WARN, log_peer_of(c->peer), "%s: no sender for it: %s: %s", c->peer, strerror(errno),
		    child_hint(errno));
		conn_end(b, i);
		return;
	}
	log_peer(LOG_FROM_INFO, log_peer_of(c->peer), "%s: machine %u connected, host %s", c->peer,
	    b->table->conn[i].serial, c->machine.host[0] ? c->machine.host : "unknown");
	counters_add(COUNT_CONNECTIONS, 1);
	atomic_store(&b->table->conn[i].state, CONN_LIVE);
	broker_touch(b);
}

void
conn_control(struct broker *b, uint32_t i)
{
	struct conn *c = &b->conns[i];
	struct control_ask ask;
	ssize_t n = fdio_read(c->control, &ask, sizeof ask);
	int is_live = atomic_load(&b->table->conn[i].state) == CONN_LIVE;
	if (n == sizeof ask && c->unit < 0 && !conn_gave_up(c))
		conn_admit(b, i, &ask.hello);
	else if (n == 1 && is_live)
		conn_keep(b, i);
	else if (is_live)
		fdio_close(&c->control);               /* its end is told when it is reaped */
	else if (n == 1 && c->unit >= 0)
		conn_go(b, i);
	else
		conn_end(b, i);
}

static void
conn_finish(struct broker *b, uint32_t i)
{
	struct conn *c = &b->conns[i];
	struct conn_word *word = &b->table->conn[i];
	fdio_close(&c->socket);
	if (c->queue >= 0)
		registry_remove(&b->registry, REGISTRY_MSG, c->queue);
	if (c->unit >= 0)
		registry_remove(&b->registry, REGISTRY_SHM, c->unit);
	memset(c, 0, sizeof *c);
	atomic_store(&word->queue, -1);
	atomic_store(&word->unit, -1);
	atomic_store(&word->state, CONN_FREE);
	broker_touch(b);
}

/* The unit ends as a whole; its slot is free once both processes are reaped. */
void
conn_end(struct broker *b, uint32_t i)
{
	struct conn *c = &b->conns[i];
	lobby_leave(&b->lobby, i);
	fdio_close(&c->control);
	atomic_store(&b->table->conn[i].state, CONN_DYING);
	if (c->handler > 0)
		kill(c->handler, SIGKILL);
	if (c->sender > 0)
		kill(c->sender, SIGKILL);
	if (c->handler == 0 && c->sender == 0)
		conn_finish(b, i);
}

int
conn_reaped(struct broker *b, pid_t pid, int status, int64_t cpu_us)
{
	for (uint32_t i = 0; i < atomic_load(&b->table->conns); i++) {
		struct conn *c = &b->conns[i];
		if (atomic_load(&b->table->conn[i].state) == CONN_FREE || (c->handler != pid && c->sender != pid))
			continue;
		if (atomic_load(&b->table->conn[i].state) == CONN_LIVE) {
			counters_add(COUNT_DEATHS, !child_ended_well(status));
			log_peer(LOG_FROM_INFO, log_peer_of(c->peer), "%s: %s ended (%s): the connection ends", c->peer,
			    c->handler == pid ? "handler" : "sender", child_status_text(status));
		}
		if (!c->is_known)                      /* a machine without clients, or none at all */
			turnstile_charge(&b->lobby.turnstile, cpu_us);
		if (c->handler == pid)
			c->handler = 0;
		else
			c->sender = 0;
		conn_end(b, i);
		return 1;
	}
	return 0;
}

void
conn_bells(struct broker *b)
{
	for (uint32_t i = 0; i < atomic_load(&b->table->conns); i++) {
		struct conn_word *word = &b->table->conn[i];
		if (atomic_load(&word->state) != CONN_LIVE)
			continue;
		struct broker_unit *u = ipcq_attach(b->conns[i].unit, 0);
		if (u == NULL)
			continue;
		bell_ring_always(&u->time_bell, &word->queue);
		machines_confirm(&b->machines, word->serial, atomic_load(&u->token));
		ipcq_detach(u);
		if (!registry_check(&b->registry, REGISTRY_MSG, b->conns[i].queue))
			log_warn("the queue of a sender was removed by somebody: it is made anew with its connection");
	}
}
