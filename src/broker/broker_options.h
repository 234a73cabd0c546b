/* What broker_server is told: its configuration as its parts want it, and what SIGHUP and SIGUSR1 change. */
#ifndef BROKER_OPTIONS_H
#define BROKER_OPTIONS_H
#include "broker/broker.h"
#include "config/config.h"

struct broker_options {
	struct config config, fresh;     /* fresh: while SIGHUP is answered */
	char ip[64], port[64];
	const char *db, *run, *topics;   /* run: NULL: by address */
	uint64_t store_max, topic_max;
	uint32_t workers, expiry, message_max;
	int insecure, views, ready_fd;
};

/* mistakes, --help and -t end the program */
void options_read(struct broker_options *o, struct broker *b, int argc, char **argv);
void options_say(const struct broker_options *o);                  /* the line with which a broker begins */
void options_signals(struct broker_options *o, struct broker *b);  /* where SIGHUP or SIGUSR1 came */
#endif
