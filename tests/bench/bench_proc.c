/* bench_proc - a part of mom_bench: CPU time, context switches and memory of our servers by role, from /proc
 * schedstat has nanoseconds, stat has ticks of 10 ms: the sum is taken from the first, its parts user and system from
 * the second. */
#include "bench/bench.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

const char *const role_names[ROLES] = { "broker_server", "handler", "sender", "worker", "daemon", "requester",
    "responser", "forwarder", "other",
	"publishers", "subscribers" };
static const char *const programs[ROLE_OTHER] = { "broker_server", "broker_handler", "broker_sender", "worker",
    "mom_daemon", "mom_requester",
	"mom_responser", "mom_forwarder" };

static enum role
role_of(const char *program)
{
	int r = 0;
	while (r < ROLE_OTHER && strncmp(programs[r], program, 15) != 0)     /* the kernel keeps 15 bytes */
		r++;
	return (enum role)r;
}

/* The text of a file of /proc; "" where the process has gone. */
static const char *
read_text(char *text, size_t size, const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, size - 1, f) : 0;
	text[n] = '\0';
	if (f)
		fclose(f);
	return text;
}

static uint64_t
number_after(const char *text, const char *word)
{
	const char *at = strstr(text, word);
	return at ? strtoull(at + strlen(word), NULL, 10) : 0;
}

static void
add_thread(struct proc *p, const char *thread)
{
	char path[300], text[4096];
	snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", (int)p->pid, thread);
	p->cpu_ns += strtoull(read_text(text, sizeof text, path), NULL, 10);
	snprintf(path, sizeof path, "/proc/%d/task/%.20s/status", (int)p->pid, thread);
	read_text(text, sizeof text, path);
	p->switches += number_after(text, "\nvoluntary_ctxt_switches:") + number_after(text,
	    "\nnonvoluntary_ctxt_switches:");
}

static void
add_threads(struct proc *p)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/task", (int)p->pid);
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.')
			add_thread(p, e->d_name);
	if (d)
		closedir(d);
}

static int
is_among(pid_t pid, const pid_t *pids, int n)
{
	while (n > 0)
		if (pids[--n] == pid)
			return 1;
	return 0;
}

/* 1 if that process is one of our servers or the child of one, or of one of those */
static int
look_at(struct proc *p, pid_t pid, const pid_t *roots, int n, const struct snapshot *s)
{
	char path[64], text[1024], name[32] = "";
	int parent = 0;
	unsigned long long user = 0, system = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	const char *open = strchr(read_text(text, sizeof text, path), '('), *shut = strrchr(text, ')');
	if (open == NULL || shut == NULL ||
	    sscanf(shut + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &parent, &user, &system) != 3)
		return 0;
	int is_ours = is_among(pid, roots, n) || is_among(parent, roots, n);
	for (int i = 0; i < s->count && !is_ours; i++)
		is_ours = s->proc[i].pid == parent;
	if (!is_ours)
		return 0;
	snprintf(name, sizeof name, "%.*s", (int)(shut - open - 1), open + 1);
	*p = (struct proc){ .pid = pid, .role = role_of(name), .user_ticks = user, .system_ticks = system };
	add_threads(p);
	return 1;
}

static double
machine_us(void)
{
	char text[512];
	unsigned long long t[8] = { 0 };                 /* user nice system idle iowait irq softirq steal */
	sscanf(read_text(text, sizeof text, "/proc/stat"), "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1],
	    &t[2], &t[3], &t[4], &t[5],
	    &t[6], &t[7]);
	return (double)(t[0] + t[1] + t[2] + t[5] + t[6] + t[7]) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

void
proc_snapshot(struct snapshot *s)
{
	s->at = bench_now();
	s->machine_us = machine_us();
	pid_t roots[MACHINES_MAX + 1];
	int n = servers_pids(roots, MACHINES_MAX + 1);
	s->count = 0;
	DIR *d = n ? opendir("/proc") : NULL;
	for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
		pid_t pid = (pid_t)atoi(e->d_name);
		if (pid > 0 && s->count < (int)(sizeof s->proc / sizeof *s->proc))
			s->count += look_at(&s->proc[s->count], pid, roots, n, s);
	}
	if (d)
		closedir(d);
}

void
proc_costs(const struct snapshot *before, const struct snapshot *after, struct costs *sum)
{
	static const struct proc none;
	for (int i = 0; i < after->count; i++) {
		const struct proc *p = &after->proc[i], *was = &none;
		for (int k = 0; k < before->count; k++)
			if (before->proc[k].pid == p->pid)
				was = &before->proc[k];
		uint64_t user = p->user_ticks - was->user_ticks, system = p->system_ticks - was->system_ticks;
		if (user + system < 10) {                /* too few ticks to part by: as over its whole life */
			user = p->user_ticks;
			system = p->system_ticks;
		}
		double us = (double)(p->cpu_ns - was->cpu_ns) / 1e3,
		    part = user + system ? (double)user / (double)(user + system) : 0.5;
		cost_add(&sum->of[p->role], &(struct cost){ us * part, us * (1 - part), p->switches - was->switches });
	}
}

/* With servers that are not ours their time would count as somebody else's: 0. */
double
proc_elsewhere(const struct snapshot *before, const struct snapshot *after, const struct costs *ours)
{
	double busy = after->machine_us - before->machine_us, all =
	    (after->at - before->at) * 1e6 * (double)sysconf(_SC_NPROCESSORS_ONLN);
	for (int r = 0; r < ROLES; r++)
		busy -= ours->of[r].user_us + ours->of[r].system_us;
	return busy < 0 || after->count == 0 ? 0 : busy / all;
}

double
proc_pss_kib(const struct snapshot *s)
{
	char path[64], text[2048];
	double sum = 0;
	for (int i = 0; i < s->count; i++) {
		snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)s->proc[i].pid);
		sum += (double)number_after(read_text(text, sizeof text, path), "\nPss:");
	}
	return sum;
}

void
cost_self(struct cost *c)
{
	struct rusage r;
	getrusage(RUSAGE_SELF, &r);
	c->user_us = (double)r.ru_utime.tv_sec * 1e6 + (double)r.ru_utime.tv_usec;
	c->system_us = (double)r.ru_stime.tv_sec * 1e6 + (double)r.ru_stime.tv_usec;
	c->switches = (uint64_t)r.ru_nvcsw + (uint64_t)r.ru_nivcsw;
}

void
cost_since(struct cost *c, const struct cost *before)
{
	cost_self(c);
	c->user_us -= before->user_us;
	c->system_us -= before->system_us;
	c->switches -= before->switches;
}

void
cost_add(struct cost *sum, const struct cost *c)
{
	sum->user_us += c->user_us;
	sum->system_us += c->system_us;
	sum->switches += c->switches;
}
