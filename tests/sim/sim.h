/* sim.h - the simulated machines, inside: what the parts of the simulator know of each other
 *
 * All processes of a run are coroutines in this one process. Their programs are the product's own objects, linked into
 * shared objects in which the names of system calls (tests/sim/calls) are replaced by sim_*. Everything random comes
 * from one generator, so a seed is a run.
 *   sched.c    who runs next, time, events, pre-emption, death        process.c  programs in memory, fork, exec, wait,
 *              signals
 *   disk.c     files, folders, what a power cut leaves of them        descriptor.c  descriptors, poll, pipes, /proc
 *   socket.c   TCP and AF_UNIX, delays, partitions                    sysv.c     queues, semaphores, segments
 *   client.c   the programs that use libmom                           judge.c    what they may see
 *   world.c    who is started, what goes wrong when                   main.c     seeds, cores, the command line */
#ifndef SIM_H
#define SIM_H
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { MACHINES = 4, PROCS = 96, FDS = 64, ATTACHED = 160, NEVER_BLOCKS = 1 << 30 };
#define NEVER INT64_MAX
enum { MS = 1000, SECOND = 1000000 };             /* time is in microseconds */

enum state { PROC_FREE, PROC_READY, PROC_ASLEEP, PROC_ZOMBIE };

struct segment;
struct attachment { char *at; struct segment *segment; };

struct proc {
	enum state state;
	int pid, machine, status, started;
	struct proc *parent;                      /* NULL: it is init's, reaped at once */
	const char *role;
	struct image *image;
	jmp_buf context;
	int began, vforked;                       /* vforked: it runs on its parent's stack until execl */
	/* asleep */
	const void *channel;
	uint64_t sleep;                           /* number of this sleep: an older timer is not for it */
	int timed_out;
	int64_t asleep_since;
	/* the next system call or block at which it dies (0: none) */
	int64_t doom_calls, doom_blocks;
	int64_t blocks_left, blocks_alone;
	struct file *fd[FDS];
	uint64_t cloexec;
	struct sigaction action[32];
	uint32_t pending;
	int death_signal, in_handler, error;
	char env[4][160];
	char argument[200];
	struct attachment attached[ATTACHED];
	/* fork, as vfork */
	jmp_buf fork_at;
	char *fork_stack, *fork_copy;
	size_t fork_bytes;
	int fork_pid;
};

struct inode;
struct machine {
	const char *name, *ip;
	int up, boots, cut;                       /* cut: no packet comes or goes */
	int64_t booted, wall;                     /* wall: its clock's error */
	uint64_t boot_id;
	struct inode *root;
	uint64_t disk_used, disk_room;
};

enum { EVENT_WAKE, EVENT_TIMER, EVENT_CALL };

struct sim {
	uint64_t seed, random, hash, sleeps;
	int64_t now, calls, switches, due;        /* due: of the next event */
	uint64_t files;                           /* so many there were */
	struct proc *cur, procs[PROCS];
	struct machine machines[MACHINES];
	int proc_top, next_pid, trace, ended;    /* proc_top: processes in use are below */
	int switch_one_in;                        /* calls between voluntary switches, on average */
	int64_t block_mean;                       /* blocks between pre-emptions; 0: at calls only */
	int64_t blocks;                           /* of the running one, until it is pre-empted */
	char fault[600];
};
extern struct sim S;

/* sched */
uint64_t sim_random(void);
uint64_t sim_below(uint64_t n);
static inline int sim_chance(unsigned one_in) { return one_in && sim_below(one_in) == 0; }
void *sim_alloc(size_t n);                        /* zeroed, for this run */
char *sim_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sim_reset(uint64_t seed);
void sim_run(int64_t until);                      /* until then, or S.ended, or a fault */
void sim_fault(const char *format, ...) __attribute__((format(printf, 1, 2)));    /* the run has failed */
void sim_note(const char *format, ...) __attribute__((format(printf, 1, 2)));     /* a line of the trace */
void sim_at(int64_t when, void (*fn)(void *), void *with);
void sim_wake_at(int64_t when, const void *channel);
/* every system call begins with it: time passes, others may run, death may come */
void sim_enter(const char *call);
int  sim_sleep(const void *channel, int64_t until);      /* 0 woken, -1 a signal, 1 time */
void sim_wake(const void *channel);
void sim_yield(void);
long sim_back(long result);                       /* every system call ends with it (trace) */
long sim_fail(int error);                         /* the same with errno: -1 */

/* process */
struct proc *process_start(int machine, const char *program, const char *argument, const char *env);
void process_die(struct proc *p, int status);
void process_kill(struct proc *p, int signal);
void process_handlers(void);                      /* run what is pending for the current one */
void process_resume(struct proc *p);
void process_unfork(struct proc *p);              /* on the main stack: back into its fork */
struct proc *process_by_pid(int machine, int pid);
void process_release(struct proc *p);

/* descriptor */
enum kind { FILE_LOG, FILE_DISK, FILE_TEXT, FILE_PIPE, FILE_EVENT, FILE_SOCKET, FILE_PID };
struct file {
	enum kind kind;
	uint64_t number;
	int users, flags;
	uint64_t at;                              /* of a file; counter of an eventfd */
	struct inode *inode;
	const char *text;
	struct pipe *pipe; int writes;
	struct sock *sock;
	int pid, machine;
};
struct file *file_new(enum kind kind);
int  file_fd(struct file *f, int cloexec);        /* a free descriptor, or -1 with errno */
struct file *file_of(int fd);                     /* NULL: errno is EBADF */
void file_share(struct file *f);
void file_drop(struct file *f);
int  file_ready(struct file *f);                  /* POLLIN and so on */
extern const char POLLERS[1];                     /* the channel of all that poll */

/* disk */
void disk_init(int machine);
void disk_make(int machine, const char *path);    /* a folder that is on disk */
void disk_crash(int machine);
int  disk_open(int dir, const char *path, int flags, int mode, struct file **f);      /* 0 or an errno */
long disk_read(struct file *f, void *bytes, size_t n, uint64_t at);
long disk_write(struct file *f, const void *bytes, size_t n, uint64_t at);
void disk_unlock(struct file *f);
int  disk_bind(const char *path, struct sock *s);
struct sock *disk_listener(const char *path);
int  disk_files(int machine, const char *path);   /* entries of a folder; -1: none */

/* socket */
void socket_forget(struct sock *s);               /* the last descriptor is closed */
int  socket_ready(struct sock *s);
long socket_read(struct sock *s, void *bytes, size_t n, int nonblock);
long socket_write(struct sock *s, const void *bytes, size_t n, int nonblock);
void socket_reset(void);
void socket_cut(int machine, int on);             /* a partition of that machine from all others */
void socket_break(void);                          /* a TCP connection, by chance, is reset */
void socket_power_cut(int machine);               /* no FIN leaves it */
void socket_boot(int machine);

/* sysv */
void sysv_reset(void);
void sysv_power_cut(int machine);
int  sysv_count(int machine);
void sysv_detach_all(struct proc *p);
const char *sysv_maps(const struct proc *p);

/* world */
void world_begin(void);                           /* sets up a run from S.seed */
void world_log(struct proc *p, const char *line, size_t n);
void world_died(struct proc *p);
struct counts { long runs, published, received, kills, breaks, cuts, powers, jumps, full, stops; int64_t calls,
    simulated; };
void world_finish(struct counts *c);              /* adds this run's */
#endif
