/* bench - what the parts of mom_bench share
 *
 *     bench.c           time, errors, the end            mom_bench.c     the command line
 *     bench_sets.c      the workloads W1 to W10          bench_client.c  the publisher and subscriber processes
 *     bench_scale.c     how cost grows                   bench_ping.c    there and back
 *     bench_load.c      a workload run and repeated      bench_idle.c    start-up and memory
 *     bench_servers.c   broker and daemons of our own    bench_proc.c    CPU time, switches and memory by role
 *     bench_report.c    table, JSON, progress            bench_calls.c   system calls, by strace
 *     bench_busy.c      busy programs beside it          bench_judge.c   is every message there once and unchanged? */
#ifndef BENCH_H
#define BENCH_H

#include <mom.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

enum { BENCH_BROKEN = 1, BENCH_WRONG_USE = 100, BENCH_START = 111, BENCH_INTERRUPTED = 130 };       /* how it exits */
enum { PUBLISHERS_MAX = 64, SUBSCRIBERS_MAX = 1000, MACHINES_MAX = 64, REPEAT_MAX = 99, VALUES = 3 };

/* What the command line said. */
struct bench_options {
	double seconds, most, least;
	int repeat, json, selfserve, syscalls, big, durable, latency;
	long size, count, subscribers, publishers, many, topics, busy;       /* 0: not given */
	/* the hidden fault that proves the judge: each publisher leaves one message out */
	int lose;
};
extern struct bench_options bench;

/* ---- judge: the stamp in each payload, and what became of the messages ---- */
struct stamp { uint32_t magic, publisher; uint64_t run, sequence; };
/* first: the first fault in words */
struct tally { uint64_t got, lost, doubled, changed, disorder; char first[160]; };
struct gap { size_t key; uint64_t from, to; };
struct judge {
	uint64_t run;
	size_t size;
	uint64_t topics;
	uint32_t publishers;
	uint64_t *next;                    /* by publisher and topic: number of its next message */
	unsigned char *pattern;
	struct gap gap[64];                /* numbers that were passed over: lost, unless they come late */
	int gaps;
	struct tally tally;
};
void stamp_fill(unsigned char *payload, size_t size);            /* once; then stamp_put for each message */
void stamp_put(unsigned char *payload, size_t size, const struct stamp *s);
void judge_init(struct judge *j, uint64_t run, size_t size, uint32_t publishers, uint64_t topics);
void judge_free(struct judge *j);
/* Message number n of a publisher goes to topic n % topics, whose name ends in that number. The publisher of a new
 * message, else -1. */
int  judge_message(struct judge *j, const struct mom_message *m);
int  tally_is_clean(const struct tally *t);
void tally_add(struct tally *sum, const struct tally *t);
void tally_text(const struct tally *t, char *text, size_t size);

/* ---- proc: what it cost ---- */
enum role { ROLE_BROKER, ROLE_HANDLER, ROLE_SENDER, ROLE_WORKER, ROLE_DAEMON, ROLE_REQUESTER, ROLE_RESPONSER,
    ROLE_FORWARDER, ROLE_OTHER,
	ROLE_PUBLISHERS, ROLE_SUBSCRIBERS, ROLES };
extern const char *const role_names[ROLES];
struct cost { double user_us, system_us; uint64_t switches; };
struct costs { struct cost of[ROLES]; };
struct proc { pid_t pid; enum role role; uint64_t user_ticks, system_ticks, cpu_ns, switches; };
/* when; CPU time of the whole machine */
struct snapshot { int count; struct proc proc[2048]; double at, machine_us; };
void proc_snapshot(struct snapshot *s);                           /* of our servers; of none with --run */
void proc_costs(const struct snapshot *before, const struct snapshot *after, struct costs *sum);
double proc_elsewhere(const struct snapshot *before, const struct snapshot *after, const struct costs *ours);
double proc_pss_kib(const struct snapshot *s);
void cost_self(struct cost *c);                                   /* of this process so far */
void cost_since(struct cost *c, const struct cost *before);       /* c: of this process since then */
void cost_add(struct cost *sum, const struct cost *c);

/* ---- servers of our own, below a folder in TMPDIR; with --run one machine that is not ours ---- */
void servers_start(int machines, int workers);
void servers_stop(void);
/* broker_server and the daemons, not their children */
int  servers_pids(pid_t *pids, int max);
const char *servers_run(int machine);                             /* MOM_RUN of its clients */
const char *servers_dir(void);
const char *servers_ended(pid_t pid);                             /* the name of that server of ours, or NULL */

