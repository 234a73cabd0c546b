/* A store looked at from outside: where it is, what it is made of, its logs. For peek, check and backup; nothing here
 * writes to it. */
#ifndef CMD_SHARDS_H
#define CMD_SHARDS_H
#include "log/seglog.h"
#include "tools/mom/cmd.h"
#include <stdio.h>

/* Of --db DIR, or where given is NULL of the broker that runs on this machine, or else what broker.conf names (db): the
 * path, which *dir is opened on. Ends the program where there is none. */
const char *store_find(const struct cmd *c, const char *given, int *dir);
/* Workers that it was made with, from its file `store`; 0: there is no such file; -1: errno, EBADMSG: it is none of
 * ours. */
int store_shards(int dir);
int store_shard_open(int dir, int shard);

/* What a check of one log finds. */
struct store_log {
	unsigned long long records, messages, bytes, files;
	uint64_t last;                     /* offset behind its last record */
	int bad;                           /* damage: lines say where */
};
/* Reads a whole store or spool; complaints go to out, and where talk, a line a log. CMD_OK or CMD_FAILED; total: of all
 * shards */
int store_check(const struct cmd *c, int dir, const char *path, FILE *out, int talk, struct store_log *total);

#endif
