#!/usr/bin/env python3
"""Differential test of bulk_sync: random tables, rows and options against a slow and obvious model of the contract.

    differential.py --cases N --seed S [--pg PGHOST] [--first I] [--seconds T] [--kinds plain,partitioned,inheritance,view] [--stop]

Needs psql and createdb on PATH and a running server with the extension installed (PGHOST, PGPORT, PGUSER as usual, or
--pg). It works in a database of its own, "differential_<pid>", and drops it at the end. Case I of seed S is always the
same case (on servers of one version). Standard library only.

A case is: a target (plain, partitioned, inheritance parent, view; with dropped, generated, identity and serial columns,
hostile names, secondary unique constraints, BEFORE triggers, statement triggers with transition tables, row-level
security), its rows, a staged table (other order, other types), its
rows, and options. It runs a dry run, the real call and the same call again, with a picture of the table (ctid, xmin, xmax and the
text image of every column) between them. `predict` says what each must do from the picture before it: the SQLSTATE of
a refusal, or the counts and the rows afterwards; rows that the call must not touch keep ctid, xmin and xmax. Where the
contract leaves the outcome open (unique values traded inside one UPDATE, say) `may_fail` holds the code that is
allowed, too, or `open` is set and only the invariants are checked.

A failure is reduced (rows, options, triggers are taken away as long as it still fails) and printed as a psql script.
Exit status 1 if there was one.
"""
import argparse
import collections
import copy
import decimal
import json
import os
import random
import re
import subprocess
import sys
import threading
import time

# ---------------------------------------------------------------- types

ASSIGN = '<assigned>'            # a value that a sequence gives: at least 1000
NOW = '<now>'                    # a value that now() gives
MARKED = '2020-01-01 00:00:00'   # a soft-delete mark that was there before


def norm_numeric(image):
    return 'NaN' if image == 'NaN' else decimal.Decimal(image).normalize()


def norm_float(image):
    return 'NaN' if image == 'NaN' else float(image) + 0.0


class Type:
    """sql: the type's name. domains: {staged type: [(literal, image)]}, the first being the type itself.
    eq: image -> what equality sees. bad: literal and SQLSTATE of a text that does not convert."""

    def __init__(self, sql, domain, eq=None, text=(), others=None, bad=None, key=True, order=None):
        self.sql, self.eq, self.key, self.bad, self.order = sql, eq or (lambda i: i), key, bad, order
        pairs = [v if isinstance(v, tuple) else (v, v) for v in domain]
        self.domains = {sql: pairs, 'text': pairs + list(text)}
        self.domains.update(others or {})
        self.pairs = pairs
        self.images = dict(self.domains['text'])
        self.maps = {name: dict(domain) for name, domain in self.domains.items()}


def same(*values):
    return [(v, v) for v in values]


TYPES = {t_name: t for t_name, t in {
    'int': Type('int', ['1', '2', '3', '4'], text=[(' 3', '3'), ('+1', '1')], bad=('x', '22P02'), order=int,
                others={'bigint': same('1', '2', '3'), 'numeric': [('1', '1'), ('1.6', '2'), ('3', '3')],
                        'smallint': same('1', '2'), 'varchar': [(' 2', '2'), ('1', '1')]}),
    'int8': Type('bigint', ['1', '2', '9000000000'], bad=('99999999999999999999', '22003'), order=int),
    'text': Type('text', ['a', 'b', 'A', '', 'a '], others={'int': same('1', '2'), 'varchar': same('a', 'b'),
                                                           'name': same('a', 'b', 'A')}),
    'varchar2': Type('varchar(2)', ['a', 'b', 'a ', 'ab'], bad=('abc', '22001')),
    'numeric': Type('numeric', ['1', '1.0', '1.00', '2', 'NaN', '0', '-0.0'[1:]], eq=norm_numeric, bad=('1,0', '22P02'),
                    others={'int': same('1', '2')}),
    'numeric41': Type('numeric(4,1)', [('1', '1.0'), ('1.04', '1.0'), ('2.5', '2.5'), ('3', '3.0')], eq=norm_numeric,
                      bad=('12345', '22003'), others={'numeric': [('1.04', '1.0'), ('2.45', '2.5'), ('3', '3.0')]}),
    'char3': Type('char(3)', ['a', 'b', 'ab', 'abc'], text=[('a  ', 'a'), ('b      ', 'b')], bad=('abcd', '22001'),
                  others={'char(5)': same('a', 'b', 'abc')}),
    'bool': Type('bool', [('t', 'true'), ('f', 'false')], text=[('yes', 'true'), ('0', 'false')], bad=('maybe', '22P02')),
    'date': Type('date', ['2024-01-01', '2024-01-02', 'infinity'], text=[('20240101', '2024-01-01')],
                 bad=('2024-13-01', '22008'), others={'timestamp': [('2024-01-01 05:00', '2024-01-01')]}),
    'float8': Type('float8', ['0', '-0', '1.5', 'NaN'], eq=norm_float, text=[('1.50', '1.5')], bad=('', '22P02')),
    'uuid': Type('uuid', ['00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-00000000000b'],
                 text=[('{0000000000000000000000000000000A}', '00000000-0000-0000-0000-00000000000a')], bad=('z', '22P02')),
    'interval': Type('interval', [('1 day', '1 day'), ('24:00', '24:00:00'), ('1 mon', '1 mon'), ('30 days', '30 days')],
                     eq=lambda i: {'24:00:00': '1 day', '30 days': '1 mon'}.get(i, i)),
    'ci': Type('text COLLATE public.ci', ['a', 'A', 'b', 'B', 'c'], eq=str.lower),
    'domain': Type('public.positive', ['1', '2', '3'], bad=('-1', '23514'), others={'int': same('1', '2')}, order=int),
    'enum': Type('public.mood', ['sad', 'ok', 'Happy'], bad=('happy', '22P02')),
    'ints': Type('int[]', ['{1,2}', '{}', '{1,NULL}'], bad=('{1', '22P02')),
    'json': Type('json', ['{"a":1}', '{"a": 1}', 'null', '[1,2]'], key=False, bad=('{', '22P02')),
    'jsonb': Type('jsonb', [('{"a":1}', '{"a": 1}'), ('1.0', '1.0'), ('1', '1')], key=False, bad=('{', '22P02')),
    'box': Type('box', [('(1,1),(0,0)', '(1,1),(0,0)'), ('(0,0),(2,2)', '(2,2),(0,0)')], key=False, bad=('(', '22P02')),
    'point': Type('point', ['(0,0)', '(1,2)', '(-0,0)'], key=False, bad=('1', '22P02')),
    'long': Type('text', ['x' * 300, 'x' * 299 + 'y', 'z' * 3000, 'z' * 2999 + 'y'], key=False),
    'big': Type('int', [str(i) for i in range(1, 4001)], bad=('x', '22P02'), order=int),
    'seq': Type('int', [str(i) for i in range(1, 8)], bad=('x', '22P02'), order=int),
}.items()}
for name in ('json', 'jsonb', 'box', 'point', 'long'):      # in scope conditions by IS NULL only
    TYPES[name].key = False

NAMES = ['a', 'b', 'Mixed', 'a b', 'select', 'x"y', "it's", 'staged', 'target', 'key', 'old', 'new', 'ümläut', '$1',
         'n' * 63, 'action', 'p$$q', 'row', 'c', 'd', 'e', 'ctid2', '%s', 'a,b', '{x}', '\\', 'oid']


def ident(name):
    return '"' + name.replace('"', '""') + '"'


def lit(value):
    if value is None:
        return 'NULL'
    return ('E' if '\\' in value else '') + "'" + value.replace('\\', '\\\\').replace("'", "''") + "'"


def array(names):
    return 'ARRAY[' + ', '.join(lit(n) for n in names) + ']::text[]'


class Column:
    """kind: plain, generated (base), identity, always, serial, soft. literal default (a literal, or None)."""

    def __init__(self, name, type_name, kind='plain', notnull=False, default=None, base=None):
        self.name, self.type_name, self.kind = name, type_name, kind
        self.notnull, self.default, self.base = notnull or kind in ('identity', 'always', 'serial'), default, base

    @property
    def type(self):
        return TYPES[self.type_name]

    @property
    def draws(self):
        return self.kind in ('identity', 'always', 'serial')

    def image(self, literal):
        return self.type.images[literal]

    def sql(self, case):
        text = ident(self.name) + ' ' + self.type.sql
        if self.kind == 'generated':
            text += ' GENERATED ALWAYS AS (%s * 2) %s' % (ident(self.base), case.stored)
        elif self.kind == 'identity':
            text += ' GENERATED BY DEFAULT AS IDENTITY (START 1000)'
        elif self.kind == 'always':
            text += ' GENERATED ALWAYS AS IDENTITY (START 1000)'
        elif self.kind == 'serial':
            text += " DEFAULT nextval('c.seq')"
        elif self.default is not None:
            text += ' DEFAULT ' + lit(self.default)
        return text + (' NOT NULL' if self.notnull else '')


