/* worker_conns - which machines are connected, as broker_server's table says; a part of worker */
#include "worker/worker.h"
#include "base/clock.h"
#include "base/log_peer.h"
#include <errno.h>
#include <stdlib.h>

/* ---- connections ---- */

static void
conn_leave(struct conn *c)
{
	ipcq_detach(c->unit);
	c->unit = NULL;
	c->live = c->machine->live = 0;
	size_t at = 0;
	for (uint64_t *id; (id = map_each(&c->alive, &at)) != NULL;)
		free(id);
	map_free(&c->alive);
	for (struct client *client = c->machine->first; client; client = client->next_of_machine)
		if (client->conn == (int)(c - w.conns))
			client->conn = -1;
	/* some of them are in no map any more */
	for (struct client *client = w.touched; client; client = client->next_touched)
		if (client->conn == (int)(c - w.conns))
			client->conn = -1;
}

static void
conn_join(struct conn *c, struct conn_word *word, uint32_t seq)
{
	c->unit = ipcq_attach(atomic_load(&word->unit), 0);
	if (c->unit == NULL && errno != EINVAL && errno != EIDRM)
		log_fatal(EXIT_SYSTEM, "shmat(unit of connection %d): %s: %s", (int)(c - w.conns), strerror(errno),
		    ipcq_attach_hint(errno));
	c->seq = seq;
	if (c->unit == NULL)
		return;                                /* ended again already */
	if (c->unit->magic != MAGIC_UNIT || c->unit->slots != word->slots ||
	    c->unit->message_max != w.table->message_max) {
		ipcq_detach(c->unit);
		return;
	}
	c->slots = word->slots;
	c->ring = broker_unit_ring(c->unit, c->slots, w.shard.index);
	c->answers = broker_unit_answers(c->unit, c->slots, w.shard.index);
	c->machine = shard_machine(&w.shard, word->serial);
	c->taken = atomic_load(&c->unit->by_shard[w.shard.index].taken);
	c->wanted_told = 0;
	ring_reader_init(&c->in, c->ring, UNIT_RING(w.table->message_max), atomic_load(&c->ring->tail));
	if (c->machine->wanted < w.shard.log.end)
		c->machine->wanted = w.shard.log.end;  /* not known for what lies before: the sender looks */
	c->answered = 1;
	c->damage_done = 0;
	c->live = c->machine->live = 1;
	c->machine->away = 0;
	worker_pay(c);
	/* the list of living clients is not complete, and a part of it may have been our predecessor's: it is to be
	 * sent anew */
	if (!atomic_load(&c->unit->by_shard[w.shard.index].started) && atomic_load(&c->ring->tail) != 0)
		worker_break(c, BROKEN_LIST);
}

void
worker_conns_look(void)
{
	uint32_t epoch = atomic_load(&w.table->epoch);
	if (epoch == w.epoch)
		return;
	w.conns_seen = atomic_load(&w.table->conns);
	/* first the dead, so that no ring outlives its machine's next HELLO */
	for (uint32_t i = 0; i < w.conns_seen; i++) {
		struct conn_word *word = &w.table->conn[i];
		if (w.conns[i].live && (atomic_load(&word->state) != CONN_LIVE ||
		    atomic_load(&word->seq) != w.conns[i].seq))
			conn_leave(&w.conns[i]);
	}
	for (uint32_t i = 0; i < w.conns_seen; i++) {
		struct conn_word *word = &w.table->conn[i];
		uint32_t seq = atomic_load(&word->seq);
		if (!w.conns[i].live && atomic_load(&word->state) == CONN_LIVE && w.conns[i].seq != seq)
			conn_join(&w.conns[i], word, seq);
	}
	w.epoch = epoch;
}

/* ---- who stays away ---- */

static void
machine_expire(struct machine *m)
{
	size_t before = w.shard.clients.used;
	worker_destroy(m, NULL, REC_F_EXPIRED);
	if (before != w.shard.clients.used)
		log_peer(LOG_FROM_WARN, 0, "machine %u was away for %u s: %zu clients of it are forgotten in shard %u "
		    "(--machine-expiry says when)", m->serial, m->away, before - w.shard.clients.used, w.shard.index);
}

void
worker_machines_look(uint32_t seconds)
{
	uint32_t expiry = atomic_load(&w.table->expiry);
	for (struct machine *m = w.shard.machines; m; m = m->next) {
		uint32_t hours = m->away / 3600;
		if (m->live)
			continue;
		m->away += seconds;
		w.shard.changed |= hours != m->away / 3600;
		if (expiry && m->away >= expiry)
			machine_expire(m);
	}
	shard_forget_machines(&w.shard);
}
