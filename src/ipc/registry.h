/* Which System V objects are ours: a text file beside the lock. It is written before and after each creation. So the
 * next start removes exactly what a kill left behind, and nothing else. Only broker_server and mom_daemon have a
 * registry.
 *   mom registry 1 boot ID ipc INODE
 *   want msg|shm|sem 0xKEY                                   a random key, on file before the object is made
 *   have msg|shm|sem 0xKEY id N ctime T role NAME            made
 *   gone msg|shm|sem 0xKEY                                   removed, or not made after all
 * Each line ends in ` crc XXXXXXXX`, the CRC32C of what stands before it. Lines of older versions do not. */
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
	int  kept;                        /* registry_open kept it: it is of a former run */
};

struct registry {
	int dir, fd;
	/* bytes of the file; it is rewritten when it gets large, or when a line was cut off */
	size_t bytes;
	/* The last registry_make failed since its file could not be written, not for want of a kernel object. */
	int file_failed;
	struct registry_object *objects;
	size_t count, room;
};

/* Takes up the file in folder dir; the caller holds the folder's lock. The objects that match a line are removed, but
 * for those that keep() says yes to. These stay listed. */
int  registry_open(struct registry *r, int dir, int (*keep)(const struct registry_object *, void *), void *with);
/* Makes an object: 0600, of that size (shm). uid may read and write it, and so may its creator. open_to_all: a queue
 * that others may send to. -1: errno */
int  registry_make(struct registry *r, enum registry_kind kind, size_t bytes, uid_t uid, int open_to_all,
    const char *role);
/* What to do about a failed registry_make. Call it first thing after that: it reads errno. */
const char *registry_hint(const struct registry *r);
void registry_remove(struct registry *r, enum registry_kind kind, int id);
/* 1: the object still is the one that we made. 0: somebody removed it (ipcrm); its line is struck out. */
int  registry_check(struct registry *r, enum registry_kind kind, int id);
/* once a second. 1: the file was gone, and is made anew; -1: it cannot be */
int  registry_look(struct registry *r);
void registry_close(struct registry *r, int remove_all);   /* remove_all: the objects and the file go, too */
/* For a fatal end: removes all objects but those that keep() says yes to. These stay for a successor, and stay
 * listed. */
void registry_leave(struct registry *r, int (*keep)(const struct registry_object *, void *), void *with);
/* For tools: reads a registry file. objects is malloc'd; returns how many, or -1. */
int  registry_read(int dir, struct registry_object **objects);
/* Number of the first line that is damaged. 0: none is, or the file is of another boot or IPC namespace. text[n] is a
 * NUL. */
size_t registry_fault(const char *text, size_t n);
int  registry_exists(const struct registry_object *o);
/* The same for the server of another user; creator is the owner of its folder. 0 with EACCES: that cannot be seen. */
int  registry_exists_of(const struct registry_object *o, uid_t creator);
const char *registry_kind_name(enum registry_kind kind);
#endif
