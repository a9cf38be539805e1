#!/usr/bin/env python3
"""Calls every function of bulk_sync with random arguments, and looks that nothing but an ordinary error comes of it.

    fuzz.py --calls N --seed S [--seconds T] [--pg PGHOST] [--first I] [--verbose]

Needs the client programs on PATH and a running server with the extension installed. It works in a database of its own and
drops it at the end. Call I of seed S is always the same call. Standard library only; the parts are in synctest/:
fuzz_objects.py makes relations of every kind, roles and hostile functions, fuzz_calls.py the calls.

A call is made by a role, under settings, in a subtransaction that is undone. Whatever SQLSTATE it ends with is fine but
for those of class XX (internal errors), and so is success, if the rows of a bystanding table, and of the target those
that a scope leaves out, are the same versions as before. A server that goes away is the worst that can happen.

What went wrong is printed as a psql script. Exit status 1 if anything did.
"""
import argparse
import collections
import os
import random
import subprocess
import sys
import time

from synctest import fuzz_objects
from synctest.fuzz_calls import Calls, literal
from synctest.server import Server

BATCH = 100
ROLES = ('fuzz_user', 'fuzz_reader')
ISOLATION = ['READ COMMITTED'] * 3 + ['REPEATABLE READ', 'SERIALIZABLE']


class Fuzz:
    def __init__(self, args, database):
        self.args, self.database = args, database
        self.states, self.failures, self.calls = collections.Counter(), 0, 0
        self.connect(True)

    def connect(self, new):
        self.server = Server(self.database)
        run = self.server.run
        if new:
            run(['CREATE EXTENSION IF NOT EXISTS bulk_sync'])
        self.version = int(run(["SELECT current_setting('server_version_num')::int / 10000"])[0][1][0])
        self.ext = run(["SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'bulk_sync'"])[0][1][0]
        for role in ROLES:
            run(['DO $$ BEGIN CREATE ROLE %s; EXCEPTION WHEN duplicate_object THEN NULL; END $$' % role])
        self.made = ['DROP SCHEMA IF EXISTS fuzz, "fu.zz\'"" $$;--" CASCADE', 'DROP SERVER IF EXISTS fuzz', 'DROP FOREIGN DATA WRAPPER IF EXISTS fuzz CASCADE']
        self.made += fuzz_objects.setup(self.version, random.Random('%s/rows' % self.args.seed)) + self.twins()
        for statement, (state, lines) in zip(self.made, run(self.made)):
            if state != '00000':
                raise SystemExit('%s\n%s' % (statement, '\n'.join(lines)))

    @staticmethod
    def twins():
        """Staged tables that are made like the target and hold a part of its rows."""
        names = ('uuids', 'arrays', 'composites', 'enums', 'ranges', 'documents', 'no_equality', 'moments', 'many', 'identities', 'typed', 'policed', 'names', 'columns_only', 'history', 'no_columns')
        return (['CREATE TABLE fuzz.%s_s AS SELECT * FROM fuzz.%s LIMIT 4' % (name, name) for name in names] +
                ['GRANT SELECT ON ALL TABLES IN SCHEMA fuzz TO fuzz_reader, fuzz_user', 'REVOKE SELECT ON fuzz.columns_only, fuzz.kept FROM fuzz_user',
                 'GRANT SELECT (k, v, g) ON fuzz.columns_only TO fuzz_user'])

    def call(self, number):
        sql, role, settings, guard = Calls(random.Random('%s/%d' % (self.args.seed, number)), self.version).call()
        array = 'ARRAY[%s]::text[]' % ', '.join(literal(part) for part in settings)
        return '(%d, %s, %s, %s, %s, %s)' % (number, literal(sql.replace('{ext}', self.ext)), literal(role), array, literal(guard), number % 10 == 0)

    def statements(self, numbers, isolation):
        values = ',\n'.join(self.call(number) for number in numbers)
        return ['BEGIN ISOLATION LEVEL ' + isolation, "SET LOCAL statement_timeout = '120s'",
                'SELECT n, fuzz.attempt(call, role, settings, guard, again) FROM (VALUES\n%s) c (n, call, role, settings, guard, again)' % values, 'ROLLBACK']

    def batch(self, numbers):
        isolation = random.Random('%s/batch %d' % (self.args.seed, numbers[0])).choice(ISOLATION)
        statements = self.statements(numbers, isolation)
        try:
            state, lines = self.server.run(statements)[2]
        except ConnectionError as error:
            return self.crashed(numbers, statements, error)
        seen, before = 0, (self.states.copy(), self.calls)
        for line in lines:
            number, bar, outcome = line.partition('|')
            if bar and number.isdigit() and len(outcome) >= 5:
                seen += 1
                self.count(int(number), outcome, isolation)
        if state != '00000' or seen != len(numbers):
            if len(numbers) > 1:                                 # an error that no subtransaction holds: which call was it?
                self.states, self.calls = before
                return [self.batch([number]) for number in numbers]
            self.report(numbers[0], 'the call took its transaction with it: %s %s' % (state, ' '.join(lines)), statements)
        return None

    def count(self, number, outcome, isolation):
        self.calls += 1
        state = outcome[:5]
        self.states[state] += 1
        if self.args.verbose:
            print('%d %s' % (number, outcome))
        if state.startswith('XX') or state in ('ZZ001', '57014', 'P0004'):
            self.report(number, outcome, self.statements([number], isolation))

    def crashed(self, numbers, statements, error):
        for _ in range(60):
            time.sleep(1)
            if subprocess.run(['psql', '-XqAt', '-d', self.database, '-c', 'SELECT 1'], capture_output=True).returncode == 0:
                break
        self.connect(False)
        if len(numbers) == 1:
            self.report(numbers[0], 'the server went away: %s' % error, statements)
        else:
            for number in numbers:
                self.batch([number])

    def report(self, number, wrong, statements):
        self.failures += 1
        print('-- call %d of seed %s on %d: %s\n%s;\n' % (number, self.args.seed, self.version, wrong, ';\n'.join(statements)), flush=True)

    def run(self):
        start, first = time.time(), self.args.first
        while first < self.args.first + self.args.calls and time.time() - start < self.args.seconds and self.failures < 20:
            self.batch(range(first, min(first + BATCH, self.args.first + self.args.calls)))
            first += BATCH


