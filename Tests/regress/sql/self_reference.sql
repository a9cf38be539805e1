-- A table that refers to itself: rows may come, change and go together in any way whose final state is valid,
-- whatever the order of staging, because checks and actions wait for the end of the call.
-- Contract 1.3.6, 1.3.10, 1.5; cases 104, 106, 107
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA self_reference;
SET search_path = self_reference, public;

CREATE TABLE s (id int, boss int, name text);
CREATE TABLE emp (id int PRIMARY KEY, boss int CONSTRAINT boss REFERENCES emp, name text);

-- a cycle, a row that is its own boss, and a boss staged after the people: inserted together (case 106)
INSERT INTO s VALUES (10, 11, 'a'), (11, 10, 'b'), (5, 5, 'self'), (1, 3, 'leaf'), (2, 3, 'leaf'), (3, NULL, 'root');
SELECT * FROM bulk_sync('emp', 's', scope => 'true');
TABLE emp ORDER BY id;

-- a whole tree goes, and the cycle: root before leaf or not (case 104)
TRUNCATE s;
INSERT INTO s VALUES (5, 5, 'self');
SELECT * FROM bulk_sync('emp', 's', scope => 'true');
TABLE emp ORDER BY id;
-- a long chain comes, is turned round, and goes
TRUNCATE s;
INSERT INTO s SELECT i, NULLIF(i, 1) - 1, 'down' FROM generate_series(1, 2000) i;
SELECT * FROM bulk_sync('emp', 's', scope => 'true');
UPDATE s SET boss = NULLIF(id, 2000) + 1, name = 'up';
SELECT * FROM bulk_sync('emp', 's', scope => 'true');
TRUNCATE s;
SELECT * FROM bulk_sync('emp', 's', scope => 'true', allow_empty => true);

-- a new boss for an old employee; a boss who leaves while the people get another; both at once
INSERT INTO emp VALUES (1, NULL, 'old boss'), (2, 1, 'stays'), (3, 1, 'stays');
INSERT INTO s VALUES (2, 9, 'stays'), (3, 2, 'stays'), (9, NULL, 'new boss');
SELECT * FROM bulk_sync('emp', 's', scope => 'true');
TABLE emp ORDER BY id;

-- the final state decides: an employee, kept, changed or new, whose boss leaves is refused
TRUNCATE s;
INSERT INTO s VALUES (2, 9, 'stays'), (3, 2, 'stays');
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, id FROM emp;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('emp', 's', scope => 'true');
UPDATE s SET name = 'changed' WHERE id = 2;
SELECT * FROM bulk_sync('emp', 's', scope => 'true');
UPDATE s SET boss = NULL WHERE id = 2;
INSERT INTO s VALUES (4, 9, 'new');
SELECT * FROM bulk_sync('emp', 's', scope => 'true');
-- so is a boss in scope with people outside it
UPDATE s SET boss = 2 WHERE id = 4;
DELETE FROM s WHERE id IN (2, 3);
SELECT * FROM bulk_sync('emp', 's', scope => 'id NOT IN (3)');
\set VERBOSITY default
SELECT id, emp.ctid = old_ctid AND emp.xmin = old_xmin AS untouched FROM emp FULL JOIN before USING (id) ORDER BY id;

-- RESTRICT: in the state after all phases nobody refers to those who left
ALTER TABLE emp DROP CONSTRAINT boss, ADD CONSTRAINT boss FOREIGN KEY (boss) REFERENCES emp ON DELETE RESTRICT;
TRUNCATE s;
INSERT INTO s VALUES (3, 8, 'stays'), (8, NULL, 'newest boss');
SELECT * FROM bulk_sync('emp', 's', scope => 'true');
TABLE emp ORDER BY id;

