"""Random cases of bulk_sync: case I of a seed is always the same one (on servers of one version)."""
import decimal
import random

from .case import Atom, Case, Column
from .datatypes import COLUMN_TYPES, MARKED, TYPES, ident
from .foreign_keys import ACTIONS, REFERABLE, Child, Parent
from .trades import add_trade

NAMES = ['a', 'b', 'Mixed', 'a b', 'select', 'x"y', "it's", 'staged', 'target', 'key', 'old', 'new', 'ümläut', '$1',
         'n' * 63, 'action', 'p$$q', 'row', 'c', 'd', 'e', 'ctid2', '%s', 'a,b', '{x}', '\\', 'oid']


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


def choose_partition(case, rng):
    """By which column, and which values; a plain table where there is no such column."""
    columns = [c for c in case.columns if c.kind == 'plain' and c.type.key
               and c.type_name not in ('ci', 'interval', 'numeric', 'float8', 'ints', 'big')]
    if not columns:
        case.kind = 'plain'
        return
    column = rng.choice(columns)
    values = ['1', '2.5', '3'] if column.type_name == 'numeric41' else sorted({p[0] for p in column.type.pairs})
    case.partition, case.partition_values = column.name, rng.sample(values, rng.randint(1, len(values)))


def random_case(seed, number, kinds, version, ci=True):
    maker = Maker(random.Random('%s/%s' % (seed, number)), kinds, version, ci)
    maker.make_columns()
    maker.make_constraints()
    maker.make_rows()
    maker.make_view()
    maker.make_scope()
    maker.make_staged_columns()
    maker.make_staged_rows()
    maker.make_options()
    maker.make_triggers()
    maker.make_special_calls()
    maker.make_surroundings()
    maker.make_calls_for_rows()
    maker.make_foreign_keys()
    maker.make_settings()
    maker.make_trades(random.Random('%s/%s/trades' % (seed, number)))
    return maker.case


