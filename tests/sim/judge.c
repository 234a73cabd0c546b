/* judge - what publishers were told and subscribers may see: everything acknowledged, once, in order, unchanged */
#include "client.h"
#include "sim.h"
#include <stdio.h>
#include <string.h>

enum told { BEGUN = 1, ACKED, REFUSED, UNSURE /* one of those of which a flush said that some failed */ };
enum { HEAD = 12, SESSIONS = 4096 };

/* session: 1 + the one that had it last as a job; its verdict was given, and known to be known, or not. */
struct message { uint8_t told, fast, settles, settled; int session, times; uint64_t offset, origin; };
struct stream {
	int client, power_cuts;                   /* of the broker's machine when it began */
	uint64_t id;
	struct { unsigned next; struct message *m; unsigned room; } topic[TOPICS];
};
/* next number; from: at the latest; owed: what is not acknowledged begins here at the latest */
struct seen { int some; unsigned next, from, owed; };
struct reader {
	/* acknowledgements may be lost: its machine lost power, or its segment goes with its process */
	int forgets;
	/* highest: ever; handed: in this session */
	struct { int subscribed; uint64_t highest, handed, acked, asked; } topic[TOPICS];
	struct seen seen[STREAMS][TOPICS];
};

static struct {
	int streams, power_cuts;
	struct stream stream[STREAMS];
	struct reader reader[CLIENTS];
	int sessions, workers;                    /* workers: a session has begun: all is a job from now on */
	struct { int client, pid, ended; } session[SESSIONS];
	/* of one topic: the highest origin that came as a job the first time */
	uint64_t highest_job[TOPICS];
	long published, received;
	char missing[200];
} *j;

void judge_begin(void) { j = sim_alloc(sizeof *j); }
long judge_published(void) { return j->published; }
long judge_received(void) { return j->received; }

void
judge_power_cut(int machine)
{
	j->power_cuts += machine == 0;
	judge_forgets(machine);
}

void
judge_forgets(int machine)
{
	for (int k = 0; k < CLIENTS; k++)
		if (world_client(k) && world_client(k)->machine == machine)
			j->reader[k].forgets = 1;
}

/* ---- publishers ---- */

int
judge_stream(int client)
{
	if (j->streams == STREAMS) {
		sim_fault("more than %d publishing processes", STREAMS);
		return 0;
	}
	j->stream[j->streams] = (struct stream){ .client = client, .power_cuts = j->power_cuts };
	return j->streams++;
}

unsigned
judge_begins(int stream, int topic, unsigned flags)
{
	struct stream *s = &j->stream[stream];
	if (s->topic[topic].next == s->topic[topic].room) {
		unsigned room = s->topic[topic].room * 2 + 32;
		struct message *m = sim_alloc(room * sizeof *m);
		if (s->topic[topic].next)
			memcpy(m, s->topic[topic].m, s->topic[topic].next * sizeof *m);
		s->topic[topic].m = m;
		s->topic[topic].room = room;
	}
	s->topic[topic].m[s->topic[topic].next] = (struct message){ .told = BEGUN, .fast = (flags & MOM_FAST) != 0 };
	return s->topic[topic].next++;
}

void
judge_ends(int stream, int topic, unsigned number, int code)
{
	struct message *m = &j->stream[stream].topic[topic].m[number];
	sim_note("published %d/%d/%u: %d", stream, topic, number, code);
	if (code == 0 && !(world_client(j->stream[stream].client)->flags & MOM_ASYNC)) {
		m->told = ACKED;
		j->published++;
	} else if (code == MOM_EFULL || code == MOM_ELOST)      /* ELOST tells of others; this one was not sent */
		m->told = REFUSED;
}

void
judge_flushed(int stream, int code)
{
	struct stream *s = &j->stream[stream];
	for (int k = 0; k < TOPICS; k++)
		for (unsigned n = 0; n < s->topic[k].next; n++)
			if (s->topic[k].m[n].told == BEGUN) {
				s->topic[k].m[n].told = code ? UNSURE : ACKED;
				j->published += code == 0;
			}
}

static unsigned
mix(unsigned a)
{
	a ^= a >> 16;
	a *= 0x7feb352dU;
	a ^= a >> 15;
	a *= 0x846ca68bU;
	return a ^ a >> 16;
}

size_t
judge_payload(char *bytes, int stream, int topic, unsigned number, unsigned largest)
{
	unsigned head[3] = { (unsigned)stream, (unsigned)topic, number },
	    x = mix((unsigned)stream * 977 + (unsigned)topic * 31 + number * 7919);
	size_t n = HEAD + (largest > HEAD ? x % (largest - HEAD) : 0);
	if (x % 8)
		n = HEAD + n % 64;
	memcpy(bytes, head, HEAD);
	memset(bytes + HEAD, (int)(x >> 8), n - HEAD);
	return n;
}

