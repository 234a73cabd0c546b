/* broker_server - accepts machines, starts, reaps and restarts everything of the broker
 * STARTED BY  a person, make run_broker, systemd
 * READS       its flags, environment, broker.conf, db/store, db/machines      WRITES  db/machines, db/registry, the
 *             broker table
 * SLEEPS IN   poll: listening socket, those that have no place yet, signals, handlers in their handshake or with a
 *             machine that is not known yet
 * MUST NOT    touch a message; wait for a child but at its own end
 * KEYS        db, http, http-hosts, insecure, listen, machine-expiry, max-message, ready-fd, run, store-max,
 *             topic-max, topics, views, workers, log-level, log-format, log-time, log-file
 * COUNTS      connections, deaths
 * SIGNALS     TERM, INT: end all children, remove all objects, exit 0   HUP: broker.conf again   USR1: the log file
 *             anew
 * EXIT        0 stopped   100 wrong use   111 system trouble
 * ON CRASH    the children die with it (PDEATHSIG); the next start waits for the store's lock and reaps what the
 *             registry lists */
#include "broker/broker.h"
#include "broker/broker_options.h"
#include "ipc/about.h"
#include "base/clock.h"
#include "ipc/counters.h"
#include "base/fdio.h"
#include "base/lock.h"
#include "base/log_peer.h"
#include "server/names.h"
#include "server/pointer.h"
#include "base/net.h"
#include "base/notify.h"
#include "base/program.h"
#include "ipc/rundir.h"
#include "base/sig.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/shm.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LISTEN_MS = 2000 /* how long a port in use is tried */, READY_LINE = NET_HOST + 32 };

static struct {
	struct broker b;
	struct broker_options o;
	char run[PATH_MAX];
	int port, run_dir, run_lock, signals, said_ready;
	int64_t next_tick;
	struct pollfd *polls;
	uint32_t *poll_conn;
} server;

enum { POLL_SIGNALS, POLL_LISTENER, POLL_FIXED };

/* A child of a predecessor that was killed just now may be between fork and exec, and holds its listening socket for
 * that long. */
static int
listen_on(const struct net_address *a)
{
	int fd;
	for (int64_t until = clock_ms() + LISTEN_MS; (fd = net_listen(a, &server.port)) < 0 && errno == EADDRINUSE &&
	    clock_ms() < until;)
		usleep(5000);
	return fd;
}

/* The first of the host's addresses that this machine has, and IPv4 before IPv6: whoever connects to a name tries all
 * of its addresses, but whoever has typed 127.0.0.1 does not. */
static void
start_listening(void)
{
	struct net_address a[NET_ADDRESSES];
	const char *host = server.o.host, *why;
	int n = net_resolve(a, host, server.o.port, &why);
	if (n == 0)
		log_fatal(EXIT_SYSTEM, "listen on %s: %s: is the name right? see `getent hosts %s`", host, why, host);
	errno = EADDRNOTAVAIL;
	server.b.listener = -1;
	for (int k = 0; k < 2 * n && server.b.listener < 0 && errno != EADDRINUSE; k++) {
		const struct net_address *next = &a[k % n];
		if (next->sa.ss_family != (k < n ? AF_INET : AF_INET6))
			continue;
		if (!next->loopback && !server.o.insecure)
			log_fatal(EXIT_USAGE, "%s", options_exposed(host));
		server.b.listener = listen_on(next);
	}
	if (server.b.listener < 0)
		log_fatal(EXIT_SYSTEM, "listen on %s port %s: %s: %s", host, server.o.port, strerror(errno),
		    errno == EADDRINUSE ? "another program listens there; stop it or take another port (0: any free "
		    "one)" : "see `ip addr`");
}

static void
leave_run_folder(void)
{
	pointer_clear(server.run_dir);
	about_remove(server.run_dir);
	config_leave_no_more(server.run_dir);
	unlinkat(server.run_dir, "ready", 0);
	unlinkat(server.run_dir, "lock", 0);
	rmdir(server.run);                                  /* where it is empty: it was ours alone */
}

