/* lineedit - keys in, screen out */
#include <lib/screen.h>
#include <lib/t.h>
#include "term/glyph.h"
#include "term/lineedit.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UP "\x1b[A"
#define DOWN "\x1b[B"
#define RIGHT "\x1b[C"
#define LEFT "\x1b[D"


static struct lineedit *e;
static struct screen s;
static struct history h;

static void
offer(const char *text, size_t cursor, struct lineedit_choices *to)
{
	const char *all[] = { "plant/boiler", "plant/pump", "plant/\xc3\xa4", "plant/\xc3\xb6", "news", "news" };
	to->from = cursor;
	while (to->from > 0 && text[to->from - 1] != ' ')
		to->from--;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (strncmp(all[i], text + to->from, cursor - to->from) == 0)
			lineedit_choose(to, all[i], strlen(all[i]));
}

static void
look(void)
{
	size_t n;
	const char *out = lineedit_output(e, &n), *wrong = screen_put(&s, out, n);
	REQUIRE(wrong == NULL, "%s", wrong);
	REQUIRE(s.wrapped == 0, "the row ran over its end: %s", screen_row(&s, 0));
}

static void
open_at(size_t columns)
{
	lineedit_free(e);
	e = lineedit_new("> ", &h, offer);
	screen_start(&s, columns);
	lineedit_begin(e, columns);
	look();
}

static void
end_of(void)
{
	lineedit_free(e);
	history_free(&h);
}

static void
begin(size_t columns)
{
	open_at(columns);
	t_at_end(end_of);
}

static enum lineedit_event
type_bytes(const char *keys, size_t n)
{
	size_t used;
	enum lineedit_event event = LINEEDIT_MORE;
	for (; n > 0 && event == LINEEDIT_MORE; keys += used, n -= used)
		event = lineedit_feed(e, keys, n, &used);
	REQUIRE(n == 0, "%zu bytes were left", n);
	look();
	return event;
}

static enum lineedit_event
type(const char *keys)
{
	return type_bytes(keys, strlen(keys));
}

/* what stands in the line, | is the cursor */
static void
is(const char *wanted)
{
	const char *line = lineedit_line(e);
	size_t at = lineedit_cursor(e);
	char *got = t_text("%.*s|%s", (int)at, line, line + at);
	REQUIRE(strcmp(got, wanted) == 0, "wanted %s got %s", wanted, got);
}

static void
shows(const char *wanted, size_t column)
{
	const char *row = screen_row(&s, 0);
	REQUIRE(strcmp(row, wanted) == 0, "wanted on the screen: %s, there was: %s", wanted, row);
	REQUIRE(s.column == column, "the cursor is in column %zu, not %zu", s.column, column);
}

TEST(moves, "arrows, home, end, words and their letters move the cursor, and what is typed goes where it is")
{
	begin(80);
	type("onetwo" LEFT LEFT LEFT " ");
	is("one |two");
	shows("> one two", 6);
	const struct { const char *keys, *line; } step[] = {
		{ "\x01", "|one two" }, { "\x05", "one two|" }, { "\x1b" "b", "one |two" }, { "\x1b" "B", "|one two" },
		    { "\x1b" "f", "one| two" },
		{ "\x1b[H", "|one two" }, { "\x1b[F", "one two|" }, { "\x1b[1~", "|one two" },
		    { "\x1b[4~", "one two|" }, { "\x1bOH", "|one two" },
		{ "\x1bOF", "one two|" }, { "\x1b[7~", "|one two" }, { "\x1b[8~", "one two|" }, { "\x02", "one tw|o" },
		    { "\x06", "one two|" },
		{ "\x1b[1;5D", "one |two" }, { "\x1b[1;3D", "|one two" }, { "\x1b[1;5C", "one| two" },
		    { "\x1bOD", "on|e two" }, { "\x1bOC", "one| two" },
		{ LEFT LEFT LEFT LEFT LEFT, "|one two" },
	};
	for (size_t i = 0; i < sizeof step / sizeof *step; i++) {
		type(step[i].keys);
		is(step[i].line);
	}
	REQUIRE(s.bells == 2, "%d bells for two moves over the begin", s.bells);
}

