/* history - what a client of a storm tried, was told and received, in a file of its own that only it appends to
 *
 *     struct history *h = history_begin(folder, "ear-3", HISTORY_DURABLE, mom_global_id(id), 0, PAYLOAD_STORM);
 *     history_try(h, topic, n, flags);  r = mom_publish(...);  history_told(h, topic, n, flags, r);
 *     r = mom_receive(id, &m, ms);      r == 0 ? history_got(h, &m) : history_acked(h);
 *     history_end(h, 1);
 *
 * One file a process: sessions of one client are told apart by its name and ordered by time (CLOCK_MONOTONIC, ns). An
 * intent is written before the call, a result after it, each line by one write: kill -9 at any instruction leaves a
 * true history. Lines, time second:
 *
 *     client T NAME durable|anonymous ID PUBLISHER MIX    ID: global id; PUBLISHER: of payload.h, each process its own
 *     try T TOPIC N FLAGS
 *     ok, sent, no, maybe T TOPIC N    sent: on its way (MOM_ASYNC, MOM_ETIMEDOUT); no: not stored;
 *                               maybe: MOM_EBADID, it may or may not be stored
 *     ended T                   somebody ended this client: what was on its way may or may not be stored
 *     flush T CODE              lost T COUNT              so many fast messages were told to be lost
 *     sub? T TOPIC              sub T TOPIC               before and after; also unsub? and unsub
 *     got T TOPIC OFFSET ID LENGTH HASH FLAGS P N         P N: what the payload says of itself, "- -" where it is too
 *                                                         short
 *     ack T                     all that was got is acknowledged (the next got says it too, unless MOM_OPT_MANUAL_ACK:
 *                               `manual T`)
 *     gap T OFFSET              a message flagged MOM_GAP
 *     end T drained|closed      after mom_close or mom_destroy; drained: nothing more came after all publishers were
 *                               done */
#ifndef HISTORY_H
#define HISTORY_H

#include <lib/payload.h>

enum history_kind { HISTORY_ANONYMOUS, HISTORY_DURABLE };
struct history;

struct history *history_begin(const char *folder, const char *name, enum history_kind kind, uint64_t id,
    uint32_t publisher, enum payload_mix mix);
void history_try(struct history *h, const char *topic, uint32_t n, unsigned flags);
void history_told(struct history *h, const char *topic, uint32_t n, unsigned flags, int result);    /* of mom_publish */
void history_ended(struct history *h);
void history_flush(struct history *h, int result);                 /* of mom_flush, mom_close, mom_destroy */
void history_lost(struct history *h, unsigned long count);         /* MOM_ELOST: the number in its text */
void history_subscribe(struct history *h, const char *topic);      /* before the call */
void history_subscribed(struct history *h, const char *topic);     /* it returned 0 or MOM_EEXIST */
void history_unsubscribe(struct history *h, const char *topic);
void history_unsubscribed(struct history *h, const char *topic);
void history_manual(struct history *h);
void history_got(struct history *h, const struct mom_message *m);
void history_acked(struct history *h);
int  history_fd(const struct history *h);                          /* for programs that close all others */
void history_end(struct history *h, int drained);
#endif
