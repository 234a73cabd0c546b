/* calm - somebody who notices nothing while others do harm: a client of the case's process that talks to itself
 *
 *     int id = calm_up(&broker, &daemon);  ...harm...  calm();
 */
#ifndef CALM_H
#define CALM_H

#include <lib/server.h>

int  calm_up(struct server *broker, struct server *daemon);    /* both started, and the client: its handle */
void calm(void);                               /* a message of it comes, and nothing else */
#endif
