"""Transactions, other sessions, other users, cancels: on all nodes. (contract 1.6 and the end)"""
import random
import time

from changes import FEED, ROWS, STAGED, TARGET, UPSERT, WHOLE, call
from client import Lost, SqlError, wait_until
from pair import KINDS, LOCAL, outcome

COUNTS = (19, 4, 5, 10, 0, 5)
NODES = (0, 1, 2)
WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


def rolled_back(test):
    pair = test.pair(TARGET, ROWS, STAGED, FEED)
    before, left = pair.places(), pair.cluster.left_behind()
    pair.both('begin')
    for connection in (pair.near, pair.far):
        assert connection.query(call(WHOLE)) == [tuple(map(str, COUNTS))]
        assert connection.value('select count(*) from target') == '19', 'its own changes are not seen'
    pair.both('rollback')
    pair.nothing_left(left)
    assert pair.places().keys() == before.keys(), 'rolled back, but something was written'
    pair.same_rows('a rollback')


def savepoints(test):
    pair = test.pair(TARGET, ROWS, STAGED, FEED)
    left = pair.cluster.left_behind()
    for connection in (pair.near, pair.far):
        connection.query('begin; savepoint a')
        assert connection.query(call(WHOLE)) == [tuple(map(str, COUNTS))]
        connection.query('rollback to a')
        assert connection.value('select count(*) from target') == '20'
        assert outcome(connection, call(WHOLE, 'max_deletes => 1')) == 'SY003'
        connection.query('rollback to a; savepoint b; update target set v = \'other\' where k = 1')
        assert connection.query(call(WHOLE)) == [('19', '4', '6', '9', '0', '5')], 'changes of the same transaction are not seen'
        connection.query('release b')
        assert connection.query(call(WHOLE)) == [('19', '0', '0', '19', '0', '0')]
        connection.query('commit')
    pair.same_rows('savepoints')
    pair.nothing_left(left)


def caught(test):
    """In functions, in blocks that catch errors, several calls in one command."""
    pair = test.pair(TARGET, ROWS, STAGED, FEED)
    left = pair.cluster.left_behind()
    body = """do $$ declare n bigint; begin
      for i in 1..3 loop
        begin
          perform * from bulk_sync('target', 'staged', '{k}', scope => 'true', expected_rows => 3);
          raise exception 'not refused';
        exception when sqlstate 'SY001' then null; end;
      end loop;
      select inserted + updated + deleted into n from bulk_sync('target', 'staged', '{k}', scope => 'true');
      if n <> 14 then raise exception 'counts: %', n; end if;
      select inserted + updated + deleted into n from bulk_sync('target', 'staged', '{k}', scope => 'true');
      if n <> 0 then raise exception 'counts of the second: %', n; end if;
      if (select count(*) from target) <> 19 then raise exception 'rows'; end if;
    end $$"""
    for connection in (pair.near, pair.far):
        connection.query(body)
    pair.same_rows('a block')
    pair.nothing_left(left)


def caught_many(test):
    """An error among many changes is what it was, and who catches it goes on: in the statements of each phase."""
    pair = test.pair('create table target (k int primary key, v text check (v <> \'bad\'))',
                     "insert into target select k, 'v' from generate_series(1, 24000) as k", 'create temporary table staged (k int, v text)')
    left = pair.cluster.left_behind()
    pair.both("insert into staged select k, case when k <= 24000 then 'w' else 'v' end from generate_series(12001, 37000) as k")
    for connection in (pair.near, pair.far):
        connection.query('begin; savepoint a')
        for bad in (15000, 30000):
            connection.query("update staged set v = 'bad' where k = %d; savepoint b" % bad)
            try:
                connection.query(call(WHOLE))
                raise AssertionError('k = %d: no error' % bad)
            except SqlError as error:
                assert error.code == '23514', 'k = %d: %s' % (bad, error)
            connection.query("rollback to b; update staged set v = 'w' where k = %d" % bad)
            assert connection.value('select count(*) || min(v) || max(v) from target') == '24000vv', 'something was written, k = %d' % bad
        assert connection.query(call(WHOLE)) == [('25000', '13000', '12000', '0', '0', '12000')]
        connection.query('commit')
    pair.same_rows('errors that were caught')
    pair.nothing_left(left)


def new_table(test):
    """Made, distributed, filled and synced in one transaction."""
    pair = test.pair(TARGET, STAGED, FEED)
    how = {'hash': "select create_distributed_table('fresh', 'k')", 'reference': "select create_reference_table('fresh')"}.get(test.kind, 'select 1')
    connection = pair.far
    connection.query('begin; create table fresh (k int primary key, g int, v text, n numeric); %s; %s' % (how, ROWS.replace('target', 'fresh')))
    assert connection.query(call(WHOLE).replace("'target'", "'fresh'")) == [tuple(map(str, COUNTS))]
    connection.query('commit')
    assert connection.value('select count(*) from fresh') == '19'
    connection.query('drop table fresh')


