/* One line an event on stderr: `role[pid]: severity: text`. Severity says who must act (style of the whole project):
 * panic = our bug, core; fatal = the operator, exit; error = one request or connection is lost; warn = degraded, goes on;
 * info = life cycle; debug = only with -v. */
#ifndef LOG_H
#define LOG_H
#define LOG_PRINTF(a, b) __attribute__((format(printf, a, b)))
enum { EXIT_USAGE = 100, EXIT_SYSTEM = 111, EXIT_DISK = 112 /* an fdatasync failed: not to be restarted by a parent */ };
void log_init(const char *role, int verbose);
const char *log_role(void);
void log_debug(const char *format, ...) LOG_PRINTF(1, 2);
void log_info(const char *format, ...) LOG_PRINTF(1, 2);
void log_warn(const char *format, ...) LOG_PRINTF(1, 2);
void log_error(const char *format, ...) LOG_PRINTF(1, 2);
void log_fatal(int status, const char *format, ...) LOG_PRINTF(2, 3) __attribute__((noreturn));
void log_panic(const char *format, ...) LOG_PRINTF(1, 2) __attribute__((noreturn));
#endif
