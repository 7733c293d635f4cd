#!/bin/sh
# What slotd needs from the system, in one place.
#
# usage: deps.sh build|check|page|package|machine
# Installs what is missing if it may (root and apt-get), saying so; else prints the one line that
# does it, and fails.  `build` prints make variables with the compiler's flags on standard output.
set -eu

missing=
need_command() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need_module() { command -v pkg-config >/dev/null 2>&1 && pkg-config --exists "$1" || missing="$missing $2"; }
need_header() { echo "#include <$1>" | ${CC:-cc} -E -x c - >/dev/null 2>&1 || missing="$missing $2"; }

need_command ${CC:-cc} gcc
need_command pkg-config pkg-config
need_header stdio.h libc6-dev
need_module libevent_core libevent-dev
need_module inih libinih-dev
need_module hiredis libhiredis-dev
need_module ncursesw libncurses-dev
if [ "$1" = check ]; then
	need_command clang clang
	need_command valgrind valgrind
	need_command python3 python3
	need_command perl perl
	need_command node nodejs
	need_command nc netcat-openbsd
	need_command mandoc mandoc
	need_command systemd-analyze systemd
	need_command g++ g++
	need_command promtool prometheus
	need_module check check
	command -v valkey-server >/dev/null 2>&1 || need_command redis-server redis-server
fi
if [ "$1" = page ]; then        # 120 MB to fetch: make check does without
	need_command python3 python3
	command -v google-chrome >/dev/null 2>&1 || need_command chromium chromium
fi
if [ "$1" = package ]; then
	need_command dpkg-buildpackage dpkg-dev
	need_command g++ build-essential
	need_command dh debhelper
	need_command dh_python3 dh-python
	need_command lintian lintian
	need_command systemd-analyze systemd
	need_module check check
fi
if [ "$1" = machine ]; then
	need_command debootstrap debootstrap
	need_command systemd-nspawn systemd-container
fi

if [ -n "$missing" ]; then
	line="apt-get install -y --no-install-recommends$missing"
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
		echo "slotd: packages are missing; as root:  apt-get update && $line" >&2
		exit 1
	fi
	echo "slotd: installing$missing" >&2
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq >/dev/null
	$line -qq -o Dpkg::Use-Pty=0 >/dev/null
fi

if [ "$1" = build ]; then
	echo "# written by tests/deps.sh"
	echo "DEP_CFLAGS := $(pkg-config --cflags libevent_core inih hiredis)"
	echo "CTL_CFLAGS := $(pkg-config --cflags ncursesw)"
	echo "CTL_LIBS := $(pkg-config --libs ncursesw)"
	echo "DEP_LIBS := $(pkg-config --libs libevent_core inih hiredis)"
fi
