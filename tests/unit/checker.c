/* checker - the judge of the storms finds each kind of broken promise, and calls a kept one kept */
#include <storm/checker.h>
#include <storm/history.h>
#include <lib/t.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct history *mouth, *ear;
static struct verdict v;
static uint64_t offset;
static char *folder;
enum { ID = 77 };

static void
world(void)
{
	folder = t_path("history");
	mkdir(folder, 0700);
	mouth = history_begin(folder, "mouth", HISTORY_ANONYMOUS, ID, 1, PAYLOAD_STORM);
	ear = history_begin(folder, "ear", HISTORY_DURABLE, 8, 2, PAYLOAD_STORM);
	history_subscribe(ear, "t");
	history_subscribed(ear, "t");
	offset = 100;
}

static void
publish_told(uint32_t n, unsigned flags, int result)
{
	history_try(mouth, "t", n, flags);
	history_told(mouth, "t", n, flags, result);
}

static void
publish(uint32_t from, uint32_t to)
{
	for (uint32_t n = from; n < to; n++)
		publish_told(n, 0, 0);
}

static void
receive_at(struct history *h, uint32_t n, uint64_t at, unsigned flags)
{
	static char bytes[MOM_MESSAGE_MAX];
	struct mom_message m = { .topic = "t", .data = bytes, .publisher = ID, .offset = at, .time_us = 1,
	    .flags = flags };
	m.len = payload_make(bytes, PAYLOAD_STORM, 1, "t", n);
	history_got(h, &m);
}

static void
receive(uint32_t from, uint32_t to)
{
	for (uint32_t n = from; n < to; n++)
		receive_at(ear, n, offset + n, 0);
}

static void
again(void)                          /* a new process of the durable ear, the old one was killed */
{
	ear = history_begin(folder, "ear", HISTORY_DURABLE, 8, 3, PAYLOAD_STORM);
	history_subscribe(ear, "t");
	history_subscribed(ear, "t");
}

static void
done(void)
{
	history_flush(mouth, 0);
	history_end(mouth, 0);
	history_end(ear, 1);
}

static void
judged(enum checker_rules rules)
{
	checker_judge(&v, folder, rules);
}

/* exactly this sentence is broken, and the words name what it was */
static void
breaks(enum sentence i, const char *words)
{
	judged(CHECKER_KILLS);
	REQUIRE(!checker_holds(&v) && v.broken[i] > 0, "the checker found nothing wrong with I%d", i + 1);
	REQUIRE(strstr(v.first[i], words), "it said: %s", v.first[i]);
	for (int k = 0; k < SENTENCES; k++)
		REQUIRE(k == (int)i || v.broken[k] == 0, "I%d too: %s", k + 1, v.first[k]);
}

static void
holds(enum checker_rules rules)
{
	judged(rules);
	for (int i = 0; i < SENTENCES; i++)
		REQUIRE(v.broken[i] == 0, "I%d: %s", i + 1, v.first[i]);
	REQUIRE(checker_holds(&v), "no sentence is broken, and yet");
}

TEST(kept, "a thousand messages of all sizes, empty ones too, over two processes of a durable subscriber: nothing to "
    "complain of")
{
	world();
	publish(0, 1000);
	receive(0, 500);
	again();
	receive_at(ear, 499, offset + 499, MOM_REDELIVERED);
	/* was handed to the old one, which could not write it down */
	receive_at(ear, 500, offset + 500, MOM_REDELIVERED);
	receive(501, 1000);
	done();
	holds(CHECKER_KILLS);
	REQUIRE(v.acknowledged == 1000 && v.accepted == 1000 && v.redelivered == 1 && v.clients == 2 && v.drained == 1,
	    "%ld %ld %ld", v.acknowledged,
	    v.accepted, v.redelivered);
}

TEST(lost, "an acknowledged message that never came is found: in the middle, the last, and the first after subscribe")
{
	world();
	publish(0, 20);
	receive(0, 7);
	receive(8, 20);
	done();
	breaks(I1, "ear never got number 7 of publisher 1");
}

TEST(lost_last, "the last message missing is found, if the subscriber was drained")
{
	world();
	publish(0, 20);
	receive(0, 19);
	done();
	breaks(I1, "number 19");
}

TEST(lost_first, "a message that was published after subscribe returned is missed at the beginning; one from before is "
    "not")
{
	world();
	publish(0, 20);
	struct history *late = history_begin(folder, "late", HISTORY_ANONYMOUS, 9, 4, PAYLOAD_STORM);
	history_subscribe(late, "t");
	history_subscribed(late, "t");
	publish(20, 40);
	receive(0, 40);
	for (uint32_t n = 21; n < 40; n++)
		receive_at(late, n, offset + n, 0);
	history_end(late, 1);
	done();
	breaks(I1, "late never got number 20 ");
}

