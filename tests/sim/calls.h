/* calls.h - the system calls that the programs make here; tests/tests.mk makes from these names the list by which they
 * are renamed */
#ifndef SIM_CALLS_H
#define SIM_CALLS_H
#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <time.h>

/* process.c */
void *sim_malloc(size_t n);
void sim_free(void *p);
void *sim_calloc(size_t n, size_t size);
void *sim_realloc(void *old, size_t n);
void *sim_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset);
int sim_munmap(void *p, size_t n);
int sim_madvise(void *p, size_t n, int advice);
char *sim_getenv(const char *name);
char *sim_secure_getenv(const char *name);
int sim_setenv(const char *name, const char *value, int over);
int sim_unsetenv(const char *name);
pid_t sim_fork(void);
int sim_execl(const char *path, const char *name, ...);
void sim__exit(int status) __attribute__((noreturn));
void sim_exit(int status) __attribute__((noreturn));
void sim_abort(void) __attribute__((noreturn));
int sim_kill(pid_t pid, int number);
int sim_sigaction(int number, const struct sigaction *act, struct sigaction *old);
int sim_sigprocmask(int how, const sigset_t *set, sigset_t *old);
pid_t sim_waitpid(pid_t pid, int *status, int options);
pid_t sim_wait4(pid_t pid, int *status, int options, struct rusage *used);
pid_t sim_getpid(void);
pid_t sim_getppid(void);
uid_t sim_geteuid(void);
gid_t sim_getegid(void);
int sim_gethostname(char *name, size_t n);
int sim_prctl(int option, ...);
int sim_getrlimit(int what, struct rlimit *limit);

/* descriptor.c */
int sim_poll(struct pollfd *fds, nfds_t n, int timeout);
ssize_t sim_read(int fd, void *bytes, size_t n);
ssize_t sim_write(int fd, const void *bytes, size_t n);
int sim_close(int fd);
int sim_dup3(int fd, int to, int flags);
int sim_fcntl(int fd, int command, ...);
int sim_pipe2(int fds[2], int flags);
int sim_eventfd(unsigned value, int flags);
long sim_syscall(long number, ...);
int sim_openat(int dir, const char *path, int flags, ...);
int sim_open(const char *path, int flags, ...);

/* disk.c */
ssize_t sim_pread(int fd, void *bytes, size_t n, off_t at);
ssize_t sim_pwrite(int fd, const void *bytes, size_t n, off_t at);
int sim_fdatasync(int fd);
int sim_fsync(int fd);
int sim_ftruncate(int fd, off_t size);
int sim_fallocate(int fd, int mode, off_t at, off_t n);
int sim_sync_file_range(int fd, off_t at, off_t n, unsigned flags);
int sim_fstat(int fd, struct stat *st);
int sim_fstatat(int dir, const char *path, struct stat *st, int flags);
int sim_stat(const char *path, struct stat *st);
int sim_fstatvfs(int fd, struct statvfs *st);
int sim_flock(int fd, int how);
int sim_mkdirat(int dir, const char *path, mode_t mode);
int sim_mkdir(const char *path, mode_t mode);
int sim_renameat(int from_dir, const char *from, int to_dir, const char *to);
int sim_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int sim_unlinkat(int dir, const char *path, int flags);
int sim_rmdir(const char *path);
int sim_faccessat(int dir, const char *path, int mode, int flags);
mode_t sim_umask(mode_t mode);
int sim_fchmod(int fd, mode_t mode);
int sim_fchmodat(int dir, const char *path, mode_t mode, int flags);
int sim_fchown(int fd, uid_t uid, gid_t gid);
int sim_fchownat(int dir, const char *path, uid_t uid, gid_t gid, int flags);
ssize_t sim_readlink(const char *path, char *text, size_t n);
int sim_symlink(const char *to, const char *path);
int sim_unlink(const char *path);
DIR *sim_fdopendir(int fd);
struct dirent *sim_readdir(DIR *dir);
int sim_closedir(DIR *dir);

/* socket.c */
ssize_t sim_recv(int fd, void *bytes, size_t n, int flags);
ssize_t sim_send(int fd, const void *bytes, size_t n, int flags);
int sim_socket(int domain, int type, int protocol);
int sim_socketpair(int domain, int type, int protocol, int fds[2]);
int sim_bind(int fd, const struct sockaddr *a, socklen_t n);
int sim_listen(int fd, int backlog);
int sim_connect(int fd, const struct sockaddr *a, socklen_t n);
int sim_accept4(int fd, struct sockaddr *a, socklen_t *n, int flags);
int sim_setsockopt(int fd, int level, int option, const void *value, socklen_t n);
int sim_getsockopt(int fd, int level, int option, void *value, socklen_t *n);
int sim_ioctl(int fd, unsigned long request, ...);
int sim_getsockname(int fd, struct sockaddr *a, socklen_t *n);
int sim_getpeername(int fd, struct sockaddr *a, socklen_t *n);

/* sysv.c */
int sim_msgget(key_t key, int flags);
int sim_semget(key_t key, int n, int flags);
int sim_shmget(key_t key, size_t size, int flags);
int sim_msgctl(int id, int command, struct msqid_ds *ds);
int sim_msgsnd(int id, const void *message, size_t n, int flags);
ssize_t sim_msgrcv(int id, void *message, size_t n, long type, int flags);
int sim_semctl(int id, int number, int command, ...);
int sim_semtimedop(int id, struct sembuf *op, size_t n, const struct timespec *t);
void *sim_shmat(int id, const void *where, int flags);
int sim_shmdt(const void *at);
int sim_shmctl(int id, int command, struct shmid_ds *ds);

/* clock.c */
int sim_clock_gettime(clockid_t clock, struct timespec *t);
int sim_usleep(useconds_t us);
int sim_sched_yield(void);
int sim_sched_getaffinity(pid_t pid, size_t n, cpu_set_t *cores);
ssize_t sim_getrandom(void *bytes, size_t n, unsigned flags);
#endif
