#!/bin/sh
# deb.sh - make deb: build/mom_VERSION_ARCH.deb from what `make` built, by dpkg-deb alone
#
#   MAINTAINER="Name <address>"   who answers for the package        DEBDIR=DIR   where it is made (build)
# After the installation the user mom is there and nothing runs: `systemctl enable --now mom-broker mom-daemon`. An upgrade leaves the coordinators that run
# alone: all of them started anew at once would lose what they keep.
set -eu
command -v dpkg-deb >/dev/null || { echo "make deb needs dpkg-deb (the package dpkg)" >&2; exit 1; }
arch=$(dpkg --print-architecture)
triplet=$($CC -print-multiarch 2>/dev/null) || triplet=
out=${DEBDIR:-$PWD/build}
root=$out/deb
lib=/usr/lib${triplet:+/$triplet}
rm -rf "$root"
umask 022
$MAKE --no-print-directory install DESTDIR="$root" PREFIX=/usr LIBDIR="$lib" LIBEXECDIR=/usr/libexec SYSCONFDIR=/etc \
	PYTHONDIR=/usr/lib/python3/dist-packages >/dev/null
rm "$root/usr/libexec/mom/manifest"

for f in "$root"/usr/libexec/mom/* "$root"/usr/bin/* "$root$lib"/libmom.so.*.*; do
	[ -L "$f" ] || strip --strip-unneeded "$f"
done
strip --strip-debug "$root$lib/libmom.a"
[ -d "$root/usr/share/man" ] && find "$root/usr/share/man" -type f -exec gzip -9n {} +

# the newest version of libc that one of the programs asks for
libc=$(objdump -T "$root"/usr/libexec/mom/* "$root"/usr/bin/* "$root$lib"/libmom.so.*.* 2>/dev/null | sed -n 's/.*(\{0,1\}GLIBC_\([0-9.]*\).*/\1/p' | sort -Vu | tail -1)

mkdir "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<END
Package: mom
Version: $VERSION
Architecture: $arch
Maintainer: ${MAINTAINER:-MOM <root@localhost>}
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: libc6 (>= ${libc:-2.34})
Suggests: python3, pkg-config
Section: net
Priority: optional
Description: message-oriented middleware: publish to topics, receive from topics
 Programs publish to topics and receive from the topics that they subscribed to,
 through a daemon on their own machine and a broker that stores what they send.
 Nothing acknowledged is lost. This package has the broker, the daemon, the
 tools, the library for C, C++ and Python, and units for systemd.
END
(cd "$root" && find etc -type f | sed 's|^|/|' | sort) >"$root/DEBIAN/conffiles"

cat >"$root/DEBIAN/postinst" <<'END'
#!/bin/sh
set -e
if [ "$1" = configure ]; then
	if command -v systemd-sysusers >/dev/null; then
		systemd-sysusers mom.conf
	elif ! getent passwd mom >/dev/null; then
		useradd --system --user-group --home-dir /var/lib/mom --no-create-home --shell /usr/sbin/nologin mom
	fi
	ldconfig
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload
		# an upgrade: what runs is of the old version
		[ -z "$2" ] || systemctl try-restart mom-broker.service mom-daemon.service
	fi
fi
END
cat >"$root/DEBIAN/prerm" <<'END'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
	systemctl stop 'mom-coordinator@*.service' || true
	systemctl disable mom-coordinator@.service || true
	systemctl disable --now mom-daemon.service mom-broker.service || true
fi
END
cat >"$root/DEBIAN/postrm" <<'END'
#!/bin/sh
# the user mom, /var/lib/mom/broker (the store) and /var/lib/mom/spool stay: they may hold what nobody has received yet
set -e
[ "$1" != purge ] || echo "mom: the messages in /var/lib/mom are kept; remove that folder when they are not needed"
case $1 in remove | purge) ldconfig ;; esac
[ ! -d /run/systemd/system ] || systemctl daemon-reload
END
chmod 755 "$root/DEBIAN/postinst" "$root/DEBIAN/prerm" "$root/DEBIAN/postrm"
dpkg-deb --root-owner-group --build "$root" "$out/mom_${VERSION}_$arch.deb"
