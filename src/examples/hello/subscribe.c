/* subscribe - prints what is said to a topic, until nothing comes for a minute: subscribe TOPIC */
#include <mom.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
	struct mom_message m;
	if (argc != 2)
		return fprintf(stderr, "usage: subscribe TOPIC\n"), 100;
	int id = mom_create();
	if (id < 0 || mom_subscribe(id, argv[1], 0) < 0)
		return fprintf(stderr, "%s\n", mom_error_text(id)), 1;
	while (mom_receive(id, &m, 60000) == 0) {
		printf("%s: %.*s\n", m.topic, (int)m.len, (const char *)m.data);
		fflush(stdout);
	}
	return mom_destroy(id) < 0;
}
