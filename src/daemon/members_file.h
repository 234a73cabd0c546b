/* The daemon's files in the spool: identity, clients (the list), words-SLOT and ring-SLOT of clients whose segment may
 * go. */
#ifndef MEMBERS_FILE_H
#define MEMBERS_FILE_H
#include "daemon/daemon.h"
/* the list into d->members; ends the program where it is damaged */
void members_read(struct daemon *d);
enum words_how { WORDS_LIVE, WORDS_SYNC, WORDS_CLEAN /* synced, and the last word of a daemon that ends */ };
/* of a durable client: acked and handed a shard; only where they changed */
void members_save_words(struct daemon *d, uint32_t slot, enum words_how how);
void members_load_words(struct daemon *d, uint32_t slot);
void members_save_ring(struct daemon *d, uint32_t slot);    /* what is not acknowledged yet */
void members_load_ring(struct daemon *d, uint32_t slot);
int  members_has_ring(struct daemon *d, uint32_t slot);
void members_forget_files(struct daemon *d, uint32_t slot);
#endif
