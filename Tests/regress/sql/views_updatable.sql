-- Views that PostgreSQL can update by itself: simple, filtered with and without CHECK OPTION,
-- renamed, on views, as a security barrier, with defaults and expressions of their own
-- Contract 1.0.5, 1.1.1, 1.2.5, 1.3.4, 1.3.8, 1.6, 1.7; cases 155, 157
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA views_updatable;
SET search_path = views_updatable, public;
\set VERBOSITY sqlstate

-- The life of a synced table, a line for each step: see the file
\getenv abs_srcdir PG_ABS_SRCDIR
\set life :abs_srcdir '/include/life.sql'
\set ECHO none
\i :life
\set ECHO all

-- a simple view; columns of the table that it does not show keep their values and take their defaults
CREATE TABLE base (w int DEFAULT 7, v text CHECK (v <> 'bad'), k int PRIMARY KEY, g int);
CREATE VIEW simple AS SELECT k, g, v FROM base;
SELECT * FROM life('simple', 'life_staged', '');
UPDATE base SET w = k;
CREATE TEMPORARY TABLE s (k int, g int, v text);
INSERT INTO s VALUES (2, 1, 'again'), (3, 2, 'C'), (40, 1, 'new');
CREATE TEMPORARY TABLE before AS SELECT ctid AS c, xmin AS x, * FROM base;
SELECT * FROM bulk_sync('simple', 's', '{k}', scope => 'true');
SELECT base.*, base.ctid = c AND base.xmin = x AS untouched FROM base LEFT JOIN before USING (k) ORDER BY k;
-- a view has no primary key
SELECT * FROM bulk_sync('simple', 's', scope => 'true');

-- renamed and reordered columns, as a security barrier, on a view
CREATE TABLE other_base (val text CHECK (val <> 'bad'), d int, id int PRIMARY KEY, grp int);
ALTER TABLE other_base DROP d;
CREATE VIEW renamed WITH (security_barrier) AS SELECT grp AS g, val AS v, id AS k FROM other_base;
CREATE VIEW on_view AS SELECT v, k, g FROM renamed WHERE k > 0;
SELECT * FROM life('renamed', 'life_staged', '');
TRUNCATE other_base;
INSERT INTO other_base (id, grp, val) VALUES (-1, 1, 'hidden');
SELECT * FROM life('on_view', 'life_staged', '');
SELECT id, grp, val FROM other_base ORDER BY id;
-- a scope, a condition and the roles speak of the view's names, never of the table's
TRUNCATE s;
INSERT INTO s VALUES (2, 1, 'condition'), (7, 1, 'condition');
SELECT * FROM bulk_sync('on_view', 's', '{k}', scope => 'target.g = 1', update_where => 'target.v < staged.v AND target.k = 2', actions => '{update}');
SELECT * FROM bulk_sync('on_view', 's', '{k}', scope => 'grp = 1');
SELECT id, grp, val FROM other_base ORDER BY id;

-- a filtered view: rows that it hides are no part of the target
TRUNCATE base;
INSERT INTO base (k, g, v) VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'hidden');
CREATE VIEW group_1 AS SELECT * FROM base WHERE g = 1;
TRUNCATE s;
INSERT INTO s VALUES (2, 1, 'B'), (4, 1, 'd');
SELECT * FROM bulk_sync('group_1', 's', '{k}', scope => 'true');
TABLE base ORDER BY k;
-- a key of a hidden row is a plain unique violation
INSERT INTO s VALUES (3, 1, 'collides');
SELECT * FROM bulk_sync('group_1', 's', '{k}', scope => 'true');
TABLE base ORDER BY k;
-- without CHECK OPTION a row may be written out of the view, as in any DML on it
DELETE FROM s WHERE k = 3;
INSERT INTO s VALUES (5, 2, 'leaves');
SELECT * FROM bulk_sync('group_1', 's', '{k}', scope => 'true');
TABLE base ORDER BY k;
-- but not out of a stated scope
UPDATE s SET k = 6 WHERE k = 5;
SELECT * FROM bulk_sync('group_1', 's', '{k}', scope => 'g = 1');
-- with it that is 44000, by an insert or an update, and nothing is written
CREATE VIEW group_1_checked AS SELECT * FROM base WHERE g = 1 WITH CHECK OPTION;
DROP TABLE before;
CREATE TEMPORARY TABLE before AS SELECT ctid AS c, xmin AS x, * FROM base;
SELECT * FROM bulk_sync('group_1_checked', 's', '{k}', scope => 'true');
UPDATE s SET v = 'again', g = CASE k WHEN 2 THEN 2 ELSE 1 END;
SELECT * FROM bulk_sync('group_1_checked', 's', '{k}', scope => 'true');
SELECT count(*) = (SELECT count(*) FROM before) AS held, count(b.k) = count(*) AS untouched
  FROM base LEFT JOIN before b ON b.c = base.ctid AND b.x = base.xmin;
