/* What broker_server is told: its configuration in the form that its parts need, and what SIGHUP and SIGUSR1 change. */
#ifndef BROKER_OPTIONS_H
#define BROKER_OPTIONS_H
#include "broker/broker.h"
#include "config/config.h"

struct broker_options {
	struct config config, fresh;     /* fresh: while SIGHUP is answered */
	char host[NET_HOST], port[64];
	const char *db, *run, *topics;   /* run: NULL: named after the address */
	uint64_t store_max, topic_max;
	uint32_t workers, expiry, message_max;        /* workers, message_max: 0: as the store was made */
	int insecure, views, ready_fd;
};

/* Reads them; mistakes, --help and -t end the program. */
void options_read(struct broker_options *o, struct broker *b, int argc, char **argv);
/* The store has so many: it remembers what nobody says. */
void options_take_store(struct broker_options *o, uint32_t workers, uint32_t message_max);
void options_say(const struct broker_options *o);                  /* logs the line with which a broker begins */
/* Why it may not listen there without --insecure. */
const char *options_exposed(const char *host);
/* does what SIGHUP and SIGUSR1 ask for, if they came */
void options_signals(struct broker_options *o, struct broker *b);
#endif
