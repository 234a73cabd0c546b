/* lineedit - the keys; see lineedit.h. An escape sequence may come in any pieces; one that is nobody's key does
 * nothing. */
#include "term/lineedit_inner.h"
#include "term/glyph.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define CTRL(letter) ((letter) - '@')
enum { KEY_TAB = 9, KEY_ESC = 27, KEY_BACKSPACE = 127, KEY_DELETE = 256, KEY_WORD_LEFT, KEY_WORD_RIGHT, KEY_PASTE,
	KEY_PASTED, COLUMNS_LEAST = 2 };

/* behind the escape */
static const struct { char sequence[7]; int key; } sequences[] = {
	{ "[A", CTRL('P') }, { "OA", CTRL('P') }, { "[B", CTRL('N') }, { "OB", CTRL('N') },
	{ "[C", CTRL('F') }, { "OC", CTRL('F') }, { "[D", CTRL('B') }, { "OD", CTRL('B') },
	{ "[H", CTRL('A') }, { "OH", CTRL('A') }, { "[1~", CTRL('A') }, { "[7~", CTRL('A') },
	{ "[F", CTRL('E') }, { "OF", CTRL('E') }, { "[4~", CTRL('E') }, { "[8~", CTRL('E') },
	{ "b", KEY_WORD_LEFT }, { "B", KEY_WORD_LEFT }, { "[1;5D", KEY_WORD_LEFT }, { "[1;3D", KEY_WORD_LEFT },
	{ "f", KEY_WORD_RIGHT }, { "F", KEY_WORD_RIGHT }, { "[1;5C", KEY_WORD_RIGHT }, { "[1;3C", KEY_WORD_RIGHT },
	{ "[3~", KEY_DELETE }, { "[200~", KEY_PASTE }, { "[201~", KEY_PASTED },
};

/* ---- the text ---- */

static void
bell(struct lineedit *e)
{
	draw_text(e, "\a");
}

/* The cursor goes behind what was put in. */
static void
replace(struct lineedit *e, size_t from, size_t to, const char *p, size_t n)
{
	e->dirty = 1;
	if (bytes_replace(&e->text, from, to, p, n) < 0)
		bell(e);
	else
		e->cursor = from + n;
}

static void
insert(struct lineedit *e, const char *p, size_t n)
{
	replace(e, e->cursor, e->cursor, p, n);
}

/* Takes away the bytes from `from` to `to`; Ctrl-Y brings them back. */
static void
kill(struct lineedit *e, size_t from, size_t to)
{
	char *copy = from < to ? strndup(e->text.p + from, to - from) : NULL;
	if (copy == NULL) {
		bell(e);
		return;
	}
	free(e->killed);
	e->killed = copy;
	replace(e, from, to, "", 0);
}

static size_t
character_left(const struct lineedit *e)
{
	return e->cursor > 0 ? glyph_prev(e->text.p, e->cursor) : 0;
}

static size_t
character_right(const struct lineedit *e)
{
	return e->cursor < e->text.n ? glyph_next(e->text.p, e->text.n, e->cursor) : e->cursor;
}

static void
move(struct lineedit *e, size_t to)
{
	if (to == e->cursor)
		bell(e);
	e->cursor = to;
}

static int
is_word(int c)
{
	return isalnum(c) || c >= 0x80 || c == '_';
}

static int
is_no_blank(int c)
{
	return !isspace(c);
}

static size_t
word_left(const struct lineedit *e, int (*in_word)(int c))
{
	const unsigned char *p = (const unsigned char *)e->text.p;
	size_t at = e->cursor;
	while (at > 0 && !in_word(p[at - 1]))
		at--;
	while (at > 0 && in_word(p[at - 1]))
		at--;
	return at;
}

static size_t
word_right(const struct lineedit *e)
{
	const unsigned char *p = (const unsigned char *)e->text.p;
	size_t at = e->cursor;
	while (at < e->text.n && !is_word(p[at]))
		at++;
	while (at < e->text.n && is_word(p[at]))
		at++;
	return at;
}

/* ---- the lines typed before ---- */

static void
show_line(struct lineedit *e, size_t at)
{
	if (e->at == e->history->n) {
		free(e->typed);
		e->typed = strdup(lineedit_line(e));
	}
	const char *line = at < e->history->n ? e->history->lines[at] : e->typed ? e->typed : "";
	e->at = at;
	replace(e, 0, e->text.n, line, strlen(line));
}

static void
go(struct lineedit *e, int step)
{
	if (step < 0 ? e->at == 0 : e->at >= e->history->n)
		bell(e);
	else
		show_line(e, e->at + (size_t)step);
}

static void
search_begin(struct lineedit *e)
{
	if (bytes_replace(&e->query, 0, e->query.n, "", 0) < 0) {
		bell(e);
		return;
	}
	e->search_began = e->at;
	e->searching = 1;
	e->missed = 0;
}

