#!/usr/bin/env bash
# Does the library export only names of its own? Any other could meet a name of the server or of another extension. And is
# it without the deliberate bugs that the tests are tested with?
# Usage: symbols.sh LIBRARY
set -euo pipefail

exported="$(nm -D --defined-only "$1" | awk '{ print $NF }')"
foreign="$(grep -vE '^(bulk_sync|pg_finfo_bulk_sync|Pg_magic_func$|_PG_init$|_PG_fini$)' <<<"$exported" || true)"
if [ -n "$foreign" ]; then
    printf 'exported without the prefix bulk_sync:\n%s\n' "$foreign" >&2
    exit 1
fi
if ! grep -q '^pg_finfo_bulk_sync' <<<"$exported"; then
    echo 'no SQL-callable function is exported' >&2
    exit 1
fi
if grep -q 'bulk_sync\.mutant' "$1"; then
    echo 'the deliberate bugs of mutants.h are in this library' >&2
    exit 1
fi
