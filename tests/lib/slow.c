/* slow - servers on a slow disk */
#include <lib/slow.h>
#include <lib/t.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
slow_begin(const char *program, const char *call, int ms)
{
	char path[PATH_MAX] = "";
	REQUIRE(readlink("/proc/self/exe", path, sizeof path - 1) > 0, "readlink");
	*strrchr(path, '/') = 0;
	*strrchr(path, '/') = 0;
	setenv("LD_PRELOAD", t_text("%s/shim/slow_disk.so", path), 1);
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
	setenv("SLOW_IN", program, 1);
	setenv("SLOW_CALL", call, 1);
	setenv("SLOW_MS", t_text("%d", ms), 1);
}

void
slow_end(void)
{
	unsetenv("LD_PRELOAD");
}
