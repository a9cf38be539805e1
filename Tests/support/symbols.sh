#!/usr/bin/env bash
# Does the library export only names of its own, and every function that any version of the extension declares? Another name
# could meet one of the server or of another extension. After an upgrade of the files the declarations of the old version are
# in use until ALTER EXTENSION UPDATE, and its script is what CREATE EXTENSION VERSION runs. And is
# it without the deliberate bugs that the tests are tested with?
# Usage: symbols.sh LIBRARY
set -euo pipefail

scripts="$(cd "$(dirname "${BASH_SOURCE[0]}")/../../sql" && pwd)"
exported="$(nm -D --defined-only "$1" | awk '{ print $NF }')"

foreign="$(grep -vE '^(bulk_sync|pg_finfo_bulk_sync|Pg_magic_func$|_PG_init$|_PG_fini$)' <<<"$exported" || true)"
if [ -n "$foreign" ]; then
    printf 'exported without the prefix bulk_sync:\n%s\n' "$foreign" >&2
    exit 1
fi

# declared_in FILE...: the C functions that SQL scripts name, on the lines AS 'MODULE_PATHNAME', 'function'
declared_in() {
    sed -nE "s/^AS 'MODULE_PATHNAME', '([a-z_]+)'\$/\1/p" "$@" | sort -u
}

status=0
for script in "$scripts"/bulk_sync--*.sql; do
    # A form that the line above would pass over is a function that nobody has checked.
    if [ "$(grep -c MODULE_PATHNAME "$script")" -ne "$(grep -cE "^AS 'MODULE_PATHNAME', '[a-z_]+'\$" "$script")" ]; then
        echo "${script##*/} declares a C function otherwise than by a line AS 'MODULE_PATHNAME', 'function'" >&2
        status=1
    fi
    while IFS= read -r function; do
        if [ -n "$function" ] && ! grep -qx "pg_finfo_$function" <<<"$exported"; then
            echo "${script##*/} declares $function, which the library does not have" >&2
            status=1
        fi
    done < <(declared_in "$script")
done

undeclared="$(comm -13 <(declared_in "$scripts"/bulk_sync--*.sql) <(sed -n 's/^pg_finfo_//p' <<<"$exported" | sort))"
if [ -n "$undeclared" ]; then
    printf 'to be called from SQL, but declared by no script:\n%s\n' "$undeclared" >&2
    status=1
fi
if grep -q 'bulk_sync\.mutant' "$1"; then
    echo 'the deliberate bugs of mutants.h are in this library' >&2
    status=1
fi
exit "$status"
