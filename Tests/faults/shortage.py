"""Too little memory, too few temporary files, a full disk: is the sync refused whole, and does it work afterwards?

A full disk is a small tmpfs that holds a tablespace, which only root can mount; it is unmounted at the end.
"""
import os
import shutil
import subprocess
import tempfile

import integrity
import pictures
from client import Lost, SqlError, wait_until
from cluster import memory_of

DATABASE = 'shortage'
SCHEMA = """
create table target (k int primary key, g int, v text);
create index target_v on target (v);
create table staged (k int, g int, v text);
insert into target select k, k %% 10, md5(k::text) from generate_series(1, %(rows)d) as k;
insert into staged select k, k %% 10, md5((k / 3)::text) from generate_series(%(rows)d / 10, %(rows)d * 3 / 2) as k;
"""
SYNC = "select * from %s('%s', '%s', scope => 'true')"


def prepare(test, rows, tablespace=''):
    test.cluster.create_database(DATABASE)
    connection = test.cluster.connect(DATABASE)
    if tablespace:
        connection.query('set default_tablespace = %s' % tablespace)
    connection.query(SCHEMA % {'rows': rows})
    connection.query('reset default_tablespace')
    return connection


def works_at_last(test, connection, target='target', staged='staged', function='bulk_sync'):
    """What was refused before is done now, and the table holds what was staged."""
    connection.query(SYNC % (function, target, staged))
    wrong = connection.value('select count(*) from ((table %s except all table %s) union all (table %s except all table %s)) as r'
                             % (target, staged, staged, target))
    assert wrong == '0', '%s rows are wrong after the sync' % wrong
    integrity.check(test.cluster, DATABASE)


def temporary_file_limit(test):
    """The rows that do not fit into the memory go to files, of which there may be only so many."""
    connection = prepare(test, 60000)
    before = pictures.of(connection, 'target')
    connection.query("set bulk_sync.work_mem = '64kB'; set temp_file_limit = '1MB'")
    for function in 'bulk_sync', 'bulk_sync_returning', 'bulk_compare':
        if test.proving:
            connection.query("set temp_file_limit = -1")
        pictures.fails(connection, '53400', SYNC % (function, 'target', 'staged'))
        pictures.nothing_left(test.cluster, connection.pid)
    assert pictures.of(connection, 'target') == before, 'the target changed'
    connection.query('reset temp_file_limit')
    works_at_last(test, connection)
    connection.close()


def memory_limit(test):
    """
    The backend's address space is limited to a little more than it has, a little more each time: malloc() fails in one
    place after the other, until there is enough.
    """
    connection = prepare(test, 30000)
    before = pictures.of(connection, 'target')
    connection.query('create table history (k int, g int, v text); insert into history table target')
    refused = {}
    for function, sql in (('bulk_sync', SYNC % ('bulk_sync', 'target', 'staged')),
                          ('bulk_sync_returning', SYNC % ('bulk_sync_returning', 'target', 'staged')),
                          ('bulk_insert_changed', "select * from bulk_insert_changed('history', 'staged', '{k}', 'g')")):
        refused[function] = 0
        room, done = 0, False
        while not done:
            session = test.cluster.connect(DATABASE)
            # What the first call loads is there, so that it is the rows for which there is no room
            pictures.fails(session, 'SY001', "select bulk_sync('target', 'staged', scope => 'true', expected_rows => 0)")
            # Loading the JIT compiler without memory is XX000, and no business of ours
            session.query('set jit = off')
            session.query('begin; set local bulk_sync.work_mem = %s' % test.random.choice(["'64MB'", "'256kB'"]))
            test.cluster.limit_memory(session.pid, memory_of(session.pid)['VmSize'] + room)
            try:
                session.query(sql)
                done = True
            except SqlError as error:
                assert error.code == '53200', 'with %d kB: %s' % (room, error)
                refused[function] += 1
            test.cluster.limit_memory(session.pid, None)
            session.query('rollback')
            pictures.nothing_left(test.cluster, session.pid)
            assert not session.warnings, session.warnings
            assert session.value('select 1') == '1'
            session.close()
            room += test.random.randint(100, 1200 if test.rounds < 50 else 150)
        assert refused[function] > 0, '%s never lacked memory' % function
    if test.proving:
        connection.query('delete from target where k = 1')
    assert pictures.of(connection, 'target') == before, 'the target changed'
    works_at_last(test, connection)
    connection.close()
    return ', '.join('%s refused %d times' % item for item in refused.items())


class SmallDisk:
    """A tmpfs with a tablespace on it, and a file that fills it."""

    def __init__(self, cluster, megabytes):
        self.cluster = cluster
        self.directory = tempfile.mkdtemp(prefix='bulk_sync_disk.')
        self.ballast = os.path.join(self.directory, 'ballast')
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=%dm' % megabytes, 'bulk_sync', self.directory], check=True)
        self.tablespace = os.path.join(self.directory, 'tablespace')
        os.mkdir(self.tablespace)
        os.chmod(self.directory, 0o755)
        os.chown(self.tablespace, cluster.owner.st_uid, cluster.owner.st_gid)

    def fill(self, leave_kilobytes):
        free = shutil.disk_usage(self.directory).free - leave_kilobytes * 1024
        with open(self.ballast, 'wb') as file:
            file.write(b'\0' * max(free, 0))

    def free(self):
        os.unlink(self.ballast)

    def unmount(self):
        subprocess.run(['umount', '--lazy', self.directory], check=True)
        os.rmdir(self.directory)


