/* watch - mom_fd: an epoll descriptor of our own for the program's event loop. In it: the registration's socket, to which mom_daemon sends a byte
 * when mail comes for a client that found nothing before; and a timer, which makes it readable on our own: at the start, for mom_wake, and
 * while no daemon is there, to look for its successor. Nothing is read from the socket until the mail box is empty, so it is readable
 * as long as messages wait. */
#include "api/door.h"
#include "api/handle.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { WATCH_AGAIN_MS = 20 };              /* a successor is looked for after this, doubling up to a slice */

static int
watch_add(const struct handle *h, int fd)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLRDHUP, .data.fd = fd };
	return epoll_ctl(h->watch, EPOLL_CTL_ADD, fd, &e);
}

static void
watch_timer_in(const struct handle *h, unsigned ms)
{
	struct itimerspec t = { .it_value = { ms / 1000, ms % 1000 * 1000000L + 1 } };
	if (timerfd_settime(h->watch_timer, 0, &t, NULL) < 0) {
		/* it is not ours any more: the program closed all descriptors */
	}
}

void
watch_now(const struct handle *h)
{
	if (h->watch_timer >= 0)
		watch_timer_in(h, 0);
}

/* 1: the daemon at its other end lives */
static int
watch_drain(const struct handle *h)
{
	char bytes[sizeof(struct registered)];
	ssize_t n;
	do
		n = recv(h->socket, bytes, sizeof bytes, MSG_DONTWAIT);
	while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Closing alone would leave it in the epoll set, and readable for ever, while a forked child has it, too. */
static void
watch_leave_door(struct handle *h)
{
	if (epoll_ctl(h->watch, EPOLL_CTL_DEL, h->socket, NULL) < 0) {
		/* the program has closed it: then it is not there any more */
	}
	door_close(h);
}

void
watch_arm(struct handle *h)
{
	struct itimerspec off = { 0 };
	if (timerfd_settime(h->watch_timer, 0, &off, NULL) < 0)
		return;
	if (h->socket >= 0 && watch_drain(h))
		h->watch_wait_ms = WATCH_AGAIN_MS;
	else if (h->socket >= 0)
		watch_leave_door(h);                   /* not asked again at once: it may be one that turns us away */
	else if (door_again(h) == 0 && watch_add(h, h->socket) < 0)
		door_close(h);
	if (h->socket < 0) {
		watch_timer_in(h, h->watch_wait_ms);
		h->watch_wait_ms = h->watch_wait_ms * 2 < SLICE_MS ? h->watch_wait_ms * 2 : SLICE_MS;
	}
	atomic_store(&h->segment->watch, atomic_load(&h->segment->watch) + 1);
	atomic_thread_fence(memory_order_seq_cst);
}

void
watch_close(struct handle *h)
{
	if (h->watch >= 0)
		close(h->watch);
	if (h->watch_timer >= 0)
		close(h->watch_timer);
	h->watch = h->watch_timer = -1;
}

int
mom_fd(int id)
{
	int e;
	struct handle *h = handle_get(id, &e);
	if (h == NULL)
		return e;
	if (h->watch >= 0)
		return h->watch;
	h->watch_wait_ms = WATCH_AGAIN_MS;
	h->watch = epoll_create1(EPOLL_CLOEXEC);
	h->watch_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (h->watch < 0 || h->watch_timer < 0 || watch_add(h, h->watch_timer) < 0 || (h->socket >= 0 && watch_add(h, h->socket) < 0)) {
		e = handle_fail(h, MOM_ELIMIT, "epoll or timerfd: %s: close files of this program, or raise `ulimit -n`", strerror(errno));
		watch_close(h);
		return e;
	}
	watch_now(h);                                  /* what is there already nobody will tell of */
	return h->watch;
}
