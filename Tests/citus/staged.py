"""Where may the staged rows lie? In anything that can be read; what lies beside the target already is not moved."""
from changes import FEED, ROWS, TARGET, WHOLE, call
from pair import KINDS

PERMANENT = 'create table staged (k int, g int, v text, n numeric)'
EXPECTED = (19, 4, 5, 10, 0, 5)


def kinds_of_staged(test):
    """The same rows as a temporary, unlogged, permanent and partitioned table, a view, a materialized view."""
    for make in ((PERMANENT, FEED), ('create unlogged table staged (k int, g int, v text, n numeric)', FEED),
                 ('create temporary table staged (k int, g int, v text, n numeric) on commit preserve rows', FEED),
                 ('create temporary table fed (k int, g int, v text, n numeric)', FEED.replace('staged', 'fed', 1), 'create temporary view staged as select * from fed'),
                 ('create temporary table staged (k int, g int, v text, n numeric) partition by list (g)',
                  'create temporary table parts partition of staged default', FEED),
                 (PERMANENT.replace('staged', 'fed'), FEED.replace('staged', 'fed', 1), 'create materialized view staged as select * from fed')):
        if test.kind == 'schema' and 'temporary' not in make[0]:
            continue                                             # it would be distributed; that is the next test
        pair = test.pair(TARGET, ROWS, *make)
        before = pair.places()
        pair.same(call(WHOLE), EXPECTED)
        pair.untouched(before, 10)
        pair.close()


def values(test):
    """A view without a table below it."""
    pair = test.pair(TARGET, ROWS, "create temporary view staged as select k, k % 4 as g, 'v' || k as v, k::numeric as n from generate_series(1, 18) as k")
    pair.same(call(WHOLE), (18, 0, 0, 18, 0, 2))


def staged_beside(test):
    """Distributed with the target: its rows are not brought to the coordinator."""
    pair = test.pair(TARGET, ROWS, PERMANENT, FEED, distributed=('target', 'staged'))
    before = pair.places()
    pair.same(call(WHOLE, 'dry_run => true'), EXPECTED)
    pair.same(call(WHOLE, 'expected_rows => 18'), 'SY001')
    pair.same(call(WHOLE, 'max_deletes => 1'), 'SY003')
    pair.same(call("scope => 'g = 1'"), '44000')
    pair.same(call(WHOLE), EXPECTED)
    pair.untouched(before, 10)
    pair.both("insert into staged values (3, 3, 'w', 3)")
    pair.same(call(WHOLE), '21000')
    pair.same(call(WHOLE, "duplicates => 'first'", "order_column => 'v'"), (20, 0, 0, 19, 1, 0), also=('0A000',))


def staged_beside_converted(test):
    """The same with columns of other types, which are converted as on one machine."""
    pair = test.pair('create table target (k int primary key, n numeric(5,1), d date)', "insert into target values (1, 1.5, '2024-01-01'), (2, 2, '2024-01-02'), (3, 3, null)",
                     'create table staged (k int, n text, d text, more int)', "insert into staged values (1, '1.46', '20240101', 1), (2, '2.04', '2024-01-03', 2), (4, '4', null, 3)",
                     distributed=('target', 'staged'))
    pair.same(call(WHOLE, "columns => '{n,d}'", "update_where => 'staged.more > 5'"), (3, 1, 0, 1, 1, 1))
    pair.same(call(WHOLE, "columns => '{n,d}'"), (3, 0, 1, 2, 0, 0))
    pair.both("insert into staged values (5, 'five', null, 4)")
    pair.same(call(WHOLE, "columns => '{n,d}'"), '22P02')


def staged_beside_equal_keys(test):
    """A unique index whose equality is not that of the key: rows of one key are found to be two, as on one machine."""
    pair = test.pair('create type pair as (a int, b numeric)', 'create table target (k int not null, p pair not null, v text)', "create unique index on target (k, p record_image_ops)",
                     "insert into target select k, (k, '1.0')::pair, 'v' from generate_series(1, 6) as k",
                     'create table staged (k int not null, p pair not null, v text)', "create unique index on staged (k, p record_image_ops)",
                     "insert into staged select k, (k, '1.000')::pair, 'w' from generate_series(2, 7) as k", distributed=('target', 'staged'))
    pair.same(call(WHOLE, key='{k,p}'), (6, 1, 5, 0, 0, 1))
    pair.both("insert into target values (3, (3, '1.0')::pair, 'v')")
    pair.same(call(WHOLE, key='{k,p}'), '21000')
    pair.both("delete from target where k = 3 and p *= row(3, 1.0)::pair; insert into staged values (4, (4, '1.0')::pair, 'w')")
    pair.same(call(WHOLE, key='{k,p}'), '21000')


def staged_elsewhere(test):
    """Distributed by another column, or not with the target; a reference table."""
    for how in ("select create_distributed_table('staged', 'g')", "select create_distributed_table('staged', 'k', shard_count => 3, colocate_with => 'none')",
                "select create_reference_table('staged')"):
        pair = test.pair(TARGET, ROWS)
        pair.near.query(PERMANENT)
        pair.near.query(FEED)
        pair.far.query('set citus.enable_schema_based_sharding to off; drop schema if exists fed cascade; create schema fed; set search_path to far, fed, public')
        pair.far.query(PERMANENT.replace('staged', 'fed.staged'))
        if test.kind != 'local':
            pair.far.query(how)
        pair.far.query(FEED)
        pair.same(call(WHOLE), EXPECTED)
        pair.same(call(WHOLE), (19, 0, 0, 19, 0, 0))
        pair.far.query('drop schema fed cascade')
        pair.close()


def stage(test):
    """bulk_stage, COPY, bulk_sync: nothing but what users do everywhere."""
    pair = test.pair(TARGET, ROWS)
    pair.both("set client_min_messages to error")
    assert pair.both("select bulk_stage('target')")[1], 'no name'
    data = ''.join('%d\t%d\t%s%d\t%d\n' % (k, k % 4, 'w' if 11 <= k <= 15 else 'v', k, k) for k in range(1, 25) if not 16 <= k <= 20)
    for connection in (pair.near, pair.far):
        connection.begin_copy('copy target_staged from stdin')
        connection.copy_data(data)
        connection.end_copy()
    pair.same("select * from bulk_sync('target', 'target_staged', scope => 'true')", EXPECTED)
    left = pair.cluster.left_behind()
    pair.both("select bulk_stage('target')")
    assert pair.far.value('select count(*) from target_staged') == '0'
    pair.both("begin; select bulk_stage('target', '{v,k}', 'feed', on_commit_drop => true); insert into feed values ('x', 1)")
    pair.same("select * from bulk_sync('target', 'feed', scope => 'true')", (1, 0, 1, 0, 0, 18))
    pair.both('commit')
    pair.same_rows('the commit')
    pair.nothing_left(left)


TESTS = [
    ('staged tables of every kind', kinds_of_staged, KINDS),
    ('a staged view of no table', values, KINDS),
    ('staged beside the target', staged_beside, KINDS),
    ('staged beside the target, in other types', staged_beside_converted, KINDS),
    ('staged beside the target, another equality', staged_beside_equal_keys, ('hash', 'partitioned')),
    ('staged elsewhere in the cluster', staged_elsewhere, KINDS),
    ('bulk_stage', stage, KINDS),
]
