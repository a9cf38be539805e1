#!/usr/bin/env python3
"""Differential test of bulk_sync: random tables, rows and options against a slow and obvious model of the contract.

    differential.py --cases N --seed S [--pg PGHOST] [--first I] [--seconds T] [--kinds plain,partitioned,inheritance,view] [--stop]
                    [--matcher auto|hash|join|sort|filter] [--applier auto|direct|sql] [--distributed]

Needs psql and createdb on PATH and a running server with the extension installed (PGHOST, PGPORT, PGUSER as usual, or
--pg). It works in a database of its own, "differential_<pid>", and drops it at the end. Case I of seed S is always the
same case (on servers of one version). Standard library only. The modules are in synctest/.

A case is: a target (plain, partitioned, inheritance parent, view; with dropped, generated, identity and serial columns,
hostile names, secondary unique constraints and values that rows trade, BEFORE triggers, statement triggers with transition tables, row-level
security), its rows, a staged table (other order, other types), its rows, and options.

* Of bulk_sync (synctest/checks.py): a dry run, bulk_compare, the real call, bulk_compare and the real call again, with a
  picture of the table (ctid, xmin, xmax, the text image of every column and the row as JSON) between them. The real call
  is bulk_sync or, in a share of the cases, bulk_sync_returning. The model says what each must do from the picture before
  it: the SQLSTATE of a refusal, or the counts, the rows returned and the rows afterwards; rows that the call must not
  touch keep ctid, xmin and xmax. The returned rows, replayed on the old table, give the new one.
* Of bulk_insert_changed (synctest/history_checks.py): some calls one after the other, each against a model that takes
  the staged rows one by one.

Each case goes its own way: bulk_sync.matcher and bulk_sync.applier are drawn for it from a stream of their own, and are part of
the script of a failure. --matcher and --applier send all cases one way; they stay the same cases.

With --distributed the tables are those of a Citus cluster, the one of support/citus.sh: targets distributed by a column of the key,
reference tables, tables in a distributed schema, staged tables beside them. What Citus has not is not drawn, and cases whose tables
it refuses to make are passed over (`by Citus`, in the outcomes).

Where the contract leaves the outcome open (unique values traded behind a view, say) `may_fail` holds the code that
is allowed, too, or `open` is set and only the invariants are checked.

A failure is reduced (rows, options, triggers are taken away as long as it still fails) and printed as a psql script.
Exit status 1 if there was one.
"""
import argparse
import collections
import os
import random
import subprocess
import sys
import time

from synctest import checks, foreign, history_checks
from synctest.datatypes import ask_for_json
from synctest.distributed import create_database, distribute, drop_database
from synctest.generate import random_case
from synctest.history_cases import HistoryCase, random_history
from synctest.reduction import Reduction
from synctest.server import Server

PREAMBLE = ['CREATE EXTENSION IF NOT EXISTS bulk_sync;',
            "CREATE COLLATION IF NOT EXISTS public.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);",
            'CREATE DOMAIN public.positive AS int CHECK (VALUE > 0);',
            "CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'Happy');",
            "SET timezone = 'UTC';"]
# They log in to other nodes
ROLES = ('hostile_user', 'hostile_reader')
MATCHERS, APPLIERS = ('auto', 'hash', 'join', 'sort', 'filter'), ('auto', 'direct', 'sql')
# So many cases share a session. Each leaves types and relations behind, through all of whose entries in its caches the server
# goes when one of them changes: a session that has done thousands is slow.
SESSION = 200


