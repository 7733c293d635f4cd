"""The source as such: it compiles without a warning, make is done when it is done, pages and scripts
are clean."""
import glob
import os
import re
import subprocess
import unittest

# What a make that runs this test hands down: its flags and variant are not for the makes in here.
OF_MAKE = ("MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS", "SAN", "CC", "CFLAGS")


def run(*command):
    env = {k: v for k, v in os.environ.items() if k not in OF_MAKE}
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env)
    return done.returncode, done.stdout


class Build(unittest.TestCase):
    def clean(self, *command):
        status, output = run(*command)
        self.assertEqual(status, 0, output)
        return output

    def test_no_warnings(self):
        for compiler in ("gcc", "clang"):
            with self.subTest(compiler=compiler):
                self.clean("make", f"CC={compiler}", "CFLAGS=-O2 -g -Werror",
                           f"B=build/werror-{compiler}", f"O=build/werror-{compiler}/obj", "all",
                           f"build/werror-{compiler}/unit_core", f"build/werror-{compiler}/unit_daemon")

    def test_make_twice_does_nothing(self):
        self.clean("make")
        self.assertEqual(self.clean("make"), "make: Nothing to be done for 'all'.\n")

    def test_manual_pages(self):
        pages = glob.glob("*/*.[1-8]") + glob.glob("client/*/*.[1-8]")
        self.assertGreaterEqual(len(pages), 5)
        self.assertEqual(self.clean("mandoc", "-T", "lint", "-W", "warning", *pages), "")

    def test_configurations(self):
        for path in sorted(glob.glob("conf/*.conf")):
            with self.subTest(path):
                self.assertEqual(self.clean(os.environ.get("SLOTD", "build/slotd"), "--check-config",
                                            "--config", path), "")

    def test_build_dependencies(self):
        with open("tests/deps.sh", encoding="utf-8") as file:
            needed = re.findall(r"^need_module \S+ (\S+)$", file.read(), re.M)
        self.assertGreaterEqual(len(needed), 4)
        with open("conf/debian/control", encoding="utf-8") as file:
            named = file.read().partition("\n\n")[0].replace(",", " ").split()
        self.assertEqual([package for package in needed if package not in named], [])

    def test_scripts(self):
        for script in "tests/deps.sh", "tests/debian13.sh", *glob.glob("tests/debian/*.sh"):
            self.clean("sh", "-n", script)
        for script in (".ci/run", "client/slotctl/slotctl.bash", "tests/demo.sh"):
            self.clean("bash", "-n", script)


if __name__ == "__main__":
    unittest.main()
