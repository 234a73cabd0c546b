/* Which machines this store knows: db/machines, `SERIAL MACHINE-ID` a line. A serial is never given twice. */
#ifndef MACHINES_H
#define MACHINES_H
#include <mom/wire.h>
struct machines { int dir; uint8_t (*ids)[WIRE_ID_BYTES]; uint32_t count; };   /* serial = index + 1 */
int machines_load(struct machines *m, int dir);
uint32_t machines_serial(struct machines *m, const uint8_t id[WIRE_ID_BYTES]);  /* known or new (then on disk); 0: errno */
#endif
