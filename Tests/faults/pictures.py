"""Is a table as it was, row version by row version, and is the session that failed as it was before?"""
from client import SqlError, wait_until

# A sum, which needs no sorting and so no memory and no files. A transaction that failed may leave its number in xmax of
# a row that it locked, but it changes no row.
PICTURE = "select count(*), sum(hashtextextended(concat(r, ctid, xmin), 0)) from %s as r"


def of(connection, table):
    return connection.query(PICTURE % table)


def fails(connection, code, sql):
    """The statement fails with that code (or one of several). Gives the error."""
    codes = code if isinstance(code, tuple) else (code,)
    try:
        connection.query(sql)
    except SqlError as error:
        assert error.code in codes, '%s should fail with %s: %s' % (sql, code, error)
        return error
    raise AssertionError('%s should fail with %s' % (sql, code))


def nothing_left(cluster, pid):
    """No lock of that backend, and no temporary file of anybody."""
    connection = cluster.connect('postgres')
    locks = connection.query("select locktype, relation::regclass, mode from pg_locks where pid = %d"
                             " and locktype <> 'virtualxid'" % pid)
    connection.close()
    assert not locks, 'locks are left: %s' % locks
    own = [name for name in cluster.temporary_files() if '/pgsql_tmp%d.' % pid in name]
    assert not own, 'temporary files are left: %s' % own


def backend_ends(cluster, pid):
    connection = cluster.connect('postgres')
    wait_until(lambda: connection.value('select count(*) from pg_stat_activity where pid = %d' % pid) == '0', 60,
               'the backend ends')
    connection.close()
    nothing_left(cluster, pid)
