-- The settings bulk_sync.matcher and bulk_sync.applier: who may set them, what they accept, and that whichever way a call is
-- forced to go, what it counts, returns and writes is the same; also where a way is not possible, and so is not gone.
-- (README of the extension, Reading and Writing; clauses 1.1.1, 1.3.6, 1.3.7, 1.3.8, 3, 5)
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE SCHEMA matcher_and_applier;
SET search_path = matcher_and_applier, public;
LOAD 'bulk_sync';
CREATE ROLE regress_bulk_sync_way;

SELECT name, vartype, context, enumvals, boot_val, short_desc <> '' AS described
	FROM pg_settings WHERE name IN ('bulk_sync.matcher', 'bulk_sync.applier') ORDER BY name DESC;

-- Unknown values are refused.
\set VERBOSITY sqlstate
SET bulk_sync.matcher = 'merge';
SET bulk_sync.matcher = 'direct';
SET bulk_sync.matcher = '';
SET bulk_sync.applier = 'hash';
SET bulk_sync.applier = 'on';

-- Only a superuser may set them, whichever way it is tried ...
SET ROLE regress_bulk_sync_way;
SET bulk_sync.matcher = 'sort';
SET LOCAL bulk_sync.applier = 'sql';
SELECT set_config('bulk_sync.applier', 'sql', false);
SET bulk_sync.matcher TO DEFAULT;
RESET bulk_sync.applier;
UPDATE pg_settings SET setting = 'sort' WHERE name = 'bulk_sync.matcher';
ALTER ROLE regress_bulk_sync_way SET bulk_sync.applier = 'sql';
CREATE FUNCTION pg_temp.forced() RETURNS text LANGUAGE sql SET bulk_sync.matcher = 'sort' AS $$SELECT current_setting('bulk_sync.matcher')$$;
-- ... and so it is with what was set before the library was there: the first call of a session loads it
\connect -
SET client_min_messages = warning;
SET ROLE regress_bulk_sync_way;
SET bulk_sync.matcher = 'sort';
SET bulk_sync.applier = 'sql';
\set VERBOSITY sqlstate
SELECT bulk_sync(NULL, NULL);
\set VERBOSITY default
SELECT name, setting = reset_val AS as_before FROM pg_settings WHERE name IN ('bulk_sync.matcher', 'bulk_sync.applier') ORDER BY name;
RESET ROLE;

-- Anybody may look. A superuser sets them as he likes: for a session, a transaction, a function.
SET search_path = matcher_and_applier, public;
SET bulk_sync.matcher = 'SORT';
BEGIN;
SET LOCAL bulk_sync.matcher = hash;
SET LOCAL bulk_sync.applier = direct;
SHOW bulk_sync.matcher;
SHOW bulk_sync.applier;
COMMIT;
SET ROLE regress_bulk_sync_way;
SHOW bulk_sync.matcher;
RESET ROLE;
CREATE FUNCTION forced() RETURNS text LANGUAGE sql SET bulk_sync.matcher = 'join' AS $$SELECT current_setting('bulk_sync.matcher')$$;
SELECT forced();
RESET bulk_sync.matcher;

-- Runs a call in all fifteen ways, each after the same preparations, and undoes it. Shows what it answered (or the SQLSTATE of
-- the error) and what "picture" is then; ways: all, or those that answered so.
CREATE FUNCTION ways(make text, call text, picture text, caller name DEFAULT NULL)
	RETURNS TABLE (answer text, result text, ways text) LANGUAGE plpgsql AS $$
DECLARE
	way record;
BEGIN
	CREATE TEMPORARY TABLE seen (answer text, result text, way text);
	FOR way IN SELECT m, a FROM unnest('{auto,hash,join,sort,filter}'::text[]) AS m, unnest('{auto,direct,sql}'::text[]) AS a LOOP
		answer := NULL;
		result := NULL;
		BEGIN
			PERFORM set_config('bulk_sync.matcher', way.m, true), set_config('bulk_sync.applier', way.a, true);
			EXECUTE make;
			IF caller IS NOT NULL THEN
				PERFORM set_config('role', caller, true);
			END IF;
			EXECUTE 'SELECT string_agg(r::text, chr(10) ORDER BY r::text COLLATE "C") FROM ' || call || ' AS r' INTO answer;
			RESET ROLE;
			EXECUTE 'SELECT string_agg(r::text, chr(10) ORDER BY r::text COLLATE "C") FROM (' || picture || ') AS r' INTO result;
			RAISE SQLSTATE 'ZZ000';
		EXCEPTION
			WHEN SQLSTATE 'ZZ000' THEN NULL;
			WHEN OTHERS THEN answer := SQLSTATE;
		END;
		INSERT INTO seen VALUES (answer, result, way.m || ' ' || way.a);
	END LOOP;
	RETURN QUERY SELECT s.answer, s.result, CASE count(*) WHEN 15 THEN 'all' ELSE string_agg(s.way, ', ' ORDER BY s.way) END
		FROM seen AS s GROUP BY 1, 2 ORDER BY 3;
	DROP TABLE seen;
