# slotd: GNU Make, no configure.
#
#   make            build/slotd build/slotctl build/libslot.a build/libslot.so.0
#   make demo       the main job, live, with real processes, in some seconds
#   make run        a daemon in the foreground, with things to try
#   make check      every test; ends with one line of totals
#   make sim        many daemons under made-up clocks and faults: SEEDS=10000, or SEED=7 for its story
#   make mutants    that this finds each rule of the core that is switched off
#   make bench      how fast it is
#   make install    DESTDIR=, PREFIX= and the GNU directory names; also uninstall
#   make dist       build/slotd-VERSION.tar.gz of what is committed
#   make deb        Debian packages of that, in build/deb, found good by lintian
#   make clean
#
# SAN=address,undefined or CC=clang build apart, under build/.  V=1 shows commands.

.DEFAULT_GOAL := all

VERSION := 0.1.0
SOVERSION := 0

CC ?= cc
CFLAGS ?= -O2 -g
INSTALL ?= install
OBJCOPY ?= objcopy
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
MAKEFLAGS += --no-builtin-rules

PREFIX ?= /usr/local
EXEC_PREFIX ?= $(PREFIX)
bindir ?= $(EXEC_PREFIX)/bin
sbindir ?= $(EXEC_PREFIX)/sbin
libdir ?= $(EXEC_PREFIX)/lib
includedir ?= $(PREFIX)/include
datarootdir ?= $(PREFIX)/share
datadir ?= $(datarootdir)
mandir ?= $(datarootdir)/man
docdir ?= $(datarootdir)/doc/slotd
sysconfdir ?= $(if $(filter /usr /usr/local,$(PREFIX)),/etc,$(PREFIX)/etc)
pkgconfigdir ?= $(libdir)/pkgconfig
bashcompdir ?= $(datadir)/bash-completion/completions
systemdsystemunitdir ?= $(PREFIX)/lib/systemd/system
sysusersdir ?= $(PREFIX)/lib/sysusers.d
tmpfilesdir ?= $(PREFIX)/lib/tmpfiles.d
# where the system's python3 looks for what belongs below PREFIX; for PYTHONPATH where it does not
PYTHON ?= $(or $(wildcard /usr/bin/python3),python3)
pythondir ?= $(or $(shell $(PYTHON) -c 'import site; print(next(d for d in site.getsitepackages() \
	if d.startswith("$(PREFIX)/lib/")))' 2>/dev/null),$(datadir)/slotd/python)

# ---------------------------------------------------------------- variants

comma := ,
VARIANT := $(strip $(if $(SAN),san-$(subst $(comma),-,$(SAN))) $(if $(findstring clang,$(CC)),clang))
B := build$(if $(VARIANT),/$(subst $() ,-,$(VARIANT)))
O := $(if $(VARIANT),$(B)/obj,build/obj)

# Packages: one script knows what is needed; it writes what pkg-config says, or installs, or says
# what to install.  Goals that build nothing do without.
NO_DEPS := clean help dist deb uninstall
ifneq ($(filter-out $(NO_DEPS),$(or $(MAKECMDGOALS),all)),)
include build/deps.mk
endif
build/deps.mk: tests/deps.sh
	$(Q)mkdir -p build
	$(Q)sh tests/deps.sh build >$@.new && mv $@.new $@

ALL_CPPFLAGS = -I. -D_GNU_SOURCE -DSLOTD_VERSION='"$(VERSION)"' $(DEP_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS = -std=c11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wpointer-arith -Wwrite-strings -pthread -fno-common -fstack-protector-strong \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer) $(CFLAGS)
ALL_LDFLAGS = $(if $(SAN),-fsanitize=$(SAN)) -Wl,-z,relro,-z,now $(LDFLAGS)

# ---------------------------------------------------------------- what is built

