/* properties - what a message carries beside its payload; how long it lives */
#include <lib/proc.h>
#include <lib/segment.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <mom.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <time.h>
#include <unistd.h>

static struct server broker, one, two;

static void
up(const char *broker_flags)
{
	broker_start(&broker, "broker", 0, broker_flags);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

static const struct mom_header headers[] = { { "unit", "C" }, { "", "" }, { "unit", "K" }, { "empty", "" } };

static struct mom_properties
all_of_them(struct mom_header *room)
{
	struct mom_properties p = MOM_PROPERTIES_INIT;
	memcpy(room, headers, sizeof headers);
	room[1].name = "g\xc3\xb6";
	room[1].value = "gr\xc3\xbc\xc3\x9f\x65\n";
	p.ttl_ms = 3600000;
	p.key = "boiler 7";
	p.reply_to = "answers/here";
	p.content_type = "text/plain";
	p.correlation = "a\0b";
	p.correlation_len = 3;
	p.headers = room;
	p.header_count = sizeof headers / sizeof *headers;
	return p;
}

static int
is_text(const struct mom_message *m, enum mom_property_name name, const char *text)
{
	size_t len = 77;
	const char *value = mom_property(m, name, &len);
	return value && len == strlen(text) && strcmp(value, text) == 0;
}

static void
has_all(const struct mom_message *m)
{
	size_t len = 0;
	struct mom_header h;
	REQUIRE(m->flags & MOM_PROPERTIES && is_text(m, MOM_P_KEY, "boiler 7") &&
	    is_text(m, MOM_P_REPLY_TO, "answers/here") && is_text(m, MOM_P_CONTENT_TYPE, "text/plain"), "texts");
	const char *correlation = mom_property(m, MOM_P_CORRELATION, &len);
	REQUIRE(correlation && len == 3 && memcmp(correlation, "a\0b", 3) == 0, "correlation of %zu bytes", len);
	REQUIRE(strcmp(mom_header(m, "unit"), "C") == 0 && strcmp(mom_header(m, "empty"), "") == 0 &&
	    mom_header(m, "none") == NULL && strcmp(mom_header(m, "g\xc3\xb6"), "gr\xc3\xbc\xc3\x9f\x65\n") == 0,
	    "headers by name");
	REQUIRE(mom_header_at(m, 2, &h) && strcmp(h.name, "unit") == 0 && strcmp(h.value, "K") == 0 &&
	    !mom_header_at(m, 4, &h), "headers one by one");
	int64_t lives = mom_expires(m) - m->time_us / 1000;
	REQUIRE(lives >= 3599999 && lives <= 3600001, "it lives for %lld ms", (long long)lives);
	REQUIRE(mom_property(m, MOM_P_HEADER, NULL) == NULL && mom_property(m, 99, NULL) == NULL, "others");
}

static struct mom_message
next_of(int id)
{
	struct mom_message m;
	REQUIRE(mom_receive(id, &m, T_PATIENCE_MS) == 0, "%s", mom_error_text(id));
	return m;
}

/* The payload is that, and nothing of the properties is in it. */
static void
hear_with_all(int id, const char *text)
{
	struct mom_message m = next_of(id);
	REQUIRE(m.len == strlen(text) && memcmp(m.data, text, m.len) == 0, "%zu bytes", m.len);
	has_all(&m);
}

TEST(carried, "each property comes as it was given: at once, from the mail box of a client that was away, after the "
    "death of everything, and beside messages that have none")
{
	struct mom_header room[4];
	struct mom_properties p = all_of_them(room), none = MOM_PROPERTIES_INIT;
	up(NULL);
	int far = talk_open("far"), near = talk_create(), pub = talk_create();
	talk_subscribe(far, "plant/+");
	talk_subscribe(near, "plant/7");
	mom_close(far);
	REQUIRE(mom_publish_with(pub, "plant/7", "87.5", 4, 0, &p) == 0, "%s", mom_error_text(pub));
	REQUIRE(mom_publish_with(pub, "plant/7", "plain", 5, MOM_FAST, &none) == 0, "%s", mom_error_text(pub));
	REQUIRE(mom_publish_with(pub, "plant/7", NULL, 0, MOM_ASYNC, &p) == 0 && mom_flush(pub, -1) == 0, "%s",
	    mom_error_text(pub));
	hear_with_all(near, "87.5");
	struct mom_message m = next_of(near);
	REQUIRE(m.len == 5 && m.flags == 0 && mom_property(&m, MOM_P_KEY, NULL) == NULL && mom_expires(&m) == 0 &&
	    mom_header(&m, "unit") == NULL, "a message without properties has some: flags %u", m.flags);
	hear_with_all(near, "");
	bye(near);
	bye(pub);
	server_kill_all(&one);
	server_kill_all(&broker);
	server_start(&broker);
	server_start(&one);
	far = talk_open("far");
	hear_with_all(far, "87.5");
	m = next_of(far);
	REQUIRE(m.len == 5 && !(m.flags & MOM_PROPERTIES), "flags %u", m.flags);
	hear_with_all(far, "");
	bye(far);
}

TEST(copies, "a copy of a message's struct has its properties, a copy of its texts has none and harms nobody")
{
	struct mom_header room[4];
	struct mom_properties p = all_of_them(room);
	up(NULL);
	int id = talk_create();
	talk_subscribe(id, "t");
	REQUIRE(mom_publish_with(id, "t", "x", 1, 0, &p) == 0, "%s", mom_error_text(id));
	struct mom_message m = next_of(id), copy = m, deep = m;
	has_all(&copy);
	deep.topic = strdup(m.topic);
	REQUIRE(mom_property(&deep, MOM_P_KEY, NULL) == NULL && mom_expires(&deep) == 0, "it reads behind a copy");
	deep.topic = m.topic;
	deep.data = strdup("x");
	REQUIRE(mom_header(&deep, "unit") == NULL, "it reads behind a topic");
	bye(id);
}

static void
is_wrong(int id, const struct mom_properties *p, int code, const char *text)
{
	int r = mom_publish_with(id, "t", "x", 1, 0, p);
	REQUIRE(r == code && strstr(mom_error_text(id), text), "%d, not %d: %s", r, code, mom_error_text(id));
}

TEST(wrong, "each property that is wrong is told at once, by name; the largest ones are taken")
{
	up(NULL);
	int id = talk_create();
	struct mom_properties p = MOM_PROPERTIES_INIT, q;
	static char text[MOM_PROPERTIES_MAX + 1];
	talk_subscribe(id, "t");
	p.size--, is_wrong(id, &p, MOM_EINVAL, "MOM_PROPERTIES_INIT"), p.size++;
	q = p, q.ttl_ms = -1, is_wrong(id, &q, MOM_EINVAL, "1 ms to 10 years");
	q = p, q.ttl_ms = MOM_TTL_MAX + 1, is_wrong(id, &q, MOM_EINVAL, "1 ms to 10 years");
	q = p, q.key = "", is_wrong(id, &q, MOM_EINVAL, "the key");
	q = p, q.key = "a\x01", is_wrong(id, &q, MOM_EINVAL, "the key");
	q = p, q.content_type = "\xff", is_wrong(id, &q, MOM_EINVAL, "the content type");
	q = p, q.reply_to = "a/+", is_wrong(id, &q, MOM_EINVAL, "reply-to");
	q = p, q.correlation_len = 1, is_wrong(id, &q, MOM_EINVAL, "correlation is NULL");
	q = p, q.header_count = 1, is_wrong(id, &q, MOM_EINVAL, "headers is NULL");
	struct mom_header h = { "", "x" };
	p.headers = &h, p.header_count = 1, is_wrong(id, &p, MOM_EINVAL, "header 0: a header's name");
	h = (struct mom_header){ NULL, "x" }, is_wrong(id, &p, MOM_EINVAL, "no name");
	memset(text, 'x', sizeof text - 1);
	h = (struct mom_header){ text, "x" }, is_wrong(id, &p, MOM_EINVAL, "header 0: a header's name");
	h = (struct mom_header){ "n", text }, is_wrong(id, &p, MOM_ETOOBIG, "32768 bytes of properties");
	text[MOM_PROPERTIES_MAX - 7] = '\0', is_wrong(id, &p, MOM_ETOOBIG, "32768 bytes of properties");
	text[MOM_PROPERTIES_MAX - 8] = '\0';        /* 8: three lengths, the tag, "n", two NULs */
	static char payload[MOM_MESSAGE_MAX];
	REQUIRE(mom_publish_with(id, "t", payload, sizeof payload, 0, &p) == 0, "%s", mom_error_text(id));
	struct mom_message m = next_of(id);
	REQUIRE(m.len == sizeof payload && strcmp(mom_header(&m, "n"), text) == 0, "%zu bytes", m.len);
	q = (struct mom_properties)MOM_PROPERTIES_INIT;
	q.correlation = payload;
	q.correlation_len = MOM_PROPERTIES_MAX - 5;
	REQUIRE(mom_publish_with(id, "t", "", 0, 0, &q) == 0, "%s", mom_error_text(id));
	m = next_of(id);
	size_t len = 0;
	REQUIRE(mom_property(&m, MOM_P_CORRELATION, &len) && len == MOM_PROPERTIES_MAX - 5, "%zu", len);
	q.correlation_len++, is_wrong(id, &q, MOM_ETOOBIG, "32768 bytes of properties");
	q.correlation_len = SIZE_MAX, is_wrong(id, &q, MOM_ETOOBIG, "32768 bytes of properties");
	bye(id);
}

/* ---- how long it lives ---- */

static void
publish_ttl(int id, const char *text, int64_t ttl)
{
	struct mom_properties p = MOM_PROPERTIES_INIT;
	p.ttl_ms = ttl;
	REQUIRE(mom_publish_with(id, "t", text, strlen(text), 0, &p) == 0, "%s", mom_error_text(id));
}

static void
wait_ms(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
	while (nanosleep(&t, &t) < 0)
		;
}

static int64_t
now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
hear_it(int id, const char *text)
{
	struct mom_message m = next_of(id);
	REQUIRE(m.len == strlen(text) && memcmp(m.data, text, m.len) == 0, "%s awaited, got %.*s", text, (int)m.len,
	    (const char *)m.data);
}

static uint64_t
expired_of(struct server *s)
{
	struct ran r = run_command("'%s' stats --prometheus '%s'", t_bin("mom"), s->run);
	uint64_t n = 0;
	for (const char *p = r.out; (p = strstr(p, "mom_expired_total{")) != NULL; p++)
		n += strtoull(strchr(p, '}') + 1, NULL, 10);
	return n;
}

TEST(expires, "a message whose life ended while its subscriber did not read, was away, or the broker was gone is not "
    "received, and is counted; those around it come")
{
	up(NULL);
	int id = talk_open("late"), pub = talk_create();
	talk_subscribe(id, "t");
	publish_ttl(pub, "first", 0);
	publish_ttl(pub, "short", 1);
	publish_ttl(pub, "long", 3600000);
	wait_ms(30);
	hear_it(id, "first");
	hear_it(id, "long");
	REQUIRE(mom_ack(id) == 0, "%s", mom_error_text(id));
	mom_close(id);
	publish_ttl(pub, "short", 1);
	publish_ttl(pub, "long", 3600000);
	wait_ms(30);
	id = talk_open("late");
	hear_it(id, "long");
	mom_ack(id);
	server_stop(&one);                           /* from the broker's log */
	int elsewhere;
	daemon_start(&two, "two", broker.port);
	use_daemon(&two);
	elsewhere = talk_create();
	publish_ttl(elsewhere, "short", 1);
	publish_ttl(elsewhere, "long", 3600000);
	publish_ttl(elsewhere, "short", 1);
	wait_ms(30);
	server_kill_all(&broker);
	server_start(&broker);
	server_start(&one);
	hear_it(id, "long");
	publish_ttl(elsewhere, "last", 0);
	hear_it(id, "last");
	uint64_t n;
	WAIT_FOR((n = expired_of(&broker)) >= 2, "%llu are counted", (unsigned long long)n);
	mom_destroy(id);
	bye(elsewhere);
	bye(pub);
}

TEST(never_late, "while messages of 1 to 20 ms stream to a reader, none is received once its life is over")
{
	up(NULL);
	int id = talk_create(), pub = talk_create();
	talk_subscribe(id, "t");
	struct mom_properties p = MOM_PROPERTIES_INIT;
	for (int i = 0; i < 4000; i++) {
		p.ttl_ms = 1 + i % 20;
		REQUIRE(mom_publish_with(pub, "t", "x", 1, MOM_FAST | MOM_ASYNC, &p) == 0, "%s", mom_error_text(pub));
	}
	REQUIRE(mom_publish(pub, "t", "end", 3, 0) == 0, "%s", mom_error_text(pub));
	for (;;) {
		int64_t asked = now_ms();
		struct mom_message m = next_of(id);
		if (m.len == 3)
			break;
		REQUIRE(mom_expires(&m) > asked, "it came %lld ms late", (long long)(asked - mom_expires(&m)));
	}
	bye(pub);
	bye(id);
}

TEST(by_the_brokers_clock, "where the broker's clock is ahead of the machine's, a message's life ends by the broker's")
{
	up(NULL);
	int id = talk_create();
	talk_subscribe(id, "t");
	struct client_segment *c = segment_of(&one, id, NULL);
	atomic_store(&c->clock_ahead, UINT64_C(3600000000));     /* an hour, as mom_responser says it */
	publish_ttl(id, "half an hour", 1800000);
	publish_ttl(id, "two hours", 7200000);
	hear_it(id, "two hours");
	REQUIRE(atomic_load(&c->expired) == 1, "%llu are counted", (unsigned long long)atomic_load(&c->expired));
	WAIT_FOR(expired_of(&one) == 1, "%llu are counted", (unsigned long long)expired_of(&one));
	atomic_store(&c->clock_ahead, (uint64_t)INT64_C(-3600000000));
	publish_ttl(id, "a second", 1000);
	WAIT_FOR(atomic_load(&client_mail(c, WINDOW)->head) != atomic_load(&client_mail(c, WINDOW)->tail), "no mail");
	wait_ms(1100);
	hear_it(id, "a second");
	shmdt(c);
	bye(id);
}

TEST(wills, "a will carries its properties, over a restart of the broker and from a check-point, and its life begins "
    "with its publication")
{
	struct mom_header room[4];
	struct mom_properties p = all_of_them(room);
	up(NULL);
	int ear = talk_open("ear"), id = talk_open("heir");
	talk_subscribe(ear, "wills");
	mom_close(ear);
	REQUIRE(mom_will_with(id, "wills", "gone", 4, &p) == 0, "%s", mom_error_text(id));
	for (int i = 0; i < 2; i++) {                /* a stop writes a check-point, the next start reads it */
		server_stop(&broker);
		server_start(&broker);
		REQUIRE(mom_publish(id, "other", "", 0, 0) == 0, "%s", mom_error_text(id));
	}
	wait_ms(20);
	REQUIRE(mom_destroy(id) == 0, "%s", mom_error_text(-1));
	ear = talk_open("ear");
	hear_with_all(ear, "gone");
	bye(ear);
}

TEST(shell, "mom pub gives each property, mom sub and mom peek show it; a wrong one is told with the cure")
{
	up(NULL);
	int id = talk_open("keeper");
	talk_subscribe(id, "t");
	struct ran r = run_command("'%s' pub --ttl 1h --key K -H unit=C -H 'a b=c=d' --reply-to r/t --correlation 7 "
	    "--content-type text/plain t hot", t_bin("mom"));
	REQUIRE(r.status == 0, "%s", r.err);
	static const char shown[] = "\"key\":\"K\",\"reply_to\":\"r/t\",\"correlation\":\"7\","
	    "\"content_type\":\"text/plain\",\"headers\":[[\"unit\",\"C\"],[\"a b\",\"c=d\"]],\"expires\":\"2";
	r = run_command("'%s' peek --json t '%s'", t_bin("mom"), broker.run);
	REQUIRE(r.status == 0 && strstr(r.out, shown) && strstr(r.out, "\"data\":\"hot\""), "%s%s", r.out, r.err);
	mom_close(id);
	r = run_command("'%s' sub --name keeper --json --count 1 t", t_bin("mom"));
	REQUIRE(r.status == 0 && strstr(r.out, shown), "%s%s", r.out, r.err);
	r = run_command("'%s' '%s'/shard-0/log-*", t_bin("db_dump"), broker.store);
	REQUIRE(r.status == 0 && strstr(r.out, "unit=C") && strstr(r.out, "\"hot\""), "%s%s", r.out, r.err);
	static const char *const bad[][2] = { { "--ttl soon", "500ms" }, { "--ttl 11000d", "7d" }, { "--ttl 0", "1ms" },
	    { "-H x", "NAME=VALUE" }, { "-H =x", "NAME=VALUE" } };
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		r = run_command("'%s' pub %s t x", t_bin("mom"), bad[i][0]);
		REQUIRE(r.status == 2 && strstr(r.err, bad[i][1]), "%s: %d %s", bad[i][0], r.status, r.err);
	}
	r = run_command("'%s' pub --reply-to 'a/+' t x", t_bin("mom"));
	REQUIRE(r.status == 1 && strstr(r.err, "reply-to"), "%d %s", r.status, r.err);
	r = run_command("'%s' sub --name keeper --forget", t_bin("mom"));
}
