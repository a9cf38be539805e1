-- What a caller must be allowed on the target and on the staged table: the privileges that the same DML would need, column by column,
-- asked for by the arguments and never by the rows, and all of them before a row is read.
-- Contract 1.3.8, 1.4 (order of checks), 1.5 (dry_run), 1.7; cases 191, 194, 196, 220
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_user;
RESET client_min_messages;
CREATE SCHEMA privileges;
SET search_path = privileges, public;
GRANT USAGE ON SCHEMA privileges TO regress_bulk_sync_user;

-- Makes the call as the user, undoes it, and says the counts (staged, inserted, updated, unchanged, skipped, deleted) or the SQLSTATE.
CREATE FUNCTION attempt(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	PERFORM set_config('role', 'regress_bulk_sync_user', true);
	EXECUTE 'SELECT r::text FROM ' || call || ' r' INTO result;
	RAISE EXCEPTION USING ERRCODE = 'ZZ000', MESSAGE = result;
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN SQLERRM;
	WHEN OTHERS THEN RETURN SQLSTATE;
END $$;

-- 1. Each privilege on the table missing alone
CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE TABLE s (k int, v text);            -- one insert, one update, one equal, one delete
CREATE TABLE equal (k int, v text);        -- nothing to do at all
INSERT INTO t VALUES (1, 'stale'), (2, 'old'), (3, 'same');
INSERT INTO s VALUES (2, 'new'), (3, 'same'), (4, 'more');
INSERT INTO equal TABLE t;
GRANT SELECT ON s, equal TO regress_bulk_sync_user;
CREATE TEMPORARY TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, * FROM t;

-- Without one of the four the call is refused, be there a row for it or not, and a dry run likewise; with all four it works.
CREATE FUNCTION without(lacking text) RETURNS TABLE (missing text, work text, nothing_to_do text, dry_run text) LANGUAGE plpgsql AS $$
BEGIN
	GRANT SELECT, INSERT, UPDATE, DELETE ON t TO regress_bulk_sync_user;
	IF lacking <> 'nothing' THEN
		EXECUTE format('REVOKE %s ON t FROM regress_bulk_sync_user', lacking);
	END IF;
	RETURN QUERY SELECT lacking,
		attempt($call$bulk_sync('t', 's', scope => 'true')$call$),
		attempt($call$bulk_sync('t', 'equal', scope => 'true')$call$),
		attempt($call$bulk_sync('t', 's', scope => 'true', dry_run => true)$call$);
	REVOKE ALL ON t FROM regress_bulk_sync_user;
END $$;
SELECT w.* FROM unnest('{select,insert,update,delete,all,nothing}'::text[]) WITH ORDINALITY u (p, n), without(p) w ORDER BY n;

-- Only the actions asked for count: the others' privileges may be missing.
CREATE FUNCTION with_actions(granted text) RETURNS TABLE (had text, insert text, update text, delete text, insert_update text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('GRANT %s ON t TO regress_bulk_sync_user', granted);
	RETURN QUERY SELECT granted,
		attempt($call$bulk_sync('t', 's', actions => '{insert}')$call$),
		attempt($call$bulk_sync('t', 's', actions => '{update}')$call$),
		attempt($call$bulk_sync('t', 's', actions => '{delete}', scope => 'true')$call$),
		attempt($call$bulk_sync('t', 's', actions => '{insert,update}')$call$);
	REVOKE ALL ON t FROM regress_bulk_sync_user;
END $$;
SELECT w.* FROM unnest('{"select,insert","select,update","select,delete","select,insert,update","insert,update,delete","select,truncate,references,trigger"}'::text[])
	WITH ORDINALITY u (p, n), with_actions(p) w ORDER BY n;

-- The words of the refusal are PostgreSQL's.
GRANT SELECT, INSERT, UPDATE ON t TO regress_bulk_sync_user;
SET ROLE regress_bulk_sync_user;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
RESET ROLE;

-- 2. It comes before any row is read, before the lock and the guards, and before the refusal of a read-only transaction;
-- but after arguments and columns have been looked at (contract 1.4).
CREATE FUNCTION reading() RETURNS SETOF t LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a staged row was read'; END $$;
CREATE VIEW read_me_not AS SELECT * FROM reading();
CREATE TABLE bad_values (k text, v text);
INSERT INTO bad_values VALUES ('no number', 'a'), ('no number', 'b');
GRANT SELECT ON read_me_not, bad_values TO regress_bulk_sync_user;
SELECT attempt($$bulk_sync('t', 'read_me_not', scope => 'true')$$) AS staged_not_read,
       attempt($$bulk_sync('t', 'bad_values', scope => 'true')$$) AS staged_not_converted,
       attempt($$bulk_sync('t', 's', scope => 'true', expected_rows => 99, max_deletes => 0)$$) AS guards_come_later,
       attempt($$bulk_sync('t', 's', scope => 'true', columns => '{nope}')$$) AS columns_come_earlier,
       attempt($$bulk_sync('t', 's', scope => 'nope')$$) AS conditions_come_earlier,
       attempt($$bulk_sync('t', 's')$$) AS arguments_come_earlier;
BEGIN READ ONLY;
SET LOCAL ROLE regress_bulk_sync_user;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'true');
ROLLBACK;
\set VERBOSITY default

-- What the user may see of the scope does not depend on rows either: a scope that is true nowhere still needs it all.
SELECT attempt($$bulk_sync('t', 's', scope => 'false')$$);
REVOKE ALL ON t FROM regress_bulk_sync_user;

-- 3. The staged table: SELECT on it is all that is needed, on the columns that are read; nothing else will do instead.
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO regress_bulk_sync_user;
CREATE TABLE not_mine (k int, v text, secret text);
SELECT attempt($$bulk_sync('t', 'not_mine', scope => 'true', allow_empty => true, columns => '{v}')$$) AS nothing_granted;
GRANT INSERT, UPDATE, DELETE, TRUNCATE ON not_mine TO regress_bulk_sync_user;
SELECT attempt($$bulk_sync('t', 'not_mine', scope => 'true', allow_empty => true, columns => '{v}')$$) AS all_but_select;
GRANT SELECT (k) ON not_mine TO regress_bulk_sync_user;
SELECT attempt($$bulk_sync('t', 'not_mine', scope => 'true', allow_empty => true, columns => '{v}')$$) AS select_on_key_only;
GRANT SELECT (v) ON not_mine TO regress_bulk_sync_user;
SELECT attempt($$bulk_sync('t', 'not_mine', scope => 'true', allow_empty => true, columns => '{v}')$$) AS select_on_synced;
SELECT attempt($$bulk_sync('t', 'not_mine', scope => 'true', allow_empty => true, columns => '{v}', update_where => 'staged.secret IS NULL')$$) AS update_where_reads_another,
       attempt($$bulk_sync('t', 'not_mine', scope => 'true', allow_empty => true, columns => '{v}', duplicates => 'last', order_column => 'secret')$$) AS order_column_is_another;

-- Through a view the user needs the view alone.
CREATE VIEW part AS SELECT k, v FROM not_mine;
GRANT SELECT ON part TO regress_bulk_sync_user;
REVOKE ALL (k, v) ON not_mine FROM regress_bulk_sync_user;
SELECT attempt($$bulk_sync('t', 'part', scope => 'true', allow_empty => true)$$);

-- 4. Nothing but these: no right to make temporary tables, none to create in a schema.
SELECT current_database() AS db \gset
REVOKE TEMPORARY ON DATABASE :"db" FROM PUBLIC;
SELECT attempt($$bulk_sync('t', 's', scope => 'true')$$);
GRANT TEMPORARY ON DATABASE :"db" TO PUBLIC;

-- Membership in a role that has the privileges is enough; being a member that does not inherit them is not.
CREATE ROLE regress_bulk_sync_group;
REVOKE ALL ON t FROM regress_bulk_sync_user;
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO regress_bulk_sync_group;
GRANT regress_bulk_sync_group TO regress_bulk_sync_user;
SELECT attempt($$bulk_sync('t', 's', scope => 'true')$$);
REVOKE regress_bulk_sync_group FROM regress_bulk_sync_user;
SELECT attempt($$bulk_sync('t', 's', scope => 'true')$$);

-- 5. SET ROLE between calls of one session: each call is judged by the role of its moment, also from a prepared statement.
PREPARE sync AS SELECT * FROM bulk_sync('t', 's', scope => 'true', dry_run => true);
EXECUTE sync;
\set VERBOSITY sqlstate
SET ROLE regress_bulk_sync_user;
EXECUTE sync;
RESET ROLE;
EXECUTE sync;

-- 6. System catalogs are refused to everybody (42501), with the right to write them too.
SELECT * FROM bulk_sync('pg_class', 's', '{oid}', scope => 'true');
SELECT * FROM bulk_sync('pg_catalog.pg_description', 's', '{objoid}', actions => '{insert}', dry_run => true);

-- 7. A relation that is not there: 42P01, not an internal error.
SELECT * FROM bulk_sync(0::regclass, 's', scope => 'true');
SELECT * FROM bulk_sync(4294967295::regclass, 's', scope => 'true');
SELECT * FROM bulk_sync('t', 4294967295::regclass, scope => 'true');
SELECT * FROM bulk_sync('t', '-', scope => 'true');
CREATE TABLE dropped (k int PRIMARY KEY, v text);
SELECT 'dropped'::regclass::oid AS dropped \gset
DROP TABLE dropped;
SELECT * FROM bulk_sync(:dropped::regclass, 's', scope => 'true');
SELECT * FROM bulk_sync('t', :dropped::regclass, scope => 'true');
-- On a prepared statement too, whose constant is the OID of the time.
CREATE TABLE dropped (k int PRIMARY KEY, v text);
PREPARE sync_dropped AS SELECT * FROM bulk_sync('dropped', 's', scope => 'true', dry_run => true);
EXECUTE sync_dropped;
DROP TABLE dropped;
EXECUTE sync_dropped;
DEALLOCATE ALL;
\set VERBOSITY default

-- After all of this the target is as it was.
SELECT count(*) FILTER (WHERE t.ctid = old_ctid AND t.xmin = old_xmin AND t.v = before.v) AS untouched, count(*) AS of
  FROM t FULL JOIN before USING (k);

SET client_min_messages = warning;
DROP SCHEMA privileges CASCADE;
DROP TABLE before;
DROP ROLE regress_bulk_sync_user, regress_bulk_sync_group;
