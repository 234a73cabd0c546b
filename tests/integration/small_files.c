/* small_files - each small file of a store and of a spool carries a CRC, and whoever reads one that is damaged says
 * so */
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include "base/sealed.h"
#include "look/small_file.h"
#include "log/store_file.h"
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server broker, one;

static const char *const of_store[] = { "store", "machines", "registry", "about", "shard-0/views", NULL };
/* words and ring: the slot is found */
static const char *of_spool[] = { "identity", "clients", "starts", "forgotten", "words", "ring", NULL };

static atomic_int *step;

/* its broker goes before it speaks: what it says is not sent */
static void
say_and_die(void *nothing)
{
	(void)nothing;
	int id = talk_create();
	*step = 1;
	WAIT_FOR(*step == 2, "the broker's end");
	REQUIRE(mom_publish(id, "ring", "abc", 3, MOM_ASYNC) == 0 && mom_publish(id, "ring", "defghijklmn", 11,
	    MOM_ASYNC) == 0, "%s", mom_error_text(id));
	_exit(0);
}

static char *
bytes_of(const char *path, size_t *n)
{
	struct stat st;
	FILE *f = fopen(path, "r");
	REQUIRE(f && fstat(fileno(f), &st) == 0, "%s", path);
	char *bytes = malloc((size_t)st.st_size + 1);
	*n = fread(bytes, 1, (size_t)st.st_size, f);
	bytes[*n] = '\0';
	fclose(f);
	return bytes;
}

static void
put(const char *path, const char *bytes, size_t n)
{
	FILE *f = fopen(path, "w");
	REQUIRE(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0, "%s", path);
}

static void
sh(const char *command)
{
	struct ran r = run_command("%s", command);
	REQUIRE(r.status == 0, "%s: %s%s", command, r.out, r.err);
}

/* All of them are there: a durable client that was forgotten, one that is away, and one that died with requests on
 * their way. */
static void
all_there(void)
{
	broker_start(&broker, "broker", 0, "--machine-expiry 1s");
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int id = talk_open("forgotten");
	REQUIRE(mom_close(id) == 0, "%s", mom_error_text(-1));
	WAIT_FOR(access(t_text("%s/forgotten", one.store), F_OK) == 0, "nobody is forgotten");
	server_stop(&broker);
	broker.extra[0] = NULL;
	server_start(&broker);
	id = talk_open("reader");
	talk_subscribe(id, "ring");
	say(id, "ring", "x");
	hear(id, "ring", "x");
	WAIT_FOR(access(t_text("%s/starts", one.store), F_OK) == 0, "no starts");
	WAIT_FOR(strstr(t_read_file(t_text("%s/machines", broker.store)), " crc "), "nothing is appended");
	step = t_shared_memory(sizeof *step);
	pid_t client = t_spawn(say_and_die, NULL);
	WAIT_FOR(*step == 1, "the client");
	server_kill_all(&broker);
	*step = 2;
	REQUIRE(t_join(client) == 0, "it failed");
	REQUIRE(mom_close(id) == 0, "%s", mom_error_text(-1));
	server_stop(&one);
	for (int i = 4; i < 6; i++) {
		glob_t g;
		REQUIRE(glob(t_text("%s/%s-*", one.store, of_spool[i]), 0, NULL, &g) == 0 && g.gl_pathc == 1, "no %s",
		    of_spool[i]);
		of_spool[i] = strdup(strrchr(g.gl_pathv[0], '/') + 1);
		globfree(&g);
	}
}

