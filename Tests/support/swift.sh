# shellcheck shell=bash
# Does the Swift client build without a warning and pass its tests? Sourced by test.sh, after results.sh.

# test_swift DATA_DIRECTORY...: the tests that need no server once, those that need one on each of these servers.
test_swift() {
    local failed_before=$FAILED data
    SWIFT_OPTIONS=(--package-path "$REPOSITORY" -Xswiftc -warnings-as-errors --cache-path "$SCRATCH/swift-cache"
        --config-path "$SCRATCH/swift-config" --security-path "$SCRATCH/swift-security")
    # Swift leaves temporary directories behind; here they go with the rest.
    local -x TMPDIR="$SCRATCH"
    say 'Swift: building'
    succeeds 'swift build' swift build "${SWIFT_OPTIONS[@]}" --build-tests
    [ "$FAILED" -eq "$failed_before" ] || return 0
    run_swift_tests without-server --skip IntegrationTests
    for data in "$@"; do
        use_server "$data"
        say "Swift: testing on the server of PostgreSQL $(psql -X -At -c 'show server_version')"
        run_swift_tests "$(basename "${data%/data}")" --filter IntegrationTests
    done
    start_tls_server
    run_swift_tests tls --filter TLSTests
    say 'Swift: documentation'
    succeeds 'Swift documentation' swift package --package-path "$REPOSITORY" --cache-path "$SCRATCH/swift-cache" \
        --config-path "$SCRATCH/swift-config" --security-path "$SCRATCH/swift-security" --disable-sandbox \
        generate-documentation --target BulkSync --warnings-as-errors
}

# A server that listens on TCP, has a certificate for "localhost", and asks for a password there.
start_tls_server() {
    local port certificate="$SCRATCH/server.crt" key="$SCRATCH/server.key"
    port=$((20000 + RANDOM % 10000))
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -keyout "$key" -out "$certificate" 2>"$SCRATCH/openssl.log" || { cat "$SCRATCH/openssl.log" >&2; die 'no certificate'; }
    chmod 600 "$key"
    if [ "$(id -u)" -eq 0 ]; then
        chown "$(as_server_user id -u)" "$key"
    fi
    start_server "${VERSIONS[0]}" "port=$port" listen_addresses=127.0.0.1 ssl=on "ssl_cert_file=$certificate" \
        "ssl_key_file=$key"
    export PGPORT=$port BULK_SYNC_TLS_PORT=$port BULK_SYNC_TLS_CERTIFICATE=$certificate BULK_SYNC_TLS_PASSWORD='pa ss%word'
    echo 'host all all 127.0.0.1/32 scram-sha-256' | as_server_user tee "$SERVER_DATA/pg_hba.tcp" >/dev/null
    echo 'local all all trust' | as_server_user tee -a "$SERVER_DATA/pg_hba.tcp" >/dev/null
    as_server_user mv "$SERVER_DATA/pg_hba.tcp" "$SERVER_DATA/pg_hba.conf"
    psql -X -q -c "alter role postgres password '$BULK_SYNC_TLS_PASSWORD'" -c 'select pg_reload_conf()' >/dev/null
}

# run_swift_tests NAME OPTION...
run_swift_tests() {
    local report="$SCRATCH/swift-$1" status=0
    shift
    swift test "${SWIFT_OPTIONS[@]}" --skip-build "$@" --xunit-output "$report.xml" >"$report.log" 2>&1 </dev/null ||
        status=$?
    count_swift "$report" "$status"
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
