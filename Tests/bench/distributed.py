#!/usr/bin/env python3
"""The same sync on one node and on more: what it takes, and how the time splits into staging, matching and applying.

Started by Tests/bench/run --distributed, once for each number of nodes, with a Citus cluster that has just been made, and at the end
with --report. All nodes are on this machine: what is parallel shares its cores, so that the ratio between one node and three says
what the distribution costs, not what it gains.

How it measures
  * The feed goes forth and back: it makes the target another one by 5 % new, 5 % changed and 5 % stale rows, and the next run makes
    it what it was. Both are the same amount of work, and each run is committed. In between, the target is vacuumed and checked.
  * A run is a session: COPY of the feed ("staging"), then the call or the statements, COMMIT included ("sync").
  * The split is that of a run of its own, with client_min_messages = debug1, which makes bulk_sync say how long each phase took. Citus
    then prints every statement, rows included, so that such a run takes longer; the split is given in parts of the whole.
"""
import argparse
import collections
import json
import os
import re
import statistics
import subprocess
import sys

from methods import TIMER
from workloads import MIXED, SKU

COLUMNS = MIXED.columns
NAMES = ", ".join(column.name for column in COLUMNS)
TYPES = ", ".join(f"{column.name} {column.type}" for column in COLUMNS)
PSQL = ["psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1"]
CHECKSUM = f"SELECT count(*), coalesce(sum(hashtextextended(ROW({NAMES})::text, 0)::numeric), 0) FROM"
ASSIGNED = ", ".join(f"{column.name} = s.{column.name}" for column in COLUMNS if column is not SKU)
DIFFERS = "({}) IS DISTINCT FROM ({})".format(*(", ".join(p + c.name for c in COLUMNS if c is not SKU) for p in ("t.", "s.")))
BY_HAND = f"""BEGIN;
DELETE FROM target AS t WHERE NOT EXISTS (SELECT FROM staged AS s WHERE s.sku = t.sku);
UPDATE target AS t SET {ASSIGNED} FROM staged AS s WHERE s.sku = t.sku AND {DIFFERS};
INSERT INTO target ({NAMES}) SELECT {NAMES} FROM staged AS s WHERE NOT EXISTS (SELECT FROM target AS t WHERE t.sku = s.sku);
COMMIT;"""
CALL = "SELECT '@counts', c.* FROM bulk_sync('target', 'staged', '{sku}', scope => 'true') AS c;"
# of a phase of the call, as it names them, which part of the work it is
PARTS = {"deletes": "applying", "updates": "applying", "inserts": "applying", "AFTER triggers": "applying"}

Way = collections.namedtuple("Way", "name title distributed beside statements")
WAYS = [
    Way("plain", "bulk_sync, table not distributed", False, False, CALL),
    Way("temporary", "bulk_sync, staged in a temporary table", True, False, CALL),
    Way("beside", "bulk_sync, staged beside the target", True, True, CALL),
    Way("by_hand", "three statements, staged beside the target", True, True, BY_HAND),
]


class BenchError(Exception):
    pass


