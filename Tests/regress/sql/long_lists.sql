-- Lists of very many names are refused like short ones, and can be cancelled meanwhile.
-- Contract 1.0.2, 1.6 (cancel); case 314
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA long_lists;
SET search_path = long_lists, public;
CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE TABLE s (k int, v text);
\set VERBOSITY terse
SELECT * FROM bulk_sync('t', 's', (SELECT array_agg('c' || i ORDER BY i) FROM generate_series(1, 3000) i), scope => 'true');
SELECT * FROM bulk_sync('t', 's', (SELECT array_agg('c' || i % 2999 ORDER BY i) FROM generate_series(0, 2999) i), scope => 'true');
SELECT * FROM bulk_stage('t', (SELECT array_agg('c' || i ORDER BY i) FROM generate_series(1, 3000) i));
-- These would take minutes.
SET statement_timeout = '500ms';
SELECT * FROM bulk_sync('t', 's', (SELECT array_agg('a common beginning ' || i) FROM generate_series(1, 300000) i), scope => 'true');
SELECT * FROM bulk_insert_changed('t', 's', '{k}', 'v', (SELECT array_agg('a common beginning ' || i) FROM generate_series(1, 300000) i));
RESET statement_timeout;
SET client_min_messages = warning;
DROP SCHEMA long_lists CASCADE;