/* A fatal end removes all that was made, as a stop does, but waits for nobody. */
static void
give_up(void)
{
	struct broker *b = &server.b;
	log_peers_end();
	http_child_stop(&b->http);
	for (uint32_t i = 0; b->conns && i < atomic_load(&b->table->conns); i++) {
		child_end(b->conns[i].handler);
		child_end(b->conns[i].sender);
	}
	for (uint32_t i = 0; i < b->store.shards; i++)
		child_end(b->workers[i].pid);
	if (b->registry.fd > 0) {
		registry_close(&b->registry, 1);
		about_remove(b->store.dir);
	}
	if (server.run_lock > 0)
		leave_run_folder();
}

static void
open_run_folder(void)
{
	const char *why;
	char who[LOCK_HOLDER];
	pid_t holder = 0;
	if (server.o.run)
		snprintf(server.run, sizeof server.run, "%s", server.o.run);
	else {
		char root[PATH_MAX - NET_HOST - 40];
		rundir_default(root, sizeof root);
		snprintf(server.run, sizeof server.run, "%s/run-%.200s-%d", root, server.o.host, server.port);
	}
	server.run_dir = rundir_open(server.run, &why);
	if (server.run_dir < 0)
		log_fatal(EXIT_SYSTEM, "run folder %s: %s; or name another with --run", server.run, why);
	server.run_lock = lock_take(server.run_dir, "lock", &holder, STOP_MS);
	if (server.run_lock == -2 && holder == getpid())
		log_fatal(EXIT_USAGE, "run folder %s: it is the store, too: name two folders, with --db and --run",
		    server.run);
	if (server.run_lock == -2)
		log_fatal(EXIT_SYSTEM, "run folder %s: in use by %s: stop that first, or name another folder with "
		    "--run", server.run, lock_holder_text(holder, who));
	if (server.run_lock < 0)
		log_fatal(EXIT_SYSTEM, "run folder %s: its lock: %s: %s, or name another with --run", server.run,
		    strerror(errno), fdio_hint(errno));
}

/* Nothing depends on them: without, the broker only cannot be looked into. */
static void
make_counters(struct broker *b)
{
	uint32_t pages = COUNTERS_HANDLER(server.o.workers, b->table->capacity);
	int id = registry_make(&b->registry, REGISTRY_SHM, counters_bytes(pages, server.o.workers), geteuid(), 0,
	    "counters");
	if (id < 0)
		log_warn("shmget(counters): %s: %s", strerror(errno), registry_hint(&b->registry));
	atomic_store(&b->table->counters, id);
	counters_make(id, pages, server.o.workers, ROLE_BROKER_SERVER);
}

/* On a small disk segments are smaller, so that each worker has room for a few. */
static uint64_t
disk_share(void)
{
	struct statvfs st;
	if (fdio_statvfs(server.b.store.dir, &st) < 0)
		return SEGMENT_BYTES;
	return (uint64_t)st.f_bavail * st.f_frsize / STORE_SEGMENTS / server.o.workers / PAGE * PAGE;
}

static void
make_table(void)
{
	struct shminfo info;
	struct broker *b = &server.b;
	uint32_t capacity = shmctl(0, IPC_INFO, (struct shmid_ds *)&info) >= 0 && info.shmmni < SLOTS_MAX
	    ? (uint32_t)info.shmmni : SLOTS_MAX;
	size_t bytes = sizeof *b->table + capacity * sizeof(struct conn_word);
	if (registry_open(&b->registry, b->store.dir, NULL, NULL) < 0)
		log_fatal(EXIT_SYSTEM, "%s/registry: %s: %s", server.o.db, strerror(errno), fdio_hint(errno));
	b->table_id = registry_make(&b->registry, REGISTRY_SHM, bytes, geteuid(), 0, "broker-table");
	b->table = b->table_id < 0 ? NULL : ipcq_attach(b->table_id, 0);
	b->conns = b->table ? calloc(capacity, sizeof *b->conns) : NULL;
	server.polls = calloc(POLL_FIXED + LOBBY_MAX + capacity, sizeof *server.polls);
	server.poll_conn = calloc(POLL_FIXED + LOBBY_MAX + capacity, sizeof *server.poll_conn);
	if (b->table == NULL || b->conns == NULL || server.polls == NULL || server.poll_conn == NULL)
		log_fatal(EXIT_SYSTEM, "shmget(%zu bytes): %s: %s", bytes, strerror(errno),
		    registry_hint(&b->registry));
	b->table->shards = server.o.workers;
	b->table->capacity = capacity;
	atomic_store(&b->table->log, (uint32_t)b->verbose);
	atomic_store(&b->table->store_max, server.o.store_max);
	atomic_store(&b->table->topic_max, server.o.topic_max);
	uint64_t share = server.o.store_max / server.o.workers / 8,
	    segment = server.o.store_max && share < SEGMENT_BYTES ? share
	    : SEGMENT_BYTES, least = SEGMENT_LEAST(b->store.message_max), room = disk_share();
	segment = segment < room ? segment : room;
	b->table->message_max = b->store.message_max;
	b->table->views = (uint32_t)server.o.views;
	atomic_store(&b->table->expiry, server.o.expiry);
	b->table->segment_bytes = segment < least ? least : segment;
	snprintf(b->table->topics, sizeof b->table->topics, "%s", server.o.topics);
	for (uint32_t i = 0; i < SHARDS_MAX; i++)
		atomic_store(&b->table->shard[i].queue, -1);
	log_peers_share(&b->table->limits);
	make_counters(b);
	atomic_store(&b->table->epoch, 1);
	b->table->magic = MAGIC_BROKER;
}

