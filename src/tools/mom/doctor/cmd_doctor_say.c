/* cmd_doctor_say - what mom doctor prints; see cmd_doctor.h */
#include "tools/mom/doctor/cmd_doctor.h"
#include "tools/mom/cmd_json.h"
#include "tools/mom/cmd_look.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct doctor_said said;

void
doctor_say(enum doctor_level level, const char *check, const char *cure, const char *format, ...)
{
	static const char *const levels[] = { "ok", "warn", "FAIL" };
	char text[1024];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	said.failed |= level == DOCTOR_FAIL;
	if (said.quiet && level == DOCTOR_OK)
		return;
	if (said.json) {
		json_open(NULL, '{');
		json_text("level", levels[level]);
		json_text("check", check);
		json_text("text", text);
		json_text("cure", cure);
		json_close('}');
		return;
	}
	printf("%-4s %s: ", levels[level], check);
	text_put(text, strlen(text), 0);
	if (cure)
		printf(": %s", cure);
	putchar('\n');
}
