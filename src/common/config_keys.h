/* The keys of our programs: the table of each is in config_keys.c, the order here is the table's. */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H
#include "common/config.h"

enum broker_key {
	BROKER_LISTEN, BROKER_DB, BROKER_RUN, BROKER_WORKERS, BROKER_TOPICS, BROKER_STORE_MAX, BROKER_TOPIC_MAX, BROKER_EXPIRY, BROKER_MESSAGE_MAX,
	BROKER_INSECURE, BROKER_READY_FD, BROKER_LOG_LEVEL, BROKER_LOG_FORMAT, BROKER_LOG_TIME, BROKER_LOG_FILE, BROKER_KEYS
};
enum daemon_key {
	DAEMON_BROKER, DAEMON_RUN, DAEMON_SPOOL, DAEMON_MESSAGE_MAX, DAEMON_BACKLOG_MAX, DAEMON_READY_FD,
	DAEMON_LOG_LEVEL, DAEMON_LOG_FORMAT, DAEMON_LOG_TIME, DAEMON_LOG_FILE, DAEMON_KEYS
};
enum client_key { CLIENT_RUN, CLIENT_TIMEOUT, CLIENT_WINDOW, CLIENT_KEYS };
_Static_assert((int)BROKER_KEYS <= (int)CONFIG_KEYS_MAX && (int)DAEMON_KEYS <= (int)CONFIG_KEYS_MAX, "a value each");

extern const struct config_program config_broker, config_daemon, config_client;
#endif
