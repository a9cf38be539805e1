#!/usr/bin/env bash
# Thousands of random syncs, comparisons and histories against a slow and obvious model of the contract; the same ones
# every time, in two processes. On three versions they are 20,000 and more.
set -euo pipefail

test="$(dirname "${BASH_SOURCE[0]}")/../differential.py"
python3 -B "$test" --seed release --cases 3350 &
status=0
python3 -B "$test" --seed release --first 3350 --cases 3350 || status=1
wait $! || status=1
exit "$status"
