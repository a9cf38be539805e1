-- bulk_sync_returning under row-level security and column privileges: it writes what bulk_sync writes, and returns of that the rows that the
-- caller may see. All columns are returned, so SELECT is needed on all of them.
-- Contract 3, 1.3.8, 1.4, 1.7
SET client_min_messages = warning;
CREATE ROLE regress_bulk_sync_reader;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA returning_row_security;
SET search_path = returning_row_security, public;
GRANT USAGE, CREATE ON SCHEMA returning_row_security TO regress_bulk_sync_reader;

CREATE TABLE t (k int PRIMARY KEY, v text, owner text DEFAULT current_user, secret text DEFAULT 'secret');
CREATE TABLE s (k int, v text);
GRANT ALL ON t, s TO regress_bulk_sync_reader;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
-- 1 to 4 and 8 to 9 are the caller's, 101 is not
CREATE FUNCTION fresh() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = returning_row_security AS $$
  DELETE FROM t;
  DELETE FROM s;
  INSERT INTO t SELECT i, 'old', 'regress_bulk_sync_reader' FROM unnest('{1,2,3,4,8,9}'::int[]) AS i;
  INSERT INTO t VALUES (101, 'old', 'somebody');
  INSERT INTO s VALUES (5, 'new'), (2, 'new'), (6, 'new'), (3, 'old'), (4, 'new'), (7, 'new') $$;
-- Makes the call with both functions, the first undone: what they counted and what was returned must go together, but for rows that cannot be seen.
CREATE FUNCTION attempt(arguments text DEFAULT $$scope => 'true'$$) RETURNS TABLE (counted text, returned text) LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    EXECUTE format($c$SELECT format('%%s inserted, %%s updated, %%s deleted', inserted, updated, deleted) FROM bulk_sync('t', 's', %s)$c$, arguments) INTO counted;
    RAISE SQLSTATE 'ZZ000';
  EXCEPTION WHEN SQLSTATE 'ZZ000' THEN NULL;
            WHEN OTHERS THEN counted := SQLSTATE || ' ' || SQLERRM;
  END;
  BEGIN
    EXECUTE format($c$SELECT string_agg(concat_ws(' ', action, staged_row, key->'k', old->'v', new->'v'), '; ' ORDER BY action <> 'delete', staged_row, key->'k')
                        FROM bulk_sync_returning('t', 's', %s)$c$, arguments) INTO returned;
  EXCEPTION WHEN OTHERS THEN returned := SQLSTATE || ' ' || SQLERRM;
  END;
  RETURN NEXT;
END $$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA returning_row_security TO regress_bulk_sync_reader;

-- 1. One policy for all: what is hidden is no part of the target and never returned
CREATE POLICY own ON t USING (owner = current_user);
SELECT fresh();
SET ROLE regress_bulk_sync_reader;
SELECT * FROM attempt();
SELECT * FROM bulk_sync_returning('t', 's', scope => 'true', include_unchanged => true) WHERE staged_row = 1;
RESET ROLE;
SELECT k, v, owner FROM t ORDER BY k;

-- 2. Rows that the caller may see and not write are skipped, and not returned
CREATE POLICY not_2 ON t AS RESTRICTIVE FOR UPDATE USING (k <> 2);
CREATE POLICY not_1 ON t AS RESTRICTIVE FOR DELETE USING (k <> 1);
SELECT fresh();
SET ROLE regress_bulk_sync_reader;
SELECT * FROM attempt();
RESET ROLE;
SELECT k, v FROM t ORDER BY k;

-- 3. Rows that the caller may write and then not see. An ordinary INSERT may do that, bulk_sync may, and so may bulk_sync_returning:
-- the row is written and not returned; staged_row of the others is theirs.
DROP POLICY not_1 ON t;
DROP POLICY not_2 ON t;
DROP POLICY own ON t;
CREATE POLICY see ON t FOR SELECT USING (owner = current_user AND k NOT IN (5, 6));
CREATE POLICY add ON t FOR INSERT WITH CHECK (true);
CREATE POLICY change ON t FOR UPDATE USING (true);
CREATE POLICY remove ON t FOR DELETE USING (true);
SELECT fresh();
SET ROLE regress_bulk_sync_reader;
SELECT * FROM attempt();
RESET ROLE;
SELECT k, v FROM t ORDER BY k;
-- ... with a trigger that decides who sees the row, and the key
CREATE FUNCTION give_away() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.k = 7 THEN NEW.owner := 'somebody'; END IF;
  NEW.v := 'given ' || NEW.k;
  RETURN NEW;
