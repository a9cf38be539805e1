-- Triggers of the target that write to the target while a sync is under way. A planned row that they changed is written
-- in its new version, one that they deleted is skipped, and what they do to other rows stays.
-- Contract 1.3.10, 1.3.6, 1.5; cases 169, 170
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA triggers_changing_rows;
SET search_path = triggers_changing_rows, public;

-- v is synced, w is not: the triggers leave their traces in w
CREATE TABLE t (k int PRIMARY KEY, v text, w text NOT NULL DEFAULT '', gone boolean NOT NULL DEFAULT false);
CREATE TABLE s (k int, v text);
-- 1 and 2 are stale, 3 and 4 differ, 5 and 6 are equal, 7 and 8 are new
CREATE FUNCTION fresh() RETURNS void LANGUAGE sql AS $$
  ALTER TABLE t DISABLE TRIGGER USER;
  DELETE FROM t;
  DELETE FROM s;
  INSERT INTO t VALUES (1, 'goes'), (2, 'goes'), (3, 'old'), (4, 'old'), (5, 'same'), (6, 'same');
  INSERT INTO s VALUES (3, 'new'), (4, 'new'), (5, 'same'), (6, 'same'), (7, 'comes'), (8, 'comes');
  ALTER TABLE t ENABLE TRIGGER USER $$;
-- a trigger whose argument is the statement that it runs, once (not in the triggers that the statement itself fires);
-- $1 is the key of its row
CREATE FUNCTION run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() = 1 THEN
    IF TG_LEVEL = 'STATEMENT' THEN EXECUTE TG_ARGV[0];
    ELSIF TG_OP = 'DELETE' THEN EXECUTE TG_ARGV[0] USING OLD.k;
    ELSE EXECUTE TG_ARGV[0] USING NEW.k;
    END IF;
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;

-- BEFORE DELETE changes all rows planned for later, and the other row of its own phase
CREATE TRIGGER x BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION run('UPDATE t SET w = w || ''d'', v = ''trigger'' WHERE k <> $1');
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
-- v is as staged where the call wrote, and as the trigger left it where it did not; both DELETE triggers changed each kept row
TABLE t ORDER BY k;
DROP TRIGGER x ON t;

-- BEFORE DELETE deletes: the other stale row is gone and not counted twice, the changed rows are gone and skipped,
-- an equal row stays counted as unchanged
CREATE TRIGGER x BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION run('DELETE FROM t WHERE k <> $1 AND k IN (1, 2, 3, 5)');
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
DROP TRIGGER x ON t;

-- BEFORE UPDATE changes the other row that is to be updated, before or after the call has written it
CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION run('UPDATE t SET w = w || $1 WHERE k IN (3, 4) AND k <> $1');
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
DROP TRIGGER x ON t;

-- BEFORE UPDATE deletes the other row: whichever comes first is updated, the other gone; one updated, one skipped
CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION run('DELETE FROM t WHERE k IN (3, 4) AND k <> $1');
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT count(*), min(v) FROM t WHERE k IN (3, 4);
DROP TRIGGER x ON t;

-- BEFORE STATEMENT triggers: each phase finds what its own left
CREATE TRIGGER xd BEFORE DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION run('UPDATE t SET w = w || ''d''');
CREATE TRIGGER xu BEFORE UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION run('UPDATE t SET w = w || ''u''');
CREATE TRIGGER xi BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION run('UPDATE t SET w = w || ''i''');
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
DROP TRIGGER xd ON t;
DROP TRIGGER xu ON t;
DROP TRIGGER xi ON t;
CREATE TRIGGER xd BEFORE DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION run('DELETE FROM t WHERE k IN (2, 4, 6)');
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
DROP TRIGGER xd ON t;

-- marks too are written in the new version of the row
CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION run('UPDATE t SET w = w || ''u''');
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone');
TABLE t ORDER BY k;
DROP TRIGGER x ON t;

-- a trigger that inserts a row the call was to insert: an ordinary unique_violation, all or nothing
CREATE TRIGGER x BEFORE DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION run('INSERT INTO t VALUES (7, ''trigger'')');
SELECT fresh();
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'true');
\set VERBOSITY default
SELECT count(*) FROM t;
-- with ignore_conflicts it is skipped
SELECT * FROM bulk_sync('t', 's', scope => 'true', ignore_conflicts => true);
TABLE t ORDER BY k;
DROP TRIGGER x ON t;

-- AFTER triggers write when the call has: theirs is the last word, and the counts are the call's own (case 170)
CREATE TRIGGER x AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION run('UPDATE t SET w = w || ''after'', v = upper(v) WHERE k = $1');
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
DROP TRIGGER x ON t;
CREATE TRIGGER x AFTER INSERT OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION run('DELETE FROM t WHERE k IN ($1, 3, 5)');
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
DROP TRIGGER x ON t;
-- an AFTER DELETE trigger that puts the row back
CREATE TRIGGER x AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION run('INSERT INTO t VALUES ($1, ''back'')');
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
DROP TRIGGER x ON t;

-- a trigger that empties or refills the staged table changes nothing about a plan that is made
CREATE TRIGGER x BEFORE DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION run('DELETE FROM s');
CREATE TRIGGER y BEFORE UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION run('INSERT INTO s VALUES (3, ''other''), (99, ''more'')');
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
DROP TRIGGER x ON t;
DROP TRIGGER y ON t;

-- the same without any index on the key, where a row is known by nothing but its place
ALTER TABLE t DROP CONSTRAINT t_pkey;
CREATE TRIGGER x BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION run('UPDATE t SET w = w || ''d'' WHERE k <> $1');
SELECT fresh();
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
TABLE t ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA triggers_changing_rows CASCADE;