def settings(test):
    """Settings of Citus and of the planner make no difference."""
    for setting in ("citus.multi_shard_modify_mode to 'sequential'", 'citus.max_adaptive_executor_pool_size to 1', 'citus.enable_local_execution to off',
                    'citus.force_max_query_parallelization to on', 'citus.enable_binary_protocol to off', 'citus.enable_local_reference_table_foreign_keys to off',
                    'enable_hashjoin to off', 'citus.propagate_set_commands to local', 'citus.enable_router_execution to off', 'citus.enable_fast_path_router_planner to off',
                    'plan_cache_mode to force_generic_plan', 'citus.max_cached_conns_per_worker to 0', 'citus.coordinator_aggregation_strategy to off',
                    'citus.enable_ddl_propagation to off', 'citus.next_shard_id to 0', "citus.shard_replication_factor to 2", 'citus.shard_count to 2',
                    'citus.use_secondary_nodes to never', 'standard_conforming_strings to off', "datestyle to 'SQL, DMY'", "timezone to 'Asia/Kolkata'",
                    'extra_float_digits to -5', "bytea_output to 'escape'", "intervalstyle to 'sql_standard'", "default_table_access_method to 'heap'",
                    'row_security to on', "lc_messages to 'C'", "client_encoding to 'LATIN1'", 'quote_all_identifiers to on', 'jit to off'):
        pair = test.pair('create table target (k int primary key, f float8, d timestamptz, b bytea, i interval, v text)',
                         "insert into target select k, k / 3::float8, '2024-01-02 03:04', '\\x00ff', '1 day', 'v' || k from generate_series(1, 20) as k",
                         'create temporary table staged (k int, f float8, d timestamptz, b bytea, i interval, v text)')
        for connection in (pair.near, pair.far):
            connection.query('insert into staged select * from target where k > 5')
            connection.query("update staged set v = 'w' where k > 15")
            try:
                connection.query('set %s' % setting)
            except SqlError:
                pass                                             # a setting that this version has not
            answer = outcome(connection, call(WHOLE))
            assert answer == [('15', '0', '5', '10', '0', '5')], 'set %s: %s' % (setting, answer)
            connection.query('reset all; set search_path to %s, public' % ('near' if connection is pair.near else 'far'))
        pair.same_rows(setting)
        pair.close()


def backslashes(test):
    """In the values of a scope, however the session reads strings."""
    for setting in ('on', 'off'):
        pair = test.pair('create table target (k int primary key, t text, b bytea, v text)',
                         "insert into target select k, case when k < 7 then 'a' || chr(92) || 'b' else 'ab' end, decode('61ff', 'hex'), 'v' from generate_series(1, 12) as k",
                         'create temporary table staged (k int, v text)',
                         "insert into staged select k, case when k > 2 then 'w' else 'v' end from generate_series(1, 12) as k where k not in (5, 6, 7, 8, 9, 10)")
        pair.both("delete from staged where k > 10; insert into staged values (20, 'v'); set standard_conforming_strings to %s" % setting)
        options = "scope_values => jsonb_build_object('t', 'a' || chr(92) || 'b', 'b', chr(92) || 'x61ff')"
        for connection in (pair.near, pair.far):
            answer = outcome(connection, call(options))
            assert answer == [('5', '1', '2', '2', '0', '2')], '%s: %s' % (setting, answer)
            answer = outcome(connection, call(options))
            assert answer == [('5', '0', '0', '5', '0', '0')], '%s, again: %s' % (setting, answer)
            connection.query('set standard_conforming_strings to on')
        pair.same_rows('standard_conforming_strings = %s' % setting)
        pair.close()


# Other sessions

RACE = ('create table target (k int primary key, g int, v text, hits int not null default 0)',
        "insert into target (k, g, v) select k, k % 3, 'v' || k from generate_series(1, 9) as k",
        'create temporary table staged (k int, g int, v text)',
        # 1 and 2 are equal, 3 to 5 change, 6 to 9 go, 10 and 11 are new
        "insert into staged select k, k % 3, case when k in (3, 4, 5) then 'w' else 'v' end || k from generate_series(1, 11) as k where k not between 6 and 9")
RACES = (
    ('an update of a planned row', "update target set v = 'other' where k = 3", WHOLE),
    ('an update of a column of a planned row that is not synced', 'update target set hits = hits + 1 where k in (4, 6)', WHOLE),
    ('an update that makes a planned row equal', "update target set v = 'w5' where k = 5", WHOLE),
    ('an update of a row that is equal', "update target set hits = 5 where k = 1", WHOLE),
    ('a planned row that is deleted', 'delete from target where k = 4', WHOLE),
    ('a stale row that is deleted', 'delete from target where k = 7', WHOLE),
    ('a stale row that leaves the scope', 'update target set g = 9 where k = 6', "scope => 'g < 5'"),
    ('a planned row that leaves the scope', 'update target set g = 9 where k = 4', "scope => 'g < 5'"),
    ('a planned key that is inserted', "insert into target values (10, 1, 'theirs')", WHOLE),
    ('another key that is inserted', "insert into target values (20, 1, 'theirs')", WHOLE),
    ('a planned key that is inserted, conflicts ignored', "insert into target values (10, 1, 'theirs')", WHOLE + ', ignore_conflicts => true'),
    ('all rows', "update target set v = v || 'x'", WHOLE),
)


def waits_or_ends(pair, connection, watching):
    """Until the statement that was sent waits for a lock somewhere, or is done."""
    wait_until(lambda: connection.answered(0) or any(int(w.value(WAITING)) for w in watching), 20, 'a call that waits or ends')


