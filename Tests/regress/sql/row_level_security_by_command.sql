-- Policies for one command each: rows that Ann may see and not update or delete are skipped and not deleted, the same in a dry run;
-- policies with subqueries, restrictive ones, on partitions, below views, and with soft delete.
-- Contract 1.3.6, 1.3.8, 1.3.9, 1.5; cases 197, 199, 203
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_ann;
CREATE ROLE regress_bulk_sync_owner;
RESET client_min_messages;
CREATE SCHEMA row_level_security_by_command;
SET search_path = row_level_security_by_command, public;
GRANT USAGE ON SCHEMA row_level_security_by_command TO regress_bulk_sync_ann, regress_bulk_sync_owner;

-- Makes the call as Ann, undoes it, and says the counts (staged, inserted, updated, unchanged, skipped, deleted), or the SQLSTATE and message.
CREATE FUNCTION attempt(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	PERFORM set_config('role', 'regress_bulk_sync_ann', true);
	EXECUTE 'SELECT r::text FROM ' || call || ' r' INTO result;
	RAISE EXCEPTION USING ERRCODE = 'ZZ000', MESSAGE = result;
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN SQLERRM;
	WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- 1. All rows may be seen, odd ones updated, those below 5 deleted, new ones from 20 on inserted.
CREATE TABLE t (k int PRIMARY KEY, v text);
INSERT INTO t SELECT k, 'old' FROM generate_series(1, 10) k;
CREATE TABLE s (k int, v text);
INSERT INTO s VALUES (3, 'new'), (4, 'new'), (5, 'old'), (6, 'old'), (7, 'new'), (8, 'new'), (20, 'new');
GRANT ALL ON t, s TO regress_bulk_sync_ann, regress_bulk_sync_owner;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON t FOR SELECT USING (true);
CREATE POLICY inserted ON t FOR INSERT WITH CHECK (k >= 20);
CREATE POLICY updated ON t FOR UPDATE USING (k % 2 = 1) WITH CHECK (v <> 'forbidden');
CREATE POLICY deleted ON t FOR DELETE USING (k < 5);
CREATE TEMPORARY TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, xmax AS old_xmax, * FROM t;

-- 4 and 8 are skipped, of the stale 1, 2, 9, 10 two are deleted; the dry run knows it.
SELECT attempt($$bulk_sync('t', 's', scope => 'true', dry_run => true)$$) AS dry_run, attempt($$bulk_sync('t', 's', scope => 'true')$$) AS run;
-- Rows that cannot be deleted are not counted by the guards.
SELECT attempt($$bulk_sync('t', 's', scope => 'true', max_deletes => 2)$$) AS two, attempt($$bulk_sync('t', 's', scope => 'true', max_deletes => 1)$$) AS one;
SET ROLE regress_bulk_sync_ann;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
-- The second time the same rows are skipped.
SELECT * FROM bulk_sync('t', 's', scope => 'true');
RESET ROLE;
SELECT array_agg(k ORDER BY k) AS untouched FROM t JOIN before USING (k) WHERE t.ctid = old_ctid AND t.xmin = old_xmin AND t.xmax = old_xmax;

-- The checks: what WITH CHECK forbids is an error, not a row skipped.
CREATE TABLE wrong (k int, v text);
INSERT INTO wrong VALUES (3, 'forbidden');
CREATE TABLE wrong_new (k int, v text);
INSERT INTO wrong_new VALUES (19, 'new');
GRANT SELECT ON wrong, wrong_new TO regress_bulk_sync_ann, regress_bulk_sync_owner;
SELECT attempt($$bulk_sync('t', 'wrong', actions => '{update}')$$) AS updated, attempt($$bulk_sync('t', 'wrong_new', actions => '{insert}')$$) AS inserted;

-- 2. No policy for a command: nothing may be written by it, and all the rest goes on; where none allows an insert, inserting is an error.
DROP POLICY inserted ON t;
DROP POLICY updated ON t;
DROP POLICY deleted ON t;
SELECT attempt($$bulk_sync('t', 's', scope => 'true')$$) AS read_only;
INSERT INTO s VALUES (21, 'new');
SELECT attempt($$bulk_sync('t', 's', scope => 'true', actions => '{update,delete}')$$) AS no_insert, attempt($$bulk_sync('t', 's', scope => 'true')$$) AS insert;
-- A row may be inserted that its writer will not see: INSERT asks the INSERT policy alone.
DROP POLICY seen ON t;
CREATE POLICY seen ON t FOR SELECT USING (k < 21);
CREATE POLICY inserted ON t FOR INSERT WITH CHECK (true);
SELECT attempt($$bulk_sync('t', 's', actions => '{insert}')$$);
-- A row may not be updated into what its writer will not see: UPDATE asks the SELECT policy too, as it does in ordinary DML.
CREATE POLICY updated ON t FOR UPDATE USING (true);
DROP POLICY seen ON t;
CREATE POLICY seen ON t FOR SELECT USING (v = 'old');
UPDATE t SET v = 'old' WHERE k = 3;
DELETE FROM s WHERE k <> 3;
SELECT attempt($$bulk_sync('t', 's', actions => '{update}')$$);

-- 3. A policy with a subquery, run with Ann's rights and under the policies of the table it reads; and a restrictive one on top.
CREATE TABLE members (who text, grp int);
INSERT INTO members VALUES ('regress_bulk_sync_ann', 1), ('bob', 2), ('regress_bulk_sync_ann', 3);
ALTER TABLE members ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON members USING (who = current_user);
CREATE TABLE g (k int PRIMARY KEY, v text, grp int);
INSERT INTO g VALUES (1, 'old', 1), (2, 'old', 2), (3, 'old', 3), (4, 'stale', 1), (5, 'stale', 2), (6, 'stale', 3);
CREATE TABLE g_staged (k int, v text, grp int);
INSERT INTO g_staged VALUES (1, 'new', 1), (3, 'new', 3), (7, 'more', 1);
GRANT ALL ON g, g_staged TO regress_bulk_sync_ann;
ALTER TABLE g ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_groups ON g TO regress_bulk_sync_ann USING (grp IN (SELECT m.grp FROM members m));
SELECT attempt($$bulk_sync('g', 'g_staged', scope => 'true')$$) AS members_not_readable;
GRANT SELECT ON members TO regress_bulk_sync_ann;
SELECT attempt($$bulk_sync('g', 'g_staged', scope => 'true', dry_run => true)$$) AS dry_run, attempt($$bulk_sync('g', 'g_staged', scope => 'true')$$) AS run;
CREATE POLICY not_three ON g AS RESTRICTIVE FOR UPDATE USING (grp <> 3);
SELECT attempt($$bulk_sync('g', 'g_staged', scope => 'true', dry_run => true)$$) AS dry_run, attempt($$bulk_sync('g', 'g_staged', scope => 'true')$$) AS restricted;
INSERT INTO g_staged VALUES (8, 'foreign', 2);
SELECT attempt($$bulk_sync('g', 'g_staged', scope => 'true')$$) AS into_a_foreign_group;

-- 4. Partitions and children: the policies of the table named, not those of the parts.
CREATE TABLE p (k int PRIMARY KEY, v text) PARTITION BY RANGE (k);
CREATE TABLE p_low PARTITION OF p FOR VALUES FROM (0) TO (5);
CREATE TABLE p_high PARTITION OF p FOR VALUES FROM (5) TO (50);
INSERT INTO p SELECT k, 'old' FROM generate_series(1, 8) k;
CREATE TABLE p_staged (k int, v text);
INSERT INTO p_staged VALUES (2, 'new'), (6, 'new'), (30, 'new');
GRANT ALL ON p, p_low, p_staged TO regress_bulk_sync_ann;
ALTER TABLE p ENABLE ROW LEVEL SECURITY;
CREATE POLICY even ON p USING (k % 2 = 0);
ALTER TABLE p_low ENABLE ROW LEVEL SECURITY;
SELECT attempt($$bulk_sync('p', 'p_staged', scope => 'true', dry_run => true)$$) AS dry_run, attempt($$bulk_sync('p', 'p_staged', scope => 'true')$$) AS through_the_parent,
       attempt($$bulk_sync('p_low', 'p_staged', actions => '{update,delete}', scope => 'true')$$) AS the_part_hides_all;

-- 5. Below a view the policies are those of the view's owner; with security_invoker, Ann's.
CREATE VIEW g_view AS SELECT * FROM g;
ALTER VIEW g_view OWNER TO regress_bulk_sync_owner;
GRANT ALL ON g_view TO regress_bulk_sync_ann;
GRANT ALL ON g TO regress_bulk_sync_owner;
GRANT SELECT ON members TO regress_bulk_sync_owner;
DELETE FROM g_staged WHERE k = 8;
CREATE POLICY all_to_owner ON g TO regress_bulk_sync_owner USING (grp = 2) WITH CHECK (true);
UPDATE g_staged SET grp = 2 WHERE k = 7;
DELETE FROM g_staged WHERE k <> 7;
SELECT attempt($$bulk_sync('g_view', 'g_staged', '{k}', scope => 'true')$$) AS of_the_owner;
ALTER VIEW g_view SET (security_invoker = true);
SELECT attempt($$bulk_sync('g_view', 'g_staged', '{k}', actions => '{update,delete}', scope => 'true')$$) AS of_ann;

-- 6. Soft delete: marking is an update, and its policies decide. What may be seen and not updated stays live.
CREATE TABLE soft (k int PRIMARY KEY, v text, gone boolean NOT NULL DEFAULT false);
INSERT INTO soft VALUES (1, 'stale', false), (2, 'stale', false), (3, 'old', false), (4, 'old', true), (5, 'old', true);
CREATE TABLE soft_staged (k int, v text);
INSERT INTO soft_staged VALUES (3, 'new'), (4, 'new'), (5, 'new');
GRANT ALL ON soft, soft_staged TO regress_bulk_sync_ann;
ALTER TABLE soft ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON soft FOR SELECT USING (true);
CREATE POLICY written ON soft FOR UPDATE USING (k NOT IN (2, 5));
SELECT attempt($$bulk_sync('soft', 'soft_staged', scope => 'true', soft_delete_column => 'gone', dry_run => true)$$) AS dry_run,
       attempt($$bulk_sync('soft', 'soft_staged', scope => 'true', soft_delete_column => 'gone')$$) AS no_delete_policy_needed;
ALTER POLICY written ON soft WITH CHECK (NOT gone);
SELECT attempt($$bulk_sync('soft', 'soft_staged', scope => 'true', soft_delete_column => 'gone')$$) AS mark_forbidden;
-- Marked rows that are hidden: none can be marked (its writer would not see it), none be revived, and their keys are taken.
ALTER POLICY written ON soft USING (true) WITH CHECK (true);
ALTER POLICY seen ON soft USING (NOT gone);
CREATE POLICY inserted ON soft FOR INSERT WITH CHECK (true);
SELECT attempt($$bulk_sync('soft', 'soft_staged', scope => 'true', soft_delete_column => 'gone')$$) AS mark_hides,
       attempt($$bulk_sync('soft', 'soft_staged', actions => '{insert,update}', soft_delete_column => 'gone')$$) AS revive_hidden,
       attempt($$bulk_sync('soft', 'soft_staged', actions => '{update}', soft_delete_column => 'gone')$$) AS update_only;

SET client_min_messages = warning;
DROP SCHEMA row_level_security_by_command CASCADE;
DROP TABLE before;
DROP ROLE regress_bulk_sync_ann, regress_bulk_sync_owner;
