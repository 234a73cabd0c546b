/* people - the museum's processes: a door, a person, the guide, the timer */
#include "../crew.h"
#include "museum.h"
#include <mom_resource.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- what they say ---- */

int
museum_failed(int id, const char *what)
{
	fprintf(stderr, "%s: %s\n", what, mom_error_text(id));
	return 1;
}

int
museum_client(const char *topic)
{
	int id = mom_create();
	if (id < 0 || mom_subscribe(id, topic, 0) < 0)
		return museum_failed(id, topic), -1;
	return id;
}

int
museum_say(int id, const char *word, int who, const char *topic)
{
	char text[64];
	if (who < 0)
		snprintf(text, sizeof text, "%s", word);
	else
		snprintf(text, sizeof text, "%s %d", word, who);
	int e = mom_publish(id, topic, text, strlen(text), 0);
	return e && e != MOM_ETIMEDOUT ? museum_failed(id, topic) : 0;         /* late: it is on its way */
}

int
museum_hear(int id, char *word, int *who, int timeout_ms)
{
	struct mom_message m;
	char text[64];
	int e = mom_receive(id, &m, timeout_ms);
	if (e)
		return e == MOM_ETIMEDOUT ? e : (museum_failed(id, "receive"), e);
	snprintf(text, sizeof text, "%.*s", (int)m.len, (const char *)m.data);
	*who = -1;
	return sscanf(text, "%15s %d", word, who) >= 1 ? 0 : (fprintf(stderr, "no word: %s\n", text), MOM_EPROTO);
}

static int
tell_person(int id, const char *word, int who)
{
	char topic[48];
	snprintf(topic, sizeof topic, "Museum/People/Person%d", who);
	return museum_say(id, word, -1, topic);
}

/* ---- a door ---- */

/* Under the lock: one more or less inside. */
static int
count(int id, int by)
{
	int inside, most;
	if (dsem_wait(id, VACANCY, -1) || dshm_read(id, INSIDE, &inside) || dshm_read(id, MOST, &most) ||
	    dshm_write(id, INSIDE, inside + by))
		return museum_failed(id, "count");
	if (inside + by > most && dshm_write(id, MOST, inside + by))
		return museum_failed(id, "count");
	return dsem_signal(id, VACANCY) ? museum_failed(id, "count") : 0;
}

static int
let_in(int id, int who)
{
	int e = dsem_trywait(id, PLACES);
	if (e < 0)
		return museum_failed(id, PLACES);
	if (e == MOM_NOT_FREE)
		return tell_person(id, "rejected", who);
	return count(id, 1) || tell_person(id, "accepted", who);
}

static int
let_out(int id, int who)
{
	if (count(id, -1))
		return 1;
	return dsem_signal(id, PLACES) ? museum_failed(id, PLACES) : tell_person(id, "goodbye", who);
}

int
door(int n)
{
	char topic[48], word[16] = "";
	int who, bad = 0;
	snprintf(topic, sizeof topic, "Museum/Doors/Door%d", n);
	int id = museum_client(topic);
	if (id < 0 || museum_say(id, "ready", -1, "Museum"))
		return 1;
	while (!bad && (museum_hear(id, word, &who, -1) || strcmp(word, "end") != 0)) {
		if (strcmp(word, "enter") == 0)
			bad = let_in(id, who);
		else if (strcmp(word, "leave") == 0)
			bad = let_out(id, who);
	}
	return bad || mom_destroy(id) < 0;
}

/* ---- a person ---- */

/* 0: it is that word. */
static int
await(int id, const char *wanted, const char *or)
{
	char word[16];
	int who;
	int e = museum_hear(id, word, &who, PATIENCE_MS);
	if (e == 0 && (strcmp(word, wanted) == 0 || (or && strcmp(word, or) == 0)))
		return strcmp(word, wanted) != 0;
	fprintf(stderr, "%s awaited: %s\n", wanted, e ? mom_strerror(e) : word);
	return -1;
}

static int
to_a_door(int id, const char *word, int n)
{
	char topic[48];
	snprintf(topic, sizeof topic, "Museum/Doors/Door%d", crew_random((int)opt.doors) + 1);
	return museum_say(id, word, n, topic);
}

