-- A block for each bug that was found in use, named for what must hold. The clauses are those of the contract.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_issues;
RESET client_min_messages;
CREATE SCHEMA issues;
GRANT USAGE ON SCHEMA issues TO regress_bulk_sync_issues;
SET search_path = issues, public;

-- Rows behind a view with and without NULL in their key are locked by two statements; what the first one found out outlives it.
CREATE TABLE below (j json, a varchar(2), k numeric(4,1), b varchar(2));
CREATE INDEX ON below (a, b);
CREATE VIEW above AS SELECT k, j, b, a FROM below;
INSERT INTO below VALUES ('[1,2]', 'ab', '1.04', NULL), ('[1,2]', 'a ', '1', 'a ');
CREATE TEMPORARY TABLE above_staged (k numeric(4,1), a varchar(2), b varchar(2), j text);
INSERT INTO above_staged VALUES ('1.04', 'ab', 'ab', '{"a": 1}');
SELECT * FROM bulk_sync('above', 'above_staged', '{a,b}', scope => 'true');
SELECT a, k, b, j FROM below;

-- A new row that its writer will not see may be inserted, as by a plain INSERT, also when the scope is checked on the written row (1.3.8, 1.2.5).
CREATE TABLE letters (id int PRIMARY KEY, v text, box int DEFAULT 5);
ALTER TABLE letters ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON letters FOR SELECT USING (v <> 'secret');
CREATE POLICY written ON letters FOR INSERT WITH CHECK (true);
CREATE TABLE letters_staged AS SELECT 1 AS id, 'secret' AS v;
GRANT SELECT, INSERT ON letters, letters_staged TO regress_bulk_sync_issues;
SET ROLE regress_bulk_sync_issues;
SELECT * FROM bulk_sync('letters', 'letters_staged', actions => '{insert}', scope => 'box = 6');
SELECT * FROM bulk_sync('letters', 'letters_staged', actions => '{insert}', scope => 'box = 5');
TABLE letters;
RESET ROLE;
TABLE letters;

-- A condition with a subquery that is planned as a bitmap scan is checked for its privileges without being run.
CREATE TABLE many AS SELECT i AS k, i % 10 AS v FROM generate_series(1, 2000) i;
CREATE INDEX ON many (v);
ANALYZE many;
CREATE TABLE few (k int PRIMARY KEY, v int);
CREATE TABLE few_staged AS SELECT 1 AS k, 2 AS v;
SET enable_seqscan = off;
SET enable_indexscan = off;
CREATE FUNCTION few_scope() RETURNS int STABLE LANGUAGE sql RETURN 3;
SELECT * FROM bulk_sync('few', 'few_staged', scope => 'EXISTS (SELECT FROM many m WHERE m.v = few_scope())');
RESET enable_seqscan;
RESET enable_indexscan;

-- A row that a trigger suppressed is not looked for again, though it was written earlier in the same transaction (1.3.10).
CREATE TABLE parted (k int, area int, v text) PARTITION BY LIST (area);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_staged AS SELECT 1 AS k, 'new' AS v;
CREATE TABLE calls (k int);
CREATE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO calls VALUES (old.k); RETURN NULL; END$$;
CREATE TRIGGER suppress BEFORE UPDATE ON parted FOR EACH ROW EXECUTE FUNCTION suppress();
BEGIN;
INSERT INTO parted VALUES (1, 1, 'old');
SELECT * FROM bulk_sync('parted', 'parted_staged', '{k}', scope => 'true');
SELECT count(*) AS calls FROM calls;
COMMIT;

-- Without a key an error names the staged row, and where only the written row decides, that there is no key (1.0.5, 1.2.5).
CREATE TABLE keyless (a int, area int DEFAULT 2);
CREATE TABLE keyless_staged (a int, area int);
INSERT INTO keyless_staged VALUES (1, 1), (2, 1), (3, 2);
SELECT * FROM bulk_sync('keyless', 'keyless_staged', '{}', actions => '{insert}', scope => 'area = 1');
SELECT * FROM bulk_sync('keyless', 'keyless_staged', '{}', actions => '{insert}', scope => 'area = 1', columns => '{a}');
SELECT * FROM bulk_sync('keyless', 'keyless_staged', '{}', actions => '{insert}', scope => 'area < 3');
TABLE keyless ORDER BY a;

-- New rows get their ids in the order of staging, also when the match went in batches.
CREATE TABLE numbered (id int GENERATED ALWAYS AS IDENTITY, k int PRIMARY KEY);
CREATE TABLE numbered_staged AS SELECT 10000 - i AS k FROM generate_series(1, 5000) i;
SET bulk_sync.work_mem = '64kB';
SELECT inserted FROM bulk_sync('numbered', 'numbered_staged', scope => 'true');
RESET bulk_sync.work_mem;
SELECT count(*) FROM numbered WHERE id + k <> 10000;

