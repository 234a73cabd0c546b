/* What a handler and broker_server tell each other during the handshake, over a socket pair. */
#ifndef CONTROL_H
#define CONTROL_H
#include "format/wire.h"
struct control_ask    { struct hello hello; };
struct control_answer { int32_t ok, unit, is_known; struct welcome welcome; char text[200]; };
/* The daemon answers WELCOME with its first frame. Then the handler sends one byte, which says that the sender may
 * start. If the machine is not known, the handler sends another byte before it hands on a CREATE, and waits for a byte
 * as the answer. 0: the machine is known now. Else it is a code (-MOM_E*), and the CREATE is refused. */
#endif
