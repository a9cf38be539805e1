#!/usr/bin/env bash
# Does the extension pass its tests on a server that watches it? Usage: instrumented.sh cassert|sanitize|valgrind
# The first time, PostgreSQL is built from source (some minutes). TESTS='name...' restricts the run to those regress tests.
set -euo pipefail
# shellcheck source=Tests/support/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=Tests/support/results.sh
. "$SUPPORT/results.sh"
# shellcheck source=Tests/support/version.sh
. "$SUPPORT/version.sh"
# shellcheck source=Tests/support/source.sh
. "$SUPPORT/source.sh"

kind=$1
cases=1000
settings=()
case $kind in
cassert) ;;
sanitize) export ASAN_OPTIONS="$SANITIZER_OPTIONS" UBSAN_OPTIONS=print_stacktrace=1 ;;
valgrind)
    PACKAGES+=(valgrind)
    cases=60
    # Everything takes some fifty times as long; what the driver waits for must not be given up. The loader of the JIT provider is
    # not ours to look at.
    settings=(deadlock_timeout=30s jit=off)
    export PGISOLATIONTIMEOUT=36000 PGCTLTIMEOUT=600
    ;;
*) die "no such kind of server: $kind" ;;
esac
PACKAGES+=("${SOURCE_PACKAGES[@]}")
setup_packages

# What the sanitizers and valgrind found: tests pass in spite of some of it.
nothing_found() {
    local found
    found="$(grep -E 'runtime error:|ERROR: AddressSanitizer|TRAP:' "$SERVER_LOG" || true)"
    if [ -d "$SCRATCH/valgrind" ]; then
        found+="$(cat "$SCRATCH"/valgrind/*.log)"
    fi
    [ -z "$found" ] || { echo "$found"; return 1; }
}

SERVER_DATA=
test_version "15-$kind" autovacuum=off "${settings[@]}"
if [ -n "$SERVER_DATA" ]; then
    succeeds 'differential test' python3 -B "$SUPPORT/differential.py" --seed "$kind" --cases "$cases"
    succeeds "nothing found by $kind" nothing_found
fi
finish
