-- The kinds of column that can hold the mark, what cannot, and what the marks are to triggers, constraints, partitions
-- and foreign keys: one UPDATE together with the updates.
-- Contract 1.3.9, 1.3.6, 1.3.8
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA soft_delete_kinds;
SET search_path = soft_delete_kinds, public;
CREATE TABLE s (k int, v text);
INSERT INTO s VALUES (1, 'a'), (3, 'c');

-- A timestamp is marked when it is not NULL, -infinity included; the mark is now() in the column's type and precision.
CREATE DOMAIN switch AS boolean;
CREATE DOMAIN strict_switch AS switch NOT NULL DEFAULT false CHECK (VALUE IN (true, false));
CREATE DOMAIN moment AS timestamp(0) with time zone;
CREATE TABLE t_timestamp (k int PRIMARY KEY, v text, gone timestamp);
CREATE TABLE t_seconds (k int PRIMARY KEY, v text, gone timestamp(0));
CREATE TABLE t_timestamptz (k int PRIMARY KEY, v text, gone timestamptz);
CREATE TABLE t_moment (k int PRIMARY KEY, v text, gone moment);
INSERT INTO t_timestamp VALUES (1, 'a', '-infinity'), (2, 'b', NULL), (4, 'd', '2000-01-01');
INSERT INTO t_seconds TABLE t_timestamp;
INSERT INTO t_timestamptz VALUES (1, 'a', 'infinity'), (2, 'b', NULL), (4, 'd', '2000-01-01');
INSERT INTO t_moment TABLE t_timestamptz;
BEGIN;
SELECT * FROM bulk_sync('t_timestamp', 's', scope => 'true', soft_delete_column => 'gone');
SELECT * FROM bulk_sync('t_seconds', 's', scope => 'true', soft_delete_column => 'gone');
SELECT * FROM bulk_sync('t_timestamptz', 's', scope => 'true', soft_delete_column => 'gone');
SELECT * FROM bulk_sync('t_moment', 's', scope => 'true', soft_delete_column => 'gone');
SELECT k, v, gone IS NULL AS live, gone = localtimestamp AS now FROM t_timestamp ORDER BY k;
SELECT k, v, gone IS NULL AS live, gone = now()::timestamp(0) AS now FROM t_seconds ORDER BY k;
SELECT k, v, gone IS NULL AS live, gone = now() AS now FROM t_timestamptz ORDER BY k;
SELECT k, v, gone IS NULL AS live, gone = now()::timestamptz(0) AS now FROM t_moment ORDER BY k;
COMMIT;

-- Booleans: plain NOT NULL, a domain, a domain over it that is NOT NULL.
CREATE TABLE t_boolean (k int PRIMARY KEY, v text, gone boolean NOT NULL DEFAULT false);
CREATE TABLE t_switch (k int PRIMARY KEY, v text, gone switch);
CREATE TABLE t_strict (k int PRIMARY KEY, v text, gone strict_switch);
INSERT INTO t_boolean VALUES (1, 'a', true), (2, 'b', false), (4, 'd', true);
INSERT INTO t_switch TABLE t_boolean;
INSERT INTO t_strict TABLE t_boolean;
SELECT * FROM bulk_sync('t_boolean', 's', scope => 'true', soft_delete_column => 'gone');
SELECT * FROM bulk_sync('t_switch', 's', scope => 'true', soft_delete_column => 'gone');
SELECT * FROM bulk_sync('t_strict', 's', scope => 'true', soft_delete_column => 'gone');
TABLE t_boolean ORDER BY k;
TABLE t_switch ORDER BY k;
TABLE t_strict ORDER BY k;
SELECT * FROM bulk_sync('t_strict', 's', scope => 'true', soft_delete_column => 'gone');

