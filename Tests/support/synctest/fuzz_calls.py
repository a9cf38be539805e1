"""Random calls: any function with any arguments, half of them sensible enough to get far."""
import json

NULL = None
ODD = '"fu.zz\'"" $$;--"."we""ird \'t.able\'; --"'

# Targets, each with staged tables that go well with it
PAIRS = {
    'fuzz.plain': ['fuzz.plain_s', 'fuzz.equal', 'fuzz.texts', 'fuzz.twice', 'fuzz.empty', 'fuzz.kept', 'fuzz.simple', 'fuzz.listed', 'fuzz.parent'],
    'fuzz.gaps': ['fuzz.plain_s', 'fuzz.wide_s', 'fuzz.junk', 'fuzz.equal'],
    'pg_temp.temporary': ['fuzz.equal', 'fuzz.plain_s', 'fuzz.texts'],
    'fuzz.below': ['fuzz.equal', 'fuzz.plain_s', 'pg_temp.temporary'],
    'fuzz.no_columns': ['fuzz.no_columns_s', 'fuzz.equal'],
    'fuzz.only_key': ['fuzz.uuids', 'fuzz.texts'],
    'fuzz.uuids': ['fuzz.uuids_s', 'fuzz.junk', 'fuzz.texts'],
    'fuzz.arrays': ['fuzz.arrays_s', 'fuzz.texts'],
    'fuzz.composites': ['fuzz.composites_s', 'fuzz.texts'],
    'fuzz.enums': ['fuzz.enums_s', 'fuzz.texts'],
    'fuzz.ranges': ['fuzz.ranges_s', 'fuzz.texts'],
    'fuzz.documents': ['fuzz.documents_s', 'fuzz.texts', 'fuzz.no_equality'],
    'fuzz.no_equality': ['fuzz.no_equality_s', 'fuzz.documents'],
    'fuzz.moments': ['fuzz.moments_s', 'fuzz.junk', 'fuzz.wide_s'],
    'fuzz.many': ['fuzz.many_s', 'fuzz.texts', 'fuzz.equal'],
    'fuzz.identities': ['fuzz.equal', 'fuzz.wide_s', 'fuzz.identities_s', 'fuzz.junk'],
    'fuzz.uniques': ['fuzz.equal', 'fuzz.plain_s', 'fuzz.wide_s', 'fuzz.twice'],
    'fuzz.triggers': ['fuzz.equal', 'fuzz.plain_s', 'fuzz.twice'],
    'fuzz.suppressed': ['fuzz.equal', 'fuzz.plain_s'],
    'fuzz.listed': ['fuzz.equal', 'fuzz.plain_s', 'fuzz.wide_s', 'fuzz.texts', 'fuzz.parent'],
    'fuzz.listed_2': ['fuzz.equal', 'fuzz.plain_s'],
    'fuzz.ranged': ['fuzz.equal', 'fuzz.plain_s', 'fuzz.wide_s'],
    'fuzz.unpartitioned': ['fuzz.equal', 'fuzz.empty'],
    'fuzz.parent': ['fuzz.equal', 'fuzz.plain_s', 'fuzz.child'],
    'fuzz.typed': ['fuzz.typed_s'],
    'fuzz.ruled': ['fuzz.equal', 'fuzz.plain_s'],
    'fuzz.policed': ['fuzz.equal', 'fuzz.plain_s', 'fuzz.policed_s', 'fuzz.wide_s'],
    'fuzz.names': ['fuzz.names_s', 'fuzz.equal'],
    ODD: ['fuzz.equal', 'fuzz.plain_s'],
    'fuzz.simple': ['fuzz.equal', 'fuzz.plain_s'],
    'fuzz.barrier': ['fuzz.equal', 'fuzz.plain_s'],
    'fuzz.invoker': ['fuzz.equal', 'fuzz.policed_s'],
    'fuzz.nested': ['fuzz.equal', 'fuzz.plain_s'],
    'fuzz.by_triggers': ['fuzz.equal', 'fuzz.plain_s'],
    'fuzz.by_rules': ['fuzz.equal', 'fuzz.plain_s'],
    'fuzz.columns_only': ['fuzz.equal', 'fuzz.columns_only_s'],
    'fuzz.history': ['fuzz.equal', 'fuzz.twice', 'fuzz.wide_s', 'fuzz.history_s', 'fuzz.junk'],
    'fuzz.far': ['fuzz.equal'],
}
PAIRS_18 = {'fuzz.virtual': ['fuzz.equal', 'fuzz.virtual', 'fuzz.plain_s'], 'fuzz.periods': ['fuzz.periods_s']}

