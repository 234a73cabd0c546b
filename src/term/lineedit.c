/* lineedit - see lineedit.h. An escape sequence may come in any pieces; one that is nobody's key does nothing. */
#include "term/lineedit.h"
#include "term/glyph.h"
#include "term/row.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define CTRL(letter) ((letter) - '@')
enum { KEY_TAB = 9, KEY_ESC = 27, KEY_BACKSPACE = 127, KEY_DELETE = 256, KEY_LEFT, KEY_RIGHT, KEY_PASTE, KEY_PASTED };

/* behind the escape, as in_sequence writes them down */
static const struct { char sequence[8]; int key; } sequences[] = {
	{ "[A", CTRL('P') }, { "[B", CTRL('N') }, { "[C", CTRL('F') }, { "[D", CTRL('B') }, { "[3~", KEY_DELETE },
	{ "[H", CTRL('A') }, { "[1~", CTRL('A') }, { "[7~", CTRL('A') },
	{ "[F", CTRL('E') }, { "[4~", CTRL('E') }, { "[8~", CTRL('E') },
	{ "b", KEY_LEFT }, { "[1;5D", KEY_LEFT }, { "[1;3D", KEY_LEFT }, { "[200~", KEY_PASTE },
	{ "f", KEY_RIGHT }, { "[1;5C", KEY_RIGHT }, { "[1;3C", KEY_RIGHT }, { "[201~", KEY_PASTED },
};

struct lineedit {
	const char *prompt;
	const struct history *history;
	lineedit_complete_fn complete;
	size_t columns;
	FILE *out;                               /* makes the next two */
	char *screen;
	size_t screen_n;
	char text[LINEEDIT_MAX], killed[LINEEDIT_MAX];   /* killed: what Ctrl-Y puts in */
	size_t n, cursor;                        /* of the text, in bytes */
	size_t at;                               /* the line that is shown; history->n: the one being typed */
	char typed[LINEEDIT_MAX];                /* the line being typed, while another is shown */
	const char *search;                      /* what is told of the search; NULL: there is none */
	char query[256], keys[16];               /* keys: an escape sequence that has begun */
	int changed;                             /* by the key at hand */
	int pasting;
	unsigned char last;                      /* the byte before this one */
};

/* ---- the text ---- */

/* The cursor goes behind what was put in. */
static void
replace(struct lineedit *e, size_t from, size_t to, const char *p, size_t n)
{
	if (e->n - (to - from) + n >= sizeof e->text) {
		fputc('\a', e->out);
		return;
	}
	memmove(e->text + from + n, e->text + to, e->n - to + 1);
	memcpy(e->text + from, p, n);
	e->n += n - (to - from);
	e->cursor = from + n;
	e->changed |= n || to != from;
}

/* Takes away the bytes from `from` to `to`; Ctrl-Y brings them back. */
static void
cut(struct lineedit *e, size_t from, size_t to)
{
	if (from == to)
		return;
	snprintf(e->killed, sizeof e->killed, "%.*s", (int)(to - from), e->text + from);
	replace(e, from, to, "", 0);
}

/* Where the word ends that is next in that direction. to_blank: all but blanks are of a word. */
static size_t
word_end(const struct lineedit *e, int step, int to_blank)
{
	size_t at = e->cursor, end = step < 0 ? 0 : e->n;
	for (int inside = 0; inside < 2; inside++)
		for (; at != end; at += (size_t)step) {
			int c = (unsigned char)e->text[step < 0 ? at - 1 : at];
			if ((to_blank ? !isspace(c) : isalnum(c) || c >= 0x80 || c == '_') != inside)
				break;
		}
	return at;
}

/* ---- the lines typed before ---- */

/* Does nothing where there is no such line. */
static void
show_line(struct lineedit *e, size_t at)
{
	if (at > e->history->n)
		return;
	if (e->at == e->history->n)
		strcpy(e->typed, e->text);
	e->at = at;
	const char *line = at < e->history->n ? e->history->lines[at] : e->typed;
	replace(e, 0, e->n, line, strlen(line));
}

/* The search shows the newest line that holds the query, of those older than line `at`. 1: it has taken the key. 0: it
 * is over, and the key is the line's. */
