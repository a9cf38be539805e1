-- The messages of bulk_sync's own about foreign tables, with SQLSTATE, DETAIL and HINT.
-- Contract 1.7
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE EXTENSION IF NOT EXISTS file_fdw;
RESET client_min_messages;
CREATE SCHEMA contrib_errors;
SET search_path = contrib_errors, public;

CREATE SERVER contrib_errors_files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE read_only (k int, v text) SERVER contrib_errors_files OPTIONS (filename '/dev/null');
CREATE TABLE t (k int PRIMARY KEY, v text);
CREATE TABLE s (k int, v text);
INSERT INTO t VALUES (1, 'a');
INSERT INTO s VALUES (1, 'a');

-- One that cannot be written is refused before a row is read, for the first action that it cannot take.
SELECT bulk_sync('read_only', 's', '{k}', 'true');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('read_only', 's', '{k}', 'true', dry_run => true);
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('read_only', 's', '{k}', 'true', actions => '{update}');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('read_only', 's', '{k}', 'true', actions => '{delete}');
\echo :LAST_ERROR_SQLSTATE
-- As staged table it is as good as any.
SELECT * FROM bulk_sync('t', 'read_only', scope => 'true', dry_run => true, allow_empty => true);
SELECT bulk_stage('read_only');

SET client_min_messages = warning;
DROP SCHEMA contrib_errors CASCADE;
DROP TABLE read_only_staged;
DROP SERVER contrib_errors_files;
DROP EXTENSION file_fdw;
