/* mom_daemon - registers a machine's clients, connects to the broker, starts, reaps and restarts requester, responser and forwarder
 * STARTED BY  a person, make run_daemon, systemd
 * READS       its flags, the spool's identity and client list      WRITES  those, RUN/registry, the client table
 * SLEEPS IN   poll: registration socket, clients' sockets and pidfds, the broker's handshake, signals
 * MUST NOT    touch a message; wait for a child but at its own end
 * SIGNALS     TERM, INT: end all children, remove all objects, exit 0
 * EXIT        0 stopped   100 wrong use   111 system trouble
 * ON CRASH    the children die with it (PDEATHSIG); a successor adopts the clients that live, and they go on */
#include "common/about.h"
#include "common/clock.h"
#include "common/counters.h"
#include "common/fdio.h"
#include "common/http_child.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/rundir.h"
#include "common/sig.h"
#include "daemon/daemon.h"
#include "daemon/members_file.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	struct daemon d;
	struct http_child http;
	char run[PATH_MAX], spool[PATH_MAX];
	int ready_fd, signals;
	int64_t next_tick;
	struct pollfd *polls;
	uint32_t *slots;                      /* of polls: which slot; waiting: index */
	size_t polls_room;
} m = { .ready_fd = -1 };

static const char usage[] =
    "usage: mom_daemon IP PORT [--run DIR] [--spool DIR] [--max-message BYTES] [--client-backlog-max BYTES]\n"
    "                  [--http IP:PORT] [--insecure] [-v] [--ready-fd N]\n"
    "  IP PORT      where the broker is, or will be. First line on stdout: ready RUNFOLDER\n"
    "  --run DIR    run folder: where this machine's programs find the daemon (MOM_RUN)\n"
    "  --spool DIR  what must outlive a restart (RUN/spool; as root /var/spool/mom)\n"
    "  --max-message  largest payload (1048576; up to 67108864), at least what the broker takes; the spool remembers it\n"
    "  --client-backlog-max  a client for whom more than this waits in the spool is cut: it gets what waits, then MOM_EFULL (any)\n"
    "  --http IP:PORT  serve a status page, /metrics and /health there (see mom_http --help); PORT 0: any, see the run folder's file http\n"
    "  --insecure   --http on an address that is not loopback: whoever reaches it sees topics, names and programs\n";

static void
wrong_use(const char *what, const char *which)
{
	fprintf(stderr, "mom_daemon: %s%s%s; see mom_daemon --help\n", what, which ? ": " : "", which ? which : "");
	exit(EXIT_USAGE);
}

static void
parse(int argc, char **argv)
{
	static const struct option options[] = { { "run", 1, 0, 'r' }, { "spool", 1, 0, 's' }, { "ready-fd", 1, 0, 'f' }, { "max-message", 1, 0, 'm' }, { "client-backlog-max", 1, 0, 'b' }, { "http", 1, 0, 'w' }, { "insecure", 0, 0, 'i' }, { "help", 0, 0, 'h' }, { 0 } };
	char *end;
	unsigned long most;
	int insecure = 0;
	opterr = 0;
	for (int o; (o = getopt_long(argc, argv, "vh", options, NULL)) != -1;) {
		switch (o) {
		case 'r': snprintf(m.run, sizeof m.run, "%s", optarg); break;
		case 's': snprintf(m.spool, sizeof m.spool, "%s", optarg); break;
		case 'f':
			m.ready_fd = (int)strtol(optarg, &end, 10);
			if (*optarg == '\0' || *end != '\0' || m.ready_fd < 0)
				wrong_use("--ready-fd takes the number of an open descriptor, not", optarg);
			break;
		case 'm':
			most = strtoul(optarg, &end, 10);
			if (*optarg < '0' || *optarg > '9' || *end != '\0' || most < 1 || most > MESSAGE_LIMIT)
				wrong_use("--max-message takes a number of bytes from 1 to 67108864, not", optarg);
			m.d.message_max = (uint32_t)most;
			break;
		case 'b':
			most = strtoul(optarg, &end, 10);
			if (*optarg < '0' || *optarg > '9' || *end != '\0' || most < BACKLOG_LEAST)
				wrong_use("--client-backlog-max takes a number of bytes, 65536 or more, not", optarg);
			m.d.backlog_max = most;
			break;
		case 'w': m.http.address = optarg; break;
		case 'i': insecure = 1; break;
		case 'v': m.d.verbose = 1; break;
		case 'h': fputs(usage, stdout); exit(0);
		default: wrong_use("unknown flag or a flag without its value", argv[optind - 1]);
		}
	}
	if (argc - optind != 2)
		wrong_use("IP and PORT of the broker are needed, and nothing else", NULL);
	if (m.http.address && http_child_parse(&m.http, m.http.address, insecure))
		wrong_use(http_child_parse(&m.http, m.http.address, insecure), m.http.address);
	m.d.ip = argv[optind];
	m.d.port = argv[optind + 1];
	int r = net_parse(&m.d.broker, m.d.ip, m.d.port);
	if (r < 0 || strcmp(m.d.port, "0") == 0)
		wrong_use(r == -1 ? "not an IPv4 or IPv6 address" : "not a port (1 to 65535)", r == -1 ? m.d.ip : m.d.port);
}

