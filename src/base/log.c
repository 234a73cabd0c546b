/* log - see log.h. A line is one write(2), so that lines of several processes never mix. */
#include "base/log.h"
#include "base/clock.h"
#include "base/fdio.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	const char *role;
	uint32_t how;
	const _Atomic uint32_t *follow;
	void (*at_fatal)(void);
	int begun;                       /* a server has said how; else MOM_LOG is asked at the first line */
} logger = { "mom", 0, NULL, NULL, 0 };

static volatile sig_atomic_t reopen;

void
log_init(const char *role, uint32_t how)
{
	logger.role = role;
	logger.how = how;
	logger.begun = 1;
}

void
log_follow(const _Atomic uint32_t *how)
{
	logger.follow = how;
}

const char *
log_role(void)
{
	return logger.role;
}

/* ---- descriptor 2 ---- */

int
log_take(int fd)
{
	if (fd < 0)
		return -1;
	int r = dup3(fd, STDERR_FILENO, 0), keep = errno;
	close(fd);
	errno = keep;
	return r < 0 ? -1 : 0;
}

int
log_file(const char *path)
{
	int fd;
	while ((fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC, 0640)) < 0 && errno == EINTR)
		;
	return fd;
}

int
log_to_file(const char *path)
{
	return log_take(log_file(path));
}

int
log_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;
	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	    st.st_dev == device && st.st_ino == inode;
}

static void
on_signal(int number)
{
	(void)number;
	reopen = 1;
}

void
log_reopen_by_signal(void)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	sigset_t mine;
	sigaction(SIGUSR1, &act, NULL);
	sigemptyset(&mine);
	sigaddset(&mine, SIGUSR1);
	sigprocmask(SIG_UNBLOCK, &mine, NULL);
}

/* The parent has the new file as its descriptor 2 before it tells its children: whatever its name is, it is opened
 * through that. */
static void
reopen_as_parent(void)
{
	char path[40];
	struct stat st;
	reopen = 0;
	snprintf(path, sizeof path, "/proc/%d/fd/2", (int)getppid());
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) ||
	    log_take(open(path, O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC)) < 0)
		log_warn("%s: %s: lines of this process go to the old log file; start its server again to mend it",
		    path, strerror(errno));
}

/* ---- lines ---- */

/* LEVEL[,json][,time|notime]; a tool does not fail for a word that it does not know */
static uint32_t
how_by_environment(void)
{
	static const struct { const char *word; uint32_t how; } words[] = { { "debug", LOG_FROM_DEBUG },
	    { "warn", LOG_FROM_WARN }, { "error", LOG_FROM_ERROR },
		{ "json", LOG_JSON }, { "time", LOG_TIME } };
	const char *p = secure_getenv("MOM_LOG");
	uint32_t how = 0;
	for (; p && *p; p += strcspn(p, ","), p += *p == ',')
		for (size_t i = 0; i < sizeof words / sizeof *words; i++)
			if (strcspn(p, ",") == strlen(words[i].word) &&
			    strncmp(p, words[i].word, strlen(words[i].word)) == 0)
				how |= words[i].how;
	return how;
}

static uint32_t
how_now(void)
{
	if (!logger.begun)
		log_init(logger.role, how_by_environment());
	return logger.follow ? *logger.follow : logger.how;
}

static void
log_line(const char *severity, const char *format, va_list ap)
{
	char line[2400], text[2048];
	int keep = errno;
	if (reopen)
		reopen_as_parent();
	uint32_t how = how_now();
	vsnprintf(text, sizeof text, format, ap);
	size_t n = log_format(line, sizeof line, how, how & (LOG_TIME | LOG_JSON) ? clock_wall_us() : 0, logger.role,
	    (int)getpid(), severity, text);
	while (write(STDERR_FILENO, line, n) < 0 && errno == EINTR)
		;                                      /* else nobody is left to tell */
	errno = keep;
}

/* from: the highest floor at which it is still written, in order debug, info, warn, error */
int
log_is_wanted(uint32_t from)
{
	static const char rank[] = { [LOG_FROM_DEBUG] = 0, [LOG_FROM_INFO] = 1, [LOG_FROM_WARN] = 2,
	    [LOG_FROM_ERROR] = 3 };
	uint32_t floor = how_now() & LOG_FROM;
	return floor >= sizeof rank || rank[from] >= rank[floor];
}

#define LOG_BODY(severity)                       \
	do {                                     \
		va_list ap;                      \
		va_start(ap, format);            \
		log_line(severity, format, ap);  \
		va_end(ap);                      \
	} while (0)

void
log_from_list(uint32_t from, const char *format, va_list ap)
{
	static const char *const severity[] = { [LOG_FROM_INFO] = "info", [LOG_FROM_DEBUG] = "debug",
		[LOG_FROM_WARN] = "warn", [LOG_FROM_ERROR] = "error" };
	if (log_is_wanted(from))
		log_line(severity[from < 4 ? from : LOG_FROM_ERROR], format, ap);
}

void
log_from(uint32_t from, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	log_from_list(from, format, ap);
	va_end(ap);
}

void
log_debug(const char *format, ...)
{
	if (log_is_wanted(LOG_FROM_DEBUG))
		LOG_BODY("debug");
}

void
log_info(const char *format, ...)
{
	if (log_is_wanted(LOG_FROM_INFO))
		LOG_BODY("info");
}

void
log_warn(const char *format, ...)
{
	if (log_is_wanted(LOG_FROM_WARN))
		LOG_BODY("warn");
}

void
log_error(const char *format, ...)
{
	LOG_BODY("error");
}

void
log_fatal(int status, const char *format, ...)
{
	LOG_BODY("fatal");
	void (*clean)(void) = logger.at_fatal;
	logger.at_fatal = NULL;                             /* what it meets must not call it again */
	if (clean)
		clean();
	exit(status);
}

void
log_at_fatal(void (*clean)(void))
{
	logger.at_fatal = clean;
}

