#!/usr/bin/env bash
# Does the plan of the server's choice matter to what a call does? Random syncs, comparisons and histories against the model, some
# for each setting that makes the planner and the executor go another way. Cases 328 and 329
# (Parallel plans: cursors_and_parallel_plans. Here they would shuffle what the test itself reads.)
set -euo pipefail
# shellcheck source=Tests/support/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

CASES=8

while IFS= read -r settings; do
    # A plan that is forbidden and has no substitute is so dear, to 15 to 17, that it is compiled: another setting's matter.
    flags='-c jit=off'
    for setting in $settings; do
        flags+=" -c $setting"
    done
    # The settings are those of every session of the test; a name that the server does not know ends it.
    PGOPTIONS=$flags python3 -B "$SUPPORT/differential.py" --seed "$settings" --cases "$CASES" || die "with $settings"
done <<'SETTINGS'
enable_nestloop=off
enable_hashjoin=off enable_mergejoin=off
enable_hashjoin=off enable_nestloop=off enable_material=off
enable_tidscan=off enable_indexscan=off enable_bitmapscan=off
enable_seqscan=off enable_sort=off
plan_cache_mode=force_generic_plan
jit=on jit_above_cost=0 jit_inline_above_cost=-1 jit_optimize_above_cost=-1
work_mem=64kB bulk_sync.work_mem=64kB hash_mem_multiplier=1 temp_buffers=800kB
random_page_cost=0.01 cpu_tuple_cost=100 cpu_operator_cost=0
default_statistics_target=1 constraint_exclusion=on enable_partition_pruning=off enable_partitionwise_join=on
SETTINGS
