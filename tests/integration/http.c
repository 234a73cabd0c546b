/* http - mom_http: what its pages say, what it refuses, whom it keeps waiting (nobody), what it lives through */
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server broker, one;
static int port;                        /* of the broker's mom_http, or of whichever the case asks */

/* ---- a small browser ---- */

struct answer { int status; char *head, *body; size_t bytes; };

static int
dial(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, t_ip(), &to.sin_addr);
	REQUIRE(connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect: %s", strerror(errno));
	return fd;
}

static void
give(int fd, const char *text)
{
	for (size_t left = strlen(text); left;) {
		ssize_t n = send(fd, text + strlen(text) - left, left, MSG_NOSIGNAL);
		REQUIRE(n > 0 || errno == EINTR, "send: %s", strerror(errno));
		left -= n > 0 ? (size_t)n : 0;
	}
}

/* The next byte that comes, -1 at the end. */
static int
take_byte(int fd)
{
	char c;
	ssize_t n;
	WAIT_FOR((n = recv(fd, &c, 1, MSG_DONTWAIT)) >= 0 || errno != EAGAIN, "no answer");
	return n == 1 ? (unsigned char)c : -1;
}

/* One whole answer; status 0: the connection ended instead. */
static struct answer
take(int fd, int is_head)
{
	struct answer a = {0, calloc(1, 4096), calloc(1, 1), 0};
	size_t n = 0;
	for (int c; n < 4095 && (n < 4 || memcmp(a.head + n - 4, "\r\n\r\n", 4) != 0); a.head[n++] = (char)c)
		if ((c = take_byte(fd)) < 0) {
			REQUIRE(n == 0, "half an answer: %s", a.head);
			return a;
		}
	const char *length = strstr(a.head, "Content-Length: ");
	REQUIRE(sscanf(a.head, "HTTP/1.1 %d ", &a.status) == 1 && length, "no answer of HTTP: %s", a.head);
	a.bytes = is_head ? 0 : strtoul(length + 16, NULL, 10);
	a.body = calloc(1, a.bytes + 1);
	for (size_t i = 0; i < a.bytes;) {
		ssize_t got;
		WAIT_FOR((got = recv(fd, a.body + i, a.bytes - i, MSG_DONTWAIT)) >= 0 || errno != EAGAIN,
		    "half a body");
		REQUIRE(got > 0, "the connection ended in the body, at %zu of %zu", i, a.bytes);
		i += (size_t)got;
	}
	return a;
}

static struct answer
ask(const char *method, const char *path)
{
	int fd = dial();
	give(fd, t_text("%s %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n\r\n", method, path, t_ip(), port));
	struct answer a = take(fd, strcmp(method, "HEAD") == 0);
	REQUIRE(a.status, "%s %s: no answer", method, path);
	REQUIRE(take_byte(fd) < 0, "%s %s: more comes after the answer", method, path);
	close(fd);
	return a;
}

