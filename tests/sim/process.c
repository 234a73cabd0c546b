/* process - programs in memory, fork and exec, exit and wait, signals, the heap of each
 * A program is loaded once for each process that runs at the same time (a copy of its file, so that the dynamic linker
 * takes it for another), and used again by later ones: its data goes back to what it was after loading. */
#include "sim.h"
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include "calls.h"

enum { STACK = 512 * 1024, HEAP = 256 << 20, CLASSES = 32, HEAP_CLEAR = 256 * 1024 };

struct image {
	const char *program;
	int (*main)(int, char **);
	char *data, *fresh, *stack, *heap;
	size_t data_bytes, heap_used;
	void *unused[CLASSES];                    /* freed blocks by size */
	struct image *next;
};

static struct image *idle;

/* ---- images ---- */

static int
find_data(struct dl_phdr_info *info, size_t size, void *with)
{
	struct image *i = with;
	(void)size;
	if ((uintptr_t)i->main < info->dlpi_addr)
		return 0;
	char *data = NULL, *end = NULL;
	int ours = 0;
	for (int k = 0; k < info->dlpi_phnum; k++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[k];
		char *at = (char *)info->dlpi_addr + h->p_vaddr;
		if (h->p_type != PT_LOAD)
			continue;
		ours |= (char *)i->main >= at && (char *)i->main < at + h->p_memsz;
		if (h->p_flags & PF_W) {
			data = at;
			end = at + h->p_memsz;
		}
	}
	if (!ours)
		return 0;
	i->data = data;
	i->data_bytes = (size_t)(end - data);
	return 1;
}

static struct image *
image_load(const char *program)
{
	struct image *i = calloc(1, sizeof *i);
	char path[4096], bytes[65536];
	/* the programs lie beside the simulator */
	ssize_t len = readlink("/proc/self/exe", path, sizeof path - 100);
	while (len > 0 && path[len - 1] != '/')
		len--;
	snprintf(path + len, 100, "%s.so", program);
	FILE *f = fopen(path, "r");
	int fd = memfd_create(program, 0);
	if (f == NULL || fd < 0) {
		perror(path);
		exit(1);
	}
	for (size_t n; (n = fread(bytes, 1, sizeof bytes, f)) > 0;)
		if (write(fd, bytes, n) != (ssize_t)n)
			abort();
	fclose(f);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);       /* fd stays open: the path must not come again */
	i->main = handle ? (int (*)(int, char **))(uintptr_t)dlsym(handle, "program_main") : NULL;
	if (i->main == NULL || !dl_iterate_phdr(find_data, i)) {
		fprintf(stderr, "%s: %s\n", program, dlerror());
		exit(1);
	}
	i->program = strdup(program);
	i->fresh = malloc(i->data_bytes);
	memcpy(i->fresh, i->data, i->data_bytes);
	i->stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	i->heap = mmap(NULL, HEAP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	mprotect(i->stack, 4096, PROT_NONE);
	return i;
}

static struct image *
image_take(const char *program)
{
	for (struct image **at = &idle; *at; at = &(*at)->next) {
		struct image *i = *at;
		if (strcmp(i->program, program) != 0)
			continue;
		*at = i->next;
		memcpy(i->data, i->fresh, i->data_bytes);
		return i;
	}
	return image_load(program);
}

static void
image_release(struct image *i)
{
	if (i->heap_used > HEAP_CLEAR) {
		madvise(i->heap + HEAP_CLEAR, i->heap_used - HEAP_CLEAR, MADV_DONTNEED);
		i->heap_used = HEAP_CLEAR;
	}
	memset(i->heap, 0, i->heap_used);
	i->heap_used = 0;
	memset(i->unused, 0, sizeof i->unused);
	i->next = idle;
	idle = i;
}

/* ---- heap: powers of two, 16 bytes before each block hold its class ---- */

static void *
heap_take(size_t n)
{
	struct image *i = S.cur->image;
	int k = 5;
	while ((size_t)1 << k < n + 16)
		k++;
	char *block = i->unused[k];
	if (block)
		i->unused[k] = *(void **)(block + 16);
	else {
		block = i->heap + i->heap_used;
		i->heap_used += (size_t)1 << k;
		if (i->heap_used > HEAP)
			return NULL;
		*(uint64_t *)block = (uint64_t)k;
	}
	return block + 16;
}

