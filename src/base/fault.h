/* Fault points in the system call wrappers, in builds with -DMOM_FAULTS only.
 * MOM_FAULT="ROLE/CALL=ERRNO@N[+][,...]": the N-th such call of a process of that role fails (with +: it and all
 * later). */
#ifndef FAULT_H
#define FAULT_H
#ifdef MOM_FAULTS
int fault_hits(const char *call);   /* 1: fail now, errno is set */
#else
#define fault_hits(call) 0
#endif
#endif
