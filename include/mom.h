/* MOM: publish to topics, receive from the topics that you subscribed to.
 *
 *     cc prog.c -Iinclude lib/libmom.a
 *
 * A program talks to the mom_daemon of its machine. MOM_RUN in the environment names the daemon's run folder. Without
 * MOM_RUN, `run DIR` in client.conf names it. Without both, the program tries the default run roots in this order:
 * $XDG_RUNTIME_DIR/mom, /run/user/UID/mom, /tmp/mom-UID, /run/mom. If it finds no daemon, the error text names each
 * place that was tried and says what was wrong there. Only folders that belong to the program's own user, to root or to
 * the user `mom` are trusted.
 *
 * client.conf is /etc/mom/client.conf and ~/.config/mom/client.conf; MOM_CONFIG names another one instead. It may also
 * hold `timeout TIME` and `window BYTES`, which set MOM_OPT_TIMEOUT_MS and MOM_OPT_WINDOW of every new handle. The
 * variables MOM_TIMEOUT and MOM_WINDOW win over these lines. A process reads client.conf at its first mom_create or
 * mom_open.
 *
 *     #include <mom.h>
 *     #include <stdio.h>
 *     int main(void)
 *     {
 *         int id = mom_create();
 *         if (id < 0) return fprintf(stderr, "%s\n", mom_error_text(-1)), 1;
 *         mom_subscribe(id, "news", 0);
 *         mom_publish(id, "news", "hello", 5, 0);
 *         struct mom_message m;
 *         if (mom_receive(id, &m, 5000) == 0) printf("%s: %.*s\n", m.topic, (int)m.len, (const char *)m.data);
 *         return mom_destroy(id) < 0;
 *     }
 *
 * On success a call returns 0 (or an id), on failure one of the negative codes below. mom_error_text then says what
 * exactly went wrong and what to do. Only one thread at a time may use a handle; different handles may be used at the
 * same time. The library never exits, prints, forks, makes a thread, or touches the program's signals, children or
 * descriptors. A thread that calls it needs a stack of 64 KiB: a call that makes a client (mom_create, mom_open) takes
 * at most 24 KiB of it, any other call at most 8 KiB.
 *
 * A client can be ended while its program runs. This happens if its daemon was started without the list of its clients,
 * if another process was given its durable name, or if its machine was away for too long. Its calls then return
 * MOM_EBADID. A call never says that a request is stored if the broker did not store it.
 *
 * A program that changes its user (setuid) should make its handles afterwards. A handle from before goes on working,
 * but its calls notice what they wait for up to 50 ms late.
 *
 * A topic has 1 to 255 bytes of UTF-8 without control characters, spaces, `*`, `#`, `+`, `>` or a leading `$`. `/` or
 * `.` separates levels. A topic comes into being with its first publish or subscribe. A payload has 0 to 1 MiB of any
 * bytes (up to 64 MiB where broker and daemons run with --max-message). Times are in milliseconds unless a name says
 * otherwise.
 *
 * A pattern is what mom_subscribe takes instead of a topic, to receive from all topics that it matches. `+` and `*`
 * stand for exactly one level, `#` for any number of levels or none, and `>` at the end for one or more. A wildcard
 * fills its level alone. A pattern has at most 16 levels. Levels are separated by `/` if the pattern has a `/` or a
 * `+`, else by `.`; so the patterns of MQTT, RabbitMQ and NATS mean here what they mean there:
 *     plant/+/temp    plant/1/temp, but not plant/1/2/temp
 *     plant/#         plant, plant/1, plant/1/temp
 *     *.orange.*      quick.orange.rabbit
 *     #               every topic */
#ifndef MOM_H
#define MOM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header; mom_version() is the version of the library. A program runs with every library that has
 * the same major number and is not older than the header. */
#define MOM_VERSION       "0.5.0"
#define MOM_VERSION_MAJOR 0
#define MOM_VERSION_MINOR 5
#define MOM_VERSION_PATCH 0

#define MOM_MESSAGE_MAX 1048576  /* bytes of payload, where broker_server and mom_daemon run without --max-message */
#define MOM_TOPIC_MAX   255      /* bytes of a topic */
#define MOM_NAME_MAX    64       /* bytes of a durable client's name */
#define MOM_PROPERTIES_MAX 32768 /* bytes of all properties of a message; each takes 3 to 5 bytes beside its text */
#define MOM_TEXT_MAX    255      /* bytes of a key, a content type, a header's name */
#define MOM_TTL_MAX     INT64_C(315360000000)  /* milliseconds that a message may live: 10 years */

