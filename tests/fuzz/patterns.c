/* patterns - proves: of a set of any valid patterns, some of which are removed again, exactly those match a topic that
 * a search of all ways finds, each once; and each has a path of its own inside topics/ that leads back to it.
 * INPUT  u8 how many are removed; then names, with a newline behind each: patterns are added, topics are looked up */
#include <lib/levels.h>
#include "format/topic.h"
#include "take_over.h"
#include "base/map.c"
#include "routing/patterns.c"

enum { MOST = 64 };
static struct fuzz_input in;
static struct { struct patterns set; char names[MOST][MOM_TOPIC_MAX + 1]; int there[MOST], count; } fz;

static void
run_pattern(const char *name, size_t n)
{
	char path[TOPIC_PATH_MAX], back[MOM_TOPIC_MAX + 1];
	topic_path(name, n, path);
	FUZZ_CHECK(path[0] != '/' && topic_from_path(path, back) == 0 && strcmp(back, name) == 0);
	for (int i = 0; i < fz.count; i++)
		if (fz.there[i] && strcmp(fz.names[i], name) == 0)
			return;
	if (fz.count == MOST)
		return;
	strcpy(fz.names[fz.count], name);
	fz.there[fz.count] = 1;
	FUZZ_CHECK(patterns_add(&fz.set, name, n, fz.names[fz.count]) == 0);
	fz.count++;
}

static void
run_topic(const char *topic, size_t n)
{
	int times[MOST] = { 0 };
	void **found;
	size_t count = patterns_match(&fz.set, topic, n, &found);
	for (size_t i = 0; i < count; i++)
		times[(char (*)[MOM_TOPIC_MAX + 1])found[i] - fz.names]++;
	for (int i = 0; i < fz.count; i++)
		FUZZ_CHECK(times[i] == (fz.there[i] && levels_match(fz.names[i], topic)));
}

static void
remove_some(unsigned which)
{
	for (int i = 0; i < fz.count; i++)
		if (fz.there[i] && which >> i % 8 & 1) {
			patterns_remove(&fz.set, fz.names[i], strlen(fz.names[i]));
			fz.there[i] = 0;
		}
}

static void
body(void)
{
	unsigned which = (unsigned)fuzz_number(&in, 1);
	size_t n = in.n;
	char *text = malloc(n + 1), *rest = NULL;
	memset(&fz, 0, sizeof fz);
	fuzz_bytes(&in, text, n);
	text[n] = '\0';
	for (char *name = strtok_r(text, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest)) {
		size_t len = strlen(name);
		if (pattern_fault(name, len))
			continue;
		if (topic_is_pattern(name, len))
			run_pattern(name, len);
		else {
			run_topic(name, len);
			remove_some(which);
			run_topic(name, len);
		}
	}
	remove_some(0xff);
	FUZZ_CHECK(fz.set.count == 0 && fz.set.nodes <= 2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	in = (struct fuzz_input){ data, size };
	FUZZ_CHECK(fuzz_run(body) == -1);
	return 0;
}

/* ---- seeds ---- */

void
fuzz_seeds(fuzz_seed_fn seed)
{
	static const char *const texts[] = { "\1plant/+/temp\nplant/#\nplant/1/temp\nplant\nplant/1/2/temp\n",
	    "\2*.orange.*\nlazy.#\n*.*.rabbit\nquick.orange.rabbit\nlazy\nlazy.brown.fox\n",
	    "\3time.us.>\n>\n#\n+\n*\ntime.us\ntime.us.east\na/b\n",
	    "\4#/a/#/b/#\n#/+\n+/+/#\nb/a/x/b\na\n//\n" };
	char name[16];
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		snprintf(name, sizeof name, "set-%zu", i);
		seed(name, texts[i], strlen(texts[i]));
	}
}
