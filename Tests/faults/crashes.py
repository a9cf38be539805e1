"""After a crash at any moment of a sync: is the old or the new state there, whole, and does the next sync work?"""
import time

import generations
import integrity
import pictures
from client import wait_until
from cluster import suspicious_lines
from load import Load, call

KINDS = ('backend', 'immediate stop', 'postmaster', 'power cut', 'other process')
DATABASE = 'crashes'


def crash(cluster, kind, victims, random):
    """Ends the server in one of several ways and has it up again."""
    if kind == 'backend':
        cluster.kill_backend(random.choice(victims))
    elif kind == 'other process':
        connection = cluster.connect('postgres')
        pids = [int(pid) for pid, in connection.query(
            "select pid from pg_stat_activity where backend_type in ('checkpointer', 'background writer', 'walwriter')")]
        cluster.kill_backend(random.choice(pids))
    elif kind == 'immediate stop':
        cluster.stop('immediate')
    elif kind == 'postmaster':
        cluster.kill_postmaster()
    else:
        cluster.kill_everything()
    if kind in ('backend', 'other process'):
        wait_until(lambda: 'all server processes terminated' in cluster.log_since(cluster.mark), 60, 'the server restarts')
        cluster.wait_until_up()
    else:
        cluster.start()


def prepare(test):
    test.cluster.create_database(DATABASE)
    connection = test.cluster.connect(DATABASE)
    generations.create(connection)
    return connection


def at_random_moments(test):
    cluster, random, size = test.cluster, test.random, 2000
    connection = prepare(test)
    load = Load(cluster, DATABASE, random, size, torn=test.proving)
    load.sync_all(connection)
    connection.close()
    cut_off = took_effect = syncs = 0
    rounds = test.rounds
    for number in range(rounds):
        kind = KINDS[number % len(KINDS)]
        cluster.mark = cluster.log_position()
        load.start()
        wait_until(lambda: all(worker.pid for worker in load.workers), 30, 'all are at work')
        time.sleep(random.uniform(0, 1))                        # the random moment itself: nothing is waited for
        crash(cluster, kind, [worker.pid for worker in load.workers], random)
        load.end()
        connection = cluster.connect(DATABASE)
        try:
            cut, effect = load.check(connection, generations.generation_held)
            generations.check_references(connection)
        except AssertionError as error:
            raise AssertionError('round %d, %s: %s' % (number, kind, error))
        integrity.check(cluster, DATABASE)
        load.sync_all(connection)
        connection.close()
        cut_off, took_effect = cut_off + cut, took_effect + effect
        syncs += sum(syncer.done for syncer in load.syncers)
    # Else the test has shown nothing
    assert cut_off > 0, 'no sync was cut off'
    return '%d crashes of %d kinds, %d syncs cut off (%d of them took effect) and %d before; checked by %s' % (
        rounds, min(rounds, len(KINDS)), cut_off, took_effect, syncs, integrity.how(cluster))


PHASES = ('reading', 'delete', 'update', 'insert', 'after', 'commit')
PHASED = """
create function wait_in_phase(int) returns int language sql stable as 'select 1 from pg_advisory_xact_lock_shared($1)';
create function wait_in_trigger() returns trigger language plpgsql as
    'begin perform pg_advisory_xact_lock_shared(tg_argv[0]::int); return null; end';
create table phased (like target including all);
create view phased_staged as select s.* from staged as s where wait_in_phase(0) is not null offset 0;
create trigger t before delete on phased execute function wait_in_trigger(1);
create trigger u before update on phased execute function wait_in_trigger(2);
create trigger i before insert on phased execute function wait_in_trigger(3);
create trigger a after insert on phased execute function wait_in_trigger(4);
create constraint trigger c after insert on phased deferrable initially deferred for each row execute function wait_in_trigger(5);
"""


