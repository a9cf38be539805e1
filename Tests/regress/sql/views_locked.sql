-- Below a view only such relations are locked in lock_mode as the view's owner (the caller, with security_invoker) may write to: anybody can make a
-- view of anything and give it an INSTEAD OF trigger, and must not get a lock by it that LOCK TABLE would refuse him.
-- Contract 1.6 (lock_mode), 1.7; case 194
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_user;
CREATE ROLE regress_bulk_sync_owner;
RESET client_min_messages;
CREATE SCHEMA views_locked;
SET search_path = views_locked, public;
GRANT USAGE, CREATE ON SCHEMA views_locked TO regress_bulk_sync_user, regress_bulk_sync_owner;

CREATE TABLE no_right (k int, v text);
CREATE TABLE read_only (k int, v text);
CREATE TABLE may_insert (k int, v text);
CREATE TABLE may_update (k int, v text, w text);
CREATE TABLE may_delete (k int, v text) PARTITION BY LIST (k);
CREATE TABLE may_delete_1 PARTITION OF may_delete FOR VALUES IN (1);
GRANT SELECT ON read_only TO regress_bulk_sync_user, regress_bulk_sync_owner;
GRANT INSERT (k) ON may_insert TO regress_bulk_sync_user;
GRANT UPDATE (w) ON may_update TO regress_bulk_sync_user;
GRANT DELETE ON may_delete TO regress_bulk_sync_user;
CREATE VIEW of_another AS SELECT k, v FROM no_right;
ALTER VIEW of_another OWNER TO regress_bulk_sync_owner;
GRANT SELECT ON of_another TO regress_bulk_sync_user;

SET ROLE regress_bulk_sync_user;
CREATE VIEW of_all AS SELECT k, v FROM no_right UNION ALL SELECT k, v FROM read_only UNION ALL SELECT k, v FROM may_insert UNION ALL SELECT k, v FROM may_update
	UNION ALL SELECT k, v FROM may_delete UNION ALL SELECT k, v FROM of_another UNION ALL SELECT oid::int, rolname FROM pg_authid;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER nothing INSTEAD OF INSERT ON of_all FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TABLE s AS SELECT 1 AS k, 'x'::text AS v;
CREATE FUNCTION locked(name text, mode text) RETURNS TABLE (relation name, granted text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM bulk_sync(name::regclass, 's', '{}', actions => '{insert}', lock_mode => mode);
	RETURN QUERY SELECT c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
		WHERE l.locktype = 'relation' AND l.database IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
		  AND l.pid = pg_backend_pid() AND l.mode ~ '^(Exclusive|ShareRow|AccessExclusive)' ORDER BY c.relname COLLATE "C";
END $$;
BEGIN;
SELECT * FROM locked('of_all', 'access exclusive');
ROLLBACK;
BEGIN;
SELECT * FROM locked('of_all', 'share row exclusive');
ROLLBACK;
RESET ROLE;

-- With security_invoker it is the caller's rights that count, and else the owner's alone.
CREATE VIEW invoked WITH (security_invoker) AS SELECT k, v FROM may_insert UNION ALL SELECT k, v FROM no_right;
CREATE VIEW defined AS SELECT k, v FROM may_insert UNION ALL SELECT k, v FROM no_right;
ALTER VIEW invoked OWNER TO regress_bulk_sync_owner;
ALTER VIEW defined OWNER TO regress_bulk_sync_owner;
CREATE TRIGGER nothing INSTEAD OF INSERT ON invoked FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TRIGGER nothing INSTEAD OF INSERT ON defined FOR EACH ROW EXECUTE FUNCTION nothing();
GRANT SELECT, INSERT ON invoked, defined TO regress_bulk_sync_user;
GRANT INSERT ON no_right TO regress_bulk_sync_owner;
SET ROLE regress_bulk_sync_user;
BEGIN;
SELECT * FROM locked('invoked', 'exclusive');
ROLLBACK;
BEGIN;
SELECT * FROM locked('defined', 'exclusive');
ROLLBACK;
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA views_locked CASCADE;
DROP ROLE regress_bulk_sync_user, regress_bulk_sync_owner;
