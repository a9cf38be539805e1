"""Who works on the tables while the server is crashed, and what does each of them know to be there afterwards?

Syncers bring scopes of their own from generation to generation, in several ways; touchers update a column that no sync
writes, and hang notes on rows; a journal writer adds one row a transaction. Each remembers what the server has
acknowledged and what it was asked for last, which may be there or not.
"""
import threading

from client import Lost, SqlError

# What a crash may say: by an administrator, after another's crash, starting up, shutting down
CRASH = ('57P01', '57P02', '57P03')
RETRY = ('40001', '40P01', '55P03')
STYLES = ('transaction', 'statement', 'returning', 'row exclusive')


class Worker(threading.Thread):
    def __init__(self, cluster, database, random):
        super().__init__(daemon=True)
        self.cluster, self.database, self.random = cluster, database, random
        self.stopping, self.failure, self.doing, self.pid, self.done = False, None, 'nothing', None, 0

    def run(self):
        try:
            self.connection = self.cluster.connect(self.database, '-c statement_timeout=120s')
            self.pid = self.connection.pid
            while not self.stopping:
                self.once()
                self.done += 1
            self.connection.close()
        except Lost:
            pass
        except SqlError as error:
            if error.code not in CRASH:
                self.failure = error
        except Exception as error:
            self.failure = error

    def expect_one_of(self, *codes):
        """Runs on after an error that other sessions may cause."""
        return Expected(self.connection, codes)

    def end(self):
        self.stopping = True
        self.join(130)
        assert not self.is_alive(), '%s does not end' % self
        if self.failure is not None:
            raise AssertionError('%s: %r' % (self, self.failure))


class Expected:
    def __init__(self, connection, codes):
        self.connection, self.codes, self.raised = connection, codes, False

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, SqlError) and error.code in self.codes:
            self.raised = True
            self.connection.query('rollback')
            return True
        return False


class Syncer(Worker):
    """One scope. `possible` are the generations that it may hold."""

    def __init__(self, cluster, database, random, scope, generation, size, style, torn=False):
        super().__init__(cluster, database, random)
        self.scope, self.generation, self.size, self.style, self.torn = scope, generation, size, style, torn
        self.possible = {generation}

    def __str__(self):
        return 'the sync of scope %d (%s)' % (self.scope, self.style)

    def once(self):
        new, self.doing = self.generation + 1, 'staging'
        rows = 'select * from content(%d, %d, %d)' % (self.scope, new, self.size)
        with self.expect_one_of(*RETRY) as expected:
            if self.style == 'transaction':
                self.in_transaction(rows, new)
            else:
                self.by_statement(rows, new)
        self.generation = self.generation if expected.raised else new
        self.possible = {self.generation}

    def in_transaction(self, rows, new):
        self.connection.query('begin')
        self.connection.query("select bulk_stage('target', '{scope,k,v,big}', on_commit_drop => true)")
        self.connection.query('insert into target_staged %s' % rows)
        self.doing = 'sync'
        self.connection.query(call('bulk_sync', 'target_staged', self.scope))
        self.doing, self.possible = 'commit', {self.generation, new}
        self.connection.query('commit')

    def by_statement(self, rows, new):
        staged = 'staged_%d' % self.scope
        self.connection.query('truncate %s' % staged)
        self.connection.query('insert into %s %s' % (staged, rows))
        self.doing, self.possible = 'sync', {self.generation, new}
        if self.torn:
            self.connection.query(call('bulk_sync', staged, self.scope, ", actions => '{delete}'"))
            self.connection.query(call('bulk_sync', staged, self.scope, ", actions => '{insert,update}'"))
        elif self.style == 'returning':
            self.connection.query('select count(*) from (%s) as r' % call('bulk_sync_returning', staged, self.scope))
        elif self.style == 'row exclusive':
            self.connection.query(call('bulk_sync', staged, self.scope, ", lock_mode => 'row exclusive'"))
        else:
            self.connection.query(call('bulk_sync', staged, self.scope))


