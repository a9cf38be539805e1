-- Rights at one remove: through a view its owner's rights count below it (the caller's, with security_invoker), through a SECURITY DEFINER
-- function the definer's, and in all other cases the caller's: bulk_sync gives nobody a right he has not.
-- Contract 1.3.8, 1.7, the paragraphs at the end; cases 212, 214, 215
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_user;
CREATE ROLE regress_bulk_sync_owner;
RESET client_min_messages;
CREATE SCHEMA privileges_through_views;
SET search_path = privileges_through_views, public;
GRANT USAGE ON SCHEMA privileges_through_views TO regress_bulk_sync_user, regress_bulk_sync_owner;

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

CREATE TABLE base (k int PRIMARY KEY, v text, tenant int NOT NULL DEFAULT 1);
INSERT INTO base VALUES (1, 'stale', 1), (2, 'old', 1), (3, 'same', 1), (9, 'of another', 2);
CREATE TABLE s (k int, v text);
INSERT INTO s VALUES (2, 'new'), (3, 'same'), (4, 'more');
GRANT SELECT ON s TO regress_bulk_sync_user;

-- 1. A view of another's table: the user has rights on the view only, its owner on the table.
CREATE VIEW mine AS SELECT k, v FROM base WHERE tenant = 1;
ALTER VIEW mine OWNER TO regress_bulk_sync_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON mine TO regress_bulk_sync_user;
GRANT SELECT, INSERT (k, v), UPDATE (v), DELETE ON base TO regress_bulk_sync_owner;
SELECT attempt($$bulk_sync('mine', 's', '{k}', scope => 'true')$$) AS all_that_is_needed;

-- Each right of the view's owner below it is needed, whatever the rows, and also for a dry run; having it oneself is of no use.
CREATE FUNCTION owner_without(lacking text) RETURNS TABLE (missing text, work text, nothing_to_do text, dry_run text) LANGUAGE plpgsql AS $$
BEGIN
	GRANT SELECT, INSERT, UPDATE, DELETE ON base TO regress_bulk_sync_owner, regress_bulk_sync_user;
	EXECUTE format('REVOKE %s ON base FROM regress_bulk_sync_owner', lacking);
	RETURN QUERY SELECT lacking,
		attempt($call$bulk_sync('mine', 's', '{k}', scope => 'true')$call$),
		attempt($call$bulk_sync('mine', 'mine_equal', '{k}', scope => 'true')$call$),
		attempt($call$bulk_sync('mine', 's', '{k}', scope => 'true', dry_run => true)$call$);
	REVOKE ALL ON base FROM regress_bulk_sync_owner, regress_bulk_sync_user;
END $$;
CREATE TABLE mine_equal AS TABLE mine;
GRANT SELECT ON mine_equal TO regress_bulk_sync_user;
SELECT o.* FROM unnest('{select,insert,update,delete}'::text[]) WITH ORDINALITY u (p, n), owner_without(p) o ORDER BY n;

-- And each right of the user on the view.
CREATE FUNCTION user_without(lacking text) RETURNS TABLE (missing text, work text, dry_run text) LANGUAGE plpgsql AS $$
BEGIN
	GRANT SELECT, INSERT, UPDATE, DELETE ON base TO regress_bulk_sync_owner, regress_bulk_sync_user;
	EXECUTE format('REVOKE %s ON mine FROM regress_bulk_sync_user', lacking);
	RETURN QUERY SELECT lacking,
		attempt($call$bulk_sync('mine', 's', '{k}', scope => 'true')$call$),
		attempt($call$bulk_sync('mine', 's', '{k}', scope => 'true', dry_run => true)$call$);
	GRANT SELECT, INSERT, UPDATE, DELETE ON mine TO regress_bulk_sync_user;
	REVOKE ALL ON base FROM regress_bulk_sync_owner, regress_bulk_sync_user;
END $$;
SELECT o.* FROM unnest('{select,insert,update,delete}'::text[]) WITH ORDINALITY u (p, n), user_without(p) o ORDER BY n;

