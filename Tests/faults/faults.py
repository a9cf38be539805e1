#!/usr/bin/env python3
"""Do killed backends, crashed servers, full disks, too little memory, vanished clients and cancels leave a sync whole?

Started by `run`, which makes the server. Each line of output is one test: what holds, and what was counted. With --prove
each test has a deliberate fault in it (the code of the test says which) and must fail.
"""
import argparse
import random
import signal
import sys
import time
import traceback

import crashes
import interrupts
import recovery
import resources
import shortage
import vanishing
from cluster import Cluster

MODULES = [crashes, recovery, shortage, vanishing, interrupts, resources]


class Test:
    """What a test is given. `rounds`, `rows` and `calls` say how long it may take."""

    def __init__(self, arguments, name):
        self.cluster = Cluster()
        self.rounds, self.rows, self.calls = arguments.rounds, arguments.rows, arguments.calls
        self.proving, self.allowed_in_log = arguments.prove, None
        self.random = random.Random('%s/%s' % (arguments.seed, name))


def all_tests():
    tests = [test for module in MODULES for test in module.TESTS]
    return tests + crashes.AT_THE_END


def run_one(arguments, name, function):
    """True if it did what it should."""
    start = time.monotonic()
    try:
        remark, failure = function(Test(arguments, name)), None
    except AssertionError as error:
        remark, failure = None, str(error) or traceback.format_exc()
    except Exception:
        remark, failure = None, traceback.format_exc()
    seconds = time.monotonic() - start
    if arguments.prove:
        # By an assertion: what breaks off for another reason has shown nothing
        caught = failure is not None and not failure.startswith('Traceback')
        print('%s: %s (%.0f s)\n    %s' % ('caught' if caught else 'NOT CAUGHT', name, seconds,
                                           (failure or remark or '').strip().splitlines()[0 if caught else -1]), flush=True)
        return caught
    if failure is not None:
        print('FAILED: %s (seed %s)\n%s' % (name, arguments.seed, failure), flush=True)
        return False
    print('ok: %s (%.0f s)%s' % (name, seconds, '\n    ' + remark if remark else ''), flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--seed', default=str(random.SystemRandom().randrange(10 ** 6)))
    parser.add_argument('--rounds', type=int, default=6, help='of random crashes, cancels and so on')
    parser.add_argument('--rows', type=int, default=60000, help='of the sync that is cancelled')
    parser.add_argument('--calls', type=int, default=1200, help='of each kind in one connection')
    parser.add_argument('--long', action='store_true', help='100 rounds, 10 million rows, 10,000 calls')
    parser.add_argument('--only', default='', help='tests whose name contains this')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--prove', action='store_true', help='each test must fail of its deliberate fault')
    arguments = parser.parse_args()
    if arguments.long:
        arguments.rounds, arguments.rows, arguments.calls = 100, 10000000, 10000
    tests = [(name, function) for name, function in all_tests() if arguments.only in name]
    if arguments.list:
        print('\n'.join(name for name, _ in tests))
        return 0
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))   # so that what must be unmounted is
    start = time.monotonic()
    failed = [name for name, function in tests if not run_one(arguments, name, function)]
    print('%d passed, %d failed on %d in %d s, seed %s' % (
        len(tests) - len(failed), len(failed), Cluster().version, time.monotonic() - start, arguments.seed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
