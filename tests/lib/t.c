/* t - what the cases themselves call: failing, waiting, paths, helpers, random numbers (runner.c runs the cases) */
#include <lib/t.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct t_case *t_cases;
struct t_state *t_state;            /* shared by all processes of a case */
static const char *folder, *bin;
static void (*at_end[16])(void);
static int at_end_count;

void
t_add(struct t_case *c)
{
	struct t_case **last = &t_cases;
	while (*last)
		last = &(*last)->next;
	*last = c;
}

static void
note(const char *file, int line, const char *what, const char *format, va_list list)
{
	const char *name = strrchr(file, '/');
	size_t n;

	if (__atomic_exchange_n(&t_state->failed, 1, __ATOMIC_SEQ_CST))
		return;                     /* the first failure is the one to tell */
	n = (size_t)snprintf(t_state->reason, sizeof t_state->reason, "%s:%d: not so: %s: ", name ? name + 1 : file,
	    line, what);
	if (n < sizeof t_state->reason)
		vsnprintf(t_state->reason + n, sizeof t_state->reason - n, format, list);
}

void
t_note(const char *file, int line, const char *what, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	note(file, line, what, format, list);
	va_end(list);
}

void
t_fail(const char *file, int line, const char *what, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	note(file, line, what, format, list);
	va_end(list);
	_exit(1);
}

static char *
text_of(const char *before, const char *format, va_list list)
{
	char buffer[4096];
	size_t n = (size_t)snprintf(buffer, sizeof buffer, "%s", before);
	vsnprintf(buffer + n, sizeof buffer - n, format, list);
	return strdup(buffer);
}

char *
t_text(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	char *text = text_of("", format, list);
	va_end(list);
	return text;
}

char *
t_path(const char *format, ...)
{
	char before[300];
	va_list list;
	snprintf(before, sizeof before, "%s/", folder);
	va_start(list, format);
	char *path = text_of(before, format, list);
	va_end(list);
	return path;
}

const char *
t_dir(void)
{
	return folder;
}

const char *
t_bin(const char *program)
{
	return t_text("%s/%s", bin, program);
}

const char *
t_ip(void)
{
	static char ip[20];
	static pid_t owner;
	if (!owner) {
		owner = getppid();          /* the runner: one case at a time */
		snprintf(ip, sizeof ip, "127.%d.%d.%d", 1 + (owner >> 14) % 250, (owner >> 7) & 127, 1 + (owner & 127));
	}
	return ip;
}

char *
t_read_file(const char *path)
{
	size_t size = 0, room = 65536;
	char *text = malloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	while (fd >= 0 && (n = read(fd, text + size, room - size - 1)) > 0) {
		size += (size_t)n;
		if (room - size < 4096)
			text = realloc(text, room *= 2);
	}
	if (fd >= 0)
		close(fd);
	text[size] = 0;
	return text;
}

void
t_write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	REQUIRE(f && fputs(text, f) >= 0 && fclose(f) == 0, "%s: %s", path, strerror(errno));
}

void *
t_shared_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(p != MAP_FAILED, "mmap(%zu): %s", size, strerror(errno));
	return p;
}

pid_t
t_spawn(void (*run)(void *), void *argument)
{
	pid_t parent = getpid(), pid = fork();
	REQUIRE(pid >= 0, "fork: %s", strerror(errno));
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	run(argument);
	_exit(0);
}

int
t_join(pid_t pid)
{
	int status = 0;
	pid_t got;
	WAIT_FOR((got = waitpid(pid, &status, WNOHANG)) != 0, "process %d does not end", (int)pid);
	REQUIRE(got == pid, "waitpid(%d): %s", (int)pid, strerror(errno));
	return status;
}

void
t_at_end(void (*run)(void))
{
	for (int i = 0; i < at_end_count; i++)
		if (at_end[i] == run)
			return;
	REQUIRE(at_end_count < 16, "too many");
	at_end[at_end_count++] = run;
}

void
t_begin(const char *a_folder, const char *a_bin)
{
	folder = a_folder;
	bin = a_bin;
	setenv("MOM_CONFIG", folder, 1);       /* a folder without configuration: not this machine's, nor its user's */
	unsetenv("MOM_URL");
	unsetenv("MOM_LOG");
	t_ip();
}

void
t_end(void)
{
	while (at_end_count)
		at_end[--at_end_count]();
}

void
t_sleep_ms(int ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

void
t_tick(void)
{
	if (__atomic_load_n(&t_state->failed, __ATOMIC_SEQ_CST))
		_exit(1);
	t_sleep_ms(10);
}

int64_t
t_now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t
t_now_ms(void)
{
	return t_now_us() / 1000;
}

int
t_is_long(void)
{
	const char *value = getenv("LONG");
	return value && *value && strcmp(value, "0") != 0;
}

void
t_allow_log(const char *words)
{
	REQUIRE(t_state->allowed_count < 4, "too many");
	snprintf(t_state->allowed[t_state->allowed_count++], sizeof t_state->allowed[0], "%s", words);
}

void
t_remark(const char *format, ...)
{
	char line[1000];
	va_list list;
	va_start(list, format);
	vsnprintf(line, sizeof line, format, list);
	va_end(list);
	printf("  note: %s\n", line);
	fflush(stdout);
}

void
t_rng_init(struct t_rng *r, uint64_t salt)
{
	const char *seed = getenv("SEED");
	r->state = (seed ? strtoull(seed, NULL, 0) : 1) * UINT64_C(0x9E3779B97F4A7C15) ^ (salt + 1) *
	    UINT64_C(0xBF58476D1CE4E5B9);
}

uint64_t
t_rng_next(struct t_rng *r)
{
	uint64_t z = r->state += UINT64_C(0x9E3779B97F4A7C15);      /* splitmix64 */
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

uint64_t
t_rng_below(struct t_rng *r, uint64_t n)
{
	return n ? t_rng_next(r) % n : 0;
}

void
t_rng_fill(struct t_rng *r, void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i += 8) {
		uint64_t v = t_rng_next(r);
		memcpy((char *)bytes + i, &v, len - i < 8 ? len - i : 8);
	}
}
