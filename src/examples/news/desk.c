/* desk - what pusher and consumer have in common: a page where entries of one kind are written and those of another
 * appear
 *
 * READS       TOPIC/items or TOPIC/comments; requests of browsers on 127.0.0.1
 * WRITES      the other of the two; a line `ready http://127.0.0.1:PORT/PATH` to stdout
 * SLEEPS IN   poll: mom_fd, its sockets, signals
 * A form is answered at once: what is written lies in the ring to the daemon, and goes out when the broker is there.
 * The page is told what waits (event `state`). It is a durable client: what came while it was not running appears when
 * it runs again.
 * SIGNALS     TERM, INT: exit 0       EXIT  0 stopped   100 wrong use or a bad news.conf   111 system trouble */
#include "desk.h"
#include "assets.h"
#include "board.h"
#include "config.h"
#include "http.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 50 };                         /* between looks at what has become of what was written */

static struct {
	const struct desk *desk;
	struct config config;
	int id, signals, stopped;
	char topic[64];                            /* that it writes to */
	int waiting;                               /* something that was written is not acknowledged yet */
	char state[700];                           /* JSON: what the page shows of it */
} d;

static void __attribute__((noreturn, format(printf, 1, 2)))
fatal(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	fprintf(stderr, "%s[%d]: ", d.desk->name, (int)getpid());
	vfprintf(stderr, format, list);
	fprintf(stderr, "\n");
	va_end(list);
	exit(111);
}

/* state: waiting, sent, failed; why: plain ASCII without quotes goes as it is, the rest as a ? */
static void
set_state(const char *state, const char *why)
{
	char text[500], *to = text;
	for (; *why && to < text + sizeof text - 1; why++)
		*to++ = *why < ' ' || *why > '~' || *why == '"' || *why == '\\' ? '?' : *why;
	*to = 0;
	snprintf(d.state, sizeof d.state, "{\"state\":\"%s\",\"text\":\"%s\"}", state, text);
	http_event_to_all("state", d.state);
}

/* ---- requests ---- */

static void
send_asset(struct http_connection *c, const char *type, const char *text)
{
	http_reply(c, 200, type, text, strlen(text));
}

/* All that is kept first, then what comes, as it comes; a page that comes back knows its entries by their ids. */
static void
begin_events(struct http_connection *c)
{
	http_stream(c);
	for (size_t i = 0; i < board_count(); i++)
		http_event(c, "", board_get(i));
	http_event(c, "state", d.state);
}

static void
write_entry(struct http_connection *c, const struct request *r)
{
	static char bytes[ENTRY_BYTES_MAX];
	char why[200] = "too much text\n";
	if (strncmp(r->type, "application/x-www-form-urlencoded", 33) != 0) {
		http_text(c, 400, "a form is wanted: Content-Type: application/x-www-form-urlencoded\n");
		return;
	}
	long len = entry_from_form(d.desk->writes, r, bytes, why, sizeof why);
	if (len < 0) {
		http_text(c, 400, why);
		return;
	}
	if (mom_publish(d.id, d.topic, bytes, (size_t)len, MOM_ASYNC) < 0) {
		set_state("failed", mom_error_text(d.id));
		http_text(c, 503, mom_error_text(d.id));
		return;
	}
	d.waiting = 1;
	set_state("waiting", "");
	http_see_other(c, d.desk->path);
}

static void
handle(struct http_connection *c, const struct request *r)
{
	char form[32];
	snprintf(form, sizeof form, "/%s", d.desk->writes->name);
	if (strcmp(r->method, "POST") == 0) {
		if (strcmp(r->path, form) == 0)
			write_entry(c, r);
		else
			http_text(c, 404, "nothing is written here\n");
	} else if (strcmp(r->method, "GET") != 0) {
		http_text(c, 405, "GET, or POST for a form\n");
	} else if (strcmp(r->path, d.desk->path) == 0) {
		send_asset(c, "text/html; charset=utf-8", d.desk->page);
	} else if (strcmp(r->path, "/") == 0) {
		http_see_other(c, d.desk->path);
	} else if (strcmp(r->path, "/news.js") == 0) {
		send_asset(c, "text/javascript; charset=utf-8", asset_script);
	} else if (strcmp(r->path, "/news.css") == 0) {
		send_asset(c, "text/css; charset=utf-8", asset_style);
	} else if (strcmp(r->path, "/events") == 0) {
		begin_events(c);
	} else {
		http_text(c, 404, "there is no such page\n");
	}
}

/* ---- messages ---- */

