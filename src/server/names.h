/* Do the names of what a server has open still lead to it? A cleaner of old files, or a hand, may take them while it
 * runs. Both servers look once a second, and make anew what can be made. */
#ifndef NAMES_H
#define NAMES_H
/* A run folder that is gone, or another's, is made and locked, under the same descriptors. 1: it was; -1: it is, and
 * cannot be made (told once) */
int  names_folder(const char *path, int dir, int lock);
/* Tells what a look at that file of the folder gave. 1: it was gone; -1: it cannot be made: errno (told once) */
void names_tell(const char *folder, const char *name, int gave);
#endif