/* ---- a load: so many publishers and subscribers, for so long ---- */
struct load {
	const char *workload;
	/* what its values are called; a variant of "" ends */
	struct { char variant[40]; const char *unit; } figure[VALUES];
	int publishers, subscribers, machines, workers;
	uint64_t topics;                   /* published to in turn */
	uint64_t heard;                    /* topics from here on have no subscriber */
	int parts;                         /* subscriber s hears each topic t with t % parts == s % parts */
	size_t size;
	long count;                        /* messages of each publisher; 0: for `seconds`, and so many at least: */
	uint64_t least;
	double seconds;
	/* 0: a stream; 1: each publish waits for its answer; n: so many are unacknowledged at most */
	int window;
	int durable;                       /* publishes on disk before their answer */
	/* the subscriber is durable and away; afterwards it comes and everything is read back */
	int absent;
	uint64_t fill;                     /* messages stored before the time counts */
	/* Not 0: subscribers ask for all topics by one pattern, and others for so many patterns, with it, that match
	 * nothing. */
	uint64_t patterns;
	/* Not 0: the subscriber is a worker of a group, which gets so many messages at a time and settles each. */
	int prefetch;
	int acked;                         /* counts publishes that were acknowledged, not deliveries */
	int ping, one_core;
};
struct outcome {
	double value[VALUES], seconds;
	uint64_t messages[VALUES];         /* what the costs of this value are divided by */
	struct costs costs[VALUES];
	double elsewhere;                  /* the part of the machine's CPU time that others took meanwhile: 0 to 1 */
	struct tally tally;
};
/* What a load expects: of the first `sent` messages of a publisher so many are for subscriber s. */
uint64_t load_due(const struct load *l, int subscriber, uint64_t sent);
void load_topic(uint64_t run, uint64_t topic, char name[40]);
/* starts servers, runs, repeats, reports; a broken check ends the program */
void load_figure(const struct load *l);
uint64_t load_new_run(void);

/* ---- the processes of one run, around a board in shared memory ---- */
enum phase { PHASE_SUBSCRIBE, PHASE_OPEN, PHASE_GO, PHASE_END };
struct publisher_state { _Alignas(64) _Atomic uint64_t sent; double began, ended; struct cost cost; };
struct subscriber_state { _Alignas(64) struct tally tally; double began, ended; struct cost cost; };
struct board {
	size_t bytes;
	uint64_t run;
	atomic_int subscribers_ready, publishers_ready, publishers_done, subscribers_done;
	atomic_uint phase;
	struct publisher_state publisher[PUBLISHERS_MAX];
	struct subscriber_state *subscriber;
	size_t row;
	_Atomic uint64_t *got;             /* [subscriber * row + publisher]: messages that arrived */
	uint32_t trips, trips_most, *trip_ns;
};
struct board *load_board(const struct load *l);
void load_board_free(struct board *b);
void board_phase(struct board *b, enum phase phase);
void board_wait(struct board *b, enum phase phase);
void client_publisher(const struct load *l, struct board *b, int number);
void client_subscriber(const struct load *l, struct board *b, int number);
/* makes the durable subscriber, and leaves */
/* A client of idle patterns: PATTERNS_EACH at most; so many of them hold what a load wants. */
enum { PATTERNS_EACH = 1000 };
static inline int
load_watchers(const struct load *l)
{
	return (int)((l->patterns + PATTERNS_EACH - 1) / PATTERNS_EACH);
}
void client_watcher(const struct load *l, struct board *b, int number);
void client_absent(const struct load *l, struct board *b, int number);
void client_drain(const struct load *l, struct board *b, int number);        /* it is back and reads all */
void ping_ask(const struct load *l, struct board *b, int number);
void ping_answer(const struct load *l, struct board *b, int number);

/* The crew: forked processes that the bench waits for and that end with it. */
typedef void (*crew_fn)(const struct load *l, struct board *b, int number);
void crew_fork(crew_fn run, const struct load *l, struct board *b, int number, int machine, enum role role);
/* polls; a client or server that fails meanwhile ends the bench */
void crew_await(atomic_int *counter, int wanted);
void crew_join(void);                                             /* until all ended well */
void crew_kill(void);

/* ---- busy: loops that want the cores, too ---- */
enum { BUSY_MAX = 256 };
void busy_begin(long loops);       /* so many run from here on */
void busy_end(void);
int  crew_pids(enum role role, pid_t *pids, int max);

/* ---- the rest ---- */
int  sets_known(const char *name);                                /* W1 to W8 */
void sets_run(const char *name);
void sets_own(void);                                              /* the workload that --size, --count ... describe */
int  scale_known(const char *name);
void scale_run(const char *name);
void idle_figures(const char *workload);                          /* W6 */
/* clients: puts up to max of the pids of those in that role there, and says how many */
void calls_begin(int (*clients)(enum role role, pid_t *pids, int max));
int64_t calls_end(void);
int  calls_can(void);

struct figure {
	const char *workload, *variant, *unit;
	double value[REPEAT_MAX], calls;   /* calls: system calls a message; below 0: not counted */
	double elsewhere;                  /* sum over the runs */
	int runs, has_costs;
	uint64_t messages;                 /* that the costs belong to */
	struct costs costs;
	struct tally tally;
};
void report_figure(struct figure *f);
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress_clear(void);

/* from here on signals end it, and whatever ends it calls `end` first */
void bench_begin(void (*end)(void));
double bench_now(void);                                           /* s */
void bench_nap(long us);
void bench_look(void);                                            /* ends the bench where a signal asked for it */
void bench_die(int status, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
void bench_check(int r, int id, const char *what);                /* of a mom_ call */
void bench_flush(int id);                                         /* all that this client published is acknowledged */
#endif
