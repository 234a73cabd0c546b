/* Which boot of the kernel this is: read once. NULL: it cannot be read now, errno; nothing may be told from that. */
#ifndef BOOT_H
#define BOOT_H
const char *boot_id(void);
#endif
