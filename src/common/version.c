/* version - see version.h */
#include "common/version.h"
#include <mom.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
version_option(int argc, char **argv, const char *program)
{
	if (argc < 2 || argv == NULL || strcmp(argv[1], "--version") != 0)
		return;
	fprintf(stdout, "%s (MOM) %s\n", program, MOM_VERSION);
	exit(0);
}