class Atom:
    """A condition on one column: = IN IS NULL, IS NOT NULL, IS DISTINCT FROM, EXISTS, over images."""

    def __init__(self, column, op, literals, prefix):
        self.column, self.op, self.literals, self.prefix, self.wanted = column, op, literals, prefix, None

    def sql(self, case):
        if self.op in ('true', 'false'):
            return self.op
        name = self.prefix + ident(self.column)
        values = [lit(case.column(self.column).image(v)) for v in self.literals]
        if self.op in ('IS NULL', 'IS NOT NULL'):
            return '%s %s' % (name, self.op)
        if self.op == 'IN':
            return '%s IN (%s)' % (name, ', '.join(values))
        if self.op == 'EXISTS':
            return 'EXISTS (SELECT 1 FROM pg_catalog.generate_series(1, 2) WHERE target.%s = %s)' % (ident(self.column), values[0])
        return '%s %s %s' % (name, self.op, values[0])

    def holds(self, case, row):
        if self.op in ('true', 'false'):
            return self.op == 'true'
        column, value = case.column(self.column), row[self.column]
        if self.op == 'IS NULL':
            return value is None
        if self.op == 'IS NOT NULL':
            return value is not None
        if self.wanted is None:
            self.wanted = {column.type.eq(column.image(v)) for v in self.literals}
        wanted = self.wanted
        if self.op == 'IS DISTINCT FROM':
            return value is None or column.type.eq(value) not in wanted
        return value is not None and column.type.eq(value) in wanted

    def satisfying(self, case, rng):
        column = case.column(self.column)
        if self.op in ('=', 'IN', 'EXISTS'):
            return rng.choice(self.literals)
        if self.op == 'IS NULL':
            return None
        refused = {column.type.eq(column.image(v)) for v in self.literals}
        pool = [p[0] for p in column.type.pairs if self.op != 'IS DISTINCT FROM' or column.type.eq(p[1]) not in refused]
        return rng.choice(pool) if pool else None


class Case:
    """Everything about one case, as data, so that a failing one can be reduced."""

    def __init__(self):
        self.kind, self.columns, self.rows, self.staged, self.staged_types = 'plain', [], [], [], {}
        self.key, self.pk, self.unique, self.triggers, self.dropped = [], False, None, [], []
        self.options, self.scope, self.update_where, self.scope_values = {}, None, None, {}
        self.partition, self.partition_values, self.default_partition, self.child_rows = None, [], True, set()
        self.view_where, self.stored, self.work_mem, self.temp_staged, self.staged_only = None, 'STORED', None, True, []
        self.soft, self.error, self.staged_order, self.pass_key, self.view_columns, self.staged_view = None, None, [], True, [], False
        self.index, self.role, self.log, self.policies = False, False, False, {}

    def column(self, name):
        return next((c for c in self.columns if c.name == name), None)

    # ------------------------------------------------ SQL

    def target(self):
        return 'c.v' if self.kind == 'view' else 'c.t'

    def setup(self):
        out = ['DROP SCHEMA IF EXISTS c CASCADE;', 'CREATE SCHEMA c;', 'CREATE SEQUENCE c.seq START 1000;']
        definition = []
        for i, column in enumerate(self.columns):
            if i in self.dropped:
                definition.append('dropped_%d text DEFAULT \'gone\'' % i)
            definition.append(column.sql(self))
        if self.pk:
            definition.append('PRIMARY KEY (%s)' % ', '.join(map(ident, self.key)))
        if self.unique:
            definition.append('UNIQUE (%s)' % ', '.join(map(ident, self.unique)))
        tail = ''
        if self.kind == 'list':
            tail = ' PARTITION BY LIST (%s)' % ident(self.partition)
        elif self.kind == 'hash':
            tail = ' PARTITION BY HASH (%s)' % ident(self.partition)
        out.append('CREATE TABLE c.t (%s)%s;' % (', '.join(definition), tail))
        for i in self.dropped:
            out.append('ALTER TABLE c.t DROP COLUMN dropped_%d;' % i)
        if self.kind == 'list':
            # one partition is attached, with its columns in another order
            plain = [c for c in self.columns]
            out.append('CREATE TABLE c.t1 (gone int, %s);' % ', '.join(
                re_identity(c).sql(self) for c in reversed(plain)))
            out.append('ALTER TABLE c.t1 DROP COLUMN gone;')
            values = [v for v in self.partition_values]
            out.append('ALTER TABLE c.t ATTACH PARTITION c.t1 FOR VALUES IN (%s);' % ', '.join(map(lit, values)))
            if self.default_partition:
                out.append('CREATE TABLE c.t2 PARTITION OF c.t DEFAULT;')
        elif self.kind == 'hash':
            for i in range(3):
                out.append('CREATE TABLE c.t%d PARTITION OF c.t FOR VALUES WITH (MODULUS 3, REMAINDER %d);' % (i, i))
        elif self.kind == 'inheritance':
            out.append('CREATE TABLE c.child (extra int DEFAULT 7) INHERITS (c.t);')
        if self.kind == 'view':
            out.append('CREATE VIEW c.v AS SELECT %s FROM c.t%s;' % (
                ', '.join(map(ident, self.view_columns)), ' WHERE ' + self.view_where.sql(self) if self.view_where else ''))
        if self.index:
            out.append('CREATE INDEX ON c.t (%s);' % ', '.join(map(ident, self.key)))
        stored = [c for c in self.columns if c.kind != 'generated']
        for table, rows in (('c.t', [r for i, r in enumerate(self.rows) if i not in self.child_rows]),
                            ('c.child', [r for i, r in enumerate(self.rows) if i in self.child_rows])):
            if rows:
                out.append('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE VALUES %s;' % (
                    table, ', '.join(ident(c.name) for c in stored),
                    ', '.join('(' + ', '.join(lit(r[c.name]) for c in stored) + ')' for r in rows)))
        for i, trigger in enumerate(self.triggers):
            out += trigger_sql(self, i, trigger)
        if self.log:
            out += LOG
        if self.policies:
            out.append('ALTER TABLE c.t ENABLE ROW LEVEL SECURITY;')
            for command, atom in self.policies.items():
                out.append('CREATE POLICY p_%s ON c.t FOR %s TO hostile_user %s (%s);' % (
                    command, command, 'WITH CHECK' if command == 'INSERT' else 'USING', atom.sql(self)))
        names = self.staged_order
        staged = ', '.join('%s %s' % (ident(n), self.staged_types[n]) for n in names)
        if self.temp_staged:
            out.append('DROP TABLE IF EXISTS pg_temp.s;')
            out.append('CREATE TEMP TABLE s (%s);' % staged)
        else:
            out.append('CREATE TABLE c.s (%s);' % staged)
        if not names:
            out += ['INSERT INTO %s DEFAULT VALUES;' % self.staged_base()] * len(self.staged)
        if self.staged and names:
            out.append('INSERT INTO %s VALUES %s;' % (
                self.staged_base(), ', '.join('(' + ', '.join(lit(r[n]) for n in names) + ')' for r in self.staged)))
        if self.staged_view:
            out.append('CREATE VIEW c.sv AS SELECT * FROM %s;' % self.staged_base())
        if self.role:
            out.append('GRANT ALL ON SCHEMA c TO hostile_user; GRANT ALL ON ALL TABLES IN SCHEMA c TO hostile_user; '
                       'GRANT ALL ON ALL SEQUENCES IN SCHEMA c TO hostile_user; GRANT SELECT ON %s TO hostile_user;' % self.staged_base())
        return out

    def staged_base(self):
        return 'pg_temp.s' if self.temp_staged else 'c.s'

    def call(self, dry=False):
        args = [lit(self.target()), lit('c.sv' if self.staged_view else self.staged_base())]
        if self.pass_key:
            args.append('key_columns => ' + array(self.key))
        if self.scope is not None:
            args.append('scope => ' + lit(self.scope_sql()))
        if self.scope_values:
            values = {}
            for name, value in self.scope_values.items():
                column = self.column(name)
                values[name] = value
                if value is not None and column.type_name in ('int', 'seq', 'big', 'domain'):
                    values[name] = int(value)
                if value is not None and column.type_name == 'ints':
                    values[name] = json.loads(value.replace('{', '[').replace('}', ']').replace('NULL', 'null'))
            args.append('scope_values => ' + lit(json.dumps(values)))
        if self.update_where:
            args.append('update_where => ' + lit(self.update_where[0]))
        for name, value in self.options.items():
            if isinstance(value, list):
                text = array(value)
            elif isinstance(value, str):
                text = lit(value)
            elif value is None:
                text = 'NULL'
            else:
                text = str(value).lower()
            args.append('%s => %s' % (name, text))
        if self.soft:
            args.append('soft_delete_column => ' + lit(self.soft))
        if self.error:
            args.append(self.error[0])
        if dry:
            args.append('dry_run => true')
        return 'SELECT * FROM bulk_sync(%s);' % ', '.join(args)

    def scope_sql(self):
        joiner, atoms = self.scope
        return (' %s ' % joiner).join(a.sql(self) for a in atoms)

    def picture(self):
        return 'SELECT json_build_array(tableoid::regclass::text, ctid::text, xmin::text, xmax::text, %s)::text FROM c.t;' % (
            ', '.join(ident(c.name) + '::text' for c in self.columns))