# What is no table, or nobody should write to
OTHERS = ['fuzz.joined', 'fuzz.aggregated', 'fuzz.failing', 'fuzz.of_catalog', 'fuzz.of_statistics', 'fuzz.kept', 'fuzz.not_kept', 'fuzz.counter',
          'fuzz.elsewhere', 'fuzz.pair', 'fuzz.plain_pkey', 'fuzz.listed_index', 'pg_class', 'pg_attribute', 'pg_statistic', 'pg_stats', 'pg_proc',
          'pg_locks', 'information_schema.tables', 'information_schema.columns', 'pg_class_oid_index', 'pg_toast.pg_toast_1255', 'fuzz.bystander',
          'fuzz.child', 'fuzz.listed_rest', 'fuzz.far_2', 'fuzz.empty', 'fuzz.junk']
NO_RELATION = ['0', '1', '4294967295', '12345678', '-', NULL]

# Rows outside "g = 1" can be looked at, and nothing but the call itself changes any
GUARDED = {'fuzz.plain': 'fuzz.plain', 'fuzz.gaps': 'fuzz.gaps', 'fuzz.below': 'fuzz.below', 'fuzz.simple': 'fuzz.below', 'fuzz.nested': 'fuzz.below',
           'fuzz.listed': 'fuzz.listed', 'fuzz.parent': 'fuzz.parent', 'fuzz.names': 'fuzz.names', 'fuzz.policed': 'fuzz.policed',
           'pg_temp.temporary': 'pg_temp.temporary', 'fuzz.invoker': 'fuzz.policed', 'fuzz.columns_only': 'fuzz.columns_only'}
# Staged tables with columns that targets lack
SURPLUS = ('fuzz.junk', 'fuzz.wide_s', 'fuzz.twice', 'fuzz.uuids_s', 'fuzz.policed_s', 'fuzz.gaps', 'fuzz.listed')
# Conditions that write themselves
WRITING = ('writes', 'calls', 'drops', 'set_config')

NAMES = ['k', 'v', 'g', 'k', 'v', 'g', 'at', 'n', 'id', 's', 'place', 'gone', 'deleted', 'doubled', 'owner', 'late', 'secret', 'self', 'w', 'K', ' k', 'k ', '"k"',
         'ctid', 'tableoid', 'xmin', '', ' ', '.', 'target', 'staged', 'target.k', 'd_c1', 'd_rows', 'a"b', '$1', '%s', '; DROP TABLE fuzz.bystander; --',
         'ünïcødé ☃', 'select', "'", '\\', '\\x', 'k\n', '........pg.dropped.1........', '*', 'NULL', 'x' * 63, 'x' * 64, 'y' * 3000, '\x01', '\t\n',
         'insert', 'update', 'delete', 'INSERT', 'Delete', 'merge', 'ö' * 40]

