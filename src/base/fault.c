/* fault - see fault.h */
#include "base/fault.h"
#ifdef MOM_FAULTS
#include "base/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>

enum { FAULT_POINTS = 16 };
struct point { char role[24], call[24]; int error, at, on, seen; };
static struct point points[FAULT_POINTS];
static int count = -1;

static int
fault_errno(const char *name)
{
	static const struct { const char *name; int value; } table[] = {
		{ "EIO", EIO }, { "ENOSPC", ENOSPC }, { "EMFILE", EMFILE }, { "ENOMEM", ENOMEM }, { "EINTR", EINTR },
		{ "EAGAIN", EAGAIN }, { "EIDRM", EIDRM }, { "EINVAL", EINVAL }, { "ECONNRESET", ECONNRESET },
		    { "EACCES", EACCES },
		{ "EPIPE", EPIPE }, { "EDQUOT", EDQUOT }, { "EFBIG", EFBIG }, { "ENFILE", ENFILE }, { "E2BIG", E2BIG },
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].value;
	return EIO;
}

static void
fault_load(void)
{
	const char *s = getenv("MOM_FAULT");
	char name[24], more[2];
	count = 0;
	while (s && *s && count < FAULT_POINTS) {
		struct point *p = &points[count];
		memset(p, 0, sizeof *p);
		more[0] = 0;
		if (sscanf(s, "%23[^/]/%23[^=]=%23[^@]@%d%1[+]", p->role, p->call, name, &p->at, more) >= 4) {
			p->error = fault_errno(name);
			p->on = more[0] == '+';
			count++;
		}
		s = strchr(s, ',');
		s = s ? s + 1 : NULL;
	}
}

int
fault_hits(const char *call)
{
	if (count < 0)
		fault_load();
	for (int i = 0; i < count; i++) {
		struct point *p = &points[i];
		const char *role = strcmp(log_role(), "mom") == 0 ? "client" : log_role();
		if (strcmp(p->call, call) != 0 || strcmp(p->role, role) != 0)
			continue;
		p->seen++;
		if (p->seen == p->at || (p->on && p->seen > p->at)) {
			errno = p->error;
			return 1;
		}
	}
	return 0;
}
#else
extern int fault_is_left_out;
int fault_is_left_out;
#endif