def re_identity(column):
    """The column of a table to be attached: identity comes from the parent (17) or is not there."""
    if column.kind in ('identity', 'always'):
        other = copy.copy(column)
        other.kind = 'plain'
        return other
    return column


# statement triggers: what fires, in which order, and how many rows the transition tables hold
LOG = ['CREATE TABLE c.log (n serial, line text);',
       "CREATE FUNCTION c.log_before() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $body$ BEGIN "
       "INSERT INTO c.log (line) VALUES ('BEFORE ' || TG_OP); RETURN NULL; END $body$;",
       'CREATE TRIGGER before_all BEFORE INSERT OR UPDATE OR DELETE ON c.t FOR EACH STATEMENT EXECUTE FUNCTION c.log_before();']
for _event, _tables in (('INSERT', 'new'), ('UPDATE', 'new'), ('UPDATE', 'old'), ('DELETE', 'old')):
    LOG += ["CREATE FUNCTION c.log_%s_%s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $body$ BEGIN "
            "INSERT INTO c.log (line) SELECT 'AFTER %s %s ' || count(*) FROM tab; RETURN NULL; END $body$;" % (_event, _tables, _event, _tables),
            'CREATE TRIGGER after_%s_%s AFTER %s ON c.t REFERENCING %s TABLE AS tab FOR EACH STATEMENT EXECUTE FUNCTION c.log_%s_%s();' % (
                _event, _tables, _event, _tables.upper(), _event, _tables)]


def trigger_sql(case, i, trigger):
    what, column, literal, events = trigger
    row = 'OLD' if events == 'DELETE' else 'NEW'
    literal = case.column(column).image(literal)
    if what == 'set':
        body = 'NEW.%s := %s; RETURN NEW;' % (ident(column), lit(literal))
    else:
        body = 'IF %s.%s = %s THEN RETURN NULL; END IF; RETURN %s;' % (row, ident(column), lit(literal), row)
    return ['CREATE FUNCTION c.f%d() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN %s END $body$;' % (i, body),
            'CREATE TRIGGER t%d BEFORE %s ON c.t FOR EACH ROW EXECUTE FUNCTION c.f%d();' % (i, events, i)]


# ---------------------------------------------------------------- the model

class Refused(Exception):
    def __init__(self, *codes):
        super().__init__(codes)
        self.codes = set(codes)


class Outcome:
    def __init__(self):
        self.codes = set()       # it must fail with one of these
        self.may_fail = set()    # it may fail with one of these
        self.open = False        # the contract does not say which rows: only the invariants
        self.counts = None
        self.planned = None
        self.log = None
        self.untouched, self.written = [], []


def predict(case, before, dry=False):
    """What a call must do to the rows `before`: the contract, clause by clause, with loops."""
    out = Outcome()
    try:
        work(case, before, out, dry)
    except Refused as refused:
        out.codes = refused.codes
    return out


