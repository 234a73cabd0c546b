/* glyph - see glyph.h. The widths are those of libc's wcwidth, in a UTF-8 locale of our own: whatever the user's locale
 * is, the bytes here are UTF-8. */
#include "term/glyph.h"
#include "base/utf8.h"
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

size_t
glyph_decode(const char *p, size_t n, uint32_t *code)
{
	size_t len = utf8_decode(p, n, code);
	if (len == 0)
		*code = GLYPH_BAD;
	return len ? len : 1;
}

/* On a machine without that locale every character counts as one column. */
int
glyph_width(uint32_t code)
{
	static locale_t ours;
	if (code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x202a && code <= 0x202e) ||
	    (code >= 0x2066 && code <= 0x2069) || code == 0x2028 || code == 0x2029 || code == 0x200e ||
	    code == 0x200f || code == 0x61c)
		return -1;
	if (code < 0x300 || (!ours && !(ours = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0))))
		return 1;
	locale_t theirs = uselocale(ours);
	int width = wcwidth((wchar_t)code);
	uselocale(theirs);
	return width < 0 ? 1 : width;
}

struct glyph
glyph_at(const char *p, size_t n)
{
	uint32_t code;
	struct glyph g = { .bytes = glyph_decode(p, n, &code) };
	int width = glyph_width(code);
	g.columns = width < 0 ? 1 : (size_t)width;
	if (code < 0x20 || code == 0x7f)
		g.columns = (size_t)snprintf(g.shown, sizeof g.shown, "^%c", (int)code ^ 0x40);
	else if (width < 0 || code == GLYPH_BAD)
		strcpy(g.shown, "\xef\xbf\xbd");
	else
		memcpy(g.shown, p, g.bytes);
	return g;
}

static int
code_begins(const char *text, size_t n, size_t at)
{
	for (size_t k = 1; k <= 3 && k <= at && at < n; k++)
		if (glyph_at(text + at - k, n - (at - k)).bytes > k)
			return 0;
	return 1;
}

size_t
glyph_settle(const char *text, size_t n, size_t at)
{
	while (!code_begins(text, n, at))
		at++;
	return at;
}

size_t
glyph_step(const char *text, size_t n, size_t at, int step)
{
	size_t end = step < 0 ? 0 : n;
	while (at != end) {
		at += (size_t)step;
		if (at == end || (code_begins(text, n, at) && glyph_at(text + at, n - at).columns > 0))
			break;
	}
	return at;
}
