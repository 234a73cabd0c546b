/* news - the example: what is written on one page appears on the other, once and in order, over restarts; requests of
 * strangers */
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server broker, one, two;
static pid_t pusher, consumer;
static int pusher_port, consumer_port;

static void
up_with(const char *extra)
{
	broker_start(&broker, "broker", 0, extra);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

static void
up(void)
{
	up_with(NULL);
}

/* in the background: its stdout in NAME.out, its stderr in NAME.log */
static pid_t
begin(const char *name, const char *program, const char *arguments)
{
	char *command = t_text("exec %s %s >%s 2>>%s </dev/null", program, arguments, t_path("%s.out", name),
	    t_path("%s.log", name));
	pid_t pid = fork();
	if (pid == 0) {
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	REQUIRE(pid > 0, "fork");
	return pid;
}

static void
ends(pid_t pid, int status, const char *name)
{
	int got = t_join(pid);
	REQUIRE(WIFEXITED(got) && WEXITSTATUS(got) == status, "%s: wait status 0x%x, wanted exit %d: %s%s", name, got,
	    status,
	    t_read_file(t_path("%s.out", name)), t_read_file(t_path("%s.log", name)));
}

static pid_t
start_page(const char *name, int *port)
{
	unlink(t_path("%s.out", name));
	pid_t pid = begin(name, t_text(EXAMPLES "/news/%s", name), t_path("news.conf"));
	char *out;
	WAIT_FOR(strchr(out = t_read_file(t_path("%s.out", name)), '\n'), "%s is not ready: %s", name,
	    t_read_file(t_path("%s.log", name)));
	REQUIRE(sscanf(out, "ready http://127.0.0.1:%d/", port) == 1, "%s", out);
	return pid;
}

static void
write_conf(const char *text)
{
	int fd = open(t_path("news.conf"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	REQUIRE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "news.conf: %s", strerror(errno));
	close(fd);
}

static void
both(void)
{
	up();
	write_conf("pusher 0\nconsumer 0\n");
	pusher = start_page("pusher", &pusher_port);
	consumer = start_page("consumer", &consumer_port);
}

static void
both_end(void)
{
	kill(pusher, SIGTERM);
	kill(consumer, SIGTERM);
	ends(pusher, 0, "pusher");
	ends(consumer, 0, "consumer");
}

/* ---- a browser ---- */

static int
dial(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval limit = { 20, 0 };
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	REQUIRE(s >= 0 && setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
	    connect(s, (struct sockaddr *)&at, sizeof at) == 0,
	    "port %d: %s", port, strerror(errno));
	return s;
}

/* All that is answered to these bytes, to its end. */
static char *
ask_bytes(int port, const char *bytes, size_t len)
{
	static char answer[65536];
	size_t got = 0;
	ssize_t n;
	int s = dial(port);
	REQUIRE(send(s, bytes, len, MSG_NOSIGNAL) == (ssize_t)len, "send: %s", strerror(errno));
	while (got < sizeof answer - 1 && (n = recv(s, answer + got, sizeof answer - 1 - got, 0)) > 0)
		got += (size_t)n;
	close(s);
	answer[got] = 0;
	return answer;
}

static char *
ask(int port, const char *first, const char *headers, const char *body)
{
	char *text = t_text("%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%sContent-Length: %zu\r\n\r\n%s", first, port,
	    headers, strlen(body), body);
	return ask_bytes(port, text, strlen(text));
}

#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

static int
status_of(const char *answer)
{
	int status = 0;
	sscanf(answer, "HTTP/1.1 %d ", &status);
	return status;
}

static int
post(int port, const char *path, const char *form)
{
	return status_of(ask(port, t_text("POST %s", path), FORM, form));
}

static FILE *
events(int port)
{
	char *text = t_text("GET /events HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", port);
	int s = dial(port);
	REQUIRE(send(s, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text), "send");
	return fdopen(s, "r");
}

/* The next line of a stream of events that holds these words; each line up to it is passed over. */
static char *
next_with(FILE *f, const char *words)
{
	static char line[16384];
	int64_t end = t_now_ms() + T_PATIENCE_MS;
	do
		REQUIRE(fgets(line, sizeof line, f) && t_now_ms() < end,
		    "the stream has ended, or goes on, without \"%s\"", words);
	while (!strstr(line, words));
	return line;
}

/* ---- cases ---- */

static void
whole(const char *arguments)
{
	pid_t news = begin("news", EXAMPLES "/news/news", arguments);
	ends(news, 0, "news");
	char *out = t_read_file(t_path("news.out"));
	REQUIRE(strstr(out, "\nall held\n") && strstr(out, "held, each once and in order, at its item"), "%s", out);
}

TEST(one_daemon, "items written on one page appear on the other, and comments the other way, each once and in order")
{
	up();
	whole("--items 60");
}

TEST(two_daemons, "the same over two daemons and a broker with four workers")
{
	up_with("--workers 4");
	daemon_start(&two, "two", broker.port);
	whole(t_text("--items %d --other %s", t_is_long() ? 2000 : 60, two.run));
}

TEST(broker_killed, "the same with the broker killed in the middle and started again")
{
	up();
	pid_t news = begin("news", EXAMPLES "/news/news", t_text("--items %d --pause 2", t_is_long() ? 3000 : 200));
	WAIT_FOR(strstr(t_read_file(t_path("news.out")), "items have appeared"), "nothing appears");
	server_kill_all(&broker);
	REQUIRE(!strstr(t_read_file(t_path("news.out")), "held"), "it was over before the broker was killed");
	server_start(&broker);
	ends(news, 0, "news");
	REQUIRE(strstr(t_read_file(t_path("news.out")), "\nall held\n"), "%s", t_read_file(t_path("news.out")));
}

TEST(away, "while the broker is away the pages are served and what is written is taken, shown as waiting; it appears, "
    "once, when the broker is back")
{
	both();
	FILE *shown = events(consumer_port), *state = events(pusher_port);
	REQUIRE(post(pusher_port, "/items", "headline=before&text=") == 303, "not taken");
	next_with(shown, "\"headline\":\"before\"");
	next_with(state, "{\"state\":\"waiting\"");
	next_with(state, "{\"state\":\"sent\"");
	server_kill_all(&broker);
	REQUIRE(post(pusher_port, "/items", "headline=meanwhile&text=") == 303, "not taken");
	next_with(state, "{\"state\":\"waiting\"");
	REQUIRE(status_of(ask(pusher_port, "GET /comments", "", "")) == 200, "the page is not served");
	server_start(&broker);
	next_with(state, "{\"state\":\"sent\"");
	next_with(shown, "\"headline\":\"meanwhile\"");
	REQUIRE(post(pusher_port, "/items", "headline=after&text=") == 303, "not taken");
	REQUIRE(strstr(next_with(shown, "\"headline\""), "\"headline\":\"after\""), "something else came");
	fclose(shown);
	fclose(state);
	both_end();
}

TEST(not_running, "what is written while the other program is not running, or was killed, appears when it runs again")
{
	both();
	kill(consumer, SIGTERM);
	ends(consumer, 0, "consumer");
	REQUIRE(post(pusher_port, "/items", "headline=one&text=") == 303, "not taken");
	consumer = start_page("consumer", &consumer_port);
	FILE *shown = events(consumer_port);
	next_with(shown, "\"headline\":\"one\"");
	kill(consumer, SIGKILL);
	t_join(consumer);
	fclose(shown);
	REQUIRE(post(pusher_port, "/items", "headline=two&text=") == 303, "not taken");
	consumer = start_page("consumer", &consumer_port);
	shown = events(consumer_port);
	next_with(shown, "\"headline\":\"two\"");
	fclose(shown);
	both_end();
}

TEST(texts, "a text arrives as it was written, whatever is in it, and cannot become a part of the page; an impossible "
    "one is refused with the reason")
{
	both();
	FILE *shown = events(consumer_port);
	REQUIRE(post(pusher_port, "/items", "headline=%3Cb%3E%22%5C+%26%E2%82%AC&text=a%0D%0Ab%09c") == 303,
	    "not taken");
	char *line = next_with(shown, "\"headline\"");
	REQUIRE(strstr(line, "\"headline\":\"<b>\\\"\\\\ &\342\202\254\",\"text\":\"a\\u000d\\u000ab\\u0009c\"}"), "%s",
	    line);
	static const char *const bad[] = { "", "headline=&text=", "text=x", "headline=%20%09&text=",
	    "headline=x%00y&text=", "headline=%ff&text=", "headline=%c0%af&text=",
		"headline=%ed%a0%80&text=", "headline=%e2%82&text=", "headline=%1b&text=", "headline=x%4&text=",
		    "headline=x%zz&text=", "headline=x" };
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
		REQUIRE(post(pusher_port, "/items", bad[i]) == 400, "%s was taken", bad[i]);
	char *long_one = t_text("headline=%0401d&text=", 0);
	REQUIRE(post(pusher_port, "/items", long_one) == 400, "401 bytes were taken");
	REQUIRE(post(pusher_port, "/items", t_text("headline=%0400d&text=last", 0)) == 303, "400 bytes were not");
	REQUIRE(strstr(next_with(shown, "\"headline\""), "\"text\":\"last\""), "something that was refused appeared");
	fclose(shown);
	both_end();
}

TEST(strangers, "requests that are broken, too big, in pieces, of another site or for another name are refused or "
    "waited for, and the page goes on")
{
	static char big[60000];
	both();
	char *own = t_text("Host: 127.0.0.1:%d\r\n", pusher_port);
	const struct { const char *bytes; int status; } bad[] = {
		{ "\r\n\r\n", 400 }, { "GET\r\n\r\n", 400 }, { "GET x HTTP/1.1\r\n\r\n", 400 },
		    { "GET / HTTP/2.0\r\n\r\n", 505 }, { "GET / HTTP/1.1\r\n\r\n", 400 },
		{ t_text("GET / HTTP/1.1\r\n%s: x\r\n\r\n", own), 400 },
		    { t_text("GET / HTTP/1.1\r\n%s%s\r\n", own, own), 400 },
		{ t_text("GET / HTTP/1.1\r\n%sTransfer-Encoding: chunked\r\n\r\n", own), 501 },
		{ t_text("POST /items HTTP/1.1\r\n%sContent-Length: -1\r\n\r\n", own), 400 },
		    { t_text("POST /items HTTP/1.1\r\n%sContent-Length: 99999\r\n\r\n", own), 413 },
		{ t_text("POST /items HTTP/1.1\r\n%sContent-Length: 99999999999999999999\r\n\r\n", own), 413 },
		{ t_text("POST /items HTTP/1.1\r\n%sContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", own), 400 },
		{ t_text("GET /comments HTTP/1.1\r\nHost: example.org:%d\r\n\r\n", pusher_port), 403 },
		    { "GET /comments HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", 403 },
		{ t_text("POST /items HTTP/1.1\r\n%sOrigin: http://example.org\r\n" FORM "Content-Length: "
		    "16\r\n\r\nheadline=x&text=", own), 403 },
		{ t_text("POST /items HTTP/1.1\r\n%sContent-Length: 16\r\n\r\nheadline=x&text=", own), 400 },
		{ t_text("POST /comments HTTP/1.1\r\n%sContent-Length: 0\r\n\r\n", own), 404 },
		    { t_text("GET /etc/passwd HTTP/1.1\r\n%s\r\n", own), 404 },
		{ t_text("PUT /comments HTTP/1.1\r\n%s\r\n", own), 405 },
		    { t_text("GET / HTTP/1.1\r\n%s\r\n", own), 303 },
		{ t_text("GET /comments?x#y HTTP/1.1\r\n%s\r\n", own), 200 },
	};
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		char *answer = ask_bytes(pusher_port, bad[i].bytes, strlen(bad[i].bytes));
		REQUIRE(status_of(answer) == bad[i].status, "%s was answered with %s", bad[i].bytes, answer);
	}
	REQUIRE(status_of(ask_bytes(pusher_port, "GET /\0 HTTP/1.1\r\n\r\n", 19)) == 400, "a zero byte");
	memset(big, 'x', sizeof big);
	memcpy(big, "GET /", 5);
	REQUIRE(status_of(ask_bytes(pusher_port, big, 9000)) == 431, "a long head");

	/* many that say half a request and stay; the page is served, and one in pieces is */
	int idle[100];
	for (int i = 0; i < 100; i++) {
		idle[i] = dial(pusher_port);
		send(idle[i], "GET /comm", 9, MSG_NOSIGNAL);
	}
	REQUIRE(status_of(ask(pusher_port, "GET /comments", "", "")) == 200, "100 idle connections keep others out");
	char *text = t_text("POST /items HTTP/1.1\r\n%s" FORM "Content-Length: 23\r\n\r\nheadline=pieces&text=ok", own),
	    answer[64] = "";
	int s = dial(pusher_port);
	FILE *shown = events(consumer_port);
	for (char *at = text; *at; at++)
		REQUIRE(send(s, at, 1, MSG_NOSIGNAL) == 1, "send");
	REQUIRE(recv(s, answer, 20, MSG_WAITALL) == 20 && status_of(answer) == 303, "in pieces: %s", answer);
	next_with(shown, "\"headline\":\"pieces\"");
	for (int i = 0; i < 100; i++)
		close(idle[i]);
	close(s);
	fclose(shown);
	both_end();
}

TEST(stuck_reader, "a page that does not read its events is given up; the others get theirs")
{
	enum { ITEMS = 1500, SIZE = 3900 };
	both();
	FILE *stuck = events(consumer_port), *shown = events(consumer_port);
	char *text = t_text("%0*d", SIZE, 0), last[64], bytes[4096];
	for (int i = 0; i < ITEMS; i++) {
		snprintf(last, sizeof last, "\"headline\":\"h%d\"", i);
		REQUIRE(post(pusher_port, "/items", t_text("headline=h%d&text=%s", i, text)) == 303,
		    "item %d was not taken", i);
		if (i % 50 == 49)
			next_with(shown, last);
	}
	size_t n, got = 0;
	int64_t end = t_now_ms() + T_PATIENCE_MS;
	while ((n = fread(bytes, 1, sizeof bytes, stuck)) > 0 && t_now_ms() < end)
		got += n;
	REQUIRE(got < ITEMS * SIZE, "it was not given up");
	fclose(stuck);
	fclose(shown);
	both_end();
}

TEST(configuration, "ports and topic are those of news.conf; what is wrong in it is told with file and line")
{
	static const struct { const char *conf, *says; } bad[] = {
		{ "pusher 0\ncolour blue\n", "news.conf:2: colour: there is no such key" },
		    { "# x\n\npusher 65536\n", "news.conf:3: pusher: a port" },
		{ "topic a/b\n", "news.conf:1: topic: " }, { "keep 0\n", "news.conf:1: keep: " },
		    { "pusher\n", "news.conf:1: pusher: one key and one value" },
	};
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		write_conf(bad[i].conf);
		struct ran r = run_command("%s %s", EXAMPLES "/news/pusher", t_path("news.conf"));
		REQUIRE(r.status == 100 && strstr(r.err, bad[i].says), "%s: %d %s", bad[i].conf, r.status, r.err);
	}
	both();
	write_conf(t_text("consumer %d\n", pusher_port));
	struct ran r = run_command("%s %s", EXAMPLES "/news/consumer", t_path("news.conf"));
	REQUIRE(r.status == 111 && strstr(r.err, "`consumer` in news.conf"), "%d %s", r.status, r.err);
	both_end();
}
