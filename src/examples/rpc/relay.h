/* relay - what MOM never does: it stands between callers and the sum's server, and drops and doubles requests and
 * answers. Callers find it as the service RELAY_SERVICE. Of each message it drops `drop` percent and doubles `twice`
 * percent, by the seed. */
#ifndef RELAY_H
#define RELAY_H

#define RELAY_SERVICE "sum/relayed"
struct relay_told { int dropped, doubled, passed, ready; };
int relay(int drop, int twice, unsigned seed, volatile const int *stop, volatile struct relay_told *told);
#endif