/* Shows the newest line that holds the query, of those older than line `below`. */
static void
search(struct lineedit *e, size_t below)
{
	e->missed = e->query.n > 0;
	for (size_t at = below; at-- > 0 && e->missed;) {
		const char *line = e->history->lines[at], *hit = strstr(line, e->query.p);
		if (hit == NULL)
			continue;
		show_line(e, at);
		e->cursor = (size_t)(hit - line);
		e->missed = 0;
	}
	if (e->missed)
		bell(e);
}

/* 1: the search has taken the key. 0: the search is over, and the key is the line's. */
static int
search_key(struct lineedit *e, unsigned char c)
{
	e->dirty = 1;
	if (c == CTRL('R'))
		search(e, e->at);
	else if (c == KEY_BACKSPACE || c == CTRL('H')) {
		if (e->query.n > 0)
			bytes_replace(&e->query, glyph_prev(e->query.p, e->query.n), e->query.n, "", 0);
		search(e, e->history->n);
	} else if (c >= 0x20) {
		if (bytes_replace(&e->query, e->query.n, e->query.n, (const char *)&c, 1) < 0)
			bell(e);
		search(e, e->at < e->history->n ? e->at + 1 : e->at);
	} else {
		e->searching = 0;
		if (c != CTRL('G') && c != CTRL('C'))
			return 0;
		show_line(e, e->search_began);
	}
	return 1;
}

/* ---- completion ---- */

void
lineedit_choose(struct lineedit_choices *c, const char *word, size_t n)
{
	char *copy = strndup(word, n), **bigger = realloc(c->words, (c->n + 1) * sizeof *bigger);
	size_t at = 0;
	if (bigger)
		c->words = bigger;
	while (copy && bigger && at < c->n && strcmp(c->words[at], copy) < 0)
		at++;
	if (copy == NULL || bigger == NULL || (at < c->n && strcmp(c->words[at], copy) == 0)) {
		free(copy);
		return;
	}
	memmove(c->words + at + 1, c->words + at, (c->n++ - at) * sizeof *c->words);
	c->words[at] = copy;
}

/* How much of the first word all have, in whole characters. The words are sorted: the first and the last decide. */
static size_t
common(const struct lineedit_choices *c)
{
	const char *a = c->words[0], *b = c->words[c->n - 1];
	size_t n = 0;
	while (a[n] && a[n] == b[n])
		n++;
	while (n > 0 && glyph_settle(a, strlen(a), n) != n)
		n--;
	return n;
}

static void
complete(struct lineedit *e)
{
	struct lineedit_choices c = { .from = e->cursor };
	if (e->complete)
		e->complete(lineedit_line(e), e->cursor, &c);
	size_t typed = e->cursor - c.from, n = c.n ? common(&c) : 0;
	if (c.n == 1 || (c.n > 1 && n > typed))
		replace(e, c.from, e->cursor, c.words[0], n);
	else if (c.n > 1 && e->tabs > 1)
		draw_choices(e, &c);
	else
		bell(e);
	if (c.n == 1 && lineedit_line(e)[e->cursor] == ' ')
		e->cursor++;
	else if (c.n == 1)
		insert(e, " ", 1);
	for (size_t i = 0; i < c.n; i++)
		free(c.words[i]);
	free(c.words);
}

/* ---- keys ---- */

static void
clear_line(struct lineedit *e)
{
	e->cursor = e->text.n;
	draw_row(e);
	draw_text(e, "^C\r\n");
	replace(e, 0, e->text.n, "", 0);
	e->at = e->history->n;
}

static void
control(struct lineedit *e, int key)
{
	e->dirty = 1;
	switch (key) {
	case CTRL('A'):      e->cursor = 0; break;
	case CTRL('E'):      e->cursor = e->text.n; break;
	case CTRL('B'):      move(e, character_left(e)); break;
	case CTRL('F'):      move(e, character_right(e)); break;
	case KEY_WORD_LEFT:  e->cursor = word_left(e, is_word); break;
	case KEY_WORD_RIGHT: e->cursor = word_right(e); break;
	case CTRL('H'): case KEY_BACKSPACE: replace(e, character_left(e), e->cursor, "", 0); break;
	case CTRL('D'): case KEY_DELETE:    replace(e, e->cursor, character_right(e), "", 0); break;
	case CTRL('K'):      kill(e, e->cursor, e->text.n); break;
	case CTRL('U'):      kill(e, 0, e->cursor); break;
	case CTRL('W'):      kill(e, word_left(e, is_no_blank), e->cursor); break;
	case CTRL('Y'):      insert(e, e->killed ? e->killed : "", e->killed ? strlen(e->killed) : 0); break;
	case CTRL('P'):      go(e, -1); break;
	case CTRL('N'):      go(e, 1); break;
	case CTRL('R'):      search_begin(e); break;
	case KEY_TAB:        complete(e); break;
	case CTRL('L'):      draw_text(e, "\x1b[H\x1b[2J"); break;
	case CTRL('C'):      clear_line(e); break;
	case KEY_PASTE:      e->pasting = 1; e->paste_cr = 0; break;
	default:             bell(e);
	}
}