UPDATE s SET g = 1;
SELECT * FROM bulk_sync('group_1_checked', 's', '{k}', scope => 'true');
TABLE base ORDER BY k;
-- cascaded to the views below, or local
CREATE VIEW cascaded AS SELECT * FROM group_1 WHERE k < 100 WITH CASCADED CHECK OPTION;
CREATE VIEW local AS SELECT * FROM group_1 WHERE k < 100 WITH LOCAL CHECK OPTION;
TRUNCATE s;
INSERT INTO s VALUES (50, 3, 'group 3');
SELECT * FROM bulk_sync('cascaded', 's', '{k}', scope => 'true', actions => '{insert}');
SELECT * FROM bulk_sync('local', 's', '{k}', scope => 'true', actions => '{insert}');
UPDATE s SET k = 150;
SELECT * FROM bulk_sync('local', 's', '{k}', scope => 'true', actions => '{insert}');
SELECT * FROM base WHERE g = 3;

-- defaults of the view come before those of the table
CREATE VIEW with_default AS SELECT * FROM base;
ALTER VIEW with_default ALTER w SET DEFAULT 99;
TRUNCATE base, s;
INSERT INTO s VALUES (1, 1, 'a');
SELECT * FROM bulk_sync('with_default', 's', '{k}', scope => 'true');
TABLE base ORDER BY k;

-- a column that is an expression: as a key it is matched, and it is never set by an update
CREATE TABLE word (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, written text, n int);
CREATE VIEW folded AS SELECT lower(written) AS word, n FROM word;
INSERT INTO word (written, n) VALUES ('One', 1), ('TWO', 2), ('three', 3);
CREATE TEMPORARY TABLE folded_staged (word text, n int);
INSERT INTO folded_staged VALUES ('one', 1), ('two', 22), ('four', 4);
SELECT * FROM bulk_sync('folded', 'folded_staged', '{word}', scope => 'true', actions => '{update,delete}');
SELECT written, n FROM word ORDER BY id;

-- NULL keys, and equal rows, through a view
CREATE TABLE loose (k int, v text);
CREATE VIEW loose_view AS SELECT * FROM loose;
INSERT INTO loose VALUES (NULL, 'x'), (1, 'stale'), (1, 'stale');
TRUNCATE s;
ALTER TABLE s DROP g;
INSERT INTO s VALUES (NULL, 'y'), (2, 'b');
SELECT * FROM bulk_sync('loose_view', 's', '{k}', scope => 'true');
SELECT * FROM loose ORDER BY k;
INSERT INTO loose VALUES (2, 'b');
SELECT * FROM bulk_sync('loose_view', 's', '{k}', scope => 'true');

-- soft delete through a view
CREATE TABLE marked (k int PRIMARY KEY, v text, gone_at timestamptz);
CREATE VIEW marked_view AS SELECT k, v, gone_at AS gone FROM marked;
INSERT INTO marked VALUES (1, 'a', NULL), (2, 'b', NULL), (3, 'c', now());
TRUNCATE s;
INSERT INTO s VALUES (2, 'b'), (3, 'c'), (4, 'd');
SELECT * FROM bulk_sync('marked_view', 's', '{k}', scope => 'true', soft_delete_column => 'gone');
SELECT k, v, gone_at IS NOT NULL AS gone FROM marked ORDER BY k;
SELECT * FROM bulk_sync('marked_view', 's', '{k}', scope => 'true', soft_delete_column => 'gone');

