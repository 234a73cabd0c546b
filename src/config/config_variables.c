/* config_variables - variables of the environment that look like ours and are not: see config.h */
#include "config/config_keys.h"
#include "base/arguments.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { NEAR = 2, NAME_MOST = 80 };

static const char JOB[] = "MOM_JOB_";             /* what mom work tells its command */
static const char *const others[] = { "MOM_RUN", "MOM_CONFIG", "MOM_LOG", "MOM_HISTORY", "MOM_URL", "MOM_LIB" };

struct search { const char *name; size_t n; unsigned best; char near[NAME_MOST]; };

static void
compare(struct search *s, const char *known)
{
	unsigned d = word_distance(s->name, s->n, known);
	if (d >= s->best)
		return;
	s->best = d;
	snprintf(s->near, sizeof s->near, "%s", known);
}

static void
compare_keys(struct search *s, const struct config_program *program)
{
	char name[NAME_MOST];
	for (unsigned i = 0; i < program->count; i++) {
		if (program->keys[i].how & CONFIG_FLAG_ONLY)
			continue;
		int n = snprintf(name, sizeof name, "%s%s", program->prefix, program->keys[i].name);
		for (int k = 0; k < n; k++)
			name[k] = name[k] == '-' ? '_' : (char)toupper((unsigned char)name[k]);
		compare(s, name);
	}
}

int
config_strange_variable(char *const *environment, size_t *at, char text[CONFIG_STRANGE])
{
	static const struct config_program *const programs[] = { &config_broker, &config_daemon, &config_client };
	for (const char *v; (v = environment[*at]) != NULL;) {
		++*at;
		struct search s = { .name = v, .n = strcspn(v, "="), .best = UINT_MAX };
		if (strncmp(v, "MOM_", 4) != 0 || strncmp(v, JOB, sizeof JOB - 1) == 0)
			continue;
		for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
			compare_keys(&s, programs[i]);
		for (size_t i = 0; i < sizeof others / sizeof *others; i++)
			compare(&s, others[i]);
		int is_servers = strncmp(v, "MOM_BROKER_", 11) == 0 || strncmp(v, "MOM_DAEMON_", 11) == 0;
		if (s.best == 0 || (s.best > NEAR && !is_servers))     /* other programs may have theirs */
			continue;
		int used = snprintf(text, CONFIG_STRANGE, "the environment's %.*s is no variable of ours",
		    (int)(s.n < NAME_MOST ? s.n : NAME_MOST), v);
		if (s.best <= NEAR)
			snprintf(text + used, CONFIG_STRANGE - (size_t)used, "; is it %s?", s.near);
		return 1;
	}
	return 0;
}
