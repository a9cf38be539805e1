#!/usr/bin/env bash
# Does a sync reach a subscriber as the rows it wrote, one change each? An equal row must not be sent, an updated one must
# not be a delete and an insert, and the subscriber must end with the rows of the publisher.
# Contract 1.3.7 and 1.3.8; cases 184 and 185. (What a subscriber makes of rows that trade unique values is not looked at.)
set -euo pipefail
# shellcheck source=Tests/support/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=Tests/support/sql.sh
. "$SUPPORT/sql.sh"

database=$PGDATABASE
other="${database}_subscriber"

# The kinds of the changes that the slot "watch" has seen since it was last asked, counted: I, U and D of the protocol.
changes="select coalesce(string_agg(format('%s%s', n, kind), ' ' order by kind), 'none') from (
    select chr(get_byte(data, 0)) as kind, count(*) as n
      from pg_logical_slot_get_binary_changes('watch', null, null, 'proto_version', '1', 'publication_names', 'published')
     where chr(get_byte(data, 0)) in ('I', 'U', 'D', 'T') group by 1) as c"

restart_server wal_level=logical
run "$database" 'create extension bulk_sync' >/dev/null
run "$database" "create table target (k int primary key, g int, v text, j json, seen int default 7);
    alter table target replica identity full;
    create table parted (k int, g int, v text, primary key (k, g)) partition by list (g);
    create table parted_1 partition of parted for values in (1);
    create table parted_rest partition of parted default;
    create table filtered (k int primary key, v int, w text);
    create table staged (k int, g int, v text, j text);
    insert into target select k, k % 3, 'v' || k, '{\"a\": 1}' from generate_series(1, 20) as k;
    insert into parted select k, k % 3, v from target;
    insert into filtered values (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c');
    create publication published for table target, parted, filtered (k, v) where (k < 3) with (publish_via_partition_root = true);"
expect "$database" watch "select slot_name from pg_create_logical_replication_slot('watch', 'pgoutput')"
expect "$database" feed "select slot_name from pg_create_logical_replication_slot('feed', 'pgoutput')"

# The subscriber is another database of the same server, which begins with a copy.
run "$database" "create database $other template template0"
pg_dump --schema-only --table=target --table='parted*' --table=filtered "$database" --no-publications | psql -X -q -d "$other" >/dev/null
for table in target parted filtered; do
    psql -X -q -d "$database" -c "copy (select * from $table) to stdout" | psql -X -q -d "$other" -c "copy $table from stdin"
done
expect "$other" '' 'alter table filtered drop column w'
run "$other" "create subscription feed connection 'dbname=$database host=$PGHOST port=$PGPORT user=$PGUSER' publication published
    with (create_slot = false, slot_name = 'feed', copy_data = false)" >/dev/null
clean_up() {
    run "$other" 'drop subscription feed' >/dev/null
    run "$database" "select pg_drop_replication_slot('watch')" >/dev/null
}
at_exit clean_up

# 1 to 5 go, 6 to 14 are equal, 15 to 20 change, 21 to 23 come; the json, which has no equality, changes in one row alone.
run "$database" "insert into staged select k, k % 3, case when k < 16 then 'v' else 'new' end || k, case when k = 15 then '{\"a\":1}' else '{\"a\": 1}' end
    from generate_series(6, 23) as k"
expect "$database" '18|3|6|9|0|5' "select * from bulk_sync('target', 'staged', scope => 'true')"
expect "$database" '5D 3I 6U' "$changes"
# the same again: nothing is sent
expect "$database" '18|0|0|18|0|0' "select * from bulk_sync('target', 'staged', scope => 'true')"
expect "$database" none "$changes"
# marks and revivals are updates
run "$database" "alter table target add gone boolean; delete from staged where k > 20"
run "$other" 'alter table target add gone boolean'
expect "$database" '15|0|0|15|0|3' "select * from bulk_sync('target', 'staged', scope => 'true', soft_delete_column => 'gone')"
expect "$database" 3U "$changes"
# a call that fails, and one that is rolled back, are not heard of
expect "$database" 'ERROR:  SY003' "select * from bulk_sync('target', 'staged', scope => 'true', max_deletes => 0)"
expect "$database" '15|0|0|15|0|3' "begin; select * from bulk_sync('target', 'staged', scope => 'true'); rollback"
expect "$database" none "$changes"

# A row that moves to another partition is sent as PostgreSQL sends it, as a delete and an insert; the others as they are.
run "$database" "update staged set g = 1, v = 'v' || k; update staged set g = 2 where k = 20"
expect "$database" '15|0|9|6|0|5' "select * from bulk_sync('parted', 'staged', '{k}', scope => 'true', columns => '{g,v}')"
expect "$database" '14D 9I' "$changes"

# Only what the row filter and the column list let through: 1 goes, 2 changes, 3 and 4 are not published.
run "$database" "create table staged_filtered (k int, v int, w text); insert into staged_filtered values (2, 20, 'b'), (3, 30, 'c'), (4, 40, 'd')"
expect "$database" '3|1|2|0|0|1' "select * from bulk_sync('filtered', 'staged_filtered', scope => 'true')"
expect "$database" '1D 1U' "$changes"

# The subscriber has it all.
for table in 'target' 'parted' '(select k, v from filtered where k < 3) as filtered'; do
    contents="select md5(string_agg(r::text, ' ' order by r::text)) from (select * from $table) as r"
    wait_for "$other" "$(run "$database" "$contents")" "$contents"
done
expect "$other" '2|20' 'table filtered order by k offset 0 limit 1'
