/* ends - ids, generations, incarnations, owners and words of 32 bits that begin near their ends: a clear error, or they
 * go round */
#include "base/sealed.h"
#include <fcntl.h>
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/segment.h>
#include <lib/server.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/shm.h>

static struct server broker, one;

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

/* In a sealed file of a folder: the number behind each of those words. */
static void
patch(const char *folder, const char *name, const char *word, const char *number)
{
	char *text = t_read_file(t_text("%s/%s", folder, name)), *crc = strstr(text, "\ncrc "), *new = calloc(1, 65536);
	int dir = open(folder, O_RDONLY | O_DIRECTORY), n = 0;
	REQUIRE(crc && dir >= 0, "%s/%s: %s", folder, name, text);
	crc[1] = '\0';
	for (char *at = text, *next; *at; at = next) {
		next = strstr(at, word);
		size_t len = next ? (size_t)(next - at) + strlen(word) : strlen(at);
		memcpy(new + strlen(new), at, len);
		next = at + len;
		if (len < strlen(word) || strncmp(next - strlen(word), word, strlen(word)) != 0)
			continue;
		strcat(new, number);
		next += strspn(next, "0123456789abcdef");
		n++;
	}
	REQUIRE(n > 0, "no '%s' in %s", word, text);
	REQUIRE(sealed_save(dir, name, new, strlen(new), 1) == 0, "%s", name);
}

/* clients of all kinds come, talk and go */
static void
works(int rounds)
{
	for (int i = 0; i < rounds; i++) {
		int id = talk_open("reader"), other = talk_create();
		int r = mom_subscribe(id, "bells", 0);
		REQUIRE(r == 0 || r == MOM_EEXIST, "round %d: %s", i, mom_error_text(id));
		talk_subscribe(other, "bells");
		say(other, "bells", t_text("round %d", i));
		hear(id, "bells", t_text("round %d", i));
		hear(other, "bells", t_text("round %d", i));
		say(id, "bells", "back");
		hear(id, "bells", "back");
		hear(other, "bells", "back");
		REQUIRE(mom_close(id) == 0, "round %d: %s", i, mom_error_text(-1));
		bye(other);
	}
}

static void
daemon_with(const char *word, const char *number)
{
	works(1);
	server_stop(&one);
	patch(one.store, "clients", word, number);
	server_start(&one);
}

TEST(owner, "the number of a slot's owner goes round at 2^32")
{
	up();
	daemon_with(" owner ", "4294967293");
	works(8);
}

TEST(generation, "generations end at 2^24: a slot that is near it gets no new client, others go on in others")
{
	up();
	works(1);
	server_stop(&one);
	patch(one.store, "clients", " generation ", "16777213");
	server_start(&one);
	works(12);
	WAIT_FOR(!strstr(t_read_file(t_text("%s/clients", one.store)), "state 3"), "a client is never done dying: %s",
	    t_read_file(t_text("%s/clients", one.store)));
}

TEST(global_ids, "global ids end at 2^32: no client more, and the text says so; none comes twice, over restarts "
    "neither")
{
	up();
	daemon_with(" next ", "4294967290");
	uint64_t last = 0;
	int r = 0, count = 0;
	for (int i = 0; i < 12 && (r = mom_create()) >= 0; i++, count++) {
		REQUIRE(mom_global_id(r) > last, "%016llx after %016llx", (unsigned long long)mom_global_id(r),
		    (unsigned long long)last);
		last = mom_global_id(r);
		bye(r);
	}
	REQUIRE(count > 0 && r == MOM_ELIMIT, "after %d: %s", count, mom_error_text(-1));
	server_stop(&one);
	server_start(&one);
	r = mom_create();
	REQUIRE(r == MOM_ELIMIT, "after a restart %d: id %016llx after %016llx", r,
	    (unsigned long long)mom_global_id(r), (unsigned long long)last);
	REQUIRE(strstr(mom_error_text(-1), "spool"), "%s", mom_error_text(-1));
}

/* a table of a server: its words */
static void *
table_of(struct server *s, const char *role)
{
	struct sysv_object o;
	REQUIRE(sysv_find(server_registry(s), role, &o), "no %s", role);
	void *table = shmat(o.id, NULL, 0);
	REQUIRE(table != (void *)-1, "shmat");
	return table;
}

TEST(words, "seconds, epochs, sequence numbers and `watch` of 32 bits go round: clients and machines come and go")
{
	up();
	works(1);
	struct machine_table *m = table_of(&one, "machine-table");
	struct broker_table *b = table_of(&broker, "broker-table");
	atomic_store(&m->ticks, UINT32_MAX - 1);
	atomic_store(&b->ticks, UINT32_MAX - 1);
	atomic_store(&m->epoch, UINT32_MAX - 2);
	atomic_store(&b->epoch, UINT32_MAX - 2);
	for (uint32_t i = 0; i < b->conns + 4; i++)
		if (atomic_load(&b->conn[i].state) == CONN_FREE)
			atomic_store(&b->conn[i].seq, UINT32_MAX - 1);
	WAIT_FOR(atomic_load(&m->ticks) < 1000 && atomic_load(&b->ticks) < 1000, "seconds do not go round");
	for (int i = 0; i < 3; i++) {
		works(2);
		server_stop(&one);
		server_start(&one);
	}
	REQUIRE(atomic_load(&b->epoch) < 1000, "the epoch did not go round");
	int id = talk_create();
	talk_subscribe(id, "bells");
	struct client_segment *c = segment_of(&one, id, NULL);
	atomic_store(&c->watch, UINT32_MAX - 2);
	REQUIRE(mom_fd(id) >= 0, "%s", mom_error_text(id));
	for (int i = 0; i < 6; i++) {
		struct mom_message x;
		REQUIRE(mom_receive(id, &x, 0) == MOM_ETIMEDOUT, "something came");
		say(id, "bells", "watched");
		fd_set set;
		FD_ZERO(&set);
		FD_SET(mom_fd(id), &set);
		struct timeval most = { T_PATIENCE_MS / 1000, 0 };
		REQUIRE(select(mom_fd(id) + 1, &set, NULL, NULL, &most) == 1, "round %d: not readable", i);
		hear(id, "bells", "watched");
	}
	REQUIRE(atomic_load(&c->watch) < 1000, "watch did not go round: %u", atomic_load(&c->watch));
	shmdt(c);
	bye(id);
	shmdt(m);
	shmdt(b);
}
