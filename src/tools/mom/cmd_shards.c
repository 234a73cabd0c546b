/* cmd_shards - where a store is and what it is made of; see cmd_shards.h */
#include "tools/mom/cmd_shards.h"
#include "config/config_keys.h"
#include "base/fdio.h"
#include "look/look.h"
#include "log/store_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static const char *
store_of_broker(const struct cmd *c)
{
	static char found[PATH_MAX];
	struct look *l = look_all(NULL, cmd_client_run());
	for (size_t i = 0; l && i < l->count; i++) {
		const struct look_server *s = &l->server[i];
		if (!s->is_broker || s->pid == 0 || s->files[0] == '\0')
			continue;
		if (found[0] && strcmp(found, s->files) != 0)
			cmd_wrong_use(c, "several brokers run here: name the store with --db DIR, such as %s or %s",
			    found, s->files);
		snprintf(found, sizeof found, "%s", s->files);
	}
	look_free(l);
	return found[0] ? found : NULL;
}

/* What broker.conf names, or db. */
static const char *
store_of_config(const struct cmd *c)
{
	static char path[PATH_MAX];
	struct config *conf = malloc(sizeof *conf);
	if (conf == NULL)
		exit(cmd_fail(c, "no memory for the settings"));
	config_begin(conf, &config_broker);
	if (config_load(conf) < 0)
		exit(cmd_fail(c, "%s: or name the store with --db DIR", conf->error));
	snprintf(path, sizeof path, "%s", config_text(conf, BROKER_DB));
	config_end(conf);
	free(conf);
	return path;
}

const char *
store_find(const struct cmd *c, const char *given, int *dir)
{
	const char *path = given ? given : store_of_broker(c);
	if (path == NULL)
		path = store_of_config(c);
	*dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static struct about a;
	if (given && *dir >= 0 && store_shards(*dir) == 0 && about_read(*dir, &a) == 0 && a.is_broker) {
		fdio_close(dir);                       /* a run folder says where the store is */
		*dir = open(path = a.files, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (*dir < 0)
		exit(cmd_fail(c, "%s: %s%s", path, strerror(errno),
		    given ? "" : ": no broker runs on this machine that says where its store is: name it with --db "
		    "DIR"));
	return path;
}

int
store_shards(int dir)
{
	struct store_file s;
	if (store_file_read(&s, dir) == 0)
		return (int)s.shards;
	return errno == ENOENT ? 0 : -1;
}

int
store_shard_open(int dir, int shard)
{
	char name[24];
	snprintf(name, sizeof name, "shard-%d", shard);
	return fdio_open_at(dir, name, O_RDONLY | O_DIRECTORY, 0);
}
