/* eventloop - the example that waits for a socket and for messages in one poll */
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <mom.h>
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server broker, one;

static int
connect_to(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { T_PATIENCE_MS / 1000, 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	REQUIRE(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0, "port %d", port);
	return fd;
}

static void
expect_line(int fd, const char *line)
{
	char got[64] = "";
	for (size_t n = 0; n < strlen(line); n++)
		REQUIRE(recv(fd, got + n, 1, 0) == 1, "%s awaited after: %s", line, got);
	REQUIRE(strcmp(got, line) == 0, "%s awaited, not %s", line, got);
}

TEST(bridge, "the example of an event loop: a line over TCP is published, a message comes out over TCP, also over the "
    "death of daemon and broker")
{
	int port = 0;
	struct mom_message m;
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	struct ran made = run_command("cc -Wall -Wextra -Werror -O1 %s '%s/src/examples/eventloop/bridge.c' "
	    "-I'%s/include' '%s' -o %s",
	    strstr(t_bin(""), "asan") ? "-fsanitize=address,undefined" : "", SOURCE, SOURCE, t_bin("../lib/libmom.a"),
	    t_path("bridge"));
	REQUIRE(made.status == 0, "%s", made.err);
	struct running bridge = run_start("exec %s talk", t_path("bridge"));
	WAIT_FOR(sscanf(t_read_file(bridge.out), "listening on 127.0.0.1 %d", &port) == 1, "%s",
	    t_read_file(bridge.err));
	int fd = connect_to(port), id = mom_create();
	REQUIRE(id >= 0 && mom_subscribe(id, "talk", MOM_NO_ECHO) == 0, "%s", mom_error_text(-1));
	for (int i = 0; i < 3; i++) {
		REQUIRE(send(fd, "from the socket\n", 16, 0) == 16, "send");
		REQUIRE(mom_receive(id, &m, T_PATIENCE_MS) == 0 && m.len == 15 &&
		    memcmp(m.data, "from the socket", 15) == 0, "%s", mom_error_text(id));
		expect_line(fd, "from the socket\n");
		REQUIRE(mom_publish(id, "talk", "from MOM", 8, 0) == 0, "%s", mom_error_text(id));
		expect_line(fd, "from MOM\n");
		server_kill_all(i ? &one : &broker);
		server_start(i ? &one : &broker);
	}
	kill(bridge.pid, SIGTERM);
	run_finish(&bridge);
	close(fd);
	REQUIRE(mom_destroy(id) == 0, "%s", mom_error_text(-1));
}
