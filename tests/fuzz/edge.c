/* edge - the edge of a fuzzed process: its end, its memory, its log, its System V calls; see fuzz.h.
 * What a target brings itself (its own ipcq.c, say) wins: everything here is weak. */
#include "fuzz.h"
#include "ipc/ipcq.h"
#include "ipc/ipcq_own.h"
#include "base/log_peer.h"
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define WEAK __attribute__((weak))
enum { SEGMENTS = 64, LARGE = 256 * 1024, SPARE = 8 };

static struct {
	jmp_buf end;
	int running, status, segments;
	/* spare: large ones, used again */
	struct block { _Alignas(16) struct block *next, **here; size_t n; } *blocks, *spare[SPARE];
	struct { int id; size_t bytes; void *memory; } segment[SEGMENTS];
	void (*on_bell)(const void *bell);
} e;

/* ---- the process ---- */

void
fuzz_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}

/* Where a call is missing below, the library's own file is linked in for it, and then all that stands in that file is
 * the real thing: a target would try next to nothing, and pass. */
static void
must_be_in_force(void)
{
	FUZZ_CHECK(e.segments == 0 || ipcq_attach(e.segment[0].id, 0) == e.segment[0].memory);
}

int
fuzz_run(void (*body)(void))
{
	must_be_in_force();
	e.status = -1;
	e.running = 1;
	if (setjmp(e.end) == 0)
		body();
	e.running = 0;
	while (e.blocks)
		fuzz_free(e.blocks + 1);
	return e.status;
}

void
fuzz_leave(int status)
{
	FUZZ_CHECK(e.running);
	e.status = status;
	longjmp(e.end, 1);
}

void *
fuzz_malloc(size_t n)
{
	struct block *b = NULL;
	for (int i = 0; i < SPARE && n >= LARGE && b == NULL; i++) {
		if (e.spare[i] && e.spare[i]->n == n) {
			b = e.spare[i];
			e.spare[i] = NULL;
		}
	}
	if (b == NULL && (b = malloc(sizeof *b + n)) == NULL)
		return NULL;
	*b = (struct block){ e.blocks, &e.blocks, n };
	if (b->next)
		b->next->here = &b->next;
	e.blocks = b;
	return b + 1;
}

void *
fuzz_calloc(size_t n, size_t size)
{
	void *p = fuzz_malloc(n * size);
	return p ? memset(p, 0, n * size) : NULL;
}

void *
fuzz_realloc(void *p, size_t n)
{
	if (p == NULL)
		return fuzz_malloc(n);
	struct block *b = realloc((struct block *)p - 1, sizeof *b + n);
	if (b == NULL)
		return NULL;
	b->n = n;
	*b->here = b;
	if (b->next)
		b->next->here = &b->next;
	return b + 1;
}

void
fuzz_free(void *p)
{
	struct block *b = p ? (struct block *)p - 1 : NULL;
	if (b == NULL)
		return;
	*b->here = b->next;
	if (b->next)
		b->next->here = b->here;
	for (int i = 0; i < SPARE && b->n >= LARGE; i++) {
		if (e.spare[i] == NULL) {
			e.spare[i] = b;
			return;
		}
	}
	free(b);
}

/* ---- log ---- */

static void
show(const char *format, va_list ap)
{
	static int verbose = -1;
	char line[2048];
	if (verbose < 0)
		verbose = getenv("FUZZ_VERBOSE") != NULL;
	vsnprintf(line, sizeof line, format, ap);     /* always: its arguments must be readable */
	if (verbose)
		fprintf(stderr, "  %s\n", line);
}

#define SHOW do { va_list ap; va_start(ap, format); show(format, ap); va_end(ap); } while (0)
WEAK void log_init(const char *role, uint32_t how) { (void)role, (void)how; }
WEAK void log_follow(const _Atomic uint32_t *how) { (void)how; }
WEAK int  log_to_file(const char *path) { (void)path; return 0; }
WEAK int  log_file(const char *path) { (void)path; return -1; }
WEAK int  log_take(int fd) { (void)fd; return 0; }
WEAK int  log_is_journal(void) { return 0; }
WEAK void log_reopen_by_signal(void) { }
WEAK const char *log_role(void) { return "fuzz"; }
WEAK void log_debug(const char *format, ...) { SHOW; }
WEAK void log_info(const char *format, ...) { SHOW; }
WEAK void log_warn(const char *format, ...) { SHOW; }
WEAK void log_error(const char *format, ...) { SHOW; }
WEAK void log_fatal(int status, const char *format, ...) { SHOW; fuzz_leave(status); }
WEAK void log_peer(uint32_t from, uint64_t peer, const char *format, ...) { (void)from, (void)peer; SHOW; }
WEAK void log_peer_fatal(int status, uint64_t peer, const char *format, ...) { (void)peer; SHOW; fuzz_leave(status); }
WEAK uint64_t log_peer_of(const char *address) { return strlen(address); }
WEAK void log_peers_share(struct log_limits *limits) { (void)limits; }
WEAK void log_peers_tell(int64_t now_ms) { (void)now_ms; }
WEAK void log_peers_end(void) { }
WEAK void log_at_fatal(void (*clean)(void)) { (void)clean; }

