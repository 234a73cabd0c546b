/* Tells the service manager how a supervisor is: what sd_notify(3) of systemd does, over the socket that NOTIFY_SOCKET
 * names. Where nothing is named (a person started it) every call does nothing. */
#ifndef NOTIFY_H
#define NOTIFY_H
#include <stdint.h>
/* takes NOTIFY_SOCKET and WATCHDOG_USEC out of the environment: children must not speak for their parent */
void notify_init(void);
void notify_ready(void);                   /* READY=1 */
/* one line for `systemctl status`; sent where it is another than before */
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
void notify_stopping(void);                /* STOPPING=1 */
void notify_tick(int64_t now);             /* in each round of the loop: the watchdog's ping, when it is due */
int64_t notify_due(void);                  /* when notify_tick has something to do, -1: never */
#endif
