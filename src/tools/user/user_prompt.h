/* The prompt of user_main at a terminal: line editing, a history in a file, completion of commands and topics. */
#ifndef USER_PROMPT_H
#define USER_PROMPT_H
#include <signal.h>

/* What the prompt has to know of the commands. */
struct prompt_commands {
	const char *(*word)(int i);                  /* the i-th command, NULL behind the last */
	int (*takes_topic)(const char *word);        /* 1: its next word is a topic; 2: one that is subscribed to */
};

/* 0, or -1 where this is no terminal for it. A trouble with the history is told on stderr, and it is done without. */
int   prompt_open(const char *prompt, const struct prompt_commands *commands);
/* The next line, malloc'd; NULL at the end, or when *over was set by a signal. A paste may have put newlines into
 * it. */
char *prompt_read(const volatile sig_atomic_t *over);
enum prompt_topic { PROMPT_SEEN, PROMPT_SUBSCRIBED, PROMPT_UNSUBSCRIBED };
void  prompt_learn(const char *topic, enum prompt_topic what);
void  prompt_close(void);
#endif
