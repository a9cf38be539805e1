-- What is going on beside a call in its own transaction: a cursor that is open on the target goes on with its own picture,
-- and a planner that would have everything parallel runs the call in the leader.
-- Contract 1.6, 6; cases 256, 257
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA cursors_and_parallel_plans;
SET search_path = cursors_and_parallel_plans, public;

CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE TABLE s (k int, v text);
INSERT INTO t SELECT i, 'old' FROM generate_series(1, 6) i;
INSERT INTO s SELECT i, 'new' FROM generate_series(3, 8) i;

-- cursors on the target and on the staged table, begun before the call, one of them held beyond the transaction
BEGIN;
DECLARE on_target CURSOR FOR SELECT * FROM t ORDER BY k;
DECLARE unsorted SCROLL CURSOR FOR SELECT * FROM t;
DECLARE on_staged CURSOR WITH HOLD FOR SELECT count(*), min(v) FROM s;
FETCH 2 FROM on_target;
FETCH 1 FROM unsorted;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
FETCH ALL FROM on_target;
MOVE ABSOLUTE 0 IN unsorted;
FETCH ALL FROM unsorted;
SELECT * FROM t ORDER BY k;
-- one more call, and the cursor still shows what was
UPDATE s SET v = 'newer';
SELECT updated FROM bulk_sync('t', 's', scope => 'true');
MOVE ABSOLUTE 5 IN unsorted;
FETCH 1 FROM unsorted;
COMMIT;
FETCH ALL FROM on_staged;
CLOSE on_staged;

-- all that can be parallel shall be: the setting had another name before 16
SELECT set_config(name, 'on', false) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
UPDATE s SET v = 'parallel';
SELECT * FROM bulk_sync('t', 's', scope => 'k > 2 AND k <= (SELECT max(k) FROM s)');
SELECT bulk_sync('t', 's', scope => 'true') FROM s WHERE k = 3;
SELECT v, count(*) FROM t GROUP BY v ORDER BY v;

SET client_min_messages = warning;
DROP SCHEMA cursors_and_parallel_plans CASCADE;
