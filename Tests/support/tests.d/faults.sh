#!/usr/bin/env bash
# Crashes, shortages, vanished clients, cancels and thousands of calls, on a cluster of its own: the same ones every time, as
# far as moments can be the same.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/../../faults/run" --seed release
