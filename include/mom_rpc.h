/* Remote calls over MOM. A program calls a service by its name, wherever the service runs, and gets the answer as if it
 * had called a function.
 *
 * A server that adds:
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
 * Its caller. The code that packs the arguments and unpacks the answer is called a stub (src/examples/rpc has one):
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
 * The messages, for those who want to watch them or to speak them in another language. Every field is written as
 * mom_coding.h says:
 *     rpc/service/NAME   who serves NAME?  u8 1, u8 any mode, u64 caller, u64 number, string8 topic for the answer,
 *                        string8 NAME
 *     rpc/at/ID          a server's requests, ID its global id in 16 digits: u8 2, u8 mode, u64 caller, u64 number,
 *                        string8 topic for the answer, string8 NAME, then the arguments
 *     rpc/reply/ID       a caller's answers: u8 32, u64 number, i32 code (0, MOM_E* or the procedure's), string16 text,
 *                        then the result; and to the question who serves: u8 33, u64 number, string8 topic for requests
 * A caller asks once who serves a name. It then talks to the server that answered first, for as long as that server
 * lives. So several servers of one name share its callers. All messages are published with MOM_FAST. Questions and
 * requests also have MOM_NEED_SUBSCRIBER: if nobody serves the name, a call fails at once.
 *
 * Only one thread at a time may use a handle or a server; different ones may be used at the same time. */
#ifndef MOM_RPC_H
#define MOM_RPC_H

#include <mom.h>
#include <mom_coding.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOM_SERVICE_MAX 200      /* bytes of a service's name; a topic contains it, so the same letters are allowed */
#define MOM_RAISED_MAX  255      /* bytes of an error's text */

/* How often a procedure is executed for one call, even if messages are lost or doubled, or servers die. The mode says
 * whether the library may ask again. MOM itself loses nothing. But a server may die while it has a request, and relays
 * or bridges may lose and double messages. */
enum mom_call_mode {
	/* Never or once: there is one request and no second try. For results that are of no use later, such as a
	 * reading. */
	MOM_MAYBE         = 0,
	/* Once or more: the library asks again, another server too, until an answer comes. For what may be done twice,
	 * such as reads and sums. */
	MOM_AT_LEAST_ONCE = 1,
	/* Once if the call returns 0 or a procedure's error, else never or once. The library asks again. The server
	 * recognises the repetition and sends the answer that it has kept. */
	MOM_AT_MOST_ONCE  = 2
};

/* ---- the caller ---- */

/* Call a procedure and wait for its answer. id: any handle. Its own subscriptions and messages are left alone, since
 * the first call makes a second client, through MOM_RUN as it is then. The second client subscribes to the topic for
 * answers and lives as long as the handle. service: 1 to MOM_SERVICE_MAX bytes. request: the arguments; NULL: none.
 * reply: is set to read the result, which stays valid until the handle's next call or close; NULL: not wanted.
 * timeout_ms: -1 waits for ever; a lost message costs a retry (mom_call_retry), not the call. mode: enum mom_call_mode.
 * Returns 0: executed, the result is in *reply.
 *   > 0: the procedure raised this error; mom_error_text(id) is its text. It counts as executed.
 *   MOM_ENOSUBSCRIBER: nobody serves this name. It is told at once, and nothing was executed.
 *   MOM_ETIMEDOUT: no answer came in time, or the server ended before it answered (the text says which). Whether the
 *   call was executed is not known; it may even be executed later. With MOM_MAYBE and MOM_AT_MOST_ONCE this is not more
 *   than once.
 *   MOM_EINVAL: an argument is wrong, or the procedure could not read its arguments; MOM_ETOOBIG: request or reply does
 *   not fit, or the request's writer had failed (nothing was sent); MOM_ETOPIC: this cannot be a service's name;
 *   MOM_EPROTO: the answer is none of ours. And what mom_create and mom_publish return. A signal or mom_wake does not
 *   end a call.
 *     int e = mom_call(id, "sum", &w, &r, 5000, MOM_AT_MOST_ONCE); */
int mom_call(int id, const char *service, const struct mom_writer *request, struct mom_reader *reply, int timeout_ms,
    unsigned mode);

/* Set how long this handle's calls wait before they ask again, in milliseconds: 1 or more, 500 at the start. The time
 * doubles with every try, up to eight times the first. Returns 0, MOM_EINVAL, or as mom_create.
 *     mom_call_retry(id, 50); */
int mom_call_retry(int id, int retry_ms);

/* ---- the server ---- */

struct mom_server;

/* What a procedure gets. Pointers into args are valid until the procedure returns. */
struct mom_request {
	const char *service;           /* name of the service; for an object: of the method */
	/* Global id of the client that calls: the second client that mom_call makes for a handle. So it is the same for
	 * all calls of a handle, unless the second client had to be made anew (after MOM_EBADID or MOM_EPROTO). */
	uint64_t caller;
	struct mom_reader args;        /* the arguments */
	struct mom_writer reply;       /* for the result: at most 1 MiB less some bytes */
	struct mom_server *server;
	struct mom_call_state *state;  /* the library's */
};

