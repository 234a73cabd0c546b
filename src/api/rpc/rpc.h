/* What callers and servers of remote calls share: messages, kept answers, and the caller that belongs to a handle.
 * mom_rpc.h has the bytes. */
#ifndef API_RPC_H
#define API_RPC_H
#include "api/caller.h"
#include "base/map.h"
#include <mom_rpc.h>

enum rpc_kind {
	/* to a server */
	RPC_WHO = 1, RPC_REQUEST = 2, RPC_METHOD = 3, RPC_HOLD = 4, RPC_RELEASE = 5, RPC_ADOPT = 6, RPC_ADOPTED = 7,
	RPC_COMMIT = 8, RPC_CANCEL = 9, RPC_ALIVE = 10, RPC_GONE = 11,
	/* to a caller */
	RPC_ANSWER = 32, RPC_HERE = 33, RPC_MOVED = 34
};
enum {
	RPC_ID_TOPIC     = 40,             /* rpc/reply/ and 16 digits fit */
	RPC_HEAD_MOST    = 2 + 16 + 2 * 256,
	RPC_ANSWER_HEAD  = 1 + 8 + 4 + 2,  /* before the result, if there is no text */
	RPC_CODE_LEAST   = -255,           /* enum mom_error may grow: a server may be newer than its caller */
	RPC_RETRY_MS     = 500,            /* a lost message is rare: MOM loses none */
	RPC_RETRY_FOLD   = 8,
	/* If nobody has asked again for an answer by then, nobody will: with mom_call_retry as it is at the start,
	 * retries come each 4 s at most. */
	KEPT_ANSWER_MS   = 60000,
	/* 48 bytes a caller; copies of its requests may wait for as long as an outage */
	KEPT_NUMBER_MS   = 24 * 3600000,
	KEPT_SWEEP_MS    = 10000
};

/* ---- rpc_wire.c ---- */

/* The head of every message to a server. */
struct rpc_head {
	uint8_t kind, mode;
	uint64_t caller, number;
	/* topic: for the answer; name: of the service or method */
	char topic[MOM_TOPIC_MAX + 1], name[MOM_TOPIC_MAX + 1];
};
void rpc_head_put(struct mom_writer *w, const struct rpc_head *head);
int  rpc_head_get(struct rpc_head *head, struct mom_reader *r);        /* 0, or -1: none of ours */

struct rpc_answer {
	uint8_t kind;
	uint64_t number;
	int code;
	char text[MOM_RAISED_MAX + 1];
	struct mom_reader result;
};
void rpc_answer_put(struct mom_writer *w, unsigned kind, uint64_t number, int code, const char *text);
int  rpc_answer_get(struct rpc_answer *a, const struct mom_message *m);
/* Publishes; once more if the first try only told of earlier losses. */
int  rpc_publish(int id, const char *topic, const struct mom_writer *w, unsigned flags);

/* ---- kept.c: what was executed for whom. A caller has one call at a time, so its last number and answer are enough.
 * ---- */

struct kept_call {
	uint64_t caller, number;
	int64_t used_ms;
	uint32_t len;
	unsigned char *answer;         /* the whole message; NULL: not answered yet, or not kept any more */
};
struct kept { struct map calls; int64_t swept_ms; };
enum kept_verdict { KEPT_NEW, KEPT_AGAIN, KEPT_OLD, KEPT_NO_MEMORY };

/* KEPT_NEW: noted, execute it. KEPT_AGAIN: *call is what was noted. KEPT_OLD: the caller has gone on since. */
enum kept_verdict kept_take(struct kept *k, uint64_t caller, uint64_t number, int64_t now_ms, struct kept_call **call);
/* If there is no memory for the answer, it is not kept. */
void kept_answer(struct kept *k, uint64_t caller, uint64_t number, const void *answer, size_t len);
void kept_sweep(struct kept *k, int64_t now_ms);
void kept_free(struct kept *k);
void kept_save(const struct kept *k, struct mom_writer *w);
/* 0, or -1: no memory, or not what kept_save wrote */
int  kept_load(struct kept *k, struct mom_reader *r, int64_t now_ms);

/* ---- call.c ---- */

struct binding { struct binding *next; char topic[MOM_TOPIC_MAX + 1], service[]; };
struct hold { struct hold *next; char ref[]; };

struct rpc_caller {
	struct caller of;
	int retry_ms;
	unsigned char *out;
	size_t room;
	struct binding *bindings;
	struct hold *holds;            /* objects that the handle holds; see hold.c */
	void (*holds_end)(struct rpc_caller *c);     /* frees them */
	int64_t beat_ms;
	uint32_t lease_ms;
	int has_will;
};
int rpc_caller_of(int id, struct rpc_caller **c);        /* 0, or MOM_E* with its text */

struct call {
	struct rpc_head head;
	const struct mom_writer *request;
	int64_t deadline;
	int sent;                      /* how many copies of it may have arrived */
	struct rpc_answer answer;
};
/* Fills in all of k. Its request: none. */
void call_begin(struct rpc_caller *c, struct call *k, unsigned kind, unsigned mode, const char *name, int64_t deadline);
/* Sends it to that topic until an answer comes. 0: there is one; else MOM_ENOSUBSCRIBER, MOM_ETIMEDOUT ... */
int call_exchange(struct rpc_caller *c, struct call *k, const char *topic);
/* the result of the answer that came */
int call_result(struct rpc_caller *c, struct call *k, struct mom_reader *reply);
int call_request_fault(struct rpc_caller *c, const struct mom_writer *request, int timeout_ms, unsigned mode);

/* ---- serve.c, answer.c ---- */

struct service { mom_procedure procedure; void *with; char name[]; };

struct mom_server {
	int id;
	uint64_t global_id;
	char place[RPC_ID_TOPIC];              /* its own topic */
	struct map services;
	struct kept kept;
	struct map objects, types, alive;      /* objects by topic; types by name; struct object_holder by id */
	uint64_t exported, moves;
	/* Time in which we could have heard holders. It goes on with our own ALIVE messages that come back. */
	int64_t heard_ms;
	int64_t echo_ms, beat_ms;              /* when our last ALIVE came back, and was sent; 0: never */
	int lease_ms;
	unsigned char *out;                    /* an answer: the head, then what the procedure writes */
	size_t room;
};
struct mom_call_state { struct mom_server *server; struct mom_later later; struct kept *kept; void *with; int code,
    is_deferred; char text[MOM_RAISED_MAX + 1]; };

/* Executes what was not executed before, by `procedure`, and answers; else it answers once more. */
void serve_request(struct mom_server *s, struct kept *kept, const struct rpc_head *head, const struct mom_reader *args,
    mom_procedure procedure, void *with);
/* An answer without a procedure. A code below 0 is the library's. The answer is not kept. */
void serve_answer(struct mom_server *s, const struct rpc_head *head, unsigned kind, int code, const char *text);
#endif
