/* Which System V objects are ours: a text file beside the lock, written before and after each creation, so that the
 * next start reaps exactly what a kill left behind and nothing else. Only broker_server and mom_daemon have one.
 *   mom registry 1 boot ID ipc INODE
 *   want msg|shm|sem 0xKEY                                   a random key, on file before the object is made
 *   have msg|shm|sem 0xKEY id N ctime T role NAME            made
 *   gone msg|shm|sem 0xKEY                                   removed, or not made after all
 * Each line ends in ` crc XXXXXXXX`, the CRC32C of what stands before it; old ones do not. */
#ifndef REGISTRY_H
#define REGISTRY_H
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum registry_kind { REGISTRY_MSG, REGISTRY_SHM, REGISTRY_SEM };

struct registry_object {
	enum registry_kind kind;
	uint32_t key;
	int  id;
	long long ctime;
	char role[40];
	int  kept;                        /* by registry_open: of a former run */
};

struct registry {
	int dir, fd;
	size_t bytes;                     /* of the file: rewritten when it grows, or when a line was cut off */
	/* the last registry_make failed for want of its file, not of a kernel object */
	int file_failed;
	struct registry_object *objects;
	size_t count, room;
};

/* Takes up the file in folder dir (the caller holds its lock): reaps what matches, but for ids that keep() says yes to;
 * they stay listed. */
int  registry_open(struct registry *r, int dir, int (*keep)(const struct registry_object *, void *), void *with);
/* A new object: 0600, of that size (shm), readable and writable by uid (creator besides). open_to_all: a queue others
 * may send to. -1: errno */
int  registry_make(struct registry *r, enum registry_kind kind, size_t bytes, uid_t uid, int open_to_all,
    const char *role);
/* what to do about a failed registry_make; first thing after it: reads errno */
const char *registry_hint(const struct registry *r);
void registry_remove(struct registry *r, enum registry_kind kind, int id);
/* 1: the object still is the one that we made. 0: it was removed by somebody (ipcrm); its line is struck. */
int  registry_check(struct registry *r, enum registry_kind kind, int id);
int  registry_look(struct registry *r);      /* once a second. 1: its file was gone, and is made anew; -1: cannot be */
void registry_close(struct registry *r, int remove_all);   /* remove_all: objects and the file itself */
/* At a fatal end: removes all but what keep() says yes to: that stays for a successor, and stays listed. */
void registry_leave(struct registry *r, int (*keep)(const struct registry_object *, void *), void *with);
/* For tools: read a registry file; objects malloc'd, count returned or -1. */
int  registry_read(int dir, struct registry_object **objects);
/* Number of the first line that is damaged; 0: none is, or the file is of another boot. text[n] is a NUL */
size_t registry_fault(const char *text, size_t n);
int  registry_exists(const struct registry_object *o);
/* The same of another user's server: creator is the owner of its folder. 0 with EACCES: that cannot be seen. */
int  registry_exists_of(const struct registry_object *o, uid_t creator);
const char *registry_kind_name(enum registry_kind kind);
#endif
