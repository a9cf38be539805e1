-- No message, DETAIL, HINT or CONTEXT shows a value of a row or a column that the caller may not read: under column privileges, row-level security
-- and security_barrier views; what the caller himself staged may be shown.
-- Contract 1.3.8, the paragraphs at the end; cases 200, 205, 221
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_user;
CREATE ROLE regress_bulk_sync_owner;
RESET client_min_messages;
CREATE SCHEMA leakproof_messages;
SET search_path = leakproof_messages, public;
GRANT USAGE ON SCHEMA leakproof_messages TO regress_bulk_sync_user, regress_bulk_sync_owner;

-- All that an error says, in one line. The word to look for in these is SECRET.
CREATE FUNCTION said(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	message text;
	detail text;
	hint text;
	context text;
	place text;
BEGIN
	PERFORM set_config('role', 'regress_bulk_sync_user', true);
	EXECUTE 'SELECT r::text FROM bulk_sync(' || call || ') r' INTO result;
	RAISE EXCEPTION USING ERRCODE = 'ZZ000', MESSAGE = result;
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN SQLERRM;
	WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT, place = CONSTRAINT_NAME;
		RETURN SQLSTATE || CASE WHEN concat_ws(' ', message, detail, hint, context, place) ~* 'secret' THEN ' SECRET in: ' ELSE ' ' END
			|| concat_ws(' | ', message, nullif(detail, ''), nullif(hint, ''));
END $$;

-- 1. Columns that the user may write and not read, or neither.
CREATE TABLE t (k int PRIMARY KEY, v text CHECK (v <> 'bad'), hidden text DEFAULT 'SECRET default' UNIQUE, written text CHECK (written <> 'no'), required int NOT NULL DEFAULT 0,
	CONSTRAINT together CHECK (hidden <> 'SECRET 9' OR v <> 'clash'));
INSERT INTO t (k, v, hidden, written) VALUES (1, 'a', 'SECRET 1', 'SECRET w'), (2, 'b', 'SECRET 2', 'SECRET w'), (9, 'z', 'SECRET 9', 'SECRET w');
CREATE TABLE s (k int, v text, written text, required int);
GRANT SELECT ON s TO regress_bulk_sync_user;
GRANT SELECT (k, v), INSERT (k, v, written, required), UPDATE (v, written, required), DELETE ON t TO regress_bulk_sync_user;
CREATE FUNCTION staging(k int, v text, written text, required int) RETURNS boolean LANGUAGE sql AS $$
	DELETE FROM s; INSERT INTO s VALUES ($1, $2, $3, $4) RETURNING true $$;
-- A failing row shows the columns that were written or may be read: native messages, from native code.
SELECT staging(2, 'bad', 'w', 0) AS staged, said($$'t', 's', columns => '{v}', actions => '{update}'$$);
SELECT staging(9, 'clash', 'w', 0) AS staged, said($$'t', 's', columns => '{v}', actions => '{update}'$$);
SELECT staging(2, 'b2', 'no', 0) AS staged, said($$'t', 's', columns => '{v,written}', touch_columns => '{written}', actions => '{update}'$$);
SELECT staging(5, 'bad', 'w', 0) AS staged, said($$'t', 's', columns => '{v}', actions => '{insert}'$$);
SELECT staging(5, 'x', 'w', NULL) AS staged, said($$'t', 's', columns => '{v,required}', touch_columns => '{required}', actions => '{insert}'$$);
SELECT staging(2, 'x', 'w', NULL) AS staged, said($$'t', 's', columns => '{v,required}', touch_columns => '{required}', actions => '{update}'$$);
-- A unique constraint on a column that may not be read: the default clashes with a row of that value.
INSERT INTO t (k, v) VALUES (8, 'has the default');
SELECT staging(5, 'x', 'w', 0) AS staged, said($$'t', 's', columns => '{v}', actions => '{insert}'$$);
DELETE FROM t WHERE k = 8;
-- Out of scope by a default: the example says what was staged.
CREATE TABLE scoped (k int PRIMARY KEY, v text, tenant text DEFAULT 'other', hidden text DEFAULT 'SECRET');
CREATE TABLE by_trigger (LIKE scoped INCLUDING ALL);
CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.hidden := 'SECRET of the trigger'; NEW.tenant := 'other'; RETURN NEW; END $$;
CREATE TRIGGER other BEFORE INSERT OR UPDATE ON by_trigger FOR EACH ROW EXECUTE FUNCTION other();
INSERT INTO by_trigger VALUES (2, 'old', 'mine', 'SECRET');
ALTER TABLE by_trigger DISABLE TRIGGER other;
UPDATE by_trigger SET tenant = 'mine';
ALTER TABLE by_trigger ENABLE TRIGGER other;
GRANT SELECT (k, v, tenant), INSERT (k, v), UPDATE (v), DELETE ON scoped, by_trigger TO regress_bulk_sync_user;
SELECT staging(5, 'x', 'w', 0) AS staged, said($$'scoped', 's', columns => '{v}', scope => 'tenant = ''mine'''$$) AS by_default;
SELECT staging(5, 'x', 'w', 0) AS staged, said($$'by_trigger', 's', columns => '{v}', scope => 'tenant = ''mine''', actions => '{insert}'$$) AS by_trigger;
SELECT staging(2, 'x', 'w', 0) AS staged, said($$'by_trigger', 's', columns => '{v}', scope => 'tenant = ''mine''', actions => '{update}'$$) AS by_trigger;
-- Two target rows for one staged row: the key that was staged, nothing of the rows.
CREATE TABLE double (k int, v text, hidden text);
INSERT INTO double VALUES (2, 'SECRET v', 'SECRET'), (2, 'SECRET w', 'SECRET');
GRANT SELECT (k, v), UPDATE (v), INSERT (k, v), DELETE ON double TO regress_bulk_sync_user;
SELECT staging(2, 'x', 'w', 0) AS staged, said($$'double', 's', '{k}', columns => '{v}', scope => 'true'$$);

-- 2. Row-level security: a failing row is not shown at all, and a clash with a hidden row says the constraint alone.
CREATE TABLE r (k int PRIMARY KEY, v text CHECK (v <> 'bad'), u text UNIQUE, owner text DEFAULT current_user, hidden text DEFAULT 'SECRET',
	during int4range, EXCLUDE USING gist (during WITH &&));
INSERT INTO r VALUES (1, 'a', 'SECRET 1', 'bob', 'SECRET', '[1,10)'), (2, 'b', 'mine', 'regress_bulk_sync_user', 'SECRET', '[20,30)');
CREATE TABLE r_staged (k int, v text, u text, during int4range);
ALTER TABLE r ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON r USING (owner = current_user);
GRANT ALL ON r, r_staged TO regress_bulk_sync_user;
CREATE FUNCTION staging_r(k int, v text, u text, during int4range) RETURNS boolean LANGUAGE sql AS $$
	DELETE FROM r_staged; INSERT INTO r_staged VALUES ($1, $2, $3, $4) RETURNING true $$;
SELECT staging_r(1, 'x', 'y', NULL) AS staged, said($$'r', 'r_staged', scope => 'true'$$) AS hidden_key;
SELECT staging_r(3, 'x', 'SECRET 1', NULL) AS staged, said($$'r', 'r_staged', scope => 'true'$$) AS hidden_unique;
SELECT staging_r(2, 'x', 'SECRET 1', NULL) AS staged, said($$'r', 'r_staged', scope => 'true'$$) AS hidden_unique_by_update;
SELECT staging_r(3, 'x', 'y', '[5,6)') AS staged, said($$'r', 'r_staged', scope => 'true'$$) AS hidden_exclusion;
SELECT staging_r(2, 'bad', 'y', NULL) AS staged, said($$'r', 'r_staged', scope => 'true'$$) AS failing_row;
SELECT staging_r(3, 'x', 'y', NULL) AS staged, said($$'r', 'r_staged', scope_values => '{"owner": "bob", "hidden": "SECRET"}'$$) ~ '^42501 (SECRET in: )?new row violates' AS with_check;
SELECT staging_r(2, 'x', 'y', NULL) AS staged, said($$'r', 'r_staged', scope => 'true', columns => '{v}', update_where => 'target.hidden::int > 0'$$) ~ '^22P02 SECRET' AS what_one_may_read;
-- Foreign keys: what refers to a hidden row, and what is referred to.
CREATE TABLE referred (k int PRIMARY KEY, v text);
CREATE TABLE referring (k int REFERENCES referred, note text DEFAULT 'SECRET');
INSERT INTO referred VALUES (1, 'a'), (2, 'b');
INSERT INTO referring VALUES (1, 'SECRET');
GRANT SELECT, INSERT, UPDATE, DELETE ON referred TO regress_bulk_sync_user;
SELECT staging(2, 'x', 'w', 0) AS staged, said($$'referred', 's', columns => '{v}', scope => 'true'$$) ~ '^23503 update or delete' AS referred_by_unreadable;

-- 3. A security_barrier view: conditions of the user's run after those of the view, whatever they claim to cost; and so do a WITH CHECK OPTION's messages.
CREATE TABLE base (k int PRIMARY KEY, v text, public boolean DEFAULT true);
INSERT INTO base VALUES (1, 'SECRET', false), (2, 'old', true), (3, 'same', true);
CREATE VIEW visible WITH (security_barrier) AS SELECT k, v FROM base WHERE public;
CREATE VIEW checked WITH (security_barrier) AS SELECT k, v, public FROM base WHERE public WITH CHECK OPTION;
ALTER TABLE base OWNER TO regress_bulk_sync_owner;
ALTER VIEW visible OWNER TO regress_bulk_sync_owner;
ALTER VIEW checked OWNER TO regress_bulk_sync_owner;
GRANT ALL ON visible, checked TO regress_bulk_sync_user;
CREATE FUNCTION leak(v text) RETURNS boolean LANGUAGE plpgsql STABLE COST 0.0001 AS $$
BEGIN
	IF v LIKE 'SECRET%' THEN RAISE EXCEPTION 'leaked: %', v; END IF;
	RETURN true;
END $$;
SELECT staging(2, 'new', 'w', 0) AS staged, said($$'visible', 's', '{k}', columns => '{v}', scope => 'leak(v) AND 1 / (k - 1) IS NOT NULL', update_where => 'leak(target.v)'$$) AS scope;
SELECT staging(1, 'new', 'w', 0) AS staged, said($$'visible', 's', '{k}', columns => '{v}', scope => 'true'$$) AS hidden_key;
CREATE TABLE not_public AS SELECT 2 AS k, 'v' AS v, false AS public;
GRANT SELECT ON not_public TO regress_bulk_sync_user;
SELECT said($$'checked', 'not_public', '{k}', scope => 'true'$$) AS check_option_update;
UPDATE not_public SET k = 5;
SELECT said($$'checked', 'not_public', '{k}', scope => 'true'$$) AS check_option_insert;

-- 4. Contexts name the position and column of a staged row, no text of a query and no value.
CREATE TABLE text_staged (k text, v text);
INSERT INTO text_staged VALUES ('1', 'fine'), ('two', 'SECRET of the row');
GRANT SELECT ON text_staged TO regress_bulk_sync_user;
SELECT said($$'t', 'text_staged', scope => 'true'$$);
SET ROLE regress_bulk_sync_user;
SELECT * FROM bulk_sync('t', 'text_staged', scope => 'true');
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA leakproof_messages CASCADE;
DROP ROLE regress_bulk_sync_user, regress_bulk_sync_owner;
