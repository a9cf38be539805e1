"""Two copies of the same tables: one distributed (schema far), one on the coordinator alone (schema near).

A test writes its statements once, without schemas, and both copies get them. A call is then made on both: what the contract
says of tables must be so of the local one and of the distributed one, and no matter what the test itself expects, the two must
give the same counts and hold the same rows.
"""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'faults'))
from client import Connection, SqlError, wait_until  # noqa: E402

# 'local' is to test the tests: the second copy is no other than the first.
LOCAL = 'local'
KINDS = ('hash', 'reference', 'schema', 'partitioned', LOCAL)
# A call that Citus cannot make whole may say so, before it writes anything.
REFUSED = ('0A000', '22023')

# Everything that a call could leave behind on a node, but for rows
LEFT_BEHIND = """
select 'relation ' || n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'
union all select 'schema ' || nspname from pg_namespace where nspname not like 'pg\\_%'
union all select 'function ' || oid::regprocedure from pg_proc where oid >= 16384
union all select 'partition ' || p::text from pg_dist_partition p
union all select 'shard ' || logicalrelid || ' ' || shardid from pg_dist_shard
union all select 'placement ' || shardid || ' ' || groupid from pg_dist_placement
union all select 'colocation ' || c::text from pg_dist_colocation c
union all select 'object ' || classid || ' ' || objid from pg_dist_object
union all select 'distributed schema ' || schemaid from pg_dist_schema
union all select 'cleanup ' || object_name from pg_dist_cleanup
order by 1"""
# Locks of transactions that are over, and transactions that are not
BUSY = """
select 'lock ' || l.mode || ' ' || coalesce(l.relation::regclass::text, l.locktype) from pg_locks l join pg_stat_activity a using (pid)
 where a.datname = current_database() and a.backend_type = 'client backend' and a.pid <> pg_backend_pid()
   and l.locktype in ('relation', 'tuple', 'advisory', 'transactionid')
union all select 'transaction of ' || application_name from pg_stat_activity
 where datname = current_database() and state like 'idle in transaction%'
union all select 'prepared ' || gid from pg_prepared_xacts"""


class Cluster:
    """The nodes that support/citus.sh started; the coordinator is the first."""

    def __init__(self, database='postgres'):
        self.nodes, self.database = os.environ['CITUS_NODES'].split(), database
        self.port = os.environ['PGPORT']
        self.watching = [self.connect(node) for node in range(len(self.nodes))]

    def connect(self, node=0, user='postgres', options=''):
        # No test may wait for ever, nor may what it leaves waiting.
        return Connection(self.nodes[node], self.port, user, self.database, '-c statement_timeout=120s ' + options)

    def left_behind(self):
        """What there is, on each node."""
        return [[row[0] for row in watch.query(LEFT_BEHIND)] for watch in self.watching]

    def is_calm(self, seconds=10):
        """Is every transaction over, on every node? A worker may need a moment after a cancel."""
        found = []

        def calm():
            found[:] = [row[0] for watch in self.watching for row in watch.query(BUSY)]
            return not found
        try:
            wait_until(calm, seconds, '')
        except AssertionError:
            raise AssertionError('still there: %s' % '; '.join(found[:5]))


def outcome(connection, sql):
    """The rows, or the SQLSTATE."""
    try:
        return connection.query(sql)
    except SqlError as error:
        return error.code


