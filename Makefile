# bulk_sync: the extension by PGXS; checks, benchmark and demo by the scripts in Tests. "make help" lists the targets.

EXTENSION = extension/bulk_sync
MODULE_big = bulk_sync

# A build directory elsewhere is allowed: make -f <source>/Makefile. VPATH is set here because the PGXS of a PostgreSQL
# that was itself built in its source directory does not set it.
source := $(patsubst %/,%,$(dir $(abspath $(firstword $(MAKEFILE_LIST)))))
ifneq ($(CURDIR),$(source))
VPATH := $(source)
endif
in_source = $(patsubst $(source)/%,%,$(sort $(wildcard $(source)/$(1))))
names = $(basename $(notdir $(call in_source,$(1))))

OBJS = $(patsubst %.c,%.o,$(call in_source,extension/*.c))
DATA = $(call in_source,sql/bulk_sync--*.sql)

# The library says which version it is; the control file alone knows.
control := $(source)/extension/bulk_sync.control
version := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(control))
PG_CPPFLAGS = -DBULK_SYNC_VERSION='"$(version)"'

# The -Wno-... are what PostgreSQL's own headers need under -Wextra. A packager may say: make WERROR=
WERROR = -Werror
PG_CFLAGS = -std=gnu11 -fvisibility=hidden -Wall -Wextra $(WERROR) \
	-Wno-unused-parameter -Wno-sign-compare

PG_CONFIG = pg_config
PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))

# The tests by pg_regress, in the order of Tests/regress/schedule where there is one; a test that it does not name runs
# after it. Those named contrib_* need contrib modules that not every server has: the schedule may not name them. LEFT_OUT
# are patterns of names that are not to run.
schedule := $(wildcard $(source)/Tests/regress/schedule)
scheduled := $(if $(schedule),$(shell sed -n 's/^test://p' $(schedule)))
sharedir := $(if $(PGXS),$(shell $(PG_CONFIG) --sharedir))
contrib := $(and $(wildcard $(sharedir)/extension/citext.control),$(wildcard $(sharedir)/extension/postgres_fdw.control))
unscheduled = $(filter-out $(scheduled) $(if $(contrib),,contrib_%),$(call names,Tests/regress/sql/*.sql))
REGRESS = $(addprefix --schedule=,$(schedule)) $(filter-out $(LEFT_OUT),$(unscheduled))
REGRESS_OPTS = --inputdir=$(source)/Tests/regress --outputdir=$(test_output)/regress
ISOLATION = $(filter-out $(LEFT_OUT),$(call names,Tests/isolation/specs/*.spec))
ISOLATION_OPTS = --inputdir=$(source)/Tests/isolation --outputdir=$(test_output)/isolation
REGRESS_PREP = $(test_output)
test_output = .build/output

EXTRA_CLEAN = .build

# The quick loop may name another server and settings: make check VERSION=18 SETTINGS='work_mem=64kB jit=off'
VERSION = 15
SETTINGS =
TESTS =

# PGXS is left out for the targets that install what they need first, and so start without it.
scripted = help check test test-citus test-mutants test-cassert test-sanitize test-valgrind analyze demo bench bench-client lint format
goals = $(or $(MAKECMDGOALS),all)

ifneq (,$(filter-out $(scripted),$(goals)))
ifneq (,$(filter $(scripted),$(goals)))
$(error "$(filter $(scripted),$(goals))" cannot share a call of make with other targets)
endif

ifneq (,$(PGXS))
include $(PGXS)

# PGXS hands on the warnings that the compiler of the server had; this one is an error to gcc before 14.
override CFLAGS := $(filter-out -Wmissing-variable-declarations,$(CFLAGS))

$(OBJS): $(wildcard $(source)/extension/*.h) $(control) | $(CURDIR)/extension

# The full name: VPATH would find the folder of the sources.
$(CURDIR)/extension $(test_output):
	mkdir -p $@

.PHONY: symbols
symbols: all
	$(source)/Tests/support/symbols.sh $(MODULE_big)$(DLSUFFIX)

else ifeq (clean,$(goals))
clean:
	rm -rf $(EXTRA_CLEAN)
else
$(error $(PG_CONFIG) --pgxs names no file: install the development files of the PostgreSQL server, or say PG_CONFIG=...)
endif

else

.PHONY: $(scripted)

help:
	@echo 'make               build the extension for the server of PG_CONFIG (default: pg_config)'
	@echo 'make install       install it there'
	@echo 'make installcheck  run its tests on the running, installed server (PGHOST, PGPORT)'
	@echo 'make symbols       check that the library exports its own names alone, and all that SQL declares'
	@echo 'make clean         remove what was built, downloaded servers included'
	@echo
	@echo 'These need no server: they install packages (as root), and start throw-away servers of their own.'
	@echo 'make demo          show what bulk_sync does'
	@echo 'make check         the quick loop: all tests of the extension on PostgreSQL 15 (VERSION=, SETTINGS=)'
	@echo 'make test          everything: PostgreSQL 15, 16 and 18, the Swift client, lint'
	@echo 'make test-mutants  do the tests notice deliberate bugs? (part of make test; VERSION=)'
	@echo 'make test-cassert  the tests on a PostgreSQL 15 built with assertions; test-sanitize: with the address and'
	@echo '                   undefined-behaviour sanitizers; test-valgrind: under valgrind (TESTS= names some of them)'
	@echo 'make test-citus    the tests of distributed tables on a cluster of three nodes, where PG_CONFIG= has Citus'
	@echo 'make analyze       static analysis by gcc (part of make test)'
	@echo 'make bench         measure bulk_sync beside the usual ways'
	@echo 'make bench-client  measure the Swift library and the command beside psql'
	@echo 'make lint          check the style of all sources'
	@echo 'make format        format the Swift sources'

check:
	@TESTS='$(TESTS)' $(source)/Tests/support/check.sh $(VERSION) $(SETTINGS)

test:
	@$(source)/Tests/support/test.sh

test-citus:
	@PG_CONFIG='$(PG_CONFIG)' $(source)/Tests/citus/run

test-mutants:
	@$(source)/Tests/support/test_mutants.sh $(VERSION)

test-cassert test-sanitize test-valgrind:
	@TESTS='$(TESTS)' $(source)/Tests/support/instrumented.sh $(@:test-%=%)

analyze:
	@$(source)/Tests/support/analyze.sh

demo:
	@$(source)/Tests/demo/run

bench:
	@$(source)/Tests/bench/run

bench-client:
	@$(source)/Tests/bench/client

lint:
	@$(source)/Tests/support/lint.sh

format:
	swift format --in-place --recursive --parallel $(source)/Package.swift $(source)/Sources $(source)/Tests

endif
