/* broker_options - see broker_options.h */
#include "broker/broker_options.h"
#include "config/config_keys.h"
#include "config/http_address.h"
#include "base/log.h"
#include "base/net.h"
#include "base/sig.h"
#include <signal.h>
#include <stdio.h>

const char *
options_exposed(const char *host)
{
	static char text[500];
	snprintf(text, sizeof text, "an address that is not loopback needs --insecure, since there is no "
	    "authentication yet: whoever reaches the port can read and publish everything: %s", host);
	return text;
}

static const char *
check(const struct config *c)
{
	char host[NET_HOST], port[64];
	struct net_address a;
	int insecure = (int)config_number(c, BROKER_INSECURE);
	const char *fault = http_address_exposed(config_text(c, BROKER_HTTP), insecure);
	if (fault == NULL)
		fault = http_hosts_exposed(config_text(c, BROKER_HTTP_HOSTS), insecure);
	if (fault)
		return fault;
	if (config_address(c, BROKER_LISTEN, host, port) < 0 || insecure)
		return NULL;
	/* of a name it is known once it is asked for */
	return net_parse(&a, host, port) < 0 || a.loopback ? NULL : options_exposed(host);
}

static void
options_take(struct broker_options *o)
{
	const struct config *c = &o->config;
	config_address(c, BROKER_LISTEN, o->host, o->port);
	o->db = config_text(c, BROKER_DB);
	o->run = config_text(c, BROKER_RUN);
	o->topics = config_text(c, BROKER_TOPICS);
	o->store_max = config_number(c, BROKER_STORE_MAX);
	o->topic_max = config_number(c, BROKER_TOPIC_MAX);
	o->workers = c->value[BROKER_WORKERS].from == CONFIG_BY_PRESET ? 0 : (uint32_t)config_number(c, BROKER_WORKERS);
	o->expiry = (uint32_t)(config_number(c, BROKER_EXPIRY) / 1000);
	o->message_max = (uint32_t)config_number(c, BROKER_MESSAGE_MAX);
	o->views = config_number(c, BROKER_VIEWS) == 0;
	o->insecure = (int)config_number(c, BROKER_INSECURE);
	o->ready_fd = config_text(c, BROKER_READY_FD) ? (int)config_number(c, BROKER_READY_FD) : -1;
}

void
options_read(struct broker_options *o, struct broker *b, int argc, char **argv)
{
	config_start(&o->config, &config_broker, argc, argv, check);
	options_take(o);
	b->verbose = (int)config_log(&o->config);
	log_init(log_role(), (uint32_t)b->verbose);
	http_child_plan(&b->http, config_text(&o->config, BROKER_HTTP), config_text(&o->config, BROKER_HTTP_HOSTS));
}

void
options_take_store(struct broker_options *o, uint32_t workers, uint32_t message_max)
{
	char text[16];
	snprintf(text, sizeof text, "%u", workers);
	if (o->workers == 0)
		config_set(&o->config, BROKER_WORKERS, text, CONFIG_BY_PRESET, NULL, 0);
	o->workers = workers;
	snprintf(text, sizeof text, "%u", message_max);
	if (o->message_max == 0)
		config_set(&o->config, BROKER_MESSAGE_MAX, text, CONFIG_BY_PRESET, NULL, 0);
	o->message_max = message_max;
}

void
options_say(const struct broker_options *o)
{
	const struct config *c = &o->config;
	char log[PATH_MAX + 100];
	log_info("version %s; store %s; limits: store-max %s, topic-max %s, machine-expiry %s, max-message %s; %s",
	    MOM_VERSION, o->db,
	    config_text(c, BROKER_STORE_MAX), config_text(c, BROKER_TOPIC_MAX), config_text(c, BROKER_EXPIRY),
	    config_text(c, BROKER_MESSAGE_MAX),
	    config_log_text(c, log, sizeof log));
}

static void
tell_children(struct broker *b, int number)
{
	http_child_renew(&b->http);
	for (uint32_t i = 0; i < b->store.shards; i++)
		if (b->workers[i].pid > 0)
			kill(b->workers[i].pid, number);
	for (uint32_t i = 0; i < atomic_load(&b->table->conns); i++) {
		if (b->conns[i].handler > 0)
			kill(b->conns[i].handler, number);
		if (b->conns[i].sender > 0)
			kill(b->conns[i].sender, number);
	}
}

/* Segments have been sized for the limit of the start: they must still be a few. */
static void
keep_store_max(struct config *fresh, const struct config *c, void *broker)
{
	const struct broker *b = broker;
	uint64_t least = b->table->segment_bytes * STORE_SEGMENTS * b->store.shards,
	    wanted = config_number(fresh, BROKER_STORE_MAX);
	if (wanted == 0 || wanted >= least || wanted == config_number(c, BROKER_STORE_MAX))
		return;
	log_warn("SIGHUP: store-max is to be %s, it stays %s: below %llu bytes that needs a restart",
	    config_text(fresh, BROKER_STORE_MAX),
	    config_text(c, BROKER_STORE_MAX), (unsigned long long)least);
	config_keep(fresh, BROKER_STORE_MAX, c);
}

static void
reload(struct broker_options *o, struct broker *b)
{
	int logged = b->verbose, r = config_reload(&o->config, &o->fresh, check, keep_store_max, b);
	if (r == 0)
		return;
	uint32_t workers = o->workers, message_max = o->message_max;
	options_take(o);
	options_take_store(o, workers, message_max);
	b->verbose = (int)config_log(&o->config);
	log_init(log_role(), (uint32_t)b->verbose);
	atomic_store(&b->table->log, (uint32_t)b->verbose);
	atomic_store(&b->table->store_max, o->store_max);
	atomic_store(&b->table->topic_max, o->topic_max);
	atomic_store(&b->table->expiry, o->expiry);
	if (r == CONFIG_LOG_MOVED)
		tell_children(b, SIGUSR1);
	else if (b->verbose != logged)
		http_child_renew(&b->http);
}

void
options_signals(struct broker_options *o, struct broker *b)
{
	if (sig_got_reload) {
		sig_got_reload = 0;
		reload(o, b);
	}
	if (sig_got_reopen) {
		sig_got_reopen = 0;
		if (config_reopen_log(&o->config, "SIGUSR1"))
			tell_children(b, SIGUSR1);
	}
}
