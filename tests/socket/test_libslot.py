"""libslot: its C programs against a real daemon, its header for C99 and C++17, its symbols, its
manual page and the example there."""
import os
import re
import shlex
import signal
import subprocess
import tempfile
import textwrap
import unittest

from program import BUILD, LIBSLOT, Program
from slotd import TIMEOUT, WRAP, Daemon

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.path.join(BUILD, "libslot.so.0")
CC = shlex.split(os.environ.get("TEST_CC", "cc"))
HEADER = os.path.join(TOP, "client", "slot.h")
PAGE = os.path.join(TOP, "client", "libslot", "libslot.3")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Blocking(unittest.TestCase):
    CONFIG = "[daemon]\nunknown_groups = refuse\n" + "".join(
        f"[group {name}]\n" for name in ("g", "hung", "restart", "nolimit")
    ) + "[group config]\nlimit = 1\n"

    def test_steps(self):
        with Daemon(self.CONFIG) as slotd, Program(slotd, "lib_blocking") as program:
            for slot in 1, 2, 3:
                self.assertRegex(program.line(), rf"^slot={slot} token=\d+ pid=\d+ uid=\d+ "
                                 r"label=blocking%20test age=\d+ .*")
            program.expect("hold that ends?")
            with slotd.client() as other:       # is let in when it has ended
                other.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=forever")
            program.go()

            program.expect("stop slotd?")
            slotd.process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, slotd.process.pid, os.WSTOPPED)
            program.go()
            program.expect("continue slotd?")
            slotd.process.send_signal(signal.SIGCONT)
            program.go()

            program.expect("kill slotd?")
            slotd.kill(keep=True)
            program.go()
            program.expect("working")
            slotd.start()
            program.expect("done")
            program.end()


class Epoll(unittest.TestCase):
    def start(self, slotd, reconnect_ms="-1"):
        """-> who holds all 50 slots, and the program, with 1,000 acquires in the queue"""
        holder = slotd.client()
        holder.expect(r"OK 1,2,\S+,50 \d+", "ACQUIRE epoll limit=50 n=50")
        program = Program(slotd, "lib_epoll", "1000", "50", reconnect_ms)
        program.expect("1000 waiting")
        return holder, program

    def test_thousand_in_one_thread(self):
        with Daemon() as slotd:
            holder, program = self.start(slotd)
            with holder, program:
                self.assertEqual(len(holder.ask_list("WAITERS epoll")), 1000)
                holder.expect("OK holds=1 waits=0", "RELEASE *")
                program.expect("1000 granted, peak 50")
                program.end()
                holder.expect(r"OK group=epoll .* held=0 .* waiting=0 .*", "STATUS epoll")

    def test_slotd_dies(self):
        with Daemon() as slotd:
            holder, program = self.start(slotd, "0")
            with holder, program:
                slotd.kill(keep=True)
                program.expect("1000 failed: disconnected")
                program.end()
            slotd.start()

    def test_slotd_stops(self):
        with Daemon() as slotd:
            holder, program = self.start(slotd, "0")
            with holder, program:
                slotd.stop(keep=True)
                program.expect("1000 failed: shutdown")
                program.end()
            slotd.start()

    def test_slotd_is_replaced(self):
        """Killed or told to stop: all ask again, in their order."""
        for end in Daemon.kill, Daemon.stop:
            with self.subTest(end=end.__name__), Daemon() as slotd:
                holder, program = self.start(slotd)
                with holder, program:
                    end(slotd, keep=True)
                    slotd.start()
                    program.expect("1000 granted, peak 50")
                    program.end()


class Header(unittest.TestCase):
    WARNINGS = ["-pedantic-errors", "-Wall", "-Wextra", "-Wshadow", "-Wstrict-aliasing", "-Werror"]
    USE = """
        #include <slot.h>
        int main(void)
        {
            struct slot_connect_options connect = SLOT_CONNECT_OPTIONS_INIT;
            struct slot_acquire_options acquire = SLOT_ACQUIRE_OPTIONS_INIT;
            return acquire.n == 1 && connect.async == 0 && slot_strerror(SLOT_EFULL) ? 0 : 1;
        }\n"""

    def compile(self, *command, suffix):
        with tempfile.TemporaryDirectory() as directory:
            source = os.path.join(directory, "use" + suffix)
            with open(source, "w", encoding="utf-8") as file:
                file.write(textwrap.dedent(self.USE))
            subprocess.run([*command, *self.WARNINGS, "-I", os.path.dirname(HEADER), "-fsyntax-only",
                            source], check=True, timeout=TIMEOUT)

    def test_c99(self):
        for compiler in "gcc", "clang":
            self.compile(compiler, "-std=c99", "-Wc++-compat", suffix=".c")

    def test_cxx17(self):
        for compiler in "g++", "clang":
            self.compile(compiler, "-std=c++17", suffix=".cc")

    def test_limits_are_those_of_the_protocol(self):
        ours = re.search(r"#define SLOT_N_MAX (\d+)", read(HEADER))
        self.assertIn(f"#define WIRE_N_MAX     {ours[1]} ", read(os.path.join(TOP, "proto", "wire.h")))


