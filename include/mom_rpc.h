/* Remote calls over MOM: a program asks a service by its name, wherever it runs, and gets the answer as if it had
 * called a function.
 *
 * The server, one that adds:
 *
 *     static int sum(struct mom_request *q, void *with)
 *     {
 *         int64_t a = mom_get_i64(&q->args), b = mom_get_i64(&q->args);
 *         if (a > 1000000) return mom_raise(q, 7, "%lld is too much for me", (long long)a);
 *         mom_put_i64(&q->reply, a + b);
 *         return 0;
 *     }
 *     struct mom_server *s = mom_server_create();
 *     if (s == NULL || mom_serve(s, "sum", sum, NULL) < 0) return puts(mom_error_text(-1)), 1;
 *     while (mom_serve_one(s, -1) == 0)
 *         ;
 *
 * Its caller; what packs the arguments and unpacks the answer is called a stub (src/examples/rpc has one):
 *
 *     unsigned char bytes[16];
 *     struct mom_writer w;
 *     struct mom_reader r;
 *     mom_writer_init(&w, bytes, sizeof bytes);
 *     mom_put_i64(&w, 2), mom_put_i64(&w, 40);
 *     int e = mom_call(id, "sum", &w, &r, 5000, MOM_AT_MOST_ONCE);
 *     if (e) printf("%d: %s\n", e, mom_error_text(id));      // e > 0: raised by the procedure, 7 here
 *     else printf("%lld\n", (long long)mom_get_i64(&r));
 *
 * How it travels, for who wants to look on or to speak it in another language (mom_coding.h; every field of mom_rpc's
 * messages is written there):
 *     rpc/service/NAME   who serves NAME?  u8 1, u8 0, u64 caller, u64 number, string8 topic for the answer, string8
 *                        NAME
 *     rpc/at/ID          a server's requests, ID its global id in 16 digits: u8 2, u8 mode, u64 caller, u64 number,
 *                        string8 topic for the answer, string8 NAME, then the arguments
 *     rpc/reply/ID       a caller's answers: u8 32, u64 number, i32 code (0, MOM_E* or the procedure's), string16 text,
 *                        then the result; and to the question who serves: u8 33, u64 number, string8 topic for requests
 * A caller asks once who serves a name, and talks to the server that answers first for as long as that lives: several
 * servers of a name share its callers. All goes as MOM_FAST, with MOM_NEED_SUBSCRIBER: where nobody serves, a call
 * fails at once.
 *
 * One handle and one server is used by one thread at a time, different ones freely. */
#ifndef MOM_RPC_H
#define MOM_RPC_H

#include <mom.h>
#include <mom_coding.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOM_SERVICE_MAX 200      /* bytes of a service's name: it is part of a topic, so the same letters are allowed */
#define MOM_RAISED_MAX  255      /* bytes of an error's text */

/* How often a procedure is executed for one call, also where messages are lost or doubled, and servers die. It says
 * which calls may be made again by the library: MOM itself loses nothing, but a server may die with a request in its
 * hand, and relays or bridges may lose and double. */
enum mom_call_mode {
	/* 0 times or once: one request, no second try. For what is of no use later, such as a reading */
	MOM_MAYBE         = 0,
	/* once or more: asked again, of another server too, until an answer comes. For what may be done twice: reads,
	 * sums */
	MOM_AT_LEAST_ONCE = 1,
	/* once where the call returns 0 or a procedure's error: asked again; the server filters, and sends the kept
	 * answer once more */
	MOM_AT_MOST_ONCE  = 2
};

/* ---- the caller ---- */

/* Call a procedure and wait for what it answers. id: any handle; its own subscriptions and messages are left alone (the
 * first call makes a second client, through MOM_RUN as it is then, that has the answers' topic for as long as the
 * handle lives). service: 1 to MOM_SERVICE_MAX bytes. request: the arguments, NULL: none. reply: set to read the
 * result, which stays valid until the handle's next call or close; NULL: not wanted. timeout_ms: -1 for ever; a lost
 * message costs a retry (mom_call_retry), not the call. mode: enum mom_call_mode. Returns 0: executed, the result is in
 * *reply.
 *   > 0: the procedure raised this error; mom_error_text(id) is its text. It counts as executed.
 *   MOM_ENOSUBSCRIBER: nobody serves this name, at once: not executed.
 *   MOM_ETIMEDOUT: no answer in time, or the server ended before it answered (the text says which). Whether it was
 *   executed is not known, it may even be later; with MOM_MAYBE and MOM_AT_MOST_ONCE not more than once.
 *   MOM_EINVAL: an argument is wrong, or the procedure could not read its arguments; MOM_ETOOBIG: request or reply does
 *   not fit, or the request's writer had failed (nothing was sent); MOM_ETOPIC: no name for a service; MOM_EPROTO: the
 *   answer is none of ours. And what mom_create and mom_publish return. A signal or mom_wake does not end a call.
 *     int e = mom_call(id, "sum", &w, &r, 5000, MOM_AT_MOST_ONCE); */
int mom_call(int id, const char *service, const struct mom_writer *request, struct mom_reader *reply, int timeout_ms,
    unsigned mode);

/* How long this handle's calls wait before they ask again, in milliseconds: 1 or more, 500 at the start. It doubles
 * with every try, up to eightfold. Returns 0, MOM_EINVAL, or as mom_create.
 *     mom_call_retry(id, 50); */
