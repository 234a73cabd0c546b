/* proc - which processes there are, from /proc */
#ifndef PROC_H
#define PROC_H

#include <sys/types.h>

enum { PROC_MAX = 1024 };

/* The living descendants of a process (zombies apart) into pids; their number. Children come after their parents. */
int proc_descendants(pid_t of, pid_t *pids, int max);
/* Only the living children: a program under AddressSanitizer has a child for a moment when it ends, to look for leaks,
 * and hangs without it. */
int proc_children(pid_t of, pid_t *pids, int max);
/* The i-th living child of `of` whose name is comm (the kernel cuts names to 15 bytes; here too), or 0. */
pid_t proc_find(pid_t of, const char *comm, int i);
/* 1 while it lives and is no zombie. */
int proc_lives(pid_t pid);
/* The state letter of /proc/PID/stat ('S' sleeps, 'T' stopped, 'Z' zombie), 0 where there is none. */
char proc_state(pid_t pid);
/* A number of /proc/PID/status, as "RssAnon:" in KiB; 0: there is none */
long proc_status(pid_t pid, const char *field);
void proc_comm(pid_t pid, char *comm, size_t size);
/* Other living processes whose command line or environment holds the text; their number. */
int proc_naming(const char *text, pid_t *pids, int max);
/* Signal a process and all its descendants, the process first. */
void proc_signal_tree(pid_t pid, int signal);
#endif
