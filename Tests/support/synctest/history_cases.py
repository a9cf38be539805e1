"""Random cases of bulk_insert_changed: a history, and batches of rows that are staged one after the other."""
import random

from .case import Case, Column
from .datatypes import COLUMN_TYPES, TYPES, array, lit
from .generate import NAMES, choose_partition, random_atom

ORDERED = ['int', 'int8', 'numeric', 'numeric41', 'float8', 'date', 'when', 'domain', 'enum', 'bool']
BATCH = '<batch>'      # of a staged row: its number


class HistoryCase(Case):
    REMOVABLE = (('dropped', []), ('index', False), ('view_where', None), ('work_mem', None), ('role', False), ('policies', {}),
                 ('primary', []), ('row_by_row', False), ('compare', None), ('matcher', 'auto'), ('applier', 'auto'))

    def __init__(self):
        super().__init__()
        self.order, self.compare = None, None

    def setup(self):
        empty = HistoryCase()
        empty.__dict__.update(self.__dict__)
        empty.staged = []
        return Case.setup(empty)

    def batches(self):
        return [[row for row in self.staged if row[BATCH] == number] for number in range(1 + max([r[BATCH] for r in self.staged], default=0))]

    def call(self, dry=False):
        args = {'target': lit(self.target()), 'staged': lit(self.staged_name()), 'key_columns': array(self.key), 'order_column': lit(self.order)}
        if self.compare is not None:
            args['compare_columns'] = array(self.compare)
        if self.error:
            args[self.error_argument()] = self.error[0].split(' => ')[1]
        return 'SELECT * FROM bulk_insert_changed(%s);' % ', '.join('%s => %s' % a for a in args.items())

    def uses(self):
        return Case.uses(self) | {self.order} | set(self.compare or [])


ERRORS = [('key_columns => NULL', '22004'), ("key_columns => '{}'", '22023'), ('order_column => NULL', '22004'), ("order_column => ''", '22023'),
          ("key_columns => '{nope}'", '42703'), ("order_column => 'nope'", '42703'), ("compare_columns => '{nope}'", '42703'),
          ("compare_columns => '{}'", '22023'), ('compare_columns => ARRAY[NULL]', '22004'), ('key_columns => ARRAY[NULL]', '22004')]


def random_history(seed, number, kinds, version, ci=True):
    maker = HistoryMaker(random.Random('%s/%s/history' % (seed, number)), kinds, version, ci)
    maker.make_columns()
    maker.make_constraints()
    maker.make_staged()
    maker.make_rows()
    maker.make_batches()
    maker.make_surroundings()
    return maker.case


