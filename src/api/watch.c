/* watch - mom_fd: an epoll descriptor of our own for the program's event loop. In it: the registration's socket, to
 * which mom_daemon sends a byte when mail comes for a client that found nothing before; and a timer, which makes it
 * readable on our own: at the start, for mom_wake, and while no daemon is there, to look for its successor. Nothing is
 * read from the socket until the mail box is empty, so it is readable as long as messages wait. */
#include "api/register.h"
#include "api/handle.h"
#include "base/fdio.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { WATCH_AGAIN_MS = 20 };              /* a successor is looked for after this, doubling up to a slice */

static int
watch_control(const struct handle *h, int what, int fd)
{
	struct epoll_event e = { .events = fd == h->watch_mark ? 0 : EPOLLIN | EPOLLRDHUP, .data.fd = fd };
	return epoll_ctl(h->watch, what, fd, &e);
}

/* A program may close all its descriptors and have others under their numbers by now. The mark is known by its inode.
 * Only our epoll descriptor has the mark in it, and the timer that is in that one is ours. */
static int
mark_is_ours(const struct handle *h)
{
	struct stat st;
	return h->watch_mark >= 0 && fstat(h->watch_mark, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    st.st_ino == h->watch_inode;
}

static int
watch_is_ours(const struct handle *h)
{
	return h->watch >= 0 && mark_is_ours(h) && watch_control(h, EPOLL_CTL_MOD, h->watch_mark) == 0;
}

static int
timer_is_ours(const struct handle *h)
{
	return h->watch_timer >= 0 && watch_is_ours(h) && watch_control(h, EPOLL_CTL_MOD, h->watch_timer) == 0;
}

/* ms 0: at once; < 0: not at all */
static void
watch_timer_in(struct handle *h, int ms)
{
	struct itimerspec t = { 0 };
	if (ms >= 0)
		t.it_value = (struct timespec){ ms / 1000, ms % 1000 * 1000000L + 1 };
	atomic_store(&h->watch_timed, ms >= 0);
	if (timer_is_ours(h))
		timerfd_settime(h->watch_timer, 0, &t, NULL);
}

void
watch_now(struct handle *h)
{
	if (h->watch_timer >= 0)
		watch_timer_in(h, 0);
}

/* Takes the bytes that made it readable. 1: the daemon at the socket's other end lives */
static int
watch_drain(struct handle *h)
{
	char byte[2];
	ssize_t n;
	if (!door_lives(h))
		return 0;
	do
		n = recv(h->socket, byte, sizeof byte, MSG_DONTWAIT);
	while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Closing alone would leave it in the epoll set, and readable for ever, while a forked child has it, too. */
void
watch_leave_door(struct handle *h)
{
	if (door_is_ours(h) && watch_is_ours(h))
		epoll_ctl(h->watch, EPOLL_CTL_DEL, h->socket, NULL);
	door_close(h);
}

void
watch_take_door(struct handle *h)
{
	if (watch_is_ours(h) && watch_control(h, EPOLL_CTL_ADD, h->socket) < 0)
		door_close(h);
}

void
watch_arm(struct handle *h)
{
	if (atomic_load(&h->watch_timed))
		watch_timer_in(h, -1);
	if (h->socket >= 0 && watch_drain(h))
		h->watch_wait_ms = WATCH_AGAIN_MS;
	else if (h->socket >= 0)
		watch_leave_door(h);                   /* not asked again at once: it may be one that turns us away */
	else if (door_again(h) == 0)
		watch_take_door(h);
	if (h->socket < 0) {
		watch_timer_in(h, (int)h->watch_wait_ms);
		h->watch_wait_ms = h->watch_wait_ms * 2 < SLICE_MS ? h->watch_wait_ms * 2 : SLICE_MS;
	}
	/* nobody tells of room for a verdict, nor that one was refused with what stood before it */
	if (h->socket >= 0 && h->given_count)
		watch_timer_in(h, h->unsent ? WATCH_AGAIN_MS : SLICE_MS);
	atomic_store(&h->segment->watch, atomic_load(&h->segment->watch) + 1);
	atomic_thread_fence(memory_order_seq_cst);
}

void
watch_close(struct handle *h)
{
	int timer = timer_is_ours(h), watch = watch_is_ours(h);
	if (timer)
		close(h->watch_timer);
	if (watch)
		close(h->watch);
	if (mark_is_ours(h))
		close(h->watch_mark);
	h->watch = h->watch_timer = h->watch_mark = -1;
}

static int
watch_open(struct handle *h)
{
	struct stat st;
	h->watch_mark = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (h->watch_mark < 0 || fstat(h->watch_mark, &st) < 0)
		return -1;
	h->watch_inode = st.st_ino;
	h->watch = epoll_create1(EPOLL_CLOEXEC);
	if (h->watch < 0 || watch_control(h, EPOLL_CTL_ADD, h->watch_mark) < 0)
		return -1;
	h->watch_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (h->watch_timer < 0 || watch_control(h, EPOLL_CTL_ADD, h->watch_timer) < 0)
		return -1;
	return door_is_ours(h) ? watch_control(h, EPOLL_CTL_ADD, h->socket) : 0;
}

int
mom_fd(int id)
{
	int e;
	struct handle *h = handle_get(id, &e);
	if (h == NULL)
		return e;
	if (h->watch >= 0 && watch_is_ours(h))
		return h->watch;
	watch_close(h);                                /* the program has closed some of it */
	h->watch_wait_ms = WATCH_AGAIN_MS;
	if (watch_open(h) < 0) {
		e = handle_fail(h, MOM_ELIMIT, "epoll or timerfd: %s: close files of this program, or raise `ulimit "
		    "-n`", strerror(errno));
		fdio_close(&h->watch_timer);           /* just made, so ours, in the set or not */
		fdio_close(&h->watch);
		fdio_close(&h->watch_mark);
		return e;
	}
	watch_now(h);                                  /* what is there already nobody will tell of */
	return h->watch;
}
