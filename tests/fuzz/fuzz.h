/* fuzz - what the targets share. A target includes a role's .c file with its main renamed, so that the code under test
 * is the product's own; what lies at the edge of the process (exit, log, System V calls, memory) is taken over here and
 * in edge.c. Include it after the system's headers and before the role's file. FUZZ_VERBOSE=1 shows the log lines. */
#ifndef FUZZ_H
#define FUZZ_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A sentence that must be true whatever came in. */
#define FUZZ_CHECK(cond) do { if (!(cond)) fuzz_fail(__FILE__, __LINE__, #cond); } while (0)
void fuzz_fail(const char *file, int line, const char *what) __attribute__((noreturn));

/* Runs body as if it were the process: the status that it ended with, or -1 where it returned. All its memory is
 * freed. */
int  fuzz_run(void (*body)(void));
void fuzz_leave(int status) __attribute__((noreturn));

/* The memory of the process: given back when it ends, whichever way. */
void *fuzz_malloc(size_t n);
void *fuzz_calloc(size_t n, size_t size);
void *fuzz_realloc(void *p, size_t n);
void  fuzz_free(void *p);

/* Shared memory with a guard page behind it, zeroed by fuzz_wipe; ipcq_attach(id) finds it. */
void *fuzz_segment(int id, size_t n);
void  fuzz_wipe(void *p, size_t n);
void  fuzz_on_bell(void (*fn)(const void *bell));        /* called where a ticket would be sent */

/* A folder in memory for one process of the fuzzer; emptied by fuzz_folder_clear. */
int  fuzz_folder(void);
void fuzz_folder_clear(int dir);
void fuzz_file(int dir, const char *name, const void *bytes, size_t n);

/* The input, taken piece by piece; at its end there are only zeros. */
struct fuzz_input { const uint8_t *p; size_t n; };
uint64_t fuzz_number(struct fuzz_input *in, size_t bytes);
size_t   fuzz_bytes(struct fuzz_input *in, void *to, size_t most);     /* how many there were */

/* The stored inputs to begin with: `build/tests-release/fuzz/TARGET --make tests/fuzz/corpus/TARGET` writes them. */
typedef void (*fuzz_seed_fn)(const char *name, const void *bytes, size_t n);
void fuzz_seeds(fuzz_seed_fn seed);
#endif
