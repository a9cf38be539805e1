#!/usr/bin/env bash
# A few hundred random syncs, comparisons and histories against a slow and obvious model of the contract; the same ones
# every time.
set -euo pipefail
exec python3 -B "$(dirname "${BASH_SOURCE[0]}")/../differential.py" --seed release --cases 400