/* ---- System V ---- */

void *
fuzz_segment(int id, size_t n)
{
	size_t whole = (n + 4095) / 4096 * 4096;
	for (int i = 0; i < e.segments; i++)
		if (e.segment[i].id == id)
			return e.segment[i].memory;
	char *p = mmap(NULL, whole + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	FUZZ_CHECK(p != MAP_FAILED && mprotect(p + whole, 4096, PROT_NONE) == 0 && e.segments < SEGMENTS);
	e.segment[e.segments].id = id;
	e.segment[e.segments].bytes = n;
	e.segment[e.segments++].memory = p;
	return p;
}

void
fuzz_wipe(void *p, size_t n)
{
	FUZZ_CHECK(madvise(p, (n + 4095) / 4096 * 4096, MADV_DONTNEED) == 0);
}

void
fuzz_on_bell(void (*fn)(const void *bell))
{
	e.on_bell = fn;
}

WEAK void
bell_ring(struct bell *bell, const _Atomic int32_t *queue)
{
	(void)queue;
	if (e.on_bell)
		e.on_bell(bell);
}

WEAK void *
ipcq_attach(int shm, int dont_fork)
{
	(void)dont_fork;
	for (int i = 0; i < e.segments; i++)
		if (e.segment[i].id == shm)
			return e.segment[i].memory;
	return NULL;
}

WEAK void *ipcq_attach_own(int shm, size_t *bytes) { *bytes = ipcq_bytes(shm); return ipcq_attach(shm, 0); }
WEAK void bell_ring_always(struct bell *bell, const _Atomic int32_t *queue) { bell_ring(bell, queue); }
WEAK void bell_clear(struct bell *bell) { atomic_store(&bell->taken, 0); }
WEAK int  ipcq_wait(int queue) { (void)queue; return -1; }
WEAK int  ipcq_drain(int queue) { (void)queue; return -1; }
WEAK void ipcq_post(int sem) { (void)sem; }
WEAK int  ipcq_sleep(int sem, int timeout_ms) { (void)sem, (void)timeout_ms; return -1; }
WEAK void ipcq_detach(const void *memory) { (void)memory; }
WEAK size_t
ipcq_bytes(int shm)
{
	for (int i = 0; i < e.segments; i++)
		if (e.segment[i].id == shm)
			return e.segment[i].bytes;
	return 0;
}

WEAK int  ipcq_attached(int shm) { (void)shm; return 1; }
WEAK const void *ipcq_attach_to_read(int shm) { return ipcq_attach(shm, 0); }
WEAK uint64_t ipcq_namespace(void) { return 0; }
WEAK int  ipcq_own_segment(int shm, struct shmid_ds *ds) { (void)shm; memset(ds, 0, sizeof *ds); return 0; }
WEAK int  ipcq_own_semaphore(int sem, struct semid_ds *ds) { (void)sem; memset(ds, 0, sizeof *ds); return 0; }
WEAK const char *ipcq_hint(int error) { (void)error; return ""; }
WEAK const char *ipcq_attach_hint(int error) { (void)error; return ""; }

/* ---- files ---- */

static char folder[128];

static void
folder_remove(void)
{
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		fuzz_folder_clear(dir);
		close(dir);
	}
	rmdir(folder);
}

int
fuzz_folder(void)
{
	static int dir = -1;
	const char *root = getenv("MOM_TEST_DIR");
	if (dir >= 0)
		return dir;
	snprintf(folder, sizeof folder, "%s/mom-fuzz.XXXXXX", root ? root : access("/dev/shm", W_OK) == 0 ? "/dev/shm"
	    : "/tmp");
	FUZZ_CHECK(mkdtemp(folder) != NULL);
	atexit(folder_remove);
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(dir >= 0);
	return dir;
}

void
fuzz_folder_clear(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(fd);
	FUZZ_CHECK(d != NULL);
	for (struct dirent *f; (f = readdir(d)) != NULL;)
		if (f->d_name[0] != '.')
			unlinkat(dir, f->d_name, 0);
	closedir(d);
}

void
fuzz_file(int dir, const char *name, const void *bytes, size_t n)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FUZZ_CHECK(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && close(fd) == 0);
}

/* ---- input ---- */

uint64_t
fuzz_number(struct fuzz_input *in, size_t bytes)
{
	uint64_t v = 0;
	for (size_t i = 0; i < bytes && in->n > 0; i++, in->p++, in->n--)
		v |= (uint64_t)*in->p << (8 * i);
	return v;
}

size_t
fuzz_bytes(struct fuzz_input *in, void *to, size_t most)
{
	size_t n = in->n < most ? in->n : most;
	if (n)
		memcpy(to, in->p, n);
	in->p += n;
	in->n -= n;
	return n;
}