-- A view of a view: the rights of each owner on what is next below.
CREATE VIEW of_mine AS TABLE mine;
GRANT ALL ON of_mine TO regress_bulk_sync_user;
ALTER VIEW of_mine OWNER TO regress_bulk_sync_user;
GRANT SELECT, INSERT, UPDATE, DELETE ON base TO regress_bulk_sync_owner;
REVOKE DELETE ON mine FROM regress_bulk_sync_user;
SELECT attempt($$bulk_sync('of_mine', 's', '{k}', scope => 'true')$$) AS work, attempt($$bulk_sync('of_mine', 'mine_equal', '{k}', scope => 'true')$$) AS nothing_to_do,
       attempt($$bulk_sync('of_mine', 's', '{k}', scope => 'true', dry_run => true)$$) AS dry_run;
GRANT DELETE ON mine TO regress_bulk_sync_user;
SELECT attempt($$bulk_sync('of_mine', 's', '{k}', scope => 'true')$$) AS work;
REVOKE ALL ON base FROM regress_bulk_sync_owner;

-- 2. A security_invoker view: now the user's rights count below it, and the owner's do not.
ALTER VIEW mine SET (security_invoker = true);
GRANT SELECT, INSERT, UPDATE, DELETE ON base TO regress_bulk_sync_owner;
SELECT attempt($$bulk_sync('mine', 's', '{k}', scope => 'true')$$) AS owner_has_all;
REVOKE ALL ON base FROM regress_bulk_sync_owner;
GRANT SELECT, INSERT (k, v), UPDATE (v), DELETE ON base TO regress_bulk_sync_user;
SELECT attempt($$bulk_sync('mine', 's', '{k}', scope => 'true')$$) AS user_has_all;
REVOKE DELETE ON base FROM regress_bulk_sync_user;
SELECT attempt($$bulk_sync('mine', 'mine_equal', '{k}', scope => 'true')$$) AS user_lacks_delete;
REVOKE ALL ON base FROM regress_bulk_sync_user;

-- A security_invoker view inside a view that is none: below it the user's rights count, as PostgreSQL decides for INSERT, UPDATE and DELETE.
CREATE VIEW around AS TABLE mine;
ALTER VIEW around OWNER TO regress_bulk_sync_owner;
GRANT ALL ON around TO regress_bulk_sync_user;
GRANT ALL ON mine TO regress_bulk_sync_owner;
GRANT SELECT, INSERT (k, v), UPDATE (v), DELETE ON base TO regress_bulk_sync_user;
SELECT attempt($$bulk_sync('around', 's', '{k}', scope => 'true')$$) AS user_has_all, attempt($$bulk_sync('around', 'mine_equal', '{k}', scope => 'true')$$) AS nothing_to_do;
REVOKE ALL ON base FROM regress_bulk_sync_user;
GRANT SELECT, INSERT (k, v), UPDATE (v), DELETE ON base TO regress_bulk_sync_owner;
SELECT attempt($$bulk_sync('around', 's', '{k}', scope => 'true')$$) AS owner_has_all, attempt($$bulk_sync('around', 'mine_equal', '{k}', scope => 'true')$$) AS nothing_to_do;
REVOKE ALL ON base FROM regress_bulk_sync_owner;

-- 3. A view that is read: SELECT on it, and the rights of its owner below.
CREATE VIEW feed AS SELECT k, v FROM base WHERE tenant = 2;
ALTER VIEW feed OWNER TO regress_bulk_sync_owner;
GRANT SELECT ON feed TO regress_bulk_sync_user;
CREATE TABLE own (k int PRIMARY KEY, v text);
ALTER TABLE own OWNER TO regress_bulk_sync_user;
SELECT attempt($$bulk_sync('own', 'feed', scope => 'true')$$) AS owner_cannot_read;
GRANT SELECT ON base TO regress_bulk_sync_owner;
SELECT attempt($$bulk_sync('own', 'feed', scope => 'true')$$) AS owner_can_read;

-- 4. A SECURITY DEFINER function lends its owner's rights, to what it does and to nothing else.
GRANT SELECT, INSERT, UPDATE, DELETE ON base TO regress_bulk_sync_owner;
GRANT SELECT ON s TO regress_bulk_sync_owner;
CREATE FUNCTION sync_tenant(tenant int) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = privileges_through_views, public, pg_temp
	AS $$ SELECT inserted + updated + deleted FROM bulk_sync('base', 's', scope_values => jsonb_build_object('tenant', tenant)) $$;
