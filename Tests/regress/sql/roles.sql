-- What each role of a column does, for every combination of NULL, equal and different values on both sides, held
-- against a small model in SQL; and what the roles mean for an insert, a move out of scope and a changed key image.
-- Contract 1.3.1, 1.3.2, 1.3.3, 1.0.4, 1.2.5
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA roles;
SET search_path = roles, public;

-- One column of each role; p has none. In the target every column is NULL or 'x', in the staged table NULL, 'x' or 'y':
-- (2 * 3) ^ 5 rows, every combination once. The rows with a negative key are new, those above 7776 are stale.
CREATE TABLE value_pair (o text, n text);
INSERT INTO value_pair SELECT * FROM unnest('{NULL,x}'::text[]) o, unnest('{NULL,x,y}'::text[]) n;
CREATE TABLE combination AS
  SELECT row_number() OVER ()::int AS k, a.o AS po, a.n AS pn, b.o AS io, b.n AS inew, c.o AS too, c.n AS tn,
         d.o AS fo, d.n AS fn, e.o AS ko, e.n AS kn
    FROM value_pair a, value_pair b, value_pair c, value_pair d, value_pair e;
CREATE TABLE t (k int PRIMARY KEY, p text, insert_only text, touch text DEFAULT 'default', fill text DEFAULT 'default',
                keep text DEFAULT 'default', aside text DEFAULT 'default');
CREATE TABLE s (keep text, fill text, touch text, insert_only text, p text, k int);

-- The model: does a row change, and what is it then?
CREATE VIEW model AS
  SELECT k, changes,
         CASE WHEN changes THEN pn ELSE po END AS p,
         io AS insert_only,
         CASE WHEN changes THEN tn ELSE too END AS touch,
         coalesce(fo, fn) AS fill,
         coalesce(kn, ko) AS keep
    FROM combination,
         LATERAL (SELECT po IS DISTINCT FROM pn OR (fo IS NULL AND fn IS NOT NULL)
                         OR (kn IS NOT NULL AND ko IS DISTINCT FROM kn) AS changes) c;

CREATE FUNCTION fill_tables() RETURNS void LANGUAGE sql AS $$
  TRUNCATE t, s;
  INSERT INTO t SELECT k, po, io, too, fo, ko, 'kept' FROM combination;
  INSERT INTO t VALUES (8001, 'stale');
  INSERT INTO s SELECT kn, fn, tn, inew, pn, k FROM combination;
  INSERT INTO s SELECT kn, fn, tn, inew, pn, -k FROM combination WHERE k <= 7776 / 2;
  DROP TABLE IF EXISTS before;
  CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, * FROM t;
$$;
SELECT fill_tables();
SELECT count(*) AS staged, count(*) FILTER (WHERE changes) AS updated, count(*) FILTER (WHERE NOT changes) AS unchanged
  FROM model;

-- the numbers are those of the model, in a dry run too
SELECT * FROM bulk_sync('t', 's', scope => 'true', insert_only_columns => '{insert_only}', touch_columns => '{touch}',
                        fill_columns => '{fill}', keep_columns => '{keep}', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true', insert_only_columns => '{insert_only}', touch_columns => '{touch}',
                        fill_columns => '{fill}', keep_columns => '{keep}');

-- no row is other than the model says (no rows)
SELECT m.*, t.* FROM model m FULL JOIN (SELECT * FROM t WHERE k > 0) t USING (k)
 WHERE (m.p, m.insert_only, m.touch, m.fill, m.keep, 'kept')
       IS DISTINCT FROM (t.p, t.insert_only, t.touch, t.fill, t.keep, t.aside) ORDER BY 1 LIMIT 5;
-- a row without a change keeps its version, one with a change has another
SELECT changes, t.ctid = old_ctid AND t.xmin = old_xmin AS untouched, count(*) > 0 AS some
  FROM t JOIN before USING (k) JOIN model USING (k) GROUP BY 1, 2 ORDER BY 1, 2;
