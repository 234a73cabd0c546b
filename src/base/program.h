/* What every program of ours does first and last: see its main. Not for libmom, which leaves signals and descriptors of
 * a program alone. */
#ifndef PROGRAM_H
#define PROGRAM_H

/* First thing in main. Descriptors 0, 1 and 2 are open from then on: a file that is opened later would otherwise get
 * one of these numbers, and what is printed would be written into it. One that is closed becomes /dev/null, opened the
 * wrong way round (1 and 2 for reading, 0 for writing), so that using it still fails (EBADF), in the programs that this
 * one executes, too. Where /dev/null cannot be opened: exit 111. SIGXFSZ is ignored: a file that may not grow is an
 * error of its write (EFBIG), as a full disk is.
 * --version as the first argument: says `PROGRAM (MOM) 0.5.0` and exits 0. */
void program_begin(int argc, char **argv, const char *program);
/* Last thing in main: status, or failed where standard output could not be written, which it has said on stderr. who:
 * "mom sub". */
int  program_end(const char *who, int status, int failed);
int  program_flush(void);                  /* stdout. 0; -1: what was printed so far has not all arrived */
const char *program_output_fault(void);    /* why not: "stdout is closed", "standard output: File too large: CURE" */

/* Descriptor 0 or 1: "stdin is closed", "stdout is closed"; NULL: it can be read or written. */
const char *program_stream_fault(int fd);

/* --ready-fd N: a descriptor from the parent that gets a byte and is closed then; 0, 1 and 2 stay open. -1 everywhere:
 * there is none. */
void program_ready_begin(int fd);          /* the programs that this one starts do not get it */
int  program_ready_say(int fd);            /* 0, or -1 with errno */
#endif
