"""The types of columns: which literals there are, what they are stored as, what equality sees, how they look as JSON."""
import decimal
import json

ASSIGN = '<assigned>'            # a value that a sequence gives: at least 1000
NOW = '<now>'                    # a value that now() gives
MARKED = '2020-01-01 00:00:00'   # a soft-delete mark that was there before


def norm_numeric(image):
    return 'NaN' if image == 'NaN' else decimal.Decimal(image).normalize()


def norm_float(image):
    return 'NaN' if image == 'NaN' else float(image) + 0.0


class Type:
    """sql: the type's name. domains: {staged type: [(literal, image)]}, the first being the type itself.
    eq: image -> what equality sees. bad: literal and SQLSTATE of a text that does not convert."""

    def __init__(self, sql, domain, eq=None, text=(), others=None, bad=None, key=True, order=None):
        self.sql, self.eq, self.key, self.bad, self.order = sql, eq or (lambda i: i), key, bad, order
        pairs = [v if isinstance(v, tuple) else (v, v) for v in domain]
        self.domains = {sql: pairs, 'text': pairs + list(text)}
        self.domains.update(others or {})
        self.pairs = pairs
        self.images = dict(self.domains['text'])
        self.maps = {name: dict(domain) for name, domain in self.domains.items()}


def same(*values):
    return [(v, v) for v in values]


TYPES = {t_name: t for t_name, t in {
    'int': Type('int', ['1', '2', '3', '4'], text=[(' 3', '3'), ('+1', '1')], bad=('x', '22P02'), order=int,
                others={'bigint': same('1', '2', '3'), 'numeric': [('1', '1'), ('1.6', '2'), ('3', '3')],
                        'smallint': same('1', '2'), 'varchar': [(' 2', '2'), ('1', '1')]}),
    'int8': Type('bigint', ['1', '2', '9000000000'], bad=('99999999999999999999', '22003'), order=int),
    'text': Type('text', ['a', 'b', 'A', '', 'a '], others={'int': same('1', '2'), 'varchar': same('a', 'b'),
                                                           'name': same('a', 'b', 'A')}),
    'varchar2': Type('varchar(2)', ['a', 'b', 'a ', 'ab'], bad=('abc', '22001')),
    'numeric': Type('numeric', ['1', '1.0', '1.00', '2', 'NaN', '0', '-0.0'[1:]], eq=norm_numeric, bad=('1,0', '22P02'),
                    others={'int': same('1', '2')}),
    'numeric41': Type('numeric(4,1)', [('1', '1.0'), ('1.04', '1.0'), ('2.5', '2.5'), ('3', '3.0')], eq=norm_numeric,
                      bad=('12345', '22003'), others={'numeric': [('1.04', '1.0'), ('2.45', '2.5'), ('3', '3.0')]}),
    'char3': Type('char(3)', ['a', 'b', 'ab', 'abc'], text=[('a  ', 'a'), ('b      ', 'b')], bad=('abcd', '22001'),
                  others={'char(5)': same('a', 'b', 'abc')}),
    'bool': Type('bool', [('t', 'true'), ('f', 'false')], text=[('yes', 'true'), ('0', 'false')], bad=('maybe', '22P02')),
    'date': Type('date', ['2024-01-01', '2024-01-02', 'infinity'], text=[('20240101', '2024-01-01')],
                 bad=('2024-13-01', '22008'), others={'timestamp': [('2024-01-01 05:00', '2024-01-01')]}),
    'float8': Type('float8', ['0', '-0', '1.5', 'NaN'], eq=norm_float, text=[('1.50', '1.5')], bad=('', '22P02')),
    'uuid': Type('uuid', ['00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-00000000000b'],
                 text=[('{0000000000000000000000000000000A}', '00000000-0000-0000-0000-00000000000a')], bad=('z', '22P02')),
    'interval': Type('interval', [('1 day', '1 day'), ('24:00', '24:00:00'), ('1 mon', '1 mon'), ('30 days', '30 days')],
                     eq=lambda i: {'24:00:00': '1 day', '30 days': '1 mon'}.get(i, i)),
    'ci': Type('text COLLATE public.ci', ['a', 'A', 'b', 'B', 'c'], eq=str.lower),
    'domain': Type('public.positive', ['1', '2', '3'], bad=('-1', '23514'), others={'int': same('1', '2')}, order=int),
    'enum': Type('public.mood', ['sad', 'ok', 'Happy'], bad=('happy', '22P02')),
    'ints': Type('int[]', ['{1,2}', '{}', '{1,NULL}'], bad=('{1', '22P02')),
    'when': Type('timestamptz', [(w, w) for w in ('2024-01-01 00:00:00+00', '2024-06-01 12:00:00.5+00', 'infinity', '-infinity')],
                 text=[('2024-01-01 02:00:00+02', '2024-01-01 00:00:00+00')], bad=('x', '22007')),
    'bytea': Type('bytea', ['\\x00ff', '\\x', '\\x61'], text=[('a', '\\x61')], bad=('\\xz', '22023')),
    'json': Type('json', ['{"a":1}', '{"a": 1}', 'null', '[1,2]'], key=False, bad=('{', '22P02')),
    'jsonb': Type('jsonb', [('{"a":1}', '{"a": 1}'), ('1.0', '1.0'), ('1', '1')], key=False, bad=('{', '22P02')),
    'box': Type('box', [('(1,1),(0,0)', '(1,1),(0,0)'), ('(0,0),(2,2)', '(2,2),(0,0)')], key=False, bad=('(', '22P02')),
    'point': Type('point', ['(0,0)', '(1,2)', '(-0,0)'], key=False, bad=('1', '22P02')),
    'long': Type('text', ['x' * 300, 'x' * 299 + 'y', 'z' * 3000, 'z' * 2999 + 'y'], key=False),
    'big': Type('int', [str(i) for i in range(1, 4001)], bad=('x', '22P02'), order=int),
    'seq': Type('int', [str(i) for i in range(1, 8)], bad=('x', '22P02'), order=int),
}.items()}
TYPES['ts'] = Type('timestamp', [(MARKED, MARKED)], key=False)
COLUMN_TYPES = [name for name in TYPES if name not in ('big', 'seq', 'ts')]      # of any column


