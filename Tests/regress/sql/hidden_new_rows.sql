-- A new row that its writer may not read, and what defaults and triggers make of it: neither a condition of the caller's gets to see it, nor
-- does a message show its key, nor is it returned. Where a scope could tell what is in it, PostgreSQL's rule for INSERT ... RETURNING applies.
-- Contract 1.2.5, 1.3.8, 3, the paragraphs at the end; cases 199, 200, 205, 221
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_user;
CREATE ROLE regress_bulk_sync_owner;
RESET client_min_messages;
CREATE SCHEMA hidden_new_rows;
SET search_path = hidden_new_rows, public;
GRANT USAGE ON SCHEMA hidden_new_rows TO regress_bulk_sync_user, regress_bulk_sync_owner;

CREATE TABLE t (k int, v text, owner text DEFAULT current_user, secret text DEFAULT 'SECRET', box int DEFAULT 5);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON t FOR SELECT USING (owner = current_user);
CREATE POLICY add ON t FOR INSERT WITH CHECK (true);
CREATE FUNCTION hide() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.k := 4711; NEW.secret := 'SECRET of the trigger'; NEW.owner := 'somebody'; RETURN NEW; END $$;
CREATE TRIGGER hide BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION hide();
CREATE TABLE s AS SELECT 1 AS k, 'mine'::text AS v;
GRANT ALL ON t, s TO regress_bulk_sync_user;
CREATE FUNCTION leak(t) RETURNS boolean LANGUAGE plpgsql STABLE COST 0.0001 AS $$ BEGIN RAISE WARNING 'leaked: %', $1; RETURN true; END $$;
CREATE FUNCTION leak(text) RETURNS boolean LANGUAGE plpgsql STABLE COST 0.0001 AS $$ BEGIN RAISE WARNING 'leaked: %', $1; RETURN true; END $$;

SET ROLE regress_bulk_sync_user;
-- PostgreSQL: the row may be inserted, and not be returned.
BEGIN;
INSERT INTO t (k, v) VALUES (1, 'mine');
INSERT INTO t (k, v) VALUES (1, 'mine') RETURNING k;
ROLLBACK;
-- Conditions that could tell
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'leak(secret)');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'leak(target)');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'secret::int IS NOT NULL');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => '(SELECT leak(secret))');
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'box = 5 AND leak(secret)', actions => '{insert}');
SELECT * FROM bulk_sync_returning('t', 's', '{k}', scope => 'leak(secret)');
-- Conditions that cannot: the row is inserted, or refused without its key
BEGIN;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'box = 5');
SELECT * FROM bulk_sync_returning('t', 's', '{k}', scope => 'box = 5');
ROLLBACK;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'k = 1');
SELECT * FROM bulk_sync('t', 's', '{k}', scope_values => '{"k": 1}');
SELECT * FROM bulk_sync('t', 's', '{k}', scope_columns => '{k}');
-- A row that may be read is named by its key
RESET ROLE;
CREATE OR REPLACE FUNCTION hide() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.box := 6; RETURN NEW; END $$;
SET ROLE regress_bulk_sync_user;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'box = 5 AND leak(v)');
RESET ROLE;
-- ... and so is one that has the key that was staged, whatever else is in it
DROP TRIGGER hide ON t;
ALTER TABLE t ALTER owner SET DEFAULT 'somebody';
SET ROLE regress_bulk_sync_user;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'box = 6');
RESET ROLE;
SELECT count(*) FROM t;

-- Through a view it is the rights and policies below that count: of the caller with security_invoker, else of the view's owner.
CREATE TRIGGER hide BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION hide();
CREATE OR REPLACE FUNCTION hide() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.k := 4711; NEW.secret := 'SECRET of the trigger'; NEW.owner := 'somebody'; RETURN NEW; END $$;
CREATE VIEW invoked WITH (security_invoker) AS SELECT * FROM t;
CREATE VIEW defined AS SELECT * FROM t;
ALTER VIEW defined OWNER TO regress_bulk_sync_owner;
GRANT ALL ON invoked, defined TO regress_bulk_sync_user;
SET ROLE regress_bulk_sync_user;
SELECT * FROM bulk_sync_returning('invoked', 's', '{k}', actions => '{insert}');
SELECT * FROM bulk_sync_returning('invoked', 's', '{}', actions => '{insert}');
SELECT * FROM bulk_sync('invoked', 's', '{k}', scope => 'leak(secret)');
SELECT * FROM bulk_sync('invoked', 's', '{k}', scope_values => '{"box": 5}');
BEGIN;
SELECT * FROM bulk_sync('invoked', 's', '{k}', scope => 'true');
ROLLBACK;
RESET ROLE;
-- An owner who may insert and not read cannot lend what he has not.
GRANT INSERT ON t TO regress_bulk_sync_owner;
SET ROLE regress_bulk_sync_user;
BEGIN;
SELECT * FROM bulk_sync('defined', 's', '{}', actions => '{insert}');
SELECT * FROM bulk_sync_returning('defined', 's', '{}', actions => '{insert}');
ROLLBACK;
RESET ROLE;
SELECT count(*) FROM t;

SET client_min_messages = warning;
DROP SCHEMA hidden_new_rows CASCADE;
DROP ROLE regress_bulk_sync_user, regress_bulk_sync_owner;