-- The constraints of the column and its domain hold for the mark and for what a revival writes.
\set VERBOSITY sqlstate
CREATE DOMAIN never AS boolean CHECK (VALUE IS NOT TRUE);
CREATE TABLE t_never (k int PRIMARY KEY, v text, gone never);
INSERT INTO t_never VALUES (2, 'b', false);
SELECT * FROM bulk_sync('t_never', 's', scope => 'true', soft_delete_column => 'gone');
CREATE TABLE t_always (k int PRIMARY KEY, v text, gone timestamptz NOT NULL DEFAULT now());
INSERT INTO t_always VALUES (1, 'a');
SELECT * FROM bulk_sync('t_always', 's', scope => 'true', soft_delete_column => 'gone');
CREATE DOMAIN fixed AS timestamptz NOT NULL;
CREATE TABLE t_fixed (k int PRIMARY KEY, v text, gone fixed);
INSERT INTO t_fixed VALUES (1, 'a', now());
SELECT * FROM bulk_sync('t_fixed', 's', actions => '{update}', soft_delete_column => 'gone');
CREATE TABLE t_check (k int PRIMARY KEY, v text, gone boolean, CHECK (NOT gone OR v <> 'b'));
INSERT INTO t_check VALUES (2, 'b', false);
SELECT * FROM bulk_sync('t_check', 's', scope => 'true', soft_delete_column => 'gone');
TABLE t_never;
TABLE t_check;
SELECT k, v, gone IS NOT NULL AS marked FROM t_fixed;

-- What cannot be a mark: another type, a key, a generated column, one that does not exist, one with a role, none at all.
CREATE TABLE t_bad (k int PRIMARY KEY, v text, d date, i int, txt text, b boolean, tm time, bs boolean[],
                    g boolean GENERATED ALWAYS AS (v IS NULL) STORED);
SELECT * FROM bulk_sync('t_bad', 's', scope => 'true', soft_delete_column => 'd');
SELECT * FROM bulk_sync('t_bad', 's', scope => 'true', soft_delete_column => 'i');
SELECT * FROM bulk_sync('t_bad', 's', scope => 'true', soft_delete_column => 'txt');
SELECT * FROM bulk_sync('t_bad', 's', scope => 'true', soft_delete_column => 'tm');
SELECT * FROM bulk_sync('t_bad', 's', scope => 'true', soft_delete_column => 'bs');
SELECT * FROM bulk_sync('t_bad', 's', scope => 'true', soft_delete_column => 'nonesuch');
SELECT * FROM bulk_sync('t_bad', 's', scope => 'true', soft_delete_column => 'xmin');
SELECT * FROM bulk_sync('t_bad', 's', scope => 'true', soft_delete_column => 'b', touch_columns => '{b}');
SELECT * FROM bulk_sync('t_bad', 's', scope => 'true', soft_delete_column => '');
\set VERBOSITY default
-- NULL is the default: deletes that delete
SELECT * FROM bulk_sync('t_check', 's', scope => 'true', soft_delete_column => NULL, dry_run => true);

