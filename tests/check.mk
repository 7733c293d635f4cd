# The tests.  Each is a program, or a Python file, that tests/run.py runs and adds up; what it takes
# as one is said there.  A new tests/*/test_*.py or tests/fuzz/fuzz_*.c is found by its name.
#
#   make check              everything
#   make check-page         the page, in a browser; it is in make check too where there is a Chromium
#   make check-unit         the C programs only
#   make check-san          everything that runs slotd's code, under ASan and UBSan
#   make diff EXCHANGES=n   memory backend and Redis script, so many exchanges; SEED=n, or another each time
#   tests/debian/machine.sh DIR package|source      slotd under a systemd that runs, on a machine for it (root)
#   tests/debian13.sh DIR   any of these on Debian 13, with Redis 8 and Valkey 8.1 (root; makes a chroot)
#   make sim SEEDS=10000    the simulator, so many seeds; SEED=n tells the story of one
#   make chaos SECONDS=60   real daemons, Redis and clients under faults at random, and a judge; SEED=n,
#                           ONLY='daemon killed,way cut', ALONE=1: one daemon without Redis,
#                           CHAOS_JSON=FILE: the report for programs
#   make mutants            shows that the simulator finds each rule of the core that is switched off
#   make check-valgrind     everything under valgrind (slow; some of it: TESTS="tests/socket/test_close.py")
#   make fail               each allocation, system call and exchange fails once in turn; a sample of
#                           that is in make check
#   make fuzz               each fuzzer for FUZZ_SECONDS (clang)

FUZZ_SECONDS ?= 30
# not "possible" leaks: the stack of a thread that still runs looks like one
VALGRIND ?= valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite \
	--errors-for-leak-kinds=definite

CHECK_CFLAGS = $(shell pkg-config --cflags check)
CHECK_LIBS   = $(shell pkg-config --libs check)

