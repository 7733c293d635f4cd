"""make install and uninstall, into a directory of our own; make dist."""
import hashlib
import os
import re
import subprocess
import tempfile
import unittest

from slotd import TIMEOUT, Log, wait_end

# What a make that runs this test hands down: its flags and variant are not for the makes in here.
OF_MAKE = ("MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS", "SAN", "CC", "CFLAGS")

PROGRAM = """
#include <slot.h>
#include <stdio.h>

int
main(void)
{
	struct slot_connect_options options = SLOT_CONNECT_OPTIONS_INIT;
	struct slot_conn *conn;
	int error;

	options.path = "/nowhere/slotd.sock";
	options.timeout_ms = 0;
	error = slot_connect(&conn, &options);
	puts(slot_strerror(error));
	return error != SLOT_ENODAEMON;
}
"""


def run(*command, **options):
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


def make(*words):
    env = {k: v for k, v in os.environ.items() if k not in OF_MAKE}
    return run("make", *words, env=env)


def files(root):
    return {os.path.relpath(os.path.join(path, name), root)
            for path, _, names in os.walk(root) for name in names}


class Install(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="slotd-install-")
        self.addCleanup(directory.cleanup)
        self.root = directory.name
        self.conf = os.path.join(self.root, "etc/slotd/slotd.conf")

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            return file.read()

    def test_everything_and_nothing_left(self):
        make("install", f"DESTDIR={self.root}", "PREFIX=/usr")
        found = files(self.root)
        for path in ("usr/sbin/slotd", "usr/bin/slotctl", "usr/lib/libslot.so", "usr/lib/libslot.so.0",
                     "usr/lib/libslot.a", "usr/include/slot.h", "usr/lib/pkgconfig/libslot.pc",
                     "usr/lib/systemd/system/slotd.service", "usr/lib/systemd/system/slotd.socket",
                     "usr/lib/sysusers.d/slotd.conf", "usr/lib/tmpfiles.d/slotd.conf",
                     "usr/share/man/man8/slotd.8", "usr/share/man/man5/slotd.conf.5",
                     "usr/share/man/man1/slotctl.1", "usr/share/man/man3/libslot.3",
                     "usr/share/man/man7/slotd-protocol.7", "usr/share/man/man7/slotd-metrics.7",
                     "usr/share/doc/slotd/PROTOCOL.txt", "usr/share/doc/slotd/alerts.yml",
                     "usr/share/doc/slotd/grafana-dashboard.json",
                     "usr/share/doc/slotd/LICENSE", "usr/share/doc/slotd/README.md",
                     "usr/share/bash-completion/completions/slotctl", "etc/slotd/slotd.conf"):
            self.assertIn(path, found)
        service = self.read("usr/lib/systemd/system/slotd.service").splitlines()
        self.assertIn("ExecStart=/usr/sbin/slotd", service)
        self.assertIn("ExecReload=/usr/bin/slotctl reload", service)
        for path in found:
            mode = os.stat(os.path.join(self.root, path)).st_mode & 0o777
            self.assertEqual(mode, 0o755 if "bin/" in path else 0o644, path)
        make("uninstall", f"DESTDIR={self.root}", "PREFIX=/usr")
        self.assertEqual(files(self.root), set())
        self.assertFalse(os.path.exists(os.path.dirname(self.conf)))

    def test_other_directories(self):
        make("install", f"DESTDIR={self.root}", "PREFIX=/opt/slotd", "libdir=/opt/slotd/lib64")
        service = self.read("opt/slotd/lib/systemd/system/slotd.service")
        self.assertIn("\nExecStart=/opt/slotd/sbin/slotd --config /opt/slotd/etc/slotd/slotd.conf\n",
                      service)
        self.assertIn("opt/slotd/lib64/pkgconfig/libslot.pc", files(self.root))
        self.assertIn("opt/slotd/share/slotd/python/slotd.py", files(self.root))
        self.assertTrue(all(path.startswith("opt/slotd/") for path in files(self.root)))

    def test_python_finds_it(self):
        for prefix in "/usr", "/usr/local":
            with self.subTest(prefix):
                make("install", f"DESTDIR={self.root}", f"PREFIX={prefix}")
                path, = (path for path in files(self.root) if path.endswith("/slotd.py"))
                self.assertIn("/" + os.path.dirname(path),
                              run("/usr/bin/python3", "-c", "import sys; print(*sys.path, sep='\\n')",
                                  env={}).splitlines())
                make("uninstall", f"DESTDIR={self.root}", f"PREFIX={prefix}")
        make("install", f"DESTDIR={self.root}", "PREFIX=/usr", "pythondir=/here")
        self.assertIn("here/slotd.py", files(self.root))

    def test_configuration_is_kept(self):
        make("install", f"DESTDIR={self.root}", "PREFIX=/usr")
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write("[group mine]\n")
        make("install", f"DESTDIR={self.root}", "PREFIX=/usr")
        make("uninstall", f"DESTDIR={self.root}", "PREFIX=/usr")
        self.assertEqual(files(self.root), {"etc/slotd/slotd.conf"})
        self.assertEqual(self.read("etc/slotd/slotd.conf"), "[group mine]\n")

    def test_a_program_by_pkg_config(self):
        make("install", f"DESTDIR={self.root}", "PREFIX=/usr")
        source, program = (os.path.join(self.root, name) for name in ("program.c", "program"))
        with open(source, "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        env = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=self.root,
                   PKG_CONFIG_LIBDIR=os.path.join(self.root, "usr/lib/pkgconfig"))
        flags = run("pkg-config", "--cflags", "--libs", "libslot", env=env).split()
        run("cc", "-Wall", "-Werror", "-o", program, source, *flags)
        libraries = os.path.join(self.root, "usr/lib")
        self.assertRegex(run(program, env={"LD_LIBRARY_PATH": libraries}), r"^\w[^\n]+\n$")
        linked = run("ldd", program, env=dict(os.environ, LD_LIBRARY_PATH=libraries))
        self.assertRegex(linked, rf"libslot\.so\.0 => {re.escape(libraries)}/libslot\.so\.0")


