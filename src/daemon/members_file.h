/* The daemon's files in the spool: identity, clients (the list), and words-SLOT and ring-SLOT of clients whose segment
 * may go. */
#ifndef MEMBERS_FILE_H
#define MEMBERS_FILE_H
#include "daemon/daemon.h"
/* Reads the list into d->members. It ends the program if the list is damaged. */
void members_read(struct daemon *d);
enum words_how { WORDS_LIVE, WORDS_SYNC, WORDS_CLEAN /* synced, and nobody hands out mail after it */ };
/* Saves the words of a durable client, if they changed: what it has acknowledged and was handed, of each shard. */
void members_save_words(struct daemon *d, uint32_t slot, enum words_how how);
void members_load_words(struct daemon *d, uint32_t slot);
void members_save_ring(struct daemon *d, uint32_t slot);    /* saves the requests that are not acknowledged yet */
void members_load_ring(struct daemon *d, uint32_t slot);
int  members_has_ring(struct daemon *d, uint32_t slot);
void members_forget_files(struct daemon *d, uint32_t slot);
#endif
