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
from dataclasses import dataclass, field, replace

TEMPLATE_DATABASE = "bulk_sync_bench_template"
RUN_DATABASE = "bulk_sync_bench_run"

# --------------------------------------------------------------------------------------------------
# Workloads
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A column and the SQL expression of its value for row number i in version v (0 or 1)."""

    name: str
    type: str
    value: str


SKU = Column("sku", "text", "left(md5(i::text), 8) || '-' || i")
NUMBER = Column("number", "bigint", "i")
PAYLOAD = (
    Column("name", "text", "'Article ' || i || ' of the catalogue'"),
    Column("price", "numeric(12,2)", "((i * 37) % 100000 + v) / 100.0"),
    Column("stock", "integer", "(i * 17 + v) % 1000"),
    Column("changed_at", "timestamptz", "timestamptz '2024-01-01 00:00+00' + (i + v * 86400) * interval '1 second'"),
)


def wide_columns():
    """40 columns, 2 kB in the mean; every tenth row has a text that does not fit in the page."""
    columns = [SKU, NUMBER, *PAYLOAD]
    for n in range(28):
        columns.append(Column(f"text_{n}", "text", f"md5((i + {n})::text) || ' attribute {n:04}'"))
    for n in range(5):
        columns.append(Column(f"int_{n}", "integer", f"(i * {n + 3}) % 100000"))
    columns.append(
        Column(
            "body",
            "text",
            "CASE WHEN i % 10 = 0 THEN"
            " (SELECT string_agg(md5(i::text || k), '') FROM generate_series(1, 90) AS k) END",
        )
    )
    return tuple(columns)


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    key: tuple = ("sku",)
    columns: tuple = (SKU, NUMBER, *PAYLOAD)
    indexes: tuple = ("UNIQUE (sku)", "UNIQUE (number)")
    not_null: tuple = ("sku", "number")
    nullable_key: tuple = ()  # key columns that hold NULLs; '' never occurs in them
    partitions: int = 0
    scope: str = ""  # condition on the target's columns; "" = the whole table
    delete: bool = True
    target_rows: str = "i <= {n}"  # which i of 1 .. 2n are in the target ...
    feed_rows: str = "i <= {n}"  # ... which in the feed ...
    feed_version: str = "0"  # ... and whether changed
    series: str = "{n} + {n} / 20"  # the highest i that occurs
    growth: bool = False

    @property
    def starts_empty(self):
        return self.target_rows == "false"

    def names(self, prefix=""):
        return ", ".join(prefix + c.name for c in self.columns)

    def payload(self):
        return [c.name for c in self.columns if c.name not in self.key]

    # The pieces of the hand-written statements

    def match(self, target="t", staged="s"):
        """The join condition.  Of a NULL-safe comparison of a nullable key column only this form can
        be hashed or merged, IS NOT DISTINCT FROM cannot."""
        parts = []
        for k in self.key:
            if k in self.nullable_key:
                parts.append(f"coalesce({target}.{k}, '') = coalesce({staged}.{k}, '')")
            else:
                parts.append(f"{target}.{k} = {staged}.{k}")
        return " AND ".join(parts)

    def differs(self, target="t", staged="s"):
        left = ", ".join(f"{target}.{c}" for c in self.payload())
        right = ", ".join(f"{staged}.{c}" for c in self.payload())
        return f"({left}) IS DISTINCT FROM ({right})"

    def assign(self, staged="s"):
        return ", ".join(f"{c} = {staged}.{c}" for c in self.payload())

    def in_scope(self, target="t", lead="AND "):
        return lead + self.scope.replace("{t}", target) if self.scope else ""

    # What the set-up needs

    def create(self, table):
        lines = [f"{c.name} {c.type}{' NOT NULL' if c.name in self.not_null else ''}" for c in self.columns]
        sql = [
            f"CREATE TABLE {table} ({', '.join(lines)})"
            + (f" PARTITION BY HASH ({self.key[0]});" if self.partitions else " WITH (autovacuum_enabled = off);")
        ]
        for p in range(self.partitions):
            sql.append(
                f"CREATE TABLE {table}_p{p} PARTITION OF {table}"
                f" FOR VALUES WITH (MODULUS {self.partitions}, REMAINDER {p}) WITH (autovacuum_enabled = off);"
            )
        return "\n".join(sql)

    def index(self, table):
        sql = []
        for i in self.indexes:
            if i.startswith("UNIQUE"):
                sql.append(f"ALTER TABLE {table} ADD {i};")
            else:
                sql.append(f"CREATE INDEX ON {table} {i};")
        return "\n".join(sql)


# Five rows in a hundred, scattered at random but the same in every run
CLASS = "(hashint8extended(i, 7) & 1048575) % 20"
MIXED_FEED = f"(i <= {{n}} AND {CLASS} <> 0) OR (i > {{n}} AND i <= {{n}} + {{n}} / 20)"
MIXED_VERSION = f"CASE WHEN i <= {{n}} AND {CLASS} = 1 THEN 1 ELSE 0 END"

MIXED = Workload("mixed", "5 % new, 5 % changed, 5 % stale", feed_rows=MIXED_FEED, feed_version=MIXED_VERSION)

COMPANY = Column("company_id", "integer", "((i - 1) / greatest({n} / 100, 1))::int % 100")
COMPANY_SCATTERED = replace(COMPANY, value="(i % 100)::int")
SCOPED = replace(
    MIXED,
    name="scope",
    title="scope of 1 % of the table, rows of a scope side by side",
    key=("company_id", "sku"),
    columns=(COMPANY, SKU, NUMBER, *PAYLOAD),
    indexes=("UNIQUE (company_id, sku)", "UNIQUE (number)"),
    not_null=("company_id", "sku", "number"),
    scope="{t}.company_id = 50",
    series="2 * {n}",
    feed_rows="company_id = 50 AND"
    f" ((i <= {{n}} AND {CLASS} <> 0) OR (i > {{n}} AND (hashint8extended(i, 7) & 1048575) % 20 = 0))",
)

WORKLOADS = [
    MIXED,
    replace(MIXED, name="unchanged", title="nothing changed", feed_rows="i <= {n}", feed_version="0"),
    replace(
        MIXED,
        name="initial",
        title="initial load into an empty table, keys in random order",
        target_rows="false",
        feed_rows="i <= {n}",
        feed_version="0",
    ),
    replace(MIXED, name="all_changed", title="every row changed", feed_rows="i <= {n}", feed_version="1"),
    replace(
        MIXED,
        name="upsert",
        title="small upsert, 5,000 rows, no deletes: half changed, a fifth new",
        delete=False,
        feed_rows="(i <= {n} AND i % greatest({n} / 4000, 1) = 0) OR (i > {n} AND i <= {n} + 1000)",
        feed_version="CASE WHEN i <= {n} AND hashint8extended(i, 7) % 8 < 5 THEN 1 ELSE 0 END",
        series="{n} + 1000",
    ),
    SCOPED,
    replace(
        SCOPED,
        name="scope_scattered",
        title="scope of 1 % of the table, its rows scattered over the table",
        columns=(COMPANY_SCATTERED, SKU, NUMBER, *PAYLOAD),
    ),
    replace(MIXED, name="wide", title="mixed, 40 columns, 2 kB, some out of line", columns=wide_columns()),
    replace(
        MIXED,
        name="composite",
        title="mixed, key of three text columns",
        key=("region", "kind", "code"),
        columns=(
            Column("region", "text", "'region ' || i % 25"),
            Column("kind", "text", "'kind of article ' || i % 400"),
            Column("code", "text", "left(md5(i::text), 8) || '-' || i"),
            NUMBER,
            *PAYLOAD,
        ),
        indexes=("UNIQUE (region, kind, code)", "UNIQUE (number)"),
        not_null=("region", "kind", "code", "number"),
    ),
    replace(
        MIXED,
        name="uuid",
        title="mixed, uuid key",
        key=("id",),
        columns=(Column("id", "uuid", "md5(i::text)::uuid"), NUMBER, *PAYLOAD),
        indexes=("UNIQUE (id)", "UNIQUE (number)"),
        not_null=("id", "number"),
    ),
    replace(
        MIXED,
        name="nullable",
        title="mixed, key of two columns, one NULL in every second row",
        key=("sku", "variant"),
        columns=(SKU, Column("variant", "text", "CASE WHEN i % 2 = 0 THEN 'variant ' || i % 7 END"), NUMBER, *PAYLOAD),
        indexes=("UNIQUE NULLS NOT DISTINCT (sku, variant)", "UNIQUE (number)"),
        not_null=("sku", "number"),
        nullable_key=("variant",),
    ),
    replace(
        MIXED,
        name="partitions",
        title="mixed, 100 hash partitions",
        partitions=100,
        indexes=("UNIQUE (sku)", "(number)"),
    ),
    replace(
        MIXED,
        name="six_indexes",
        title="mixed, six indexes",
        indexes=("UNIQUE (sku)", "UNIQUE (number)", "(name)", "(price)", "(stock)", "(changed_at)"),
    ),
    replace(MIXED, name="growth", title="mixed, growing", growth=True),
]

# --------------------------------------------------------------------------------------------------
# Methods: each gives the statements that follow the staging
# --------------------------------------------------------------------------------------------------

TIMER = "SELECT '@time', extract(epoch FROM clock_timestamp());"


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def bulk_sync(w, version):
    arguments = ["'target'", "'staged'", "'{" + ",".join(w.key) + "}'"]
    if w.delete:
        arguments.append("scope => " + (literal(w.scope.replace("{t}.", "")) if w.scope else "'true'"))
    else:
        arguments.append("actions => '{insert,update}'")
    return f"SELECT '@counts', c.* FROM bulk_sync({', '.join(arguments)}) AS c;"


def delete_stale(w):
    if not w.delete:
        return ""
    return (
        f"DELETE FROM target AS t WHERE NOT EXISTS (SELECT FROM staged AS s WHERE {w.match()})"
        f" {w.in_scope()};"
    )


def analyze(w):
    """A temporary table has no statistics until somebody asks for them; those of the key are enough, and
    much cheaper than those of all columns."""
    return f"ANALYZE staged ({', '.join(w.key)});"


def three_statements(w, version):
    # Of an empty target the planner believes that it stays empty, and would scan the growing table once
    # for every staged row: minutes instead of seconds.  Whoever has met that writes this:
    hint = "SET LOCAL enable_nestloop = off;" if w.starts_empty else ""
    return f"""
{analyze(w)}
BEGIN;
{hint}
{delete_stale(w)}
UPDATE target AS t SET {w.assign()} FROM staged AS s
 WHERE {w.match()} {w.in_scope()} AND {w.differs()};
