/* mom_http - the state of brokers and daemons over HTTP, for people (/) and for programs (/stats.json, /metrics,
 * /health); nothing can be changed
 * STARTED BY  broker_server or mom_daemon with --http IP:PORT, or a person
 * READS       the tables and counters of servers, read-only, by look/look.h      WRITES  nothing
 * SLEEPS IN   poll: listening socket, connections, a second
 * MUST NOT    attach anything writable; be waited for by anybody
 * SIGNALS     TERM, INT: exit 0
 * EXIT        0 stopped   100 wrong use   111 system trouble
 * ON CRASH    its parent starts it again; browsers ask again */
#include "ipc/about.h"
#include "base/arguments.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "server/child.h"
#include "config/http_address.h"
#include "base/log_peer.h"
#include "base/program.h"
#include "base/sig.h"
#include "tools/http/http.h"
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DESCRIPTORS = HTTP_CONNS + 64 };     /* connections, and what a look opens for a moment */

static struct {
	const char *address, *hosts;     /* hosts: http-hosts, or NULL */
	char folder[PATH_MAX];
	struct http_address at;
	int insecure, verbose, ready_fd, is_child, listener, port, signals;
	struct watch watch;
	struct http_conns *conns;
} http = { .ready_fd = -1, .signals = -1 };

static const char usage[] =
    "usage: mom_http IP:PORT [FOLDER] [--insecure] [--http-hosts A,B] [-v] [--ready-fd N]\n"
    "  IP:PORT      where browsers connect; PORT 0 takes a free one. First line on stdout: ready IP PORT\n"
    "  FOLDER       run folder or store of the server to be shown (those in the usual places, MOM_RUN first)\n"
    "  --insecure   listen on an address that is not loopback: whoever reaches it sees topics, names and programs\n"
    "  --http-hosts A,B   host names by which browsers may ask, beside addresses and localhost;\n"
    "               * with --insecure: any. /metrics and /health answer under every name\n"
    "pages: / (for people)  /stats.json  /history.json  /metrics (Prometheus)  /health (200, or 503 with the reason)\n"
    "Example: mom_http 127.0.0.1:8081 & curl http://127.0.0.1:8081/health\n"
    "broker_server and mom_daemon start it themselves with --http IP:PORT.\n";

static void
wrong_use(const char *what, const char *which)
{
	fprintf(stderr, "mom_http: %s%s%s; see mom_http --help\n", what, which ? ": " : "", which ? which : "");
	exit(EXIT_USAGE);
}

static void
parse(int argc, char **argv)
{
	static const struct option options[] = { { "insecure", 0, 0, 'i' }, { "http-hosts", 1, 0, 'n' },
		{ "ready-fd", 1, 0, 'f' }, { "help", 0, 0, 'h' }, { 0 } };
	char *end;
	struct arguments a;
	arguments_begin(&a, argc, argv, "vh", options);
	for (int o; (o = arguments_next(&a)) != -1;) {
		switch (o) {
		case 'i': http.insecure = 1; break;
		case 'n': http.hosts = a.value; break;
		case 'v': http.verbose = 1; break;
		case 'f':
			http.ready_fd = (int)strtol(a.value, &end, 10);
			if (*a.value == '\0' || *end != '\0' || http.ready_fd < 0)
				wrong_use("--ready-fd takes the number of an open descriptor, not", a.value);
			break;
		case 'h': fputs(usage, stdout); exit(program_end("mom_http", 0, EXIT_SYSTEM));
		default: wrong_use(a.fault, NULL);
		}
	}
	if (a.count < 1 || a.count > 2)
		wrong_use("IP:PORT is needed, and at most a folder", NULL);
	http.address = a.word[0];
	if (a.count == 2 && snprintf(http.folder, sizeof http.folder, "%s", a.word[1]) >= (int)sizeof http.folder)
		wrong_use("the folder's name is too long", NULL);
}

/* What was open when it began is none of its business, but for these. */
static void
close_others(int one, int other)
{
	for (int fd = 3; fd < 1024; fd++)
		if (fd != one && fd != other)
			close(fd);
}

static void
start_by_hand(int argc, char **argv)
{
	parse(argc, argv);
	log_init("mom_http", http.verbose ? LOG_FROM_DEBUG : LOG_FROM_INFO);
	close_others(http.ready_fd, -1);
	const char *why = http_address_fault(http.address);
	if (why || (why = http_address_exposed(http.address, http.insecure)) != NULL ||
	    (http.hosts && (why = http_hosts_fault(http.hosts)) != NULL) ||
	    (why = http_hosts_exposed(http.hosts, http.insecure)) != NULL)
		wrong_use(why, NULL);
	http_address_parse(&http.at, http.address);
	if (http.folder[0] && access(http.folder, R_OK | X_OK) < 0)
		log_fatal(EXIT_USAGE, "%s: %s: name a run folder, or a broker's store", http.folder, strerror(errno));
	if ((http.signals = sig_init()) < 0)
		log_fatal(EXIT_SYSTEM, "pipe: %s", strerror(errno));
	if ((http.listener = net_listen(&http.at.net, &http.port)) < 0)
		log_fatal(EXIT_SYSTEM, "listen on %s: %s: %s", http.address, strerror(errno),
		    errno == EADDRINUSE ? "another program listens there; stop it or take another port (0: any free "
		    "one)" : "see `ip addr`");
}

