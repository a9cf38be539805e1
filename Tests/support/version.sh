# shellcheck shell=bash
# Does the extension pass its tests on one version of PostgreSQL? Sourced by check.sh and test.sh, after results.sh.

# test_version VERSION [setting=value...]: leaves the server running. TESTS, if set, names the regress tests to run. What the tests printed is then to be found in
# .build/output/VERSION: a results folder there is compared with, or becomes, the expected one.
test_version() {
    local version=$1
    say "PostgreSQL $version: building, starting"
    if start_server "$@"; then
        if [ -n "${TESTS:-}" ]; then
            regress "$version" regress ISOLATION= REGRESS="$TESTS"
        else
            regress "$version" regress ISOLATION=
            regress "$version" isolation REGRESS=
        fi
        succeeds 'exported symbols' "$SUPPORT/symbols.sh" "$BUILD_DIRECTORY/bulk_sync.so"
        succeeds 'no crash, no leak' log_is_clean
    else
        failed "build on PostgreSQL $version"
    fi
}

# regress VERSION NAME VARIABLE...: one of the two drivers; the variables switch the other off.
regress() {
    local version=$1 name=$2 output="$SCRATCH/output-$1" status=0
    shift 2
    mkdir -p "$output"
    make -C "$BUILD_DIRECTORY" -f "$REPOSITORY/Makefile" --no-print-directory PG_CONFIG="$PG_CONFIG" with_llvm=no \
        test_output="$output" "$@" installcheck >"$output/$name.log" 2>&1 || status=$?
    count_regress "$name on PostgreSQL $version" "$output/$name.log" "$status"
    if [ -s "$output/$name/regression.diffs" ]; then
        cat "$output/$name/regression.diffs" >&2
    fi
    rm -rf "$REPOSITORY/.build/output/$version/$name"
    mkdir -p "$REPOSITORY/.build/output/$version"
    [ ! -d "$output/$name" ] || cp -r "$output/$name" "$REPOSITORY/.build/output/$version/"
}

# These never reach the expected output of a test.
log_is_clean() {
    ! grep -E 'PANIC:|TRAP:|was terminated by signal|WARNING: .*(leak:|was not closed)' "$SERVER_LOG"
}

# test_scripts: each executable Tests/support/tests.d/*.sh is one test, in a new database of the running server.
test_scripts() {
    local script name database
    for script in "$SUPPORT"/tests.d/*.sh; do
        [ -x "$script" ] || continue
        name="$(basename "$script" .sh)"
        database="script_${name//[^a-z0-9]/_}"
        psql -X -q -c "create database $database template template0" >&2
        succeeds "$name" env PGDATABASE="$database" timeout 1800 "$script"
    done
}