/* ---- subscribers ---- */

/* What was not acknowledged has to come again. */
static void
judge_resumed(struct reader *r)
{
	for (int s = 0; s < j->streams; s++)
		for (int k = 0; k < TOPICS; k++)
			if (r->seen[s][k].some)
				r->seen[s][k].next = r->seen[s][k].owed;
}

void
judge_session(int client)
{
	struct reader *r = &j->reader[client];
	if (world_client(client)->name[0] == '\0')
		memset(r, 0, sizeof *r);
	judge_resumed(r);
	for (int k = 0; k < TOPICS; k++)
		/* the last one may have ended before it acknowledged */
		r->topic[k].handed = r->topic[k].asked = r->forgets ? 0 : r->topic[k].acked;
}

void
judge_subscribed(int client, int topic, int code)
{
	struct reader *r = &j->reader[client];
	/* told that it was cut, and killed before it could tell us */
	if (code == 0 && r->topic[topic].subscribed && world_client(client)->name[0] &&
	    world_disk_was_full(world_client(client)->machine))
		r->topic[topic].subscribed = 0;
	else if (code == 0 && r->topic[topic].subscribed)
		sim_fault("subscriber %d was subscribed to topic %d, and is not any more", client, topic);
	if (r->topic[topic].subscribed)
		return;
	r->topic[topic].subscribed = 1;
	for (int s = 0; s < STREAMS; s++)
		r->seen[s][topic] = (struct seen){ .from = j->stream[s].topic[topic].next };
}

void
judge_cut(int client)
{
	if (!world_disk_was_full(world_client(client)->machine))
		sim_fault("subscriber %d was cut, though no disk was full", client);
	for (int k = 0; k < TOPICS; k++)
		j->reader[client].topic[k].subscribed = 0;
	sim_note("was cut");
}

void
judge_asks(int client)
{
	struct reader *r = &j->reader[client];
	for (int k = 0; k < TOPICS; k++) {
		r->topic[k].asked = r->topic[k].handed;
		for (int s = 0; s < j->streams; s++)
			r->seen[s][k].owed = r->seen[s][k].some ? r->seen[s][k].next : 0;
	}
}

static int
may_be_gone(const struct stream *s, const struct message *m)
{
	return m->told == REFUSED || m->told == UNSURE || (m->fast && s->power_cuts != j->power_cuts);
}

static void
judge_order(int client, struct stream *s, int topic, unsigned number, const struct mom_message *m)
{
	struct reader *r = &j->reader[client];
	struct seen *seen = &r->seen[s - j->stream][topic];
	int again = m->offset <= r->topic[topic].highest;
	if (again && !(m->flags & MOM_REDELIVERED))
		sim_fault("subscriber %d got %d/%d/%u again, not flagged: offset %llx after %llx", client,
		    (int)(s - j->stream), topic, number,
		    (unsigned long long)m->offset, (unsigned long long)r->topic[topic].highest);
	else if (m->offset <= r->topic[topic].handed)
		sim_fault("subscriber %d got %d/%d/%u after a later one", client, (int)(s - j->stream), topic, number);
	else if (again && m->offset <= r->topic[topic].acked && !r->forgets)
		sim_fault("subscriber %d got %d/%d/%u again, which it had acknowledged", client, (int)(s - j->stream),
		    topic, number);
	if (again && number < seen->next)
		return;
	unsigned expect = seen->some ? seen->next : seen->from;
	for (unsigned n = expect; n < number; n++)
		if (!may_be_gone(s, &s->topic[topic].m[n])) {
			sim_fault("subscriber %d got %d/%d/%u, but not %u", client, (int)(s - j->stream), topic, number,
			    n);
			return;
		}
	if (seen->some && number < seen->next && !(s->topic[topic].m[number].fast && j->power_cuts != s->power_cuts))
		sim_fault("subscriber %d got %d/%d/%u after %u", client, (int)(s - j->stream), topic, number,
		    seen->next - 1);
	if (!seen->some)
		seen->owed = number;
	seen->some = 1;
	seen->next = number + 1;
}

