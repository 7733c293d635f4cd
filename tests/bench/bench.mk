# Benchmarks: they print, and assert nothing about time.
#
#   make bench          all that need nothing but slotd
#   make bench-fleet    a slot from one host to another, through Redis
#   make bench-script   time of the script in Redis: whether it grows with what is there

BENCHES := $(patsubst tests/bench/%.c,$(B)/bench_%,$(filter-out %/script.c,$(wildcard tests/bench/*.c)))

bench: $(B)/slotd $(BENCHES)
	$(Q)for bench in $(BENCHES); do $$bench $(B)/slotd || exit 1; done

$(BENCHES): $(B)/bench_%: $(O)/tests/bench/%.o
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^

.PHONY: bench-fleet bench-script
bench-fleet: $(B)/slotd
	$(Q)SLOTD=$(B)/slotd tests/bench/fleet.py

bench-script: $(B)/bench_script
	$(Q)$<

$(O)/tests/bench/script.o: | build/deps-check
$(B)/bench_script: $(call TEST_OBJ,tests/bench/script.c tests/diff/server.c) $(O)/daemon/redis/exchange.o \
		$(O)/daemon/redis/script.o $(CORE_OBJ)
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(shell pkg-config --libs hiredis)
