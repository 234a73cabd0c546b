/* resend - one client, one shard: request numbers, `first`, refusals, over connections that break, workers that are killed, a power cut.
 * Nothing is stored twice or out of order, nothing acknowledged is missing, nothing reported as refused is stored, at the end every request
 * is stored, or reported as refused, or (fast, a power cut) told as lost: with the next request that is stored.
 *
 *   libmom --client's ring--> requester --(handler) ring of the connection--> worker --log, words--> sender, responser --> libmom
 *
 * A connection is a number: what belongs to it is made anew with it (unit of failure). Whatever a step reads may change before the next
 * step. Request 2 is fast, the others are durable. Generations are left out: tests/unit/decide.c.
 *
 * BUG=1  no de-duplication                             BUG=2  any higher number is taken
 * BUG=3  the ring of a dead connection is still read   BUG=4  the worker goes on after a refusal
 * BUG=5  words before fdatasync                        BUG=6  libmom moves the tail before first
 * BUG=7  the requester does not look at the tail after its copy
 * BUG=8  a new connection goes on where the old was    BUG=9  libmom frees what is sent, not what is acknowledged
 * BUG=10 the worker moves the tail before it commits   BUG=11 a starting worker does not sync what it found
 * BUG=12 the requester sends what is refused           BUG=13 a restarted worker does not read its refused words
 *
 * STRICT=1 shows what is not promised of fast requests after a power cut: the word that tells the loss is one of the connection and ends with
 * it; and where the worker refuses what it had acknowledged before the cut, libmom may free it as acknowledged: neither refusal nor loss
 * is told, and what the requester dropped behind it waits for the next connection. */
#ifndef STRICT
#define STRICT 0
#endif
#ifndef BUG
#define BUG 0
#endif
#define N        3        /* requests: 1 to N */
#define FAULTS   2        /* connections that break, kills of the worker, power cuts: in all */
#define REFUSALS 1
#define CONNS    (FAULTS + 1)

/* struct client_segment: next, first, the ring from tail to next - 1 (its frames are its numbers) by libmom; acked, refused by the responser */
byte next = 1, first = 1, tail = 1, acked, refused;
bit  durable[N + 2];
/* the living connection, and what belongs to each: broker_unit's ring and answer_words */
byte conn;
chan ring[CONNS] = [1] of { byte, byte };
byte conn_acked[CONNS], conn_refused[CONNS], lost_from[CONNS], lost_to[CONNS];
/* the log of this client: the numbers in it, the highest, and up to where it is on disk */
bit  stored[N + 2], gone[N + 2];        /* gone: a power cut took it */
byte last, synced;
byte faults, refusals, life;              /* life: of the worker; it grows with each kill */
/* what libmom told its program */
bit  told_refused[N + 2], told_lost[N + 2];

/* ---- libmom, request.c ---- */

active proctype libmom()
{
	byte n;
end:	do
	:: atomic { next <= N && next - tail < 2 -> durable[next] = (next != 2); next++ }              /* request_append */
	:: atomic { tail < next && (tail <= acked || tail < first) && BUG != 9 -> n = tail }             /* requests_trim */
		d_step {
			if
			:: n >= first -> assert((stored[n] && (!durable[n] || synced >= n)) || (gone[n] && !durable[n]))
			:: else
			fi
		}
#if BUG == 6
		tail = n + 1;
		if :: n >= first -> first = n + 1 :: else fi;
#else
		if :: n >= first -> first = n + 1 :: else fi;
		atomic { tail = n + 1; n = 0 }
#endif
#if BUG == 9
	:: atomic { tail < next -> first = tail + 1; tail++ }
#endif
	:: atomic { refused >= first && refused < next ->                                              /* look_refused */
		n = refused;
		do
		:: n < next -> assert(!stored[n]); told_refused[n] = 1; n++
		:: else -> break
		od;
		first = next;
		n = 0 }
	od
}

/* ---- mom_requester: feed_look, feed_frame; its death is the connection's; the handler is a part of the way ---- */

active proctype requester()
{
	byte at = 1, mine, sent, n, f;
start:	atomic {
		mine = conn;
		sent = 0;
#if BUG != 8
		at = tail
#endif
	}
end:	do
	:: atomic { mine != conn -> goto start }
	:: atomic { mine == conn && at < tail -> at = tail }
	:: atomic { mine == conn && at >= tail && at < next -> n = at }                               /* the copy */
		if
#if BUG != 7
		:: atomic { tail > n -> at = tail; goto again }
#else
		:: tail > n -> assert(false)     /* what is believed now may be anything: libmom writes there */
#endif
		:: else
		fi;
		f = first;
		if
#if BUG != 12
		:: atomic { n < f || (refused >= f && n >= refused) -> at = n + 1; goto again }       /* is_dropped */
		:: else
#else
		:: true
#endif
		fi;
		if
		:: atomic { mine != conn -> goto start }
		:: atomic { mine == conn && nfull(ring[conn]) ->
			assert(BUG == 12 || n == f || n == sent + 1 && sent != 0);                     /* leaves_gap */
			ring[conn]!n,f;
			sent = n;
			at = n + 1 }
		fi;
again:		atomic { n = 0; f = 0 }
	od
}