TEST(deletes, "backspace, delete, Ctrl-D H K U W take away; Ctrl-Y gives it back")
{
	begin(80);
	const struct { const char *keys, *line; } step[] = {
		{ "one two/three\x7f\x08", "one two/thr|" }, { "\x17", "one |" }, { "\x19", "one two/thr|" },
		    { "\x01\x0b", "|" }, { "\x19\x19", "one two/throne two/thr|" },
		{ "\x1b" "b\x15", "|thr" }, { "\x19", "one two/throne two/|thr" },
		    { "\x01\x04", "|ne two/throne two/thr" }, { "\x1b[3~", "|e two/throne two/thr" },
	};
	for (size_t i = 0; i < sizeof step / sizeof *step; i++) {
		type(step[i].keys);
		is(step[i].line);
	}
}

TEST(ends, "Enter gives the line and stops there; Ctrl-C clears it, Ctrl-D ends only an empty one, Ctrl-Z is told")
{
	size_t used;
	begin(80);
	REQUIRE(lineedit_feed(e, "one\rtwo", 7, &used) == LINEEDIT_LINE && used == 4 &&
	    strcmp(lineedit_line(e), "one") == 0, "used %zu: %s", used, lineedit_line(e));
	look();
	REQUIRE(strcmp(screen_row(&s, -1), "> one") == 0 && s.column == 0, "%s", screen_row(&s, -1));
	lineedit_begin(e, 80);
	REQUIRE(type("\x03") == LINEEDIT_MORE && type("two\x03") == LINEEDIT_MORE, "Ctrl-C is no end");
	is("|");
	REQUIRE(strcmp(screen_row(&s, -1), "> two^C") == 0, "%s", screen_row(&s, -1));
	REQUIRE(type("x\x04") == LINEEDIT_MORE && type("\x1a") == LINEEDIT_STOP && type("\x7f\x04") == LINEEDIT_END,
	    "Ctrl-D and Ctrl-Z");
}

TEST(characters, "a key press is a character: umlauts, wide ones, and what joins another move, go and are drawn as "
    "one; any bytes are safe to show")
{
	begin(80);
	type("a\xc3\xa4\xe6\xbc\xa2" "e\xcc\x81z");
	shows("> a\xc3\xa4\xe6\xbc\xa2" "e\xcc\x81z", 8);
	type(LEFT LEFT);
	is("a\xc3\xa4\xe6\xbc\xa2|e\xcc\x81z");
	shows("> a\xc3\xa4\xe6\xbc\xa2" "e\xcc\x81z", 6);
	type("\x7f");
	shows("> a\xc3\xa4" "e\xcc\x81z", 4);
	type("\x04\x7f\x05");
	is("az|");
	type("\xff\xc3" "b\xc2\x9b\xe2\x80\xae");
	shows("> az\xef\xbf\xbd\xef\xbf\xbd" "b\xef\xbf\xbd\xef\xbf\xbd", 9);
	type("\x15\x0b\xe6");
	type("\xbc");
	type("\xa2" LEFT "x");
	is("x|\xe6\xbc\xa2");
}

TEST(widths, "columns of characters of each kind")
{
	const struct { uint32_t code; int width; } known[] = { { 'a', 1 }, { 0xe4, 1 }, { 0x301, 0 }, { 0x20ac, 1 },
	    { 0x6f22, 2 }, { 0xac00, 2 }, { 0x1f600, 2 },
		{ 0x200d, 0 }, { 0xfe0f, 0 }, { 0xff21, 2 }, { 0xff71, 1 }, { 0x5d0, 1 }, { 0x202e, -1 }, { 0x1b, -1 },
		    { 0x9b, -1 }, { 0x10ffff, 1 } };
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		REQUIRE(glyph_width(known[i].code) == known[i].width, "U+%04X: %d", known[i].code,
		    glyph_width(known[i].code));
	const char *bad[] = { "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3", "\x80",
	    "\xe2\x82", "\xf5\x80\x80\x80" };
	uint32_t code;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		REQUIRE(glyph_decode(bad[i], strlen(bad[i]), &code) == 1 && code == GLYPH_BAD, "number %zu", i);
}

