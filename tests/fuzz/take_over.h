/* take_over - from here on exit and memory are the fuzzer's; see fuzz.h. Included last before a role's .c file. */
#include "fuzz.h"
#define exit(status)     fuzz_leave(status)
#define malloc(n)        fuzz_malloc(n)
#define calloc(n, size)  fuzz_calloc(n, size)
#define realloc(p, n)    fuzz_realloc(p, n)
#define free(p)          fuzz_free(p)
