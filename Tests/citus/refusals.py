"""What cannot hold on a distributed table is refused before anything is written, and the message says what to do."""
from changes import FEED, ROWS, STAGED, TARGET, UPSERT, WHOLE, call
from pair import KINDS, REFUSED, outcome

HASHED = ('hash', 'partitioned')
TABLE = 'create table target (k int, name text, v text, primary key (k, name))'


def key_without_distribution(test):
    pair = test.pair('create table target (k int, name text, v text)', "insert into target select k, 'n' || k, 'v' from generate_series(1, 6) as k",
                     'create temporary table staged (k int, name text, v text)', "insert into staged select k, 'n' || k, 'w' from generate_series(2, 8) as k")
    for options in ((WHOLE,), (UPSERT,), ("scope => 'k < 4'", "actions => '{delete}'"), (WHOLE, 'dry_run => true')):
        pair.refused(call(*options, key='{name}'), saying='"k"')
    # where the scope gives the one value that there is, the key need not
    pair.same(call("scope => 'k = 2'", "actions => '{delete}'", key='{name}'), (7, 0, 0, 0, 7, 0), also=REFUSED)
    pair.refused(call(WHOLE, key='{name}', function='bulk_compare'), saying='"k"')
    pair.same(call(WHOLE, key='{k,name}'), (7, 2, 5, 0, 0, 1))


def key_within_one_value(test):
    """A scope on one value of the distribution column: within it the key need not contain the column."""
    pair = test.pair(TABLE, "insert into target select k, 'n' || i, 'v' from generate_series(1, 4) as k, generate_series(1, 5) as i",
                     'create temporary table staged (k int, name text, v text)', "insert into staged values (2, 'n1', 'w'), (2, 'n2', 'v'), (2, 'n9', 'v')")
    pair.same(call("scope => 'k = 2'", key='{name}'), (3, 1, 1, 1, 0, 3))
    pair.same(call("scope => '2 = target.k and true'", 'dry_run => true', key='{name}'), (3, 0, 0, 3, 0, 0))
    pair.both("update staged set k = 3 where name = 'n1'")
    pair.same(call("scope => 'k = 2'", key='{name}'), '44000')


def distribution_supplied(test):
    """A key column may be supplied by scope_values (1.2.3): the distribution column too."""
    pair = test.pair(TABLE, "insert into target select k, 'n' || i, 'v' from generate_series(1, 4) as k, generate_series(1, 5) as i",
                     'create temporary table staged (name text, v text)', "insert into staged values ('n1', 'w'), ('n2', 'v'), ('n9', 'v')")
    pair.same(call('scope_values => \'{"k": 2}\'', key='{k,name}'), (3, 1, 1, 1, 0, 3))


def wrong_arguments(test):
    """As on one machine, and in the same order."""
    pair = test.pair(TARGET, ROWS, STAGED, FEED)
    before = pair.places()
    for sql, code in ((call(WHOLE, key='{nope}'), '42703'), (call(WHOLE, key='{ctid}'), '42703'), (call(WHOLE, key='{}'), '22023'),
                      (call(WHOLE, "actions => '{upsert}'"), '22023'), (call(WHOLE, "lock_mode => 'share'"), '22023'),
                      (call(WHOLE, "touch_columns => array[null]"), '22004'), (call("scope => 'nope = 1'"), '42703'),
                      (call("scope => 'k ='"), '42601'), (call(WHOLE, "update_where => 'staged.nope = 1'"), '42703'), (call(WHOLE, "keep_columns => '{k}'"), '22023'),
                      ("select * from bulk_sync('target', 'target', '{k}', scope => 'true')", '22023'),
                      ("select * from bulk_sync('target', null, '{k}', scope => 'true')", '22004'),
                      (call(WHOLE, "soft_delete_column => 'v'"), '22023')):
        pair.same(sql, code)
        near, far = pair.error_of(sql, pair.near), pair.error_of(sql)
        assert near.message == far.message, '%s, on one machine %s' % (far.message, near.message)
    assert pair.places() == before


def empty_key(test):
    """Every staged row is inserted (1.0.5)."""
    pair = test.pair('create table target (k int, v text)', "insert into target values (1, 'a'), (2, 'b')",
                     'create temporary table staged (k int, v text)', "insert into staged values (1, 'a'), (1, 'a'), (3, 'c')")
    pair.same(call("actions => '{insert}'", key='{}'), (3, 3, 0, 0, 0, 0), also=REFUSED)


