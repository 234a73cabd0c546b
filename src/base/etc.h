/* Names and numbers of /etc/passwd and /etc/group, which we read ourselves. getpwnam and getgrnam load modules into a
 * program; a static program cannot do that. They also ask directory services, which may keep us waiting.
 *     struct etc_entry e;
 *     for (const char *p = text; (p = etc_next(p, &e)) != NULL;) ... */
#ifndef ETC_H
#define ETC_H
#include <stdint.h>

enum { ETC_NAME = 256 };
struct etc_entry { char name[ETC_NAME]; uint32_t id; };

int64_t etc_user_id(const char *name);         /* -1: there is no such name */
int64_t etc_group_id(const char *name);
/* The name of that number; the number itself where it has none. Returns name. */
const char *etc_user_name(uint32_t id, char name[ETC_NAME]);
const char *etc_group_name(uint32_t id, char name[ETC_NAME]);
/* Loads a whole file; symbolic links are followed. root: "" or a folder that stands for /. path: absolute. Returns it
 * malloc'd, or NULL. */
char   *etc_load(const char *root, const char *path);
/* Takes the next line NAME:anything:NUMBER of a text. Other fields may be empty; other lines are passed over. Returns
 * what is behind the line, or NULL: there is none. */
const char *etc_next(const char *text, struct etc_entry *e);
#endif