def execute(sql, **variables):
    done = subprocess.run(PSQL + [part for name, value in variables.items() for part in ("-v", f"{name}={value}")],
                          input=sql, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(done.stderr.strip())
    return done.stdout.strip().split("\n")


def note(text):
    print(text, file=sys.stderr, flush=True)


# --------------------------------------------------------------------------------------------------
# Measuring
# --------------------------------------------------------------------------------------------------


def feed_query(rows, changed):
    version = MIXED.feed_version if changed else "0"
    which = MIXED.feed_rows if changed else "i <= {n}"
    values = ", ".join(f"({column.value})::{column.type} AS {column.name}" for column in COLUMNS)
    return (f"SELECT {NAMES} FROM (SELECT {values}, i FROM (SELECT i, {version} AS v FROM generate_series(1::bigint, {MIXED.series}) AS i)"
            f" AS g) AS g WHERE {which} ORDER BY hashint8extended(i, 42)").replace("{n}", str(rows))


def make_feeds(rows, directory):
    """Files of the two states of the target: [(file, checksum)]."""
    feeds = []
    for changed in (False, True):
        file = f"{directory}/bulk_sync_bench.distributed.{rows}.{int(changed)}.copy"
        feeds.append((file, execute(f"SET work_mem = '256MB'; CREATE TEMPORARY TABLE feed AS {feed_query(rows, changed)};"
                                    f"COPY feed TO :'file' (FORMAT binary); {CHECKSUM} feed;", file=file)[-1]))
    return feeds


def make_target(way, feed):
    execute(f"DROP TABLE IF EXISTS staged, target; CREATE TABLE target ({TYPES});"
            + ("SELECT create_distributed_table('target', 'sku', colocate_with => 'none');" if way.distributed else "")
            + "COPY target FROM :'file' (FORMAT binary); ALTER TABLE target ADD PRIMARY KEY (sku);"
            "VACUUM ANALYZE target;", file=feed[0])


def session_script(way):
    if way.beside:
        made = (f"CREATE TABLE staged ({TYPES}); SELECT create_distributed_table('staged', 'sku', colocate_with => 'target');")
    else:
        made = f"CREATE TEMPORARY TABLE staged ({TYPES});"
    # Statistics of the staged rows: what the statements need, and the call does not
    analyzed = "ANALYZE staged;" if way.statements is BY_HAND else ""
    return made, "COPY staged FROM :'file' (FORMAT binary);" + analyzed


def run_once(way, feed, watched):
    """(staging, sync, phases in milliseconds)"""
    made, staging = session_script(way)
    script = "\n".join(["SET client_min_messages = error;", made, TIMER, staging, TIMER,
                        "SET client_min_messages = debug1;" if watched else "", way.statements, "SET client_min_messages = error;", TIMER])
    psql = subprocess.Popen(PSQL + ["-v", f"file={feed[0]}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, errors="replace")
    psql.stdin.write(script)
    psql.stdin.close()
    times, phases, errors = [], collections.Counter(), []
    for line in psql.stdout:                             # line by line: Citus says a lot, which is not kept
        if line.startswith("@time"):
            times.append(float(line.split("\t")[1]))
            continue
        found = re.search(r"DEBUG:  bulk_sync: ([\w ]+): ([\d.]+) ms$", line[:200].rstrip())
        if found:
            phases[found[1]] += float(found[2])
        elif "ERROR:" in line[:200]:
            errors.append(line[:300].strip())
    psql.wait()
    if psql.returncode != 0 or len(times) != 3:
        raise BenchError("; ".join(errors) or "psql failed")
    return times[1] - times[0], times[2] - times[1], dict(phases)


def check(way, feed):
    execute("DROP TABLE IF EXISTS staged;")
    found = execute(f"{CHECKSUM} target;")[-1]
    if found != feed[1]:
        raise BenchError(f"WRONG RESULT of {way.name}: {found.split()} instead of {feed[1].split()}")
    execute("VACUUM target;")


def measure(options):
    nodes = len(os.environ["CITUS_NODES"].split())
    directory = options.directory or execute("SHOW data_directory")[-1]
    for rows in options.rows:
        note(f"{nodes} node(s), {rows:,} rows: making the feeds")
        feeds = make_feeds(rows, directory)
        try:
            for way in WAYS:
                if way.name in options.ways and (way.distributed or nodes == options.first):
                    measure_way(way, feeds, nodes, rows, options)
        finally:
            for file, _ in feeds:
                if os.path.exists(file):
                    os.unlink(file)


def measure_way(way, feeds, nodes, rows, options):
    make_target(way, feeds[0])
    state = 0
    for number in range(options.repeats + 1):
        watched = number == options.repeats
        if watched and way.statements is not CALL:
            break
        state = 1 - state
        staging, sync, phases = run_once(way, feeds[state], watched)
        check(way, feeds[state])
        note(f"  {way.name:10} {'split' if watched else 'run ' + str(number + 1)}  {staging:8.3f} + {sync:8.3f} s")
        with open(options.results, "a", encoding="utf-8") as file:
            print(json.dumps({"nodes": nodes, "rows": rows, "way": way.name, "watched": watched, "staging": staging, "sync": sync,
                              "phases": phases}), file=file)
    execute("DROP TABLE target;")


# --------------------------------------------------------------------------------------------------
# Reporting
# --------------------------------------------------------------------------------------------------


def report(options):
    with open(options.results, encoding="utf-8") as file:
        runs = [json.loads(line) for line in file]
    groups = collections.defaultdict(list)
    for run in runs:
        groups[run["rows"], run["way"], run["nodes"]].append(run)
    for rows in sorted({rows for rows, _, _ in groups}):
        print(f"\n### {rows:,} rows, {MIXED.title}, seconds\n")
        print("| | nodes | staging | sync | whole (min – max) | µs a row | × one node |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
        for way in WAYS:
            single = None
            for nodes in sorted({n for r, w, n in groups if (r, w) == (rows, way.name)}):
                timed = [run for run in groups[rows, way.name, nodes] if not run["watched"]]
                whole = [run["staging"] + run["sync"] for run in timed]
                middle = statistics.median(whole)
                single = single or (nodes, middle)
                ratio = f"{middle / single[1]:.2f}" if nodes != single[0] else ""
                print(f"| {way.title} | {nodes} | {statistics.median(r['staging'] for r in timed):.2f} |"
                      f" {statistics.median(r['sync'] for r in timed):.2f} | **{middle:.2f}** ({min(whole):.2f} – {max(whole):.2f}) |"
                      f" {middle / rows * 1e6:.2f} | {ratio} |")
        print_split(rows, groups)


def print_split(rows, groups):
    print(f"\nHow the time of a call splits, {rows:,} rows (a run of its own, in parts of staging and call):\n")
    print("| | nodes | staging | matching | applying | the rest | longest phases |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for way in WAYS:
        for nodes in sorted({n for r, w, n in groups if (r, w) == (rows, way.name)}):
            for run in [run for run in groups[rows, way.name, nodes] if run["watched"]]:
                whole = run["staging"] + run["sync"]
                parts = collections.Counter()
                for phase, milliseconds in run["phases"].items():
                    parts[PARTS.get(phase, "matching")] += milliseconds / 1000
                rest = whole - run["staging"] - sum(parts.values())
                longest = sorted(run["phases"].items(), key=lambda phase: -phase[1])[:4]
                print(f"| {way.title} | {nodes} | {run['staging'] / whole:.0%} | {parts['matching'] / whole:.0%} |"
                      f" {parts['applying'] / whole:.0%} | {rest / whole:.0%} |"
                      f" {', '.join(f'{name} {value / 1000:.2f} s' for name, value in longest)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=lambda text: [int(n) for n in text.split(",")], default=[1000000, 5000000],
                        help="in the target, comma-separated; default: 1000000,5000000")
    parser.add_argument("--ways", type=lambda text: text.split(","), default=[way.name for way in WAYS],
                        help="comma-separated: " + ", ".join(way.name for way in WAYS))
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of each; one more is for the split")
    parser.add_argument("--directory", help="for the feeds, readable by server and benchmark; default: the data directory")
    parser.add_argument("--results", required=True, help="file of the results, which grows")
    parser.add_argument("--first", type=int, default=1, help="with so many nodes the table that is not distributed is measured")
    parser.add_argument("--report", action="store_true", help="print what the file of the results says")
    options = parser.parse_args()
    try:
        if options.report:
            report(options)
        else:
            measure(options)
    except BenchError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
