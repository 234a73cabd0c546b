/* JSON on stdout, a value at a time; commas and line breaks come by themselves. key is NULL inside of an array.
 *     json_open(NULL, '[');
 *     json_open(NULL, '{'); json_text("name", name); json_number("bytes", 12); json_close('}');
 *     json_close(']'); */
#ifndef CMD_JSON_H
#define CMD_JSON_H

#include <stdint.h>

void json_open(const char *key, char bracket);
void json_close(char bracket);
void json_text(const char *key, const char *text);      /* NULL: null */
void json_number(const char *key, uint64_t v);
void json_signed(const char *key, int64_t v);
void json_bool(const char *key, int v);
void json_null(const char *key);

#endif
