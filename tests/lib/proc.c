/* proc - which processes there are, from /proc */
#include <lib/proc.h>
#include <lib/t.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct entry { pid_t pid, parent; char state; char comm[16]; };

static ssize_t
read_proc(pid_t pid, const char *file, char *buffer, size_t size)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	size_t got = 0;
	ssize_t n;
	while (got < size - 1 && (n = read(fd, buffer + got, size - 1 - got)) > 0)
		got += (size_t)n;
	close(fd);
	buffer[got] = 0;
	return (ssize_t)got;
}

static int
read_entry(pid_t pid, struct entry *e)
{
	char text[1024];
	if (read_proc(pid, "stat", text, sizeof text) <= 0)
		return -1;
	char *open = strchr(text, '('), *close = strrchr(text, ')');
	int parent;
	if (!open || !close || sscanf(close + 1, " %c %d", &e->state, &parent) != 2)
		return -1;
	e->pid = pid;
	e->parent = parent;
	snprintf(e->comm, sizeof e->comm, "%.*s", (int)(close - open - 1), open + 1);
	return 0;
}

static int
read_all(struct entry *all, int max)
{
	DIR *d = opendir("/proc");
	struct dirent *f;
	int n = 0;
	while (d && n < max && (f = readdir(d)))
		if (f->d_name[0] >= '0' && f->d_name[0] <= '9' && read_entry(atoi(f->d_name), &all[n]) == 0)
			n++;
	if (d)
		closedir(d);
	return n;
}

int
proc_descendants(pid_t of, pid_t *pids, int max)
{
	enum { ALL = 8192 };
	struct entry *all = malloc(ALL * sizeof *all);
	pid_t *family = malloc((ALL + 1) * sizeof *family);
	int n = read_all(all, ALL), members = 1, found = 0;

	family[0] = of;
	for (int done = 0; done < members; done++)
		for (int i = 0; i < n; i++)
			if (all[i].parent == family[done]) {
				family[members++] = all[i].pid;
				if (all[i].state != 'Z' && found < max)
					pids[found++] = all[i].pid;
			}
	free(all);
	free(family);
	return found;
}

int
proc_children(pid_t of, pid_t *pids, int max)
{
	struct entry e;
	int n = proc_descendants(of, pids, max), found = 0;
	for (int i = 0; i < n; i++)
		if (read_entry(pids[i], &e) == 0 && e.parent == of && e.state != 'Z')
			pids[found++] = pids[i];
	return found;
}

pid_t
proc_find(pid_t of, const char *comm, int i)
{
	pid_t pids[PROC_MAX];
	char name[16];
	int n = proc_children(of, pids, PROC_MAX);
	for (int k = 0; k < n; k++) {
		proc_comm(pids[k], name, sizeof name);
		if (strncmp(name, comm, 15) == 0 && i-- == 0)
			return pids[k];
	}
	return 0;
}

char
proc_state(pid_t pid)
{
	struct entry e;
	return pid > 0 && read_entry(pid, &e) == 0 ? e.state : 0;
}

int
proc_lives(pid_t pid)
{
	char state = proc_state(pid);
	return state && state != 'Z' && state != 'X';
}

long
proc_status(pid_t pid, const char *field)
{
	char *text = t_read_file(t_text("/proc/%d/status", (int)pid)), *at = strstr(text, field);
	long value = at ? atol(at + strlen(field)) : 0;
	free(text);
	return value;
}

void
proc_comm(pid_t pid, char *comm, size_t size)
{
	struct entry e;
	snprintf(comm, size, "%s", read_entry(pid, &e) == 0 ? e.comm : "");
}

static int
names(pid_t pid, const char *file, const char *text)
{
	enum { ROOM = 65536 };
	char *buffer = malloc(ROOM);
	ssize_t n = read_proc(pid, file, buffer, ROOM);
	int found = n > 0 && memmem(buffer, (size_t)n, text, strlen(text)) != NULL;
	free(buffer);
	return found;
}

int
proc_naming(const char *text, pid_t *pids, int max)
{
	DIR *d = opendir("/proc");
	struct dirent *f;
	int n = 0;
	while (d && n < max && (f = readdir(d))) {
		pid_t pid = atoi(f->d_name);
		if (pid > 0 && pid != getpid() && proc_lives(pid) &&
		    (names(pid, "cmdline", text) || names(pid, "environ", text)))
			pids[n++] = pid;
	}
	if (d)
		closedir(d);
	return n;
}

void
proc_signal_tree(pid_t pid, int signal)
{
	pid_t pids[PROC_MAX];
	if (pid <= 0)                                  /* not running */
		return;
	kill(pid, signal);
	int n = proc_descendants(pid, pids, PROC_MAX);
	for (int i = 0; i < n; i++)
		kill(pids[i], signal);
}
