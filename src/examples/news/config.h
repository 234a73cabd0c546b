/* config - news.conf: lines of `key value`, # begins a comment
 *
 *     pusher 8081      port of the pusher's page on 127.0.0.1; 0 takes a free one
 *     consumer 8082    port of the consumer's page
 *     topic news       the first part of the topics, and of the durable clients' names
 *     keep 200         entries that a page opened later still shows */
#ifndef CONFIG_H
#define CONFIG_H

struct config {
	long pusher, consumer, keep;
	char topic[32];
	char error[600];                       /* file, line, what is wrong */
};

int  config_load(struct config *c, const char *path);      /* 0, -1: error */
long config_port(const struct config *c, const char *program);
#endif
