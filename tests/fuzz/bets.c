/* bets - proves: of any bytes, a batch of the lottery example is refused or holds only bets that may be, and these make
 * the same batch again; each line of a file is refused with its number or is a bet that makes the same line again.
 * INPUT  u8 what, u8 agencies or agency; then the bytes */
#include "fuzz.h"
#include "examples/lottery/csv.c"
#include "examples/lottery/bet.c"

static struct bet bets[BATCH_BETS_MAX];

static void
run_batch(const uint8_t *bytes, size_t n, unsigned agencies)
{
	static struct batch again;
	int count = batch_get(bets, bytes, n, agencies);
	FUZZ_CHECK(count >= -1 && count <= BATCH_BETS_MAX);
	if (count < 0)
		return;
	batch_init(&again);
	for (int i = 0; i < count; i++) {
		FUZZ_CHECK(bet_fault(&bets[i]) == NULL && bets[i].agency >= 1 && bets[i].agency <= agencies &&
		    bets[i].agency == bets[0].agency);
		FUZZ_CHECK(batch_add(&again, &bets[i], BATCH_BETS_MAX) == 0);
	}
	FUZZ_CHECK(n <= BATCH_BYTES_MAX && again.len == n && memcmp(again.bytes, bytes, n) == 0);
}

/* A line of bets.csv, read back. */
static void
run_line(const struct bet *b)
{
	static struct csv csv;
	static struct bet back;
	char line[BET_LINE_MAX + 1];
	size_t n = bet_line(line, b);
	FUZZ_CHECK(n == strlen(line) && n <= BET_LINE_MAX && strchr(line, '\n') == line + n - 1);
	csv = (struct csv){ .name = "again", .file = fmemopen(line, n, "r") };
	FUZZ_CHECK(csv.file && bet_next(&back, &csv, 0) == 1);
	FUZZ_CHECK(back.agency == b->agency && back.number == b->number && back.document == b->document &&
	    strcmp(back.name, b->name) == 0 &&
	    strcmp(back.surname, b->surname) == 0 && strcmp(back.birth, b->birth) == 0);
	FUZZ_CHECK(bet_next(&back, &csv, 0) == 0);
	csv_close(&csv);
}

static void
run_file(const uint8_t *bytes, size_t n, unsigned agency)
{
	static struct csv csv;
	int r;
	if (n == 0)
		return;
	csv = (struct csv){ .name = "file", .file = fmemopen((void *)(uintptr_t)bytes, n, "r") };
	FUZZ_CHECK(csv.file != NULL);
	while ((r = bet_next(&bets[0], &csv, agency)) > 0) {
		FUZZ_CHECK(bet_fault(&bets[0]) == NULL);
		run_line(&bets[0]);
	}
	FUZZ_CHECK(r == 0 || strncmp(csv.error, "file:", 5) == 0);
	csv_close(&csv);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	uint8_t *copy = malloc(size - 1);          /* of exactly its size, so that a sanitizer sees a look beyond */
	memcpy(copy, data + 2, size - 2);
	if (data[0] & 1)
		run_file(copy, size - 2, data[1]);
	else
		run_batch(copy, size - 2, data[1]);
	free(copy);
	return 0;
}

/* ---- seeds ---- */

void
fuzz_seeds(fuzz_seed_fn seed)
{
	static struct batch b;
	static const struct bet one = { .agency = 1, .name = "Jo", .surname = "Vi, \"jr\"", .document = 4294967295u,
	    .birth = "2000-02-29", .number = 7574 };
	unsigned char bytes[BATCH_BYTES_MAX + 2] = { 0, 5 };
	batch_init(&b);
	memcpy(bytes + 2, b.bytes, b.len);
	seed("batch-empty", bytes, 2 + b.len);
	for (int i = 0; i < 3; i++)
		batch_add(&b, &one, BATCH_BETS_MAX);
	memcpy(bytes + 2, b.bytes, b.len);
	seed("batch", bytes, 2 + b.len);
	seed("batch-cut", bytes, b.len - 3);
	const char *file = "\1\1Jo,\"Vi, \"\"jr\"\"\",5,1990-01-31,7574\r\nBa,Ce,4294967295,2000-02-29,65535";
	seed("file", file, strlen(file));
	const char *quote = "\1\1\"Jo,Vi,5,1990-01-31,7\n\"a\"b,,,,\n";
	seed("file-quotes", quote, strlen(quote));
	seed("file-with-agency", "\1\0" "3,Jo,Vi,5,1990-01-31,7\n", 25);
}
