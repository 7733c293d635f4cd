#!/bin/sh
# Makes Debian packages of what is committed, with conf/debian, and lets lintian judge them.
#
# usage: package.sh [DIRECTORY]          (where they are to be; build/deb)
set -eu

cd "$(dirname "$0")/../.."
mkdir -p "${1:-build/deb}"
directory=$(cd "${1:-build/deb}" && pwd)
sh tests/deps.sh package
tarball=$(make -s dist)
version=${tarball#build/slotd-}
version=${version%.tar.gz}
source=$directory/slotd-$version

rm -rf "$source"
rm -f "$directory"/*slot*_"$version"[-.]*
cp "$tarball" "$directory/slotd_$version.orig.tar.gz"
tar -xf "$tarball" -C "$directory"
cp -r "$source/conf/debian" "$source/debian"
released=$(dpkg-parsechangelog -l "$source/debian/changelog" -S Version)
[ "${released%-*}" = "$version" ] || {
	echo "package.sh: conf/debian/changelog is of $released, and make dist of $version" >&2
	exit 1
}

(cd "$source" && dpkg-buildpackage -us -uc) >"$directory/build.log" 2>&1 || {
	tail -n 40 "$directory/build.log" >&2
	echo "package.sh: dpkg-buildpackage has failed; all of it is in $directory/build.log" >&2
	exit 1
}
rm -rf "$source"
# (the suppressed one asks for the bug report in which somebody has announced the package to Debian)
lintian --allow-root --suppress-tags initial-upload-closes-no-bugs --fail-on error,warning "$directory/slotd_$released"_*.changes
ls "$directory"/*_"$released"_*.deb