def raced(test, node, races=RACES, setup=RACE, ends=('commit', 'rollback'), **how):
    """For each race: another session writes, the call starts, the other one commits, the call ends. node: where the other is."""
    wrong = []
    for what, statement, options in races:
        for end in ends:
            pair = test.pair(*setup, **how)
            answers, left = [], pair.cluster.left_behind()
            for schema, connection in (('near', pair.near), ('far', pair.far)):
                other = pair.session(schema, node=node if schema == 'far' else 0)
                other.query('begin; %s' % statement)
                connection.send(call(options))
                waits_or_ends(pair, connection, pair.cluster.watching)
                other.query(end)
                answers.append(received(connection))
                other.close()
            try:
                assert answers[0] == answers[1], '%s, on one machine %s' % (answers[1], answers[0])
                pair.same_rows(what)
                pair.cluster.is_calm()
                pair.nothing_left(left)
            except AssertionError as error:
                wrong.append('%s, %s: %s' % (what, end, error))
            pair.close()
    assert not wrong, '\n'.join(wrong)


def received(connection):
    try:
        return connection.receive()
    except SqlError as error:
        return error.code


def races_here(test):
    raced(test, 0)


def races_at_a_worker(test):
    raced(test, 1)


def races_by_key(test):
    """No deletes and few rows: they are looked up by their keys."""
    raced(test, 1, [(what, statement, options.replace(WHOLE, UPSERT)) for what, statement, options in RACES if WHOLE in options])


def races_beside(test):
    """Staged beside the target: the shards match, and the coordinator knows of fewer rows."""
    raced(test, 1, setup=(*RACE[:2], RACE[2].replace('temporary ', ''), RACE[3]), distributed=('target', 'staged'))


def races_there(test):
    """The same, where even the rows that differ stay on their shards."""
    raced(test, 1, setup=(*RACE[:2], RACE[2].replace('temporary ', ''), RACE[3], 'set bulk_sync.applier to direct'), distributed=('target', 'staged'))


def held_back(pair, statement):
    """A second session that holds back whoever makes a table, and the trigger that lets it."""
    pair.far.query('create or replace function held() returns event_trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(4711); end $$;'
                   "create event trigger held on ddl_command_end when tag in ('CREATE TABLE') execute function held()")
    other = pair.session('far')
    other.query('select pg_advisory_lock(4711)')
    try:
        return statement(other)
    finally:
        other.query('select pg_advisory_unlock_all()')
        pair.far.query('rollback; drop event trigger held; drop function held()')
        other.close()


def written_before_the_look(test):
    """What others write while the table for changes is made: each row is looked at once, and the counts say what became of it."""
    for change, expected in (('delete from target where k = 16', (16, 1, 5, 10, 0, 4)), ('delete from target where k = 1', (16, 2, 5, 9, 0, 5)),
                             ("insert into target values (21, 1, 'theirs', 0)", (16, 0, 6, 10, 0, 5)), ("insert into target values (99, 1, 'theirs', 0)", (16, 1, 5, 10, 0, 6)),
                             ("delete from target where k = 1; insert into target values (99, 1, 'theirs', 0)", (16, 2, 5, 9, 0, 6)),
                             ("update target set v = 'theirs' where k = 2", (16, 1, 6, 9, 0, 5))):
        # one new row: a number that is wrong by one says that there is none
        pair = test.pair(TARGET, ROWS, STAGED.replace('temporary ', ''), FEED, 'delete from staged where k > 21', 'set bulk_sync.applier to direct', distributed=('target', 'staged'))
        pair.near.query(change)
        assert pair.near.query(call(WHOLE)) == [tuple(map(str, expected))], change

        def meanwhile(other):
            pair.far.send(call(WHOLE))
            wait_until(lambda: pair.cluster.watching[0].value(WAITING) != '0', 20, 'a table that is made')
            other.query(change)
            other.query('select pg_advisory_unlock_all()')
            return received(pair.far)
        answer = held_back(pair, meanwhile)
        assert answer == [tuple(map(str, expected))], '%s: %s' % (change, answer)
        pair.same_rows(change)
        pair.close()


def lock_timeout_of_table(test):
    """A lock that is waited for too long while the table for changes is made ends the call, as any lock does."""
    pair = test.pair(TARGET, ROWS, STAGED.replace('temporary ', ''), FEED, 'set bulk_sync.applier to direct', distributed=('target', 'staged'))
    pair.far.query("set lock_timeout to '100ms'")
    answer = held_back(pair, lambda other: outcome(pair.far, call(WHOLE)))
    assert answer == '55P03', answer
    pair.same(call(WHOLE), COUNTS)


def races_of_many(test):
    """So many changes that they do not go along with the statements that make them."""
    many = (*RACE, "insert into target (k, g, v) select k, 0, 'v' from generate_series(1001, 26000) as k",
            "insert into staged select k, 0, 'w' from generate_series(1001, 14000) as k",
            "insert into staged select k, 0, 'v' from generate_series(26001, 38000) as k")
    raced(test, 1, RACES, many, ('commit',))


