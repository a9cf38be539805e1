"""Does what the server did agree with the model of bulk_insert_changed? The calls of a case, one after the other."""
import collections

from .checks import LOCKS, check_nothing_changed, check_refusal, images, read_picture
from .datatypes import lit
from .history import History


def steps(case):
    """[(label, statement)]; the results of those with a label are looked at. The last batch is staged twice."""
    out = [(None, statement) for statement in case.way()]
    out += [(None, 'SET bulk_sync.work_mem = %s;' % lit(case.work_mem) if case.work_mem else 'RESET bulk_sync.work_mem;'), ('picture', case.picture())]
    batches = case.batches()
    for batch in batches + batches[-1:]:
        out += [(None, statement) for statement in ['TRUNCATE %s;' % case.staged_base()] + case.stage(batch)]
        out += [(None, 'SET ROLE hostile_user;')] if case.role else []
        out.append(('call', case.call()))
        out += [(None, 'RESET ROLE;')] if case.role else []
        out.append(('picture', case.picture()))
    return out + [('locks', LOCKS)]


def run(server, case):
    """('' or what is wrong, SQLSTATE of the last call)"""
    setup, todo = case.setup(), steps(case)
    results = server.run(setup + [statement for _, statement in todo])
    if len(results) != len(setup) + len(todo):
        return 'harness: %d statements, %d results' % (len(setup) + len(todo), len(results)), None
    for (label, statement), result in zip([(None, s) for s in setup] + todo, results):
        if label != 'call' and result[0] != '00000':
            return 'harness: %s: %s' % (statement, result), None
    by_label = collections.defaultdict(list)
    for (label, _), result in zip(todo, results[len(setup):]):
        by_label[label].append(result)
    return check(case, by_label), by_label['call'][-1][0]


def check(case, results):
    if results['locks'][0][1] != ['0']:
        return 'locks are left: %s' % (results['locks'],)
    pictures, history, batches = [read_picture(case, p) for p in results['picture']], History(case), case.batches()
    start = collections.Counter(images(case, row, True) for row in pictures[0])
    if start != collections.Counter(images(case, row, True) for row in history.rows):
        return 'harness: the model starts with other rows'
    for i, batch in enumerate(batches + batches[-1:]):
        expected = history.call(batch)
        wrong = '' if expected.open else check_call(case, 'call %d' % i, expected, pictures[i], results['call'][i], pictures[i + 1])
        if wrong or expected.open:
            return wrong
    return ''


def check_call(case, what, expected, before, result, after):
    if result[0] != '00000':
        return check_refusal(case, what, expected, result) or check_nothing_changed(what, before, after)
    counts = tuple(int(v) for v in result[1][-1].split('|'))
    if expected.codes:
        return '%s: expected SQLSTATE %s, got counts %s' % (what, '/'.join(sorted(expected.codes)), counts)
    if counts != expected.counts:
        return '%s: expected counts %s, got %s' % (what, expected.counts, counts)
    places = {row['_place']: row for row in after}
    for row in before:
        found = places.pop(row['_place'], None)
        if found is None or images(case, found, False) != images(case, row, False):
            return '%s: a row of the history is not what and where it was: %s' % (what, row)
    left = collections.Counter(images(case, row, True) for row in places.values())
    wanted = collections.Counter(images(case, row, True) for row in expected.rows)
    if left != wanted:
        return '%s: inserted rows differ: too many %s, missing %s' % (
            what, list((left - wanted).elements())[:4], list((wanted - left).elements())[:4])
    return ''
