/* mom limits - every limit that a user can meet: its value, how much of it is in use, how far it goes, what changes it
 * READS    the tables of running servers, /proc/sys, the kernel's count of System V objects */
#include "tools/mom/cmd_json.h"
#include "tools/mom/cmd_look.h"
#include "base/etc.h"
#include "base/fdio.h"
#include "ipc/registry.h"
#include "log/seglog.h"
#include "look/kernel_limits.h"
#include "log/store_file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "usage: mom limits [--json] [FOLDER ...]\n"
    "  One limit a line: name, value, in use by our servers, in use by all, how far it can be raised, and what changes "
    "it (- unknown or not counted).\n"
    "  First those of the kernel that we depend on, then those of each server that runs, then those that are the same "
    "everywhere.\n"
    "  FOLDER   a run folder or store; without any, the servers in the usual places, MOM_RUN first\n"
    "  --json   an array of objects: limit, value, ours, all, cap, change, server (null: the machine's, or "
    "everywhere)\n"
    "Exit status: 0   1 a server cannot be looked into   2 wrong use\n"
    "Example: mom limits\n";

#define NONE UINT64_MAX                    /* unknown, not counted, any */
struct limit { const char *name; uint64_t value, ours, all, cap; const char *change; };

static int json;
static const struct look_server *server;   /* whose limits these are, or NULL */

static void
number_column(uint64_t v, int width)
{
	if (v == NONE)
		printf(" %*s", width, "-");
	else
		printf(" %*llu", width, (unsigned long long)v);
}

static void
number_key(const char *key, uint64_t v)
{
	if (v == NONE)
		json_null(key);
	else
		json_number(key, v);
}

static void
show(const struct limit *l)
{
	if (json) {
		json_open(NULL, '{');
		json_text("limit", l->name);
		number_key("value", l->value);
		number_key("ours", l->ours);
		number_key("all", l->all);
		number_key("cap", l->cap);
		json_text("change", l->change);
		json_text("server", server ? server->run : NULL);
		json_close('}');
		return;
	}
	text_column(l->name, 22);
	number_column(l->value, 20);
	number_column(l->ours, 12);
	number_column(l->all, 12);
	number_column(l->cap, 20);
	printf("  %s\n", l->change);
}

/* ---- the kernel's ---- */

/* the first number of a file */
static uint64_t
sysctl_number(const char *path)
{
	char *text = etc_load("", path);
	unsigned long long v;
	int known = text && sscanf(text, "%llu", &v) == 1;
	free(text);
	return known ? v : NONE;
}

static void
show_kernel(const struct servers *s)
{
	struct ipc_tally t = { .bytes = 0 };
	struct kernel_limit k[KERNEL_LIMITS];
	char change[160];
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	int known = kernel_limits(k);
	for (size_t i = 0; i < s->count; i++)
		ipc_tally(server_registry_folder(&s->server[i]), &t);
	uint64_t ours[KERNEL_LIMITS] = {
		[KERNEL_MSGMNI] = t.objects[REGISTRY_MSG], [KERNEL_SHMMNI] = t.objects[REGISTRY_SHM],
		[KERNEL_SHMALL] = (t.bytes + page - 1) / page, [KERNEL_SHMMAX] = NONE,
		[KERNEL_SEMMNI] = t.objects[REGISTRY_SEM], [KERNEL_SEMMNS] = t.objects[REGISTRY_SEM],
	};
	for (int i = 0; i < KERNEL_LIMITS; i++) {
		snprintf(change, sizeof change, "%s: %s", k[i].raise, k[i].need);
		show(&(struct limit){ k[i].name, known < 0 ? NONE : k[i].most, ours[i], known < 0 ? NONE : k[i].used,
		    k[i].cap, change });
	}
	show(&(struct limit){ "fs.file-max", sysctl_number("/proc/sys/fs/file-max"), NONE,
	    sysctl_number("/proc/sys/fs/file-nr"), NONE, "sysctl fs.file-max=N: open files of all programs" });
}

/* ---- a server's ---- */

