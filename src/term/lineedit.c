/* lineedit - the keys; see lineedit.h. An escape sequence may come in any pieces; one that is nobody's key does
 * nothing. */
#include "term/lineedit_inner.h"
#include "term/glyph.h"
#include <stdlib.h>
#include <string.h>

#define CTRL(letter) ((letter) - '@')
enum { KEY_TAB = 9, KEY_ESC = 27, KEY_BACKSPACE = 127, COLUMNS_LEAST = 2 };

static void
change_line(struct lineedit *e, unsigned char c)
{
	switch (c) {
	case CTRL('H'): case KEY_BACKSPACE: text_delete(e, 0); break;
	case CTRL('D'): text_delete(e, 1); break;
	case CTRL('K'): text_kill(e, e->cursor, e->text.n); break;
	case CTRL('U'): text_kill(e, 0, e->cursor); break;
	case CTRL('W'): text_kill(e, text_blank_left(e), e->cursor); break;
	case CTRL('Y'): text_insert(e, bytes_text(&e->killed), e->killed.n); break;
	case CTRL('T'): text_swap(e); break;
	case KEY_TAB:   choice_complete(e); break;
	default:        lineedit_bell(e);
	}
}

static void
clear_line(struct lineedit *e)
{
	e->cursor = e->text.n;
	draw_row(e);
	draw_bytes(e, "^C\r\n");
	text_replace(e, "", 0);
	if (e->history)
		e->at = e->history->n;
}

static void
control(struct lineedit *e, unsigned char c)
{
	e->dirty = 1;
	switch (c) {
	case CTRL('A'): e->cursor = 0; break;
	case CTRL('E'): e->cursor = e->text.n; break;
	case CTRL('B'): text_move(e, 0); break;
	case CTRL('F'): text_move(e, 1); break;
	case CTRL('P'): find_go(e, -1); break;
	case CTRL('N'): find_go(e, 1); break;
	case CTRL('R'): case CTRL('S'): find_begin(e); break;
	case CTRL('L'): draw_bytes(e, "\x1b[H\x1b[2J"); break;
	case CTRL('C'): clear_line(e); break;
	case KEY_ESC:   e->keys = KEYS_ESC; break;
	default:        change_line(e, c);
	}
}

/* ---- escape sequences ---- */

static void
alt(struct lineedit *e, unsigned char c)
{
	e->dirty = 1;
	switch (c) {
	case 'b': case 'B': e->cursor = text_word_left(e); break;
	case 'f': case 'F': e->cursor = text_word_right(e); break;
	case 'd': case 'D': text_kill(e, e->cursor, text_word_right(e)); break;
	case KEY_BACKSPACE: text_kill(e, text_word_left(e), e->cursor); break;
	}
}

/* 2: shift, 3: alt, 5: ctrl; those with alt or ctrl go by words */
static int
by_words(const struct lineedit *e)
{
	const char *modifier = memchr(e->csi, ';', e->csi_n);
	return modifier && atoi(modifier + 1) >= 3;
}

static void
arrow(struct lineedit *e, unsigned char c)
{
	switch (c) {
	case 'A': find_go(e, -1); break;
	case 'B': find_go(e, 1); break;
	case 'C': by_words(e) ? alt(e, 'f') : text_move(e, 1); break;
	case 'D': by_words(e) ? alt(e, 'b') : text_move(e, 0); break;
	case 'H': control(e, CTRL('A')); break;
	case 'F': control(e, CTRL('E')); break;
	}
}

static void
numbered(struct lineedit *e)
{
	switch (atoi(e->csi)) {
	case 1: case 7: control(e, CTRL('A')); break;
	case 4: case 8: control(e, CTRL('E')); break;
	case 3:         text_delete(e, 1); break;
	case 200:       e->pasting = 1; e->paste_cr = 0; break;
	}
}

static void
csi(struct lineedit *e, unsigned char c)
{
	if (c >= 0x20 && c < 0x40) {
		if (e->csi_n < sizeof e->csi)
			e->csi[e->csi_n++] = (char)c;
		return;
	}
	e->keys = c == '[' && e->csi_n == 0 ? KEYS_ONE_MORE : KEYS_PLAIN;      /* function keys of the Linux console */
	if (e->csi_n == sizeof e->csi)
		return;
	e->csi[e->csi_n] = '\0';
	if (e->pasting && c == '~' && atoi(e->csi) == 201)
		e->pasting = 0;
	else if (!e->pasting && c == '~')
		numbered(e);
	else if (!e->pasting)
		arrow(e, c);
}

