-- Every message of bulk_sync's own, once, with its DETAIL, HINT and CONTEXT, and its SQLSTATE below it.
-- Contract 1.0-1.7, 4
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
DROP ROLE IF EXISTS regress_bulk_sync_errors;
CREATE ROLE regress_bulk_sync_errors;
RESET client_min_messages;
CREATE SCHEMA errors;
SET search_path = errors, public;
GRANT USAGE ON SCHEMA errors TO regress_bulk_sync_errors;

CREATE TABLE employee (
	id int GENERATED ALWAYS AS IDENTITY, name text PRIMARY KEY, company_id int NOT NULL, email varchar(9) UNIQUE,
	salary numeric(7,2) CHECK (salary >= 0), since date, gone boolean, left_at timestamptz, born_on date);
CREATE TABLE staged (name text, company_id int, email text);
INSERT INTO employee (name, company_id, email) VALUES ('ann', 501, 'a@x'), ('bob', 501, 'b@x'), ('cid', 502, 'c@x');
INSERT INTO staged VALUES ('ann', 501, 'a@x'), ('dan', 501, 'd@x');
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, name FROM employee;
CREATE TABLE staged_none (LIKE staged);

--
-- Arguments
--
SELECT bulk_sync(NULL, 'staged');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', dry_run => NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', '{name,NULL}', 'true');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', '{{name}}', 'true');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', columns => '{}');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => '');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', '{name,name}', 'true');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', actions => '{upsert}');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', duplicates => 'newest');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', lock_mode => 'share');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope_values => '[501]');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope_values => '{}');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', expected_rows => -1);
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', max_deletes => -5);
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', max_delete_fraction => 1.5);
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', '{}', 'true');
\echo :LAST_ERROR_SQLSTATE

--
-- Kinds of relation
--
SELECT bulk_sync(0, 'staged', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 0, scope => 'true');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee_pkey', 'staged', '{name}', 'true');
\echo :LAST_ERROR_SQLSTATE
CREATE MATERIALIZED VIEW mv AS TABLE employee;
SELECT bulk_sync('mv', 'staged', '{name}', 'true');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'employee_id_seq', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
CREATE VIEW grouped AS SELECT name, count(*)::int AS company_id FROM employee GROUP BY name;
SELECT bulk_sync('grouped', 'staged', '{name}', 'true', columns => '{company_id}');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('pg_description', 'staged', '{name}', 'true');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'employee', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
CREATE VIEW staged_view AS TABLE staged;
SELECT bulk_sync('employee', 'staged_view', scope => 'true', duplicates => 'last');
\echo :LAST_ERROR_SQLSTATE

--
-- Columns, conditions and conversions
--
SELECT bulk_sync('employee', 'staged', '{nam}', 'true');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', columns => '{salary}');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', '{xmin}', 'true');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE staged_more (name text, company_id int, phone text);
SELECT bulk_sync('employee', 'staged_more', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE staged_far (name text, company_id int, observations_of_the_year text);
SELECT bulk_sync('employee', 'staged_far', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE staged_keyless (company_id int, email text);
SELECT bulk_sync('employee', 'staged_keyless', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE keyless (name text);
SELECT bulk_sync('keyless', 'staged', scope => 'true', columns => '{name}');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', touch_columns => '{name}');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', touch_columns => '{email}', keep_columns => '{email}');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', fill_columns => '{salary}');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE staged_id (id int, name text, company_id int);
SELECT bulk_sync('employee', 'staged_id', scope => 'true', insert_only_columns => '{id}');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', soft_delete_column => 'born_on');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE flags (gone boolean PRIMARY KEY, v int);
CREATE TABLE staged_flags (gone boolean, v int);
SELECT bulk_sync('flags', 'staged_flags', scope => 'true', soft_delete_column => 'gone');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE places (at point, v int);
CREATE TABLE staged_places (at point, v int);
SELECT bulk_sync('places', 'staged_places', '{at}', 'true');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE staged_ranked (v int, rank point);
SELECT bulk_sync('places', 'staged_ranked', '{v}', 'true', duplicates => 'last', order_column => 'rank');
\echo :LAST_ERROR_SQLSTATE
-- One type that can only be hashed and one that can only be sorted: no GROUP BY works on both.
CREATE TABLE mixed (hashed xid, sorted money);
CREATE TABLE staged_mixed (hashed xid, sorted money);
SELECT bulk_sync('mixed', 'staged_mixed', '{hashed,sorted}', 'true');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE staged_untyped (name text, company_id date);
SELECT bulk_sync('employee', 'staged_untyped', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'random() < 0.5');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'company_id = 501, true');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'ctid IS NOT NULL');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'EXISTS (SELECT FROM staged FOR UPDATE)');
\echo :LAST_ERROR_SQLSTATE
-- What PostgreSQL itself says about a condition is in its own words.
\set VERBOSITY sqlstate
SELECT bulk_sync('employee', 'staged', scope => 'company_id = 501; DROP TABLE employee');
SELECT bulk_sync('employee', 'staged', scope => 'company_id');
SELECT bulk_sync('employee', 'staged', scope => 'missing = 1');
SELECT bulk_sync('employee', 'staged', scope => 'count(*) > 1');
SELECT bulk_sync('employee', 'staged', scope => 'row_number() OVER () = 1');
SELECT bulk_sync('employee', 'staged', scope => 'true', update_where => 'staged.missing = 1');
SELECT bulk_sync('employee', 'staged', scope => 'true', update_where => 'name = ''x''');
\set VERBOSITY default
SELECT bulk_sync('employee', 'staged', scope_values => '{"company": 501}');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope_values => '{"company_id": "many"}');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope_columns => '{salary}');
\echo :LAST_ERROR_SQLSTATE

