"""Thousands of calls in one connection: do memory, locks, open files and catalogs stay as they are?

Each kind of call is made some hundred times first, until caches are full and memory is what it will be; from then on
nothing may grow with the number of calls.
"""
import os

import pictures
from cluster import memory_of

DATABASE = 'resources'
SCHEMA = """
create table target (k int primary key, g int, v text, big text, unique (v));
create table child (k int primary key references target on delete cascade);
create table staged (k int, g int, v text, big text);
create table other (k int, g int, v text, big text);
create table twice (k int, g int, v text, big text);
create table wrong (k int, g int, v text, big text);
create table words (k text, g text, v text, big text);
create table history (k int, g int, v text, at int);
create table history_staged (k int, g int, v text, at int);
create table parts (k int, g int, v text, primary key (k, g)) partition by list (g);
create table parts_1 partition of parts for values in (1);
create table parts_rest partition of parts default;
create table money_target (m money primary key, v text);
create table money_staged (m money, v text);
insert into staged select k, 1, 'v' || k, repeat('x', 3000) from generate_series(1, 20) as k;
insert into target table staged;
insert into other select k, 1, 'w' || k, repeat('y', 3000) from generate_series(11, 30) as k;
insert into twice table staged; insert into twice table staged;
insert into wrong select k, 1, 'same', null from generate_series(1, 2) as k;
insert into words values ('no number', '1', 'v', null);
insert into history_staged select k, 1, 'v', 1 from generate_series(1, 20) as k;
insert into money_staged select k::money, 'v' from generate_series(1, 20) as k;
"""
WHOLE = "scope => 'true'"
# A deliberate leak: a table more with each call
LEAK = "do $$ begin execute format('create table leak_%s ()', txid_current()); end $$"

# name: what is called in turn; a code where it must fail
KINDS = {
    'bulk_sync': [("select bulk_sync('target', 'staged', %s)" % WHOLE, None),
                  ("select bulk_sync('target', 'other', %s)" % WHOLE, None),
                  ("select bulk_sync('parts', 'staged', '{k}', columns => '{g,v}', scope_columns => '{g}')", None),
                  ("select bulk_sync('money_target', 'money_staged', %s)" % WHOLE, None),
                  ("select bulk_sync('target', 'staged', scope_values => '{\"g\": 1}', update_where => 'staged.k > 3')", None)],
    'bulk_sync in files': [("set bulk_sync.work_mem = '64kB'", None),
                           ("select bulk_sync('target', 'staged', %s)" % WHOLE, None),
                           ("select bulk_sync('target', 'other', %s)" % WHOLE, None),
                           ('reset bulk_sync.work_mem', None)],
    'bulk_compare': [("select count(*) from bulk_compare('target', 'other', %s, include_unchanged => true)" % WHOLE, None),
                     ("select * from bulk_compare('target', 'other', %s) limit 1" % WHOLE, None)],
    'bulk_sync_returning': [("select count(*) from bulk_sync_returning('target', 'staged', %s)" % WHOLE, None),
                            ("select * from bulk_sync_returning('target', 'other', %s) limit 1" % WHOLE, None)],
    'bulk_insert_changed': [("select bulk_insert_changed('history', 'history_staged', '{k}', 'at')", None),
                            ("update history_staged set v = case v when 'v' then 'w' else 'v' end, at = at + 1", None),
                            ("select bulk_insert_changed('history', 'history_staged', '{k}', 'at')", None),
                            ('truncate history', None)],
    'bulk_stage': [("select bulk_stage('target')", None),
                   ("begin; select bulk_stage('target', '{v,k}', 'gone', true)", None),
                   ("insert into gone values ('v', 1)", None),
                   ('commit', None)],
    'failing calls': [("select bulk_sync('target', 'staged', %s, expected_rows => 3)" % WHOLE, 'SY001'),
                      ("select bulk_sync('target', 'other', %s, max_deletes => 0)" % WHOLE, 'SY003'),
                      ("select bulk_sync('target', 'twice', %s)" % WHOLE, '21000'),
                      ("select bulk_sync('target', 'words', %s)" % WHOLE, '22P02'),
                      ("select bulk_sync('target', 'wrong', %s)" % WHOLE, '23505'),
                      ("select bulk_sync('target', 'other', scope => 'g = 2')", '44000'),
                      ("select bulk_sync('target', 'other', scope => 'g / 0 = 2')", '22012'),
                      ("select bulk_sync('target', 'other', scope => 'no such thing')", '42601'),
                      ("select bulk_sync('target', 'other', lock_mode => 'no lock')", '22023'),
                      ("select count(*) from bulk_sync_returning('target', 'wrong', %s)" % WHOLE, '23505'),
                      ("select bulk_insert_changed('history', 'words', '{k}', 'v')", '42804,42703,22P02'),
                      ("select bulk_stage('no_table')", '42P01')],
    'failing calls in savepoints': [('begin', None),
                                    ("select bulk_sync('target', 'staged', %s)" % WHOLE, None),
                                    ('savepoint s', None),
                                    ("select bulk_sync('target', 'wrong', %s)" % WHOLE, '23505'),
                                    ('rollback to s', None),
                                    ("select bulk_sync('target', 'words', %s)" % WHOLE, '22P02'),
                                    ('rollback to s; release s', None),
                                    ("do $$ begin perform bulk_sync('target', 'wrong', %s); exception when others then null; end $$"
                                     % WHOLE, None),
                                    ("do $$ begin perform bulk_sync('target', 'other', %s, max_deletes => 0);"
                                     " exception when others then null; end $$" % WHOLE, None),
                                    ('commit', None)],
}
# What PostgreSQL itself does not give back: its caches remember of each dropped table that there are no statistics of it
BASELINES = {
    'bulk_stage': [('drop table if exists pg_temp.target_staged', None),
                   ('create temporary table target_staged (k int, g int, v text, big text)', None),
                   ('begin; create temporary table gone (v text, k int) on commit drop', None),
                   ("insert into gone values ('v', 1)", None),
                   ('commit', None)],
}
# Kilobytes: what the contexts use is exact, what malloc() holds for them comes in large pieces
SLACK = {'used': 100, 'data': 2048, 'anonymous': 768}
MEASURES = """
select (select sum(used_bytes) / 1024 from pg_backend_memory_contexts)::bigint as used,
       (select count(*) from pg_locks where pid = pg_backend_pid()) as locks,
       (select count(*) from pg_class) as classes, (select count(*) from pg_attribute) as attributes,
       (select count(*) from pg_type) as types, (select count(*) from pg_depend) as dependencies,
       (select count(*) from pg_namespace) as schemas, (select count(*) from pg_class where relpersistence = 't') as temporary,
       (select count(*) from pg_cursors) as cursors, (select count(*) from pg_prepared_statements) as prepared"""


