/* talk - what most cases say with their own handles; each call fails the case when it does not go well */
#include <lib/t.h>
#include <lib/talk.h>
#include <string.h>

enum { TALK_MS = 20000 };

int
talk_create(void)
{
	int id = mom_create();
	REQUIRE(id >= 0, "create: %s: %s", mom_strerror(id), mom_error_text(-1));
	return id;
}

int
talk_create_hasty(void)
{
	int id;
	WAIT_FOR((id = mom_create()) != MOM_ETIMEDOUT, "create: %s", mom_error_text(-1));
	REQUIRE(id >= 0, "create: %s: %s", mom_strerror(id), mom_error_text(-1));
	return id;
}

int
talk_open(const char *name)
{
	int id = mom_open(name);
	REQUIRE(id >= 0, "open %s: %s: %s", name, mom_strerror(id), mom_error_text(-1));
	return id;
}

void
talk_subscribe(int id, const char *topic)
{
	int r = mom_subscribe(id, topic, 0);
	REQUIRE(r == 0, "subscribe %s: %s: %s", topic, mom_strerror(r), mom_error_text(id));
}

void
talk_join(int id, const char *group, const char *pattern, unsigned flags)
{
	int e = mom_join(id, group, pattern, flags);
	REQUIRE(e == 0, "join %s: %d: %s", group, e, mom_error_text(id));
}

int
talk_member(const char *group, const char *pattern, unsigned flags)
{
	int id = talk_create();
	talk_join(id, group, pattern, flags);
	return id;
}

void
talk_flush(int id)
{
	REQUIRE(mom_flush(id, T_PATIENCE_MS) == 0, "%s", mom_error_text(id));
}

void
say(int id, const char *topic, const char *text)
{
	int r = mom_publish(id, topic, text, strlen(text), 0);
	REQUIRE(r == 0, "publish %s to %s: %s: %s", text, topic, mom_strerror(r), mom_error_text(id));
}

static void
hear_flagged(int id, const char *topic, const char *text, unsigned flags)
{
	struct mom_message m;
	int r = mom_receive(id, &m, TALK_MS);
	REQUIRE(r == 0, "waiting for %s of %s: %s: %s", text, topic, mom_strerror(r), mom_error_text(id));
	REQUIRE(m.len == strlen(text) && memcmp(m.data, text, m.len) == 0 && strcmp(m.topic, topic) == 0 &&
	    m.flags == flags,
	    "wanted %s of %s flags %u, got %.*s of %s flags %u", text, topic, flags, (int)m.len, (const char *)m.data,
	    m.topic, m.flags);
}

void
hear(int id, const char *topic, const char *text)
{
	hear_flagged(id, topic, text, 0);
}

void
hear_again(int id, const char *topic, const char *text)
{
	hear_flagged(id, topic, text, MOM_REDELIVERED);
}

void
hear_nothing(int id)
{
	struct mom_message m;
	int r = mom_receive(id, &m, 0);
	REQUIRE(r == MOM_ETIMEDOUT, "%s: %.*s of %s came", mom_strerror(r), r ? 0 : (int)m.len,
	    r ? "" : (const char *)m.data, r ? "" : m.topic);
}

void
bye(int id)
{
	int r = mom_destroy(id);
	REQUIRE(r == 0, "destroy: %s: %s", mom_strerror(r), mom_error_text(-1));
}