static int
heap_has(const void *p)
{
	return (const char *)p > S.cur->image->heap && (const char *)p < S.cur->image->heap + HEAP;
}

void *sim_malloc(size_t n) { return heap_take(n); }

void
sim_free(void *p)
{
	if (p == NULL)
		return;
	if (!heap_has(p)) {                       /* what libc made, such as the text of open_memstream */
		free(p);
		return;
	}
	char *block = (char *)p - 16;
	uint64_t k = *(uint64_t *)block;
	*(void **)p = S.cur->image->unused[k];
	S.cur->image->unused[k] = block;
}

void *
sim_calloc(size_t n, size_t size)
{
	size_t before = S.cur->image->heap_used;
	char *p = heap_take(n * size);
	if (p && p <= S.cur->image->heap + before)        /* used before */
		memset(p, 0, n * size);
	return p;
}

void *
sim_realloc(void *old, size_t n)
{
	if (old == NULL)
		return heap_take(n);
	size_t room = ((size_t)1 << *(uint64_t *)((char *)old - 16)) - 16;
	if (n <= room)
		return old;
	void *p = heap_take(n);
	if (p) {
		memcpy(p, old, room);
		sim_free(old);
	}
	return p;
}

void *
sim_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
	(void)at, (void)protection, (void)flags, (void)fd, (void)offset;
	return sim_calloc(1, n);
}

int sim_munmap(void *p, size_t n) { (void)n; sim_free(p); return 0; }
int sim_madvise(void *p, size_t n, int advice) { (void)p, (void)n, (void)advice; return 0; }

/* ---- environment ---- */

static char *
env_slot(const char *name, int make)
{
	size_t n = strlen(name);
	for (int k = 0; k < 4; k++)
		if (strncmp(S.cur->env[k], name, n) == 0 && S.cur->env[k][n] == '=')
			return S.cur->env[k];
	for (int k = 0; make && k < 4; k++)
		if (S.cur->env[k][0] == '\0')
			return S.cur->env[k];
	return NULL;
}

char *
sim_getenv(const char *name)
{
	char *e = env_slot(name, 0);
	return e ? e + strlen(name) + 1 : NULL;
}

char *sim_secure_getenv(const char *name) { return sim_getenv(name); }

int
sim_setenv(const char *name, const char *value, int over)
{
	(void)over;
	char *e = env_slot(name, 1);
	if (e == NULL)
		abort();
	snprintf(e, sizeof S.cur->env[0], "%s=%s", name, value);
	return 0;
}

int
sim_unsetenv(const char *name)
{
	char *e = env_slot(name, 0);
	if (e)
		e[0] = '\0';
	return 0;
}

/* ---- beginning ---- */

static struct proc *
proc_new(int machine)
{
	for (int i = 0; i < PROCS; i++) {
		struct proc *p = &S.procs[i];
		if (p->state != PROC_FREE)
			continue;
		memset(p, 0, sizeof *p);
		p->pid = S.next_pid++;
		p->machine = machine;
		p->started = (int)(S.now / 10000) + 1;
		p->state = PROC_READY;
		S.proc_top = S.proc_top > i ? S.proc_top : i + 1;
		return p;
	}
	sim_fault("more than %d processes", PROCS);
	return NULL;
}

struct proc *
process_start(int machine, const char *program, const char *argument, const char *env)
{
	struct proc *p = proc_new(machine);
	if (p == NULL)
		return NULL;
	p->role = program;
	p->image = image_take(program);
	snprintf(p->argument, sizeof p->argument, "%s", argument);
	snprintf(p->env[0], sizeof p->env[0], "%s", env);
	for (int k = 0; k < 3; k++) {
		p->fd[k] = file_new(FILE_LOG);
		p->fd[k]->machine = machine;
	}
	sim_note("%s[%d] begins on %s", p->role, p->pid, S.machines[machine].name);
	return p;
}

