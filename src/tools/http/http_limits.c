/* http_limits - limits and how much of each is in use: of a server, and of the kernel that we depend on; a part of
 * mom_http */
#include "tools/http/http.h"
#include "look/kernel_limits.h"
#include <unistd.h>

/* limit 0: there is none */
static void
limit(FILE *f, int *first, const char *what, const char *unit, const char *knob, uint64_t used, uint64_t most)
{
	fprintf(f, "%s{\"what\":\"%s\",\"unit\":\"%s\",\"knob\":\"%s\",\"used\":%llu,\"limit\":%llu}",
	    *first ? "" : ",", what, unit, knob, (unsigned long long)used,
	    (unsigned long long)most);
	*first = 0;
}

static void
limits_of_kernel(FILE *f, int *first)
{
	struct kernel_limit k[KERNEL_LIMITS];
	char what[80];
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	if (kernel_limits(k) < 0)
		return;
	for (int i = 0; i < KERNEL_LIMITS; i++) {
		uint64_t unit = i == KERNEL_SHMALL ? page : 1;
		if (k[i].used == UINT64_MAX)
			continue;
		snprintf(what, sizeof what, "System V %s", i == KERNEL_SHMALL ? "shared memory" : k[i].what);
		/* the default of shmall means: any */
		limit(f, first, what, i == KERNEL_SHMALL ? "B" : "", k[i].name, k[i].used * unit,
		    k[i].most < UINT64_MAX / page / 2 ? k[i].most * unit : 0);
	}
}

static void
limits_of_broker(FILE *f, int *first, const struct broker_table *t, const struct watch_server *v)
{
	uint32_t used = 0, conns = atomic_load(&t->conns);
	for (uint32_t i = 0; i < conns && i < t->capacity; i++)
		used += atomic_load(&t->conn[i].state) != CONN_FREE;
	limit(f, first, "machines", "", "kernel.shmmni", used, t->capacity);
	limit(f, first, "store", "B", "--store-max", v->disk_used, t->store_max);
}

static void
limits_of_daemon(FILE *f, int *first, const struct machine_table *t)
{
	uint32_t used = 0, slots = atomic_load(&t->slots);
	for (uint32_t i = 0; i < slots && i < t->capacity; i++)
		used += atomic_load(&t->slot[i].state) != SLOT_FREE;
	limit(f, first, "clients", "", "kernel.shmmni", used, t->capacity);
}

void
http_limits(FILE *f, const struct look_server *s, const struct watch_server *v)
{
	int first = 1;
	if (s == NULL) {
		limits_of_kernel(f, &first);
		return;
	}
	if (s->broker)
		limits_of_broker(f, &first, s->broker, v);
	if (s->machine)
		limits_of_daemon(f, &first, s->machine);
	if (v->disk_used || v->disk_free)
		limit(f, &first, "disk", "B", "", v->disk_used, v->disk_used + v->disk_free);
}
