"""A client that is gone in the middle of COPY or of the call: does its backend end, with the target as it was?"""
import pictures
from client import wait_until

DATABASE = 'vanishing'


def prepare(test):
    test.cluster.create_database(DATABASE)
    connection = test.cluster.connect(DATABASE)
    connection.query("""
        create table target (k int primary key, v text);
        create table staged (k int, v text);
        insert into target select k, 'old' from generate_series(1, 100000) as k;
        insert into staged select k, 'new' from generate_series(2, 100001) as k;""")
    return connection


def during_copy(test):
    """Half a COPY is no COPY, whoever syncs next."""
    watching = prepare(test)
    before = pictures.of(watching, 'target')
    for number in range(test.rounds):
        client = test.cluster.connect(DATABASE)
        client.query('begin')
        client.query("select * from bulk_sync('target', 'staged', scope => 'k = 0', actions => '{delete}')")
        staged = client.value("select bulk_stage('target', staged_name => 'half')")
        client.begin_copy('copy %s from stdin' % staged)
        for k in range(test.random.randint(0, 20000)):
            client.copy_data('%d\tnew\n' % k)
        client.vanish()
        pictures.backend_ends(test.cluster, client.pid)
    if test.proving:
        watching.query('update target set v = v where k = 7')
    assert pictures.of(watching, 'target') == before, 'the target changed'
    watching.query("set lock_timeout = '5s'; select bulk_sync('target', 'staged', scope => 'true')")
    watching.close()
    return '%d times' % test.rounds


def during_call(test):
    """client_connection_check_interval ends the call; without it the call ends by itself, and is rolled back."""
    watching = prepare(test)
    before = pictures.of(watching, 'target')
    # Stands still in the middle of the writing, for as long as the lock is held
    watching.query("""create function wait_here() returns trigger language plpgsql as
        'begin perform pg_advisory_xact_lock_shared(1); return null; end';
        create trigger i before insert on target execute function wait_here();""")
    watching.query('select pg_advisory_lock(1)')
    client = begin_sync(test, "'100ms'", 'begin')
    wait_until(lambda: is_waiting(watching, client), 30, 'the sync waits')
    client.vanish()
    pictures.backend_ends(test.cluster, client.pid)             # though the lock is still held
    client = begin_sync(test, '0', 'begin')
    wait_until(lambda: is_waiting(watching, client), 30, 'the sync waits')
    client.vanish()
    watching.query('select pg_advisory_unlock(1)')
    pictures.backend_ends(test.cluster, client.pid)
    if test.proving:
        watching.query('update target set v = v where k = 7')
    assert pictures.of(watching, 'target') == before, 'the target changed'

    # At random moments of the running call
    for number in range(test.rounds):
        client = begin_sync(test, "'10ms'", 'begin')
        client.answered(test.random.uniform(0, 0.3))
        client.vanish()
        pictures.backend_ends(test.cluster, client.pid)
    assert pictures.of(watching, 'target') == before, 'the target changed'
    # A call by itself, that nobody hears the end of, is done or not
    client = begin_sync(test, '0', 'select 1')
    client.vanish()
    pictures.backend_ends(test.cluster, client.pid)
    assert watching.query('select distinct v from target') in ([('old',)], [('new',)]), 'half a sync'
    watching.close()
    return '%d times' % (test.rounds + 3)


def begin_sync(test, interval, first):
    client = test.cluster.connect(DATABASE)
    client.query('set client_connection_check_interval = %s; set synchronous_commit = off' % interval)
    client.query(first)
    client.send("select * from bulk_sync('target', 'staged', scope => 'true')")
    return client


def is_waiting(watching, client):
    return watching.value("select count(*) from pg_locks where pid = %d and locktype = 'advisory' and not granted"
                          % client.pid) == '1'


TESTS = [('a client that vanishes during COPY leaves nothing behind', during_copy),
         ('a client that vanishes during the call leaves nothing behind', during_call)]
