/* user_main - the interactive tester of MOM
 * USAGE    user_main [--run DIR] [COMMAND ...]      each argument is one command line; without any, standard input is
 *          read
 * COMMANDS S|subscribe topic   U|unsubscribe topic   P|publish topic text   R|receive [seconds]   H|help   E|exit
 * OUTPUT   one line a command on stdout; on a terminal a prompt and friendlier lines
 * EDITING  on a terminal that is not dumb: the keys of term/lineedit.h, Tab completes commands and topics, history in
 *          MOM_HISTORY (empty: none), else
 *          in $XDG_STATE_HOME/mom/history or ~/.local/state/mom/history. A line that begins with a space is not
 *          remembered
 * SIGNALS  INT: brings a waiting R back to the prompt, elsewhere ends; TERM: ends. The client is destroyed at every end
 * EXIT     0 every command succeeded   1 one did not (a timeout is no success)   100 wrong use   111 no client could be
 *          made */
#include "base/utf8.h"
#include "base/arguments.h"
#include "base/program.h"
#include "tools/user/user_prompt.h"
#include <mom.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_WRONG_USE = 100, EXIT_NO_CLIENT = 111 };

static struct {
	int id, terminal, edits, failed, done;
	volatile sig_atomic_t receiving, interrupted, ended;
} user = { .id = -1 };
static struct arguments given;

static const char help_text[] =
    "  S topic         subscribe            U topic   unsubscribe\n"
    "  P topic text    publish all after one space\n"
    "  R [seconds]     receive: waits for ever, or so long (Ctrl-C ends the waiting)\n"
    "  H               this help            E         exit\n";

static const char editing_text[] =
    "On a terminal: arrows and Ctrl-A E K U W Y edit, up and Ctrl-R bring back lines, Tab completes commands and "
    "topics (twice: shows them).\n"
    "Lines are remembered in MOM_HISTORY (empty: nowhere), else ~/.local/state/mom/history; not those that begin with "
    "a space.\n";

/* The line editor takes Ctrl-C as a key. Where it works, SIGINT by a key (of SI_KERNEL) is meant for the command that
 * runs, also where that is just over: it never ends the session. */
static void
on_signal(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (number == SIGINT && (user.receiving || (user.edits && info->si_code == SI_KERNEL)))
		user.interrupted = 1;
	else
		user.ended = 1;
	if (user.id >= 0)
		mom_wake(user.id);
}

static void
catch_signals(void)
{
	/* no SA_RESTART: a read at the prompt ends */
	struct sigaction act = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
}

/* ---- output ---- */

static void
print_escaped(const void *data, size_t n)
{
	const unsigned char *p = data;
	size_t len;
	for (size_t i = 0; i < n; i += len ? len : 1) {
		uint32_t code = 0;
		len = utf8_decode(p + i, n - i, &code);
		if (p[i] == '\n' || p[i] == '\t' || p[i] == '\\')
			printf("\\%c", p[i] == '\n' ? 'n' : p[i] == '\t' ? 't' : '\\');
		else if (len && code >= 0x20 && (code < 0x7f || code >= 0xa0))
			fwrite(p + i, 1, len, stdout);
		else {
			printf("\\x%02X", p[i]);
			len = 1;
		}
	}
}

static void
report(int r, const char *verb, const char *topic, const char *friendly)
{
	user.failed |= r < 0;
	if (r < 0)
		printf("error %s ", verb);
	else
		printf(user.terminal ? "%s " : "ok %s ", user.terminal ? friendly : verb);
	print_escaped(topic, strlen(topic));
	if (r < 0)
		printf(": %s\n", mom_error_text(user.id));
	else
		puts(user.terminal ? "." : "");
}

/* ---- commands ---- */

static void
do_subscribe(char *topic, char *rest)
{
	(void)rest;
	int r = mom_subscribe(user.id, topic, 0);
	report(r, "subscribe", topic, "Subscribed to");
	if (r == 0 || r == MOM_EEXIST)
		prompt_learn(topic, PROMPT_SUBSCRIBED);
}

