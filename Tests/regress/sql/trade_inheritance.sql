-- A table with inheritance children: each has its own indexes, and rows trade within their own table, as with any table.
-- Contract 1.3.7, 1.1.3 (children take part)
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA trade_inheritance;
SET search_path = trade_inheritance, public;
\set SHOW_CONTEXT never

CREATE TABLE t (k int, x int UNIQUE);
CREATE TABLE child (extra text, UNIQUE (x)) INHERITS (t);
CREATE TABLE s (k int, x int);
INSERT INTO t VALUES (1, 1), (2, 2), (3, 3);
INSERT INTO child VALUES (4, 1, 'four'), (5, 2, 'five'), (6, 3, 'six');
INSERT INTO s VALUES (1, 2), (2, 1), (3, 3), (4, 2), (5, 3), (6, 1);
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT tableoid::regclass AS part, k, x FROM t ORDER BY k;
SELECT k, extra FROM child ORDER BY k;
UPDATE s SET x = (ARRAY[1, 2, 3, 2, 2, 1])[k];
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT string_agg(x::text, ' ' ORDER BY k) AS x FROM t;

SET client_min_messages = warning;
DROP SCHEMA trade_inheritance CASCADE;
