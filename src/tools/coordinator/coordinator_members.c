/* coordinator_members - which coordinators live: their signs of life and their wills, and who of them should hold which
 * group. Time is counted in our own signs of life that came back from the broker. So an outage of the broker, or of
 * this process, makes nobody look dead. */
#include "base/log_peer.h"
#include "tools/coordinator/coordinator.h"
#include <stdlib.h>
#include <string.h>

static uint64_t
groups_held(int as_primary)
{
	uint64_t bits = 0;
	for (int g = 0; g < RESOURCE_GROUPS; g++) {
		const struct place *p = &co.places[g];
		const struct unit_holder *first = p->phase == PLACE_ACTIVE ? state_primary(&p->state) : NULL;
		if (p->phase == PLACE_ACTIVE && (!as_primary || (first && first->id == co.global)))
			bits |= UINT64_C(1) << g;
	}
	return bits;
}

static size_t
sign(unsigned kind, unsigned char *bytes, size_t size)
{
	struct mom_writer w;
	mom_writer_init(&w, bytes, size);
	mom_put_u8(&w, (uint8_t)kind);
	mom_put_u64(&w, co.global);
	mom_put_string8(&w, co.name);
	mom_put_u64(&w, groups_held(0));
	mom_put_u64(&w, groups_held(1));
	mom_put_u32(&w, (uint32_t)co.alive_ms);
	return w.len;
}

void
member_say(unsigned kind)
{
	unsigned char bytes[128];
	size_t len = sign(kind, bytes, sizeof bytes);
	if (kind != ALIVE_DEAD)
		coordinator_publish(RESOURCE_ALIVE, bytes, len, MOM_FAST);
	else if (mom_will(co.id, RESOURCE_ALIVE, bytes, len) < 0)
		log_peer(LOG_FROM_WARN, 0, "no will, others notice our death by our silence only: %s",
		    mom_error_text(co.id));
}

static struct peer *
member_add(uint64_t id, const char *name)
{
	struct peer *more = realloc(co.members, (co.member_count + 1) * sizeof *more);
	if (more == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for another coordinator: see ulimit -v");
	co.members = more;
	struct peer *m = &more[co.member_count++];
	*m = (struct peer){ .id = id, .heard = co.echoes };
	memcpy(m->name, name, strlen(name) + 1);
	return m;
}

static void
member_dead(uint64_t id, const char *how)
{
	struct peer *m = member_find(id);
	if (m) {
		log_peer(LOG_FROM_INFO, id, "coordinator %s (%016llx) %s", m->name, (unsigned long long)id, how);
		*m = co.members[--co.member_count];
	}
	for (int g = 0; g < RESOURCE_GROUPS; g++)
		if (co.places[g].phase == PLACE_ACTIVE && state_holder(&co.places[g].state, id))
			place_tell_gone(g, id);
}

void
members_forget(void)
{
	free(co.members);
	co.members = NULL;
	co.member_count = 0;
}

/* Who holds a group with us and has never said a word would not be missed. */
static void
holders_known(const struct state *s)
{
	for (size_t i = 0; i < s->holder_count; i++)
		if (s->holders[i].id != co.global && member_find(s->holders[i].id) == NULL)
			member_add(s->holders[i].id, s->holders[i].name);
}

/* who is dead? */
static void
members_look(void)
{
	for (int g = 0; g < RESOURCE_GROUPS; g++)
		if (co.places[g].phase == PLACE_ACTIVE)
			holders_known(&co.places[g].state);
	for (size_t i = co.member_count; i-- > 0; )
		if ((co.echoes - co.members[i].heard) * co.alive_ms >= co.missed * (co.members[i].alive_ms > co.alive_ms
		    ? co.members[i].alive_ms : co.alive_ms))
			member_dead(co.members[i].id, "is silent: taken for dead");
}

static void
places_look(void)
{
	for (int g = 0; g < RESOURCE_GROUPS; g++)
		place_look(g);
}

static void
member_here(uint64_t id, const char *name, uint64_t held, uint64_t primary, long alive_ms)
{
	struct peer *m = member_find(id);
	int is_new = m == NULL || !m->is_known;
	if (m == NULL)
		m = member_add(id, name);
	m->heard = co.echoes;
	m->held = held;
	m->primary = primary;
	m->alive_ms = alive_ms;
	m->is_known = 1;
	if (is_new)
		log_peer(LOG_FROM_INFO, id, "coordinator %s (%016llx) is here", name, (unsigned long long)id);
	if (is_new && co.is_ready)
		places_look();
}

void
member_heard(const struct mom_message *m)
{
	struct mom_reader r;
	char name[NAME_BYTES];
	mom_reader_init(&r, m->data, m->len);
	unsigned kind = mom_get_u8(&r);
	uint64_t id = mom_get_u64(&r);
	mom_get_string8(&r, name, sizeof name);
	uint64_t held = mom_get_u64(&r), primary = mom_get_u64(&r);
	long alive_ms = mom_get_u32(&r);
	if (mom_reader_failed(&r) || kind < ALIVE_HELLO || kind > ALIVE_DEAD)
		return;
	if (id == co.global && kind == ALIVE_HERE) {
		co.echoes++;
		members_look();
		places_look();
	} else if (kind == ALIVE_DEAD && id != co.global) {
		member_dead(id, "has ended");
		if (co.is_ready)
			places_look();
	} else if (id != co.global) {
		if (id)                                /* 0: somebody who only asks who is here */
			member_here(id, name, held, primary, alive_ms);
		if (kind == ALIVE_HELLO)
			member_say(ALIVE_HERE);
	}
}
