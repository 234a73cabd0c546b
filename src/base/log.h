/* One line for each event, on descriptor 2: `role[pid]: severity: text`. The severity says who must act: fatal = the
 * operator, the process ends; error = one request or connection is lost; warn = degraded, goes on; info = life cycle;
 * debug = only with -v, or log-level debug. A payload is never logged.
 *
 * One word says how lines are written, so that a supervisor can tell its children in their table. It holds the lowest
 * severity and the form:
 *     text  [<4>][2026-01-31T12:00:00.123Z ]role[pid]: warn: text          <4>: a priority, for the journal
 *     json  [<4>]{"time":"2026-01-31T12:00:00.123Z","level":"warn","role":"worker","pid":7,"text":"..."}
 * 0 is what a tool wants: info and above, without a time. MOM_LOG=LEVEL[,json][,time] changes that for programs that do
 * not call log_init. */
#ifndef LOG_H
#define LOG_H
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#define LOG_PRINTF(a, b) __attribute__((format(printf, a, b)))
enum { EXIT_USAGE = 100, EXIT_SYSTEM = 111, EXIT_DISK =
    112 /* an fdatasync failed: a parent does not start it again */ };
enum {
	/* the lowest severity that is written */
	LOG_FROM_INFO, LOG_FROM_DEBUG, LOG_FROM_WARN, LOG_FROM_ERROR, LOG_FROM = 0xff,
	LOG_JSON = 0x100, LOG_TIME = 0x200, LOG_JOURNAL = 0x400
};
void log_init(const char *role, uint32_t how);
/* From now on that word says how lines are written: the word for children in their supervisor's table. */
void log_follow(const _Atomic uint32_t *how);
const char *log_role(void);

/* The file that descriptor 2 is: */
int  log_to_file(const char *path);            /* opens it (again) for appending; -1: errno, and nothing has changed */
int  log_file(const char *path);               /* the same in two steps: the file's descriptor, or -1 ... */
int  log_take(int fd);                         /* ... which is the log's from now on */
int  log_is_journal(void);                     /* 1: descriptor 2 is systemd's journal (JOURNAL_STREAM) */
/* In a child: after SIGUSR1 it takes its parent's descriptor 2 before the next line. */
void log_reopen_by_signal(void);

/* Makes a line as it is written, without a call. Returns its length. For log_line and its test. */
size_t log_format(char *line, size_t room, uint32_t how, int64_t time_us, const char *role, int pid,
    const char *severity, const char *text);

void log_debug(const char *format, ...) LOG_PRINTF(1, 2);
void log_info(const char *format, ...) LOG_PRINTF(1, 2);
void log_warn(const char *format, ...) LOG_PRINTF(1, 2);
void log_error(const char *format, ...) LOG_PRINTF(1, 2);
void log_fatal(int status, const char *format, ...) LOG_PRINTF(2, 3) __attribute__((noreturn));
/* Logs with a severity LOG_FROM_*. For log_peer, which limits what peers cause. */
void log_from(uint32_t from, const char *format, ...) LOG_PRINTF(2, 3);
void log_from_list(uint32_t from, const char *format, va_list ap) LOG_PRINTF(2, 0);
int  log_is_wanted(uint32_t from);

/* log_fatal calls `clean` before it ends the process, to remove what would stay behind. NULL: nothing is called. */
void log_at_fatal(void (*clean)(void));
#endif
