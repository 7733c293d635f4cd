#!/bin/sh
# Installs slotd on a fresh Debian whose systemd runs, and tries it there (trial.sh).
#
# usage: machine.sh DIRECTORY package|source          (as root)
#
# package: what `make deb` has made; then an upgrade of it, and its removal
# source:  what is committed, by make && make install, and what README.md says to do after that
#
# The system is made in DIRECTORY/base if it is not there yet (debootstrap; 350 MB), and kept.  Each
# run starts it as it is there (systemd-nspawn): what is installed goes to memory, and is gone after.
# SUITE says which Debian (bookworm), and APT_MIRROR where it is.
set -eu

[ $# = 2 ] && [ "$(id -u)" = 0 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 64; }
cd "$(dirname "$0")/../.."
mkdir -p "$1/trial"
directory=$(cd "$1" && pwd)
sh tests/deps.sh machine
base=$directory/base
how=$2

if [ ! -e "$base/slotd-ready" ]; then
	rm -rf "$base"
	debootstrap --variant=minbase --include=ca-certificates,dbus,make,systemd-sysv \
		"${SUITE:-bookworm}" "$base" \
		"${APT_MIRROR:-$(apt-get indextargets --format '$(SITE)' | grep -v security | head -n 1)}"
	cp tests/debian/trial.service "$base/etc/systemd/system"
	ln -s ../trial.service "$base/etc/systemd/system/multi-user.target.wants"
	touch "$base/slotd-ready"
fi

rm -rf "$directory/trial"
mkdir "$directory/trial"
cp tests/debian/trial.sh "$directory/trial"
echo "HOW=$how" >"$directory/trial/how"
case $how in
package)
	sh tests/debian/package.sh "$directory/packages"
	cp "$directory"/packages/*.deb "$directory/trial"
	rm -f "$directory"/trial/*-dbgsym_*
	;;
source)
	tar -xf "$(make -s dist)" -C "$directory/trial" --one-top-level=source --strip-components=1
	;;
esac

status=0
systemd-nspawn --quiet --directory="$base" --volatile=overlay --register=no --keep-unit \
	--bind="$directory/trial:/trial" --console=pipe --boot </dev/null >"$directory/console" 2>&1 ||
	status=$?
cat "$directory/trial/output"
[ "$status" = 0 ] || echo "machine.sh: exit status $status; what systemd said is in $directory/console" >&2
exit "$status"
