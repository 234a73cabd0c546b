/* daemon_options - see daemon_options.h */
#include "daemon/daemon_options.h"
#include "config/config_keys.h"
#include "config/http_address.h"
#include "base/log.h"
#include "base/sig.h"
#include <signal.h>
#include <stdio.h>

static const char *
check(const struct config *c)
{
	int insecure = (int)config_number(c, DAEMON_INSECURE);
	const char *fault = http_address_exposed(config_text(c, DAEMON_HTTP), insecure);
	return fault ? fault : http_hosts_exposed(config_text(c, DAEMON_HTTP_HOSTS), insecure);
}

static void
options_take(struct daemon_options *o)
{
	const struct config *c = &o->config;
	o->run = config_text(c, DAEMON_RUN);
	o->spool = config_text(c, DAEMON_SPOOL);
	o->backlog_max = config_number(c, DAEMON_BACKLOG_MAX);
	o->ready_fd = config_text(c, DAEMON_READY_FD) ? (int)config_number(c, DAEMON_READY_FD) : -1;
}

void
options_read(struct daemon_options *o, struct daemon *d, int argc, char **argv)
{
	config_start(&o->config, &config_daemon, argc, argv, check);
	options_take(o);
	config_address(&o->config, DAEMON_BROKER, d->host, d->port);
	d->message_max = (uint32_t)config_number(&o->config, DAEMON_MESSAGE_MAX);
	d->verbose = (int)config_log(&o->config);
	log_init(log_role(), (uint32_t)d->verbose);
	http_child_plan(&d->http, config_text(&o->config, DAEMON_HTTP), config_text(&o->config, DAEMON_HTTP_HOSTS));
}

void
options_take_spool(struct daemon_options *o, uint32_t message_max)
{
	char text[16];
	snprintf(text, sizeof text, "%u", message_max);
	if (config_text(&o->config, DAEMON_MESSAGE_MAX) == NULL)
		config_set(&o->config, DAEMON_MESSAGE_MAX, text, CONFIG_BY_PRESET, NULL, 0);
}

void
options_say(const struct daemon_options *o, const char *spool)
{
	const struct config *c = &o->config;
	char log[PATH_MAX + 100];
	log_info("version %s; spool %s; limits: client-backlog-max %s, max-message %s; %s", MOM_VERSION, spool,
	    config_text(c, DAEMON_BACKLOG_MAX), config_text(c, DAEMON_MESSAGE_MAX),
	    config_log_text(c, log, sizeof log));
}

static void
tell_children(struct daemon *d, int number)
{
	http_child_renew(&d->http);
	const pid_t children[] = { d->requester, d->responser, d->forwarder };
	for (size_t i = 0; i < sizeof children / sizeof *children; i++)
		if (children[i] > 0)
			kill(children[i], number);
}

static void
reload(struct daemon_options *o, struct daemon *d)
{
	int logged = d->verbose, r = config_reload(&o->config, &o->fresh, check, NULL, NULL);
	if (r == 0)
		return;
	options_take(o);
	options_take_spool(o, d->message_max);
	d->verbose = (int)config_log(&o->config);
	log_init(log_role(), (uint32_t)d->verbose);
	atomic_store(&d->table->log, (uint32_t)d->verbose);
	atomic_store(&d->table->backlog_max, o->backlog_max);
	if (r == CONFIG_LOG_MOVED)
		tell_children(d, SIGUSR1);
	else if (d->verbose != logged)
		http_child_renew(&d->http);
}

void
options_signals(struct daemon_options *o, struct daemon *d)
{
	if (sig_got_reload) {
		sig_got_reload = 0;
		reload(o, d);
	}
	if (sig_got_reopen) {
		sig_got_reopen = 0;
		if (config_reopen_log(&o->config, "SIGUSR1"))
			tell_children(d, SIGUSR1);
	}
}
