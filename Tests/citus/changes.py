"""What is inserted, updated and deleted, and how is it counted? (contract 1.1, 1.2, 1.3 and 1.5)"""
from pair import KINDS

TARGET = 'create table target (k int primary key, g int, v text, n numeric)'
STAGED = 'create temporary table staged (k int, g int, v text, n numeric)'
ROWS = "insert into target select k, k % 4, 'v' || k, k from generate_series(1, 20) as k"
# 1 to 10 as they are, 11 to 15 changed, 16 to 20 gone, 21 to 24 new
FEED = ("insert into staged select k, k % 4, case when k between 11 and 15 then 'w' else 'v' end || k, k from generate_series(1, 24) as k "
        "where k not between 16 and 20")


def call(*options, key='{k}', function='bulk_sync'):
    return "select * from %s('target', 'staged', '%s'%s)" % (function, key, ''.join(', ' + option for option in options))


WHOLE = "scope => 'true'"
UPSERT = "actions => '{insert,update}'"


def counts(test):
    pair = test.pair(TARGET, ROWS, STAGED, FEED)
    before = pair.places()
    pair.same(call(WHOLE), (19, 4, 5, 10, 0, 5))
    pair.untouched(before, 10)
    before = pair.places()
    pair.same(call(WHOLE), (19, 0, 0, 19, 0, 0))
    pair.untouched(before, 19)


def primary_key(test):
    pair = test.pair(TARGET, ROWS, STAGED, FEED)
    pair.same("select * from bulk_sync('target', 'staged', scope => 'true')", (19, 4, 5, 10, 0, 5))


def actions(test):
    for chosen, expected in (('insert', (19, 4, 0, 10, 5, 0)), ('update', (19, 0, 5, 10, 4, 0)), ('delete', (19, 0, 0, 10, 9, 5)),
                             ('update,delete', (19, 0, 5, 10, 4, 5)), ('INSERT,Delete', (19, 4, 0, 10, 5, 5)),
                             ('insert,update', (19, 4, 5, 10, 0, 0))):
        pair = test.pair(TARGET, ROWS, STAGED, FEED)
        pair.same(call("actions => '{%s}'" % chosen, WHOLE), expected)
        pair.close()


def empty_tables(test):
    pair = test.pair(TARGET, STAGED)
    pair.same(call(WHOLE, 'allow_empty => true'), (0, 0, 0, 0, 0, 0))
    pair.both(FEED)
    pair.same(call(WHOLE), (19, 19, 0, 0, 0, 0))
    pair.both('truncate staged')
    pair.same(call(WHOLE, 'allow_empty => true'), (0, 0, 0, 0, 0, 19))


def dry_runs(test):
    pair = test.pair(TARGET, ROWS, STAGED, FEED)
    before = pair.places()
    pair.same(call(WHOLE, 'dry_run => true'), (19, 4, 5, 10, 0, 5))
    assert pair.places() == before, 'a dry run has written'
    pair.same(call(WHOLE, 'dry_run => true', 'max_deletes => 4'), 'SY003')
    pair.same(call(WHOLE, 'dry_run => true', 'expected_rows => 4'), 'SY001')


def differences(test):
    """bulk_compare: the same rows, whatever their order."""
    pair = test.pair(TARGET, ROWS, STAGED, FEED)
    before = pair.places()
    for options in ((), ('include_unchanged => true',), ("fill_columns => '{v}'", "scope_columns => '{g}'")):
        asked = ("select json_build_array(action, staged_row, key, changed_columns, old, new)::text from bulk_compare('target', "
                 "'staged', '{k}', %s) order by 1" % ', '.join((WHOLE,) + options))
        rows = pair.same(asked)
        assert len(rows) >= 9, rows
    assert pair.places() == before, 'bulk_compare has written'


def role_columns(test):
    """Each role, with a row to insert, one that differs in that column alone, one that differs elsewhere, and NULLs."""
    table = 'create table target (k int primary key, a text, b text)'
    rows = "insert into target values (1, 'a', 'b'), (2, 'a', 'b'), (3, 'a', null), (4, 'a', null), (5, 'a', 'b'), (6, 'a', 'b')"
    feed = ("insert into staged values (1, 'a', 'B'), (2, 'A', 'B'), (3, 'a', 'B'), (4, 'A', null), (5, 'a', null), (6, 'A', null), "
            "(7, 'a', 'B'), (8, 'a', null)")
    for role, expected in (('insert_only', (8, 2, 3, 3, 0, 0)), ('touch', (8, 2, 3, 3, 0, 0)), ('fill', (8, 2, 4, 2, 0, 0)),
                           ('keep', (8, 2, 5, 1, 0, 0))):
        pair = test.pair(table, rows, 'create temporary table staged (k int, a text, b text)', feed)
        pair.same(call(UPSERT, "%s_columns => '{b}'" % role), expected)
        pair.close()


