/* What a handler and broker_server tell each other during the handshake, over a socket pair. */
#ifndef CONTROL_H
#define CONTROL_H
#include <mom/wire.h>
struct control_ask    { struct hello hello; };
struct control_answer { int32_t ok, unit; struct welcome welcome; char text[200]; };
/* then the handler, once the daemon answers WELCOME with its first frame, sends one byte: the sender may start */
#endif