ATOMS = ['true', 'false', 'NULL', 'g = 1', 'target.g = 1', 'k = 1', 'k > 0', 'k IS NULL', "v = 'a'", 'v LIKE \'%a%\'', 'k IN (SELECT k FROM fuzz.plain)',
         'EXISTS (SELECT FROM fuzz.plain p WHERE p.k = target.k)', 'EXISTS (SELECT FROM staged)', 'EXISTS (SELECT FROM target)', 'EXISTS (SELECT FROM d_rows)',
         'target IS NOT NULL', "to_jsonb(target) ? 'k'", '(target).k = 1', '(target.*) IS NOT NULL', 'ROW(target.*) IS DISTINCT FROM ROW(1, 2, 3)',
         'target::text <> \'\'', 'target = target', 'count(*) > 0', 'sum(g) OVER () > 1', 'random() < 2', '1 / 0 = 1', '1 / (g - 2) IS NOT NULL', 'ctid IS NOT NULL',
         'target.xmin IS NULL', 'tableoid > 0', '$1 = 1', "k::text ~ '['", 'k = ANY (ARRAY[1, 2])', "k = 'junk'", 'pg_sleep(0) IS NULL', 'fuzz.recent(g)',
         'fuzz.recent(k)', 'fuzz.raises(v)', 'fuzz.raises(target)', 'fuzz.writes(g)', 'fuzz.calls()', 'fuzz.drops()', 'no_such(k)', 'no_such', 'a.b.c.d', 'target.nope',
         'generate_series(1, 2) = 1', 'DEFAULT', '*', 'target.*', 'k', 'g', 'target', 'v', "''", "'true'", '1', "B'1'", 'v COLLATE "C" = \'a\'', 'v COLLATE "nope" = v',
         '(SELECT true)', '(VALUES (true))', '(WITH x AS (DELETE FROM fuzz.below RETURNING 1) SELECT true FROM x)', '(SELECT true FROM fuzz.below LIMIT 1 FOR UPDATE)',
         '(SELECT count(*) FROM fuzz.below b WHERE b.k = target.k) > 0', '(SELECT target.k FROM (SELECT target.*) x LIMIT 1) = 1', '(SELECT max(k) FROM fuzz.plain) > g',
         'CASE WHEN g = 1 THEN true END', 'COALESCE(g, 1) = 1', 'g IS DISTINCT FROM 2', 'NULLIF(g, 1) IS NULL', 'current_user = session_user', "current_setting('role') <> ''",
         "set_config('search_path', '', true) IS NOT NULL", "set_config('role', 'none', true) IS NOT NULL", "nextval('fuzz.counter') > 0", 'now() > \'epoch\'',
         'xmlexists(\'//a\' PASSING v)', 'GROUPING(k) = 0', 'CURRENT OF c', 'bulk_sync_version() IS NOT NULL',
         "(SELECT staged_rows FROM bulk_sync('fuzz.below', 'fuzz.equal', scope => 'true')) > 0", "pg_advisory_xact_lock(1) IS NULL", "has_table_privilege('fuzz.plain', 'select')"]
STAGED_ATOMS = ['staged.k IS NOT NULL', 'staged.v <> target.v', 'staged IS NOT NULL', 'ROW(staged.*) IS DISTINCT FROM ROW(target.*)', "to_jsonb(staged) -> 'k' IS NULL",
                'staged.g > target.g', '(staged).k = 1', 'staged::text <> target::text', 'EXISTS (SELECT FROM fuzz.plain p WHERE p.k = staged.k)', 'staged.nope = 1', 'staged.ctid IS NULL',
                '(SELECT count(*) FROM (SELECT staged.*) x) = 1', '(SELECT x FROM (SELECT staged AS x) y) IS NOT NULL', 'staged.late IS NULL', 'staged = staged', 'staged.extra IS NULL']
