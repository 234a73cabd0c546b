/* news - starts pusher and consumer, writes items and comments as two browsers would, and says what held
 *
 * STARTS      pusher, consumer (from its own folder), on free ports, with a news.conf in a temporary folder
 * STDOUT      the addresses, how far it is, the summary
 * SIGNALS     TERM, INT: both are ended        EXIT  0 all held   1 not so, or stopped   100 wrong use   111 system
 *             trouble */
#include "client.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENTRIES_MAX = 10000, STEP_MS = 100 };

struct page { const char *program; pid_t pid; int port; struct client_stream events; };

static struct {
	struct page pusher, consumer;
	const char *other_run;
	long items, comments, pause_ms, patience_ms;
	int stay;
	char folder[64], programs[PATH_MAX], (*ids)[17];
	long items_seen, comments_seen, items_told, wrong;
	char first_wrong[300];
} n = { .pusher.program = "pusher", .pusher.events.fd = -1, .consumer.program = "consumer", .consumer.events.fd = -1,
	.items = 200, .comments = 2, .patience_ms = 60000 };
static volatile sig_atomic_t stopped;

static const char usage[] =
    "usage: news [--items N] [--comments N] [--pause MS] [--patience MS] [--other RUN] [--stay 1]\n"
    "  --items N       that are written on /comments (200)   --comments N   of each item, that are written on /news "
    "(2)\n"
    "  --pause MS      between two items (0)                 --patience MS  that an entry may take to appear (60000)\n"
    "  --other RUN     run folder of a second mom_daemon: the consumer uses that one\n"
    "  --stay 1        the pages stay until Ctrl-C, to be looked at in a browser\n";

static void
on_stop(int signal)
{
	(void)signal;
	stopped = 1;
}

/* ---- the two programs ---- */

static void
end_all(void)
{
	struct page *pages[] = { &n.pusher, &n.consumer };
	for (int i = 0; i < 2; i++)
		if (pages[i]->pid > 0)
			kill(pages[i]->pid, SIGTERM);
	for (int i = 0; i < 2; i++) {
		int status = 0;
		while (pages[i]->pid > 0 && waitpid(pages[i]->pid, &status, 0) < 0 && errno == EINTR) {
		}
		if (pages[i]->pid > 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == 0) && !stopped) {
			fprintf(stderr, "news: %s ended with wait status 0x%x\n", pages[i]->program, (unsigned)status);
			n.wrong++;
		}
	}
	if (*n.folder) {
		char path[100];
		snprintf(path, sizeof path, "%s/news.conf", n.folder);
		unlink(path);
		rmdir(n.folder);
	}
}

static void __attribute__((noreturn, format(printf, 2, 3)))
fatal(int status, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	fprintf(stderr, "news: ");
	vfprintf(stderr, format, list);
	fprintf(stderr, "\n");
	va_end(list);
	end_all();
	exit(status);
}

static void __attribute__((noreturn))
run(struct page *p, int said, pid_t parent)
{
	char path[PATH_MAX + 32], conf[100];
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || dup2(said, 1) < 0)
		_exit(111);
	if (n.other_run && p == &n.consumer)
		setenv("MOM_RUN", n.other_run, 1);
	snprintf(path, sizeof path, "%s/%s", n.programs, p->program);
	snprintf(conf, sizeof conf, "%s/news.conf", n.folder);
	execl(path, path, conf, (char *)NULL);
	fprintf(stderr, "news: %s: %s: `make examples` builds it\n", path, strerror(errno));
	_exit(111);
}

static void
start(struct page *p)
{
	int said[2];
	char line[300] = "";
	pid_t parent = getpid();
	fflush(NULL);
	if (pipe2(said, O_CLOEXEC) < 0 || (p->pid = fork()) < 0)
		fatal(111, "pipe or fork: %s", strerror(errno));
	if (p->pid == 0)
		run(p, said[1], parent);
	close(said[1]);
	FILE *f = fdopen(said[0], "r");
	if (f == NULL || fgets(line, sizeof line, f) == NULL || sscanf(line, "ready http://127.0.0.1:%d/",
	    &p->port) != 1)
		fatal(111, "%s did not start", p->program);
	fclose(f);
	printf("%s: %s", p->program, line + 6);
	if (client_stream_open(&p->events, p->port) < 0)
		fatal(111, "%s, port %d: %s", p->program, p->port, strerror(errno));
}

