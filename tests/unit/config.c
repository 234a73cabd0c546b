/* config - tables, values, files; and how a log line looks */
#include <lib/t.h>
#include "config/config_keys.h"
#include "base/log.h"
#include "format/limits.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct config c;
static const struct config_program *const programs[] = { &config_broker, &config_daemon, &config_client };

static void
write_file(const char *path, const char *text, mode_t mode)
{
	t_write_file(path, text);
	REQUIRE(chmod(path, mode) == 0, "%s", path);
}

TEST(presets, "each key has a help text, and a default that it would take itself; those of the times are the limits' "
    "own")
{
	for (int p = 0; p < 3; p++) {
		config_begin(&c, programs[p]);
		REQUIRE(c.error[0] == '\0', "%s: %s", programs[p]->name, c.error);
		for (unsigned i = 0; i < programs[p]->count; i++) {
			const struct config_key *k = &programs[p]->keys[i];
			REQUIRE(k->name && k->help && *k->help, "%s: key %u", programs[p]->name, i);
			REQUIRE((k->preset != NULL) == (config_text(&c, i) != NULL), "%s: %s", k->name, k->preset);
			REQUIRE(k->kind != CONFIG_CHOICE || k->choices, "%s", k->name);
		}
		config_end(&c);
	}
	config_begin(&c, &config_broker);
	REQUIRE(config_number(&c, BROKER_EXPIRY) == MACHINE_EXPIRY_S * 1000ull, "machine-expiry");
	REQUIRE(config_number(&c, BROKER_LOG_LEVEL) == LOG_FROM_INFO, "log-level");
	config_begin(&c, &config_client);
	REQUIRE(config_number(&c, CLIENT_TIMEOUT) == TIMEOUT_MS, "timeout");
}

/* the example without its `#` in front of keys */
static char *
uncommented(const char *path)
{
	char *text = t_read_file(path), *to = text;
	for (const char *p = text; *p; p++)
		if (!(*p == '#' && (p == text || p[-1] == '\n') && p[1] >= 'a' && p[1] <= 'z'))
			*to++ = *p;
	*to = '\0';
	return text;
}

TEST(examples, "src/tools/etc has every key of the tables in a comment; with all of them in force the file is right")
{
	for (int p = 0; p < 3; p++) {
		char *path = t_text("src/tools/etc/%s", programs[p]->file), *all = uncommented(path);
		config_begin(&c, programs[p]);
		REQUIRE(config_read(&c, path, 1) == 0 && c.file_count == 1, "%s", c.error);
		for (unsigned i = 0; i < programs[p]->count; i++)
			REQUIRE(c.value[i].from == CONFIG_BY_PRESET, "%s: %s is in force", path,
			    programs[p]->keys[i].name);
		REQUIRE(config_parse(&c, all, strlen(all), path) == 0, "%s", c.error);
		for (unsigned i = 0; i < programs[p]->count; i++)
			REQUIRE((c.value[i].from == CONFIG_BY_FILE) == !(programs[p]->keys[i].how & CONFIG_FLAG_ONLY),
			    "%s: no line of %s", path, programs[p]->keys[i].name);
		config_end(&c);
	}
}

static int
takes(const struct config_program *program, unsigned key, const char *value, uint64_t number)
{
	config_begin(&c, program);
	int r = config_set(&c, key, value, CONFIG_BY_FLAG, NULL, 0) == 0 && config_number(&c, key) == number;
	config_end(&c);
	return r;
}

static int
refuses(const struct config_program *program, unsigned key, const char *value)
{
	config_begin(&c, program);
	int r = config_set(&c, key, value, CONFIG_BY_FLAG, NULL, 0) < 0 && c.error[0];
	config_end(&c);
	return r;
}

