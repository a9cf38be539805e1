"""The ways in which rows are read and written give the same. They are chosen by the numbers of rows; settings for tests choose them here."""
import re

from changes import FEED, ROWS, STAGED, TARGET, UPSERT, WHOLE, call
from sessions import COUNTS, WAITING
from client import wait_until
from pair import outcome

HASHED = ('hash', 'partitioned')
PERMANENT = 'create table staged (k int, g int, v text, n numeric)'
WAYS = (('auto', 'auto'), ('hash', 'direct'), ('join', 'sql'), ('join', 'direct'), ('sort', 'auto'))
APPLIERS = ('auto', 'direct', 'sql')


def forced(pair, matcher, applier):
    pair.both("set bulk_sync.matcher to '%s'; set bulk_sync.applier to '%s'" % (matcher, applier))


def every_way(test):
    """Staged rows on the coordinator and beside the target."""
    for staged in (STAGED, PERMANENT):
        for matcher, applier in WAYS:
            pair = test.pair(TARGET, ROWS, staged, FEED, distributed=('target', 'staged') if staged == PERMANENT else ('target',))
            forced(pair, matcher, applier)
            before = pair.places()
            pair.same(call(UPSERT, 'dry_run => true'), (19, 4, 5, 10, 0, 0))
            pair.same(call(UPSERT), (19, 4, 5, 10, 0, 0))
            pair.untouched(before, 15)
            pair.same(call(WHOLE), (19, 0, 0, 19, 0, 5))
            pair.same(call("scope => 'k > 10'"), '44000')
            pair.both("delete from staged where k <= 10; update staged set v = 'x' where k = 12; delete from target where k in (23, 24)")
            pair.same(call("scope => 'k > 10'"), (9, 2, 1, 6, 0, 0))
            pair.same(call('scope_values => \'{"k": 12}\'', "actions => '{delete,update}'"), (9, 0, 0, 1, 8, 0))
            pair.close()


def null_keys(test):
    """Rows that are found by a key with a NULL in it."""
    for applier in APPLIERS:
        pair = test.pair('create table target (k int, name text, v text)', "insert into target select k, case when k % 2 = 0 then 'n' end, 'v' from generate_series(1, 20) as k",
                         'create temporary table staged (k int, name text, v text)', 'insert into staged select k, name, case when k < 5 then v else \'w\' end from target where k < 15')
        forced(pair, 'auto', applier)
        pair.same(call(WHOLE, key='{k,name}'), (14, 0, 10, 4, 0, 6))
        pair.close()


def many_rows(test):
    """So many that the table beside the shards, and lookups by key, come about by themselves."""
    rows = "insert into target select k, k % 100, 'v' || k, k from generate_series(1, 30000) as k"
    for staged in (STAGED, PERMANENT):
        pair = test.pair(TARGET, rows, staged, "insert into staged select k, k % 100, case when k <= 10400 then 'w' else 'v' end || k, k from generate_series(1, 32000) as k where k not between 10501 and 21000",
                         distributed=('target', 'staged') if staged == PERMANENT else ('target',))
        pair.same(call(WHOLE, 'dry_run => true'), (21500, 2000, 10400, 9100, 0, 10500))
        pair.same(call(WHOLE), (21500, 2000, 10400, 9100, 0, 10500))
        pair.same(call(WHOLE), (21500, 0, 0, 21500, 0, 0))
        pair.both("delete from staged where k > 10450; update staged set v = 'x' where k <= 10300")
        pair.same(call(UPSERT), (10450, 0, 10300, 150, 0, 0))
        pair.both("truncate target")
        pair.same(call(WHOLE), (10450, 10450, 0, 0, 0, 0))
        pair.close()