-- a view over a partitioned table, whose rows move, and over an inheritance parent
CREATE TABLE parted (k int, g int, v text CHECK (v <> 'bad')) PARTITION BY LIST (g);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
CREATE VIEW parted_view AS SELECT v, k, g FROM parted;
SELECT * FROM life('parted_view', 'life_staged', '');
SELECT tableoid::regclass AS leaf, * FROM parted ORDER BY k;
CREATE TABLE family (k int, v text);
CREATE TABLE child (more int DEFAULT 3) INHERITS (family);
CREATE VIEW family_view AS SELECT * FROM family;
INSERT INTO family VALUES (1, 'stale'), (2, 'parent');
INSERT INTO child VALUES (3, 'stale'), (4, 'child');
TRUNCATE s;
INSERT INTO s VALUES (2, 'changed'), (4, 'changed'), (5, 'new');
SELECT * FROM bulk_sync('family_view', 's', '{k}', scope => 'true');
SELECT tableoid::regclass AS in_table, * FROM family ORDER BY k;

-- the rights are those on the view, and the owner's on the table; with security_invoker the caller's on both
CREATE ROLE regress_bulk_sync_viewer;
GRANT USAGE ON SCHEMA views_updatable TO regress_bulk_sync_viewer;
CREATE VIEW as_invoker WITH (security_invoker) AS SELECT * FROM loose;
GRANT SELECT, INSERT, UPDATE, DELETE ON loose_view, as_invoker TO regress_bulk_sync_viewer;
GRANT SELECT ON s TO regress_bulk_sync_viewer;
TRUNCATE loose;
SET ROLE regress_bulk_sync_viewer;
SELECT * FROM bulk_sync('loose_view', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('as_invoker', 's', '{k}', scope => 'true');
RESET ROLE;
REVOKE DELETE ON loose_view FROM regress_bulk_sync_viewer;
SET ROLE regress_bulk_sync_viewer;
SELECT * FROM bulk_sync('loose_view', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('loose_view', 's', '{k}', actions => '{insert,update}');
RESET ROLE;

-- the lock is that of LOCK TABLE: on the view, the views below it and their tables with all children
DELETE FROM life_staged WHERE v = 'bad';
BEGIN;
SELECT count(*) FROM bulk_sync('on_view', 'life_staged', '{k}', scope => 'true', lock_mode => 'exclusive');
SELECT count(*) FROM bulk_sync('parted_view', 'life_staged', '{k}', scope => 'true', lock_mode => 'share row exclusive');
SELECT relation::regclass AS relation, mode FROM pg_locks
  WHERE pid = pg_backend_pid() AND relation::regclass::text IN ('on_view', 'renamed', 'other_base', 'parted_view', 'parted', 'parted_1', 'parted_rest')
    AND mode IN ('ExclusiveLock', 'ShareRowExclusiveLock') ORDER BY relation::regclass::text COLLATE "C";
ROLLBACK;

-- views that cannot be written: 55000, before a row is read, by a dry run too
CREATE VIEW joined AS SELECT a.k, b.v FROM loose a JOIN loose b USING (k);
CREATE VIEW grouped AS SELECT k, min(v) AS v FROM loose GROUP BY k;
CREATE VIEW uniq AS SELECT DISTINCT k, v FROM loose;
CREATE VIEW united AS SELECT k, v FROM loose UNION ALL SELECT k, v FROM family;
CREATE VIEW limited AS SELECT k, v FROM loose LIMIT 5;
CREATE VIEW listed AS VALUES (1, 'a');
CREATE VIEW on_joined AS SELECT * FROM joined;
SELECT * FROM bulk_sync('joined', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('joined', 's', '{k}', scope => 'true', dry_run => true);
SELECT * FROM bulk_sync('grouped', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('uniq', 's', '{k}', actions => '{insert}');
SELECT * FROM bulk_sync('united', 's', '{k}', actions => '{update}');
SELECT * FROM bulk_sync('limited', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('listed', 's', '{column1}', scope => 'true');
SELECT * FROM bulk_sync('on_joined', 's', '{k}', scope => 'true');

SET client_min_messages = warning;
DROP SCHEMA views_updatable CASCADE;
DROP TABLE life_staged, s, before, folded_staged;
DROP ROLE regress_bulk_sync_viewer;
