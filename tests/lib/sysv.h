/* sysv - the SysV objects that registries tell of, and those that the kernel has
 * A registry is text: `want KIND 0xKEY`, `have KIND 0xKEY id N ctime T role NAME`, `gone KIND 0xKEY`; KIND is msg, shm
 * or sem. */
#ifndef SYSV_H
#define SYSV_H

#include <stdint.h>

struct sysv_object {
	char kind[4];            /* "msg", "shm", "sem" */
	uint32_t key;
	int id;                  /* -1: wanted only */
	long ctime;
	char role[48];
};

/* The objects of a registry file that were not told to be gone (whether the kernel still has them or not); their
 * number, at most max. */
int sysv_registry(const char *path, struct sysv_object *objects, int max);
/* The kernel still has it: the same key and, where known, id. */
int sysv_exists(const struct sysv_object *o);
/* The first living object of the registry whose role begins with `role` (or is it, where it ends in '='): 1 and *o, or
 * 0. */
int sysv_find(const char *registry, const char *role, struct sysv_object *o);
/* ipcrm. 0, or -1 with errno. */
int sysv_remove(const struct sysv_object *o);
/* Living objects of all files named "registry" below a folder; the first one's description into text. */
int sysv_left(const char *folder, char *text, unsigned size);
void sysv_remove_left(const char *folder);
/* All objects in this IPC namespace, by /proc/sysvipc. */
int sysv_all(char *text, unsigned size);
#endif
