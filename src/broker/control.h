/* What a handler and broker_server tell each other during the handshake, over a socket pair. */
#ifndef CONTROL_H
#define CONTROL_H
#include "format/wire.h"
struct control_ask    { struct hello hello; };
struct control_answer { int32_t ok, unit, is_known; struct welcome welcome; char text[200]; };
/* Then the handler, once the daemon answers WELCOME with its first frame, sends one byte: the sender may start. Where
 * the machine is not known it sends another before it hands on a CREATE, and waits: 0 says that the machine is known
 * now, else the byte is a code (-MOM_E*) and the CREATE is refused. */
#endif