TEST(scrolls, "a long line moves under its row, marks say where more is; resized, it is drawn to the new width")
{
	begin(20);
	type("abcdefghijklmnop");
	shows("> abcdefghijklmnop", 18);
	type("qrstuvwxyz");
	const char *row = screen_row(&s, 0);
	REQUIRE(strncmp(row, "> <", 3) == 0 && row[strlen(row) - 1] == 'z' && s.column < 20, "%s", row);
	type("\x01");
	shows("> abcdefghijklmnop>", 2);
	type("\x1b[1;5C");
	REQUIRE(strstr(screen_row(&s, 0), "z") && s.column < 20, "%s", screen_row(&s, 0));
	s.columns = 40;
	lineedit_resize(e, 40);
	look();
	shows("> abcdefghijklmnopqrstuvwxyz", 28);
	for (size_t columns = 1; columns < 60; columns++) {
		open_at(columns > 1 ? columns : 2);
		for (int i = 0; i < 40; i++)
			type(i % 3 ? "\xe6\xbc\xa2" : "x");
		for (int i = 0; i < 40; i++)
			type(LEFT);
		type("\x05\x17");
	}
}

TEST(sees_cursor, "in a line of any length, wherever the cursor goes, the character under it is on the screen in its "
    "column")
{
	begin(24);
	for (int i = 0; i < 100; i++)
		type(t_text("%c", 'a' + i % 26));
	for (int i = 99; i >= 0; i--) {
		type(LEFT);
		REQUIRE(s.cell[s.row][s.column][0] == 'a' + i % 26, "at %d: %s", i, screen_row(&s, 0));
	}
	for (int i = 1; i < 100; i++) {
		type(RIGHT);
		REQUIRE(s.cell[s.row][s.column][0] == 'a' + i % 26, "at %d: %s", i, screen_row(&s, 0));
	}
}

TEST(pastes, "a bracketed paste is text: nothing runs before Enter, line ends of each kind are one newline, other "
    "controls are left out")
{
	begin(80);
	REQUIRE(type("\x1b[200~S news\r\nP news\ta\x04\x1b[31m\x7f\rR\n\x1b[201~") == LINEEDIT_MORE, "it ran");
	is("S news\nP news\ta\nR\n|");
	shows("> S news^JP news^Ia^JR^J", 24);
	type("\x7f\x7f");
	is("S news\nP news\ta\n|");
	REQUIRE(type("\r") == LINEEDIT_LINE && strcmp(lineedit_line(e), "S news\nP news\ta\n") == 0, "%s",
	    lineedit_line(e));
	lineedit_begin(e, 80);
	type("\x1b[200~half\x03");
	is("|");
	REQUIRE(type("x\r") == LINEEDIT_LINE, "a paste without an end takes all keys");
}

TEST(pieces, "keys may come in any pieces, and sequences that are nobody's key do nothing")
{
	begin(80);
	for (const char *p = "one two\x1b[1;5D\x1b[3~\xc3\xa4\x1bOH\x1b[200~x\x1b[201~"; *p; p++)
		type_bytes(p, 1);
	is("x|one \xc3\xa4wo");
	type("\x1b[15~\x1b[[A\x1b[1;2P\x1bOP\x1bz\x1b[99999999999999999999999;1~\x1b[1;5\x1b[D");
	is("|xone \xc3\xa4wo");
}