static void
show_descriptors(void)
{
	uint64_t in_use, soft, hard;
	if (server->pid == 0 || process_descriptors(server->pid, &in_use, &soft, &hard) < 0)
		return;
	show(&(struct limit){ "ulimit -n", soft, in_use, NONE, hard,
	    server->is_broker ? "ulimit -n N, or LimitNOFILE of its service: two a machine" :
	    "ulimit -n N, or LimitNOFILE of its service: two a client" });
}

static uint64_t
log_bytes(uint32_t shards)
{
	char path[PATH_MAX];
	struct stat st;
	uint64_t sum = 0;
	for (uint32_t k = 0; k < shards; k++) {
		if (snprintf(path, sizeof path, "%s/shard-%u", server->files, k) >= (int)sizeof path)
			return NONE;
		DIR *d = opendir(path);
		if (d == NULL)
			return NONE;
		for (struct dirent *e; (e = readdir(d)) != NULL;)
			if (strncmp(e->d_name, "log-", 4) == 0 &&
			    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
				sum += (uint64_t)st.st_blocks * 512;
		closedir(d);
	}
	return sum;
}

static uint64_t
machines_known(void)
{
	struct machines_file f;
	int dir = open(server->files, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = dir < 0 ? -1 : machines_file_read(&f, dir), error = errno;
	fdio_close(&dir);
	if (r < 0)
		return error == ENOENT ? 0 : NONE;
	free(f.list);
	return f.count;
}

static void
show_broker(void)
{
	const struct broker_table *t = server->broker;
	uint64_t connected = 0;
	for (uint32_t i = 0; i < atomic_load(&t->conns) && i < t->capacity; i++)
		connected += atomic_load(&t->conn[i].state) != CONN_FREE;
	const struct limit limits[] = {
		{ "machines", t->capacity, connected, NONE, SLOTS_MAX,
		    "kernel.shmmni and kernel.msgmni, then start the broker again" },
		{ "workers", t->shards, t->shards, NONE, SHARDS_MAX, "--workers of a new store" },
		{ "payload bytes", t->message_max, NONE, NONE, MESSAGE_LIMIT, "--max-message of broker and daemons" },
		{ "store bytes", t->store_max ? t->store_max : NONE, log_bytes(t->shards), NONE, NONE,
		    "--store-max: - any; above it publishes are refused" },
		{ "topic bytes", t->topic_max ? t->topic_max : NONE, NONE, NONE, NONE,
		    "--topic-max: - any; what waits of one topic" },
		{ "segment bytes", t->segment_bytes, NONE, NONE, NONE, "follows from --store-max and --max-message" },
		{ "machine expiry s", t->expiry ? t->expiry : NONE, NONE, NONE, NONE,
		    "--machine-expiry: who is away for longer is forgotten; - never" },
		{ "will bytes a shard", WILLS_BYTES, NONE, NONE, WILLS_BYTES,
		    "fixed: above it wills are refused (MOM_EFULL)" },
		{ "will bytes a machine", WILLS_MACHINE_BYTES, NONE, NONE, WILLS_MACHINE_BYTES,
		    "fixed: in a shard, of its clients, one each; above it MOM_ELIMIT" },
		{ "machines known", MACHINES_MOST, machines_known(), NONE, MACHINES_MOST,
		    "fixed: machines that ever had a client; a new store begins anew" },
		{ "places in handshake", STRANGERS_MAX, NONE, NONE, STRANGERS_MAX,
		    "fixed: shared by address; known machines come first" },
		{ "connections waiting", LOBBY_MAX, NONE, NONE, LOBBY_MAX,
		    "fixed: connections that have not said who they are" },
	};
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		show(&limits[i]);
}

static void
show_daemon(void)
{
	const struct machine_table *t = server->machine;
	uint64_t clients = 0;
	uint32_t message = atomic_load(&t->message_max);
	for (uint32_t i = 0; i < atomic_load(&t->slots) && i < t->capacity; i++)
		clients += atomic_load(&t->slot[i].state) != SLOT_FREE;
	message = message && message <= MESSAGE_LIMIT ? message : MOM_MESSAGE_MAX;
	const struct limit limits[] = {
		{ "clients", t->capacity, clients, NONE, SLOTS_MAX, "kernel.shmmni, then start the daemon again" },
		{ "payload bytes", message, NONE, NONE, MESSAGE_LIMIT, "--max-message of broker and daemons" },
		{ "client window bytes", WINDOW_OF(message), NONE, NONE, WINDOW_OF(MESSAGE_LIMIT),
		    "follows from --max-message; MOM_OPT_WINDOW: less" },
		{ "names expired", EXPIRED_NAMES, NONE, NONE, EXPIRED_NAMES,
		    "fixed: of durable clients of one user; the first ones begin anew untold" },
		{ "client backlog bytes", t->backlog_max ? t->backlog_max : NONE, NONE, NONE, NONE,
		    "--client-backlog-max: - any; above it a client is cut" },
	};
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		show(&limits[i]);
}

static void
show_server(const struct look_server *s)
{
	server = s;
	if (!json) {
		printf("%s ", s->is_broker ? "broker" : "daemon");
		text_put(s->run, strlen(s->run), 0);
		putchar('\n');
	}
	if (s->broker)
		show_broker();
	else if (s->machine)
		show_daemon();
	show_descriptors();
	server = NULL;
}

static void
show_fixed(void)
{
	static const struct limit limits[] = {
		{ "topic name bytes", MOM_TOPIC_MAX, NONE, NONE, MOM_TOPIC_MAX, "fixed" },
		{ "client name bytes", MOM_NAME_MAX, NONE, NONE, MOM_NAME_MAX, "fixed" },
		{ "subscriptions", SUBSCRIPTIONS_CLIENT, NONE, NONE, SUBSCRIPTIONS_CLIENT,
		    "fixed: of one client in a shard; MOM_ELIMIT" },
		{ "... of a machine", SUBSCRIPTIONS_MACHINE, NONE, NONE, SUBSCRIPTIONS_MACHINE,
		    "fixed: of all its clients in a shard; MOM_ELIMIT" },
		{ "pattern levels", PATTERNS_CLIENT, NONE, NONE, PATTERNS_CLIENT,
		    "fixed: of all patterns of one client, in each shard; MOM_ELIMIT" },
		{ "... of a machine", PATTERNS_MACHINE, NONE, NONE, PATTERNS_MACHINE,
		    "fixed: of all its clients, in each shard; MOM_ELIMIT" },
		{ "topics unsubscribed", TOMBSTONES, NONE, NONE, TOMBSTONES,
		    "fixed: with mail on its way, of one client; unsubscribe waits for room" },
		{ "answer timeout ms", TIMEOUT_MS, NONE, NONE, INT_MAX, "MOM_OPT_TIMEOUT_MS of a handle" },
		{ "peer silent ms", PEER_DEAD_MS, NONE, NONE, PEER_DEAD_MS, "fixed: then a connection is given up" },
	};
	if (!json)
		puts("everywhere");
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		show(&limits[i]);
}

static int
run(int argc, char **argv)
{
	static const struct option longs[] = { { "json", 0, 0, 'j' }, { "help", 0, 0, 'h' }, { 0 } };
	struct servers s;
	for (int o; (o = cmd_option(&cmd_limits, argc, argv, "h", longs)) != -1;)
		json |= o == 'j';
	servers_look(&s, &cmd_limits, cmd_line.word, cmd_line.count, 0);
	if (json)
		json_open(NULL, '[');
	else {
		heading("LIMIT                                 VALUE         OURS          ALL                  CAP  "
		    "CHANGED BY");
		puts("kernel");
	}
	show_kernel(&s);
	for (size_t i = 0; i < s.count; i++)
		if (s.server[i].broker || s.server[i].machine)
			show_server(&s.server[i]);
	show_fixed();
	if (json)
		json_close(']');
	int bad = s.bad;
	servers_free(&s);
	return bad ? CMD_FAILED : CMD_OK;
}

const struct cmd cmd_limits = { "limits", "every limit: value, in use, how far it goes, what changes it", usage, run };