/* 1, or -1 */
static int
say_about(int dir)
{
	struct about a = { .is_broker = 1, .pid = getpid() };
	about_folder(server.run_dir, a.run);
	about_folder(server.b.store.dir, a.files);
	snprintf(a.address, sizeof a.address, "%s %d", server.o.host, server.port);
	return about_write(dir, &a) < 0 ? -1 : 1;
}

static int
say_line(char line[READY_LINE])
{
	int n = snprintf(line, READY_LINE, "ready %s %d\n", server.o.host, server.port);
	return fdio_replace(server.run_dir, "ready", line, (size_t)n, 0) < 0 ? -1 : 1;
}

static void
say_ready(void)
{
	char line[READY_LINE];
	server.said_ready = 1;
	pointer_set(server.run_dir);
	if (say_about(server.run_dir) < 0 || say_about(server.b.store.dir) < 0)
		log_warn("%s/about: %s: the tools do not find this broker until there is room for it", server.run,
		    strerror(errno));
	if (config_leave(&server.o.config, server.run_dir) < 0)
		log_warn("%s/settings: %s: mom config does not show what holds", server.run, strerror(errno));
	if (say_line(line) < 0)
		log_warn("%s/ready: %s: %s", server.run, strerror(errno), fdio_hint(errno));
	log_info("serves %s port %d, store %s, %u worker%s", server.o.host, server.port, server.o.db, server.o.workers,
	    server.o.workers == 1 ? "" : "s");
	if (fdio_write_full(STDOUT_FILENO, line, strlen(line)) < 0)
		log_debug("stdout is closed");
	if (program_ready_say(server.o.ready_fd) < 0)
		log_warn("--ready-fd %d: %s: give it an open descriptor", server.o.ready_fd, strerror(errno));
	notify_ready();
}

static int64_t
cpu_us(const struct rusage *u)
{
	return (u->ru_utime.tv_sec + u->ru_stime.tv_sec) * INT64_C(1000000) + u->ru_utime.tv_usec + u->ru_stime.tv_usec;
}

static void
reap(void)
{
	int status;
	struct rusage used;
	for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &used)) > 0;)
		if (!http_child_reaped(&server.b.http, pid, status, clock_ms()) &&
		    !conn_reaped(&server.b, pid, status, cpu_us(&used)))
			workers_reaped(&server.b, pid, status, clock_ms());
}

/* for `systemctl status` */
static void
tell_status(void)
{
	uint32_t machines = 0;
	for (uint32_t i = 0; i < atomic_load(&server.b.table->conns); i++)
		machines += atomic_load(&server.b.table->conn[i].state) == CONN_LIVE;
	notify_status("serves %s port %d, %u machine%s connected", server.o.host, server.port, machines,
	    machines == 1 ? "" : "s");
}

static void
run_look(void)
{
	char line[READY_LINE];
	int fresh = names_folder(server.run, server.run_dir, server.run_lock);
	if (fresh < 0)
		return;
	if (fresh)
		http_child_renew(&server.b.http);           /* it looks from there */
	names_tell(server.run, "lock", lock_look(server.run_dir, "lock", server.run_lock));
	names_tell(server.run, "http", http_child_look(&server.b.http));
	if (!server.said_ready)
		return;
	names_tell(server.run, "about", fdio_leads_to(server.run_dir, "about", -1) ? 0 : say_about(server.run_dir));
	names_tell(server.run, "settings", config_leave(&server.o.config, server.run_dir));
	names_tell(server.run, "ready", fdio_leads_to(server.run_dir, "ready", -1) ? 0 : say_line(line));
}