/* What a call returns when it fails. mom_strerror has a fixed text for each. */
enum mom_error {
	MOM_EINVAL    = -1,   /* an argument is wrong */
	MOM_ETOPIC    = -2,   /* not a valid topic */
	/* The payload is larger than broker and daemon take (--max-message). The text says how much they take. */
	MOM_ETOOBIG   = -3,
	MOM_ENODAEMON = -4,   /* no mom_daemon runs for this run folder */
	/* No answer came in time. mom_receive: no message came. Other calls: the request stays on its way, see
	 * mom_flush. */
	MOM_ETIMEDOUT = -5,
	MOM_EEXIST    = -6,   /* already subscribed (a program that resumes may ignore it) */
	MOM_ENOTSUB   = -7,   /* not subscribed to this topic */
	/* The broker's store, its disk, or this topic's share of it, is full; nothing was stored. mom_receive: too much
	 * waited for this client, see there. */
	MOM_EFULL     = -8,
	MOM_EIO       = -9,   /* a disk failed; the text says which */
	/* There is no such handle in this process, or this client was ended (see above). Destroy the handle and make a
	 * new one. */
	MOM_EBADID    = -10,
	MOM_EFORK     = -11,  /* the handle belongs to the parent process: make one of your own */
	MOM_EBUSY     = -12,  /* the durable name is in use by a living process */
	MOM_ELIMIT    = -13,  /* a limit of the kernel or the daemon, named in the text */
	MOM_EPROTO    = -14,  /* this client's ring holds garbage: destroy the handle and make a new one */
	MOM_EINTR     = -15,  /* mom_wake or a signal ended the wait (of the calls below: mom_receive, mom_flush) */
	/* The broker's power failed, and fast messages are gone. The text says which. Each loss is told once. */
	MOM_ELOST     = -16,
	/* MOM_NEED_SUBSCRIBER was set, and nobody subscribes to the topic itself (patterns do not count), and no group
	 * is bound to it: not stored */
	MOM_ENOSUBSCRIBER = -17,
	/* Only in mom_resource.h: there is no semaphore or variable of this name, or it was destroyed meanwhile. */
	MOM_ENORESOURCE = -18,
	/* The request was not sent, since requests that wait for the broker left no room for it in time. Nothing of it
	 * is on its way: call again. */
	MOM_EAGAIN    = -19,
	MOM_ENOGROUP  = -20   /* there is no group of this name */
};

/* Flags of mom_publish. Without a flag the message is durable, and mom_publish returns when it is on the broker's
 * disk. */
#define MOM_FAST        1u  /* acknowledged once written: it survives the death of any process, but no power cut */
#define MOM_ASYNC       2u  /* returns at once (waits only while the window is full); mom_flush tells the outcome */
/* The message is refused with MOM_ENOSUBSCRIBER if the topic itself has no subscriber now: who watches by a pattern
 * does not count, but a group that is bound to it does. Not together with MOM_ASYNC. */
#define MOM_NEED_SUBSCRIBER 4u

/* Flags of mom_subscribe. */
#define MOM_NO_ECHO     1u  /* the client's own messages are left out */

/* Flags of a received message. */
#define MOM_REDELIVERED 1u  /* may have been handed out before, to a process that ended without acknowledging it */
/* This is no message: it says that messages are missing here. topic is empty; data is a text that says how much is
 * missing and why. */
#define MOM_GAP         2u
#define MOM_PROPERTIES  4u  /* it has properties: see mom_property, mom_header, mom_expires */

#define MOM_GROUPED     8u  /* it is of a group, for this member alone: see mom_join, mom_settle, mom_group_name */

/* Kinds of groups, see mom_join. */
#define MOM_GROUP_TEMPORARY 1u  /* the group ends with its last member */
#define MOM_GROUP_ORDERED   2u  /* of the messages with one key (struct mom_properties) one is in work at a time */
#define MOM_GROUP_EXCLUSIVE 4u  /* the member that joined first gets all; the others stand by */

