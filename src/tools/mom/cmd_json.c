/* cmd_json - see cmd_json.h */
#include "tools/mom/cmd_json.h"
#include "tools/mom/cmd.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int depth, filled;            /* filled: the present object or array has something already */

static void
json_key(const char *key)
{
	if (filled)
		putchar(',');
	if (depth == 1)
		putchar('\n');
	else if (filled)
		putchar(' ');
	if (key) {
		cmd_json_string(key, strlen(key));
		fputs(": ", stdout);
	}
	filled = 1;
}

void
json_open(const char *key, char bracket)
{
	json_key(key);
	putchar(bracket);
	depth++;
	filled = 0;
}

void
json_close(char bracket)
{
	depth--;
	if (depth == 0 && filled)
		putchar('\n');
	putchar(bracket);
	filled = depth > 0;
	if (depth == 0)
		putchar('\n');
}

void
json_text(const char *key, const char *text)
{
	json_key(key);
	if (text)
		cmd_json_string(text, strlen(text));
	else
		fputs("null", stdout);
}

void
json_number(const char *key, uint64_t v)
{
	json_key(key);
	printf("%" PRIu64, v);
}

void
json_signed(const char *key, int64_t v)
{
	json_key(key);
	printf("%" PRId64, v);
}

void
json_bool(const char *key, int v)
{
	json_key(key);
	fputs(v ? "true" : "false", stdout);
}

void
json_null(const char *key)
{
	json_key(key);
	fputs("null", stdout);
}
