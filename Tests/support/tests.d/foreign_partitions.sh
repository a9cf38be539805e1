#!/usr/bin/env bash
# Is a sync right whose rows lie on two servers, as partitions that are foreign tables of postgres_fdw beside local ones? What
# is asked of the other server, and how often? What happens when somebody changes rows there, or when it goes away?
# Contract 1.1.3, 1.3.1, 1.3.8, 1.3.10, 1.5, 1.6, 2, 3; case 154
set -euo pipefail
# shellcheck source=Tests/support/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=Tests/support/sql.sh
. "$SUPPORT/sql.sh"

database=$PGDATABASE
here=$SERVER_DATA
if [ "$(run "$database" "select count(*) from pg_available_extensions where name = 'postgres_fdw'")" = 0 ]; then
    say 'SKIPPED: there is no postgres_fdw'
    exit 0
fi
start_cluster log_statement=all
far=$SERVER_DATA far_host=$PGHOST far_port=$PGPORT far_log=$SERVER_LOG
use_server "$here"

there() {
    PGHOST=$far_host PGPORT=$far_port run postgres "$1"
}

# What has nothing to say, and no error
made() {
    expect "$database" '' "$1"
}

made_there() {
    expect_there '' "$1"
}

expect_there() {
    same "there: $2" "$(there "$2")" "$1"
}

wait_for_there() {
    PGHOST=$far_host PGPORT=$far_port wait_for postgres "$1" "$2"
}

# asked PATTERN SQL: how many statements like that the other server gets for it, written to "count"; what it gives is in "given"
asked() {
    local before
    before="$(wc -c <"$far_log")"
    given="$(run "$database" "$2")"
    count="$(tail -c "+$((before + 1))" "$far_log" | tr '\n\t' '  ' | sed 's/[0-9-]* [0-9:.]* UTC \[/\n&/g' |
        grep -E 'LOG:  (statement|execute)' | grep -cE "$1" || true)"
}

# ------------------------------------------------------------------------------------------------------------------------------
# Two partitions here and two there; and a twin of which all four are here

made_there "create table t3 (k int, c int, v text, w int, n numeric(10,2), arr int[], gone bool);
       create table t4 (gone bool, w int, v text, c int, k int, arr int[], n numeric(10,2));
       create index on t3 (k); create index on t4 (k)"
made "create extension bulk_sync;
     create extension postgres_fdw;
     create server far foreign data wrapper postgres_fdw options (host '$far_host', port '$far_port', dbname 'postgres', batch_size '100', fetch_size '10000');
     create user mapping for public server far options (user 'postgres', password_required 'false');
     create table t (k int, c int, v text, w int default 7, n numeric(10,2), arr int[], gone bool) partition by list (c);
     create table t1 partition of t for values in (1);
     create table t2 partition of t for values in (2, null);
     create foreign table t3 partition of t for values in (3) server far;
     create foreign table t4 (gone bool, w int default 7, v text, c int, k int, arr int[], n numeric(10,2)) server far;
     alter table t attach partition t4 for values in (4);
     create table twin (like t including defaults) partition by list (c);
     create table twin1 partition of twin for values in (1);
     create table twin2 partition of twin for values in (2, null);
     create table twin3 partition of twin for values in (3);
     create table twin4 partition of twin for values in (4);
     create table staged (k int, c int, v text, n numeric(10,2));
     create table first as select k, 1 + k % 4 as c, 'v' || k as v, 7 as w, k / 10.0 as n, array[k] as arr, null::bool as gone
       from generate_series(1, 2000) as k;
     create function reset() returns void language sql as \$\$
       delete from t; insert into t select * from first;
       truncate twin, staged; insert into twin select * from first \$\$;
     select reset()"

rows='select k, c, v, w, n, arr, gone from'

# both WANTED ARGUMENTS: the same call on t and on its twin gives the same, and leaves the same; rows go where they belong, and
# a second call finds nothing to do
both() {
    expect "$database" "$1" "select * from bulk_sync('t', 'staged', $2)"
    expect "$database" "$1" "select * from bulk_sync('twin', 'staged', $2)"
    expect "$database" 0 "select count(*) from ($rows t except all $rows twin) as d"
    expect "$database" 0 "select count(*) from ($rows twin except all $rows t) as d"
    expect_there 0 'select count(*) from t3 where c <> 3'
    expect_there 0 'select count(*) from t4 where c <> 4'
    asked 'UPDATE|DELETE|INSERT|FOR UPDATE' "select inserted, updated, deleted from bulk_sync('t', 'staged', $2)"
    same "a second call with $2" "$given/$count" '0|0|0/0'
}