def close(database, fuzz):
    if fuzz is not None:
        fuzz.server.process.stdin.close()
        fuzz.server.process.wait(30)
    subprocess.run(['dropdb', '--if-exists', '--force', database], check=False)
    for role in ROLES:                                           # another run may still need them
        subprocess.run(['dropuser', '--if-exists', role], stderr=subprocess.DEVNULL, check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--calls', type=int, default=10000)
    parser.add_argument('--seed', default='1')
    parser.add_argument('--first', type=int, default=0, help='number of the first call')
    parser.add_argument('--seconds', type=float, default=1e9, help='stop after so much time')
    parser.add_argument('--pg', help='PGHOST')
    parser.add_argument('--verbose', action='store_true', help='say what came of every call')
    parser.add_argument('--objects', action='store_true', help='print what the calls are made on and stop')
    args = parser.parse_args()
    if args.pg:
        os.environ['PGHOST'] = args.pg
    database, fuzz, start = 'fuzz_%d' % os.getpid(), None, time.time()
    subprocess.run(['createdb', database], check=True)
    try:
        fuzz = Fuzz(args, database)
        if args.objects:
            print(';\n'.join(fuzz.made) + ';')
            return 0
        fuzz.run()
    finally:
        close(database, fuzz)
    print('%d calls on %d in %d s, %d failures' % (fuzz.calls, fuzz.version, time.time() - start, fuzz.failures))
    print('outcomes: ' + ', '.join('%s %d' % outcome for outcome in fuzz.states.most_common()))
    return 1 if fuzz.failures or fuzz.calls == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
