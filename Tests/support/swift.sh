# shellcheck shell=bash
# Does the Swift client build without a warning and pass its tests? Sourced by test.sh, after results.sh. The tests that
# need a server find it in the environment.

test_swift() {
    local report="$SCRATCH/swift" failed_before=$FAILED status=0
    local options=(--package-path "$REPOSITORY" -Xswiftc -warnings-as-errors --cache-path "$SCRATCH/swift-cache"
        --config-path "$SCRATCH/swift-config" --security-path "$SCRATCH/swift-security")
    # Swift leaves temporary directories behind; here they go with the rest.
    local -x TMPDIR="$SCRATCH"
    say 'Swift: building'
    succeeds 'swift build' swift build "${options[@]}" --build-tests
    if [ "$FAILED" -eq "$failed_before" ]; then
        swift test "${options[@]}" --xunit-output "$report.xml" >"$report.log" 2>&1 </dev/null || status=$?
        count_swift "$report" "$status"
    fi
}

# count_swift REPORT STATUS: one element <testcase> for each test, with one <failure> or <skipped> in it where it is due.
count_swift() {
    local report=$1 status=$2 ok not_ok
    read -r ok not_ok < <(cat "$report"*.xml 2>/dev/null | awk '
        /<testcase / { tests++; counted = 0 }
        /<failure/ && !counted { failures++; counted = 1 }
        /<skipped/ && !counted { skipped++; counted = 1 }
        END { print tests - failures - skipped, failures + 0 }')
    PASSED=$((PASSED + ok))
    FAILED=$((FAILED + not_ok))
    if [ "$status" -ne 0 ] || [ "$not_ok" -gt 0 ] || [ "$ok" -eq 0 ]; then
        grep -vE "^(◇|✔)" "$report.log" >&2
        [ "$not_ok" -gt 0 ] || failed 'swift test did not finish'
    fi
}
