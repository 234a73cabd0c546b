/* run - a program run to its end, its output taken */
#ifndef RUN_H
#define RUN_H

#include <sys/types.h>

struct ran { int status; char *out, *err; };   /* exit status, -1 by a signal; texts are never freed */

/* command is for sh; it ends with the case */
struct ran run_command(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same in the background. A command that begins with exec is that process. */
struct running { pid_t pid; char *out, *err; };        /* paths of what it wrote so far */
struct running run_start(const char *format, ...) __attribute__((format(printf, 1, 2)));
struct ran run_finish(struct running *r);              /* waits for its end */
#endif
