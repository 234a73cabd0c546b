/* netns - the broker and each machine in a network of its own, tied by a veth pair */
#include <lib/netns.h>
#include <lib/t.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MACHINES = 8, BROKER = 0, ANSWER = 32768 };

/* [BROKER] is the broker's; of a machine: its network, its end of the pair and the broker's end, the last byte of its
 * address */
static struct { int fd, route, diag, index, far_index, host, unreachable; } net[MACHINES + 1];
static int machines;

/* ---- netlink ---- */

struct ask {
	struct nlmsghdr h;
	char body[2000];
};

static void
begin(struct ask *a, int type, int flags, const void *body, size_t n)
{
	memset(a, 0, sizeof *a);
	a->h.nlmsg_type = (uint16_t)type;
	a->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	a->h.nlmsg_len = (uint32_t)NLMSG_LENGTH(n);
	memcpy(a->body, body, n);
}

static struct rtattr *
attr(struct ask *a, int type, const void *data, size_t n)
{
	struct rtattr *at = (struct rtattr *)((char *)a + NLMSG_ALIGN(a->h.nlmsg_len));
	at->rta_type = (uint16_t)type;
	at->rta_len = (uint16_t)RTA_LENGTH(n);
	if (n)
		memcpy(RTA_DATA(at), data, n);
	a->h.nlmsg_len = NLMSG_ALIGN(a->h.nlmsg_len) + (uint32_t)RTA_ALIGN(at->rta_len);
	return at;
}

static void
attr_end(struct ask *a, struct rtattr *nest)
{
	nest->rta_len = (uint16_t)((char *)a + a->h.nlmsg_len - (char *)nest);
}

/* 0 or a negative errno */
static int
tell(int socket, struct ask *a)
{
	static char answer[ANSWER];
	a->h.nlmsg_flags |= NLM_F_ACK;
	REQUIRE(send(socket, a, a->h.nlmsg_len, 0) == (ssize_t)a->h.nlmsg_len, "netlink: %s", strerror(errno));
	ssize_t n = recv(socket, answer, sizeof answer, 0);
	struct nlmsghdr *h = (struct nlmsghdr *)answer;
	REQUIRE(n > 0 && NLMSG_OK(h, (size_t)n) && h->nlmsg_type == NLMSG_ERROR, "netlink: no answer: %s",
	    strerror(errno));
	return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
}

static void
must(int where, struct ask *a, const char *what)
{
	int r = tell(net[where].route, a);
	REQUIRE(r == 0, "%s in network %d: %s", what, where, strerror(-r));
}

static void
enter(int where)
{
	REQUIRE(setns(net[where].fd, CLONE_NEWNET) == 0, "setns: %s", strerror(errno));
}

/* ---- building ---- */

static void
set_up(int where, int index, int is_up)
{
	struct ask a;
	struct ifinfomsg body = {.ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = is_up ? IFF_UP : 0,
	    .ifi_change = IFF_UP};
	begin(&a, RTM_NEWLINK, 0, &body, sizeof body);
	must(where, &a, "link");
}

static void
address(int where, int index, int type, struct in_addr ip, int bits)
{
	struct ask a;
	struct ifaddrmsg body = {.ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)bits, .ifa_index = (uint32_t)index};
	begin(&a, type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0, &body, sizeof body);
	attr(&a, IFA_LOCAL, &ip, sizeof ip);
	attr(&a, IFA_ADDRESS, &ip, sizeof ip);
	must(where, &a, "address");
}

static struct in_addr
ip_of(int machine, int host)
{
	char text[32];
	struct in_addr ip;
	snprintf(text, sizeof text, "10.77.%d.%d", machine, host);
	inet_pton(AF_INET, text, &ip);
	return ip;
}

/* bits 0: the way to everything; kind: RTN_UNICAST by the broker's address on that cable, or RTN_UNREACHABLE */
static int
route(int where, int verb, int kind, struct in_addr to, int bits)
{
	struct ask a;
	struct in_addr by = ip_of(where, 1);
	struct rtmsg body = {.rtm_family = AF_INET, .rtm_dst_len = (uint8_t)bits, .rtm_table = RT_TABLE_MAIN,
	    .rtm_protocol = RTPROT_STATIC,
	    .rtm_type = (uint8_t)kind, .rtm_scope = RT_SCOPE_UNIVERSE};
	begin(&a, verb, verb == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_REPLACE : 0, &body, sizeof body);
	if (bits)
		attr(&a, RTA_DST, &to, sizeof to);
	if (kind == RTN_UNICAST)
		attr(&a, RTA_GATEWAY, &by, sizeof by);
	return tell(net[where].route, &a);
}

