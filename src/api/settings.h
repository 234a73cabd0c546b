/* What client.conf and the environment say to programs. A process reads them once, at its first mom_create or
 * mom_open. */
#ifndef API_SETTINGS_H
#define API_SETTINGS_H

struct settings {
	char *run;               /* from the file; NULL: none. MOM_RUN wins over it */
	long timeout_ms;         /* -1: for ever */
	long window;             /* 0: as much as the ring holds */
};

/* NULL: *error is MOM_EINVAL or MOM_ELIMIT; the text is this thread's. */
const struct settings *settings_get(int *error);
#endif