def work(case, before, out, dry):
    options = case.options
    if case.error:                                                                   # 1.0, 1.4: arguments first
        delete = 'delete' in [a.lower() for a in options.get('actions') or ['delete']]
        if case.error[1] == '42703' and delete and case.scope is None and not case.scope_values and not options.get('scope_columns'):
            raise Refused('22023')
        raise Refused(case.error[1])
    actions = [a.lower() for a in options.get('actions') or ['insert', 'update', 'delete']]
    scoped = case.scope is not None or bool(case.scope_values) or bool(options.get('scope_columns'))
    if 'delete' in actions and not scoped:                                           # 1.2.1
        raise Refused('22023')
    if options.get('expected_rows') is not None and options['expected_rows'] != len(case.staged):
        raise Refused('SY001')
    if 'delete' in actions and not case.staged and not options.get('allow_empty'):
        raise Refused('SY002')

    # which columns take part
    listed = options.get('columns')
    staged_names = [n for n in case.staged_order if case.column(n)]
    synced = [n for n in staged_names if n in case.key or listed is None or n in listed]
    synced = [n for n in synced if n != case.soft and (case.column(n).kind != 'generated' or n in case.key)]
    supplied = {n: (None if v is None else case.column(n).image(v)) for n, v in case.scope_values.items() if n not in synced}

    # conversion, 1.1.2
    reads = set(synced) | set(case.update_where[2] if case.update_where else [])
    bad, staged = set(), []
    for literals in case.staged:
        row = {}
        for n in staged_names:
            domain = case.column(n).type.maps[case.staged_domain(n)]
            if literals[n] is None:
                row[n] = None
            elif literals[n] in domain:
                row[n] = domain[literals[n]]
            else:
                row[n] = '<bad>'
                if n in reads:
                    bad.add(case.column(n).type.bad[1])
        row.update(supplied)
        for n in case.staged_only:
            row['staged.' + n] = literals[n]
        row['literals'] = literals
        staged.append(row)
    if bad:
        raise Refused(*bad)

    def key_of(row):
        return tuple(None if row[n] is None else case.column(n).type.eq(row[n]) for n in case.key)

    def asks(row):
        """A NULL in a key column that the database assigns: matches nothing, 1.3.4."""
        return any(row[n] is None and case.column(n).draws for n in case.key)

    # scope, 1.2
    groups = None
    if options.get('scope_columns'):
        groups = {tuple(None if r[n] is None else case.column(n).type.eq(r[n]) for n in options['scope_columns']) for r in staged}

    def in_condition(row):
        joiner, atoms = case.scope
        return (all if joiner == 'AND' else any)(a.holds(case, row) for a in atoms)

    def in_values(row):
        for n, v in case.scope_values.items():
            column = case.column(n)
            if v is None or row[n] is None:
                if v is not None or row[n] is not None:
                    return False
            elif column.type.eq(column.image(v)) != column.type.eq(row[n]):
                return False
        return True

    def in_groups(row):
        return tuple(None if row[n] is None else case.column(n).type.eq(row[n]) for n in options['scope_columns']) in groups

    def in_scope(row):
        return ((case.scope is None or in_condition(row)) and in_values(row) and (groups is None or in_groups(row)))

    def visible(row):
        return (case.view_where is None or case.view_where.holds(case, row)) and allows('SELECT', row)

    def allows(command, row):
        return command not in case.policies or case.policies[command].holds(case, row)

    # duplicates, 1.1.5
    duplicates = (options.get('duplicates') or 'error').lower()
    kept, seen, skipped = [], {}, 0
    for position, row in enumerate(staged):
        if not case.key or asks(row):
            kept.append((position, row))
            continue
        seen.setdefault(key_of(row), []).append((position, row))
    for rows in seen.values():
        if len(rows) > 1:
            if duplicates == 'error':
                raise Refused('21000')
            order = options.get('order_column')

            def rank(entry):
                position, row = entry
                if order is None:
                    return (0, 0, position)
                value = row['literals'][order]
                return (0, 0, position) if value is None else (1, int(float(value)), position)
            rows.sort(key=rank)
            skipped += len(rows) - 1
            rows = [rows[0] if duplicates == 'first' else rows[-1]]
        kept += rows
    kept.sort(key=lambda e: e[0])

    def marked(row):
        value = row[case.soft] if case.soft else None
        return value is not None and value != 'false'

    # matching, 1.1.1, 1.3.9
    matched, pairs, inserts = set(), [], []
    candidates = [(i, r) for i, r in enumerate(before) if visible(r) and in_scope(r)]
    index = collections.defaultdict(list)
    for i, r in candidates:
        index[key_of(r)].append((i, r))
    for position, row in kept:
        found = [] if not case.key or asks(row) else index[key_of(row)]
        live = [e for e in found if not marked(e[1])]
        choice = live or found
        if len(choice) > 1:
            raise Refused('21000')
        if choice:
            pairs.append((row, choice[0]))
            matched.add(choice[0][0])
        else:
            inserts.append(row)
    stale = [(i, r) for i, r in candidates if i not in matched and not marked(r)] if 'delete' in actions else []

    # what changes, 1.3
    roles = {}
    for role in ('insert_only', 'touch', 'fill', 'keep'):
        for n in options.get(role + '_columns') or []:
            roles[n] = role
    updates, unchanged, hidden = [], 0, []
    for row, (i, old) in pairs:
        new, changed, touched = dict(old), False, {}
        for n in [n for n in case.key if n in row] + [n for n in synced if n not in case.key]:
            column, value, role = case.column(n), row[n], roles.get(n)
            if column.kind == 'generated' or (column.kind == 'always' and n not in case.key):
                continue
            if value is None and column.draws:
                continue
            if role == 'insert_only' or (role == 'keep' and value is None):
                continue
            if role == 'touch':
                touched[n] = value
            elif role == 'fill':
                if old[n] is None and value is not None:
                    new[n], changed = value, True
            elif value != old[n]:
                new[n], changed = value, True
        if marked(old):
            new[case.soft], changed = ('false' if case.column(case.soft).type_name == 'bool' else None), True
        if not changed:
            unchanged += 1
        elif 'update' not in actions or (case.update_where and not case.update_where[1](row, old)):
            skipped += 1
        elif not allows('UPDATE', old):                                              # 1.3.8, the end
            hidden.append((i, old, new))
        else:
            new.update(touched)
            updates.append((i, old, new))
    skipped += len(hidden)
    stale = [(i, r) for i, r in stale if allows('UPDATE' if case.soft else 'DELETE', r)]
    if 'insert' not in actions:
        skipped += len(inserts)
        inserts = []

    # inserted rows before triggers; what is not decided yet is UNDECIDED
    new_rows = []
    for row in inserts:
        new, undecided = {}, set()
        for column in case.columns:
            n = column.name
            if column.kind == 'generated':
                undecided.add(n)
                new[n] = None
            elif n in row and (n in synced or n in supplied) and not (row[n] is None and column.draws):
                new[n] = row[n]
            else:
                undecided.add(n)
                new[n] = ASSIGN if column.draws else None if column.default is None else column.image(column.default)
        new_rows.append((new, undecided))

    def generate(row):
        for column in case.columns:
            if column.kind == 'generated':
                row[column.name] = None if row[column.base] is None else str(int(row[column.base]) * 2)

    scope_uses = {a.column for a in case.scope[1] if a.column} if case.scope else set()
    late = scoped
    partly = False
    if scoped:                                                                         # 1.2.5, the first part
        for i, old, new in updates:
            trial = dict(new)
            generate(trial)
            if not in_scope(trial):
                if any(case.column(n) and case.column(n).kind == 'generated' for n in scope_uses):
                    partly = True
                else:
                    raise Refused('44000')
        for new, undecided in new_rows:
            trial = dict(new)
            generate(trial)
            if not in_scope(trial):
                uses = scope_uses | set(case.scope_values) | set(options.get('scope_columns') or [])
                if uses & undecided:
                    partly = True
                else:
                    raise Refused('44000')
    # guards, 1.4
    limit, fraction = options.get('max_deletes'), options.get('max_delete_fraction')
    alive = len([1 for i, r in candidates if not marked(r)])
    over = []
    if limit is not None:
        over.append((len(stale) > limit, limit == 0))
    if fraction is not None:
        over.append((alive > 0 and len(stale) / alive > fraction, fraction == 0))
    if over and (all(o for o, _ in over) or any(o and zero for o, zero in over)):
        raise Refused(*({'SY003', '44000'} if partly else {'SY003'}))

    if partly:
        out.may_fail.add('44000')
    out.planned = (len(staged), len(inserts), len(updates), unchanged, skipped, len(stale))
    if dry:
        out.counts, out.untouched = out.planned, list(before)
        return

    # the writes
    errors = set()

    def fire(event, row, table):
        """BEFORE triggers, in order of name; None: suppressed."""
        if table == 'c.child':
            return row
        for what, n, literal, events in case.triggers:
            if event not in events:
                continue
            if what == 'set':
                row[n] = case.column(n).image(literal)
            elif row[n] is not None and case.column(n).type.eq(row[n]) == case.column(n).type.eq(case.column(n).image(literal)):
                return None
        return row

    def check(row, command):
        generate(row)
        if not allows(command, row):
            errors.add('42501')
        if command == 'UPDATE' and not allows('SELECT', row):
            errors.add('42501')
        for column in case.columns:
            if column.notnull and row[column.name] is None:
                errors.add('23502')
        if case.kind == 'list' and not case.default_partition:
            column = case.column(case.partition)
            values = [column.type.eq(column.image(v)) for v in case.partition_values]
            if row[case.partition] is None or column.type.eq(row[case.partition]) not in values:
                errors.add('23514')

    state = {i: dict(r) for i, r in enumerate(before)}
    touched, locked, deleted, updated, inserted = set(), set(), 0, 0, 0      # locked: a trigger suppressed it
    for i, old in stale:
        if case.soft:
            row = dict(old)
            row[case.soft] = 'true' if case.column(case.soft).type_name == 'bool' else NOW
            row = fire('UPDATE', row, old['_place'][0])
            if row is None:
                locked.add(i)
                continue
            check(row, 'UPDATE')
            state[i] = row
        else:
            if fire('DELETE', dict(old), old['_place'][0]) is None:
                locked.add(i)
                continue
            del state[i]
        touched.add(i)
        deleted += 1
    for i, old, new in updates:
        row = fire('UPDATE', dict(new), old['_place'][0])
        if row is None:
            locked.add(i)
            skipped += 1
            continue
        check(row, 'UPDATE')
        if scoped and not in_scope(row):
            errors.add('44000')
        state[i] = row
        touched.add(i)
        updated += 1
    uniques = ([case.key] if case.pk else []) + ([case.unique] if case.unique else [])

    def unique_of(row, names):
        values = [None if row[n] is None else case.column(n).type.eq(row[n]) for n in names]
        return None if None in values or ASSIGN in values else (row['_place'][0] == 'c.child',) + tuple(values)

    taken = []
    for names in uniques:
        values = collections.Counter(unique_of(r, names) for r in state.values()
                                     if unique_of(r, names) is not None and r['_place'][0] != 'c.child')
        if any(v > 1 for v in values.values()):
            errors.add('23505')
        old_values = collections.Counter(unique_of(before[i], names) for i in state if before[i]['_place'][0] != 'c.child')
        if any(unique_of(state[i], names) != unique_of(before[i], names) and unique_of(state[i], names) in old_values
               for i in touched if i in state and state[i]['_place'][0] != 'c.child'):
            out.may_fail.add('23505')                 # traded values: 1.3.7 is for later
        taken.append(values)
    added = []
    mine = [collections.Counter() for _ in uniques]
    for new, _ in new_rows:
        row = fire('INSERT', dict(new), 'c.t')
        if row is None:
            skipped += 1
            continue
        check(row, 'INSERT')
        row['_place'] = ('c.t', None, None, None)
        outside = scoped and not in_scope(row)
        if scoped and not allows('SELECT', row):
            out.may_fail.add('42501')     # to be decided: a scope that is checked while writing asks for the SELECT policy
        conflict = False
        for names, values, own in zip(uniques, taken, mine):
            value = unique_of(row, names)
            if value is None:
                continue
            if values[value]:
                conflict = True
            elif own[value]:
                conflict = True
                if options.get('ignore_conflicts'):
                    out.open = True
        if conflict and options.get('ignore_conflicts'):
            if outside:
                out.may_fail.add('44000')
            skipped += 1
            continue
        if conflict:
            errors.add('23505')
        if outside:
            errors.add('44000')
        for names, own in zip(uniques, mine):
            own[unique_of(row, names)] += 1
        added.append(row)
        inserted += 1
    if errors:
        raise Refused(*(errors | out.may_fail))
    phases = [('DELETE', len(stale) if not case.soft else 0, deleted), ('UPDATE', len(updates) + (len(stale) if case.soft else 0), updated + (deleted if case.soft else 0)),
              ('INSERT', len(new_rows), inserted)]
    out.log = ['BEFORE ' + p for p, planned, _ in phases if planned]
    for p, planned, count in phases:
        if planned:
            out.log += ['AFTER %s %s %d' % (p, table, count) for table in (['new', 'old'] if p == 'UPDATE' else ['new'] if p == 'INSERT' else ['old'])]
    out.counts = (len(staged), inserted, updated, unchanged, skipped, deleted)
    out.untouched = [dict(r, _place=r['_place'][:3] + (None,)) if i in locked else r
                     for i, r in enumerate(before) if i in state and i not in touched]
    out.written = [state[i] for i in touched if i in state] + added