TEST(kinds, "numbers, bytes with k, m, g, times with their units, yes and no, choices, addresses: what is taken, and "
    "as what")
{
	REQUIRE(takes(&config_broker, BROKER_WORKERS, "64", 64) && takes(&config_broker, BROKER_STORE_MAX, "0", 0) &&
	    takes(&config_broker, BROKER_STORE_MAX, "16m", 16 << 20) &&
	    takes(&config_broker, BROKER_STORE_MAX, "3G", 3ull << 30) &&
	    takes(&config_broker, BROKER_MESSAGE_MAX, "5k", 5120) &&
	    takes(&config_broker, BROKER_EXPIRY, "36h", 36 * 3600000ull) &&
	    takes(&config_broker, BROKER_EXPIRY, "0", 0) && takes(&config_broker, BROKER_EXPIRY, "90m", 5400000) &&
	    takes(&config_broker, BROKER_INSECURE, "yes", 1) &&
	    takes(&config_broker, BROKER_INSECURE, "no", 0) && takes(&config_broker, BROKER_LOG_FORMAT, "json", 1) &&
	    takes(&config_broker, BROKER_LOG_LEVEL, "error", LOG_FROM_ERROR) &&
	    takes(&config_client, CLIENT_TIMEOUT, "500ms", 500) &&
	    takes(&config_client, CLIENT_TIMEOUT, "forever", CONFIG_NO_END) &&
	    takes(&config_broker, BROKER_LISTEN, "::1 0", 0) && takes(&config_daemon, DAEMON_BROKER, "mom://[::1]:8080",
	    0) &&
	    takes(&config_daemon, DAEMON_BROKER, "mom://10.0.0.1:8080", 0), "one of them");
	static const struct { const struct config_program *program; unsigned key; const char *value; } bad[] = {
		{ &config_broker, BROKER_WORKERS, "0" }, { &config_broker, BROKER_WORKERS, "65" },
		    { &config_broker, BROKER_WORKERS, "" }, { &config_broker, BROKER_WORKERS, " 1" },
		{ &config_broker, BROKER_WORKERS, "-1" }, { &config_broker, BROKER_WORKERS, "1x" },
		    { &config_broker, BROKER_STORE_MAX, "1" },
		{ &config_broker, BROKER_STORE_MAX, "16mm" }, { &config_broker, BROKER_STORE_MAX,
		    "99999999999999999999" }, { &config_broker, BROKER_STORE_MAX, "9999999999999g" },
		{ &config_broker, BROKER_STORE_MAX, "17179869185g" }, { &config_broker, BROKER_STORE_MAX, "-0" },
		    { &config_broker, BROKER_MESSAGE_MAX, "0" },
		{ &config_broker, BROKER_EXPIRY, "10" }, { &config_broker, BROKER_EXPIRY, "0s" },
		    { &config_broker, BROKER_EXPIRY, "500ms" }, { &config_broker, BROKER_EXPIRY, "forever" },
		{ &config_broker, BROKER_EXPIRY, "50000d" }, { &config_broker, BROKER_EXPIRY, "1w" },
		    { &config_broker, BROKER_INSECURE, "maybe" }, { &config_broker, BROKER_LOG_FORMAT, "" },
		{ &config_broker, BROKER_LOG_FORMAT, "js" }, { &config_broker, BROKER_LOG_FORMAT, "text|json" },
		    { &config_broker, BROKER_TOPICS, "a,b c" }, { &config_broker, BROKER_DB, "" },
		{ &config_broker, BROKER_DB, "a\nb" }, { &config_broker, BROKER_DB, "\x7f" },
		    { &config_broker, BROKER_LISTEN, "127.0.0.1" }, { &config_broker, BROKER_LISTEN, "no_port" },
		{ &config_broker, BROKER_LISTEN, "127.0.0.1 80 80" },
		    { &config_broker, BROKER_LISTEN, "127.0.0.1 65536" },
		    { &config_broker, BROKER_LISTEN, "mom://127.0.0.1" },
		{ &config_broker, BROKER_LISTEN, "mom://127.0.0.1:80/x" },
		    { &config_daemon, DAEMON_BROKER, "127.0.0.1 0" }, { &config_daemon, DAEMON_BACKLOG_MAX, "1k" },
		{ &config_client, CLIENT_TIMEOUT, "0" }, { &config_client, CLIENT_WINDOW, "4095" } };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		REQUIRE(refuses(bad[i].program, bad[i].key, bad[i].value), "number %zu is taken: %s", i, bad[i].value);
}

static void
says(const char *text, const char *error)
{
	config_begin(&c, &config_broker);
	int r = config_parse(&c, text, strlen(text), "the.conf");
	REQUIRE(r < 0 && strcmp(c.error, error) == 0, "%d: %s, wanted: %s", r, c.error, error);
	config_end(&c);
}