# ---------------------------------------------------------------- SQL

def ident(name):
    return '"' + name.replace('"', '""') + '"'


def lit(value):
    if value is None:
        return 'NULL'
    return ('E' if '\\' in value else '') + "'" + value.replace('\\', '\\\\').replace("'", "''") + "'"


def array(names):
    return 'ARRAY[' + ', '.join(lit(n) for n in names) + ']::text[]'


# ---------------------------------------------------------------- JSON

JSON_OF = {}      # (SQL type, image): what to_jsonb makes of it; the server is asked once


def ask_for_json(server):
    asked = [(t.sql, image) for name, t in TYPES.items() if name != 'big' for image in sorted({i for m in t.maps.values() for i in m.values()})]
    asked = [a for a in asked if server.has_ci or 'public.ci' not in a[0]]
    answers = server.run(['SELECT pg_catalog.to_jsonb(CAST(%s AS %s))::text' % (lit(image), sql.split(' COLLATE')[0])
                          for sql, image in asked])
    for (sql, image), (code, lines) in zip(asked, answers):
        assert code == '00000', (sql, image, lines)
        JSON_OF[sql, image] = read_json(lines[0])


def read_json(text):
    """A JSON value as text in one form, with numbers as they are written: 1.0 is not 1.00, and neither is "1.0"."""
    return repr(json.loads(text, parse_int=Number, parse_float=Number))


class Number(str):
    def __repr__(self):
        return str(self)


def read_row(text):
    """A JSON object: ((name, value in the form of read_json), ...), by name; None for NULL."""
    if text is None:
        return None
    return tuple(sorted((name, repr(value)) for name, value in json.loads(text, parse_int=Number, parse_float=Number).items()))


def json_of(type_, image):
    """What to_jsonb gives for a stored value; numbers of sequences and generated columns are not in the table."""
    if image is None:
        return 'None'
    return JSON_OF.get((type_.sql, image), image)
