"""Does what the server did agree with the model? For one case of bulk_sync, bulk_compare and bulk_sync_returning."""
import collections
import json

from .datatypes import ASSIGN, MARKED, NOW, lit, read_row
from .distributed import refused, trades
from .foreign_keys import Child
from .model import predict, predict_compare
from .rows import check_rows, read_rows, replay

LOCKS = ("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype IN ('relation', 'tuple', 'advisory') "
         "AND relation >= 16384;")
SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'c' ORDER BY 1;"
READ_LOG = 'SELECT line FROM c.log ORDER BY n;'


def steps(case):
    """[(label, statement)]; the results of those with a label are looked at."""
    def as_role(role, label, statement):
        return [(None, 'SET ROLE %s;' % role), (label, statement), (None, 'RESET ROLE;')] if role else [(label, statement)]

    caller = 'hostile_user' if case.role else None
    memory = 'SET bulk_sync.work_mem = %s;' % lit(case.work_mem) if case.work_mem else 'RESET bulk_sync.work_mem;'
    comparison = as_role('hostile_reader' if case.reader else caller, 'compare', case.compare())
    if case.read_only:
        comparison = [(None, 'BEGIN READ ONLY;')] + comparison[:2] + [(None, 'ROLLBACK;')]      # takes the role back, too
        if len(comparison) > 3:
            comparison.append((None, 'RESET ROLE;'))
    later = [('compare after the call' if label else None, statement) for label, statement in comparison]
    settings = [(None, 'SET %s = %s;' % (name, lit(value) if name != 'search_path' else value)) for name, value in case.settings.items()]
    back = [(None, 'RESET %s;' % name) for name in case.settings]
    references = [('references %d' % i, Child.PICTURE) if case.child else (None, 'SELECT 1;') for i in range(3)]
    way = [(None, statement) for statement in case.way()]
    return (settings + way + [(None, memory), ('picture 0', case.picture()), ('sequences before', SEQUENCES)]
            + as_role(caller, 'dry run', case.call(True)) + comparison
            + [('sequences after', SEQUENCES), ('picture 1', case.picture()), references[0]]
            + as_role(caller, 'call', case.call()) + ([('log', READ_LOG)] if case.log else [])
            + [('picture 2', case.picture()), references[1]] + later
            + as_role(caller, 'second call', case.call()) + [('picture 3', case.picture()), references[2], ('locks', LOCKS)] + back)


def run(server, case):
    """('' or what is wrong, SQLSTATE of the call)"""
    setup, todo = case.setup(), steps(case)
    results = server.run(setup + [statement for _, statement in todo])
    if len(results) != len(setup) + len(todo):
        return 'harness: %d statements, %d results' % (len(setup) + len(todo), len(results)), None
    for statement, result in zip(setup, results):
        if result[0] != '00000' and case.distribution and refused(statement):
            return '', 'by Citus'
        if result[0] != '00000':
            return 'harness: setup failed: %s: %s' % (statement, result), None
    named = {}
    for (label, statement), result in zip(todo, results[len(setup):]):
        if label:
            named[label] = result
        elif result[0] != '00000':
            return 'harness: %s: %s' % (statement, result), None
    return check(case, named), named['call'][0]


def check(case, results):
    if results['locks'][1] != ['0']:
        return 'locks are left: %s' % (results['locks'],)
    pictures = [read_picture(case, results['picture %d' % i]) for i in range(4)]
    if dict_rows(pictures[0]) != dict_rows(pictures[1]):
        return 'dry run or compare: the table has changed'
    if results['sequences before'] != results['sequences after']:
        return 'dry run or compare: a sequence has advanced'
    references = [sorted(results['references %d' % i][1]) if case.child else () for i in range(3)]
    wrong = (check_sync(case, 'dry run', pictures[0], results['dry run'], pictures[1], True)
             or check_compare(case, 'compare', pictures[0], results['compare'])
             or check_sync(case, 'call', pictures[1], results['call'], pictures[2], False, references[:2])
             or check_compare(case, 'compare after the call', pictures[2], results['compare after the call'])
             or check_sync(case, 'second call', pictures[2], results['second call'], pictures[3], False, references[1:]))
    if wrong or results['call'][0] != '00000':
        return wrong
    if case.log:
        expected = predict(case, pictures[1], references=references[0])
        if expected.log is not None and not expected.open and results['log'][1] != expected.log:
            return 'statement triggers: expected %s, got %s' % (expected.log, results['log'][1])
    if is_calm(case):
        if results['second call'][0] != '00000':
            return 'second call: fails with %s' % results['second call'][0]
        counts = read_counts(case, results['second call'], False)
        if counts[1] or counts[2] or counts[5]:
            return 'second call: finds something to do: %s' % (counts,)
    return ''


def is_calm(case):
    """Does a second identical call find nothing to do?"""
    return (not case.triggers and not case.policies and case.key and not case.unique and case.view_where is None
            and (not case.primary or case.primary == case.key) and not (case.trade and case.options.get('ignore_conflicts'))
            and not any(case.column(n).draws or case.column(n).kind == 'generated' for n in case.key))