def staged_domain(self, name):
    return self.staged_types[name] if self.staged_types[name] in self.column(name).type.domains else self.column(name).type.sql


Case.staged_domain = staged_domain


# ---------------------------------------------------------------- random cases

def random_atom(case, rng, columns):
    column = rng.choice(columns)
    prefix = rng.choice(['', 'target.'])
    ops = ['IS NULL', 'IS NOT NULL']
    if column.type.key and column.kind == 'plain':
        ops = ['=', '=', '=', 'IN', 'IN', 'IS DISTINCT FROM', 'IS NULL', 'IS NOT NULL', 'EXISTS']
    op = rng.choice(ops)
    domain = [p[0] for p in column.type.pairs]
    count = {'=': 1, 'EXISTS': 1, 'IN': rng.randint(1, 3), 'IS DISTINCT FROM': 1}.get(op, 0)
    if column.type_name == 'big' and op == 'IN':
        count = 2000
    return Atom(column.name, op, [rng.choice(domain) for _ in range(count)], prefix)


def random_case(seed, number, kinds, version, ci=True):
    rng = random.Random('%s/%s' % (seed, number))
    case = Case()
    case.kind = rng.choice(kinds)
    big = rng.random() < 0.02
    pool = NAMES[:]
    rng.shuffle(pool)
    keyable = [n for n, t in TYPES.items() if t.key and n not in ('big', 'seq') and (ci or n != 'ci')]
    every = [n for n in TYPES if n not in ('big', 'seq') and (ci or n != 'ci')]
    case.stored = rng.choice(['STORED', 'VIRTUAL']) if version >= 18 else 'STORED'

    def default(type_name):
        return rng.choice(TYPES[type_name].pairs)[0] if rng.random() < 0.4 else None

    for _ in range(rng.choice([1, 1, 1, 2, 2, 3])):
        type_name = rng.choice(keyable + ['int'] * 4 + ['text'] * 2)
        case.columns.append(Column(pool.pop(), type_name, notnull=rng.random() < 0.3, default=default(type_name)))
    if big:
        case.columns[0].type_name, case.columns[0].default = 'big', None
    case.key = [c.name for c in case.columns]
    for _ in range(rng.randint(0, 4)):
        type_name = rng.choice(every + ['int', 'int', 'text', 'json', 'box', 'numeric'])
        case.columns.append(Column(pool.pop(), type_name, notnull=rng.random() < 0.1, default=default(type_name)))
    if big:
        case.columns.append(Column(pool.pop(), 'long'))
    plain_kind = case.kind in ('plain', 'inheritance')
    if plain_kind and rng.random() < 0.25:
        column = Column(pool.pop(), 'seq', rng.choice(['identity', 'always', 'serial']))
        case.columns.append(column)
        if rng.random() < 0.4:
            case.key.append(column.name)
            if rng.random() < 0.5:
                case.key = [column.name]
    ints = [c for c in case.columns if c.type_name == 'int' and c.kind == 'plain']
    if ints and rng.random() < 0.2:
        case.columns.append(Column(pool.pop(), 'int', 'generated', base=rng.choice(ints).name))
    if rng.random() < 0.2:
        soft = Column('deleted' + rng.choice(['', ' At']), rng.choice(['bool', 'ts']), 'soft')
        case.columns.append(soft)
        case.soft = soft.name
    order = case.columns[:]
    rng.shuffle(order)
    case.columns = order
    case.dropped = [i for i in range(len(order)) if rng.random() < 0.1]
    key_columns = [case.column(n) for n in case.key]
    nonkey = [c for c in case.columns if c.name not in case.key and c.kind == 'plain']
    partitionable = [c for c in case.columns if c.kind == 'plain' and c.type.key and c.type_name not in ('ci', 'interval', 'numeric', 'float8', 'ints', 'big')]
    if case.kind in ('list', 'hash'):
        if not partitionable:
            case.kind = 'plain'
        else:
            case.partition = rng.choice(partitionable).name
            values = sorted({p[0] for p in case.column(case.partition).type.pairs})
            if case.column(case.partition).type_name == 'numeric41':
                values = ['1', '2.5', '3']
            case.partition_values = rng.sample(values, rng.randint(1, len(values)))
            case.default_partition = rng.random() < 0.85
    case.pk = rng.random() < 0.5 and (case.partition is None or case.partition in case.key) and all(c.type.key for c in key_columns)
    if case.pk:
        for c in key_columns:
            c.notnull = True
    uniquable = [c for c in nonkey if c.type.key]
    if uniquable and rng.random() < 0.15 and case.partition is None:
        case.unique = [rng.choice(uniquable).name]
    case.index = not case.pk and rng.random() < 0.2

    # target rows
    def value(column, nulls=0.2, domain=None):
        if rng.random() < nulls and not column.notnull:
            return None
        return rng.choice(domain or column.type.pairs)[0]

    size = rng.choice([0, 1, 2, 3, 5, 8, 12, 20]) if not big else rng.randint(500, 3000)
    seen = [set(), set()]
    for _ in range(size):
        row = {}
        for c in case.columns:
            if c.kind == 'soft':
                row[c.name] = rng.choice([None, None, 'false', 'true'] if c.type_name == 'bool' else [None, None, MARKED])
            elif c.kind != 'generated':
                row[c.name] = value(c)
        images = [tuple(None if row[n] is None else case.column(n).type.eq(case.column(n).image(row[n])) for n in names)
                  for names in (case.key if case.pk or rng.random() < 0.8 else [], case.unique or [])]
        if any(image and None not in image and image in s for image, s in zip(images, seen)) or (images[0] and images[0] in seen[0]):
            continue
        if case.kind == 'list' and not case.default_partition and (
                row[case.partition] is None or case.column(case.partition).type.eq(case.column(case.partition).image(row[case.partition])) not in
                [case.column(case.partition).type.eq(case.column(case.partition).image(v)) for v in case.partition_values]):
            continue
        for image, s in zip(images, seen):
            s.add(image)
        if case.kind == 'inheritance' and rng.random() < 0.4:
            case.child_rows.add(len(case.rows))
        case.rows.append(row)

    if case.kind == 'view':
        case.view_columns = [c.name for c in case.columns]
        rng.shuffle(case.view_columns)
        if rng.random() < 0.4:
            case.view_where = random_atom(case, rng, [c for c in case.columns if c.kind == 'plain'])
            case.view_where.prefix = ''
            if case.view_where.op == 'EXISTS':
                case.view_where.op = '='

    # options: scope
    plain = [c for c in case.columns if c.kind == 'plain']
    if rng.random() < 0.6:
        count = rng.choice([0, 1, 1, 1, 2])
        atoms = [random_atom(case, rng, plain + [c for c in case.columns if c.kind == 'generated']) for _ in range(count)]
        case.scope = (rng.choice(['AND', 'OR']), atoms or [Atom(None, 'true' if rng.random() < 0.95 else 'false', [], '')])
    if rng.random() < 0.3:
        for column in rng.sample(plain, min(len(plain), rng.choice([1, 1, 2]))):
            if column.type.key and column.type_name not in ('ints',):
                case.scope_values[column.name] = value(column, 0.15)
    options = case.options
    if rng.random() < 0.6:
        actions = rng.choice([['insert', 'update', 'delete'], ['insert', 'update'], ['update'], ['delete'], ['insert'],
                              ['update', 'delete'], ['INSERT', 'Delete'], ['insert']])
        options['actions'] = rng.sample(actions, len(actions))

    # staged columns
    staged = list(case.key)
    for name in list(staged):
        if name in case.scope_values and (rng.random() < 0.6 or case.column(name).kind == 'generated'):
            staged.remove(name)
    for c in case.columns:
        if c.name not in case.key:
            if rng.random() < (0.4 if c.name in case.scope_values else (0.2 if case.kind != 'view' or c.kind == 'soft' else 0) if c.kind in ('generated', 'soft') else 0.85):
                staged.append(c.name)
    if rng.random() < 0.4 or not staged:
        case.staged_only.append('staged only')
    if big:          # rows of very different width are not stored in the order of staging (free space map): no test of it
        staged = [n for n in staged if case.column(n).type_name != 'long' or rng.random() < 0.3]
    wide = big and any(case.column(n).type_name == 'long' for n in staged)
    rng.shuffle(staged)
    case.staged_order = staged + case.staged_only
    rng.shuffle(case.staged_order)
    for name in staged:
        column = case.column(name)
        if column.kind == 'soft':
            case.staged_types[name] = column.type.sql
        else:
            case.staged_types[name] = column.type.sql if rng.random() < 0.6 or big else rng.choice(list(column.type.domains))
    for name in case.staged_only:
        case.staged_types[name] = 'int'
    case.temp_staged = rng.random() < 0.7
    if case.staged_only and rng.random() < 0.5:
        options['order_column'] = case.staged_only[0]
        if rng.random() < 0.5:
            options['duplicates'] = rng.choice(['first', 'last', 'LAST'])
    elif rng.random() < 0.35:
        options['duplicates'] = rng.choice(['first', 'last', 'error'])
        orders = [n for n in staged if case.column(n).type_name in ('int', 'int8') and case.staged_types[n] in ('int', 'bigint') and case.column(n).kind == 'plain']
        if orders and rng.random() < 0.4:
            options['order_column'] = rng.choice(orders)
    if wide:
        options.pop('duplicates', None)
    case.staged_view = ((options.get('duplicates') or 'error') == 'error' or 'order_column' in options) and rng.random() < 0.1
    if case.staged_view:
        case.temp_staged = False
    if (case.staged_only and options.get('order_column') not in case.staged_only) or rng.random() < 0.15:
        options['columns'] = [n for n in staged if (n in case.key and rng.random() < 0.5) or (n not in case.key and rng.random() < 0.8)]
        if not options['columns']:
            options['columns'] = [staged[0]] if staged else []
        if not options['columns']:
            del options['columns']
            options['order_column'] = case.staged_only[0]
    synced = [n for n in staged if n in case.key or options.get('columns') is None or n in options['columns']]
    synced = [n for n in synced if case.column(n).kind != 'generated' and n != case.soft]
    if rng.random() < 0.3 and [n for n in synced if case.column(n).kind != 'always']:
        chosen = [n for n in synced if case.column(n).kind != 'always' and case.column(n).type.key]
        if chosen:
            options['scope_columns'] = rng.sample(chosen, min(len(chosen), rng.choice([1, 1, 2])))
    if case.column(case.key[0]) and any(case.column(n).draws for n in (options.get('scope_columns') or [])):
        options.pop('scope_columns')
    scoped = case.scope is not None or case.scope_values or options.get('scope_columns')
    if not scoped and 'delete' in (options.get('actions') or ['delete']) and rng.random() < 0.9:
        options['actions'] = ['update', 'insert']

    # staged rows
    size = rng.choice([0, 1, 2, 3, 5, 8, 12]) if not big else rng.randint(500, 3000)
    bad_column = None
    texts = [n for n in staged if case.staged_types[n] == 'text' and case.column(n).type.bad]
    if texts and rng.random() < 0.06:
        bad_column = rng.choice(texts)
    obey = rng.random() < 0.85
    for position in range(size):
        row = {}
        for name in case.staged_order:
            column = case.column(name)
            if column is None:
                row[name] = None if rng.random() < 0.1 else str(rng.randint(1, 4))
            elif column.kind == 'soft':
                row[name] = None
            else:
                domain = column.type.domains[case.staged_domain(name)]
                nulls = 0.25 if column.draws else 0.15
                row[name] = None if rng.random() < nulls and (not column.notnull or column.draws or rng.random() < 0.02) else rng.choice(domain)[0]
        if case.rows and rng.random() < 0.6:          # near an existing row
            near = rng.choice(case.rows)
            for name in staged:
                column = case.column(name)
                if column.kind in ('plain', 'identity', 'always', 'serial') and (name in case.key or rng.random() < 0.8):
                    if near[name] is None or near[name] in column.type.maps[case.staged_domain(name)]:
                        row[name] = near[name]
        if obey and case.scope:
            atoms = case.scope[1] if case.scope[0] == 'AND' else case.scope[1][:1]
            for atom in atoms:
                if atom.column in row and rng.random() < 0.98 and not atom.holds(case, {atom.column: dict(
                        case.column(atom.column).type.domains['text']).get(row[atom.column], row[atom.column])}):
                    v = atom.satisfying(case, rng)
                    if v is None or v in case.column(atom.column).type.maps[case.staged_domain(atom.column)]:
                        row[atom.column] = v
        if obey:
            for name, v in case.scope_values.items():
                if name in row and (v is None or v in case.column(name).type.maps[case.staged_domain(name)]):
                    row[name] = v
        if bad_column and rng.random() < 0.3:
            row[bad_column] = case.column(bad_column).type.bad[0]
        case.staged.append(row)
    if (options.get('duplicates') or 'error').lower() == 'error' and rng.random() < 0.9:   # mostly no duplicates
        seen, rows = set(), []
        for row in case.staged:
            image = tuple(eq_literal(case, n, row.get(n)) for n in case.key)
            if image not in seen:
                seen.add(image)
                rows.append(row)
        case.staged = rows

    # roles
    free = [n for n in synced if n not in case.key and case.column(n).kind in ('plain',)]
    for role in ('insert_only_columns', 'touch_columns', 'fill_columns', 'keep_columns'):
        if free and rng.random() < 0.2:
            chosen = rng.sample(free, rng.randint(1, min(2, len(free))))
            options[role] = chosen
            free = [n for n in free if n not in chosen]
    if rng.random() < 0.25:
        case.update_where = random_update_where(case, rng)

    if rng.random() < 0.1:
        options['expected_rows'] = len(case.staged) + (1 if rng.random() < 0.3 else 0)
    if rng.random() < 0.5:
        options['allow_empty'] = rng.random() < 0.9
    if rng.random() < 0.15:
        options['max_deletes'] = rng.choice([0, 1, 2, 5])
    if rng.random() < 0.15:
        options['max_delete_fraction'] = rng.choice([0, 0.1, 0.25, 0.5, 1])
    if rng.random() < 0.2:
        options['lock_mode'] = rng.choice(['row exclusive', 'SHARE UPDATE EXCLUSIVE', 'share row exclusive', 'exclusive', 'Access Exclusive'])
    if case.unique or case.pk:
        if rng.random() < 0.3:
            options['ignore_conflicts'] = True
    case.work_mem = rng.choice([None, '64kB'])
    case.pass_key = not case.pk or case.kind == 'view' or rng.random() < 0.6
    if not case.pass_key:
        pass

    # triggers
    if rng.random() < 0.25:
        settable = [c for c in plain if c.name != case.partition]
        for _ in range(rng.choice([1, 1, 2])):
            what = rng.choice(['set', 'suppress']) if case.partition is None else 'set'
            columns = [c for c in settable if what == 'set' or c.type.key]
            if not columns:
                continue
            column = rng.choice(columns)
            events = rng.choice(['INSERT', 'UPDATE', 'INSERT OR UPDATE'] + (['DELETE'] if what == 'suppress' else []))
            if case.partition is not None:
                events = 'INSERT OR UPDATE'
            case.triggers.append((what, column.name, rng.choice(column.type.pairs)[0], events))

    # empty key
    if rng.random() < 0.03 and not case.soft and case.kind != 'view':
        if case.pass_key and not case.pk and all(case.column(n).kind == 'plain' for n in case.key) and not set(case.key) - set(staged):
            case.key, options['actions'] = [], ['insert']
            for role in ('insert_only_columns', 'touch_columns', 'fill_columns', 'keep_columns'):
                options.pop(role, None)
            if options.get('columns') is not None:
                options['columns'] = list(staged)
            case.update_where = None
            case.index = False

    # wrong arguments
    if rng.random() < 0.03:
        case.error = rng.choice([('actions => \'{upsert}\'', '22023'), ('lock_mode => \'share\'', '22023'), ('max_deletes => -1', '22023'),
                                 ('max_delete_fraction => \'NaN\'', '22023'), ('columns => \'{ctid}\'', '42703'),
                                 ('touch_columns => ARRAY[NULL]', '22004'), ('keep_columns => \'{nope}\'', '42703'),
                                 ('scope => \'\'', '22023')])
        name = case.error[0].split(' ')[0]
        options.pop(name, None)
        if name == 'scope':
            case.scope = None
    case.role = rng.random() < 0.15 and not case.staged_view
    case.log = case.kind != 'view' and rng.random() < 0.25
    if not case.staged_view and case.kind in ('plain', 'list', 'hash') and rng.random() < 0.12:
        case.role = True
        for command in ('SELECT', 'INSERT', 'UPDATE', 'DELETE'):
            case.policies[command] = random_atom(case, rng, plain)
            case.policies[command].prefix = ''
            if rng.random() < 0.6 or case.policies[command].op == 'EXISTS':
                case.policies[command] = Atom(None, 'true', [], '')
    return case


