/* settings - see settings.h. What is wrong is no reason to remember it: the next create looks again. */
#include "api/settings.h"
#include "api/handle.h"
#include "config/config_keys.h"
#include <stdlib.h>
#include <string.h>

static _Atomic(struct settings *) known;

static void
settings_free(struct settings *s)
{
	if (s)
		free(s->run);
	free(s);
}

static struct settings *
settings_take(struct config *c, int *error)
{
	struct settings *s = calloc(1, sizeof *s);
	/* before the environment: MOM_RUN is looked at whenever a daemon is sought */
	const char *run = config_text(c, CLIENT_RUN);
	if (s == NULL || (run && (s->run = strdup(run)) == NULL)) {
		*error = handle_fail(NULL, MOM_ELIMIT, "no memory for the settings: see `ulimit -v`");
		settings_free(s);
		return NULL;
	}
	if (config_environment(c) < 0) {
		*error = handle_fail(NULL, MOM_EINVAL, "%.300s", c->error);
		settings_free(s);
		return NULL;
	}
	uint64_t timeout = config_number(c, CLIENT_TIMEOUT);
	s->timeout_ms = timeout == CONFIG_NO_END ? -1 : (long)timeout;
	s->window = (long)config_number(c, CLIENT_WINDOW);
	return s;
}

static struct settings *
settings_read(int *error)
{
	struct config *c = malloc(sizeof *c);          /* too large for a small thread's stack */
	struct settings *s = NULL;
	if (c == NULL) {
		*error = handle_fail(NULL, MOM_ELIMIT, "no memory for the settings: see `ulimit -v`");
		return NULL;
	}
	config_begin(c, &config_client);
	if (config_files(c) < 0)
		*error = handle_fail(NULL, c->limited ? MOM_ELIMIT : MOM_EINVAL, "%.300s", c->error);
	else
		s = settings_take(c, error);
	config_end(c);
	free(c);
	return s;
}

const struct settings *
settings_get(int *error)
{
	struct settings *s = atomic_load(&known), *none = NULL;
	if (s || (s = settings_read(error)) == NULL)
		return s;
	if (atomic_compare_exchange_strong(&known, &none, s))
		return s;
	settings_free(s);                              /* another thread was quicker */
	return none;
}