/* Options of mom_set_option. */
#define MOM_OPT_TIMEOUT_MS 1  /* how long calls wait for an answer: 0 or more, -1 for ever; default 30000 */
#define MOM_OPT_MANUAL_ACK 2  /* 1: only mom_ack acknowledges; 0 (default): asking for the next message does it, too */
#define MOM_OPT_WINDOW     3  /* bytes of MOM_ASYNC publishes that may be unacknowledged; at least 4096 */
#define MOM_OPT_PREFETCH   4  /* messages of a group that may be with this client unsettled: 1 (default) to 10000 */

#define MOM_NEVER (-1L)       /* mom_reject: the message is not handed out again */
#define MOM_HOLD_MAX INT64_C(604800000)  /* milliseconds: 7 days, the most that times of a group may be */

struct mom_message {
	/* topic ends with a NUL. topic and data are valid until the handle's next mom_receive, mom_ack, mom_close or
	 * mom_destroy. */
	const char *topic;
	const void *data;
	size_t      len;
	uint64_t    publisher;   /* global id of the client that published it */
	uint64_t    offset;      /* place in the log: within a topic it grows, has gaps, and never comes again */
	int64_t     time_us;     /* when the broker stored it: microseconds since 1970 */
	/* MOM_REDELIVERED, MOM_GAP, MOM_PROPERTIES, MOM_GROUPED; the highest 8 bits are the library's own */
	unsigned    flags;
};

/* A name and a value that a message carries. name: 1 to MOM_TEXT_MAX bytes of UTF-8 without control characters; value:
 * any text. */
struct mom_header { const char *name, *value; };

/* What a message carries beside its payload. Each program fills in what it needs, and the message's receivers read it
 * with mom_property, mom_header and mom_expires. Nothing of it has to stay once mom_publish_with has returned.
 *     struct mom_properties p = MOM_PROPERTIES_INIT;
 *     p.ttl_ms = 10000;
 *     p.content_type = "text/plain"; */
struct mom_properties {
	size_t      size;            /* MOM_PROPERTIES_INIT sets it */
	/* Nobody gets the message once it is so many milliseconds old, by the broker's clock: 1 to MOM_TTL_MAX; 0: it
	 * lives for ever. A will's life begins when the broker publishes it. */
	int64_t     ttl_ms;
	/* Texts, NULL: none. key and content_type: 1 to MOM_TEXT_MAX bytes of UTF-8 without control characters;
	 * reply_to: a topic. */
	const char *key, *reply_to, *content_type;
	const void *correlation;     /* any bytes: what an answer repeats, so that its receiver knows the question */
	size_t      correlation_len;
	const struct mom_header *headers;    /* several may have one name */
	size_t      header_count;
};
#define MOM_PROPERTIES_INIT { sizeof(struct mom_properties), 0, 0, 0, 0, 0, 0, 0, 0 }

/* Names of properties for mom_property. */
enum mom_property_name {
	MOM_P_KEY          = 3,
	MOM_P_REPLY_TO     = 5,
	MOM_P_CORRELATION  = 6,
	MOM_P_CONTENT_TYPE = 7,
	MOM_P_HEADER       = 8       /* mom_header and mom_header_at read these */
};

/* Make a new anonymous client. It ends with its process, in whatever way the process ends. What it had published still
 * goes out.
 * Returns its local id (>= 0, small, unique on the machine while the client lives), or MOM_ENODAEMON: no daemon runs
 * that this user may use; the text says which one runs and for whom (returned at once; if a daemon was killed or is
 * starting, the call waits for it), MOM_ETIMEDOUT: the broker was never reached in 30 s (or the timeout of
 * client.conf), MOM_EINVAL: client.conf is wrong (the text says file and line), MOM_ELIMIT, MOM_EFULL: the broker's
 * disk has no room for one more client, MOM_EBADID: the client was ended while it was made, MOM_EIO, MOM_EPROTO.
 *     int id = mom_create();  if (id < 0) puts(mom_error_text(-1)); */
int mom_create(void);

/* Open the durable client of that name. If it is known, it is resumed with its subscriptions and its place; else it is
 * made. A name belongs to this machine and this user. It has 1 to 64 of the bytes A-Z a-z 0-9 . _ -. What the client's
 * last process had not acknowledged comes again, flagged MOM_REDELIVERED.
 * Returns as mom_create, and MOM_EINVAL for a bad name, MOM_EBUSY while a living process has the client open.
 *     int id = mom_open("billing"); */
