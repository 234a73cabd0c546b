/* publish - says something to a topic: publish TOPIC TEXT */
#include <mom.h>
#include <stdio.h>
#include <string.h>

int
main(int argc, char **argv)
{
	if (argc != 3)
		return fprintf(stderr, "usage: publish TOPIC TEXT\n"), 100;
	int id = mom_create(), r;
	if (id < 0)
		return fprintf(stderr, "%s\n", mom_error_text(-1)), 1;
	r = mom_publish(id, argv[1], argv[2], strlen(argv[2]), 0);
	if (r < 0)
		fprintf(stderr, "%s\n", mom_error_text(id));
	return mom_destroy(id) < 0 || r < 0;
}
