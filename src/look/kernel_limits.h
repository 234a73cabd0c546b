/* What the kernel allows of System V objects, and how much of it is in use: for `mom limits`, `mom doctor` and the
 * status page. */
#ifndef KERNEL_LIMITS_H
#define KERNEL_LIMITS_H
#include <stdint.h>

enum kernel_limit_kind { KERNEL_MSGMNI, KERNEL_SHMMNI, KERNEL_SHMALL, KERNEL_SHMMAX, KERNEL_SEMMNI, KERNEL_SEMMNS,
    KERNEL_LIMITS };

struct kernel_limit {
	const char *name;             /* of the setting: "kernel.msgmni" */
	const char *what;             /* "queues" */
	const char *need;             /* what we need of it: "one a worker and machine of a broker, two a daemon" */
	const char *raise;            /* the command that makes it large enough for everything */
	uint64_t most, used;          /* used: by all programs; UINT64_MAX: not counted */
	uint64_t cap;                 /* more than this is of no use, or not possible */
};

/* Fills in all of them. -1: errno; the kernel does not tell */
int kernel_limits(struct kernel_limit limit[KERNEL_LIMITS]);
#endif
