-- "scope" and "update_where" are each one expression and nothing else: no text gets out of it, whatever it holds.
-- "scope_values", staged values and names are never SQL. Contract 1.2.2, 1.2.3, 1.3.3, 6 (never build SQL from data)
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA scope_injection;
SET search_path = scope_injection, public;

CREATE TABLE t (k int PRIMARY KEY, g int, v text);
CREATE TEMPORARY TABLE s (k int, g int, v text);
INSERT INTO t VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c');
INSERT INTO s VALUES (1, 1, 'A');
CREATE TEMPORARY TABLE before AS SELECT ctid AS at, xmin AS by, xmax AS until, k FROM t;
\set untouched 'SELECT array_agg(k ORDER BY k) AS untouched FROM t JOIN before USING (k) WHERE t.ctid = at AND t.xmin = by AND t.xmax = until;'

-- Each text, as each of the two conditions: the SQLSTATE, or that it was taken, and what was planned.
CREATE FUNCTION attempt(condition text) RETURNS TABLE (as_scope text, as_update_where text) LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
  BEGIN
    SELECT * INTO r FROM bulk_sync('t', 's', scope => condition, dry_run => true);
    as_scope := format('updated %s, deleted %s', r.updated, r.deleted);
  EXCEPTION WHEN OTHERS THEN as_scope := SQLSTATE;
  END;
  BEGIN
    SELECT * INTO r FROM bulk_sync('t', 's', scope => 'g = 1', update_where => condition, dry_run => true);
    as_update_where := format('updated %s, skipped %s', r.updated, r.skipped);
  EXCEPTION WHEN OTHERS THEN as_update_where := SQLSTATE;
  END;
  RETURN NEXT;
END $$;

-- Parentheses that close one which is not in the text; a second statement; a second expression; clauses that follow a condition.
SELECT condition, a.* FROM (VALUES
  (1, 'true) OR (true'),
  (2, ') OR ('),
  (3, 'true))) --'),
  (4, 'true; DROP TABLE t'),
  (5, 'true; SELECT true'),
  (6, 'true;'),
  (7, ';'),
  (8, 'true, true'),
  (9, 'true AS x'),
  (10, 'true x'),
  (11, 'true FROM t'),
  (12, 'true WHERE true'),
  (13, 'true UNION SELECT true'),
  (14, 'true UNION ALL TABLE t'),
  (15, 'true ORDER BY 1'),
  (16, 'true LIMIT 1'),
  (17, 'true FOR UPDATE'),
  (18, 'true INTO x'),
  (19, 'true GROUP BY k'),
  (20, 'true RETURNING *'),
  (21, 'SELECT true'),
  (22, 'DISTINCT true'),
  (23, 'ALL true'),
  (24, '*'),
  (25, 'target.*'),
  (26, 'DELETE FROM t'),
  (27, 'v := true'),
  (28, 'true /* open'),
  (29, 'true ''open'),
  (30, 'true "open'),
  (31, 'true $$open'),
  (32, 'E''\'''),
  (33, '(WITH x AS (DELETE FROM t RETURNING k) SELECT true FROM x LIMIT 1)'),
  (34, 'ALL (true)'),
  (35, 'EXISTS (SELECT FROM s) OR EXISTS (SELECT 1 INTO x)'),
  (36, 'DEFAULT'),
  (37, 'CURRENT OF c')
) AS texts (n, condition), LATERAL attempt(condition) AS a ORDER BY n;
:untouched

-- Comments end where the text ends: they can hide nothing that is not in it. Line ends, tabs and semicolons inside of
-- quotes are what they are in SQL.
SELECT condition, a.* FROM (VALUES
  (1, 'g = 1 -- rest'),
  (2, 'g = 1 /* rest */'),
  (3, E'g -- all\n = 1'),
  (4, E'g\t=\r\n1'),
  (5, 'g = 1 AND v <> '';'''),
  (6, 'g = 1 AND v <> ''true) OR (true'''),
  (7, 'g = 1 AND v <> $q$; DROP TABLE t; --$q$'),
  (8, '((((g = 1))))'),
  (9, 'g = 1 OR false')
) AS texts (n, condition), LATERAL attempt(replace(replace(condition, 'g', 'target.g'), ' v ', ' target.v ')) AS a ORDER BY n;

-- The value of scope_values and the staged values are data.
CREATE TABLE names (name text PRIMARY KEY, g text);
CREATE TEMPORARY TABLE names_staged (name text);
INSERT INTO names_staged VALUES ('''; DROP TABLE names; --'), ('$$'), ('"'), ('\'), ('%s $1');
INSERT INTO names VALUES ('kept', 'x'), ('stale', ''' OR true --');
SELECT * FROM bulk_sync('names', 'names_staged', scope_values => '{"g": "'' OR true --"}');
TABLE names ORDER BY name COLLATE "C";
SELECT * FROM bulk_sync('names', 'names_staged', scope_values => '{"g": "'' OR true --"}');
-- Names are exact: quotes and dots belong to them.
\set VERBOSITY sqlstate
SELECT bulk_sync('names', 'names_staged', scope_values => '{"g\" = ''x'' OR \"g": 1}');
SELECT bulk_sync('names', 'names_staged', scope_values => '{"names.g": 1}');
SELECT bulk_sync('names', 'names_staged', scope_values => '{"target.g": 1}');
SELECT bulk_sync('names', 'names_staged', scope_values => '{"\"g\"": 1}');
SELECT bulk_sync('names', 'names_staged', scope_columns => '{names.name}');
SELECT bulk_sync('names', 'names_staged', '{"name, g"}', scope => 'true');
\set VERBOSITY default
SELECT count(*) FROM names;

-- tables and columns with the worst names, in every role that a name can have
CREATE TABLE "a"";DROP TABLE t;--" ("k"" ,""" int PRIMARY KEY, "'g'" int, "$1" text, "select" text DEFAULT '?');
CREATE TEMPORARY TABLE "S""$$" ("$1" text, "k"" ,""" int, "select" text);
INSERT INTO "a"";DROP TABLE t;--" VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c');
INSERT INTO "S""$$" VALUES ('A', 1, '?'), ('D', 4, '4');
SELECT * FROM bulk_sync('"a"";DROP TABLE t;--"', '"S""$$"', array['k" ,"'], scope => '"k"" ,""" > 0',
                        scope_values => '{"''g''": 1}', scope_columns => '{select}', keep_columns => array['$1']);
SELECT * FROM bulk_sync('"a"";DROP TABLE t;--"', '"S""$$"', array['k" ,"'], scope => 'target."k"" ,""" > 0',
                        scope_values => '{"''g''": 1}', update_where => 'staged."$1" <> target."$1"');
TABLE "a"";DROP TABLE t;--" ORDER BY 1;

SET client_min_messages = warning;
DROP SCHEMA scope_injection CASCADE;
DROP TABLE s, before, names_staged, "S""$$";
