#!/usr/bin/env bash
# The quick loop: does the extension pass its tests on one version? Usage: check.sh [VERSION [setting=value...]]
set -euo pipefail
# shellcheck source=Tests/support/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=Tests/support/results.sh
. "$SUPPORT/results.sh"
# shellcheck source=Tests/support/version.sh
. "$SUPPORT/version.sh"

setup_packages
data_in_memory
SERVER_DATA=
test_version "${@:-15}"
if [ -n "$SERVER_DATA" ]; then
    succeeds 'differential test' python3 -B "$SUPPORT/differential.py" --seed check --cases 300
fi
finish