int mom_open(const char *name);

/* Publish a message. flags: 0, MOM_FAST, MOM_ASYNC or both; MOM_NEED_SUBSCRIBER. len: 0 to --max-message; data may be
 * NULL if len is 0.
 * Returns 0, MOM_ETOPIC, MOM_ETOOBIG, MOM_EINVAL, MOM_EFULL (not stored), MOM_ETIMEDOUT (the message is on its way, and
 * is stored exactly once when the broker is back: do not repeat it), MOM_EAGAIN (not sent: requests that wait for the
 * broker fill the client's ring), MOM_EPROTO, MOM_ENOSUBSCRIBER, MOM_ELOST, MOM_EBADID, MOM_EFORK. With MOM_ASYNC it
 * returns only errors of this message.
 *     mom_publish(id, "plant/boiler", "87.5", 4, 0); */
int mom_publish(int id, const char *topic, const void *data, size_t len, unsigned flags);

/* The same with properties; NULL: none.
 * Returns as mom_publish; MOM_EINVAL if a property is wrong (the text says which), MOM_ETOOBIG if they are more than
 * MOM_PROPERTIES_MAX bytes together.
 *     struct mom_header unit = { "unit", "C" };
 *     struct mom_properties p = MOM_PROPERTIES_INIT;
 *     p.ttl_ms = 60000;
 *     p.headers = &unit;
 *     p.header_count = 1;
 *     mom_publish_with(id, "plant/boiler", "87.5", 4, 0, &p); */
int mom_publish_with(int id, const char *topic, const void *data, size_t len, unsigned flags,
    const struct mom_properties *properties);

/* Leave the client's will: a message that the broker publishes once the client is destroyed or its process has ended in
 * whatever way. The will is durable, has this client as its publisher, and comes after all else that the client
 * published. A second call replaces it; if the two topics lie in different shards, for a moment both wills are in
 * force. topic NULL withdraws it, and so does mom_close of a durable client. While a whole machine is gone, the broker
 * knows nothing of its processes: the wills of that machine's clients are published when the machine comes back, or
 * when it is forgotten (--machine-expiry).
 * Returns 0, MOM_ETOPIC, MOM_ETOOBIG, MOM_EINVAL, MOM_EFULL, MOM_ELIMIT (the wills of this machine's clients are too
 * large together: 65 MiB in a shard), MOM_ETIMEDOUT, MOM_EAGAIN, MOM_EPROTO, MOM_ELOST, MOM_EBADID, MOM_EFORK.
 *     mom_will(id, "plant/boiler/state", "gone", 4); */
int mom_will(int id, const char *topic, const void *data, size_t len);

/* The same with properties; NULL: none. Returns as mom_will; MOM_EINVAL, MOM_ETOOBIG as mom_publish_with.
 *     mom_will_with(id, "plant/boiler/state", "gone", 4, &p); */
int mom_will_with(int id, const char *topic, const void *data, size_t len, const struct mom_properties *properties);

/* Wait until all requests of this client are acknowledged. timeout_ms: -1 waits for ever, 0 only looks.
 * Returns 0, or the first failure since the last flush (mom_error_text says how many requests failed and which);
 * MOM_ETIMEDOUT while some are still on their way, MOM_EINTR, MOM_ELOST, MOM_EPROTO, MOM_EBADID, MOM_EFORK, MOM_EINVAL.
 *     while ((r = mom_flush(id, 10000)) == MOM_ETIMEDOUT) puts("broker still away"); */
int mom_flush(int id, int timeout_ms);

/* Subscribe to a topic or a pattern (see above). Once this has returned, the client receives everything that is
 * acknowledged from then on to any publisher of the topic, or of a topic that the pattern matches. A message that
 * several of a client's subscriptions match comes once. flags: 0 or MOM_NO_ECHO.
 * Returns 0, MOM_EEXIST, MOM_ETOPIC, MOM_EINVAL, MOM_ETIMEDOUT (it is on its way; a pattern goes to every shard of the
 * broker: call again if the text says that only some were sent it, and mom_unsubscribe if mom_flush tells that one has
 * refused it), MOM_EAGAIN (not sent: the ring is full, or an
 * earlier subscribe or unsubscribe has no answer yet), MOM_EFULL (the broker's store is full; or this client was cut,
 * see mom_receive), MOM_ELIMIT (1,000,000 subscriptions or patterns of 4,096 levels of this client, or 4,000,000
 * subscriptions or patterns of 1,000,000 levels of its machine, or 8,000,000 subscriptions of all, in one shard),
 * MOM_EPROTO, MOM_EBADID, MOM_EFORK.
 *     mom_subscribe(id, "plant/boiler", 0);
 *     mom_subscribe(id, "plant/+/temp", 0); */
