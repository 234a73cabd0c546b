/* A request with a result, to one shard or several: subscribe, unsubscribe, and what groups are told. */
#ifndef CHANGE_H
#define CHANGE_H
#include "api/handle.h"

/* What is asked of the shards in the bit set `shards`. number: of each one's request. data: a payload, or NULL.
 * group_hash: of LEAVE */
struct change {
	int type;
	unsigned flags;
	const char *name;
	size_t len;
	const void *data;
	uint32_t data_len;
	uint64_t group_hash;
	uint64_t shards;
	uint64_t number[SHARDS_MAX];
};
/* Sends it and waits for all results. 0: a shard had something to do; MOM_EEXIST or MOM_ENOTSUB: none had; else the
 * first failure. */
int change_send(struct handle *h, struct change *c);
#endif
