/* user_prompt - see user_prompt.h. Topics are known from this session and from the history. */
#include "tools/user/user_prompt.h"
#include "term/lineedit.h"
#include "term/term.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct known { char *topic; int subscribed; };

static struct {
	struct lineedit *edit;
	struct history history;
	const struct prompt_commands *commands;
	struct known *known;
	size_t n, room;
} session;

/* ---- completion ---- */

/* the word that begins at text, and what lies between it and the next */
static size_t
word_length(const char *text, size_t n)
{
	size_t len = 0;
	while (len < n && text[len] != ' ' && text[len] != '\n')
		len++;
	return len;
}

static void
choose_commands(const char *typed, size_t n, struct lineedit_choices *to)
{
	const char *word;
	for (int i = 0; (word = session.commands->word(i)) != NULL; i++)
		if (strncasecmp(word, typed, n) == 0)
			lineedit_choose(to, word, strlen(word));
}

/* 0: none, else as takes_topic */
static int
topic_follows(const char *word, size_t n)
{
	char *copy = strndup(word, n);
	int r = copy ? session.commands->takes_topic(copy) : 0;
	free(copy);
	return r;
}

static void
choose_topics(const char *typed, size_t n, int only_subscribed, struct lineedit_choices *to)
{
	for (size_t i = 0; i < session.n; i++)
		if (strncmp(session.known[i].topic, typed, n) == 0 && (session.known[i].subscribed || !only_subscribed))
			lineedit_choose(to, session.known[i].topic, strlen(session.known[i].topic));
	for (size_t i = 0; i < session.history.n && !only_subscribed; i++) {
		const char *line = session.history.lines[i];
		size_t word = word_length(line, strlen(line));
		if (line[word] == '\0' || !topic_follows(line, word))
			continue;
		line += word + 1;
		size_t topic = word_length(line, strlen(line));
		if (topic >= n && topic > 0 && strncmp(line, typed, n) == 0)
			lineedit_choose(to, line, topic);
	}
}

/* what may stand at the cursor: of the pasted lines the one it is in counts */
static void
complete(const char *text, size_t cursor, struct lineedit_choices *to)
{
	size_t start = cursor;
	while (start > 0 && text[start - 1] != '\n')
		start--;
	while (start < cursor && (text[start] == ' ' || text[start] == '\t'))
		start++;
	size_t word = word_length(text + start, cursor - start);
	to->from = start;
	if (start + word == cursor) {
		choose_commands(text + start, word, to);
		return;
	}
	int follows = topic_follows(text + start, word);
	to->from = start + word + 1;
	if (follows && to->from + word_length(text + to->from, cursor - to->from) == cursor)
		choose_topics(text + to->from, cursor - to->from, follows == 2, to);
}

void
prompt_learn(const char *topic, enum prompt_topic what)
{
	if (session.edit == NULL)
		return;
	for (size_t i = 0; i < session.n; i++)
		if (strcmp(session.known[i].topic, topic) == 0) {
			session.known[i].subscribed = what == PROMPT_SUBSCRIBED ||
			    (session.known[i].subscribed && what != PROMPT_UNSUBSCRIBED);
			return;
		}
	if (session.n == session.room) {
		size_t room = session.room ? 2 * session.room : 32;
		struct known *bigger = realloc(session.known, room * sizeof *bigger);
		if (bigger == NULL)
			return;
		session.known = bigger;
		session.room = room;
	}
	char *copy = strdup(topic);
	if (copy)
		session.known[session.n++] = (struct known){ copy, what == PROMPT_SUBSCRIBED };
}

/* ---- history ---- */

static void
complain(const char *path)
{
	fprintf(stderr, "user_main: history %s: %s: goes on without; MOM_HISTORY names another file, or is empty for "
	    "none\n", path, strerror(errno));
}

static void
load_history(void)
{
	char *path = history_path();
	if (path && history_open(&session.history, path) < 0)
		complain(path);
	free(path);
}

static void
remember(const char *line)
{
	history_add(&session.history, line);
	if (history_save(&session.history) == 0)
		return;
	complain(session.history.path);
	free(session.history.path);
	session.history.path = NULL;                           /* told once is enough */
}

/* ---- lines ---- */

int
prompt_open(const char *prompt, const struct prompt_commands *commands)
{
	if (!term_can_edit() || (session.edit = lineedit_new(prompt, &session.history, complete)) == NULL)
		return -1;
	session.commands = commands;
	load_history();
	return 0;
}

char *
prompt_read(const volatile sig_atomic_t *over)
{
	fflush(stdout);
	const char *line = term_read(session.edit, over);
	if (line == NULL)
		return NULL;
	remember(line);
	return strdup(line);
}

void
prompt_close(void)
{
	lineedit_free(session.edit);
	session.edit = NULL;
	history_free(&session.history);
	for (size_t i = 0; i < session.n; i++)
		free(session.known[i].topic);
	free(session.known);
	session.known = NULL;
	session.n = session.room = 0;
}