static void
entry(void)
{
	struct proc *p = S.cur;
	char words[sizeof p->argument], *argv[32] = { (char *)(uintptr_t)p->role }, *rest = NULL;
	int argc = 1;
	memcpy(words, p->argument, sizeof words);
	for (char *word = strtok_r(words, " ", &rest); word && argc < 31; word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	argv[argc] = NULL;
	S.blocks = NEVER_BLOCKS;
	sim_exit(p->image->main(argc, argv));
}

void
process_resume(struct proc *p)
{
	static ucontext_t fresh;
	if (p->fork_copy) {
		memcpy(p->fork_stack, p->fork_copy, p->fork_bytes);
		free(p->fork_copy);
		p->fork_copy = NULL;
		_longjmp(p->fork_at, 1);
	}
	if (p->began)
		_longjmp(p->context, 1);
	p->began = 1;
	getcontext(&fresh);
	fresh.uc_stack.ss_sp = p->image->stack;
	fresh.uc_stack.ss_size = STACK;
	fresh.uc_link = NULL;
	makecontext(&fresh, entry, 0);
	setcontext(&fresh);
}

/* ---- fork: the child runs on its parent's stack until it executes its program, then the parent goes on from a copy of
 * it ---- */

static __attribute__((noinline)) void
stack_save(struct proc *p)
{
	char *low = __builtin_frame_address(0);
	p->fork_stack = low;
	p->fork_bytes = (size_t)(p->image->stack + STACK - low);
	p->fork_copy = malloc(p->fork_bytes);
	memcpy(p->fork_copy, low, p->fork_bytes);
}

pid_t
sim_fork(void)
{
	sim_enter("fork");
	struct proc *p = S.cur, *c = proc_new(p->machine);
	if (c == NULL)
		return (pid_t)sim_fail(EAGAIN);
	c->parent = p;
	c->role = p->role;
	c->image = p->image;
	c->vforked = 1;
	c->cloexec = p->cloexec;
	memcpy(c->env, p->env, sizeof c->env);
	memcpy(c->action, p->action, sizeof c->action);
	for (int k = 0; k < FDS; k++)
		if ((c->fd[k] = p->fd[k]) != NULL)
			file_share(c->fd[k]);
	p->fork_pid = c->pid;
	if (_setjmp(p->fork_at) == 0) {
		stack_save(p);
		S.cur = c;
		return 0;
	}
	return (pid_t)sim_back(S.cur->fork_pid);
}

static void
back_to_parent(struct proc *c)
{
	struct proc *p = c->parent;
	c->vforked = 0;
	S.cur = p;
	p->state = PROC_READY;
	sim_yield();                              /* goes on in process_resume */
	abort();
}

int
sim_execl(const char *path, const char *name, ...)
{
	sim_enter("execl");
	struct proc *c = S.cur;
	const char *slash = strrchr(path, '/');
	(void)name;
	for (int k = 0; k < FDS; k++)
		if (c->fd[k] && (c->cloexec >> k & 1)) {
			file_drop(c->fd[k]);
			c->fd[k] = NULL;
		}
	c->cloexec = 0;
	c->role = sim_text("%s", slash ? slash + 1 : path);
	c->image = image_take(c->role);
	sim_note("begins");
	back_to_parent(c);
	return -1;
}

/* ---- ending ---- */

void
process_release(struct proc *p)
{
	if (p->image)
		image_release(p->image);
	free(p->fork_copy);
	p->fork_copy = NULL;
	p->image = NULL;
}

static void
late_kill(void *with)
{
	int pid = (int)(intptr_t)with;
	for (int i = 0; i < PROCS; i++)
		if (S.procs[i].pid == pid && (S.procs[i].state == PROC_READY || S.procs[i].state == PROC_ASLEEP))
			process_die(&S.procs[i], SIGKILL);
}

static void
children_lose(struct proc *p)
{
	for (int i = 0; i < PROCS; i++) {
		struct proc *c = &S.procs[i];
		if (c->state == PROC_FREE || c->parent != p)
			continue;
		c->parent = NULL;
		if (c->state == PROC_ZOMBIE)
			c->state = PROC_FREE;
		else if (c->death_signal)         /* it may do a little more meanwhile */
			sim_at(S.now + (sim_chance(2) ? 0 : (int64_t)sim_below(3 * MS)), late_kill,
			    (void *)(intptr_t)c->pid);
	}
}

void
process_die(struct proc *p, int status)
{
	sim_note("%s[%d] ends, status %x", p->role, p->pid, status);
	p->state = PROC_ZOMBIE;
	p->status = status;
	for (int k = 0; k < FDS; k++)
		if (p->fd[k]) {
			struct file *f = p->fd[k];
			p->fd[k] = NULL;
			file_drop(f);
		}
	sysv_detach_all(p);
	if (p->vforked)
		p->image = NULL;
	process_release(p);
	children_lose(p);
	sim_wake(POLLERS);
	world_died(p);
	if (p->parent == NULL)
		p->state = PROC_FREE;
	else
		process_kill(p->parent, SIGCHLD);
}

void
sim__exit(int status)
{
	sim_enter("exit");
	struct proc *p = S.cur;
	int vforked = p->vforked;
	struct proc *parent = p->parent;
	process_die(p, (status & 255) << 8);
	if (vforked) {
		p->parent = parent;
		back_to_parent(p);
	}
	sim_yield();
	abort();
}

void sim_exit(int status) { sim__exit(status); }

void
sim_abort(void)
{
	sim_fault("%s[%d] aborts", S.cur->role, S.cur->pid);
	process_die(S.cur, SIGABRT);
	sim_yield();
	abort();
}

/* ---- signals ---- */

struct proc *
process_by_pid(int machine, int pid)
{
	for (int i = 0; i < PROCS; i++)
		if (S.procs[i].state != PROC_FREE && S.procs[i].pid == pid && S.procs[i].machine == machine)
			return &S.procs[i];
	return NULL;
}

void
process_kill(struct proc *p, int number)
{
	if (p->state == PROC_ZOMBIE || p->state == PROC_FREE || number == 0)
		return;
	void (*handler)(int) = p->action[number].sa_handler;
	if (number != SIGKILL && handler == SIG_IGN)
		return;
	if (number == SIGKILL || handler == SIG_DFL) {
		if (number != SIGCHLD)
			process_die(p, number);
		return;
	}
	p->pending |= 1u << number;
	if (p->state == PROC_ASLEEP)
		p->state = PROC_READY;
}

void
process_handlers(void)
{
	struct proc *p = S.cur;
	while (p->pending && !p->in_handler && !p->vforked) {
		int number = __builtin_ctz(p->pending);
		p->pending &= p->pending - 1;
		p->in_handler = 1;
		p->action[number].sa_handler(number);
		p->in_handler = 0;
	}
}

int
sim_kill(pid_t pid, int number)
{
	sim_enter("kill");
	struct proc *p = process_by_pid(S.cur->machine, pid);
	if (p == NULL)
		return (int)sim_fail(ESRCH);
	process_kill(p, number);
	return (int)sim_back(0);
}

int
sim_sigaction(int number, const struct sigaction *act, struct sigaction *old)
{
	(void)old;
	S.cur->action[number] = *act;
	return 0;
}

int sim_sigprocmask(int how, const sigset_t *set, sigset_t *old) { (void)how, (void)set, (void)old; return 0; }

pid_t
sim_waitpid(pid_t pid, int *status, int options)
{
	sim_enter("waitpid");
	int some = 0;
	for (int i = 0; i < PROCS; i++) {
		struct proc *c = &S.procs[i];
		if (c->state == PROC_FREE || c->parent != S.cur || (pid > 0 && c->pid != pid))
			continue;
		some = 1;
		if (c->state != PROC_ZOMBIE)
			continue;
		*status = c->status;
		c->state = PROC_FREE;
		return (pid_t)sim_back(c->pid);
	}
	if (!(options & WNOHANG))
		abort();
	return some ? (pid_t)sim_back(0) : (pid_t)sim_fail(ECHILD);
}

pid_t
sim_wait4(pid_t pid, int *status, int options, struct rusage *used)
{
	memset(used, 0, sizeof *used);
	return sim_waitpid(pid, status, options);
}

pid_t sim_getpid(void) { return S.cur->pid; }
pid_t sim_getppid(void) { sim_enter("getppid"); return S.cur->parent ? S.cur->parent->pid : 1; }
uid_t sim_geteuid(void) { return 1000; }
int sim_gethostname(char *name, size_t n) { snprintf(name, n, "simulated"); return 0; }
gid_t sim_getegid(void) { return 1000; }

int
sim_getrlimit(int what, struct rlimit *limit)
{
	(void)what;
	*limit = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	return 0;
}

int
sim_prctl(int option, ...)
{
	if (option == PR_SET_PDEATHSIG)
		S.cur->death_signal = SIGKILL;
	return 0;
}
