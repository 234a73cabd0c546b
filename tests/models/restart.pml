/* restart - supervisors, orphans and successors: never two writers of a shard, a successor waits for the last orphan and then starts, a
 * restarted worker goes on with the same rings, a restarted mom_daemon with the segments of its living clients; nothing stays behind.
 *
 *   server 1, 2 (one after the other, the first is killed) --fork--> its worker (killed with it, or alone)
 *   client (lives on) --ring, bell, queue--> reader, which is started anew at every start; it stands for the worker that is restarted on
 *   the rings of its handlers, and for the requester of a daemon's successor on the segment of a client that it adopted
 *
 * BUG=1  the lock is not inherited                       BUG=2  no PDEATHSIG: an orphan never ends, its successor never starts
 * BUG=3  the parent is not looked for behind PDEATHSIG: the same where it died in between
 * BUG=4  a worker is started again before the old one is reaped
 * BUG=5  a starter sleeps before it looks at the rings   BUG=6  the tail moves before the record is written
 * BUG=7  no de-duplication: what was written but not answered is written again
 * BUG=8  a start removes the segments of living clients  BUG=9  the successor does not say where its queue is
 * BUG=10 a starter trusts the flag that its predecessor left */
#ifndef BUG
#define BUG 0
#endif
#define SERVERS 2
#define KILLS   1        /* of workers alone, in the life of a server */
#define FRAMES  2

/* processes are slots: server g, and its worker; a worker's life goes on until the kernel gets round to killing it */
mtype = { NONE, FORKED, ALIVE };
bit   server[SERVERS + 1];                    /* lives */
mtype worker[SERVERS + 1] = NONE;
bit   pdeathsig[SERVERS + 1], old_worker[SERVERS + 1];
bit   server_lock[SERVERS + 1], worker_lock[SERVERS + 1];
byte  current, deaths;

/* what outlives them: the client's segment, the log; the queue is made by each server */
byte head, tail, last, writes;
bit  taken, segment_gone;
byte queue_word, queue_now, tickets;          /* id in the client's segment, id of the queue that is, what lies in it */

#define LOCKED (server_lock[1] || server_lock[2] || worker_lock[1] || worker_lock[2])

/* broker_server, mom_daemon: lock_take of lock.c, worker_queue and member_adopt, child_start of child.c */
proctype supervisor(byte g)
{
	byte kills;
	atomic { deaths == g - 1 -> server[g] = 1 }
	atomic { !LOCKED -> server_lock[g] = 1; current = g }           /* STOP_MS bounds this wait: an orphan that never ends is told */
	atomic { queue_now = g; tickets = 0;                            /* the old queue is removed by the registry, a new one is made */
#if BUG == 8
		segment_gone = 1;
#endif
	}
#if BUG != 9
	queue_word = g;
#endif
end_serves:
	do
	:: atomic { worker[g] == NONE -> worker[g] = FORKED; pdeathsig[g] = 0;         /* fork: flock goes along with the descriptor */
#if BUG != 1
		worker_lock[g] = 1;
#endif
		run work(g) }
	:: atomic { g < SERVERS -> break }                              /* kill -9 of it */
	:: atomic { worker[g] == ALIVE && kills < KILLS -> kills++; worker[g] = NONE; worker_lock[g] = 0 }        /* of the worker, reaped */
#if BUG == 4
	:: atomic { worker[g] == ALIVE && kills < KILLS -> kills++; old_worker[g] = 1; worker[g] = NONE }
#endif
	od;
	atomic { server[g] = 0; server_lock[g] = 0; deaths++ }                    /* the parent is gone; its child may still run and write */
}

#define KILLED (worker[g] == NONE || me != writes_by[g])
byte writes_by[SERVERS + 1];                  /* which start of the worker of server g is the present one */

/* child_exec of child.c; then a worker: recover, round_of_work, tell */
proctype work(byte g)
{
	byte me, h;
	atomic { writes_by[g]++; me = writes_by[g] }
#if BUG != 2
	pdeathsig[g] = server[g];                /* it comes with the parent's death: not for one that is dead */
#endif
#if BUG != 3 && BUG != 2
	if
	:: atomic { server[g] == 0 -> worker[g] = NONE; worker_lock[g] = 0; goto dead }          /* getppid */
	:: else
	fi;
#endif
	atomic { worker[g] == FORKED -> worker[g] = ALIVE }
#if BUG == 10
	if :: taken -> goto end_sleep :: else fi;
#endif
#if BUG == 5
	goto end_sleep;
#endif
round:	if
	:: KILLED -> goto dead
	:: atomic { !KILLED && !segment_gone -> taken = 0 }                                  /* bell_clear */
	fi;
	do
	:: KILLED -> goto dead
	:: atomic { !KILLED && tail < head -> h = tail + 1 }                                 /* the next request: h */
#if BUG == 6
		tail = h;
#endif
		if
		:: KILLED -> goto dead
		:: atomic { !KILLED ->                                                         /* decide_request, written */
			/* two writers: another process is in the middle of the same */
			assert(worker[3 - g] != ALIVE && !old_worker[g]);
			if
			:: h == last + 1 -> last = h; writes++
#if BUG == 7
			:: h <= last -> writes++
#else
			:: h <= last
#endif
			:: h > last + 1 -> assert(false)
			fi }
		fi;
		if
		:: KILLED -> goto dead
		:: atomic { !KILLED -> tail = h; h = 0 }
		fi
	:: atomic { !KILLED && tail >= head -> break }
	od;
end_sleep:
	if                                                                                   /* ipcq_wait */
	:: KILLED -> goto dead
	:: atomic { !KILLED && queue_now == g && tickets > 0 -> tickets = 0; goto round }
	fi;
dead:	skip
}

/* the kernel: PDEATHSIG to the orphans, in its own time */
proctype kernel()
{
end:	do
	:: atomic { worker[1] == ALIVE && !server[1] && pdeathsig[1] -> worker[1] = NONE; worker_lock[1] = 0 }
	od
}

/* libmom: request_append, bell_ring, ticket_send: a queue that is gone has a successor, whose reader looks at everything */
proctype client()
{
	byte n, id;
	do
	:: n < FRAMES ->
		n++;
		assert(!segment_gone);
		head = n;
		if
		:: atomic { taken == 0 -> taken = 1 }
			id = queue_word;
			atomic { if :: id == queue_now && tickets == 0 -> tickets++ :: else fi }
		:: taken
		fi
	:: else -> break
	od
}

proctype judge()
{
end:	timeout;
	assert(current == SERVERS && worker[SERVERS] == ALIVE);
	assert(head == FRAMES && tail == head && last == head && writes == FRAMES)
}

init { atomic { run client(); run supervisor(1); run supervisor(2); run kernel(); run judge() } }