/* ---- worker: worker_conns_look, drain with decide_request, commit, tell; killed at any moment: mine != life ---- */

#define DEAD :: atomic { mine != life -> goto start }

active proctype worker()
{
	byte mine, c, n, f, from;
	bit take, again;
start:	atomic { mine = life; n = 0; f = 0; from = 0; take = 0; again = 0;
#if BUG != 11
		synced = last;                   /* seglog_open: what lies above the mark is written again and synced */
#endif
		c = conn;                        /* a starter looks at everything; the ring's tail is where the last one left it */
#if BUG == 13
		conn_refused[c] = 0;
#endif
	}
end:	do
	DEAD
	:: atomic { mine == life && c != conn -> c = conn }                                           /* conn_leave, conn_join */
	:: atomic { mine == life && nempty(ring[c]) -> from = c; ring[c]?<n,f> } goto decide
#if BUG == 3
	:: atomic { mine == life && c > 0 && nempty(ring[c - 1]) -> from = c - 1; ring[from]?<n,f> } goto decide
#endif
	od;
decide:	if
	DEAD
	:: atomic { mine == life ->              /* decide_request, take_request */
		take = 0;
		again = 0;
		if
#if BUG != 4
		:: conn_refused[from] >= f && n >= conn_refused[from]                       /* VERDICT_IGNORE */
		:: else ->
#else
		:: true ->
#endif
			if
#if BUG == 1
			:: n <= last -> take = 1
#else
			:: n <= last -> again = 1
#endif
			:: n == last + 1 -> take = 1
#if BUG == 2
			:: n > last + 1 -> take = 1
#else
			:: n > last + 1 && f > last + 1 && n == f ->
				take = 1;
				lost_from[from] = last + 1;
				lost_to[from] = (conn_refused[from] > last && conn_refused[from] < f -> conn_refused[from] - 1 : f - 1)
#if !STRICT
				do
				:: lost_from[from] <= lost_to[from] -> told_lost[lost_from[from]] = 1; lost_from[from]++
				:: else -> break
				od;
				lost_from[from] = 0;
				lost_to[from] = 0
#endif
			:: n > last + 1 && !(f > last + 1 && n == f) -> assert(false)    /* VERDICT_BROKEN: an honest client's never are */
#endif
			fi
		fi;
		if
		:: take && refusals < REFUSALS && (STRICT || !gone[n]) -> refusals++; conn_refused[from] = n; take = 0   /* answer_refuse: no room */
		:: true
		fi
	}
	fi;
#if BUG == 10
	if
	DEAD
	:: atomic { mine == life -> ring[from]?_,_ }
	fi;
#endif
	if                                       /* commit: seglog_flush, seglog_sync */
	DEAD
	:: atomic { mine == life && take ->
		assert(!stored[n] && n > last && !told_refused[n]);
		stored[n] = 1;
		gone[n] = 0;
		last = n }
	:: mine == life && !take
	fi;
#if BUG == 5
	if
	DEAD
	:: atomic { mine == life -> if :: take -> conn_acked[from] = n :: again -> conn_acked[from] = last :: else fi }
	fi;
#endif
	if
	DEAD
	:: atomic { mine == life && take && durable[n] -> synced = last }
	:: mine == life && !(take && durable[n])
	fi;
	if                                       /* worker_answer, then the tail */
	DEAD
	:: atomic { mine == life && (take || again) -> conn_acked[from] = last }
	:: mine == life && !(take || again)
	fi;
	if
	DEAD
#if BUG != 10
	:: atomic { mine == life -> ring[from]?_,_ }
#else
	:: mine == life
#endif
	fi;
	atomic { n = 0; f = 0; from = 0; take = 0; again = 0; goto end }
}

/* ---- broker_sender and mom_responser: words travel alone and late, or not at all; raise_word ---- */

active proctype answers()
{
	byte k;
end:	do
	:: atomic { conn_acked[conn] > acked -> acked = conn_acked[conn] }
	:: atomic { conn_refused[conn] > refused -> refused = conn_refused[conn] }
	:: atomic { STRICT && lost_from[conn] != 0 ->                                                           /* look_lost */
		k = lost_from[conn];
		do
		:: k <= lost_to[conn] -> told_lost[k] = 1; k++
		:: else -> break
		od;
		lost_from[conn] = 0;
		lost_to[conn] = 0;
		k = 0 }
	od
}

/* ---- what goes wrong ---- */

active proctype fate()
{
end:	do
	:: atomic { faults < FAULTS -> faults++; conn++ }
	:: atomic { faults < FAULTS -> faults++; life++ }
	:: atomic { faults < FAULTS ->               /* whatever is not synced may be gone, from the end on */
		faults++;
		do
		:: last > synced -> stored[last] = 0; gone[last] = 1; last--;
			do :: last > 0 && !stored[last] -> last-- :: else -> break od
		:: break
		od;
		life++;
		conn++ }
	od
}

active proctype judge()
{
	byte n;
end:	timeout;
	assert(next == N + 1 && tail == next && empty(ring[conn]));
	n = 1;
	do
	:: n <= N ->
		assert(stored[n] || told_refused[n] || (gone[n] && !durable[n] && (told_lost[n] || n > last)));
		assert(!(stored[n] && (told_refused[n] || told_lost[n])));
		n++
	:: else -> break
	od
}
