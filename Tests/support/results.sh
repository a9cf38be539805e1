# shellcheck shell=bash
# How many tests passed and how many failed? Sourced by check.sh and test.sh.

PASSED=0
FAILED=0

passed() {
    PASSED=$((PASSED + 1))
}

# failed NAME
failed() {
    FAILED=$((FAILED + 1))
    say "FAILED: $1"
}

# succeeds NAME COMMAND...: the command is one test; what it says is shown when it fails.
succeeds() {
    local name=$1 output
    shift
    if output="$("$@" 2>&1 </dev/null)"; then
        passed
    else
        say "$output"
        failed "$name"
    fi
}

# begin NAME COMMAND...: the same for a command that runs beside the tests that follow; it must not need what they change. What
# came of it is counted by: ended NAME. The name is that of a file, too.
begin() {
    local name=$1
    shift
    scratch_directory
    "$@" >"$SCRATCH/beside-$name" 2>&1 </dev/null &
    BESIDE[$name]=$!
}

declare -A BESIDE=()

# A name that was never begun is a test that failed.
ended() {
    local name=$1 process=${BESIDE[$1]:-}
    if [ -n "$process" ] && wait "$process"; then
        passed
    else
        cat "$SCRATCH/beside-$name" >&2
        failed "$name"
    fi
    unset "BESIDE[$name]"
}

# Where a run breaks off, so does what runs beside it; scripts of ours clean up.
end_all() {
    local process
    for process in "${BESIDE[@]}"; do
        kill "$process" 2>/dev/null
        wait "$process"
    done
}

at_exit end_all

# count_regress NAME OUTPUT STATUS: adds up what pg_regress or pg_isolation_regress printed. 15 says "test x ... ok" (no
# "test" in a parallel group), 16 and later "ok 1 - x". A run that broke off before it reached a test failed as well.
count_regress() {
    local name=$1 output=$2 status=$3 ok not_ok
    ok="$(grep -cE '^ok [0-9]+ | \.\.\. ok( |$)' "$output" || true)"
    not_ok="$(grep -cE '^not ok [0-9]+ | \.\.\. (FAILED|failed)' "$output" || true)"
    PASSED=$((PASSED + ok))
    FAILED=$((FAILED + not_ok))
    if [ "$status" -ne 0 ] && [ "$not_ok" -eq 0 ]; then
        cat "$output" >&2
        failed "$name did not finish"
    elif [ "$not_ok" -gt 0 ]; then
        grep -E '^not ok [0-9]+ | \.\.\. (FAILED|failed)' "$output" >&2
    fi
}

# finish: the last line of all, and the exit status. It is printed even if a script breaks off before.
finish() {
    FINISHED=1
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
}

broken_off() {
    if [ -z "${FINISHED:-}" ]; then
        failed 'the run broke off'
        finish
    fi
}

at_exit broken_off