-- A written row that a trigger deletes is not looked for: another row that has its key by then is not what was written.
CREATE TABLE taken (id int PRIMARY KEY, v text);
INSERT INTO taken VALUES (2, 'b'), (7, 'g');
CREATE TABLE taken_staged (id int, v text);
INSERT INTO taken_staged VALUES (2, 'B'), (7, 'G');
CREATE FUNCTION take_key() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF pg_trigger_depth() = 1 AND NEW.id = 2 THEN
		DELETE FROM taken WHERE id = 2;
		UPDATE taken SET id = 2 WHERE id = 7;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER take_key AFTER UPDATE ON taken FOR EACH ROW EXECUTE FUNCTION take_key();
SELECT action, staged_row, old, new FROM bulk_sync_returning('taken', 'taken_staged', scope => 'true') ORDER BY staged_row;
TABLE taken;

-- A written row that a trigger moves to another partition is found there by what its primary key keeps, whatever happens to
-- the key of the call; an impostor under its old key is not it.
CREATE TABLE moved (id serial, r text, v text, PRIMARY KEY (id, r)) PARTITION BY LIST (r);
CREATE TABLE moved_a PARTITION OF moved FOR VALUES IN ('a');
CREATE TABLE moved_b PARTITION OF moved FOR VALUES IN ('b');
CREATE FUNCTION move_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF pg_trigger_depth() = 1 THEN
		UPDATE moved SET r = 'b', v = v || '+' WHERE id = NEW.id;
		IF NEW.v = 'replaced' THEN
			INSERT INTO moved VALUES (NEW.id + 1000, 'a', 'replaced');
		END IF;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER move_row AFTER INSERT OR UPDATE ON moved FOR EACH ROW EXECUTE FUNCTION move_row();
CREATE TABLE moved_staged (r text, v text);
INSERT INTO moved_staged VALUES ('a', 'x'), ('a', 'replaced');
SELECT staged_row, key, new FROM bulk_sync_returning('moved', 'moved_staged', '{v}', actions => '{insert}') ORDER BY staged_row;
ALTER TABLE moved_staged ADD id int;
SELECT staged_row, key, new FROM bulk_sync_returning('moved', 'moved_staged', '{id}', actions => '{insert}') ORDER BY staged_row;
SELECT id, r, v FROM moved ORDER BY id, r;

-- A rule that adds to a statement sees the rows that the statement wrote.
CREATE TABLE ruled (k int PRIMARY KEY, v text);
CREATE TABLE ruled_staged (k int, v text);
INSERT INTO ruled_staged VALUES (1, 'a');
CREATE RULE also AS ON INSERT TO ruled DO ALSO UPDATE ruled SET v = 'also' WHERE k = NEW.k;
SELECT * FROM bulk_sync('ruled', 'ruled_staged', actions => '{insert}');
TABLE ruled;

-- Rows returned of an INSERT whose difference is on disk: each is paired with its own staged row.
CREATE TABLE paired (id int GENERATED ALWAYS AS IDENTITY, v int);
CREATE TABLE paired_staged (v int);
INSERT INTO paired_staged SELECT i FROM generate_series(1, 50000) i;
SET maintenance_work_mem = '1MB';
SELECT count(*) AS rows, count(*) FILTER (WHERE (new ->> 'v')::int = staged_row) AS paired
	FROM bulk_sync_returning('paired', 'paired_staged', '{v}', scope => 'true');
RESET maintenance_work_mem;

-- Through a view, where rows to be returned are inserted one by one, a row before this one is no concurrent insert (1.6).
CREATE TABLE below_unique (k int, u int UNIQUE);
CREATE VIEW above_unique AS SELECT * FROM below_unique;
CREATE TABLE above_unique_staged (k int, u int);
INSERT INTO above_unique_staged VALUES (1, 7), (2, 7);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync_returning('above_unique', 'above_unique_staged', '{k}', scope => 'true');
\set VERBOSITY default

-- A row that was inserted through a view, and that the view does not show, is returned as it was written; another row of
-- its key outside the scope of the call, which is a group of scope_columns, was taken for it
CREATE TABLE shown_below (k text, part int, shown boolean DEFAULT false, v text DEFAULT 'default');
CREATE VIEW shown_above AS SELECT k, part, shown, v FROM shown_below WHERE shown;
INSERT INTO shown_below VALUES ('a', 1, true, 'another');
CREATE TABLE shown_staged (k text, part int);
INSERT INTO shown_staged VALUES ('a', 2);
SELECT action, old, new FROM bulk_sync_returning('shown_above', 'shown_staged', '{k}', scope_columns => '{k,part}');

-- Rows that were inserted by an INSERT after rows that were updated or deleted one by one were not returned. A domain that
-- gets no value is left to SQL.
CREATE DOMAIN maybe AS int;
CREATE TABLE one_by_one (k int PRIMARY KEY, v text, x maybe);
CREATE TABLE one_by_one_staged (k int, v text);
INSERT INTO one_by_one VALUES (1, 'old'), (3, 'stale');
INSERT INTO one_by_one_staged VALUES (1, 'new'), (2, 'new'), (4, 'new');
SELECT action, staged_row, key, new FROM bulk_sync_returning('one_by_one', 'one_by_one_staged', scope => 'true') ORDER BY staged_row;

SET client_min_messages = warning;
DROP SCHEMA issues CASCADE;
DROP TABLE above_staged;
DROP ROLE regress_bulk_sync_issues;