/* A procedure executes a call. It returns 0 (q->reply is the result), or what mom_raise or mom_defer returned. If it
 * returns 0 although its arguments were not there (mom_reader_failed), the caller gets MOM_EINVAL; if the result did
 * not fit, the caller gets MOM_ETOOBIG. Any other number above 0 is an error without a text. A number below 0 (say a
 * MOM_E* of a call that the procedure made itself) arrives as 1, with a text that tells it. The procedure may call
 * other services (through another handle than this server's), publish, and take its time; the server's other callers
 * wait meanwhile. */
typedef int (*mom_procedure)(struct mom_request *q, void *with);

/* Make a server with a client of its own. It serves nothing yet. NULL: mom_error_text(-1) says why (as mom_create).
 *     struct mom_server *s = mom_server_create(); */
struct mom_server *mom_server_create(void);

/* Serve a name with a procedure. The procedure gets `with`, and is executed inside mom_serve_one. Once this has
 * returned, callers find the name. Returns 0, MOM_EEXIST (this server has that name already), MOM_EINVAL, MOM_ETOPIC,
 * MOM_ELIMIT (no memory), or as mom_subscribe. The text is the thread's: mom_error_text(-1).
 *     mom_serve(s, "sum", sum, NULL); */
int mom_serve(struct mom_server *s, const char *service, mom_procedure procedure, void *with);

/* Wait for the next message and do what it asks: execute a procedure, and answer. timeout_ms: -1 waits for ever, 0 only
 * looks. Returns 0: there was a message; else as mom_receive: MOM_ETIMEDOUT, MOM_EINTR (mom_wake(mom_server_id(s)) or a
 * signal), MOM_EBADID (the broker forgot this server as its machine was away for too long: destroy it and make a new
 * one), MOM_EPROTO, MOM_EFORK, MOM_EINVAL. MOM_EFULL tells once that requests were lost, since too many had waited; the
 * server goes on serving. The text is mom_error_text(mom_server_id(s)). In an event loop:
 *     struct pollfd p[2] = { { mom_fd(mom_server_id(s)), POLLIN, 0 }, { socket, POLLIN, 0 } };
 *     while (poll(p, 2, mom_server_wait_ms(s)) >= 0) {
 *         while (mom_serve_one(s, 0) == 0) ;
 *         if (p[1].revents) serve(socket);
 *     } */
int mom_serve_one(struct mom_server *s, int timeout_ms);

/* How many milliseconds an event loop may wait before it has to call mom_serve_one, even if nothing came. -1: for ever
 * (a server without objects).
 *     poll(p, 2, mom_server_wait_ms(s)); */
int mom_server_wait_ms(struct mom_server *s);

/* The server's own handle. Use it for mom_fd, mom_wake and mom_error_text, and to publish. Do not receive, subscribe or
 * call with it.
 *     mom_publish(mom_server_id(s), "news", "hello", 5, 0); */
int mom_server_id(const struct mom_server *s);

/* End the server. From now on its callers get MOM_ENOSUBSCRIBER. A caller whose request had arrived already gets
 * MOM_ETIMEDOUT. Returns as mom_destroy. s may be NULL.
 *     mom_server_destroy(s); */
int mom_server_destroy(struct mom_server *s);

/* Raise an error; the procedure has to return what this returns. code: 1 or more, the procedure's own; a code below 1
 * is taken as 1. The text is cut at MOM_RAISED_MAX bytes. What is in q->reply is not sent. Returns code.
 *     return mom_raise(q, 7, "%lld is too much for me", (long long)a); */
int mom_raise(struct mom_request *q, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- answers that come later ---- */

/* A call that is answered later. Keep a copy of the struct until then. Do not look inside. */
struct mom_later {
	uint64_t caller, number;
	unsigned mode;
	char topic[MOM_TOPIC_MAX + 1];
};

/* Put the answer off (long polling). The procedure returns what this returns. The server goes on with other calls while
 * the caller waits. With MOM_AT_MOST_ONCE, what the caller sends again meanwhile is not executed. The arguments are
 * gone when the procedure has returned: copy what is needed. In a method of an object this is an error.
 *     return mom_defer(q, &later); */
int mom_defer(struct mom_request *q, struct mom_later *later);

/* Answer a call that was put off; do it once. code 0: reply is the result (NULL: empty). code above 0: an error with
 * that code and text (NULL: none). It is no error if the caller has given up by then. Returns 0, MOM_ETOOBIG,
 * MOM_EINVAL, or as mom_publish with MOM_ASYNC.
 *     mom_answer(s, &later, &w, 0, NULL); */
int mom_answer(struct mom_server *s, const struct mom_later *later, const struct mom_writer *reply, int code,
    const char *text);

#ifdef __cplusplus
}
#endif
#endif
