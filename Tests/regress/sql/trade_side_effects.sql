-- What hangs on rows that trade unique values: children that refer to the row or to the value, exclusion constraints beside
-- the unique ones, CHECK and NOT NULL, columns and identities that are not synced.
-- Contract 1.3.7 (no kept row is deleted and re-inserted; exclusion constraints are as in ordinary DML), 1.3.6, 1.3.8
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA trade_side_effects;
SET search_path = trade_side_effects, public;
CREATE TABLE s (k int, x int);

-- Children that go with the deleted row: those of the rows that trade stay, those of the one that goes do not.
CREATE TABLE t (k int PRIMARY KEY, x int NOT NULL UNIQUE CHECK (x > 0), id int GENERATED ALWAYS AS IDENTITY, note text);
CREATE TABLE child (n int, parent int REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE restricted (n int, parent int REFERENCES t ON DELETE RESTRICT ON UPDATE RESTRICT);
CREATE TABLE nulled (n int, parent int REFERENCES t ON DELETE SET NULL);
INSERT INTO t (k, x, note) SELECT i, i, 'note ' || i FROM generate_series(1, 4) i;
INSERT INTO child SELECT i, i FROM generate_series(1, 4) i;
INSERT INTO restricted SELECT i, i FROM generate_series(1, 3) i;
INSERT INTO nulled SELECT i, i FROM generate_series(1, 4) i;
INSERT INTO s VALUES (1, 2), (2, 3), (3, 1), (5, 4);
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT k, x, id, note FROM t ORDER BY k;
SELECT (SELECT string_agg(n || '>' || parent, ' ' ORDER BY n) FROM child) AS child,
  (SELECT string_agg(n || '>' || parent, ' ' ORDER BY n) FROM restricted) AS restricted,
  (SELECT string_agg(n || '>' || COALESCE(parent::text, '-'), ' ' ORDER BY n) FROM nulled) AS nulled;
-- the traded rows refer to each other, by the key and by the value
ALTER TABLE t ADD boss int REFERENCES t, ADD boss_x int REFERENCES t (x);
ALTER TABLE s ADD boss int, ADD boss_x int;
UPDATE s SET x = k, boss = (ARRAY[2, 3, 1, NULL, 1])[k], boss_x = (ARRAY[3, 1, 2, NULL, 5])[k];
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT k, x, boss, boss_x FROM t ORDER BY k;
-- children of the value, without a cascade: what they refer to is there before and after, in another row
CREATE TABLE by_value (n int, x int REFERENCES t (x));
INSERT INTO by_value VALUES (1, 1), (2, 2);
UPDATE s SET x = (ARRAY[2, 1, 3, NULL, 5])[k], boss_x = NULL;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT k, x FROM t ORDER BY k;
TABLE by_value ORDER BY n;
-- one that would refer to nothing afterwards: the end of a chain that leaves its value behind
UPDATE s SET x = (ARRAY[3, 9, 8, NULL, 5])[k];
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'true');
-- CHECK, of a row in the middle of a trade
UPDATE s SET x = (ARRAY[1, 2, -3, NULL, 5])[k];
SELECT * FROM bulk_sync('t', 's', scope => 'true');
-- NOT NULL
UPDATE s SET x = (ARRAY[1, 2, NULL, NULL, 5])[k];
SELECT * FROM bulk_sync('t', 's', scope => 'true');
\set VERBOSITY default
SELECT k, x FROM t ORDER BY k;

-- Exclusion constraints are as in an UPDATE, which looks at them row by row: the swap fails and leaves nothing changed.
CREATE TABLE rooms (k int PRIMARY KEY, x int UNIQUE, during int4range, CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&));
CREATE TABLE rooms_staged (k int, x int, during int4range);
INSERT INTO rooms VALUES (1, 1, '[0,10)'), (2, 2, '[10,20)'), (3, 3, '[20,30)');
INSERT INTO rooms_staged VALUES (1, 1, '[10,20)'), (2, 2, '[0,10)'), (3, 3, '[20,30)');
CREATE TABLE before AS SELECT k, ctid AS old_ctid, xmin AS old_xmin FROM rooms;
CREATE VIEW untouched AS SELECT bool_and(rooms.ctid = old_ctid AND rooms.xmin = old_xmin) AS untouched FROM rooms JOIN before USING (k);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('rooms', 'rooms_staged', scope => 'true');
TABLE untouched;
-- also if unique values are traded beside it, and if it is equality that excludes
UPDATE rooms_staged SET x = (ARRAY[2, 1, 3])[k];
SELECT * FROM bulk_sync('rooms', 'rooms_staged', scope => 'true');
TABLE untouched;
ALTER TABLE rooms DROP CONSTRAINT no_overlap, ADD CONSTRAINT no_equal EXCLUDE USING btree (during WITH =);
SELECT * FROM bulk_sync('rooms', 'rooms_staged', scope => 'true');
TABLE untouched;
-- the unique values alone are traded in spite of an exclusion constraint; the other columns may change with them
ALTER TABLE rooms DROP CONSTRAINT no_equal, ADD CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&);
UPDATE rooms_staged SET during = (ARRAY['[0,9)', '[10,20)', '[21,30)'])[k]::int4range;
\set VERBOSITY default
SELECT * FROM bulk_sync('rooms', 'rooms_staged', scope => 'true');
TABLE rooms ORDER BY k;
-- one that may be deferred is looked at when the call ends
ALTER TABLE rooms DROP CONSTRAINT no_overlap, ADD CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&) DEFERRABLE;
UPDATE rooms_staged SET x = k, during = (ARRAY['[10,20)', '[21,30)', '[0,9)'])[k]::int4range;
SELECT * FROM bulk_sync('rooms', 'rooms_staged', scope => 'true');
TABLE rooms ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA trade_side_effects CASCADE;
