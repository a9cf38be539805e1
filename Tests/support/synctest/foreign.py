"""Partitions, children and targets that are foreign tables: of the same database, which is its own other server (postgres_fdw)."""
import os

from .datatypes import ident, lit

SERVER = 'loopback'


def preamble(database):
    """Every role goes there as the user that made the tables."""
    options = {'host': os.environ.get('PGHOST', '/tmp'), 'port': os.environ.get('PGPORT', '5432'), 'dbname': database, 'batch_size': '3'}
    return ['CREATE EXTENSION IF NOT EXISTS postgres_fdw;',
            'CREATE SERVER %s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (%s);' % (
                SERVER, ', '.join('%s %s' % (name, lit(value)) for name, value in options.items())),
            "CREATE USER MAPPING FOR public SERVER %s OPTIONS (user current_user, password_required 'false');".replace(
                'current_user', lit(os.environ.get('PGUSER', 'postgres'))) % SERVER]


def tables(case):
    """Those that can be on another server, by the name that they have in schema c."""
    return {'plain': ['t'], 'list': ['t1'] + (['t2'] if case.default_partition else []), 'hash': ['t0', 't1', 't2'],
            'inheritance': ['child']}.get(case.kind, [])


# Unique constraints and foreign keys cannot be there; triggers and policies send calls another way (contrib_foreign_tables).
LOCAL = {'triggers': [], 'policies': {}, 'log': False, 'primary': [], 'unique': None, 'trade': None, 'parent': None, 'child': None}


def draw(case, rng, share):
    """Makes tables of a case foreign; what a foreign table cannot have is taken away."""
    if rng.random() >= share or case.kind == 'plain' and any(column.kind in ('identity', 'always') for column in case.columns):
        return
    if case.error or not case.pass_key and case.primary or case.options.get('ignore_conflicts'):
        return
    for name, value in LOCAL.items():
        setattr(case, name, value)
    names = tables(case)
    case.foreign = rng.sample(names, rng.randint(1, len(names))) if names else []
    case.index = case.index and case.kind != 'plain'
    # By SQL, rows of other servers are locked as they are read, and do not move between them (Tests/README.md).
    if case.applier == 'sql':
        case.applier = 'auto'


def create(case, name, definition):
    """"CREATE TABLE c.NAME definition", or what takes its place."""
    if name not in case.foreign:
        return ['CREATE TABLE c.%s %s;' % (name, definition)]
    return ['CREATE FOREIGN TABLE c.%s %s SERVER %s OPTIONS (schema_name %s);' % (name, definition, SERVER, lit('far'))]


def create_far(case):
    """The tables that they stand for: made of them, when they have got their columns."""
    out = ['DROP SCHEMA IF EXISTS far CASCADE;', 'CREATE SCHEMA far;'] if case.foreign else []
    return out + ['CREATE TABLE far.%s (LIKE c.%s INCLUDING DEFAULTS INCLUDING GENERATED);' % (name, name) for name in case.foreign]


def picture(case):
    """Each row where it really is, with what was done to it there."""
    def rows(place, table, condition):
        return ("SELECT json_build_array(%s, ctid::text, xmin::text, xmax::text, (to_jsonb(\"whole row\") - 'extra')::text, %s)::text "
                'FROM %s AS "whole row"%s' % (place, ', '.join(ident(c.name) + '::text' for c in case.columns), table, condition))
    here = ''.join(" %s tableoid <> 'c.%s'::regclass" % ('AND' if i else 'WHERE', name) for i, name in enumerate(case.foreign))
    return ' UNION ALL '.join([rows('tableoid::regclass::text', 'c.t', here)]
                              + [rows(lit('c.' + name), 'far.' + name, '') for name in case.foreign]) + ';'