static void
do_unsubscribe(char *topic, char *rest)
{
	(void)rest;
	int r = mom_unsubscribe(user.id, topic);
	report(r, "unsubscribe", topic, "Unsubscribed from");
	if (r == 0)
		prompt_learn(topic, PROMPT_UNSUBSCRIBED);
}

static void
do_publish(char *topic, char *text)
{
	int r = mom_publish(user.id, topic, text, strlen(text), 0);
	report(r, "publish", topic, "Published to");
	if (r == 0)
		prompt_learn(topic, PROMPT_SEEN);
}

static int
receive_message(double seconds)
{
	struct mom_message m;
	int r;
	do
		r = mom_receive(user.id, &m, seconds < 0 ? -1 : (int)(seconds * 1000));
	while (r == MOM_EINTR && !user.interrupted && !user.ended);
	if (r == 0) {
		if (m.flags & MOM_GAP)
			printf("%s", user.terminal ? "Gap: " : "gap ");
		else {
			printf("%s ", user.terminal ? "Message from" : "message");
			print_escaped(m.topic, strlen(m.topic));
			printf(user.terminal ? ": " : " ");
		}
		print_escaped(m.data, m.len);
		putchar('\n');
	}
	return r;
}

static void
do_receive(char *text, char *rest)
{
	char *end = text;
	double seconds = *text ? strtod(text, &end) : -1;
	if (*rest || (*text && (*end || !(seconds >= 0 && seconds <= INT_MAX / 1000)))) {
		printf("error receive: `");
		print_escaped(text, strlen(text));
		printf("%s", *rest ? " " : "");
		print_escaped(rest, strlen(rest));
		printf("` is no number of seconds\n");
		user.failed = 1;
		return;
	}
	user.receiving = 1;
	int r = receive_message(seconds);
	user.receiving = 0;
	user.failed |= r != 0;
	if (r == MOM_ETIMEDOUT)
		puts(user.terminal ? "Nothing came in time." : "timeout");
	else if (r == MOM_EINTR && user.terminal)
		puts("");
	else if (r < 0)
		printf("error receive: %s\n", mom_error_text(user.id));
}

static void
do_help(char *topic, char *rest)
{
	(void)topic;
	(void)rest;
	fputs(help_text, stderr);
	if (user.terminal)
		fputs(editing_text, stderr);
}

static void
do_exit(char *topic, char *rest)
{
	(void)topic;
	(void)rest;
	user.done = 1;
}

static const struct command {
	char letter;
	const char *word;
	int needs_topic;
	void (*run)(char *topic, char *rest);
} commands[] = {
	{ 'S', "subscribe", 1, do_subscribe },
	{ 'U', "unsubscribe", 1, do_unsubscribe },
	{ 'P', "publish", 1, do_publish },
	{ 'R', "receive", 0, do_receive },
	{ 'H', "help", 0, do_help },
	{ 'E', "exit", 0, do_exit },
};

static const struct command *
find_command(const char *word)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if ((toupper((unsigned char)word[0]) == commands[i].letter && word[1] == '\0') ||
		    strcasecmp(word, commands[i].word) == 0)
			return &commands[i];
	return NULL;
}

/* cuts off the word at *text and leaves *text behind exactly one space */
static char *
next_word(char **text)
{
	char *word = *text, *space = strchr(word, ' ');
	if (space)
		*space = '\0';
	*text = space ? space + 1 : word + strlen(word);
	return word;
}

static void
run_line(char *line)
{
	char *word, *topic;
	while (*line == ' ' || *line == '\t')
		line++;
	if (*line == '\0')
		return;
	user.interrupted = 0;
	word = next_word(&line);
	topic = next_word(&line);
	const struct command *c = find_command(word);
	if (c == NULL || (c->needs_topic && *topic == '\0')) {
		printf("error ");
		print_escaped(word, strlen(word));
		printf(": %s\n", c ? "it needs a topic" : "there is no such command; H shows them");
		user.failed = 1;
	} else
		c->run(topic, line);
	user.ended |= program_flush() < 0;      /* nobody would see what more is done: end() says why */
}

