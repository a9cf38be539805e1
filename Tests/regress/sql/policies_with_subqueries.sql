-- Policies for UPDATE and DELETE that read other tables: they are applied, with the rights of the table's user, by a dry run too, and what they
-- read is locked as any query locks what it reads.
-- Contract 1.3.8, 1.5; cases 197, 205
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_user;
RESET client_min_messages;
CREATE SCHEMA policies_with_subqueries;
SET search_path = policies_with_subqueries, public;
GRANT USAGE ON SCHEMA policies_with_subqueries TO regress_bulk_sync_user;

CREATE TABLE may_change (k int, who text);
CREATE TABLE may_remove (k int, who text);
CREATE VIEW removable AS SELECT k FROM may_remove WHERE who = 'regress_bulk_sync_user';
CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE TABLE s (k int, v text);
INSERT INTO t SELECT i, 'old' FROM generate_series(1, 6) i;
INSERT INTO s VALUES (1, 'new'), (2, 'new'), (3, 'old'), (7, 'new');
INSERT INTO may_change VALUES (1, 'regress_bulk_sync_user'), (2, 'somebody');
INSERT INTO may_remove VALUES (4, 'regress_bulk_sync_user'), (5, 'somebody');
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON t FOR SELECT USING (true);
CREATE POLICY add ON t FOR INSERT WITH CHECK (true);
CREATE POLICY change ON t FOR UPDATE USING (EXISTS (SELECT FROM may_change c WHERE c.k = t.k AND c.who = current_user));
CREATE POLICY remove ON t FOR DELETE USING (k IN (SELECT r.k FROM removable r));
GRANT ALL ON t, s TO regress_bulk_sync_user;
GRANT SELECT ON may_change, removable TO regress_bulk_sync_user;

SET ROLE regress_bulk_sync_user;
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'true', dry_run => true);
SELECT c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
 WHERE l.pid = pg_backend_pid() AND c.relname IN ('may_change', 'may_remove', 'removable') ORDER BY 1;
ROLLBACK;
BEGIN;
SELECT action, key FROM bulk_compare('t', 's', scope => 'true') ORDER BY action, key;
SELECT count(*) AS locked FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
 WHERE l.pid = pg_backend_pid() AND c.relname IN ('may_change', 'may_remove', 'removable');
ROLLBACK;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
RESET ROLE;
SELECT * FROM t ORDER BY k;

-- A policy that reads what the caller may not read is an error, as in UPDATE and DELETE, and by a dry run too.
INSERT INTO s VALUES (6, 'new');
REVOKE SELECT ON may_change FROM regress_bulk_sync_user;
SET ROLE regress_bulk_sync_user;
SELECT * FROM bulk_sync('t', 's', scope => 'true', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true');
UPDATE t SET v = v;
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA policies_with_subqueries CASCADE;
DROP ROLE regress_bulk_sync_user;
