# shellcheck shell=bash
# Do the tests notice deliberate bugs (extension/mutants.h)? Sourced by test.sh and test_mutants.sh, after version.sh.

# Those that the differential test cannot see, or sees after a minute, and the tests that must fail with them: what only another
# session brings to light, triggers, and what is not unique in the end.
MUTANTS_FOR_TESTS=(
    'rows_not_locked: ISOLATION=rows_changed_meanwhile'
    'changed_row_accepted: ISOLATION=rows_changed_meanwhile'
    'old_snapshot_accepted: ISOLATION=old_snapshot'
    'triggers_after_each_phase: REGRESS=statement_triggers'
    'moved_row_not_captured: REGRESS=matcher_and_applier'
    'row_not_followed: REGRESS=triggers_changing_rows'
    'entries_not_checked_again: REGRESS=trade_violations'
    'changed_key_unchecked: REGRESS=trade_violations'
    'before_update_skipped: REGRESS=row_triggers'
    'digest_of_key: REGRESS=equal_rows'
)

# test_mutants VERSION: each mutant is one test, which passes when the mutant fails its tests.
test_mutants() {
    # shellcheck disable=SC2034 # start_server looks at it
    local EXTENSION_FLAGS=-DBULK_SYNC_MUTANTS
    local version=$1 mutant entry before='' server=${SERVER_DATA:-} config=${PG_CONFIG:-} path=$PATH
    say "PostgreSQL $version: mutants"
    if start_server "$version" autovacuum=off; then
        succeeds 'no mutant' differential_test none 1000
        for mutant in $(every_mutant); do
            entry="$(printf '%s\n' "${MUTANTS_FOR_TESTS[@]}" | grep "^$mutant: " || true)"
            # Two at a time; but the drivers have one database for all.
            if [ -n "$entry" ]; then
                succeeds "mutant $mutant" fails_test "$mutant" "${entry#*: }"
                continue
            fi
            begin "mutant $mutant" fails_differential_test "$mutant"
            [ -z "$before" ] || ended "mutant $before"
            before=$mutant
        done
        [ -z "$before" ] || ended "mutant $before"
        stop_server
    else
        failed "build with mutants on PostgreSQL $version"
    fi
    if [ -n "$server" ]; then
        use_server "$server"
        export PG_CONFIG="$config" PATH="$path"
    fi
}

every_mutant() {
    psql -X -q -A -t -c "load 'bulk_sync'" \
        -c "select unnest(enumvals) from pg_settings where name = 'bulk_sync.mutant'" | grep -v '^none$'
}

# differential_test MUTANT CASES
differential_test() {
    PGOPTIONS="-c bulk_sync.mutant=$1" timeout 300 python3 -B "$SUPPORT/differential.py" \
        --seed mutants --cases "$2" --no-reduction --stop
}

# A mutant that is found is found by a case, not by a crash of the test.
fails_differential_test() {
    local output
    if output="$(differential_test "$1" 4000 2>&1)"; then
        echo "no case of the differential test notices $1"
        return 1
    fi
    echo "$output"
    grep -q '^-- case [0-9]* of seed' <<<"$output"
}

# fails_test MUTANT VARIABLE: of the test driver, with the name of the test
fails_test() {
    local mutant=$1 output="$SCRATCH/mutant-$1" status=0
    mkdir -p "$output"
    PGOPTIONS="-c bulk_sync.mutant=$mutant" make -C "$BUILD_DIRECTORY" -f "$REPOSITORY/Makefile" --no-print-directory \
        PG_CONFIG="$PG_CONFIG" with_llvm=no test_output="$output" REGRESS= ISOLATION= "$2" installcheck \
        >"$output/log" 2>&1 || status=$?
    cat "$output/log"
    if [ "$status" -eq 0 ]; then
        echo "$2 does not notice $mutant"
        return 1
    fi
    grep -qE '^not ok |\.\.\. (FAILED|failed)' "$output/log"
}
