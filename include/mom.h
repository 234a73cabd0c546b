/* MOM: publish to topics, receive from the topics that you subscribed to.
 *
 *     cc prog.c -Iinclude lib/libmom.a
 *
 * A program talks to the mom_daemon of its machine. It finds the daemon by the environment variable MOM_RUN (a run
 * folder), else by `run DIR` in client.conf, else in the default run roots: $XDG_RUNTIME_DIR/mom, /run/user/UID/mom,
 * /tmp/mom-UID, /run/mom, in this order; where it finds none, the text names each and says what was wrong there. Only
 * folders that belong to the program's own user, to root or to the user `mom` are trusted. client.conf is
 * /etc/mom/client.conf and ~/.config/mom/client.conf, or what MOM_CONFIG names; it may also hold `timeout TIME` and
 * `window BYTES` (MOM_TIMEOUT, MOM_WINDOW): what mom_set_option would say to every new handle. It is read at a
 * process's first mom_create or mom_open.
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
 * Every call returns 0 (or an id) or one of the negative codes below; mom_error_text says what exactly went wrong and
 * what to do. One handle is used by one thread at a time, different handles freely. The library never exits, prints,
 * forks, makes a thread, or touches the program's signals, children or descriptors. A thread that calls it needs a
 * stack of 64 KiB: what makes a client (mom_create, mom_open) takes 24 KiB of it at most, any other call 8.
 *
 * A client may be ended while its program runs: its daemon was started without the list of its clients, another process
 * was given its durable name, its machine was away for too long. Then its calls say MOM_EBADID. A request that the
 * broker did not store is never called stored.
 *
 * A program that changes its user (setuid) makes its handles afterwards: one from before goes on, but what it waits for
 * is noticed up to 50 ms late.
 *
 * Topics: 1 to 255 bytes of UTF-8 without control characters or spaces; `*`, `#`, `+`, `>` and a leading `$` are
 * reserved; levels are parted by `/` or `.`. A topic comes into being with its first publish or subscribe.
 * Payload: any bytes, 0 to 1 MiB (up to 64 MiB where broker and daemons run with --max-message). Times are in
 * milliseconds unless a name says otherwise. */
#ifndef MOM_H
#define MOM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of this header; mom_version() is that of the library. A program runs with every library of the same major number that
 * is not older. */
#define MOM_VERSION       "0.5.0"
#define MOM_VERSION_MAJOR 0
#define MOM_VERSION_MINOR 5
#define MOM_VERSION_PATCH 0

#define MOM_MESSAGE_MAX 1048576  /* bytes of payload, where broker_server and mom_daemon run without --max-message */
#define MOM_TOPIC_MAX   255      /* bytes of a topic */
#define MOM_NAME_MAX    64       /* bytes of a durable client's name */

/* What a call returns when it fails. mom_strerror has a fixed text for each. */
enum mom_error {
	MOM_EINVAL    = -1,   /* an argument is wrong */
	MOM_ETOPIC    = -2,   /* not a valid topic */
	/* payload over what broker and daemon take (--max-message); the text says how much that is */
	MOM_ETOOBIG   = -3,
	MOM_ENODAEMON = -4,   /* no mom_daemon runs for this run folder */
	/* not in time. receive: no message. Others: the request stays on its way, see mom_flush */
	MOM_ETIMEDOUT = -5,
	MOM_EEXIST    = -6,   /* already subscribed (a program that resumes may ignore it) */
	MOM_ENOTSUB   = -7,   /* not subscribed to this topic */
	/* the broker's store, or this topic's share of it, is full: not stored. receive: too much waited for this
	 * client, see there */
	MOM_EFULL     = -8,
	MOM_EIO       = -9,   /* a disk failed; the text says which */
	/* no such handle in this process, or this client was ended (see above): destroy the handle and make a new
	 * one */
	MOM_EBADID    = -10,
	MOM_EFORK     = -11,  /* a handle of the parent process: make one of your own */
	MOM_EBUSY     = -12,  /* the durable name is in use by a living process */
	MOM_ELIMIT    = -13,  /* a limit of the kernel or the daemon, named in the text */
	MOM_EPROTO    = -14,  /* this client's ring holds garbage: destroy the handle and make a new one */
	MOM_EINTR     = -15,  /* mom_wake or a signal (receive and flush only) */
	/* told once after the broker's power failed: fast messages that are gone; the text says which */
	MOM_ELOST     = -16,
	MOM_ENOSUBSCRIBER = -17,  /* MOM_NEED_SUBSCRIBER: nobody subscribes to the topic: not stored */
	/* mom_resource.h alone: no semaphore or variable of this name, or it was destroyed meanwhile */
	MOM_ENORESOURCE = -18,
	/* not in time, and not sent: what waits for the broker leaves no room for it. Nothing of it is on its way: call
	 * again */
	MOM_EAGAIN    = -19
};

/* Flags of mom_publish. Without a flag: durable, returns when the message is on the broker's disk. */
#define MOM_FAST        1u  /* acknowledged once written: survives the death of any process, not a power cut */
#define MOM_ASYNC       2u  /* return at once (wait only while the window is full); mom_flush tells what became of it */
/* refuse with MOM_ENOSUBSCRIBER where the topic has no subscriber now. Not together with MOM_ASYNC */
#define MOM_NEED_SUBSCRIBER 4u

