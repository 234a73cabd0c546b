/* mom_daemon - registers a machine's clients, connects to the broker, starts, reaps and restarts requester, responser
 * and forwarder
 * STARTED BY  a person, make run_daemon, systemd
 * READS       its flags, environment, daemon.conf, the spool's identity and client list      WRITES  those,
 *             RUN/registry, the client table
 * SLEEPS IN   poll: registration socket, clients' sockets and pidfds, the broker's handshake, signals
 * MUST NOT    touch a message; wait for a child but at its own end
 * KEYS        broker, client-backlog-max, http, http-hosts, insecure, max-message, ready-fd, run, spool, log-level,
 *             log-format, log-time, log-file
 * COUNTS      clients, connections, deaths
 * SIGNALS     TERM, INT: end all children, remove all objects, exit 0   HUP: daemon.conf again   USR1: the log file
 *             anew
 * EXIT        0 stopped   100 wrong use   111 system trouble
 * ON CRASH    the children die with it (PDEATHSIG); a successor adopts the clients that live, and they go on */
#include "ipc/about.h"
#include "base/clock.h"
#include "ipc/counters.h"
#include "base/fdio.h"
#include "base/lock.h"
#include "base/log_peer.h"
#include "base/logind.h"
#include "base/notify.h"
#include "base/program.h"
#include "server/names.h"
#include "server/pointer.h"
#include "ipc/rundir.h"
#include "base/sig.h"
#include "daemon/daemon.h"
#include "daemon/members_file.h"
#include "daemon/daemon_options.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	struct daemon d;
	struct daemon_options o;
	char run[PATH_MAX], spool[PATH_MAX];
	int signals;
	int64_t next_tick;
	struct pollfd *polls;
	uint32_t *slots;                      /* of polls: which slot; waiting: index */
	size_t polls_room;
} supervisor;

static int
is_spool(const char *path)
{
	char name[PATH_MAX + 16];
	snprintf(name, sizeof name, "%s/identity", path);
	return faccessat(AT_FDCWD, name, F_OK, 0) == 0;
}

/* A user's spool used to be in the run folder: one that is there still holds what was acknowledged. */
static void
default_spool(void)
{
	char old[PATH_MAX + 8];
	int none = rundir_spool(supervisor.spool, sizeof supervisor.spool);
	snprintf(old, sizeof old, "%s/spool", supervisor.run);
	if (geteuid() != 0 && (none || !is_spool(supervisor.spool)) && is_spool(old) &&
	    strlen(old) < sizeof supervisor.spool) {
		if (none)
			log_warn("the spool is in %s, which may be cleaned: set HOME or XDG_STATE_HOME, or name "
			    "another with --spool", old);
		else
			log_warn("the spool is still in %s, which may be cleaned: stop this daemon, mkdir -pm 700 "
			    "'%s', mv '%s'/* '%s', start it again", old, supervisor.spool, old, supervisor.spool);
		strcpy(supervisor.spool, old);
	} else if (none)
		log_fatal(EXIT_SYSTEM, "there is no folder for the spool: neither XDG_STATE_HOME nor HOME is an "
		    "absolute path: set one of them, or name a folder with --spool");
}

/* For a user whose home cannot be written to the run folder of a login session has to do: nobody cleans it while that
 * lasts. One below /tmp does not. */
static int
spool_in_session(const char *why)
{
	char path[PATH_MAX + 8];
	snprintf(path, sizeof path, "%s/spool", supervisor.run);
	if (geteuid() == 0 || strncmp(supervisor.run, "/run/user/", 10) != 0 || strlen(path) >= sizeof supervisor.spool)
		return 0;
	log_warn("spool folder %s: %s: it is in %s instead, and gone after the log-out: name one that stays with "
	    "--spool, or set XDG_STATE_HOME", supervisor.spool, why, path);
	strcpy(supervisor.spool, path);
	return 1;
}

static void
leave_run_folder(struct daemon *d)
{
	pointer_clear(d->run_dir);
	about_remove(d->run_dir);
	config_leave_no_more(d->run_dir);
	unlinkat(d->run_dir, "trouble", 0);
	unlinkat(d->run_dir, "lock", 0);
}

