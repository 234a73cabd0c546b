/* levels - whether a pattern matches a topic, found by trying everything: the judge of routing/patterns */
#ifndef LEVELS_H
#define LEVELS_H
int levels_match(const char *pattern, const char *topic);
#endif
