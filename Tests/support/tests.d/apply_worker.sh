#!/usr/bin/env bash
# Can a table be synced that a subscription feeds? The worker that applies what the publisher sends is a writer like any other: a
# sync that locks writers out makes it wait and is not disturbed, the others match again what it changed, and whoever comes
# second finds the rows of the first. Nothing ends in a deadlock, and the worker never fails. Contract 1.6; case 187
set -euo pipefail
# shellcheck source=Tests/support/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=Tests/support/sql.sh
. "$SUPPORT/sql.sh"

publisher=$PGDATABASE
subscriber="${publisher}_subscriber"

worker_waits="select count(*) from pg_stat_activity where backend_type like 'logical replication %worker' and datname = '$subscriber' and wait_event_type = 'Lock'"
session_waits="select count(*) from pg_stat_activity where backend_type = 'client backend' and datname = '$subscriber' and wait_event_type = 'Lock'"
values="select string_agg(k || ':' || v, ' ' order by k) from target"

restart_server wal_level=logical deadlock_timeout=100ms
run "$publisher" "create table target (k int primary key, v text, w int default 0);
    insert into target select k, 'p' || k from generate_series(1, 6) as k;
    create publication fed for table target" >/dev/null
expect "$publisher" fed_slot "select slot_name from pg_create_logical_replication_slot('fed_slot', 'pgoutput')"
run "$publisher" "create database $subscriber template template0" >/dev/null
expect "$subscriber" '' "create extension bulk_sync;
    create table target (k int primary key, v text, w int default 0);
    create table staged (k int, v text);
    create table noted (n serial, what text);
    insert into target select k, 'p' || k from generate_series(1, 6) as k;
    create subscription fed connection 'dbname=$publisher host=$PGHOST port=$PGPORT user=$PGUSER' publication fed
        with (create_slot = false, slot_name = 'fed_slot', copy_data = false)"
clean_up() {
    run "$subscriber" 'drop subscription fed' >/dev/null
    run "$publisher" "drop database $subscriber with (force)" >/dev/null
}
at_exit clean_up
expect "$publisher" '' "update target set v = 'sent' where k = 6"
wait_for "$subscriber" '1:p1 2:p2 3:p3 4:p4 5:p5 6:sent' "$values"
open_session "$subscriber"

# 1. A sync that has written, in the default mode: the worker waits for the rows that it wrote, and for no other.
in_session_gives '6|1|1|4|0|1' "insert into staged values (2, 'p2'), (3, 's3'), (4, 'p4'), (5, 'p5'), (6, 'sent'), (7, 's7'); begin;
    select * from bulk_sync('target', 'staged', scope => 'true')"
expect "$publisher" '' "update target set v = 'w2' where k = 2"
wait_for "$subscriber" w2 'select v from target where k = 2'
expect "$publisher" '' "update target set v = 'w3' where k = 3"
wait_for "$subscriber" 1 "$worker_waits"
in_session_gives '' commit
wait_for "$subscriber" '2:w2 3:w3 4:p4 5:p5 6:sent 7:s7' "$values"

# 2. One that keeps writers out: the worker waits for the table, and the table holds the staged rows at commit.
in_session_gives '6|0|2|4|0|0' "begin; select * from bulk_sync('target', 'staged', scope => 'true', lock_mode => 'exclusive')"
expect "$publisher" '' "update target set v = 'w4' where k = 4"
wait_for "$subscriber" 1 "$worker_waits"
in_session_gives '2:p2 3:s3 4:p4 5:p5 6:sent 7:s7' "$values"
in_session_gives '' commit
wait_for "$subscriber" '2:p2 3:s3 4:w4 5:p5 6:sent 7:s7' "$values"

# 3. The worker has written and has not committed: a trigger that fires in workers alone makes it wait for us. The sync, which has
# seen the row as it was before, waits for the worker, and then decides by what it finds.
expect "$subscriber" '' "create function hold() returns trigger language plpgsql as 'begin perform pg_advisory_xact_lock(1); return null; end';
    create trigger hold after insert or update or delete on target for each row execute function hold();
    alter table target enable replica trigger hold"
exec 3> >(exec psql -X -q -d "$subscriber" >/dev/null)

# during CHANGE WANTED CALL: the call, when it meets the worker that has made the change
during() {
    local got
    echo 'select pg_advisory_lock(1);' >&3
    wait_for "$subscriber" 1 "select count(*) from pg_locks where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())"
    expect "$publisher" '' "$1"
    wait_for "$subscriber" 1 "$worker_waits"
    send "$3"
    wait_for "$subscriber" 1 "$session_waits"
    echo 'select pg_advisory_unlock(1);' >&3
    got="$(answer)"
    same "while the worker does $1, $3" "$got" "$2"
    wait_for "$subscriber" 0 "$worker_waits"
}

sync="select * from bulk_sync('target', 'staged', scope => 'true')"
expect "$subscriber" '' "update staged set v = 's' || k"
# What was to be updated is now as it was wanted.
during "update target set v = 's5' where k = 5" '6|0|3|3|0|0' "$sync"
# It is something else: updated still, and nothing of the worker's other column is lost.
expect "$subscriber" '' "update staged set v = 't' || k where k = 5"
during "update target set v = 'w5', w = 7 where k = 5" '6|0|1|5|0|0' "$sync"
expect "$subscriber" 't5|7' 'select v, w from target where k = 5'
# It is gone: inserted.
expect "$subscriber" '' "update staged set v = 'u' || k where k = 6"
during 'delete from target where k = 6' '6|1|0|5|0|0' "$sync"
# What was to be deleted has changed: deleted in its new version.
expect "$subscriber" '' 'delete from staged where k = 4'
during "update target set v = 'w4 again' where k = 4" '5|0|0|5|0|1' "$sync"
# What was to be inserted is there: a retry finds it.
expect "$subscriber" '' "insert into staged values (8, 's8')"
during "insert into target values (8, 'w8')" 'ERROR:  40001' "$sync"
in_session_gives '6|0|1|5|0|0' "$sync"
# Where writers are kept out, the sync waits before it looks, with nothing in its hands that the worker could wait for.
expect "$subscriber" '' "update staged set v = 'x' || k where k in (2, 3)"
during "begin; update target set v = 'w3' where k = 3; update target set v = 'w2' where k = 2; commit" '6|0|2|4|0|0' \
    "select * from bulk_sync('target', 'staged', scope => 'true', lock_mode => 'exclusive')"

expect "$subscriber" '2:x2 3:x3 5:t5 6:u6 7:s7 8:s8' "$values"
in_session_gives '6|0|0|6|0|0' "$sync"
# The worker has got over all that: it was never stopped by an error, and it still applies.
expect "$subscriber" 0 "select apply_error_count from pg_stat_subscription_stats where subname = 'fed'"
expect "$publisher" '' "insert into target values (9, 'w9')"
wait_for "$subscriber" w9 'select v from target where k = 9'
exec 3>&-
