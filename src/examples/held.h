/* held - the lines of an example's summary: what held, and what did not */
#ifndef HELD_H
#define HELD_H
void held(int is, const char *format, ...) __attribute__((format(printf, 2, 3)));
int  held_all(void);                           /* every line so far did */
/* The last lines: what is proved, where all held and nothing else is bad, and the verdict. The exit status. */
int  held_end(const char *example, int bad, const char *proved);
#endif