class Test:
    def __init__(self, args, database):
        self.args, self.server = args, Server(database)
        made = self.server.run(PREAMBLE)
        self.server.has_ci = made[1][0] == '00000'
        for role in ROLES:
            self.server.run(["DO $$ BEGIN CREATE ROLE %s LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$" % role])
        self.version = int(self.server.run(["SELECT current_setting('server_version_num')::int / 10000"])[0][1][0])
        ask_for_json(self.server)
        available = self.server.run(["SELECT count(*) FROM pg_available_extensions WHERE name = 'postgres_fdw'"])[0][1] == ['1']
        self.foreign = args.foreign if available else 0
        if self.foreign:
            self.server.run(foreign.preamble(database))
        self.cases = self.failures = 0
        self.outcomes = collections.Counter()

    def make(self, number):
        kinds = self.args.kinds.split(',')
        history = random.Random('%s/%s/function' % (self.args.seed, number)).random() < 0.25
        if self.args.distributed:
            history = False
        if self.args.only:
            history = self.args.only == 'history'
        case = (random_history if history else random_case)(self.args.seed, number, kinds, self.version, self.server.has_ci)
        rng = random.Random('%s/%s/way' % (self.args.seed, number))
        matcher, applier = rng.choice(MATCHERS), rng.choice(APPLIERS)
        case.matcher, case.applier = self.args.matcher or matcher, self.args.applier or applier
        if self.foreign and not history:
            foreign.draw(case, random.Random('%s/%s/foreign' % (self.args.seed, number)), self.foreign)
        if self.args.distributed:
            distribute(case, random.Random('%s/%s/distribution' % (self.args.seed, number)))
        return case

    def run(self):
        start = time.time()
        for number in range(self.args.first, self.args.first + self.args.cases):
            if time.time() - start > self.args.seconds or not self.run_one(number):
                break

    def run_one(self, number):
        """False: no more of them."""
        case = self.make(number)
        self.cases += 1
        try:
            if self.cases % SESSION == 0:
                self.server.restart()
            wrong, outcome = module_of(case).run(self.server, case)
        except ConnectionError as error:                         # the server is down, or was
            self.report(number, 'crash: %s' % error, script(case))
            return False
        if not wrong:
            kind = 'history ' if isinstance(case, HistoryCase) else 'foreign ' if case.foreign else ''
            self.outcomes[kind + str(outcome)] += 1
            return True
        if self.args.no_reduction:
            self.report(number, wrong, script(case))
            return not self.args.stop
        run = module_of(case).run
        small = Reduction(lambda trial: run(self.server, trial)[0], case, wrong).reduce()
        self.report(number, wrong, '-- %s\n%s' % (run(self.server, small)[0], script(small)))
        return not self.args.stop

    def report(self, number, wrong, text):
        self.failures += 1
        case = self.make(number)
        print('-- case %d of seed %s on %d (matcher %s, applier %s): %s\n%s\n' % (
            number, self.args.seed, self.version, case.matcher, case.applier, wrong, text), flush=True)


def module_of(case):
    return history_checks if isinstance(case, HistoryCase) else checks


def script(case):
    made = foreign.preamble('postgres') if getattr(case, 'foreign', None) else []
    return '\n'.join(PREAMBLE + made + case.setup() + [statement for _, statement in module_of(case).steps(case)])


def close(database, test):
    try:
        test.server.process.stdin.close()
        test.server.process.wait(10)
    except Exception:
        pass
    if test and test.args.distributed:
        return drop_database(database)
    for _ in range(10):                                          # after a crash the server needs a moment
        if subprocess.run(['dropdb', '--if-exists', '--force', database], stderr=subprocess.DEVNULL).returncode == 0:
            break
        time.sleep(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--cases', type=int, default=1000)
    parser.add_argument('--seed', default='1')
    parser.add_argument('--first', type=int, default=0, help='number of the first case')
    parser.add_argument('--pg', help='PGHOST')
    parser.add_argument('--kinds', help='of tables, comma-separated; default: plain (often), list, hash, inheritance, view')
    parser.add_argument('--only', choices=['sync', 'history'], help='cases of one kind alone')
    parser.add_argument('--matcher', choices=MATCHERS, help='for all cases')
    parser.add_argument('--applier', choices=APPLIERS, help='for all cases')
    parser.add_argument('--foreign', type=float, default=0.1, help='share of the cases with foreign tables, where there is postgres_fdw')
    parser.add_argument('--distributed', action='store_true', help='tables of a Citus cluster')
    parser.add_argument('--no-reduction', action='store_true', help='print a failing case as it is')
    parser.add_argument('--stop', action='store_true', help='stop at the first failure')
    parser.add_argument('--seconds', type=float, default=1e9, help='stop after so much time')
    parser.add_argument('--show', action='store_true', help='print the script of the first case and stop')
    args = parser.parse_args()
    if args.pg:
        os.environ['PGHOST'] = args.pg
    database, test, start = 'differential_%d' % os.getpid(), None, time.time()
    args.kinds = args.kinds or 'plain,plain,plain,list,hash' + ('' if args.distributed else ',inheritance,view')
    try:
        if args.distributed:
            create_database(database)
        else:
            subprocess.run(['createdb', database], check=True)
        test = Test(args, database)
        if args.show:
            print(script(test.make(args.first)))
            return 0
        test.run()
    finally:
        close(database, test)
    print('%d cases on %d in %d s, %d failures' % (test.cases, test.version, time.time() - start, test.failures))
    print('outcomes of the real calls: ' + ', '.join('%s %d' % o for o in test.outcomes.most_common()))
    return 1 if test.failures else 0


if __name__ == '__main__':
    sys.exit(main())
