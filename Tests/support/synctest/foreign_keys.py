"""Foreign keys of the target, and to it: the tables at the other end, and what becomes of them."""
from .datatypes import ident, lit

# of the referenced and referencing columns; equality and the types of both sides are the same
REFERABLE = ('int', 'int8', 'text', 'numeric', 'date', 'uuid', 'enum', 'varchar2')

ACTIONS = ('NO ACTION', 'RESTRICT', 'CASCADE', 'SET NULL')


class Parent:
    """A table that a column of the target refers to; it has some of the values that may come."""

    def __init__(self, column, literals):
        self.column, self.literals = column, literals

    def sql(self, case):
        column = case.column(self.column)
        return ['CREATE TABLE c.parent (p %s PRIMARY KEY);' % column.type.sql,
                *(case.distribution.reference('c.parent') if case.distribution else []),
                *['INSERT INTO c.parent VALUES (%s);' % lit(v) for v in self.literals],
                'ALTER TABLE c.t ADD FOREIGN KEY (%s) REFERENCES c.parent;' % ident(self.column)]

    def has(self, case, row):
        """May the row be in the target?"""
        column, value = case.column(self.column), row[self.column]
        return value is None or column.type.eq(value) in {column.type.eq(column.image(v)) for v in self.literals}


class Child:
    """A table that refers to the key of the target, with what happens to it when that goes or changes."""

    PICTURE = 'SELECT coalesce(r::text, \'NULL\') FROM c.ref;'

    def __init__(self, column, literals, on_delete, on_update):
        self.column, self.literals, self.on_delete, self.on_update = column, literals, on_delete, on_update

    def sql(self, case):
        return ['CREATE TABLE c.ref (r %s);' % case.column(self.column).type.sql,
                *(case.distribution.referring('c.ref', 'r') if case.distribution else []),
                'ALTER TABLE c.ref ADD FOREIGN KEY (r) REFERENCES c.t (%s) ON DELETE %s ON UPDATE %s;' % (
                    ident(self.column), self.on_delete, self.on_update),
                *['INSERT INTO c.ref VALUES (%s);' % lit(v) for v in self.literals]]

    def after(self, case, references, before, state):
        """(the references afterwards, sorted; SQLSTATEs, one of which the call must fail with)"""
        column, codes, result = case.column(self.column), set(), []
        rows = {column.type.eq(row[self.column]): i for i, row in enumerate(before)}
        for image in references:
            i = None if image == 'NULL' else rows[column.type.eq(image)]
            if i is None:
                result.append(image)
            elif i not in state:
                self.apply(self.on_delete, None, True, result, codes)
            elif state[i][self.column] != before[i][self.column]:
                self.apply(self.on_update, state[i][self.column], False, result, codes, image)
            else:
                result.append(image)
        return sorted(result), codes

    @staticmethod
    def apply(action, value, deleted, result, codes, image=None):
        if action == 'RESTRICT' or (action == 'NO ACTION' and deleted):
            codes.update({'23503', '23001'} if action == 'RESTRICT' else {'23503'})     # 23001 from PostgreSQL 18 on
        elif action == 'NO ACTION':
            result.append(image)                        # the value is still there, written in another way
        elif action == 'SET NULL':
            result.append('NULL')
        elif not deleted:
            result.append(value)
