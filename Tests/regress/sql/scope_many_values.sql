-- A scope that names its rows one by one: a hundred thousand keys, a NULL among them, and none at all. The empty list is
-- an empty scope and never the whole table.
-- Contract 1.2.2, 1.2.5; case 211
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA scope_many_values;
SET search_path = scope_many_values, public;

CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE TABLE s (k int, v text);
INSERT INTO t SELECT i, 'old' FROM generate_series(1, 200) i;
INSERT INTO s SELECT i, 'new' FROM generate_series(1, 100) i;
-- the keys as a program would send them: quoted as a literal, or (better) from a table
CREATE FUNCTION any_of(VARIADIC keys int[]) RETURNS text LANGUAGE sql RETURN format('k = ANY (%L::int[])', keys);
\set untouched 'SELECT count(*), count(*) FILTER (WHERE v = ''old'') AS old FROM t;'

-- rows 51 to 100 change, those above are stale, and those below are staged for a place outside
\set VERBOSITY sqlstate
SELECT bulk_sync('t', 's', scope => any_of(VARIADIC array_agg(i))) FROM generate_series(51, 100000) i;
\set VERBOSITY default
DELETE FROM s WHERE k <= 50;
BEGIN;
SELECT length(any_of(VARIADIC array_agg(i))) > 500000 AS long, bulk_sync('t', 's', scope => any_of(VARIADIC array_agg(i))) FROM generate_series(51, 100000) i;
:untouched
ROLLBACK;
-- NULL among them is no key of any row
BEGIN;
SELECT bulk_sync('t', 's', scope => any_of(VARIADIC array_agg(nullif(i, 150)))) FROM generate_series(51, 199) i;
:untouched
ROLLBACK;
-- nothing at all, NULL, and NULL alone: every staged row is outside, and no stored one is inside
\set VERBOSITY sqlstate
SELECT bulk_sync('t', 's', scope => $$k = ANY ('{}'::int[])$$);
SELECT bulk_sync('t', 's', scope => $$k = ANY (NULL::int[])$$);
SELECT bulk_sync('t', 's', scope => $$k = ANY ('{NULL}'::int[])$$);
\set VERBOSITY default
TRUNCATE s;
SELECT * FROM bulk_sync('t', 's', scope => $$k = ANY ('{}'::int[])$$, allow_empty => true);
SELECT * FROM bulk_sync('t', 's', scope => $$k = ANY (NULL::int[])$$, allow_empty => true);
SELECT * FROM bulk_sync('t', 's', scope => $$k = ANY ('{NULL}'::int[])$$, allow_empty => true);
:untouched
-- the complement of nothing is all, that of NULL is nothing
SELECT deleted FROM bulk_sync('t', 's', scope => $$k <> ALL ('{NULL,1}'::int[])$$, allow_empty => true, dry_run => true);
SELECT deleted FROM bulk_sync('t', 's', scope => $$k <> ALL ('{}'::int[])$$, allow_empty => true, dry_run => true);

SET client_min_messages = warning;
DROP SCHEMA scope_many_values CASCADE;