class Objects(unittest.TestCase):
    def output(self, *command):
        return subprocess.run(command, check=True, timeout=TIMEOUT, text=True,
                              stdout=subprocess.PIPE).stdout

    def functions(self):
        return set(re.findall(r"^SLOT_API .*?\b(slot_\w+)\(", read(HEADER), re.M))

    def test_shared_object_exports_the_header(self):
        found = self.output("nm", "-D", "--defined-only", SHARED).split("\n")
        names = {line.split()[-1] for line in found if line}
        self.assertEqual(names, {f"{name}@@LIBSLOT_0" for name in self.functions()} | {"LIBSLOT_0"})

    def test_archive_defines_nothing_else(self):
        found = self.output("nm", "-g", "--defined-only", LIBSLOT).split("\n")
        self.assertEqual({line.split()[-1] for line in found if " T " in line}, self.functions())

    def test_shared_object_needs_libc_only(self):
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", self.output("readelf", "-d", SHARED))
        self.assertEqual([name for name in needed if not re.match(r"lib(asan|ubsan)\.", name)],
                         ["libc.so.6"])

    def test_no_globals(self):
        """Nothing but constants."""
        own = re.findall(r" O \.(?:data|bss)\s+\S+ +(?:\.hidden )?(.*)$",
                         self.output("objdump", "-t", LIBSLOT), re.M)
        self.assertEqual([name for name in own if "san" not in name], [])

    def test_never_prints_or_exits(self):
        undefined = self.output("nm", "-D", "--undefined-only", SHARED)
        self.assertFalse(re.search(r" U (exit|_exit|printf|puts|fwrite|stderr|signal|sigaction)@",
                                   undefined), undefined)


class Page(unittest.TestCase):
    def test_each_function_and_code_is_described(self):
        page = read(PAGE)
        header = read(HEADER)
        for name in re.findall(r"^SLOT_API .*?\b(slot_\w+)\(", header, re.M):
            self.assertRegex(page, rf"(?m)^\.Fn {name} ", name)
        codes = set(re.findall(r"^\t(SLOT_E\w+) +=", header, re.M))
        self.assertGreater(len(codes), 30)
        self.assertEqual(codes, set(re.findall(r"\bSLOT_E[A-Z]+\b", page)))
        for struct in "connect", "acquire":
            fields = re.search(rf"struct slot_{struct}_options {{(.*?)\n}};", header, re.S)[1]
            for field in re.findall(r"(\w+);", re.sub(r"/\*.*?\*/", "", fields, flags=re.S)):
                if field != "size":
                    self.assertRegex(page, rf"(?m)^\.It Fa .*\b{field}\b", field)

    def run_example(self, example):
        """-> what it prints"""
        with tempfile.TemporaryDirectory() as directory, Daemon() as slotd:
            source = os.path.join(directory, "example.c")
            program = os.path.join(directory, "example")
            with open(source, "w", encoding="utf-8") as file:
                file.write(example)
            subprocess.run([*CC, "-std=c99", "-pedantic-errors", "-Wall", "-Wextra", "-Werror",
                            "-I", os.path.dirname(HEADER), "-o", program, source, LIBSLOT],
                           check=True, timeout=TIMEOUT)
            run = subprocess.run([*WRAP, program], timeout=TIMEOUT, text=True, stdout=subprocess.PIPE,
                                 env={**os.environ, "SLOTD_SOCKET": slotd.socket})
            self.assertEqual(run.returncode, 0)
            return run.stdout

    def test_example_compiles_and_runs(self):
        example = re.search(r"^\.Sh EXAMPLES\n.*?^\.Bd -literal\n(.*?)^\.Ed", read(PAGE), re.M | re.S)[1]
        self.assertEqual(self.run_example(example.replace(r"\e", "\\")), "in slot 1\n")

    def test_example_of_readme(self):
        readme = read(os.path.join(TOP, "README.md"))
        example = re.search(r"^## C\n\n[^\n]*\n\n((?: {4}[^\n]*\n|\n)+)", readme, re.M)[1]
        self.assertEqual(self.run_example(textwrap.dedent(example)),
                         "".join(f"step {step} in slot 1\n" for step in range(10)))


if __name__ == "__main__":
    unittest.main()
