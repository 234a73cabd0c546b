/* things - the two kinds of objects of this example, a counter and a list, for their hosts; and their stubs, for who
 * holds them */
#ifndef THINGS_H
#define THINGS_H
#include <mom_object.h>

enum { THING_CANNOT = 1, THING_STAYS = 2 };        /* the errors that they raise */

/* ---- hosts (counter.c, list.c) ---- */
extern const struct mom_object_type counter_type, list_type;
void *counter_new(void);
void *list_new(void);
/* the method "move" of both: goes to the place that the argument names */
int thing_move(struct mom_request *q);
extern volatile long *things_alive;                 /* counted by whoever makes and frees one; shared by the hosts */

/* ---- stubs (things_client.c): return what mom_object_call does ---- */
int counter_add(int id, const char *ref, int64_t by, int64_t *value, int timeout_ms);
int list_append(int id, const char *ref, uint32_t who, uint32_t number, int timeout_ms);
/* All entries in their order, by turns who and number; *n: how many. NULL where it fails; to be freed. */
uint32_t *list_get(int id, const char *ref, size_t *n, int timeout_ms);
int thing_move_to(int id, const char *ref, const char *place, int timeout_ms);
#endif