static int
is_closed(int fd)
{
	char sink[4096];
	ssize_t n;
	while ((n = recv(fd, sink, sizeof sink, MSG_DONTWAIT)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
}

/* The first number of that name in a page of JSON: the server's own comes before those of its parts. */
static double
figure(const char *name)
{
	struct answer a = ask("GET", "/stats.json");
	const char *key = t_text("\"%s\":", name), *at = strstr(a.body, key);
	return at ? strtod(at + strlen(key), NULL) : -1;
}

/* ---- servers ---- */

static int
http_port(struct server *s)
{
	char ip[64];
	int n = 0;
	char *text = t_read_file(t_text("%s/http", s->run));
	REQUIRE(sscanf(text, "%63s %d\n", ip, &n) == 2 && strcmp(ip, t_ip()) == 0 && n > 0, "%s/http says: %s", s->run,
	    text);
	return n;
}

static void
broker_up_with(const char *flags)
{
	broker_start(&broker, "broker", 0, t_text("--http %s:0 %s", t_ip(), flags));
	port = http_port(&broker);
}

static void
broker_up(void)
{
	broker_up_with("");
}

static void
up(void)
{
	broker_up();
	daemon_plan(&one, "one", broker.port);
	one.extra[0] = "--http";
	one.extra[1] = t_text("%s:0", t_ip());
	server_start(&one);
	use_daemon(&one);
}

static void
exchange(int id, const char *topic, int count)
{
	for (int i = 0; i < count; i++) {
		say(id, topic, "hello");
		hear(id, topic, "hello");
	}
}

/* mom_http started by a person; its port is what the case asks from here on */
static pid_t
by_hand(const char *folder)
{
	char *out = t_path("http.out"), ip[64];
	pid_t pid = fork();
	if (pid == 0) {
		if (freopen(out, "w", stdout) == NULL || freopen(t_path("http.log"), "w", stderr) == NULL)
			_exit(126);
		execl(t_bin("mom_http"), "mom_http", t_text("%s:0", t_ip()), folder, (char *)NULL);
		_exit(127);
	}
	WAIT_FOR(sscanf(t_read_file(out), "ready %63s %d\n", ip, &port) == 2, "no ready line: %s",
	    t_read_file(t_path("http.log")));
	return pid;
}

/* ---- pages ---- */

TEST(pages, "each page says what the servers have carried: the page for people, stats.json, history.json, metrics, "
    "health")
{
	up();
	int id = talk_create();
	talk_subscribe(id, "news");
	exchange(id, "news", 20);
	WAIT_FOR(figure("messages_in") == 20 && figure("messages_out") == 20, "broker: %s",
	    ask("GET", "/stats.json").body);
	struct answer a = ask("GET", "/stats.json");
	REQUIRE(strstr(a.body, "\"name\":\"news\"") && strstr(a.body, "\"role\":\"worker\"") &&
	    strstr(a.body, "\"state\":\"connected\""), "%s", a.body);
	REQUIRE(strstr(ask("GET", "/history.json").body, "\"messages_in\":["), "no history");
	a = ask("GET", "/metrics");
	REQUIRE(strstr(a.head, "text/plain; version=0.0.4") && strstr(a.body,
	    "# TYPE mom_messages_in_total counter\n") && strstr(a.body, "} 20\n"), "%s", a.body);
	a = ask("GET", "/?a=b");
	REQUIRE(a.status == 200 && strstr(a.head, "text/html") && strncmp(a.body, "<!DOCTYPE html>", 15) == 0 &&
	    strstr(a.body, "</html>"), "%s", a.head);
	REQUIRE(strcmp(ask("GET", "/health").body, "ok\n") == 0, "not healthy");
	WAIT_FOR(figure("disk_data") > 0 && figure("disk_used") > 2 * figure("disk_data"), "what is reserved counts as "
	    "written: %s", ask("GET", "/stats.json").body);
	port = http_port(&one);
	WAIT_FOR(strstr(ask("GET", "/stats.json").body, "\"topics\":\"news\"") && figure("subscriptions") == 1, "%s",
	    ask("GET", "/stats.json").body);
	WAIT_FOR(figure("messages_in") == 20 && figure("messages_out") == 20, "daemon: %s",
	    ask("GET", "/stats.json").body);
	a = ask("GET", "/stats.json");
	REQUIRE(strstr(a.body, t_text("\"pid\":%d,\"mail_bytes\"", (int)getpid())), "this client is not shown: %s",
	    a.body);
	bye(id);
}

TEST(rates, "while messages flow the page tells how many a second, by server, process and topic")
{
	up();
	int id = talk_create();
	talk_subscribe(id, "news");
	double in = 0;
	WAIT_FOR((exchange(id, "news", 10), in = figure("rates\":{\"messages_in")) > 0, "no rate");
	WAIT_FOR((exchange(id, "news", 10), figure("byte_rate")) > 0, "no rate of a topic");
	struct answer a = ask("GET", "/history.json");
	const char *at = strstr(a.body, "\"messages_in\":[");
	REQUIRE(at && strpbrk(at, "123456789") < strchr(at, ']'), "no history of it: %s", a.body);
	bye(id);
}

/* whatever the names, a parser that is not ours reads it */
static void
must_be_json(const char *path)
{
	FILE *f = fopen(t_path("page.json"), "w");
	struct answer a = ask("GET", path);
	REQUIRE(f && fwrite(a.body, 1, a.bytes, f) == a.bytes && fclose(f) == 0, "%s", strerror(errno));
	struct ran r = run_command("command -v python3 >/dev/null || exit 77; python3 -m json.tool '%s'",
	    t_path("page.json"));
	if (r.status == 77)
		t_remark("%s: left out: no python3 to read it", path);
	else
		REQUIRE(r.status == 0, "%s is no JSON: %s: %s", path, r.err, a.body);
}

TEST(closed_to_strangers, "the page loads nothing from elsewhere, runs only its own script, is shown in no frame; "
    "names in it are no markup")
{
	up();
	int id = talk_create();
	char nonce[64] = "", other[64] = "";
	static const char rude[] = "</script\"'&<img/src=x";
	talk_subscribe(id, "quiet");
	REQUIRE(mom_publish(id, rude, "x", 1, 0) == 0, "%s", mom_error_text(id));
	struct answer a = ask("GET", "/"), b = ask("GET", "/");
	const char *policy = strstr(a.head, "Content-Security-Policy: default-src 'none';");
	REQUIRE(policy && strstr(policy, "frame-ancestors 'none'") && !strstr(policy, "unsafe"), "%s", a.head);
	REQUIRE(strstr(a.head, "X-Content-Type-Options: nosniff\r\n") && !strstr(a.head, "Access-Control"), "%s",
	    a.head);
	sscanf(strstr(a.head, "script-src 'nonce-"), "script-src 'nonce-%32[0-9a-f]'", nonce);
	sscanf(strstr(b.head, "script-src 'nonce-"), "script-src 'nonce-%32[0-9a-f]'", other);
	REQUIRE(strlen(nonce) == 32 && strcmp(nonce, other) != 0, "nonces %s and %s", nonce, other);
	REQUIRE(strstr(a.body, t_text("<script nonce=\"%s\">", nonce)) &&
	    strstr(a.body, t_text("<style nonce=\"%s\">", nonce)), "the page has another nonce");
	REQUIRE(!strstr(a.body, " src=") && !strstr(a.body, "@import") && !strstr(a.body, "url(") &&
	    !strstr(a.body, "innerHTML"), "something comes from elsewhere");
	WAIT_FOR(strstr(ask("GET", "/stats.json").body, "\\u003c/script\\\"'&\\u003cimg/src=x"),
	    "the topic is not shown: %s", ask("GET", "/stats.json").body);
	REQUIRE(!strchr(ask("GET", "/stats.json").body, '<'), "markup");
	must_be_json("/stats.json");
	must_be_json("/history.json");
	port = http_port(&one);
	must_be_json("/stats.json");
	must_be_json("/history.json");
	bye(id);
}

TEST(methods, "HEAD gets the head of each page alone; other methods 405, other paths 404; nothing can be sent")
{
	static const char *const paths[] = {"/", "/stats.json", "/history.json", "/metrics", "/health"};
	broker_up();
	for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct answer head = ask("HEAD", paths[i]), get = ask("GET", paths[i]);
		REQUIRE(head.status == 200 && get.status == 200 && head.bytes == 0 && get.bytes > 0, "%s: %d, %d",
		    paths[i], head.status, get.status);
	}
	REQUIRE(ask("GET", "/nothing").status == 404 && ask("GET", "/stats.json/").status == 404 &&
	    ask("GET", "//").status == 404, "found");
	struct answer a = ask("POST", "/");
	REQUIRE(a.status == 405 && strstr(a.head, "Allow: GET, HEAD\r\n"), "POST: %s", a.head);
	REQUIRE(ask("DELETE", "/stats.json").status == 405 && ask("OPTIONS", "*").status == 405, "other methods");
}

/* ---- requests as no browser makes them ---- */

TEST(pieces, "a request in single bytes gets its answer; many at once get theirs in order, on one connection")
{
	broker_up();
	int fd = dial();
	for (const char *p = t_text("GET /health HTTP/1.1\r\nHost: %s\r\n\r\n", t_ip()); *p; p++) {
		give(fd, t_text("%c", *p));
		if (p[1] == '\0')
			break;
		struct pollfd none = {fd, POLLIN, 0};
		REQUIRE(poll(&none, 1, 0) == 0, "an answer to half a request");
	}
	REQUIRE(strcmp(take(fd, 0).body, "ok\n") == 0, "no answer");
	const char *get = t_text("Host: %s\r\n\r\n", t_ip());
	give(fd, t_text("GET /health HTTP/1.1\r\n%sGET /none HTTP/1.1\r\n%sHEAD / HTTP/1.1\r\n%sGET / "
	    "HTTP/1.1\r\n%sGET /heal", get, get, get, get));
	REQUIRE(strcmp(take(fd, 0).body, "ok\n") == 0, "first");
	REQUIRE(take(fd, 0).status == 404, "second");
	REQUIRE(take(fd, 1).status == 200, "third");
	REQUIRE(strstr(take(fd, 0).body, "</html>"), "fourth");
	give(fd, t_text("th HTTP/1.0\r\n%s", get));
	REQUIRE(strcmp(take(fd, 0).body, "ok\n") == 0 && take(fd, 0).status == 0,
	    "the fifth, of HTTP/1.0, ends the connection");
	close(fd);
}

TEST(garbage, "what is no request gets a refusal and the connection ends; a Host that is a name of somebody else is "
    "refused")
{
	static const struct { const char *text; int status; } bad[] = {
		{"\x16\x03\x01\x02", 400}, {"GET / HTTP/1.1\nHost: 1.2.3.4\n\n", 400}, {"GET  / HTTP/1.1\r\n", 400},
		    {"GET / HTTP/1.1\r\n\r\n", 400},
		{"G\x01T / HTTP/1.1\r\n", 400}, {"GET http://1.2.3.4/ HTTP/1.1\r\n", 400},
		    {"GET / HTTP/1.1\r\nHost: 1.2.3.4\r\n folded\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: 1.2.3.4\r\nHost: 1.2.3.4\r\n\r\n", 400},
		    {"GET / HTTP/1.1\r\nNo colon\r\n", 400}, {"GET / HTTP/2.0\r\n", 505},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505}, {"GET / HTTP/1.1\r\nHost: evil.example\r\n", 421},
		    {"GET / HTTP/1.1\r\nHost: localhost.evil.example:80\r\n", 421},
		{"GET / HTTP/1.1\r\nHost: \r\n", 421}, {"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: "
		    "5\r\n\r\nhello", 413},
		{"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n", 413},
		    {"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n", 400},
	};
	broker_up();
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		int fd = dial();
		give(fd, bad[i].text);
		int status = take(fd, 0).status;
		REQUIRE(status == bad[i].status, "%s: %d, not %d", bad[i].text, status, bad[i].status);
		WAIT_FOR(is_closed(fd), "%s: the connection goes on", bad[i].text);
		close(fd);
	}
	char *large = malloc(20000);
	memset(large, 'a', 20000);
	memcpy(large, "GET / HTTP/1.1\r\nX: ", 19);
	large[19999] = '\0';
	int fd = dial();
	give(fd, large);
	REQUIRE(take(fd, 0).status == 431, "a head of 20 KB");
	close(fd);
	REQUIRE(ask("GET", "/health").status == 200, "it serves no more");
}