def call(function, staged, scope, more='', target='target'):
    return "select * from %s('%s', '%s', scope => 'scope = %d'%s)" % (function, target, staged, scope, more)


class Toucher(Worker):
    def __init__(self, cluster, database, random, scopes, size):
        super().__init__(cluster, database, random)
        self.scopes, self.size = scopes, size

    def __str__(self):
        return 'a writer beside the syncs'

    def once(self):
        scope, k = self.random.choice(self.scopes), self.random.randint(1, self.size)
        with self.expect_one_of('23503', *RETRY):
            if self.random.random() < 0.5:
                self.connection.query('update target set touched = touched + 1 where scope = %d and k between %d and %d'
                                      % (scope, k, k + 20))
            else:
                self.connection.query('insert into note (scope, k) values (%d, %d)' % (scope, k))


class Journalist(Worker):
    """Rows 1 to n, one a transaction: `acknowledged` of them must be there, and perhaps the next one."""

    def __init__(self, cluster, database, random, acknowledged):
        super().__init__(cluster, database, random)
        self.acknowledged = acknowledged

    def __str__(self):
        return 'the journal'

    def once(self):
        self.connection.query('insert into journal values (1, %d)' % (self.acknowledged + 1))
        self.acknowledged += 1


class Load:
    """All of them together, over several crashes."""

    def __init__(self, cluster, database, random, size, torn=False):
        self.cluster, self.database, self.random, self.size, self.torn = cluster, database, random, size, torn
        self.generations = {scope: 0 for scope in range(1, len(STYLES) + 1)}
        self.written = 0
        connection = cluster.connect(database)
        for scope in self.generations:
            connection.query('create %s table staged_%d (scope int, k int, v text, big text)'
                             % (random.choice(['', 'unlogged']), scope))
        connection.close()

    def start(self):
        self.syncers = [Syncer(self.cluster, self.database, self.random, scope, generation, self.size, style, self.torn)
                        for (scope, generation), style in zip(self.generations.items(), STYLES)]
        self.journalist = Journalist(self.cluster, self.database, self.random, self.written)
        self.others = [Toucher(self.cluster, self.database, self.random, list(self.generations), self.size)]
        self.workers = self.syncers + self.others + [self.journalist]
        for worker in self.workers:
            worker.start()

    def end(self):
        for worker in self.workers:
            worker.end()

    def check(self, connection, generation_held):
        """What each of them knows must be there. Returns (syncs that were cut off, those of them that took effect)."""
        cut_off = took_effect = 0
        for syncer in self.syncers:
            held = generation_held(connection, syncer.scope, syncer.possible, syncer.size)
            if syncer.doing in ('sync', 'commit'):
                cut_off += 1
                took_effect += held != syncer.generation
            self.generations[syncer.scope] = held
        rows, highest = connection.query('select count(*), coalesce(max(n), 0) from journal')[0]
        assert rows == highest and int(rows) in (self.journalist.acknowledged, self.journalist.acknowledged + 1), \
            'the journal has %s rows up to %s, %d were acknowledged' % (rows, highest, self.journalist.acknowledged)
        self.written = int(rows)
        return cut_off, took_effect

    def sync_all(self, connection):
        """The next sync of each scope succeeds, and a second one finds nothing to do."""
        for scope in self.generations:
            self.generations[scope] += 1
            connection.query('truncate staged_%d' % scope)
            connection.query('insert into staged_%d select * from content(%d, %d, %d)'
                             % (scope, scope, self.generations[scope], self.size))
            connection.query(call('bulk_sync', 'staged_%d' % scope, scope))
            again = connection.query(call('bulk_sync', 'staged_%d' % scope, scope))[0]
            assert again[0] == again[3] and again[5] == '0', 'a second sync of scope %d finds %s' % (scope, again)