/* Is the sequence whole with this byte? "[[" begins the function keys of the Linux console. */
static int
ends_sequence(const struct lineedit *e, unsigned char c)
{
	if (e->keys_n == 1)
		return c != '[' && c != 'O';
	return e->keys[1] == 'O' || (c >= 0x40 && !(e->keys_n == 2 && c == '['));
}

/* 1: the byte belonged to a sequence. keys holds its first bytes, the escape too; a longer one is no known key. */
static int
in_sequence(struct lineedit *e, unsigned char c)
{
	if (c == KEY_ESC) {
		e->keys[0] = KEY_ESC;
		e->keys_n = 1;
		return 1;
	}
	if (e->keys_n == 0 || c < 0x20 || c >= KEY_BACKSPACE) {           /* there is none, or it was broken off */
		e->keys_n = 0;
		return 0;
	}
	int ends = ends_sequence(e, c);
	if (e->keys_n < sizeof e->keys)
		e->keys[e->keys_n++] = (char)c;
	if (!ends)
		return 1;
	for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++) {
		size_t n = strlen(sequences[i].sequence);
		if (n != e->keys_n - 1 || memcmp(sequences[i].sequence, e->keys + 1, n) != 0)
			continue;
		if (sequences[i].key == KEY_PASTED)
			e->pasting = 0;
		else if (!e->pasting)
			control(e, sequences[i].key);
	}
	e->keys_n = 0;
	return 1;
}

/* Line ends of each kind become a newline; of the other controls only tabs are text. */
static void
paste(struct lineedit *e, unsigned char c)
{
	int was_cr = e->paste_cr;
	e->paste_cr = c == '\r';
	if (c == CTRL('C')) {                                    /* a paste without an end would take all keys */
		e->pasting = 0;
		clear_line(e);
	} else if (c == '\r' || (c == '\n' && !was_cr))
		insert(e, "\n", 1);
	else if (c == '\t' || (c >= 0x20 && c != KEY_BACKSPACE))
		insert(e, (const char *)&c, 1);
}

static enum lineedit_event
key(struct lineedit *e, unsigned char c)
{
	e->tabs = c == KEY_TAB ? e->tabs + 1 : 0;
	if (e->searching && search_key(e, c))
		return LINEEDIT_MORE;
	if (in_sequence(e, c))
		return LINEEDIT_MORE;
	if (e->pasting)
		paste(e, c);
	else if (c == '\r' || c == '\n') {
		e->cursor = e->text.n;
		draw_row(e);
		draw_text(e, "\r\n");
		return LINEEDIT_LINE;
	} else if (c == CTRL('D') && e->text.n == 0)
		return LINEEDIT_END;
	else if (c == CTRL('Z'))
		return LINEEDIT_STOP;
	else if (c < 0x20 || c == KEY_BACKSPACE)
		control(e, c);
	else
		insert(e, (const char *)&c, 1);
	return LINEEDIT_MORE;
}

enum lineedit_event
lineedit_feed(struct lineedit *e, const void *bytes, size_t n, size_t *used)
{
	const unsigned char *p = bytes;
	enum lineedit_event event = LINEEDIT_MORE;
	for (*used = 0; *used < n && event == LINEEDIT_MORE;) {
		event = key(e, p[(*used)++]);
		e->cursor = glyph_settle(lineedit_line(e), e->text.n, e->cursor);
	}
	if (e->dirty && event != LINEEDIT_LINE)
		draw_row(e);
	return event;
}

/* ---- its life ---- */

struct lineedit *
lineedit_new(const char *prompt, const struct history *history, lineedit_complete_fn complete_fn)
{
	struct lineedit *e = calloc(1, sizeof *e);
	if (e == NULL || bytes_replace(&e->text, 0, 0, "", 0) < 0 || bytes_replace(&e->out, 0, 0, "", 0) < 0) {
		lineedit_free(e);
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
	free(e->text.p);
	free(e->out.p);
	free(e->query.p);
	free(e->killed);
	free(e->typed);
	free(e);
}

static void
set_columns(struct lineedit *e, size_t columns)
{
	e->columns = columns < COLUMNS_LEAST ? COLUMNS_LEAST : columns;
}

void
lineedit_begin(struct lineedit *e, size_t columns)
{
	set_columns(e, columns);
	bytes_replace(&e->text, 0, e->text.n, "", 0);
	e->cursor = 0;
	e->searching = e->tabs = 0;
	e->at = e->history->n;
	draw_row(e);
}

const char *
lineedit_line(const struct lineedit *e)
{
	return e->text.p;
}

size_t
lineedit_cursor(const struct lineedit *e)
{
	return e->cursor;
}

void
lineedit_resize(struct lineedit *e, size_t columns)
{
	set_columns(e, columns);
	draw_text(e, "\r\x1b[J");
	draw_row(e);
}

const char *
lineedit_output(struct lineedit *e, size_t *n)
{
	*n = e->out.n;
	e->out.n = 0;
	return e->out.p;
}
