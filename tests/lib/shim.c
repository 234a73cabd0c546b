/* shim - servers of which some system calls are others */
#include <lib/shim.h>
#include <lib/t.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
preload(const char *name)
{
	char path[PATH_MAX] = "";
	REQUIRE(readlink("/proc/self/exe", path, sizeof path - 1) > 0, "readlink");
	*strrchr(path, '/') = 0;
	*strrchr(path, '/') = 0;
	setenv("LD_PRELOAD", t_text("%s/shim/%s.so", path, name), 1);
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
}

void
shim_slow(const char *program, const char *call, int ms)
{
	preload("slow_disk");
	setenv("SLOW_IN", program, 1);
	setenv("SLOW_CALL", call, 1);
	setenv("SLOW_MS", t_text("%d", ms), 1);
}

void
shim_interrupted(void)
{
	preload("interrupted");
}

void
shim_host_names(const char *file)
{
	preload("host_names");
	setenv("HOST_NAMES", file, 1);
}

void
shim_end(void)
{
	unsetenv("LD_PRELOAD");
}