--
-- Privileges and read-only transactions
--
GRANT SELECT ON staged TO regress_bulk_sync_errors;
SET ROLE regress_bulk_sync_errors;
SELECT bulk_sync('employee', 'staged', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged_none', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
BEGIN READ ONLY;
SELECT bulk_sync('employee', 'staged', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

--
-- Guards
--
SELECT bulk_sync('employee', 'staged', scope => 'true', expected_rows => 20000);
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged_none', scope => 'true', expected_rows => 1);
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged_none', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', max_deletes => 1);
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', max_delete_fraction => 0.25);
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', max_deletes => 1, max_delete_fraction => 0.25);
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', max_deletes => 0, max_delete_fraction => 1);
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'true', soft_delete_column => 'gone', max_deletes => 1);
\echo :LAST_ERROR_SQLSTATE

--
-- Staged rows: conversion, duplicates, rows matched twice, scope
--
CREATE TABLE staged_text (name text, company_id text, email text, salary text);
INSERT INTO staged_text VALUES ('ann', '501', 'a@x', '1'), ('bob', '5o1', 'b@x', '2');
SELECT bulk_sync('employee', 'staged_text', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
UPDATE staged_text SET company_id = '501', email = 'bob@example.com' WHERE name = 'bob';
SELECT bulk_sync('employee', 'staged_text', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE staged_number (name text, company_id bigint);
INSERT INTO staged_number VALUES ('ann', 501), ('bob', 501), ('cid', 5000000000);
SELECT bulk_sync('employee', 'staged_number', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
CREATE DOMAIN adult AS int CHECK (value >= 18);
CREATE TABLE person (name text PRIMARY KEY, age adult);
CREATE TABLE staged_person (name text, age int);
INSERT INTO staged_person VALUES ('ann', 18), ('bob', 17);
SELECT bulk_sync('person', 'staged_person', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE staged_double AS TABLE staged UNION ALL SELECT * FROM staged WHERE name = 'ann';
SELECT bulk_sync('employee', 'staged_double', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO staged_double SELECT * FROM staged WHERE name = 'dan';
SELECT bulk_sync('employee', 'staged_double', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO staged_double SELECT format('n%s', i % 7), 501, NULL FROM generate_series(1, 14) AS i;
SELECT bulk_sync('employee', 'staged_double', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE staged_company (company_id int, since date);
INSERT INTO staged_company VALUES (501, '2026-01-01');
SELECT bulk_sync('employee', 'staged_company', '{company_id}', 'true');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope => 'company_id = 502');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('employee', 'staged', scope_values => '{"company_id": 502}');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE staged_move (name text, company_id int);
INSERT INTO staged_move VALUES ('ann', 502), ('bob', 501);
SELECT bulk_sync('employee', 'staged_move', scope => 'company_id = 501');
\echo :LAST_ERROR_SQLSTATE

--
-- The staging table
--
SELECT bulk_stage('employee', '{salry}');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_stage('employee', staged_name => 'errors.staged');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_stage('employee', staged_name => repeat('x', 64));
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_stage('employee', staged_name => 'employee');
\echo :LAST_ERROR_SQLSTATE
CREATE TEMPORARY SEQUENCE in_the_way;
SELECT bulk_stage('employee', staged_name => 'in_the_way');
\echo :LAST_ERROR_SQLSTATE
BEGIN READ ONLY;
SELECT bulk_stage('employee');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

-- None of them has touched the target.
CREATE TABLE after AS SELECT ctid AS new_ctid, xmin AS new_xmin, xmax AS new_xmax, name FROM employee;
SELECT name, new_ctid = old_ctid AND new_xmin = old_xmin AND new_xmax = '0' AS untouched FROM before FULL JOIN after USING (name) ORDER BY name;

-- A condition that writes to the target, which is not what conditions are for.
CREATE TABLE staged_update (name text, company_id int);
INSERT INTO staged_update VALUES ('ann', 503);
CREATE FUNCTION delete_employee(text) RETURNS boolean LANGUAGE sql AS 'DELETE FROM errors.employee WHERE name = $1 RETURNING true';
SELECT bulk_sync('employee', 'staged_update', scope => 'true', actions => '{update}', update_where => 'delete_employee(staged.name)');
\echo :LAST_ERROR_SQLSTATE

-- ... and one that puts another table in its place.
CREATE SCHEMA errors_place;
CREATE TABLE errors_place.t (name text PRIMARY KEY, company_id int);
INSERT INTO errors_place.t VALUES ('ann', 1);
CREATE FUNCTION replace() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	ALTER SCHEMA errors_place RENAME TO errors_elsewhere;
	CREATE SCHEMA errors_place;
	CREATE TABLE errors_place.t (name text PRIMARY KEY, company_id int);
	RETURN true;
END $$;
SELECT bulk_sync('errors_place.t', 'staged_update', scope => 'true', update_where => 'replace()');
\echo :LAST_ERROR_SQLSTATE
DROP TABLE errors_place.t;
DROP SCHEMA errors_place;

SET client_min_messages = warning;
DROP SEQUENCE in_the_way;
DROP SCHEMA errors CASCADE;
DROP ROLE regress_bulk_sync_errors;
