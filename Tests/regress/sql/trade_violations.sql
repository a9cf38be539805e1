-- Where the rows as updated and inserted break a unique constraint, that is PostgreSQL's unique_violation with its usual message
-- and detail, however much is traded beside it, and nothing is left changed.
-- Contract 1.3.7 ("the state after the updates decides"), 1.3.3, 1.3.5, 1.3.6
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA trade_violations;
SET search_path = trade_violations, public;
-- the message and its detail are meant here, not how the statement came to be
\set SHOW_CONTEXT never

CREATE TABLE t (k int PRIMARY KEY, x int UNIQUE, area int NOT NULL DEFAULT 1);
CREATE TABLE s (k int, x int);
CREATE TABLE before (old_ctid tid, old_xmin xid, k int, x int);
-- rows 1 to 4 of the target with the values 1 to 4, the fourth in another area; rows 1, 2, ... are staged
CREATE PROCEDURE fill(staged int[]) LANGUAGE sql AS $$
  TRUNCATE t, s, before;
  INSERT INTO t SELECT i, i, i / 4 + 1 FROM generate_series(1, 4) i;
  INSERT INTO s SELECT i, staged[i] FROM generate_subscripts(staged, 1) i WHERE staged[i] IS NOT NULL;
  INSERT INTO before SELECT ctid, xmin, k, x FROM t $$;
CREATE VIEW untouched AS
  SELECT count(*) = 4 AND bool_and(t.ctid = old_ctid AND t.xmin = old_xmin AND t.x = before.x) AS untouched
    FROM t LEFT JOIN before USING (k);
\pset tuples_only on

-- two updated rows get one new value
CALL fill('{7,7,3}');
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1');
TABLE untouched;
-- two get the value of a third, which trades its own with one of them
CALL fill('{3,3,1}');
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1');
TABLE untouched;
-- an updated row gets the value of a row without a change
CALL fill('{2,2,3}');
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1');
TABLE untouched;
-- of a row outside the scope, at the end of a chain and beside a swap
CALL fill('{2,4,3}');
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1');
TABLE untouched;
CALL fill('{2,1,4}');
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1');
TABLE untouched;
-- of its partner in a swap that update_where leaves alone, at either end
CALL fill('{2,1,3}');
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1', update_where => 'target.k <> 2');
TABLE untouched;
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1', update_where => 'target.k <> 1');
TABLE untouched;
-- of a stale row that stays, as it closes a cycle; where it goes all is well
CALL fill('{2,3}');
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1', actions => '{insert,update}');
TABLE untouched;
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1');
ROLLBACK;
-- a new row gets a value that is traded and so not free; or one that would be, were it not for the actions
CALL fill('{2,1,3,NULL,1}');
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1');
TABLE untouched;
CALL fill('{9,2,3,NULL,1}');
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1', actions => '{insert}');
TABLE untouched;
-- ignore_conflicts is about new rows, not about updated ones
CALL fill('{7,7,3}');
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1', ignore_conflicts => true);
TABLE untouched;
-- a trigger that suppresses the update of one partner
CREATE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER suppress BEFORE UPDATE ON t FOR EACH ROW WHEN (OLD.k = 2) EXECUTE FUNCTION suppress();
CALL fill('{2,1,3}');
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1');
TABLE untouched;
DROP TRIGGER suppress ON t;
-- a dry run plans and does not look at the index
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1', update_where => 'target.k <> 2', dry_run => true);
SELECT action, key FROM bulk_sync_returning('t', 's', scope => 'area = 1', update_where => 'target.k <> 2');
TABLE untouched;

-- caught, the call leaves nothing, and the transaction can trade what is valid
BEGIN;
DO $$
BEGIN
  PERFORM bulk_sync('t', 's', scope => 'area = 1', update_where => 'target.k <> 2');
EXCEPTION WHEN unique_violation THEN
  RAISE INFO 'caught, %', (TABLE untouched);
END $$;
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1');
COMMIT;
SELECT k, x FROM t ORDER BY k;

-- one index is traded well, the other is not: the message is about the other, whichever was created first
ALTER TABLE t ADD y int, ADD z int;
ALTER TABLE s ADD y int, ADD z int;
CREATE UNIQUE INDEX t_y ON t (y);
CALL fill('{2,1,3}');
UPDATE t SET y = 10 + k;
UPDATE s SET y = 11;
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1 AND k <> 3', actions => '{update}');
UPDATE s SET (x, y) = (2, (ARRAY[12, 11, 13])[k]);
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1 AND k <> 3', actions => '{update}');
SELECT k, x, y FROM t ORDER BY k;
DROP INDEX t_y;
-- each kind of index has its own message: two columns, an expression, a part of the rows, NULL
CREATE UNIQUE INDEX t_kind ON t (area, y);
CALL fill('{2,1,3}');
UPDATE s SET y = 5;
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1 AND k <> 3', actions => '{update}');
DROP INDEX t_kind;
CREATE UNIQUE INDEX t_kind ON t (abs(y));
UPDATE s SET y = CASE k WHEN 1 THEN 5 WHEN 2 THEN -5 END;
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1 AND k <> 3', actions => '{update}');
DROP INDEX t_kind;
CREATE UNIQUE INDEX t_kind ON t (y) WHERE z > 0;
UPDATE t SET y = 6, z = CASE WHEN k = 3 THEN 1 ELSE 0 END;
UPDATE s SET y = 6, z = 2 - k;
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1 AND k <> 3', actions => '{update}');
DROP INDEX t_kind;
UPDATE t SET y = k;
CREATE UNIQUE INDEX t_kind ON t (y) NULLS NOT DISTINCT;
UPDATE s SET y = NULL;
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1 AND k <> 3', actions => '{update}');
SELECT k, x, y FROM t ORDER BY k;
DROP INDEX t_kind;

-- a constraint that may be deferred says the same: when the call ends, or the transaction
ALTER TABLE t DROP CONSTRAINT t_x_key, ADD CONSTRAINT t_x_key UNIQUE (x) DEFERRABLE INITIALLY IMMEDIATE;
CALL fill('{2,3,3}');
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1');
TABLE untouched;
ALTER TABLE t DROP CONSTRAINT t_x_key, ADD CONSTRAINT t_x_key UNIQUE (x) DEFERRABLE INITIALLY DEFERRED;
CALL fill('{2,3,3}');
BEGIN;
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1');
COMMIT;
TABLE untouched;

SET client_min_messages = warning;
DROP SCHEMA trade_violations CASCADE;
