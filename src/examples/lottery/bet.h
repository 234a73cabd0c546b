/* bet - a bet, as a line of a file and as bytes of a batch
 *
 *     line of an agency's file   name,surname,document,birth date,number             (csv.h)
 *     line of bets.csv           agency,name,surname,document,birth date,number
 *     batch                      u32 bytes that follow, then bets: u16 length, and
 *                                u8 agency  string8 name  string8 surname  u32 document  string8 birth date  u16 number
 *                                (mom_coding.h: little endian, string8 is a u8 length and its bytes) */
#ifndef BET_H
#define BET_H

#include "csv.h"
#include <stddef.h>
#include <stdint.h>

enum {
	BET_TEXT_MAX    = 255,                 /* bytes of a name: its length is a u8 */
	BET_LINE_MAX    = 4 * BET_TEXT_MAX + 64,   /* a line of bets.csv with all quotes doubled */
	BATCH_BETS_MAX  = 134,
	BATCH_BYTES_MAX = 8192,
	AGENCIES_MAX    = 255
};

struct bet {
	unsigned agency, number;
	uint32_t document;
	char name[BET_TEXT_MAX + 1], surname[BET_TEXT_MAX + 1], birth[11];
};

/* NULL, or what is wrong with it. */
const char *bet_fault(const struct bet *b);
/* 1: the next bet. 0: the end. -1: c->error. In an agency's file there is no agency: it is given; 0: bets.csv, where it
 * is a field. */
int    bet_next(struct bet *b, struct csv *c, unsigned agency);
/* A line of bets.csv with its end, at most BET_LINE_MAX bytes; its length. */
size_t bet_line(char *line, const struct bet *b);

struct batch {
	unsigned char bytes[BATCH_BYTES_MAX];
	size_t len;
	int bets;
};

void batch_init(struct batch *b);
int  batch_add(struct batch *b, const struct bet *bet, int bets_max);      /* 0, or -1: it is full */
/* The bets of a batch, BATCH_BETS_MAX at most, into bets: their number, or -1 where any of it is not as it must be
 * (they are of one agency, from 1 to agencies). */
int  batch_get(struct bet *bets, const void *bytes, size_t len, unsigned agencies);
#endif
