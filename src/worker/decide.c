/* decide - see decide.h */
#include "worker/decide.h"
#include "format/record.h"

struct decision
decide_request(uint64_t last, uint64_t refused, uint64_t number, uint64_t first)
{
	struct decision d = { VERDICT_BROKEN, 0, 0 };
	if (refused >= first && number >= refused)
		d.verdict = VERDICT_IGNORE;
	else if (number <= last)
		d.verdict = VERDICT_AGAIN;
	else if (number == last + 1 || number_generation(number) > number_generation(last))
		d.verdict = VERDICT_TAKE;
	else if (first > last + 1 && number == first) {
		d.verdict = VERDICT_TAKE;
		d.lost_from = last + 1;
		d.lost_to = refused > last && refused < first ? refused - 1 : first - 1;
		if (d.lost_to < d.lost_from)
			d.lost_from = d.lost_to = 0;
	}
	return d;
}