TEST(history, "up and down bring lines back and the one that was being typed; neither empty lines, nor those that "
    "begin with a space, nor one twice in a row")
{
	begin(80);
	history_add(&h, "one");
	history_add(&h, "one");
	history_add(&h, "");
	history_add(&h, " secret");
	history_add(&h, "two\nthree");
	open_at(80);
	type("now" UP);
	is("three|");
	type("\x10" UP UP);
	is("one|");
	type("changed" DOWN "\x0e");
	is("three|");
	type(DOWN DOWN);
	is("now|");
	for (int i = 0; i < 2 * HISTORY_LINES; i++)
		history_add(&h, t_text("line %d", i));
	REQUIRE(h.n == HISTORY_LINES && strcmp(h.lines[0], "line 1000") == 0, "%zu, %s", h.n, h.lines[0]);
}

TEST(search, "Ctrl-R finds older lines as letters come, again the next; Enter runs it, Ctrl-G gives the "
    "line back, another key goes on with it")
{
	begin(80);
	history_add(&h, "P news one");
	history_add(&h, "P log two");
	history_add(&h, "P news three");
	open_at(80);
	type("typed\x12ne");
	shows("search: ne | P news three", 15);
	type("\x12");
	is("P |news one");
	type("\x12");
	shows("not found: ne | P news one", 18);
	type("\x7f" "e");
	is("P |news three");
	type("\x07");
	is("typed|");
	type("\x12lo\x7fog tx\x7f\x01");
	is("|P log two");
	type(UP);
	is("P news one|");
	type(DOWN DOWN DOWN);
	is("typed|");
	REQUIRE(type("\x12three\r") == LINEEDIT_LINE && strcmp(lineedit_line(e), "P news three") == 0, "%s",
	    lineedit_line(e));
	REQUIRE(strcmp(screen_row(&s, -1), "> P news three") == 0, "%s", screen_row(&s, -1));
}

TEST(completes, "Tab puts in what is common, a blank behind the only one, rings where nothing is; a second Tab shows "
    "them all and keeps the line")
{
	begin(60);
	type("S ne\t");
	is("S news |");
	type("\x15S pl\t");
	is("S plant/|");
	int bells = s.bells;
	type("\t");
	REQUIRE(s.bells == bells && strstr(screen_row(&s, -1), "plant/boiler  plant/pump"), "second: %s",
	    screen_row(&s, -1));
	shows("> S plant/", 10);
	type("\x15S plant/p\x1b[Dx\x7f\x1b[Cu\t");
	is("S plant/pump |");
	type("\x15S x\t");
	REQUIRE(s.bells == bells + 1, "no bell");
	type("\x15S ne tail\x1b" "b\x02\t");
	is("S news |tail");
}

/* ---- the file ---- */

static void
file_is(const char *path, const char *wanted)
{
	char *got = t_read_file(path);
	struct stat st;
	REQUIRE(strcmp(got, wanted) == 0, "wanted:\n%s\ngot:\n%s", wanted, got);
	REQUIRE(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "mode %o", st.st_mode & 0777);
}

TEST(file, "the history is kept in its file, mode 0600, its folder made; sessions at the same time keep each other's "
    "lines")
{
	char *path = t_path("state/mom/history");
	struct history one = { 0 }, two = { 0 };
	history_add(&one, "before");
	REQUIRE(history_open(&one, path) == 0 && one.n == 1, "open without a file: %s", strerror(errno));
	history_add(&one, "first");
	history_add(&one, memset(calloc(1, HISTORY_LINE_MAX + 2), 'x', HISTORY_LINE_MAX + 1));
	REQUIRE(history_save(&one) == 0, "%s", strerror(errno));
	file_is(path, "first\n");
	REQUIRE(history_open(&two, path) == 0 && two.n == 1, "%zu lines", two.n);
	history_add(&one, "one");
	history_add(&two, "two");
	REQUIRE(history_save(&one) == 0 && history_save(&two) == 0 && history_save(&two) == 0, "%s", strerror(errno));
	file_is(path, "first\none\ntwo\n");
	history_free(&one);
	history_free(&two);
}