PROTO_SRC   := $(sort $(wildcard proto/*.c))
CORE_SRC    := $(sort $(wildcard daemon/core/*.c daemon/core/memory/*.c)) $(PROTO_SRC)
SERVE_SRC   := $(sort $(wildcard daemon/serve/*.c))
METRICS_SRC := $(sort $(wildcard daemon/metrics/*.c))
HTTP_SRC    := $(sort $(wildcard daemon/http/*.c))
REDIS_SRC   := $(sort $(wildcard daemon/redis/*.c))
DAEMON_SRC  := $(sort $(wildcard daemon/*.c)) $(SERVE_SRC) $(METRICS_SRC) $(HTTP_SRC) $(REDIS_SRC) $(CORE_SRC)
LIB_SRC     := $(sort $(wildcard client/libslot/*.c)) $(PROTO_SRC)
CTL_SRC     := $(sort $(wildcard client/slotctl/*.c client/slotctl/top/*.c))

CORE_OBJ    := $(CORE_SRC:%.c=$(O)/%.o)
SCRIPT_OBJ  := $(O)/daemon/redis/script.o $(O)/daemon/redis/survey_script.o \
	$(O)/daemon/redis/live_script.o $(O)/daemon/http/assets.o
# what Redis is asked and says, as texts: without I/O
TEXT_OBJ    := $(foreach name,command exchange live scan talk,$(O)/daemon/redis/$(name).o) $(SCRIPT_OBJ)
REDIS_OBJ   := $(REDIS_SRC:%.c=$(O)/%.o) $(SCRIPT_OBJ)
DAEMON_OBJ  := $(DAEMON_SRC:%.c=$(O)/%.o) $(SCRIPT_OBJ)
LIB_OBJ     := $(LIB_SRC:%.c=$(O)/%.pic.o)
CTL_OBJ     := $(CTL_SRC:%.c=$(O)/%.o)

PROGRAMS    := $(B)/slotd $(B)/slotctl $(B)/libslot.a $(B)/libslot.so.$(SOVERSION)

.PHONY: all demo run check check-unit clean help install uninstall dist deb bench
.DELETE_ON_ERROR:
all: $(PROGRAMS)

$(O)/%.o: %.c Makefile build/deps.mk
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC      $<")
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/%.pic.o: %.c Makefile build/deps.mk
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC      $< (pic)")
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -fPIC -fvisibility=hidden -MMD -MP -c -o $@ $<

# the Redis scripts as C: one string each, a line of it on each line
lua_to_c = $(Q){ echo '\#include "daemon/redis/$(1).h"'; echo 'const char $(1)_script[] ='; \
	cat $(filter %.lua,$^) | sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/'; echo ';'; } >$@.new && \
	mv $@.new $@

$(O)/daemon/redis/script.c: $(sort $(wildcard daemon/redis/script/*.lua)) Makefile
	@mkdir -p $(@D)
	$(call lua_to_c,exchange)

$(O)/daemon/redis/survey_script.c: daemon/redis/survey.lua Makefile
	@mkdir -p $(@D)
	$(call lua_to_c,survey)

$(O)/daemon/redis/live_script.c: daemon/redis/live.lua Makefile
	@mkdir -p $(@D)
	$(call lua_to_c,live)

# the parts of the page, likewise: page.css becomes asset_page_css[]
$(O)/daemon/http/assets.c: $(addprefix daemon/http/,page.html row.html page.css page.js) Makefile
	@mkdir -p $(@D)
	$(Q){ echo '#include "daemon/http/assets.h"'; for file in $(filter daemon/%,$^); do \
		echo "const char asset_$$(basename $$file | tr . _)[] ="; \
		sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' $$file; echo ';'; done; } >$@.new
	$(Q)mv $@.new $@

$(SCRIPT_OBJ): %.o: %.c
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(B)/slotd: $(DAEMON_OBJ)
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(DEP_LIBS)

$(CTL_OBJ): ALL_CPPFLAGS += $(CTL_CFLAGS)
$(B)/slotctl: $(CTL_OBJ) $(B)/libslot.a
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(CTL_LIBS)

# one object whose hidden symbols are local: the archive clashes with no name of a program
$(B)/libslot.a: $(LIB_OBJ)
	$(if $(Q),@echo "  AR      $@")
	$(Q)$(LD) -r -o $(O)/libslot.o $^ && $(OBJCOPY) --localize-hidden $(O)/libslot.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(O)/libslot.o

$(B)/libslot.so.$(SOVERSION): $(LIB_OBJ) client/libslot/libslot.map
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -shared -Wl,-soname,libslot.so.$(SOVERSION) \
		-Wl,--version-script,client/libslot/libslot.map -o $@ $(LIB_OBJ)

include tests/check.mk
include tests/bench/bench.mk

# ---------------------------------------------------------------- to see it work

demo: $(B)/slotd $(B)/slotctl
	@SLOTD=$(B)/slotd SLOTCTL=$(B)/slotctl bash tests/demo.sh

# The path is short, and below build/, which is this user's: not in a directory that others share.
run: $(B)/slotd $(B)/slotctl
	@mkdir -p build/run
	@printf '%s\n' 'slotd runs here until you press ^C.  In another terminal, in this directory, try:' '' \
		'  export SLOTD_SOCKET=build/run/slotd.sock' \
		'  $(B)/slotctl run build --limit 2 -- sh -c '"'"'echo I have slot $$SLOT_NUMBER; sleep 10'"'"'' \
		'  $(B)/slotctl list' \
		'  $(B)/slotctl holders build' \
		'  nc -U build/run/slotd.sock      and type: ACQUIRE build limit=2, STATUS build, HELP' ''
	@exec $(B)/slotd --config /dev/null --socket build/run/slotd.sock

# ---------------------------------------------------------------- install

# source>destination; programs and the rest apart, for their permissions
INSTALLED_PROGRAMS = \
	$(B)/slotd>$(sbindir)/slotd \
	$(B)/slotctl>$(bindir)/slotctl
INSTALLED_FILES = \
	$(B)/libslot.a>$(libdir)/libslot.a \
	$(B)/libslot.so.$(SOVERSION)>$(libdir)/libslot.so.$(SOVERSION) \
	client/slot.h>$(includedir)/slot.h \
	client/slotctl/slotctl.bash>$(bashcompdir)/slotctl \
	client/python/slotd.py>$(pythondir)/slotd.py \
	systemd/slotd.socket>$(systemdsystemunitdir)/slotd.socket \
	systemd/slotd.sysusers>$(sysusersdir)/slotd.conf \
	systemd/slotd.tmpfiles>$(tmpfilesdir)/slotd.conf \
	$(foreach page,$(PAGES),$(page)>$(mandir)/man$(subst .,,$(suffix $(page)))/$(notdir $(page))) \
	$(foreach text,LICENSE README.md proto/PROTOCOL.txt conf/fleet.conf conf/alerts.yml conf/grafana-dashboard.json,$(text)>$(docdir)/$(notdir $(text)))
# with paths of this installation in them
INSTALLED_FILLED = \
	client/libslot/libslot.pc.in>$(pkgconfigdir)/libslot.pc \
	systemd/slotd.service>$(systemdsystemunitdir)/slotd.service
FILL = sed \
	-e 's|@prefix@|$(PREFIX)|; s|@exec_prefix@|$(EXEC_PREFIX)|; s|@libdir@|$(libdir)|' \
	-e 's|@includedir@|$(includedir)|; s|@VERSION@|$(VERSION)|' \
	-e '/^ExecStart=/s|=.*|=$(sbindir)/slotd$(if $(filter-out /etc,$(sysconfdir)), --config $(CONF))|' \
	-e '/^ExecReload=/s|=[^ ]*|=$(bindir)/slotctl|'
CONF = $(sysconfdir)/slotd/slotd.conf
PAGES = $(sort $(wildcard client/*/*.[1-8] daemon/*.[1-8] proto/*.[1-8]))

install: all
	@for file in $(foreach pair,$(INSTALLED_PROGRAMS),'$(pair)'); do \
		$(INSTALL) -D -m 755 "$${file%%>*}" "$(DESTDIR)$${file#*>}" || exit; done
	@for file in $(foreach pair,$(INSTALLED_FILES),'$(pair)'); do \
		$(INSTALL) -D -m 644 "$${file%%>*}" "$(DESTDIR)$${file#*>}" || exit; done
	@for file in $(foreach pair,$(INSTALLED_FILLED),'$(pair)'); do \
		$(INSTALL) -D -m 644 "$${file%%>*}" "$(DESTDIR)$${file#*>}" && \
		$(FILL) "$${file%%>*}" >"$(DESTDIR)$${file#*>}" || exit; done
	@ln -sf libslot.so.$(SOVERSION) $(DESTDIR)$(libdir)/libslot.so
	@if test -e $(DESTDIR)$(CONF); then echo "$(CONF) is kept as it is"; \
		else $(INSTALL) -D -m 644 conf/slotd.conf $(DESTDIR)$(CONF); fi
	@$(if $(DESTDIR),true,printf '%s\n' 'Installed.  To have systemd start it, as root:' \
		'  systemd-sysusers && systemd-tmpfiles --create slotd.conf && ldconfig' \
		'  systemctl daemon-reload && systemctl enable --now slotd.socket')

# The configuration stays if somebody has changed it.
uninstall:
	@for file in $(foreach pair,$(INSTALLED_PROGRAMS) $(INSTALLED_FILES) $(INSTALLED_FILLED),'$(pair)'); do \
		rm -f "$(DESTDIR)$${file#*>}" || exit; done
	@rm -f $(DESTDIR)$(libdir)/libslot.so
	@if cmp -s conf/slotd.conf $(DESTDIR)$(CONF); then rm -f $(DESTDIR)$(CONF); \
		elif test -e $(DESTDIR)$(CONF); then echo "$(CONF) was changed, and stays"; fi
	@rmdir $(DESTDIR)$(docdir) $(DESTDIR)$(sysconfdir)/slotd 2>/dev/null || true

dist:
	@mkdir -p build
	@git archive --prefix=slotd-$(VERSION)/ -o build/slotd-$(VERSION).tar.gz HEAD
	@echo build/slotd-$(VERSION).tar.gz

deb:
	@sh tests/debian/package.sh

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile
	@echo; sed -n '/^#   /s/^# \{0,1\}//p' tests/check.mk tests/bench/bench.mk

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