static int
search_key(struct lineedit *e, unsigned char c)
{
	size_t n = strlen(e->query), at = e->history->n;
	const char *hit = NULL;
	if (c == CTRL('R'))
		at = e->at;
	else if (c == KEY_BACKSPACE || c == CTRL('H'))
		e->query[glyph_step(e->query, n, n, -1)] = '\0';
	else if (c >= ' ' && n + 1 < sizeof e->query) {
		strcpy(e->query + n, (char[]){ (char)c, '\0' });
		at = e->at < at ? e->at + 1 : at;
	} else {
		e->search = NULL;
		if (c == CTRL('G') || c == CTRL('C'))
			show_line(e, at);
		return c == CTRL('G') || c == CTRL('C');
	}
	while (at > 0 && hit == NULL)
		hit = strstr(e->history->lines[--at], e->query);
	e->search = hit ? "search: " : "not found: ";
	if (hit) {
		show_line(e, at);
		e->cursor = (size_t)(hit - e->history->lines[at]);
	} else
		fputc('\a', e->out);
	return 1;
}

/* ---- completion ---- */

void
lineedit_choose(struct lineedit_choices *c, const char *word, size_t n)
{
	char *copy = strndup(word, n);
	size_t at = 0;
	while (copy && at < c->n && strcmp(c->words[at], copy) < 0)
		at++;
	if (copy == NULL || c->n == LINEEDIT_CHOICES || (at < c->n && strcmp(c->words[at], copy) == 0)) {
		free(copy);
		return;
	}
	memmove(c->words + at + 1, c->words + at, (c->n++ - at) * sizeof *c->words);
	c->words[at] = copy;
}

/* How much of the first word is of the last one, too, in whole characters: the words between them have it as well. */
static size_t
common(const char *first, const char *last)
{
	size_t n = 0;
	for (size_t k; first[n]; n += k) {
		k = glyph_at(first + n, strlen(first + n)).bytes;
		if (strncmp(first + n, last + n, k) != 0)
			break;
	}
	return n;
}

static void
complete(struct lineedit *e)
{
	struct lineedit_choices c = { .from = e->cursor };
	e->complete(e->text, e->cursor, &c);
	size_t n = c.n ? common(c.words[0], c.words[c.n - 1]) : 0;
	if (c.n == 1 || n > e->cursor - c.from)
		replace(e, c.from, e->cursor, c.words[0], n);
	else if (c.n > 1 && e->last == KEY_TAB)
		row_list(e->out, e->columns, c.words, c.n);
	else
		fputc('\a', e->out);
	if (c.n == 1)                            /* a blank behind it, or the one that is there */
		replace(e, e->cursor, e->cursor + (e->text[e->cursor] == ' '), " ", 1);
	while (c.n > 0)
		free(c.words[--c.n]);
}

/* ---- keys ---- */

static void
draw(struct lineedit *e, const char *behind)
{
	char prompt[sizeof e->query + 32];
	snprintf(prompt, sizeof prompt, "%s%s | ", e->search ? e->search : "", e->query);
	row_draw(e->out, e->columns, e->search ? prompt : e->prompt, e->text, e->cursor);
	fputs(behind, e->out);
}

/* A key that can change nothing rings. */
static enum lineedit_event
control(struct lineedit *e, int key)
{
	size_t n = e->n, at = e->cursor, left = glyph_step(e->text, n, at, -1), right = glyph_step(e->text, n, at, 1);
	e->changed = 0;
	if (key == CTRL('D') && n == 0)
		return LINEEDIT_END;
	if (key == '\r' || key == '\n' || key == CTRL('C')) {
		e->cursor = n;
		draw(e, key == CTRL('C') ? "^C\r\n" : "\r\n");
	}
	switch (key) {
	case CTRL('A'):                     e->cursor = 0; break;
	case CTRL('E'):                     e->cursor = n; break;
	case CTRL('B'):                     e->cursor = left; break;
	case CTRL('F'):                     e->cursor = right; break;
	case KEY_LEFT:                      e->cursor = word_end(e, -1, 0); break;
	case KEY_RIGHT:                     e->cursor = word_end(e, 1, 0); break;
	case CTRL('H'): case KEY_BACKSPACE: replace(e, left, at, "", 0); break;
	case CTRL('D'): case KEY_DELETE:    replace(e, at, right, "", 0); break;
	case CTRL('K'):                     cut(e, at, n); break;
	case CTRL('U'):                     cut(e, 0, at); break;
	case CTRL('W'):                     cut(e, word_end(e, -1, 1), at); break;
	case CTRL('Y'):                     replace(e, at, at, e->killed, strlen(e->killed)); break;
	case CTRL('P'):                     show_line(e, e->at - 1); break;
	case CTRL('N'):                     show_line(e, e->at + 1); break;
	case CTRL('R'):                     e->search = "search: "; e->query[0] = '\0'; return LINEEDIT_MORE;
	case KEY_TAB:                       complete(e); return LINEEDIT_MORE;
	case CTRL('L'):                     fputs("\x1b[H\x1b[2J", e->out); return LINEEDIT_MORE;
	case CTRL('C'):                     lineedit_begin(e, e->columns); return LINEEDIT_MORE;
	case CTRL('Z'):                     return LINEEDIT_STOP;
	case '\r': case '\n':               return LINEEDIT_LINE;
	case KEY_PASTE: case KEY_PASTED:    e->pasting = key == KEY_PASTE; return LINEEDIT_MORE;
	}
	if (!e->changed && e->cursor == at && key != CTRL('A') && key != CTRL('E'))
		fputc('\a', e->out);
	return LINEEDIT_MORE;
}

