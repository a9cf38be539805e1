# shellcheck shell=bash
# Does the extension pass its tests on one version of PostgreSQL? Sourced by check.sh and test.sh, after results.sh.

# test_version VERSION [setting=value...]: leaves the server running. TESTS, if set, names the regress tests to run. What the tests printed is then to be found in
# .build/output/VERSION: a results folder there is compared with, or becomes, the expected one.
test_version() {
    if start_version "$@"; then
        test_drivers "$1"
    fi
}

# start_version VERSION [setting=value...]: a build that fails is a test that failed.
start_version() {
    say "PostgreSQL $1: building, starting"
    start_server "$@" || { failed "build on PostgreSQL $1"; return 1; }
}

test_drivers() {
    local version=$1
    if [ -n "${TESTS:-}" ]; then
        regress "$version" regress ISOLATION= REGRESS="$TESTS"
    else
        regress "$version" regress ISOLATION=
        regress "$version" isolation REGRESS=
    fi
    succeeds 'exported symbols' "$SUPPORT/symbols.sh" "$BUILD_DIRECTORY/bulk_sync.so"
    succeeds 'no crash, no leak' log_is_clean
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

# test_scripts: each executable Tests/support/tests.d/*.sh is one test, in a new database of the running server; but for those
# that have had their turn by begin_script.
test_scripts() {
    local script name
    for script in "$SUPPORT"/tests.d/*.sh; do
        name="$(basename "$script" .sh)"
        if [ -x "$script" ] && [[ " $BEGUN " != *" $name "* ]]; then
            test_script succeeds "$name"
        fi
    done
    BEGUN=
}

# begin_script NAME: one of them, beside what follows, until: ended NAME
begin_script() {
    BEGUN+=" $1"
    test_script begin "$1"
}

BEGUN=

# test_script HOW NAME
test_script() {
    local database="script_${2//[^a-z0-9]/_}"
    psql -X -q -c "create database $database template template0" >&2
    "$1" "$2" env PGDATABASE="$database" timeout 1800 "$SUPPORT/tests.d/$2.sh"
}
