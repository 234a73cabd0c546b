/* What mom_daemon is told: its configuration in the form that its parts need, and what SIGHUP and SIGUSR1 change. */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H
#include "config/config.h"
#include "daemon/daemon.h"

struct daemon_options {
	struct config config, fresh;     /* fresh: while SIGHUP is answered */
	const char *run, *spool;         /* NULL: the default */
	uint64_t backlog_max;            /* bytes that may wait for one client; 0: any */
	int ready_fd;
};

/* Reads them; mistakes, --help and -t end the program. */
void options_read(struct daemon_options *o, struct daemon *d, int argc, char **argv);
/* The spool remembers what nobody says. */
void options_take_spool(struct daemon_options *o, uint32_t message_max);
/* Logs the line with which a daemon begins. */
void options_say(const struct daemon_options *o, const char *spool);
/* does what SIGHUP and SIGUSR1 ask for, if they came */
void options_signals(struct daemon_options *o, struct daemon *d);
#endif