static void
open_folders(void)
{
	const char *why;
	struct daemon *d = &m.d;
	pid_t holder = 0;
	if (m.run[0] == '\0')
		rundir_default(m.run, sizeof m.run);
	if (m.spool[0] == '\0' && geteuid() == 0)
		snprintf(m.spool, sizeof m.spool, "/var/spool/mom");
	else if (m.spool[0] == '\0' && snprintf(m.spool, sizeof m.spool, "%s/spool", m.run) >= (int)sizeof m.spool)
		wrong_use("the run folder's name is too long", NULL);
	if ((d->run_dir = rundir_open(m.run, &why)) < 0)
		log_fatal(EXIT_SYSTEM, "run folder %s: %s", m.run, why);
	d->run_lock = lock_take(d->run_dir, "lock", &holder);
	if (d->run_lock < 0)
		log_fatal(EXIT_SYSTEM, "run folder %s: %s (mom_daemon pid %d): stop that first, or name another folder with --run", m.run,
		    d->run_lock == -2 ? "in use" : strerror(errno), (int)holder);
	if ((d->spool_dir = rundir_open(m.spool, &why)) < 0)
		log_fatal(EXIT_SYSTEM, "spool folder %s: %s", m.spool, why);
	d->spool_lock = lock_take(d->spool_dir, "lock", &holder);
	if (d->spool_lock < 0)
		log_fatal(EXIT_SYSTEM, "spool folder %s: %s (mom_daemon pid %d): stop that first, or name another folder with --spool", m.spool,
		    d->spool_lock == -2 ? "in use" : strerror(errno), (int)holder);
}

/* Nothing depends on them: without, the daemon only cannot be looked into. */
static void
make_counters(struct daemon *d)
{
	enum { PAGES = 1 + UNIT_ROLES };
	int id = registry_make(&d->registry, REGISTRY_SHM, counters_bytes(PAGES, 0), geteuid(), 0, "counters");
	if (id < 0)
		log_warn("shmget(counters): %s: %s", strerror(errno), registry_hint(&d->registry));
	atomic_store(&d->table->counters, id);
	counters_make(id, PAGES, 0, ROLE_DAEMON);
}