/* 1: the byte belonged to a sequence */
static int
in_sequence(struct lineedit *e, unsigned char c)
{
	if (e->keys == KEYS_PLAIN)
		return 0;
	if (c < 0x20 || c >= 0x80 || (c == KEY_BACKSPACE && e->keys != KEYS_ESC)) {      /* it was broken off */
		e->keys = KEYS_PLAIN;
		return 0;
	}
	e->dirty = 1;
	if (e->keys == KEYS_CSI)
		csi(e, c);
	else if (e->keys == KEYS_ESC && (c == '[' || c == 'O')) {
		e->keys = c == '[' ? KEYS_CSI : KEYS_SS3;
		e->csi_n = 0;
	} else if (e->keys == KEYS_ESC) {
		e->keys = KEYS_PLAIN;
		if (e->pasting)
			return 0;
		alt(e, c);
	} else {
		if (e->keys == KEYS_SS3 && !e->pasting)
			arrow(e, c);
		e->keys = KEYS_PLAIN;
	}
	return 1;
}

/* ---- bytes ---- */

/* line ends of each kind become a newline; of the other controls only tabs are text */
static void
paste(struct lineedit *e, unsigned char c)
{
	int was_cr = e->paste_cr;
	e->paste_cr = c == '\r';
	if (c == CTRL('C')) {                                    /* a paste without an end would take all keys */
		e->pasting = 0;
		clear_line(e);
	} else if (c == KEY_ESC)
		e->keys = KEYS_ESC;
	else if (c == '\r' || (c == '\n' && !was_cr))
		text_insert(e, "\n", 1);
	else if (c == '\t' || (c >= 0x20 && c != KEY_BACKSPACE))
		text_insert(e, (const char *)&c, 1);
}

static enum lineedit_event
finish(struct lineedit *e)
{
	e->cursor = e->text.n;
	draw_row(e);
	draw_bytes(e, "\r\n");
	return LINEEDIT_LINE;
}

static enum lineedit_event
key(struct lineedit *e, unsigned char c)
{
	e->tabs = c == KEY_TAB ? e->tabs + 1 : 0;
	if (in_sequence(e, c))
		return LINEEDIT_MORE;
	if (e->pasting)
		paste(e, c);
	else if (e->searching && find_key(e, c))
		return LINEEDIT_MORE;
	else if (c == '\r' || c == '\n')
		return finish(e);
	else if (c == CTRL('D') && e->text.n == 0)
		return LINEEDIT_END;
	else if (c == CTRL('Z'))
		return LINEEDIT_STOP;
	else if (c < 0x20 || c == KEY_BACKSPACE)
		control(e, c);
	else
		text_insert(e, (const char *)&c, 1);
	return LINEEDIT_MORE;
}

enum lineedit_event
lineedit_feed(struct lineedit *e, const void *bytes, size_t n, size_t *used)
{
	const unsigned char *p = bytes;
	enum lineedit_event event = LINEEDIT_MORE;
	for (*used = 0; *used < n && event == LINEEDIT_MORE;) {
		event = key(e, p[(*used)++]);
		e->cursor = glyph_settle(bytes_text(&e->text), e->text.n, e->cursor);
	}
	if (e->dirty && event != LINEEDIT_LINE)
		draw_row(e);
	return event;
}

/* ---- its life ---- */

struct lineedit *
lineedit_new(const char *prompt, struct history *history)
{
	struct lineedit *e = calloc(1, sizeof *e);
	if (e) {
		e->prompt = prompt;
		e->columns = 80;
		e->history = history;
	}
	return e;
}

void
lineedit_free(struct lineedit *e)
{
	if (e == NULL)
		return;
	struct bytes *all[] = { &e->text, &e->killed, &e->out, &e->typed, &e->query, &e->before };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		free(all[i]->p);
	free(e);
}

void
lineedit_on_complete(struct lineedit *e, lineedit_complete_fn fn, void *context)
{
	e->complete = fn;
	e->context = context;
}

void
lineedit_begin(struct lineedit *e, size_t columns)
{
	e->columns = columns < COLUMNS_LEAST ? COLUMNS_LEAST : columns;
	bytes_cut(&e->text, 0, e->text.n);
	e->cursor = e->left = 0;
	e->searching = e->tabs = 0;
	e->at = e->history ? e->history->n : 0;
	draw_row(e);
}

const char *
lineedit_line(const struct lineedit *e)
{
	return bytes_text(&e->text);
}

size_t
lineedit_cursor(const struct lineedit *e)
{
	return e->cursor;
}

void
lineedit_resize(struct lineedit *e, size_t columns)
{
	e->columns = columns < COLUMNS_LEAST ? COLUMNS_LEAST : columns;
	e->left = 0;
	draw_bytes(e, "\r\x1b[J");
	draw_row(e);
}

void
lineedit_redraw(struct lineedit *e)
{
	draw_row(e);
}

const char *
lineedit_output(struct lineedit *e, size_t *n)
{
	static const char nothing[1];
	*n = e->out.n;
	e->out.n = 0;
	return e->out.p ? e->out.p : nothing;
}
