/* host_names - LD_PRELOAD: the names of hosts stand in the file HOST_NAMES, a line each: NAME ADDRESS... Whoever asks
 * for a name that has no address there waits until it has one. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The addresses of that name, parted by blanks. 0: there is no such name */
static int
look_up(const char *name, char addresses[256])
{
	char line[512];
	int found = 0;
	FILE *f = fopen(getenv("HOST_NAMES"), "r");
	while (f && !found && fgets(line, sizeof line, f)) {
		size_t n = strcspn(line, " \n");
		found = n == strlen(name) && strncmp(line, name, n) == 0;
		snprintf(addresses, 256, "%.255s", line + n);
	}
	if (f)
		fclose(f);
	return found;
}

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *wish, struct addrinfo **result)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
	    (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))(size_t)dlsym(RTLD_NEXT,
	    "getaddrinfo");
	char addresses[256], *rest = NULL;
	struct addrinfo **end = result;
	*result = NULL;
	if (!look_up(node, addresses))
		return EAI_NONAME;
	while (strtok_r(addresses, " \n", &rest) == NULL) {
		usleep(1000);
		look_up(node, addresses);
	}
	look_up(node, addresses);
	for (char *a = strtok_r(addresses, " \n", &rest); a; a = strtok_r(NULL, " \n", &rest)) {
		if (real(a, service, wish, end))
			return EAI_NONAME;
		while (*end)
			end = &(*end)->ai_next;
	}
	return 0;
}