def eq_literal(case, name, literal):
    if literal is None:
        return case.scope_values.get(name)
    column = case.column(name)
    image = dict(column.type.domains[case.staged_domain(name)] if name in case.staged_types else []).get(literal, literal)
    try:
        return column.type.eq(image)
    except (ValueError, decimal.InvalidOperation):
        return image


def random_update_where(case, rng):
    """(sql, function(staged row, target row), staged columns that it reads)"""
    both = [n for n in case.staged_order if case.column(n) and case.column(n).kind == 'plain' and case.column(n).type.key]
    stored = [c.name for c in case.columns if c.kind == 'plain']
    kind = rng.choice(['null', 'order', 'distinct', 'not null', 'only'])
    if kind == 'only' and case.staged_only:
        n = case.staged_only[0]
        return ('staged.%s >= 2' % ident(n), lambda s, t: s['staged.' + n] is not None and int(s['staged.' + n]) >= 2, [])
    if kind == 'order':
        ordered = [n for n in both if case.column(n).type.order]
        if ordered:
            n = rng.choice(ordered)
            return ('staged.%s > target.%s' % (ident(n), ident(n)),
                    lambda s, t: s[n] is not None and t[n] is not None and int(s[n]) > int(t[n]), [n])
    if kind == 'distinct' and both:
        n = rng.choice(both)
        eq = case.column(n).type.eq
        return ('staged.%s IS DISTINCT FROM target.%s' % (ident(n), ident(n)),
                lambda s, t: (s[n] is None) != (t[n] is None) or (s[n] is not None and eq(s[n]) != eq(t[n])), [n])
    if kind == 'not null' and both:
        n = rng.choice(both)
        return ('staged.%s IS NOT NULL' % ident(n), lambda s, t: s[n] is not None, [n])
    n = rng.choice(stored)
    return ('target.%s IS NULL' % ident(n), lambda s, t: t[n] is None, [])


