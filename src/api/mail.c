/* mail - receive and acknowledge: from the mail box, without a system call while messages wait */
#include "api/hand.h"
#include "base/clock.h"
#include "format/properties.h"
#include <stdio.h>

/* mail that may lie read and acknowledged in the box before its room is given back */
enum { MAIL_FREE = 32 * 1024 };

static int
is_unsubscribed(const struct handle *h, const char *p, const struct record *r)
{
	uint32_t n = atomic_load_explicit(&h->segment->tombs, memory_order_relaxed);
	if (n == 0)
		return 0;
	uint64_t hash = topic_hash64(record_topic(p), r->topic_len);
	for (uint32_t i = 0; i < n && i < TOMBSTONES; i++)
		if (h->segment->tomb[i].topic_hash == hash && r->offset <= h->segment->tomb[i].offset)
			return 1;
	return 0;
}

/* The oldest record that was handed out and is not freed, where it may be: it is acknowledged, or safe in the spool.
 * Else NULL. */
static const char *
mail_to_free(struct handle *h)
{
	const struct client_segment *c = h->segment;
	while (h->mail_tail != h->mail.at && h->mail.at - h->mail_tail <= h->ring) {
		uint64_t at = ring_place(h->mail_tail, h->ring, &h->mail_tail_lap), there = h->mail.at - h->mail_tail;
		const char *p = h->mail.ring->bytes + at;
		uint32_t len = get_u32(p), shard = get_u16(p + 14);
		if (len == 0 && h->ring - at <= there) {
			h->mail_tail += h->ring - at;
			continue;
		}
		if (len < RECORD_HEADER || len > there || record_stride(len) > there || shard >= SHARDS_MAX)
			break;
		uint64_t offset = get_u64(p + 16);
		return offset > atomic_load(&c->acked[shard]) && offset > atomic_load(&c->safe[shard]) ? NULL : p;
	}
	return NULL;
}

static void
mail_free(struct handle *h)
{
	struct client_segment *c = h->segment;
	struct ring *ring = client_mail(c, h->ring);
	if (h->handed == 0)
		h->mail_tail = h->mail.at;             /* all that was looked at is acknowledged */
	for (const char *p; (p = mail_to_free(h)) != NULL;)
		h->mail_tail += record_stride(get_u32(p));
	if (h->mail_tail != atomic_load_explicit(&ring->tail, memory_order_relaxed))
		atomic_store_explicit(&ring->tail, h->mail_tail, memory_order_release);
	if (atomic_load(&c->behind) && atomic_load(&ring->head) - h->mail_tail <= h->ring / 2)
		bell_ring(&c->mail_bell, &c->deliver_queue);
}

static void
mail_ack(struct handle *h)
{
	struct client_segment *c = h->segment;
	h->open_plain = 0;
	if (h->given_count) {
		hands_settled(h);
		hands_push(h);
	}
	for (; h->handed; h->handed &= h->handed - 1) {
		int k = __builtin_ctzll(h->handed);
		atomic_store_explicit(&c->acked[k], atomic_load_explicit(&c->handed[k], memory_order_relaxed),
		    memory_order_release);
	}
}

static void
gap_message(struct handle *h, struct mom_message *m, const struct record *r)
{
	char bytes[24] = "an unknown number of";       /* the broker was started anew in between */
	if (offset_incarnation(r->aux) == offset_incarnation(r->offset))
		snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)(r->aux - r->offset));
	int n = snprintf(h->gap, sizeof h->gap, "messages are lost here: %s bytes of what was stored for shard %u, "
	    "from offset %016llx on, were damaged on disk", bytes, r->shard, (unsigned long long)r->offset);
	*m = (struct mom_message){ .topic = "", .data = h->gap, .len = (size_t)n, .offset = r->offset,
	    .time_us = clock_wall_us(), .flags = MOM_GAP };
}

static int
notice_message(struct handle *h, struct mom_message *m)
{
	struct client_segment *c = h->segment;
	uint32_t notice = atomic_load_explicit(&c->notice, memory_order_relaxed);
	if (notice == 0 || notice == atomic_load(&c->notice_told))
		return 0;
	atomic_store(&c->notice_told, notice);
	int n = snprintf(h->gap, sizeof h->gap, "messages are lost here: %s away for longer than the broker's "
	    "--machine-expiry: the client and its subscriptions were forgotten; subscribe anew",
	    notice == NOTICE_MACHINE_EXPIRED ? "this machine was" : "the client of this name was");
	*m = (struct mom_message){ .topic = "", .data = h->gap, .len = (size_t)n, .time_us = clock_wall_us(),
	    .flags = MOM_GAP };
	return 1;
}