def writers_wait(test):
    """What a call has written and not committed, other sessions wait for, and then go on from."""
    for node in (0, 1) if test.kind != LOCAL else (0,):
        pair = test.pair(*RACE)
        for schema, connection in (('near', pair.near), ('far', pair.far)):
            other = pair.session(schema, node=node if schema == 'far' else 0)
            connection.query('begin')
            connection.query(call(WHOLE))
            other.send("update target set hits = hits + 1, v = v || '!' where k in (3, 6)")
            wait_until(lambda: other.answered(0) or any(int(w.value(WAITING)) for w in pair.cluster.watching), 20, 'a writer that waits')
            assert not other.answered(0), 'a writer does not wait for a row that a call has changed'
            connection.query('commit')
            received(other)
            other.close()
        pair.same_rows('a writer that waited')
        pair.close()


def calls_in_turn(test):
    """Two calls of one table follow each other, and the second sees what the first did; wherever they are made."""
    remark = None
    for node in (0, 1) if test.kind != LOCAL else (0,):
        pair = test.pair(*RACE)
        feed = "insert into staged values (1, 1, 'second'), (10, 1, 'second'), (30, 1, 'second')"
        answers = []
        for schema, connection in (('near', pair.near), ('far', pair.far)):
            other = pair.session(schema, node=node if schema == 'far' else 0)
            other.query(RACE[2])
            other.query(feed)
            connection.query('begin')
            connection.query(call(WHOLE))
            other.send(call(WHOLE))
            waits_or_ends(pair, other, pair.cluster.watching)
            if node == 1 and other.answered(0):
                answer = received(other)
                assert answer in ('0A000', '22023'), 'a call at a worker does not wait: %s' % (answer,)
                remark = 'calls are made at the coordinator: at a worker they are refused (%s)' % answer
                connection.query('commit')
                other.close()
                answers = None
                break
            assert not other.answered(0), 'a second call does not wait for the first'
            connection.query('commit')
            answers.append(received(other))
            other.close()
        if answers:
            assert answers[0] == answers[1] == [('3', '1', '2', '0', '0', '5')], answers
            pair.same_rows('two calls')
        pair.close()
    return remark


def lock_modes(test):
    for mode in ('row exclusive', 'share update exclusive', 'share row exclusive', 'exclusive', 'access exclusive'):
        pair = test.pair(TARGET, ROWS, STAGED, FEED)
        pair.same(call(WHOLE, "lock_mode => '%s'" % mode), COUNTS)
        pair.close()


def writers_kept_out(test):
    """`exclusive`: no writer, at whatever node, gets in before the commit; readers do."""
    for node in (0, 1) if test.kind != LOCAL else (0,):
        pair = test.pair(TARGET, ROWS, STAGED, FEED)
        other, reader = pair.session('far', node), pair.session('far', node)
        pair.far.query('begin')
        pair.far.query(call(WHOLE, "lock_mode => 'exclusive'"))
        assert reader.value('select count(*) from target') == '20', 'a reader sees what is not committed'
        other.send("insert into target values (500, 1, 'x', 1)")
        wait_until(lambda: other.answered(0) or any(int(w.value(WAITING)) for w in pair.cluster.watching), 20, 'a writer that waits')
        assert not other.answered(0), 'a writer at node %d is let in under an exclusive lock' % node
        pair.far.query('commit')
        assert received(other) == [], 'the writer that waited'
        other.close()
        reader.close()
        pair.close()


def old_pictures(test):
    """REPEATABLE READ: 40001 rather than work on an old picture, and no error where nothing happened; or it is refused altogether."""
    refused = []
    for change, expected in (("update target set v = 'theirs' where k = 2", '40001'), ("insert into target values (50, 1, 'theirs')", '40001'),
                             ('delete from target where k = 8', '40001'), ('select 1', (7, 2, 3, 2, 0, 4))):
        pair = test.pair(*RACE)
        answers, before = [], None
        for schema, connection in (('near', pair.near), ('far', pair.far)):
            connection.query('begin isolation level repeatable read; select count(*) from target')
            other = pair.session(schema)
            other.query(change)
            other.close()
            before = pair.places()
            answers.append(outcome(connection, call(WHOLE)))
            connection.query('rollback' if isinstance(answers[-1], str) else 'commit')
        assert answers[0] == (expected if isinstance(expected, str) else [tuple(map(str, expected))]), answers[0]
        refused.append(answers[1] == '0A000')
        if refused[-1]:
            assert pair.places().keys() == before.keys(), 'refused, but something was written'
        else:
            assert answers[1] == answers[0], '%s: %s, on one machine %s' % (change, answers[1], answers[0])
            pair.same_rows(change)
        pair.close()
    assert len(set(refused)) == 1, 'refused with some changes, not with others: %s' % refused
    return 'REPEATABLE READ is refused' if refused[0] else None


