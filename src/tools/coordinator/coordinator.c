/* coordinator - what the parts of mom_coordinator share: its state, publishing, questions about the others; see
 * coordinator.h */
#include "base/log_peer.h"
#include "tools/coordinator/coordinator.h"

struct coordinator co = { .id = -1, .alive_ms = 1000, .missed = 5 };

/* What cannot be published now means that this client is none any more: begin anew, with the state of who goes on. */
int
coordinator_publish(const char *topic, const void *bytes, size_t len, unsigned flags)
{
	int e = mom_publish(co.id, topic, bytes, len, flags | MOM_ASYNC);
	if (e && e != MOM_ETIMEDOUT) {
		log_peer(LOG_FROM_WARN, 0, "%s: %s", topic, mom_error_text(co.id));
		co.must_begin_anew |= e == MOM_EBADID || e == MOM_EPROTO || e == MOM_EAGAIN;
	}
	return e;
}

struct peer *
member_find(uint64_t id)
{
	for (size_t i = 0; i < co.member_count; i++)
		if (co.members[i].id == id)
			return &co.members[i];
	return NULL;
}

int
member_rank(int group)
{
	uint64_t own = holder_weight(co.name, co.global, group);
	int heavier = 0;
	for (size_t i = 0; i < co.member_count; i++)
		heavier += co.members[i].is_known && holder_weight(co.members[i].name, co.members[i].id, group) > own;
	return heavier;
}

int
members_hold(int group)
{
	for (size_t i = 0; i < co.member_count; i++)
		if (co.members[i].held >> group & 1)
			return 1;
	return 0;
}
