/* sql/bulk_sync--1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION bulk_sync" to load this file. \quit

CREATE FUNCTION bulk_sync(
	target regclass,
	staged regclass,
	key_columns text[] DEFAULT NULL,
	scope text DEFAULT NULL,
	scope_values jsonb DEFAULT NULL,
	scope_columns text[] DEFAULT NULL,
	actions text[] DEFAULT '{insert,update,delete}',
	columns text[] DEFAULT NULL,
	insert_only_columns text[] DEFAULT '{}',
	touch_columns text[] DEFAULT '{}',
	fill_columns text[] DEFAULT '{}',
	keep_columns text[] DEFAULT '{}',
	update_where text DEFAULT NULL,
	soft_delete_column text DEFAULT NULL,
	duplicates text DEFAULT 'error',
	order_column text DEFAULT NULL,
	ignore_conflicts boolean DEFAULT false,
	expected_rows bigint DEFAULT NULL,
	allow_empty boolean DEFAULT false,
	max_deletes bigint DEFAULT NULL,
	max_delete_fraction double precision DEFAULT NULL,
	lock_mode text DEFAULT 'share update exclusive',
	dry_run boolean DEFAULT false,
	OUT staged_rows bigint,
	OUT inserted bigint,
	OUT updated bigint,
	OUT unchanged bigint,
	OUT skipped bigint,
	OUT deleted bigint)
RETURNS record
AS 'MODULE_PATHNAME', 'bulk_sync'
LANGUAGE C VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT;

COMMENT ON FUNCTION bulk_sync(
	regclass, regclass, text[], text, jsonb, text[], text[], text[], text[],
	text[], text[], text[], text, text, text, text, boolean, bigint, boolean,
	bigint, double precision, text, boolean)
IS 'make the target match the staged rows: insert, update and delete in one call, and count';

CREATE FUNCTION bulk_compare(
	target regclass,
	staged regclass,
	key_columns text[] DEFAULT NULL,
	scope text DEFAULT NULL,
	scope_values jsonb DEFAULT NULL,
	scope_columns text[] DEFAULT NULL,
	actions text[] DEFAULT '{insert,update,delete}',
	columns text[] DEFAULT NULL,
	insert_only_columns text[] DEFAULT '{}',
	touch_columns text[] DEFAULT '{}',
	fill_columns text[] DEFAULT '{}',
	keep_columns text[] DEFAULT '{}',
	update_where text DEFAULT NULL,
	soft_delete_column text DEFAULT NULL,
	duplicates text DEFAULT 'error',
	order_column text DEFAULT NULL,
	include_unchanged boolean DEFAULT false)
RETURNS TABLE (
	action text,
	staged_row bigint,
	key jsonb,
	changed_columns text[],
	old jsonb,
	new jsonb)
AS 'MODULE_PATHNAME', 'bulk_sync_compare'
LANGUAGE C VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT;

COMMENT ON FUNCTION bulk_compare(
	regclass, regclass, text[], text, jsonb, text[], text[], text[], text[],
	text[], text[], text[], text, text, text, text, boolean)
IS 'the rows that bulk_sync would insert, update or delete, one for each difference; nothing is written';

CREATE FUNCTION bulk_sync_returning(
	target regclass,
	staged regclass,
	key_columns text[] DEFAULT NULL,
	scope text DEFAULT NULL,
	scope_values jsonb DEFAULT NULL,
	scope_columns text[] DEFAULT NULL,
	actions text[] DEFAULT '{insert,update,delete}',
	columns text[] DEFAULT NULL,
	insert_only_columns text[] DEFAULT '{}',
	touch_columns text[] DEFAULT '{}',
	fill_columns text[] DEFAULT '{}',
	keep_columns text[] DEFAULT '{}',
	update_where text DEFAULT NULL,
	soft_delete_column text DEFAULT NULL,
	duplicates text DEFAULT 'error',
	order_column text DEFAULT NULL,
	ignore_conflicts boolean DEFAULT false,
	expected_rows bigint DEFAULT NULL,
	allow_empty boolean DEFAULT false,
	max_deletes bigint DEFAULT NULL,
	max_delete_fraction double precision DEFAULT NULL,
	lock_mode text DEFAULT 'share update exclusive',
	include_unchanged boolean DEFAULT false)
RETURNS TABLE (
	action text,
	staged_row bigint,
	key jsonb,
	changed_columns text[],
	old jsonb,
	new jsonb)
AS 'MODULE_PATHNAME', 'bulk_sync_returning'
LANGUAGE C VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT;

COMMENT ON FUNCTION bulk_sync_returning(
	regclass, regclass, text[], text, jsonb, text[], text[], text[], text[],
	text[], text[], text[], text, text, text, text, boolean, bigint, boolean,
	bigint, double precision, text, boolean)
IS 'make the target match the staged rows as bulk_sync does, and return each row that was written';

CREATE FUNCTION bulk_insert_changed(
	target regclass,
	staged regclass,
	key_columns text[],
	order_column text,
	compare_columns text[] DEFAULT NULL,
	OUT staged_rows bigint,
	OUT inserted bigint,
	OUT unchanged bigint)
RETURNS record
AS 'MODULE_PATHNAME', 'bulk_sync_insert_changed'
LANGUAGE C VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT;

COMMENT ON FUNCTION bulk_insert_changed(regclass, regclass, text[], text, text[])
IS 'append the staged rows that differ from the newest row of their key, and count';

CREATE FUNCTION bulk_stage(
	target regclass,
	columns text[] DEFAULT NULL,
	staged_name text DEFAULT NULL,
	on_commit_drop boolean DEFAULT false)
RETURNS regclass
AS 'MODULE_PATHNAME', 'bulk_sync_stage'
LANGUAGE C VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT;

COMMENT ON FUNCTION bulk_stage(regclass, text[], text, boolean)
IS 'create the temporary table to COPY the staged rows into, with the column types of the target';

CREATE FUNCTION bulk_sync_version()
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT extversion
		FROM pg_catalog.pg_extension
		WHERE extname OPERATOR(pg_catalog.=) 'bulk_sync'::pg_catalog.name);

COMMENT ON FUNCTION bulk_sync_version()
IS 'version of the bulk_sync extension';
