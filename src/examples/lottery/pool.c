/* pool - the worker processes behind one queue */
#include "pool.h"
#include "tell.h"
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int
send_whole(int fd, const void *bytes, size_t len)
{
	ssize_t n;
	while ((n = send(fd, bytes, len, MSG_NOSIGNAL)) < 0 && errno == EINTR) {
	}
	return n < 0 ? -1 : 0;
}

/* One message: stored whole, or not at all. */
static int
store_job(struct store *s, const struct config *c, const struct job *j, struct store_entry *e)
{
	static struct bet bets[BATCH_BETS_MAX];
	static char lines[BATCH_BETS_MAX * BET_LINE_MAX];
	size_t len = 0;
	*e = (struct store_entry){ .kind = STORE_BATCH, .offset = j->offset, .publisher = j->publisher,
	    .number = j->number };
	if (j->len == 1) {
		e->agency = j->data[0];
		e->kind = e->agency >= 1 && e->agency <= c->agencies ? STORE_END : STORE_NOTHING;
		return store_put(s, e, NULL, 0);
	}
	e->count = batch_get(bets, j->data, j->len, (unsigned)c->agencies);
	if (e->count < 0)
		e->kind = STORE_REFUSED;
	for (int i = 0; i < e->count; i++)
		len += bet_line(lines + len, &bets[i]);
	if (e->count > 0)
		e->agency = bets[0].agency;
	return store_put(s, e, lines, len);
}

static void
work(int queue, int done, struct store *s, const struct config *c)
{
	static struct job j;
	struct store_entry e;
	for (;;) {
		ssize_t n = recv(queue, &j, sizeof j, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)                            /* the null message; or the centre is gone */
			_exit(n < 0 ? 111 : 0);
		if (store_job(s, c, &j, &e) < 0)
			tell_fatal(111, "bets.csv or bets.journal: %s; the batch is not stored", strerror(errno));
		if (send_whole(done, &e, sizeof e) < 0)
			_exit(111);
	}
}

static void
worker_main(struct pool *p, int queue, int done, pid_t centre, struct store *s, const struct config *c)
{
	tell_program = "lottery worker";
	prctl(PR_SET_PDEATHSIG, SIGKILL);              /* whatever it is about, it stores it whole or not at all */
	if (getppid() != centre)
		_exit(111);
	signal(SIGTERM, SIG_IGN);                      /* the centre ends, and then stops its workers */
	signal(SIGINT, SIG_IGN);
	close(p->queue);
	close(p->done);
	work(queue, done, s, c);
}

void
pool_start(struct pool *p, struct store *s, const struct config *c)
{
	int queue[2], done[2];
	pid_t centre = getpid();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, queue) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, done) < 0)
		tell_fatal(111, "socketpair: %s", strerror(errno));
	*p = (struct pool){ .queue = queue[0], .done = done[0], .count = (int)c->workers };
	for (; p->living < p->count; p->living++) {
		pid_t pid = fork();
		if (pid == 0)
			worker_main(p, queue[1], done[1], centre, s, c);
		if (pid < 0)
			tell_fatal(111, "fork: %s: see `ulimit -u`", strerror(errno));
		p->pid[p->living] = pid;
	}
	close(queue[1]);
	close(done[1]);
}

int
pool_give(struct pool *p, const struct job *j)
{
	return send_whole(p->queue, j, offsetof(struct job, data) + j->len);
}

int
pool_take(struct pool *p, struct store_entry *e)
{
	ssize_t n;
	while ((n = recv(p->done, e, sizeof *e, MSG_DONTWAIT)) < 0 && errno == EINTR) {
	}
	if (n < 0 && errno == EAGAIN)
		return 0;
	return n == (ssize_t)sizeof *e ? 1 : -1;
}

static int
forget(struct pool *p, pid_t pid)
{
	for (int i = 0; i < p->count; i++) {
		if (p->pid[i] == pid) {
			p->pid[i] = 0;
			p->living--;
			return 1;
		}
	}
	return 0;
}

pid_t
pool_reap(struct pool *p)
{
	pid_t pid;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		if (forget(p, pid))
			return pid;
	return 0;
}

void
pool_stop(struct pool *p)
{
	for (int i = 0; i < p->living; i++)
		if (send_whole(p->queue, "", 0) < 0)
			break;
	while (p->living > 0) {
		pid_t pid = waitpid(-1, NULL, 0);
		if (pid > 0)
			forget(p, pid);
		else if (errno != EINTR)
			break;
	}
}
