/* forwarder_wake - the state of mom_forwarder, and how it wakes clients; a part of mom_forwarder */
#include "daemon/forwarder.h"
#include "base/fdio.h"
#include "base/log.h"
#include <errno.h>
#include <string.h>

struct forwarder forwarder;

void
notify_daemon(void)
{
	uint64_t one = 1;
	if (fdio_write_full(forwarder.notify, &one, sizeof one) < 0)
		log_debug("notify: %s", strerror(errno));
}

void
box_wake(struct slot *v, uint32_t what)
{
	struct box *b = v->own;
	slots_wake(&forwarder.slots, v, what);
	uint32_t watch = atomic_load(&v->segment->watch);
	if (b == NULL || watch == b->watched)
		return;
	b->watched = watch;
	/* never what an earlier owner of the slot left there: mom_daemon looks for a change */
	atomic_store(&forwarder.unit->slot[v - forwarder.slots.slot].mail, watch + v->owner * UINT32_C(0x9E3779B1));
	notify_daemon();
}
