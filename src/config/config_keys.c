/* config_keys - see config_keys.h. A new key: a line in the enum, a line here, one in src/tools/etc/ (a test asks for
 * it). */
#include "config/config_keys.h"
#include "config/http_address.h"
#include "format/topic.h"
#include "format/limits.h"
#include <string.h>

#define COUNT(a) ((unsigned)(sizeof(a) / sizeof *(a)))

/* names, comma separated; the text is this thread of a server's only */
static const char *
topics_fault(const char *names)
{
	static char text[MOM_TOPIC_MAX + 100];
	for (const char *p = names; *p; p += *p == ',') {
		size_t n = strcspn(p, ",");
		const char *fault = n ? topic_fault(p, n) : NULL;
		if (fault) {
			snprintf(text, sizeof text, "%.*s %s", (int)(n > MOM_TOPIC_MAX ? MOM_TOPIC_MAX : n), p, fault);
			return text;
		}
		p += n;
	}
	return NULL;
}

#define HTTP_KEY { .name = "http", .kind = CONFIG_TEXT, .shape = "IP:PORT", .least = 1, .most = 100, \
	.fault = http_address_fault, \
	.help = "serve a status page, /metrics and /health there (mom_http --help); " \
	    "PORT 0 takes a free one: see RUN/http" }

#define HTTP_HOSTS_KEY \
	{ \
		.name = "http-hosts", .kind = CONFIG_TEXT, .shape = "A,B", .least = 1, .most = 1000, \
		.fault = http_hosts_fault, \
		.help = "host names by which browsers may ask for the status page, beside addresses and " \
			"localhost; * with --insecure: any" \
	}

#define LOG_KEYS(PROGRAM) \
	[PROGRAM ## _LOG_LEVEL] = { .name = "log-level", .kind = CONFIG_CHOICE, .how = CONFIG_RELOAD, \
		.shape = "LEVEL", .preset = "info", .choices = "info|debug|warn|error", \
		.help = "the least that is logged: debug, info, warn or error; -v: debug" }, \
	[PROGRAM ## _LOG_FORMAT] = { .name = "log-format", .kind = CONFIG_CHOICE, .how = CONFIG_RELOAD, \
		.shape = "FORMAT", .preset = "text", .choices = "text|json", \
		.help = "text, or json: an object a line" }, \
	[PROGRAM ## _LOG_TIME] = { .name = "log-time", .kind = CONFIG_CHOICE, .how = CONFIG_RELOAD | CONFIG_ALONE, \
		.shape = "yes|no", .preset = "auto", .choices = "auto|yes|no", \
		.help = "the time (UTC) in front of a line of text; auto: yes, but in the journal" }, \
	[PROGRAM ## _LOG_FILE] = { .name = "log-file", .kind = CONFIG_TEXT, .how = CONFIG_RELOAD, .shape = "FILE", \
		.least = 1, .most = PATH_MAX - 1, .help = "log to this file instead of stderr; SIGUSR1 opens it anew" }

static const struct config_key broker[BROKER_KEYS] = {
	[BROKER_LISTEN] = { .name = "listen", .kind = CONFIG_ADDRESS, .how = CONFIG_NO_FLAG, .shape = "HOST PORT",
	    .variable = "MOM_URL",
		.help = "where machines connect: an address or a name; PORT 0 takes a free one. First line on stdout: "
		    "ready HOST PORT" },
	[BROKER_DB] = { .name = "db", .kind = CONFIG_TEXT, .shape = "DIR", .preset = "db", .least = 1,
	    .most = PATH_MAX - 1, .help = "the store" },
	[BROKER_RUN] = { .name = "run", .kind = CONFIG_TEXT, .shape = "DIR", .least = 1, .most = PATH_MAX - 1,
		.help = "run folder (run-IP-PORT below the default run root)" },
	[BROKER_WORKERS] = { .name = "workers", .kind = CONFIG_NUMBER, .shape = "N", .preset = "1", .least = 1,
	    .most = SHARDS_MAX, .help = "shards of a new store, which remembers it" },
	[BROKER_TOPICS] = { .name = "topics", .kind = CONFIG_TEXT, .shape = "A,B", .preset = "general,news,log",
	    .least = 0, .most = 4095,
		.fault = topics_fault, .help = "topics of a new store" },
	[BROKER_STORE_MAX] = { .name = "store-max", .kind = CONFIG_BYTES, .how = CONFIG_RELOAD | CONFIG_ZERO,
	    .shape = "BYTES", .preset = "0",
		.least = (uint64_t)STORE_SEGMENTS * SEGMENT_MIN, .most = UINT64_MAX / 2,
		    .help = "refuse publishes above this; 0: the disk" },
	[BROKER_TOPIC_MAX] = { .name = "topic-max", .kind = CONFIG_BYTES, .how = CONFIG_RELOAD | CONFIG_ZERO,
	    .shape = "BYTES", .preset = "0", .least = 1,
		.most = UINT64_MAX / 2, .help = "the same for what waits in one topic; 0: any" },
	[BROKER_EXPIRY] = { .name = "machine-expiry", .kind = CONFIG_TIME, .how = CONFIG_RELOAD | CONFIG_ZERO,
	    .shape = "TIME", .preset = "7d", .least = 1000,
		.most = UINT32_MAX * UINT64_C(1000), .help = "forget machines and durable clients that are away for "
		    "longer: 36h, 90m, 20s; 0: never" },
	[BROKER_MESSAGE_MAX] = { .name = "max-message", .kind = CONFIG_BYTES, .shape = "BYTES", .least = 1,
	    .most = MESSAGE_LIMIT,
		.help = "largest payload (1048576; up to 67108864); a store remembers it, and daemons need as much" },
	[BROKER_VIEWS] = { .name = "views", .kind = CONFIG_CHOICE, .shape = "on|off", .preset = "on",
		.choices = "on|off",
		.help = "keep readable files of topics in the store, each a folder and a file; off: for very many" },
	[BROKER_INSECURE] = { .name = "insecure", .kind = CONFIG_SWITCH, .preset = "no",
		.help = "listen (and http) on an address that is not loopback; there is no authentication yet" },
	[BROKER_HTTP] = HTTP_KEY,
	[BROKER_HTTP_HOSTS] = HTTP_HOSTS_KEY,
	[BROKER_READY_FD] = { .name = "ready-fd", .kind = CONFIG_NUMBER, .how = CONFIG_FLAG_ONLY, .shape = "N",
	    .least = 0, .most = INT_MAX,
		.help = "an open descriptor that gets a byte once machines may connect" },
	LOG_KEYS(BROKER),
};

