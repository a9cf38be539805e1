#!/usr/bin/env bash
# Everything: does the repository pass all its tests on all versions? The last line is "N passed, N failed".
set -euo pipefail
# shellcheck source=Tests/support/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=Tests/support/results.sh
. "$SUPPORT/results.sh"
# shellcheck source=Tests/support/version.sh
. "$SUPPORT/version.sh"
# shellcheck source=Tests/support/mutants.sh
. "$SUPPORT/mutants.sh"
# shellcheck source=Tests/support/swift.sh
. "$SUPPORT/swift.sh"

VERSIONS=(15 16 18)

SUMMARY=()
STARTED=()

test_everything_on() {
    if start_version "$1"; then
        STARTED+=("$SERVER_DATA")
        # Each has a cluster of its own, and all wait for much.
        begin_script faults
        begin_other_way "$1"
        test_drivers "$1"
        ended faults
        end_other_way
        test_scripts
    fi
}

# section NAME COMMAND...: runs the command, and notes what it added to the counts.
section() {
    local name=$1 passed_before=$PASSED failed_before=$FAILED
    shift
    "$@"
    SUMMARY+=("$name: $((PASSED - passed_before)) passed, $((FAILED - failed_before)) failed")
}

setup_packages
data_in_memory
section Lint succeeds lint "$SUPPORT/lint.sh"
section 'Static analysis' succeeds 'static analysis' "$SUPPORT/analyze.sh"
for version in "${VERSIONS[@]}"; do
    section "PostgreSQL $version" test_everything_on "$version"
done
# The installations are at hand by now.
section 'pg_upgrade' succeeds pg_upgrade env BULK_SYNC_INSTALLATIONS="$SCRATCH" timeout 1800 "$SUPPORT/upgrade.sh"
section Mutants test_mutants 15
section 'Swift client' test_swift "${STARTED[@]}"
printf '%s\n' "${SUMMARY[@]}"
finish