static void
make_table(void)
{
	struct daemon *d = &m.d;
	struct shminfo info;
	uint32_t capacity = shmctl(0, IPC_INFO, (struct shmid_ds *)&info) >= 0 && info.shmmni < SLOTS_MAX ? (uint32_t)info.shmmni : SLOTS_MAX;
	size_t bytes = sizeof *d->table + capacity * sizeof(struct slot_word);
	struct machine_table measure = { .capacity = capacity };
	d->members = calloc(capacity, sizeof *d->members);
	d->table = &measure;                           /* the list's slots are checked against it; the real one comes after the reaping */
	if (d->members == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for %u clients", capacity);
	members_read(d);
	if (registry_open(&d->registry, d->run_dir, members_keep, d) < 0)
		log_fatal(EXIT_SYSTEM, "%s/registry: %s", m.run, strerror(errno));
	d->table_id = registry_make(&d->registry, REGISTRY_SHM, bytes, geteuid(), 0, "machine-table");
	d->table = d->table_id < 0 ? NULL : ipcq_attach(d->table_id, 0);
	if (d->table == NULL)
		log_fatal(EXIT_SYSTEM, "shmget(%zu bytes): %s: %s", bytes, strerror(errno), registry_hint(&d->registry));
	d->table->capacity = capacity;
	d->table->verbose = (uint32_t)d->verbose;
	atomic_store(&d->table->request_queue, -1);
	atomic_store(&d->table->deliver_queue, -1);
	make_counters(d);
	d->table->backlog_max = d->backlog_max;
	atomic_store(&d->table->message_max, d->message_max);
	atomic_store(&d->table->serial, d->serial);
	atomic_store(&d->table->shards, d->shards);
	atomic_store(&d->table->epoch, 1);
	d->table->magic = MAGIC_MACHINE;
	starts_load(d);
	forgotten_load(d);
	d->unit_id = d->socket = d->door = -1;
	members_load(d);
}

static void
say_about(void)
{
	struct about a = { .pid = getpid() };
	about_folder(m.d.run_dir, a.run);
	about_folder(m.d.spool_dir, a.files);
	snprintf(a.address, sizeof a.address, "%s %s", m.d.ip, m.d.port);
	if (about_write(m.d.run_dir, &a) < 0)
		log_warn("%s/about: %s: the tools will not find this daemon until there is room for it", m.run, strerror(errno));
}

static void
say_ready(void)
{
	char line[PATH_MAX + 16];
	int n = snprintf(line, sizeof line, "ready %s\n", m.run);
	say_about();
	if (write(STDOUT_FILENO, line, (size_t)n) < 0)
		log_debug("stdout is closed");
	if (m.ready_fd >= 0) {
		if (write(m.ready_fd, "\n", 1) < 0)
			log_warn("--ready-fd %d: %s", m.ready_fd, strerror(errno));
		close(m.ready_fd);
	}
	log_info("serves run folder %s, spool %s, broker %s port %s", m.run, m.spool, m.d.ip, m.d.port);
}

static void
reap(void)
{
	int status;
	sig_got_child = 0;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
		if (!http_child_reaped(&m.http, pid, status, clock_ms()))
			unit_reaped(&m.d, pid, status, clock_ms());
}

static void
tick(int64_t now)
{
	if (now < m.next_tick)
		return;
	m.next_tick = now + TICK_MS;
	atomic_fetch_add(&m.d.table->ticks, 1);
	unit_bells(&m.d);
	members_check(&m.d);
	identity_proven(&m.d);
	starts_save(&m.d);
}

/* ---- polling ---- */

enum { POLL_SIGNALS, POLL_NOTIFY, POLL_DOOR, POLL_LINK, POLL_FIXED };

static void
polls_grow(size_t n)
{
	if (n <= m.polls_room)
		return;
	m.polls_room = n * 2;
	m.polls = realloc(m.polls, m.polls_room * sizeof *m.polls);
	m.slots = realloc(m.slots, m.polls_room * sizeof *m.slots);
	if (m.polls == NULL || m.slots == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for %zu descriptors", n);
}

static size_t
polls_fill(size_t *first_member)
{
	struct daemon *d = &m.d;
	size_t n = POLL_FIXED;
	polls_grow(POLL_FIXED + d->waiting_count + 2 * (size_t)d->used);
	m.polls[POLL_SIGNALS] = (struct pollfd){ m.signals, POLLIN, 0 };
	m.polls[POLL_NOTIFY] = (struct pollfd){ d->notify, POLLIN, 0 };
	m.polls[POLL_DOOR] = (struct pollfd){ spare_is_ready(&d->spare, clock_ms()) ? d->door : -1, POLLIN, 0 };
	m.polls[POLL_LINK] = (struct pollfd){ d->link == LINK_CONNECTING || d->link == LINK_HELLO ? d->socket : -1,
		d->link == LINK_CONNECTING ? POLLOUT : POLLIN, 0 };
	for (size_t i = 0; i < d->waiting_count; i++)
		m.polls[n++] = (struct pollfd){ d->waiting[i].fd, d->waiting[i].asked ? 0 : POLLIN, 0 };
	*first_member = n;
	for (uint32_t i = 0; i < d->used; i++) {
		if (d->members[i].state != SLOT_LIVE)
			continue;
		m.slots[n] = i;
		m.polls[n++] = (struct pollfd){ d->members[i].socket, 0, 0 };
		m.slots[n] = i;
		m.polls[n++] = (struct pollfd){ d->members[i].pidfd, POLLIN, 0 };
	}
	return n;
}

/* A hang-up alone is no death (a program may close all its descriptors); a pidfd is. */
static void
member_event(uint32_t i, const struct pollfd *p)
{
	struct member *v = &m.d.members[i];
	if (v->state != SLOT_LIVE)
		return;
	if (p->fd == v->pidfd && (p->revents & POLLIN))
		member_died(&m.d, i);
	else if (p->fd == v->socket && (p->revents & (POLLHUP | POLLERR))) {
		fdio_close(&v->socket);
		if (atomic_load(&v->segment->goodbye) || !process_lives(v->pid, v->started))
			member_died(&m.d, i);
	}
}

static void
waiting_events(size_t count)
{
	struct daemon *d = &m.d;
	/* from the end, since those that are served leave the list */
	for (size_t i = count; i-- > 0;) {
		struct pollfd *p = &m.polls[POLL_FIXED + i];
		if (i >= d->waiting_count || d->waiting[i].fd != p->fd || !p->revents)
			continue;
		if (p->revents & POLLIN)
			door_hear(d, i);
		else {                                 /* gave up */
			close(p->fd);
			d->waiting[i] = d->waiting[--d->waiting_count];
		}
	}
	door_serve(d);
}

static void
poll_once(int64_t until)
{
	struct daemon *d = &m.d;
	size_t first_member, n = polls_fill(&first_member), waiting = d->waiting_count;
	int64_t now = clock_ms();
	uint64_t count;
	if (poll(m.polls, n, until > now ? (int)(until - now) : 0) < 0) {
		if (errno != EINTR)
			log_fatal(EXIT_SYSTEM, "poll: %s", strerror(errno));
		return;
	}
	sig_drain();
	if (m.polls[POLL_NOTIFY].revents && read(d->notify, &count, sizeof count) < 0)
		log_debug("notify: %s", strerror(errno));
	for (size_t k = first_member; k < n; k++)
		if (m.polls[k].revents)
			member_event(m.slots[k], &m.polls[k]);
	if (m.polls[POLL_LINK].revents && m.polls[POLL_LINK].fd == d->socket)
		link_event(d);
	members_finished(d);
	waiting_events(waiting);
	if (m.polls[POLL_DOOR].revents)
		door_accept(d);
}

static void
stop(void)
{
	struct daemon *d = &m.d;
	atomic_store(&d->table->stopping, 1);
	http_child_stop(&m.http);
	door_close(d);
	unit_end(d);
	while (!unit_is_gone(d)) {
		struct pollfd p = { m.signals, POLLIN, 0 };
		if (poll(&p, 1, 50) > 0)
			sig_drain();
		reap();
	}
	members_stop(d);
	starts_save(d);
	if (d->unit)
		ipcq_detach(d->unit);
	ipcq_detach(d->table);
	registry_close(&d->registry, 1);
	about_remove(d->run_dir);
	unlinkat(d->run_dir, "lock", 0);
	log_info("stopped");
}

int
main(int argc, char **argv)
{
	struct daemon *d = &m.d;
	log_init("mom_daemon", 0);
	parse(argc, argv);
	log_init("mom_daemon", d->verbose);
	m.signals = sig_init();
	d->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m.signals < 0 || d->notify < 0)
		log_fatal(EXIT_SYSTEM, "eventfd: %s", strerror(errno));
	if (m.ready_fd >= 0)
		fdio_cloexec(m.ready_fd, 1);
	open_folders();
	fdio_sweep(d->spool_dir, "");
	identity_load(d);
	make_table();
	if (http_child_open(&m.http, d->run_dir, d->verbose) < 0)
		log_fatal(EXIT_SYSTEM, "listen on %s: %s: take another address with --http (PORT 0: any free one)", m.http.address, strerror(errno));
	spare_open(&d->spare);
	if (door_open(d) < 0)
		log_fatal(EXIT_SYSTEM, "%s/socket: %s", m.run, strerror(errno));
	say_ready();
	m.next_tick = clock_ms();
	while (!sig_got_stop) {
		int64_t now = clock_ms(), until;
		if (sig_got_child)
			reap();
		unit_step(d, now);
		http_child_step(&m.http, now);
		tick(now);
		until = link_step(d, now);
		if (until < 0 || until > m.next_tick)
			until = m.next_tick;
		until = http_child_due(&m.http, until);
		if (unit_is_gone(d) && d->unit_due < until)
			until = d->unit_due;
		if (!spare_is_ready(&d->spare, now) && d->spare.until_ms < until)
			until = d->spare.until_ms;
		poll_once(until);
	}
	stop();
	return 0;
}
