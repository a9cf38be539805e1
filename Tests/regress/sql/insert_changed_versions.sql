-- bulk_insert_changed with several staged versions of one key in one call: each is compared with the newest row of its key
-- so far, those just inserted included. By hand, against a slow and obvious model over generated cases, and in batches.
-- Contract 5, 1.1.1, 1.3.1
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA insert_changed_versions;
SET search_path = insert_changed_versions, public;

-- 1. By hand. What is known of the key, oldest first, and what is staged; the history as it is afterwards. The rows are staged
-- once in order, once in the opposite order with the same order column: that makes no difference.
CREATE TABLE t (k int, n int, v text);
CREATE TABLE s (k int, n int, v text);
CREATE FUNCTION history(known text[], staged text[]) RETURNS TABLE (counts text, history text, same_reversed boolean) LANGUAGE plpgsql AS $$
DECLARE
	reversed_counts text;
	reversed_history text;
BEGIN
	TRUNCATE t, s;
	INSERT INTO t SELECT 1, n, v FROM unnest(known) WITH ORDINALITY u (v, n);
	INSERT INTO s SELECT 1, 100 + n, v FROM unnest(staged) WITH ORDINALITY u (v, n) ORDER BY n DESC;
	SELECT r::text INTO reversed_counts FROM bulk_insert_changed('t', 's', '{k}', 'n') r;
	SELECT string_agg(coalesce(v, 'NULL') || n, ' ' ORDER BY n) INTO reversed_history FROM t;
	TRUNCATE t, s;
	INSERT INTO t SELECT 1, n, v FROM unnest(known) WITH ORDINALITY u (v, n);
	INSERT INTO s SELECT 1, 100 + n, v FROM unnest(staged) WITH ORDINALITY u (v, n) ORDER BY n;
	SELECT r::text INTO counts FROM bulk_insert_changed('t', 's', '{k}', 'n') r;
	SELECT string_agg(coalesce(v, 'NULL') || n, ' ' ORDER BY n) INTO history FROM t;
	same_reversed := counts = reversed_counts AND history = reversed_history;
	RETURN NEXT;
END $$;
SELECT known, staged, h.*
  FROM (VALUES (1, '{}'::text[], '{A}'::text[]), (2, '{}', '{A,A}'), (3, '{}', '{A,B}'), (4, '{}', '{A,B,A}'), (5, '{}', '{A,A,B}'), (6, '{}', '{A,B,B}'),
			   (7, '{A}', '{A}'), (8, '{A}', '{B}'), (9, '{A}', '{A,B,A}'), (10, '{A}', '{B,A,A}'), (11, '{A}', '{B,B,A}'), (12, '{A,B}', '{A,B}'),
			   (13, '{A,B}', '{B,A,B}'), (14, '{A,B}', '{A,A,A}'), (15, '{B,A}', '{A,A,A}'),
			   (16, '{}', '{NULL}'), (17, '{}', '{NULL,NULL,A,NULL}'), (18, '{NULL}', '{NULL,A,A,NULL,NULL}'), (19, '{A}', '{NULL,"",NULL}')
	   ) c (position, known, staged), history(known, staged) h ORDER BY position;

-- 2. The model: staged rows one by one, in order, each compared with the newest row of its key. The order is that of column o, or
-- that of staging, where the order column is an identity which the database assigns.
CREATE TABLE result (kinds text, calls bigint, staged bigint, inserted bigint, unchanged bigint, wrong bigint, example text);
CREATE PROCEDURE model(order_column text) LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	FOR r IN EXECUTE CASE order_column WHEN 'o' THEN 'SELECT ctid FROM s ORDER BY o NULLS FIRST, ctid' ELSE 'SELECT ctid FROM s ORDER BY ctid' END LOOP
		EXECUTE format('INSERT INTO m (k1, k2, o, v, w, tag) SELECT * FROM s WHERE ctid = $1 AND NOT EXISTS (
			SELECT FROM (SELECT m.v, m.w FROM m WHERE m.k1 IS NOT DISTINCT FROM s.k1 AND m.k2 IS NOT DISTINCT FROM s.k2
						  ORDER BY m.%s DESC NULLS LAST, m.id DESC LIMIT 1) newest
			 WHERE record_image_eq(ROW(newest.v, newest.w), ROW(s.v, s.w)))', order_column) USING r.ctid;
	END LOOP;
