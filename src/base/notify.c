/* notify - see notify.h */
#include "base/notify.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/log.h"
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { NOTIFY_AGAIN_MS = 1000 };           /* its socket was full or not there: tried again after that */

static struct {
	int fd;
	struct sockaddr_un to;
	socklen_t to_len;
	int ready, ready_told;
	int64_t ping_ms, due;              /* ping_ms 0: no watchdog */
	char status[200], status_told[200];
} notifier = { .fd = -1, .due = -1 };

/* Connected each time: the manager may have been started anew, with another socket under the same name. Never waits. */
static int
notify_send(const char *text)
{
	if (connect(notifier.fd, (const struct sockaddr *)&notifier.to, notifier.to_len) == 0 &&
	    send(notifier.fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return 0;
	log_debug("NOTIFY_SOCKET: %s: tried again", strerror(errno));
	return -1;
}

/* A path, or @NAME in the abstract name space. */
static int
notify_address(const char *name)
{
	size_t len = strlen(name);
	if ((name[0] != '/' && name[0] != '@') || len < 2 || len > sizeof notifier.to.sun_path - 1)
		return -1;
	notifier.to.sun_family = AF_UNIX;
	memcpy(notifier.to.sun_path, name, len);
	if (name[0] == '@')
		notifier.to.sun_path[0] = '\0';
	notifier.to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
	return 0;
}

/* Half of the time after which the manager thinks that we hang; it may be meant for another process. */
static void
notify_watchdog(void)
{
	const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	unsigned long long ms = us ? strtoull(us, NULL, 10) / 2000 : 0;
	if (ms > 0 && ms < UINT32_MAX && (pid == NULL || strtol(pid, NULL, 10) == getpid()))
		notifier.ping_ms = (int64_t)ms;
}

void
notify_init(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	if (name && name[0]) {
		if (notify_address(name) < 0)
			log_warn("NOTIFY_SOCKET is %s: neither a path nor @NAME of at most %zu bytes; nobody is told "
			    "that this server is ready", name,
			    sizeof notifier.to.sun_path - 1);
		else if ((notifier.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
			log_fatal(EXIT_SYSTEM, "socket(NOTIFY_SOCKET): %s", strerror(errno));
		else
			notify_watchdog();
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

static void
notify_tell(int64_t now)
{
	char text[sizeof notifier.status + 40];
	int ready = notifier.ready && !notifier.ready_told, status = strcmp(notifier.status, notifier.status_told) != 0,
	    ping = notifier.ping_ms && notifier.ready;
	snprintf(text, sizeof text, "%s%s%s%s%s", ready ? "READY=1\n" : "", ping ? "WATCHDOG=1\n" : "",
	    status ? "STATUS=" : "", status ? notifier.status : "",
	    status ? "\n" : "");
	if (text[0] == '\0') {
		notifier.due = -1;
		return;
	}
	int failed = notify_send(text) < 0;
	if (!failed && ready)
		notifier.ready_told = 1;
	if (!failed && status)
		memcpy(notifier.status_told, notifier.status, sizeof notifier.status);
	notifier.due = ping ? now + notifier.ping_ms : -1;
	if (failed && (notifier.due < 0 || notifier.due > now + NOTIFY_AGAIN_MS))
		notifier.due = now + NOTIFY_AGAIN_MS;
}

void
notify_ready(void)
{
	notifier.ready = 1;
	if (notifier.fd >= 0)
		notify_tell(clock_ms());
}

void
notify_status(const char *format, ...)
{
	va_list ap;
	if (notifier.fd < 0)
		return;
	va_start(ap, format);
	vsnprintf(notifier.status, sizeof notifier.status, format, ap);
	va_end(ap);
	if (strcmp(notifier.status, notifier.status_told) != 0)
		notify_tell(clock_ms());
}

void
notify_stopping(void)
{
	if (notifier.fd >= 0)
		notify_send("STOPPING=1\nSTATUS=stops\n");
	fdio_close(&notifier.fd);
	notifier.due = -1;
}

void
notify_tick(int64_t now)
{
	if (notifier.fd >= 0 && notifier.due >= 0 && now >= notifier.due)
		notify_tell(now);
}

int64_t
notify_due(void)
{
	return notifier.fd >= 0 ? notifier.due : -1;
}