def read_only(test):
    """A call is refused; a dry run and bulk_compare work, or are refused as a whole."""
    pair = test.pair(TARGET, ROWS, STAGED, FEED)
    answers = []
    for sql, code in ((call(WHOLE), '25006'), (call(WHOLE, 'dry_run => true'), None), ("select count(*) from bulk_compare('target', 'staged', '{k}', %s)" % WHOLE, None)):
        pair.both('set default_transaction_read_only to on')
        answers.append(pair.same(sql, code, also=() if code else ('25006', '0A000')))
        pair.both('set default_transaction_read_only to off')
    return 'read only: a dry run %s, bulk_compare %s' % tuple('is refused' if isinstance(a, str) else 'works' for a in answers[1:])


def other_distributions(test):
    """Tables distributed by range or by appending have no fixed place for a key: refused."""
    pair = test.pair('create table target (k int, v text)', STAGED, FEED)
    pair.far.query("select undistribute_table('target')")
    for how in ('range', 'append'):
        pair.far.query("drop table target; create table target (k int, v text); select create_distributed_table('target', 'k', '%s')" % how)
        left = pair.cluster.left_behind()
        error = pair.error_of(call(WHOLE, "columns => '{k,v}'"))
        assert error.code in REFUSED, '%s: %s' % (how, error)
        pair.nothing_left(left)


def views_of_them(test):
    """A view of a distributed table is synced as a view of a table is, or refused before anything is written."""
    pair = test.pair(TARGET, ROWS, STAGED, FEED, 'create view seen as select * from target where k > 0')
    pair.same(call(WHOLE).replace("'target'", "'seen'"), (19, 4, 5, 10, 0, 5), also=REFUSED)


def local_tables(test):
    """A table that is not distributed is written as ever, in the same database; so is one that Citus only knows of."""
    pair = test.pair(TARGET, STAGED, FEED)
    connection = pair.far
    connection.query("set search_path to near, public; create table other (k int primary key, g int, v text, n numeric)")
    connection.query(ROWS.replace('into target', 'into other'))
    sql = call(WHOLE).replace("'target'", "'other'")
    assert connection.query(sql) == [('19', '4', '5', '10', '0', '5')]
    connection.query("truncate other; select citus_add_local_table_to_metadata('near.other')")
    connection.query(ROWS.replace('into target', 'into other'))
    answer = outcome(connection, sql)
    assert answer == [('19', '4', '5', '10', '0', '5')] or answer == '0A000', 'a local table that Citus knows of: %s' % (answer,)
    rows = connection.value('select count(*) from other')
    assert rows == ('20' if answer == '0A000' else '19'), rows
    return 'a local table in the metadata of Citus is %s' % ('refused' if isinstance(answer, str) else 'synced')


def shards_themselves(test):
    """A shard is no table of the user's: whatever becomes of the call, its rows stay where they belong."""
    pair = test.pair(TARGET, ROWS, STAGED, "insert into staged select k, 0, 'bad', 0 from generate_series(1, 40) as k")
    shard = pair.far.query("select shard_name from citus_shards where table_name = 'far.target'::regclass and nodename = '%s'" % pair.cluster.nodes[0])
    if shard:
        before = pair.places()
        answer = outcome(pair.far, "select * from bulk_sync('%s', 'staged', '{k}', actions => '{insert}')" % shard[0][0])
        assert isinstance(answer, str) and pair.places() == before, 'rows were written into a shard: %s' % (answer,)


TESTS = [
    ('a key without the distribution column', key_without_distribution, HASHED),
    ('a key within one value of the distribution column', key_within_one_value, HASHED),
    ('a distribution column that is supplied', distribution_supplied, KINDS),
    ('wrong arguments', wrong_arguments, KINDS),
    ('an empty key', empty_key, KINDS),
    ('read-only transactions', read_only, KINDS),
    ('range and append distribution', other_distributions, ('hash',)),
    ('views of distributed tables', views_of_them, KINDS),
    ('tables that are not distributed', local_tables, ('hash',)),
    ('shards', shards_themselves, ('hash',)),
]