/* Its life ended, by the broker's clock. */
static int
has_expired(struct handle *h, const char *p, const struct record *r)
{
	if (!(r->flags & REC_F_PROPERTIES))
		return 0;
	int64_t now = (int64_t)((uint64_t)clock_wall_us() + atomic_load(&h->segment->clock_ahead));
	if (!record_is_expired(p, r, now / 1000))
		return 0;
	atomic_store(&h->segment->expired, atomic_load(&h->segment->expired) + 1);
	return 1;
}

/* To the mail box a hand is a message that needs no acknowledgement: `acked` passes it, unless something before it
 * waits for one. What becomes of it is told by its SETTLE. 0: it is not given out. */
static int
take_hand(struct handle *h, const char *p, const struct record *r, struct hand_note *note)
{
	struct client_segment *c = h->segment;
	if (h->manual_ack && !(h->open_plain >> r->shard & 1))
		atomic_store_explicit(&c->acked[r->shard], r->offset, memory_order_release);
	if (h->given == NULL || hands_reserve(h) < 0 || !hand_is_ours(h, p, r, note))
		return 0;
	hand_given(h, r);
	if (!has_expired(h, p, r))
		return 1;
	hand_settled(h, r->shard, r->offset, SETTLE_DONE);
	return 0;
}

static void
message_of(struct handle *h, struct mom_message *m, const char *p, const struct record *r, const struct hand_note *note)
{
	const struct client_segment *c = h->segment;
	*m = (struct mom_message){ record_topic(p), record_data(p, r), record_data_len(p, r), r->publisher, r->offset,
	    r->time, r->flags & REC_F_PROPERTIES ? MOM_PROPERTIES : 0 };
	int again = note ? note->tries > 1
	    : r->offset <= atomic_load_explicit(&c->again[r->shard], memory_order_relaxed) ||
	    r->offset < atomic_load_explicit(&c->risk[r->shard], memory_order_relaxed);
	m->flags |= again ? MOM_REDELIVERED : 0;
	if (note)
		m->flags |= MOM_GROUPED | (unsigned)r->shard << MESSAGE_SHARD;
	else
		h->open_plain |= UINT64_C(1) << r->shard;
}

/* The next message of the box into *m. 1: there was one. 0: none. MOM_EPROTO */
static int
mail_next(struct handle *h, struct mom_message *m)
{
	struct client_segment *c = h->segment;
	int broken;
	struct record r;
	struct hand_note note;
	if (notice_message(h, m))
		return 1;
	if (h->given && hands_reserve(h) < 0)
		return handle_fail(h, MOM_ELIMIT, "no memory for a group's messages: see `ulimit -v`");
	for (const char *p; (p = ring_next(&h->mail, &broken)) != NULL;) {
		record_get(&r, p);
		if (r.shard >= SHARDS_MAX || r.offset <= atomic_load_explicit(&c->handed[r.shard],
		    memory_order_relaxed))
			continue;
		atomic_store_explicit(&c->handed[r.shard], r.offset, memory_order_release);
		h->handed |= UINT64_C(1) << r.shard;
		if (r.type == REC_GAP) {
			gap_message(h, m, &r);
			return 1;
		}
		if (r.type == REC_HAND ? !take_hand(h, p, &r, &note)
		    : is_unsubscribed(h, p, &r) || has_expired(h, p, &r))
			continue;
		message_of(h, m, p, &r, r.type == REC_HAND ? &note : NULL);
		return 1;
	}
	return broken ? handle_poisoned(h) : 0;
}

int
client_is_cut(const struct handle *h)
{
	return atomic_load(&h->segment->cuts) != atomic_load(&h->segment->cuts_told);
}

/* No mail waits, and none will come to the subscriptions that there were. */
static int
has_ended(struct handle *h)
{
	int ended = client_is_cut(h) || atomic_load(&h->segment->gone);
	return ended && !atomic_load(&h->segment->behind) && !has_mail(h);
}

/* A reader that acknowledges by itself has read the whole box, which is full for the next message then. That one waits
 * in the spool. What is in the box is in there, too, or will be within two ticks, and may be freed then: nobody but us
 * can do that. */
static int
has_to_free(struct handle *h)
{
	return atomic_load(&h->segment->behind) && (!h->was_behind || mail_to_free(h));
}

static int
has_mail_or_ended(struct handle *h, const void *with)
{
	(void)with;
	if (h->unsent)
		hands_push(h);
	return has_mail(h) || has_ended(h) || has_to_free(h);
}

