"""The model of bulk_insert_changed: it takes the staged rows one by one. Section 5."""
import collections
import decimal

from .case import MANY_ROWS
from .datatypes import ASSIGN, NOW
from .model import broken_constraints, convert, equality, unique_constraints, unique_value

ENUM = ['sad', 'ok', 'Happy']
LOWEST, FINITE, HIGHEST = 0, 1, 2


class Outcome:
    def __init__(self):
        self.codes, self.may_fail = set(), set()      # it must, or may, fail with one of these
        self.counts, self.rows = None, []             # staged_rows, inserted, unchanged; the rows inserted, in order
        self.open = False                             # which row was inserted last cannot be told


def order_rank(column, image):
    """What the order of the order column's type says; NULL is lowest."""
    if image is None:
        return (LOWEST, 0)
    name = column.type_name
    if name in ('int', 'int8', 'seq', 'domain', 'big'):
        return (FINITE, int(image))
    if name in ('numeric', 'numeric41', 'float8'):
        return (HIGHEST, 0) if image == 'NaN' else (FINITE, decimal.Decimal(image))
    if name in ('date', 'when'):
        return (HIGHEST, 0) if image == 'infinity' else (FINITE, '') if image == '-infinity' else (FINITE, image)
    return (FINITE, {'bool': ['false', 'true'], 'enum': ENUM}[name].index(image))


class History:
    """The table over several calls: rows in the order in which they were inserted."""

    def __init__(self, case):
        self.case, self.rows, self.assigned, self.calls = case, [], 1000, 0
        for place, indexes in (('c.t', [i for i in range(len(case.rows)) if i not in case.child_rows]), ('c.child', sorted(case.child_rows))):
            for i in indexes:
                literals = case.rows[i]
                row = {c.name: None if literals[c.name] is None else c.type.images.get(literals[c.name], literals[c.name])
                       for c in case.columns if c.kind != 'generated'}
                self.finish(row, place)
                row['_rank'] = order_rank(case.column(case.order), row[case.order])
                row['_call'] = -1 - i if case.row_by_row else place
                self.rows.append(row)

    def finish(self, row, place):
        for column in self.case.columns:
            if column.kind == 'generated':
                row[column.name] = None if row[column.base] is None else str(int(row[column.base]) * 2)
        row['_place'] = (place, None, None, None)

    def visible(self, row):
        conditions = [self.case.view_where, self.case.policies.get('SELECT')]
        return all(c is None or c.holds(self.case, row) for c in conditions)

    def call(self, literals):
        """What a call with these staged rows must do."""
        case, out = self.case, Outcome()
        if case.error:
            out.codes = {case.error[1]}
            return out
        names = [n for n in case.staged_order if case.column(n).kind != 'generated']
        bad = set()
        staged = [convert(case, row, names, names, bad) for row in literals]
        if bad:
            out.codes = bad
            return out
        self.calls += 1
        compared = case.compare if case.compare is not None else [n for n in names if n not in case.key and n != case.order]
        if case.order in names:                                     # among equals the order of staging
            staged.sort(key=lambda row: order_rank(case.column(case.order), row[case.order]))

        versions, broken, unchanged = collections.defaultdict(list), set(), 0
        for number, row in enumerate(self.rows):
            if self.visible(row):
                versions[equality(case, row, case.key)].append((row['_rank'], number, row))
        taken = {self.unique_value(row, unique) for unique in unique_constraints(case) for row in self.rows}
        for wanted in staged:
            seen = versions[equality(case, wanted, case.key)]
            newest = max(seen, key=lambda version: version[:2])[2] if seen else None
            if newest is not None and self.in_doubt(newest, seen):
                out.open = True
            if newest is not None and all(wanted[n] == newest[n] for n in compared):
                unchanged += 1
                continue
            row = self.new_row(wanted)
            broken |= self.broken(row, taken)
            out.rows.append(row)
            seen.append((row['_rank'], len(self.rows) + len(out.rows), row))
        if broken:
            out.codes = broken
            return out
        out.counts = (len(staged), len(out.rows), unchanged)
        self.rows += out.rows
        return out

    def in_doubt(self, newest, versions):
        """Nothing in the tables tells the order of rows that one command wrote to several partitions, or into holes."""
        n = self.case.partition
        rivals = [row for _, _, row in versions if row['_rank'] == newest['_rank'] and row['_call'] == newest['_call']]
        return newest['_call'] != self.calls and len(rivals) > 1 and (
            len(self.rows) > MANY_ROWS or n is not None and any(row[n] != newest[n] for row in rivals))

    def new_row(self, wanted):
        row = {'_call': self.calls}
        for column in self.case.columns:
            n = column.name
            if n in wanted and not (wanted[n] is None and column.draws):
                row[n] = wanted[n]
            elif column.kind != 'generated':
                row[n] = ASSIGN if column.draws else NOW if column.kind == 'now' else None if column.default is None else column.image(column.default)
        self.finish(row, 'c.t')
        order = row[self.case.order]
        if order == ASSIGN:
            self.assigned += 1
            row['_rank'] = (FINITE, self.assigned)
        elif order == NOW:
            row['_rank'] = (FINITE, '3000-%d' % self.calls)         # after all that is stored, and before infinity
        else:
            row['_rank'] = order_rank(self.case.column(self.case.order), order)
        return row

    def broken(self, row, taken):
        """Constraints that the row breaks; it takes its unique values."""
        case = self.case
        broken = broken_constraints(case, row)
        if 'INSERT' in case.policies and not case.policies['INSERT'].holds(case, row):
            broken.add('42501')
        for unique in unique_constraints(case):
            value = self.unique_value(row, unique)
            if value is not None and value in taken:
                broken.add('23505')
            taken.add(value)
        return broken

    def unique_value(self, row, unique):
        """now() is another one in each call."""
        value = unique_value(self.case, row, unique)
        return value and tuple(unique.names) + value + tuple(row['_rank'] for n in unique.names if row[n] == NOW)
