/* The client of its own that a handle has for answers: of servers (mom_rpc.h), or of coordinators (mom_resource.h). The
 * first call makes it, and it ends with the handle. */
#ifndef CALLER_H
#define CALLER_H
#include "api/handle.h"

struct caller {
	struct handle *owner;                 /* our errors go to its text */
	int id, is_broken;                    /* is_broken: the next call makes a new one */
	uint64_t number;                      /* of its last request */
	char topic[40];                       /* answers come here */
	void (*end)(struct caller *c);        /* for the handle, where it ends */
	void (*end_rest)(struct caller *c);   /* frees what the struct that begins with a caller has; or NULL */
};

struct caller_make {
	size_t bytes;                         /* of the struct that begins with a caller; its rest is 0 at first */
	const char *topic, *what;             /* the topic up to the id; "remote calls" */
	void (*end_rest)(struct caller *c);
};

/* Found or made. 0, or MOM_E* with its text. */
int caller_of(int id, enum caller_kind kind, const struct caller_make *make, struct caller **c);
/* What the caller's own client was told becomes the owner's text, behind `about`. Returns code. */
int caller_fail(struct caller *c, int code, const char *about);
/* Takes messages until `is_it` says 1: 0. Else MOM_ETIMEDOUT, MOM_EINTR, or what mom_receive says. until: by clock_ms;
 * -1: for ever. */
int caller_hear(struct caller *c, int64_t until, int (*is_it)(void *with, const struct mom_message *m), void *with);
#endif