END $$;

-- One data set: rows to be inserted, updated, left and deleted, a NULL key, unique values, generated columns, defaults.
CREATE TABLE s (k text, v text, u int, n int);
INSERT INTO s VALUES ('same', 'same', 1, 1), ('changed', 'new', 2, 2), ('null v', NULL, 3, 3), (NULL, 'new', 4, 4), ('late', 'new', 5, 5),
	('early', 'new', 6, NULL), ('was stale', 'new', 70, 7);
CREATE VIEW rows_of_t AS VALUES ('same', 'same', 1, 1), ('changed', 'old', 20, 2), ('null v', 'old', 3, 3), (NULL, 'old', 4, 4),
	('gone 1', 'gone', 5, 0), ('gone 2', 'gone', 60, 0), ('was stale', 'old', 7, 0);
\set columns '(k text, v text DEFAULT ''none'', u int UNIQUE, n int, d int DEFAULT 7, twice int GENERATED ALWAYS AS (n * 2) STORED)'
\set filled 'INSERT INTO t (k, v, u, n) SELECT * FROM rows_of_t;'
\set make 'CREATE TABLE t ' :columns '; ' :filled
\set call 'bulk_sync(''t'', ''s'', ''{k}'', scope => ''true'')'
\set picture 'SELECT t FROM t'
SELECT * FROM ways(:'make', :'call', :'picture');
-- without deletes, where a join is possible; with an index to be used, and a scope
\set make 'CREATE TABLE t ' :columns '; ' :filled ' CREATE INDEX ON t (k); DELETE FROM t WHERE k LIKE ''gone%'''
SELECT * FROM ways(:'make', $$bulk_sync('t', 's', '{k}', actions => '{insert,update}')$$, :'picture');
SELECT * FROM ways(:'make', $$bulk_sync('t', 's', '{k,u}', scope => 'u IS DISTINCT FROM 20', actions => '{insert,update}', duplicates => 'last')$$, :'picture');
SELECT * FROM ways(:'make', $$bulk_sync('t', 's', '{k}', actions => '{update}', columns => '{v}')$$, :'picture');
SELECT * FROM ways(:'make', $$bulk_sync('t', 's', '{k}', scope_columns => '{n}')$$, :'picture');
-- refused in the same way: a row of the target is matched twice; not unique in the end
SELECT * FROM ways(:'make' || $$; INSERT INTO t (k) VALUES ('same')$$, :'call', :'picture');
SELECT * FROM ways(:'make' || $$; INSERT INTO s VALUES ('more', 'new', 2, 0)$$, :'call', :'picture');
-- with marks in the place of deletes, ignored conflicts, a dry run
\set make 'CREATE TABLE t ' :columns '; ALTER TABLE t ADD gone bool DEFAULT false; ' :filled ' ALTER TABLE t DROP CONSTRAINT t_u_key;'
SELECT * FROM ways(:'make' || $$; UPDATE t SET gone = true WHERE k IN ('changed', 'gone 2')$$,
	$$bulk_sync('t', 's', '{k}', scope => 'true', soft_delete_column => 'gone')$$, :'picture');
SELECT * FROM ways(:'make' || 'ALTER TABLE t ADD UNIQUE (u)', $$bulk_sync('t', 's', '{k}', actions => '{insert}', ignore_conflicts => true)$$, :'picture');
SELECT * FROM ways(:'make', $$bulk_sync('t', 's', '{k}', scope => 'true', dry_run => true)$$, :'picture');
-- what is returned, and what is compared
\set returned '(SELECT action, staged_row, key->>''k'', changed_columns, old->>''v'', old->>''n'', new->>''v'', new->>''n'' '
\set returned :returned 'FROM bulk_sync_returning(''t'', ''s'', ''{k}'', scope => ''true'', include_unchanged => true))'
SELECT * FROM ways(:'make', :'returned', :'picture');
SELECT * FROM ways(:'make', replace(:'returned', 'bulk_sync_returning', 'bulk_compare'), :'picture');