static void
start_both(void)
{
	char path[100];
	const char *tmp = getenv("TMPDIR");
	snprintf(n.folder, sizeof n.folder, "%.40s/news.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (mkdtemp(n.folder) == NULL)
		fatal(111, "mkdtemp(%s): %s", n.folder, strerror(errno));
	snprintf(path, sizeof path, "%s/news.conf", n.folder);
	FILE *f = fopen(path, "we");
	if (f == NULL || fprintf(f, "pusher 0\nconsumer 0\ntopic news\nkeep %d\n", ENTRIES_MAX) < 0 || fclose(f) != 0)
		fatal(111, "%s: %s", path, strerror(errno));
	start(&n.pusher);
	start(&n.consumer);
}

/* ---- what is written, and what appears ---- */

static void
wrong(const char *what, const char *json)
{
	if (n.wrong++ == 0)
		snprintf(n.first_wrong, sizeof n.first_wrong, "%s: %.200s", what, json);
}

static void
write_form(struct page *p, const char *path, const char *form)
{
	int status = client_post(p->port, path, form);
	if (status != 303 && !stopped)
		fatal(1, "%s: POST %s: status %d", p->program, path, status);
}

/* ---- what is written: the i-th item, and the k-th comment on it; each is known by its number ---- */

enum { STORIES = 6, READERS = 4, FORM = 400 };
static const struct { const char *headline, *text; } stories[STORIES] = {
	{ "Harbour bridge opens two weeks early", "The bridge cost \xe2\x82\xac 3 million less than planned.\n"
	    "\"We had luck with the weather,\" says the builder." },
	{ "Night trains return to the coast", "Three trains a week will leave at 22:40 & arrive before breakfast." },
	{ "Library lends tools as well as books", "Drills, ladders and a sewing machine: each for two weeks." },
	{ "Swifts nest in the old town hall again", "Eleven pairs were counted, after none in 2019." },
	{ "School kitchen cooks with what the region grows", "Lunch costs 40 cents more; 9 of 10 parents agree." },
	{ "River cold enough for salmon, says survey", "At 17\xc2\xb0 the water is 2\xc2\xb0 below last summer's." },
};
static const struct { const char *name, *text; } readers[READERS] = {
	{ "Anna", "Good news for once." }, { "J. Moreau", "And who pays for it?" },
	{ "reader of old", "I was there and it is true." }, { "Priya", "When does it come to our side of the river?" },
};

/* text as a form has it, at the end of form */
static void
form_add(char form[FORM], const char *text)
{
	size_t at = strlen(form);
	for (const unsigned char *t = (const unsigned char *)text; *t && at + 4 < FORM; t++)
		at += (size_t)snprintf(form + at, FORM - at, *t == ' ' ? "+" : isalnum(*t) ? "%c" : "%%%02x", *t);
}

static void
headline_of(char headline[100], long i)
{
	snprintf(headline, 100, "%s (%ld)", stories[i % STORIES].headline, i + 1);
}

static void
comment_of(char comment[100], long i, long k)
{
	snprintf(comment, 100, "%s (%ld on %ld)", readers[k % READERS].text, k + 1, i + 1);
}

/* The i-th item, once, and none before its turn: its id is kept for the comments. */
static void
item_appeared(const char *json)
{
	char text[100], headline[120];
	headline_of(text, n.items_seen);
	snprintf(headline, sizeof headline, "\"headline\":\"%s\"", text);
	if (n.items_seen == n.items || !strstr(json, headline) ||
	    sscanf(json, "{\"id\":\"%16[0-9a-f]\"", n.ids[n.items_seen]) != 1)
		wrong("/news shows out of turn", json);
	else if (++n.items_seen % (n.items / 10 + 1) == 0 && n.items_seen > n.items_told)
		printf("%ld of %ld items have appeared\n", n.items_told = n.items_seen, n.items), fflush(stdout);
}

static void
comment_appeared(const char *json)
{
	char id[32], comment[100], text[120];
	long item = n.comments_seen / n.comments;
	comment_of(comment, item, n.comments_seen % n.comments);
	snprintf(text, sizeof text, "\"text\":\"%s\"", comment);
	snprintf(id, sizeof id, "\"item\":\"%s\"", item < n.items ? n.ids[item] : "-");
	if (item >= n.items || !strstr(json, text) || !strstr(json, id))
		wrong("/comments shows out of turn", json);
	else
		n.comments_seen++;
}

/* Takes entries until `wanted` have been seen, or one is wrong; 0: only those that are there. */
static void
take(struct page *p, void (*appeared)(const char *), const long *seen, long wanted)
{
	static char json[65536];
	long waited = 0;
	while (!stopped && n.wrong == 0 && (wanted == 0 || *seen < wanted)) {
		long before = *seen;
		int r = client_stream_next(&p->events, wanted ? STEP_MS : 0, json, sizeof json);
		if (r > 0)
			appeared(json);
		else if (r < 0 && !stopped)
			wrong(p->program, "its stream of events has ended");
		else if (wanted == 0)
			return;
		waited = *seen > before ? 0 : waited + STEP_MS;
		if (waited >= n.patience_ms)
			wrong(p->program, "entries do not appear (--patience)");
	}
}

static void
write_items(void)
{
	char form[FORM], headline[100];
	for (long i = 0; i < n.items && !stopped; i++) {
		headline_of(headline, i);
		strcpy(form, "headline=");
		form_add(form, headline);
		strcat(form, "&text=");
		form_add(form, stories[i % STORIES].text);
		write_form(&n.pusher, "/items", form);
		if (n.pause_ms)
			usleep((unsigned)n.pause_ms * 1000);
		take(&n.consumer, item_appeared, &n.items_seen, 0);
	}
	take(&n.consumer, item_appeared, &n.items_seen, n.items);
}

static void
write_comments(void)
{
	char form[FORM], text[100];
	for (long i = 0; i < n.items_seen && !stopped; i++) {
		for (long k = 0; k < n.comments; k++) {
			headline_of(text, i);
			snprintf(form, sizeof form, "item=%s&headline=", n.ids[i]);
			form_add(form, text);
			strcat(form, "&name=");
			form_add(form, readers[k % READERS].name);
			strcat(form, "&text=");
			comment_of(text, i, k);
			form_add(form, text);
			write_form(&n.consumer, "/comments", form);
		}
		take(&n.pusher, comment_appeared, &n.comments_seen, 0);
	}
	take(&n.pusher, comment_appeared, &n.comments_seen, n.items * n.comments);
}

/* A page that is opened now shows the same, and no more. */
static void
look_again(struct page *p, void (*appeared)(const char *), long *seen)
{
	long wanted = *seen;
	client_stream_close(&p->events);
	if (client_stream_open(&p->events, p->port) < 0)
		fatal(111, "%s, port %d: %s", p->program, p->port, strerror(errno));
	*seen = 0;
	take(p, appeared, seen, wanted);
	take(p, appeared, seen, 0);
}

/* ---- start and end ---- */

static void
parse(int argc, char **argv)
{
	const struct { const char *name; long *to, max; } numbers[] = {
		{ "--items", &n.items, ENTRIES_MAX }, { "--comments", &n.comments, ENTRIES_MAX },
		    { "--pause", &n.pause_ms, 10000 },
		{ "--patience", &n.patience_ms, 10000000 },
	};
	for (int i = 1; i < argc; i += 2) {
		const char *value = argv[i + 1] ? argv[i + 1] : "";
		unsigned k = 0;
		if (strcmp(argv[i], "--help") == 0)
			exit(fputs(usage, stdout) < 0);
		while (k < 4 && strcmp(argv[i], numbers[k].name) != 0)
			k++;
		if (k < 4 && *value && strspn(value, "0123456789") == strlen(value) && strlen(value) < 9 &&
		    atol(value) <= numbers[k].max)
			*numbers[k].to = atol(value);
		else if (*value && strcmp(argv[i], "--other") == 0)
			n.other_run = value;
		else if (strcmp(argv[i], "--stay") == 0)
			n.stay = *value == '1';
		else
			fatal(100, "%s %s: no such option, or not such a value: see --help", argv[i], value);
	}
	if (n.items < 1 || n.comments < 1 || n.items * n.comments > ENTRIES_MAX)
		fatal(100, "--items and --comments: at least 1, and %d comments in all at most", ENTRIES_MAX);
}

static int
summary(void)
{
	int held = n.wrong == 0 && n.items_seen == n.items && n.comments_seen == n.items * n.comments;
	printf("items: %ld written, %ld appeared on /news: %s\n", n.items, n.items_seen,
	    n.items_seen == n.items ? "held, each once and in order" : "NOT HELD");
	printf("comments: %ld written, %ld appeared on /comments: %s\n", n.items * n.comments, n.comments_seen,
	    n.comments_seen == n.items * n.comments ? "held, each once and in order, at its item" : "NOT HELD");
	if (held)
		printf("What was written on one page appeared on the other, each entry once and in order.\n"
		    "The pages know topics alone: whoever writes, and whatever shows it, may be on any machine.\n"
		    "all held\n");
	else
		printf("NOT HELD: %s\n", n.first_wrong);
	fflush(stdout);
	return held;
}

int
main(int argc, char **argv)
{
	struct sigaction stop = { .sa_handler = on_stop };
	parse(argc, argv);
	if (readlink("/proc/self/exe", n.programs, sizeof n.programs - 1) <= 0)
		fatal(111, "/proc/self/exe: %s", strerror(errno));
	*strrchr(n.programs, '/') = 0;
	if ((n.ids = calloc((size_t)n.items, sizeof *n.ids)) == NULL)
		fatal(111, "no memory");
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	start_both();
	write_items();
	write_comments();
	if (!stopped) {
		look_again(&n.consumer, item_appeared, &n.items_seen);
		look_again(&n.pusher, comment_appeared, &n.comments_seen);
	}
	int held = stopped ? 0 : summary();
	if (n.stay && held) {
		printf("the pages stay until Ctrl-C: http://127.0.0.1:%d/comments http://127.0.0.1:%d/news\n",
		    n.pusher.port, n.consumer.port);
		fflush(stdout);
		while (!stopped)
			usleep(200000);
		stopped = 0;
	}
	long before = n.wrong;
	end_all();
	return !held || n.wrong > before;
}
