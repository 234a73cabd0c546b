/* Do the names of what a server has open still lead to it? A cleaner of old files, or a person, may remove them while
 * the server runs. Both servers look once a second, and make anew what can be made. */
#ifndef NAMES_H
#define NAMES_H
/* If the run folder is gone, or another one has its name: makes and locks it under the same descriptors. 1: it was; -1:
 * it is, and cannot be made (told once). */
int  names_folder(const char *path, int dir, int lock);
/* Tells what a look at that file of the folder gave. 1: it was gone; -1: it cannot be made: errno (told once). */
void names_tell(const char *folder, const char *name, int gave);
#endif
