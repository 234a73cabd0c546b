/* config - news.conf: lines of `key value`, # begins a comment */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
set_number(long *to, const char *value, long min, long max)
{
	if (*value == 0 || strspn(value, "0123456789") != strlen(value) || strlen(value) > 6 || atol(value) < min ||
	    atol(value) > max)
		return -1;
	*to = atol(value);
	return 0;
}

static int
set_topic(char *to, const char *value)
{
	size_t len = strlen(value);
	if (len < 1 || len > 31 || strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") !=
	    len)
		return -1;
	memcpy(to, value, len + 1);
	return 0;
}

/* NULL, or what is wanted instead */
static const char *
set(struct config *c, const char *key, const char *value)
{
	if (strcmp(key, "pusher") == 0)
		return set_number(&c->pusher, value, 0, 65535) < 0 ? "a port from 0 to 65535 is wanted" : NULL;
	if (strcmp(key, "consumer") == 0)
		return set_number(&c->consumer, value, 0, 65535) < 0 ? "a port from 0 to 65535 is wanted" : NULL;
	if (strcmp(key, "keep") == 0)
		return set_number(&c->keep, value, 1, 10000) < 0 ? "a number from 1 to 10000 is wanted" : NULL;
	if (strcmp(key, "topic") == 0)
		return set_topic(c->topic, value) < 0 ? "1 to 31 of A-Z a-z 0-9 . _ - are wanted" : NULL;
	return "there is no such key: pusher, consumer, topic, keep are";
}

int
config_load(struct config *c, const char *path)
{
	char line[300], key[64], value[200], more[2];
	*c = (struct config){ .pusher = 8081, .consumer = 8082, .keep = 200, .topic = "news" };
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return snprintf(c->error, sizeof c->error, "%.400s: %s", path, strerror(errno)), -1;
	for (int number = 1; *c->error == 0 && fgets(line, sizeof line, f); number++) {
		line[strcspn(line, "#\n")] = 0;
		int words = sscanf(line, "%63s %199s %1s", key, value, more);
		const char *wanted = words == 2 ? set(c, key, value) : words > 0 ? "one key and one value are wanted"
		    : NULL;
		if (wanted)
			snprintf(c->error, sizeof c->error, "%.300s:%d: %.60s: %s", path, number, key, wanted);
	}
	if (ferror(f))
		snprintf(c->error, sizeof c->error, "%.400s: %s", path, strerror(errno));
	fclose(f);
	return *c->error ? -1 : 0;
}

long
config_port(const struct config *c, const char *program)
{
	return strcmp(program, "pusher") == 0 ? c->pusher : c->consumer;
}