-- a new row takes every staged value, NULL as well: a role is about updates (no rows)
SELECT * FROM s LEFT JOIN t USING (k)
 WHERE k < 0 AND (s.p, s.insert_only, s.touch, s.fill, s.keep, 'default')
                 IS DISTINCT FROM (t.p, t.insert_only, t.touch, t.fill, t.keep, t.aside) ORDER BY 1 LIMIT 5;
-- nothing is left to do
SELECT * FROM bulk_sync('t', 's', scope => 'true', insert_only_columns => '{insert_only}', touch_columns => '{touch}',
                        fill_columns => '{fill}', keep_columns => '{keep}');

-- update_where is asked for the rows that would change: the others stay unchanged, not skipped.
-- It sees the target as stored and the staged values as staged, whatever the role.
SELECT fill_tables();
SELECT count(*) AS staged, count(*) FILTER (WHERE changes AND asked) AS updated,
       count(*) FILTER (WHERE NOT changes) AS unchanged, count(*) FILTER (WHERE changes AND asked IS NOT TRUE) AS skipped
  FROM (SELECT changes, fn = 'y' AND io IS NULL AND tn IS NOT NULL AND inew <> 'x' AS asked
          FROM model JOIN combination USING (k)) m;
SELECT * FROM bulk_sync('t', 's', actions => '{update}', columns => '{p,insert_only,touch,fill,keep}',
                        insert_only_columns => '{insert_only}', touch_columns => '{touch}',
                        fill_columns => '{fill}', keep_columns => '{keep}',
                        update_where => $$staged.fill = 'y' AND target.insert_only IS NULL AND staged.touch IS NOT NULL
                                          AND staged.insert_only <> 'x'$$);

-- no role but one: insert-only and touch columns alone never give a reason to update
SELECT fill_tables();
SELECT * FROM bulk_sync('t', 's', actions => '{update}', columns => '{insert_only,touch}',
                        insert_only_columns => '{insert_only}', touch_columns => '{touch}');
SELECT count(*) AS rows, bool_and(t.ctid = old_ctid AND t.xmin = old_xmin) AS untouched FROM t JOIN before USING (k);
-- everything insert-only: new rows come, nothing is updated
SELECT * FROM bulk_sync('t', 's', actions => '{insert,update}', insert_only_columns => '{p,insert_only,touch,fill,keep}');
-- two columns of one role, each judged by itself
TRUNCATE t, s;
INSERT INTO t VALUES (1, NULL, NULL), (2, 'x', NULL), (3, NULL, 'x'), (4, 'x', 'x');
INSERT INTO s (k, p, insert_only) VALUES (1, 'y', NULL), (2, 'y', 'y'), (3, NULL, 'y'), (4, 'y', NULL);
BEGIN;
SELECT * FROM bulk_sync('t', 's', columns => '{p,insert_only}', fill_columns => '{insert_only,p}', actions => '{update}');
SELECT k, p, insert_only FROM t ORDER BY k;
ROLLBACK;
SELECT * FROM bulk_sync('t', 's', columns => '{p,insert_only}', keep_columns => '{insert_only,p}', actions => '{update}');
SELECT k, p, insert_only FROM t ORDER BY k;

-- A changed image of the key is a change: the touch column is written with it, the fill column with a value is not.
CREATE TABLE tn (k numeric PRIMARY KEY, touch text, fill text, keep text, insert_only text);
CREATE TABLE sn (LIKE tn);
INSERT INTO tn VALUES (1.0, 'old', 'old', 'old', 'old'), (2.0, 'old', 'old', 'old', 'old');
INSERT INTO sn VALUES (1.00, 'new', 'new', NULL, 'new'), (2.0, 'new', 'new', NULL, 'new');
SELECT * FROM bulk_sync('tn', 'sn', scope => 'true', touch_columns => '{touch}', fill_columns => '{fill}',
                        keep_columns => '{keep}', insert_only_columns => '{insert_only}');
TABLE tn ORDER BY k;

