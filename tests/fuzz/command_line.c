/* command_line - proves: of any bytes on standard input user_main makes calls with what the line says, and lines of
 * printable text; it asks for no message that the line does not hold whole, and its exit status says whether every
 * command succeeded.
 * INPUT  u8 1: on a terminal, 2: the lines are arguments; u8 what the library answers; then the input */
#include <mom.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <strings.h>
#include "take_over.h"

static struct {
	struct fuzz_input in;
	const char *text;                          /* all that user_main may take words from */
	size_t n;
	unsigned answers;
	int failures;
} fz;

/* What is asked for stands in the input, as it is. */
static void
must_be_in_input(const void *bytes, size_t n)
{
	FUZZ_CHECK(n == 0 || memmem(fz.text, fz.n, bytes, n) != NULL);
}

static int
answer(void)
{
	static const int codes[] = { 0, 0, 0, MOM_ETOPIC, MOM_EEXIST, MOM_ETIMEDOUT, MOM_EBADID, MOM_EPROTO };
	int r = codes[fz.answers % 8];
	fz.answers = fz.answers / 8 + fz.answers % 8 * 37;
	fz.failures += r < 0;
	return r;
}

static int
edge_publish(int id, const char *topic, const void *data, size_t len, unsigned flags)
{
	FUZZ_CHECK(id == 7 && flags == 0 && *topic);
	must_be_in_input(topic, strlen(topic));
	must_be_in_input(data, len);
	FUZZ_CHECK(memchr(data, '\n', len) == NULL);
	return answer();
}

static int
edge_subscribe(int id, const char *topic)
{
	FUZZ_CHECK(id == 7 && *topic && strchr(topic, ' ') == NULL);
	must_be_in_input(topic, strlen(topic));
	return answer();
}

/* what comes is hostile too: a broken library, or a daemon that is none of ours */
static int
edge_receive(int id, struct mom_message *m, int timeout_ms)
{
	FUZZ_CHECK(id == 7 && timeout_ms >= -1);
	int r = answer();
	*m = (struct mom_message){ .topic = "t\033[2J\n", .data = fz.text, .len = fz.n < 64 ? fz.n : 64,
	    .flags = fz.answers & MOM_GAP };
	return r;
}

static char *lines;                                /* of the input, one after the other */

static ssize_t
edge_getline(char **line, size_t *room, FILE *f)
{
	size_t left = fz.n - (size_t)(lines - fz.text);
	const char *end = left ? memchr(lines, '\n', left) : NULL;
	size_t n = end ? (size_t)(end - lines) + 1 : left;
	(void)f;
	if (n == 0)
		return -1;
	*line = realloc(*line, n + 1);             /* exactly so long: a sanitizer sees a byte beyond */
	*room = n + 1;
	memcpy(*line, lines, n);
	(*line)[n] = '\0';
	lines += n;
	return (ssize_t)n;
}

#define mom_publish           edge_publish
#define mom_subscribe(id, topic, flags) edge_subscribe(id, topic)
#define mom_unsubscribe       edge_subscribe
#define mom_receive           edge_receive
#define mom_error_text(id)    "a text of the library"
#define mom_wake(id)          (void)(id)
#define mom_create()          7
#define mom_destroy(id)       ((id) == 7 ? 0 : -1)
#define mom_global_id(id)     UINT64_C(0x700000001)
#define getline               edge_getline
#define sigaction(n, act, old) (void)(act)
#define isatty(fd)            0
int role_main(int argc, char **argv);
#define main role_main
#include "tools/user/user_main.c"

static void
body(void)
{
	unsigned how = (unsigned)fuzz_number(&fz.in, 1);
	fz.answers = (unsigned)fuzz_number(&fz.in, 1);
	char *text = malloc(fz.in.n + 1), *shown = NULL, *args[64];
	size_t n = 0;
	int argc = 0;
	fz.n = fuzz_bytes(&fz.in, text, fz.in.n);
	text[fz.n] = '\0';
	fz.text = lines = text;
	user.terminal = how & 1;
	user.id = 7;
	user.failed = user.done = 0;
	char *copy = malloc(fz.n + 1), *rest = NULL;
	memcpy(copy, text, fz.n + 1);
	for (char *line = strtok_r(copy, "\n", &rest); line && argc < 64; line = strtok_r(NULL, "\n", &rest))
		args[argc++] = line;
	FILE *keep = stdout, *keep_error = stderr;
	stdout = open_memstream(&shown, &n);
	static FILE *nowhere;
	if (nowhere == NULL)
		nowhere = fopen("/dev/null", "w");
	stderr = nowhere;
	if (how & 2)
		for (int i = 0; i < argc && !user.done; i++)
			run_line(args[i]);
	else
		run_input();
	int status = end();
	fclose(stdout);
	stdout = keep;
	stderr = keep_error;
	for (size_t i = 0; i < n; i++)
		FUZZ_CHECK(shown[i] == '\n' || ((unsigned char)shown[i] >= 0x20 && shown[i] != 0x7f));
	FUZZ_CHECK(status == (user.failed ? EXIT_FAILED : 0) && (user.failed || !fz.failures));
	FUZZ_CHECK(!user.failed || memmem(shown, n, "error", 5) || memmem(shown, n, "timeout", 7) ||
	    memmem(shown, n, "Nothing", 7));
	/* a zero byte in a line is told */
	if (!(how & 2) && memchr(text, '\0', (size_t)(lines - text)))
		FUZZ_CHECK(user.failed && memmem(shown, n, "zero byte", 9));
	(free)(shown);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&fz, 0, sizeof fz);
	fz.in = (struct fuzz_input){ data, size };
	FUZZ_CHECK(fuzz_run(body) == -1);
	return 0;
}

/* ---- seeds ---- */

void
fuzz_seeds(fuzz_seed_fn seed)
{
	static const char ordinary[] = "\0\0S news\nP news hello  world\nR 1.5\nu news\nH\nE\n";
	static const char words[] = "\1\11subscribe a/b\nPUBLISH a/b x y\nreceive\nReceive 0x2\nunsubscribe "
	    "a/b\nexit\n";
	static const char arguments[] = "\2\0S news\nP news \n P  news x\n\tR nan\nR 1e9\nR -1\nfoo bar\nS\n";
	static const char zero_byte[] = "\0\0S news\nP news one\0two\nP ne\0ws\n\0\nE\n";
	static const char escapes[] = "\0\0\033[2J x\nS \177\302\205\nP t \377\376\303\nR 1 \033\n";
	seed("ordinary", ordinary, sizeof ordinary - 1);
	seed("words", words, sizeof words - 1);
	seed("arguments", arguments, sizeof arguments - 1);
	seed("zero-byte", zero_byte, sizeof zero_byte - 1);
	seed("escapes", escapes, sizeof escapes - 1);
	seed("no-newline", ordinary, 5);
}