END $$;

-- Cases of one kind: types of the two key columns and of the order column, with the values to draw from. Each case makes a history and
-- calls three times, so that a call meets what the ones before it appended; ties, NULLs and rows older than the newest abound.
CREATE PROCEDURE compare(kinds text, k1 text, k1_values text[], k2 text, k2_values text[], o text, o_values text[], order_column text DEFAULT 'o') LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	total result := (kinds, 0, 0, 0, 0, 0, NULL);
	counts record;
	tags int[];
	expected int[];
	old_rows int;
	fill text := format('(k1, k2, o, v, w, tag) SELECT ($1)[1 + floor(random() * cardinality($1))]::%s, ($2)[1 + floor(random() * cardinality($2))]::%s,
		($3)[1 + floor(random() * cardinality($3))]::%s, (ARRAY[''a'', ''b'', NULL])[1 + floor(random() * 2.2)],
		(ARRAY[1.0, 1.00, NULL])[1 + floor(random() * 1.5)], $4 + n FROM generate_series(1, $5) n', k1, k2, o);
BEGIN
	EXECUTE format('CREATE TABLE t (w numeric, k1 %s, tag int, k2 %s, id int GENERATED ALWAYS AS IDENTITY, v text, o %s)', k1, k2, o);
	EXECUTE format('CREATE TABLE s (k1 %s, k2 %s, o %s, v text, w numeric, tag int)', k1, k2, o);
	EXECUTE format('CREATE TABLE m (k1 %s, k2 %s, o %s, v text, w numeric, tag int, id serial)', k1, k2, o);
	FOR number IN 1 .. 40 LOOP
		PERFORM set_config('bulk_sync.work_mem', CASE number % 3 WHEN 0 THEN '0' ELSE '-1' END, false);
		TRUNCATE t, s, m RESTART IDENTITY;
		EXECUTE 'INSERT INTO t ' || fill USING k1_values, k2_values, o_values, 0, number % 4 * 5;
		INSERT INTO m (k1, k2, o, v, w, tag) SELECT k1, k2, o, v, w, tag FROM t ORDER BY ctid;
		FOR turn IN 1 .. 3 LOOP
			TRUNCATE s;
			EXECUTE 'INSERT INTO s ' || fill USING k1_values, k2_values, o_values, turn * 100, 1 + floor(random() * 16)::int;
			old_rows := (SELECT count(*) FROM t);
			CALL model(order_column);
			SELECT * INTO counts FROM bulk_insert_changed('t', 's', '{k1,k2}', order_column, '{v,w}');
			tags := (SELECT array_agg(tag ORDER BY tag) FROM t);
			expected := (SELECT array_agg(tag ORDER BY tag) FROM m);
			total.calls := total.calls + 1;
			total.staged := total.staged + counts.staged_rows;
			total.inserted := total.inserted + counts.inserted;
			total.unchanged := total.unchanged + counts.unchanged;
			IF tags IS DISTINCT FROM expected OR counts.inserted <> cardinality(tags) - old_rows OR counts.staged_rows <> counts.inserted + counts.unchanged
			   OR counts.staged_rows <> (SELECT count(*) FROM s) THEN
				total.wrong := total.wrong + 1;
				total.example := coalesce(total.example, format('case %s turn %s: %s, expected %s', number, turn, tags, expected));
				EXIT;
			END IF;
		END LOOP;
	END LOOP;
	INSERT INTO result SELECT total.*;
	RESET bulk_sync.work_mem;
	DROP TABLE t, s, m;
END $$;
DROP TABLE t, s;
SET client_min_messages = warning;
DO 'BEGIN PERFORM setseed(0.5); END';
CALL compare('int, text by int', 'int', '{1,2,3,NULL}', 'text', '{a}', 'int', '{1,2,3,4,5,6,NULL}');
CALL compare('int, text by timestamptz', 'int', '{1,2,NULL}', 'text', '{a,A,NULL}', 'timestamptz', '{2024-01-01,2024-01-02,infinity,-infinity,NULL}');
CALL compare('numeric, date by numeric', 'numeric', '{1,1.0,1.00,NaN,NULL}', 'date', '{2024-01-01,NULL}', 'numeric', '{1,1.0,2,NaN,-Infinity,Infinity,NULL}');
CALL compare('float8, bool by float8', 'float8', '{0,-0,NaN,NULL}', 'bool', '{t,f,NULL}', 'float8', '{0,-0,1,NaN,-Infinity,NULL}');
CALL compare('money, bit by date', 'money', '{1,2,NULL}', 'bit(2)', '{01,10,NULL}', 'date', '{2024-01-01,2024-01-02,infinity,NULL}');
CALL compare('xid, uuid by text', 'xid', '{1,2,NULL}', 'uuid', '{a0000000-0000-0000-0000-000000000000,NULL}', 'text COLLATE "C"', '{a,B,A,b,"",NULL}');
CALL compare('xid, text by money', 'xid', '{1,2,NULL}', 'text', '{a,b,NULL}', 'money', '{1,2,3,NULL}');
CALL compare('jsonb, int[] by char', 'jsonb', '{"\"a\"",1,1.0,null,NULL}', 'int[]', '{"{1}","{NULL}",NULL}', 'char(3)', '{a,"a  ",b,NULL}');
CALL compare('varchar, interval by interval', 'varchar(5)', '{a,b}', 'interval', '{1 day,24 hours,NULL}', 'interval', '{1 day,24 hours,1 month,30 days,2 months}');
CALL compare('int, text by order of staging', 'int', '{1,2,NULL}', 'text', '{a,NULL}', 'int', '{1,2,3}', order_column => 'id');
RESET client_min_messages;
-- Every kind of case inserted some rows and left out others; none differs from the model.
SELECT kinds, calls, staged = inserted + unchanged AS adds_up, inserted > 100 AND unchanged > 100 AS both_happen, wrong, example FROM result ORDER BY kinds COLLATE "C";

-- 3. In batches: more rows than the memory holds. Newer than all that is known, each row is compared with the one before it.
CREATE TABLE t (k int, o int, v int, filler text);
CREATE TABLE s (filler text, v int, o int, k int);
INSERT INTO t SELECT k, o, (k + o) % 3, repeat('x', 50) FROM generate_series(1, 3000) k, generate_series(1, 3) o;
INSERT INTO s SELECT repeat('x', 50), (k + o / 2) % 2, o, k FROM generate_series(2001, 4000) k, generate_series(8, 4, -1) o ORDER BY o, -k;
INSERT INTO s SELECT repeat('x', 50), o / 3, o, NULL FROM generate_series(3000, 4, -1) o;
CREATE TABLE expected AS
	WITH rows AS (SELECT true AS old, k, o, v, filler FROM t UNION ALL SELECT false, k, o, v, filler FROM s),
		 compared AS (SELECT *, lag(v) OVER (PARTITION BY k ORDER BY o) AS previous FROM rows)
	SELECT k, o, v, filler FROM compared WHERE old OR v IS DISTINCT FROM previous;
CREATE FUNCTION with_memory(memory text) RETURNS TABLE (counts text, missing bigint, too_many bigint) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('bulk_sync.work_mem', memory, true);
	DELETE FROM t WHERE o > 3;
	SELECT r::text INTO counts FROM bulk_insert_changed('t', 's', '{k}', 'o', '{v}') r;
	missing := (SELECT count(*) FROM (TABLE expected EXCEPT ALL TABLE t) a);
	too_many := (SELECT count(*) FROM (TABLE t EXCEPT ALL TABLE expected) b);
	RETURN NEXT;
END $$;
SELECT (SELECT count(*) FROM s) AS staged, (SELECT count(*) FROM expected) - 9000 AS to_insert;
SELECT * FROM with_memory('-1');
SELECT * FROM with_memory('64kB');
SELECT * FROM with_memory('0');

SET client_min_messages = warning;
DROP SCHEMA insert_changed_versions CASCADE;