def no_update_is_lost(test):
    """Writers at every node count in a column that is not synced, while calls change the others."""
    pair = test.pair(RACE[0], "insert into target (k, g, v) select k, 0, 'v' from generate_series(1, 60) as k", RACE[2])
    writers = [pair.session('far', node) for node in (NODES if test.kind != LOCAL else (0,)) for _ in range(2)]
    rng, counted, calls, failed, pending = random.Random(1), 0, 0, 0, {}
    for round_number in range(12):
        # found by what they hold, and by where they lie
        pair.far.query("set bulk_sync.applier to '%s'" % ('sql', 'direct')[round_number % 2])
        pair.far.query("truncate staged; insert into staged select k, 0, 'v%d' || (k %% 3) from generate_series(1, 60) as k" % round_number)
        for writer in writers:
            writer.send('update target set hits = hits + 1 where k = %d' % rng.randint(1, 60))
            pending[writer] = True
        pair.far.send(call(WHOLE))
        while not pair.far.answered(0):
            for writer in writers:
                if writer.answered(0.001):
                    writer.receive()
                    counted += 1
                    writer.send('update target set hits = hits + 1 where k = %d' % rng.randint(1, 60))
        answer = received(pair.far)
        assert answer == '40001' or not isinstance(answer, str), answer
        calls, failed = calls + 1, failed + isinstance(answer, str)
        for writer in writers:
            writer.receive()
            counted += 1
    assert pair.far.value('select count(*) || \' \' || sum(hits) from target') == '60 %d' % counted, 'an update was lost'
    assert failed <= calls / 2, '%d of %d calls gave 40001' % (failed, calls)
    for writer in writers:
        writer.close()
    return '%d updates beside %d calls, %d of which gave 40001' % (counted, calls, failed)


def cancels_of_releases(test):
    """At the moment at which other nodes are told of the end of a savepoint: the session is not left in a transaction."""
    rows = "insert into target select k, 'v' || k from generate_series(1, 1000) as k", "insert into staged select k, 'w' || k from generate_series(501, 2000) as k"
    for distributed in (('target',), ('target', 'staged')):
        pair = test.pair('create table target (k int primary key, v text)', rows[0], 'create %stable staged (k int primary key, v text)' % ('' if len(distributed) > 1 else 'temporary '), rows[1],
                         'set bulk_sync.applier to direct', distributed=distributed)
        before, answers = checksum(pair), {}
        pair.far.query('set citus.log_remote_commands to on; set client_min_messages to notice')
        for number in range(60):
            waited = [number % 12 + 1]

            def heard(message):
                waited[0] -= 'issuing RELEASE' in message
                if waited[0] == 0:
                    waited[0] = -1
                    # sooner there than a request for which a process has to start
                    pair.cluster.watching[0].query('select pg_cancel_backend(%d)' % pair.far.pid)
            pair.far.heard = heard
            answer = outcome(pair.far, call(WHOLE))
            pair.far.heard = lambda message: None
            assert pair.far.status == 'I', 'the session is in a transaction that nobody began (%s)' % pair.far.status
            try:
                assert pair.far.value('select 1') == '1'
            except Lost:
                # version 18 may end a session that cannot end its subtransaction
                pair.far = pair.session('far')
                pair.far.query('set bulk_sync.applier to direct; set citus.log_remote_commands to on; set client_min_messages to notice')
                if 'staged' not in distributed:
                    pair.far.query('create temporary table staged (k int primary key, v text); ' + rows[1])
                answers['ended'] = answers.get('ended', 0) + 1
            if isinstance(answer, str):
                # a node that was cancelled as well may answer first; Citus has these for its own savepoints too
                assert answer in ('57014', '25P02', 'XX000'), answer
                assert checksum(pair) == before, 'a cancelled call has changed something'
            else:
                pair.far.query("begin; delete from target; %s; commit" % rows[0])
                answer = 'done'
            answers[answer] = answers.get(answer, 0) + 1
        pair.far.query('set citus.log_remote_commands to off')
        pair.cluster.is_calm()
        pair.close()
    return 'of the last kind: ' + ', '.join('%d %s' % (number, answer) for answer, number in sorted(answers.items()))


def cancels(test):
    """At any moment: nothing is written, nothing is left, on any node."""
    pair = test.pair('create table target (k int primary key, v text)', "insert into target select k, 'v' || k from generate_series(1, 20000) as k",
                     'create temporary table staged (k int, v text)',
                     "insert into staged select k, case when k % 2 = 0 then 'w' else 'v' end || k from generate_series(2001, 22000) as k")
    left, before = pair.cluster.left_behind(), checksum(pair)
    rng, done = random.Random(7), 0
    start = time.monotonic()
    assert pair.far.query('begin; %s' % call(WHOLE)) == [('20000', '2000', '9000', '9000', '0', '2000')]
    length = time.monotonic() - start
    pair.far.query('rollback')
    for _ in range(8):
        pair.far.send('begin; %s; rollback' % call(WHOLE))
        pair.far.answered(rng.random() * length)
        pair.far.cancel()
        answer = received(pair.far)
        assert answer in ('57014', [], '08006') or not isinstance(answer, str), answer
        done += answer == '57014'
        if isinstance(answer, str):
            pair.far.query('rollback')
        pair.cluster.is_calm()
        pair.nothing_left(left)
        assert checksum(pair) == before, 'a cancelled call has changed something'
    for seconds in (0.2, 0.5, 0.8):
        pair.far.query('set statement_timeout to %d' % (length * seconds * 1000))
        answer = outcome(pair.far, 'begin; %s; rollback' % call(WHOLE))
        pair.far.query('rollback')
        pair.far.query('reset statement_timeout')
        assert answer == '57014' or not isinstance(answer, str), answer
        pair.cluster.is_calm()
        pair.nothing_left(left)
        assert checksum(pair) == before, 'a call that timed out has changed something'
    pair.near.query(call(WHOLE))
    assert pair.far.query(call(WHOLE)) == [('20000', '2000', '9000', '9000', '0', '2000')]
    pair.same_rows('cancelled calls')
    assert done > 0, 'no cancel came in time'
    return '%d of 8 cancels came in time, a call takes %.1f s' % (done, length)