/* What would be written there nobody would find again: no worker runs until it is back. */
static void
files_look(void)
{
	struct broker *b = &server.b;
	int there = store_is_there(&b->store, server.o.db);
	if (!there && !b->store_lost) {
		log_error("store %s, or a shard in it, is gone, or another folder has its name: nothing more is "
		    "acknowledged. Bring it back under that name, and all goes on; or stop this broker, and start one "
		    "with a backup", server.o.db);
		b->store_lost = 1;
		workers_end(b);
	}
	if (there && b->store_lost) {
		log_warn("store %s is back: all goes on", server.o.db);
		b->store_lost = 0;
	}
	if (b->store_lost)
		return;
	store_look(&b->store, server.o.db);
	names_tell(server.o.db, "machines", machines_look(&b->machines));
	names_tell(server.o.db, "registry", registry_look(&b->registry));
	if (server.said_ready)
		names_tell(server.o.db, "about", fdio_leads_to(b->store.dir, "about", -1) ? 0
		    : say_about(b->store.dir));
}

static void
tick(int64_t now)
{
	struct broker *b = &server.b;
	notify_tick(now);
	if (now < server.next_tick)
		return;
	server.next_tick = now + TICK_MS;
	files_look();                                  /* first: a worker ends where it misses files */
	atomic_fetch_add(&b->table->ticks, 1);
	log_peers_tell(now);
	for (uint32_t i = 0; i < b->store.shards; i++)
		bell_ring_always(&b->table->shard[i].time_bell, &b->table->shard[i].queue);
	conn_bells(b);
	run_look();
	tell_status();
}

static int
poll_timeout(int64_t now)
{
	int64_t until = http_child_due(&server.b.http, server.next_tick), due = workers_due(&server.b);
	if (due >= 0 && due < until)
		until = due;
	if (!spare_is_ready(&server.b.spare, now) && server.b.spare.until_ms < until)
		until = server.b.spare.until_ms;
	if (!server.said_ready && until > now + 2)
		until = now + 2;
	due = notify_due();
	if (due >= 0 && due < until)
		until = due;
	due = turnstile_rests(&server.b.lobby.turnstile, clock_us())
	    ? now + (server.b.lobby.turnstile.rest_until_us - clock_us()) / 1000 + 1 : -1;
	if (due >= 0 && due < until)
		until = due;
	due = lobby_due(&server.b.lobby);
	if (due >= 0 && due < until)
		until = due;
	return until > now ? (int)(until - now) : 0;
}

static void
poll_once(int64_t now)
{
	struct broker *b = &server.b;
	struct lobby_host host = conn_host;
	nfds_t n = POLL_FIXED, guests = lobby_polls(&b->lobby, server.polls + n);
	server.polls[POLL_SIGNALS] = (struct pollfd){ server.signals, POLLIN, 0 };
	int is_open = server.said_ready && spare_is_ready(&b->spare, now) &&
	    !turnstile_rests(&b->lobby.turnstile, clock_us());
	server.polls[POLL_LISTENER] = (struct pollfd){ is_open ? b->listener : -1, POLLIN, 0 };
	n += guests;
	for (uint32_t i = 0; i < atomic_load(&b->table->conns); i++) {
		uint32_t state = atomic_load(&b->table->conn[i].state);
		if ((state != CONN_HELLO && state != CONN_LIVE) || b->conns[i].control < 0)
			continue;
		server.poll_conn[n] = i;
		server.polls[n++] = (struct pollfd){ b->conns[i].control, POLLIN, 0 };
	}
	if (poll(server.polls, n, poll_timeout(now)) < 0) {
		if (errno != EINTR)
			log_fatal(EXIT_SYSTEM, "poll: %s: %s", strerror(errno), child_hint(errno));
		return;
	}
	sig_drain();
	now = clock_ms();
	for (nfds_t k = POLL_FIXED + guests; k < n; k++)
		if (server.polls[k].revents && b->conns[server.poll_conn[k]].control == server.polls[k].fd)
			conn_control(b, server.poll_conn[k]);
	host.with = b;
	int64_t began = clock_us();
	lobby_look(&b->lobby, server.polls + POLL_FIXED, guests, now, &host);
	if (server.polls[POLL_LISTENER].revents)
		lobby_accept(&b->lobby, &b->spare, b->listener, now);
	turnstile_spent(&b->lobby.turnstile, began, clock_us());
}