TEST(lines, "comments, blanks, values to the end of the line; what is wrong is told with file, line, and a cure")
{
	static const char good[] = "# comment\n\n   \n \tdb\t/a b # c  \r\ninsecure\n#db /no\ntopics\nworkers 3";
	config_begin(&c, &config_broker);
	REQUIRE(config_parse(&c, good, sizeof good - 1, "the.conf") == 0, "%s", c.error);
	char origin[60];
	REQUIRE(strcmp(config_text(&c, BROKER_DB), "/a b # c") == 0 && config_number(&c, BROKER_INSECURE) == 1 &&
	    config_number(&c, BROKER_WORKERS) == 3 &&
	    config_text(&c, BROKER_TOPICS)[0] == '\0', "db is %s", config_text(&c, BROKER_DB));
	REQUIRE(strcmp(config_origin(&c, BROKER_WORKERS, origin, sizeof origin), "the.conf:8") == 0, "%s", origin);
	config_end(&c);
	says("db a\n\nstor-max 1\n", "the.conf:3: there is no key stor-max; is it store-max?");
	says("colour red\n", "the.conf:1: there is no key colour; `mom config show` lists all");
	says("db a\nworkers 2\ndb b\n", "the.conf:3: db stands in line 1 already: keep one of them");
	says("#\nworkers 99\n", "the.conf:2: workers takes a number from 1 to 64, not: 99");
	says("workers", "the.conf:1: workers takes a number from 1 to 64, not: ");
	says("machine-expiry soon", "the.conf:1: machine-expiry takes a time such as 7d, 36h, 90m, 20s, or 0, not: "
	    "soon");
	says("log-format xml", "the.conf:1: log-format takes one of text|json, not: xml");
	says("listen 300.1.1.1 80", "the.conf:1: listen: neither an IPv4 or IPv6 address nor a host's name: 300.1.1.1");
	says("ready-fd 3", "the.conf:1: ready-fd belongs to one start: give it as the flag --ready-fd");
	says("db \033[2J\n", "the.conf:1: db has a control character: ?[2J");
}

TEST(order, "flag wins over environment, that over the user's file, that over the system's, that over the default; "
    "each is checked")
{
	config_begin(&c, &config_broker);
	REQUIRE(config_set(&c, BROKER_DB, "environment", CONFIG_BY_ENVIRONMENT, "MOM_BROKER_DB", 0) == 0, "%s",
	    c.error);
	REQUIRE(config_parse(&c, "db system\nworkers 2\ntopics a\nrun r\n", 34, "system") == 0 &&
	    config_parse(&c, "workers 3\n", 10, "user") == 0, "%s", c.error);
	REQUIRE(config_set(&c, BROKER_RUN, "flag", CONFIG_BY_FLAG, NULL, 0) == 0 &&
	    config_set(&c, BROKER_RUN, "environment", CONFIG_BY_ENVIRONMENT, "MOM_BROKER_RUN", 0) == 0, "%s", c.error);
	REQUIRE(strcmp(config_text(&c, BROKER_DB), "environment") == 0 && config_number(&c, BROKER_WORKERS) == 3 &&
	    strcmp(config_text(&c, BROKER_TOPICS), "a") == 0 &&
	    strcmp(config_text(&c, BROKER_RUN), "flag") == 0 && config_number(&c, BROKER_STORE_MAX) == 0, "the order");
	REQUIRE(config_set(&c, BROKER_DB, "", CONFIG_BY_FILE, "late", 1) < 0,
	    "a wrong value that loses is passed over");
	config_end(&c);
}

TEST(trust, "a file that others may write to, or that is none, is refused with a cure; one that is not there counts "
    "for nothing unless it was named")
{
	char *path = t_path("client.conf");
	config_begin(&c, &config_client);
	REQUIRE(config_read(&c, path, 0) == 0 && config_read(&c, path, 1) < 0 && strstr(c.error, "No such file"), "%s",
	    c.error);
	write_file(path, "window 8k\n", 0644);
	REQUIRE(config_read(&c, path, 0) == 0 && config_number(&c, CLIENT_WINDOW) == 8192, "%s", c.error);
	chmod(path, 0664);
	REQUIRE(config_read(&c, path, 0) < 0 && strstr(c.error, "chmod go-w"), "%s", c.error);
	REQUIRE(config_read(&c, t_dir(), 0) < 0 && strstr(c.error, "no file"), "%s", c.error);
	REQUIRE(mkfifo(t_path("fifo"), 0600) == 0 && config_read(&c, t_path("fifo"), 0) < 0, "a fifo");
	if (geteuid() == 0) {
		REQUIRE(chmod(path, 0644) == 0 && chown(path, 12345, 0) == 0, "chown");
		REQUIRE(config_read(&c, path, 0) < 0 && strstr(c.error, "another user"), "%s", c.error);
	}
	config_end(&c);
}