TEST(lost_async, "what a publisher had put on its way is owed although it was killed before the answer; not after a "
    "power cut")
{
	world();
	publish(0, 10);
	publish_told(10, MOM_ASYNC, 0);
	publish_told(11, 0, MOM_ETIMEDOUT);
	history_try(mouth, "t", 12, 0);
	receive(0, 11);
	history_end(ear, 1);
	breaks(I1, "number 11");
	holds(CHECKER_POWER);
}

TEST(ended_told, "what a publish was told to be stored is owed, also where somebody ended its client meanwhile")
{
	world();
	publish(0, 10);
	publish_told(10, 0, 0);
	history_ended(mouth);
	history_end(mouth, 0);
	receive(0, 10);
	history_end(ear, 1);
	breaks(I1, "number 10");
}

TEST(ended_flushed, "the same where mom_flush told it")
{
	world();
	publish(0, 10);
	publish_told(10, MOM_ASYNC, 0);
	history_flush(mouth, 0);
	history_ended(mouth);
	history_end(mouth, 0);
	receive(0, 10);
	history_end(ear, 1);
	breaks(I1, "number 10");
}

TEST(ended_unknown, "what an ended client was told of by MOM_EBADID, or was not told of any more, may be stored or not")
{
	world();
	publish(0, 10);
	publish_told(10, MOM_ASYNC, 0);
	publish_told(11, 0, MOM_EBADID);
	publish_told(12, 0, MOM_EBADID);
	history_ended(mouth);
	history_end(mouth, 0);
	receive(0, 10);
	receive(11, 12);
	history_end(ear, 1);
	holds(CHECKER_KILLS);
	REQUIRE(v.ended == 1 && v.unknown == 3 && v.refused == 0, "%ld ended, %ld unknown, %ld refused", v.ended,
	    v.unknown,
	    v.refused);
}

TEST(unanswered, "a message whose publisher was killed within the call may be there or not, but for all subscribers "
    "alike")
{
	world();
	publish(0, 10);
	history_try(mouth, "t", 10, 0);
	mouth = history_begin(folder, "mouth-2", HISTORY_ANONYMOUS, ID + 1, 5, PAYLOAD_STORM);
	receive(0, 10);
	struct history *other = history_begin(folder, "other", HISTORY_ANONYMOUS, 9, 4, PAYLOAD_STORM);
	for (uint32_t n = 0; n < 11; n++)
		receive_at(other, n, offset + n, 0);
	history_end(other, 1);
	done();
	breaks(I1, "ear never got offset");
}

TEST(twice, "a message that was stored twice is found")
{
	world();
	publish(0, 10);
	receive(0, 10);
	receive_at(ear, 9, offset + 30, 0);
	done();
	judged(CHECKER_KILLS);
	REQUIRE(v.broken[I1] == 1 && strstr(v.first[I1], "a second time"), "it said: %s", v.first[I1]);
}

TEST(order, "two swapped messages are found")
{
	world();
	publish(0, 10);
	receive(0, 4);
	receive_at(ear, 5, offset + 4, 0);
	receive_at(ear, 4, offset + 5, 0);
	receive(6, 10);
	done();
	breaks(I2, "number 4 of publisher 1 on t came after number 5");
}

TEST(altered, "a changed byte, a message that nobody published, and one under another's name are found")
{
	world();
	publish(0, 3);
	receive(0, 3);
	char bytes[64] = "nobody published this, so it is strange";
	struct mom_message m = { .topic = "t", .data = bytes, .len = 40, .publisher = ID, .offset = offset + 3,
	    .time_us = 1 };
	history_got(ear, &m);
	done();
	breaks(I3, "nobody published this: 40 bytes");
}

TEST(refused, "a message that its publisher was told is not stored may not come")
{
	world();
	publish(0, 3);
	publish_told(3, 0, MOM_EFULL);
	receive(0, 4);
	done();
	breaks(I3, "told that it is not stored");
}

TEST(wrong_name, "a message under another publisher's id is found")
{
	static char bytes[MOM_MESSAGE_MAX];
	world();
	publish(0, 3);
	receive(0, 2);
	struct mom_message m = { .topic = "t", .data = bytes, .publisher = ID + 1, .offset = offset + 2, .time_us = 1 };
	m.len = payload_make(bytes, PAYLOAD_STORM, 1, "t", 2);
	history_got(ear, &m);
	history_end(mouth, 0);
	judged(CHECKER_KILLS);
	REQUIRE(v.broken[I3] == 1, "it said: %s", v.first[I3]);
}

TEST(repeated, "a message that comes twice in a session is found")
{
	world();
	publish(0, 10);
	receive(0, 10);
	receive_at(ear, 5, offset + 5, 0);
	done();
	breaks(I4, "in the same session");
}

TEST(unflagged, "what comes again after a death without MOM_REDELIVERED is found")
{
	world();
	publish(0, 10);
	receive(0, 5);
	again();
	receive(4, 10);
	done();
	breaks(I4, "without MOM_REDELIVERED");
}

