/* seglog_packing - see seglog_packing.h */
#include "log/seglog_packing.h"
#include "base/fdio.h"
#include "base/log.h"
#include <errno.h>
#include <string.h>

enum { PACKING_LEAST = 256 * 1024 };           /* what is smaller is not worth it */

void
seglog_packing_look(struct seglog_packing *p, uint64_t below)
{
	struct seglog *l = p->log;
	p->waits = 0;
	for (size_t i = 0; i + 1 < l->count && l->files[i + 1].base <= below; i++) {
		struct seglog_file *f = &l->files[i];
		int looks = 1;
		uint64_t key = p->wanted_by(f, l->files[i + 1].base, &looks);
		f->due = f->bytes < PACKING_LEAST || key == 0 || key == f->note || looks == 0 ? 0 : f->due + looks;
		p->waits |= f->due >= PACKING_REST;
	}
}

void
seglog_packing_one(struct seglog_packing *p)
{
	struct seglog *l = p->log;
	size_t i = 0;
	while (i + 1 < l->count && l->files[i].due < PACKING_REST)
		i++;
	p->waits = i + 1 < l->count;
	if (!p->waits)
		return;
	struct seglog_file *f = &l->files[i];
	uint64_t base = f->base, before = f->bytes, key = p->wanted_by(f, l->files[i + 1].base, &(int){ 1 });
	f->due = 0;
	if (seglog_pack(l, i, before / 2, p->keep, p->with) == 0 || errno == E2BIG) {
		f->note = key;
		log_debug("%s: segment %llx packed from %llu to %llu bytes", p->name, (unsigned long long)base,
		    (unsigned long long)before, (unsigned long long)f->bytes);
	} else if (errno != EBADMSG)
		log_debug("%s: packing segment %llx: %s", p->name, (unsigned long long)base, strerror(errno));
	else if (seglog_repair(l, base) < 0)
		log_warn("%s: segment %llx: %s: %s", p->name, (unsigned long long)base, strerror(errno),
		    fdio_hint(errno));
}