# ---------------------------------------------------------------- what the server said

def read_picture(case, result):
    rows = []
    for line in result[1]:
        values = json.loads(line)
        row = dict(zip([c.name for c in case.columns], values[5:]))
        row['_place'], row['_json'] = tuple(values[:4]), read_row(values[4])
        rows.append(row)
    return rows


def dict_rows(rows):
    return sorted(json.dumps([r['_place'], r], sort_keys=True) for r in rows)


def placed_rows(rows):
    """The rows in one order, whatever plan read them, each with its place but for xmax."""
    return sorted(json.dumps([row['_place'][:3], {n: v for n, v in row.items() if n != '_place'}], sort_keys=True) for row in rows)


def read_counts(case, result, dry):
    """staged_rows, inserted, updated, unchanged, skipped, deleted; None for what returned rows do not tell."""
    if dry or not case.returning:
        return tuple(int(v) for v in result[1][-1].split('|'))
    actions = collections.Counter(row.action for row in read_rows(result[1]))
    return (None, actions['insert'], actions['update'], actions['unchanged'] if case.include_unchanged else None, None, actions['delete'])


def images(case, row, new):
    """The images of a row; what sequences and now() gave to a new one under one name."""
    out = []
    for c in case.columns:
        v = row[c.name]
        if new and c.draws and v is not None and v != ASSIGN and int(v) >= 1000:
            v = ASSIGN
        if new and v is not None and (c.kind == 'soft' and c.type_name == 'ts' and v != MARKED
                                      or c.kind == 'now' and v not in c.type.images.values()):
            v = NOW
        out.append(v)
    return tuple(out)


def looks_alike(case):
    """May a view show one row for another? It is asked by the key, which here triggers give to several rows."""
    return case.kind == 'view' and any(t[0] == 'set' and t[1] in case.key for t in case.triggers)


# ---------------------------------------------------------------- one call

def check_refusal(case, what, expected, result):
    code, lines = result
    if code == '0A000' and trades(case, lines[0]):
        return ''
    if code.startswith('XX') or code.startswith('57') or code == '0A000':
        return '%s: %s %s' % (what, code, ' / '.join(lines))
    if code not in expected.codes | expected.may_fail:
        return '%s: expected %s, got %s: %s' % (what, describe(expected), code, ' / '.join(lines))
    return ''


def check_nothing_changed(what, before, after, references=((), ())):
    """After a refusal; xmax may be that of the transaction that failed."""
    if references[0] != references[1]:
        return '%s: refused, but the references have changed' % what
    if placed_rows(before) != placed_rows(after):
        return '%s: refused, but the table has changed' % what
    return ''


def describe(expected):
    return 'SQLSTATE %s' % '/'.join(sorted(expected.codes)) if expected.codes else 'counts %s' % (expected.counts,)


def check_compare(case, what, before, result):
    expected = predict_compare(case, before)
    if result[0] != '00000':
        return check_refusal(case, what, expected, result)
    if expected.codes:
        return '%s: expected %s, got counts of %d rows' % (what, describe(expected), len(result[1]))
    return check_rows(case, what, expected.rows, read_rows(result[1]))


def check_sync(case, what, before, result, after, dry, references=((), ())):
    """One call against the model; '' or what is wrong."""
    expected = predict(case, before, dry, references[0])
    if result[0] != '00000':
        return check_refusal(case, what, expected, result) or check_nothing_changed(what, before, after, references)
    try:
        counts = read_counts(case, result, dry)
    except (ValueError, IndexError):
        return '%s: odd answer %s' % (what, result[1])
    if expected.codes:
        return '%s: expected %s, got counts %s' % (what, describe(expected), counts)
    if None not in counts and counts[0] != sum(counts[1:5]):
        return '%s: staged_rows is not the sum: %s' % (what, counts)
    wrong = ''
    rows_are_known = case.returning and not dry and not looks_alike(case)
    if rows_are_known and not expected.hidden:
        wrong = replay(what, before, read_rows(result[1]), after)
    if wrong or expected.open:
        return wrong
    seen = expected.counts[:1] + (expected.counts[1] - expected.hidden * (case.returning and not dry),) + expected.counts[2:]
    if any(c is not None and c != e for c, e in zip(counts, seen)):
        return '%s: expected counts %s, got %s' % (what, seen, counts)
    if rows_are_known:
        wrong = check_rows(case, what, expected.rows, read_rows(result[1]))
    if not wrong and not dry and case.child and references[1] != expected.references:
        wrong = '%s: references: expected %s, got %s' % (what, expected.references, references[1])
    return wrong or check_table(case, what, expected, after)


def check_table(case, what, expected, after):
    """Are the untouched rows where they were, and the written ones what they should be?"""
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
        return '%s: written rows differ: too many %s, missing %s' % (
            what, list((left - wanted).elements())[:4], list((wanted - left).elements())[:4])
    return ''