def columns_chosen(test):
    """What is not synced keeps its value, and takes its default in a new row."""
    pair = test.pair("create table target (k int primary key, a text default 'given', b int default 7, c text)",
                     "insert into target values (1, 'x', 1, 'c'), (2, 'y', 2, 'c')",
                     'create temporary table staged (more int, c text, a text, k int)',
                     "insert into staged values (1, 'C', 'X', 1), (1, 'c', 'Y', 2), (1, 'C', 'Z', 3)")
    pair.same(call(WHOLE), '42703')
    pair.same(call(WHOLE, "columns => '{c}'"), (3, 1, 1, 1, 0, 0))


def conditions(test):
    """update_where, with columns that are synced, not synced, and staged alone."""
    pair = test.pair(TARGET, ROWS, STAGED, FEED, 'alter table staged add version int', 'update staged set version = k')
    options = ("columns => '{k,g,v}'", UPSERT)
    pair.same(call(*options, "update_where => 'staged.version > 12 and target.n < 15'"), (19, 4, 2, 10, 3, 0))
    pair.same(call(*options, "update_where => 'staged.v is distinct from target.v and target.g = 3'"), (19, 0, 2, 16, 1, 0))
    pair.same(call(*options, "update_where => 'null'"), (19, 0, 0, 18, 1, 0))


def scopes(test):
    table, feed = (TARGET, ROWS, STAGED), "insert into staged select k, 1, 'w' || k, k from generate_series(1, 13, 4) as k"
    for options, expected in (
            (("scope => 'g = 1'",), (4, 0, 4, 0, 0, 1)), (("scope => 'target.g = 1 and k < 12'", "actions => '{delete}'"), (4, 0, 0, 0, 4, 0)),
            (("scope => 'target.g = 1 and k < 12'", "actions => '{insert,delete}'"), '44000'),
            (('scope_values => \'{"g": 1}\'',), (4, 0, 4, 0, 0, 1)), (("scope_columns => '{g}'",), (4, 0, 4, 0, 0, 1)),
            (("scope => 'k < 20'", 'scope_values => \'{"g": 1}\'', "scope_columns => '{g}'"), (4, 0, 4, 0, 0, 1)),
            (("scope => 'g in (select 1)'",), (4, 0, 4, 0, 0, 1)), (("scope => 'g = 2'",), '44000'),
            (("scope => 'g = null'",), '44000'), (("scope_values => '{\"g\": null}'", 'dry_run => true'), '44000'),
            (("scope => 'false'",), '44000'), (("scope => 'false'", "actions => '{delete}'"), (4, 0, 0, 0, 4, 0)),
            (("scope => 'g = 1 and g = 2'",), '44000'), (("scope => 'k = 1 and k = 2'", "actions => '{delete}'"), (4, 0, 0, 0, 4, 0)),
            (("scope => 'random() > 2'",), '0A000'), (("scope => 'count(*) > 2'",), '42803'), ((), '22023')):
        pair = test.pair(*table, feed)
        before = pair.places()
        pair.same(call(*options), expected)
        if isinstance(expected, tuple):
            pair.untouched({row: place for row, place in before.items() if row_column(row, 1) != '1'}, 15)
        pair.close()


def row_column(row, number):
    return row[0].strip('()').split(',')[number]


def scope_of_key(test):
    """The distribution column is supplied, or is the group."""
    pair = test.pair('create table target (company int, name text, pay numeric, primary key (company, name))',
                     "insert into target select c, 'n' || i, i from generate_series(1, 6) as c, generate_series(1, 10) as i",
                     'create temporary table staged (name text, pay numeric)',
                     "insert into staged select 'n' || i, i * (1 + i % 2) from generate_series(3, 12) as i", column='company')
    before = pair.places()
    pair.same(call('scope_values => \'{"company": 3}\'', key='{company,name}'), (10, 2, 4, 4, 0, 2))
    pair.untouched({row: place for row, place in before.items() if row_column(row, 0) != '3'}, 50)
    pair.both('alter table staged add company int; update staged set company = 4 + length(name) - 2')
    pair.same(call("scope_columns => '{company}'", key='{company,name}'), (10, 2, 4, 4, 0, 12))


def null_keys(test):
    """NULL equals NULL in the columns of the key that do not distribute."""
    pair = test.pair('create table target (k int, a text, b int, v text)',
                     "insert into target values (1, null, 1, 'x'), (1, 'a', null, 'x'), (2, null, null, 'x'), (3, null, 3, 'x'), (3, 'a', 3, 'x')",
                     'create temporary table staged (k int, a text, b int, v text)',
                     "insert into staged values (1, null, 1, 'x'), (1, 'a', null, 'y'), (2, null, null, 'y'), (3, null, null, 'y')")
    pair.same(call(WHOLE, key='{k,a,b}'), (4, 1, 2, 1, 0, 2))
    pair.same(call(WHOLE, key='{k,a,b}'), (4, 0, 0, 4, 0, 0))
    pair.both("insert into staged values (3, null, null, 'z')")
    pair.same(call(WHOLE, key='{k,a,b}'), '21000')