def changes_that_stay(test):
    """Where nothing is to be decided about them, rows that differ do not come to the coordinator."""
    pair = test.pair(TARGET, ROWS, PERMANENT, FEED, 'set bulk_sync.matcher to auto; set bulk_sync.applier to direct', distributed=('target', 'staged'))
    for options, expected in (((WHOLE, "actions => '{update,delete}'"), (19, 0, 5, 10, 4, 5)), ((WHOLE, "actions => '{insert}'"), (19, 4, 0, 10, 5, 0))):
        before = pair.places()
        pair.same(call(*options, 'dry_run => true'), expected)
        pair.same(call(*options, 'max_deletes => 0') if 'delete' in options[1] else call(*options, 'expected_rows => 18'),
                  'SY003' if 'delete' in options[1] else 'SY001')
        assert pair.places() == before, 'something was written'
        pair.both('begin')
        pair.same(call(*options), expected)
        pair.same_rows(options)
        pair.both('rollback')
    before = pair.places()
    tables = tables_made(pair, 'begin; ' + call(WHOLE) + '; rollback')
    assert len(tables) == 1, 'not one table beside the shards: %s' % tables
    pair.same(call(WHOLE, 'max_deletes => 5', 'max_delete_fraction => 0.3'), (19, 4, 5, 10, 0, 5))
    pair.untouched(before, 10)
    pair.same(call(WHOLE), (19, 0, 0, 19, 0, 0))
    pair.both("insert into staged values (3, 3, 'w', 3)")
    pair.same(call(WHOLE), '21000')
    pair.both("truncate staged")
    pair.same(call(WHOLE), 'SY002', also=('SY001',))
    pair.same(call(WHOLE, 'allow_empty => true'), (0, 0, 0, 0, 0, 19))


def tables_made(pair, sql):
    """Which tables a call makes beside the shards, by what Citus says it sends."""
    pair.far.query('set client_min_messages to notice; set citus.log_remote_commands to on')
    pair.far.notices.clear()
    pair.far.query(sql)
    pair.far.query('set citus.log_remote_commands to off')
    return set(re.findall(r'bulk_sync_\d+_\d+(?=_\d)', '\n'.join(pair.far.notices)))


def keys_that_stay(test):
    """Whatever type distributes the rows: shards compare them by themselves."""
    for kind, value in (('varchar(20)', "'k' || i"), ('text', "'k' || i"), ('bigint', 'i'), ('uuid', 'md5(i::text)::uuid'), ('date', "'2024-01-01'::date + i"),
                        ('timestamptz', "'2024-01-01 00:00Z'::timestamptz + i * interval '1 s'"), ('bytea', 'int4send(i)'), ('inet', "'10.0.0.0'::inet + i")):
        columns = '(k %s, k2 varchar(9), a int, b text[], d varchar(5)' % kind
        pair = test.pair('create table target %s, primary key (k, k2))' % columns, "insert into target select %s, i, i, array['x', i::text], i from generate_series(1, 50) as i" % value,
                         'create table staged %s)' % columns, "insert into staged select %s, i, i %% 7 + i, array['x', i::text], i from generate_series(10, 60) as i" % value,
                         'set bulk_sync.applier to direct', distributed=('target', 'staged'))
        tables = tables_made(pair, 'begin; ' + call(WHOLE, key='{k,k2}') + '; rollback')
        assert len(tables) == 1, '%s: not one table beside the shards: %s' % (kind, tables)
        pair.same(call(WHOLE, key='{k,k2}'), (51, 10, 35, 6, 0, 9))
        pair.same(call(WHOLE, key='{k,k2}'), (51, 0, 0, 51, 0, 0))
        pair.close()


def new_rows_before_deletes(test):
    """Which rows are new is found out before the first write: a row that a cascade deletes is not put back."""
    columns = '(k int, id int, boss int, v text, primary key (k, id)'
    pair = test.pair('create table target %s, foreign key (k, boss) references target on delete cascade)' % columns, "insert into target values (1, 1, null, 'v'), (1, 2, 1, 'v'), (1, 4, null, 'v')",
                     'create table staged %s)' % columns, "insert into staged values (1, 2, 1, 'v'), (1, 4, null, 'v'), (1, 3, null, 'v')",
                     'set bulk_sync.applier to direct', distributed=('target', 'staged'))
    pair.same(call(WHOLE, key='{k,id}'), (3, 1, 0, 2, 0, 1))