/* 1: the byte belonged to a sequence. "[[" begins the function keys of the Linux console. */
static int
in_sequence(struct lineedit *e, unsigned char c)
{
	size_t n = strlen(e->keys);
	if (c == KEY_ESC || n == 0 || c < ' ' || c >= KEY_BACKSPACE) {           /* it begins, or is broken off */
		strcpy(e->keys, c == KEY_ESC ? "\x1b" : "");
		return c == KEY_ESC;
	}
	if (n == 1)
		c = c == 'O' ? '[' : (unsigned char)tolower(c);
	if (n + 1 < sizeof e->keys)
		strcpy(e->keys + n, (char[]){ (char)c, '\0' });
	if (n == 1 ? c == '[' : c < '@' || (n == 2 && c == '['))
		return 1;
	for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++)
		if (strcmp(sequences[i].sequence, e->keys + 1) == 0 && (!e->pasting || sequences[i].key == KEY_PASTED))
			control(e, sequences[i].key);
	e->keys[0] = '\0';
	return 1;
}

/* Line ends of each kind that are pasted become a newline; of the other controls only tabs are text. */
static enum lineedit_event
key(struct lineedit *e, unsigned char c)
{
	int pasted = e->pasting && (c == '\t' || c == '\r' || (c == '\n' && e->last != '\r'));
	if ((e->search && search_key(e, c)) || in_sequence(e, c))
		return LINEEDIT_MORE;
	if (pasted || (c >= ' ' && c != KEY_BACKSPACE))
		replace(e, e->cursor, e->cursor, c == '\r' ? "\n" : (const char *)&c, 1);
	else if (!e->pasting || c == CTRL('C'))                  /* a paste without an end would take all keys */
		return control(e, c);
	return LINEEDIT_MORE;
}

enum lineedit_event
lineedit_feed(struct lineedit *e, const void *bytes, size_t n, size_t *used)
{
	const unsigned char *p = bytes;
	enum lineedit_event event = LINEEDIT_MORE;
	for (*used = 0; *used < n && event == LINEEDIT_MORE; e->last = p[(*used)++]) {
		event = key(e, p[*used]);
		e->cursor = glyph_settle(e->text, e->n, e->cursor);
	}
	if (event != LINEEDIT_LINE)
		draw(e, "");
	return event;
}

/* ---- its life ---- */

struct lineedit *
lineedit_new(const char *prompt, const struct history *history, lineedit_complete_fn complete_fn)
{
	struct lineedit *e = calloc(1, sizeof *e);
	if (e == NULL || (e->out = open_memstream(&e->screen, &e->screen_n)) == NULL) {
		free(e);
		return NULL;
	}
	e->prompt = prompt;
	e->history = history;
	e->complete = complete_fn;
	return e;
}

void
lineedit_free(struct lineedit *e)
{
	if (e == NULL)
		return;
	fclose(e->out);
	free(e->screen);
	free(e);
}

void
lineedit_begin(struct lineedit *e, size_t columns)
{
	replace(e, 0, e->n, "", 0);
	e->at = e->history->n;
	e->search = NULL;
	e->pasting = 0;
	lineedit_resize(e, columns);
}

void
lineedit_resize(struct lineedit *e, size_t columns)
{
	e->columns = columns;
	fputs("\r\x1b[J", e->out);
	draw(e, "");
}

const char *
lineedit_line(const struct lineedit *e)
{
	return e->text;
}

size_t
lineedit_cursor(const struct lineedit *e)
{
	return e->cursor;
}

const char *
lineedit_output(struct lineedit *e, size_t *n)
{
	fflush(e->out);
	*n = e->screen_n;
	rewind(e->out);
	return e->screen;
}
