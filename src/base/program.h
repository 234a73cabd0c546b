/* What every program of ours does first and last: see its main. It is not for libmom, which leaves signals and
 * descriptors of a program alone. */
#ifndef PROGRAM_H
#define PROGRAM_H

/* First thing in main. Descriptors 0, 1 and 2 are open from then on. Otherwise a file that is opened later would get
 * one of these numbers, and what is printed would be written into that file. A closed one becomes /dev/null, opened the
 * wrong way round (1 and 2 for reading, 0 for writing). So using it still fails (EBADF), also in the programs that this
 * one executes. If /dev/null cannot be opened: exit 111. SIGXFSZ is ignored: a file that may not grow is an error of
 * its write (EFBIG), as a full disk is.
 * --version as the first argument: says `PROGRAM (MOM) 0.5.0` and exits 0. */
void program_begin(int argc, char **argv, const char *program);
/* For a program that works until it is told to end: on_signal is called at INT and TERM. A second such signal ends the
 * process at once. PIPE is ignored: a reader that has gone is an error of a write. */
void program_catch_end(void (*on_signal)(int number));
/* Last thing in main. Returns status. If standard output could not be written, it says so on stderr and returns
 * `failed`. who: "mom sub". */
int  program_end(const char *who, int status, int failed);
int  program_flush(void);                  /* flushes stdout. 0; -1: not all that was printed so far has arrived */
/* why it has not: "stdout is closed", "standard output: File too large: CURE" */
const char *program_output_fault(void);

/* What is wrong with descriptor 0 or 1: "stdin is closed", "stdout is closed". NULL: it can be read or written. */
const char *program_stream_fault(int fd);

/* --ready-fd N: a descriptor from the parent. It gets a byte and is closed then; 0, 1 and 2 stay open. -1 everywhere:
 * there is none. */
void program_ready_begin(int fd);          /* the programs that this one starts do not get it */
int  program_ready_say(int fd);            /* 0, or -1 with errno */
#endif