ODD_SQL = ['true) OR (true', 'true --', 'true /*', '/* */ true', 'true;', ';', '(', ')', 'true; DROP TABLE fuzz.bystander', "E'\\'' = ''", "'", '"', '$$', '$$true$$::boolean',
           "U&'\\0061' = 'a'", 'U&"\\006B" = 1', 'true AS x', 'true x', 'true, true', 'SELECT true', 'true FROM fuzz.plain', 'ALL true', 'DISTINCT true', 'true WHERE true', 'true UNION SELECT true',
           'true LIMIT 1', 'true FOR UPDATE', 'INTO x true', '--', ' ', '\n\t', 'é', '\\', 'true\\g', '\\! true', ':x', '%s', '%n%n', '1e400 > 0', "'\\'' = v", "v = '\\' OR true --'", "x'", 'a' * 5000,
           '(' * 300 + 'true' + ')' * 300, ' AND '.join(['g = 1'] * 500), 'NOT ' * 200 + 'true', "v = '" + 'z' * 20000 + "'", 'g IN (' + ', '.join(map(str, range(500))) + ')',
           '((' * 3000 + 'true' + '))' * 3000, "interval '1' year = v", 'target.k [1] = 1', 'k.v.g', '@ k = 1', 'k OPERATOR(pg_catalog.=) 1', 'k OPERATOR(nope.=) 1', "v = E'\\x41'"]

