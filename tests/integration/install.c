/* install - what make install and make deb put into a system works there, alone, and goes away again; C++ can use it */
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct server broker, one;

/* 0: this build is none that is installed */
static int
may_install(void)
{
	if (access(t_text("%s/lib/libmom.so", SOURCE), R_OK) == 0 && strcmp(t_bin(""), t_text("%s/bin/", SOURCE)) == 0)
		return 1;
	t_remark("left out: only the release build is installed");
	return 0;
}

static char *
must(const char *what, struct ran r)
{
	REQUIRE(r.status == 0, "%s: exit %d\n%s%s", what, r.status, r.out, r.err);
	return r.out;
}

static void
make(const char *arguments)
{
	unsetenv("MAKEFLAGS");
	unsetenv("MAKELEVEL");
	must(arguments, run_command("cd '%s' && make --no-print-directory %s", SOURCE, arguments));
}

static int
is_there(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

/* broker and daemon from that folder, and the installed programs exchange a message; sbin and bin below root */
static void
exchange_below(const char *root, const char *prefix)
{
	t_begin(t_dir(), t_text("%s%s/sbin", root, prefix));
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	char *out = must("user_main", run_command("cd / && '%s%s/bin/user_main' 'S news' 'P news from afar' 'R 20'",
	    root, prefix));
	REQUIRE(strcmp(out, "ok subscribe news\nok publish news\nmessage news from afar\n") == 0, "%s", out);
}

static void
exchange_python(const char *root, const char *folder)
{
	if (run_command("python3 -c 'import ctypes'").status != 0) {
		t_remark("python3 is left out: it is not installed");
		return;
	}
	unsetenv("MOM_LIB");
	setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
	setenv("PYTHONPATH", t_text("%s%s", root, folder), 1);
	char *out = must("hello.py", run_command("cd / && python3 '%s/usr/share/doc/mom/examples/hello/hello.py' news "
	    "'from Python'", root));
	REQUIRE(strcmp(out, "news: from Python\n") == 0, "%s", out);
	out = must("mom.py", run_command("cd / && python3 -c 'import mom; print(mom._lib._name)'"));
	REQUIRE(strncmp(out, root, strlen(root)) == 0, "mom.py took the library %s", out);
}

static const char *const program =
    "#include <mom.h>\n"
    "#include <stdio.h>\n"
    "#include <string.h>\n"
    "int main(void)\n"
    "{\n"
    "	struct mom_message m;\n"
    "	int id = mom_create();\n"
    "	if (id < 0 || mom_subscribe(id, \"news\", 0) < 0 || mom_publish(id, \"news\", \"hello\", 5, 0) < 0 || "
    "mom_receive(id, &m, 20000) < 0)\n		return fprintf(stderr, \"%s\\n\", mom_error_text(id)), 1;\n"
    "	printf(\"%s %.*s %d\\n\", m.topic, (int)m.len, (const char *)m.data, strcmp(mom_version(), MOM_VERSION));\n"
    "	return mom_destroy(id) < 0;\n"
    "}\n";

/* what a program's Makefile would take from pkg-config, or from mom.pc where there is none */
static char *
compile_flags(const char *root)
{
	char *pc = t_text("%s/usr/lib/pkgconfig/mom.pc", root), *flags;
	if (run_command("pkg-config --version").status == 0)
		flags = must("pkg-config", run_command("PKG_CONFIG_LIBDIR='%s/usr/lib/pkgconfig' "
		    "PKG_CONFIG_SYSROOT_DIR='%s' PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 "
		    "pkg-config --cflags --libs mom", root, root));
	else
		flags = must("sed", run_command("sed -n 's|${includedir}|%s/usr/include|; s|${libdir}|%s/usr/lib|; "
		    "s/^Cflags: //p; s/^Libs: //p' '%s' | tr '\\n' ' '",
		    root, root, pc));
	flags[strcspn(flags, "\n")] = '\0';
	return flags;
}

TEST(install, "make install puts all where it works: servers find each other, a C program built with mom.pc talks, "
    "Python too; uninstall leaves nothing")
{
	if (!may_install())
		return;
	char *root = t_path("root"), *where = t_text("DESTDIR='%s' PREFIX=/usr SYSCONFDIR=/etc "
	    "PYTHONDIR=/usr/lib/python3/dist-packages", root);
	make(t_text("install %s", where));
	t_write_file(t_path("prog.c"), program);
	must("cc", run_command("cd '%s' && cc -Wall -Werror prog.c %s -o prog", t_dir(), compile_flags(root)));
	exchange_below(root, "/usr");
	char *out = must("prog", run_command("cd / && LD_LIBRARY_PATH='%s/usr/lib' '%s'", root, t_path("prog")));
	REQUIRE(strcmp(out, "news hello 0\n") == 0, "%s", out);
	exchange_python(root, "/usr/lib/python3/dist-packages");
	out = must("sh", run_command("cd '%s/usr/lib' && ! grep -rl '@[A-Z]*@' systemd pkgconfig python3 && grep -h "
	    "^ExecStart= systemd/system/*", root));
	REQUIRE(strstr(out, "ExecStart=/usr/sbin/broker_server ") && strstr(out, "ExecStart=/usr/sbin/mom_daemon ") &&
	    strstr(out, "ExecStart=/usr/bin/mom_coordinator "), "%s", out);
	servers_stop();
	make(t_text("uninstall %s", where));
	out = must("find", run_command("find '%s' | sed 1d", root));
	REQUIRE(out[0] == '\0', "left behind:\n%s", out);
	REQUIRE(run_command("cd '%s' && make uninstall %s", SOURCE, where).status != 0,
	    "nothing is installed, and uninstall says it went well");
}

TEST(own_prefix, "with a PREFIX of one's own all lies below it, configuration and manual pages too; what Python "
    "compiled goes away with the rest")
{
	if (!may_install())
		return;
	char *prefix = t_path("own"), *where = t_text("DESTDIR= PREFIX='%s'", prefix);
	make(t_text("install %s", where));
	must("test", run_command("cd '%s' && test -f etc/mom/broker.conf && test -f share/man/man3/mom_publish.3 && "
	    "test -x sbin/broker_server", prefix));
	char *out = must("broker_server -t", run_command("cd / && MOM_CONFIG='%s/etc/mom' '%s/sbin/broker_server' -t",
	    prefix, prefix));
	REQUIRE(strstr(out, t_text("%s/etc/mom/broker.conf", prefix)), "%s", out);
	must("mkdir", run_command("cd '%s/share/mom/python' && mkdir __pycache__ && touch "
	    "__pycache__/mom.cpython-311.pyc", prefix));
	make(t_text("uninstall %s", where));
	REQUIRE(!is_there(prefix), "left behind:\n%s", run_command("find '%s'", prefix).out);
}

TEST(again, "a second install takes away what the older version had besides; configuration that was changed stays, "
    "with install and with uninstall")
{
	if (!may_install())
		return;
	char *root = t_path("root"), *conf = t_text("%s/etc/mom/broker.conf", root);
	char *where = t_text("DESTDIR='%s' PREFIX=/usr SYSCONFDIR=/etc PYTHONDIR=/usr/lib/python3", root);
	make(t_text("install %s", where));
	must("old", run_command("echo /usr/libexec/mom/old_server >>'%s/usr/libexec/mom/manifest' && touch "
	    "'%s/usr/libexec/mom/old_server'", root, root));
	t_write_file(conf, "listen 127.0.0.2 9000\n");
	make(t_text("install %s", where));
	CHECK(!is_there(t_text("%s/usr/libexec/mom/old_server", root)), "the old server is still there");
	CHECK(is_there(t_text("%s/usr/libexec/mom/worker", root)), "the worker is gone");
	CHECK(strcmp(t_read_file(conf), "listen 127.0.0.2 9000\n") == 0, "broker.conf was overwritten");
	must("mkdir", run_command("cd '%s/usr/share/man' && mkdir -p man3 && touch man3/other.3", root));
	make(t_text("uninstall %s", where));
	char *out = must("find", run_command("cd '%s' && find . | sort | tr '\n' ' '", root));
	REQUIRE(strcmp(out, ". ./etc ./etc/mom ./etc/mom/broker.conf ./usr ./usr/share ./usr/share/man "
	    "./usr/share/man/man3 ./usr/share/man/man3/other.3 ") == 0, "left behind:\n%s", out);
}

TEST(deb, "make deb makes a package with all that belongs into it, owned by root, its configuration marked; what is in "
    "it works")
{
	if (run_command("dpkg-deb --version && dpkg --print-architecture").status != 0) {
		t_remark("left out: there is no dpkg-deb");
		return;
	}
	if (!may_install())
		return;
	char *root = t_path("root");
	make(t_text("deb DEBDIR='%s'", t_dir()));
	char *list = must("dpkg-deb -c", run_command("dpkg-deb -c '%s'/mom_*.deb", t_dir()));
	static const char *const files[] = { "/usr/sbin/broker_server ->", "/usr/sbin/mom_daemon ->",
	    "/usr/libexec/mom/worker", "/usr/libexec/mom/mom_http",
		"/usr/bin/mom_http ->", "/usr/bin/mom_coordinator", "/usr/include/mom_resource.h",
		    "/usr/share/bash-completion/completions/mom", "/completions/mom_coordinator ->", "/usr/bin/mom",
		"/usr/bin/user_main", "/usr/include/mom.h", "/libmom.so.0 ->", "/libmom.a", "/pkgconfig/mom.pc",
		    "/usr/lib/python3/dist-packages/mom.py",
		"/mom-broker.service", "/mom-daemon.service", "/mom-coordinator@.service",
		    "/usr/lib/sysusers.d/mom.conf", "/etc/mom/broker.conf", "/usr/share/doc/mom/copyright" };
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		CHECK(strstr(list, files[i]), "%s is not in it:\n%s", files[i], list);
	char *odd = must("awk", run_command("dpkg-deb -c '%s'/mom_*.deb | awk '$2 != \"root/root\" || $1 ~ "
	    "/^-.......w/ || /manifest/'", t_dir()));
	CHECK(odd[0] == '\0', "not for root alone to write: %s", odd);
	char *control = must("dpkg-deb -f", run_command("cd '%s' && dpkg-deb -f mom_*.deb Version Depends && dpkg-deb "
	    "--ctrl-tarfile mom_*.deb | tar -xO ./conffiles",
	    t_dir()));
	CHECK(strstr(control, t_text("Version: %s\n", MOM_VERSION)) && strstr(control, "libc6 (>= 2.") &&
	    strstr(control, "/etc/mom/daemon.conf\n"), "%s", control);
	for (const char *const *script = (const char *const[]){ "postinst", "prerm", "postrm", NULL }; *script;
	    script++)
		must(*script, run_command("dpkg-deb --ctrl-tarfile '%s'/mom_*.deb | tar -xO ./%s | sh -n", t_dir(),
		    *script));
	must("dpkg-deb -x", run_command("rm -rf '%s/deb' && dpkg-deb -x '%s'/mom_*.deb '%s'", t_dir(), t_dir(), root));
	exchange_below(root, "/usr");
	exchange_python(root, "/usr/lib/python3/dist-packages");
}

TEST(version, "every program answers --version with the version of mom.h; libmom.so shows the calls of mom.h and "
    "mom_*.h and nothing else")
{
	DIR *dir = opendir(t_bin(""));
	REQUIRE(dir, "%s", t_bin(""));
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		struct ran r = run_command("timeout 10 '%s' --version", t_bin(e->d_name));
		CHECK(r.status == 0 && strcmp(r.out, t_text("%s (MOM) %s\n", e->d_name, MOM_VERSION)) == 0,
		    "%s --version: exit %d %s%s", e->d_name, r.status,
		    r.out, r.err);
	}
	closedir(dir);
	CHECK(strcmp(mom_version(), MOM_VERSION) == 0, "%s", mom_version());
	CHECK(strcmp(MOM_VERSION, t_text("%d.%d.%d", MOM_VERSION_MAJOR, MOM_VERSION_MINOR, MOM_VERSION_PATCH)) == 0,
	    "%s", MOM_VERSION);
	if (!may_install())
		return;
	char *declared = must("mom.h", run_command("sed -n 's/^[a-z].*[ *]\\(mom_[a-z0-9_]*\\)(.*/\\1/p' "
	    "'%s'/include/mom*.h | sort", SOURCE));
	char *shown = must("nm", run_command("nm -D --defined-only '%s/lib/libmom.so' | sed 's/.* //' | sort", SOURCE));
	CHECK(strcmp(declared, shown) == 0, "the headers have\n%slibmom.so shows\n%s", declared, shown);
}

TEST(cplusplus, "a C++ program includes mom.h without a warning, links libmom.a, and talks")
{
	if (run_command("c++ --version").status != 0) {
		t_remark("left out: there is no c++");
		return;
	}
	if (!may_install())
		return;
	t_write_file(t_path("prog.cc"), program);
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	must("c++", run_command("cd '%s' && c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -I'%s/include' prog.cc "
	    "'%s/lib/libmom.a' -o prog", t_dir(), SOURCE, SOURCE));
	char *out = must("prog", run_command("'%s'", t_path("prog")));
	REQUIRE(strcmp(out, "news hello 0\n") == 0, "%s", out);
}
