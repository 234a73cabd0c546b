/* log - see log.h. A line is one write(2), so that lines of several processes never mix. */
#include "common/log.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct {
	const char *role;
	int verbose;
} l = { "mom", 0 };

void
log_init(const char *role, int verbose)
{
	l.role = role;
	l.verbose = verbose;
}

const char *
log_role(void)
{
	return l.role;
}

static void
log_line(const char *severity, const char *format, va_list ap)
{
	char line[2048];
	int keep = errno, n = snprintf(line, sizeof line, "%s[%d]: %s: ", l.role, (int)getpid(), severity);
	int m = vsnprintf(line + n, sizeof line - (size_t)n - 1, format, ap);
	size_t len = (size_t)n + (m < 0 ? 0 : (size_t)m);
	if (len > sizeof line - 2)
		len = sizeof line - 2;
	for (size_t i = (size_t)n; i < len; i++)       /* what a peer said must not look like a line of ours, or command a terminal */
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0) {
		/* nobody is left to tell */
	}
	errno = keep;
}

#define LOG_BODY(severity)                       \
	do {                                     \
		va_list ap;                      \
		va_start(ap, format);            \
		log_line(severity, format, ap);  \
		va_end(ap);                      \
	} while (0)

void
log_debug(const char *format, ...)
{
	if (l.verbose)
		LOG_BODY("debug");
}

void
log_info(const char *format, ...)
{
	LOG_BODY("info");
}

void
log_warn(const char *format, ...)
{
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
	exit(status);
}

void
log_panic(const char *format, ...)
{
	LOG_BODY("panic");
	abort();
}