static void
every_bit(const char *path)
{
	size_t n;
	const char *name = strrchr(path, '/') + 1;
	char *bytes = bytes_of(path, &n);
	REQUIRE(small_file_is(name) && small_file_fault(name, bytes, n) == NULL, "%s: %s", path, small_file_fault(name,
	    bytes, n));
	/* without its last newline it is a line that a kill cut off */
	size_t bits = 8 * (n - (strcmp(name, "registry") == 0 || strcmp(name, "machines") == 0));
	for (size_t bit = 0; bit < bits; bit++) {
		bytes[bit / 8] ^= (char)(1 << bit % 8);
		REQUIRE(small_file_fault(name, bytes, n),
		    "%s: bit %zu of byte %zu of %zu is changed, and it is said to be sound", path, bit % 8, bit / 8, n);
		bytes[bit / 8] ^= (char)(1 << bit % 8);
	}
	free(bytes);
}

/* At any length; but store and about without their last line are old ones, and a kill may cut off a registry, and what
 * was appended to machines. */
static void
every_end(const char *path)
{
	size_t n;
	const char *name = strrchr(path, '/') + 1;
	char *bytes = bytes_of(path, &n);
	int may_be_old = strcmp(name, "store") == 0 || strcmp(name, "about") == 0;
	const char *seal = strcmp(name, "machines") == 0 ? strstr(bytes, "\ncrc ") : NULL;
	size_t most = seal ? (size_t)(seal - bytes) + 1 + SEAL_BYTES : n;
	for (size_t len = 0; len < most && strcmp(name, "registry") != 0; len++) {
		char *part = calloc(1, len + 1);
		memcpy(part, bytes, len);
		REQUIRE(small_file_fault(name, part, len) || (may_be_old && len == n - SEAL_BYTES),
		    "%s: %zu of its %zu bytes are said to be sound",
		    path, len, n);
		free(part);
	}
	free(bytes);
}

static void
tools_say(const char *folder, const char *file)
{
	size_t n;
	char *path = t_text("%s/%s", folder, file), *bytes = bytes_of(path, &n);
	bytes[n / 2] ^= 4;
	put(path, bytes, n);
	struct ran r = run_command("'%s' check '%s'", t_bin("mom"), folder);
	REQUIRE(r.status == 1 && (strstr(r.out, strrchr(path, '/') + 1) || strstr(r.err, strrchr(path, '/') + 1)),
	    "mom check: %d: %s%s", r.status, r.out, r.err);
	if (strncmp(file, "shard-", 6) != 0 || strcmp(strrchr(path, '/'), "/views") == 0) {
		r = run_command("'%s' '%s'", t_bin("db_dump"), folder);
		REQUIRE(r.status == 1, "db_dump: %s: %d: %s%s", file, r.status, r.out, r.err);
	}
	bytes[n / 2] ^= 4;
	put(path, bytes, n);
	r = run_command("'%s' check '%s'", t_bin("mom"), folder);
	REQUIRE(r.status == 0, "mom check of what is sound: %d: %s%s", r.status, r.out, r.err);
}

TEST(damage, "any bit that changes in any small file, and an end that is missing, is found; mom check and db_dump "
    "say which file it is")
{
	all_there();
	for (int i = 0; of_store[i]; i++) {
		every_bit(t_text("%s/%s", broker.store, of_store[i]));
		every_end(t_text("%s/%s", broker.store, of_store[i]));
		tools_say(broker.store, of_store[i]);
	}
	for (int i = 0; of_spool[i]; i++) {
		every_bit(t_text("%s/%s", one.store, of_spool[i]));
		every_end(t_text("%s/%s", one.store, of_spool[i]));
		tools_say(one.store, of_spool[i]);
	}
	tools_say(broker.store, "shard-0/checkpoint");
	server_start(&broker);                         /* removes what its death left behind */
}

static void
change(const char *folder, const char *file)
{
	size_t n;
	char *path = t_text("%s/%s", folder, file), *bytes = bytes_of(path, &n);
	bytes[n / 2] ^= 1;
	put(path, bytes, n);
	free(bytes);
}

