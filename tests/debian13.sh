#!/bin/sh
# Runs make goals on Debian 13, with its Redis 8 and Valkey 8.1: what is committed, in a chroot.
#
# usage: debian13.sh DIRECTORY [GOAL...]          (as root; goals: check)
#
# The chroot is made in DIRECTORY if that is not there yet (debootstrap; about 1 GB), and kept.
# APT_MIRROR says where Debian is, if not where this system has its packages from.
set -eu

[ $# -ge 1 ] && [ "$(id -u)" = 0 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 64; }
root=$1
shift
mirror=${APT_MIRROR:-$(apt-get indextargets --format '$(SITE)' | grep -v security | head -n 1)}

if [ ! -e "$root/slotd-ready" ]; then
	debootstrap --variant=minbase --include=ca-certificates trixie "$root" "$mirror"
	# nothing that is installed there starts a service
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod +x "$root/usr/sbin/policy-rc.d"
	chroot "$root" apt-get update -qq
	chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		make git redis-server valkey-server
	touch "$root/slotd-ready"
fi

rm -rf "$root/slotd"
mkdir "$root/slotd"
git archive HEAD | tar -x -C "$root/slotd"
mount -t proc proc "$root/proc"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -sf pts/ptmx "$root/dev/ptmx"
trap 'umount "$root/dev/pts" "$root/proc"' EXIT
chroot "$root" make -C /slotd "${@:-check}"
