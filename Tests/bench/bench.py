#!/usr/bin/env python3
"""The benchmark of bulk_sync: peers and floors beside it, in one run.

Talks to the server that libpq's environment names (PGHOST, PGPORT, PGUSER ...), through psql, as a
superuser of a server on this machine; Tests/bench/run starts a throw-away one.  Only the Python
standard library is used.

How it measures
  * The data of a workload is made once, by SQL, in a database that then serves as a template: the
    target with its indexes, VACUUM ANALYZEd, and beside it an empty copy.  The rows to sync lie in a
    file in binary COPY format.
  * Before each single run the database is made anew from the template by copying its files, so that
    every run finds the same bytes, the same statistics, and no bloat.  The files are then in the
    operating system's cache and not in the server's: the same for every method.
  * A run is a new session.  Timed are: creating the temporary table and COPY into it ("staging"), then
    whatever the method needs to make the target match ("sync"), ANALYZE of the temporary table and
    COMMIT included.
  * The methods take turns, each round beginning with another one.  Reported are medians with minimum
    and maximum, and the median of the ratios to bulk_sync of the same round: the ratios are what a
    noisy machine cannot spoil.
  * After each run the target is compared, by row count and checksum, with what it must be.  A method
    that got it wrong is reported as wrong, and the benchmark fails.
  * Memory is how much the session's private memory (RssAnon) grew at most, watched every 5 ms.  The
    CSV also has the growth of VmHWM, which counts the pages of shared_buffers that were touched.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from methods import METHODS, TIMER, literal, methods_of
from workloads import WORKLOADS

TEMPLATE_DATABASE = "bulk_sync_bench_template"
RUN_DATABASE = "bulk_sync_bench_run"

# --------------------------------------------------------------------------------------------------
# Talking to the server
# --------------------------------------------------------------------------------------------------


class BenchError(Exception):
    pass


PSQL = ["psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1"]


def execute(database, sql, variables=()):
    command = PSQL + ["-d", database]
    for name, value in variables:
        command += ["-v", f"{name}={value}"]
    done = subprocess.run(command, input=sql, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(done.stderr.strip())
    return done.stdout.strip()


def memory_of(pid):
    """RssAnon and VmHWM in kB, or None where they cannot be read."""
    found = {}
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith(("RssAnon:", "VmHWM:")):
                    found[line.split(":")[0]] = int(line.split()[1])
    except OSError:
        return None
    return (found["RssAnon"], found["VmHWM"]) if len(found) == 2 else None


class Watch(threading.Thread):
    """Follows the private memory of a backend."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.done = threading.Event()
        self.start_memory = memory_of(pid)
        self.peak = self.start_memory[0] if self.start_memory else 0

    def run(self):
        while self.start_memory and not self.done.wait(0.005):
            now = memory_of(self.pid)
            if now:
                self.peak = max(self.peak, now[0])

    def grown(self):
        self.done.set()
        end = memory_of(self.pid)
        if not self.start_memory or not end:
            return None, None
        return max(self.peak, end[0]) - self.start_memory[0], end[1] - self.start_memory[1]