int mom_subscribe(int id, const char *topic, unsigned flags);

/* Unsubscribe from a topic or a pattern. Once this has returned, nothing of it that is stored from then on is received,
 * unless another subscription matches it. What still waits of it is dropped; but it is received if the client has ever
 * subscribed to a pattern.
 * Returns 0, MOM_ENOTSUB, MOM_ETOPIC, MOM_ETIMEDOUT, MOM_EAGAIN, MOM_EPROTO, MOM_EBADID, MOM_EFORK.
 *     mom_unsubscribe(id, "plant/boiler"); */
int mom_unsubscribe(int id, const char *topic);

/* Become a member of a group, and bind the group to a topic or a pattern (NULL: to nothing more). A group is a queue
 * with several workers: each of its messages is handed to one member. The first call of anybody makes the group, and it
 * collects messages, also without members, until mom_group_delete; or until it had no member for the broker's
 * --machine-expiry.
 * A message that was handed out is settled when this client asks for the next one (unless MOM_OPT_MANUAL_ACK is set),
 * by mom_ack, mom_settle or mom_close. What is not settled comes back when the client leaves, closes or dies, or when
 * its machine is away for the group's hand_timeout_ms: then another member gets it, flagged MOM_REDELIVERED. So a
 * message is handled at least once, and twice only where somebody had it and did not settle it.
 * A membership ends with the process, also that of a durable client: join anew after mom_open.
 * MOM_OPT_PREFETCH says how many messages may be with the client at a time; a second call changes it. flags: 0 (as the
 * group is; a new one hands out in the order of the messages to whoever has room) or MOM_GROUP_*.
 * Returns 0, MOM_ENOGROUP (pattern is NULL and there is no such group), MOM_EEXIST (the group is of another kind),
 * MOM_ETOPIC, MOM_EINVAL, MOM_ELIMIT (65,536 groups, 1,024 bindings of a group, 1,024 groups of a client), MOM_EFULL,
 * MOM_ETIMEDOUT, MOM_EAGAIN, MOM_EPROTO, MOM_EBADID, MOM_EFORK.
 *     mom_join(id, "billing", "orders/#", 0);
 *     while (mom_receive(id, &m, -1) == 0) bill(m.data, m.len); */
int mom_join(int id, const char *group, const char *pattern, unsigned flags);

/* End a membership. What this client has of the group and has not settled comes back to the group.
 * Returns 0, MOM_ENOTSUB (not a member), MOM_EINVAL, MOM_ETIMEDOUT, MOM_EAGAIN, MOM_EPROTO, MOM_EBADID, MOM_EFORK.
 *     mom_leave(id, "billing"); */
int mom_leave(int id, const char *group);

/* Say that a message of a group is done; in any order. m has to be as mom_receive filled it in. The call does not wait:
 * mom_flush does. Returns 0, MOM_EINVAL (it is of no group, or was settled before), MOM_EPROTO, MOM_EBADID, MOM_EFORK.
 *     mom_settle(id, &m); */
int mom_settle(int id, const struct mom_message *m);

/* Give a message of a group back: it is handed out once more, not before so many milliseconds (the broker looks once a
 * second), to any member. MOM_NEVER: it is dead, until mom_group_retry or mom_group_purge.
 * Returns as mom_settle; MOM_EINVAL also for another delay.
 *     if (!bill(m.data, m.len)) mom_reject(id, &m, 5000); */
int mom_reject(int id, const struct mom_message *m, long delay_ms);

/* The group that a received message is of; NULL: none. Valid as a property is.
 *     puts(mom_group_name(&m)); */
const char *mom_group_name(const struct mom_message *m);

/* How often the message was handed out, with this time: 1 is the first. 0: it is of no group.
 *     if (mom_tries(&m) > 5) mom_reject(id, &m, MOM_NEVER); */
unsigned mom_tries(const struct mom_message *m);