-- To triggers, marks and updates are one UPDATE statement and no DELETE; a row trigger sees each row.
CREATE TABLE seen (n int GENERATED ALWAYS AS IDENTITY, what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO seen (what) VALUES (concat_ws(' ', TG_WHEN, TG_OP, TG_LEVEL,
    CASE WHEN TG_LEVEL = 'ROW' THEN format('%s %s->%s', coalesce(NEW.k, OLD.k), OLD.gone, NEW.gone) END));
  RETURN coalesce(NEW, OLD);
END $$;
CREATE FUNCTION note_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO seen (what) SELECT 'transition ' || string_agg(format('%s %s->%s', k, o.gone, n.gone), ', ' ORDER BY k)
    FROM old_rows o JOIN new_rows n USING (k);
  RETURN NULL;
END $$;
CREATE TABLE tg (k int PRIMARY KEY, v text, gone boolean DEFAULT false);
INSERT INTO tg VALUES (1, 'old', false), (2, 'b', false), (3, 'c', true), (4, 'd', true), (5, 'e', false);
CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON tg FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER b BEFORE INSERT OR UPDATE OR DELETE ON tg FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER c AFTER INSERT OR UPDATE OR DELETE ON tg FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER d AFTER UPDATE ON tg REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION note_transition();
CREATE TRIGGER e AFTER UPDATE OF gone ON tg FOR EACH STATEMENT EXECUTE FUNCTION note();
BEGIN;
SELECT * FROM bulk_sync('tg', 's', scope => 'true', soft_delete_column => 'gone');
SELECT what, count(*) FROM seen GROUP BY what ORDER BY what COLLATE "C";
ROLLBACK;
-- marks alone are an UPDATE too; nothing to mark and nothing to update is none
BEGIN;
SELECT * FROM bulk_sync('tg', 's', scope => 'true', soft_delete_column => 'gone', actions => '{delete}');
SELECT what, count(*) FROM seen GROUP BY what ORDER BY what COLLATE "C";
TRUNCATE seen;
SELECT * FROM bulk_sync('tg', 's', scope => 'true', soft_delete_column => 'gone', actions => '{delete}');
TABLE seen;
ROLLBACK;
-- a BEFORE trigger that suppresses the mark: not counted, still live
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END $$;
CREATE TRIGGER z BEFORE UPDATE ON tg FOR EACH ROW WHEN (NEW.k IN (2, 3)) EXECUTE FUNCTION refuse();
SELECT * FROM bulk_sync('tg', 's', scope => 'true', soft_delete_column => 'gone');
TABLE tg ORDER BY k;

-- A mark moves no reference: the foreign keys that point at the row do not act.
CREATE TABLE parent (k int PRIMARY KEY, v text, gone timestamptz);
CREATE TABLE child (parent int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO parent VALUES (1, 'a'), (2, 'b');
INSERT INTO child VALUES (1), (2);
SELECT * FROM bulk_sync('parent', 's', scope => 'true', soft_delete_column => 'gone');
SELECT k, v, gone IS NOT NULL AS marked FROM parent ORDER BY k;
TABLE child ORDER BY 1;

-- Partitions by the mark: marking and reviving move the row, and are one deleted and one updated row.
CREATE TABLE tp (v text, gone boolean DEFAULT false, k int) PARTITION BY LIST (gone);
CREATE TABLE tp_gone (k int, gone boolean, v text);
ALTER TABLE tp ATTACH PARTITION tp_gone FOR VALUES IN (true);
CREATE TABLE tp_live PARTITION OF tp FOR VALUES IN (false, NULL);
INSERT INTO tp (k, v, gone) VALUES (1, 'old', true), (2, 'b', false), (3, 'c', NULL), (4, 'd', true);
SELECT * FROM bulk_sync('tp', 's', '{k}', scope => 'true', soft_delete_column => 'gone');
SELECT k, v, gone, tableoid::regclass AS partition FROM tp ORDER BY k;
SELECT * FROM bulk_sync('tp', 's', '{k}', scope => 'true', soft_delete_column => 'gone');

-- The groups that occur, staged duplicates, an order column and supplied values go with a mark as with a delete.
CREATE TABLE tc (company int, name text, v int, gone boolean NOT NULL DEFAULT false, PRIMARY KEY (company, name));
CREATE TABLE sc (company int, name text, v int, rank int, gone boolean);
INSERT INTO tc VALUES (1, 'a', 1, false), (1, 'b', 1, true), (1, 'c', 1, true), (2, 'a', 1, false), (3, 'a', 1, false);
INSERT INTO sc VALUES (1, 'b', 2, 1, true), (1, 'b', 3, 2, true), (2, 'z', 1, 1, true);
SELECT * FROM bulk_sync('tc', 'sc', scope_columns => '{company}', soft_delete_column => 'gone', duplicates => 'last',
                        order_column => 'rank');
TABLE tc ORDER BY company, name;

SET client_min_messages = warning;
DROP SCHEMA soft_delete_kinds CASCADE;