INSERT INTO target ({w.names()}) SELECT {w.names()} FROM staged AS s
 WHERE NOT EXISTS (SELECT FROM target AS t WHERE {w.match()} {w.in_scope()});
COMMIT;"""


def upsert(w, version):
    upsert = f"""
INSERT INTO target AS t ({w.names()}) SELECT {w.names()} FROM staged
 ON CONFLICT ({', '.join(w.key)}) DO UPDATE SET {w.assign('excluded')}
 WHERE {w.differs(staged='excluded')};"""
    if not w.delete:
        return upsert
    return f"{analyze(w)}\nBEGIN;\n{delete_stale(w)}{upsert}\nCOMMIT;"


def merge(w, version):
    # BY SOURCE must look at the whole target; with a scope, a DELETE of its own finds its rows by the index.
    by_source = version >= 170000 and w.delete and not w.scope
    return f"""
{analyze(w)}
BEGIN;
{'' if by_source else delete_stale(w)}
MERGE INTO target AS t USING staged AS s ON {w.match()} {w.in_scope()}
 WHEN MATCHED AND {w.differs()} THEN UPDATE SET {w.assign()}
 WHEN NOT MATCHED THEN INSERT ({w.names()}) VALUES ({w.names('s.')})
 {'WHEN NOT MATCHED BY SOURCE THEN DELETE' if by_source else ''};