class Pair:
    """kind says how the tables named in `distributed` are made far. `column` distributes them where something does."""

    def __init__(self, cluster, kind, *statements, column='k', distributed=('target',), reference=()):
        self.cluster, self.kind, self.column, self.distributed = cluster, kind, column, distributed
        self.tables, self.sessions = list(distributed) + list(reference), []
        self.drop()
        admin = cluster.connect()
        admin.query('create schema near')
        if kind == 'schema':
            admin.query('set citus.enable_schema_based_sharding to on')
        admin.query('create schema far')
        admin.query('set citus.enable_schema_based_sharding to off')
        self.near, self.far = (self.session(schema) for schema in ('near', 'far'))
        admin.close()
        for statement in statements:
            self.both(self.adapted(statement))
            name = re.match(r'create table (\w+)', statement)
            if name and kind not in ('schema', LOCAL):
                if name[1] in reference or name[1] in distributed and kind == 'reference':
                    self.far.query("select create_reference_table('%s')" % name[1])
                elif name[1] in distributed:
                    self.far.query("select create_distributed_table('%s', '%s', colocate_with => '%s')" % (
                        name[1], column, 'none' if name[1] == distributed[0] else distributed[0]))

    def session(self, schema, node=0, user='postgres', options=''):
        connection = self.cluster.connect(node, user, options)
        self.sessions.append(connection)
        connection.query('set search_path to %s, public' % schema)
        connection.query('set client_min_messages to warning')
        return connection

    def adapted(self, statement):
        """Where the kind is partitioned, the target is."""
        name = re.match(r'create table (\w+)', statement)
        if self.kind != 'partitioned' or not name or name[1] not in self.distributed:
            return statement
        parts = ''.join('; create table %s_%d partition of %s for values with (modulus 2, remainder %d)' % (name[1], i, name[1], i)
                        for i in range(2))
        return '%s partition by hash (%s)%s' % (statement, self.column, parts)

    def drop(self):
        connection = self.cluster.connect()
        connection.query('set client_min_messages to error')
        for schema in ('near', 'far'):
            connection.query('drop schema if exists %s cascade' % schema)
        connection.close()

    def close(self):
        for connection in self.sessions:
            connection.close()
        self.drop()

    # Statements on both

    def both(self, sql):
        """Setting up: on both, without a surprise."""
        try:
            return self.near.query(sql), self.far.query(sql)
        except SqlError as error:
            raise AssertionError('%s: %s' % (sql, error))

    def same(self, sql, expected=None, also=()):
        """Both give `expected`: a tuple of counts, rows, or an SQLSTATE. `also`: SQLSTATEs that the distributed one may answer
        with instead. Afterwards both hold the same rows, and nothing else is left. The answer of the distributed one."""
        left = self.cluster.left_behind()
        near, far = outcome(self.near, sql), outcome(self.far, sql)
        if isinstance(expected, tuple):
            expected = [tuple(str(count) for count in expected)]
        if expected is not None:
            assert near == expected, 'on one machine: %s gives %s, not %s' % (sql, self.told(self.near, near, sql), expected)
        if far != near:
            told = self.told(self.far, far, sql)
            assert isinstance(far, str) and far in also, '%s: %s gives %s, on one machine %s' % (self.kind, sql, told, near)
            self.nothing_left(left)
            return far
        self.nothing_left(left)
        self.same_rows(sql)
        return far

    def told(self, connection, got, sql):
        """An SQLSTATE with its message: it is asked for again, since nothing was changed."""
        if isinstance(got, str):
            try:
                connection.query(sql)
            except SqlError as error:
                return '%s (hint: %s)' % (error, error.hint)
        return got

    def same_rows(self, after):
        for table in self.tables:
            near, far = self.rows(self.near, table), self.rows(self.far, table)
            assert near == far, '%s: after %s, %s holds %s, on one machine %s' % (
                self.kind, after, table, [r for r in far if r not in near][:5] or far[:5],
                [r for r in near if r not in far][:5] or near[:5])
        if self.kind == 'reference':
            for table in self.distributed:
                self.same_placements(table)

    def rows(self, connection, table):
        return sorted(row[0] for row in connection.query('select to_jsonb(a_row)::text from %s a_row' % table))

    def same_placements(self, table):
        """Each node has the same reference table."""
        found = self.far.query("select nodename, result from run_command_on_placements('far.%s', "
                               "'select coalesce(string_agg(a_row::text, chr(10) order by a_row::text), '''') from %%s a_row')" % table)
        assert len({row[1] for row in found}) == 1, 'the copies of a reference table differ: %s' % found

    def nothing_left(self, before):
        after = self.cluster.left_behind()
        for node, (old, new) in enumerate(zip(before, after)):
            assert old == new, 'left behind on node %d: %s; gone: %s' % (
                node, sorted(set(new) - set(old))[:6], sorted(set(old) - set(new))[:6])

    def error_of(self, sql, connection=None):
        """The SqlError; of the distributed one, unless another connection is named."""
        try:
            rows = (connection or self.far).query(sql)
        except SqlError as error:
            return error
        raise AssertionError('%s: %s is not refused, but gives %s' % (self.kind, sql, rows))

    def agree(self, sql, expected, also=()):
        """The same counts, where numbers that were drawn may differ between the two."""
        left = self.cluster.left_behind()
        near, far = outcome(self.near, sql), outcome(self.far, sql)
        assert near == [tuple(map(str, expected))], 'on one machine: %s gives %s' % (sql, self.told(self.near, near, sql))
        if far != near:
            assert isinstance(far, str) and far in also, '%s: %s gives %s, not %s' % (
                self.kind, sql, self.told(self.far, far, sql), near)
        self.nothing_left(left)
        return far

    def drawn(self, column):
        """How far is the sequence of a column of the distributed target?"""
        return int(self.far.value("select coalesce(pg_sequence_last_value(pg_get_serial_sequence('far.target', '%s')), 0)" % column))

    # What was written where

    def places(self, table='target'):
        """{row as text: where its version is} of the distributed table, by what the shards say."""
        if self.kind == LOCAL:
            places = self.far.query('select tableoid, ctid, xmin, xmax, a_row::text from %s a_row' % table)
            return {place[4:]: place[:4] for place in places}
        found = self.far.query("select shardid, result from run_command_on_shards('far.%s', 'select json_agg(json_build_array("
                               "tableoid, ctid::text, xmin::text, xmax::text, a_row::text)) from %%s a_row')" % table)
        return {tuple(place[4:]): (shard, *place[:4]) for shard, text in found if text for place in json.loads(text)}

    def untouched(self, before, keep=None):
        """The rows that are as they were have not been written; at least `keep` of them."""
        after = self.places()
        both = [row for row in before if row in after]
        moved = [row for row in both if before[row] != after[row]]
        assert not moved, '%s: rows that are equal were written: %s' % (self.kind, moved[:3])
        if keep is not None:
            assert len(both) == keep, '%s: %d rows are as they were, not %d' % (self.kind, len(both), keep)

    def refused(self, sql, codes=REFUSED, saying=None, hint=True, near=True):
        """The distributed one refuses it, and says what to do; nothing has been written, nothing is left. The error."""
        left, before = self.cluster.left_behind(), self.places()
        if near:
            answer = outcome(self.near, 'begin; %s; rollback' % sql)
            if isinstance(answer, str):
                self.near.query('rollback')
                raise AssertionError('on one machine: %s gives %s' % (sql, answer))
        try:
            rows = self.far.query(sql)
        except SqlError as error:
            assert error.code in codes, '%s: %s gives %s' % (self.kind, sql, error)
            assert self.places() == before, '%s: refused, but something was written: %s' % (self.kind, sql)
            if hint:
                assert error.hint, '%s: the refusal has no hint: %s' % (self.kind, error)
            if saying:
                assert saying in error.message + error.detail + error.hint, '%s: "%s" is not in: %s' % (self.kind, saying, error)
            self.nothing_left(left)
            return error
        raise AssertionError('%s: %s is not refused, but gives %s' % (self.kind, sql, rows))

