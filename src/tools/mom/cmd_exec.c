/* cmd_exec - mom bench and mom shell: programs of their own that lie beside this one */
#include "tools/mom/cmd.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
run_beside(const struct cmd *c, const char *program, char **argv)
{
	char path[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
	if (n < 0)
		return cmd_fail(c, "readlink(/proc/self/exe): %s: is /proc mounted?", strerror(errno));
	path[n] = '\0';
	strcpy(strrchr(path, '/') + 1, program);
	argv[0] = path;
	execv(path, argv);
	return cmd_fail(c, "%s: %s: it is installed beside mom", path, strerror(errno));
}

static int
bench_run(int argc, char **argv)
{
	(void)argc;
	return run_beside(&cmd_bench, "mom_bench", argv);
}

static int
shell_run(int argc, char **argv)
{
	(void)argc;
	return run_beside(&cmd_shell, "user_main", argv);
}

const struct cmd cmd_bench = { "bench", "how fast it is: mom_bench",
	"usage: mom bench [ARGUMENT ...]\nRuns mom_bench with these arguments; mom bench --help shows them.\nExample: "
	    "mom bench W1\n", bench_run };
const struct cmd cmd_shell = { "shell", "the interactive tester: user_main",
	"usage: mom shell [--run DIR] [COMMAND ...]\nRuns user_main with these arguments; mom shell --help shows its "
	    "commands.\nExample: mom shell 'S news' 'R 5'\n", shell_run };