TEST(file_is_bounded, "the file keeps the last 1000 lines; one that cannot be read or written is an error, and the "
    "lines stay in memory")
{
	char *path = t_path("history");
	struct history one = { 0 };
	REQUIRE(history_open(&one, path) == 0, "%s", strerror(errno));
	for (int i = 0; i < HISTORY_LINES + 5; i++)
		history_add(&one, t_text("line %d", i));
	REQUIRE(history_save(&one) == 0, "%s", strerror(errno));
	REQUIRE(strncmp(t_read_file(path), "line 5\n", 7) == 0, "the first line is not the sixth");
	history_free(&one);
	mkdir(t_path("folder"), 0700);
	history_add(&one, "kept");
	REQUIRE(history_open(&one, t_path("folder")) < 0 && one.n == 1, "a folder is no history");
	history_free(&one);
	REQUIRE(history_open(&one, t_path("history/x")) < 0, "below a file is no history");
	history_free(&one);
}

TEST(file_is_cut, "a file of more than 2000 lines is cut to the last 1000 where it is opened, and what is added then "
    "stands behind them")
{
	char *path = t_path("history");
	struct history one = { 0 };
	FILE *f = fopen(path, "w");
	for (int i = 0; i <= HISTORY_FILE_LINES; i++)
		fprintf(f, "line %d\n", i);
	fclose(f);
	REQUIRE(history_open(&one, path) == 0 && one.n == HISTORY_LINES, "%zu lines", one.n);
	REQUIRE(strncmp(t_read_file(path), "line 1001\n", 10) == 0, "%.20s", t_read_file(path));
	history_add(&one, "new");
	REQUIRE(history_save(&one) == 0, "%s", strerror(errno));
	REQUIRE(strstr(t_read_file(path), "\nline 2000\nnew\n"), "no new line behind the last");
	history_free(&one);
}

TEST(file_by_link, "a history that is a link, or in a folder that is one, is written where it leads")
{
	struct history one = { 0 };
	mkdir(t_path("real"), 0700);
	REQUIRE(symlink("real", t_path("folder")) == 0 && symlink("real/history", t_path("link")) == 0, "%s",
	    strerror(errno));
	REQUIRE(history_open(&one, t_path("folder/history")) == 0, "%s", strerror(errno));
	history_add(&one, "one");
	REQUIRE(history_save(&one) == 0, "%s", strerror(errno));
	history_free(&one);
	REQUIRE(history_open(&one, t_path("link")) == 0 && one.n == 1, "%s", strerror(errno));
	history_add(&one, "two");
	REQUIRE(history_save(&one) == 0, "%s", strerror(errno));
	history_free(&one);
	file_is(t_path("real/history"), "one\ntwo\n");
}

TEST(path, "MOM_HISTORY, else XDG_STATE_HOME, else ~/.local/state; empty is none")
{
	const struct { const char *own, *state, *home, *path; } known[] = {
		{ "/x/h", "/s", "/h", "/x/h" }, { "", "/s", "/h", NULL }, { NULL, "/s", "/h", "/s/mom/history" },
		    { NULL, "relative", "/h", "/h/.local/state/mom/history" },
		{ NULL, NULL, "/h", "/h/.local/state/mom/history" }, { NULL, NULL, NULL, NULL },
	};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		known[i].own ? setenv("MOM_HISTORY", known[i].own, 1) : unsetenv("MOM_HISTORY");
		known[i].state ? setenv("XDG_STATE_HOME", known[i].state, 1) : unsetenv("XDG_STATE_HOME");
		known[i].home ? setenv("HOME", known[i].home, 1) : unsetenv("HOME");
		char *path = history_path();
		REQUIRE(known[i].path ? path && strcmp(path, known[i].path) == 0 : path == NULL, "number %zu: %s", i,
		    path ? path : "none");
		free(path);
	}
}