static void
judge_message(int client, const struct mom_message *m)
{
	static char expected[PAYLOAD_MOST];
	unsigned head[3] = { 0 };
	if (m->flags & MOM_GAP) {
		sim_fault("subscriber %d is told of a gap: %.*s", client, (int)m->len, (const char *)m->data);
		return;
	}
	memcpy(head, m->data, m->len < HEAD ? m->len : HEAD);
	struct stream *s = head[0] < (unsigned)j->streams ? &j->stream[head[0]] : NULL;
	if (s == NULL || head[1] >= TOPICS || head[2] >= s->topic[head[1]].next) {
		sim_fault("subscriber %d got what nobody published (%u/%u/%u, %zu bytes)", client, head[0], head[1],
		    head[2], m->len);
		return;
	}
	size_t n = judge_payload(expected, (int)head[0], (int)head[1], head[2], world_client(s->client)->largest);
	if (n != m->len || memcmp(expected, m->data, n) != 0)
		sim_fault("subscriber %d got %u/%u/%u altered", client, head[0], head[1], head[2]);
	struct message *known = &s->topic[head[1]].m[head[2]];
	if (known->offset && known->offset != m->offset && !known->fast)
		sim_fault("%u/%u/%u has two offsets: %llx and %llx", head[0], head[1], head[2],
		    (unsigned long long)known->offset, (unsigned long long)m->offset);
	known->offset = m->offset;
	if (known->told == REFUSED)
		sim_fault("%u/%u/%u was refused, but subscriber %d got it", head[0], head[1], head[2], client);
	if (s->id && s->id != m->publisher)
		sim_fault("stream %u has two publishers", head[0]);
	s->id = m->publisher;
	sim_note("gets %u/%u/%u, offset %llx%s", head[0], head[1], head[2], (unsigned long long)m->offset,
	    m->flags & MOM_REDELIVERED ? ", again" : "");
	judge_order(client, s, (int)head[1], head[2], m);
	j->reader[client].topic[head[1]].handed = m->offset;
	if (m->offset > j->reader[client].topic[head[1]].highest)
		j->reader[client].topic[head[1]].highest = m->offset;
	j->received++;
}

void
judge_got(int client, int code, const struct mom_message *m)
{
	struct reader *r = &j->reader[client];
	for (int k = 0; k < TOPICS; k++)
		if (r->topic[k].asked > r->topic[k].acked)
			r->topic[k].acked = r->topic[k].asked;
	if (code == 0)
		judge_message(client, m);
}

void
judge_wrong(int client, const char *call, int code, const char *text)
{
	sim_fault("client %d: %s: %d: %s", client, call, code, text);
}

/* ---- workers ---- */

/* A client's process has one session at a time, and with the process it ends. */
int
judge_joined(int client)
{
	for (int i = 0; i < j->sessions; i++)
		if (j->session[i].client == client)
			j->session[i].ended = 1;
	if (j->sessions == SESSIONS) {
		sim_fault("more than %d sessions", SESSIONS);
		return 0;
	}
	j->session[j->sessions].client = client;
	j->session[j->sessions].pid = world_client(client)->pid;
	j->workers = 1;
	return j->sessions++;
}

void judge_leaves(int session) { j->session[session].ended = 1; }

/* The broker's power failed since it was published: of a fast message a hand, and what became of it, may be lost. */
static int
word_may_be_lost(const struct stream *s, const struct message *m)
{
	return m->fast && s->power_cuts != j->power_cuts;
}

static int
still_has(const struct stream *s, const struct message *m, int session)
{
	int i = m->session - 1;
	return i >= 0 && i != session && !m->settles && !j->session[i].ended &&
	    world_client(j->session[i].client)->pid == j->session[i].pid && !word_may_be_lost(s, m);
}

static struct message *
job_of(const struct mom_message *m, unsigned head[3])
{
	static char expected[PAYLOAD_MOST];
	memcpy(head, m->data, m->len < HEAD ? m->len : HEAD);
	struct stream *s = m->len >= HEAD && head[0] < (unsigned)j->streams ? &j->stream[head[0]] : NULL;
	if (s == NULL || head[1] >= TOPICS || head[2] >= s->topic[head[1]].next)
		return NULL;
	size_t n = judge_payload(expected, (int)head[0], (int)head[1], head[2], world_client(s->client)->largest);
	return n == m->len && memcmp(expected, m->data, n) == 0 ? &s->topic[head[1]].m[head[2]] : NULL;
}

