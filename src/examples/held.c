/* held - see held.h */
#include "held.h"
#include <stdarg.h>
#include <stdio.h>

static int broken;

void
held(int is, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	printf("%s  ", is ? "held  " : "BROKEN");
	vprintf(format, ap);
	printf("\n");
	fflush(stdout);
	va_end(ap);
	broken |= !is;
}

int
held_all(void)
{
	return !broken;
}

int
held_end(const char *example, int bad, const char *proved)
{
	bad |= broken;
	if (!bad)
		printf("%s\n", proved);
	printf("example %s: %s\n", example, bad ? "BROKEN" : "all held");
	return bad;
}