# Numbers that nobody has, so that a group slotd and its members need not be made here.
SLOTD_ID, MEMBER_ID, OTHER_ID = 64100, 64101, 64102


@unittest.skipUnless(os.getuid() == 0, "only root can be slotd, a member of its group, and somebody else")
class Access(unittest.TestCase):
    """What is installed, run by an unprivileged slotd for unprivileged users."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="slotd-access-")
        self.addCleanup(directory.cleanup)
        self.root = directory.name
        os.chmod(self.root, 0o755)
        make("install", f"DESTDIR={self.root}", "PREFIX=/usr")
        os.mkdir(os.path.join(self.root, "run"))
        os.chown(os.path.join(self.root, "run"), SLOTD_ID, SLOTD_ID)
        self.socket = os.path.join(self.root, "run/slotd.sock")
        self.slotd = subprocess.Popen(
            [os.path.join(self.root, "usr/sbin/slotd"), "--config",
             os.path.join(self.root, "etc/slotd/slotd.conf"), "--socket", self.socket],
            user=SLOTD_ID, group=SLOTD_ID, extra_groups=[], stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        self.log = Log(self.slotd.stderr)
        self.addCleanup(self.end)
        self.log.wait_for(" listens on ")

    def end(self):
        self.slotd.terminate()
        self.assertEqual(wait_end(self.slotd, "slotd"), 0)
        self.log.join()

    def slotctl(self, *words, uid, groups):
        done = subprocess.run(
            [os.path.join(self.root, "usr/bin/slotctl"), "--socket", self.socket, *words], user=uid,
            group=uid, extra_groups=groups, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
        return done.returncode, done.stdout, done.stderr

    def test_members_of_the_group_and_nobody_else(self):
        run_it = ("run", "build", "--limit", "2", "--", "sh", "-c", "echo $SLOT_NUMBER")
        self.assertEqual(self.slotctl(*run_it, uid=MEMBER_ID, groups=[SLOTD_ID]), (0, "1\n", ""))
        status, output, error = self.slotctl(*run_it, uid=OTHER_ID, groups=[])
        self.assertEqual((status, output), (77, ""))
        self.assertIn("join group slotd", error)


class Dist(unittest.TestCase):
    """make dist, where there is a repository: the same bytes each time, and all that is needed."""

    def setUp(self):
        if subprocess.run(["git", "ls-files", "--error-unmatch", "Makefile"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("make dist packs what is committed, and this is no repository")
        directory = tempfile.TemporaryDirectory(prefix="slotd-dist-")
        self.addCleanup(directory.cleanup)
        self.dir = directory.name

    def dist(self):
        tarball = make("-s", "dist").strip()
        with open(tarball, "rb") as file:
            return tarball, hashlib.sha256(file.read()).hexdigest()

    def test_it_is_reproducible_and_builds(self):
        tarball, first = self.dist()
        self.assertEqual(self.dist()[1], first)
        run("tar", "-xf", tarball, "-C", self.dir)
        name, = os.listdir(self.dir)
        self.assertEqual(name + ".tar.gz", os.path.basename(tarball))
        output = make("-j2", "-C", os.path.join(self.dir, name), "all", "check-unit")
        self.assertRegex(output, r"\ncheck: \d+ passed, 0 failed\n")


if __name__ == "__main__":
    unittest.main()
