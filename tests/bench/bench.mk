# Benchmarks: they print, and assert nothing about time.
#
#   make bench      all of them

BENCHES := $(patsubst tests/bench/%.c,$(B)/bench_%,$(wildcard tests/bench/*.c))

bench: $(B)/slotd $(BENCHES)
	$(Q)for bench in $(BENCHES); do $$bench $(B)/slotd || exit 1; done

$(BENCHES): $(B)/bench_%: $(O)/tests/bench/%.o
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^