/* The listening socket and the run folder come from the parent. */
static void
start_as_child(int argc, char **argv)
{
	struct child_place place;
	http.is_child = 1;
	child_begin(&place, "mom_http", "broker_server or mom_daemon");
	http.listener = place.fds[0];
	http.hosts = argc > 2 ? argv[2] : NULL;
	if (http.listener < 0 || place.fds[1] < 0)
		log_fatal(EXIT_USAGE, "its parent gave it no descriptors");
	close_others(http.listener, place.fds[1]);
	about_folder(place.fds[1], http.folder);
	close(place.fds[1]);
}

/* Nothing that it can do without: privileges, descriptors, processes. */
static void
give_up_rights(void)
{
	struct rlimit files = { DESCRIPTORS, DESCRIPTORS }, none = { 0, 0 }, now;
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = { { 0, 0, 0 }, { 0, 0, 0 } };
	/* by hand root may look at the servers of others: to read is what is left of its rights */
	uint32_t keep = http.is_child ? 0 : 1u << CAP_DAC_READ_SEARCH | 1u << CAP_IPC_OWNER;
	if (syscall(SYS_capget, &header, caps) == 0) {
		caps[0].permitted = caps[0].effective &= keep;
		caps[0].inheritable = caps[1].permitted = caps[1].effective = caps[1].inheritable = 0;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capset, &header, caps) < 0)
		log_debug("rights are kept: %s", strerror(errno));
	if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur > DESCRIPTORS && setrlimit(RLIMIT_NOFILE, &files) < 0)
		log_debug("RLIMIT_NOFILE: %s", strerror(errno));
	if (setrlimit(RLIMIT_NPROC, &none) < 0)
		log_debug("RLIMIT_NPROC: %s", strerror(errno));
}

static void
say_ready(void)
{
	char line[96];
	int n = snprintf(line, sizeof line, "ready %s %d\n", http.at.ip, http.port);
	if (http.is_child)
		return;
	if (fdio_write_full(STDOUT_FILENO, line, (size_t)n) < 0)
		log_debug("stdout is closed");
	if (program_ready_say(http.ready_fd) < 0)
		log_warn("--ready-fd %d: %s: give it an open descriptor", http.ready_fd, strerror(errno));
	log_info("serves %s port %d, shows %s", http.at.ip, http.port,
	    http.folder[0] ? http.folder : "the servers in the usual places");
}

static void
loop_once(void)
{
	struct pollfd polls[2 + HTTP_CONNS];
	int64_t now = clock_ms();
	if (now >= watch_due(&http.watch))
		watch_take(&http.watch, now);
	log_peers_tell(now);
	int64_t until = watch_due(&http.watch), due = http_conns_due(http.conns, now);
	if (due >= 0 && due < until)
		until = due;
	polls[0] = (struct pollfd){ http.signals, POLLIN, 0 };
	nfds_t n = http_conns_polls(http.conns, polls + 1, now);
	if (poll(polls, n + 1, until > now ? (int)(until - now) : 0) < 0) {
		if (errno != EINTR)
			log_fatal(EXIT_SYSTEM, "poll: %s", strerror(errno));
		return;
	}
	if (polls[0].revents)
		sig_drain();
	http_conns_look(http.conns, polls + 1, n, clock_ms());
}

int
main(int argc, char **argv)
{
	program_begin(argc, argv, "mom_http");
	log_init("mom_http", 0);
	if (getenv("MOM_CHILD"))
		start_as_child(argc, argv);
	else
		start_by_hand(argc, argv);
	give_up_rights();
	http.watch.is_exposed = http.insecure;
	http.watch.folder = http.folder[0] ? http.folder : NULL;
	http.watch.run = getenv("MOM_RUN");
	if (http.watch.run && http.watch.run[0] == '\0')
		http.watch.run = NULL;
	watch_take(&http.watch, clock_ms());
	http.conns = http_conns_new(http.listener, &http.watch, http.hosts);
	if (http.conns == NULL)
		log_fatal(EXIT_SYSTEM, "no memory");
	say_ready();
	while (!sig_got_stop)
		loop_once();
	return 0;
}