TYPES['ts'] = Type('timestamp', [(MARKED, MARKED)], key=False)


# ---------------------------------------------------------------- running

class Server:
    """One long-lived psql. `run` sends statements and returns [(SQLSTATE, lines)] for each."""

    def __init__(self, database):
        self.database = database
        self.start()

    def start(self):
        self.process = subprocess.Popen(['psql', '-XqAt', '-d', self.database, '-v', 'VERBOSITY=verbose'], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding='utf-8')
        self.serial = 0
        self.run(['SET client_min_messages = error', 'SET synchronous_commit = off', "SET client_encoding = 'UTF8'"])

    def run(self, statements):
        self.serial += 1
        text = []
        for s in statements:
            text.append(s if s.rstrip().endswith(';') or s.startswith('\\') else s + ';')
            text.append('\\echo @@ :SQLSTATE')
        text.append('\\echo @@END %d' % self.serial)
        payload = '\n'.join(text) + '\n'
        writer = threading.Thread(target=self.write, args=(payload,))
        writer.start()
        results, lines = [], []
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise ConnectionError('psql ended:\n' + '\n'.join(lines[-20:]))
            line = line.rstrip('\n')
            if line == '@@END %d' % self.serial:
                break
            if line.startswith('@@ '):
                results.append((line[3:], lines))
                lines = []
            else:
                lines.append(line)
        writer.join()
        return results

    def write(self, payload):
        try:
            self.process.stdin.write(payload)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass


def read_picture(case, result):
    code, lines = result
    rows = []
    for line in lines:
        values = json.loads(line)
        row = dict(zip([c.name for c in case.columns], values[4:]))
        row['_place'] = tuple(values[:4])
        rows.append(row)
    return rows


def read_counts(result):
    return tuple(int(v) for v in result[1][-1].split('|'))


def images(case, row, new):
    out = []
    for c in case.columns:
        v = row[c.name]
        if new and c.draws and v is not None and v != ASSIGN and int(v) >= 1000:
            v = ASSIGN
        if new and c.kind == 'soft' and c.type_name == 'ts' and v not in (None, MARKED):
            v = NOW
        out.append(v)
    return tuple(out)


def check_step(case, what, before, result, after, dry):
    """One call against the model; '' or what is wrong."""
    expected = predict(case, before, dry)
    code, lines = result
    if code != '00000':
        if code.startswith('XX') or code.startswith('57') or code == '0A000':
            return '%s: %s %s' % (what, code, ' / '.join(lines))
        if code not in expected.codes | expected.may_fail:
            return '%s: expected %s, got %s: %s' % (what, describe(expected), code, ' / '.join(lines))
        if sorted((r['_place'][:3], images(case, r, False)) for r in map(plain_row, before)) != sorted(
                (r['_place'][:3], images(case, r, False)) for r in map(plain_row, after)):
            return '%s: refused with %s, but the table has changed' % (what, code)
        return ''
    try:
        counts = read_counts(result)
    except (ValueError, IndexError):
        return '%s: odd answer %s' % (what, lines)
    if expected.codes:
        return '%s: expected %s, got counts %s' % (what, describe(expected), counts)
    if counts[0] != sum(counts[1:5]):
        return '%s: staged_rows is not the sum: %s' % (what, counts)
    if expected.open:
        return ''
    if counts != expected.counts:
        return '%s: expected counts %s, got %s' % (what, expected.counts, counts)
    places = {r['_place']: r for r in after}
    for row in expected.untouched:
        place = row['_place']
        if place[3] is None:
            place = next((p for p in places if p[:3] == place[:3]), None)
        found = places.pop(place, None)
        if found is None:
            return '%s: a row that should not be touched is not where it was: %s' % (what, row)
        if images(case, found, False) != images(case, row, False):
            return '%s: a row was changed in place: %s -> %s' % (what, row, found)
    left = collections.Counter(images(case, r, True) for r in places.values())
    wanted = collections.Counter(images(case, r, True) for r in expected.written)
    if left != wanted:
        return '%s: written rows differ: too many %s, missing %s' % (what, list((left - wanted).elements())[:4], list((wanted - left).elements())[:4])
    return ''


def plain_row(row):
    return {k: ('\0' if v is None else v) for k, v in row.items()} | {'_place': row['_place']}


def describe(expected):
    return 'SQLSTATE %s' % '/'.join(sorted(expected.codes)) if expected.codes else 'counts %s' % (expected.counts,)


def statements_of(case):
    setup = case.setup()
    calls = [case.picture(), case.call(True), case.picture(), case.call(), case.picture(), case.call(), case.picture()]
    if case.role:
        calls = [x for c in calls for x in (['SET ROLE hostile_user;', c, 'RESET ROLE;'] if 'bulk_sync(' in c else [c])]
    return setup, calls


