/* calm - see calm.h */
#include <lib/calm.h>
#include <lib/talk.h>
#include <stddef.h>

static int id;

int
calm_up(struct server *broker, struct server *daemon)
{
	broker_start(broker, "broker", 0, NULL);
	daemon_start(daemon, "one", broker->port);
	use_daemon(daemon);
	id = talk_create();
	talk_subscribe(id, "calm");
	return id;
}

void
calm(void)
{
	say(id, "calm", "hello");
	hear(id, "calm", "hello");
}
