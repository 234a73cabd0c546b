/* What the museum's processes say to each other, in plain text, and its semaphores and variables.
 *
 *     Museum                   "ready" of each door, the guide and the timer
 *     Museum/Doors/Door<n>     "enter <person>", "leave <person>", "end"
 *     Museum/People/Person<n>  "accepted", "rejected", "goodbye" of a door; "tour", "over" of the guide
 *     Museum/Guide             "sign <person>"; "go": the timer found some who wait; "end"
 *     Museum/Timer             "end" */
#ifndef MUSEUM_H
#define MUSEUM_H

/* semaphore: free places. Who leaves by one door gives back what another took: MOM_DSEM_KEEP */
#define PLACES  "Museum/Capacity"
#define VACANCY "Museum/Vacancy"       /* lock of INSIDE and MOST */
#define INSIDE  "Museum/Inside"        /* variables: persons inside, and the most there ever were */
#define MOST    "Museum/Most"
#define TOUR    "Museum/Tour"          /* semaphore of 1: the guide has it while a tour is on */
/* variables: who signed and waits, tours so far, and the largest of them; the guide writes them */
#define SIGNED  "Museum/Signed"
#define TOURS   "Museum/Tours"
#define LARGEST "Museum/Largest"

/* how a person's process ends; else something went wrong */
enum { PERSON_REJECTED = 10, PERSON_LEFT = 11, PERSON_TOURED = 12 };
enum { PATIENCE_MS = 60000 };

struct museum_options {
	long persons, doors, capacity, arrive, chance, sign, walk, group, tour, timer, coordinators, kills, seed;
	const char *other;
};
extern struct museum_options opt;

/* a client that has that topic; below 0: told on stderr */
int museum_client(const char *topic);
int museum_say(int id, const char *word, int person, const char *topic);      /* person below 0: the word alone */
/* word: 16 bytes. 0, MOM_ETIMEDOUT, other errors: told */
int museum_hear(int id, char *word, int *person, int timeout_ms);
int museum_failed(int id, const char *what);                           /* tells the handle's error; 1 */

int door(int n);
int person(int n);
int guide(int unused);
int timer(int unused);
#endif