/* A fatal end removes what was made; but what clients use, or what holds requests of the dead, stays for a successor,
 * as after a kill. */
static void
give_up(void)
{
	struct daemon *d = &supervisor.d;
	log_peers_end();
	http_child_stop(&d->http);
	resolver_end(d);
	child_end(d->requester);
	child_end(d->responser);
	child_end(d->forwarder);
	if (d->door >= 0)
		door_close(d);
	if (d->spool_lock > 0)
		fdio_sweep(d->spool_dir, "spare-");
	if (d->registry.fd > 0)
		registry_leave(&d->registry, members_use, d);
	if (d->run_lock > 0)
		leave_run_folder(d);
}

static void
open_folders(void)
{
	const char *why;
	struct daemon *d = &supervisor.d;
	pid_t holder = 0;
	char who[LOCK_HOLDER];
	if (supervisor.o.run)
		snprintf(supervisor.run, sizeof supervisor.run, "%s", supervisor.o.run);
	else
		rundir_default(supervisor.run, sizeof supervisor.run);
	if (supervisor.o.spool)
		snprintf(supervisor.spool, sizeof supervisor.spool, "%s", supervisor.o.spool);
	else
		default_spool();
	d->run = supervisor.run;
	d->spool = supervisor.spool;
	if ((d->run_dir = rundir_open(supervisor.run, &why)) < 0)
		log_fatal(EXIT_SYSTEM, "run folder %s: %s; or name another with --run", supervisor.run, why);
	d->run_lock = lock_take(d->run_dir, "lock", &holder, STOP_MS);
	if (d->run_lock == -2)
		log_fatal(EXIT_SYSTEM,
		    "run folder %s: in use by %s: stop that first, or name another folder with --run",
		    supervisor.run, lock_holder_text(holder, who));
	if (d->run_lock < 0)
		log_fatal(EXIT_SYSTEM, "run folder %s: its lock: %s: %s, or name another folder with --run",
		    supervisor.run,
		    strerror(errno), fdio_hint(errno));
	unlinkat(d->run_dir, "trouble", 0);                 /* of a predecessor that was killed */
	d->spool_dir = supervisor.o.spool ? rundir_open_given(supervisor.spool, &why)
	    : rundir_open(supervisor.spool, &why);
	if (d->spool_dir < 0 && supervisor.o.spool == NULL && spool_in_session(why))
		d->spool_dir = rundir_open(supervisor.spool, &why);
	if (d->spool_dir < 0)
		log_fatal(EXIT_SYSTEM, "spool folder %s: %s: name another with --spool, or set XDG_STATE_HOME",
		    supervisor.spool,
		    why);
	d->spool_lock = lock_take(d->spool_dir, "lock", &holder, STOP_MS);
	if (d->spool_lock == -2 && holder == getpid())
		log_fatal(EXIT_USAGE, "spool folder %s: it is the run folder, too: name two folders, with --run and "
		    "--spool", supervisor.spool);
	if (d->spool_lock == -2)
		log_fatal(EXIT_SYSTEM,
		    "spool folder %s: in use by %s: stop that first, or name another folder with --spool",
		    supervisor.spool, lock_holder_text(holder, who));
	if (d->spool_lock < 0)
		log_fatal(EXIT_SYSTEM, "spool folder %s: its lock: %s: %s, or name another folder with --spool",
		    supervisor.spool, strerror(errno), fdio_hint(errno));
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
	struct daemon *d = &supervisor.d;
	struct shminfo info;
	uint32_t capacity = shmctl(0, IPC_INFO, (struct shmid_ds *)&info) >= 0 && info.shmmni < SLOTS_MAX
	    ? (uint32_t)info.shmmni : SLOTS_MAX;
	size_t bytes = sizeof *d->table + capacity * (sizeof(struct slot_word) + sizeof(struct slot_topics));
	struct machine_table measure = { .capacity = capacity };
	d->members = calloc(capacity, sizeof *d->members);
	/* the list's slots are checked against it; the real one comes after the reaping */
	d->table = &measure;
	if (d->members == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for %u clients: see `free`", capacity);
	members_read(d);
	if (registry_open(&d->registry, d->run_dir, members_keep, d) < 0)
		log_fatal(EXIT_SYSTEM, "%s/registry: %s: %s", supervisor.run, strerror(errno), fdio_hint(errno));
	d->table_id = registry_make(&d->registry, REGISTRY_SHM, bytes, geteuid(), 0, "machine-table");
	d->table = d->table_id < 0 ? NULL : ipcq_attach(d->table_id, 0);
	if (d->table == NULL)
		log_fatal(EXIT_SYSTEM, "shmget(%zu bytes): %s: %s", bytes, strerror(errno),
		    registry_hint(&d->registry));
	d->table->capacity = capacity;
	atomic_store(&d->table->has_topics, 1);
	atomic_store(&d->table->log, (uint32_t)d->verbose);
	atomic_store(&d->table->request_queue, -1);
	atomic_store(&d->table->deliver_queue, -1);
	atomic_store(&d->table->backlog_max, supervisor.o.backlog_max);
	log_peers_share(&d->table->limits);
	make_counters(d);
	atomic_store(&d->table->message_max, d->message_max);
	atomic_store(&d->table->serial, d->serial);
	atomic_store(&d->table->shards, d->shards);
	atomic_store(&d->table->epoch, 1);
	d->table->magic = MAGIC_MACHINE;
	starts_load(d);
	forgotten_load(d);
	members_load(d);
}

static void
say_ready(void)
{
	char line[PATH_MAX + 16];
	int n = snprintf(line, sizeof line, "ready %s\n", supervisor.run);
	if (names_about(&supervisor.d) < 0)
		log_warn("%s/about: %s: the tools do not find this daemon until there is room for it", supervisor.run,
		    strerror(errno));
	if (config_leave(&supervisor.o.config, supervisor.d.run_dir) < 0)
		log_warn("%s/settings: %s: mom config does not show what holds", supervisor.run, strerror(errno));
	if (fdio_write_full(STDOUT_FILENO, line, (size_t)n) < 0)
		log_debug("stdout is closed");
	if (program_ready_say(supervisor.o.ready_fd) < 0)
		log_warn("--ready-fd %d: %s: give it an open descriptor", supervisor.o.ready_fd, strerror(errno));
	notify_ready();
	log_info("serves run folder %s, spool %s, broker %s port %s", supervisor.run, supervisor.spool,
	    supervisor.d.host, supervisor.d.port);
}

static void
reap(void)
{
	int status;
	sig_got_child = 0;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
		if (!http_child_reaped(&supervisor.d.http, pid, status, clock_ms()) &&
		    !resolver_reaped(&supervisor.d, pid))
			unit_reaped(&supervisor.d, pid, status, clock_ms());
}

/* for `systemctl status` */
static void
tell_status(void)
{
	uint32_t clients = 0;
	for (uint32_t i = 0; i < supervisor.d.used; i++)
		clients += supervisor.d.members[i].state == SLOT_LIVE;
	const char *how = supervisor.d.spool_state != SPOOL_GOOD ? "its spool is gone: without" :
	    supervisor.d.link == LINK_UP ? "connected to" : "waits for";
	notify_status("%s broker %s port %s, %u program%s", how, supervisor.d.host, supervisor.d.port, clients,
	    clients == 1 ? "" : "s");
}

/* A user's own daemon on a desktop: its queues and semaphores would vanish at log-out. They are made anew within a
 * second or two; what waits in segments stays as long as somebody has them attached. */
static void
warn_of_logout(void)
{
	if (logind_removes_ipc("", geteuid()))
		log_warn("when user %u logs out, systemd removes that user's System V objects: this daemon makes them "
		    "anew, but all stands still for a moment; set RemoveIPC=no in /etc/systemd/logind.conf, or "
		    "`loginctl enable-linger`, or run it as a system user (mom-daemon.service)", (unsigned)geteuid());
}

static void
tick(int64_t now)
{
	notify_tick(now);
	if (now < supervisor.next_tick)
		return;
	supervisor.next_tick = now + TICK_MS;
	atomic_fetch_add(&supervisor.d.table->ticks, 1);
	log_peers_tell(now);
	unit_bells(&supervisor.d);
	members_check(&supervisor.d);
	names_look(&supervisor.d);
	link_proven(&supervisor.d);
	names_tell(supervisor.run, "settings", config_leave(&supervisor.o.config, supervisor.d.run_dir));
	if (supervisor.d.spool_state == SPOOL_GOOD) {
		identity_proven(&supervisor.d);
		starts_save(&supervisor.d);
	}
	tell_status();
}

/* ---- polling ---- */

enum { POLL_SIGNALS, POLL_NOTIFY, POLL_DOOR, POLL_LINK, POLL_FIXED };

static void
polls_grow(size_t n)
{
	if (n <= supervisor.polls_room)
		return;
	supervisor.polls_room = n * 2;
	supervisor.polls = realloc(supervisor.polls, supervisor.polls_room * sizeof *supervisor.polls);
	supervisor.slots = realloc(supervisor.slots, supervisor.polls_room * sizeof *supervisor.slots);
	if (supervisor.polls == NULL || supervisor.slots == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for %zu descriptors: see `free`", n);
}

static size_t
polls_fill(size_t *first_member)
{
	struct daemon *d = &supervisor.d;
	size_t n = POLL_FIXED;
	polls_grow(POLL_FIXED + d->waiting_count + 2 * (size_t)d->used);
	supervisor.polls[POLL_SIGNALS] = (struct pollfd){ supervisor.signals, POLLIN, 0 };
	supervisor.polls[POLL_NOTIFY] = (struct pollfd){ d->notify, POLLIN, 0 };
	int closed = !spare_is_ready(&d->spare, clock_ms()) || turnstile_rests(&d->turnstile, clock_us());
	supervisor.polls[POLL_DOOR] = (struct pollfd){ closed ? -1 : d->door, POLLIN, 0 };
	supervisor.polls[POLL_LINK] = (struct pollfd){ d->link == LINK_IDLE || d->link == LINK_UP ? -1
	    : d->socket,
		d->link == LINK_CONNECTING ? POLLOUT : POLLIN, 0 };
	for (size_t i = 0; i < d->waiting_count; i++)
		supervisor.polls[n++] = (struct pollfd){ d->waiting[i].fd, d->waiting[i].asked ? 0 : POLLIN, 0 };
	*first_member = n;
	for (uint32_t i = 0; i < d->used; i++) {
		if (d->members[i].state != SLOT_LIVE)
			continue;
		supervisor.slots[n] = i;
		supervisor.polls[n++] = (struct pollfd){ d->members[i].socket, 0, 0 };
		supervisor.slots[n] = i;
		supervisor.polls[n++] = (struct pollfd){ d->members[i].pidfd, POLLIN, 0 };
	}
	return n;
}

/* A hang-up alone is no death (a program may close all its descriptors); a pidfd is. */
static void
member_event(uint32_t i, const struct pollfd *p)
{
	struct member *v = &supervisor.d.members[i];
	if (v->state != SLOT_LIVE)
		return;
	if (p->fd == v->socket && (p->revents & (POLLHUP | POLLERR)))
		fdio_close(&v->socket);
	else if (p->fd != v->pidfd || !(p->revents & POLLIN))
		return;
	const char *why;
	if (life_now(&supervisor.d, i, &why) == LIFE_OVER)
		member_died(&supervisor.d, i, why);
}

static void
waiting_events(size_t count)
{
	struct daemon *d = &supervisor.d;
	/* from the end, since those that are served leave the list */
	for (size_t i = count; i-- > 0;) {
		struct pollfd *p = &supervisor.polls[POLL_FIXED + i];
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
	struct daemon *d = &supervisor.d;
	size_t first_member, n = polls_fill(&first_member), waiting = d->waiting_count;
	int64_t now = clock_ms(), rest = (d->turnstile.rest_until_us - clock_us() + 999) / 1000;
	uint64_t count;
	if (rest > 0 && now + rest < until)
		until = now + rest;
	if (poll(supervisor.polls, n, until > now ? (int)(until - now) : 0) < 0) {
		if (errno != EINTR)
			log_fatal(EXIT_SYSTEM, "poll: %s: %s", strerror(errno), child_hint(errno));
		return;
	}
	sig_drain();
	if (supervisor.polls[POLL_NOTIFY].revents && fdio_read(d->notify, &count, sizeof count) < 0)
		log_debug("notify: %s", strerror(errno));
	members_wake(d);
	for (size_t k = first_member; k < n; k++)
		if (supervisor.polls[k].revents)
			member_event(supervisor.slots[k], &supervisor.polls[k]);
	if (supervisor.polls[POLL_LINK].revents && supervisor.polls[POLL_LINK].fd == d->socket)
		link_event(d);
	members_finished(d);
	int64_t began = clock_us();
	waiting_events(waiting);
	if (supervisor.polls[POLL_DOOR].revents)
		door_accept(d);
	turnstile_spent(&d->turnstile, began, clock_us());
}

static void
stop(void)
{
	struct daemon *d = &supervisor.d;
	notify_stopping();
	atomic_store(&d->table->stopping, 1);
	http_child_stop(&d->http);
	resolver_end(d);
	door_close(d);
	unit_end(d);
	while (!unit_is_gone(d)) {
		struct pollfd p = { supervisor.signals, POLLIN, 0 };
		if (poll(&p, 1, 50) > 0)
			sig_drain();
		reap();
	}
	fdio_sweep(d->spool_dir, "spare-");            /* the forwarder's: it has no stop of its own */
	members_stop(d);
	starts_save(d);
	if (d->unit)
		ipcq_detach(d->unit);
	log_peers_end();
	ipcq_detach(d->table);
	registry_close(&d->registry, 1);
	leave_run_folder(d);
	log_info("stopped");
}

int
main(int argc, char **argv)
{
	struct daemon *d = &supervisor.d;
	program_begin(argc, argv, "mom_daemon");
	log_init("mom_daemon", 0);
	options_read(&supervisor.o, d, argc, argv);
	notify_init();
	warn_of_logout();
	supervisor.signals = sig_init();
	d->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (supervisor.signals < 0 || d->notify < 0)
		log_fatal(EXIT_SYSTEM, "eventfd: %s: %s", strerror(errno), child_hint(errno));
	program_ready_begin(supervisor.o.ready_fd);
	d->unit_id = d->socket = d->door = -1;
	log_at_fatal(give_up);
	open_folders();
	fdio_sweep(d->spool_dir, "");
	identity_load(d);
	options_take_spool(&supervisor.o, d->message_max);
	if (http_child_open(&d->http, d->run_dir) < 0)         /* what may be wrong comes before objects are made */
		log_fatal(EXIT_SYSTEM, "listen on %s: %s: take another address with --http (PORT 0: any free one)",
		    d->http.address, strerror(errno));
	if (door_open(d) < 0)
		log_fatal(EXIT_SYSTEM, "%s/socket: %s: %s", supervisor.run, strerror(errno), fdio_hint(errno));
	config_find_log(&supervisor.o.config);
	make_table();
	spare_open(&d->spare);
	config_open_log();
	options_say(&supervisor.o, supervisor.spool);
	say_ready();
	supervisor.next_tick = clock_ms();
	while (!sig_got_stop) {
		int64_t now = clock_ms(), until;
		if (sig_got_child)
			reap();
		options_signals(&supervisor.o, d);
		if (!supervisor.o.config.is_left)
			config_leave(&supervisor.o.config, d->run_dir);
		unit_step(d, now);
		http_child_step(&d->http, d->verbose, now);
		tick(now);
		until = link_step(d, now);
		if (until < 0 || until > supervisor.next_tick)
			until = supervisor.next_tick;
		until = http_child_due(&supervisor.d.http, until);
		if (unit_is_gone(d) && d->unit_due < until)
			until = d->unit_due;
		if (!spare_is_ready(&d->spare, now) && d->spare.until_ms < until)
			until = d->spare.until_ms;
		if (notify_due() >= 0 && notify_due() < until)
			until = notify_due();
		poll_once(until);
	}
	stop();
	return 0;
}