int
person(int n)
{
	char topic[48];
	snprintf(topic, sizeof topic, "Museum/People/Person%d", n);
	int id = museum_client(topic), e, toured = crew_random(100) < opt.sign;
	if (id < 0 || to_a_door(id, "enter", n) || (e = await(id, "accepted", "rejected")) < 0)
		return 1;
	if (e)
		return mom_destroy(id) < 0 ? 1 : PERSON_REJECTED;
	if (!toured)
		crew_sleep((int)opt.walk + crew_random((int)opt.walk + 1));
	else if (museum_say(id, "sign", n, "Museum/Guide") || await(id, "tour", NULL) || await(id, "over", NULL))
		return 1;
	if (to_a_door(id, "leave", n) || await(id, "goodbye", NULL) || mom_destroy(id) < 0)
		return 1;
	return toured ? PERSON_TOURED : PERSON_LEFT;
}

/* ---- the guide and the timer ---- */

static int64_t
now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct {
	int id, waiting, touring, tours, largest;
	/* who signed: the first `touring` are on the tour, `waiting` behind them wait */
	int *list;
	int64_t until;
} g;

static int
tour_begins(void)
{
	g.touring = g.waiting < opt.group ? g.waiting : (int)opt.group;
	g.waiting -= g.touring;
	g.until = now_ms() + opt.tour;
	g.tours++;
	g.largest = g.touring > g.largest ? g.touring : g.largest;
	if (dsem_wait(g.id, TOUR, -1) || dshm_write(g.id, SIGNED, g.waiting) || dshm_write(g.id, TOURS, g.tours) ||
	    dshm_write(g.id, LARGEST, g.largest))
		return museum_failed(g.id, TOUR);
	for (int i = 0; i < g.touring; i++)
		if (tell_person(g.id, "tour", g.list[i]))
			return 1;
	return 0;
}

static int
tour_ends(void)
{
	for (int i = 0; i < g.touring; i++)
		if (tell_person(g.id, "over", g.list[i]))
			return 1;
	memmove(g.list, g.list + g.touring, (size_t)g.waiting * sizeof *g.list);
	g.touring = 0;
	if (dsem_signal(g.id, TOUR))
		return museum_failed(g.id, TOUR);
	return g.waiting >= opt.group ? tour_begins() : 0;
}

static int
sign(int who)
{
	g.list[g.touring + g.waiting++] = who;
	if (dshm_write(g.id, SIGNED, g.waiting))
		return museum_failed(g.id, SIGNED);
	return g.touring == 0 && g.waiting >= opt.group ? tour_begins() : 0;
}

int
guide(int unused)
{
	char word[16] = "";
	int who, bad = 0, e;
	(void)unused;
	g.id = museum_client("Museum/Guide");
	g.list = calloc((size_t)opt.persons + 1, sizeof *g.list);
	if (g.id < 0 || g.list == NULL || museum_say(g.id, "ready", -1, "Museum"))
		return 1;
	while (!bad) {
		int64_t left = g.until - now_ms();
		e = museum_hear(g.id, word, &who, g.touring == 0 ? -1 : left < 0 ? 0 : (int)left);
		if (e == MOM_ETIMEDOUT && g.touring)
			bad = tour_ends();
		else if (e || (strcmp(word, "sign") == 0 && g.waiting + g.touring == opt.persons))
			bad = 1;
		else if (strcmp(word, "end") == 0)
			break;
		else if (strcmp(word, "sign") == 0)
			bad = sign(who);
		else if (strcmp(word, "go") == 0 && g.touring == 0 && g.waiting)
			bad = tour_begins();
	}
	free(g.list);
	return bad || mom_destroy(g.id) < 0;
}

/* Some wait, and no tour is on: do not let them wait for more. */
static int
look_after(int id)
{
	int waiting, e = dsem_trywait(id, TOUR);
	if (e)
		return e == MOM_NOT_FREE ? 0 : museum_failed(id, TOUR);
	if (dshm_read(id, SIGNED, &waiting) || dsem_signal(id, TOUR))
		return museum_failed(id, TOUR);
	return waiting ? museum_say(id, "go", -1, "Museum/Guide") : 0;
}

int
timer(int unused)
{
	char word[16];
	int who, bad = 0, id = museum_client("Museum/Timer"), e;
	(void)unused;
	if (id < 0 || museum_say(id, "ready", -1, "Museum"))
		return 1;
	while (!bad && (e = museum_hear(id, word, &who, (int)opt.timer)) != 0)
		bad = e == MOM_ETIMEDOUT ? look_after(id) : 1;
	return bad || mom_destroy(id) < 0;
}
