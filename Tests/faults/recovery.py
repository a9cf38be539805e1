"""A power cut may lose the end of the log: is every place to which it can be replayed between two syncs, never in one?

A copy of the cluster is brought forward by the log that the load wrote, to random places of it. Most of these are in the
middle of some sync, which must be as if it had never begun.
"""
import shutil

import generations
import integrity
from client import wait_until
from load import Load

DATABASE = 'recovery'


def to_any_place(test):
    cluster, random, size = test.cluster, test.random, 2000
    cluster.create_database(DATABASE)
    connection = cluster.connect(DATABASE)
    generations.create(connection)
    load = Load(cluster, DATABASE, random, size, torn=test.proving)
    load.sync_all(connection)
    first = dict(load.generations)
    base = cluster.clone('base')
    try:
        start = place(connection)
        connection.close()
        load.start()
        wait_until(lambda: all(syncer.done >= 4 for syncer in load.syncers), 60, 'some syncs are done')
        connection = cluster.connect(DATABASE)
        end = place(connection)
        connection.close()
        cluster.kill_everything()
        load.end()
        archive = base.directory + '/archive'
        cluster.run('cp', '-r', cluster.data + '/pg_wal', archive)
        cluster.start()
        reached = []
        for number in range(max(2, test.rounds // 3)):
            target = random.randint(start, end)
            reached.append(recovered(test, base, archive, target, load, first))
        connection = cluster.connect(DATABASE)
        load.check(connection, generations.generation_held)
        connection.close()
    finally:
        shutil.rmtree(base.directory)
        cluster.drop_database(DATABASE)
    return 'generations reached: ' + '; '.join(' '.join(map(str, each)) for each in reached)


def place(connection):
    return int(connection.value("select pg_current_wal_lsn() - '0/0'"))


def recovered(test, base, archive, target, load, first):
    clone = base.copied('copy')
    try:
        clone.add_settings(restore_command='cp "%s/%%f" "%%p"' % archive, recovery_target_action='promote',
                           recovery_target_lsn='%X/%X' % (target >> 32, target & 0xffffffff))
        clone.run('touch', clone.data + '/recovery.signal')
        clone.start()
        connection = clone.connect(DATABASE)
        wait_until(lambda: connection.value('select pg_is_in_recovery()') == 'f', 60, 'the recovery ends')
        held = [generations.generation_held(connection, syncer.scope,
                                            range(first[syncer.scope], max(syncer.possible) + 1), load.size)
                for syncer in load.syncers]
        generations.check_references(connection)
        integrity.check(clone, DATABASE)
        rows = connection.query('select count(*), coalesce(max(n), 0) from journal')[0]
        assert rows[0] == rows[1], 'the journal has %s rows up to %s' % rows
        known, load.generations = load.generations, {syncer.scope: one for syncer, one in zip(load.syncers, held)}
        load.sync_all(connection)
        load.generations = known
        connection.close()
        return held
    finally:
        clone.destroy()


TESTS = [('recovery to any place of the log gives whole syncs', to_any_place)]
