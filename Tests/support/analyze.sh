#!/usr/bin/env bash
# Does the compiler's static analysis find anything in the extension? Warnings are errors.
set -euo pipefail
# shellcheck source=Tests/support/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

setup_packages
scratch_directory
mkdir "$SCRATCH/analysis"
make -C "$SCRATCH/analysis" -f "$REPOSITORY/Makefile" -j "$(nproc)" --no-print-directory --silent \
    PG_CONFIG=/usr/lib/postgresql/15/bin/pg_config CC=gcc COPT=-fanalyzer with_llvm=no all
