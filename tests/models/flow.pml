/* flow - work, tickets and credit between machines and workers: no deadlock, no lost ticket, nobody asleep while work lies in a ring,
 * a machine that stands still harms only itself.
 *
 *   handler h --ring[h][w], bell, queue--> worker w --taken, bell, queue--> sender h --credit--> handler h
 *
 * Scaled down until the state space is complete: 3 machines, 2 workers, frames of size 1, a window of 1, queues of 1 ticket (4096 really: full
 * at once here, as it must be), one forged ticket. A handler stands for the requester, too, that obeys the credit. The sender of machine 0
 * stands still in a write for ever, with its queue full; machine 1 needs credit to go on; machine 2 needs none. Bells of time and libmom's
 * slices are left out: nothing here may depend on them. Bells are shown step by step between handler and worker; between worker and sender,
 * where it is the same code, in larger steps.
 *
 * BUG=1  bell_ring without its fence                BUG=2  bell_clear without its fence
 * BUG=3  the flags are cleared after the look       BUG=4  the queue is emptied after the look, not before
 * BUG=5  msgsnd that blocks                         BUG=6  the requester does not obey its credit
 * BUG=7  taken moves, the sender is not rung        BUG=8  taken is told before the tail has moved */
#ifndef BUG
#define BUG 0
#endif
#define MACHINES 3
#define WORKERS  2
#define WINDOW   1
#define QUEUE    1
#define AT(h, w) ((h) * WORKERS + (w))
#define RINGS    (MACHINES * WORKERS)
/* frames for a ring: machine 0 has one for worker 0, machine 1 two for worker 0 and (WIDE, minutes and gigabytes) one for worker 1, machine 2 one
 * for worker 1 */
#ifndef WIDE
#define WIDE 0
#endif
#define TO_SEND(r) ((r) == AT(1, 0) -> 2 : ((r) == AT(1, 1) -> WIDE : ((r) == AT(0, 0) || (r) == AT(2, 1) -> 1 : 0)))

byte head[RINGS], tail[RINGS];          /* struct ring: head by the handler, tail by the worker */
bit  bell[RINGS];                       /* ring->bell.taken */
byte taken[RINGS];                      /* broker_unit.by_shard[].taken */
bit  taken_bell[RINGS];                 /* broker_unit.by_shard[].bell */
byte credit[RINGS];                     /* daemon_unit.credit[]: taken, as the sender has told it */
byte worker_queue[WORKERS], sender_queue[MACHINES];

/* ticket_send of ipcq.c: IPC_NOWAIT; after EAGAIN the flag stays, a full queue has an awake reader */
inline ticket_send(queue)
{
#if BUG == 5
	atomic { queue < QUEUE -> queue++ }
#else
	d_step { if :: queue < QUEUE -> queue++ :: else fi }
#endif
}

/* bell_ring of ipcq.c behind its fence: the flag is looked at, then exchanged; one writer a flag, so nobody comes between */
inline bell_take(which, queue)
{
	if
	:: d_step { which == 0 -> which = 1 } ticket_send(queue)
	:: d_step { which != 0 -> skip }
	fi
}

#define MAY(r) (head[r] < TO_SEND(r) && (BUG == 6 || head[r] - credit[r] < WINDOW))

/* mom_requester feed_frame: nothing beyond the window; broker_handler feed: a ring without room is a peer that sends too much; ring_workers */
proctype handler(byte h)
{
	byte r;
	bit flag;
end:	if
	:: atomic { MAY(AT(h, 0)) -> r = AT(h, 0) }
	:: atomic { MAY(AT(h, 1)) -> r = AT(h, 1) }
	fi;
#if BUG == 1
	flag = bell[r];                          /* the processor looks at the flag while head is still in its store buffer */
	d_step { assert(head[r] - tail[r] < WINDOW); head[r]++ }
	if
	:: flag == 0 -> bell_take(bell[r], worker_queue[r % WORKERS])
	:: else
	fi;
#else
	d_step { assert(head[r] - tail[r] < WINDOW); head[r]++ }        /* ring_reserve, ring_publish */
	bell_take(bell[r], worker_queue[r % WORKERS]);
#endif
	goto end
}

/* tell of worker.c: a handler may use what taken promises at once: the tail is first */
inline tell(r, seen)
{
	if
	:: atomic { seen != tail[r] ->
#if BUG == 8
		taken[r] = seen;
		bell_take(taken_bell[r], sender_queue[r / WORKERS]) }
		tail[r] = seen;
#else
		tail[r] = seen; taken[r] = seen;
#if BUG != 7
		bell_take(taken_bell[r], sender_queue[r / WORKERS]);
#endif
		more = 1; seen = 0 }
#endif
	:: atomic { seen == tail[r] -> seen = 0 }
	fi
}

/* worker.c round_of_work: bell_clear of all rings, drain (ring_next until there is none), commit, tell; main sleeps only after a round that
 * found nothing. Worker 0 has rings of machine 0 and 1, worker 1 of machine 1 and 2. */
proctype worker(byte w)
{
	byte seen_a, seen_b;
	bit more;
#define A AT(w, w)
#define B AT(w + 1, w)
	goto end;
round:
#if BUG == 2
	seen_a = head[A];                        /* the look passes the cleared flag, which is still in the store buffer */
	seen_b = head[B];
#endif
#if BUG != 3
	bell[A] = 0;
	bell[B] = 0;
#endif
#if BUG != 2
	seen_a = head[A];
	seen_b = head[B];
#endif
#if BUG == 3
	bell[A] = 0;
	bell[B] = 0;
#endif
	tell(A, seen_a);
	tell(B, seen_b);
#if BUG == 4
	worker_queue[w] = 0;
#endif
	if
	:: atomic { more -> more = 0; goto round }
	:: else
	fi;
end:	atomic { worker_queue[w] > 0 -> worker_queue[w] = 0 }    /* ipcq_wait, ipcq_drain */
	goto round
}

/* broker_sender round_of_work: bells cleared, credit_look writes to the socket; mom_responser stores it, the requester wakes */
proctype sender(byte h)
{
	goto end;
round:	atomic { taken_bell[AT(h, 0)] = 0; taken_bell[AT(h, 1)] = 0 }
	credit[AT(h, 0)] = taken[AT(h, 0)];
	credit[AT(h, 1)] = taken[AT(h, 1)];
end:	atomic { sender_queue[h] > 0 -> sender_queue[h] = 0 }
	goto round
}

/* When nobody can move any more, all is taken; machine 0 and 2 had no need of credit. */
proctype judge()
{
	byte r;
end:	timeout;
	do
	:: r < RINGS ->
		assert(head[r] == tail[r]);
		assert(head[r] == TO_SEND(r));
		r++
	:: else -> break
	od
}

init
{
	atomic {
		worker_queue[0] = 1;             /* forged */
		sender_queue[0] = QUEUE;         /* a machine that stands still */
		run handler(0); run handler(1); run handler(2);
		run worker(0); run worker(1);
		run sender(1);
		run judge()
	}
}
