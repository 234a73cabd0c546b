/* config - lottery.conf, read at each start: lines of `key value`, # begins a comment; `--key value` on a command line
 * wins
 *
 *     agencies 5       how many; the bets of agency 2 are in agency-2.csv beside this file
 *     winner 7574      the number that wins
 *     workers 4        processes that store bets
 *     batch 134        bets of a message, 134 at most
 *     quiet 15s        the centre draws when there was no message for so long (ms, s, m)
 *     patience 60s     an agency gives up when there was no answer for so long
 *     port 0           the centre's text port on 127.0.0.1; 0 takes a free one
 *     topic lottery    the first part of all topics: several lotteries may share a broker */
#ifndef CONFIG_H
#define CONFIG_H

enum { CONFIG_PATH_MAX = 1024 };

struct config {
	long agencies, winner, workers, batch, quiet_ms, patience_ms, port;
	char topic[32];                        /* A-Z a-z 0-9 . _ - : it is part of a durable client's name, too */
	char folder[CONFIG_PATH_MAX];          /* the file's: where the other files are */
};

/* File and options (`--key value` pairs from argv[first] on) into c. Ends the program with 100 and a text that names
 * file and line where something is wrong. Options that are not its own it leaves to the caller: own(option, value)
 * returns how many words it took (0: not known). */
void config_load(struct config *c, const char *path, int argc, char **argv, int first,
    int (*own)(const char *option, const char *value));
/* A path in the config's folder; in static memory, of four paths. */
const char *config_path(const struct config *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The keys for a program's --help. */
extern const char config_help[];
/* A time as 1500ms, 15s, 2m, 15 (seconds) in milliseconds; -1 where it is none. */
long config_time(const char *text);
/* Digits from min to max, else -1. */
long config_number(const char *text, long min, long max);
#endif
