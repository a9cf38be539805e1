"""The rows of bulk_compare and bulk_sync_returning: are they those of the model, and do they lead from the old table to the new?"""
import collections
import json

from .datatypes import ASSIGN, MARKED, NOW, json_of, read_row
from .model import UNSURE, Reported


def read_rows(lines):
    rows = []
    for line in lines:
        action, staged_row, key, changed, old, new = json.loads(line)
        rows.append(Reported(action, staged_row, read_row(key), changed, read_row(old), read_row(new)))
    return rows


def check_rows(case, what, expected, got):
    """'' or what is wrong with the rows of one call; `expected` holds images, `got` JSON."""
    if not case.include_unchanged:
        expected = [row for row in expected if row.action != 'unchanged']
    numbers, wanted_numbers = (collections.Counter(row.action for row in rows) for rows in (got, expected))
    if numbers != wanted_numbers:
        return '%s: numbers of rows differ: expected %s, got %s' % (what, dict(wanted_numbers), dict(numbers))
    wrong = check_order(what, got) if what not in ('compare', 'compare after the call') else ''
    if wrong:
        return wrong
    expected = [row._replace(key=as_json(case, row.key), old=as_json(case, row.old), new=as_json(case, row.new)) for row in expected]
    unsure = {name for row in expected for name, value in row.new or () if value == UNSURE}
    if case.unnumbered:
        got, expected = ([row._replace(staged_row=row.staged_row is not None) for row in rows] for rows in (got, expected))
    left = collections.Counter(comparable(case, row, unsure) for row in got)
    wanted = collections.Counter(comparable(case, row, unsure) for row in expected)
    if left != wanted:
        return '%s: rows differ: too many %s, missing %s' % (
            what, list((left - wanted).elements())[:3], list((wanted - left).elements())[:3])
    return ''


def check_order(what, got):
    """Deletes come first."""
    actions = [row.action == 'delete' for row in got]
    return '' if actions == sorted(actions, reverse=True) else '%s: deletes are not first' % what


def as_json(case, row):
    if row is None:
        return None
    return tuple(sorted((n, v if v in (ASSIGN, NOW, UNSURE) else json_of(case.column(n).type, v)) for n, v in row.items()))


def comparable(case, row, unsure):
    """A row with what the model cannot know under one name."""
    def known(values, left_out=()):
        return values and tuple((n, assigned(case.column(n), v)) for n, v in values if n not in left_out)
    return Reported(row.action, row.staged_row, known(row.key), None if row.changed is None else tuple(sorted(row.changed)),
                    known(row.old), known(row.new, unsure))


def assigned(column, value):
    if column.draws and value.isdigit() and int(value) >= 1000:
        return ASSIGN
    if column.kind == 'soft' and column.type_name == 'ts' and value not in ('None', json_of(column.type, MARKED)):
        return NOW
    return value


def replay(what, before, rows, after):
    """Writes the returned rows into a copy of the old table, one after the other; whole rows tell which one is meant."""
    table = collections.Counter(row['_json'] for row in before)
    for row in rows:
        if row.action == 'unchanged' and row.old != row.new:
            return '%s: an unchanged row has changed: %s' % (what, row)
        if row.old is not None:
            if not table[row.old]:
                return '%s: replay finds no such old row: %s' % (what, row)
            table[row.old] -= 1
        if row.new is not None:
            table[row.new] += 1
    now = collections.Counter(row['_json'] for row in after)
    if +table != now:
        return '%s: replay gives another table: too many %s, missing %s' % (
            what, list((+table - now).elements())[:3], list((now - table).elements())[:3])
    return ''
