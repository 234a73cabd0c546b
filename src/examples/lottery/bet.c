/* bet - a bet, as a line of a file and as bytes of a batch */
#include "bet.h"
#include <ctype.h>
#include <mom_coding.h>
#include <stdlib.h>
#include <string.h>

static int
is_date(const char *text)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	for (int i = 0; i < 10; i++)
		if (i == 4 || i == 7 ? text[i] != '-' : !isdigit((unsigned char)text[i]))
			return 0;
	int year = atoi(text), month = atoi(text + 5), day = atoi(text + 8);
	int leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return text[10] == 0 && year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + leap;
}

static int
has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			return 1;
	return 0;
}

const char *
bet_fault(const struct bet *b)
{
	if (*b->name == 0 || *b->surname == 0)
		return "a name and a surname are wanted";
	if (has_control(b->name) || has_control(b->surname))
		return "a control character in a name";
	if (b->document == 0)
		return "document: a number from 1 to 4294967295 is wanted";
	if (!is_date(b->birth))
		return "birth date: a day of the calendar as YYYY-MM-DD is wanted";
	return NULL;
}

/* digits only, from 0 to max; -1 where it is anything else */
static int64_t
number_of(const char *text, int64_t max)
{
	int64_t value = 0;
	if (*text == 0)
		return -1;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text) || (value = value * 10 + *text - '0') > max)
			return -1;
	}
	return value;
}

static int
take_text(char *to, size_t size, struct csv *c, int field, const char *what)
{
	size_t len = strlen(c->field[field]);
	if (len >= size)
		return csv_wrong(c, "%s: %zu bytes, at most %zu are taken", what, len, size - 1);
	memcpy(to, c->field[field], len + 1);
	return 0;
}

int
bet_next(struct bet *b, struct csv *c, unsigned agency)
{
	int r = csv_next(c), first = agency ? 0 : 1;
	if (r <= 0)
		return r;
	if (c->fields != first + 5)
		return csv_wrong(c, "%d fields, these %d are wanted: %sname,surname,document,birth date,number",
		    c->fields, first + 5, first ? "agency," : "");
	int64_t from = agency ? agency : number_of(c->field[0], AGENCIES_MAX);
	int64_t document = number_of(c->field[first + 2], UINT32_MAX),
	    number = number_of(c->field[first + 4], UINT16_MAX);
	if (from < 1)
		return csv_wrong(c, "agency \"%.30s\": a number from 1 to %d is wanted", c->field[0], AGENCIES_MAX);
	if (document < 1)
		return csv_wrong(c, "document \"%.30s\": a number from 1 to %u is wanted", c->field[first + 2],
		    UINT32_MAX);
	if (number < 0)
		return csv_wrong(c, "number \"%.30s\": a number from 0 to %d is wanted", c->field[first + 4],
		    UINT16_MAX);
	if (take_text(b->name, sizeof b->name, c, first, "name") < 0 ||
	    take_text(b->surname, sizeof b->surname, c, first + 1, "surname") < 0)
		return -1;
	if (strlen(c->field[first + 3]) != 10 || !is_date(c->field[first + 3]))
		return csv_wrong(c, "birth date \"%.30s\": a day of the calendar as YYYY-MM-DD is wanted",
		    c->field[first + 3]);
	memcpy(b->birth, c->field[first + 3], 11);
	b->agency = (unsigned)from;
	b->document = (uint32_t)document;
	b->number = (unsigned)number;
	const char *fault = bet_fault(b);
	return fault ? csv_wrong(c, "%s", fault) : 1;
}

size_t
bet_line(char *line, const struct bet *b)
{
	char *to = line + sprintf(line, "%u,", b->agency);
	to += csv_put(to, b->name);
	*to++ = ',';
	to += csv_put(to, b->surname);
	to += sprintf(to, ",%u,%s,%u\n", b->document, b->birth, b->number);
	return (size_t)(to - line);
}

void
batch_init(struct batch *b)
{
	memset(b->bytes, 0, 4);
	b->len = 4;                            /* room for the length */
	b->bets = 0;
}

int
batch_add(struct batch *b, const struct bet *bet, int bets_max)
{
	unsigned char bytes[3 * BET_TEXT_MAX];
	struct mom_writer w;
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_u8(&w, (uint8_t)bet->agency);
	mom_put_string8(&w, bet->name);
	mom_put_string8(&w, bet->surname);
	mom_put_u32(&w, bet->document);
	mom_put_string8(&w, bet->birth);
	mom_put_u16(&w, (uint16_t)bet->number);
	if (mom_writer_failed(&w) || b->bets >= bets_max || b->len + 2 + w.len > BATCH_BYTES_MAX)
		return -1;
	struct mom_writer whole = { .bytes = b->bytes, .size = sizeof b->bytes, .len = b->len };
	mom_put_bytes16(&whole, bytes, w.len);
	b->len = whole.len;
	b->bets++;
	mom_writer_init(&whole, b->bytes, 4);
	mom_put_u32(&whole, (uint32_t)(b->len - 4));
	return 0;
}

static int
bet_get(struct bet *b, const void *bytes, size_t len)
{
	struct mom_reader r;
	mom_reader_init(&r, bytes, len);
	b->agency = mom_get_u8(&r);
	mom_get_string8(&r, b->name, sizeof b->name);
	mom_get_string8(&r, b->surname, sizeof b->surname);
	b->document = mom_get_u32(&r);
	mom_get_string8(&r, b->birth, sizeof b->birth);
	b->number = mom_get_u16(&r);
	return mom_reader_failed(&r) || mom_reader_left(&r) || bet_fault(b) ? -1 : 0;
}

int
batch_get(struct bet *bets, const void *bytes, size_t len, unsigned agencies)
{
	struct mom_reader r;
	int n = 0;
	if (len > BATCH_BYTES_MAX)
		return -1;
	mom_reader_init(&r, bytes, len);
	if (mom_get_u32(&r) != mom_reader_left(&r) || mom_reader_failed(&r))
		return -1;
	for (; mom_reader_left(&r); n++) {
		size_t size;
		const void *bet = mom_get_bytes16(&r, &size);
		if (n == BATCH_BETS_MAX || mom_reader_failed(&r) || bet_get(&bets[n], bet, size) < 0)
			return -1;
		if (bets[n].agency < 1 || bets[n].agency > agencies || bets[n].agency != bets[0].agency)
			return -1;
	}
	return mom_reader_failed(&r) ? -1 : n;
}