TEST(daemon_tells, "a daemon tells of damage in starts, forgotten, words and rings, and goes on; with damage in its "
    "identity or list it does not start")
{
	all_there();
	for (int i = 2; of_spool[i]; i++)
		change(one.store, of_spool[i]);
	server_start(&broker);
	server_start(&one);
	for (int i = 2; of_spool[i]; i++)
		REQUIRE(server_log_has(&one, t_text("spool/%s", of_spool[i])), "nothing tells of %s: %s", of_spool[i],
		    t_read_file(one.log));
	int id = talk_create();
	talk_subscribe(id, "works");
	say(id, "works", "yes");
	hear(id, "works", "yes");
	bye(id);
	server_stop(&one);
	for (int i = 0; i < 2; i++) {
		change(one.store, of_spool[i]);
		REQUIRE(server_run_to_end(&one) == 111 && server_log_has(&one, t_text("spool/%s", of_spool[i])), "%s",
		    t_read_file(one.log));
		change(one.store, of_spool[i]);
	}
}

TEST(broker_tells, "a broker does not start with damage in store or machines, and says so; it tells of a line of its "
    "registry")
{
	all_there();
	for (int i = 0; i < 2; i++) {
		change(broker.store, of_store[i]);
		REQUIRE(server_run_to_end(&broker) == 111 && server_log_has(&broker, t_text("/%s", of_store[i])) &&
		    server_log_has(&broker, "damaged"), "%s",
		    t_read_file(broker.log));
		change(broker.store, of_store[i]);
	}
	change(broker.store, "registry");              /* two lines tell of each object: none is left for it */
	server_start(&broker);
	REQUIRE(server_log_has(&broker, "registry: line"), "%s", t_read_file(broker.log));
}

/* Each machine's last line, without a head and a CRC */
static void
machines_as_of_old(void)
{
	struct machines_file f;
	int dir = open(broker.store, O_RDONLY | O_DIRECTORY);
	REQUIRE(machines_file_read(&f, dir) == 0 && f.count == 1, "%s/machines", broker.store);
	char line[MACHINE_LINE + 1];
	f.list->host[0] = '\0';
	machines_file_line(line, f.list);
	strcpy(strstr(line, " - crc "), "\n");
	put(t_text("%s/machines", broker.store), line, strlen(line));
	free(f.list);
	close(dir);
}

TEST(old_files, "files from before there was a CRC are read; the next write gives them one, and what a ring holds is "
    "sent")
{
	all_there();
	sh(t_text("cd '%s' && sed -i '$d' store about && sed -i 's/ crc [0-9a-f]*$//' registry", broker.store));
	machines_as_of_old();
	sh(t_text("rm '%s/shard-0/views'", broker.store));
	sh(t_text("cd '%s' && tail -c +65 %s >ring && mv ring %s", one.store, of_spool[5], of_spool[5]));
	sh(t_text("grep -q '^1 ' '%s/machines' && ! grep -q crc '%s/store' '%s/machines' '%s/registry'", broker.store,
	    broker.store, broker.store, broker.store));
	sh(t_text("'%s' check '%s' && '%s' check '%s'", t_bin("mom"), broker.store, t_bin("mom"), one.store));
	sh(t_text("'%s' '%s' && '%s' '%s'", t_bin("db_dump"), broker.store, t_bin("db_dump"),
	    one.store));
	server_start(&broker);
	server_start(&one);
	use_daemon(&one);
	int id = talk_open("reader");
	for (int i = 0; i < 2;) {
		struct mom_message m;
		REQUIRE(mom_receive(id, &m, 20000) == 0, "%d: %s", i, mom_error_text(id));
		/* the one before may come again */
		i += m.len == (i ? 11 : 3) && memcmp(m.data, i ? "defghijklmn" : "abc", m.len) == 0;
	}
	sh(t_text("grep -q 'mom machines 4' '%s/machines' && grep -q crc '%s/registry'", broker.store, broker.store));
	bye(id);
	REQUIRE(!server_log_has(&broker, "damaged") && !server_log_has(&one, "damaged"), "%s%s",
	    t_read_file(broker.log), t_read_file(one.log));
}