def null_of_distribution(test):
    """Citus stores no NULL there: the row can only be refused."""
    pair = test.pair('create table target (k int, a text, v text)', "insert into target values (1, 'a', 'x')",
                     'create temporary table staged (k int, a text, v text)', "insert into staged values (1, 'a', 'y'), (null, 'b', 'y')")
    if test.kind in ('hash', 'partitioned'):
        pair.refused(call(WHOLE, key='{k,a}'), ('23502', '22004', '22023', '0A000'), hint=False)
        pair.both('delete from staged where k is null')
    pair.same(call(WHOLE, key='{k,a}'))


def duplicates(test):
    pair = test.pair(TARGET, ROWS, STAGED, FEED, 'alter table staged add rank int',
                     "insert into staged values (3, 3, 'second', 3, 2), (3, 3, 'first', 3, 1), (22, 2, 'second', 22, null)")
    columns = "columns => '{k,g,v,n}'"
    pair.same(call(WHOLE, columns), '21000')
    pair.same(call(WHOLE, columns, "duplicates => 'first'", 'dry_run => true'), (22, 4, 5, 10, 3, 5))
    pair.same(call(WHOLE, columns, "duplicates => 'last'", "order_column => 'rank'", 'dry_run => true'), (22, 4, 6, 9, 3, 5))
    pair.same(call(WHOLE, columns, "duplicates => 'LAST'"), (22, 4, 6, 9, 3, 5))
    assert pair.far.value('select v from target where k = 3') == 'first'
    assert pair.far.value('select v from target where k = 22') == 'second'
    # a dropped one counts for the groups, and where it would go does not
    pair.both("truncate staged; insert into staged values (1, 1, 'v1', 1, 1), (1, 99, 'v1', 1, 2)")
    pair.same(call("scope_columns => '{g}'", columns, "duplicates => 'first'", "order_column => 'rank'"))


def matched_twice(test):
    pair = test.pair('create table target (k int, v text)', "insert into target values (1, 'a'), (2, 'a'), (2, 'b'), (3, 'c')",
                     'create temporary table staged (k int, v text)', "insert into staged values (1, 'b'), (2, 'b')")
    pair.same(call(UPSERT), '21000')
    pair.same(call(WHOLE), '21000')
    pair.both('delete from staged where k = 2')
    pair.same(call(WHOLE), (1, 0, 1, 0, 0, 3))


def soft_deletes(test):
    for kind in ('boolean not null default false', 'boolean', 'timestamptz'):
        marked = 'now()' if kind == 'timestamptz' else 'true'
        pair = test.pair('create table target (k int primary key, v text, gone %s)' % kind,
                         "insert into target (k, v) select k, 'v' || k from generate_series(1, 8) as k",
                         'update target set gone = %s where k > 6' % marked.replace('now()', "'2020-01-01 00:00+00'"),
                         'create temporary table staged (k int, v text, gone %s)' % kind.split()[0],
                         "insert into staged (k, v) values (1, 'v1'), (2, 'w2'), (7, 'v7'), (9, 'v9')")
        one = call(WHOLE, "soft_delete_column => 'gone'")
        if kind == 'timestamptz':
            stamped(pair, one)
        else:
            pair.same(one, (4, 1, 2, 1, 0, 4))
        pair.same(one, (4, 0, 0, 4, 0, 0))
        pair.close()


def stamped(pair, sql):
    """The marks of the two copies differ in their time; it is made one and the same."""
    for connection in (pair.near, pair.far):
        assert connection.query(sql) == [('4', '1', '2', '1', '0', '4')], 'marking with a time'
        connection.query("update target set gone = '2021-01-01 00:00+00' where gone > now() - interval '1 hour'")
    pair.same_rows(sql)


def soft_deleted_twice(test):
    """The live row, or else the only marked one; two of either: 21000."""
    pair = test.pair('create table target (k int, v text, gone boolean)',
                     "insert into target values (1, 'dead', true), (1, 'live', false), (2, 'dead', true), (3, 'x', true), (3, 'y', true), "
                     "(4, 'x', false), (4, 'y', null)",
                     'create temporary table staged (k int, v text)', "insert into staged values (1, 'new'), (2, 'dead')")
    options = (WHOLE, "soft_delete_column => 'gone'")
    pair.same(call(*options, 'dry_run => true'), (2, 0, 2, 0, 0, 2))
    for k in (3, 4):
        pair.both('truncate staged; insert into staged values (%d, \'z\')' % k)
        pair.same(call(*options), '21000')
    pair.both("truncate staged; insert into staged values (1, 'new'), (2, 'dead')")
    pair.same(call(*options), (2, 0, 2, 0, 0, 2))


