/* machines - the file of a store's machines: appended, cut off anywhere, read in all its formats; tickets of those that
 * are not in it */
#include <lib/t.h>
#include "base/fdio.h"
#define fdio_datasync(fd) ((void)(fd), 0)     /* what a disk keeps fuzz/machines looks at: here it only takes time */
#include "broker/machines.c"
#include "base/crc32c.h"
#include "base/sealed.h"
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MACHINES = 5 };
static struct machines m;
static int dir;

static void
load(struct machines *into)
{
	dir = open(t_dir(), O_RDONLY | O_DIRECTORY);
	REQUIRE(machines_load(into, dir) == 0, "load: %s", strerror(errno));
}

static const uint8_t *
id_of(int i)
{
	static uint8_t id[WIRE_ID_BYTES];
	memset(id, i + 1, sizeof id);
	return id;
}

static struct known_machine
come(int i, uint64_t shown)
{
	struct known_machine k;
	REQUIRE(machines_admit(&m, id_of(i), shown, &k) == 0, "machine %d is refused: %s", i, strerror(errno));
	return k;
}

/* It comes for the first time, and has a client. */
static struct known_machine
settle(int i)
{
	struct known_machine k = come(i, 0);
	REQUIRE(machines_keep(&m, &k) == 0, "keep: %s", strerror(errno));
	return k;
}

static off_t
file_bytes(void)
{
	struct stat st;
	REQUIRE(fstatat(dir, "machines", &st, 0) == 0, "no file");
	return st.st_size;
}

static int
same(const struct machines *a, const struct machines *b)
{
	size_t at = 0;
	int good = a->reserved == b->reserved && a->by_serial.used == b->by_serial.used &&
	    memcmp(a->key, b->key, sizeof a->key) == 0;
	for (const struct known_machine *k, *other; good && (k = map_each(&a->by_serial, &at)) != NULL;)
		good = (other = map_get(&b->by_serial, &k->serial, sizeof k->serial)) != NULL &&
		    memcmp(k, other, sizeof *k) == 0;
	return good;
}

static void
put(const char *bytes, size_t n)
{
	int fd = openat(dir, "machines", O_WRONLY | O_TRUNC);
	REQUIRE(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && close(fd) == 0, "write: %s", strerror(errno));
}

/* What a kill or a power cut may leave of the last change: a part of it, or zeros where it was to be. */
static void
every_cut(void (*change)(void))
{
	struct machines before, after, read;
	load(&before);
	size_t was, n;
	free(fdio_load(dir, "machines", &was, 1 << 20));
	change();
	load(&after);
	char *bytes = fdio_load(dir, "machines", &n, 1 << 20), *torn = malloc(n);
	REQUIRE(bytes && n > was && memchr(bytes + was, '\n', n - was) == bytes + n - 1,
	    "%zu bytes after %zu: not one line", n, was);
	REQUIRE(!same(&before, &after), "nothing was changed");
	for (size_t cut = was; cut <= n; cut++)
		for (int zeros = 0; zeros < 3; zeros++) {
			memcpy(torn, bytes, n);
			if (zeros < 2)
				memset(torn + cut, 0, n - cut);
			else
				memset(torn + was, 0, cut - was);
			put(torn, zeros ? n : cut);
			load(&read);
			int whole = zeros == 2 ? cut == was : cut == n;
			REQUIRE(same(&read, whole ? &after : &before), "%zu of %zu bytes, way %d: another state", cut,
			    n, zeros);
			if (cut % 16 && cut < n - 1)
				continue;
			struct known_machine k;
			REQUIRE(machines_admit(&read, id_of(90), 0, &k) == 0 && machines_keep(&read, &k) == 0,
			    "goes on: %s", strerror(errno));
			load(&read);
			REQUIRE(machines_find(&read, id_of(90)) && (!whole ||
			    machines_find(&read, id_of(0))->token == machines_find(&after, id_of(0))->token),
			    "%zu of %zu bytes, way %d: what came behind it is lost", cut, n, zeros);
		}
	put(bytes, n);
	load(&m);
	m.fd = fdio_open_at(dir, "machines", O_WRONLY | O_APPEND, 0);
	m.bytes = n;
	m.room = n + MACHINES_SLACK;
}

