-- Names of columns in the arguments of bulk_sync: they are exact catalog names, a column has one role at most, and a role
-- needs a column that the call writes.
-- Contract 1.0.3, 1.0.4, 1.1.6, 1.3.4 (staged column that the target lacks), 1.3.9 (type of the column), 1.7 (key neither staged nor supplied); case 23
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA argument_columns;
SET search_path = argument_columns, public;

CREATE TABLE t (k int PRIMARY KEY, v text, "V" text, "od""d" text, "a.b" text, "with space" text, "naïve" text, "select" text,
	gone boolean, gone_at timestamptz, gone_at_local timestamp, gone_on date, unstaged text);
CREATE TABLE s (k int, v text, "V" text, "od""d" text, "a.b" text, "with space" text, "naïve" text, "select" text);
INSERT INTO t VALUES (1, 'a'), (2, 'b');
INSERT INTO s VALUES (2, 'b'), (3, 'c');
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, k FROM t;

-- Makes the call and undoes it: the SQLSTATE of its refusal, or the counts (inserted, updated, unchanged, skipped, deleted).
CREATE FUNCTION outcome(arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	counts text;
BEGIN
	EXECUTE format('SELECT format(''i%%s u%%s n%%s s%%s d%%s'', inserted, updated, unchanged, skipped, deleted)
		FROM bulk_sync(%s)', arguments) INTO counts;
	RAISE SQLSTATE 'UNDO0';
EXCEPTION
	WHEN SQLSTATE 'UNDO0' THEN RETURN counts;
	WHEN OTHERS THEN RETURN SQLSTATE;
END $$;
CREATE FUNCTION outcome_with(arguments text) RETURNS text LANGUAGE sql AS $$
	SELECT outcome('''t'', ''s'', scope => ''true'', ' || arguments)
$$;
CREATE FUNCTION list(VARIADIC names text[]) RETURNS text LANGUAGE sql AS 'SELECT quote_literal(names::text)';

-- Any name that the catalog can hold is good as it is, and only so: no case folding, no quotes, no qualification.
SELECT left(name, 20) AS name,
	   outcome_with('touch_columns => ' || list(name)) AS touch,
	   outcome_with(format('scope_columns => %s', list(name))) AS scope,
	   outcome_with(format('key_columns => %s', list('k', name))) AS key,
	   outcome_with(format('columns => %s', list(name))) AS columns,
	   outcome_with(format('duplicates => ''last'', order_column => %L', name)) AS "order"
  FROM unnest(ARRAY['v', 'V', 'od"d', 'a.b', 'with space', 'naïve', 'select',
	'"v"', '"V"', 'T', 't.v', 'target.v', 'staged.v', ' v', 'v ', 'SELECT', 'od""d', 'v, k', '$1', '%s', '*', repeat('x', 10000)])
	   WITH ORDINALITY AS n (name, position)
 ORDER BY position;

-- A system column is no column to sync, to match by, to scope by or to rank by.
SELECT name,
	   outcome_with('key_columns => ' || list(name)) AS key,
	   outcome_with('columns => ' || list(name)) AS columns,
	   outcome_with('scope_columns => ' || list(name)) AS scope,
	   outcome('''t'', ''s'', scope_values => ' || quote_literal(jsonb_build_object(name, 1))) AS value,
	   outcome_with('keep_columns => ' || list(name)) AS role,
	   outcome_with(format('soft_delete_column => %L', name)) AS soft_delete,
	   outcome_with(format('duplicates => ''last'', order_column => %L', name)) AS "order"
  FROM unnest('{ctid,xmin,tableoid}'::text[]) WITH ORDINALITY AS n (name, position)
 ORDER BY position;

-- The message names the table that lacks the column, and the hint what may have been meant.
\set VERBOSITY default
SELECT bulk_sync('t', 's', '{kk}', 'true');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('t', 's', scope => 'true', columns => '{naive}');
\echo :LAST_ERROR_SQLSTATE
SELECT bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone_att');
\echo :LAST_ERROR_SQLSTATE

-- A column that the target has and the staged table lacks cannot be synced, be a key, form groups or rank.
SELECT outcome_with('columns => ''{unstaged}''') AS columns,
	   outcome_with('key_columns => ''{unstaged}''') AS key,
	   outcome_with('scope_columns => ''{unstaged}''') AS scope,
	   outcome_with('duplicates => ''last'', order_column => ''unstaged''') AS "order";

-- One role at most.
SELECT a, b, outcome_with(format('%s_columns => ''{v}'', %s_columns => ''{V,v}''', a, b)) AS outcome
  FROM unnest('{insert_only,touch,fill,keep}'::text[]) WITH ORDINALITY AS x (a, i)
  JOIN unnest('{insert_only,touch,fill,keep}'::text[]) WITH ORDINALITY AS y (b, j) ON i < j
 ORDER BY i, j;
-- No role for a key, be it named or that of the primary key; none for a column that is not synced.
SELECT role,
	   outcome_with(format('%s_columns => ''{k}''', role)) AS primary_key,
	   outcome_with(format('key_columns => ''{v}'', %s_columns => ''{v}''', role)) AS key,
	   outcome_with(format('%s_columns => ''{unstaged}''', role)) AS unstaged,
	   outcome_with(format('columns => ''{v}'', %s_columns => ''{V}''', role)) AS left_out,
	   outcome(format('''t'', ''s'', scope_values => ''{"unstaged": "x"}'', %s_columns => ''{unstaged}''', role)) AS supplied,
	   outcome_with(format('soft_delete_column => ''gone'', %s_columns => ''{gone}''', role)) AS soft_delete,
	   outcome_with(format('columns => ''{v}'', %s_columns => ''{v}''', role)) AS good
  FROM unnest('{insert_only,touch,fill,keep}'::text[]) WITH ORDINALITY AS r (role, position)
 ORDER BY position;
-- None for an identity column GENERATED ALWAYS, which is insert-only without being named; one BY DEFAULT may have one.
CREATE TABLE t_identity (k int PRIMARY KEY, a int GENERATED ALWAYS AS IDENTITY, d int GENERATED BY DEFAULT AS IDENTITY,
	g int GENERATED ALWAYS AS (k * 2) STORED);
CREATE TABLE s_identity (k int, a int, d int, g int);
SELECT role,
	   outcome(format('''t_identity'', ''s_identity'', scope => ''true'', allow_empty => true, %s_columns => ''{a}''', role)) AS always,
	   outcome(format('''t_identity'', ''s_identity'', scope => ''true'', allow_empty => true, %s_columns => ''{d}''', role)) AS by_default,
	   outcome(format('''t_identity'', ''s_identity'', scope => ''true'', allow_empty => true, %s_columns => ''{g}''', role)) AS generated
  FROM unnest('{insert_only,touch,fill,keep}'::text[]) WITH ORDINALITY AS r (role, position)
 ORDER BY position;

-- Key columns are synced without being listed, and may be listed.
SELECT outcome_with('columns => ''{v}''') AS unlisted, outcome_with('columns => ''{v,k}''') AS listed,
	   outcome_with('columns => ''{k}''') AS alone;

-- A staged column that the target lacks is a mistake unless columns says which ones are meant, or it ranks the duplicates.
CREATE TABLE s_more (k int, v text, extra int);
INSERT INTO s_more VALUES (2, 'b', 1), (3, 'c', 2);
SELECT outcome('''t'', ''s_more'', scope => ''true''') AS refused,
	   outcome('''t'', ''s_more'', scope => ''true'', columns => ''{v}''') AS not_meant,
	   outcome('''t'', ''s_more'', scope => ''true'', columns => ''{v,extra}''') AS named,
	   outcome('''t'', ''s_more'', scope => ''true'', order_column => ''extra''') AS ranks,
	   outcome('''t'', ''s_more'', scope => ''true'', columns => ''{v}'', order_column => ''extra'', duplicates => ''last''') AS both;

-- A key column that is neither staged nor supplied.
CREATE TABLE s_keyless (v text);
SELECT outcome('''t'', ''s_keyless'', scope => ''true'', allow_empty => true') AS primary_key,
	   outcome('''t'', ''s_keyless'', ''{k}'', ''true'', allow_empty => true') AS key,
	   outcome('''t'', ''s_keyless'', scope_values => ''{"k": 1}'', allow_empty => true') AS supplied;

-- The soft-delete column: a boolean or a timestamp, of the target, and no key.
SELECT name, outcome_with(format('soft_delete_column => %L', name)) AS outcome
  FROM unnest('{gone,gone_at,gone_at_local,gone_on,v,k,unstaged,missing,GONE}'::text[]) WITH ORDINALITY AS n (name, position)
 ORDER BY position;

-- "first" and "last" need an order: that of the rows of a plain table, or a column.
CREATE VIEW s_view AS TABLE s;
CREATE TABLE s_partitioned (LIKE s) PARTITION BY LIST (k);
CREATE TABLE s_partition PARTITION OF s_partitioned DEFAULT;
CREATE MATERIALIZED VIEW s_materialized AS TABLE s;
INSERT INTO s_partitioned TABLE s;
SELECT staged,
	   outcome(format('''t'', %L, scope => ''true''', staged)) AS error,
	   outcome(format('''t'', %L, scope => ''true'', duplicates => ''first''', staged)) AS first,
	   outcome(format('''t'', %L, scope => ''true'', duplicates => ''last''', staged)) AS last,
	   outcome(format('''t'', %L, scope => ''true'', duplicates => ''last'', order_column => ''v''', staged)) AS ordered
  FROM unnest('{s,s_partition,s_partitioned,s_materialized,s_view}'::text[]) WITH ORDINALITY AS n (staged, position)
 ORDER BY position;

-- Nothing of all this has touched the target.
SELECT count(*) AS rows, bool_and(t.ctid = old_ctid AND t.xmin = old_xmin) AS untouched
  FROM t JOIN before USING (k);

SET client_min_messages = warning;
DROP SCHEMA argument_columns CASCADE;