def in_each_phase(test):
    """The sync stands still where an advisory lock holds it, which another session has."""
    cluster, size = test.cluster, 500
    connection = prepare(test)
    connection.query(PHASED)
    connection.close()
    generation = 0
    for phase in range(-1, len(PHASES)):                        # -1: the first rows, without a crash
        connection = cluster.connect(DATABASE)
        connection.query('truncate staged')
        connection.query('insert into staged select * from content(1, %d, %d)' % (generation + 1, size))
        if phase < 0:
            connection.query(call('bulk_sync', 'phased_staged', 1, target='phased'))
            generation += 1
            connection.close()
            continue
        connection.query('select pg_advisory_lock(%d)' % phase)
        syncing, watching = cluster.connect(DATABASE), cluster.connect(DATABASE)
        cluster.mark = cluster.log_position()
        syncing.send(call('bulk_sync', 'phased_staged', 1, target='phased'))
        wait_until(lambda: watching.value("select count(*) from pg_locks where pid = %d and locktype = 'advisory'"
                                          ' and not granted' % syncing.pid) == '1', 30, 'the sync reaches ' + PHASES[phase])
        crash(cluster, KINDS[phase % 4], [syncing.pid], test.random)
        connection = cluster.connect(DATABASE)
        generations.generation_held(connection, 1, [generation + 1 if test.proving else generation], size, 'phased')
        connection.query('insert into staged select * from content(1, %d, %d)' % (generation + 1, size))
        connection.query(call('bulk_sync', 'phased_staged', 1, target='phased'))
        generation = generations.generation_held(connection, 1, [generation + 1], size, 'phased')
        connection.close()
    integrity.check(cluster, DATABASE)
    return 'crashed while it was in: ' + ', '.join(PHASES)


def prepared_transaction(test):
    """Between PREPARE TRANSACTION and its end nothing is seen, the lock holds, and both ends are possible."""
    cluster, size = test.cluster, 500
    connection = prepare(test)
    connection.query('create table two_phases (like target including all)')
    connection.query('create table two_phases_staged (scope int, k int, v text, big text)')
    sync = call('bulk_sync', 'two_phases_staged', 1, target='two_phases')
    connection.query('insert into two_phases_staged select * from content(1, 1, %d)' % size)
    connection.query(sync)
    connection.query('truncate two_phases_staged; insert into two_phases_staged select * from content(1, 2, %d)' % size)
    for ending, generation in (('rollback', 1), ('commit', 2)):
        connection.query('begin')
        connection.query(sync)
        connection.query("prepare transaction 'faults'")
        connection.close()
        cluster.mark = cluster.log_position()
        crash(cluster, 'power cut', [], test.random)
        connection = cluster.connect(DATABASE)
        generations.generation_held(connection, 1, [1], size, 'two_phases')
        pictures.fails(connection, '55P03', "set lock_timeout = '100ms'; " + sync)
        connection.query("%s prepared 'faults'" % ending)
        generations.generation_held(connection, 1, [3 - generation if test.proving else generation], size, 'two_phases')
    assert connection.query(sync)[0] == (str(size * 4 // 5), '0', '0', str(size * 4 // 5), '0', '0')
    # A temporary staged table cannot be: PostgreSQL refuses, and nothing is left
    connection.query('begin')
    connection.query("select bulk_stage('two_phases', '{scope,k,v,big}')")
    connection.query('insert into two_phases_staged select * from content(1, 3, %d)' % size)
    connection.query(call('bulk_sync', 'pg_temp.two_phases_staged', 1, target='two_phases'))
    pictures.fails(connection, '0A000', "prepare transaction 'faults'")
    generations.generation_held(connection, 1, [2], size, 'two_phases')
    connection.close()


def unlogged_target(test):
    """An unlogged table is empty after a crash; the sync fills it."""
    cluster, size = test.cluster, 500
    connection = prepare(test)
    connection.query('create unlogged table forgotten (like target including all)')
    connection.query('create table forgotten_staged as select * from content(1, 1, %d)' % size)
    sync = call('bulk_sync', 'forgotten_staged', 1, target='forgotten')
    first = connection.query(sync)
    connection.close()
    cluster.mark = cluster.log_position()
    crash(cluster, 'power cut', [], test.random)
    connection = cluster.connect(DATABASE)
    rows = connection.value('select count(*) from forgotten')
    assert rows == ('1' if test.proving else '0'), '%s rows after the crash' % rows
    assert connection.query(sync) == first, 'the sync inserts what it inserted before'
    generations.generation_held(connection, 1, [1], size, 'forgotten')
    connection.close()


def nothing_suspicious(test):
    """At the very end: a clean stop, and every page of the cluster has its checksum."""
    found = suspicious_lines(test.cluster.log_since(0), test.allowed_in_log)
    if test.proving:
        found.append('PANIC:')
    assert not found, 'in the server log:\n' + '\n'.join(found[:20])
    test.cluster.stop('fast')
    test.cluster.run('pg_checksums', '--check', '--pgdata=' + test.cluster.data)
    test.cluster.start()


TESTS = [('crashes at random moments of syncs under load leave the old or the new rows', at_random_moments),
         ('a crash in any phase leaves the old rows', in_each_phase),
         ('a prepared sync survives a crash unseen and ends as it is told to', prepared_transaction),
         ('an unlogged target is empty after a crash and filled by the next sync', unlogged_target)]
AT_THE_END = [('the server log shows no crash of its own, and all checksums are right', nothing_suspicious)]
