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
    LEFT_OUT="$(left_out "${@:2}")"
}

# left_out [setting=value...]: patterns of the tests that cannot pass with such settings of the server. By SQL, rows trade
# unique values only where each statement lets them (Tests/README.md, Weaker than the contract).
left_out() {
    local setting
    for setting in "$@"; do
        [ "$setting" != bulk_sync.applier=sql ] || echo 'trade_% contrib_trade'
    done
}

LEFT_OUT=

test_drivers() {
    local version=$1
    if [ -n "${TESTS:-}" ]; then
        regress "$version" regress ISOLATION= REGRESS="$TESTS"
    else
        regress "$version" regress ISOLATION= LEFT_OUT="$LEFT_OUT"
        regress "$version" isolation REGRESS= LEFT_OUT="$LEFT_OUT"
    fi
    succeeds 'exported symbols' "$SUPPORT/symbols.sh" "$BUILD_DIRECTORY/bulk_sync.so"
    succeeds 'no crash, no leak' log_is_clean
}

# regress VERSION NAME VARIABLE...: one of the two drivers; the variables switch the other off.
regress() {
    run_driver "$@"
    count_driver "$1" "$2"
}

# run_driver VERSION NAME VARIABLE...: the version is that of the output
run_driver() {
    local output="$SCRATCH/output-$1" name=$2 status=0
    shift 2
    mkdir -p "$output"
    make -C "$BUILD_DIRECTORY" -f "$REPOSITORY/Makefile" --no-print-directory PG_CONFIG="$PG_CONFIG" with_llvm=no \
        test_output="$output" "$@" installcheck >"$output/$name.log" 2>&1 || status=$?
    echo "$status" >"$output/$name.status"
}

# count_driver VERSION NAME: what a driver that has ended found
count_driver() {
    local version=$1 name=$2 output="$SCRATCH/output-$1" status
    status="$(cat "$output/$name.status" || echo 1)"
    count_regress "$name on PostgreSQL $version" "$output/$name.log" "$status"
    if [ -s "$output/$name/regression.diffs" ]; then
        cat "$output/$name/regression.diffs" >&2
    fi
    rm -rf "$REPOSITORY/.build/output/$version/$name"
    mkdir -p "$REPOSITORY/.build/output/$version"
    [ ! -d "$output/$name" ] || cp -r "$output/$name" "$REPOSITORY/.build/output/$version/"
}

# begin_other_way VERSION: the drivers on a second server of the version that runs, whose calls go another way than they would
# choose, beside the tests that follow, until: end_other_way
begin_other_way() {
    local server=$SERVER_DATA setting more=()
    case $1 in
    15) setting=bulk_sync.applier=sql more=(bulk_sync.matcher=filter) ;;
    16) setting=bulk_sync.matcher=join ;;
    *) setting=bulk_sync.matcher=sort ;;
    esac
    OTHER_WAY="$1-${setting#*=}"
    start_cluster "$setting" "${more[@]}"
    OTHER_SERVER=$SERVER_DATA
    begin "$OTHER_WAY" run_both_drivers "$OTHER_WAY" "$(left_out "$setting")"
    use_server "$server"
}

# run_both_drivers VERSION LEFT_OUT
run_both_drivers() {
    run_driver "$1" regress ISOLATION= LEFT_OUT="$2"
    run_driver "$1" isolation REGRESS= LEFT_OUT="$2"
    log_is_clean
}

end_other_way() {
    local server=$SERVER_DATA
    ended "$OTHER_WAY"
    count_driver "$OTHER_WAY" regress
    count_driver "$OTHER_WAY" isolation
    use_server "$OTHER_SERVER"
    stop_server
    use_server "$server"
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
