"""What of a failing case does the failure need?"""
import copy
import re
import time


def signature(text):
    """The call and what is wrong with it, without the numbers."""
    kind = re.sub(r'\(.*?\)|\{.*?\}|\[.*?\]|\d+', '', ':'.join(text.split(':')[:2]))
    return kind[:60], re.findall(r'(?:expected|got|expected SQLSTATE|fails with) (counts|[0-9A-Z]{5}\b)', text)


class Reduction:
    def __init__(self, run, case, wrong, budget=30):
        self.run, self.case, self.signature, self.end = run, case, signature(wrong), time.time() + budget

    def reduce(self):
        progress = True
        while progress and time.time() < self.end:
            tries = [self.without_rows('staged'), self.without_rows('rows'), self.without_options(), self.without_parts(), self.without_columns()]
            progress = any(tries)
        return self.case

    def take(self, trial):
        """Makes the trial the case if it fails in the same way."""
        if time.time() > self.end:
            return False
        try:
            wrong = self.run(trial)
        except ConnectionError:
            raise
        except Exception:           # a case that is not a sound one any more
            return False
        if signature(wrong) != self.signature:
            return False
        self.case = trial
        return True

    def trial(self, **changes):
        trial = copy.copy(self.case)
        for name, value in changes.items():
            setattr(trial, name, value)
        return trial

    def without_rows(self, attribute):
        progress, size = False, max(1, len(getattr(self.case, attribute)) // 2)
        while size and time.time() < self.end:
            i = 0
            while i < len(getattr(self.case, attribute)) and time.time() < self.end:
                items = getattr(self.case, attribute)
                trial = self.trial(**{attribute: items[:i] + items[i + size:]})
                if attribute == 'rows':
                    keep = [j for j in range(len(items)) if not i <= j < i + size]
                    trial.child_rows = {keep.index(j) for j in self.case.child_rows if j in keep}
                if self.take(trial):
                    progress = True
                else:
                    i += size
            size //= 2
        return progress

    def without_options(self):
        return any([self.take(self.trial(options={k: v for k, v in self.case.options.items() if k != name})) for name in list(self.case.options)])

    def without_parts(self):
        return any([self.take(self.trial(**{name: value})) for name, value in self.case.REMOVABLE if getattr(self.case, name) != value])

    def without_columns(self):
        progress = False
        for column in list(self.case.columns):
            if column.name not in self.case.uses():
                progress |= self.take(self.trial(columns=[c for c in self.case.columns if c is not column],
                                                 staged_order=[n for n in self.case.staged_order if n != column.name],
                                                 view_columns=[n for n in self.case.view_columns if n != column.name], dropped=[]))
        return progress
