/* look_processes - see look_processes.h */
#include "look/look_processes.h"
#include "base/proc.h"
#include <stdio.h>

/* Pages of connection slots that nobody ever had are not looked at: a first look would take memory for them, and there
 * are thousands. */
uint32_t
look_pages(const struct look_server *s)
{
	if (s->counters == NULL)
		return 0;
	uint32_t used = s->is_broker ? COUNTERS_HANDLER(s->counters->shards, s->broker ? atomic_load(&s->broker->conns)
	    : 0) : s->counters->pages;
	return used < s->counters->pages ? used : s->counters->pages;
}

uint64_t
flow_of(const struct counters *c, enum flow f)
{
	switch (f) {
	case FLOW_IN:       return counters_get(c, COUNT_MESSAGES_IN);
	case FLOW_BYTES_IN: return counters_get(c, COUNT_BYTES_IN);
	case FLOW_OUT:      return counters_get(c, COUNT_MESSAGES_OUT) + counters_get(c, COUNT_COPIES);
	default:            return counters_get(c, COUNT_BYTES_OUT);
	}
}

double
flow_rate(uint64_t now, uint64_t before, double seconds)
{
	return now >= before && seconds > 0 ? (double)(now - before) / seconds : 0;
}

int
look_process(const struct look_server *s, uint32_t page, struct look_process *p)
{
	const struct counters *c = page < look_pages(s) ? counters_page(s->counters, page) : NULL;
	if (c == NULL)
		return -1;
	uint32_t role = atomic_load(&c->role), shards = s->counters->shards;
	*p = (struct look_process){ .counters = c, .role = (enum counter_role)role,
	    .pid = (pid_t)atomic_load(&c->pid), .shard = -1, .slot = -1 };
	if (role == ROLE_NONE || role >= COUNTER_ROLES)
		return 0;
	if (role == ROLE_WORKER)
		p->shard = (int)page - (int)COUNTERS_WORKER(0);
	if (role == ROLE_HANDLER || role == ROLE_SENDER) {
		p->slot = ((int)page - (int)COUNTERS_HANDLER(shards, 0)) / 2;
		p->machine = atomic_load(&c->owner);
	}
	return 1;
}

int
look_stopped(const struct look_server *s, uint32_t *page, struct look_process *p)
{
	for (int there; (there = look_process(s, (*page)++, p)) >= 0;)
		if (there && proc_is_stopped(p->pid, counters_role_name(p->role)))
			return 1;
	return 0;
}

void
look_process_name(const struct look_process *p, char *text, size_t n)
{
	const char *role = counters_role_name(p->role);
	if (p->shard >= 0)
		snprintf(text, n, "%s shard %d", role, p->shard);
	else if (p->slot >= 0)
		snprintf(text, n, "%s machine %u", role, p->machine);
	else
		snprintf(text, n, "%s", role);
}
