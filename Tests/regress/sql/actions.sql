-- The argument "actions": every subset, and what becomes of the rows that it leaves out. Contract 1.0.2, 1.0.5, 1.2.1, 1.5
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA actions;
SET search_path = actions, public;

CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE TEMPORARY TABLE s (k int, v text);
INSERT INTO t VALUES (1, 'stale'), (2, 'same'), (3, 'old');
INSERT INTO s VALUES (2, 'same'), (3, 'new'), (4, 'new');

-- Each subset, on the same rows: a row that would be written but for the actions is skipped, an equal one is unchanged
-- whatever they are, a stale one that stays counts nowhere. The dry run says the same.
CREATE FUNCTION attempt(actions text[], OUT result text, OUT as_planned boolean, OUT rows text) LANGUAGE plpgsql AS $$
DECLARE planned text := (SELECT b::text FROM bulk_sync('t', 's', scope => 'true', actions => attempt.actions, dry_run => true) AS b);
BEGIN
  result := (SELECT b::text FROM bulk_sync('t', 's', scope => 'true', actions => attempt.actions) AS b);
  as_planned := planned = result;
  rows := (SELECT string_agg(k || ' ' || v, ', ' ORDER BY k) FROM t);
  RAISE SQLSTATE 'XX999';
EXCEPTION WHEN SQLSTATE 'XX999' THEN NULL;
END $$;
SELECT actions, a.* FROM (VALUES
  (1, '{insert,update,delete}'::text[]), (2, '{insert,update}'), (3, '{insert,delete}'), (4, '{update,delete}'),
  (5, '{insert}'), (6, '{update}'), (7, '{delete}'),
  -- in any order, in any case
  (8, '{delete,update,insert}'), (9, '{INSERT,Update,dElEtE}'), (10, '{DELETE}')
) AS texts (n, actions), LATERAL attempt(actions) AS a ORDER BY n;

-- Not a subset. The same action twice is a name twice, in any case.
\set VERBOSITY sqlstate
SELECT bulk_sync('t', 's', scope => 'true', actions => '{}');
SELECT bulk_sync('t', 's', scope => 'true', actions => '{NULL}');
SELECT bulk_sync('t', 's', scope => 'true', actions => '{insert,NULL}');
SELECT bulk_sync('t', 's', scope => 'true', actions => '{insert,insert}');
SELECT bulk_sync('t', 's', scope => 'true', actions => '{insert,INSERT}');
SELECT bulk_sync('t', 's', scope => 'true', actions => '{upsert}');
SELECT bulk_sync('t', 's', scope => 'true', actions => '{""}');
SELECT bulk_sync('t', 's', scope => 'true', actions => '{"insert "}');
SELECT bulk_sync('t', 's', scope => 'true', actions => '{truncate}');
\set VERBOSITY default
TABLE t ORDER BY k;

-- Only delete asks for a scope.
SELECT * FROM bulk_sync('t', 's', actions => '{insert}', dry_run => true);
SELECT * FROM bulk_sync('t', 's', actions => '{update}', dry_run => true);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', actions => '{delete}');
SELECT * FROM bulk_sync('t', 's', actions => '{DELETE}');
SELECT * FROM bulk_sync('t', 's', actions => '{insert,delete}');
\set VERBOSITY default

-- An action that is left out is not asked for its privilege, and fires no trigger, not even a statement's.
CREATE TABLE log (n serial, entry text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO log (entry) VALUES (TG_WHEN || ' ' || TG_OP); RETURN NULL; END $$;
CREATE TRIGGER b BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION note();
BEGIN;
SELECT * FROM bulk_sync('t', 's', actions => '{insert}');
SELECT * FROM bulk_sync('t', 's', actions => '{delete}', scope => 'k = 1');
SELECT entry FROM log ORDER BY n;
ROLLBACK;
-- nothing planned, no statement
SELECT * FROM bulk_sync('t', 's', actions => '{delete}', scope => 'k > 1');
SELECT count(*) FROM log;
CREATE ROLE regress_bulk_sync_actions;
GRANT USAGE ON SCHEMA actions TO regress_bulk_sync_actions;
GRANT SELECT, UPDATE ON t TO regress_bulk_sync_actions;
GRANT SELECT ON s TO regress_bulk_sync_actions;
SET ROLE regress_bulk_sync_actions;
SELECT * FROM bulk_sync('t', 's', actions => '{update}', dry_run => true);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', actions => '{insert}', dry_run => true);
SELECT * FROM bulk_sync('t', 's', scope => 'true', actions => '{delete}', dry_run => true);
\set VERBOSITY default
RESET ROLE;

-- Without a key only inserts are possible.
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', '{}', scope => 'true');
SELECT * FROM bulk_sync('t', 's', '{}', actions => '{insert,update}');
SELECT * FROM bulk_sync('t', 's', '{}', scope => 'true', actions => '{delete}');
\set VERBOSITY default
SELECT * FROM bulk_sync('t', 's', '{}', actions => '{INSERT}', dry_run => true);

SET client_min_messages = warning;
DROP SCHEMA actions CASCADE;
DROP TABLE s;
DROP ROLE regress_bulk_sync_actions;
