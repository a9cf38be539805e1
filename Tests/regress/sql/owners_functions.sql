-- Functions of a table's owner that a call runs (in checks, defaults, generated columns, index expressions and predicates, domains, policies,
-- triggers, rules) run as whom they run in INSERT, UPDATE and DELETE, and not when nothing of theirs is needed. A dry run and bulk_compare run none but
-- those that reading the table, converting what was staged and the policies need: none of those for writing.
-- Contract 1.3.8, 1.5, the paragraphs at the end; cases 212, 215
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_owner;
CREATE ROLE regress_bulk_sync_caller;
RESET client_min_messages;
CREATE SCHEMA owners_functions AUTHORIZATION regress_bulk_sync_owner;
GRANT USAGE ON SCHEMA owners_functions TO regress_bulk_sync_caller;
SET search_path = owners_functions, public;

-- Each function notes in a setting that it ran, and as whom.
SET ROLE regress_bulk_sync_owner;
CREATE FUNCTION note(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	PERFORM set_config('regress.ran', current_setting('regress.ran', true) || what || ' as ' || replace(current_user, 'regress_bulk_sync_', '') || E'\n', false);
	RETURN true;
END $$;
CREATE FUNCTION note_text(what text, value text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM note(what); RETURN value; END $$;
CREATE FUNCTION note_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM note('trigger ' || lower(TG_WHEN || ' ' || TG_OP)); RETURN coalesce(NEW, OLD); END $$;
CREATE DOMAIN noted AS text CHECK (note_text('domain', VALUE) <> '');
CREATE TABLE t (k int PRIMARY KEY, v text CHECK (note('check')), d text DEFAULT note_text('default', 'd'), g text GENERATED ALWAYS AS (note_text('generated', v)) STORED, w noted);
CREATE INDEX ON t (note_text('index', v));
CREATE INDEX ON t (k) WHERE note_text('predicate', v) <> '';
CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note_trigger();
CREATE TRIGGER b AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note_trigger();
CREATE TABLE s (k int, v text, w text);
INSERT INTO s VALUES (1, 'new', 'w'), (2, 'same', 'w'), (4, 'new', 'w');
GRANT ALL ON t, s TO regress_bulk_sync_caller;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON t FOR SELECT USING (note('policy to see'));
CREATE POLICY add ON t FOR INSERT WITH CHECK (note('policy to add'));
CREATE POLICY change ON t FOR UPDATE USING (note('policy to change'));
CREATE POLICY remove ON t FOR DELETE USING (note('policy to remove'));
RESET ROLE;
CREATE FUNCTION fresh() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM t;
	INSERT INTO t (k, v, w) VALUES (1, 'old', 'w'), (2, 'same', 'w'), (3, 'stale', 'w');
	PERFORM set_config('regress.ran', '', false);
END $$;
CREATE FUNCTION ran() RETURNS SETOF text LANGUAGE sql AS $$ SELECT DISTINCT l FROM regexp_split_to_table(current_setting('regress.ran'), '\n') l WHERE l <> '' ORDER BY 1 $$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA owners_functions TO regress_bulk_sync_caller;
CREATE TABLE ordinary (ran text);
CREATE TABLE synced (ran text);
GRANT ALL ON ordinary, synced TO regress_bulk_sync_caller;

-- By a superuser, to whom policies do not apply: what runs in ordinary DML, runs in the call, as the same user.
SELECT fresh();
DELETE FROM t WHERE k = 3;
UPDATE t SET v = 'new', w = 'w' WHERE k = 1;
INSERT INTO t (k, v, w) VALUES (4, 'new', 'w');
INSERT INTO ordinary SELECT replace(ran(), current_user, 'superuser');
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
INSERT INTO synced SELECT replace(ran(), current_user, 'superuser');
SELECT ran, count(*) FILTER (WHERE o) AS ordinary, count(*) FILTER (WHERE NOT o) AS synced
  FROM (SELECT ran, true AS o FROM ordinary UNION ALL SELECT ran, false FROM synced) x GROUP BY ran ORDER BY ran COLLATE "C";

-- By a user under the policies
DELETE FROM ordinary;
DELETE FROM synced;
SELECT fresh();
SET ROLE regress_bulk_sync_caller;
DELETE FROM t WHERE k = 3;
UPDATE t SET v = 'new', w = 'w' WHERE k = 1;
INSERT INTO t (k, v, w) VALUES (4, 'new', 'w');
INSERT INTO ordinary SELECT ran();
RESET ROLE;
SELECT fresh();
SET ROLE regress_bulk_sync_caller;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
INSERT INTO synced SELECT ran();
RESET ROLE;
SELECT ran, count(*) FILTER (WHERE o) AS ordinary, count(*) FILTER (WHERE NOT o) AS synced
  FROM (SELECT ran, true AS o FROM ordinary UNION ALL SELECT ran, false FROM synced) x GROUP BY ran ORDER BY ran COLLATE "C";

-- What writes nothing runs nothing that writing needs.
SELECT fresh();
SELECT count(*) FROM bulk_compare('t', 's', scope => 'true');
SELECT replace(ran(), current_user, 'superuser') AS ran_by_bulk_compare;
SELECT fresh();
SET ROLE regress_bulk_sync_caller;
SELECT * FROM bulk_sync('t', 's', scope => 'true', dry_run => true);
SELECT ran() AS ran_by_dry_run;
RESET ROLE;
SELECT fresh();
SELECT bulk_stage('t', staged_name => 'owners_functions_staged') IS NOT NULL AS made;
SELECT ran() AS ran_by_bulk_stage;
DROP TABLE pg_temp.owners_functions_staged;
-- A refusal for want of a right comes before any of them.
REVOKE DELETE ON t FROM regress_bulk_sync_caller;
SELECT fresh();
SET ROLE regress_bulk_sync_caller;
\set VERBOSITY terse
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT ran() AS ran_by_a_refused_call;
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA owners_functions CASCADE;
DROP ROLE regress_bulk_sync_owner, regress_bulk_sync_caller;
