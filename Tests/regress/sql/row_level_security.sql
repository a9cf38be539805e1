-- Row-level security on the target: a row that the policies hide is no part of it; one that may be seen and not written is skipped;
-- a row written against a policy's check is 42501; and nobody learns what a hidden row holds.
-- Contract 1.1.3, 1.3.8, 1.4; cases 197, 199, 200, 202, 203, 205
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_ann;
CREATE ROLE regress_bulk_sync_free BYPASSRLS;
RESET client_min_messages;
CREATE SCHEMA row_level_security;
SET search_path = row_level_security, public;
GRANT USAGE ON SCHEMA row_level_security TO regress_bulk_sync_ann, regress_bulk_sync_free;

-- Makes the call as a role, undoes it, and says the counts (staged, inserted, updated, unchanged, skipped, deleted), or the SQLSTATE and message.
CREATE FUNCTION attempt(call text, who text DEFAULT 'regress_bulk_sync_ann') RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	PERFORM set_config('role', who, true);
	EXECUTE 'SELECT r::text FROM ' || call || ' r' INTO result;
	RAISE EXCEPTION USING ERRCODE = 'ZZ000', MESSAGE = result;
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN SQLERRM;
	WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- 1. One policy for everything: each tenant has a table of its own.
CREATE TABLE t (k int PRIMARY KEY, v text, tenant text DEFAULT current_user);
INSERT INTO t VALUES (1, 'stale', 'regress_bulk_sync_ann'), (2, 'old', 'regress_bulk_sync_ann'), (3, 'same', 'regress_bulk_sync_ann'),
	(101, 'hidden', 'bob'), (102, 'hidden', 'bob');
CREATE TABLE s (k int, v text);
INSERT INTO s VALUES (2, 'new'), (3, 'same'), (4, 'more');
GRANT ALL ON t, s TO regress_bulk_sync_ann, regress_bulk_sync_free;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON t USING (tenant = current_user);
CREATE TEMPORARY TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, xmax AS old_xmax, * FROM t;

-- 'true' is the whole table as Ann sees it; the guards count what she sees.
SELECT attempt($$bulk_sync('t', 's', scope => 'true', max_delete_fraction => 0.34)$$) AS a_third_of_three,
       attempt($$bulk_sync('t', 's', scope => 'true', max_delete_fraction => 0.33)$$) AS is_too_much;
SELECT attempt($$bulk_sync('t', 's', scope => 'true', dry_run => true)$$);
SET ROLE regress_bulk_sync_ann;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
RESET ROLE;
SELECT k, t.ctid = old_ctid AND t.xmin = old_xmin AND t.xmax = old_xmax AS untouched FROM t JOIN before USING (k) WHERE k > 100 OR k = 3 ORDER BY k;

-- Who is above the policies: the owner, a superuser, BYPASSRLS; with FORCE the owner is not.
SELECT attempt($$bulk_sync('t', 's', scope => 'true')$$, 'none') AS superuser, attempt($$bulk_sync('t', 's', scope => 'true')$$, 'regress_bulk_sync_free') AS bypass;
ALTER TABLE t OWNER TO regress_bulk_sync_ann;
SELECT attempt($$bulk_sync('t', 's', scope => 'true')$$) AS owner;
ALTER TABLE t FORCE ROW LEVEL SECURITY;
SELECT attempt($$bulk_sync('t', 's', scope => 'true')$$) AS forced_owner;
ALTER TABLE t OWNER TO CURRENT_USER;
GRANT ALL ON t TO regress_bulk_sync_ann;

-- 2. row_security = off: refused where policies would apply, before anything else is done; without effect where they do not.
SET row_security = off;
SELECT attempt($$bulk_sync('t', 's', scope => 'true')$$) AS ann, attempt($$bulk_sync('t', 's', scope => 'true', dry_run => true)$$) AS ann_dry,
       attempt($$bulk_sync('t', 's', scope => 'true')$$, 'regress_bulk_sync_free') AS bypass;
