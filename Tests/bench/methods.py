"""The methods that the benchmark measures: each gives the statements that follow the staging."""

from dataclasses import dataclass

TIMER = "SELECT '@time', extract(epoch FROM clock_timestamp());"


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def call(function, w, *more):
    arguments = ["'target'", "'staged'", "'{" + ",".join(w.key) + "}'"]
    if w.delete:
        arguments.append("scope => " + (literal(w.scope.replace("{t}.", "")) if w.scope else "'true'"))
    else:
        arguments.append("actions => '{insert,update}'")
    return f"{function}({', '.join([*arguments, *more])})"


def bulk_sync(w, version):
    return f"SELECT '@counts', c.* FROM {call('bulk_sync', w)} AS c;"


def dry_run(w, version):
    return f"SELECT '@counts', c.* FROM {call('bulk_sync', w, 'dry_run => true')} AS c;"


# Rows are counted at the server: what it costs to send them is another question.
def compare(w, version):
    return f"SELECT '@counts', count(*) FROM {call('bulk_compare', w)};"


def returning(w, version):
    return f"SELECT '@counts', count(*) FROM {call('bulk_sync_returning', w)};"


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


def insert_changed(w, version):
    return (
        "SELECT '@counts', c.* FROM bulk_insert_changed('target', 'staged',"
        f" '{{{','.join(w.key)}}}', 'valid_from') AS c;"
    )


def append_changed(w, newest):
    """Appends the staged rows that differ from the newest row of their key, given as a FROM item "t"."""
    return f"""
{analyze(w)}
INSERT INTO target ({w.names()}) SELECT {w.names('s.')} FROM staged AS s LEFT JOIN {newest}
 WHERE t.sku IS NULL OR t.price IS DISTINCT FROM s.price;"""


def distinct_on(w, version):
    return append_changed(
        w, "(SELECT DISTINCT ON (sku) sku, price FROM target ORDER BY sku, valid_from DESC) AS t ON t.sku = s.sku"
    )


def distinct_on_staged(w, version):
    return append_changed(
        w,
        "(SELECT DISTINCT ON (sku) sku, price FROM target WHERE sku IN (SELECT sku FROM staged)"
        " ORDER BY sku, valid_from DESC) AS t ON t.sku = s.sku",
    )


def lateral(w, version):
    return append_changed(
        w,
        "LATERAL (SELECT sku, price FROM target AS h WHERE h.sku = s.sku ORDER BY valid_from DESC LIMIT 1) AS t ON true",
    )


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
    kind: str  # "ours", "peer", "floor", or "other": only where a workload asks for it
    sync: object
    stages: bool = True
    writes: bool = True  # else the target is not looked at afterwards


METHODS = [
    Method("bulk_sync", "**bulk_sync**", "ours", bulk_sync),
    Method("three_statements", "three statements", "peer", three_statements),
    Method("upsert", "upsert + DELETE", "peer", upsert),
    Method("merge", "MERGE", "peer", merge),
    Method("difference", "difference table", "peer", difference),
    Method("copy_staged", "*floor: COPY into the staged table*", "floor", copy_staged),
    Method("copy_target", "*floor: COPY straight into an empty target*", "floor", copy_target, stages=False),
    Method("full_join", "*floor: staged, then a full join, count(\\*)*", "floor", full_join),
    Method("dry_run", "bulk_sync, dry run", "other", dry_run, writes=False),
    Method("compare", "**bulk_compare**", "other", compare, writes=False),
    Method("returning", "**bulk_sync_returning**", "other", returning),
    Method("insert_changed", "**bulk_insert_changed**", "other", insert_changed),
    Method("distinct_on", "DISTINCT ON over the history", "other", distinct_on),
    Method("distinct_on_staged", "DISTINCT ON over the staged keys' history", "other", distinct_on_staged),
    Method("lateral", "LATERAL, newest row by the index", "other", lateral),
]


def methods_of(w, chosen):
    """The methods to measure for a workload, in their order: its own, or those of the choice that suit any."""
    if w.methods:
        return [m for name in w.methods for m in METHODS if m.name == name]
    return [m for m in chosen if m.kind != "other"]
