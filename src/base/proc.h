/* What /proc shows of a process. It may hide the processes of other users, or not be there: then nothing is known. */
#ifndef PROC_H
#define PROC_H
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A file of the process's folder, as much as `text` holds, with a 0 behind it. Its bytes; -1: it cannot be read, and
 * text is "". */
ssize_t proc_read(pid_t pid, const char *file, char *text, size_t room);
/* Its command line with blanks between. 0; -1: there is none, or it cannot be seen */
int     proc_command(pid_t pid, char *text, size_t room);
/* When it started: by the wall clock, in seconds; 0: not known */
int64_t proc_since(pid_t pid);
/* `stat` from the state on ("S 1 1 ..."), as much as `text` holds: the program's name before it may hold anything.
 * NULL: it cannot be read. name: if not NULL, its program's name, of which the kernel keeps 15 bytes. */
const char *proc_stat(pid_t pid, char *text, size_t room, char name[16]);
/* 1: it is stopped, by a signal or by a debugger. name: the program that it has to be; NULL: any */
int     proc_is_stopped(pid_t pid, const char *name);
#endif
