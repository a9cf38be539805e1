-- The argument "scope_values": equality, and the value of inserted rows. Contract 1.0.2, 1.2.1, 1.2.3, 1.2.5; cases 7, 8, 11
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA scope_values;
SET search_path = scope_values, public;

CREATE TABLE t (g int, k int, v text DEFAULT 'default', PRIMARY KEY (g, k));
CREATE TEMPORARY TABLE s (k int, v text);
CREATE TEMPORARY TABLE before (at tid, by xid, until xid, g int, k int);
\set fill 'TRUNCATE t, before; INSERT INTO t VALUES (1, 1, \'a\'), (1, 2, \'b\'), (2, 1, \'c\'), (2, 3, \'d\'); INSERT INTO before SELECT ctid, xmin, xmax, g, k FROM t;'
\set untouched 'SELECT array_agg(g || \'/\' || k ORDER BY g, k) AS untouched FROM t JOIN before USING (g, k) WHERE t.ctid = at AND t.xmin = by AND t.xmax = until;'

-- A supplied column is not staged: it limits the call to the company's rows, and new rows get the value. As part of the
-- primary key it counts as staged.
:fill
INSERT INTO s VALUES (1, 'A'), (3, 'new');
SELECT * FROM bulk_sync('t', 's', scope_values => '{"g": 1}');
TABLE t ORDER BY g, k;
:untouched
SELECT * FROM bulk_sync('t', 's', scope_values => '{"g": 1}');
-- or is named as a key, or is none
:fill
SELECT * FROM bulk_sync('t', 's', '{k,g}', scope_values => '{"g": 1}', dry_run => true);
SELECT * FROM bulk_sync('t', 's', '{k}', scope_values => '{"g": 1}');
TABLE t ORDER BY g, k;
-- without the value the key column is missing
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'g = 1');
\set VERBOSITY default
-- the whole key supplied: at most one row is staged, which replaces the one
:fill
CREATE TEMPORARY TABLE one AS SELECT 'one' AS v;
SELECT * FROM bulk_sync('t', 'one', scope_values => '{"g": 1, "k": 2}');
:untouched
\set VERBOSITY sqlstate
INSERT INTO one VALUES ('two');
SELECT * FROM bulk_sync('t', 'one', scope_values => '{"g": 1, "k": 2}');
\set VERBOSITY default

-- Synced and named: the value limits, and a staged row with another one is refused, naming it (NULL is another one).
CREATE TEMPORARY TABLE full_staged (g int, k int, v text);
INSERT INTO full_staged VALUES (1, 1, 'A');
:fill
SELECT * FROM bulk_sync('t', 'full_staged', '{k}', scope_values => '{"g": 1}', dry_run => true);
INSERT INTO full_staged VALUES (2, 9, 'smuggled');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 'full_staged', scope_values => '{"g": 1}');
SELECT * FROM bulk_sync('t', 'full_staged', '{k}', scope_values => '{"g": 1}');
UPDATE full_staged SET g = NULL WHERE k = 9;
SELECT * FROM bulk_sync('t', 'full_staged', '{k}', scope_values => '{"g": 1}');
\set VERBOSITY default
:untouched
-- staged, but left out of "columns": then it is supplied like one that is not staged at all, except as a key
CREATE TABLE plain (k int PRIMARY KEY, g int, v text);
INSERT INTO plain VALUES (1, 1, 'a'), (2, 2, 'b');
SELECT * FROM bulk_sync('plain', 'full_staged', scope_values => '{"g": 1}', columns => '{v}');
TABLE plain ORDER BY k;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 'full_staged', scope_values => '{"g": 1}', columns => '{v}');
\set VERBOSITY default

-- Several values are ANDed; other arguments too.
TRUNCATE plain;
INSERT INTO plain VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'a'), (4, 1, 'a');
CREATE TEMPORARY TABLE keys (k int);
INSERT INTO keys VALUES (1), (9);
SELECT * FROM bulk_sync('plain', 'keys', scope_values => '{"g": 1, "v": "a"}', dry_run => true);
SELECT * FROM bulk_sync('plain', 'keys', scope_values => '{"g": 1, "v": "a"}', scope => 'k <> 4');
TABLE plain ORDER BY k;

-- JSON null means IS NULL, never "any value"; the new rows get NULL, not the default.
CREATE TABLE nullable (k int, g int DEFAULT 7, UNIQUE (k, g));
INSERT INTO nullable VALUES (1, NULL), (2, NULL), (1, 1), (3, 7);
SELECT * FROM bulk_sync('nullable', 'keys', '{k}', scope_values => '{"g": null}');
TABLE nullable ORDER BY g NULLS FIRST, k;
SELECT * FROM bulk_sync('nullable', 'keys', '{g,k}', scope_values => '{"g": null}');

