-- What bulk_insert_changed refuses: arguments, relations, privileges, read-only sessions, before anything is written; and names and
-- search paths that are meant to do harm.
-- Contract 5, 1.0.1, 1.0.2, 1.0.3, 1.1.6, 1.3.8 (privileges), 1.4 (order of the checks), 1.7, the paragraph at the end
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_appender;
RESET client_min_messages;
CREATE SCHEMA insert_changed_refusals;
SET search_path = insert_changed_refusals, public;
GRANT USAGE ON SCHEMA insert_changed_refusals TO regress_bulk_sync_appender;

CREATE TABLE t (k int, n int, v text, other text);
CREATE TABLE s (k int, n int, v text);
INSERT INTO t VALUES (1, 1, 'a');
INSERT INTO s VALUES (1, 2, 'b'), (2, 1, 'a');

-- Makes a call and undoes it: the counts, or the SQLSTATE of its refusal.
CREATE FUNCTION outcome(arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE counts text;
BEGIN
	EXECUTE 'SELECT r::text FROM bulk_insert_changed(' || arguments || ') r' INTO counts;
	RAISE SQLSTATE 'UNDO0' USING MESSAGE = counts;
EXCEPTION
	WHEN SQLSTATE 'UNDO0' THEN RETURN SQLERRM;
	WHEN OTHERS THEN RETURN SQLSTATE;
END $$;

-- 1. Arguments
SELECT arguments, outcome(arguments) FROM (VALUES (1, $$'t', 's', '{k}', 'n'$$), (2, $$'t', 's', '{k}', 'n', NULL$$), (3, $$'t', 's', '{k}', 'n', '{v}'$$),
	(4, $$NULL, 's', '{k}', 'n'$$), (5, $$'t', NULL, '{k}', 'n'$$), (6, $$'t', 's', NULL, 'n'$$), (7, $$'t', 's', '{k}', NULL$$), (8, $$'t', 's', '{}', 'n'$$),
	(9, $$'t', 's', '{k}', ''$$), (10, $$'t', 's', '{NULL}', 'n'$$), (11, $$'t', 's', '{k,NULL}', 'n'$$), (12, $$'t', 's', '{k}', 'n', '{}'$$), (13, $$'t', 's', '{k}', 'n', '{NULL}'$$),
	(14, $$'t', 's', '{k,k}', 'n'$$), (15, $$'t', 's', '{k}', 'n', '{v,v}'$$), (16, $$'t', 's', '{nope}', 'n'$$), (17, $$'t', 's', '{k}', 'nope'$$), (18, $$'t', 's', '{k}', 'n', '{nope}'$$),
	(19, $$'t', 's', '{K}', 'n'$$), (20, $$'t', 's', '{k}', 'N'$$), (21, $$'t', 's', '{k}', 'n', '{"\"v\""}'$$), (22, $$'t', 's', '{ctid}', 'n'$$), (23, $$'t', 's', '{k}', 'xmin'$$),
	(24, $$'t', 's', '{k}', 'n', '{tableoid}'$$), (25, $$'t', 's', '{other}', 'n'$$), (26, $$'t', 's', '{k}', 'n', '{other}'$$), (27, $$'t', 's', '{""}', 'n'$$), (28, $$'t', 't', '{k}', 'n'$$),
	(29, $$0::regclass, 's', '{k}', 'n'$$), (30, $$'t', 4294967295::regclass, '{k}', 'n'$$), (31, $$'t', 's', '{{k,v}}', 'n'$$)) a (position, arguments) ORDER BY position;
-- Our own messages, with a hint of what was meant; none speaks of an argument that this function does not have.
SELECT * FROM bulk_insert_changed('t', 's', '{k}', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM bulk_insert_changed('t', 's', '{k}', '');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM bulk_insert_changed('t', 's', '{}', 'n');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM bulk_insert_changed('t', 's', NULL, 'n');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM bulk_insert_changed('t', 's', '{k}', 'n', '{vv}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM bulk_insert_changed('t', 's', '{other}', 'n');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE with_unknown AS SELECT *, 1 AS unknown FROM s;
SELECT * FROM bulk_insert_changed('t', 'with_unknown', '{k}', 'n');
\echo :LAST_ERROR_SQLSTATE
-- A staged order column that the history lacks is unknown: there it has nothing to be compared with.
CREATE TABLE with_rank AS SELECT *, 1 AS rank FROM s;
SELECT outcome($$'t', 'with_rank', '{k}', 'rank'$$);
-- A primary key is no key by default here.
CREATE TABLE with_primary_key (k int, n int, v text, PRIMARY KEY (k, n));
SELECT outcome($$'with_primary_key', 's', NULL, 'n'$$), outcome($$'with_primary_key', 's', '{k}', 'n'$$);

-- 2. Relations
CREATE INDEX t_v ON t (v);
CREATE SEQUENCE seq;
CREATE TYPE pair AS (k int, n int, v text);
CREATE MATERIALIZED VIEW mv AS TABLE s;
CREATE VIEW grouped AS SELECT k, max(n) AS n, max(v) AS v FROM t GROUP BY k;
CREATE VIEW of_staged AS TABLE s;
CREATE VIEW on_t AS SELECT k, n, v FROM t;
CREATE TABLE parted (k int, n int, v text) PARTITION BY RANGE (n);
CREATE TABLE part PARTITION OF parted DEFAULT;
CREATE INDEX parted_n ON parted (n);
SELECT relation, outcome(format($$%L, 's', '{k}', 'n'$$, relation)) AS as_target, outcome(format($$'with_primary_key', %L, '{k}', 'n'$$, relation)) AS as_staged
  FROM (VALUES (1, 't_v'), (2, 'parted_n'), (3, 'seq'), (4, 'pair'), (5, 'mv'), (6, 'grouped'), (7, 'of_staged'), (8, 'on_t'), (9, 'parted'), (10, 'part'),
			   (11, 'pg_catalog.pg_class')) r (position, relation) ORDER BY position;

-- 3. Privileges: INSERT on the staged columns, SELECT on key, order and compared columns, SELECT on what is read of the staged table;
-- no UPDATE, no DELETE, and nothing on columns that take no part.
CREATE FUNCTION as_appender(arguments text DEFAULT $$'t', 's', '{k}', 'n'$$) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	SET LOCAL ROLE regress_bulk_sync_appender;
	result := outcome(arguments);
	RESET ROLE;
	RETURN result;
END $$;
SELECT as_appender() AS nothing;
GRANT SELECT ON s TO regress_bulk_sync_appender;
GRANT INSERT (k, n, v) ON t TO regress_bulk_sync_appender;
SELECT as_appender() AS insert_alone;
GRANT SELECT (k, n) ON t TO regress_bulk_sync_appender;
SELECT as_appender() AS compared_not_readable;
GRANT SELECT (v) ON t TO regress_bulk_sync_appender;
SELECT as_appender() AS all_that_is_needed;
REVOKE SELECT (n) ON t FROM regress_bulk_sync_appender;
SELECT as_appender() AS order_not_readable;
GRANT SELECT (n) ON t TO regress_bulk_sync_appender;
REVOKE INSERT (v) ON t FROM regress_bulk_sync_appender;
SELECT as_appender() AS one_column_not_insertable;
GRANT INSERT (v) ON t TO regress_bulk_sync_appender;
-- asked for by the arguments, never by the rows: also if nothing is to be written, or nothing is staged
CREATE TABLE none (LIKE s);
REVOKE INSERT (n) ON t FROM regress_bulk_sync_appender;
GRANT SELECT ON none TO regress_bulk_sync_appender;
SELECT as_appender($$'t', 'none', '{k}', 'n'$$) AS nothing_staged;
GRANT INSERT (n) ON t TO regress_bulk_sync_appender;
REVOKE SELECT ON s FROM regress_bulk_sync_appender;
SELECT as_appender() AS staged_not_readable;
GRANT SELECT (k, n, v) ON s TO regress_bulk_sync_appender;
SELECT as_appender() AS staged_by_column;
-- the sequence of an identity column is the table's own
CREATE TABLE owned (id int GENERATED ALWAYS AS IDENTITY, k int, v text);
CREATE TABLE for_owned AS SELECT k, v FROM s;
GRANT INSERT (k, v), SELECT ON owned TO regress_bulk_sync_appender;
GRANT SELECT ON for_owned TO regress_bulk_sync_appender;
SELECT as_appender($$'owned', 'for_owned', '{k}', 'id'$$) AS assigned;
-- Privileges come before conversion: nothing is said of values that the caller may not write.
CREATE TABLE bad AS SELECT 'x' AS k, 1 AS n, 'a' AS v;
REVOKE ALL ON t FROM regress_bulk_sync_appender;
GRANT SELECT ON bad TO regress_bulk_sync_appender;
SELECT as_appender($$'t', 'bad', '{k}', 'n'$$) AS no_privilege, outcome($$'t', 'bad', '{k}', 'n'$$) AS bad_value;

-- 4. Read-only
BEGIN READ ONLY;
SELECT outcome($$'t', 's', '{k}', 'n'$$) AS changed;
SELECT outcome($$'t', 'none', '{k}', 'n'$$) AS nothing_staged;
ROLLBACK;

-- 5. Hostile names are names.
CREATE SCHEMA "x'; DROP TABLE t; --";
CREATE TABLE "x'; DROP TABLE t; --"."h""h $$ \" ("k"")" int, "n'n" int, "v, other" text, "SELECT" text, "%s %I" int);
CREATE TABLE "x'; DROP TABLE t; --"."s.s" ("%s %I" int, "SELECT" text, "n'n" int, "v, other" text, "k"")" int);
INSERT INTO "x'; DROP TABLE t; --"."s.s" VALUES (1, '''; DROP TABLE t; --', 1, '$$', 7), (1, '''; DROP TABLE t; --', 2, '$$', 7), (1, '\', 3, '$1', 7);
SET search_path = "x'; DROP TABLE t; --", insert_changed_refusals, public;
SELECT * FROM bulk_insert_changed('"h""h $$ \"', '"s.s"', ARRAY['k")', '%s %I'], 'n''n');
SELECT * FROM bulk_insert_changed('"h""h $$ \"', '"s.s"', ARRAY['k")'], 'n''n', ARRAY['v, other', 'SELECT']);
SELECT * FROM "h""h $$ \" ORDER BY "n'n", "v, other";
SET client_min_messages = warning;
DROP SCHEMA "x'; DROP TABLE t; --" CASCADE;
RESET client_min_messages;
SET search_path = insert_changed_refusals, public;

-- 6. Operators and functions of a hostile path are never called: with pg_catalog last, every = and < of ints and texts fails.
CREATE FUNCTION fail_int(int, int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''called''; END';
CREATE FUNCTION fail_text(text, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''called''; END';
CREATE OPERATOR = (LEFTARG = int, RIGHTARG = int, FUNCTION = fail_int);
CREATE OPERATOR < (LEFTARG = int, RIGHTARG = int, FUNCTION = fail_int);
CREATE OPERATOR > (LEFTARG = int, RIGHTARG = int, FUNCTION = fail_int);
CREATE OPERATOR = (LEFTARG = text, RIGHTARG = text, FUNCTION = fail_text);
CREATE OPERATOR <> (LEFTARG = text, RIGHTARG = text, FUNCTION = fail_text);
CREATE FUNCTION count("any") RETURNS bigint LANGUAGE internal AS 'int8um';
CREATE TEMPORARY TABLE pg_class (oid int);
CREATE TEMPORARY TABLE pg_attribute (attname text);
SET search_path = pg_temp, insert_changed_refusals, public, pg_catalog;
SELECT * FROM bulk_insert_changed('t', 's', '{k}', 'n');
SELECT * FROM bulk_insert_changed('t', 's', '{k,v}', 'n');
SELECT * FROM bulk_insert_changed('owned', 'for_owned', '{k}', 'id', '{v}');
SELECT pg_catalog.current_setting('search_path') AS path_is_kept;
SET search_path = insert_changed_refusals, public;
DROP TABLE pg_temp.pg_class, pg_temp.pg_attribute;
-- what stands there is of the calls that were accepted, two rows of the first; nothing is left of the refused ones
SELECT * FROM t ORDER BY k USING OPERATOR(pg_catalog.<), n USING OPERATOR(pg_catalog.<);

SET client_min_messages = warning;
DROP SCHEMA insert_changed_refusals CASCADE;
DROP ROLE regress_bulk_sync_appender;
