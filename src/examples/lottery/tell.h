/* tell - a line to stderr, "program[pid]: text" */
#ifndef TELL_H
#define TELL_H

extern const char *tell_program;       /* its name; main sets it */

void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* and the end: 100 wrong use or a bad file, 111 system trouble */
void tell_fatal(int status, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
#endif
