/* desk - what pusher and consumer have in common: a page on a loopback port where entries of one kind are written and
 * those of another appear */
#ifndef DESK_H
#define DESK_H

#include "entry.h"

struct desk {
	const char *name;                      /* of the program, of its durable client, of its keys in news.conf */
	const char *path, *page;               /* "/news", and the HTML that is there */
	const struct entry_kind *writes, *reads;
};

/* Runs until SIGTERM or SIGINT: main's body. */
int desk_main(const struct desk *d, int argc, char **argv);
#endif
