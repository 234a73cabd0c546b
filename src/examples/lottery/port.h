/* port - the centre's text port: whoever connects gets one line, and the connection is closed */
#ifndef PORT_H
#define PORT_H

/* on 127.0.0.1; 0: a free one. The listening socket; ends the program with 111 where there is none */
int  port_open(long port);
int  port_number(int socket);
void port_answer(int socket, const char *line);       /* to all that wait */
#endif
