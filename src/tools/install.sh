#!/bin/sh
# install.sh - puts what `make` built where a system expects it, or takes exactly that away again
#
#   make install | make uninstall       (install.mk sets PREFIX, DESTDIR, BINDIR ...)
#
# LIBEXECDIR/mom   all servers together, since they start each other from their own folder; links in SBINDIR and BINDIR
# BINDIR           mom, user_main and the other programs of a person
# LIBDIR           libmom.a, libmom.so, pkgconfig/mom.pc            INCLUDEDIR  mom.h, mom_*.h
# SYSCONFDIR/mom   broker.conf, daemon.conf, client.conf, where there are none yet
# UNITDIR          mom-broker.service, mom-daemon.service, mom-coordinator@.service                      SYSUSERSDIR the user and group mom
# LIBEXECDIR/mom/manifest lists every file and link, and with a / behind its name every folder that was made for them (without DESTDIR):
# uninstall reads it, and a later install removes by it what is no more.
# A file is replaced by a rename: what runs goes on, what starts finds the old one or the new one.
set -eu
home=$LIBEXECDIR/mom
manifest=$DESTDIR$home/manifest
new= noted=

# the way from folder $1 to path $2, both absolute
way() {
	from=${1%/} back=
	while case $2 in "$from"/*) false ;; *) true ;; esac; do
		from=${from%/*}
		back=../$back
	done
	echo "$back${2#"$from"/}"
}

line() {
	echo "$1" >>"$manifest.new"
	[ -f "$manifest" ] && grep -qxF "$1" "$manifest" || echo "$1" >>"$manifest"
}

# those of the folder and of what it lies in that are not there, or are noted as ours
folder() {
	dir=$1 ours=
	while [ -n "$dir" ]; do
		if [ ! -d "$DESTDIR$dir" ] || { [ -f "$manifest" ] && grep -qxF "$dir/" "$manifest"; }; then
			ours="$dir/
$ours"
		fi
		dir=${dir%/*}
	done
	mkdir -p "$DESTDIR$1" "${manifest%/*}"
	echo "$ours" | while read -r dir; do
		[ -z "$dir" ] || line "$dir"
	done
}

# what is installed is noted before it is there: an install that breaks off can be uninstalled
note() {
	[ "${1%/*}" = "$noted" ] || folder "${1%/*}"
	noted=${1%/*}
	line "$1"
	new=$DESTDIR$1.mom-new
}

put() {           # MODE SOURCE TARGET
	note "$3"
	cp "$2" "$new"
	chmod "$1" "$new"
	mv -f "$new" "$DESTDIR$3"
}

fill() {          # SOURCE TARGET: a text in which @NAME@ is filled in
	note "$2"
	sed -e "s|@PREFIX@|$PREFIX|g; s|@BINDIR@|$BINDIR|g; s|@SBINDIR@|$SBINDIR|g; s|@LIBDIR@|$LIBDIR|g; s|@INCLUDEDIR@|$INCLUDEDIR|g; s|@VERSION@|$VERSION|g" \
	    -e "s|@LIBRARY@|$(way "${2%/*}" "$LIBDIR/libmom.so.${VERSION%%.*}")|g" "$1" >"$new"
	chmod 644 "$new"
	mv -f "$new" "$DESTDIR$2"
}

link() {          # TARGET LINK
	note "$2"
	ln -sf "$(way "${2%/*}" "$1")" "$new"
	mv -f "$new" "$DESTDIR$2"
}

# The folder below PREFIX where python3 looks for modules.
python_dir() {
	found=$(python3 -c "import sys; print(*[p for p in sys.path if p.startswith('$PREFIX/') and p.endswith(('dist-packages', 'site-packages'))][:1])" \
	    2>/dev/null) || found=
	echo "${found:-$PREFIX/share/mom/python}"
}

# A configuration that is there stays as it is; beside the documentation lies what a new one would be.
configure() {     # SOURCE NAME
	fresh=$DOCDIR/etc/$2
	note "$fresh"
	sed -e 's/^#\(listen 127.0.0.1 8080\)$/\1/; s/^#\(broker 127.0.0.1 8080\)$/\1/' "$1" >"$new"
	chmod 644 "$new"
	mv -f "$new" "$DESTDIR$fresh"
	folder "$SYSCONFDIR/mom"
	[ -e "$DESTDIR$SYSCONFDIR/mom/$2" ] || cp -p "$DESTDIR$fresh" "$DESTDIR$SYSCONFDIR/mom/$2"
}

# Those that nobody changed.
unconfigure() {
	for f in "$DESTDIR$SYSCONFDIR"/mom/*.conf; do
		if cmp -s "$f" "$DESTDIR$DOCDIR/etc/${f##*/}"; then
			rm -f "$f"
		elif [ -e "$f" ]; then
			echo "$f was changed and stays"
		fi
	done
	rmdir "$DESTDIR$SYSCONFDIR/mom" 2>/dev/null || true
}

