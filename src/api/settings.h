/* What client.conf and the environment say to programs; read once a process, at its first create or open. */
#ifndef API_SETTINGS_H
#define API_SETTINGS_H

struct settings {
	char *run;               /* of the file; NULL: none. MOM_RUN wins over it */
	long timeout_ms;         /* -1: for ever */
	long window;             /* 0: all that the ring holds */
};

/* NULL: MOM_EINVAL, MOM_ELIMIT in *error, the text is this thread's */
const struct settings *settings_get(int *error);
#endif