/* Of a topic's messages with its key, and of all of an exclusive group. */
static void
judge_job_order(const struct message *job, const unsigned head[3], int session, struct job_told told)
{
	unsigned kind = world_client(j->session[session].client)->kind;
	int counts = kind & MOM_GROUP_EXCLUSIVE || (kind & MOM_GROUP_ORDERED && told.has_key);
	uint64_t *highest = &j->highest_job[head[1]];
	if (!counts)
		return;
	if (job->times == 0 && told.origin < *highest && !job->fast)
		sim_fault("job %u/%u/%u comes after a later one of its topic", head[0], head[1], head[2]);
	if (told.origin > *highest)
		*highest = told.origin;
	for (int s = 0; s < j->streams; s++)
		for (unsigned n = 0; n < j->stream[s].topic[head[1]].next; n++) {
			const struct message *other = &j->stream[s].topic[head[1]].m[n];
			int is_of_key = kind & MOM_GROUP_EXCLUSIVE || n % 3 == 0;
			if (other != job && is_of_key && still_has(&j->stream[s], other, session))
				sim_fault("job %u/%u/%u comes while %d/%u/%u is in work", head[0], head[1], head[2], s,
				    head[1], n);
		}
}

void
judge_job(int client, int session, const struct mom_message *m, struct job_told told)
{
	unsigned head[3] = { 0 };
	struct message *job = m->flags & MOM_GAP ? NULL : job_of(m, head);
	if (job == NULL) {
		sim_fault("worker %d got what nobody published, or altered", client);
		return;
	}
	sim_note("job %u/%u/%u, try %u, hand %llx", head[0], head[1], head[2], told.tries,
	    (unsigned long long)m->offset);
	const struct stream *s = &j->stream[head[0]];
	if (still_has(s, job, session))
		sim_fault("job %u/%u/%u comes to worker %d while worker %d has it", head[0], head[1], head[2], client,
		    j->session[job->session - 1].client);
	if (job->settled && !word_may_be_lost(s, job))
		sim_fault("job %u/%u/%u comes again: it was settled", head[0], head[1], head[2]);
	/* a power cut may take a fast message itself; then it is sent and stored anew */
	if (job->times && job->origin == told.origin && !(m->flags & MOM_REDELIVERED))
		sim_fault("job %u/%u/%u comes again, not flagged", head[0], head[1], head[2]);
	if (job->told == REFUSED)
		sim_fault("job %u/%u/%u was refused", head[0], head[1], head[2]);
	judge_job_order(job, head, session, told);
	job->origin = told.origin;
	job->session = session + 1;
	job->settles = job->settled = 0;
	job->times++;
	j->received++;
}

/* NULL: it is rejected, and comes again. */
void
judge_settles(int session, const struct mom_message *m)
{
	unsigned head[3] = { 0 };
	struct message *job = m ? job_of(m, head) : NULL;
	if (job && job->session == session + 1)
		job->settles = 1;
	if (m == NULL)
		for (int s = 0; s < j->streams; s++)
			for (int k = 0; k < TOPICS; k++)
				for (unsigned n = 0; n < j->stream[s].topic[k].next; n++)
					if (j->stream[s].topic[k].m[n].session == session + 1 &&
					    !j->stream[s].topic[k].m[n].settles)
						j->stream[s].topic[k].m[n].session = 0;
}

void
judge_settled(int session)
{
	for (int s = 0; s < j->streams; s++)
		for (int k = 0; k < TOPICS; k++)
			for (unsigned n = 0; n < j->stream[s].topic[k].next; n++) {
				struct message *job = &j->stream[s].topic[k].m[n];
				if (job->session == session + 1 && job->settles)
					job->settled = 1;
			}
}

static int
jobs_are_done(void)
{
	for (int s = 0; j->workers && s < j->streams; s++)
		for (int k = 0; k < TOPICS; k++)
			for (unsigned n = 0; n < j->stream[s].topic[k].next; n++) {
				const struct message *job = &j->stream[s].topic[k].m[n];
				if (job->told != ACKED || may_be_gone(&j->stream[s], job) || job->settles)
					continue;
				snprintf(j->missing, sizeof j->missing, "job %d/%d/%u was not settled", s, k, n);
				return 0;
			}
	return 1;
}

int
judge_is_settled(void)
{
	if (!jobs_are_done())
		return 0;
	for (int c = 0; c < CLIENTS; c++) {
		struct client *who = world_client(c);
		for (int s = 0; who && who->subscriber && s < j->streams; s++)
			for (int k = 0; k < TOPICS; k++) {
				struct seen *seen = &j->reader[c].seen[s][k];
				unsigned next = seen->some ? seen->next : seen->from;
				if (!j->reader[c].topic[k].subscribed)
					continue;
				for (unsigned n = next; n < j->stream[s].topic[k].next; n++)
					if (j->stream[s].topic[k].m[n].told == ACKED &&
					    !may_be_gone(&j->stream[s], &j->stream[s].topic[k].m[n])) {
						snprintf(j->missing, sizeof j->missing,
						    "subscriber %d has not got %d/%d/%u, which is acknowledged", c, s,
						    k, n);
						return 0;
					}
			}
	}
	return 1;
}

const char *judge_missing(void) { return j->missing; }
