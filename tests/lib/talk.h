/* talk - what most cases say with their own handles; each call fails the case when it does not go well */
#ifndef TALK_H
#define TALK_H

#include <mom.h>
#include <stdint.h>

int  talk_create(void);
int  talk_create_hasty(void);      /* where the settings name a short time-out: until a create is in time */
int  talk_open(const char *name);
void talk_subscribe(int id, const char *topic);
void talk_join(int id, const char *group, const char *pattern, unsigned flags);
int  talk_member(const char *group, const char *pattern, unsigned flags);      /* a new handle, which joins */
void talk_flush(int id);
void say(int id, const char *topic, const char *text);               /* durable */
void hear(int id, const char *topic, const char *text);              /* the next message is this one */
void hear_again(int id, const char *topic, const char *text);        /* ... and is flagged MOM_REDELIVERED */
void hear_nothing(int id);                                           /* nothing waits */
void bye(int id);                                                    /* destroy */
#endif
