"""Are the tables and indexes of a database sound?

By pg_amcheck (heap, TOAST, each index against its heap, and on 17 and later uniqueness), where the server has its
extension. Elsewhere by queries: each index, used alone, must give the rows that a sequential scan gives, in its order.
"""
import re

TABLES = """select c.oid::regclass::text from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'm') and n.nspname = 'public' and c.relpersistence <> 't' order by 1"""
INDEXES = """select indexrelid::regclass::text, pg_get_indexdef(indexrelid, 1, true), indisunique
    from pg_index where indrelid = '%s'::regclass and indisvalid order by 1"""
# Only the index at hand may be used; the transaction that hides the others is rolled back.
HIDE = "update pg_index set indisvalid = false where indrelid = '%s'::regclass and indexrelid <> '%s'::regclass"
PICTURE = 'select count(*), md5(string_agg(md5(r::text) || r.ctid, %s order by %s)) from %s as r where %s is not null'


def how(cluster):
    return 'pg_amcheck' if cluster.server_has('amcheck') else 'index scans against sequential scans'


def check(cluster, database):
    if cluster.server_has('amcheck'):
        check_by_amcheck(cluster, database)
    else:
        check_by_queries(cluster, database)


def check_by_amcheck(cluster, database):
    arguments = ['--heapallindexed', '--rootdescend', '--install-missing', '--schema=public', '--host=' + cluster.directory,
                 '--port=' + cluster.port, '--username=' + cluster.user]
    if cluster.version >= 17:
        arguments.append('--checkunique')
    done = cluster.run('pg_amcheck', *arguments, database, check=False)
    said = [line for line in done.stdout.splitlines() if line.strip() and not line.startswith('NOTICE:')]
    assert done.returncode == 0 and not said, 'pg_amcheck of %s:\n%s' % (database, done.stdout)


def check_by_queries(cluster, database):
    connection = cluster.connect(database, '-c statement_timeout=120s')
    for table, in connection.query(TABLES):
        for index, expression, unique in connection.query(INDEXES % table):
            check_index(connection, table, index, expression, unique == 't')
    connection.close()


def check_index(connection, table, index, expression, unique):
    picture = PICTURE % ("','", '%s, r.ctid' % expression, table, expression)
    connection.query('begin; set local max_parallel_workers_per_gather = 0')
    connection.query('set local enable_indexscan = off; set local enable_bitmapscan = off; set local enable_indexonlyscan = off')
    by_heap = connection.query(picture)
    connection.query(HIDE % (table, index))
    connection.query('set local enable_indexscan = on; set local enable_seqscan = off')
    plan = '\n'.join(line for line, in connection.query('explain ' + picture))
    assert re.search(r'Index Scan using %s\b' % re.escape(index.split('.')[-1]), plan), 'not by %s:\n%s' % (index, plan)
    by_index = connection.query(picture)
    assert by_heap == by_index, '%s does not hold the rows of %s: %s, %s' % (index, table, by_index, by_heap)
    connection.query('rollback')
    if unique:
        columns = connection.value("select string_agg(quote_ident(attname), ', ') from pg_attribute where attrelid = '%s'::regclass"
                                   % index)
        twice = connection.query('select %s from %s group by %s having count(*) > 1 limit 3' % (columns, table, columns))
        assert not twice, '%s is not unique: %s' % (index, twice)
