#!/usr/bin/env bash
# Some thousands of random calls of every function, which must end in nothing worse than an ordinary error; the same ones
# every time. The whole fuzz is: fuzz.py --calls 100000
set -euo pipefail
exec python3 -B "$(dirname "${BASH_SOURCE[0]}")/../fuzz.py" --seed release --calls 12000 --seconds 60
