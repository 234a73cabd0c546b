/* Every program of ours answers --version in the same way: `PROGRAM (MOM) 0.5.0`. */
#ifndef VERSION_H
#define VERSION_H
void version_option(int argc, char **argv, const char *program);     /* where that is its first argument: says it and exits 0 */
#endif
