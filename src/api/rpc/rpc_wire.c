/* rpc_wire - the messages of remote calls, put and got: see mom_rpc.h */
#include "api/rpc/rpc.h"
#include <string.h>

void
rpc_head_put(struct mom_writer *w, const struct rpc_head *head)
{
	mom_put_u8(w, head->kind);
	mom_put_u8(w, head->mode);
	mom_put_u64(w, head->caller);
	mom_put_u64(w, head->number);
	mom_put_string8(w, head->topic);
	mom_put_string8(w, head->name);
}

int
rpc_head_get(struct rpc_head *head, struct mom_reader *r)
{
	head->kind = mom_get_u8(r);
	head->mode = mom_get_u8(r);
	head->caller = mom_get_u64(r);
	head->number = mom_get_u64(r);
	mom_get_string8(r, head->topic, sizeof head->topic);
	mom_get_string8(r, head->name, sizeof head->name);
	return mom_reader_failed(r) || head->kind < RPC_WHO || head->kind > RPC_GONE ||
	    head->mode > MOM_AT_MOST_ONCE ? -1 : 0;
}

void
rpc_answer_put(struct mom_writer *w, unsigned kind, uint64_t number, int code, const char *text)
{
	mom_put_u8(w, (uint8_t)kind);
	mom_put_u64(w, number);
	mom_put_u32(w, (uint32_t)code);
	mom_put_string16(w, text);
}

int
rpc_answer_get(struct rpc_answer *a, const struct mom_message *m)
{
	struct mom_reader r;
	mom_reader_init(&r, m->data, m->len);
	a->kind = mom_get_u8(&r);
	a->number = mom_get_u64(&r);
	if (a->kind == RPC_HERE) {                     /* code and text stay out of it */
		a->code = 0;
		a->text[0] = '\0';
	} else {
		a->code = (int)mom_get_u32(&r);
		mom_get_string16(&r, a->text, sizeof a->text);
	}
	if (mom_reader_failed(&r) || m->flags & MOM_GAP || a->kind < RPC_ANSWER || a->kind > RPC_MOVED ||
	    a->code < RPC_CODE_LEAST)
		return -1;
	mom_reader_init(&a->result, r.bytes + r.at, mom_reader_left(&r));
	return 0;
}

int
rpc_publish(int id, const char *topic, const struct mom_writer *w, unsigned flags)
{
	int e = mom_publish(id, topic, w->bytes, w->len, flags | MOM_FAST);
	return e == MOM_ELOST ? mom_publish(id, topic, w->bytes, w->len, flags | MOM_FAST) : e;
}