static void
way_out(int machine)
{
	int r = route(machine, RTM_NEWROUTE, RTN_UNICAST, (struct in_addr){0}, 0);
	REQUIRE(r == 0, "route of machine %d: %s", machine, strerror(-r));
}

/* a new network for this process, with its loopback up */
static int
network(int where)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	net[where].fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	net[where].route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	net[where].diag = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (net[where].fd < 0 || net[where].route < 0 || net[where].diag < 0)
		return -1;
	set_up(where, (int)if_nametoindex("lo"), 1);
	return 0;
}

/* from the machine's network: its end is cable, the broker's mN */
static int
cable(int machine)
{
	struct ask a;
	char name[16];
	struct ifinfomsg none = {.ifi_family = AF_UNSPEC};
	snprintf(name, sizeof name, "m%d", machine);
	begin(&a, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &none, sizeof none);
	attr(&a, IFLA_IFNAME, "cable", 6);
	struct rtattr *info = attr(&a, IFLA_LINKINFO, NULL, 0);
	attr(&a, IFLA_INFO_KIND, "veth", 5);
	struct rtattr *data = attr(&a, IFLA_INFO_DATA, NULL, 0);
	struct rtattr *peer = attr(&a, VETH_INFO_PEER, &none, sizeof none);
	attr(&a, IFLA_IFNAME, name, strlen(name) + 1);
	attr(&a, IFLA_NET_NS_FD, &net[BROKER].fd, sizeof(int));
	attr_end(&a, peer);
	attr_end(&a, data);
	attr_end(&a, info);
	int r = tell(net[machine].route, &a);
	if (r < 0)
		return r;
	net[machine].index = (int)if_nametoindex("cable");
	enter(BROKER);
	net[machine].far_index = (int)if_nametoindex(name);
	return 0;
}

const char *
netns_begin(int count)
{
	struct in_addr broker;
	REQUIRE(count <= MACHINES, "too many machines");
	if (geteuid() != 0)
		return "networks of their own need root";
	if (network(BROKER) < 0)
		return t_text("no network namespace: %s", strerror(errno));
	inet_pton(AF_INET, NETNS_BROKER, &broker);
	address(BROKER, (int)if_nametoindex("lo"), RTM_NEWADDR, broker, 32);
	for (int i = 1; i <= count; i++) {
		int r = network(i);
		if (r < 0 || (r = cable(i)) < 0)
			return t_text("no veth pair: %s", strerror(r < -1 ? -r : errno));
		net[i].host = 2;
		address(BROKER, net[i].far_index, RTM_NEWADDR, ip_of(i, 1), 24);
		address(i, net[i].index, RTM_NEWADDR, ip_of(i, 2), 24);
		set_up(BROKER, net[i].far_index, 1);
		set_up(i, net[i].index, 1);
		way_out(i);
	}
	machines = count;
	return NULL;
}

void
netns_broker(struct server *s, const char *name, const char *extra)
{
	broker_plan(s, name, 0, t_text("--insecure %s", extra ? extra : ""));
	snprintf(s->ip, sizeof s->ip, NETNS_BROKER);
	server_start(s);
}

void
netns_restart(struct server *s, int machine)
{
	enter(machine);
	server_start(s);
	enter(BROKER);
}

void
netns_daemon(struct server *s, const char *name, int machine, int port)
{
	daemon_plan(s, name, port);
	snprintf(s->ip, sizeof s->ip, NETNS_BROKER);
	netns_restart(s, machine);
}

/* ---- faults ---- */

static void
qdisc(int where, int index, int verb, const char *kind, const void *options, size_t n)
{
	struct ask a;
	struct tcmsg body = {.tcm_family = AF_UNSPEC, .tcm_ifindex = index, .tcm_parent = TC_H_ROOT};
	begin(&a, verb, verb == RTM_NEWQDISC ? NLM_F_CREATE | NLM_F_REPLACE : 0, &body, sizeof body);
	if (kind) {
		attr(&a, TCA_KIND, kind, strlen(kind) + 1);
		struct rtattr *nest = attr(&a, TCA_OPTIONS, options, n);
		attr_end(&a, nest);
	}
	int r = tell(net[where].route, &a);
	REQUIRE(r == 0 || verb == RTM_DELQDISC, "qdisc %s in network %d: %s", kind, where, strerror(-r));
}