class Maker:
    """Makes a case step by step; each step sees what those before it made."""

    def __init__(self, rng, kinds, version, ci):
        self.rng, self.case = rng, Case()
        self.case.kind = rng.choice(kinds)
        self.big = rng.random() < 0.02
        self.pool = NAMES[:]
        rng.shuffle(self.pool)
        self.every = [n for n in COLUMN_TYPES if ci or n != 'ci']
        self.keyable = [n for n in self.every if TYPES[n].key]
        self.case.stored = rng.choice(['STORED', 'VIRTUAL']) if version >= 18 else 'STORED'

    def value(self, column, nulls=0.2, domain=None):
        """A random literal, or None."""
        if self.rng.random() < nulls and not column.notnull:
            return None
        return self.rng.choice(domain or column.type.pairs)[0]

    def default(self, type_name):
        return self.rng.choice(TYPES[type_name].pairs)[0] if self.rng.random() < 0.4 else None

    def make_columns(self):
        case, rng = self.case, self.rng
        for _ in range(rng.choice([1, 1, 1, 2, 2, 3])):
            type_name = rng.choice(self.keyable + ['int'] * 4 + ['text'] * 2)
            case.columns.append(Column(self.pool.pop(), type_name, notnull=rng.random() < 0.3, default=self.default(type_name)))
        if self.big:
            case.columns[0].type_name, case.columns[0].default = 'big', None
        case.key = [c.name for c in case.columns]
        for _ in range(rng.randint(0, 4)):
            type_name = rng.choice(self.every + ['int', 'int', 'text', 'json', 'box', 'numeric'])
            case.columns.append(Column(self.pool.pop(), type_name, notnull=rng.random() < 0.1, default=self.default(type_name)))
        if self.big:
            case.columns.append(Column(self.pool.pop(), 'long'))
        plain_kind = case.kind in ('plain', 'inheritance')
        if plain_kind and rng.random() < 0.25:
            column = Column(self.pool.pop(), 'seq', rng.choice(['identity', 'always', 'serial']))
            case.columns.append(column)
            if rng.random() < 0.4:
                case.key.append(column.name)
                if rng.random() < 0.5:
                    case.key = [column.name]
        ints = [c for c in case.columns if c.type_name == 'int' and c.kind == 'plain']
        if ints and rng.random() < 0.2:
            case.columns.append(Column(self.pool.pop(), 'int', 'generated', base=rng.choice(ints).name))
        if rng.random() < 0.2:
            soft = Column('deleted' + rng.choice(['', ' At']), rng.choice(['bool', 'ts']), 'soft')
            case.columns.append(soft)
            case.soft = soft.name
        order = case.columns[:]
        rng.shuffle(order)
        case.columns = order
        case.dropped = [i for i in range(len(order)) if rng.random() < 0.1]

    def make_constraints(self):
        case, rng = self.case, self.rng
        key_columns = [case.column(n) for n in case.key]
        nonkey = [c for c in case.columns if c.name not in case.key and c.kind == 'plain']
        if case.kind in ('list', 'hash'):
            choose_partition(case, rng)
            case.default_partition = rng.random() < 0.85
        primary = rng.random() < 0.5 and (case.partition is None or case.partition in case.key) and all(c.type.key for c in key_columns)
        if primary:
            case.primary = case.key[:]
            for c in key_columns:
                c.notnull = True
        uniquable = [c for c in nonkey if c.type.key]
        if uniquable and rng.random() < 0.15 and case.partition is None:
            case.unique = [rng.choice(uniquable).name]
        case.index = not primary and rng.random() < 0.2

    def make_rows(self):
        """Of the target."""
        case, rng = self.case, self.rng
        size = rng.choice([0, 1, 2, 3, 5, 8, 12, 20]) if not self.big else rng.randint(500, 3000)
        seen = [set(), set()]
        for _ in range(size):
            row = {}
            for c in case.columns:
                if c.kind == 'soft':
                    row[c.name] = rng.choice([None, None, 'false', 'true'] if c.type_name == 'bool' else [None, None, MARKED])
                elif c.kind != 'generated':
                    row[c.name] = self.value(c)
            images = [tuple(None if row[n] is None else case.column(n).type.eq(case.column(n).image(row[n])) for n in names)
                      for names in (case.key if case.primary or rng.random() < 0.8 else [], case.unique or [])]
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

    def make_view(self):
        case, rng = self.case, self.rng
        if case.kind == 'view':
            case.view_columns = [c.name for c in case.columns]
            rng.shuffle(case.view_columns)
            if rng.random() < 0.4:
                case.view_where = random_atom(case, rng, [c for c in case.columns if c.kind == 'plain'])
                case.view_where.prefix = ''
                if case.view_where.op == 'EXISTS':
                    case.view_where.op = '='

    def make_scope(self):
        """Scope and actions."""
        case, rng = self.case, self.rng
        plain = [c for c in case.columns if c.kind == 'plain']
        if rng.random() < 0.6:
            count = rng.choice([0, 1, 1, 1, 2])
            atoms = [random_atom(case, rng, plain + [c for c in case.columns if c.kind == 'generated']) for _ in range(count)]
            case.scope = (rng.choice(['AND', 'OR']), atoms or [Atom(None, 'true' if rng.random() < 0.95 else 'false', [], '')])
        if rng.random() < 0.3:
            for column in rng.sample(plain, min(len(plain), rng.choice([1, 1, 2]))):
                if column.type.key and column.type_name not in ('ints',):
                    case.scope_values[column.name] = self.value(column, 0.15)
        options = case.options
        if rng.random() < 0.6:
            actions = rng.choice([['insert', 'update', 'delete'], ['insert', 'update'], ['update'], ['delete'], ['insert'],
                                  ['update', 'delete'], ['INSERT', 'Delete'], ['insert']])
            options['actions'] = rng.sample(actions, len(actions))

    def make_staged_columns(self):
        """And the options about them."""
        case, rng, options = self.case, self.rng, self.case.options
        staged = list(case.key)
        for name in list(staged):
            if name in case.scope_values and (rng.random() < 0.6 or case.column(name).kind == 'generated'):
                staged.remove(name)
        for c in case.columns:
            if c.name not in case.key:
                share = 0.85
                if c.name in case.scope_values:
                    share = 0.4
                elif c.kind in ('generated', 'soft'):
                    share = 0.2 if case.kind != 'view' or c.kind == 'soft' else 0
                if rng.random() < share:
                    staged.append(c.name)
        if rng.random() < 0.4 or not staged:
            case.staged_only.append('staged only')
        rng.shuffle(staged)
        case.staged_order = staged + case.staged_only
        rng.shuffle(case.staged_order)
        for name in staged:
            column = case.column(name)
            if column.kind == 'soft':
                case.staged_types[name] = column.type.sql
            else:
                case.staged_types[name] = column.type.sql if rng.random() < 0.6 or self.big else rng.choice(list(column.type.domains))
        for name in case.staged_only:
            case.staged_types[name] = 'int'
        case.temp_staged = rng.random() < 0.7
        if case.staged_only and rng.random() < 0.5:
            options['order_column'] = case.staged_only[0]
            if rng.random() < 0.5:
                options['duplicates'] = rng.choice(['first', 'last', 'LAST'])
        elif rng.random() < 0.35:
            options['duplicates'] = rng.choice(['first', 'last', 'error'])
            orders = [n for n in staged if case.column(n).kind == 'plain' and case.column(n).type_name in ('int', 'int8')
                      and case.staged_types[n] in ('int', 'bigint')]
            if orders and rng.random() < 0.4:
                options['order_column'] = rng.choice(orders)
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

    def make_staged_rows(self):
        case, rng, options = self.case, self.rng, self.case.options
        staged = [n for n in case.staged_order if case.column(n)]
        size = rng.choice([0, 1, 2, 3, 5, 8, 12]) if not self.big else rng.randint(500, 3000)
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
                    null = rng.random() < nulls and (not column.notnull or column.draws or rng.random() < 0.02)
                    row[name] = None if null else rng.choice(domain)[0]
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

    def make_options(self):
        """Roles, guards and the rest."""
        case, rng, options = self.case, self.rng, self.case.options
        synced = [n for n in case.staged_order if case.column(n) and (n in case.key or n in options.get('columns', case.staged_order))]
        free = [n for n in synced if n not in case.key and case.column(n).kind == 'plain']
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
        if case.unique or case.primary:
            if rng.random() < 0.3:
                options['ignore_conflicts'] = True
        case.work_mem = rng.choice([None, '64kB'])
        case.pass_key = not case.primary or case.kind == 'view' or rng.random() < 0.6

    def make_triggers(self):
        case, rng = self.case, self.rng
        plain = [c for c in case.columns if c.kind == 'plain']
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

    def make_special_calls(self):
        case, rng, options = self.case, self.rng, self.case.options
        staged = [n for n in case.staged_order if case.column(n)]
        # an empty key
        if rng.random() < 0.03 and not case.soft and case.kind != 'view':
            if case.pass_key and not case.primary and all(case.column(n).kind == 'plain' for n in case.key) and not set(case.key) - set(staged):
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

    def make_surroundings(self):
        """Roles, triggers that log, policies."""
        case, rng = self.case, self.rng
        plain = [c for c in case.columns if c.kind == 'plain']
        case.role = rng.random() < 0.15 and not case.staged_view
        case.log = case.kind != 'view' and rng.random() < 0.25
        if not case.staged_view and case.kind in ('plain', 'list', 'hash') and rng.random() < 0.12:
            case.role = True
            for command in ('SELECT', 'INSERT', 'UPDATE', 'DELETE'):
                case.policies[command] = random_atom(case, rng, plain)
                case.policies[command].prefix = ''
                if rng.random() < 0.6 or case.policies[command].op == 'EXISTS':
                    case.policies[command] = Atom(None, 'true', [], '')

    def make_calls_for_rows(self):
        """bulk_sync_returning and bulk_compare; new ids are what most people want them for."""
        case, rng = self.case, self.rng
        case.returning, case.include_unchanged = rng.random() < 0.4, rng.random() < 0.5
        case.reader, case.read_only = not case.policies and rng.random() < 0.3, rng.random() < 0.5
        ids = [c for c in case.columns if c.draws and c.name not in case.key]
        if ids and not case.primary and case.kind in ('plain', 'inheritance') and rng.random() < 0.6:
            case.primary = [ids[0].name]
            for number, row in enumerate(case.rows):
                row[ids[0].name] = str(number + 1)


    def make_foreign_keys(self):
        case, rng = self.case, self.rng
        if self.big or case.kind == 'inheritance':
            return
        referring = [c for c in case.columns if c.kind == 'plain' and c.type_name in REFERABLE]
        if referring and rng.random() < 0.2:
            column = rng.choice(referring)
            values, present = {}, {column.type.eq(column.image(row[column.name])) for row in case.rows if row[column.name] is not None}
            for literal, image in column.type.pairs:
                if column.type.eq(image) in present or rng.random() < 0.7:
                    values.setdefault(column.type.eq(image), literal)
            case.parent = Parent(column.name, list(values.values()))
        key = case.column(case.key[0]) if case.key and case.key == case.primary and len(case.key) == 1 else None
        if key and key.kind == 'plain' and key.type_name in REFERABLE and rng.random() < 0.5 and not [t for t in case.triggers if t[1] == key.name]:
            referred = [row[key.name] for row in case.rows if rng.random() < 0.3]
            case.child = Child(key.name, referred * rng.choice([1, 1, 2]), rng.choice(ACTIONS), rng.choice(ACTIONS))

    def make_settings(self):
        """Settings of the planner and the session that must not make a difference."""
        case, rng = self.case, self.rng
        if rng.random() < 0.3:
            for name, values in rng.sample(SETTINGS, rng.randint(1, 4)):
                case.settings[name] = rng.choice(values)
            # A plan that is forbidden and has no substitute is so dear, to 15 to 17, that it is compiled: ten times as slow.
            case.settings['jit'] = 'off'

    def make_trades(self, rng):
        """Rows that trade unique values, in cases that are otherwise what they were."""
        case = self.case
        if self.big or rng.random() > 0.2:
            return
        where = None
        if rng.random() < 0.4:
            where = random_atom(case, rng, [c for c in case.columns if c.kind == 'plain'])
            where.prefix, where.op = '', '=' if where.op == 'EXISTS' else where.op

        def key_of(row, staged):
            return tuple(eq_literal(case, n, row.get(n)) if staged else stored_equality(case, n, row[n]) for n in case.key)
        add_trade(case, rng, self.pool.pop(), where, key_of)


SETTINGS = ([('enable_%s' % name, ['off']) for name in ('hashjoin', 'mergejoin', 'nestloop', 'seqscan', 'indexscan', 'bitmapscan',
                                                       'tidscan', 'sort', 'material', 'hashagg', 'partition_pruning')]
            + [('work_mem', ['64kB', '256MB']), ('search_path', ['public']),
               ('parallel_setup_cost', ['0']), ('min_parallel_table_scan_size', ['0']), ('parallel_tuple_cost', ['0']),
               ('plan_cache_mode', ['force_generic_plan']), ('constraint_exclusion', ['on']), ('enable_partitionwise_join', ['on']),
               ('temp_tablespaces', ['']), ('row_security', ['on']), ('transform_null_equals', ['on']), ('escape_string_warning', ['off']),
               ('standard_conforming_strings', ['on', 'off']), ('track_activities', ['off'])])


def stored_equality(case, name, literal):
    column = case.column(name)
    return None if literal is None else column.type.eq(column.image(literal))


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