TEST(usage, "the usage of both servers names every flag of their tables")
{
	for (int p = 0; p < 2; p++) {
		char *text = NULL;
		size_t n;
		FILE *f = open_memstream(&text, &n);
		config_usage(programs[p], f);
		fclose(f);
		for (unsigned i = 0; i < programs[p]->count; i++)
			if (!(programs[p]->keys[i].how & CONFIG_NO_FLAG))
				REQUIRE(strstr(text, t_text("  --%s", programs[p]->keys[i].name)), "%s",
				    programs[p]->keys[i].name);
		free(text);
	}
}

/* ---- log lines ---- */

static char *
line_of(uint32_t how, const char *severity, const char *text)
{
	static char line[400];
	size_t n = log_format(line, sizeof line, how, 1769860805123456, "worker", 7, severity, text);
	REQUIRE(n <= sizeof line && n > 0 && line[n - 1] == '\n' && memchr(line, '\n', n) == line + n - 1,
	    "%zu bytes: %.*s", n, (int)n, line);
	line[n - 1] = '\0';
	return line;
}

static void
looks(uint32_t how, const char *severity, const char *text, const char *wanted)
{
	const char *line = line_of(how, severity, text);
	REQUIRE(strcmp(line, wanted) == 0, "got:    %s\nwanted: %s", line, wanted);
}

TEST(log_lines, "a log line with and without time, for the journal, in JSON; hostile bytes and long texts stay one "
    "line")
{
	looks(0, "warn", "a text", "worker[7]: warn: a text");
	looks(LOG_TIME, "info", "x", "2026-01-31T12:00:05.123Z worker[7]: info: x");
	looks(LOG_JOURNAL, "error", "x", "<3>worker[7]: error: x");
	looks(0, "info", "a\nb\033[2J\177", "worker[7]: info: a?b?[2J?");
	looks(LOG_JSON, "info", "say \"a\\b\"\n\x7f",
	    "{\"time\":\"2026-01-31T12:00:05.123Z\",\"level\":\"info\",\"role\":\"worker\",\"pid\":7,"
	    "\"text\":\"say "
	    "\\\"a\\\\b\\\"\\u000a\\u007f\"}");
	looks(LOG_JSON | LOG_JOURNAL, "debug", "\xc3\xa4 \xff \xe2\x82",
	    "<7>{\"time\":\"2026-01-31T12:00:05.123Z\",\"level\":\"debug\",\"role\":\"worker\",\"pid\":7,"
	    "\"text\":\"\xc3\xa4 \\ufffd \\ufffd\\ufffd\"}");
	char text[1000];
	for (int fill = 0; fill < 3; fill++) {
		memset(text, "a\"\001"[fill], sizeof text - 1);
		text[sizeof text - 1] = '\0';
		line_of(LOG_TIME, "info", text);
		const char *line = line_of(LOG_JSON, "info", text), *end = line + strlen(line) - 2;
		REQUIRE(strcmp(end, "\"}") == 0 && end - line > 300, "%s", line);
		REQUIRE(fill != 1 || (end[-2] == '\\' && end[-1] == '"'), "half an escape: %s", end - 6);
		REQUIRE(fill != 2 || strncmp(end - 6, "\\u0001", 6) == 0, "half an escape: %s", end - 6);
	}
}

TEST(log_variable, "MOM_LOG says how a program logs that has no configuration: level, JSON, time")
{
	const char *path = t_path("out");
	int keep = dup(2);
	setenv("MOM_LOG", "error,json", 1);
	REQUIRE(keep >= 0 && log_to_file(path) == 0, "a file for stderr");
	log_warn("not this");
	log_error("but this");
	dup2(keep, 2);
	const char *text = t_read_file(path);
	REQUIRE(strncmp(text, "{\"time\":", 8) == 0 && strstr(text, "\"level\":\"error\"") &&
	    strstr(text, "but this") && !strstr(text, "not this"), "%s", text);
}
