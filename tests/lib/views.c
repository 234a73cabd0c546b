/* views - what the store's readable files say: topics/<topic>/subscribers, sub/<global id>, and the check-point through
 * db_dump */
#include <lib/t.h>
#include <lib/views.h>
#include <ftw.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

static struct { char id[20]; const char *topic; int by_topic, by_client; } look;

static int
line_begins(const char *text, const char *begin, int whole)
{
	size_t n = strlen(begin);
	for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, begin, n) == 0 && (!whole || line[n] == '\n' || line[n] == 0))
			return 1;
	return 0;
}

static int
visit(const char *path, const struct stat *st, int type, struct FTW *where)
{
	const char *name = path + where->base, *topics = strstr(path, "/topics/");
	(void)st;
	if (type != FTW_F || (!topics && !strstr(path, "/sub/")))
		return 0;
	char *text = t_read_file(path);
	if (topics && strcmp(name, "subscribers") == 0) {
		size_t n = (size_t)(name - 1 - (topics + 8));
		if ((!look.topic || (strlen(look.topic) == n && strncmp(topics + 8, look.topic, n) == 0)) &&
		    line_begins(text, look.id, 0))
			look.by_topic++;
	} else if (!topics && strcmp(name, look.id) == 0) {
		look.by_client += !look.topic || line_begins(text, look.topic, 1);
	}
	free(text);
	return 0;
}

static void
walk(struct server *broker, uint64_t id, const char *topic)
{
	snprintf(look.id, sizeof look.id, "%016llx", (unsigned long long)id);
	look.topic = topic;
	look.by_topic = look.by_client = 0;
	nftw(broker->store, visit, 16, FTW_PHYS);
}

int
views_complete(struct server *broker)
{
	glob_t g;
	int n = 0;
	REQUIRE(glob(t_text("%s/shard-*", broker->store), 0, NULL, &g) == 0, "no shard in %s", broker->store);
	for (size_t i = 0; i < g.gl_pathc; i++)
		n += strncmp(t_read_file(t_text("%s/views", g.gl_pathv[i])), "mom views 1 complete\n", 21) == 0;
	n -= (int)g.gl_pathc;
	globfree(&g);
	return n == 0;
}

int
view_mentions_now(struct server *broker, uint64_t id)
{
	walk(broker, id, NULL);
	return look.by_topic + look.by_client;
}

int
view_mentions(struct server *broker, uint64_t id)
{
	WAIT_FOR(views_complete(broker), "the views are never complete");
	return view_mentions_now(broker, id);
}

int
view_has(struct server *broker, uint64_t id, const char *topic)
{
	int64_t end = t_now_ms() + T_PATIENCE_MS;
	WAIT_FOR(views_complete(broker), "the views are never complete");
	do {
		walk(broker, id, topic);
		if (look.by_topic == 1 && look.by_client == 1)
			return 1;
		t_tick();
	} while (t_now_ms() < end);
	return 0;
}

int
view_checkpoint_mentions(struct server *broker, uint64_t id)
{
	char line[1000], word[20];
	int n = 0, lines = 0;
	snprintf(word, sizeof word, "%016llx", (unsigned long long)id);
	FILE *f = popen(t_text("for f in '%s'/shard-*/checkpoint; do %s \"$f\"; done", broker->store, t_bin("db_dump")),
	    "r");
	REQUIRE(f != NULL, "popen");
	for (; fgets(line, sizeof line, f); lines++)
		n += strstr(line, word) != NULL;
	REQUIRE(pclose(f) == 0 && lines > 0, "db_dump shows no check-point of %s", broker->store);
	return n;
}