class HistoryMaker:
    def __init__(self, rng, kinds, version, ci):
        self.rng, self.case, self.pool = rng, HistoryCase(), NAMES[:]
        rng.shuffle(self.pool)
        self.case.kind = rng.choice(kinds)
        self.case.stored = rng.choice(['STORED', 'VIRTUAL']) if version >= 18 else 'STORED'
        self.every = [n for n in COLUMN_TYPES if ci or n != 'ci']
        self.big = rng.random() < 0.02
        self.domains = {}

    def add(self, type_name, kind='plain', notnull=False, **more):
        rng = self.rng
        column = Column(self.pool.pop(), type_name, kind, notnull=notnull, **more)
        pairs = column.type.pairs                       # few values, so that rows are often equal
        self.domains[column.name] = rng.sample(pairs, min(len(pairs), rng.choice([2, 3, 4]))) if type_name != 'big' else pairs
        self.case.columns.append(column)
        return column

    def default(self, type_name):
        return self.rng.choice(TYPES[type_name].pairs)[0] if self.rng.random() < 0.4 else None

    def make_columns(self):
        case, rng = self.case, self.rng
        keyable = [n for n in self.every if TYPES[n].key]
        for _ in range(rng.choice([1, 1, 2])):
            type_name = 'big' if self.big and not case.key else rng.choice(keyable + ['int'] * 4)
            case.key.append(self.add(type_name, notnull=rng.random() < 0.3).name)
        kind = rng.choice(['plain'] * 5 + ['now', 'now', 'identity', 'always', 'serial'])
        if kind in ('identity', 'always', 'serial') and case.kind in ('list', 'hash'):
            kind = 'plain'
        type_name = 'when' if kind == 'now' else 'seq' if kind != 'plain' else rng.choice(ORDERED)
        case.order = self.add(type_name, kind, notnull=rng.random() < 0.2, default=self.default(type_name) if kind == 'plain' else None).name
        for _ in range(rng.randint(0, 3)):
            type_name = rng.choice(self.every)
            self.add(type_name, notnull=rng.random() < 0.1, default=self.default(type_name))
        ints = [c for c in case.columns if c.type_name == 'int' and c.kind == 'plain']
        if ints and rng.random() < 0.2:
            self.add('int', 'generated', base=rng.choice(ints).name)
        rng.shuffle(case.columns)
        case.dropped = [i for i in range(len(case.columns)) if rng.random() < 0.1]

    def make_constraints(self):
        case, rng = self.case, self.rng
        if case.kind in ('list', 'hash'):
            choose_partition(case, rng)
        if rng.random() < 0.3 and case.partition in [None] + case.key + [case.order]:
            case.primary = case.key + [case.order]
            for n in case.primary:
                case.column(n).notnull = True
        case.index = not case.primary and rng.random() < 0.3
        case.row_by_row = case.partition is not None or (not self.big and rng.random() < 0.3)

    def make_staged(self):
        case, rng = self.case, self.rng
        for column in case.columns:
            n = column.name
            if rng.random() < self.share_staged(column):
                case.staged_order.append(n)
                case.staged_types[n] = column.type.sql if rng.random() < 0.7 else rng.choice(list(column.type.domains))
        rng.shuffle(case.staged_order)
        candidates = [n for n in case.staged_order if n not in case.key and n != case.order and case.column(n).kind == 'plain']
        if candidates and rng.random() < 0.4:
            case.compare = rng.sample(candidates, rng.randint(1, len(candidates)))
        case.temp_staged = rng.random() < 0.7
        case.staged_view = case.order in case.staged_order and rng.random() < 0.15
        if case.staged_view:
            case.temp_staged = False

    def share_staged(self, column):
        """How often a column is staged. A view does not show what its table generates or assigns."""
        if self.case.kind == 'view' and (column.draws or column.kind == 'generated'):
            return 0
        if column.name in self.case.key:
            return 1
        if column.name == self.case.order:
            return 0.75 if column.kind == 'plain' else 0.4
        return 0.15 if column.kind == 'generated' else 0.85

    def value(self, column, domain, nulls):
        if self.rng.random() < nulls and (not column.notnull or column.draws):
            return None
        return self.rng.choice(domain)[0]

    def make_rows(self):
        case, rng = self.case, self.rng
        size = rng.choice([0, 1, 3, 6, 12]) if not self.big else rng.randint(500, 2000)
        seen = set()
        for _ in range(size):
            row = {c.name: self.value(c, self.domains[c.name], 0.15 if not c.draws else 0) for c in case.columns if c.kind != 'generated'}
            for c in case.columns:
                if c.draws and rng.random() < 0.7:
                    row[c.name] = str(len(case.rows) % 900 + 1)     # what is assigned is 1000 and more ...
                elif c.draws and not self.big and rng.random() < 0.3:
                    row[c.name] = str(len(case.rows) + 5000)        # ... and not always the highest
            if case.primary:
                image = tuple(case.column(n).type.eq(case.column(n).type.images.get(row[n], row[n])) for n in case.primary)
                if image in seen:
                    continue
                seen.add(image)
            if case.kind == 'inheritance' and rng.random() < 0.4:
                case.child_rows.add(len(case.rows))
            case.rows.append(row)

    def make_batches(self):
        case, rng = self.case, self.rng
        texts = [n for n in case.staged_order if case.staged_types[n] == 'text' and case.column(n).type.bad]
        bad = rng.choice(texts) if texts and rng.random() < 0.06 else None
        domains = {n: self.staged_values(n) for n in case.staged_order}
        for number in range(rng.choice([1, 2, 2, 3])):
            for _ in range(rng.choice([0, 1, 3, 6, 10]) if not self.big else rng.randint(300, 1500)):
                row = {BATCH: number}
                for n in case.staged_order:
                    column = case.column(n)
                    row[n] = self.value(column, domains[n], 0.3 if column.draws else 0.15)
                if bad and rng.random() < 0.2:
                    row[bad] = case.column(bad).type.bad[0]
                case.staged.append(row)

    def staged_values(self, name):
        """Literals of the few values that the column has, as far as the staged type has them."""
        column = self.case.column(name)
        domain, images = column.type.domains[self.case.staged_domain(name)], {image for _, image in self.domains[name]}
        return [pair for pair in domain if pair[1] in images] or domain

    def make_surroundings(self):
        case, rng = self.case, self.rng
        plain = [c for c in case.columns if c.kind == 'plain']
        case.work_mem = rng.choice([None, '64kB'])
        if case.kind == 'view':
            case.view_columns = [c.name for c in case.columns]
            if rng.random() < 0.3:
                case.view_where = random_atom(case, rng, plain)
                case.view_where.prefix = ''
                if case.view_where.op == 'EXISTS':
                    case.view_where.op = '='
        case.role = rng.random() < 0.15 and not case.staged_view
        if not case.staged_view and case.kind in ('plain', 'list', 'hash') and rng.random() < 0.12:
            case.role = True
            for command in ('SELECT', 'INSERT'):
                atom = random_atom(case, rng, plain)
                if atom.op != 'EXISTS' and rng.random() < 0.6:
                    atom.prefix = ''
                    case.policies[command] = atom
            if len(case.policies) == 1:                 # without a policy nothing is allowed
                case.policies = {}
        if rng.random() < 0.04:
            case.error = rng.choice(ERRORS)