def refused_on_shards(test):
    """What refuses a new row that lies on a shard already is told as it is."""
    pair = test.pair("create table target (k int primary key, n serial, v text check (v <> 'bad'), u int)", "insert into target (k, v, u) select k, 'v', k from generate_series(1, 20) as k",
                     'create unique index on target (k, u)', 'create table staged (k int, v text, u int)', "insert into staged select k, 'v', k from generate_series(1, 30) as k",
                     'set bulk_sync.applier to direct', distributed=('target', 'staged'))
    for change, code in (("update staged set v = 'bad' where k = 25", '23514'), ("update staged set v = 'bad' where k in (5, 25)", '23514'),
                         ('alter table target add check (k <> 30)', '23514')):
        pair.both('begin; savepoint a')
        pair.both(change)
        for connection in (pair.near, pair.far):
            answer = outcome(connection, call(WHOLE, "columns => '{v,u}'"))
            assert answer == code, '%s: %s' % (change, answer)
        pair.both('rollback to a')
        pair.agree(call(WHOLE, "columns => '{v,u}'"), (30, 10, 0, 20, 0, 0))
        pair.both('rollback')


def odd_uniqueness(test):
    """What looks like a unique key in version 18, and is none: WITHOUT OVERLAPS, NOT NULL that is not valid."""
    if int(test.cluster.watching[0].value('show server_version_num')) < 180000:
        return 'needs version 18'
    pair = test.pair('create table target (k int4range, v daterange, n int, x text, primary key (k, v without overlaps), unique (k, n))',
                     "insert into target select int4range(i, i + 1), daterange('2024-01-01', '2024-02-01'), i, 'x' from generate_series(1, 9) as i",
                     'create table staged (k int4range, v daterange, n int, x text, primary key (k, n))',
                     "insert into staged select int4range(i, i + 1), daterange('2024-01-01', '2024-03-01'), i, 'x' from generate_series(5, 12) as i",
                     'set bulk_sync.applier to direct', distributed=('target', 'staged'))
    pair.same(call(WHOLE, key='{k,n}'), (8, 3, 5, 0, 0, 4))
    pair.close()
    pair = test.pair('create table target (k int, n int, v text, unique (k, n))', "insert into target values (1, null, 'v')", 'alter table target add constraint filled not null n not valid',
                     'create table staged (k int, n int, v text)', "insert into staged values (1, null, 'v')", 'set bulk_sync.applier to direct', distributed=('target', 'staged'))
    pair.same(call(WHOLE, key='{k,n}'), (1, 0, 0, 1, 0, 0))
    return None


def what_does_not_stay(test):
    """Rows about which something is to be decided come to the coordinator, whatever the setting: with the same outcome."""
    for options, expected in ((("update_where => 'target.g > 1'",), None), (("keep_columns => '{v}'",), None), (("fill_columns => '{v}'",), None),
                              (("insert_only_columns => '{v}'",), None), (("touch_columns => '{n}'",), None), (("scope_values => '{\"g\": 1}'",), None)):
        pair = test.pair(TARGET, ROWS, PERMANENT, FEED, 'update staged set v = null where k % 3 = 0', 'update staged set g = 1' if 'scope' in options[0] else 'select 1',
                         'set bulk_sync.matcher to auto; set bulk_sync.applier to direct', distributed=('target', 'staged'))
        pair.same(call(WHOLE if 'scope' not in options[0] else "lock_mode => 'exclusive'", *options), expected)
        pair.close()
    pair = test.pair('create table target (k int, u int, v text, primary key (k), unique (k, u))', "insert into target select k, k, 'v' from generate_series(1, 20) as k",
                     'create table staged (k int primary key, u int, v text)', "insert into staged select k, 21 - k, 'w' from generate_series(1, 20) as k",
                     'set bulk_sync.applier to direct', distributed=('target', 'staged'))
    pair.same(call(WHOLE), (20, 0, 20, 0, 0, 0))


def no_table(test):
    """Who may not create a table in the schema of the target writes all the same."""
    pair = test.pair(TARGET, ROWS)
    for connection, schema in ((pair.near, 'near'), (pair.far, 'far')):
        connection.query('set client_min_messages to error')
        if not connection.query("select from pg_roles where rolname = 'nobody_much'"):
            connection.query('create role nobody_much login')
        connection.query('grant usage on schema %s to nobody_much; grant select, insert, update, delete on target to nobody_much' % schema)
        connection.query("set bulk_sync.applier to direct; set role nobody_much")
    pair.both(STAGED)
    pair.both(FEED)
    pair.same(call(WHOLE), COUNTS)
    pair.both('reset role; drop owned by nobody_much')
    pair.far.query('drop role nobody_much')


