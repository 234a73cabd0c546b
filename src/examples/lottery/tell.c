/* tell - a line to stderr, "program[pid]: text", in one write */
#include "tell.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *tell_program = "?";

static void
line(const char *format, va_list list)
{
	char text[1500];
	vsnprintf(text, sizeof text, format, list);
	fprintf(stderr, "%s%s[%d]: %s\n", isatty(2) ? "\r\033[K" : "", tell_program, (int)getpid(), text);
}

void
tell(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	line(format, list);
	va_end(list);
}

void
tell_fatal(int status, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	line(format, list);
	va_end(list);
	exit(status);
}
