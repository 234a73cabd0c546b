/* witness - what witness.so writes down of the system calls of a run, for trial.c to judge
 *
 *     LD_PRELOAD=witness.so MOM_WITNESS=FILE broker_server ...
 *
 * Every process appends deeds to one file, opened with O_APPEND. So the order of the file is the order of the deeds of
 * all processes. A deed stands there before the call that it tells of begins, or after that call has returned. One
 * that is killed in between leaves the first and not the second, and that is the truth. Roles:
 *   worker, mom_forwarder   what they do to segments and check-points, and what their words in shared memory say then
 *   mom_requester           who uses which slot, and which places it tells: read from the frames that it sends
 *   broker_sender           what it answers: read from the frames that it sends */
#ifndef WITNESS_H
#define WITNESS_H
#include <stdint.h>

enum deed_kind {
	DEED_OPEN = 1,         /* file, dir, from, a: its name; b = 1: made or emptied by that */
	DEED_WRITE, DEED_WROTE,        /* begin: file, a at, b bytes; end: a result */
	DEED_RECORD,           /* a record of that write: file, dir where in the file, a publisher (ENTRY: recipient),
	                        * b number, c offset, shard, type, flags, topic */
	DEED_HEADER,           /* of that write: a new segment's header; a base */
	DEED_CHECKPOINT,       /* of that write: a check-point's header; a: as of */
	DEED_UNKNOWN,          /* of that write: bytes at a, b of them, that are no whole records */
	DEED_TRUNCATED,        /* end: file, a bytes */
	DEED_SYNC, DEED_SYNCED,        /* begin; end: a the result. Of a file, or of a folder */
	DEED_RENAME, DEED_RENAMED,     /* begin: dir, from and a, to and b; end: c the result */
	DEED_UNLINK,           /* begin: dir, from, a */
	DEED_ACKED,            /* the worker's word: a serial, b slot, c number, shard */
	DEED_HEAD,             /* the worker's word: c offset, shard: what lies below may be shown */
	DEED_ANSWER,           /* a frame leaves: a serial, b slot, c number, shard, type: answer kind */
	DEED_ASKED,            /* a frame leaves: a publisher, b slot, c number, shard, type; the first, or DESTROY */
	DEED_PLACE             /* the forwarder's word, or a frame leaves: a serial, c offset, shard */
};
enum deed_role {
	ROLE_OTHER,
	ROLE_WORKER_PROCESS,
	ROLE_FORWARDER_PROCESS,
	ROLE_REQUESTER_PROCESS,
	ROLE_SENDER_PROCESS
};

/* names that count: log-X, log-X.new, spare-X.new, checkpoint, checkpoint.new; X is a number */
enum deed_name { NAME_NONE, NAME_LOG, NAME_LOG_NEW, NAME_SPARE, NAME_CHECKPOINT, NAME_CHECKPOINT_NEW };

struct deed {
	uint32_t pid;
	uint8_t  kind, type;
	uint16_t shard;
	uint64_t file, dir, a, b, c;
	uint16_t flags;
	uint8_t  from, to, role, spare[3];
	uint32_t topic, spare2;
};
_Static_assert(sizeof(struct deed) == 64, "a deed must not lie on two pages of the file");

static inline uint32_t
deed_topic(const char *name, uint32_t n)
{
	uint32_t h = 2166136261u;
	for (uint32_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)name[i]) * 16777619u;
	return h;
}
#endif