def run_case(server, case):
    """'' or what is wrong."""
    setup, calls = statements_of(case)
    memory = ['SET bulk_sync.work_mem = %s;' % lit(case.work_mem) if case.work_mem else 'RESET bulk_sync.work_mem;']
    after = ["SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype IN ('relation', 'tuple', 'advisory') AND relation >= 16384;"]
    read_log = ["SELECT line FROM c.log ORDER BY n;"] if case.log else []
    if case.log:
        calls = calls[:]
        first = max(i for i, c in enumerate(calls) if 'bulk_sync(' in c)          # before the second call
        if calls[first - 1].startswith('SET ROLE'):
            first -= 1
        calls[first:first] = read_log
    statements = setup + memory + calls + after
    results = server.run(statements)
    if len(results) != len(statements):
        return 'harness: %d statements, %d results' % (len(statements), len(results))
    for s, r in list(zip(statements, results))[:len(setup) + 1]:
        if r[0] != '00000':
            return 'harness: setup failed: %s: %s' % (s, r)
    results = results[len(setup) + 1:]
    if results[-1][1] != ['0']:
        return 'locks are left: %s' % (results[-1],)
    log = next((r[1] for s, r in zip(calls, results) if s in read_log), None)
    results = [r for s, r in zip(calls, results) if 'ROLE' not in s[:12] and s not in read_log]
    pictures = [read_picture(case, results[i]) for i in (0, 2, 4, 6)]
    if dict_rows(pictures[0]) != dict_rows(pictures[1]):
        return 'dry run: the table has changed'
    for what, i, dry in (('dry run', 0, True), ('call', 1, False), ('second call', 2, False)):
        wrong = check_step(case, what, pictures[i], results[2 * i + 1], pictures[i + 1], dry)
        if wrong:
            return wrong
    if case.log and results[3][0] == '00000':
        expected = predict(case, pictures[1])
        if expected.log is not None and not expected.open and log != expected.log:
            return 'statement triggers: expected %s, got %s' % (expected.log, log)
    calm = (not case.triggers and not case.policies and case.key and not case.unique and case.view_where is None
            and not any(case.column(n).draws or case.column(n).kind == 'generated' for n in case.key))
    if calm and results[3][0] == '00000':
        if results[5][0] != '00000':
            return 'second call: fails with %s' % results[5][0]
        counts = read_counts(results[5])
        if counts[1] or counts[2] or counts[5]:
            return 'second call: finds something to do: %s' % (counts,)
    return ''


def dict_rows(rows):
    return sorted(json.dumps([r['_place'], r], sort_keys=True) for r in rows)


def reduce_case(server, case, wrong, budget=30):
    """Takes away what the failure does not need."""
    end = time.time() + budget

    def signature(text):
        """The call, and what was expected and came, without the numbers."""
        return text.split(':')[0], re.findall(r'(?:expected|got|expected SQLSTATE|fails with) (counts|[0-9A-Z]{5}\b)', text)

    def fails(trial):
        try:
            answer = run_case(server, trial)
        except ConnectionError:
            raise
        except Exception:
            return False
        return signature(answer) == signature(wrong)

    progress = True
    while progress and time.time() < end:
        progress = False
        for attribute in ('staged', 'rows'):
            size = max(1, len(getattr(case, attribute)) // 2)
            while size and time.time() < end:
                i = 0
                while i < len(getattr(case, attribute)) and time.time() < end:
                    trial = copy.copy(case)
                    items = getattr(case, attribute)
                    setattr(trial, attribute, items[:i] + items[i + size:])
                    if attribute == 'rows':
                        keep = [j for j in range(len(items)) if not i <= j < i + size]
                        trial.child_rows = {keep.index(j) for j in case.child_rows if j in keep}
                    if fails(trial):
                        case, progress = trial, True
                    else:
                        i += size
                size //= 2
        for name in list(case.options):
            trial = copy.copy(case)
            trial.options = {k: v for k, v in case.options.items() if k != name}
            if fails(trial):
                case, progress = trial, True
        for attribute, value in (('triggers', []), ('update_where', None), ('scope', None), ('scope_values', {}), ('unique', None),
                                 ('dropped', []), ('index', False), ('view_where', None), ('soft', None), ('work_mem', None), ('role', False), ('log', False), ('policies', {})):
            if getattr(case, attribute) != value:
                trial = copy.copy(case)
                setattr(trial, attribute, value)
                if fails(trial):
                    case, progress = trial, True
        used = set(case.key) | {case.partition, case.soft} | set(case.unique or []) | set(case.scope_values) | {t[1] for t in case.triggers}
        used |= {a.column for a in case.scope[1]} if case.scope else set()
        used |= {n for v in case.options.values() if isinstance(v, list) for n in v} | {case.options.get('order_column')}
        used |= {case.view_where.column} if case.view_where else set()
        used |= {c.base for c in case.columns} | {a.column for a in case.policies.values()}
        for column in list(case.columns):
            if column.name not in used and not (case.update_where and ident(column.name) in case.update_where[0]):
                trial = copy.copy(case)
                trial.columns = [c for c in case.columns if c is not column]
                trial.staged_order = [n for n in case.staged_order if n != column.name]
                trial.view_columns = [n for n in case.view_columns if n != column.name]
                trial.dropped = []
                if fails(trial):
                    case, progress = trial, True
    return case


def script(case):
    setup, calls = statements_of(case)
    memory = ['SET bulk_sync.work_mem = %s;' % lit(case.work_mem)] if case.work_mem else []
    return '\n'.join(PREAMBLE + setup + memory + ['SELECT ctid, xmin, * FROM c.t;', case.call(True), case.call(),
                                                  'SELECT ctid, xmin, * FROM c.t;', case.call()])


PREAMBLE = ['CREATE EXTENSION IF NOT EXISTS bulk_sync;',
            "CREATE COLLATION IF NOT EXISTS public.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);",
            'CREATE DOMAIN public.positive AS int CHECK (VALUE > 0);',
            "CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'Happy');"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--cases', type=int, default=1000)
    parser.add_argument('--seed', default='1')
    parser.add_argument('--first', type=int, default=0, help='number of the first case')
    parser.add_argument('--pg', help='PGHOST')
    parser.add_argument('--kinds', default='plain,plain,plain,list,hash,inheritance,view')
    parser.add_argument('--stop', action='store_true', help='stop at the first failure')
    parser.add_argument('--seconds', type=float, default=1e9, help='stop after so much time')
    parser.add_argument('--show', action='store_true', help='print the script of the first case and stop')
    args = parser.parse_args()
    if args.pg:
        os.environ['PGHOST'] = args.pg
    database = 'differential_%d' % os.getpid()
    subprocess.run(['createdb', database], check=True)
    failures, outcomes, start, cases, locals_ = 0, collections.Counter(), time.time(), 0, collections.Counter()
    try:
        server = Server(database)
        made = server.run(PREAMBLE)
        ci = made[1][0] == '00000'
        server.run(["DO $$ BEGIN CREATE ROLE hostile_user; EXCEPTION WHEN duplicate_object THEN NULL; END $$"])
        version = int(server.run(["SELECT current_setting('server_version_num')::int / 10000"])[0][1][0])
        for number in range(args.first, args.first + args.cases):
            if time.time() - start > args.seconds:
                break
            case = random_case(args.seed, number, args.kinds.split(','), version, ci)
            if args.show:
                print(script(case))
                return 0
            cases += 1
            try:
                wrong = run_case(server, case)
            except ConnectionError as error:
                wrong = 'crash: %s' % error
                print('-- case %d of seed %s on %d: %s\n%s\n' % (number, args.seed, version, wrong, script(case)), flush=True)
                failures += 1
                break                                        # the server is down, or was
            if wrong:
                failures += 1
                small = reduce_case(server, case, wrong)
                print('-- case %d of seed %s on %d: %s\n-- %s\n%s\n' % (number, args.seed, version, wrong, run_case(server, small), script(small)), flush=True)
                if args.stop:
                    break
            else:
                outcomes[OUTCOMES.pop() if OUTCOMES else '?'] += 1
    finally:
        try:
            server.process.stdin.close()
            server.process.wait(10)
        except Exception:
            pass
        for _ in range(10):                                  # after a crash the server needs a moment
            if subprocess.run(['dropdb', '--if-exists', '--force', database], stderr=subprocess.DEVNULL).returncode == 0:
                break
            time.sleep(1)
    print('%d cases on %d in %d s, %d failures' % (cases, version, time.time() - start, failures))
    print('outcomes of the real calls: ' + ', '.join('%s %d' % o for o in outcomes.most_common()))
    return 1 if failures else 0


OUTCOMES = []        # what the last real call came to, for the summary


def remember(function):
    def wrapped(case, what, before, result, after, dry):
        if what == 'call':
            OUTCOMES[:] = [result[0]]
        return function(case, what, before, result, after, dry)
    return wrapped


check_step = remember(check_step)

if __name__ == '__main__':
    sys.exit(main())
