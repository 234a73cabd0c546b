/* glyph - see glyph.h. The widths are those of libc's wcwidth, in a UTF-8 locale of our own: whatever the user's locale
 * is, the bytes here are UTF-8. */
#include "term/glyph.h"
#include "base/utf8.h"
#include <locale.h>
#include <string.h>
#include <wchar.h>

/* On a machine without any of them every character counts as one column. */
static locale_t
utf8_locale(void)
{
	static const char *const names[] = { "C.UTF-8", "C.utf8", "en_US.UTF-8", "" };
	static locale_t found;
	for (size_t i = 0; i < sizeof names / sizeof *names && found == (locale_t)0; i++)
		found = newlocale(LC_CTYPE_MASK, names[i], (locale_t)0);
	return found;
}

int
glyph_width(uint32_t code)
{
	if (code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x202a && code <= 0x202e) ||
	    (code >= 0x2066 && code <= 0x2069) || code == 0x2028 || code == 0x2029 || code == 0x200e ||
	    code == 0x200f || code == 0x61c)
		return -1;
	if (code < 0x300)
		return 1;
	locale_t ours = utf8_locale(), theirs = ours != (locale_t)0 ? uselocale(ours) : (locale_t)0;
	int width = wcwidth((wchar_t)code);
	if (ours != (locale_t)0)
		uselocale(theirs);
	return width < 0 ? 1 : width;
}

size_t
glyph_decode(const char *text, size_t n, uint32_t *code)
{
	size_t len = utf8_decode(text, n, code);
	if (len == 0)
		*code = GLYPH_BAD;
	return len ? len : 1;
}

size_t
glyph_show(const char *p, size_t n, char *shown, size_t *shown_len, size_t *columns)
{
	uint32_t code;
	size_t len = glyph_decode(p, n, &code);
	int width = glyph_width(code);
	*columns = width < 0 ? 1 : (size_t)width;
	if (code < 0x20 || code == 0x7f) {
		shown[0] = '^';
		shown[1] = (char)(code ^ 0x40);
		*shown_len = *columns = 2;
	} else if (width < 0 || code == GLYPH_BAD) {
		memcpy(shown, "\xef\xbf\xbd", *shown_len = 3);
	} else
		memcpy(shown, p, *shown_len = len);
	return len;
}

static int
joins(const char *text, size_t n, size_t at)
{
	uint32_t code;
	glyph_decode(text + at, n - at, &code);
	return glyph_width(code) == 0;
}

size_t
glyph_next(const char *text, size_t n, size_t at)
{
	uint32_t code;
	do
		at += glyph_decode(text + at, n - at, &code);
	while (at < n && joins(text, n, at));
	return at;
}

/* where the code point begins that ends at `at` */
static size_t
code_before(const char *text, size_t at)
{
	uint32_t code;
	for (size_t k = 4; k > 1; k--)
		if (k <= at && glyph_decode(text + at - k, k, &code) == k)
			return at - k;
	return at - 1;
}

size_t
glyph_prev(const char *text, size_t at)
{
	size_t end = at;
	do
		at = code_before(text, at);
	while (at > 0 && joins(text, end, at));
	return at;
}

size_t
glyph_settle(const char *text, size_t n, size_t at)
{
	uint32_t code;
	for (size_t k = 1; k <= 3 && k <= at && at < n; k++) {
		size_t len = glyph_decode(text + at - k, n - (at - k), &code);
		if (len > k)
			return at - k + len;
	}
	return at;
}
