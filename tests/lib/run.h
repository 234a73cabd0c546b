/* run - a program run to its end, its output taken */
#ifndef RUN_H
#define RUN_H

struct ran { int status; char *out, *err; };   /* exit status, -1 by a signal; texts are never freed */

/* command is for sh; it ends with the case */
struct ran run_command(const char *format, ...) __attribute__((format(printf, 1, 2)));
#endif
