/* mom doctor: its parts each look at one thing and say what they find, a line each. */
#ifndef CMD_DOCTOR_H
#define CMD_DOCTOR_H

#include "tools/mom/cmd_look.h"

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

/* what is wanted, and what has been said */
extern struct doctor_said { int json, quiet, failed; } said;
/* cure: what to do, NULL where nothing is to be done. */
void doctor_say(enum doctor_level level, const char *check, const char *cure, const char *format,
    ...) __attribute__((format(printf, 4, 5)));

void doctor_ipc(const struct servers *s);              /* System V objects can be had, and enough of them */
void doctor_remove_ipc(const struct servers *s);       /* systemd does not remove them at a logout */
void doctor_clock_begin(void);
void doctor_clock_end(const struct servers *s);        /* sane, and did not jump since */
void doctor_folders(const struct look_server *s);      /* who may read and write them */
void doctor_disk(const struct look_server *s);         /* what kind, room, whether a sync works and how long it takes */
void doctor_server(const struct look_server *s);       /* runs, of this version, its children live, descriptors */
/* Do programs find a daemon? For all servers of this machine. */
void doctor_programs(const struct servers *s);
void doctor_link(const struct look_server *s);         /* a daemon and its broker; programs and the daemon */
void doctor_proc(void);                                /* what /proc shows here */
void doctor_namespaces(const struct look_server *s);   /* a daemon and its programs see each other */
/* of a daemon: programs that are stopped while mail waits for them */
void doctor_clients(const struct look_server *s);

#endif