TEST_OBJ    = $(patsubst %.c,$(O)/%.o,$(wildcard $(1)))
UNIT_CORE   := $(call TEST_OBJ,tests/unit/*.c tests/unit/core/*.c)
UNIT_DAEMON := $(call TEST_OBJ,tests/unit/*.c tests/unit/daemon/*.c)
UNIT_LIB    := $(call TEST_OBJ,tests/unit/*.c tests/unit/lib/*.c)
DIFF        := $(call TEST_OBJ,tests/diff/*.c)
SIM         := $(filter-out %/mutants.o,$(call TEST_OBJ,tests/sim/*.c))
SCENARIO    := $(call TEST_OBJ,tests/scenario/*.c)
FUZZERS     := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS     := $(FUZZERS:%=$(B)/%)

# the C programs of tests/socket/test_*.py
LIVE_PROGRAMS := $(patsubst tests/socket/%.c,$(B)/%,$(wildcard tests/socket/*.c))

UNIT_TESTS  := $(B)/unit_core $(B)/unit_daemon $(B)/unit_lib $(REPLAYS) $(B)/fail_exchange
# what a variant of the build has to say something new about: not the project itself (build, install,
# pages), not what the two backends say of each other, not that a rule is missed
MODEL_TESTS := $(B)/sim $(B)/scenario $(if $(VARIANT),,$(B)/mutants $(B)/diff)
LIVE_TESTS  := $(sort $(wildcard tests/socket/test_*.py tests/scenario/test_*.py) $(if $(VARIANT),,$(wildcard tests/project/test_*.py)))
TEST_ENV    = SIM=$(B)/sim SLOTD=$(B)/slotd SLOTCTL=$(B)/slotctl LIBSLOT=$(B)/libslot.a \
	TEST_CC="$(CC) $(if $(SAN),-fsanitize=$(SAN))" SLOTD_FAIL=$(B)/slotd_fail FAIL_CLIENT=$(B)/fail_client

# in a browser
PAGE_TESTS := $(sort $(wildcard tests/page/test_*.py))

# faults on real processes; of its own, as valgrind would be one fault more
CHAOS_TESTS := $(sort $(wildcard tests/chaos/test_*.py))
CHAOS_PROGRAMS := $(B)/chaos_job $(B)/chaos_libslot

# calls that are made to fail; likewise
FAIL_PROGRAMS := $(B)/slotd_fail $(B)/fail_client

.PHONY: check-san check-valgrind fuzz $(FUZZERS:%=fuzz-%)

check: $(PROGRAMS) $(LIVE_PROGRAMS) $(CHAOS_PROGRAMS) $(FAIL_PROGRAMS) $(UNIT_TESTS) $(MODEL_TESTS) | build/deps-check
	$(Q)$(TEST_ENV) FAIL_SAMPLE=16 tests/run.py $(UNIT_TESTS) $(MODEL_TESTS) tests/sim/test_sim.py \
		$(LIVE_TESTS) $(PAGE_TESTS) $(CHAOS_TESTS) tests/fail/test_fail.py

check-san:
	$(Q)$(MAKE) --no-print-directory check SAN=address,undefined

.PHONY: check-page
check-page: $(PROGRAMS)
	$(Q)sh tests/deps.sh page
	$(Q)$(TEST_ENV) tests/run.py $(PAGE_TESTS)

check-unit: $(UNIT_TESTS)
	$(Q)$(TEST_ENV) tests/run.py $(UNIT_TESTS)

check-valgrind: $(PROGRAMS) $(LIVE_PROGRAMS) $(UNIT_TESTS) | build/deps-check
	$(Q)$(TEST_ENV) SLOTD_WRAP="$(VALGRIND)" SLOTD_TEST_SLOW=10 CK_TIMEOUT_MULTIPLIER=20 \
		tests/run.py $(or $(TESTS),$(UNIT_TESTS) $(LIVE_TESTS))

build/deps-check: tests/deps.sh
	@mkdir -p $(@D)
	$(Q)sh tests/deps.sh check && touch $@

$(sort $(UNIT_CORE) $(UNIT_DAEMON) $(UNIT_LIB)): ALL_CPPFLAGS += $(CHECK_CFLAGS)
$(sort $(UNIT_CORE) $(UNIT_DAEMON) $(UNIT_LIB)): | build/deps-check

# the core's objects and nothing else: the linker guards the architecture
$(B)/unit_core: $(UNIT_CORE) $(CORE_OBJ)
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(CHECK_LIBS)

$(B)/unit_daemon: $(UNIT_DAEMON) $(filter-out $(O)/daemon/main.o,$(DAEMON_OBJ))
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(DEP_LIBS)

# through slot.h alone, but for the page that the made-up slotd writes; what the library calls can be
# made to fail
LIB_FAULTS := calloc realloc strdup mmap socket connect epoll_create1 timerfd_create send recvmsg
$(B)/unit_lib: $(UNIT_LIB) $(O)/proto/page.o $(B)/libslot.a
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(LIB_FAULTS:%=-Wl,--wrap=%) \
		-o $@ $^ $(CHECK_LIBS)

# with the shared library beside them
$(LIVE_PROGRAMS): $(B)/%: $(O)/tests/socket/%.o $(B)/libslot.so.$(SOVERSION)
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -Wl,-rpath,'$$ORIGIN' -o $@ $^

# the script as it is in slotd, in every Redis and Valkey that is installed
EXCHANGES ?= 1000000

.PHONY: diff
diff: $(B)/diff
	$(Q)EXCHANGES=$(EXCHANGES) SEED=$(or $(SEED),random) $<

$(DIFF): | build/deps-check
$(B)/diff: $(DIFF) $(TEXT_OBJ) $(CORE_OBJ)
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(shell pkg-config --libs hiredis)

$(CHAOS_PROGRAMS): $(B)/chaos_%: $(O)/tests/chaos/%.o $(O)/tests/chaos/record.o $(B)/libslot.a
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^

SECONDS ?= 60

.PHONY: chaos
chaos: $(PROGRAMS) $(CHAOS_PROGRAMS)
	$(Q)$(TEST_ENV) PYTHONPATH=tests/lib PYTHONDONTWRITEBYTECODE=1 python3 tests/chaos/chaos.py \
		--seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only '$(ONLY)') $(if $(ALONE),--alone)

# the same objects as in slotd
SEEDS ?= 1000
SEED ?=

.PHONY: sim
sim: $(B)/sim
	$(Q)$< $(if $(SEED),--seed $(SEED) --trace,--seeds $(SEEDS))

$(B)/sim: $(SIM) $(CORE_OBJ)
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^

# stories take the place of the simulator's plan, clients and faults
SIM_STAGE := $(foreach name,check daemon link live message page random server trace world,$(O)/tests/sim/$(name).o)

$(B)/scenario: $(SCENARIO) $(SIM_STAGE) $(O)/daemon/serve/answer.o $(O)/daemon/log.o $(CORE_OBJ)
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^

# the same again from objects whose rules can be switched off
MUTANTS := $(patsubst $(O)/%,$(O)/mutants/%,$(filter-out %/sim.o,$(SIM)) $(O)/tests/sim/mutants.o $(CORE_OBJ))

.PHONY: mutants
mutants: $(B)/mutants
	$(Q)$<

$(B)/mutants: $(MUTANTS)
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^

$(O)/mutants/%.o: %.c Makefile build/deps.mk
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC      $< (mutants)")
	$(Q)$(CC) $(ALL_CPPFLAGS) -DARB_MUTATIONS $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# slotd, and a program with libslot, whose calls can be made to fail: `make check` tries some of them
FAIL_CALLS := malloc calloc realloc strdup socket connect accept4 send sendmsg recv recvmsg read write
FAIL_WRAP   = $(foreach call,$(FAIL_CALLS) $(1),-Wl,--wrap=$(call))

.PHONY: fail
fail: $(FAIL_PROGRAMS) $(B)/fail_exchange | build/deps-check
	$(Q)$(B)/fail_exchange
	$(Q)$(TEST_ENV) PYTHONPATH=tests/lib PYTHONDONTWRITEBYTECODE=1 python3 tests/fail/test_fail.py

$(B)/slotd_fail: $(DAEMON_OBJ) $(O)/tests/fail/fail.o $(O)/tests/fail/fail_redis.o
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(call FAIL_WRAP,redisAsyncConnectUnix redisAsyncCommandArgv) \
		-o $@ $^ $(DEP_LIBS)

$(B)/fail_client: $(O)/tests/fail/client.o $(O)/tests/fail/fail.o $(B)/libslot.a
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(FAIL_WRAP) -o $@ $^

$(B)/fail_exchange: $(O)/tests/fail/exchange.o $(O)/tests/fuzz/fleet.o $(O)/tests/fuzz/fleet_client.o \
		$(O)/tests/sim/message.o $(CORE_OBJ)
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^

# A fuzzer is built twice: with a main that replays tests/fuzz/corpus/NAME, for `make check`, and
# with libFuzzer, from objects of their own.
FUZZ_SRC := $(filter-out tests/fuzz/fuzz_% tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c)) tests/sim/message.c client/libslot/page.c \
	$(filter-out daemon/main.c,$(DAEMON_SRC))
FUZZ_OBJ := $(FUZZ_SRC:%.c=build/fuzz/obj/%.o) $(SCRIPT_OBJ:$(O)/%=build/fuzz/obj/%)
FUZZ_FLAGS = -std=c11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all

$(REPLAYS): $(B)/%: $(O)/tests/fuzz/%.o $(O)/tests/fuzz/replay.o $(FUZZ_SRC:%.c=$(O)/%.o) $(SCRIPT_OBJ)
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(DEP_LIBS)

fuzz: $(FUZZERS:%=fuzz-%)

$(FUZZERS:%=fuzz-%): fuzz-%: build/fuzz/%
	$(Q)mkdir -p build/fuzz/corpus/$*
	$(Q)$< -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
		$(patsubst %,-dict=%,$(wildcard tests/fuzz/$*.dict)) build/fuzz/corpus/$* \
		tests/fuzz/corpus/$(*:fuzz_%=%)

build/fuzz/obj/%.o: %.c build/deps.mk | build/deps-check
	@mkdir -p $(@D)
	$(if $(Q),@echo "  FUZZ    $<")
	$(Q)clang $(ALL_CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(SCRIPT_OBJ:$(O)/%=build/fuzz/obj/%): build/fuzz/obj/%.o: $(O)/%.c
	@mkdir -p $(@D)
	$(Q)clang $(ALL_CPPFLAGS) $(FUZZ_FLAGS) -c -o $@ $<

.SECONDARY: $(FUZZ_OBJ) $(FUZZERS:%=build/fuzz/obj/tests/fuzz/%.o)
build/fuzz/%: build/fuzz/obj/tests/fuzz/%.o $(FUZZ_OBJ)
	$(if $(Q),@echo "  LINK    $@")
	$(Q)clang $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(DEP_LIBS)