def full_disk(test):
    if os.getuid() != 0:
        return 'SKIPPED: only root can mount a small disk'
    disk = SmallDisk(test.cluster, 48)
    try:
        return on_small_disk(test, disk)
    finally:
        try:
            test.cluster.drop_database(DATABASE)
            connection = test.cluster.connect('postgres')
            connection.query('drop tablespace if exists small')
            connection.close()
        finally:
            disk.unmount()


def on_small_disk(test, disk):
    administrator = test.cluster.connect('postgres')
    administrator.query("create tablespace small location '%s'" % disk.tablespace)
    administrator.close()
    connection = prepare(test, 30000)
    connection.query('create table on_small (like target including all) tablespace small; insert into on_small table target')
    connection.query('create table by_index (like target including all); insert into by_index table target;'
                     'alter index by_index_v_idx set tablespace small')
    connection.query('checkpoint')
    room = 0 if not test.proving else 40000
    held = []
    for target in 'on_small', 'by_index':
        before = pictures.of(connection, target)
        # The whole sync ends in its updates; the inserts alone come first, because they need the least room, and each
        # failure leaves some pages behind
        for sql in ((SYNC % ('bulk_sync', target, 'staged')).replace("'true'", "'true', actions => '{insert}'"),
                    SYNC % ('bulk_sync', target, 'staged'), SYNC % ('bulk_sync_returning', target, 'staged')):
            disk.fill(test.random.randint(room, room + 200))
            pictures.fails(connection, '53100', sql)
            pictures.nothing_left(test.cluster, connection.pid)
            assert pictures.of(connection, target) == before, '%s changed' % target
            disk.free()
        held.append(target)
    # Temporary files: those of the matching, and then the staged table itself
    before = pictures.of(connection, 'target')
    disk.fill(200)
    connection.query("set temp_tablespaces = small; set bulk_sync.work_mem = '64kB'")
    pictures.fails(connection, '53100', SYNC % ('bulk_sync', 'target', 'staged'))
    pictures.nothing_left(test.cluster, connection.pid)
    connection.query('begin')
    connection.query("select bulk_stage('target', staged_name => 'temporary')")
    connection.begin_copy('copy temporary from stdin')
    for k in range(20000):
        connection.copy_data('%d\t1\t%s\n' % (k, 'x' * 40))
    try:
        connection.end_copy()
        raise AssertionError('COPY into the full disk succeeds')
    except SqlError as error:
        assert error.code == '53100', error
    pictures.fails(connection, '25P02', SYNC % ('bulk_sync', 'target', 'temporary'))
    connection.query('rollback')
    assert pictures.of(connection, 'target') == before, 'the target changed'
    disk.free()
    for target in 'on_small', 'by_index', 'target':
        works_at_last(test, connection, target)
    connection.close()
    return 'rows, an index, temporary files and the staged rows on a disk of 48 MB'


def full_wal(test):
    """The server gives up, as PostgreSQL does then. What it finds when there is room again is the old state."""
    if os.getuid() != 0:
        return 'SKIPPED: only root can mount a small disk'
    connection = prepare(test, 30000)
    connection.close()
    disk, clone = SmallDisk(test.cluster, 112), None
    try:
        clone = test.cluster.clone('small_wal', os.path.join(disk.tablespace, 'wal'))
        clone.add_settings(max_wal_size='32MB', min_wal_size='32MB', wal_keep_size='0', autovacuum='off')
        clone.start()
        return with_full_wal(test, clone, disk)
    finally:
        if clone is not None:
            clone.destroy()
        disk.unmount()


def with_full_wal(test, clone, disk):
    connection = clone.connect(DATABASE)
    before = pictures.of(connection, 'target')
    disk.fill(100)
    try:
        connection.query('begin')
        for number in range(50):                                 # the segments there are take some of it
            connection.query("update staged set v = v || 'x'")
            connection.query(SYNC % ('bulk_sync', 'target', 'staged'))
        raise AssertionError('there was room for all of it')
    except (SqlError, Lost) as error:
        assert isinstance(error, Lost) or error.code in ('57P02', '53100'), error
    # It starts again by itself, or fails to: either is well
    wait_until(lambda: 'PANIC:' in clone.log_since(0), 30, 'the server gives up')
    disk.free()
    if clone.is_running():
        wait_until(lambda: not clone.is_running() or can_connect(clone), 60, 'the server is up or down')
    if not clone.is_running():
        clone.start()
    connection = clone.connect(DATABASE)
    if test.proving:
        connection.query('delete from target where k = 1')
    assert pictures.of(connection, 'target') == before, 'the target changed'
    connection.query(SYNC % ('bulk_sync', 'target', 'staged'))
    connection.close()
    integrity.check(clone, DATABASE)
    return 'the log said: ' + next(line.split('PANIC:')[1].strip() for line in clone.log_since(0).splitlines()
                                   if 'PANIC:' in line)


def can_connect(cluster):
    try:
        cluster.connect('postgres').close()
        return True
    except (Lost, SqlError):
        return False


TESTS = [('a sync that exceeds temp_file_limit changes nothing', temporary_file_limit),
         ('a sync for which there is no memory changes nothing, wherever it runs out', memory_limit),
         ('a sync on a full disk changes nothing and works when there is room', full_disk),
         ('a sync for whose log there is no room is undone by recovery', full_wal)]