/* The message's own offset: of a group's message it is the same at each try, while `offset` is another one.
 *     printf("%016llx\n", (unsigned long long)mom_origin(&m)); */
uint64_t mom_origin(const struct mom_message *m);

/* What a group is to do. -1 leaves a setting as it is, or at its default in a new group. */
struct mom_group {
	size_t      size;            /* MOM_GROUP_INIT sets it */
	unsigned    kind;            /* MOM_GROUP_*; 0: as it is. The kind of a group never changes. */
	int64_t     max_tries;       /* after so many tries a message is dead; 0: never; default 20 */
	/* what a machine has comes back when it is away so long; in seconds; default 30 s */
	int64_t     hand_timeout_ms;
	int64_t     max_hold_ms;     /* what a living member has comes back after so long; 0 (default): never */
};
#define MOM_GROUP_INIT { sizeof(struct mom_group), 0, -1, -1, -1 }

/* Make a group, or change its settings. settings NULL: all defaults.
 * Returns 0, MOM_EEXIST (it is of another kind), MOM_EINVAL, MOM_ELIMIT, MOM_ETIMEDOUT, MOM_EAGAIN, MOM_EPROTO,
 * MOM_EBADID, MOM_EFORK.
 *     struct mom_group g = MOM_GROUP_INIT;
 *     g.max_tries = 5;
 *     mom_group_set(id, "billing", &g); */
int mom_group_set(int id, const char *group, const struct mom_group *settings);

/* Bind a group to a topic or a pattern, or end that: it collects what is stored from then on; or nothing
 * more, and what of it nobody has had yet is dropped.
 * Returns 0, MOM_EEXIST (bound already), MOM_ENOTSUB (not bound), MOM_ENOGROUP, MOM_ETOPIC, MOM_ELIMIT and what
 * mom_group_set returns.
 *     mom_group_bind(id, "billing", "refunds/#"); */
int mom_group_bind(int id, const char *group, const char *pattern);
int mom_group_unbind(int id, const char *group, const char *pattern);

/* Delete a group with all that waits in it. Returns 0, MOM_EBUSY (it has members), MOM_ENOGROUP and what mom_group_set
 * returns.
 *     mom_group_delete(id, "billing"); */
int mom_group_delete(int id, const char *group);

/* Hand a dead message of a group out again, or forget it. origin: see mom_origin; 0: all. Returns 0, MOM_ENOTSUB (there
 * is no such dead message), MOM_ENOGROUP and what mom_group_set returns.
 *     mom_group_retry(id, "billing", 0); */
int mom_group_retry(int id, const char *group, uint64_t origin);
int mom_group_purge(int id, const char *group, uint64_t origin);

/* Get the next message. timeout_ms: -1 waits for ever, 0 only looks. It works while the broker is away. The call
 * acknowledges the messages that were handed out before (unless MOM_OPT_MANUAL_ACK is set).
 * A message whose life has ended is dropped (see ttl_ms of struct mom_properties).
 * Returns 0, MOM_ETIMEDOUT (nothing came), MOM_EINTR, MOM_EPROTO, MOM_EINVAL, MOM_EBADID (no such handle; or the broker
 * has forgotten this client, as its machine was away for too long, and all that waited was taken), MOM_EFULL (once:
 * more had come than may wait for this client, and all that waited was taken; the client's subscriptions have ended,
 * subscribe anew), MOM_EFORK.
 *     struct mom_message m;  while (mom_receive(id, &m, -1) == 0) use(m.data, m.len); */
int mom_receive(int id, struct mom_message *m, int timeout_ms);

/* A property of a received message: MOM_P_KEY, MOM_P_REPLY_TO, MOM_P_CORRELATION or MOM_P_CONTENT_TYPE. m has to be as
 * mom_receive filled it in, and the result is valid as long as m->topic and m->data are. A text ends with a NUL;
 * a correlation does not.
 * Returns its first byte, and in *len its length (len may be NULL). NULL: the message has no such property.
 *     const char *to = mom_property(&m, MOM_P_REPLY_TO, NULL);
 *     if (to) mom_publish(id, to, "done", 4, 0); */
const void *mom_property(const struct mom_message *m, enum mom_property_name name, size_t *len);

/* The value of a received message's first header of that name. NULL: it has none. Valid as a property is.
 *     const char *unit = mom_header(&m, "unit"); */