def checksum(pair):
    return pair.far.query('select count(*), sum(hashtext(k || v)) from target')


def lost_workers(test):
    """The connection to another node breaks while the call works: an error, and nothing has been written, nothing is left."""
    staged = ('create temporary table staged (k int, v text)',
              "insert into staged select k, case when k % 2 = 0 then 'w' else 'v' end || k from generate_series(2001, 22000) as k")
    pair = test.pair('create table target (k int primary key, v text)', "insert into target select k, 'v' || k from generate_series(1, 20000) as k",
                     *staged)
    left, before, lost = pair.cluster.left_behind(), checksum(pair), set()
    start = time.monotonic()
    pair.far.query('begin; %s; rollback' % call(WHOLE))
    length, rng = time.monotonic() - start, random.Random(3)
    for number in range(6):
        # a connection that has not been made yet cannot break
        pair.far.send('begin; select count(*) from target; %s; rollback' % call(WHOLE))
        pair.far.answered(rng.random() * length)
        for watch in pair.cluster.watching[1:]:
            watch.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'citus_internal gpid=%' "
                        "and state <> 'idle' and datname = current_database() and query not like '%pg_prepared_xacts%' and query not like '%waiting_pid%'")
        try:
            answer = received(pair.far)
            if isinstance(answer, str):
                lost.add(number)
                pair.far.query('rollback')
        except Lost:                                             # what is fatal there, Citus makes fatal here, too
            lost.add(number)
            answer = 'lost'
            pair.far = pair.session('far')
            for statement in staged:
                pair.far.query(statement)
        pair.cluster.is_calm()
        pair.nothing_left(left)
        assert checksum(pair) == before, 'a broken call has changed something: %s' % answer
    pair.near.query(call(WHOLE))
    assert pair.far.query(call(WHOLE)) == [('20000', '2000', '9000', '9000', '0', '2000')]
    pair.same_rows('broken connections')
    return '%d of 6 calls broke' % len(lost)


def lock_timeouts(test):
    """A lock that is not to be had, on a table or on a row of a shard. Citus brings lock_timeout to other nodes where it is told to
    (citus.propagate_set_commands), and then says XX000 of a table's lock, as after any LOCK TABLE; statement_timeout ends the wait in
    any case; nothing is left."""
    for lock in ('lock table target in share mode', 'update target set v = v where k = 3'):
        pair = test.pair(*RACE)
        left, before = pair.cluster.left_behind(), pair.places()
        other = pair.session('far')
        other.query('begin; %s' % lock)
        for settings_of_call, expected in (("set local citus.propagate_set_commands to 'local'; set local lock_timeout to 300", ('55P03', 'XX000')),
                                           ('set local lock_timeout to 300; set local statement_timeout to 1500', ('55P03', '57014'))):
            pair.far.query('begin')
            for statement in settings_of_call.split('; '):
                pair.far.query(statement)
            answer = outcome(pair.far, call(WHOLE))
            pair.far.query('rollback')
            assert answer in expected, '%s, %s: %s' % (lock, settings_of_call, answer)
        other.query('rollback')
        pair.cluster.is_calm()
        pair.nothing_left(left)
        assert pair.places().keys() == before.keys()
        pair.close()


def many_calls(test):
    """Refused and done, in one session: nothing piles up."""
    pair = test.pair(TARGET, ROWS, STAGED, FEED)
    left = pair.cluster.left_behind()
    pair.far.query(call(WHOLE))
    for number in range(12):
        assert outcome(pair.far, call(WHOLE, 'expected_rows => 1')) == 'SY001'
        pair.far.query("update staged set v = 'n%d' where k = 3" % number)
        assert pair.far.query(call(WHOLE)) == [('19', '0', '1', '18', '0', '0')]
    pair.nothing_left(left)
    pair.cluster.is_calm()


# Other users

ROLE = 'regress_bulk_sync_citus'


