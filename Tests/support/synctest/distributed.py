"""The same cases on tables of Citus: which of them can be, how their tables are distributed, and the cluster of databases."""
import os
import subprocess

# Equal values of these have more than one image: a change of image would be a change of the value that distributes the rows. By a
# domain Citus cannot find the shard of a row.
NOT_BY = ('numeric', 'float8', 'interval', 'ci', 'char3', 'domain')
ROLES = ('hostile_user', 'hostile_reader')
ADD_NODES = """
select citus_set_coordinator_host('{0}', {1});
select citus_set_node_property('{0}', {1}, 'shouldhaveshards', true);"""


class Distribution:
    """kind: hash (by column), reference, schema. beside: the staged table is distributed, too, with the target."""

    def __init__(self, kind, column=None, beside=False):
        self.kind, self.column, self.beside = kind, column, beside

    def schema(self):
        if self.kind != 'schema':
            return ['CREATE SCHEMA c;']
        return ['SET citus.enable_schema_based_sharding TO on;', 'CREATE SCHEMA c;', 'SET citus.enable_schema_based_sharding TO off;']

    def target(self):
        if self.kind == 'hash':
            return ["SELECT create_distributed_table('c.t', %s, colocate_with => 'none');" % quoted(self.column)]
        return self.reference('c.t') if self.kind == 'reference' else []

    def staged(self):
        return ["SELECT create_distributed_table('c.s', %s, colocate_with => 'c.t');" % quoted(self.column)] if self.beside and self.kind == 'hash' else []

    def reference(self, table):
        return ["SELECT create_reference_table('%s');" % table] if self.kind != 'schema' else []

    def one_by_one(self, statements):
        """What Citus refuses to do to several tables at the same time."""
        return ["SET citus.multi_shard_modify_mode TO 'sequential';", *statements, 'RESET citus.multi_shard_modify_mode;']

    def referring(self, table, column):
        """A table that refers to the target by the column that distributes both."""
        if self.kind == 'hash':
            return ["SELECT create_distributed_table('%s', '%s', colocate_with => 'c.t');" % (table, column)]
        return self.reference(table)


def quoted(name):
    return "E'%s'" % name.replace('\\', '\\\\').replace("'", "\\'")


def distribute(case, rng):
    """Makes a case one of a distributed table. What Citus has not for any table is taken away: triggers, row-level security."""
    case.triggers, case.log, case.policies, case.returning = [], False, {}, False
    columns = [case.column(n) for n in case.key if n not in case.scope_values or case.scope_values[n] is not None]
    columns = [c for c in columns if c.kind == 'plain' and c.type_name not in NOT_BY]
    kinds = ['schema'] + ['reference'] * (case.kind == 'plain') + ['hash'] * (2 if columns else 0)
    kind = rng.choice(kinds)
    column = rng.choice(columns).name if kind == 'hash' else None
    case.distribution = Distribution(kind, column)
    if kind == 'schema' and not case.temp_staged and not case.staged_view:
        case.temp_staged = has_order(case)
    if kind == 'schema':
        case.distribution.beside = case.unnumbered = not case.temp_staged
    if kind == 'hash':
        by_column(case, column, rng)
    if case.child and not (kind == 'schema' or kind == 'reference'
                           or case.child.on_delete in ('NO ACTION', 'RESTRICT', 'CASCADE') and case.child.on_update in ('NO ACTION', 'RESTRICT')
                           and case.child.column == column):
        case.child = None
    return case


def by_column(case, column, rng):
    """No row has a NULL there, and what is unique contains it."""
    case.rows = [row for row in case.rows if row[column] is not None]
    case.staged = [row for row in case.staged if row.get(column, '') is not None]
    if case.primary and column not in case.primary:
        case.primary, case.pass_key = [], True
    if case.unique and column not in case.unique:
        case.unique = case.unique + [column]
    if case.trade and column not in case.trade.unique.names:
        case.trade.unique = case.trade.unique._replace(names=case.trade.unique.names + [column])
    # Rows on several shards have no order but that of a column, and no number
    staged = case.staged_types.get(column)
    if not case.temp_staged and not has_order(case) and staged == case.column(column).type.sql and rng.random() < 0.6:
        case.distribution.beside = case.unnumbered = True


def has_order(case):
    """Does the call ask for the order of the staged rows?"""
    return case.options.get('duplicates', 'error').lower() != 'error'


def refused(statement):
    """May Citus refuse such a statement of the set-up?"""
    return statement.startswith(('SELECT create_', 'ALTER TABLE c.', 'CREATE UNIQUE INDEX', 'CREATE INDEX', 'CREATE TABLE c.'))


def trades(case, line):
    """Is this what a call says that finds unique values traded? Shards check them row by row, so that it refuses. Not in cases without
    such values."""
    return case.distribution and (case.trade or case.unique or case.primary) and 'would trade unique values' in line


# ------------------------------------------------ the databases

def create_database(database):
    """One on each node; the nodes are those of support/citus.sh."""
    nodes, port = os.environ['CITUS_NODES'].split(), os.environ['PGPORT']
    drop_roles(nodes)
    for node in nodes:
        ask(node, 'postgres', 'create database %s template template0' % database)
        ask(node, database, 'create extension citus')
    ask(nodes[0], database, ADD_NODES.format(nodes[0], port) + ''.join(" select citus_add_node('%s', %s);" % (node, port) for node in nodes[1:]))


def drop_database(database):
    nodes = os.environ['CITUS_NODES'].split()
    for node in nodes:
        subprocess.run(['dropdb', '--host', node, '--if-exists', '--force', database], stderr=subprocess.DEVNULL)
    drop_roles(nodes)


def drop_roles(nodes):
    """The next database would not know which nodes have them."""
    for node in nodes:
        for role in ROLES:
            subprocess.run(['dropuser', '--host', node, '--if-exists', role], stderr=subprocess.DEVNULL)


def ask(node, database, sql):
    subprocess.run(['psql', '-XqAt', '-h', node, '-d', database, '-v', 'ON_ERROR_STOP=1', '-c', sql], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