static void
each_way(int machine, enum netns_way ways, int verb, const char *kind, const void *options, size_t n)
{
	if (ways & NETNS_UP)
		qdisc(machine, net[machine].index, verb, kind, options, n);
	if (ways & NETNS_DOWN)
		qdisc(BROKER, net[machine].far_index, verb, kind, options, n);
}

void
netns_drop(int machine, enum netns_way ways)
{
	struct tc_fifo_qopt none = {.limit = 0};           /* a queue without a place: what is sent is gone */
	each_way(machine, ways, RTM_NEWQDISC, "pfifo", &none, sizeof none);
}

void
netns_thin(int machine, enum netns_way ways, uint32_t bytes_a_second)
{
	struct { struct rtattr h; struct tc_tbf_qopt q; struct rtattr burst_h; uint32_t burst; } o = {
	    .h = {RTA_LENGTH(sizeof(struct tc_tbf_qopt)), TCA_TBF_PARMS}, .burst_h = {RTA_LENGTH(4), TCA_TBF_BURST},
	    .burst = 4096};
	o.q.rate.rate = bytes_a_second;
	o.q.rate.linklayer = TC_LINKLAYER_ETHERNET;        /* no table of rates */
	o.q.limit = 65536;
	each_way(machine, ways, RTM_NEWQDISC, "tbf", &o, sizeof o);
}

void
netns_heal(int machine)
{
	each_way(machine, NETNS_BOTH, RTM_DELQDISC, NULL, NULL, 0);
}

void
netns_link(int machine, int is_up)
{
	set_up(BROKER, net[machine].far_index, is_up);     /* the other end loses its carrier */
}

void
netns_unreachable(int machine, enum netns_way ways, int on)
{
	int verb = on ? RTM_NEWROUTE : RTM_DELROUTE, r = 0;
	struct in_addr broker;
	inet_pton(AF_INET, NETNS_BROKER, &broker);
	if (ways & NETNS_UP)
		r = route(machine, verb, RTN_UNREACHABLE, broker, 32);
	if (r == 0 && (ways & NETNS_DOWN))
		r = route(BROKER, verb, RTN_UNREACHABLE, ip_of(machine, net[machine].host), 32);
	REQUIRE(r == 0, "unreachable route of machine %d: %s", machine, strerror(-r));
}

int
netns_reset(int machine, enum netns_way side)
{
	static char answers[ANSWER];
	struct inet_diag_sockid found[64];
	int where = side == NETNS_UP ? machine : BROKER, n = 0, ended = 0;
	struct ask a;
	struct inet_diag_req_v2 body = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP,
	    .idiag_states = 1 << TCP_ESTABLISHED};
	struct in_addr peer = ip_of(machine, net[machine].host);

	begin(&a, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &body, sizeof body);
	REQUIRE(send(net[where].diag, &a, a.h.nlmsg_len, 0) > 0, "sock_diag: %s", strerror(errno));
	for (int more = 1; more;) {
		ssize_t got = recv(net[where].diag, answers, sizeof answers, 0);
		REQUIRE(got > 0, "sock_diag: %s", strerror(errno));
		size_t left = (size_t)got;
		for (struct nlmsghdr *h = (struct nlmsghdr *)answers; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) {
				more = 0;
				break;
			}
			struct inet_diag_msg *m = NLMSG_DATA(h);
			if (n < 64 && (side == NETNS_UP || m->id.idiag_dst[0] == peer.s_addr))
				found[n++] = m->id;
		}
	}
	for (int i = 0; i < n; i++) {
		body.id = found[i];
		begin(&a, SOCK_DESTROY, 0, &body, sizeof body);
		ended += tell(net[where].diag, &a) == 0;        /* it may have ended meanwhile */
	}
	return ended;
}

void
netns_move(int machine)
{
	int old = net[machine].host++;
	address(machine, net[machine].index, RTM_DELADDR, ip_of(machine, old), 24);
	address(machine, net[machine].index, RTM_NEWADDR, ip_of(machine, net[machine].host), 24);
	way_out(machine);
}
