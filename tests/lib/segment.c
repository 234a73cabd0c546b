/* segment - see segment.h */
#include <lib/segment.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <mom.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>

struct client_segment *
segment_attach(struct server *daemon, uint64_t id, int *shm)
{
	enum { MOST = 4096 };
	struct sysv_object *all = malloc(MOST * sizeof *all);
	struct client_segment *found = NULL;
	int n = sysv_registry(server_registry(daemon), all, MOST);
	for (int i = 0; i < n && !found; i++) {
		int is_one = strcmp(all[i].kind, "shm") == 0 && strncmp(all[i].role, "client-", 7) == 0;
		struct client_segment *c = is_one ? shmat(all[i].id, NULL, 0) : (void *)-1;
		if (c == (void *)-1)
			continue;
		if (c->magic == MAGIC_CLIENT && c->id == id)
			found = c;
		else
			shmdt(c);
		if (found && shm)
			*shm = all[i].id;
	}
	free(all);
	return found;
}

struct client_segment *
segment_of(struct server *daemon, int client, int *shm)
{
	struct client_segment *c = segment_attach(daemon, mom_global_id(client), shm);
	REQUIRE(c, "the client's segment is not in the registry");
	return c;
}

void
daemon_looks(struct server *daemon, uint32_t more)
{
	struct sysv_object o;
	REQUIRE(sysv_find(server_registry(daemon), "machine-table", &o), "no table");
	struct machine_table *table = shmat(o.id, NULL, SHM_RDONLY);
	REQUIRE(table != (void *)-1, "shmat");
	uint32_t began = atomic_load(&table->ticks);
	WAIT_FOR(atomic_load(&table->ticks) - began > more, "%u", atomic_load(&table->ticks) - began);
	shmdt(table);
}