def users(test):
    """The privileges of the contract (1.3.8) are enough, and needed: no superuser, no right to create anything."""
    pair = test.pair(TARGET, ROWS)
    admin = test.cluster.connect()
    admin.query('set client_min_messages to error; drop role if exists %s' % ROLE)
    admin.query('create role %s login; grant usage on schema near, far to %s' % (ROLE, ROLE))
    sessions = {schema: pair.session(schema, user=ROLE) for schema in ('near', 'far')}
    try:
        for session in sessions.values():
            session.query(STAGED)
            session.query(FEED)
        left, before = test.cluster.left_behind(), pair.places()
        grants = ('select', 'insert', 'update', 'delete')
        for missing in grants:
            for schema in sessions:
                admin.query('revoke all on %s.target from %s; grant %s on %s.target to %s' % (
                    schema, ROLE, ', '.join(g for g in grants if g != missing), schema, ROLE))
            answers = [outcome(session, call(WHOLE)) for session in sessions.values()]
            assert answers == ['42501', '42501'], 'without %s: %s' % (missing, answers)
        assert pair.places() == before, 'refused, but something was written'
        # so many changes that they do not go along with the statements that make them
        for schema, session in sessions.items():
            admin.query('grant select, insert, update, delete on %s.target to %s' % (schema, ROLE))
            session.query("insert into staged select k, 0, 'x', 0 from generate_series(1001, 14000) as k")
            counted = outcome(session, 'begin; %s' % call(WHOLE))
            assert counted == [('13019', '13004', '5', '10', '0', '5')], 'many inserts: %s' % pair.told(session, counted, 'rollback; %s' % call(WHOLE))
            counted = outcome(session, "update staged set v = 'y' where k > 1000; %s" % call(WHOLE))
            assert counted == [('13019', '0', '13000', '19', '0', '0')], 'many updates: %s' % counted
            session.query('rollback; delete from staged where k > 1000')
        for what in ('dry_run', 'real'):
            for schema in sessions:
                admin.query('grant select, insert, update, delete on %s.target to %s' % (schema, ROLE))
            answers = [outcome(session, call(WHOLE, *(['dry_run => true'] if what == 'dry_run' else []))) for session in sessions.values()]
            assert answers[0] == [tuple(map(str, COUNTS))], answers[0]
            assert answers[1] == answers[0], '%s: %s' % (what, pair.told(sessions['far'], answers[1], call(WHOLE)))
        pair.same_rows('a call of another user')
        for schema, session in sessions.items():
            admin.query('revoke all on %s.target from %s; grant select (k, v), update (v) on %s.target to %s' % (schema, ROLE, schema, ROLE))
            session.query("update staged set v = 'u' where k < 5")
        sql = call("columns => '{k,v}'", "actions => '{update}'")
        answers = [outcome(session, sql) for session in sessions.values()]
        assert answers[0] == [('19', '0', '4', '15', '0', '0')], answers[0]
        assert answers[1] == answers[0], 'privileges on columns: %s' % pair.told(sessions['far'], answers[1], sql)
        pair.same_rows('a call with privileges on columns')
        pair.nothing_left(left)
    finally:
        for session in sessions.values():
            session.close()
        pair.close()
        admin.query('drop owned by %s; drop role %s' % (ROLE, ROLE))
        admin.close()


def row_security(test):
    """Rows that a policy hides are no part of the target."""
    pair = test.pair(TARGET, ROWS)
    admin = test.cluster.connect()
    admin.query('set client_min_messages to error; drop role if exists %s' % ROLE)
    admin.query('create role %s login; grant usage on schema near, far to %s' % (ROLE, ROLE))
    for schema in ('near', 'far'):
        for statement in ('alter table %s.target enable row level security' % schema, 'grant all on %s.target to %s' % (schema, ROLE),
                          'create policy p on %s.target to %s using (g < 3)' % (schema, ROLE)):
            admin.query(statement)
    sessions = {schema: pair.session(schema, user=ROLE) for schema in ('near', 'far')}
    try:
        for session in sessions.values():
            session.query(STAGED)
            session.query(FEED + ' and k % 4 < 3')
        answers = [outcome(session, call(WHOLE)) for session in sessions.values()]
        assert answers[0] == [('14', '3', '3', '8', '0', '4')], answers[0]
        assert answers[1] in (answers[0], '0A000'), pair.told(sessions['far'], answers[1], call(WHOLE))
        if answers[1] == '0A000':
            return 'row-level security is refused'
        pair.same_rows('a call under row-level security')
    finally:
        for session in sessions.values():
            session.close()
        pair.close()
        admin.query('drop owned by %s; drop role %s' % (ROLE, ROLE))
        admin.close()


HOSTILE = """create schema hostile;
create function hostile.f(int, int) returns boolean language plpgsql as 'begin raise exception ''hostile''; end';
create function hostile.f(text, text) returns boolean language plpgsql as 'begin raise exception ''hostile''; end';
create function hostile.f(numeric, numeric) returns boolean language plpgsql as 'begin raise exception ''hostile''; end';
create function hostile.f(bigint, bigint) returns boolean language plpgsql as 'begin raise exception ''hostile''; end';
create function hostile.f(bigint, int) returns boolean language plpgsql as 'begin raise exception ''hostile''; end';
create function hostile.f(record, record) returns boolean language plpgsql as 'begin raise exception ''hostile''; end';
create function hostile.f(name, text) returns boolean language plpgsql as 'begin raise exception ''hostile''; end';
create function hostile.now() returns timestamptz language plpgsql as 'begin raise exception ''hostile''; end';
create function hostile.count(int) returns bigint language plpgsql as 'begin raise exception ''hostile''; end';
create function hostile.coalesced(int) returns bigint language plpgsql as 'begin raise exception ''hostile''; end';
create function hostile.create_distributed_table(regclass, text) returns void language plpgsql as 'begin raise exception ''hostile''; end';
create function hostile.create_reference_table(regclass) returns void language plpgsql as 'begin raise exception ''hostile''; end';
create function hostile.format(text, text) returns text language plpgsql as 'begin raise exception ''hostile''; end';
create table hostile.pg_class (oid int, relname name);
create table hostile.pg_dist_partition (logicalrelid int, partmethod text);
create domain hostile.int4 as pg_catalog.int4 check (value < 0);
create domain hostile.text as pg_catalog.text check (false);
create domain hostile.numeric as pg_catalog.numeric check (value < 0)"""


