/* Names and numbers of /etc/passwd and /etc/group, read by ourselves: getpwnam and getgrnam load modules into a
 * program, which a static one cannot, and ask directory services, which may keep us waiting. struct etc_entry e; for
 * (const char *p = text; (p = etc_next(p, &e)) != NULL;) ... */
#ifndef ETC_H
#define ETC_H
#include <stdint.h>

enum { ETC_NAME = 256 };
struct etc_entry { char name[ETC_NAME]; uint32_t id; };

int64_t etc_user_id(const char *name);         /* -1: there is none of that name */
int64_t etc_group_id(const char *name);
/* A file whole, symbolic links followed; root: "" or what stands for /; path: absolute. malloc'd, or NULL */
char   *etc_load(const char *root, const char *path);
/* The next line NAME:anything:NUMBER of a text, where fields may be empty but for these two; others are passed over.
 * What is behind it, or NULL: there is none. */
const char *etc_next(const char *text, struct etc_entry *e);
#endif