def session(database, script, settings, feed):
    """Runs the script in a session of its own; returns (times, counts, anon_kb, hwm_kb)."""
    psql = subprocess.Popen(
        PSQL + ["-d", database, "-v", f"feed={feed}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    try:
        for name, value in settings:
            psql.stdin.write(f"SET {name} = {literal(value)};\n")
        psql.stdin.write("SELECT pg_backend_pid();\n")
        psql.stdin.flush()
        pid = psql.stdout.readline().strip()
        if not pid:
            raise BenchError(psql.stderr.read().strip())
        watch = Watch(pid)
        watch.start()
        psql.stdin.write(script + "\nSELECT '@end';\n")
        psql.stdin.flush()
        times, counts = [], None
        for line in psql.stdout:
            fields = line.rstrip("\n").split("\t")
            if fields[0] == "@time":
                times.append(float(fields[1]))
            elif fields[0] == "@counts":
                counts = fields[1:]
            elif fields[0] == "@end":
                break
        else:
            raise BenchError(psql.stderr.read().strip())
        anon, hwm = watch.grown()
        return times, counts, anon, hwm
    except BaseException:
        psql.kill()
        raise
    finally:
        try:
            psql.stdin.close()
        except BrokenPipeError:
            pass
        psql.wait()
        psql.stdout.close()
        psql.stderr.close()


# --------------------------------------------------------------------------------------------------
# One workload
# --------------------------------------------------------------------------------------------------

CHECKSUM = "count(*), coalesce(sum(hash_record_extended(r, 0)::numeric), 0)"


@dataclass
class Result:
    workload: str
    rows: int
    method: str
    round: int
    staging: float = 0.0
    sync: float = 0.0
    total: float = 0.0
    ratio: float = 0.0
    anon_kb: object = None
    hwm_kb: object = None
    counts: object = None
    error: str = ""


def drop_database(name):
    execute("postgres", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE);')


def prepare(w, rows, options, extension):
    """Makes the template database and the feed file; returns (file, staged rows, the expected checksum)."""
    directory = options.directory or execute("postgres", "SHOW data_directory")
    feed = f"{directory}/bulk_sync_bench.{w.name}.{rows}.copy"
    drop_database(RUN_DATABASE)
    drop_database(TEMPLATE_DATABASE)
    execute("postgres", f'CREATE DATABASE "{TEMPLATE_DATABASE}" TEMPLATE template0;')

    def fill(version):
        """SELECT of rows of a version; v is named so that the value expressions can use it."""
        values = ", ".join(f"({c.value})::{c.type} AS {c.name}" for c in w.columns)
        return (
            f"SELECT {values}, i FROM (SELECT i, {version} AS v"
            f" FROM generate_series(1::bigint, {w.series}) AS i) AS g"
        ).replace("{n}", str(rows))

    order = {"random": "hashint8extended(i, 42)", "target": "i", "key": ", ".join(w.key)}[options.order]
    everything = f"SELECT {w.names()} FROM feed"
    if w.appended:
        everything += f" WHERE {w.appended} UNION ALL SELECT {w.names()} FROM target"
    elif w.scope or not w.delete:
        rest = f"NOT ({w.in_scope(lead='')})" if w.scope else f"NOT EXISTS (SELECT FROM feed AS s WHERE {w.match()})"
        everything += f" UNION ALL SELECT {w.names()} FROM target AS t WHERE {rest}"
    script = f"""
SET synchronous_commit = off;
SET work_mem = '256MB';
SET maintenance_work_mem = '1GB';
{'CREATE EXTENSION bulk_sync;' if extension else ''}
{w.create('target')}
{w.create('target_empty')}
{w.index('target_empty')}
INSERT INTO target SELECT {w.names()} FROM ({fill('0')}) AS g WHERE {w.target_rows} ORDER BY i;
{w.index('target')}
CREATE TEMPORARY TABLE feed AS SELECT {w.names()} FROM ({fill(w.feed_version)}) AS g WHERE {w.feed_rows} ORDER BY {order};
COPY feed TO :'feed' (FORMAT binary);
SELECT count(*) FROM feed;
SELECT {CHECKSUM} FROM ({everything}) AS r;
DROP TABLE feed;
VACUUM ANALYZE target;
VACUUM ANALYZE target_empty;
""".replace("{n}", str(rows))
    answer = execute(TEMPLATE_DATABASE, script, [("feed", feed)]).split("\n")
    return feed, int(answer[-2]), answer[-1]


def restore():
    drop_database(RUN_DATABASE)
    execute("postgres", f'CREATE DATABASE "{RUN_DATABASE}" TEMPLATE "{TEMPLATE_DATABASE}" STRATEGY file_copy;')


def script_of(w, method, version):
    staging = ""
    if method.stages:
        staging = (
            f"CREATE TEMPORARY TABLE staged AS SELECT {w.names()} FROM target WITH NO DATA;\n"
            "COPY staged FROM :'feed' (FORMAT binary);"
        )
    return "\n".join([TIMER, staging, TIMER, method.sync(w, version), TIMER])


def run_once(w, rows, method, round_number, feed, expected, options, version):
    result = Result(w.name, rows, method.name, round_number)
    restore()
    settings = [("statement_timeout", f"{options.timeout}s")] + options.set
    try:
        times, result.counts, result.anon_kb, result.hwm_kb = session(
            RUN_DATABASE, script_of(w, method, version), settings, feed
        )
    except BenchError as error:
        result.error = str(error).split("\n")[0]
        return result
    result.staging, result.sync, result.total = times[1] - times[0], times[2] - times[1], times[2] - times[0]
    if method.kind != "floor" and method.writes and (options.verify == "all" or (options.verify == "first" and round_number == 1)):
        found = execute(RUN_DATABASE, f"SELECT {CHECKSUM} FROM target AS r;")
        if found != expected:
            result.error = f"WRONG RESULT: {found.split()} instead of {expected.split()}"
    return result


def run_workload(w, rows, methods, base_name, options, version, extension, write):
    started = time.monotonic()
    feed, staged_rows, expected = prepare(w, rows, options, extension)
    note(f"{w.name}, {rows:,} rows: data made in {time.monotonic() - started:.0f} s, {staged_rows:,} rows to stage")
    results, failed = [], {}
    try:
        for round_number in range(1, options.repeats + 1):
            turn = (round_number - 1) % len(methods)
            this_round = {}
            for method in methods[turn:] + methods[:turn]:
                if method.name in failed:
                    continue
                result = run_once(w, rows, method, round_number, feed, expected, options, version)
                this_round[method.name] = result
                if result.error:
                    failed[method.name] = result
                    note(f"  {method.name}: {result.error}")
                else:
                    note(f"  round {round_number}  {method.name:17} {result.staging:8.3f} + {result.sync:8.3f} s")
            base = this_round.get(base_name)
            for result in this_round.values():
                if base and not base.error and not result.error:
                    result.ratio = result.total / base.total
                write(result, staged_rows)
                results.append(result)
    finally:
        drop_database(RUN_DATABASE)
        drop_database(TEMPLATE_DATABASE)
        try:
            os.unlink(feed)
        except OSError:
            pass
    return staged_rows, results


# --------------------------------------------------------------------------------------------------
# Reporting
# --------------------------------------------------------------------------------------------------


def note(text):
    print(text, file=sys.stderr, flush=True)


def seconds(value):
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def megabytes(kb):
    return "" if kb is None else f"{kb / 1024:.0f} MB"


def report(w, rows, staged_rows, results, methods, base):
    """Prints the table of one workload; returns the medians of the totals by method."""
    print(f"\n### {w.title}: {rows:,} rows, {staged_rows:,} staged\n")
    print(f"| method | staging | sync | whole (min – max) | × {base} | memory |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    medians = {}
    for method in methods:
        mine = [r for r in results if r.method == method.name]
        good = [r for r in mine if not r.error]
        wrong = [r for r in mine if r.error]
        if wrong or not good:
            print(f"| {method.title} | | | {wrong[0].error if wrong else 'not run'} | | |")
            continue
        total = [r.total for r in good]
        medians[method.name] = statistics.median(total)
        ratios = [r.ratio for r in good if r.ratio]
        memory = [r.anon_kb for r in good if r.anon_kb is not None]
        staging = statistics.median(r.staging for r in good)
        print(
            f"| {method.title} | {seconds(staging) if method.stages else ''} |"
            f" {seconds(statistics.median(r.sync for r in good)) if method.name != 'copy_staged' else ''} |"
            f" **{seconds(medians[method.name])}** ({seconds(min(total))} – {seconds(max(total))}) |"
            f" {f'{statistics.median(ratios):.2f}' if ratios else ''} |"
            f" {megabytes(max(memory)) if memory else ''} |"
        )
    sys.stdout.flush()
    return medians


def summary(rows_of_summary):
    print("\n### All workloads\n")
    print("| workload | rows | bulk_sync | µs a row | best by hand | | times faster | COPY into empty target |")
    print("| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: |")
    for w, rows, staged_rows, results, medians in rows_of_summary:
        ours = medians.get("bulk_sync")
        peers = [m.name for m in METHODS if m.kind == "peer" and m.name in medians]
        ratios = {p: statistics.median(r.ratio for r in results if r.method == p) for p in peers}
        # By the ratios, which a busy minute of the machine does not distort.
        best = min(peers, key=lambda p: (ratios[p], medians[p])) if peers else None
        ratio = f"{ratios[best]:.2f} ×" if ours and best else ""
        print(
            f"| {w.title} | {rows:,} | {seconds(ours) if ours else ''} |"
            f" {f'{ours / max(staged_rows, 1) * 1e6:.2f}' if ours else ''} | {best or ''} |"
            f" {seconds(medians[best]) if best else ''} | {ratio} |"
            f" {seconds(medians['copy_target']) if 'copy_target' in medians else ''} |"
        )


# --------------------------------------------------------------------------------------------------
# The command line
# --------------------------------------------------------------------------------------------------


def arguments():
    by_name = ", ".join(w.name for w in WORKLOADS)
    parser = argparse.ArgumentParser(
        description="Measures bulk_sync beside hand-written SQL and beside what cannot be undercut.",
        epilog="The server is the one that PGHOST, PGPORT and PGUSER name.",
    )
    parser.add_argument("--workload", default="mixed", help=f"comma-separated, or 'all' (all that have peers, but growth): {by_name}")
    parser.add_argument("--methods", default="all", help="comma-separated: " + ", ".join(m.name for m in METHODS if m.kind != "other"))
    parser.add_argument("--rows", type=int, default=1000000, help="rows of the target (default 1000000)")
    parser.add_argument("--repeats", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--growth", default="10000,100000,1000000,10000000", help="sizes of the workload growth")
    parser.add_argument("--order", choices=["random", "target", "key"], default="random", help="order of the feed")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting for every method, e.g. work_mem=64MB"
    )
    parser.add_argument("--verify", choices=["all", "first", "none"], default="all", help="rounds to check the result of")
    parser.add_argument("--timeout", type=int, default=600, help="seconds that one statement may take (default 600)")
    parser.add_argument("--csv", default="bulk_sync-bench.csv", help="file for every single run, '' for none")
    parser.add_argument("--directory", default="", help="where the server may write the feed (default: data directory)")
    parser.add_argument("--base", default="bulk_sync", help="the method that the ratios refer to")
    parser.add_argument("--show-sql", action="store_true", help="print what each method executes, and stop")
    options = parser.parse_args()

    options.set = [tuple(s.split("=", 1)) for s in options.set]
    if any(len(s) != 2 for s in options.set):
        parser.error("--set takes NAME=VALUE")
    known = {w.name: w for w in WORKLOADS}
    names = []
    for name in options.workload.split(","):
        names += [w.name for w in WORKLOADS if not w.growth and not w.methods] if name == "all" else [name]
    if [n for n in names if n not in known]:
        parser.error("unknown workload; known are: " + by_name)
    options.workloads = [known[n] for n in dict.fromkeys(names)]
    known = {m.name: m for m in METHODS if m.kind != "other"}
    names = list(known) if options.methods == "all" else options.methods.split(",")
    if [n for n in names if n not in known]:
        parser.error("unknown method; known are: " + ", ".join(known))
    options.method_list = [known[n] for n in dict.fromkeys(names)]
    if options.rows < 100 or options.repeats < 1:
        parser.error("--rows must be at least 100, --repeats at least 1")
    return options


def main():
    options = arguments()
    methods = options.method_list
    version = int(execute("postgres", "SHOW server_version_num"))
    if options.show_sql:
        for w in options.workloads:
            for m in methods_of(w, methods):
                print(f"-- {w.name}, {m.name}\n{script_of(w, m, version)}\n")
        return 0

    extension = any(m.name == "bulk_sync" for m in methods)
    if extension and execute("postgres", "SELECT count(*) FROM pg_available_extensions WHERE name = 'bulk_sync'") == "0":
        note("the extension bulk_sync is not installed on this server: measuring the others alone")
        methods = [m for m in methods if m.name != "bulk_sync"]
        extension = False
    if options.base not in [m.name for m in methods]:
        options.base = methods[0].name

    for name, value in options.set:
        if not name.startswith("bulk_sync."):
            execute("postgres", f"SET {name} = {literal(value)};")
    shown = "work_mem maintenance_work_mem shared_buffers temp_buffers fsync max_wal_size autovacuum".split()
    values = execute(
        "postgres",
        "".join(f"SET {n} = {literal(v)};" for n, v in options.set) + "".join(f"SHOW {s};" for s in shown),
    ).split("\n")
    server = execute("postgres", "SELECT current_setting('server_version') || ', ' || datcollate FROM pg_database WHERE datname = 'template0'")
    print(f"PostgreSQL {server}; {os.cpu_count()} CPUs; feed in {options.order} order; {options.repeats} rounds; seconds.")
    print("Settings: " + ", ".join(f"{s} {v}" for s, v in zip(shown, values)), end="")
    print("".join(f", {n} {v}" for n, v in options.set if n not in shown) + ".")
    sys.stdout.flush()

    out = open(options.csv, "w", newline="", encoding="utf-8") if options.csv else None
    table = csv.writer(out) if out else None
    if table:
        table.writerow(
            "server workload rows staged_rows method round staging_s sync_s total_s ratio_to_base"
            " anon_growth_kb hwm_growth_kb counts error".split()
        )

    def write(r, staged_rows):
        if not table:
            return
        timed = [f"{x:.6f}" for x in (r.staging, r.sync, r.total)] if r.total else ["", "", ""]
        table.writerow(
            [version, r.workload, r.rows, staged_rows, r.method, r.round, *timed, f"{r.ratio:.4f}" if r.ratio else ""]
            + [r.anon_kb, r.hwm_kb, " ".join(r.counts) if r.counts else "", r.error]
        )
        out.flush()

    all_results, broken = [], False
    for w in options.workloads:
        for rows in [int(n) for n in options.growth.split(",")] if w.growth else [options.rows]:
            mine = methods_of(w, methods)
            base = mine[0].name if w.methods else options.base
            staged_rows, results = run_workload(w, rows, mine, base, options, version, extension, write)
            medians = report(w, rows, staged_rows, results, mine, base)
            if not w.methods:
                all_results.append((w, rows, staged_rows, results, medians))
            broken = broken or any(r.error for r in results)
    if len(all_results) > 1:
        summary(all_results)
    if out:
        out.close()
        print(f"\nEvery single run: {options.csv}")
    return 1 if broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        note(f"bench: {error}")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
