/* t - the tests' frame. A test program is a set of cases; each runs in a forked child with a temporary folder of its
 * own.
 *
 *     #include <lib/t.h>
 *     TEST(adds, "one and one is two") { REQUIRE(1 + 1 == 2, "got %d", 1 + 1); }
 *
 * runner.c has main: `program` runs all cases, `program NAME ...` some, `program --list` names them. After a case it is
 * a failure if a process that the case started still runs, or a SysV object of its registries still exists, or a log
 * tells of a sanitizer's finding. Environment: LONG=1 adds the long cases, KEEP=1 leaves the folders of
 * failed cases, SEED=n, LIMIT=seconds. */
#ifndef T_H
#define T_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* how long a condition is waited for before it counts as never coming: 20 s, more on a slow machine */
#define T_PATIENCE_MS t_patience_ms()

struct t_case {
	const char *name, *proves;
	void (*body)(void);
	int is_long;
	struct t_case *next;
};
void t_add(struct t_case *c);

#define T_CASE(name, proves, is_long) \
	static void test_##name(void); \
	static struct t_case case_##name = {#name, proves, test_##name, is_long, NULL}; \
	__attribute__((constructor)) static void add_##name(void) { t_add(&case_##name); } \
	static void test_##name(void)
#define TEST(name, proves)      T_CASE(name, proves, 0)
#define TEST_LONG(name, proves) T_CASE(name, proves, 1)    /* only with LONG=1 */

/* REQUIRE ends the case (in whichever of its processes), CHECK goes on and lets it fail at its end; the text says what
 * was seen */
#define REQUIRE(cond, ...) do { if (!(cond)) t_fail(__FILE__, __LINE__, #cond, __VA_ARGS__); } while (0)
#define CHECK(cond, ...)   do { if (!(cond)) t_note(__FILE__, __LINE__, #cond, __VA_ARGS__); } while (0)
#define WAIT_(text, cond, count, ...) do { \
	int64_t wait_began_ = t_now_ms(), wait_count_ = (count); \
	while (!(cond)) { \
		if (wait_count_ != (count)) \
			wait_began_ = t_now_ms(), wait_count_ = (count); \
		if (t_now_ms() > wait_began_ + T_PATIENCE_MS) \
			t_fail(__FILE__, __LINE__, "waited in vain for " text, __VA_ARGS__); \
		t_tick(); \
	} \
} while (0)
/* polls; a condition that never comes true ends the case */
#define WAIT_FOR(cond, ...)              WAIT_(#cond, cond, 0, __VA_ARGS__)
/* the same where the work is long: what counts is how long `count` stands still */
#define WAIT_FOR_WORK(cond, count, ...)  WAIT_(#cond, cond, count, __VA_ARGS__)

void t_fail(const char *file, int line, const char *what, const char *format, ...)
    __attribute__((noreturn, format(printf, 4, 5)));
void t_note(const char *file, int line, const char *what, const char *format,
    ...) __attribute__((format(printf, 4, 5)));

const char *t_dir(void);                       /* the case's folder */
char *t_path(const char *format, ...) __attribute__((format(printf, 1, 2)));  /* a path in it (never freed) */
char *t_text(const char *format, ...) __attribute__((format(printf, 1, 2)));  /* printf into new memory (never freed) */
const char *t_bin(const char *program);        /* path of one of our programs */
/* a loopback address of this case's own: ports never meet those of another case */
const char *t_ip(void);
char *t_read_file(const char *path);           /* its text, "" if there is none (never freed) */
void  t_write_file(const char *path, const char *text);    /* made anew, or what was there is gone */
void *t_shared_memory(size_t size);            /* zeroed, shared with children forked later */

/* forks a helper that ends with the case; the case fails if it fails */
pid_t t_spawn(void (*run)(void *), void *argument);
int   t_join(pid_t pid);                       /* waits for it: its wait status; over the patience is a failure */
void  t_at_end(void (*run)(void));             /* called in the case's process after its body (last added first) */
void  t_tick(void);                            /* 10 ms; ends this process if another of the case has failed */
void  t_sleep_ms(int ms);                      /* only where the passing of time is what is tested */
int64_t t_now_ms(void);
int64_t t_now_us(void);
int   t_patience_ms(void);
/* how much slower the machine was at its worst than the one where limits were chosen: 100 and more */
int   t_slowness_percent(void);
int   t_is_long(void);                         /* LONG=1 */
void  t_allow_log(const char *words);          /* a log line with these words is no failure in this case */

/* a line that is shown though the case passes: counts, what was left out */
void  t_remark(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct t_rng { uint64_t state; };
void     t_rng_init(struct t_rng *r, uint64_t salt);   /* from SEED and salt: the same at every run */
uint64_t t_rng_next(struct t_rng *r);
uint64_t t_rng_below(struct t_rng *r, uint64_t n);
void     t_rng_fill(struct t_rng *r, void *bytes, size_t len);

/* between t.c and runner.c */
struct t_state {
	int  failed;
	int  slowness;                         /* pace.h */
	int64_t pace_at_us;
	char reason[1500];
	char allowed[4][80];
	int  allowed_count;
};
extern struct t_case *t_cases;
extern struct t_state *t_state;
void t_begin(const char *folder, const char *bin);
void t_end(void);
#endif