def measure(cluster, connection):
    """(what may not grow at all, kilobytes)"""
    values = list(map(int, connection.query(MEASURES)[0]))
    memory = memory_of(connection.pid)
    files = len(os.listdir('/proc/%d/fd' % connection.pid))
    return values[1:] + [len(cluster.temporary_files())], {'used': values[0], 'data': memory['VmData'], 'anonymous': memory['RssAnon']}, files


def call(connection, statements):
    for sql, code in statements:
        if code is None:
            connection.query(sql)
        else:
            pictures.fails(connection, tuple(code.split(',')), sql)


def grown(test, connection, statements):
    """Makes the calls; gives their number and the kilobytes that were added after the warm-up."""
    # The buffers of temporary tables fill up over the first thousand of these; so few are full at once
    connection.query("set synchronous_commit = off; set temp_buffers = '800kB'")
    made = 0
    while made < test.calls // 3:
        call(connection, statements)
        made += len(statements)
    counts, memory, files = measure(test.cluster, connection)
    made = 0
    while made < test.calls:
        call(connection, statements)
        made += len(statements)
    counts_now, memory_now, files_now = measure(test.cluster, connection)
    assert counts_now == counts, 'after %d calls there are %s, there were %s (%s)' % (made, counts_now, counts, MEASURES)
    # Files of tables stay open as long as they may: there are no more than tables
    assert files_now <= files + 10, '%d files are open, there were %d' % (files_now, files)
    assert not connection.warnings, connection.warnings[:3]
    return made, {kind: memory_now[kind] - memory[kind] for kind in memory}


def constant(test, name):
    test.cluster.create_database(DATABASE)
    connection = test.cluster.connect(DATABASE)
    connection.query(SCHEMA)
    expected = {}
    if name in BASELINES:
        baseline = test.cluster.connect(DATABASE)
        _, expected = grown(test, baseline, BASELINES[name])
        baseline.close()
    statements = KINDS[name] + [(LEAK, None)] if test.proving else KINDS[name]
    made, more = grown(test, connection, statements)
    assert all(more[kind] - expected.get(kind, 0) <= SLACK[kind] for kind in more), \
        'kilobytes more after %d calls: %s%s' % (made, more, ', %s by PostgreSQL alone' % expected if expected else '')
    connection.close()
    return '%d calls; kilobytes more: %s%s' % (
        made, ', '.join('%s %d' % item for item in more.items()),
        ' (PostgreSQL alone: %s)' % ', '.join('%s %d' % item for item in expected.items()) if expected else '')


TESTS = [('%s: memory, locks, files and catalogs stay constant' % name, lambda test, name=name: constant(test, name))
         for name in KINDS]