static void
stop(void)
{
	struct broker *b = &server.b;
	int64_t began = clock_ms();
	int killed = 0, left = 1;
	notify_stopping();
	atomic_store(&b->table->stopping, 1);
	http_child_stop(&server.b.http);
	fdio_close(&b->listener);
	lobby_close(&b->lobby);
	for (uint32_t i = 0; i < atomic_load(&b->table->conns); i++)
		if (atomic_load(&b->table->conn[i].state) != CONN_FREE)
			conn_end(b, i);
	for (uint32_t i = 0; i < b->store.shards; i++)
		bell_ring_always(&b->table->shard[i].time_bell, &b->table->shard[i].queue);
	while (left) {
		struct pollfd f = { server.signals, POLLIN, 0 };
		reap();
		left = 0;
		for (uint32_t i = 0; i < b->store.shards; i++)
			left += b->workers[i].pid != 0;
		for (uint32_t i = 0; i < atomic_load(&b->table->conns); i++)
			left += atomic_load(&b->table->conn[i].state) != CONN_FREE;
		if (left && !killed && clock_ms() - began > STOP_MS) {
			killed = 1;
			workers_end(b);
		}
		if (left && poll(&f, 1, 50) > 0)
			sig_drain();
	}
	log_peers_end();
	machines_close(&b->machines);
	ipcq_detach(b->table);
	registry_close(&b->registry, 1);
	about_remove(b->store.dir);
	leave_run_folder();
	log_info("stopped");
}

int
main(int argc, char **argv)
{
	program_begin(argc, argv, "broker_server");
	log_init("broker_server", 0);
	options_read(&server.o, &server.b, argc, argv);
	notify_init();
	server.signals = sig_init();
	if (server.signals < 0)
		log_fatal(EXIT_SYSTEM, "pipe: %s: %s", strerror(errno), child_hint(errno));
	program_ready_begin(server.o.ready_fd);
	log_at_fatal(give_up);
	start_listening();
	store_open(&server.b.store, server.o.db, server.o.workers, server.o.message_max);
	options_take_store(&server.o, server.b.store.shards, server.b.store.message_max);
	uint64_t least = (uint64_t)STORE_SEGMENTS * SEGMENT_LEAST(server.b.store.message_max);
	if (server.o.store_max && server.o.store_max < least)
		log_fatal(EXIT_USAGE, "--store-max is at least %llu with the --max-message of this store, %u: four "
		    "segments of two messages each", (unsigned long long)least, server.b.store.message_max);
	open_run_folder();
	/* what may be wrong comes before objects are made */
	if (http_child_open(&server.b.http, server.run_dir) < 0)
		log_fatal(EXIT_SYSTEM, "listen on %s: %s: take another address with --http (PORT 0: any free one)",
		    server.b.http.address, strerror(errno));
	store_begin(&server.b.store, server.o.db);
	config_find_log(&server.o.config);
	if (machines_load(&server.b.machines, server.b.store.dir) < 0)
		log_fatal(EXIT_SYSTEM, "%s/machines: %s: restore it from a backup", server.o.db,
		    errno == EBADMSG ? "damaged" : strerror(errno));
	make_table();
	spare_open(&server.b.spare);
	config_open_log();
	options_say(&server.o);
	server.next_tick = clock_ms() + TICK_MS;
	while (!sig_got_stop) {
		int64_t now = clock_ms();
		if (sig_got_child) {
			sig_got_child = 0;
			reap();
		}
		options_signals(&server.o, &server.b);
		if (server.said_ready && !server.o.config.is_left)
			config_leave(&server.o.config, server.run_dir);
		workers_start(&server.b, now);
		http_child_step(&server.b.http, server.b.verbose, now);
		tick(now);
		if (!server.said_ready && workers_ready(&server.b))
			say_ready();
		poll_once(now);
	}
	stop();
	return 0;
}
