# make install, uninstall, deb. Included by the Makefile; install.sh does the work and says what lies where.
PREFIX     ?= /usr/local
DESTDIR    ?=
BINDIR     ?= $(PREFIX)/bin
SBINDIR    ?= $(PREFIX)/sbin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
LIBEXECDIR ?= $(PREFIX)/libexec
MANDIR     ?= $(PREFIX)/share/man
DOCDIR     ?= $(PREFIX)/share/doc/mom
# the programs look in /etc/mom; elsewhere: MOM_CONFIG. (A comment behind a value would put its blanks into it.)
SYSCONFDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),/etc,$(PREFIX)/etc)
UNITDIR    ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
COMPDIR    ?= $(PREFIX)/share/bash-completion/completions
PYTHONDIR  ?=                    # of mom.py; unset: the folder below PREFIX where python3 looks, else PREFIX/share/mom/python
INSTALL_ENV = PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' BINDIR='$(BINDIR)' SBINDIR='$(SBINDIR)' LIBDIR='$(LIBDIR)' INCLUDEDIR='$(INCLUDEDIR)' \
	LIBEXECDIR='$(LIBEXECDIR)' MANDIR='$(MANDIR)' DOCDIR='$(DOCDIR)' SYSCONFDIR='$(SYSCONFDIR)' UNITDIR='$(UNITDIR)' SYSUSERSDIR='$(SYSUSERSDIR)' \
	COMPDIR='$(COMPDIR)' PYTHONDIR='$(strip $(PYTHONDIR))' BIN='$(BIN)' LIB='$(OUT)/lib' VERSION='$(VERSION)' SERVERS='$(SERVERS)' TOOLS='$(TOOLS)'

install: all                 ## programs, library, header, mom.pc, mom.py, units, man pages below PREFIX (/usr/local); DESTDIR, BINDIR, LIBDIR ... as usual
	@$(INSTALL_ENV) sh src/tools/install.sh install
uninstall:                   ## removes exactly what install put there (same PREFIX and DESTDIR); stores, spools and changed configuration stay
	@$(INSTALL_ENV) sh src/tools/install.sh uninstall
deb: all                     ## build/mom_VERSION_ARCH.deb, for apt install ./FILE; needs dpkg-deb
	@CC='$(CC)' MAKE='$(MAKE)' VERSION='$(VERSION)' DEBDIR='$(DEBDIR)' sh src/tools/deb.sh
