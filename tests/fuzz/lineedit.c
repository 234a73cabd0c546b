/* lineedit - proves: whatever keys come, in whatever pieces, whatever bytes the line then holds: what is sent to the
 * terminal is known to it and stays within its row, the same keys in other pieces make the same line, and the cursor
 * never lies in a character.
 * INPUT  u8 columns, u8 bytes a piece; then keys, in which a NUL makes the byte behind it the new width */
#include "fuzz.h"
#include <lib/screen.h>
#include "term/glyph.h"
#include "term/lineedit.h"

static struct history history;
static struct screen s;

static void
offer(const char *text, size_t cursor, struct lineedit_choices *to)
{
	to->from = cursor;
	while (to->from > 0 && text[to->from - 1] != ' ')
		to->from--;
	lineedit_choose(to, "plant/\xc3\xa4", 8);
	lineedit_choose(to, "plant/\xc3\xb6", 8);
	if (cursor % 2)
		lineedit_choose(to, "pump\x1b[2J\xff", 9);
	for (size_t i = 0; i < history.n && cursor % 3 == 0; i++)
		lineedit_choose(to, history.lines[i], strlen(history.lines[i]));
}

static struct lineedit *
start(size_t columns)
{
	struct lineedit *e = lineedit_new("mom> ", &history, offer);
	FUZZ_CHECK(e);
	lineedit_begin(e, columns);
	return e;
}

static void
look(struct lineedit *e)
{
	char row[sizeof s.text];
	size_t n, column;
	const char *out = lineedit_output(e, &n);
	FUZZ_CHECK(screen_put(&s, out, n) == NULL && s.column < s.columns);
	/* a list of choices, or ^C, may take more than a row; the line may not */
	s.wrapped = 0;
	strcpy(row, screen_row(&s, 0));
	column = s.column;
	lineedit_resize(e, s.columns);
	out = lineedit_output(e, &n);
	FUZZ_CHECK(screen_put(&s, out, n) == NULL && s.wrapped == 0);
	FUZZ_CHECK(column == s.column && strcmp(row, screen_row(&s, 0)) == 0);
	FUZZ_CHECK(glyph_settle(lineedit_line(e), strlen(lineedit_line(e)), lineedit_cursor(e)) == lineedit_cursor(e));
}

/* all of it, in pieces; the last event */
static enum lineedit_event
feed(struct lineedit *e, const uint8_t *p, size_t n, size_t piece, size_t *used)
{
	enum lineedit_event event = LINEEDIT_MORE;
	size_t took;
	for (*used = 0; *used < n && event == LINEEDIT_MORE; *used += took)
		event = lineedit_feed(e, p + *used, n - *used < piece ? n - *used : piece, &took);
	return event;
}

static void
begin_again(struct lineedit *whole, struct lineedit *bytes)
{
	size_t n;
	const char *out = lineedit_output(whole, &n);
	FUZZ_CHECK(screen_put(&s, out, n) == NULL);
	history_add(&history, lineedit_line(whole));
	lineedit_begin(whole, s.columns);
	lineedit_begin(bytes, s.columns);
}

static size_t
columns_of(uint8_t byte)
{
	return byte < 2 ? 2 : byte < SCREEN_COLUMNS ? byte : SCREEN_COLUMNS;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	screen_start(&s, columns_of((uint8_t)fuzz_number(&in, 1)));
	size_t piece = 1 + fuzz_number(&in, 1) % 64;
	struct lineedit *whole = start(s.columns), *bytes = start(s.columns);
	look(whole);
	while (in.n > 0) {
		const uint8_t *nul = memchr(in.p, 0, in.n);
		size_t n = nul ? (size_t)(nul - in.p) : in.n, used, again;
		n = n < piece ? n : piece;
		enum lineedit_event event = feed(whole, in.p, n, piece, &used), other = feed(bytes, in.p, n, 1, &again);
		FUZZ_CHECK(event == other && used == again && strcmp(lineedit_line(whole), lineedit_line(bytes)) == 0 &&
		    lineedit_cursor(whole) == lineedit_cursor(bytes));
		in.p += used;
		in.n -= used;
		if (event == LINEEDIT_LINE || event == LINEEDIT_END)
			begin_again(whole, bytes);
		if (in.n > 0 && in.p[0] == 0) {
			fuzz_number(&in, 1);
			s.columns = columns_of((uint8_t)fuzz_number(&in, 1));
			lineedit_resize(whole, s.columns);
			lineedit_resize(bytes, s.columns);
		}
		look(whole);
		lineedit_output(bytes, &again);
	}
	lineedit_free(whole);
	lineedit_free(bytes);
	history_free(&history);
	return 0;
}

void
fuzz_seeds(fuzz_seed_fn seed)
{
	static const char keys[] = "\x28\x05S news\rP news "
	    "hello\x1b[D\x1b[Dx\x17\x19\x14\r\x1b[A\x1b[A\x1b[B\x12ne\x12\x13\x07";
	static const char text[] =
	    "\x0c\x01\xc3\xa4\xe6\xbc\xa2" "e\xcc\x81\xf0\x9f\x98\x80\xff\xe2\x80\xae\x02\x02\x7f\x01\x1b[3~\x05\0\x1e";
	static const char tabs[] = "\x50\x20p\t\t\x0b x\t\t\x1b" "b\x1b" "d\x1b\x7f\x15\x03\x04";
	static const char paste[] = "\x14\x40\x1b[200~S a\r\nP "
	    "a\tb\n\x1b[31m\x04\x1b[201~\x7f\r\x1b[1;5D\x1bOH\x1b[[A\x1b[15~\x0c\x1a";
	seed("keys", keys, sizeof keys - 1);
	seed("text", text, sizeof text - 1);
	seed("tabs", tabs, sizeof tabs - 1);
	seed("paste", paste, sizeof paste - 1);
}
