"""The workloads of the benchmark: tables, what is in them and what is in the feed."""

from dataclasses import dataclass, replace


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
    methods: tuple = ()  # what is measured; () = bulk_sync beside its peers and the floors
    appended: str = ""  # history: a condition on the feed's rows; those are added, and nothing else happens

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



def changes_of(part, one_in):
    """A mixed workload in which one row in so many is new, as many are changed and as many stale."""
    by_hash = f"(hashint8extended(i, 7) & 1048575) % {one_in}"
    return Workload(
        "changes",
        f"{part} new, changed, stale",
        feed_rows=f"(i <= {{n}} AND {by_hash} <> 0) OR (i > {{n}} AND i <= {{n}} + {{n}} / {one_in})",
        feed_version=f"CASE WHEN i <= {{n}} AND {by_hash} = 1 THEN 1 ELSE 0 END",
    )


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

# Five versions of each article; of the tenth that is staged, half has another price than before
KEPT_PRICE = "i > {n} AND hashint8extended(i, 7) % 2 = 0"
HISTORY = Workload(
    "history",
    "price history, a tenth staged, half of it changed",
    columns=(
        Column("sku", "text", "'article ' || (i - 1) % greatest({n} / 5, 1)"),
        Column(
            "price",
            "numeric(12,2)",
            f"((i - 1) % 1000 + CASE WHEN {KEPT_PRICE} THEN 4 ELSE (i - 1) / greatest({{n}} / 5, 1) END) / 100.0",
        ),
        Column("valid_from", "date", "date '2024-01-01' + ((i - 1) / greatest({n} / 5, 1))::int"),
    ),
    indexes=(),
    not_null=("sku",),
    delete=False,
    feed_rows="i > {n}",
    series="{n} + {n} / 10",
    appended="price <> ((substr(sku, 9)::int % 1000) + 4) / 100.0",
    methods=("insert_changed", "distinct_on", "distinct_on_staged"),
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
    replace(
        changes_of("a third of 1 %", 300),
        name="compare",
        title="bulk_compare beside a dry run, 1 % differences",
        methods=("dry_run", "compare"),
    ),
    replace(
        changes_of("1.67 %", 60),
        name="returning",
        title="bulk_sync_returning beside bulk_sync, 5 % differences",
        methods=("bulk_sync", "returning"),
    ),
    HISTORY,
    replace(
        HISTORY,
        name="history_indexed",
        title=HISTORY.title + ", index on (key, order column)",
        indexes=("(sku, valid_from)",),
        methods=(*HISTORY.methods, "lateral"),
    ),
]
