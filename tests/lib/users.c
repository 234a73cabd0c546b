/* users - see users.h */
#include <lib/t.h>
#include <lib/users.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int
users_know_mom(void)
{
	char *text = t_read_file("/etc/passwd");
	int fd = open(t_path("passwd"), O_WRONLY | O_CREAT, 0644);
	text = t_text("%s\nmom:x:%d:%d::/:/bin/sh\n", text, MOM_UID, MOM_UID);
	REQUIRE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, 0644) == 0, "passwd");
	close(fd);
	return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount(t_path("passwd"), "/etc/passwd", NULL, MS_BIND, NULL) == 0;
}

void
become(uid_t uid)
{
	gid_t group = MOM_UID;
	if (setgroups(1, &group) < 0 || setgid(uid) < 0 || setuid(uid) < 0)
		_exit(126);
}

void
daemon_start_as_mom(struct server *daemon, const struct server *broker)
{
	char *out = t_path("daemon.out");
	unlink(out);
	if (daemon->name[0] == '\0')
		daemon_plan(daemon, "one", broker->port);
	mkdir(t_path("one"), 0755);
	chmod(t_path("one"), 0755);
	REQUIRE(chown(t_path("one"), MOM_UID, MOM_UID) == 0 && chmod(t_dir(), 0755) == 0, "chown");
	pid_t pid = fork();
	if (pid == 0) {
		int to = open(out, O_WRONLY | O_CREAT, 0644), log = open(daemon->log, O_WRONLY | O_CREAT | O_APPEND,
		    0644);
		dup2(to, 1);
		dup2(log, 2);
		become(MOM_UID);
		execl(t_bin("mom_daemon"), "mom_daemon", broker->ip, t_text("%d", broker->port), "--run", daemon->run,
		    "--spool", daemon->store,
		    (char *)NULL);
		_exit(127);
	}
	WAIT_FOR(strstr(t_read_file(out), "ready") || waitpid(pid, NULL, WNOHANG) == pid, "the daemon does not start");
	if (kill(pid, 0) < 0)
		return;
	daemon->pid = pid;
	REQUIRE(chmod(daemon->run, 0755) == 0 && chmod(t_text("%s/socket", daemon->run), 0666) == 0, "chmod");
}
