/* log_format - how a log line looks, see log.h */
#include "base/log.h"
#include "base/utf8.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

/* A line that grows: at its end it is cut, and what closes it has its room kept. */
struct line { char *at, *end; };

static void
put(struct line *l, const char *bytes, size_t n)
{
	if (n > (size_t)(l->end - l->at))
		n = (size_t)(l->end - l->at);
	memcpy(l->at, bytes, n);
	l->at += n;
}

static void
put_text(struct line *l, const char *text)
{
	put(l, text, strlen(text));
}

static void
put_time(struct line *l, int64_t time_us)
{
	struct tm t;
	time_t seconds = (time_t)(time_us / 1000000);
	char text[64];
	if (gmtime_r(&seconds, &t) == NULL)
		memset(&t, 0, sizeof t);
	int n = snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900, t.tm_mon + 1,
	    t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec,
	    (int)(time_us / 1000 % 1000));
	put(l, text, (size_t)n);
}

/* priorities of the journal, as syslog's */
static const char *
priority(const char *severity)
{
	static const struct { const char *severity, *priority; } known[] = {
		{ "debug", "<7>" }, { "info", "<6>" }, { "warn", "<4>" }, { "error", "<3>" }, { "fatal", "<2>" } };
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(known[i].severity, severity) == 0)
			return known[i].priority;
	return "<1>";
}

/* Valid JSON whatever the bytes are: what is no UTF-8 becomes U+FFFD; a character is put whole or not at all. */
static void
put_json(struct line *l, const char *text)
{
	size_t n = strlen(text);
	for (size_t i = 0; i < n;) {
		char json[UTF8_JSON];
		i += utf8_json(text + i, n - i, json);
		if (strlen(json) > (size_t)(l->end - l->at))
			return;
		put_text(l, json);
	}
}

size_t
log_format(char *line, size_t room, uint32_t how, int64_t time_us, const char *role, int pid, const char *severity,
    const char *text)
{
	struct line l = { line, line + room - 3 };     /* "}\n of JSON */
	char number[16];
	snprintf(number, sizeof number, "%d", pid);
	if (how & LOG_JOURNAL)
		put_text(&l, priority(severity));
	if (how & LOG_JSON) {
		put_text(&l, "{\"time\":\"");
		put_time(&l, time_us);
		const char *const parts[] = { "\",\"level\":\"", severity, "\",\"role\":\"", role, "\",\"pid\":",
		    number, ",\"text\":\"" };
		for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
			put_text(&l, parts[i]);
		put_json(&l, text);
		memcpy(l.at, "\"}\n", 3);
		return (size_t)(l.at - line) + 3;
	}
	if (how & LOG_TIME) {
		put_time(&l, time_us);
		put_text(&l, " ");
	}
	const char *const parts[] = { role, "[", number, "]: ", severity, ": " };
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		put_text(&l, parts[i]);
	char *began = l.at;
	put_text(&l, text);
	/* what a peer said must not look like a line of ours, or command a terminal */
	for (char *p = began; p < l.at; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	*l.at++ = '\n';
	return (size_t)(l.at - line);
}
