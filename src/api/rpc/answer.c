/* answer - a request is executed, unless it was executed before, and answered */
#include "api/rpc/rpc.h"
#include "base/clock.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFERRED = INT_MIN };                    /* what mom_defer returns */

/* ---- answers ---- */

/* w holds the whole answer. It is told to who waits, and kept where it may be asked for again. A caller that has gone
 * does not count. */
static int
server_send(struct mom_server *s, const struct mom_later *l, struct kept *kept, struct mom_writer *w)
{
	if (l->mode == MOM_AT_MOST_ONCE && kept)
		kept_answer(kept, l->caller, l->number, w->bytes, w->len);
	return rpc_publish(s->id, l->topic, w, MOM_ASYNC);
}

static int
server_send_error(struct mom_server *s, const struct mom_later *l, struct kept *kept, int code, const char *text)
{
	unsigned char bytes[RPC_ANSWER_HEAD + MOM_RAISED_MAX];
	struct mom_writer w;
	mom_writer_init(&w, bytes, sizeof bytes);
	rpc_answer_put(&w, RPC_ANSWER, l->number, code, text);
	return server_send(s, l, kept, &w);
}

void
serve_answer(struct mom_server *s, const struct rpc_head *head, unsigned kind, int code, const char *text)
{
	unsigned char bytes[RPC_ANSWER_HEAD + MOM_RAISED_MAX];
	struct mom_writer w;
	mom_writer_init(&w, bytes, sizeof bytes);
	rpc_answer_put(&w, kind, head->number, code, text);
	rpc_publish(s->id, head->topic, &w, MOM_ASYNC);
}

int
mom_raise(struct mom_request *q, int code, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	vsnprintf(q->state->text, sizeof q->state->text, format, ap);
	va_end(ap);
	q->state->code = code < 1 ? 1 : code;
	return q->state->code;
}

int
mom_defer(struct mom_request *q, struct mom_later *later)
{
	*later = q->state->later;
	q->state->is_deferred = 1;
	return DEFERRED;
}

int
mom_answer(struct mom_server *s, const struct mom_later *later, const struct mom_writer *reply, int code,
    const char *text)
{
	struct mom_writer w;
	if (code < 0)
		return handle_fail(NULL, MOM_EINVAL, "an answer's code is 0, or an error's above 0");
	if (code) {
		char cut[MOM_RAISED_MAX + 1];
		snprintf(cut, sizeof cut, "%s", text ? text : "");
		return server_send_error(s, later, &s->kept, code, cut);
	}
	size_t len = reply ? reply->len : 0;
	/* the server's own buffer may hold the answer of a procedure that is running */
	unsigned char *bytes = malloc(RPC_ANSWER_HEAD + len);
	if (bytes == NULL || (reply && mom_writer_failed(reply))) {
		free(bytes);
		server_send_error(s, later, &s->kept, MOM_ETOOBIG, "the result does not fit");
		return handle_fail(NULL, MOM_ETOOBIG, "the result does not fit into its buffer, or into memory");
	}
	mom_writer_init(&w, bytes, RPC_ANSWER_HEAD + len);
	rpc_answer_put(&w, RPC_ANSWER, later->number, 0, "");
	if (len)
		mom_put_raw(&w, reply->bytes, len);
	int e = server_send(s, later, &s->kept, &w);
	free(bytes);
	return e ? handle_fail(NULL, e, "%s", mom_error_text(s->id)) : 0;
}

/* ---- execution ---- */

/* The procedure returned r: what is said to the caller? */
static int
request_outcome_of(struct mom_request *q, int r)
{
	struct mom_call_state *st = q->state;
	if (r > 0) {
		if (st->code != r)
			st->text[0] = '\0';
		return r;
	}
	if (r < 0) {
		snprintf(st->text, sizeof st->text, "%s failed: %s", q->service, mom_strerror(r));
		return 1;
	}
	if (mom_reader_failed(&q->args)) {
		snprintf(st->text, sizeof st->text, "%s could not read its arguments: they are not what it expects",
		    q->service);
		return MOM_EINVAL;
	}
	if (mom_writer_failed(&q->reply)) {
		snprintf(st->text, sizeof st->text, "the result of %s does not fit into a message", q->service);
		return MOM_ETOOBIG;
	}
	return 0;
}

static void
request_execute(struct mom_server *s, struct mom_call_state *st, const char *name, const struct mom_reader *args,
    mom_procedure procedure, void *with)
{
	struct mom_request q = { .service = name, .caller = st->later.caller, .args = *args, .server = s, .state = st };
	struct mom_writer whole;
	st->with = with;
	mom_writer_init(&q.reply, s->out + RPC_ANSWER_HEAD, s->room - RPC_ANSWER_HEAD);
	int r = procedure(&q, with);
	if (r == DEFERRED && st->is_deferred)
		return;
	int code = request_outcome_of(&q, r);
	mom_writer_init(&whole, s->out, s->room);
	rpc_answer_put(&whole, RPC_ANSWER, st->later.number, 0, "");
	whole.len += q.reply.len;                      /* the result lies behind it already */
	int e = code ? server_send_error(s, &st->later, st->kept, code, st->text)
	    : server_send(s, &st->later, st->kept, &whole);
	if (e == MOM_ETOOBIG)
		server_send_error(s, &st->later, NULL, e, mom_error_text(s->id));
}

static void
answer_again(struct mom_server *s, const struct rpc_head *head, const struct kept_call *call)
{
	if (call->answer && head->mode == MOM_AT_MOST_ONCE)
		mom_publish(s->id, head->topic, call->answer, call->len, MOM_FAST | MOM_ASYNC);
}

void
serve_request(struct mom_server *s, struct kept *kept, const struct rpc_head *head, const struct mom_reader *args,
    mom_procedure procedure, void *with)
{
	struct mom_call_state st = { .server = s, .kept = kept, .later = { .caller = head->caller,
	    .number = head->number, .mode = head->mode } };
	struct kept_call *call = NULL;
	int is_new = head->mode == MOM_AT_LEAST_ONCE;
	snprintf(st.later.topic, sizeof st.later.topic, "%s", head->topic);
	if (!is_new) {
		switch (kept_take(kept, head->caller, head->number, clock_ms(), &call)) {
		case KEPT_NEW: is_new = 1; break;
		case KEPT_AGAIN: answer_again(s, head, call); break;
		case KEPT_OLD: break;                  /* nobody waits for it any more */
		case KEPT_NO_MEMORY: serve_answer(s, head, RPC_ANSWER, MOM_ELIMIT,
		    "the server has no memory for one more caller: not executed"); break;
		}
	}
	if (is_new)
		request_execute(s, &st, head->name, args, procedure, with);
}
