-- Nothing of a call outlives it: the next one, also of a prepared statement or a function's saved plan, has the rights, policies and path of
-- whoever makes it, and speaks of the relations as they are by then.
-- Contract 1.3.8, 1.7, the paragraphs at the end; cases 191, 203, 214
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_one;
CREATE ROLE regress_bulk_sync_two;
CREATE ROLE regress_bulk_sync_all BYPASSRLS;
RESET client_min_messages;
CREATE SCHEMA set_role_between_calls;
SET search_path = set_role_between_calls, public;
GRANT USAGE ON SCHEMA set_role_between_calls TO regress_bulk_sync_one, regress_bulk_sync_two, regress_bulk_sync_all;

CREATE TABLE t (k int PRIMARY KEY, v text, owner name DEFAULT current_user);
INSERT INTO t VALUES (1, 'old', 'regress_bulk_sync_one'), (2, 'old', 'regress_bulk_sync_one'), (3, 'old', 'regress_bulk_sync_two'), (4, 'old', 'regress_bulk_sync_all');
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON t USING (owner = current_user);
CREATE TABLE s (k int, v text);
GRANT ALL ON t, s TO regress_bulk_sync_one, regress_bulk_sync_all;
GRANT SELECT, INSERT, UPDATE ON t TO regress_bulk_sync_two;
GRANT SELECT ON s TO regress_bulk_sync_two;
CREATE FUNCTION saved() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	SELECT 'deletes ' || string_agg(c.key->>'k', ',' ORDER BY c.key) INTO result FROM bulk_compare('t', 's', scope => 'true') c;
	RETURN result;
END $$;
CREATE FUNCTION lent() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT saved()';
ALTER FUNCTION lent() OWNER TO regress_bulk_sync_one;
PREPARE prepared AS SELECT r.* FROM bulk_sync('t', 's', scope => 'true', allow_empty => true, dry_run => true) r;

SET ROLE regress_bulk_sync_one;
EXECUTE prepared;
SELECT saved(), lent();
SET ROLE regress_bulk_sync_two;
EXECUTE prepared;
SELECT saved(), lent();
SET ROLE regress_bulk_sync_all;
EXECUTE prepared;
SELECT saved(), lent();
RESET ROLE;
EXECUTE prepared;
SELECT saved(), lent();
-- The owner of the table, and the owner under FORCE
ALTER TABLE t OWNER TO regress_bulk_sync_two;
SET ROLE regress_bulk_sync_two;
SELECT saved(), lent();
EXECUTE prepared;
ALTER TABLE t FORCE ROW LEVEL SECURITY;
SELECT saved(), lent();
EXECUTE prepared;
RESET ROLE;
-- Rights that are taken away, and a policy that is
REVOKE SELECT ON s FROM regress_bulk_sync_one;
SET ROLE regress_bulk_sync_one;
\set VERBOSITY terse
EXECUTE prepared;
SELECT saved();
SELECT lent();
RESET ROLE;
SELECT lent();
GRANT SELECT ON s TO regress_bulk_sync_one;
DROP POLICY own ON t;
SELECT lent() IS NULL AS sees_nothing;
ALTER TABLE t DISABLE ROW LEVEL SECURITY;
SELECT lent();
-- The relations: other columns, another key, another table of the same name
ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (v, k);
SELECT lent();
ALTER TABLE s ADD extra int;
SELECT lent();
ALTER TABLE s DROP extra;
ALTER TABLE s RENAME TO s_old;
CREATE TABLE s AS SELECT k, v FROM t WHERE k = 1;
GRANT SELECT ON s TO regress_bulk_sync_one;
SELECT saved() ;
\c -
SET search_path = set_role_between_calls, public;
SELECT saved();
-- A condition and its operators are looked up on the path of each call.
CREATE SCHEMA lenient;
CREATE FUNCTION lenient.same(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.upper($1) OPERATOR(pg_catalog.=) pg_catalog.upper($2)';
CREATE OPERATOR lenient.= (LEFTARG = text, RIGHTARG = text, FUNCTION = lenient.same);
PREPARE by_path AS SELECT deleted FROM bulk_sync('t', 's', scope => $$v = 'OLD'$$, dry_run => true);
EXECUTE by_path;
SET search_path = lenient, pg_catalog, set_role_between_calls, public;
EXECUTE by_path;
SET search_path = set_role_between_calls, public;
EXECUTE by_path;

-- A trigger that takes another role: the phases behind it have that role's rights, as statements of its own would.
CREATE TABLE n (k int PRIMARY KEY, v text);
INSERT INTO n VALUES (1, 'old'), (2, 'old');
CREATE TABLE ns AS SELECT 2 AS k, 'new' AS v UNION ALL SELECT 3, 'new';
CREATE FUNCTION other_role() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('role', 'regress_bulk_sync_two', true); RETURN NULL; END $$;
CREATE TRIGGER other_role BEFORE DELETE ON n EXECUTE FUNCTION other_role();
GRANT ALL ON n TO regress_bulk_sync_two;
REVOKE INSERT ON n FROM regress_bulk_sync_two;
\set VERBOSITY terse
BEGIN;
SELECT * FROM bulk_sync('n', 'ns', scope => 'true');
ROLLBACK;
GRANT INSERT ON n TO regress_bulk_sync_two;
BEGIN;
SELECT * FROM bulk_sync('n', 'ns', scope => 'true');
SELECT current_user;
ROLLBACK;
SELECT * FROM n ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA set_role_between_calls, lenient CASCADE;
DROP ROLE regress_bulk_sync_one, regress_bulk_sync_two, regress_bulk_sync_all;