-- A role decides whether a row leaves the scope: what is not written cannot move it.
CREATE TABLE tr (k int PRIMARY KEY, region int, v text);
CREATE TABLE sr (LIKE tr);
INSERT INTO tr VALUES (1, 10, 'a'), (2, 10, 'b');
INSERT INTO sr VALUES (1, 20, 'new'), (2, NULL, 'b');
CREATE TABLE before_tr AS SELECT ctid AS old_ctid, xmin AS old_xmin, * FROM tr;
BEGIN;
SELECT * FROM bulk_sync('tr', 'sr', scope => 'region = 10', insert_only_columns => '{region}');
TABLE tr ORDER BY k;
ROLLBACK;
BEGIN;
SELECT * FROM bulk_sync('tr', 'sr', scope => 'region = 10', fill_columns => '{region}');
TABLE tr ORDER BY k;
ROLLBACK;
\set VERBOSITY sqlstate
-- as touch column it is written with the change of v in row 1; as keep column the 20 of row 1 is written
SELECT * FROM bulk_sync('tr', 'sr', scope => 'region = 10', touch_columns => '{region}');
SELECT * FROM bulk_sync('tr', 'sr', scope => 'region = 10', keep_columns => '{region}');
UPDATE sr SET region = 10 WHERE k = 1;
-- row 2: kept by its NULL; as touch column not written, for nothing else changes; without a role it would leave
BEGIN;
SELECT * FROM bulk_sync('tr', 'sr', scope => 'region = 10', keep_columns => '{region}');
ROLLBACK;
BEGIN;
SELECT * FROM bulk_sync('tr', 'sr', scope => 'region = 10', touch_columns => '{region}');
ROLLBACK;
SELECT * FROM bulk_sync('tr', 'sr', scope => 'region = 10');
-- a new row takes the staged value in every role, and is held against the scope with it
INSERT INTO sr VALUES (3, 20, 'c');
SELECT * FROM bulk_sync('tr', 'sr', scope => 'region = 10', insert_only_columns => '{region}');
SELECT * FROM bulk_sync('tr', 'sr', scope => 'region = 10', touch_columns => '{region}');
SELECT * FROM bulk_sync('tr', 'sr', scope => 'region = 10', fill_columns => '{region}');
SELECT * FROM bulk_sync('tr', 'sr', scope => 'region = 10', keep_columns => '{region}');
SELECT count(*) AS rows, bool_and(t.ctid = old_ctid AND t.xmin = old_xmin) AS untouched FROM tr t JOIN before_tr USING (k);

-- What a role may not name: two roles, a key, a column that is not synced, one that does not exist, one twice, NULL.
SELECT * FROM bulk_sync('t', 's', actions => '{update}', touch_columns => '{p}', fill_columns => '{p}');
SELECT * FROM bulk_sync('t', 's', actions => '{update}', keep_columns => '{p}', insert_only_columns => '{p}');
SELECT * FROM bulk_sync('t', 's', actions => '{update}', touch_columns => '{k}');
SELECT * FROM bulk_sync('t', 's', actions => '{update}', insert_only_columns => '{k}');
SELECT * FROM bulk_sync('t', 's', actions => '{update}', fill_columns => '{aside}');
SELECT * FROM bulk_sync('t', 's', actions => '{update}', columns => '{p}', keep_columns => '{keep}');
SELECT * FROM bulk_sync('t', 's', actions => '{update}', keep_columns => '{nonesuch}');
SELECT * FROM bulk_sync('t', 's', actions => '{update}', keep_columns => '{keep,keep}');
SELECT * FROM bulk_sync('t', 's', actions => '{update}', keep_columns => '{keep,NULL}');
-- the empty list and NULL are no role at all
SELECT * FROM bulk_sync('t', 's', actions => '{update}', columns => '{p}', keep_columns => '{}', fill_columns => NULL,
                        touch_columns => NULL, insert_only_columns => '{}', dry_run => true);

SET client_min_messages = warning;
DROP SCHEMA roles CASCADE;
