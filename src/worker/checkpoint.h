/* The check-point of a shard: what is written of its state, and taken from it. See log/checkpoint_file.h */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H
#include "log/checkpoint_file.h"
#include "worker/shard.h"
int checkpoint_write(struct shard *s, uint64_t as_of);      /* the log must be synced up to as_of; -1: errno */
int checkpoint_load(struct shard *s);                       /* takes it into the state; returns as checkpoint_read */
#endif
