/* utf8 - see utf8.h */
#include "base/utf8.h"
#include <stdio.h>
#include <string.h>

static size_t
length_by_first(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first < 0xe0)
		return 2;
	if ((first & 0xf0) == 0xe0)
		return 3;
	return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

size_t
utf8_decode(const void *text, size_t n, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };      /* by length: below, it is overlong */
	const unsigned char *p = text;
	size_t len = length_by_first(p[0]);
	if (len == 0 || len > n)
		return 0;
	uint32_t c = len == 1 ? p[0] : p[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < least[len] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		return 0;
	*code = c;
	return len;
}

size_t
utf8_json(const void *text, size_t n, char json[UTF8_JSON])
{
	uint32_t code;
	size_t len = utf8_decode(text, n, &code);
	if (len == 0)
		strcpy(json, "\\ufffd");
	else if (code == '"' || code == '\\')
		snprintf(json, UTF8_JSON, "\\%c", (char)code);
	else if (code < 0x20 || code == 0x7f)
		snprintf(json, UTF8_JSON, "\\u%04x", (unsigned)code);
	else {
		memcpy(json, text, len);
		json[len] = '\0';
	}
	return len ? len : 1;
}