def hostile_path(test):
    """Operators, functions, tables and types of the same names come first in search_path; then nothing does."""
    for path in ('hostile, %s, public, pg_catalog', "''"):
        pair = test.pair(TARGET, ROWS, STAGED, FEED)
        admin = test.cluster.connect()
        admin.query('set client_min_messages to error; set citus.enable_ddl_propagation to off; drop schema if exists hostile cascade')
        for statement in HOSTILE.split(';\n'):
            admin.query(statement)
        for left, right in (('int', 'int'), ('text', 'text'), ('numeric', 'numeric'), ('bigint', 'bigint'), ('bigint', 'int'), ('record', 'record'), ('name', 'text')):
            for operator in ('=', '<>', '<', '>', '*=', '*<>', '<=', '>='):
                types = tuple('pg_catalog.%s' % {'int': 'int4', 'bigint': 'int8'}.get(t, t) for t in (left, right))
                admin.query('create operator hostile.%s (leftarg = %s, rightarg = %s, function = hostile.f)' % ((operator,) + types))
        answers = []
        for schema, connection in (('near', pair.near), ('far', pair.far)):
            connection.query('set search_path to %s' % (path % schema if '%' in path else path))
            sql = "select * from public.bulk_sync('%s.target', 'pg_temp.staged', '{k}', scope => 'k operator(pg_catalog.>) 0')" % schema
            for more in (', dry_run => true)', ", scope_columns => '{g}', update_where => 'true')", ')'):
                answers.append(outcome(connection, sql[:-1] + more))
            if isinstance(answers[-1], str):
                answers[-1] = pair.told(connection, answers[-1], sql)
            connection.query('set search_path to %s, public' % schema)
        admin.query('drop schema hostile cascade')
        admin.close()
        half = len(answers) // 2
        assert answers[0] == [tuple(map(str, COUNTS))], answers[:half]
        assert answers[:half] == answers[half:], answers[half:]
        pair.same_rows('a hostile path')
        pair.close()


def at_a_worker(test):
    """A call at a worker does the same, or is refused before anything is written."""
    pair = test.pair(TARGET, ROWS)
    worker = pair.session('far', 1)
    worker.query(STAGED)
    worker.query(FEED)
    left = pair.cluster.left_behind()
    worker.query('set bulk_sync.applier to direct')
    answer = outcome(worker, call(WHOLE))
    assert not worker.warnings, worker.warnings              # no table can be made there, and nothing is left open for it
    worker.close()
    if isinstance(answer, str):
        assert answer in ('0A000', '22023'), answer
        assert pair.far.value('select count(*) from target') == '20'
    else:
        assert answer == [tuple(map(str, COUNTS))], answer
        pair.near.query(STAGED)
        pair.near.query(FEED)
        pair.near.query(call(WHOLE))
        pair.same_rows('a call at a worker')
    pair.nothing_left(left)
    return 'a call at a worker is %s' % ('refused (%s)' % answer if isinstance(answer, str) else 'done')


FAR = tuple(kind for kind in KINDS if kind != LOCAL)

TESTS = [
    ('a rollback', rolled_back, KINDS),
    ('savepoints', savepoints, KINDS),
    ('blocks that catch errors', caught, KINDS),
    ('blocks that catch errors, many changes', caught_many, ('hash', 'partitioned')),
    ('a table made in the same transaction', new_table, ('hash', 'reference', 'schema')),
    ('settings make no difference', settings, ('hash', 'reference')),
    ('backslashes in a scope', backslashes, KINDS),
    ('many calls in one session', many_calls, KINDS),
    ('lock modes', lock_modes, KINDS),
    ('other sessions write at the coordinator', races_here, KINDS),
    ('other sessions write at a worker', races_at_a_worker, FAR),
    ('other sessions write, rows looked up by key', races_by_key, FAR),
    ('other sessions write, staged beside the target', races_beside, FAR),
    ('other sessions write, changes stay on their shards', races_there, FAR),
    ('other sessions write before the shards look', written_before_the_look, ('hash',)),
    ('a lock timeout while a table is made', lock_timeout_of_table, ('hash',)),
    ('other sessions write, many changes', races_of_many, ('hash', 'partitioned')),
    ('writers wait for a call', writers_wait, KINDS),
    ('writers are kept out', writers_kept_out, KINDS),
    ('calls follow each other', calls_in_turn, KINDS),
    ('REPEATABLE READ', old_pictures, KINDS),
    ('no update is lost', no_update_is_lost, KINDS),
    ('cancels of the end of a savepoint', cancels_of_releases, ('hash',)),
    ('cancels', cancels, KINDS),
    ('broken connections', lost_workers, FAR),
    ('lock timeouts', lock_timeouts, KINDS),
    ('a call at a worker', at_a_worker, FAR),
    ('users and privileges', users, KINDS),
    ('row-level security', row_security, KINDS),
    ('a hostile search_path', hostile_path, KINDS),
]