const char *mom_header(const struct mom_message *m, const char *name);

/* The headers of a received message, one after the other: index 0 is the first. Returns 1, or 0: there are not so many.
 *     struct mom_header h;
 *     for (size_t i = 0; mom_header_at(&m, i, &h); i++) printf("%s: %s\n", h.name, h.value); */
int mom_header_at(const struct mom_message *m, size_t index, struct mom_header *h);

/* When a received message's life ends, by the broker's clock: milliseconds since 1970. 0: it lives for ever.
 *     if (mom_expires(&m)) puts("old news are no news"); */
int64_t mom_expires(const struct mom_message *m);

/* Acknowledge all messages handed out so far, and settle those of groups. Returns 0, MOM_EBADID, MOM_EFORK, MOM_EPROTO.
 *     mom_ack(id); */
int mom_ack(int id);

/* Give the handle back. The call flushes, and it acknowledges what was handed out (unless MOM_OPT_MANUAL_ACK is set). A
 * durable client keeps its subscriptions and its place; an anonymous one is destroyed. Where a power cut has taken a
 * durable client's MOM_FAST messages and no call has told so yet, nobody is told any more. The handle is gone, whatever
 * the call returns: 0, or what mom_flush returns (text: mom_error_text(-1)), MOM_EAGAIN (the will could not be
 * withdrawn), MOM_EBADID, MOM_EFORK.
 *     mom_close(id); */
int mom_close(int id);

/* Destroy the client. The call flushes, unsubscribes the client from everything and makes the broker forget it. The
 * handle is gone, whatever the call returns: 0, or what mom_flush returns, MOM_ETIMEDOUT (the client will be destroyed
 * when the broker is back), MOM_EBADID, MOM_EFORK.
 *     mom_destroy(id); */
int mom_destroy(int id);

/* Wake a mom_receive or mom_flush of this handle that sleeps, or the next one that would sleep: it returns MOM_EINTR.
 * mom_wake is async-signal-safe. Any thread may call it at any time, also while another thread closes the handle. If
 * the handle is gone by then, it does nothing, or it wakes the handle that has got the same id since.
 *     void on_sigint(int s) { (void)s; mom_wake(id); } */
void mom_wake(int id);

/* Get a descriptor for event loops (poll, epoll, libevent). It is readable while a message waits. It is
 * level-triggered: it stays readable until mom_receive with timeout 0 has returned MOM_ETIMEDOUT. It may also be
 * readable although no message waits. Only wait for it. Each call returns the same descriptor, and it is closed with
 * the handle.
 * Returns the descriptor, or MOM_EBADID, MOM_EFORK, MOM_ELIMIT.
 *     struct pollfd p[2] = { { mom_fd(id), POLLIN, 0 }, { socket, POLLIN, 0 } };
 *     while (poll(p, 2, -1) >= 0) {
 *         while (p[0].revents && mom_receive(id, &m, 0) == 0) use(m.data, m.len);
 *         if (p[1].revents) serve(socket);
 *     } */
int mom_fd(int id);

/* Set MOM_OPT_TIMEOUT_MS, MOM_OPT_MANUAL_ACK, MOM_OPT_WINDOW or MOM_OPT_PREFETCH. Returns 0, MOM_EINVAL, MOM_EBADID,
 * MOM_EFORK.
 *     mom_set_option(id, MOM_OPT_TIMEOUT_MS, 2000); */
int mom_set_option(int id, int option, long value);

/* The client's global id: the machine's serial (32 bits) and a counter (32 bits). No id is used twice. 0: there is no
 * such handle.
 *     printf("%016llx\n", (unsigned long long)mom_global_id(id)); */
uint64_t mom_global_id(int id);

/* The fixed text of a code: lower case, no full stop. Never NULL.
 *     puts(mom_strerror(MOM_EFULL)); */
const char *mom_strerror(int error);

/* What exactly went wrong in this handle's last failed call, and the cure. id < 0: what went wrong in this thread's
 * last failed create, open, close or destroy. Never NULL. The text is valid until the handle's (or thread's) next
 * failing call. */
const char *mom_error_text(int id);

/* The library's version, as MOM_VERSION. Never NULL.
 *     if (strcmp(mom_version(), MOM_VERSION)) puts("built with another libmom"); */
const char *mom_version(void);

#ifdef __cplusplus
}
#endif
#endif