-- Values are converted as jsonb_populate_record does: to the column's type and type modifier.
CREATE TABLE typed (k int PRIMARY KEY, i smallint, n numeric(6,2), x text, b boolean, d date, a int[], j jsonb, c char(4), p point,
                    r int4range, u uuid);
INSERT INTO typed VALUES (1, 1, 1.5, '1', true, '2024-02-29', '{1,2}', '{"a": [1]}', 'ab', '(1,2)', '[1,3)',
                          '00000000-0000-0000-0000-000000000001');
SELECT value, unchanged, inserted FROM (VALUES
  (1, '{"i": 1}'), (2, '{"i": "1"}'), (4, '{"n": 1.499}'), (5, '{"n": "1.50"}'), (6, '{"x": 1}'), (7, '{"x": "1"}'),
  (8, '{"b": true}'), (9, '{"b": "yes"}'), (10, '{"d": "2024-02-29"}'), (11, '{"a": [1, 2]}'), (12, '{"a": "{1,2}"}'),
  (13, '{"j": {"a": [1]}}'), (14, '{"c": "ab"}'), (15, '{"c": "ab  "}'), (16, '{"r": "(0,2]"}'),
  (17, '{"u": "00000000000000000000000000000001"}')) AS v (n, value),
  LATERAL bulk_sync('typed', 'keys', scope_values => value::jsonb, scope => 'k = 1 OR k = 9', dry_run => true) ORDER BY n;
-- a value that does not fit, a column that cannot be compared, a name that is none
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('typed', 'keys', scope_values => '{"i": 70000}');
SELECT * FROM bulk_sync('typed', 'keys', scope_values => '{"i": "one"}');
SELECT * FROM bulk_sync('typed', 'keys', scope_values => '{"i": 1.0}');
SELECT * FROM bulk_sync('typed', 'keys', scope_values => '{"i": {}}');
SELECT * FROM bulk_sync('typed', 'keys', scope_values => '{"n": 123456}');
SELECT * FROM bulk_sync('typed', 'keys', scope_values => '{"p": "(1,2)"}');
SELECT * FROM bulk_sync('typed', 'keys', scope_values => '{"nope": 1}');
SELECT * FROM bulk_sync('typed', 'keys', scope_values => '{"I": 1}');
SELECT * FROM bulk_sync('typed', 'keys', scope_values => '{"ctid": "(0,1)"}');
SELECT * FROM bulk_sync('typed', 'keys', scope_values => '{"": 1}');
-- no object, or an empty one: neither is the whole table
SELECT * FROM bulk_sync('typed', 'keys', scope_values => '{}');
SELECT * FROM bulk_sync('typed', 'keys', scope_values => '[]');
SELECT * FROM bulk_sync('typed', 'keys', scope_values => '[{"i": 1}]');
SELECT * FROM bulk_sync('typed', 'keys', scope_values => 'null');
SELECT * FROM bulk_sync('typed', 'keys', scope_values => '"i"');
SELECT * FROM bulk_sync('typed', 'keys', scope_values => '1');
SELECT * FROM bulk_sync('typed', 'keys', scope_values => 'true');
\set VERBOSITY default
SELECT count(*) FROM typed;

-- Equality is the target column's own: numeric 1.0 is 1, a domain is its base type, and its constraint is kept.
CREATE DOMAIN company AS int CHECK (VALUE > 0);
CREATE TABLE owned (k int PRIMARY KEY, owner company, share numeric);
INSERT INTO owned VALUES (1, 1, 1.00), (2, 1, 1.0), (3, 2, 1);
SELECT * FROM bulk_sync('owned', 'keys', scope_values => '{"owner": 1, "share": 1}');
TABLE owned ORDER BY k;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('owned', 'keys', scope_values => '{"owner": 0}');
\set VERBOSITY default

-- A generated column limits, but cannot be supplied; an identity column is given the value.
CREATE TABLE made (k int PRIMARY KEY, g int GENERATED ALWAYS AS (k % 2) STORED, i int GENERATED BY DEFAULT AS IDENTITY);
INSERT INTO made (k) VALUES (1), (2), (3);
DELETE FROM keys; INSERT INTO keys VALUES (1), (5);
SELECT * FROM bulk_sync('made', 'keys', scope_values => '{"g": 1}');
SELECT k, g FROM made ORDER BY k;
INSERT INTO keys VALUES (6);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('made', 'keys', scope_values => '{"g": 1}');
\set VERBOSITY default
SELECT k, g FROM made ORDER BY k;
DELETE FROM keys WHERE k < 6;
SELECT * FROM bulk_sync('made', 'keys', scope_values => '{"i": 100}');
SELECT * FROM made WHERE i = 100;

SET client_min_messages = warning;
DROP SCHEMA scope_values CASCADE;
DROP TABLE s, before, one, full_staged, keys;