int mom_call_retry(int id, int retry_ms);

/* ---- the server ---- */

struct mom_server;

/* What a procedure gets. Pointers into args are valid until the procedure returns. */
struct mom_request {
	const char *service;           /* its name; of an object: the method's */
	/* global id of the client that calls: one and the same over all calls of a handle */
	uint64_t caller;
	struct mom_reader args;        /* the arguments */
	struct mom_writer reply;       /* for the result: up to the largest payload of 1 MiB less some bytes */
	struct mom_server *server;
	struct mom_call_state *state;  /* the library's */
};

/* Executes a call. Returns 0: q->reply is the result; or what mom_raise or mom_defer returned. Where it returns 0 but
 * its arguments were not there (mom_reader_failed) or its result did not fit, the caller gets MOM_EINVAL or MOM_ETOOBIG
 * instead. Any other number greater than 0 is an error without a text; one below 0 (say a MOM_E* of a call it made
 * itself) arrives as 1, with a text that tells it. It may call others (through another handle than this server's),
 * publish, take its time: the server's other callers wait. */
typedef int (*mom_procedure)(struct mom_request *q, void *with);

/* A server with a client of its own, which serves nothing yet. NULL: mom_error_text(-1) says why (as mom_create).
 *     struct mom_server *s = mom_server_create(); */
struct mom_server *mom_server_create(void);

/* Serve a name by a procedure, which gets `with`. From the return on callers find it; it is executed inside
 * mom_serve_one. Returns 0, MOM_EEXIST (this server has that name already), MOM_EINVAL, MOM_ETOPIC, MOM_ELIMIT (no
 * memory), or as mom_subscribe; the text is the thread's: mom_error_text(-1).
 *     mom_serve(s, "sum", sum, NULL); */
int mom_serve(struct mom_server *s, const char *service, mom_procedure procedure, void *with);

/* Wait for the next message and do what it asks: execute a procedure, and answer. timeout_ms: -1 for ever, 0 only
 * looks. Returns 0: there was one; and as mom_receive: MOM_ETIMEDOUT, MOM_EINTR (mom_wake(mom_server_id(s)) or a
 * signal), MOM_EBADID (the broker forgot this server as its machine was away for too long: destroy it and make a new
 * one), MOM_EPROTO, MOM_EFORK, MOM_EINVAL. MOM_EFULL tells once that requests were lost, as too many had waited; it
 * goes on serving. The text is mom_error_text(mom_server_id(s)). In an event loop:
 *     struct pollfd p[2] = { { mom_fd(mom_server_id(s)), POLLIN, 0 }, { socket, POLLIN, 0 } };
 *     while (poll(p, 2, mom_server_wait_ms(s)) >= 0) {
 *         while (mom_serve_one(s, 0) == 0) ;
 *         if (p[1].revents) serve(socket);
 *     } */
int mom_serve_one(struct mom_server *s, int timeout_ms);

/* How long an event loop may wait before it calls mom_serve_one though nothing came: milliseconds, -1: for ever (a
 * server without objects).
 *     poll(p, 2, mom_server_wait_ms(s)); */
int mom_server_wait_ms(struct mom_server *s);

/* The server's own handle: for mom_fd, mom_wake, mom_error_text, and to publish with. Do not receive from it,
 * subscribe, or call with it.
 *     mom_publish(mom_server_id(s), "news", "hello", 5, 0); */
int mom_server_id(const struct mom_server *s);

/* End it: callers get MOM_ENOSUBSCRIBER from now on, or where their request was here already MOM_ETIMEDOUT. Returns as
 * mom_destroy. NULL is fine.
 *     mom_server_destroy(s); */
int mom_server_destroy(struct mom_server *s);

/* Raise an error, for the procedure to return. code: 1 or more, the procedure's own; the text is cut at MOM_RAISED_MAX
 * bytes. What is in q->reply is not sent. Returns code (a code below 1 is taken as 1).
 *     return mom_raise(q, 7, "%lld is too much for me", (long long)a); */
int mom_raise(struct mom_request *q, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- answers that come later ---- */

/* A call that is answered later: keep it by value until then. Do not look inside. */
struct mom_later {
	uint64_t caller, number;
	unsigned mode;
	char topic[MOM_TOPIC_MAX + 1];
};

/* Put the answer off. The procedure returns what this returns, the server goes on with others, the caller waits: long
 * polling. With MOM_AT_MOST_ONCE what the caller sends again meanwhile is not executed.
 * The arguments are gone when the procedure has returned: copy what is needed. Not for methods of objects: there it is
 * an error.
 *     return mom_defer(q, &later); */
int mom_defer(struct mom_request *q, struct mom_later *later);

/* Answer it now, once: code 0 and the result (NULL: empty), or an error's code above 0 and text (NULL: none). The
 * caller may have given up by then, that is no error. Returns 0, MOM_ETOOBIG, MOM_EINVAL, or as mom_publish with
 * MOM_ASYNC.
 *     mom_answer(s, &later, &w, 0, NULL); */
int mom_answer(struct mom_server *s, const struct mom_later *later, const struct mom_writer *reply, int code,
    const char *text);

#ifdef __cplusplus
}
#endif
#endif