/* ---- input ---- */

static const char *
command_word(int i)
{
	return (size_t)i < sizeof commands / sizeof *commands ? commands[i].word : NULL;
}

static int
takes_topic(const char *word)
{
	const struct command *c = find_command(word);
	return c == NULL || !c->needs_topic ? 0 : c->run == do_unsubscribe ? 2 : 1;
}

static void
run_terminal(void)
{
	for (char *line; !user.done && !user.ended && (line = prompt_read(&user.ended)) != NULL; free(line))
		/* a paste: more than one */
		for (char *rest = line, *one; !user.done && !user.ended && (one = strsep(&rest, "\n")) != NULL;)
			run_line(one);
	prompt_close();
}

static void
run_input(void)
{
	char *line = NULL;
	size_t room = 0;
	while (!user.done && !user.ended) {
		if (user.terminal) {
			fputs("mom> ", stdout);
			fflush(stdout);
		}
		ssize_t n = getline(&line, &room, stdin);
		if (n < 0) {
			if (ferror(stdin) && !user.ended) {
				fprintf(stderr, "user_main: standard input: %s\n", strerror(errno));
				user.failed = 1;
			}
			break;
		}
		size_t length = (size_t)n - (line[n - 1] == '\n');
		line[length] = '\0';
		if (strlen(line) == length) {
			run_line(line);
			continue;
		}
		/* what follows it would be lost */
		printf("error: a zero byte in the line: a message published here is text\n");
		fflush(stdout);
		user.failed = 1;
	}
	free(line);
}

static void
parse(int argc, char **argv)
{
	static const struct option options[] = { { "run", 1, 0, 'r' }, { "help", 0, 0, 'h' }, { 0 } };
	arguments_begin(&given, argc, argv, "h", options);
	for (int o; (o = arguments_next(&given)) != -1;) {
		if (o == 'h') {
			printf("usage: user_main [--run DIR] [COMMAND ...]\n%s%s", help_text, editing_text);
			exit(program_end("user_main", 0, EXIT_FAILED));
		}
		if (o != 'r') {
			fprintf(stderr, "user_main: %s; see user_main --help\n", given.fault);
			exit(EXIT_WRONG_USE);
		}
		setenv("MOM_RUN", given.value, 1);
	}
}

static int
end(void)
{
	int r = mom_destroy(user.id);
	user.id = -1;
	if (r < 0) {
		fprintf(stderr, "user_main: destroy: %s\n", mom_error_text(-1));
		user.failed = 1;
	}
	if (user.done)
		puts(user.terminal ? "Bye." : "ok exit");
	return program_end("user_main", user.failed ? EXIT_FAILED : 0, EXIT_FAILED);
}

int
main(int argc, char **argv)
{
	program_begin(argc, argv, "user_main");
	parse(argc, argv);
	const char *fault = program_stream_fault(STDOUT_FILENO);
	if (fault == NULL && given.count == 0)
		fault = program_stream_fault(STDIN_FILENO);
	if (fault) {
		fprintf(stderr, "user_main: %s\n", fault);
		return EXIT_FAILED;
	}
	catch_signals();
	user.terminal = given.count == 0 && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	user.id = mom_create();
	if (user.id < 0) {
		fprintf(stderr, "user_main: %s\n", mom_error_text(-1));
		return EXIT_NO_CLIENT;
	}
	if (user.terminal)
		printf("Client %d (global id %016llx). H shows the commands.\n", user.id,
		    (unsigned long long)mom_global_id(user.id));
	if (given.count == 0) {
		static const struct prompt_commands known = { command_word, takes_topic };
		user.edits = user.terminal && prompt_open("mom> ", &known) == 0;
		user.edits ? run_terminal() : run_input();
		if (user.terminal && !user.done)
			putchar('\n');
	}
	for (char *one; !user.done && !user.ended && (one = arguments_take(&given)) != NULL;)
		run_line(one);
	return end();
}