COMMIT;"""


def difference(w, version):
    """One full join decides, then three statements write by tuple id."""
    part = ", t.tableoid AS part" if w.partitions else ""
    here = "t.tableoid = d.part AND t.ctid = d.tid" if w.partitions else "t.ctid = d.tid"
    found = f"(SELECT ctid, {'tableoid, ' if w.partitions else ''}{w.names()} FROM target AS t {w.in_scope(lead='WHERE ')})"
    join = "FULL" if w.delete else "RIGHT"
    first = w.key[0]
    return f"""
{analyze(w)}
BEGIN;
CREATE TEMPORARY TABLE difference ON COMMIT DROP AS
SELECT CASE WHEN t.ctid IS NULL THEN 'i' WHEN s.{first} IS NULL THEN 'd' ELSE 'u' END AS action,
       t.ctid AS tid{part}, {w.names('s.')}
  FROM {found} AS t {join} JOIN staged AS s ON {w.match()}
 WHERE t.ctid IS NULL OR s.{first} IS NULL OR {w.differs()};
ANALYZE difference (action, tid);
{f"DELETE FROM target AS t USING difference AS d WHERE d.action = 'd' AND {here};" if w.delete else ''}
UPDATE target AS t SET {w.assign('d')} FROM difference AS d WHERE d.action = 'u' AND {here};
INSERT INTO target ({w.names()}) SELECT {w.names()} FROM difference WHERE action = 'i';
COMMIT;"""


def copy_staged(w, version):
    return ""


def copy_target(w, version):
    return "COPY target_empty FROM :'feed' (FORMAT binary);"


def full_join(w, version):
    target = f"(SELECT * FROM target AS t {w.in_scope(lead='WHERE ')})" if w.scope else "target"
    return f"SELECT '@joined', count(*) FROM {target} AS t FULL JOIN staged AS s ON {w.match()};"


@dataclass(frozen=True)
class Method:
    name: str
    title: str
    kind: str  # "ours", "peer" or "floor"
    sync: object
    stages: bool = True


METHODS = [
    Method("bulk_sync", "**bulk_sync**", "ours", bulk_sync),
    Method("three_statements", "three statements", "peer", three_statements),
    Method("upsert", "upsert + DELETE", "peer", upsert),
    Method("merge", "MERGE", "peer", merge),
    Method("difference", "difference table", "peer", difference),
    Method("copy_staged", "*floor: COPY into the staged table*", "floor", copy_staged),
    Method("copy_target", "*floor: COPY straight into an empty target*", "floor", copy_target, stages=False),
    Method("full_join", "*floor: staged, then a full join, count(\\*)*", "floor", full_join),
]

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
    if w.scope or not w.delete:
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
    if method.kind != "floor" and (options.verify == "all" or (options.verify == "first" and round_number == 1)):
        found = execute(RUN_DATABASE, f"SELECT {CHECKSUM} FROM target AS r;")
        if found != expected:
            result.error = f"WRONG RESULT: {found.split()} instead of {expected.split()}"
    return result


def run_workload(w, rows, methods, options, version, extension, write):
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
            base = this_round.get(options.base)
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
    parser.add_argument("--workload", default="mixed", help=f"comma-separated, or 'all' (all but growth): {by_name}")
    parser.add_argument("--methods", default="all", help="comma-separated: " + ", ".join(m.name for m in METHODS))
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
        names += [w.name for w in WORKLOADS if not w.growth] if name == "all" else [name]
    if [n for n in names if n not in known]:
        parser.error("unknown workload; known are: " + by_name)
    options.workloads = [known[n] for n in dict.fromkeys(names)]
    known = {m.name: m for m in METHODS}
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
            for m in methods:
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
            staged_rows, results = run_workload(w, rows, methods, options, version, extension, write)
            medians = report(w, rows, staged_rows, results, methods, options.base)
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
