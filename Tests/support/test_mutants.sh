#!/usr/bin/env bash
# Do the tests notice deliberate bugs in the extension? Usage: test_mutants.sh [VERSION]
set -euo pipefail
# shellcheck source=Tests/support/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=Tests/support/results.sh
. "$SUPPORT/results.sh"
# shellcheck source=Tests/support/mutants.sh
. "$SUPPORT/mutants.sh"

setup_packages
data_in_memory
test_mutants "${1:-15}"
finish