/* Flags of mom_subscribe. */
#define MOM_NO_ECHO     1u  /* leave out one's own messages */

/* Flags of a received message. */
#define MOM_REDELIVERED 1u  /* may have been handed out before, to a process that ended without acknowledging it */
/* no message: messages are missing here. topic is empty, data a text that says how much and why */
#define MOM_GAP         2u

/* Options of mom_set_option. */
#define MOM_OPT_TIMEOUT_MS 1  /* how long calls wait for an answer: 0 or more, -1 for ever; 30000 */
#define MOM_OPT_MANUAL_ACK 2  /* 1: only mom_ack acknowledges; 0 (default): asking for the next message does */
#define MOM_OPT_WINDOW     3  /* bytes of MOM_ASYNC publishes that may be unacknowledged; at least 4096 */

struct mom_message {
	/* with a closing NUL; topic and data are valid until the handle's next receive, ack, close or destroy */
	const char *topic;
	const void *data;
	size_t      len;
	uint64_t    publisher;   /* global id of the client that published it */
	uint64_t    offset;      /* place in the topic's log: grows, has gaps, never comes again */
	int64_t     time_us;     /* when the broker stored it: microseconds since 1970 */
	unsigned    flags;       /* MOM_REDELIVERED, MOM_GAP */
};

/* A new anonymous client. It ends with its process, however that ends: what it published goes out first.
 * Returns its local id (>= 0, small, unique on the machine while it lives) or MOM_ENODAEMON (at once where no daemon
 * runs; where one was killed or is starting it waits), MOM_ETIMEDOUT (30 s, or client.conf's timeout: the broker was
 * never reached), MOM_EINVAL (client.conf is wrong: the text says file and line), MOM_ELIMIT, MOM_EIO, MOM_EPROTO.
 *     int id = mom_create();  if (id < 0) puts(mom_error_text(-1)); */
int mom_create(void);

/* The durable client of that name (belongs to this machine and user): resumed with its subscriptions and its place, or
 * new. Its name has 1 to 64 of the bytes A-Z a-z 0-9 . _ - and what its last process had not acknowledged comes again,
 * flagged MOM_REDELIVERED.
 * Returns as mom_create, and MOM_EINVAL for a bad name, MOM_EBUSY while a living process has it open.
 *     int id = mom_open("billing"); */
int mom_open(const char *name);

/* Publish. flags: 0, MOM_FAST, MOM_ASYNC or both, MOM_NEED_SUBSCRIBER. len: 0 to --max-message; data may be NULL where
 * len is 0. Returns 0, MOM_ETOPIC, MOM_ETOOBIG, MOM_EINVAL, MOM_EFULL (not stored), MOM_ETIMEDOUT (on its way, stored
 * exactly once when the broker is back: do not repeat it), MOM_EAGAIN (not sent: what waits for the broker fills the
 * client's ring), MOM_EPROTO, MOM_ENOSUBSCRIBER, MOM_ELOST, MOM_EBADID, MOM_EFORK. With MOM_ASYNC errors of this
 * message only.
 *     mom_publish(id, "plant/boiler", "87.5", 4, 0); */
int mom_publish(int id, const char *topic, const void *data, size_t len, unsigned flags);

/* The client's will: a message that the broker publishes (durable, with this client as its publisher) once the client
 * is destroyed or its process has ended in whatever way, after all else that it published. A second call replaces it
 * (where the two topics lie in different shards the new one counts a moment before the old one does not any more);
 * topic NULL withdraws it. mom_close of a durable client withdraws it. While a whole machine is gone nothing is known
 * of its processes: what it left is published when it comes back, or is forgotten for --machine-expiry. Returns 0,
 * MOM_ETOPIC, MOM_ETOOBIG, MOM_EINVAL, MOM_EFULL, MOM_ELIMIT (the wills of this machine's clients are too large
 * together: 65 MiB in a shard), MOM_ETIMEDOUT, MOM_EAGAIN, MOM_EPROTO, MOM_ELOST, MOM_EBADID, MOM_EFORK.
 *     mom_will(id, "plant/boiler/state", "gone", 4); */
int mom_will(int id, const char *topic, const void *data, size_t len);

/* Wait until all that this client asked for is acknowledged. timeout_ms: -1 for ever, 0 only looks.
 * Returns 0, or the first failure since the last flush (mom_error_text says how many failed and which); MOM_ETIMEDOUT
 * while some are on their way, MOM_EINTR, MOM_ELOST, MOM_EPROTO, MOM_EBADID, MOM_EFORK, MOM_EINVAL.
 *     while ((r = mom_flush(id, 10000)) == MOM_ETIMEDOUT) puts("broker still away"); */
int mom_flush(int id, int timeout_ms);