static void
subscribe(void)
{
	char topic[64];
	snprintf(topic, sizeof topic, "%s/%s", d.config.topic, d.desk->reads->name);
	int r = mom_subscribe(d.id, topic, 0);
	if (r < 0 && r != MOM_EEXIST)
		fatal("subscribe %s: %s", topic, mom_error_text(d.id));
}

static void
show(const struct mom_message *m)
{
	static char json[ENTRY_JSON_MAX];
	if (entry_to_json(d.desk->reads, m, json) < 0) {
		fprintf(stderr, "%s[%d]: a message on %s that is none of ours is left out\n", d.desk->name,
		    (int)getpid(), m->topic);
		return;
	}
	if (board_add(json) < 0)
		fatal("no memory for an entry: `keep` in news.conf is smaller, or see `ulimit -v`");
	http_event_to_all("", json);
}

static void
take_messages(void)
{
	struct mom_message m;
	int r;
	while ((r = mom_receive(d.id, &m, 0)) == 0)
		show(&m);
	if (r == MOM_EFULL) {
		fprintf(stderr, "%s[%d]: %s\n", d.desk->name, (int)getpid(), mom_error_text(d.id));
		subscribe();
	} else if (r != MOM_ETIMEDOUT && r != MOM_EINTR) {
		fatal("receive: %s", mom_error_text(d.id));
	}
}

/* What has become of what was written? */
static void
look_at_written(void)
{
	int r = mom_flush(d.id, 0);
	if (r == MOM_ETIMEDOUT || r == MOM_EINTR)
		return;
	d.waiting = 0;
	set_state(r == 0 ? "sent" : "failed", r == 0 ? "" : mom_error_text(d.id));
}

/* ---- the loop ---- */

static void
serve(void)
{
	struct pollfd p[HTTP_POLL_MAX + 2];
	struct signalfd_siginfo s;
	p[0] = (struct pollfd){ mom_fd(d.id), POLLIN, 0 };
	p[1] = (struct pollfd){ d.signals, POLLIN, 0 };
	if (p[0].fd < 0)
		fatal("mom_fd: %s", mom_error_text(d.id));
	while (!d.stopped) {
		take_messages();
		int n = http_poll(p + 2);
		if (poll(p, (nfds_t)n + 2, d.waiting ? LOOK_MS : http_wait_ms()) < 0 && errno != EINTR)
			fatal("poll: %s", strerror(errno));
		if (p[1].revents && read(d.signals, &s, sizeof s) > 0)
			d.stopped = 1;
		if (d.waiting)
			look_at_written();
		http_serve(p + 2, n, handle);
	}
}

static void
open_all(void)
{
	char name[80];
	sigset_t set;
	snprintf(name, sizeof name, "%s-%s", d.config.topic, d.desk->name);
	snprintf(d.topic, sizeof d.topic, "%s/%s", d.config.topic, d.desk->writes->name);
	set_state("sent", "");
	if (board_open((size_t)d.config.keep) < 0)
		fatal("no memory for %ld entries: `keep` in news.conf", d.config.keep);
	long port = config_port(&d.config, d.desk->name);
	if (http_open((int)port) < 0)
		fatal("127.0.0.1 %ld: %s: `%s` in news.conf, 0 takes a free port", port, strerror(errno), d.desk->name);
	if ((d.id = mom_open(name)) < 0)
		fatal("%s", mom_error_text(-1));
	subscribe();
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if ((d.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		fatal("signalfd: %s", strerror(errno));
}

int
desk_main(const struct desk *desk, int argc, char **argv)
{
	int help = argc == 2 && strcmp(argv[1], "--help") == 0;
	d.desk = desk;
	if (argc != 2 || help) {
		fprintf(help ? stdout : stderr, "usage: %s CONFIG\n  serves http://127.0.0.1:PORT%s until SIGTERM; "
		    "CONFIG: see news.conf\n", desk->name, desk->path);
		return help ? 0 : 100;
	}
	if (config_load(&d.config, argv[1]) < 0)
		return fprintf(stderr, "%s[%d]: %s\n", desk->name, (int)getpid(), d.config.error), 100;
	open_all();
	printf("ready http://127.0.0.1:%d%s\n", http_port(), desk->path);
	fflush(stdout);
	serve();
	http_close();
	/* what is still on its way goes out when the broker is back */
	mom_set_option(d.id, MOM_OPT_TIMEOUT_MS, 1000);
	int r = mom_close(d.id);
	if (r < 0 && r != MOM_ETIMEDOUT)
		return fprintf(stderr, "%s[%d]: %s\n", desk->name, (int)getpid(), mom_error_text(-1)), 111;
	return 0;
}
