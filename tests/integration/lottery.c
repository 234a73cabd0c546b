/* lottery - the example: each bet stored once and each winner told, whoever is killed; what may come in and is
 * refused */
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/talk.h>
#include <lib/t.h>
#include <mom_coding.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server broker, one, two;

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

/* ---- a program in the background: its stdout in NAME.out, its stderr in NAME.log ---- */

struct program { const char *name; pid_t pid; };

static struct program
begin(const char *name, const char *program, const char *arguments)
{
	struct program p = { .name = name };
	char *command = t_text("exec %s %s >%s 2>>%s </dev/null", program, arguments, t_path("%s.out", name),
	    t_path("%s.log", name));
	p.pid = fork();
	if (p.pid == 0) {
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	REQUIRE(p.pid > 0, "fork");
	return p;
}

static char *
out_of(struct program *p)
{
	return t_read_file(t_path("%s.out", p->name));
}

static void
ends(struct program *p, int status)
{
	int got = t_join(p->pid);
	REQUIRE(WIFEXITED(got) && WEXITSTATUS(got) == status, "%s: wait status 0x%x, wanted exit %d: %s%s", p->name,
	    got, status, out_of(p),
	    t_read_file(t_path("%s.log", p->name)));
}

static void
held(struct program *p, const char *bets)
{
	ends(p, 0);
	char *out = out_of(p);
	REQUIRE(strstr(out, bets) && strstr(out, "\nall held"), "%s", out);
}

/* the last one that it has told; 0: none yet */
static int
port_of(struct program *p)
{
	char *out = out_of(p), *at = out, *last = NULL;
	while ((at = strstr(at, "ready 127.0.0.1 ")))
		last = at++;
	return last && strchr(last, '\n') ? atoi(last + strlen("ready 127.0.0.1 ")) : 0;
}

/* The line of the text port, "" where nobody answers. */
static char *
ask(int port)
{
	char line[400] = "";
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t got = 0;
	ssize_t n;
	if (port > 0 && connect(s, (struct sockaddr *)&at, sizeof at) == 0)
		while ((n = recv(s, line + got, sizeof line - 1 - got, 0)) > 0)
			got += (size_t)n;
	close(s);
	return t_text("%s", line);
}

/* a number of that line, which stands before the words; -1 where nobody answers */
static long
counts(struct program *p, const char *words)
{
	char *line = ask(port_of(p)), *at = strstr(line, words);
	if (at == NULL)
		return -1;
	for (at--; at > line && at[-1] >= '0' && at[-1] <= '9'; at--) {
	}
	return atol(at);
}

#define STORED(p) counts(p, " bets in ")

/* ---- whole lotteries ---- */

TEST(one_daemon, "100,000 bets of five agencies on one daemon are stored, each one once, and each agency is told its "
    "own winners and no other")
{
	up();
	struct program l = begin("lottery", EXAMPLES "/lottery/lottery", t_text("--dir %s", t_path("l")));
	held(&l, "bets: 100000 sent, 100000 stored: held");
	REQUIRE(strstr(out_of(&l), "winners: 231 have the number 7574, 231 were told: held"), "%s", out_of(&l));
}

TEST(two_daemons, "the same with the agencies on two daemons, and a broker with four workers")
{
	up_with("--workers 4");
	daemon_start(&two, "two", broker.port);
	struct program l = begin("lottery", EXAMPLES "/lottery/lottery",
	    t_text("--dir %s --bets %d --other %s", t_path("l"),
	    t_is_long() ? 100000 : 20000, two.run));
	held(&l, "each one once");
}

TEST(many, "the same with sixteen agencies, sixteen workers and small batches: workers that store at the same moment "
    "do not mix their batches")
{
	up();
	struct program l = begin("lottery", EXAMPLES "/lottery/lottery",
	    t_text("--dir %s --bets 20000 --agencies 16 --workers 16 --batch 10", t_path("l")));
	held(&l, "bets: 20000 sent, 20000 stored: held");
}

TEST(progress, "on a terminal one line counts the stored bets; elsewhere it is left out")
{
	up();
	struct program l = begin("lottery", EXAMPLES "/lottery/lottery", t_text("--dir %s --bets 20000", t_path("l")));
	held(&l, "each one once");
	REQUIRE(!strstr(t_read_file(t_path("lottery.log")), "bets stored"), "%s", t_read_file(t_path("lottery.log")));
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	REQUIRE(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0, "no terminal: %s", strerror(errno));
	struct ran r = run_command("%s --dir %s --bets 20000 2>%s", EXAMPLES "/lottery/lottery", t_path("l"),
	    ptsname(terminal));
	static char shown[65536];
	ssize_t n = read(terminal, shown, sizeof shown - 1);
	close(terminal);
	REQUIRE(r.status == 0 && n > 0 && strstr(shown, "\r\033[K20000 bets stored, 5 of 5 agencies have ended\r\n"),
	    "%d: %s", r.status, shown);
}

TEST(broker_killed, "the same with the broker killed in the middle and started again")
{
	up();
	struct program l = begin("lottery", EXAMPLES "/lottery/lottery", t_text("--dir %s --bets 30000", t_path("l")));
	for (int i = 1; i <= (t_is_long() ? 5 : 1); i++) {
		WAIT_FOR(STORED(&l) > 4000 * i, "%s", ask(port_of(&l)));
		server_kill_all(&broker);
		long stored = STORED(&l);
		REQUIRE(stored >= 0 && stored < 30000, "it was over before the broker was killed");
		server_start(&broker);
	}
	held(&l, "bets: 30000 sent, 30000 stored: held");
}

TEST(centre_killed, "the same with the centre killed in the middle, and a worker: the centre comes back and no batch "
    "is lost or stored twice")
{
	up();
	struct program l = begin("lottery", EXAMPLES "/lottery/lottery",
	    t_text("--dir %s --bets 60000 --batch 20", t_path("l")));
	for (int i = 1; i <= (t_is_long() ? 15 : 3); i++) {
		WAIT_FOR(STORED(&l) > 3000 * i, "%s", ask(port_of(&l)));
		pid_t centre = proc_find(l.pid, "centre", 0);
		pid_t victim = i % 3 == 0 ? proc_find(centre, "centre", 0) : centre;
		REQUIRE(victim > 0 && kill(victim, SIGKILL) == 0, "no centre");
		WAIT_FOR(!proc_lives(centre), "the centre outlives its worker");
	}
	held(&l, "bets: 60000 sent, 60000 stored: held");
	REQUIRE(strstr(out_of(&l), "started again"), "%s", out_of(&l));
}

/* ---- SIGTERM ---- */

/* Started, and at its i-th moment sent a SIGTERM: to it alone, or to all of its processes. */
static void
stopped_at(int moment, int all)
{
	const char *name = t_text("stop-%d-%d", moment, all);
	struct program l = begin(name, EXAMPLES "/lottery/lottery",
	    t_text("--dir %s --bets 200000", t_path("%s", name)));
	if (moment >= 1)
		WAIT_FOR(proc_find(l.pid, "centre", 0), "no centre");
	if (moment >= 2)
		WAIT_FOR(port_of(&l), "the centre is not ready");
	if (moment >= 3)
		WAIT_FOR(STORED(&l) > 100 * (moment - 2) * (moment - 2), "%s", ask(port_of(&l)));
	if (all)
		proc_signal_tree(l.pid, SIGTERM);
	else
		kill(l.pid, SIGTERM);
	int status = t_join(l.pid);
	/* the shell that has not yet become the program, or a program that has just begun, dies of it */
	REQUIRE((WIFEXITED(status) && WEXITSTATUS(status) == 1) ||
	    (moment < 2 && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM),
	    "moment %d: wait status 0x%x: %s", moment, status, t_read_file(t_path("%s.log", name)));
	pid_t left[PROC_MAX];
	REQUIRE(proc_naming(t_path("%s/", name), left, PROC_MAX) == 0, "moment %d: a process is left", moment);
}

TEST(stopped, "SIGTERM at any moment, to the lottery or to all of its processes at once, ends all of them")
{
	up();
	for (int moment = 0; moment < (t_is_long() ? 30 : 6); moment++)
		stopped_at(moment, moment % 2);
}

TEST(stopped_alone, "SIGTERM ends each program cleanly while the broker is away, too")
{
	up();
	struct program l = begin("lottery", EXAMPLES "/lottery/lottery", t_text("--dir %s --bets 200000", t_path("l")));
	WAIT_FOR(STORED(&l) > 500, "%s", ask(port_of(&l)));
	server_kill_all(&broker);
	kill(l.pid, SIGTERM);
	ends(&l, 1);
	REQUIRE(!strstr(t_read_file(t_path("lottery.log")), "signal 9"), "%s", t_read_file(t_path("lottery.log")));
	server_start(&broker);
}

/* ---- the centre alone, against an agency of our own ---- */

static int id;
static char own_topic[64];

static void
files(const char *folder, const char *arguments)
{
	mkdir(t_path("%s", folder), 0700);
	struct ran r = run_command("%s %s %s", EXAMPLES "/lottery/make-agencies", arguments, t_path("%s", folder));
	REQUIRE(r.status == 0, "%s", r.err);
}

static struct program
centre(const char *name, const char *options)
{
	struct program p = begin(name, EXAMPLES "/lottery/centre", t_text("%s %s", t_path("l/lottery.conf"), options));
	WAIT_FOR(port_of(&p), "not ready: %s", t_read_file(t_path("%s.log", name)));
	return p;
}

static void
be_agency(void)
{
	id = talk_create();
	snprintf(own_topic, sizeof own_topic, "lottery/to/%016llx", (unsigned long long)mom_global_id(id));
	talk_subscribe(id, own_topic);
}

static void
deliver(const void *bytes, size_t len)
{
	REQUIRE(mom_publish(id, "lottery/bets", bytes, len, 0) == 0, "%s", mom_error_text(id));
}

static struct mom_reader
hear_kind(int kind)
{
	static struct mom_message m;
	struct mom_reader r;
	REQUIRE(mom_receive(id, &m, T_PATIENCE_MS) == 0, "%s", mom_error_text(id));
	mom_reader_init(&r, m.data, m.len);
	int got = mom_get_u8(&r);
	REQUIRE(got == kind, "heard %c, wanted %c", got, kind);
	return r;
}

static void
answered(uint32_t number, int count)
{
	struct mom_reader r = hear_kind('A');
	uint32_t n = mom_get_u32(&r);
	int c = (int)mom_get_u32(&r);
	REQUIRE(n == number && c == count && !mom_reader_failed(&r), "batch %u: %d, wanted %u: %d", n, c, number,
	    count);
}

/* count bets of agency 1 as the text says it, byte for byte; the documents from 1 on */
static size_t
batch(unsigned char *bytes, int count, int agency, const char *birth, const char *name)
{
	struct mom_writer w;
	mom_writer_init(&w, bytes, 65536);
	mom_put_u32(&w, 0);
	for (int i = 0; i < count; i++) {
		mom_put_u16(&w, (uint16_t)(1 + 1 + strlen(name) + 1 + 2 + 4 + 1 + strlen(birth) + 2));
		mom_put_u8(&w, (uint8_t)agency);
		mom_put_string8(&w, name);
		mom_put_string8(&w, "Vi");
		mom_put_u32(&w, (uint32_t)i + 1);
		mom_put_string8(&w, birth);
		mom_put_u16(&w, 7574);
	}
	size_t len = w.len;
	mom_writer_init(&w, bytes, 4);
	mom_put_u32(&w, (uint32_t)len - 4);
	return len;
}

/* The centre draws: these documents and no other */
static void
wins(uint32_t first, uint32_t last)
{
	struct mom_reader r = hear_kind('W');
	REQUIRE(mom_get_u8(&r) == 1, "of another agency");
	mom_get_u32(&r);
	mom_get_u8(&r);
	uint32_t n = mom_get_u16(&r);
	REQUIRE(n == last + 1 - first, "%u documents, wanted %u", n, last + 1 - first);
	for (; first <= last; first++)
		REQUIRE(mom_get_u32(&r) == first, "not document %u", first);
}

TEST(batches, "a batch of 134 bets is stored and answered with 134; one of 135, one that is cut, too long, of two "
    "agencies or with a bet that cannot be is answered with -1, and nothing of it is stored")
{
	static unsigned char b[65536];
	uint32_t n = 0;
	up();
	files("l", "2 10 1");
	struct program c = centre("centre", "--quiet 60s");
	be_agency();
	size_t len = batch(b, 134, 1, "1990-02-28", "Jo");
	deliver(b, len);
	answered(++n, 134);
	for (size_t cut = 0; cut < len; cut += cut < 40 ? 1 : 97)
		if (cut != 1)                            /* one byte is the end of an agency */
			deliver(b, cut), answered(++n, -1);
	for (size_t i = 0; i < 6; i++)                   /* each length says one more */
		b[i]++, deliver(b, len), answered(++n, -1), b[i]--;
	deliver(b, len + 1);
	answered(++n, -1);
	deliver(b, batch(b, 135, 1, "1990-02-28", "Jo")), answered(++n, -1);
	deliver(b, batch(b, 1000, 1, "1990-02-28", "Jo")), answered(++n, -1);
	deliver(b, batch(b, 1, 0, "1990-02-28", "Jo")), answered(++n, -1);
	deliver(b, batch(b, 1, 3, "1990-02-28", "Jo")), answered(++n, -1);
	deliver(b, batch(b, 1, 1, "1990-02-29", "Jo")), answered(++n, -1);
	deliver(b, batch(b, 1, 1, "1990-02-2", "Jo")), answered(++n, -1);
	deliver(b, batch(b, 1, 1, "1990-02-28", "J\no")), answered(++n, -1);
	deliver(b, batch(b, 1, 1, "1990-02-28", "")), answered(++n, -1);
	len = batch(b, 2, 1, "1990-02-28", "Jo");
	b[6] = 2;
	deliver(b, len), answered(++n, -1);
	deliver(b, batch(b, 1, 1, "2000-02-29", "Jo, \"jr\"")), answered(++n, 1);
	deliver("\377", 1);                                 /* the end of no agency */
	char *line = ask(port_of(&c));
	REQUIRE(strstr(line, t_text("lottery lottery: 135 bets in 2 batches stored, %u refused, ", n - 2)) &&
	    strstr(line, " 0 of 2 agencies have ended, 4 workers\n"), "%s", line);
	kill(c.pid, SIGTERM);
	ends(&c, 0);
	char *bets = t_read_file(t_path("l/bets.csv"));
	int lines = 0;
	for (char *at = bets; (at = strchr(at, '\n')); at++)
		lines++;
	REQUIRE(lines == 135 && strstr(bets, "1,\"Jo, \"\"jr\"\"\",Vi,1,2000-02-29,7574\n"), "%d lines: %s", lines,
	    bets + strlen(bets) / 135 * 133);
	bye(id);
}

/* all workers of the centre */
static void
signal_workers(struct program *c, int signal)
{
	pid_t pids[PROC_MAX];
	int n = proc_children(c->pid, pids, PROC_MAX);
	REQUIRE(n > 0, "no workers");
	for (int i = 0; i < n; i++)
		kill(pids[i], signal);
	for (int i = 0; signal == SIGSTOP && i < n; i++)
		WAIT_FOR(proc_state(pids[i]) == 'T', "a worker is not stopped");
}

static void
append(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	REQUIRE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s: %s", path, strerror(errno));
	close(fd);
}

static void
kill_centre(struct program *c)
{
	pid_t pids[PROC_MAX];
	int n = proc_descendants(c->pid, pids, PROC_MAX);
	kill(c->pid, SIGKILL);
	t_join(c->pid);
	for (int i = 0; i < n; i++)
		WAIT_FOR(!proc_lives(pids[i]), "a worker outlives its centre");
}

TEST(resumed, "a batch that a killed centre had in hand, stored or not, is stored once and answered when it comes "
    "again; half a record is cut off")
{
	static unsigned char b[65536];
	size_t len;
	up();
	files("l", "1 10 1");
	struct program c = centre("first", "--quiet 60s");
	be_agency();
	len = batch(b, 3, 1, "1990-01-01", "Jo");
	deliver(b, len), answered(1, 3);

	signal_workers(&c, SIGSTOP);                     /* in hand and not stored */
	deliver(b, len);
	WAIT_FOR(counts(&c, " in hand") == 1, "%s", ask(port_of(&c)));
	kill_centre(&c);
	append(t_path("l/bets.csv"), "1,half a b");
	append(t_path("l/bets.journal"), "b 0000");
	c = centre("second", "--quiet 60s --resume");
	answered(2, 3);
	REQUIRE(STORED(&c) == 6, "%s", ask(port_of(&c)));

	signal_workers(&c, SIGSTOP);                     /* stored and neither answered nor acknowledged */
	deliver(b, len);
	WAIT_FOR(counts(&c, " in hand") == 1, "%s", ask(port_of(&c)));
	kill(c.pid, SIGSTOP);
	WAIT_FOR(proc_state(c.pid) == 'T', "the centre is not stopped");
	size_t before = strlen(t_read_file(t_path("l/bets.journal")));
	signal_workers(&c, SIGCONT);
	WAIT_FOR(strlen(t_read_file(t_path("l/bets.journal"))) > before, "nothing is stored");
	kill_centre(&c);
	c = centre("third", "--quiet 60s --resume");
	answered(3, 3);
	REQUIRE(STORED(&c) == 9 && counts(&c, " batches") == 3, "%s", ask(port_of(&c)));

	deliver("\1", 1);
	struct mom_reader r = hear_kind('W');
	(void)r;
	ends(&c, 0);
	REQUIRE(strstr(out_of(&c), "drawn: 9 bets of 1 agencies, 9 have the number 7574\n"), "%s", out_of(&c));
	bye(id);
}

TEST(quiet, "the centre draws when nothing came for a while, and tells the winners of who has not ended, too; all of "
    "them where it is thousands")
{
	static unsigned char b[65536];
	up();
	files("l", "3 10 1");
	struct program c = centre("centre", "--quiet 700ms");
	be_agency();
	deliver(b, batch(b, 100, 1, "1990-01-01", "Jo")), answered(1, 100);
	wins(1, 100);
	ends(&c, 0);
	REQUIRE(strstr(out_of(&c), "drawn: 100 bets of 0 agencies, 100 have"), "%s", out_of(&c));
	bye(id);

	struct program l = begin("all", EXAMPLES "/lottery/lottery",
	    t_text("--dir %s --agencies 1 --bets 5000 --winner 1", t_path("all")));
	held(&l, "bets: 5000 sent");
	run_command("sed -i 's/[0-9]*$/7574/' %s", t_path("all/agency-1.csv"));
	struct program again = begin("again", EXAMPLES "/lottery/centre", t_path("all/lottery.conf --winner 7574"));
	struct ran r = run_command("%s %s 1", EXAMPLES "/lottery/agency", t_path("all/lottery.conf"));
	REQUIRE(r.status == 0 && strstr(r.out, "5000 bets in ") && strstr(r.out, " 5000 winners\n"), "%s%s", r.out,
	    r.err);
	ends(&again, 0);
}

TEST(configuration, "a changed lottery.conf needs no rebuild: another number wins; what is wrong in it is told with "
    "file and line")
{
	up();
	files("l", "1 1000 1");
	char *conf = t_path("l/lottery.conf"), *csv = t_path("l/agency-1.csv");
	struct ran r = run_command("cd %s; sed -n '7s/.*,//p' agency-1.csv >number; sed -i \"s/^winner .*/winner $(cat "
	    "number)/\" lottery.conf; %s lottery.conf & %s lottery.conf 1; wait; grep -c \",$(cat number)$\" "
	    "agency-1.csv; wc -l <winners-1.csv; sed -n 7p agency-1.csv | grep -q \",$(sed -n 1p winners-1.csv),\" && "
	    "echo same", t_path("l"), EXAMPLES "/lottery/centre", EXAMPLES "/lottery/agency");
	REQUIRE(strstr(r.out, "\n1\n1\nsame\n"), "%s%s%s", r.out, r.err, csv);
	run_command("echo 'colour blue' >>%s", conf);
	r = run_command("%s %s", EXAMPLES "/lottery/centre", conf);
	REQUIRE(r.status == 100 && strstr(r.err, "lottery.conf:10: \"colour\" is no key"), "%d %s", r.status, r.err);
	r = run_command("sed -i '$d' %s; sed -i 's/^workers.*/workers 65/' %s; %s %s 1", conf, conf,
	    EXAMPLES "/lottery/agency", conf);
	REQUIRE(r.status == 100 && strstr(r.err, "lottery.conf:4: workers \"65\": a number from 1 to 64 is wanted"),
	    "%d %s", r.status, r.err);
}

TEST(hostile_files, "an agency whose file has something wrong in it sends nothing of it and says what and where")
{
	static const struct { const char *line, *says; } lines[] = {
		{ "Jo,Vi,5,1990-01-01", "4 fields" },
		{ "", "1 fields" },
		{ "Jo,Vi,5,1990-01-01,7,8", "6 fields" },
		{ "\"Jo,Vi,5,1990-01-01,7", "not closed" },
		{ "\"Jo\"x,Vi,5,1990-01-01,7", "follows its closing quote" },
		{ "J\"o,Vi,5,1990-01-01,7", "a quote inside" },
		{ "Jo,Vi,5,1990-01-01,65536", "number \"65536\"" },
		{ "Jo,Vi,5,1990-01-01,-1", "number \"-1\"" },
		{ "Jo,Vi,5,1990-01-01, 7", "number \" 7\"" },
		{ "Jo,Vi,5,1990-01-01,", "number \"\"" },
		{ "Jo,Vi,4294967296,1990-01-01,7", "document \"4294967296\"" },
		{ "Jo,Vi,99999999999999999999999999,1990-01-01,7", "document" },
		{ "Jo,Vi,0,1990-01-01,7", "document \"0\"" },
		{ "Jo,Vi,5,1990-13-01,7", "birth date \"1990-13-01\"" },
		{ "Jo,Vi,5,1990-02-30,7", "birth date" },
		{ "Jo,Vi,5,1900-02-29,7", "birth date" },
		{ "Jo,Vi,5,1990-1-1,7", "birth date" },
		{ ",Vi,5,1990-01-01,7", "a name" },
		{ "Jo,\001,5,1990-01-01,7", "control character (0x01) in column 4" },
	};
	files("l", "1 3 1");
	char *path = t_path("l/agency-1.csv"), *good = t_read_file(path),
	    *agency = t_text("%s %s 1 --check", EXAMPLES "/lottery/agency", t_path("l/lottery.conf"));
	for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++) {
		REQUIRE(unlink(path) == 0 && close(open(path, O_CREAT | O_WRONLY, 0600)) == 0, "%s", path);
		append(path, t_text("%s%s\n", good, lines[i].line));
		struct ran r = run_command("%s", agency);
		REQUIRE(r.status == 100 && strstr(r.err, "agency-1.csv:4: ") && strstr(r.err, lines[i].says),
		    "\"%s\": %d %s", lines[i].line, r.status, r.err);
	}
	struct ran r = run_command("head -c 100000 /dev/zero | tr '\\0' a >%s; %s", path, agency);
	REQUIRE(r.status == 100 && strstr(r.err, "agency-1.csv:1: the line is longer"), "%d %s", r.status, r.err);
	r = run_command("printf '\"O\"\"Hara, Mary\",%%0256d,5,1990-01-01,7\\n' 0 >%s; %s", path, agency);
	REQUIRE(r.status == 100 && strstr(r.err, "surname: 256 bytes"), "%d %s", r.status, r.err);
	r = run_command("printf '\"O\"\"Hara, Mary\",%%0255d,4294967295,2000-02-29,65535\\r\\nJo,Vi,5,1990-01-01,0' 0 "
	    ">%s; %s", path, agency);
	REQUIRE(r.status == 0 && strcmp(r.out, "agency-1.csv: 2 bets\n") == 0, "%d %s%s", r.status, r.out, r.err);
}
