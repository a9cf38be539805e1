"""The model of bulk_sync: what a call must do, from a picture of the table before it. Section 1, clause by clause, with loops."""
import collections

from .case import NOT_COMPARED
from .datatypes import ASSIGN, NOW
from .trades import Unique, trades_by_sql

UNSURE = '<unsure>'      # the contract does not say which value

Update = collections.namedtuple('Update', 'index old new changed staged')
Insert = collections.namedtuple('Insert', 'new undecided staged')
Delete = collections.namedtuple('Delete', 'index old')
Unchanged = collections.namedtuple('Unchanged', 'old staged')

# A row as bulk_compare and bulk_sync_returning give it, with images instead of JSON; staged_row from 1
Reported = collections.namedtuple('Reported', 'action staged_row key changed old new')


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
        self.rows = []           # Reported, the unchanged ones among them
        self.hidden = 0          # written rows that the caller may not see
        self.references = None   # to the rows, afterwards


def predict(case, before, dry=False, references=()):
    """What a call must do to the rows `before`, and to the references to them."""
    return answer(Sync(case, before, references), dry)


def predict_compare(case, before):
    """What bulk_compare must return: the plan, without guards."""
    return answer(Sync(case, before, (), guards=False), True)


def answer(sync, dry):
    try:
        sync.plan()
        if dry:
            sync.show_plan()
        else:
            sync.write()
    except Refused as refused:
        sync.out.codes = refused.codes
    return sync.out


def convert(case, literals, names, reads, bad):
    """A staged row as images, 1.1.2; adds to `bad` the codes of the columns in `reads` that do not convert."""
    row = {}
    for n in names:
        domain = case.column(n).type.maps[case.staged_domain(n)]
        if literals[n] is None:
            row[n] = None
        elif literals[n] in domain:
            row[n] = domain[literals[n]]
        else:
            row[n] = '<bad>'
            if n in reads:
                bad.add(case.column(n).type.bad[1])
    return row


def equality(case, row, names):
    """What equality sees of a row in these columns; NULL equals NULL."""
    return tuple(None if row[n] is None else case.column(n).type.eq(row[n]) for n in names)


