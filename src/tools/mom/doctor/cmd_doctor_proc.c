/* cmd_doctor_proc - what can be seen of processes here: /proc, hidepid, namespaces; a part of mom doctor */
#include "tools/mom/doctor/cmd_doctor.h"
#include "ipc/ipcq.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The value of hidepid with which /proc is mounted into word; 0: without */
static int
hidepid(char word[16])
{
	char line[1024], where[256], type[32], options[512];
	FILE *f = fopen("/proc/thread-self/mounts", "re");
	int found = 0;
	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%*s %255s %31s %511s", where, type, options) != 3 || strcmp(type, "proc") != 0 ||
		    strcmp(where, "/proc") != 0)
			continue;
		const char *at = strstr(options, "hidepid=");
		/* the last one counts */
		found = at && sscanf(at, "hidepid=%15[^, ]", word) == 1 && strcmp(word, "off") != 0 &&
		    strcmp(word, "0") != 0;
	}
	if (f)
		fclose(f);
	return found;
}

void
doctor_proc(void)
{
	char word[16];
	if (access("/proc/thread-self/fd", F_OK) < 0)
		doctor_say(DOCTOR_WARN, "/proc", "mount -t proc proc /proc",
		    "it is not mounted: servers do not start without it, and programs whose run folder has a long path "
		    "do not reach theirs");
	else if (hidepid(word))
		doctor_say(DOCTOR_OK, "/proc", NULL, "it hides the processes of other users (hidepid=%s): their "
		    "programs are served, but not named by their command", word);
	else
		doctor_say(DOCTOR_OK, "/proc", NULL, "it shows all processes");
}

/* Programs share memory with their daemon, so they need its IPC namespace. */
void
doctor_namespaces(const struct look_server *s)
{
	char path[40];
	struct stat st;
	struct look_client c;
	uint64_t here = ipcq_namespace();
	unsigned unseen = 0;
	if (s->is_broker || s->pid == 0)
		return;
	snprintf(path, sizeof path, "/proc/%d/ns/ipc", (int)s->pid);
	if (here && stat(path, &st) == 0 && st.st_ino != here) {
		doctor_say(DOCTOR_WARN, "namespaces", "run programs where the daemon runs; containers: --ipc=host, or "
		    "one pod", "the daemon of %s has another IPC namespace than this shell: programs from here cannot "
		    "use it", s->run);
		return;
	}
	for (uint32_t i = 0; s->machine && look_client(s, i, &c) >= 0; i++)
		unseen += c.state == SLOT_LIVE && c.pid == 0;
	if (unseen)
		doctor_say(DOCTOR_OK, "namespaces", NULL, "%u programs of %s are of another PID namespace: their ends "
		    "are noticed by their sockets and segments", unseen,
		    s->run);
}