/* A verdict that was refused, with what stood before it, is told once more: nothing else would bring the next message.
 * Nobody wakes us for that, so we look now and then. */
static int64_t
wait_until(const struct handle *h, int64_t deadline)
{
	int64_t look = h->given_count ? handle_deadline(SLICE_MS) : deadline;
	return deadline >= 0 && deadline < look ? deadline : look;
}

static int
tell_end(struct handle *h, int64_t deadline)
{
	uint32_t cuts = atomic_load(&h->segment->cuts);
	if (atomic_load(&h->segment->gone))
		return handle_fail(h, MOM_EBADID, "this machine was away from its broker for longer than "
		    "--machine-expiry: the broker forgot this client; destroy or close the handle and make a new one");
	int e = requests_end_subscriptions(h, deadline);
	if (e)
		return e == MOM_EAGAIN ? handle_fail(h, MOM_ETIMEDOUT, "no message came in time") : e;
	atomic_store(&h->segment->cuts_told, cuts);
	return handle_fail(h, MOM_EFULL, "messages are lost here: too many waited for this client, or were not "
	    "acknowledged by it (mom_daemon's --client-backlog-max, or its spool's disk is full): "
	    "its subscriptions have ended; subscribe anew");
}

static int
has_pending(const struct handle *h)
{
	for (uint32_t k = 0; k < h->shards; k++)
		if (h->pending[k].number)
			return 1;
	return 0;
}

int
mom_receive(int id, struct mom_message *m, int timeout_ms)
{
	int e;
	struct handle *h = handle_get(id, &e);
	if (h == NULL)
		return e;
	if (m == NULL || timeout_ms < -1)
		return handle_fail(h, MOM_EINVAL, m ? "timeout_ms is -1 (for ever), 0 (only look) or more"
		    : "mom_receive needs a message to fill in");
	if (!h->manual_ack)
		mail_ack(h);
	if (h->mail.at - h->mail_tail >= MAIL_FREE)
		mail_free(h);
	for (int64_t deadline = DEADLINE_DEFAULT, until;;) {
		if (handle_is_ended(h))
			return handle_ended(h);        /* its mail comes again, to whoever has the client now */
		int r = mail_next(h, m);
		if (r)
			return r < 0 ? r : 0;
		if (deadline == DEADLINE_DEFAULT)      /* only now: a clock costs as much as a message */
			deadline = timeout_ms > 0 ? handle_deadline(timeout_ms) : timeout_ms;
		if (!h->manual_ack)
			mail_ack(h);                   /* what was dropped */
		/* before what it lets us free is looked at */
		h->was_behind = atomic_load(&h->segment->behind) != 0;
		mail_free(h);
		tombstones_sweep(h);
		if (h->given_count || has_pending(h))
			requests_look(h);
		if (h->unsent)
			hands_push(h);
		if (h->given_count)
			hands_look(h);
		if (h->back.owed)
			take_back_look(h);
		if (atomic_load(&h->segment->behind))
			bell_ring(&h->segment->mail_bell, &h->segment->deliver_queue);
		if (has_ended(h))
			return tell_end(h, deadline);
		if (timeout_ms == 0 && atomic_load(&h->segment->poisoned))
			return handle_poisoned(h);
		if (timeout_ms == 0 && atomic_exchange(&h->woken, 0))
			return handle_fail(h, MOM_EINTR, "woken by mom_wake");
		until = wait_until(h, deadline);
		r = timeout_ms == 0 ? has_mail(h) || has_to_free(h) ? 0 : MOM_ETIMEDOUT
		    : handle_wait(h, has_mail_or_ended, NULL, until, ASLEEP_FOR_MAIL | WAIT_INTERRUPTIBLE |
		    (h->unsent ? ASLEEP_FOR_ROOM : 0u));
		if (r == MOM_ETIMEDOUT && until != deadline && timeout_ms)
			continue;
		if (r == MOM_ETIMEDOUT && h->watch >= 0) {
			watch_arm(h);
			r = has_mail_or_ended(h, NULL) || is_interrupted(h, WAIT_INTERRUPTIBLE) ? 0 : r;
		}
		if (r == MOM_ETIMEDOUT)
			return handle_fail(h, r, "no message came in time");
		if (r)
			return r;
	}
}

int
mom_ack(int id)
{
	int e;
	struct handle *h = handle_get_whole(id, &e);
	if (h == NULL)
		return e;
	mail_ack(h);
	mail_free(h);
	return 0;
}
