/* Says which boot of the kernel this is; it is read once. NULL: it cannot be read now, see errno; conclude nothing from
 * that. */
#ifndef BOOT_H
#define BOOT_H
const char *boot_id(void);
#endif