SETTINGS = [('work_mem', '64kB'), ('bulk_sync.work_mem', '64kB'), ('bulk_sync.work_mem', '-1'), ('maintenance_work_mem', '1MB'), ('enable_seqscan', 'off'), ('enable_tidscan', 'off'),
            ('enable_nestloop', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('enable_indexscan', 'off'), ('enable_bitmapscan', 'off'), ('enable_material', 'off'),
            ('enable_sort', 'off'), ('enable_partition_pruning', 'off'), ('enable_partitionwise_join', 'on'), ('plan_cache_mode', 'force_generic_plan'), ('DateStyle', 'SQL, DMY'),
            ('IntervalStyle', 'sql_standard'), ('TimeZone', 'Asia/Kathmandu'), ('standard_conforming_strings', 'off'), ('backslash_quote', 'on'), ('quote_all_identifiers', 'on'),
            ('search_path', ''), ('search_path', 'fuzz'), ('search_path', 'pg_temp, fuzz, pg_catalog'), ('search_path', '"fu.zz\'"" $$;--"'), ('row_security', 'off'), ('session_replication_role', 'replica'),
            ('transaction_read_only', 'on'), ('transform_null_equals', 'on'), ('extra_float_digits', '-15'), ('bytea_output', 'escape'), ('array_nulls', 'off'), ('join_collapse_limit', '1'),
            ('constraint_exclusion', 'on'), ('parallel_setup_cost', '0'), ('parallel_tuple_cost', '0'), ('min_parallel_table_scan_size', '0'), ('max_parallel_workers_per_gather', '0'),
            ('session_replication_role', 'local'), ('default_toast_compression', 'pglz'), ('xmloption', 'document'), ('check_function_bodies', 'off'), ('lc_numeric', 'C'), ('lc_monetary', 'C'),
            ('cursor_tuple_fraction', '0'), ('random_page_cost', '0'), ('cpu_tuple_cost', '1000'), ('geqo_threshold', '2'), ('statement_timeout', '0'), ('log_min_messages', 'panic'),
            ('temp_tablespaces', ''), ('default_tablespace', ''), ('gin_fuzzy_search_limit', '1'), ('synchronize_seqscans', 'off'), ('hash_mem_multiplier', '1')]
SLOW = [('jit_above_cost', '0')]
ROLES = ['none', 'none', 'none', 'fuzz_user', 'fuzz_user', 'fuzz_reader']


def literal(text):
    """A string constant that means the same whatever standard_conforming_strings says."""
    if text is NULL:
        return 'NULL'
    return "E'%s'" % text.replace('\\', '\\\\').replace("'", "''")


class Calls:
    def __init__(self, rng, version):
        self.rng = rng
        self.pairs = dict(PAIRS, **(PAIRS_18 if version >= 18 else {}))
        self.targets = list(self.pairs)

        self.wild = rng.choice([0, 0, 0.1, 0.1, 0.5, 1])        # how much nonsense this call has

    def maybe(self, share):
        return self.rng.random() < share

    def nonsense(self, share):
        return self.rng.random() < share * self.wild

    # Values of arguments

    def name(self):
        return self.rng.choice(NAMES if self.nonsense(0.5) else NAMES[:3])

    def names(self):
        """A text[]: sensible, or of the wrong shape."""
        if self.nonsense(0.2):
            return self.rng.choice(['NULL', "'{}'", "'{NULL}'", "'{{k},{v}}'", "'{{k,v},{g,NULL}}'", "'[0:1]={k,v}'", "'{k,k}'", "'{k,NULL}'", "ARRAY[]::text[]", "'{k'", "'k'", '1',
                                    "ARRAY['k']::varchar[]", "ARRAY['k']::name[]", "array_fill('k'::text, ARRAY[3])", "(SELECT array_agg('c' || i) FROM generate_series(1, 2000) i)"])
        chosen = [self.name() for _ in range(self.rng.choice([1, 1, 1, 1, 2, 2, 3, 5]))]
        if not self.nonsense(0.2):
            chosen = list(dict.fromkeys(chosen))
        return 'ARRAY[%s]::text[]' % ', '.join(literal(name) for name in chosen)

    def key(self):
        if self.nonsense(0.4):
            return self.names()
        return self.rng.choice(["'{k}'"] * 12 + ["'{g,k}'", "'{v}'", "'{k,v,g}'", "'{}'"])

    def role(self):
        """Columns for one of the roles: those that are no key."""
        return self.names() if self.nonsense(0.5) else self.rng.choice(["'{v}'", "'{v}'", "'{g}'"])

    def condition(self, staged):
        rng = self.rng
        if self.nonsense(0.3):
            return rng.choice(ODD_SQL)
        atoms = ATOMS + STAGED_ATOMS * 3 if staged else ATOMS
        sane = ['staged.g < 3', 'staged.v IS DISTINCT FROM target.v', 'target.g = 1', 'true'] if staged else ['g = 1', 'true', 'g IS NOT NULL', 'target.g < 3']
        parts = [rng.choice(atoms) if self.nonsense(0.7) or self.maybe(0.3) else rng.choice(sane)
                 for _ in range(rng.choice([1, 1, 1, 1, 2, 2, 3]))]
        text = parts[0]
        for part in parts[1:]:
            text = '%s%s %s %s' % (rng.choice(['', '', 'NOT ']), text, rng.choice(['AND', 'AND', 'OR']), part)
        if self.nonsense(0.1):                                   # a typing mistake
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice(['', '(', ')', "'", '"', '.', ' ', ',', '\\', '-- ', '$', '\n', '[']) + text[at + rng.randrange(2):]
        return text

    def json(self, depth=0):
        rng = self.rng
        scalar = rng.choice([None, True, False, 0, 1, 2, -1, 1.5, 1e300, 10 ** 30, '', 'a', 'b ', "'", '"', '1', 'junk', '2024-01-01', '[1,3)', '{1,2}', '(1,a)', 'x' * 500, '\\', '☃', 'sad', 'on'])
        if depth < 2 and self.maybe(0.15):
            return [self.json(depth + 1) for _ in range(rng.randrange(3))]
        if depth < 2 and self.maybe(0.15):
            return {self.name(): self.json(depth + 1) for _ in range(rng.randrange(3))}
        return scalar

    def scope_values(self):
        if self.nonsense(0.2):
            return literal(self.rng.choice(['{}', '[]', 'null', '1', '"g"', '{"g": 1, "g": 2}', '[{"g": 1}]', '{"": 1}', '{"g": NaN}', '{', '[' * 2000 + ']' * 2000])) + '::jsonb'
        value = {self.name(): self.json() for _ in range(self.rng.choice([0, 1, 1, 2]))} if self.nonsense(0.6) else {}
        if not value or self.maybe(0.5):
            value['g'] = self.rng.choice([1, 1, 2, None])
        return literal(json.dumps(value, ensure_ascii=False).replace('\\u0000', '')) + '::jsonb'

    def number(self):
        if not self.nonsense(1):
            return self.rng.choice(['7', '0', '1', '100'])
        return self.rng.choice(['NULL', '0', '1', '2', '7', '100', '-1', '9223372036854775807', '-9223372036854775808', '1.5', "'junk'", '1e30'])

    def fraction(self):
        return self.rng.choice(['NULL', '0', '0.5', '1', '-0.0', '1.0001', "'NaN'", "'Infinity'", '-1', '1e-320'])

    def boolean(self):
        return self.rng.choice(['true', 'false', 'true', 'false', 'NULL'])

    def word(self, words):
        if self.nonsense(0.2):
            return literal(self.name())
        return literal(self.rng.choice(words))

    def relation(self, given):
        if given is NULL:
            return 'NULL'
        return literal(given) + self.rng.choice(['', '', '::regclass'])

    # Calls

    def pair(self):
        rng = self.rng
        target = rng.choice(self.targets)
        if not self.nonsense(0.3) and self.maybe(0.95):
            return target, rng.choice(self.pairs[target])
        everything = self.targets + OTHERS
        pick = [rng.choice(everything) if self.maybe(0.93) else rng.choice(NO_RELATION) for _ in range(2)]
        return (target, pick[1]) if self.maybe(0.5) else (pick[0], pick[1])

    def shared(self):
        """Arguments of the three that compare."""
        arguments = {}
        add = {'key_columns': (0.9, self.key), 'scope_columns': (0.12, self.names), 'columns': (0.3, lambda: self.names() if self.nonsense(0.5) else self.rng.choice(["'{v}'", "'{k,v,g}'", "'{g,v}'"])), 'insert_only_columns': (0.06, self.role),
               'touch_columns': (0.06, self.role), 'fill_columns': (0.08, self.role), 'keep_columns': (0.08, self.role),
               'update_where': (0.25, lambda: literal(self.condition(True))), 'scope_values': (0.2, self.scope_values),
               'actions': (0.4, lambda: self.rng.choice(["'{insert}'", "'{insert,update}'", "'{update}'", "'{DELETE}'", "'{insert,update,delete}'"] if not self.nonsense(0.3) else ["'{insert,insert}'", self.names()])),
               'soft_delete_column': (0.04, lambda: literal(self.rng.choice(['deleted', 'gone', 'at', self.name()]))),
               'duplicates': (0.3, lambda: self.word(['first', 'last', 'LAST', 'error'])),
               'order_column': (0.08, lambda: literal(self.rng.choice(['g', 'k', self.name()])))}
        for name, (share, value) in add.items():
            if self.maybe(share):
                arguments[name] = value()
        if self.maybe(0.9):
            arguments['scope'] = literal(self.condition(False) if self.maybe(0.5) else self.rng.choice(['true', 'g = 1']))
        if self.nonsense(0.1):                                   # of a type that it has not
            arguments[self.rng.choice(list(arguments) or ['scope'])] = self.rng.choice(['1', "'{}'::int[]", 'now()', 'ROW(1)', "'x'::name", 'NULL::jsonb', "'{}'::json", 'true', "'a'::char(3)"])
        return arguments

    def writing(self, arguments):
        add = {'ignore_conflicts': (0.15, self.boolean), 'expected_rows': (0.04, self.number), 'allow_empty': (0.5, self.boolean), 'max_deletes': (0.06, self.number),
               'max_delete_fraction': (0.08, self.fraction), 'lock_mode': (0.25, lambda: self.word(['row exclusive', 'Share Update Exclusive', 'share row exclusive', 'exclusive', 'ACCESS EXCLUSIVE']))}
        for name, (share, value) in add.items():
            if self.maybe(share):
                arguments[name] = value()

    def call(self):
        """(SQL, role, settings, guard); the SQL with {ext} for the schema of the extension."""
        rng = self.rng
        function = rng.choice(['bulk_sync'] * 8 + ['bulk_compare'] * 4 + ['bulk_sync_returning'] * 5 + ['bulk_insert_changed'] * 3 + ['bulk_stage'])
        target, staged = self.pair()
        guard = NULL
        if target in GUARDED and function in ('bulk_sync', 'bulk_sync_returning') and self.maybe(0.4):
            staged = 'fuzz.grouped'
        if function == 'bulk_stage':
            arguments = self.staging()
        elif function == 'bulk_insert_changed':
            arguments = {'key_columns': self.key(), 'order_column': literal(rng.choice(['at', 'n', 'g', 'g', 'v', self.name()]))}
            if self.nonsense(0.05):
                arguments['order_column'] = 'NULL'
            if self.maybe(0.2):
                arguments['compare_columns'] = self.names()
        else:
            arguments = self.shared()
            if staged in SURPLUS and not self.nonsense(0.5):
                arguments['columns'] = rng.choice(["'{v}'", "'{v,g}'", "'{k,v,g}'"])
            if function == 'bulk_sync' and self.maybe(0.15):
                arguments['dry_run'] = self.boolean() if self.nonsense(0.3) else 'true'
            if function != 'bulk_sync' and self.maybe(0.3):
                arguments['include_unchanged'] = self.boolean()
            if function != 'bulk_compare':
                self.writing(arguments)
                guard = self.guard(target, arguments)
        first = [self.relation(target)] + ([] if function == 'bulk_stage' else [self.relation(staged)])
        text = '{ext}.%s(%s)' % (function, ', '.join(first + ['%s => %s' % argument for argument in arguments.items()]))
        settings = [part for setting in rng.sample(SETTINGS, rng.choice([0, 0, 1, 2, 4])) for part in setting]
        if self.maybe(0.002):
            settings += SLOW[0]
        return self.statement(text, function), rng.choice(ROLES), settings, guard

    def staging(self):
        arguments = {}
        if self.maybe(0.5):
            arguments['columns'] = self.names()
        if self.maybe(0.5):
            arguments['staged_name'] = literal(self.rng.choice(['made', 'temporary', 'a.b', 'pg_temp.x', 'plain', self.name()]))
        if self.maybe(0.3):
            arguments['on_commit_drop'] = self.boolean()
        return arguments

    def guard(self, target, arguments):
        """Makes the scope g = 1, in one way or the other, and gives a picture of the rows outside."""
        text = ' '.join(arguments.values())
        if target not in GUARDED or not self.maybe(0.6) or any(word in text for word in WRITING):
            return NULL
        if self.maybe(0.5):
            arguments['scope'] = "'g = 1'"
        else:
            arguments['scope_values'] = '\'{"g": 1}\''
        return ("SELECT md5(string_agg(concat_ws(',', t::text, t.tableoid, t.ctid, t.xmin, t.xmax), '|' ORDER BY t.tableoid, t.ctid)) FROM %s t WHERE g IS DISTINCT FROM 1"
                % GUARDED[target])

    def statement(self, call, function):
        forms = ['SELECT * FROM %s'] * 10 + ['SELECT %s', 'SELECT (%s)', 'SELECT count(*) FROM pg_catalog.generate_series(1, 2), LATERAL %s', 'SELECT * FROM %s LIMIT 1',
                                             'CREATE TEMPORARY TABLE copied ON COMMIT DROP AS SELECT * FROM %s', 'SELECT 1 WHERE EXISTS (SELECT FROM %s)', 'DO $x$ BEGIN PERFORM %s; END $x$',
                                             'INSERT INTO fuzz.empty (k) SELECT 1 FROM %s', 'SELECT * FROM ROWS FROM (%s, pg_catalog.generate_series(1, 3))', 'EXPLAIN (ANALYZE, COSTS OFF) SELECT * FROM %s',
                                             'SELECT 1 ORDER BY (SELECT pg_catalog.count(*) FROM %s)', 'WITH x AS MATERIALIZED (SELECT * FROM %s) SELECT * FROM x, x y']
        if function in ('bulk_sync', 'bulk_insert_changed'):
            forms.append('SELECT (%s).inserted')
        return self.rng.choice(forms).replace('%s', call)