class Sync:
    def __init__(self, case, before, references, guards=True):
        self.case, self.before, self.references, self.guards, self.out = case, before, references, guards, Outcome()
        options = case.options
        self.actions = [a.lower() for a in options.get('actions') or ['insert', 'update', 'delete']]
        self.scoped = case.scope is not None or bool(case.scope_values) or bool(options.get('scope_columns'))
        self.skipped = 0

    def plan(self):
        self.check_arguments()
        self.find_columns()
        self.convert_rows()
        self.drop_duplicates()
        self.match()
        self.decide()
        self.plan_inserts()
        self.check_scope()
        self.check_deletes()
        self.out.planned = (len(self.staged), len(self.inserts), len(self.updates), len(self.unchanged), self.skipped, len(self.stale))

    # ------------------------------------------------ arguments and conversion

    def check_arguments(self):
        case, options = self.case, self.case.options
        if case.error and (self.guards or case.error_argument() not in NOT_COMPARED):    # 1.0, 1.4: arguments first
            delete = 'delete' in [a.lower() for a in options.get('actions') or ['delete']]
            if case.error[1] == '42703' and delete and not self.scoped:
                raise Refused('22023')
            raise Refused(case.error[1])
        if 'delete' in self.actions and not self.scoped:                                 # 1.2.1
            raise Refused('22023')
        if not self.guards:
            return
        if options.get('expected_rows') is not None and options['expected_rows'] != len(case.staged):
            raise Refused('SY001')
        if 'delete' in self.actions and not case.staged and not options.get('allow_empty'):
            raise Refused('SY002')

    def find_columns(self):
        case, listed = self.case, self.case.options.get('columns')
        self.staged_names = [n for n in case.staged_order if case.column(n)]
        synced = [n for n in self.staged_names if n in case.key or listed is None or n in listed]
        self.synced = [n for n in synced if n != case.soft and (case.column(n).kind != 'generated' or n in case.key)]
        self.supplied = {n: (None if v is None else case.column(n).image(v))
                         for n, v in case.scope_values.items() if n not in self.synced}
        self.roles = {n: role for role in ('insert_only', 'touch', 'fill', 'keep') for n in case.options.get(role + '_columns') or []}

    def convert_rows(self):
        case, bad, self.staged = self.case, set(), []
        reads = set(self.synced) | set(case.update_where[2] if case.update_where else [])
        for position, literals in enumerate(case.staged):
            row = convert(case, literals, self.staged_names, reads, bad)
            row.update(self.supplied)
            for n in case.staged_only:
                row['staged.' + n] = literals[n]
            row['literals'], row['position'] = literals, position + 1
            self.staged.append(row)
        if bad:
            raise Refused(*bad)

    # ------------------------------------------------ who takes part

    def asks(self, row):
        """A NULL in a key column that the database assigns: matches nothing, 1.3.4."""
        return any(row[n] is None and self.case.column(n).draws for n in self.case.key)

    def in_scope(self, row):                                                             # 1.2
        case = self.case
        if case.scope is not None:
            joiner, atoms = case.scope
            if not (all if joiner == 'AND' else any)(a.holds(case, row) for a in atoms):
                return False
        for n, v in case.scope_values.items():
            column = case.column(n)
            if v is None or row[n] is None:
                if v is not None or row[n] is not None:
                    return False
            elif column.type.eq(column.image(v)) != column.type.eq(row[n]):
                return False
        names = case.options.get('scope_columns')
        return not names or equality(case, row, names) in self.groups()

    def groups(self):
        if not hasattr(self, 'known_groups'):
            self.known_groups = {equality(self.case, r, self.case.options['scope_columns']) for r in self.staged}
        return self.known_groups

    def allows(self, command, row):
        return command not in self.case.policies or self.case.policies[command].holds(self.case, row)

    def visible(self, row):
        return (self.case.view_where is None or self.case.view_where.holds(self.case, row)) and self.allows('SELECT', row)

    def marked(self, row):
        value = row[self.case.soft] if self.case.soft else None
        return value is not None and value != 'false'

    def drop_duplicates(self):                                                           # 1.1.5
        case, options = self.case, self.case.options
        duplicates = (options.get('duplicates') or 'error').lower()
        order = options.get('order_column')
        self.kept, seen = [], {}
        for row in self.staged:
            if not case.key or self.asks(row):
                self.kept.append(row)
                continue
            seen.setdefault(equality(case, row, case.key), []).append(row)

        def rank(row):
            if order is None:
                return (0, 0, row['position'])
            value = row['literals'][order]
            return (0, 0, row['position']) if value is None else (1, int(float(value)), row['position'])
        for rows in seen.values():
            if len(rows) > 1:
                if duplicates == 'error':
                    raise Refused('21000')
                rows.sort(key=rank)
                self.skipped += len(rows) - 1
                rows = [rows[0] if duplicates == 'first' else rows[-1]]
            self.kept += rows
        self.kept.sort(key=lambda row: row['position'])

    def match(self):                                                                     # 1.1.1, 1.3.9
        case, matched = self.case, set()
        self.pairs, self.new = [], []
        self.candidates = [(i, r) for i, r in enumerate(self.before) if self.visible(r) and self.in_scope(r)]
        index = collections.defaultdict(list)
        for i, r in self.candidates:
            index[equality(case, r, case.key)].append((i, r))
        for row in self.kept:
            found = [] if not case.key or self.asks(row) else index[equality(case, row, case.key)]
            live = [e for e in found if not self.marked(e[1])]
            choice = live or found
            if len(choice) > 1:
                raise Refused('21000')
            if choice:
                self.pairs.append((row, choice[0]))
                matched.add(choice[0][0])
            else:
                self.new.append(row)
        self.stale = [Delete(i, r) for i, r in self.candidates
                      if i not in matched and not self.marked(r)] if 'delete' in self.actions else []

    # ------------------------------------------------ what changes

    def decide(self):                                                                    # 1.3
        case = self.case
        self.updates, self.unchanged = [], []
        for row, (i, old) in self.pairs:
            update = self.updated(row, i, old)
            if not update.changed:
                self.unchanged.append(Unchanged(old, row))
            elif 'update' not in self.actions or (case.update_where and not case.update_where[1](row, old)):
                self.skipped += 1
            elif not self.allows('UPDATE', old):                                         # 1.3.8, the end
                self.skipped += 1
            else:
                self.updates.append(update)
        self.stale = [d for d in self.stale if self.allows('UPDATE' if case.soft else 'DELETE', d.old)]

    def updated(self, row, index, old):
        case, new, changed, touched = self.case, dict(old), [], {}
        for n in [n for n in case.key if n in row] + [n for n in self.synced if n not in case.key]:
            column, value, role = case.column(n), row[n], self.roles.get(n)
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
                    new[n] = value
                    changed.append(n)
            elif value != old[n]:
                new[n] = value
                changed.append(n)
        if self.marked(old):
            new[case.soft] = 'false' if case.column(case.soft).type_name == 'bool' else None
            changed.append(case.soft)
        new.update(touched)
        return Update(index, old, new, changed, row)

    def plan_inserts(self):
        """Inserted rows before triggers, and which of their columns are not decided yet."""
        if 'insert' not in self.actions:
            self.skipped += len(self.new)
            self.new = []
        self.inserts = []
        for row in self.new:
            new, undecided = {}, set()
            for column in self.case.columns:
                n = column.name
                if column.kind == 'generated':
                    undecided.add(n)
                    new[n] = None
                elif n in row and (n in self.synced or n in self.supplied) and not (row[n] is None and column.draws):
                    new[n] = row[n]
                else:
                    undecided.add(n)
                    new[n] = ASSIGN if column.draws else None if column.default is None else column.image(column.default)
            self.inserts.append(Insert(new, undecided, row))

    def generate(self, row):
        for column in self.case.columns:
            if column.kind == 'generated':
                row[column.name] = None if row[column.base] is None else str(int(row[column.base]) * 2)

    def check_scope(self):                                                               # 1.2.5, the first part
        case = self.case
        condition = {a.column for a in case.scope[1] if a.column} if case.scope else set()
        uses = condition | set(case.scope_values) | set(case.options.get('scope_columns') or [])
        self.partly = False
        if not self.scoped:
            return
        for update in self.updates:
            trial = dict(update.new)
            self.generate(trial)
            if not self.in_scope(trial):
                if not any(case.column(n) and case.column(n).kind == 'generated' for n in condition):
                    raise Refused('44000')
                self.partly = True
        for insert in self.inserts:
            trial = dict(insert.new)
            self.generate(trial)
            if not self.in_scope(trial):
                if not uses & insert.undecided:
                    raise Refused('44000')
                self.partly = True

    def check_deletes(self):                                                             # 1.4
        limit, fraction = self.case.options.get('max_deletes'), self.case.options.get('max_delete_fraction')
        alive = len([1 for i, r in self.candidates if not self.marked(r)])
        over = []
        if limit is not None:
            over.append((len(self.stale) > limit, limit == 0))
        if fraction is not None:
            over.append((alive > 0 and len(self.stale) / alive > fraction, fraction == 0))
        if self.guards and over and (all(o for o, _ in over) or any(o and zero for o, zero in over)):
            raise Refused(*({'SY003', '44000'} if self.partly else {'SY003'}))
        if self.partly:
            self.out.may_fail.add('44000')

    # ------------------------------------------------ the rows that are returned

    def key_object(self, row):
        return {n: row[n] for n in self.case.key}

    def show_plan(self):
        """Nothing is written: section 2."""
        case, out = self.case, self.out
        out.counts, out.untouched = out.planned, list(self.before)
        shown = set(case.primary) | set(case.key) | set(self.synced) | set(self.supplied)

        def cut(row):
            return {n: v for n, v in row.items() if n in shown}
        for i, old in self.stale:
            out.rows.append(Reported('delete', None, self.key_object(old), None, cut(old), None))
        for update in self.updates:
            new = dict(update.new)
            for n in [c.name for c in case.columns if c.kind == 'generated' and update.new[c.base] != update.old[c.base]]:
                new[n] = UNSURE
            out.rows.append(Reported('update', update.staged['position'], self.key_object(update.staged), update.changed,
                                     cut(update.old), cut(new)))
        for insert in self.inserts:
            new = {n: None if n in insert.undecided else v for n, v in insert.new.items()}
            out.rows.append(Reported('insert', insert.staged['position'], self.key_object(insert.staged), None, None, cut(new)))
        for old, staged in self.unchanged:
            out.rows.append(Reported('unchanged', staged['position'], self.key_object(staged), None, cut(old), cut(old)))

    def report(self, action, staged, changed, old, new):
        """A row that was written, or found unchanged: section 3."""
        def whole(row):
            return row and {c.name: row[c.name] for c in self.case.columns}
        self.out.rows.append(Reported(action, staged and staged['position'], self.key_object(staged or old), changed, whole(old), whole(new)))

    # ------------------------------------------------ the writes

    def fire(self, event, row, table='c.t'):
        """BEFORE triggers, in order of name; None: suppressed."""
        case = self.case
        if table == 'c.child':
            return row
        for what, n, literal, events in case.triggers:
            column = case.column(n)
            if event not in events:
                continue
            if what == 'set':
                row[n] = column.image(literal)
            elif row[n] is not None and column.type.eq(row[n]) == column.type.eq(column.image(literal)):
                return None
        return row

    def check(self, row, command):
        self.generate(row)
        if not self.allows(command, row):
            self.errors.add('42501')
        if command == 'UPDATE' and not self.allows('SELECT', row):
            self.errors.add('42501')
        self.errors.update(broken_constraints(self.case, row))

    def refer(self, row):
        """Is what a written row refers to there?"""
        if self.case.parent and not self.case.parent.has(self.case, row):
            self.errors.add('23503')

    def write(self):
        self.errors = set()
        self.state = {i: dict(r) for i, r in enumerate(self.before)}
        self.touched, self.locked, self.added = set(), set(), []      # locked: a trigger suppressed it
        self.write_deletes()
        deleted = len(self.touched)
        self.write_updates()
        updated = len(self.touched) - deleted
        self.write_inserts()
        if self.case.child:
            self.out.references, codes = self.case.child.after(self.case, self.references, self.before, self.state)
            self.errors |= codes
        if self.errors:
            raise Refused(*(self.errors | self.out.may_fail))
        inserted, out, state = len(self.added), self.out, self.state
        for old, staged in self.unchanged:
            self.report('unchanged', staged, None, old, old)
        self.log_statements(deleted, updated, inserted)
        out.counts = (len(self.staged), inserted, updated, len(self.unchanged), self.skipped, deleted)
        out.untouched = [dict(r, _place=r['_place'][:3] + (None,)) if i in self.locked else r
                         for i, r in enumerate(self.before) if i in state and i not in self.touched]
        out.written = [state[i] for i in self.touched if i in state] + self.added

    def write_deletes(self):
        case = self.case
        for i, old in self.stale:
            row, table = dict(old), old['_place'][0]
            if case.soft:
                row[case.soft] = 'true' if case.column(case.soft).type_name == 'bool' else NOW
            row = self.fire('UPDATE' if case.soft else 'DELETE', row, table)
            if row is None:
                self.locked.add(i)
                continue
            self.touched.add(i)
            if case.soft:
                self.check(row, 'UPDATE')
                self.refer(row)
                self.state[i] = row
            else:
                del self.state[i]
            self.report('delete', None, None, old, row if case.soft else None)

    def write_updates(self):
        for i, old, new, changed, staged in self.updates:
            row = self.fire('UPDATE', dict(new), old['_place'][0])
            if row is None:
                self.locked.add(i)
                self.skipped += 1
                continue
            self.check(row, 'UPDATE')
            if self.scoped and not self.in_scope(row):
                self.errors.add('44000')
            self.refer(row)
            self.state[i] = row
            self.touched.add(i)
            self.report('update', staged, changed, old, row)

    def write_inserts(self):
        case, out = self.case, self.out
        uniques = unique_constraints(case)
        taken = [self.taken_values(unique) for unique in uniques]
        mine = [collections.Counter() for _ in uniques]
        for new, _, staged in self.inserts:
            row = self.fire('INSERT', dict(new))
            if row is None:
                self.skipped += 1
                continue
            self.check(row, 'INSERT')
            row['_place'] = ('c.t', None, None, None)
            outside = self.scoped and not self.in_scope(row)
            if self.scoped and not self.allows('SELECT', row):
                out.may_fail.add('42501')     # to be decided: a scope that is checked while writing asks for the SELECT policy
            conflict = False
            for unique, values, own in zip(uniques, taken, mine):
                value = unique_value(case, row, unique)
                if value is None:
                    continue
                if values[value]:
                    conflict = True
                elif own[value]:
                    conflict = True
                    if case.options.get('ignore_conflicts'):
                        out.open = True
            if conflict and case.options.get('ignore_conflicts'):
                if outside:
                    out.may_fail.add('44000')
                self.skipped += 1
                continue
            if conflict:
                self.errors.add('23505')
            if outside:
                self.errors.add('44000')
            for unique, own in zip(uniques, mine):
                own[unique_value(case, row, unique)] += 1
            self.refer(row)
            self.added.append(row)
            if self.allows('SELECT', row):
                self.report('insert', staged, None, None, row)
            else:
                out.hidden += 1

    def taken_values(self, unique):
        """The values of a unique constraint after deletes and updates: that state decides, 1.3.7."""
        case, state, before = self.case, self.state, self.before
        rows = {i: unique_value(case, r, unique) for i, r in state.items() if r['_place'][0] != 'c.child'}
        values = collections.Counter(v for v in rows.values() if v is not None)
        if any(v > 1 for v in values.values()):
            self.errors.add('23505')
        old_values = {i: unique_value(case, before[i], unique) for i in rows}
        taken = set(old_values.values())
        if trades_by_sql(case) and any(rows[i] is not None and rows[i] != old_values[i] and rows[i] in taken for i in self.touched if i in rows):
            self.out.may_fail.add('23505')                 # traded there, they are PostgreSQL's own business
        return values

    def log_statements(self, deleted, updated, inserted):
        """What the statement triggers write: 1.3.6."""
        marks = bool(self.case.soft)
        phases = [('DELETE', 0 if marks else len(self.stale), deleted),
                  ('UPDATE', len(self.updates) + (len(self.stale) if marks else 0), updated + (deleted if marks else 0)),
                  ('INSERT', len(self.inserts), inserted)]
        self.out.log = ['BEFORE ' + p for p, planned, _ in phases if planned]
        for p, planned, count in phases:
            tables = ['new', 'old'] if p == 'UPDATE' else ['new'] if p == 'INSERT' else ['old']
            self.out.log += ['AFTER %s %s %d' % (p, table, count) for table in tables if planned]


# ---------------------------------------------------------------- constraints of the target

def unique_constraints(case):
    return [Unique(names, None) for names in (case.primary, case.unique) if names] + ([case.trade.unique] if case.trade else [])


def unique_value(case, row, unique):
    """None: it conflicts with nothing."""
    if unique.where and not unique.where.holds(case, row):
        return None
    names, values = unique.names, equality(case, row, unique.names)
    return None if None in values or any(row[n] == ASSIGN for n in names) else (row['_place'][0] == 'c.child',) + values


def broken_constraints(case, row):
    """NOT NULL, and no partition for the row."""
    broken = {'23502' for column in case.columns if column.notnull and row[column.name] is None}
    if case.kind == 'list' and not case.default_partition:
        column = case.column(case.partition)
        values = [column.type.eq(column.image(v)) for v in case.partition_values]
        if row[case.partition] is None or column.type.eq(row[case.partition]) not in values:
            broken.add('23514')
    return broken
