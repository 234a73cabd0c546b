/* csv - a file of comma separated fields, line by line; what cannot be is an error with file and line
 *
 * A field that begins with a quote ends with one, may hold commas, and a quote in it is doubled: "O""Hara, Mary". There
 * are no line ends and no other control characters in a field. A line ends with \n or \r\n; the last one may do
 * without. */
#ifndef CSV_H
#define CSV_H

#include <stdio.h>

enum { CSV_LINE_MAX = 4096, CSV_FIELDS_MAX = 16 };

struct csv {
	FILE *file;
	const char *name;                      /* of the file, as errors name it; the caller's */
	unsigned long line;                    /* the one that was read last, from 1 */
	int fields;
	char *field[CSV_FIELDS_MAX];           /* valid until the next line is read */
	char text[CSV_LINE_MAX + 2];
	char error[600];
};

int  csv_open(struct csv *c, const char *path);       /* 0, or -1 with error */
int  csv_next(struct csv *c);                         /* 1: a line. 0: the end. -1: error says what and where */
/* error with file and line; -1 */
int  csv_wrong(struct csv *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void csv_close(struct csv *c);
/* A field as it stands in a file, quoted where it must be, into text (2 * its length + 3 bytes are enough); its
 * length. */
size_t csv_put(char *text, const char *field);
#endif