/* Subscribe: from its return on, everything that is acknowledged to any publisher of the topic will be received.
 * flags: 0 or MOM_NO_ECHO. Returns 0, MOM_EEXIST, MOM_ETOPIC, MOM_EINVAL, MOM_ETIMEDOUT, MOM_EAGAIN (not sent: the ring
 * is full, or an earlier subscribe or unsubscribe has no answer yet), MOM_EFULL (this client was cut, see mom_receive),
 * MOM_ELIMIT (1,000,000 subscriptions of this client, or 4,000,000 of its machine, or 8,000,000 of all, in one shard),
 * MOM_EPROTO, MOM_EBADID, MOM_EFORK.
 *     mom_subscribe(id, "plant/boiler", 0); */
int mom_subscribe(int id, const char *topic, unsigned flags);

/* Unsubscribe: after its return nothing more of the topic is received; what still waits of it is dropped.
 * Returns 0, MOM_ENOTSUB, MOM_ETOPIC, MOM_ETIMEDOUT, MOM_EAGAIN, MOM_EPROTO, MOM_EBADID, MOM_EFORK.
 *     mom_unsubscribe(id, "plant/boiler"); */
int mom_unsubscribe(int id, const char *topic);

/* The next message. timeout_ms: -1 waits for ever, 0 only looks. Works while the broker is away. Asking for the next
 * message acknowledges those handed out before (unless MOM_OPT_MANUAL_ACK).
 * Returns 0, MOM_ETIMEDOUT (nothing came), MOM_EINTR, MOM_EPROTO, MOM_EINVAL, MOM_EBADID (no such handle; or all that
 * waited was taken and the broker has forgotten this client, as its machine was away for too long), MOM_EFULL (once:
 * all that waited was taken, and more had come than may wait for this client: its subscriptions have ended, subscribe
 * anew), MOM_EFORK.
 *     struct mom_message m;  while (mom_receive(id, &m, -1) == 0) use(m.data, m.len); */
int mom_receive(int id, struct mom_message *m, int timeout_ms);

/* Acknowledge all messages handed out so far. Returns 0, MOM_EBADID, MOM_EFORK, MOM_EPROTO.
 *     mom_ack(id); */
int mom_ack(int id);

/* Give the handle back. Flushes; acknowledges what was handed out unless MOM_OPT_MANUAL_ACK. A durable client keeps its
 * subscriptions and its place; an anonymous one is destroyed. The handle is gone whatever it returns: 0, or what
 * mom_flush said (text: mom_error_text(-1)), MOM_EAGAIN (its will could not be withdrawn), MOM_EBADID, MOM_EFORK.
 *     mom_close(id); */
int mom_close(int id);

/* Flushes, unsubscribes from everything, forgets the client. The handle is gone whatever it returns: 0, or what
 * mom_flush said, MOM_ETIMEDOUT (it will be destroyed when the broker is back), MOM_EBADID, MOM_EFORK.
 *     mom_destroy(id); */
int mom_destroy(int id);

/* Wake a receive or flush of this handle that sleeps (or the next one that would): it returns MOM_EINTR.
 * Async-signal-safe. Any thread may call it at any time, also while another thread closes the handle: then it does
 * nothing, or wakes whoever has got the same id since.
 *     void on_sigint(int s) { (void)s; mom_wake(id); } */
void mom_wake(int id);

/* A descriptor for event loops (poll, epoll, libevent): readable while a message waits, level-triggered, until
 * mom_receive with timeout 0 has returned MOM_ETIMEDOUT. It may be readable with nothing there. Only wait for it; it is
 * the same at each call and closes with the handle. Returns it, or MOM_EBADID, MOM_EFORK, MOM_ELIMIT.
 *     struct pollfd p[2] = { { mom_fd(id), POLLIN, 0 }, { socket, POLLIN, 0 } };
 *     while (poll(p, 2, -1) >= 0) {
 *         while (p[0].revents && mom_receive(id, &m, 0) == 0) use(m.data, m.len);
 *         if (p[1].revents) serve(socket);
 *     } */
int mom_fd(int id);

/* Set MOM_OPT_TIMEOUT_MS, MOM_OPT_MANUAL_ACK or MOM_OPT_WINDOW. Returns 0, MOM_EINVAL, MOM_EBADID, MOM_EFORK.
 *     mom_set_option(id, MOM_OPT_TIMEOUT_MS, 2000); */
int mom_set_option(int id, int option, long value);

/* The client's global id: machine serial (32 bits) and counter (32 bits), never used again; 0 for no such handle.
 *     printf("%016llx\n", (unsigned long long)mom_global_id(id)); */
uint64_t mom_global_id(int id);

/* The fixed text of a code: lower case, no full stop. Never NULL.
 *     puts(mom_strerror(MOM_EFULL)); */
const char *mom_strerror(int error);

/* What exactly went wrong in this handle's last failed call, and the cure. id < 0: in this thread's last failed create,
 * open, close or destroy. Never NULL; valid until the handle's (or thread's) next failing call. */
const char *mom_error_text(int id);

/* The library's version, as MOM_VERSION. Never NULL.
 *     if (strcmp(mom_version(), MOM_VERSION)) puts("built with another libmom"); */
const char *mom_version(void);

#ifdef __cplusplus
}
#endif
#endif
