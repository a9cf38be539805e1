-- A name that comes to mean another relation during the call (the owner of a schema can do that to a table of somebody else's) ends the call: what
-- was checked and locked is what is read and written. What a trigger may not do to the target, it may not do during a call either.
-- Contract 1.6, 1.7, the paragraphs at the end; case 286
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA relation_replaced;
SET search_path = relation_replaced, public;

CREATE SCHEMA replaced;
CREATE TABLE replaced.t (k int PRIMARY KEY, v text);
CREATE TABLE replaced.p (k int, v text) PARTITION BY LIST (k);
CREATE TABLE replaced.p_low PARTITION OF replaced.p FOR VALUES IN (1, 2, 3);
CREATE TABLE replaced.p_rest PARTITION OF replaced.p DEFAULT;
CREATE VIEW replaced.w AS SELECT k, v FROM replaced.t;
CREATE TABLE s AS SELECT i AS k, 'new'::text AS v FROM generate_series(2, 4) i;
INSERT INTO replaced.t VALUES (1, 'old'), (2, 'old'), (3, 'old');
INSERT INTO replaced.p SELECT * FROM replaced.t;

-- The trigger puts tables of the same names in the place of the real ones.
CREATE FUNCTION replace() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF to_regnamespace('real') IS NULL THEN
		ALTER SCHEMA replaced RENAME TO "real";
		CREATE SCHEMA replaced;
		CREATE TABLE replaced.t (k int PRIMARY KEY, v text);
		CREATE TABLE replaced.p (k int, v text);
		CREATE VIEW replaced.w AS SELECT k, v FROM replaced.t;
	END IF;
	RETURN CASE WHEN TG_LEVEL = 'ROW' THEN coalesce(NEW, OLD) END;
END $$;
CREATE TRIGGER replace BEFORE DELETE ON replaced.t EXECUTE FUNCTION replace();
CREATE TRIGGER replace BEFORE DELETE ON replaced.p EXECUTE FUNCTION replace();
\set VERBOSITY terse
SELECT * FROM bulk_sync('replaced.t', 's', scope => 'true');
SELECT * FROM bulk_sync_returning('replaced.t', 's', scope => 'true');
SELECT * FROM bulk_sync('replaced.p', 's', '{k}', scope => 'true');
SELECT * FROM bulk_sync('replaced.w', 's', '{k}', scope => 'true');
DROP TRIGGER replace ON replaced.t;
CREATE TRIGGER replace BEFORE UPDATE ON replaced.t FOR EACH ROW EXECUTE FUNCTION replace();
SELECT * FROM bulk_sync('replaced.t', 's', scope => 'true');
SELECT * FROM replaced.t ORDER BY k;
SELECT * FROM replaced.p ORDER BY k;
-- A condition with side effects does it before anything is written.
DROP TRIGGER replace ON replaced.t;
CREATE FUNCTION replace_now() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	IF to_regnamespace('real') IS NOT NULL THEN RETURN; END IF;
	ALTER SCHEMA replaced RENAME TO "real";
	CREATE SCHEMA replaced;
	CREATE TABLE replaced.t (k int PRIMARY KEY, v text);
END $$;
SELECT * FROM bulk_sync('replaced.t', 's', scope => 'k < 9', actions => '{insert,update}', update_where => 'replace_now() IS NOT NULL');
SELECT * FROM replaced.t ORDER BY k;
-- The staged table: its rows are read from the one that was named in the call.
CREATE TABLE replaced.staged AS TABLE s;
CREATE FUNCTION replace_staged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	ALTER SCHEMA replaced RENAME TO "real";
	CREATE SCHEMA replaced;
	CREATE TABLE replaced.staged AS SELECT i AS k, 'of another'::text AS v FROM generate_series(1, 9) i;
	RETURN NULL;
END $$;
CREATE TABLE t (k int PRIMARY KEY, v text);
INSERT INTO t VALUES (1, 'old'), (2, 'old');
CREATE TRIGGER replace_staged BEFORE DELETE ON t EXECUTE FUNCTION replace_staged();
BEGIN;
SELECT * FROM bulk_sync('t', 'replaced.staged', scope => 'true');
SELECT * FROM t ORDER BY k;
ROLLBACK;
-- The target and the staged table cannot be dropped or changed by a trigger of the call.
CREATE FUNCTION alter_all() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	command text;
	answers text := '';
BEGIN
	FOREACH command IN ARRAY ARRAY['ALTER TABLE replaced.t ADD x int', 'DROP TABLE replaced.t', 'TRUNCATE replaced.t', 'ALTER TABLE replaced.t DISABLE ROW LEVEL SECURITY',
		'ALTER TABLE replaced.t ALTER v TYPE varchar', 'DROP TABLE s', 'TRUNCATE s', 'ALTER TABLE s DROP v', 'CREATE INDEX ON replaced.t (v)', 'CLUSTER replaced.t USING t_pkey', 'CREATE TRIGGER more BEFORE UPDATE ON replaced.t EXECUTE FUNCTION alter_all()'] LOOP
		BEGIN
			EXECUTE command;
			answers := answers || ' done';
		EXCEPTION WHEN OTHERS THEN answers := answers || ' ' || SQLSTATE;
		END;
	END LOOP;
	RAISE NOTICE '% %:%', TG_WHEN, TG_OP, answers;
	RETURN NULL;
END $$;
DROP VIEW replaced.w;
CREATE TRIGGER alter_before BEFORE INSERT ON replaced.t EXECUTE FUNCTION alter_all();
SELECT * FROM bulk_sync('replaced.t', 's', scope => 'true');
SELECT * FROM replaced.t ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA relation_replaced, replaced CASCADE;
