-- PRIMARY KEY ... WITHOUT OVERLAPS (PostgreSQL 18): the key is two columns like any other, matched by equality,
-- and the overlap is checked as an exclusion constraint is.
-- Contract 1.1.1, 1.3.7, 1.3.8; case 103
SELECT current_setting('server_version_num')::int < 180000 AS older \gset
\if :older
\quit
\endif
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA temporal_keys;
SET search_path = temporal_keys, public;

-- (a range as the first column too, so that GiST has an operator class for it without btree_gist)
CREATE TABLE t (room int4range, during int4range, v text, PRIMARY KEY (room, during WITHOUT OVERLAPS));
CREATE TABLE s (room int4range, during int4range, v text);

-- the primary key is the key of the call: an equal pair matches, another period is another row
INSERT INTO t VALUES ('[1,2)', '[0,10)', 'a'), ('[1,2)', '[10,20)', 'b'), ('[2,3)', '[0,10)', 'c');
INSERT INTO s VALUES ('[1,2)', '[0,10)', 'a'), ('[1,2)', '[10,20)', 'B'), ('[2,3)', '[5,15)', 'c');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY room, during;

-- deletes free their time; what overlaps a row that stays is refused
TRUNCATE s;
INSERT INTO s VALUES ('[1,2)', '[0,10)', 'a'), ('[1,2)', '[9,20)', 'B');
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, room, during FROM t;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'true');
\set VERBOSITY default
SELECT room, during, t.ctid = old_ctid AND t.xmin = old_xmin AS untouched
  FROM t FULL JOIN before USING (room, during) ORDER BY room, during;

-- by another key all periods of a room may move by five; row by row the next one is in the way, so the constraint
-- has to be deferrable
CREATE TABLE m (id int PRIMARY KEY, room int4range, during int4range, UNIQUE (room, during WITHOUT OVERLAPS));
CREATE TABLE m_s (id int, room int4range, during int4range);
INSERT INTO m SELECT i, '[1,2)', int4range(10 * i, 10 * i + 10) FROM generate_series(1, 100) i;
INSERT INTO m_s SELECT i, '[1,2)', int4range(10 * i + 5, 10 * i + 15) FROM generate_series(1, 100) i;
ALTER TABLE m DROP CONSTRAINT m_room_during_key, ADD UNIQUE (room, during WITHOUT OVERLAPS) DEFERRABLE;
SELECT * FROM bulk_sync('m', 'm_s', scope => 'true');
SELECT bool_and(during = int4range(10 * id + 5, 10 * id + 15)) AS moved FROM m;

SET client_min_messages = warning;
DROP SCHEMA temporal_keys CASCADE;