install_programs() {
	for p in $SERVERS $TOOLS; do
		case " $SERVERS " in
		*" $p "*) put 755 "$BIN/$p" "$home/$p" ;;
		*) case $p in
		   mom_bench | mom_http) put 755 "$BIN/$p" "$home/$p"; link "$home/$p" "$BINDIR/$p" ;;      # beside the servers: one starts them, they start the other
		   *) put 755 "$BIN/$p" "$BINDIR/$p" ;;
		   esac ;;
		esac
	done
	link "$home/broker_server" "$SBINDIR/broker_server"
	link "$home/mom_daemon" "$SBINDIR/mom_daemon"
}

install_library() {
	major=${VERSION%%.*}
	for f in include/mom*.h; do
		put 644 "$f" "$INCLUDEDIR/${f##*/}"
	done
	put 644 "$LIB/libmom.a" "$LIBDIR/libmom.a"
	put 755 "$LIB/libmom.so.$VERSION" "$LIBDIR/libmom.so.$VERSION"
	link "$LIBDIR/libmom.so.$VERSION" "$LIBDIR/libmom.so.$major"
	link "$LIBDIR/libmom.so.$major" "$LIBDIR/libmom.so"
	fill src/api/mom.pc.in "$LIBDIR/pkgconfig/mom.pc"
	fill src/api/mom.py "${PYTHONDIR:-$(python_dir)}/mom.py"
}

install_system() {
	for f in src/tools/systemd/*.service; do
		fill "$f" "$UNITDIR/${f##*/}"
	done
	put 644 src/tools/systemd/mom.sysusers "$SYSUSERSDIR/mom.conf"
	for f in src/tools/etc/*.conf; do
		[ -f "$f" ] && configure "$f" "${f##*/}"
	done
	[ -f src/tools/mom/mom.bash ] && put 644 src/tools/mom/mom.bash "$COMPDIR/mom" && link "$COMPDIR/mom" "$COMPDIR/mom_coordinator"
	for f in src/tools/man/man[1-8]/*; do
		[ -f "$f" ] && put 644 "$f" "$MANDIR/man${f##*.}/${f##*/}"
	done
	put 644 README.md "$DOCDIR/README.md"
	put 644 LICENSE "$DOCDIR/copyright"
	for f in src/examples/*/*; do
		put 644 "$f" "$DOCDIR/${f#src/}"
	done
}

remove() {        # paths on standard input: what lies in a folder before the folder, and that only where it is empty
	LC_ALL=C sort -r | while read -r path; do
		case $path in
		*/)
			rmdir "$DESTDIR$path" 2>/dev/null || true
			continue ;;
		esac
		rm -f "$DESTDIR$path"
		dir=${path%/*}
		case $path in
		*/mom.py)                     # what Python compiled from it
			rm -f "$DESTDIR$dir"/__pycache__/mom.*.pyc
			rmdir "$DESTDIR$dir/__pycache__" 2>/dev/null || true ;;
		esac
		while case $dir/ in */mom/*) true ;; *) false ;; esac; do
			rmdir "$DESTDIR$dir" 2>/dev/null || break
			dir=${dir%/*}
		done
	done
}

case ${1-} in
install)
	umask 022
	rm -f "$manifest.new"
	folder "$home"
	install_programs
	install_library
	install_system
	grep -vxFf "$manifest.new" "$manifest" | remove       # of an older version
	mv -f "$manifest.new" "$manifest"
	[ -z "$DESTDIR" ] && command -v ldconfig >/dev/null && ldconfig 2>/dev/null || true       # so that programs find the library at once
	echo "installed below $DESTDIR$PREFIX: $(grep -c '[^/]$' "$manifest") files, listed in $DESTDIR$home/manifest"
	[ -z "$DESTDIR" ] && [ -d /run/systemd/system ] && echo "to run it: systemd-sysusers && systemctl daemon-reload && systemctl enable --now mom-broker mom-daemon" || true
	;;
uninstall)
	if [ ! -f "$manifest" ]; then
		echo "install.sh: there is no $manifest: nothing is installed there, or with another PREFIX, LIBEXECDIR or DESTDIR" >&2
		exit 1
	fi
	unconfigure
	list=$(cat "$manifest")
	rm -f "$manifest" "$manifest.new"
	echo "$list" | remove
	echo "uninstalled"
	;;
*)
	echo "usage: make install, make uninstall" >&2
	exit 100
	;;
esac