RESET row_security;

-- 3. A hidden row has the key: an ordinary 23505 whose DETAIL does not show the row, nor even the key.
INSERT INTO s VALUES (101, 'mine');
SET ROLE regress_bulk_sync_ann;
SELECT * FROM bulk_sync('t', 's', scope => 'true');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
-- ON CONFLICT DO NOTHING, and so ignore_conflicts, skips it.
SELECT attempt($$bulk_sync('t', 's', scope => 'true', ignore_conflicts => true)$$);
DELETE FROM s WHERE k = 101;

-- 4. WITH CHECK: a row may be inserted or updated into what the policy allows only.
CREATE TABLE to_bob AS SELECT k, v, 'bob' AS tenant FROM s WHERE k = 2;
CREATE TABLE new_for_bob AS SELECT 7 AS k, 'x' AS v, 'bob' AS tenant;
GRANT SELECT ON to_bob, new_for_bob TO regress_bulk_sync_ann;
SET ROLE regress_bulk_sync_ann;
SELECT * FROM bulk_sync('t', 'to_bob', actions => '{insert,update}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM bulk_sync('t', 'new_for_bob', actions => '{insert,update}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM bulk_sync('t', 's', actions => '{insert}', scope_values => '{"tenant": "bob"}');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;

-- 5. Two rows for one key, one of them hidden: to Ann there is one.
CREATE TABLE loose (k int, v text, tenant text DEFAULT current_user);
INSERT INTO loose VALUES (2, 'old', 'regress_bulk_sync_ann'), (2, 'hidden', 'bob');
ALTER TABLE loose ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON loose USING (tenant = current_user);
GRANT ALL ON loose TO regress_bulk_sync_ann, regress_bulk_sync_free;
SELECT attempt($$bulk_sync('loose', 's', '{k}', scope => 'true')$$) AS ann, left(attempt($$bulk_sync('loose', 's', '{k}', scope => 'true')$$, 'regress_bulk_sync_free'), 5) AS bypass;

-- 6. Conditions of the caller's never see a hidden row, however cheap they claim to be (nor does a conversion or a comparison).
CREATE FUNCTION leak(v text, k int) RETURNS boolean LANGUAGE plpgsql STABLE COST 0.0001 AS $$
BEGIN
	IF v LIKE 'hidden%' THEN RAISE EXCEPTION 'leaked: %', v; END IF;
	RETURN 1 / (k - 101) IS NOT NULL;
END $$;
UPDATE s SET v = v || '!';
SELECT attempt($$bulk_sync('t', 's', scope => 'leak(v, k)')$$) AS scope,
       attempt($$bulk_sync('t', 's', scope => 'true', update_where => 'leak(target.v, target.k) AND leak(staged.v, staged.k)')$$) AS update_where,
       attempt($$bulk_sync('t', 's', scope => '1 / (k - 101) IS NOT NULL')$$) AS division,
       attempt($$bulk_sync('t', 's', scope => 'NOT EXISTS (SELECT FROM t other WHERE leak(other.v, other.k) AND other.k > 100)')$$) AS subquery;

-- 7. The staged table may have policies too: what they hide is not staged.
ALTER TABLE s ENABLE ROW LEVEL SECURITY;
CREATE POLICY small ON s FOR SELECT USING (k < 4);
SELECT attempt($$bulk_sync('t', 's', scope => 'true', expected_rows => 2)$$) AS ann, attempt($$bulk_sync('t', 's', scope => 'true', expected_rows => 3)$$) AS three_to_ann;
DROP POLICY small ON s;
SELECT attempt($$bulk_sync('t', 's', scope => 'true')$$) AS nothing_staged, attempt($$bulk_sync('t', 's', scope => 'true', allow_empty => true)$$) AS allowed;

SET client_min_messages = warning;
DROP SCHEMA row_level_security CASCADE;
DROP TABLE before;
DROP ROLE regress_bulk_sync_ann, regress_bulk_sync_free;