static const struct config_key daemon_keys[DAEMON_KEYS] = {
	[DAEMON_BROKER] = { .name = "broker", .kind = CONFIG_ADDRESS, .how = CONFIG_NO_FLAG, .shape = "HOST PORT",
	    .variable = "MOM_URL", .least = 1,
		.help = "where the broker is, or will be: an address or a name. First line on stdout: "
		    "ready RUNFOLDER" },
	[DAEMON_RUN] = { .name = "run", .kind = CONFIG_TEXT, .shape = "DIR", .least = 1, .most = PATH_MAX - 1,
	    .variable = "MOM_RUN",
		.help = "run folder: where this machine's programs find the daemon (MOM_RUN)" },
	[DAEMON_SPOOL] = { .name = "spool", .kind = CONFIG_TEXT, .shape = "DIR", .least = 1, .most = PATH_MAX - 1,
		.help = "what must outlive a restart ($XDG_STATE_HOME/mom/spool, else ~/.local/state/mom/spool; "
		    "as root /var/spool/mom)" },
	[DAEMON_MESSAGE_MAX] = { .name = "max-message", .kind = CONFIG_BYTES, .shape = "BYTES", .least = 1,
	    .most = MESSAGE_LIMIT,
		.help = "largest payload (1048576; up to 67108864), at least what the broker takes; the spool "
		    "remembers it" },
	[DAEMON_BACKLOG_MAX] = { .name = "client-backlog-max", .kind = CONFIG_BYTES, .how = CONFIG_RELOAD | CONFIG_ZERO,
	    .shape = "BYTES", .preset = "0",
		.least = BACKLOG_LEAST, .most = UINT64_MAX / 2,
		.help = "a client for whom more than this waits in the spool, or is not acknowledged, is cut: it gets "
		    "what waits, then MOM_EFULL; 0: any" },
	[DAEMON_HTTP] = HTTP_KEY,
	[DAEMON_HTTP_HOSTS] = HTTP_HOSTS_KEY,
	[DAEMON_INSECURE] = { .name = "insecure", .kind = CONFIG_SWITCH, .preset = "no",
		.help = "http on an address that is not loopback: whoever reaches it sees topics, names and programs" },
	[DAEMON_READY_FD] = { .name = "ready-fd", .kind = CONFIG_NUMBER, .how = CONFIG_FLAG_ONLY, .shape = "N",
	    .least = 0, .most = INT_MAX,
		.help = "an open descriptor that gets a byte once programs may connect" },
	LOG_KEYS(DAEMON),
};

static const struct config_key client[CLIENT_KEYS] = {
	[CLIENT_RUN] = { .name = "run", .kind = CONFIG_TEXT, .shape = "DIR", .least = 1, .most = PATH_MAX - 1,
	    .help = "the run folder of this machine's mom_daemon" },
	[CLIENT_TIMEOUT] = { .name = "timeout", .kind = CONFIG_TIME, .how = CONFIG_FOREVER, .shape = "TIME",
	    .preset = "30s", .least = 1, .most = INT32_MAX,
		.help = "how long calls wait for an answer (MOM_OPT_TIMEOUT_MS): 30s, 500ms; forever" },
	[CLIENT_WINDOW] = { .name = "window", .kind = CONFIG_BYTES, .shape = "BYTES", .least = 4096, .most = INT32_MAX,
		.help = "bytes of MOM_ASYNC publishes that may be unacknowledged (MOM_OPT_WINDOW); without it: what "
		    "its ring holds" },
};

const struct config_program config_broker = {
	"broker_server", "broker.conf", "MOM_BROKER_", broker, COUNT(broker),
	"HOST and PORT are needed, and nothing else: as arguments, as `listen HOST PORT` in broker.conf, or in "
	    "MOM_URL=mom://HOST:PORT",
	"Example: broker_server 127.0.0.1 8080 --db /var/lib/mom --store-max 10g\n"
}, config_daemon = {
	"mom_daemon", "daemon.conf", "MOM_DAEMON_", daemon_keys, COUNT(daemon_keys),
	"HOST and PORT of the broker are needed, and nothing else: as arguments, as `broker HOST PORT` in "
	    "daemon.conf, or in MOM_URL=mom://HOST:PORT",
	"Example: mom_daemon 192.168.1.10 8080 --client-backlog-max 1g\n"
}, config_client = { "programs", "client.conf", "MOM_", client, COUNT(client), NULL, NULL };