END $$;
CREATE TRIGGER give_away BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION give_away();
DELETE FROM t;
INSERT INTO s VALUES (10, 'new'), (11, 'new');
SET ROLE regress_bulk_sync_reader;
SELECT * FROM attempt($$actions => '{insert}'$$);
RESET ROLE;
SELECT k, v, owner FROM t ORDER BY k;
DROP TRIGGER give_away ON t;
-- ... and with an AFTER trigger that gives it away when it has been written
CREATE FUNCTION give_away_later() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = returning_row_security AS $$
BEGIN
  IF pg_trigger_depth() = 1 THEN UPDATE t SET owner = 'somebody' WHERE k = NEW.k AND k IN (4, 7); END IF;
  RETURN NULL;
END $$;
SELECT fresh();
CREATE TRIGGER give_away AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION give_away_later();
SET ROLE regress_bulk_sync_reader;
SELECT * FROM attempt($$scope => 'k < 8'$$);
RESET ROLE;
SELECT k, v, owner FROM t ORDER BY k;
DROP TRIGGER give_away ON t;
-- an UPDATE of a row that cannot be seen afterwards is 42501 in PostgreSQL, with either function
DROP POLICY see ON t;
CREATE POLICY see ON t FOR SELECT USING (v <> 'new');
SELECT fresh();
SET ROLE regress_bulk_sync_reader;
SELECT left(counted, 5) AS counted, left(returned, 5) AS returned FROM attempt();
RESET ROLE;
-- a mark that hides the row: the same
DROP POLICY see ON t;
CREATE POLICY see ON t FOR SELECT USING (owner = current_user);
SELECT fresh();
ALTER TABLE t ADD gone boolean NOT NULL DEFAULT false;
SET ROLE regress_bulk_sync_reader;
SELECT * FROM attempt($$scope => 'true', soft_delete_column => 'gone'$$);
RESET ROLE;
-- with row_security = off: 42501 rather than a part of the rows
SET row_security = off;
SET ROLE regress_bulk_sync_reader;
SELECT left(counted, 5) AS counted, left(returned, 5) AS returned FROM attempt();
RESET ROLE;
RESET row_security;

-- 4. Column privileges: bulk_sync needs SELECT on what it reads, bulk_sync_returning on every column, whatever the rows and the actions.
ALTER TABLE t DISABLE ROW LEVEL SECURITY;
REVOKE ALL ON t FROM regress_bulk_sync_reader;
GRANT SELECT (k, v, owner, gone), INSERT, UPDATE, DELETE ON t TO regress_bulk_sync_reader;
SELECT fresh();
SET ROLE regress_bulk_sync_reader;
SELECT counted, returned FROM attempt();
SELECT counted, returned FROM attempt($$actions => '{insert}'$$);
SELECT counted, returned FROM attempt($$scope => 'false'$$);
RESET ROLE;
GRANT SELECT ON t TO regress_bulk_sync_reader;
REVOKE UPDATE ON t FROM regress_bulk_sync_reader;
SET ROLE regress_bulk_sync_reader;
SELECT counted, returned FROM attempt();
SELECT counted, returned FROM attempt($$scope => 'true', actions => '{insert,delete}'$$);
RESET ROLE;
-- a view's owner may see what the caller may not
CREATE VIEW safe AS SELECT k, v FROM t;
REVOKE ALL ON t FROM regress_bulk_sync_reader;
GRANT ALL ON safe TO regress_bulk_sync_reader;
SELECT fresh();
SET ROLE regress_bulk_sync_reader;
SELECT action, staged_row, key, old, new FROM bulk_sync_returning('safe', 's', '{k}', scope => 'k < 100') ORDER BY action <> 'delete', staged_row, key;
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA returning_row_security CASCADE;
DROP ROLE regress_bulk_sync_reader;