-- CASCADE: the root goes, the child stays with its new boss, old or new (case 107)
ALTER TABLE emp DROP CONSTRAINT boss, ADD CONSTRAINT boss FOREIGN KEY (boss) REFERENCES emp ON DELETE CASCADE;
DELETE FROM emp;
INSERT INTO emp VALUES (1, NULL, 'root'), (2, 1, 'child'), (3, 1, 'child'), (4, NULL, 'other');
TRUNCATE s;
INSERT INTO s VALUES (2, 4, 'child'), (3, 5, 'child'), (4, NULL, 'other'), (5, NULL, 'new');
SELECT * FROM bulk_sync('emp', 's', scope => 'true');
TABLE emp ORDER BY id;
-- a staged child that still names the deleted root: the cascade takes it, as after any DML. The counts are those of
-- the phases, whether the row was unchanged (2), updated (3) or inserted (6); deleted is without cascades
TRUNCATE s;
INSERT INTO s VALUES (2, 4, 'child'), (3, 4, 'changed'), (5, NULL, 'new'), (6, 4, 'comes');
SELECT * FROM bulk_sync('emp', 's', scope => 'true');
TABLE emp ORDER BY id;
-- and rows that are to be deleted anyway are counted once each, in whatever order the cascade would reach them
DELETE FROM emp;
INSERT INTO emp SELECT i, NULLIF(i, 1) - 1, 'chain' FROM generate_series(1, 100) i;
TRUNCATE s;
INSERT INTO s VALUES (100, NULL, 'kept');
SELECT * FROM bulk_sync('emp', 's', scope => 'true');
TABLE emp ORDER BY id;
-- a cascade beyond the scope is the table owner's will, and not counted
INSERT INTO emp VALUES (1, NULL, 'root'), (200, 1, 'outside'), (201, 200, 'outside');
SELECT * FROM bulk_sync('emp', 's', scope => 'id <= 100');
TABLE emp ORDER BY id;

-- SET NULL: people get another boss or, outside the scope or unchanged, none
ALTER TABLE emp DROP CONSTRAINT boss, ADD CONSTRAINT boss FOREIGN KEY (boss) REFERENCES emp ON DELETE SET NULL;
DELETE FROM emp;
INSERT INTO emp VALUES (1, NULL, 'root'), (2, 1, 'moves'), (3, 1, 'same'), (200, 1, 'outside');
TRUNCATE s;
INSERT INTO s VALUES (2, 4, 'moves'), (3, 1, 'same'), (4, NULL, 'new');
SELECT * FROM bulk_sync('emp', 's', scope => 'id <= 100');
TABLE emp ORDER BY id;

-- a reference to another unique column, which changes: the staged rows know the new value already, or the cascade tells them
CREATE TABLE node (id int PRIMARY KEY, code text UNIQUE, up text REFERENCES node (code) ON UPDATE CASCADE);
CREATE TABLE node_s (id int, code text, up text);
INSERT INTO node VALUES (1, 'a', NULL), (2, 'b', 'a'), (3, 'c', 'a');
INSERT INTO node_s VALUES (1, 'A', NULL), (2, 'b', 'A'), (3, 'c', 'a');
SELECT * FROM bulk_sync('node', 'node_s', scope => 'true');
TABLE node ORDER BY id;

-- deferred: the call succeeds, COMMIT decides
CREATE TABLE late (id int PRIMARY KEY, boss int REFERENCES late DEFERRABLE INITIALLY DEFERRED, name text);
INSERT INTO late VALUES (1, NULL, 'root'), (2, 1, 'child');
TRUNCATE s;
INSERT INTO s VALUES (2, 1, 'changed');
BEGIN;
SELECT * FROM bulk_sync('late', 's', scope => 'true');
\set VERBOSITY sqlstate
COMMIT;
\set VERBOSITY default
TABLE late ORDER BY id;

-- two tables that refer to each other, synced one after the other under a deferred constraint
CREATE TABLE a (id int PRIMARY KEY, b int);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE a_s (id int, b int);
CREATE TABLE b_s (id int, a int);
INSERT INTO a_s VALUES (1, 2);
INSERT INTO b_s VALUES (2, 1);
BEGIN;
SELECT inserted FROM bulk_sync('a', 'a_s', scope => 'true');
SELECT inserted FROM bulk_sync('b', 'b_s', scope => 'true');
COMMIT;
SELECT count(*) FROM a JOIN b ON a.b = b.id AND b.a = a.id;

SET client_min_messages = warning;
DROP SCHEMA self_reference CASCADE;
