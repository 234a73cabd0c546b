/* Fault points in the wrappers of system calls, only in builds with -DMOM_FAULTS.
 * MOM_FAULT="ROLE/CALL=ERRNO@N[+][,...]": the N-th such call of a process of that role fails (with +: all later ones,
 * too). */
#ifndef FAULT_H
#define FAULT_H
#ifdef MOM_FAULTS
int fault_hits(const char *call);   /* 1: fail now, errno is set */
#else
#define fault_hits(call) 0
#endif
#endif