TEST(flagged_acked, "what comes again although it was acknowledged is found")
{
	world();
	publish(0, 10);
	receive(0, 5);
	history_acked(ear);
	again();
	receive_at(ear, 4, offset + 4, MOM_REDELIVERED);
	receive(5, 10);
	done();
	breaks(I4, "although it was acknowledged");
	holds(CHECKER_POWER);
}

TEST(flagged_new, "MOM_REDELIVERED on what nobody can have got before is found")
{
	world();
	publish(0, 10);
	receive(0, 5);
	again();
	for (uint32_t n = 4; n < 7; n++)
		receive_at(ear, n, offset + n, MOM_REDELIVERED);
	receive(7, 10);
	done();
	breaks(I4, "no process of this client can have got it before");
}

TEST(manual, "with manual acknowledgement all since the last mom_ack may come again, and must be flagged")
{
	world();
	history_manual(ear);
	publish(0, 10);
	receive(0, 3);
	history_acked(ear);
	receive(3, 8);
	again();
	for (uint32_t n = 3; n < 8; n++)
		receive_at(ear, n, offset + n, MOM_REDELIVERED);
	receive(8, 10);
	done();
	holds(CHECKER_KILLS);
}

TEST(after_unsubscribe, "what comes after unsubscribe returned is found; what it left unread is not missed")
{
	world();
	publish(0, 10);
	receive(0, 5);
	history_unsubscribe(ear, "t");
	history_unsubscribed(ear, "t");
	receive(5, 6);
	done();
	breaks(I4, "after unsubscribe");
}

TEST(offsets, "an offset that does not grow, and one that differs between two subscribers, are found")
{
	world();
	publish(0, 10);
	receive(0, 10);
	struct history *other = history_begin(folder, "other", HISTORY_ANONYMOUS, 9, 4, PAYLOAD_STORM);
	for (uint32_t n = 0; n < 10; n++)
		receive_at(other, n, offset + n + (n == 9), 0);
	history_end(other, 0);
	done();
	judged(CHECKER_KILLS);
	REQUIRE(v.broken[I5] == 1 && strstr(v.first[I5], "at another subscriber"), "it said: %s", v.first[I5]);
}

TEST(fast_lost, "after a power cut fast messages may be missing, but only as many as were told")
{
	world();
	for (uint32_t n = 0; n < 10; n++)
		publish_told(n, MOM_FAST, 0);
	receive(0, 6);
	receive(8, 10);
	history_lost(mouth, 2);
	done();
	holds(CHECKER_POWER);
	breaks(I1, "number 6");
}

TEST(fast_untold, "a fast message that a power cut took without a word is found")
{
	world();
	for (uint32_t n = 0; n < 10; n++)
		publish_told(n, MOM_FAST, 0);
	receive(0, 6);
	receive(8, 10);
	history_lost(mouth, 1);
	done();
	judged(CHECKER_POWER);
	REQUIRE(v.broken[I1] == 1, "%ld: %s", v.broken[I1], v.first[I1]);
}

TEST(torn_line, "a history whose last line was cut by a kill is read up to it")
{
	world();
	publish(0, 10);
	receive(0, 10);
	int fd = open(t_path("history/%s", "mouth-3@1"), O_WRONLY | O_CREAT, 0600);
	REQUIRE(write(fd, "client 1 mouth-3 anonymous 5 6 4\ntry 2 t 0 0\nok 3 t", 50) == 50, "write");
	close(fd);
	done();
	holds(CHECKER_KILLS);
}

TEST(seen, "what the storm saw itself breaks its sentence, with its words")
{
	world();
	done();
	judged(CHECKER_KILLS);
	checker_say(&v, I6, 1, "nothing");
	REQUIRE(checker_holds(&v), "ok broke it");
	for (int i = I6; i <= I9; i++) {
		judged(CHECKER_KILLS);
		checker_say(&v, (enum sentence)i, 0, "%d queues", 3);
		REQUIRE(!checker_holds(&v) && strcmp(v.first[i], "3 queues") == 0, "I%d", i + 1);
	}
}

TEST(late_empty, "an empty message that is the first of its publisher's to come to a late subscriber is known by its "
    "offset; a lost one is found")
{
	uint64_t hash;
	uint32_t n = 1;
	world();
	while (payload_expected(PAYLOAD_STORM, 1, "t", n, &hash) > 0)
		n++;
	publish(0, n);
	struct history *late = history_begin(folder, "late", HISTORY_ANONYMOUS, 9, 4, PAYLOAD_STORM);
	history_subscribe(late, "t");
	history_subscribed(late, "t");
	publish(n, n + 5);
	receive(0, n + 5);
	for (uint32_t i = n; i < n + 5; i++)
		if (i != n + 3)
			receive_at(late, i, offset + i, 0);
	history_end(late, 1);
	done();
	judged(CHECKER_KILLS);
	REQUIRE(v.broken[I3] == 0 && v.broken[I1] && strstr(v.first[I1], t_text("number %u ", n + 3)), "%s",
	    v.first[I1]);
}
