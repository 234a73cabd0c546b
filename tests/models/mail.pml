/* mail - a mail box, the spool behind it, and a reader that acknowledges nothing until it has all (a batch larger than its box). The reader
 * never sleeps beside what it could read, free, or be told; the forwarder may be killed at any step, and is started anew.
 *
 *   forwarder --head, safe, behind, cuts; semaphore--> reader --tail; mail bell--> forwarder; ticks --> forwarder
 *
 * Scaled down: a box of 2 messages, refilled from half of it on; 5 messages come, of one shard. Number k lies in the box at place k, so that
 * head is the number that was put last. What is in the box was not put there twice: tests/unit and tests/sim look at that. libmom's slices of
 * a second are left out: nothing here may depend on them. Ticks are not: one comes to each forwarder, at any time, and does what the next
 * ones do. Words are seen in the order in which they are written, by the fences that flow.pml looks at.
 *
 * BUG=1  the sleeper knows neither behind nor safe       BUG=2  behind is told to nobody
 * BUG=3  the sleeper does not know safe                  BUG=4  what is safe with a tick is told to nobody
 * BUG=5  the reader announces its sleep behind its last look
 * BUG=6  a client that was cut is not told that all has come
 * BUG=7  the reader frees, and rings no bell             BUG=8  a new forwarder wakes nobody
 * BUG=9  the wake comes before the word behind           BUG=10 behind is not written anew by a new forwarder
 * BUG=11 what is put is told to nobody */
#ifndef BUG
#define BUG 0
#endif
#define N      5
#define BOX    2
#define KILLS  1

/* the client's segment */
byte head, tail, safe;
bit  behind, cuts, asleep, bell;
byte sem;                                /* SETVAL 1: a post is not counted */
/* the spool: the highest number that was put there because its reader was behind; below, what is safe is there, too */
byte stored;
/* the forwarder's queue, what the daemon does, and which forwarder it is */
bit  queue, tick[KILLS + 1];
byte life;
/* the reader: what it has taken; it was told that it was cut */
byte got;
bit  told;

#define IS_WORK (tick[mine] == 1 || (at <= N && !cuts) || (late && (head == stored || head - tail <= BOX / 2)))
#define MINE    mine == life
#define DEAD    :: atomic { mine != life -> goto start }

/* slots_wake of slots.c: behind its fence */
#define WAKE    if DEAD :: atomic { MINE -> if :: asleep -> sem = 1 :: else fi } fi

active proctype forwarder()
{
	byte mine, at;                   /* at: the message that comes next */
	bit late, fed;                   /* box->behind; it is in f.fed */
start:	atomic {                         /* spool_recover, box_scan: what box and spool hold is known */
		mine = life;
		late = stored > head;
		at = (stored > head -> stored : head) + 1;
		fed = BUG != 8 || life == 0
	}
#if BUG != 10
	if DEAD :: atomic { MINE -> behind = late } fi;
#endif
round:	if                               /* box_deliver */
	DEAD
	:: atomic { MINE && at <= N && !cuts && !late && head - tail < BOX -> head = at; at++; fed = 1 }
	:: atomic { MINE && at <= N && !cuts && !late && head - tail >= BOX } goto fall
	:: atomic { MINE && at <= N && !cuts && late -> stored = at; at++ }
	:: atomic { MINE && !cuts && late -> cuts = 1 } WAKE                                     /* box_cut */
	:: atomic { MINE && (at > N || cuts) }
	fi;
refill:	if                               /* box_refill; that it has caught up may be seen a turn later: entries of others lie behind */
	DEAD
	:: atomic { MINE && late && head < stored && head - tail <= BOX / 2 -> head = (stored < tail + BOX -> stored : tail + BOX); fed = 1 }
		if DEAD :: atomic { MINE && head > safe -> safe = head } :: MINE && head <= safe fi
	:: atomic { MINE && late && head == stored -> late = 0; behind = 0 }
#if BUG != 6
		WAKE
#endif
	:: atomic { MINE && !(late && (head == stored || head - tail <= BOX / 2)) }
	fi;
	if                               /* boxes_publish */
	:: atomic { fed -> fed = 0 }
#if BUG != 11
		WAKE
#endif
	:: else
	fi;
	if                               /* on_tick: box_shadow */
	DEAD
	:: atomic { MINE && tick[mine] == 1 -> tick[mine] = 0 }
		if
		DEAD
		:: atomic { MINE && safe < head -> safe = head }
#if BUG != 4
			if :: late -> WAKE :: else fi
#endif
		:: atomic { MINE && safe >= head }
		fi
	:: atomic { MINE && tick[mine] == 0 }
	fi;
	if
	DEAD
	:: atomic { MINE && IS_WORK -> goto round }
	:: atomic { MINE && !IS_WORK -> bell = 0 }                       /* bells_clear */
	fi;
	if                               /* the last look, then msgrcv: a tick rings, too */
	DEAD
	:: atomic { MINE && IS_WORK -> goto round }
	:: atomic { MINE && !IS_WORK }
	fi;
end:	if
	DEAD
	:: atomic { MINE && (queue || tick[mine] == 1) -> queue = 0; goto round }
	fi;
fall:	/* box_fall_behind: all in the box is written to the spool, then it is safe; then the message itself */
	if DEAD :: atomic { MINE -> safe = head } fi;
#if BUG == 9
	WAKE;
#endif
	if DEAD :: atomic { MINE -> late = 1; behind = 1 } fi;
#if BUG != 2 && BUG != 9
	WAKE;
#endif
	if DEAD :: atomic { MINE -> stored = at; at++; goto refill } fi
}

/* bell_ring, behind its fence */
inline ring_bell()
{
	if :: atomic { bell == 0 -> bell = 1; queue = 1 } :: bell fi
}

/* has_mail_or_ended of mail.c, word by word; has_to_free with `was`, as behind was seen before anything was freed */
inline look(found)
{
	found = 0;
	if :: head != got -> found = 1 :: else fi;
	if :: !found && cuts && !told -> if :: !behind -> if :: head == got -> found = 1 :: else fi :: else fi :: else fi;
#if BUG != 1
	if
	:: !found && behind ->
		if
		:: !was -> found = 1
#if BUG != 3
		:: was && tail < got && safe > tail -> found = 1
#endif
		:: else
		fi
	:: else
	fi
#endif
}

/* mom_receive, for ever */
active proctype reader()
{
	bit was, found;
next:	if
	:: atomic { head != got -> got++; goto next }
	:: else
	fi;
	was = behind;
free:	if                               /* mail_free: whole at once, since the tail is stored once */
	:: atomic { tail < got && safe > tail -> tail++; goto free }
	:: else
	fi;
#if BUG != 7
	if :: behind -> ring_bell() :: else fi;
#endif
	if                               /* has_ended */
	:: cuts && !told -> if :: !behind -> if :: head == got -> told = 1; goto next :: else fi :: else fi
	:: else
	fi;
wait:	look(found);
	if :: found -> goto next :: else fi;
#if BUG != 5
	asleep = 1;
	look(found);
	if :: found -> asleep = 0; goto next :: else fi;
#else
	asleep = 1;
#endif
end:	atomic { sem > 0 -> sem = 0; asleep = 0 }
	goto wait
}

active proctype ticks()
{
	byte given;
end:	do
	:: atomic { given <= life -> tick[life] = 1; given = life + 1 }
	od
}

active proctype fate()
{
end:	do
	:: atomic { life < KILLS -> life++ }
	od
}

active proctype judge()
{
end:	timeout;
	assert(got == head && (cuts || got == N));
	assert(!cuts || told);
	assert(stored <= head)
}
