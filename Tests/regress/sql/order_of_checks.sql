-- The order in which a call is checked: each call has several faults, and the first in order is named. Contract 1.4
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA order_of_checks;
SET search_path = order_of_checks, public;

CREATE TABLE t (k int PRIMARY KEY, g int, v int CHECK (v < 100));
INSERT INTO t VALUES (1, 1, 1), (2, 1, 2), (3, 2, 3);
CREATE TABLE matched_twice (k int, g int, v int);
INSERT INTO matched_twice VALUES (1, 1, 1), (1, 1, 1), (2, 1, 2);
CREATE TABLE s (k int, g int, v text);
CREATE SEQUENCE q;
CREATE ROLE regress_bulk_sync_order;
GRANT USAGE ON SCHEMA order_of_checks TO regress_bulk_sync_order;
\set VERBOSITY sqlstate

-- arguments, then kinds of relation
SELECT bulk_sync('q', 's', scope => 'true', max_deletes => -1);
SELECT bulk_sync('q', 's', scope => 'nope');
-- kinds of relation, then columns
SELECT bulk_sync('q', 's', '{nope}', scope => 'true');
-- columns, the conditions included, then privileges
SET ROLE regress_bulk_sync_order;
SELECT bulk_sync('t', 's', '{nope}', scope => 'true');
SELECT bulk_sync('t', 's', scope => 'nope');
SELECT bulk_sync('t', 's', scope => 'true', update_where => 'nope');
RESET ROLE;
CREATE TABLE points (k int, g point, v text);
SET ROLE regress_bulk_sync_order;
SELECT bulk_sync('t', 'points', scope => 'true');
-- privileges, then the guards: no row of an empty staged table asks for a privilege, the arguments do
SELECT bulk_sync('t', 's', scope => 'true');
SELECT bulk_sync('t', 's', scope => 'true', expected_rows => 5);
RESET ROLE;
-- a read-only transaction, after privileges and before the guards
BEGIN READ ONLY;
SET LOCAL ROLE regress_bulk_sync_order;
SAVEPOINT a;
SELECT bulk_sync('t', 's', scope => 'true', expected_rows => 5);
ROLLBACK TO a;
RESET ROLE;
SELECT bulk_sync('t', 's', scope => 'true', expected_rows => 5);
ROLLBACK;
-- expected_rows, then empty
SELECT bulk_sync('t', 's', scope => 'true', expected_rows => 5);
SELECT bulk_sync('t', 's', scope => 'true', expected_rows => 0);
-- expected_rows, then conversion
INSERT INTO s VALUES (1, 1, 'no number'), (1, 1, '1');
SELECT bulk_sync('t', 's', scope => 'true', expected_rows => 5);
-- conversion, then duplicates
SELECT bulk_sync('t', 's', scope => 'true');
-- duplicates, then rows matched twice; the one is lifted by duplicates => 'first', the other never
UPDATE s SET v = '7';
SELECT bulk_sync('matched_twice', 's', '{k}', scope => 'true', duplicates => 'first');
-- duplicates, then scope
UPDATE s SET g = 2;
SELECT bulk_sync('t', 's', scope => 'g = 1');
-- rows matched twice, then scope
DELETE FROM s;
INSERT INTO s VALUES (1, 2, '7');
SELECT bulk_sync('matched_twice', 's', '{k}', scope => 'g = 1');
-- scope, then deletes
SELECT bulk_sync('t', 's', scope => 'g = 1', max_deletes => 0);
-- deletes, then what the writes raise
UPDATE s SET g = 1, v = '100';
SELECT bulk_sync('t', 's', scope => 'g = 1', max_deletes => 0);
SELECT bulk_sync('t', 's', scope => 'g = 1');
\set VERBOSITY default
TABLE t ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA order_of_checks CASCADE;
DROP ROLE regress_bulk_sync_order;
