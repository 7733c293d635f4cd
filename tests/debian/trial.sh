#!/bin/sh
# slotd on a fresh machine: installs it, and sees whether it does what an operator counts on.
#
# usage: trial.sh package|source          (as root, on a machine that is thrown away afterwards)
set -eu
export DEBIAN_FRONTEND=noninteractive

# Says what comes, and, if this is the last that was said, what was not true.
trial() { echo "trial: $*"; }

# Tries a command until it is true, for a minute at most.
wait_until() {
	tries=600
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || { echo "not after a minute: $*"; return 1; }
		sleep 0.1
	done
}

# Runs a command that must fail with that status.
fails() {
	expected=$1
	shift
	status=0
	"$@" || status=$?
	[ "$status" = "$expected" ]
}

shows() { systemctl show --property="$2" --value "$1" | grep -qx -- "$3"; }
as() { user=$1; shift; runuser -u "$user" -- "$@"; }
token() { slotctl holders --json build | sed -n 's/.*"token": *"\{0,1\}\([0-9]*\).*/\1/p'; }
get() {
	perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new("127.0.0.1:9717") or die $!;
		print $s "GET $ARGV[0] HTTP/1.0\r\n\r\n"; print <$s>' "$1"
}
inode() { stat --format=%i /run/slotd/slotd.sock; }

# The hold of alice's job outlives what is done to slotd, and so does the job.
holds_on() { [ "$(token)" = "$held" ]; }
goes_on() {
	wait_until holds_on
	kill -0 "$job"
}

apt-get update -qq
case $1 in
package)
	trial "the packages can be installed"
	apt-get install -y -qq --no-install-recommends /trial/*.deb >/dev/null
	;;
source)
	trial "make, make install, and what it says to do then"
	make -C /trial/source >/dev/null
	make -C /trial/source install >/dev/null
	systemd-sysusers
	systemd-tmpfiles --create slotd.conf
	ldconfig
	systemctl daemon-reload
	systemctl enable --now slotd.socket
	;;
esac
useradd --groups slotd alice
useradd bob

trial "the units are good"
units=$(dirname "$(systemctl show --property=FragmentPath --value slotd.service)")
systemd-analyze verify --man=no "$units/slotd.socket" "$units/slotd.service"
systemd-analyze security --threshold=20 --no-pager slotd.service | tail -n 1

trial "a member of the group has a slot, somebody else has none"
[ "$(as alice slotctl run build --limit 2 -- sh -c 'echo $SLOT_NUMBER')" = 1 ]
fails 77 as bob slotctl run build --limit 2 -- true

trial "slotd runs as itself, says so to systemd, and warns of nothing"
shows slotd.service ActiveState active
shows slotd.service User slotd
wait_until shows slotd.service StatusText 'groups [0-9].*; this host alone'
journalctl --quiet --unit=slotd.service --priority=info --grep='listens on' | grep -q .
warnings=$(journalctl --quiet --unit=slotd.service --priority=warning)
[ -z "$warnings" ] || { echo "$warnings"; exit 1; }

trial "a job goes on through a restart"
mkfifo --mode=666 /tmp/started
as alice slotctl run build --limit 1 -- sh -c 'echo >/tmp/started; exec sleep infinity' 2>/tmp/alice &
job=$!
read -r _ </tmp/started
held=$(token)
[ -n "$held" ]
systemctl restart slotd.service
goes_on

trial "a slotd that hangs is killed and started anew, and the job goes on"
mkdir -p /run/systemd/system/slotd.service.d
printf '[Service]\nWatchdogSec=1s\n' >/run/systemd/system/slotd.service.d/soon.conf
systemctl daemon-reload
systemctl restart slotd.service
goes_on
kill -STOP "$(systemctl show --property=MainPID --value slotd.service)"
wait_until shows slotd.service NRestarts 1
wait_until shows slotd.service ActiveState active
goes_on
rm -r /run/systemd/system/slotd.service.d
systemctl daemon-reload

trial "a reload with an error changes nothing and fails, one without succeeds"
echo 'limit = nonsense' >>/etc/slotd/slotd.conf
fails 1 systemctl reload slotd.service
journalctl --quiet --unit=slotd.service --priority=warning --grep='slotd.conf:[0-9]' | grep -q .
shows slotd.service ActiveState active
sed -i '$d' /etc/slotd/slotd.conf
printf '[group build]\nlimit = 7\n' >>/etc/slotd/slotd.conf
systemctl reload slotd.service
shows slotd.service ActiveState active
slotctl status --json build | grep -q '"limit": *7'
goes_on

if [ "$1" = package ]; then
	trial "an upgrade keeps the configuration, the socket and the job"
	echo '; of this machine' >>/etc/slotd/slotd.conf
	before=$(inode)
	was=$(systemctl show --property=MainPID --value slotd.service)
	dpkg-deb --raw-extract /trial/slotd_*.deb /tmp/next
	sed -i 's/^Version: .*/&.1/' /tmp/next/DEBIAN/control
	echo '; of the next version' >>/tmp/next/etc/slotd/slotd.conf
	dpkg-deb --build /tmp/next /tmp/next.deb >/dev/null
	dpkg --force-confold --install /tmp/next.deb >/dev/null
	tail -n 1 /etc/slotd/slotd.conf | grep -q 'of this machine'
	shows slotd.service ActiveState active
	[ "$(systemctl show --property=MainPID --value slotd.service)" != "$was" ]
	[ "$(inode)" = "$before" ]
	goes_on
fi

trial "the page is served, and what the jobs are called is seen"
sed -i 's/^;listen = *$/listen = 127.0.0.1:9717/' /etc/slotd/slotd.conf
systemctl restart slotd.service
goes_on
get /readyz | grep -q '^HTTP/1.1 200 '
get /metrics | grep -q '^slotd_'
slotctl ps --json build | grep -q '"command": *"slotctl"'

trial "stop_ms is given, though TimeoutStopSec is shorter; the slot comes back with the end of the job"
mkdir -p /run/systemd/system/slotd.service.d
printf '[Service]\nTimeoutStopSec=1s\n' >/run/systemd/system/slotd.service.d/short.conf
sed -i 's/^;stop_ms = .*/stop_ms = 60000/' /etc/slotd/slotd.conf
systemctl daemon-reload
systemctl restart slotd.service
goes_on
systemctl stop slotd.socket
systemctl stop --no-block slotd.service
wait_until shows slotd.service StatusText 'stopping: groups 1, holds 1, .*'
sleep 2
shows slotd.service ActiveState deactivating
kill "$job"
wait_until shows slotd.service ActiveState inactive
shows slotd.service Result success

if [ "$1" = package ]; then
	trial "it can be removed, with its configuration"
	apt-get purge -y -qq slotd >/dev/null
	[ ! -e /etc/slotd ] && [ ! -e /usr/sbin/slotd ]
	fails 4 systemctl status slotd.service
fi
echo "trial: all was true"
