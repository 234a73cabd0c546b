/* Tells the service manager how a supervisor is. It does what sd_notify(3) of systemd does, over the socket that
 * NOTIFY_SOCKET names. If nothing is named (a person started the supervisor), every call does nothing. */
#ifndef NOTIFY_H
#define NOTIFY_H
#include <stdint.h>
/* Takes NOTIFY_SOCKET and WATCHDOG_USEC out of the environment, since children must not speak for their parent. */
void notify_init(void);
void notify_ready(void);                   /* READY=1 */
/* One line for `systemctl status`. It is sent if it differs from the last one. */
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
void notify_stopping(void);                /* STOPPING=1 */
/* to be called in each round of the loop: the watchdog's ping, when it is due */
void notify_tick(int64_t now);
int64_t notify_due(void);                  /* when notify_tick has something to do; -1: never */
#endif
