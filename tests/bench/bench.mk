# Benchmarks: they print, and assert nothing about time.
#
#   make bench                       all of it, some minutes; BENCH_JSON=FILE writes the figures there too
#   make bench BENCH="pair handoff"  some sections: pair watched throughput handoff hostile order commands
#                                    memory growth script fleet
#   make bench-hostile               what clients that mean no good do to the others

BENCH ?=
BENCH_OBJ := $(call TEST_OBJ,tests/bench/*.c tests/diff/server.c)

bench: $(B)/bench $(B)/slotd
	$(Q)$(B)/bench $(B)/slotd $(BENCH)

.PHONY: bench-hostile
bench-hostile: BENCH = hostile
bench-hostile: bench

$(BENCH_OBJ): | build/deps-check
$(B)/bench: $(BENCH_OBJ) $(TEXT_OBJ) $(CORE_OBJ)
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(shell pkg-config --libs hiredis libevent_core)