def conflicts(test):
    """ignore_conflicts: a new row that another unique constraint refuses is skipped."""
    pair = test.pair('create table target (k int, code int, v text, primary key (k), unique (k, code))' if test.kind == 'partitioned' else
                     'create table target (k int, code int, v text, unique (k, code))',
                     "insert into target select k, k, 'v' || k from generate_series(1, 10) as k",
                     'create temporary table staged (k int, code int, v text)',
                     "insert into staged values (1, 1, 'other'), (2, 2, 'v2'), (11, 11, 'v11')")
    pair.same("select * from bulk_sync('target', 'staged', '{k,v}', actions => '{insert}')", '23505')
    pair.same("select * from bulk_sync('target', 'staged', '{k,v}', actions => '{insert}', ignore_conflicts => true)", (3, 1, 0, 1, 1, 0))


def guards(test):
    pair = test.pair(TARGET, ROWS, STAGED, FEED)
    before = pair.places()
    for options, expected, told in (
            (('expected_rows => 20',), 'SY001', ('20', '19')), (('max_deletes => 4',), 'SY003', ('4', '5')),
            (('max_delete_fraction => 0.24',), 'SY003', ('5', '20')), (('max_deletes => 0', 'max_delete_fraction => 0.5'), 'SY003', ('5',)),
            (('max_deletes => 4', 'max_delete_fraction => 0.2'), 'SY003', ('5',)), (('max_deletes => -1',), '22023', ())):
        pair.same(call(WHOLE, *options), expected)
        for number in told:
            error = pair.error_of(call(WHOLE, *options))
            assert number in error.message + error.detail, '%s is not in: %s' % (number, error)
    pair.same(call(WHOLE, 'max_deletes => 5', 'dry_run => true'), (19, 4, 5, 10, 0, 5))
    pair.both('create temporary table kept as select * from staged; truncate staged')
    pair.same(call(WHOLE), 'SY002')
    assert pair.places() == before, 'a guard refused, but something was written'
    pair.both('insert into staged select * from kept')
    pair.same(call(WHOLE, 'max_deletes => 4', 'max_delete_fraction => 0.25', 'expected_rows => 19'), (19, 4, 5, 10, 0, 5))


def order_of_phases(test):
    """Deleting comes first: it frees the unique values that new rows need."""
    pair = test.pair('create table target (k int, a int, v text, unique (k, v))', "insert into target values (1, 1, 'x'), (2, 1, 'y')",
                     'create temporary table staged (k int, a int, v text)', "insert into staged values (1, 2, 'x'), (2, 1, 'y')")
    pair.same(call(WHOLE, key='{k,a}'), (2, 1, 0, 1, 0, 1))


def many_rows(test):
    """More than one batch of anything, in all shards."""
    pair = test.pair('create table target (k int primary key, v text)', "insert into target select k, 'v' || k from generate_series(1, 30000) as k",
                     'create temporary table staged (k int, v text)',
                     "insert into staged select k, case when k % 3 = 0 then 'w' else 'v' end || k from generate_series(10001, 40000) as k")
    pair.same(call(WHOLE), (30000, 10000, 6667, 13333, 0, 10000))


TESTS = [
    ('counts are of rows written, and equal rows are untouched', counts, KINDS),
    ('the primary key is the key unless one is given', primary_key, KINDS),
    ('actions', actions, KINDS),
    ('empty target, empty feed', empty_tables, KINDS),
    ('a dry run gives the same numbers and refusals', dry_runs, KINDS),
    ('bulk_compare gives the same differences', differences, KINDS),
    ('roles of columns', role_columns, KINDS),
    ('columns that are not synced', columns_chosen, KINDS),
    ('update_where', conditions, KINDS),
    ('scope, scope_values, scope_columns', scopes, KINDS),
    ('scope by the distribution column', scope_of_key, KINDS),
    ('NULL equals NULL in a key', null_keys, KINDS),
    ('a NULL to distribute by', null_of_distribution, KINDS),
    ('duplicates', duplicates, KINDS),
    ('a staged row that matches two rows', matched_twice, KINDS),
    ('soft deletes', soft_deletes, KINDS),
    ('soft deletes, several rows of a key', soft_deleted_twice, KINDS),
    ('ignore_conflicts', conflicts, KINDS),
    ('guards, before anything is written', guards, KINDS),
    ('unique values of deleted rows', order_of_phases, ('hash', 'reference', 'schema')),
    ('many rows', many_rows, KINDS),
]