def ddl_stays_here(test):
    """Where other nodes would not hear that a table is dropped, none is made."""
    for setting in ('citus.enable_ddl_propagation to off', 'session_replication_role to replica'):
        for staged in (STAGED, PERMANENT):
            pair = test.pair(TARGET, ROWS, staged, FEED, 'set bulk_sync.applier to direct', distributed=('target', 'staged') if staged == PERMANENT else ('target',))
            pair.far.query('set ' + setting)
            pair.same(call(WHOLE), COUNTS)
            pair.far.query('reset citus.enable_ddl_propagation; reset session_replication_role')
            pair.close()


def many_columns(test):
    """A table may have more columns than a query can give of two rows."""
    for columns in (500, 900):
        names = ['c%d' % i for i in range(columns)]
        pair = test.pair('create table target (k int primary key, %s)' % ', '.join(name + ' int' for name in names), 'insert into target (k, c1) select k, 1 from generate_series(1, 5) as k',
                         'create table staged (k int primary key, %s)' % ', '.join(name + ' int' for name in names), 'insert into staged (k, c1) select k, k % 2 from generate_series(2, 7) as k',
                         distributed=('target', 'staged'))
        for applier in APPLIERS:
            forced(pair, 'auto', applier)
            dry, real = (outcome(pair.far, sql) for sql in (call(WHOLE, 'dry_run => true'), 'begin; ' + call(WHOLE)))
            pair.far.query('rollback')
            assert real in (dry, '54011'), '%d columns: %s, a dry run %s' % (columns, real, dry)
            if isinstance(real, str):
                assert pair.error_of(call(WHOLE)).hint, '%d columns: no hint' % columns
            else:
                assert real == [('6', '2', '2', '2', '0', '1')], real
        pair.close()


def changed_by_address(test):
    """A row that is found by its address is still looked at in the version that another session made of it."""
    for change, expected in (("update target set v = 'theirs' where k = 12", (19, 4, 5, 10, 0, 5)),
                             ("update target set v = 'w12' where k = 12", (19, 4, 4, 11, 0, 5)),
                             ('delete from target where k = 17', (19, 4, 5, 10, 0, 4)),
                             ("update target set v = 'theirs' where k = 17", (19, 4, 5, 10, 0, 5))):
        pair = test.pair(TARGET, ROWS, STAGED, FEED)
        for schema, connection in (('near', pair.near), ('far', pair.far)):
            connection.query("set bulk_sync.applier to direct")
            other = pair.session(schema)
            other.query('begin; ' + change)
            connection.send(call(WHOLE))
            wait_until(lambda: any(watch.value(WAITING) != '0' for watch in pair.cluster.watching), 20, 'nobody waits')
            other.query('commit')
            got = connection.receive()
            assert got == [tuple(map(str, expected))], '%s, %s: %s' % (schema, change, got)
        pair.same_rows(change)
        pair.close()


TESTS = [
    ('every way of reading and writing', every_way, HASHED),
    ('every way of writing, NULLs in keys', null_keys, HASHED),
    ('many rows', many_rows, HASHED),
    ('changes that stay on their shards', changes_that_stay, HASHED),
    ('changes that stay, by keys of many types', keys_that_stay, ('hash',)),
    ('new rows are found before others are deleted', new_rows_before_deletes, ('hash',)),
    ('new rows are refused on their shards', refused_on_shards, HASHED),
    ('uniqueness that is none', odd_uniqueness, ('hash',)),
    ('changes that do not', what_does_not_stay, HASHED),
    ('no table beside the shards', no_table, ('hash',)),
    ('no table where DDL stays on this node', ddl_stays_here, HASHED),
    ('many columns', many_columns, ('hash',)),
    ('a row that changes at its address', changed_by_address, HASHED),
]
