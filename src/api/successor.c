/* successor - is there a new daemon? Then this client registers with it again, while a call sleeps */
#include "api/register.h"
#include "api/handle.h"
#include "base/clock.h"

/* A program that has closed all its descriptors gets no new one while its daemon is there. */
void
door_check(struct handle *h, int is_gone)
{
	int64_t now = clock_ms();
	int was_ours = door_is_ours(h);
	if (door_lives(h) || (!was_ours && !is_gone) || now < h->asked_ms + SLICE_MS)
		return;
	h->asked_ms = now;
	watch_leave_door(h);
	if (door_again(h) == 0)
		watch_take_door(h);
}
