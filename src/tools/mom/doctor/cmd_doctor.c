/* mom doctor - is all well with this machine? A line a finding: ok, warn, FAIL, and what to do */
#include "tools/mom/doctor/cmd_doctor.h"
#include "config/config.h"
#include "tools/mom/cmd_json.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: mom doctor [--json] [-q] [FOLDER ...]\n"
    "  Looks at what MOM needs of this machine and at the servers that run here: System V limits, systemd's RemoveIPC, "
    "folders, disks, the clock, versions,\n"
    "  connections, what killed servers left behind. A line a finding: ok, warn (works, but look at it), FAIL (does "
    "not work), and what to do.\n"
    "  For a moment it makes a queue, a segment, a semaphore, and a file without a name in each store and spool.\n"
    "  -q       only what is not ok\n"
    "  --json   an array of objects: level, check, text, cure\n"
    "  FOLDER   a run folder or store; without any, the servers in the usual places, MOM_RUN first\n"
    "Exit status: 0   1 at least one FAIL   2 wrong use   27 all is well, but no server runs here\n"
    "Example: mom doctor\n";

static void
doctor_environment(void)
{
	char text[CONFIG_STRANGE];
	for (size_t at = 0; config_strange_variable(environ, &at, text);)
		doctor_say(DOCTOR_WARN, "environment", "it does nothing", "%s", text);
}

static int
run(int argc, char **argv)
{
	static const struct option longs[] = { { "json", 0, 0, 'j' }, { "help", 0, 0, 'h' }, { 0 } };
	struct servers s;
	for (int o; (o = cmd_option(&cmd_doctor, argc, argv, "hq", longs)) != -1;) {
		said.json |= o == 'j';
		said.quiet |= o == 'q';
	}
	doctor_clock_begin();
	servers_look(&s, &cmd_doctor, cmd_line.word, cmd_line.count, 1);
	if (said.json)
		json_open(NULL, '[');
	doctor_ipc(&s);
	doctor_remove_ipc(&s);
	doctor_proc();
	doctor_environment();
	for (int i = 0; i < cmd_line.count && s.count == 0; i++)
		doctor_say(DOCTOR_FAIL, "servers", "name a run folder or store",
		    "no broker or daemon is found there (%s)", (size_t)i < s.looks ? s.look[i]->tried
		    : cmd_line.word[i]);
	if (s.count == 0 && cmd_line.count == 0)
		doctor_say(DOCTOR_WARN, "servers", "start one, or name its run folder",
		    "no broker or daemon is found on this machine%s", servers_tried(&s));
	if (cmd_line.count == 0)
		doctor_programs(&s);
	int running = 0;
	for (size_t i = 0; i < s.count; i++) {
		running |= s.server[i].pid != 0;
		doctor_server(&s.server[i]);
		doctor_folders(&s.server[i]);
		doctor_disk(&s.server[i]);
		doctor_link(&s.server[i]);
		doctor_clients(&s.server[i]);
		doctor_namespaces(&s.server[i]);
	}
	doctor_clock_end(&s);
	if (said.json)
		json_close(']');
	servers_free(&s);
	return said.failed ? CMD_FAILED : running ? CMD_OK : CMD_NOTHING;
}

const struct cmd cmd_doctor = { "doctor", "is all well here? limits, disks, clock, connections; what to do", usage,
    run };
