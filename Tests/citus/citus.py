#!/usr/bin/env python3
"""Do the calls keep the contract on tables of Citus?

Started by `run`, which makes the cluster. Each line of output is one test on one kind of table: distributed by hash, a reference
table, a table in a distributed schema, a distributed partitioned table.
"""
import argparse
import sys
import time
import traceback

import changes
import columns
import places
import refusals
import sessions
import staged
import ways
from pair import KINDS, LOCAL, Cluster, Pair

MODULES = [changes, columns, places, staged, refusals, sessions, ways]


class Test:
    """What a test is given."""

    def __init__(self, cluster, kind):
        self.cluster, self.kind, self.pairs = cluster, kind, []

    def pair(self, *statements, **how):
        pair = Pair(self.cluster, self.kind, *statements, **how)
        self.pairs.append(pair)
        return pair


def run_one(cluster, kind, name, function):
    """True if it did what it should."""
    test, start = Test(cluster, kind), time.monotonic()
    try:
        try:
            remark, failure = function(test), None
            cluster.is_calm()
        finally:
            for pair in test.pairs:
                pair.close()
    except AssertionError as error:
        failure = str(error) or traceback.format_exc()
    except Exception:
        failure = traceback.format_exc()
    if failure is not None:
        print('FAILED: %s (%s)\n    %s' % (name, kind, failure.strip().replace('\n', '\n    ')), flush=True)
        return False
    print('ok: %s (%s, %.1f s)%s' % (name, kind, time.monotonic() - start, '\n    ' + remark if remark else ''), flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--only', default='', help='tests whose name contains this')
    parser.add_argument('--kinds', default=','.join(kind for kind in KINDS if kind != LOCAL), help='comma-separated; local: the tests themselves are tested')
    parser.add_argument('--list', action='store_true')
    arguments = parser.parse_args()
    chosen = arguments.kinds.split(',')
    tests = [(name, function, kind) for module in MODULES for name, function, kinds in module.TESTS
             for kind in kinds if arguments.only in name and kind in chosen]
    if arguments.list:
        print('\n'.join('%s (%s)' % (name, kind) for name, _, kind in tests))
        return 0
    cluster, start = Cluster(), time.monotonic()
    failed = [name for name, function, kind in tests if not run_one(cluster, kind, name, function)]
    versions = cluster.watching[0].value("select 'PostgreSQL ' || current_setting('server_version') || ', Citus ' || extversion "
                                         "from pg_extension where extname = 'citus'")
    print('%d passed, %d failed on %s, %d nodes, in %d s' % (
        len(tests) - len(failed), len(failed), versions, len(cluster.nodes), time.monotonic() - start))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
