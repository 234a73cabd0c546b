/* worker_conns - which machines are connected, as broker_server's table says; a part of worker */
#include "worker/worker.h"
#include "base/clock.h"
#include "base/log_peer.h"
#include <errno.h>
#include <stdlib.h>

/* ---- connections ---- */

static void
conn_leave(struct worker_conn *c)
{
	ipcq_detach(c->unit);
	c->unit = NULL;
	c->live = c->machine->live = 0;
	size_t at = 0;
	for (uint64_t *id; (id = map_each(&c->alive, &at)) != NULL;)
		free(id);
	map_free(&c->alive);
	for (struct client *client = c->machine->first; client; client = client->next_of_machine)
		if (client->conn == (int)(c - worker.conns))
			client->conn = -1;
	/* some of them are in no map any more */
	for (struct client *client = worker.touched; client; client = client->next_touched)
		if (client->conn == (int)(c - worker.conns))
			client->conn = -1;
}

static void
conn_join(struct worker_conn *c, struct conn_word *word, uint32_t seq)
{
	c->unit = ipcq_attach(atomic_load(&word->unit), 0);
	if (c->unit == NULL && errno != EINVAL && errno != EIDRM)
		log_fatal(EXIT_SYSTEM, "shmat(unit of connection %d): %s: %s", (int)(c - worker.conns), strerror(errno),
		    ipcq_attach_hint(errno));
	c->seq = seq;
	if (c->unit == NULL)
		return;                                /* ended again already */
	if (c->unit->magic != MAGIC_UNIT || c->unit->slots != word->slots ||
	    c->unit->message_max != worker.table->message_max) {
		ipcq_detach(c->unit);
		return;
	}
	c->slots = word->slots;
	c->ring = broker_unit_ring(c->unit, c->slots, worker.shard.index);
	c->answers = broker_unit_answers(c->unit, c->slots, worker.shard.index);
	c->machine = shard_machine(&worker.shard, word->serial);
	c->taken = atomic_load(&c->unit->by_shard[worker.shard.index].taken);
	c->wanted_told = 0;
	ring_reader_init(&c->in, c->ring, UNIT_RING(worker.table->message_max), atomic_load(&c->ring->tail));
	if (c->machine->wanted < worker.shard.log.end)
		c->machine->wanted = worker.shard.log.end;  /* not known for what lies before: the sender looks */
	c->answered = 1;
	c->damage_done = 0;
	c->live = c->machine->live = 1;
	c->machine->away = 0;
	groups_machine_came(&worker.shard.groups, c->machine->first);
	worker_pay(c);
	/* the list of living clients is not complete, and a part of it may have been our predecessor's: it is to be
	 * sent anew */
	if (!atomic_load(&c->unit->by_shard[worker.shard.index].started) && atomic_load(&c->ring->tail) != 0)
		worker_break(c, BROKEN_LIST);
}

void
worker_conns_look(void)
{
	uint32_t epoch = atomic_load(&worker.table->epoch);
	if (epoch == worker.epoch)
		return;
	worker.conns_seen = atomic_load(&worker.table->conns);
	/* first the dead, so that no ring outlives its machine's next HELLO */
	for (uint32_t i = 0; i < worker.conns_seen; i++) {
		struct conn_word *word = &worker.table->conn[i];
		if (worker.conns[i].live && (atomic_load(&word->state) != CONN_LIVE ||
		    atomic_load(&word->seq) != worker.conns[i].seq))
			conn_leave(&worker.conns[i]);
	}
	for (uint32_t i = 0; i < worker.conns_seen; i++) {
		struct conn_word *word = &worker.table->conn[i];
		uint32_t seq = atomic_load(&word->seq);
		if (!worker.conns[i].live && atomic_load(&word->state) == CONN_LIVE && worker.conns[i].seq != seq)
			conn_join(&worker.conns[i], word, seq);
	}
	worker.epoch = epoch;
}

/* ---- who stays away ---- */

static void
machine_expire(struct machine *m)
{
	size_t before = worker.shard.table.clients.used;
	worker_destroy(m, NULL, REC_F_EXPIRED);
	if (before != worker.shard.table.clients.used)
		log_peer(LOG_FROM_WARN, 0, "machine %u was away for %u s: %zu clients of it are forgotten in shard %u "
		    "(--machine-expiry says when)", m->serial, m->away, before - worker.shard.table.clients.used,
		    worker.shard.index);
}

void
worker_machines_look(uint32_t seconds)
{
	uint32_t expiry = atomic_load(&worker.table->expiry);
	for (struct machine *m = worker.shard.machines; m; m = m->next) {
		uint32_t hours = m->away / 3600;
		if (m->live)
			continue;
		m->away += seconds;
		worker.shard.changed |= hours != m->away / 3600;
		if (expiry && m->away >= expiry)
			machine_expire(m);
	}
	shard_forget_machines(&worker.shard);
}