static void
token_changes(void)
{
	come(0, machines_find(&m, id_of(0))->token);
}

static void
token_confirmed(void)
{
	const struct known_machine *k = machines_find(&m, id_of(0));
	machines_confirm(&m, k->serial, k->token);
}

static struct known_machine visitor;

static void
machine_settles(void)
{
	REQUIRE(machines_keep(&m, &visitor) == 0, "keep: %s", strerror(errno));
}

static void
block_used_up(void)
{
	while (m.next != m.reserved)
		come(80, 0);
	come(80, 0);
}

TEST(cuts, "whatever is cut off of the last line of machines, or zeros there: the file is as before that change, and "
    "goes on")
{
	load(&m);
	for (int i = 0; i < MACHINES; i++)
		settle(i);
	for (int round = 0; round < 2; round++) {
		every_cut(token_changes);
		every_cut(token_confirmed);
		visitor = come(10 + round, 0);
		every_cut(machine_settles);
		every_cut(block_used_up);
	}
}

TEST(damage, "a line of machines that is damaged is an error, but for the last one")
{
	struct machines_file f;
	size_t n;
	load(&m);
	for (int i = 0; i < MACHINES; i++)
		settle(i);
	char *bytes = fdio_load(dir, "machines", &n, 1 << 20), *last = (char *)memrchr(bytes, '\n', n - 1) + 1;
	for (char *p = bytes; p < bytes + n - 1; p++) {
		*p ^= 1;
		int r = machines_file_parse(&f, bytes, n);
		free(f.list);
		int is_newer = p == bytes + strlen("mom machines ") && errno == EPROTONOSUPPORT;
		REQUIRE(p < last ? r < 0 && (errno == EBADMSG || is_newer)
		    : r == 0 && f.is_torn && f.count == MACHINES - 1,
		    "byte %zu of %zu: %d", (size_t)(p - bytes), n, r);
		*p ^= 1;
	}
	REQUIRE(machines_file_parse(&f, bytes, n) == 0 && !f.is_torn && f.count == MACHINES, "as it was");
}

TEST(flat, "20,000 handshakes of known machines, and 20,000 ids that come once: the file stays small, each known "
    "machine is known")
{
	enum { MOST = 2 * 64 * 1024 };
	uint64_t token[MACHINES];
	struct known_machine k;
	load(&m);
	for (int i = 0; i < MACHINES; i++)
		token[i] = settle(i).token;
	for (int i = 0; i < 20000; i++) {
		come(100 + i % 100, 0);
		k = come(i % MACHINES, token[i % MACHINES]);
		machines_confirm(&m, k.serial, k.token);
		token[i % MACHINES] = k.token;
		REQUIRE(file_bytes() <= MOST, "%lld bytes after %d", (long long)file_bytes(), i);
	}
	load(&m);
	REQUIRE(m.by_id.used == MACHINES, "%zu machines", m.by_id.used);
	for (int i = 0; i < MACHINES; i++)
		REQUIRE(come(i, token[i]).serial == (uint32_t)i + 1, "machine %d has another serial", i);
}

TEST(tickets, "who had no client shows its ticket and gets its serial again, after any kill; nobody else does, and no "
    "serial is given twice")
{
	struct known_machine k, other, none;
	load(&m);
	k = come(0, 0);
	REQUIRE(m.by_id.used == 0 && k.token != 0, "it is known at once");
	for (int life = 0; life < 3; life++) {         /* without a clean stop */
		load(&m);
		other = come(1, 0);
		REQUIRE(other.serial != k.serial, "serial %u twice", k.serial);
		struct known_machine again = come(0, k.token);
		REQUIRE(again.serial == k.serial && come(0, again.token).serial == k.serial, "another serial");
		REQUIRE(again.token != k.token && come(0, again.token).token == k.token,
		    "its two tickets do not take turns");
		REQUIRE(machines_admit(&m, id_of(1), k.token, &none) < 0 && errno == ENOENT,
		    "another machine's ticket is taken");
		REQUIRE(machines_admit(&m, id_of(0), k.token ^ 1, &none) < 0 && errno == ENOENT,
		    "another serial's ticket is taken");
		REQUIRE(machines_admit(&m, id_of(0), k.token ^ UINT64_C(1) << 60, &none) < 0 && errno == ENOENT,
		    "a forged ticket is taken");
	}
	REQUIRE(machines_keep(&m, &k) == 0 && machines_keep(&m, &k) < 0 && errno == EEXIST, "keep");
	load(&m);
	none = come(0, k.token);
	REQUIRE(none.serial == k.serial && none.token != k.token, "known, and no fresh token");
	machines_confirm(&m, none.serial, none.token);
	REQUIRE(machines_admit(&m, id_of(0), k.token, &none) < 0 && errno == ESTALE, "an old token is taken");
	uint32_t next = m.next;
	machines_close(&m);
	load(&m);
	REQUIRE(m.next == next, "a clean stop leaves serials out: %u after %u", m.next, next);
}