ALTER FUNCTION sync_tenant(int) OWNER TO regress_bulk_sync_owner;
SELECT attempt('sync_tenant(1)') AS through_the_function, attempt($$bulk_sync('base', 's', scope_values => '{"tenant": 1}')$$) AS directly;

-- Conditions, defaults and triggers run with the rights of whom the call runs as, too. Each leaves its name in a setting.
CREATE FUNCTION note(what text) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT set_config('regress.' || what, current_user, false) IS NOT NULL $$;
CREATE FUNCTION note_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM note('trigger'); RETURN NEW; END $$;
CREATE VIEW noted_as AS SELECT current_setting('regress.scope') AS scope, current_setting('regress.update_where') AS update_where, current_setting('regress.trigger') AS trigger;
CREATE TABLE noted (k int PRIMARY KEY, v text, by_default text DEFAULT current_user);
CREATE TRIGGER noted BEFORE INSERT OR UPDATE ON noted FOR EACH ROW EXECUTE FUNCTION note_row();
ALTER TABLE noted OWNER TO regress_bulk_sync_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON noted TO regress_bulk_sync_user;
INSERT INTO noted VALUES (2, 'old', 'nobody');
SET ROLE regress_bulk_sync_user;
SELECT * FROM bulk_sync('noted', 's', scope => $$note('scope')$$, update_where => $$note('update_where')$$);
RESET ROLE;
SELECT * FROM noted ORDER BY k;
TABLE noted_as;
CREATE FUNCTION sync_noted(OUT result text) LANGUAGE sql SECURITY DEFINER SET search_path = privileges_through_views, public, pg_temp
	AS $f$ SELECT b::text FROM bulk_sync('noted', 's', scope => $$note('scope')$$, update_where => $$note('update_where')$$) b $f$;
ALTER FUNCTION sync_noted() OWNER TO regress_bulk_sync_owner;
DELETE FROM noted WHERE k = 4;
UPDATE noted SET v = 'old' WHERE k = 3;
SET ROLE regress_bulk_sync_user;
SELECT sync_noted();
RESET ROLE;
SELECT * FROM noted ORDER BY k;
TABLE noted_as;

-- A scope that calls a SECURITY DEFINER function uses what its owner may do there; a table or a function the user has no right on is refused.
CREATE FUNCTION base_has(k int) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = privileges_through_views, pg_temp
	AS $$ SELECT EXISTS (SELECT FROM base WHERE base.k = base_has.k) $$;
SELECT attempt($$bulk_sync('noted', 's', scope => 'k = 4 OR base_has(k)')$$) AS scope_of_another,
       attempt($$bulk_sync('noted', 's', scope => 'k = 4 OR EXISTS (SELECT FROM base WHERE base.k = target.k)')$$) AS subquery_without_right;
REVOKE EXECUTE ON FUNCTION base_has(int) FROM PUBLIC;
SELECT attempt($$bulk_sync('noted', 's', scope => 'k = 4 OR base_has(k)')$$) AS not_executable;
-- Not even where there is no row to ask it for: privileges never follow from the rows.
DELETE FROM noted;
SELECT attempt($$bulk_sync('noted', 's', scope => 'base_has(k)', actions => '{update}')$$) AS scope_of_nothing, attempt($$bulk_sync('noted', 's', scope => 'true', update_where => 'base_has(target.k)')$$) AS no_updates;

-- 5. None of the extension's functions is SECURITY DEFINER, has settings of its own, or is said to be leakproof.
SELECT p.proname, p.prosecdef, p.proconfig, p.proleakproof
  FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
       JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
 WHERE e.extname = 'bulk_sync' AND (p.prosecdef OR p.proconfig IS NOT NULL OR p.proleakproof)
 ORDER BY 1;

SET client_min_messages = warning;
DROP SCHEMA privileges_through_views CASCADE;
DROP ROLE regress_bulk_sync_user, regress_bulk_sync_owner;