-- Triggers see the same: BEFORE triggers that change rows, AFTER triggers, transition tables.
CREATE TABLE log (line text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO log SELECT concat_ws(' ', TG_NAME, TG_OP, to_jsonb(OLD)->>'k', to_jsonb(NEW)->>'k');
	IF TG_WHEN = 'BEFORE' AND TG_OP <> 'DELETE' THEN
		NEW.d := 100;
		RETURN NEW;
	END IF;
	RETURN OLD;
END $$;
CREATE FUNCTION note_tables() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO log SELECT 'old ' || string_agg(concat(k, '=', v), ', ' ORDER BY k COLLATE "C") FROM gone;
	INSERT INTO log SELECT 'new ' || string_agg(concat(k, '=', v), ', ' ORDER BY k COLLATE "C") FROM made;
	RETURN NULL;
END $$;
\set triggers 'CREATE TRIGGER before BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();'
\set triggers :triggers 'CREATE TRIGGER after AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();'
\set tables 'CREATE TRIGGER made AFTER UPDATE ON t REFERENCING OLD TABLE AS gone NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION note_tables();'
\set make 'CREATE TABLE t ' :columns '; ' :filled :tables
\set logged 'SELECT t::text AS r FROM t UNION ALL SELECT line FROM log'
SELECT * FROM ways(:'make', :'call', :'logged');
SELECT * FROM ways(:'make' || :'triggers', :'call', :'logged');

-- Values that rows trade are PostgreSQL's own business where rows are written by SQL: the one difference that there is.
SELECT * FROM ways($$CREATE TABLE t (k text, u int UNIQUE); INSERT INTO t VALUES ('same', 2), ('changed', 1)$$,
	$$bulk_sync('t', 's', '{k}', actions => '{update}', columns => '{u}')$$, :'picture');
-- And a sort shows: the keys that are told of come in their order. (Else it is the order in which they were staged.)
CREATE TABLE doubled AS SELECT k FROM unnest('{9,8,7,1,2,3}'::int[]) AS k, generate_series(1, 2);
CREATE TABLE numbers (k int);
SET bulk_sync.matcher = sort;
SELECT * FROM bulk_sync('numbers', 'doubled', '{k}', scope => 'true');
SET bulk_sync.matcher = hash;
SELECT * FROM bulk_sync('numbers', 'doubled', '{k}', scope => 'true');
RESET bulk_sync.matcher;

-- Partitions, one of them with its columns in another order; rows that move, and BEFORE triggers, with which SQL writes.
\set parts '(k text, v text DEFAULT ''none'', u int, n int, d int DEFAULT 7, UNIQUE (u, v)) PARTITION BY LIST (v);'
\set parts :parts 'CREATE TABLE t_new (x int, d int, n int, u int, v text, k text); ALTER TABLE t_new DROP x;'
\set parts :parts 'ALTER TABLE t ATTACH PARTITION t_new FOR VALUES IN (''new''); CREATE TABLE t_others PARTITION OF t DEFAULT;'
\set make 'CREATE TABLE t ' :parts :filled
\set where 'SELECT tableoid::regclass, t FROM t'
SELECT * FROM ways(:'make', :'call', :'where');
SELECT * FROM ways(:'make' || :'tables', :'call', :'where' || $$ UNION ALL SELECT 'log'::regclass, (line, '', 0, 0, 0)::t FROM log$$);
SELECT * FROM ways(:'make' || :'triggers', :'call', :'logged');
SELECT * FROM ways(:'make' || :'triggers', :'returned', :'logged');
-- rows trade values there, but not with such triggers (Tests/README.md, Weaker than the contract)
\set make :make ' UPDATE t SET u = 1 WHERE k = ''null v''; UPDATE t SET u = 3, v = ''old'' WHERE k = ''same'';'
SELECT * FROM ways(:'make', $$bulk_sync('t', 's', '{k}', scope => 'k IN (''same'', ''null v'')', columns => '{u}', actions => '{update}')$$, :'where');
SELECT * FROM ways(:'make' || :'triggers', $$bulk_sync('t', 's', '{k}', scope => 'k IN (''same'', ''null v'')', columns => '{u}', actions => '{update}')$$, :'where');
-- marks that move their rows, which foreign keys refer to
\set gone '(k text, v text, u int, n int, gone bool NOT NULL DEFAULT false, UNIQUE (u, gone)) PARTITION BY LIST (gone);'
\set gone :gone ' CREATE TABLE t_live PARTITION OF t FOR VALUES IN (false); CREATE TABLE t_gone PARTITION OF t FOR VALUES IN (true);'
\set gone :gone ' CREATE TABLE child (u int, gone bool, FOREIGN KEY (u, gone) REFERENCES t (u, gone) ON UPDATE CASCADE);'
\set gone 'CREATE TABLE t ' :gone :filled ' INSERT INTO child VALUES (5, false);'
SELECT * FROM ways(:'gone', $$bulk_sync('t', 's', '{k}', actions => '{delete}', scope => 'true', soft_delete_column => 'gone')$$,
	:'where' || $$ UNION ALL SELECT 'child'::regclass, ('', '', u, 0, gone)::t FROM child$$);
-- one partition as the target: its rows cannot leave
SELECT * FROM ways(:'make', $$bulk_sync('t_others', 's', '{k}', scope => 'true')$$, :'where');
-- children
SELECT * FROM ways('CREATE TABLE t ' || :'columns' || '; CREATE TABLE child (more int DEFAULT 3) INHERITS (t); INSERT INTO child (k, v) VALUES (''late'', ''old''), (''gone 3'', ''gone'');'
	|| :'filled', :'call', :'where');

-- A view, and one below it that is updated.
\set make 'CREATE TABLE below ' :columns '; CREATE VIEW t AS SELECT k, v, u, n FROM below; ' :filled
SELECT * FROM ways(:'make', :'call', 'SELECT below FROM below');
SELECT * FROM ways(:'make', :'returned', 'SELECT below FROM below');

-- Row-level security: rows that the caller may not see, change or remove.
\set policies 'ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (k IS DISTINCT FROM ''gone 1''); CREATE POLICY q ON t AS RESTRICTIVE FOR DELETE USING (k <> ''gone 2'');'
\set policies :policies 'GRANT USAGE ON SCHEMA matcher_and_applier TO regress_bulk_sync_way; GRANT ALL ON t, s TO regress_bulk_sync_way;'
\set make 'CREATE TABLE t ' :columns '; ' :filled :policies
SELECT * FROM ways(:'make' || 'ALTER TABLE t DROP CONSTRAINT t_u_key;', :'call', :'picture', 'regress_bulk_sync_way');
SELECT * FROM ways(:'make', :'call', :'picture', 'regress_bulk_sync_way');

-- Keys that cannot be hashed (money), that cannot be sorted (xid), and that come from two columns of which one can be neither.
\set typed 'CREATE TABLE t (k money, v text); INSERT INTO t VALUES (1, ''old''), (2, ''same''), (3, ''gone''), (NULL, ''old'');'
\set typed :typed 'CREATE TABLE m (k money, v text); INSERT INTO m VALUES (4, ''new''), (NULL, ''new''), (2, ''same''), (1, ''new'');'
SELECT * FROM ways(:'typed', $$bulk_sync('t', 'm', '{k}', scope => 'true')$$, 'SELECT k::numeric, v FROM t');
SELECT * FROM ways(:'typed', $$bulk_sync('t', 'm', '{k}', actions => '{insert,update}')$$, 'SELECT k::numeric, v FROM t');
SELECT * FROM ways(replace(:'typed', 'money', 'int') || $$ALTER TABLE t ALTER k TYPE xid USING k::text::xid; ALTER TABLE m ALTER k TYPE xid USING k::text::xid$$,
	$$bulk_sync('t', 'm', '{k}', scope => 'true')$$, :'picture');
SELECT * FROM ways(replace(:'typed', 'money', 'int') || $$ALTER TABLE t ADD x xid DEFAULT '5'; ALTER TABLE m ADD x xid DEFAULT '5'; ALTER TABLE t ALTER k TYPE money; ALTER TABLE m ALTER k TYPE money$$,
	$$bulk_sync('t', 'm', '{k,x}', scope => 'true')$$, 'SELECT k::numeric, v, x FROM t');

-- A column of a domain that gets no value: updated in one way, inserted in another
SELECT * FROM ways('CREATE DOMAIN maybe AS int; CREATE TABLE t ' || :'columns' || '; ALTER TABLE t ADD m maybe;' || :'filled',
	:'returned', :'picture');

-- History. Many rows of one key and of one order, also behind a view: the one inserted last counts.
CREATE TABLE h (k int, at date, v text);
INSERT INTO h VALUES (1, '2020-01-01', 'new'), (1, '2030-01-01', 'new'), (2, '2030-01-01', 'first'), (NULL, NULL, 'old'), (NULL, NULL, 'new');
\set make 'CREATE TABLE t (k int, at date, v text); INSERT INTO t SELECT 1 + i % 3, ''2020-01-01'', CASE WHEN i = 60 THEN ''new'' ELSE ''old'' END FROM generate_series(1, 60) AS i;'
SELECT * FROM ways(:'make', $$bulk_insert_changed('t', 'h', '{k}', 'at')$$, $$SELECT t FROM t WHERE v <> 'old' OR k IS NULL$$);
\set make :make 'ALTER TABLE t RENAME TO below; CREATE VIEW t AS SELECT * FROM below;'
SELECT * FROM ways(:'make', $$bulk_insert_changed('t', 'h', '{k}', 'at')$$, $$SELECT t FROM t WHERE v <> 'old' OR k IS NULL$$);

RESET search_path;
DROP SCHEMA matcher_and_applier CASCADE;
DROP ROLE regress_bulk_sync_way;
