/* simulator - make sim in short: all roles and clients in one process, under kills, power cuts, partitions, full disks,
 * clock jumps */
#include <lib/run.h>
#include <lib/t.h>
#include <string.h>

enum { PART = 100 };

/* in parts: each has the patience of a condition */
static void
seeds(int parts)
{
	for (int i = 0; i < parts; i++) {
		struct ran r = run_command("%s --twice %d %d", SIMULATE, 1 + i * PART, PART);
		r.out[strcspn(r.out, "\n")] = '\0';
		REQUIRE(r.status == 0, "%s%s", r.out, r.err);
		if (i == parts - 1)
			t_remark("the last of %d parts: %s", parts, r.out);
	}
}

#define PROVES "in simulated runs nothing acknowledged is lost, doubled or reordered, everything is acknowledged " \
    "once faults stop, nothing is left; the same seed is the same run"
TEST(seeds, PROVES) { seeds(5); }
TEST_LONG(many_seeds, PROVES) { seeds(100); }