# All kinds of changes in each partition. 2,000 rows of which 80 change, 40 are new and 40 stale.
stage="truncate staged; insert into staged select k, 1 + k % 4, case when k % 100 between 50 and 53 then 'new' else 'v' end || k, k / 10.0
       from generate_series(41, 2040) as k"
made "select reset(); $stage"
unchanged="select count(*), md5(string_agg(concat_ws(' ', ctid, xmin, xmax, k), ',' order by k)) from %s where k between 41 and 2000 and k % 100 not between 50 and 53"
before="$(there "${unchanged//%s/t3}")"
asked 'FETCH|DECLARE|UPDATE|DELETE|INSERT' "select * from bulk_sync('t', 'staged', '{k,c}', scope => 'true', dry_run => true)"
same 'the plan' "$given" '2000|40|80|1880|0|40'
expect "$database" 'delete|40
insert|40
update|80' "select action, count(*) from bulk_compare('t', 'staged', '{k,c}', scope => 'true') group by action order by action"
asked 'DELETE' "begin; select deleted from bulk_sync('t', 'staged', '{k,c}', scope => 'true'); rollback"
same 'deletes are one statement a table' "$given/$count" '40/2'
asked 'UPDATE public' "begin; select updated from bulk_sync('t', 'staged', '{k,c}', scope => 'true'); rollback"
same 'updates are one statement a table' "$given/$count" '80/2'
asked 'INSERT' "begin; select inserted from bulk_sync('t', 'staged', '{k,c}', scope => 'true'); rollback"
same 'inserts go in batches' "$given/$count" '40/2'
asked 'FOR UPDATE' "begin; select inserted from bulk_sync('t', 'staged', '{k,c}', scope => 'true'); rollback"
same 'rows that are not written are not locked' "$given/$count" '40/0'
both '2000|40|80|1880|0|40' "'{k,c}', scope => 'true'"
same 'unchanged rows of the other server' "$(there "${unchanged//%s/t3}")" "$before"

# What is asked does not grow with the rows, but by a statement for each thousand that change
asked 'FETCH|DECLARE|UPDATE|DELETE|INSERT' "select unchanged from bulk_sync('t', 'staged', '{k,c}', scope => 'true')"
same 'nothing to do' "$given/$((count <= 8))" '2000/1'
made "update staged set v = v || '!'"
asked 'FETCH|DECLARE|UPDATE|DELETE|INSERT' "begin; select updated from bulk_sync('t', 'staged', '{k,c}', scope => 'true'); rollback"
same 'all to be updated' "$given/$((count <= 10))" '2000/1'
made "insert into staged select k, 3, 'n', 0 from generate_series(10001, 13000) as k"
asked 'INSERT' "begin; select inserted from bulk_sync('t', 'staged', '{k,c}', scope => 'true'); rollback"
same 'three thousand new rows' "$given/$count" '3000/30'

# The scope is evaluated where the rows are; partitions outside it are not asked; keys are looked up there, all at once
asked 'SELECT.*WHERE \(\(k > 1990\)\) AND \(\(c = 4\)\)' "select count(*) from bulk_compare('t', 'staged', '{k}', scope => 'c = 4 and k > 1990', actions => '{delete}')"
same 'a scope' "$count" 1
asked 'public\.t3' "select deleted from bulk_sync('t', 'staged', '{k}', scope_values => '{\"c\": 4}', actions => '{delete}', dry_run => true)"
same 'the other partition' "$count" 0
made "select reset(); insert into staged values (3, 4, 'changed', 0.3), (2, 3, 'changed', 0.2), (1, 2, 'changed', 0.1), (9001, 4, 'new', 0)"
asked 'SELECT.*k = ANY ' "begin; select * from bulk_sync('t', 'staged', '{k}', actions => '{insert,update}'); rollback"
same 'a lookup' "$given/$count" '4|1|3|0|0|0/2'
both '4|1|3|0|0|0' "'{k}', actions => '{insert,update}'"

# ------------------------------------------------------------------------------------------------------------------------------
# Options, kinds of columns

made "select reset(); insert into t values (null, 3, 'null', 1), (null, null, 'nulls', 1); insert into twin values (null, 3, 'null', 1), (null, null, 'nulls', 1)"
made "truncate staged; insert into staged values (null, 3, 'NULL', 1), (null, null, 'NULLS', 1), (2, 3, null, 1), (3, 4, 'x', null), (6, 3, 'v6', 0.6)"
both '5|0|3|2|0|1997' "'{k,c}', scope => 'true', keep_columns => '{v}', fill_columns => '{n}'"
made "select reset(); $stage"
both '2000|40|80|1880|0|40' "'{k,c}', scope => 'true', soft_delete_column => 'gone'"
made "truncate staged; insert into staged values (2, 3, 'v2', 0.2), (3, 4, 'again', 0.3), (70, 3, 'v70', 7)"
both '3|0|2|1|0|999' "'{k}', scope => 'c in (3, 4)', soft_delete_column => 'gone'"
made "select reset(); alter table staged add arr int[]; truncate staged;
     insert into staged values (2, 3, 'v2', 0.2, '{2}'), (6, 3, 'v6', 0.6, '{6,6}'), (10, 3, 'v10', 1, null), (3, 4, 'w', 0.3, '{{1},{2}}')"
both '4|0|3|1|0|0' "'{k}', actions => '{update}'"
made "alter table staged drop arr; update staged set v = 'a'"
both '4|0|0|0|4|0' "'{k}', actions => '{update}', update_where => 'staged.v > target.v'"

# Generated columns, types of this server alone and its collations are seen to here, to the same effect
made_there "create type mood as enum ('sad', 'ok'); create table odd (k varchar(5) collate \"C\", m mood, d char(4), doubled int generated always as (length(k) * 2) stored, j json, p point)"
made "create type mood as enum ('sad', 'ok'); create domain word as varchar(5);
     create foreign table odd (k varchar(5) collate \"C\", m mood, d char(4), doubled int generated always as (length(k) * 2) stored, j json, p point) server far;
     create table odd_staged (k word, m mood, d text, j json, p point);
     insert into odd_staged values ('a', 'sad', 'x', '{}', '(1,2)'), ('bb', 'ok', 'y', '[1]', null), (null, null, null, null, '(0,0)')"
expect "$database" '3|3|0|0|0|0' "select * from bulk_sync('odd', 'odd_staged', '{k}', scope => 'true')"
expect "$database" '3|0|0|3|0|0' "select * from bulk_sync('odd', 'odd_staged', '{k}', scope => 'true')"
expect "$database" '3|0|3|0|0|0' "update odd_staged set m = 'ok', j = '{ }', d = 'z'; select * from bulk_sync('odd', 'odd_staged', '{k}', scope => 'true')"
expect "$database" '3|0|0|3|0|0' "select * from bulk_sync('odd', 'odd_staged', '{k}', scope => 'doubled > 0 or k is null')"
expect_there 'a|ok|z   |2|{ }|(1,2)
bb|ok|z   |4|{ }|
|ok|z   ||{ }|(0,0)' 'select * from odd order by k'

# ------------------------------------------------------------------------------------------------------------------------------
# Rows that move: here, there, from one server to the other; one update each. PostgreSQL does only part of it.

made "select reset(); update t set w = k, arr = '{9}' where k < 9; update twin set w = k, arr = '{9}' where k < 9; truncate staged;
     insert into staged values (4, 3, 'v4', 0.4), (8, 2, 'v8', 0.8), (2, 1, 'two', 0.2), (3, 3, 'v3', 0.3), (6, null, 'v6', 0.6), (7, 4, 'v7', 0.7)"
both '6|0|5|1|0|0' "'{k}', actions => '{update}'"
expect_there '3|3|v3|3|{9}
4|3|v4|4|{9}' 'select k, c, v, w, arr from t3 where k < 9 order by k'
expect "$database" "ERROR:  23514" "insert into staged values (10, 9, 'nowhere', 0); select * from bulk_sync('t', 'staged', '{k}', actions => '{update}')"
expect "$database" "10|3|v10" "select k, c, v from t where k = 10"
# A partition that is the target by itself is not left
made 'truncate staged; insert into staged values (10, 4, null, 1), (14, 3, null, 1)'
expect "$database" 'ERROR:  23514' "select * from bulk_sync('t3', 'staged', '{k}', actions => '{update}')"
expect "$database" '2|0|1|0|1|0' "delete from staged where k = 10; insert into staged values (-1, 3, null, 1); select * from bulk_sync('t3', 'staged', '{k}', actions => '{update}')"

# ------------------------------------------------------------------------------------------------------------------------------
# Rows are returned as they are on the other server

made_there "create function shout() returns trigger language plpgsql as 'begin new.v := upper(new.v); return new; end';
       create trigger shout before insert or update on t3 for each row execute function shout()"
made "select reset(); truncate staged; insert into staged values (2, 3, 'changed', 0.2), (1, 2, 'changed', 0.1), (9002, 3, 'new', 1), (3, 4, 'v3', 0.3)"
expect "$database" 'delete|6||{"c": 3, "k": 6, "n": 0.60, "v": "V6", "w": 7, "arr": [6], "gone": null}|
insert|9002|3||{"c": 3, "k": 9002, "n": 1.00, "v": "NEW", "w": 7, "arr": null, "gone": null}
update|1|2|{"c": 2, "k": 1, "n": 0.10, "v": "v1", "w": 7, "arr": [1], "gone": null}|{"c": 2, "k": 1, "n": 0.10, "v": "changed", "w": 7, "arr": [1], "gone": null}
update|2|1|{"c": 3, "k": 2, "n": 0.20, "v": "V2", "w": 7, "arr": [2], "gone": null}|{"c": 3, "k": 2, "n": 0.20, "v": "CHANGED", "w": 7, "arr": [2], "gone": null}' \
    "select action, key -> 'k', staged_row, old, new from bulk_sync_returning('t', 'staged', '{k}', scope => 'k in (1, 2, 3, 6, 9002)') order by action, (key -> 'k')::int"
made_there 'drop trigger shout on t3'

# What triggers over there suppress is skipped; what they change before its turn is found in its new place
made "select reset(); truncate staged; insert into staged values (2, 3, 'changed', 0.2), (18, 3, 'changed', 1.8), (9003, 3, 'new', 1), (9004, 3, 'new', 1)"
made_there "create function meddle() returns trigger language plpgsql as \$\$ begin
         if tg_op = 'INSERT' and new.k = 9003 or tg_op = 'DELETE' and old.k = 6 then return null; end if;
         if tg_op = 'DELETE' and old.k = 10 then update public.t3 set w = 100 where k = tg_argv[0]::int; end if;
         return case tg_op when 'DELETE' then old else new end;
       end \$\$;
       create trigger meddle before insert or delete on t3 for each row execute function meddle('2')"
expect "$database" '4|1|2|0|1|2' "select * from bulk_sync('t', 'staged', '{k}', scope => 'c = 3 and (k < 20 or k > 9000)')"
expect_there '2|changed|100
6|v6|7
18|changed|7
9004|new|7' 'select k, v, w from t3 where k < 20 or k > 9000 order by k'
# A row of the same statement: the error that it is over there
made_there "drop trigger meddle on t3; create trigger meddle before insert or delete on t3 for each row execute function meddle('14')"
made "select reset(); insert into staged values (2, 3, 'changed', 0.2)"
expect "$database" 'ERROR:  27000' "select * from bulk_sync('t', 'staged', '{k}', scope => 'c = 3 and k < 20')"
made_there 'drop trigger meddle on t3'

# A table that has partitions on the other server, whose rows have the same addresses: those outside the scope are not touched
made_there "create table parts (k int, c int, v text) partition by list (c);
       create table parts1 partition of parts for values in (1); create table parts2 partition of parts for values in (2);
       insert into parts values (1, 1, 'a'), (2, 1, 'b'), (3, 1, 'c'), (1, 2, 'a'), (2, 2, 'b'), (3, 2, 'c')"
made "create foreign table parts (k int, c int, v text) server far; truncate staged; insert into staged (k, v) values (1, 'changed'), (3, 'c')"
expect "$database" '2|0|1|1|0|1' "select * from bulk_sync('parts', 'staged', '{k}', columns => '{k,v}', scope_values => '{\"c\": 1}')"
expect_there '1|1|changed
3|1|c
1|2|a
2|2|b
3|2|c' 'select * from parts order by c, k'
expect "$database" '2|2|0|0|0|5' "update staged set c = 2, k = k + 10; select * from bulk_sync('parts', 'staged', '{k,c}', columns => '{k,c,v}', scope => 'true')"
expect_there '11|2|changed
13|2|c' 'select * from parts order by c, k'

# ------------------------------------------------------------------------------------------------------------------------------
# Whose rights: those on the target are enough; nothing can be written, or read, without them

made "select reset(); $stage; create role fdw_writer_$$; grant select, insert, update, delete on t to fdw_writer_$$; grant select on staged to fdw_writer_$$;
     create role fdw_reader_$$; grant select on t, staged to fdw_reader_$$"
expect "$database" '2000|40|80|1880|0|40' "set role fdw_writer_$$; begin; select * from bulk_sync('t', 'staged', '{k,c}', scope => 'true'); rollback"
expect "$database" 'ERROR:  42501' "set role fdw_reader_$$; select * from bulk_sync('t', 'staged', '{k,c}', scope => 'true')"
expect "$database" '160' "set role fdw_reader_$$; select count(*) from bulk_compare('t', 'staged', '{k,c}', scope => 'true')"
expect "$database" 'ERROR:  25006' "begin read only; select * from bulk_sync('t', 'staged', '{k,c}', scope => 'true')"
made "drop owned by fdw_writer_$$, fdw_reader_$$; drop role fdw_writer_$$, fdw_reader_$$"

# AFTER triggers of the partitions fire for each row that is written, and only when all are
made "create table log (line text); create function note() returns trigger language plpgsql as \$\$ begin
       insert into log values (concat_ws(' ', tg_table_name, tg_op, old.k, new.k, (select count(*) from t where k = 9010))); return null; end \$\$;
     create trigger note after insert or update or delete on t for each row execute function note();
     select reset(); truncate log; insert into staged values (2, 3, 'v2', 0.2), (6, 3, 'x', 0.6), (10, 1, 'v10', 1), (9010, 4, 'n', 0), (9011, 1, 'n', 0), (8, 3, 'v8', 0.8)"
expect "$database" '6|2|3|1|0|9' "select * from bulk_sync('t', 'staged', '{k}', scope => 'k < 15 and k <> 1 or k > 9000 and c > 0')"
expect "$database" 't1 DELETE 12 1
t1 DELETE 4 1
t1 DELETE 8 1
t1 INSERT 10 1
t1 INSERT 9011 1
t2 DELETE 13 1
t2 DELETE 5 1
t2 DELETE 9 1
t3 DELETE 10 1
t3 DELETE 14 1
t3 INSERT 8 1
t3 UPDATE 6 6 1
t4 DELETE 11 1
t4 DELETE 3 1
t4 DELETE 7 1
t4 INSERT 9010 1' 'select line from log order by line'
made "drop trigger note on t; select reset(); $stage"

# BEFORE triggers, policies and ignore_conflicts: other statements, to the same effect
made "create function nothing() returns trigger language plpgsql as 'begin return case tg_op when ''DELETE'' then old else new end; end';
     create trigger nothing before update or delete on t for each row execute function nothing()"
both '2000|40|80|1880|0|40' "'{k,c}', scope => 'true'"
made "drop trigger nothing on t; select reset(); $stage"
both '2000|40|80|1880|0|40' "'{k,c}', scope => 'true', ignore_conflicts => true"
for mode in 'row exclusive' 'exclusive'; do
    made "select reset(); $stage"
    both '2000|40|80|1880|0|40' "'{k,c}', scope => 'true', lock_mode => '$mode'"
done

# ------------------------------------------------------------------------------------------------------------------------------
# Beside others: whoever changes a planned row on the other server while the call waits makes it fail, with nothing written

# beside WANTED MEANWHILE COMMAND...: a sync in another session, which has read everything and waits for a row that this one
# holds; the command is run; the row is let go; the sync gives WANTED
beside() {
    local wanted=$1 given
    shift
    made "select reset(); $stage"
    in_session_gives 52 'begin; select k from t1 where k = 52 for update'
    run "$database" "set application_name = 'beside'; select * from bulk_sync('t', 'staged', '{k,c}', scope => 'true')" >"$SCRATCH/beside" &
    wait_for "$database" t "select exists (select from pg_stat_activity where application_name = 'beside' and wait_event_type = 'Lock')"
    "$@" >&2
    in_session_gives '' 'rollback'
    wait $!
    # What a server says that goes away, if it comes to that
    given="$(grep -m 1 -E '^(ERROR|[0-9])' "$SCRATCH/beside" | sed 's/57P01/08006/')"
    same "beside: $*" "$given" "$wanted"
}

# A planned row; one that is not written; one that is there only since
open_session "$database"
for change in "update t3 set v = 'other' where k = 150" 'delete from t3 where k = 150' "update t3 set w = 0 where k = 2" 'delete from t4 where k = 3'; do
    beside 'ERROR:  40001' there "$change"
    expect "$database" '10|v52' "select count(*) filter (where k <= 40), max(v) filter (where k = 52) from t1"
done
beside '2000|40|80|1880|0|40' there "update t3 set w = 0 where k = 1010; insert into t3 (k, c) values (9005, 3)"
expect_there '1010|0
9005|' 'select k, w from t3 where k in (1010, 9005) order by k'

# Work on an old picture
made "select reset(); $stage"
in_session_gives '500' 'begin isolation level repeatable read; select count(*) from t3'
made_there "update t3 set v = 'other' where k = 150"
in_session_gives 'ERROR:  40001' "select * from bulk_sync('t', 'staged', '{k,c}', scope => 'true')"
in_session_gives '' 'rollback'

# A server that goes away: an error, and nothing is written on the other; then it is there again
restart_far() {
    use_server "$far"
    restart_server
    use_server "$here"
}
beside 'ERROR:  08006' restart_far
expect "$database" 'v52|2000' 'select max(v) filter (where k = 52), count(*) from t'
expect "$database" '2000|40|80|1880|0|40' "select * from bulk_sync('t', 'staged', '{k,c}', scope => 'true')"

# Two syncs in row exclusive mode: of other scopes beside each other, of one scope one after the other, if the later one
# had not read yet; if it had, it says so
made "select reset(); $stage; create view staged3 as select * from staged where c = 3; create view staged4 as select * from staged where c = 4"
sync3="select * from bulk_sync('t', 'staged3', '{k}', scope_values => '{\"c\": 3}', lock_mode => 'row exclusive')"
in_session_gives '500|10|20|470|0|10' "begin; $sync3"
expect "$database" '500|10|20|470|0|10' "${sync3//3/4}"
run "$database" "$sync3" >"$SCRATCH/beside" &
wait_for_there t "select exists (select from pg_stat_activity where wait_event_type = 'Lock')"
in_session_gives '' 'commit'
wait $!
same 'beside a sync of the same rows' "$(head -n 1 "$SCRATCH/beside")" 'ERROR:  40001'
expect "$database" '500|0|0|500|0|0' "$sync3"

# ------------------------------------------------------------------------------------------------------------------------------
# A column that the other server does not have, and what that server alone refuses: its error, and nothing is written

made "select reset(); truncate staged; insert into staged values (2, 3, 'bad', 0), (1, 2, 'good', 0)"
made_there "alter table t3 add constraint good check (v <> 'bad')"
expect "$database" 'ERROR:  23514' "select * from bulk_sync('t', 'staged', '{k}', actions => '{update}')"
made_there 'alter table t3 drop constraint good; alter table t3 rename n to m'
expect "$database" 'ERROR:  42703' "select * from bulk_sync('t', 'staged', '{k}', actions => '{update}')"
made_there 'alter table t3 rename m to n'
expect "$database" '1|v1' 'select k, v from t where k = 1'
expect "$database" '2|0|2|0|0|0' "select * from bulk_sync('t', 'staged', '{k}', actions => '{update}')"

# Partitions of partitions, a hundred of them
made_there "do \$\$ begin for i in 1..100 loop execute format('create table many_%s (k int, g int, v text)', i); end loop; end \$\$"
made "create table many (k int, g int, v text) partition by list (g);
     create table many_near partition of many default;
     create table many_far partition of many for values in ($(seq -s, 1 100)) partition by list (g);
     do \$\$ begin for i in 1..100 loop
       execute format('create foreign table many_%s partition of many_far for values in (%s) server far', i, i);
     end loop; end \$\$;
     create table many_staged as select k, k % 110 as g, 'v' || k as v from generate_series(1, 1100) as k"
expect "$database" '1100|1100|0|0|0|0' "select * from bulk_sync('many', 'many_staged', '{k}', scope => 'true')"
asked 'FETCH|DECLARE|UPDATE|DELETE|INSERT' "select * from bulk_sync('many', 'many_staged', '{k}', scope => 'g = 5')"
same 'one of a hundred' "$given/$((count < 8))" 'ERROR:  44000/1'
asked 'FETCH|DECLARE|UPDATE|DELETE|INSERT' "select count(*) from bulk_compare('many', 'many_staged', '{k}', scope => 'true')"
same 'a hundred' "$given/$((count <= 303))" '0/1'
expect "$database" '1100|0|1100|0|0|0' "update many_staged set g = (g + 1) % 110; select * from bulk_sync('many', 'many_staged', '{k}', scope => 'true')"
expect "$database" '0' 'select count(*) from (table many except table many_staged) as d'
expect "$database" '5|5|0|0|0|1095' "delete from many_staged where k > 5; update many_staged set k = -k; select * from bulk_sync('many', 'many_staged', '{k}', scope => 'k > 5 or k < 0')"
