"""Unique values that rows trade with each other: one more column with a unique index, and staged values that go round. Clause 1.3.7."""
import collections

from .case import Atom, Column
from .datatypes import ident

# A constraint or unique index: `where` is the condition of a partial one, or None
Unique = collections.namedtuple('Unique', 'names where')


class Trade:
    """The unique index of the traded column."""

    def __init__(self, unique, constraint):
        self.unique, self.constraint = unique, constraint

    def sql(self, case):
        names = ', '.join(map(ident, self.unique.names))
        if self.constraint:
            return 'ALTER TABLE c.t ADD UNIQUE (%s);' % names
        return 'CREATE UNIQUE INDEX ON c.t (%s)%s;' % (names, ' WHERE ' + self.unique.where.sql(case) if self.unique.where else '')

    def uses(self):
        return set(self.unique.names) | ({self.unique.where.column} if self.unique.where else set())


def trades_by_sql(case):
    """May a trade be refused? Where rows are written by SQL; so are those of partitions whose BEFORE triggers may send them elsewhere,
    and of tables with virtual columns if one is read."""
    if case.distribution:
        return True
    if case.stored == 'VIRTUAL' and any(column.kind == 'generated' for column in case.columns):
        return True
    if case.kind in ('list', 'hash') and (case.log or case.triggers):
        return True
    return case.kind == 'view' or bool(case.policies) or case.applier == 'sql'


def add_trade(case, rng, name, where, key_of):
    """Gives the case a column of this name. `where`: an Atom for a partial index, or None; key_of(row, staged): what it is matched by."""
    if not case.key:
        return
    # A call that is wrong in itself stays as it is
    if not case.scope_values and case.error is None and rng.random() < 0.7:
        stage_matching(case, rng, key_of)
    stored = {key_of(row, False): row for row in case.rows}
    matched = [(row, stored[key_of(row, True)]) for row in case.staged if key_of(row, True) in stored]
    if len(matched) < 2:
        return
    column = Column(name, 'big')                       # integers that are enough for all rows
    case.columns.insert(rng.randint(0, len(case.columns)), column)
    case.trade = Trade(Unique([name] + [n for n in [case.partition] if n], where), where is None and rng.random() < 0.5)
    if case.kind == 'view':
        case.view_columns.append(name)
    case.staged_order.insert(rng.randint(0, len(case.staged_order)), name)
    case.staged_types[name] = rng.choice(['int', 'int', 'text'])
    if case.options.get('columns') and rng.random() < 0.9:
        case.options['columns'] = case.options['columns'] + [name]

    size = len(case.rows) + 3
    values = rng.sample([str(i + 1) for i in range(size)], len(case.rows))
    for row, value in zip(case.rows, values):
        row[name] = value if rng.random() < 0.93 else None
        if where and not where.holds(case, {where.column: image(case, where.column, row)}):
            row[name] = rng.choice(values)              # the index does not know it
    for row in case.staged:
        row[name] = str(rng.randint(1, size) if rng.random() < 0.4 else size + len(case.staged))
    pass_round(rng, name, matched, str(size + 1))
    if rng.random() < 0.2:
        rng.choice(case.staged)[name] = rng.choice(values)                  # a violation, mostly


def stage_matching(case, rng, key_of):
    """Makes most rows matched ones in a scope of all, so that the call succeeds, or fails for the sake of the traded values."""
    keys = collections.Counter(key_of(row, False) for row in case.rows)
    rows = []
    for stored in case.rows:
        row = {name: staged_literal(case, rng, name, stored) for name in case.staged_order}
        if keys[key_of(stored, False)] == 1 and all(row[n] == stored[n] for n in case.key) and rng.random() < 0.9:
            rows.append(row)
    if len(rows) < 2:
        return
    rng.shuffle(rows)
    case.staged = rows
    case.scope = ('AND', [Atom(None, 'true', [], '')])
    for name in ('scope_columns', 'expected_rows', 'max_deletes', 'max_delete_fraction', 'actions'):
        case.options.pop(name, None)


def staged_literal(case, rng, name, stored):
    """The stored value, mostly, where the staged column can hold it."""
    column = case.column(name)
    if column is None:
        return str(rng.randint(1, 4))
    if column.kind in ('soft', 'generated'):
        return None
    domain = column.type.maps[case.staged_domain(name)]
    if (name in case.key or rng.random() < 0.8) and (stored[name] is None or stored[name] in domain):
        return stored[name]
    return rng.choice(list(domain))


def pass_round(rng, name, matched, fresh):
    """Each staged row gets the value that its row has, but for some that get each other's: a cycle, a chain, or any permutation."""
    for staged, stored in matched:
        staged[name] = stored[name]
    movers = rng.sample(matched, rng.randint(2, len(matched)))
    values = [stored[name] for _, stored in movers]
    shape = rng.choice(['cycle', 'chain', 'permutation'])
    if shape == 'permutation':
        rng.shuffle(values)
    else:
        values = values[1:] + [values[0] if shape == 'cycle' else fresh]
    for (staged, _), value in zip(movers, values):
        staged[name] = value


def image(case, name, row):
    return None if row[name] is None else case.column(name).image(row[name])