/* The status of a page under a name. */
static int
under(const char *host, const char *path)
{
	int fd = dial();
	give(fd, t_text("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, host));
	int status = take(fd, 0).status;
	close(fd);
	return status;
}

TEST(host_names, "the page answers under the names of http-hosts, and under every name only with * and --insecure; "
		 "/metrics and /health always")
{
	static const char *const ours[] = { "broker1.lan", "BROKER1.lan:8081", "mom-broker:80", "localhost:1",
		"10.0.0.1", "[::1]:80" };
	static const char *const others[] = { "broker1.lan.evil.example", "broker1", "mom-broker:x",
		"evil.example:8081", "*", "," };
	broker_up_with("--http-hosts broker1.lan,mom-broker");
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		CHECK(under(ours[i], "/") == 200 && under(ours[i], "/stats.json") == 200, "%s: %d", ours[i],
		    under(ours[i], "/"));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		CHECK(under(others[i], "/") == 421 && under(others[i], "/stats.json") == 421, "%s: %d", others[i],
		    under(others[i], "/"));
		CHECK(under(others[i], "/metrics") == 200 && under(others[i], "/health") == 200, "%s: %d", others[i],
		    under(others[i], "/health"));
	}
	server_stop(&broker);
	broker_up_with("--http-hosts * --insecure");
	for (size_t i = 0; i < 4; i++)
		CHECK(under(others[i], "/") == (i == 2 ? 421 : 200), "%s: %d", others[i], under(others[i], "/"));
	static const struct {
		const char *line, *words;
	} wrong[] = {
		{ "broker_server 127.0.0.1 0 --http-hosts '*'", "http-hosts * needs --insecure: " },
		{ "mom_daemon 127.0.0.1 1 --http-hosts a,'*'", "http-hosts * needs --insecure: " },
		{ "mom_http 127.0.0.1:0 --http-hosts '*'", "http-hosts * needs --insecure: " },
		{ "mom_http 127.0.0.1:0 --http-hosts a:80", "a host name without its port is needed" },
		{ "broker_server 127.0.0.1 0 --http-hosts a,,b",
		    "--http-hosts cannot be taken: a host name without its port is needed" },
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct ran r =
		    run_command("PATH=$(realpath \"$(dirname '%s')\"):$PATH; %s", t_bin("mom"), wrong[i].line);
		CHECK(r.status == 100 && strstr(r.err, wrong[i].words), "%s: %d: %s", wrong[i].line, r.status, r.err);
	}
}

TEST(random_bytes, "random bytes harm nobody: the same process goes on serving")
{
	struct t_rng rng;
	unsigned char bytes[9000];
	broker_up();
	pid_t pid = server_child(&broker, "mom_http");
	t_rng_init(&rng, 80);
	for (int i = 0; i < (t_is_long() ? 2000 : 60); i++) {
		int fd = dial();
		t_rng_fill(&rng, bytes, sizeof bytes);
		if (i % 2)
			memcpy(bytes, "GET /stats.json HTTP/1.1\r\n", 26);
		size_t n = 1 + t_rng_below(&rng, sizeof bytes - 1);
		if (send(fd, bytes, n, MSG_NOSIGNAL) > 0 && i % 3)
			shutdown(fd, SHUT_WR);
		if (i % 5)
			WAIT_FOR(is_closed(fd) || i % 3 == 0, "the connection goes on");
		close(fd);
	}
	REQUIRE(ask("GET", "/health").status == 200 && server_child(&broker, "mom_http") == pid,
	    "another process serves");
}

/* ---- those who keep others waiting ---- */

TEST(crowd, "a hundred connections: each newcomer is served, the oldest idle ones have to go")
{
	enum { MANY = 100, PLACES = 64 };
	int fd[MANY], open_ones = 0;
	broker_up();
	for (int i = 0; i < MANY; i++) {
		fd[i] = dial();
		give(fd[i], t_text("GET /health HTTP/1.1\r\nHost: %s\r\n\r\n", t_ip()));
		REQUIRE(strcmp(take(fd[i], 0).body, "ok\n") == 0, "connection %d is not served", i);
	}
	for (int i = 0; i < MANY - PLACES; i++)
		WAIT_FOR(is_closed(fd[i]), "connection %d, an old one, is still there", i);
	for (int i = MANY - PLACES; i < MANY; i++) {
		open_ones += !is_closed(fd[i]);
		close(fd[i]);
	}
	REQUIRE(open_ones == PLACES, "%d of the newer ones are there", open_ones);
	for (int i = 0; i < MANY - PLACES; i++)
		close(fd[i]);
}

TEST(slow_readers, "those that ask for many pages and read none cost little memory, and nobody waits for them; read "
    "late, all pages come whole")
{
	enum { SLOW = 40, PAGES = 230 };
	int fd[SLOW], small = 4096;
	broker_up();
	pid_t pid = server_child(&broker, "mom_http");
	REQUIRE(ask("GET", "/").status == 200, "no page");
	long before = proc_status(pid, "VmRSS:");
	for (int i = 0; i < SLOW; i++) {
		fd[i] = dial();
		/* the first reads at last: a window so small would take it minutes */
		if (i > 0)
			setsockopt(fd[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
		for (int k = 0; k < PAGES; k++)
			if (send(fd[i], "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 35,
			    MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
				break;
	}
	for (int i = 0; i < 20; i++)
		REQUIRE(ask("GET", "/stats.json").status == 200, "others wait");
	long grown = proc_status(pid, "VmRSS:") - before;
#ifndef __SANITIZE_ADDRESS__                    /* which keeps what is freed */
	REQUIRE(grown < 16384, "%d slow readers cost %ld KiB", SLOW, grown);
#else
	(void)grown;
#endif
	for (int k = 0; k < PAGES; k++)
		REQUIRE(strstr(take(fd[0], 0).body, "</html>"), "one that reads at last does not get page %d whole", k);
	if (t_is_long())
		for (int i = 1; i < SLOW; i++) {
			struct pollfd gone = {fd[i], 0, 0};
			WAIT_FOR(poll(&gone, 1, 0) == 1 && gone.revents & (POLLHUP | POLLERR),
			    "a reader that takes nothing is still there");
		}
	for (int i = 0; i < SLOW; i++)
		close(fd[i]);
}

TEST(slow_writers, "half a head is waited for, and not for long; others are served meanwhile")
{
	broker_up();
	int fd = dial();
	int64_t began = t_now_ms();
	give(fd, "GET / HTTP/1.1\r\n");
	REQUIRE(ask("GET", "/health").status == 200, "others wait");
	WAIT_FOR(is_closed(fd), "half a head is waited for too long");
	REQUIRE(t_now_ms() - began >= 4000, "it had no time: %lld ms", (long long)(t_now_ms() - began));
	close(fd);
}

/* ---- what it lives through ---- */

TEST(restarts, "mom_http killed: it is there again, on the same port; it ends with its server, however that ends")
{
	broker_up();
	pid_t pid = server_child(&broker, "mom_http");
	kill(pid, SIGKILL);
	server_replaced(&broker, "mom_http", pid);
	REQUIRE(ask("GET", "/health").status == 200, "not served");
	server_kill(&broker);                       /* waits until its children are gone */
	server_start(&broker);
	port = http_port(&broker);
	WAIT_FOR(ask("GET", "/health").status == 200, "not served after a start");
	server_stop(&broker);
	REQUIRE(access(t_text("%s/http", broker.run), F_OK) < 0, "the file http is left");
}

TEST(log_file, "told by a file (http IP:PORT) it serves, too; after SIGUSR1 it writes to the new log file, and serves "
    "on the same port")
{
	char *log = t_path("mom.log"), to[300] = "";
	FILE *f = fopen(t_path("mine.conf"), "w");
	REQUIRE(f && fprintf(f, "http %s:0\nlog-file %s\n", t_ip(), log) > 0 && fclose(f) == 0, "%s", strerror(errno));
	broker_start(&broker, "broker", 0, t_text("--config %s", t_path("mine.conf")));
	port = http_port(&broker);
	pid_t pid = server_child(&broker, "mom_http");
	REQUIRE(rename(log, t_path("mom.log.1")) == 0, "no log file: %s", strerror(errno));
	kill(broker.pid, SIGUSR1);
	server_replaced(&broker, "mom_http", pid);
	pid = server_child(&broker, "mom_http");
	WAIT_FOR(readlink(t_text("/proc/%d/fd/2", (int)pid), to, sizeof to - 1) > 0 && strcmp(to, log) == 0,
	    "it logs to %s", to);
	WAIT_FOR(ask("GET", "/health").status == 200, "not served");
	REQUIRE(!strstr(t_read_file(log), "mom_http ended"), "a warning of what is no trouble: %s", t_read_file(log));
}

TEST(watches, "started by hand it shows a server over its restarts, and says when it is gone")
{
	broker_start(&broker, "broker", 0, NULL);
	pid_t pid = by_hand(broker.run);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int id = talk_create();
	talk_subscribe(id, "news");
	exchange(id, "news", 7);
	WAIT_FOR(figure("messages_in") == 7, "%s", ask("GET", "/stats.json").body);
	server_stop(&broker);
	WAIT_FOR(ask("GET", "/health").status == 503, "a broker that is gone is healthy");
	REQUIRE(strstr(ask("GET", "/health").body, broker.run), "whose: %s", ask("GET", "/health").body);
	server_start(&broker);
	WAIT_FOR(ask("GET", "/health").status == 200, "%s", ask("GET", "/health").body);
	exchange(id, "news", 3);
	WAIT_FOR(figure("messages_in") == 3, "it counts from its start: %s", ask("GET", "/stats.json").body);
	bye(id);
	kill(pid, SIGTERM);
	int status = t_join(pid);
	REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0, "SIGTERM: %d", status);
}

TEST(health, "a daemon without its broker, a broker without a worker and one with a process that is stopped are told "
    "with 503 and the reason")
{
	up();
	int to_broker = port, to_daemon = http_port(&one);
	port = to_daemon;
	WAIT_FOR(ask("GET", "/health").status == 200, "%s", ask("GET", "/health").body);
	server_stop(&broker);
	struct answer a;
	WAIT_FOR((a = ask("GET", "/health")).status == 503, "a daemon without a broker is healthy");
	REQUIRE(strstr(a.body, "not connected to its broker"), "%s", a.body);
	server_start(&broker);
	WAIT_FOR(ask("GET", "/health").status == 200, "%s", ask("GET", "/health").body);
	port = to_broker = http_port(&broker);
	WAIT_FOR(ask("GET", "/health").status == 200, "%s", ask("GET", "/health").body);
	pid_t worker = server_child(&broker, "worker");
	kill(broker.pid, SIGSTOP);                  /* or it would start another at once */
	kill(worker, SIGKILL);
	/* for a moment only the stopped server may be told: a killed process lives until the kernel gets to it */
	WAIT_FOR((a = ask("GET", "/health")).status == 503 && strstr(a.body, "worker of shard 0"), "%d %s", a.status,
	    a.body);
	kill(broker.pid, SIGCONT);
	WAIT_FOR(ask("GET", "/health").status == 200, "%s", ask("GET", "/health").body);
	pid_t sender = server_child(&broker, "broker_sender");
	kill(sender, SIGSTOP);
	WAIT_FOR((a = ask("GET", "/health")).status == 503 && strstr(a.body, "is stopped"), "%d %s", a.status, a.body);
	kill(sender, SIGCONT);
	WAIT_FOR(ask("GET", "/health").status == 200, "%s", ask("GET", "/health").body);
}

TEST(read_only, "mom_http can gain no rights, and what it has open it does not need to share: no store, no lock, no "
    "other socket")
{
	broker_up();
	pid_t pid = server_child(&broker, "mom_http");
	WAIT_FOR(strstr(t_read_file(t_text("/proc/%d/status", (int)pid)), "NoNewPrivs:\t1"), "it may gain rights");
	REQUIRE(strstr(t_read_file(t_text("/proc/%d/status", (int)pid)), "CapEff:\t0000000000000000"),
	    "it has rights of root");
	WAIT_FOR(strstr(t_read_file(t_text("/proc/%d/maps", (int)pid)), "/SYSV"),
	    "nothing is attached: the case would prove nothing");
	struct ran r = run_command("ls -l /proc/%d/fd | grep -c '%s'", (int)pid, broker.store);
	REQUIRE(atoi(r.out) == 0, "%s of the store's files are open", r.out);
	r = run_command("grep -E '^[0-9a-f-]+ rw.s .*SYSV' /proc/%d/maps", (int)pid);
	REQUIRE(r.out[0] == '\0', "a segment is attached to be written: %s", r.out);
}

TEST(wrong_use, "a wrong address is refused with the cure, and so is one that is not loopback without --insecure")
{
	static const char *const bad[][2] = {{"8081", "IP:PORT"}, {"127.0.0.1:x", "not a port"}, {"::1:80", "brackets"},
	    {"localhost:80", "not an IPv4"},
	    {"127.0.0.1:70000", "not a port"}, {"192.0.2.1:80", "--insecure"}, {"[::1:80", "IP:PORT"}};
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct ran r = run_command("%s '%s'", t_bin("mom_http"), bad[i][0]);
		REQUIRE(r.status == 100 && strstr(r.err, bad[i][1]), "mom_http %s: %d, %s", bad[i][0], r.status, r.err);
		r = run_command("%s 127.0.0.1 0 --db %s --run %s --http '%s'", t_bin("broker_server"), t_path("db"),
		    t_path("run"), bad[i][0]);
		REQUIRE(r.status == 100 && strstr(r.err, bad[i][1]), "broker_server --http %s: %d, %s", bad[i][0],
		    r.status, r.err);
		r = run_command("%s 127.0.0.1 1 --spool %s --run %s --http '%s'", t_bin("mom_daemon"), t_path("spool"),
		    t_path("run"), bad[i][0]);
		REQUIRE(r.status == 100 && strstr(r.err, bad[i][1]), "mom_daemon --http %s: %d, %s", bad[i][0],
		    r.status, r.err);
	}
	struct ran r = run_command("%s 127.0.0.1:0 /nosuch", t_bin("mom_http"));
	REQUIRE(r.status == 100 && strstr(r.err, "/nosuch: No such file"), "no folder: %d, %s", r.status, r.err);
	broker_up();
	r = run_command("%s %s:%d", t_bin("mom_http"), t_ip(), port);
	REQUIRE(r.status == 111 && strstr(r.err, "another program listens there"), "a port in use: %d, %s", r.status,
	    r.err);
	r = run_command("%s --help", t_bin("mom_http"));
	REQUIRE(r.status == 0 && strstr(r.out, "usage: mom_http") && strstr(r.out, "Example:"), "%s", r.out);
}

/* ---- in a browser: what a person sees ---- */

static struct { int listener, port, target; atomic_int asked, more, go_on; } *window;

/* One connection of the browser: each request is passed on, and the third look at the figures is held until there is
 * something new. */
static void *
window_connection(void *argument)
{
	int fd = (int)(intptr_t)argument;
	char head[8192], bytes[65536];
	for (;;) {
		size_t n = 0;
		while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0)
			if (n == sizeof head - 1 || recv(fd, head + n++, 1, 0) != 1) {
				close(fd);
				return NULL;
			}
		head[n] = '\0';
		if (strncmp(head, "GET /stats.json", 15) == 0 && atomic_fetch_add(&window->asked, 1) == 2) {
			atomic_store(&window->more, 1);
			while (!atomic_load(&window->go_on))
				usleep(1000);
		}
		char *end = strchr(head, ' '), path[100] = "/";
		sscanf(end + 1, "%99s", path);
		int to = dial();
		dprintf(to, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, t_ip());
		for (ssize_t got; (got = recv(to, bytes, sizeof bytes, 0)) > 0;)
			if (send(fd, bytes, (size_t)got, MSG_NOSIGNAL) != got)
				break;
		close(to);
		close(fd);
		return NULL;
	}
}

static void
window_run(void *unused)
{
	(void)unused;
	port = window->target;
	for (int fd; (fd = accept(window->listener, NULL, NULL)) >= 0;) {
		pthread_t t;
		if (pthread_create(&t, NULL, window_connection, (void *)(intptr_t)fd) == 0)
			pthread_detach(t);
	}
}

static void
window_open(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof at;
	window = t_shared_memory(sizeof *window);
	inet_pton(AF_INET, t_ip(), &at.sin_addr);
	window->target = port;
	window->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	REQUIRE(bind(window->listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(window->listener, 100) == 0,
	    "%s", strerror(errno));
	getsockname(window->listener, (struct sockaddr *)&at, &len);
	window->port = ntohs(at.sin_port);
	t_spawn(window_run, NULL);
}

static const char *
browser(void)
{
	struct ran r = run_command("command -v chromium chromium-browser google-chrome google-chrome-stable | head -1 "
	    "| tr -d '\\n'");
	return r.out[0] ? r.out : NULL;
}

static void
browser_run(void *dom)
{
	char *const *names = dom;
	struct ran r = run_command("mkdir -p %s && HOME=%s timeout -s KILL 50 %s --headless --no-sandbox --disable-gpu "
	    "--disable-dev-shm-usage --disable-breakpad --no-first-run --disable-background-networking "
	    "--user-data-dir=%s --virtual-time-budget=8000 --dump-dom http://%s:%d/ >%s",
	    t_path("home"), t_path("home"), names[0], t_path("home/data"), t_ip(), window->port, names[1]);
	REQUIRE(r.status == 0, "%s: %d, %s", names[0], r.status, r.err);
}

/* KEEP=1 leaves them for somebody who looks: page-1280.png, page-400.png */
static void
browser_draw(const char *program, int width)
{
	char *png = t_path("page-%d.png", width);
	struct ran r = run_command("HOME=%s timeout -s KILL 50 %s --headless --no-sandbox --disable-gpu "
	    "--disable-dev-shm-usage --disable-breakpad --no-first-run --disable-background-networking "
	    "--user-data-dir=%s --window-size=%d,2600 --virtual-time-budget=3000 --screenshot=%s http://%s:%d/",
	    t_path("home"), program, t_path("home/data-%d", width), width, png, t_ip(), port);
	unsigned char head[24] = "";
	FILE *f = fopen(png, "rb");
	REQUIRE(r.status == 0 && f && fread(head, 1, sizeof head, f) == sizeof head, "%s: %d, %s", program, r.status,
	    r.err);
	fclose(f);
	REQUIRE(memcmp(head, "\x89PNG", 4) == 0 && head[18] * 256 + head[19] == width, "it is no picture of %d px",
	    width);
}

TEST(in_a_browser, "a person sees what the broker has carried, and sees it change without doing anything")
{
	const char *program = browser();
	if (program == NULL) {
		t_remark("left out: no chromium or google-chrome is installed");
		return;
	}
	up();
	int id = talk_create();
	talk_subscribe(id, "weather-of-today");
	exchange(id, "weather-of-today", 20);
	WAIT_FOR(figure("messages_out") == 20, "not counted");
	char *dom = t_path("dom.html");
	char *names[2] = {(char *)(uintptr_t)program, dom};
	window_open();
	pid_t pid = t_spawn(browser_run, names);
	WAIT_FOR(atomic_load(&window->more), "the browser does not ask for the figures each second");
	exchange(id, "weather-of-today", 5);
	WAIT_FOR(figure("messages_out") == 25, "not counted");
	atomic_store(&window->go_on, 1);
	t_join(pid);
	char *text = t_read_file(dom);
	REQUIRE(strstr(text, "<dt>Messages in</dt><dd>25</dd>") && strstr(text, "<dt>Messages out</dt><dd>25</dd>"),
	    "%s", text);
	REQUIRE(strstr(text, "live, each second") && strstr(text, ">weather-of-today</th>") &&
	    strstr(text, ">healthy</p>"), "%s", text);
	browser_draw(program, 1280);
	browser_draw(program, 400);
	bye(id);
}