TEST(older, "files of older versions are read, and are of this one after the next change")
{
	struct machines_file f;
	char text[300], line[MACHINE_LINE + 1];
	size_t n;
	struct known_machine k = { .serial = 1, .token = 11, .before = 0 };
	memcpy(k.id, id_of(0), sizeof k.id);
	for (int version = 1; version <= 2; version++) {
		machines_file_line(line, &k);
		strcpy(strstr(line, " - crc "), "\n");
		n = (size_t)sprintf(text, "%s%s", version == 2 ? "mom machines 2\n" : "", line);
		dir = open(t_dir(), O_RDONLY | O_DIRECTORY);
		int bad = version == 2 ? sealed_save(dir, "machines", text, n, 0)
		    : fdio_replace(dir, "machines", text, n, 0);
		REQUIRE(bad == 0, "write");
		load(&m);
		REQUIRE(m.next == 2 && m.by_id.used == 1, "version %d: %u", version, m.next);
		REQUIRE(come(1, 0).serial == 2 && come(0, 11).serial == 1, "version %d", version);
		REQUIRE(machines_file_read(&f, dir) == 0 && f.version == 4 && f.count == 1 && f.next > 2, "version %d",
		    version);
		free(f.list);
	}
}

TEST(without_hosts, "a file of version 3, whose lines have no host, is read with what was appended to it")
{
	char text[300], line[200];
	int n = sprintf(text, "mom machines 3 next 65 key %032x\n1 %032x %016x %016x\n", 7, 1, 11, 0);
	dir = open(t_dir(), O_RDONLY | O_DIRECTORY);
	REQUIRE(sealed_save(dir, "machines", text, (size_t)n, 0) == 0, "write");
	n = sprintf(line, "1 %032x %016x %016x", 1, 13, 11);
	n += sprintf(line + n, " crc %08x\n", crc32c(0, line, (size_t)n));
	int fd = openat(dir, "machines", O_WRONLY | O_APPEND);
	REQUIRE(write(fd, line, (size_t)n) == n, "append");
	close(fd);
	load(&m);
	uint32_t serial = 1;
	struct known_machine *k = map_get(&m.by_serial, &serial, sizeof serial);
	REQUIRE(k && k->token == 13 && k->before == 11 && k->host[0] == '\0', "%zu machines",
	    m.by_serial.used);
	machines_host(&m, k, "web-1");
	load(&m);
	k = map_get(&m.by_serial, &serial, sizeof serial);
	REQUIRE(k && k->token == 13 && strcmp(k->host, "web-1") == 0, "its host is not kept");
	struct machines_file f;
	n = sprintf(text, "mom machines 4 next 65 key %032x\n1 %032x %016x %016x we\033b\n", 7, 1, 11, 0);
	REQUIRE(sealed_save(dir, "machines", text, (size_t)n, 0) == 0 && machines_file_read(&f, dir) < 0 &&
	    errno == EBADMSG, "a host's name that is none is read");
}

TEST(full, "a store that knows as many machines as it can refuses one more by name, and still takes those that it "
    "knows")
{
	struct known_machine k = { .token = 1 };
	load(&m);
	k = settle(0);
	size_t used = m.by_serial.used;
	m.by_serial.used = MACHINES_MOST;
	REQUIRE(machines_admit(&m, id_of(1), 0, &k) < 0 && errno == EOVERFLOW, "one more is taken: %s",
	    strerror(errno));
	m.by_serial.used = used;
	REQUIRE(come(0, k.token).serial == 1, "a known one is refused");
}
