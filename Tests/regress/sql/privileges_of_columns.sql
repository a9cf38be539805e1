-- Column privileges: exactly those columns are needed that the call reads and writes, under the action that does it;
-- no table-level privilege is asked for, neither for the lock nor to find a row again.
-- Contract 1.3.2, 1.3.8, 1.3.9; cases 193, 194
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_user;
RESET client_min_messages;
CREATE SCHEMA privileges_of_columns;
SET search_path = privileges_of_columns, public;
GRANT USAGE ON SCHEMA privileges_of_columns TO regress_bulk_sync_user;

-- Makes the call as the user, who has the privileges named and no others, undoes it, and says the counts
-- (staged, inserted, updated, unchanged, skipped, deleted) or the SQLSTATE.
CREATE FUNCTION attempt(granted text[], call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	privilege text;
BEGIN
	FOREACH privilege IN ARRAY granted LOOP
		EXECUTE format('GRANT %s ON t TO regress_bulk_sync_user', privilege);
	END LOOP;
	PERFORM set_config('role', 'regress_bulk_sync_user', true);
	EXECUTE 'SELECT r::text FROM ' || call || ' r' INTO result;
	RAISE EXCEPTION USING ERRCODE = 'ZZ000', MESSAGE = result;
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN SQLERRM;
	WHEN OTHERS THEN RETURN SQLSTATE;
END $$;

-- Takes the privileges of a list away one by one: the call works with all of them and with none less.
CREATE FUNCTION each_needed(granted text[], call text) RETURNS TABLE (lacking text, result text) LANGUAGE sql AS $$
	SELECT 'nothing', attempt(granted, call)
	UNION ALL
	SELECT p, attempt(array_remove(granted, p), call) FROM unnest(granted) p
$$;

CREATE TABLE t (k int PRIMARY KEY, v text, tenant int DEFAULT 7, secret text DEFAULT 'none', gone boolean NOT NULL DEFAULT false,
	touched text, made text, filled text, kept text);
INSERT INTO t (k, v, secret) VALUES (1, 'stale', 'x'), (2, 'old', 'y'), (3, 'same', 'z');
CREATE TABLE s (k int, v text);
INSERT INTO s VALUES (2, 'new'), (3, 'same'), (4, 'more');
CREATE TABLE wide (k int, v text, touched text, made text, filled text, kept text, secret text);
INSERT INTO wide SELECT k, v, 'now', 'then', 'f', 'kept', 'y' FROM s;
GRANT SELECT ON s, wide TO regress_bulk_sync_user;

-- 1. The three actions on (k, v): DELETE has no columns in SQL; UPDATE (k) is not needed, nor any right on the other columns.
SELECT * FROM each_needed('{select (k),select (v),insert (k),insert (v),update (v),delete}', $$bulk_sync('t', 's', scope => 'true')$$);
-- The strongest lock is taken without a table privilege too.
SELECT mode, attempt('{select (k),select (v),insert (k),insert (v),update (v),delete}',
		format('bulk_sync(''t'', ''s'', scope => ''true'', lock_mode => %L)', mode))
  FROM unnest('{row exclusive,share row exclusive,exclusive,access exclusive}'::text[]) mode;
-- A column that the user must not write cannot be synced, neither by insert nor by update.
SELECT attempt('{select (k),select (v),select (secret),insert (k),insert (v),update (v),delete}',
		$$bulk_sync('t', 'wide', scope => 'true', columns => '{v,secret}')$$) AS not_writable,
       attempt('{select (k),select (v),insert (k),insert (v),insert (secret),update (v),update (secret),delete}',
		$$bulk_sync('t', 'wide', scope => 'true', columns => '{v,secret}')$$) AS not_readable;

-- 2. By action: only its own privilege, and what is read.
SELECT 'insert' AS action, * FROM each_needed('{select (k),select (v),insert (k),insert (v)}', $$bulk_sync('t', 's', actions => '{insert}')$$)
UNION ALL
SELECT 'update', * FROM each_needed('{select (k),select (v),update (v)}', $$bulk_sync('t', 's', actions => '{update}')$$)
UNION ALL
SELECT 'delete', * FROM each_needed('{select (k),select (v),delete}', $$bulk_sync('t', 's', actions => '{delete}', scope => 'true')$$);
-- A list of keys alone needs no right on a further column, not for an update that can never happen.
SELECT * FROM each_needed('{select (k),insert (k),delete}', $$bulk_sync('t', 's', columns => '{k}', scope => 'true')$$);

-- 3. Roles. Insert-only: INSERT, but neither UPDATE nor SELECT. Touch: INSERT and UPDATE, no SELECT. Kept: as any compared column.
SELECT 'insert-only' AS role, * FROM each_needed('{"select (k,v)","insert (k,v)",insert (made),update (v)}',
		$$bulk_sync('t', 'wide', actions => '{insert,update}', columns => '{v,made}', insert_only_columns => '{made}')$$)
UNION ALL
SELECT 'touch', * FROM each_needed('{"select (k,v)","insert (k,v)",insert (touched),update (v),update (touched)}',
		$$bulk_sync('t', 'wide', actions => '{insert,update}', columns => '{v,touched}', touch_columns => '{touched}')$$)
UNION ALL
SELECT 'keep', * FROM each_needed('{"select (k,v)",select (kept),"insert (k,v)",insert (kept),update (v),update (kept)}',
		$$bulk_sync('t', 'wide', actions => '{insert,update}', columns => '{v,kept}', keep_columns => '{kept}')$$);
-- Fill: whether the target is NULL is something read.
SELECT * FROM each_needed('{"select (k,v)",select (filled),"insert (k,v)",insert (filled),update (v),update (filled)}',
		$$bulk_sync('t', 'wide', actions => '{insert,update}', columns => '{v,filled}', fill_columns => '{filled}')$$);

-- 4. Scope: SELECT on its columns; a supplied column needs INSERT as well and no UPDATE.
SELECT * FROM each_needed('{"select (k,v)",select (tenant),"insert (k,v)",update (v),delete}', $$bulk_sync('t', 's', scope => 'tenant = 7')$$);
SELECT * FROM each_needed('{"select (k,v)",select (tenant),"insert (k,v)",insert (tenant),update (v),delete}',
		$$bulk_sync('t', 's', scope_values => '{"tenant": 7}')$$);
SELECT attempt('{"select (k,v)","insert (k,v)",update (v),delete}', $$bulk_sync('t', 's', scope => 'target.secret = ''x''')$$) AS scope_secret,
       attempt('{"select (k,v)","insert (k,v)",update (v),delete}', $$bulk_sync('t', 's', scope => 'length(target::text) > 1')$$) AS scope_whole_row,
       attempt('{"select (k,v)","insert (k,v)",update (v),delete}', $$bulk_sync('t', 's', scope => 'target IS NOT NULL')$$) AS scope_target_row,
       attempt('{"select (k,v)","insert (k,v)",update (v),delete}', $$bulk_sync('t', 's', scope => 'k IN (SELECT k FROM t WHERE secret = ''x'')')$$) AS scope_subquery,
       attempt('{"select (k,v)","insert (k,v)",update (v),delete}', $$bulk_sync('t', 's', scope => 'true', update_where => 'target.secret = ''y''')$$) AS update_where_secret,
       attempt('{"select (k,v)","insert (k,v)",update (v),delete}', $$bulk_sync('t', 's', scope => 'true', update_where => 'target IS NOT NULL')$$) AS update_where_row,
       attempt('{"select (k,v)",select (secret),"insert (k,v)",update (v),delete}', $$bulk_sync('t', 's', scope => 'true', update_where => 'target.secret = ''y''')$$) AS readable;

-- 5. Soft delete: UPDATE on the mark in place of DELETE, INSERT on it never; without delete and update nothing marks or revives.
SELECT * FROM each_needed('{"select (k,v)",select (gone),"insert (k,v)",update (v),update (gone)}',
		$$bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone')$$);
SELECT * FROM each_needed('{"select (k,v)",select (gone),update (gone)}',
		$$bulk_sync('t', 's', scope => 'true', actions => '{delete}', soft_delete_column => 'gone')$$);

-- 6. A key whose equal values are always the same bytes is never written and needs no UPDATE. One that can come in another image
-- (1.0 and 1.00) may be, and privileges never follow from the rows: UPDATE on it is needed although no row of these differs.
CREATE FUNCTION key_of_type(type text, value text) RETURNS TABLE (key_type text, without_update text, with_update text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE keyed (k %1$s PRIMARY KEY, v text); CREATE TABLE keyed_staged (k %1$s, v text);
		INSERT INTO keyed VALUES (%2$L, ''a''); INSERT INTO keyed_staged VALUES (%2$L, ''b'')', type, value);
	GRANT SELECT, INSERT, DELETE, UPDATE (v) ON keyed TO regress_bulk_sync_user;
	GRANT SELECT ON keyed_staged TO regress_bulk_sync_user;
	without_update := attempt('{}', $call$bulk_sync('keyed', 'keyed_staged', scope => 'true')$call$);
	GRANT UPDATE (k) ON keyed TO regress_bulk_sync_user;
	RETURN QUERY SELECT type, without_update, attempt('{}', $call$bulk_sync('keyed', 'keyed_staged', scope => 'true')$call$);
	DROP TABLE keyed, keyed_staged;
END $$;
SELECT r.* FROM (VALUES (1, 'bigint', '1'), (2, 'text', 'x'), (3, 'varchar(5)', 'x'), (4, 'uuid', '3f2504e0-4f89-11d3-9a0c-0305e82c3301'), (5, 'date', '2024-02-29'),
	(6, 'timestamptz', '2024-02-29 12:00+00'), (7, 'bytea', '\x00'), (8, 'boolean', 't'), (9, 'numeric', '1.0'), (10, 'double precision', '0')) u (n, type, value),
	key_of_type(type, value) r ORDER BY n;

-- Policies, checks and generated columns may use columns that the user has no right on, as in any DML.
CREATE TABLE veiled (k int PRIMARY KEY, v text, owner text DEFAULT current_user CHECK (owner <> ''), made text GENERATED ALWAYS AS (upper(owner)) STORED);
INSERT INTO veiled (k, v, owner) VALUES (1, 'stale', 'regress_bulk_sync_user'), (2, 'old', 'regress_bulk_sync_user'), (9, 'of another', 'bob');
ALTER TABLE veiled ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON veiled USING (owner = current_user);
GRANT SELECT (k, v), INSERT (k, v), UPDATE (v), DELETE ON veiled TO regress_bulk_sync_user;
SELECT attempt('{}', $$bulk_sync('veiled', 's', scope => 'true')$$) AS run, attempt('{}', $$bulk_sync('veiled', 's', scope => 'true', dry_run => true)$$) AS dry_run,
       attempt('{}', $$bulk_sync('veiled', 's', scope => 'made IS NOT NULL')$$) AS generated_in_scope;

-- 7. Partitions and children: the privileges on the table named decide, as in ordinary DML; those on its partitions are not looked at.
CREATE TABLE parted (k int PRIMARY KEY, v text) PARTITION BY RANGE (k);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (3);
CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (3) TO (9);
INSERT INTO parted SELECT k, v FROM t;
CREATE TABLE parent (k int, v text);
CREATE TABLE child () INHERITS (parent);
INSERT INTO child SELECT k, v FROM t;
GRANT SELECT (k, v), INSERT (k, v), UPDATE (v), DELETE ON parted, parent TO regress_bulk_sync_user;
SELECT attempt('{}', $$bulk_sync('parted', 's', scope => 'true')$$) AS partitioned,
       attempt('{}', $$bulk_sync('parent', 's', '{k}', scope => 'true')$$) AS inherited,
       attempt('{}', $$bulk_sync('parted_low', 's', scope => 'true')$$) AS partition_itself;

-- 8. What the database assigns is its own affair: an identity needs no right, a default that draws from a sequence needs it, as in INSERT.
CREATE TABLE assigned (id int GENERATED ALWAYS AS IDENTITY, k int PRIMARY KEY, v text);
CREATE TABLE drawn (id serial, k int PRIMARY KEY, v text);
GRANT SELECT (k, v), INSERT (k, v), UPDATE (v), DELETE ON assigned, drawn TO regress_bulk_sync_user;
SELECT attempt('{}', $$bulk_sync('assigned', 's', scope => 'true')$$) AS identity,
       attempt('{}', $$bulk_sync('drawn', 's', scope => 'true')$$) AS sequence;

SET client_min_messages = warning;
DROP SCHEMA privileges_of_columns CASCADE;
DROP ROLE regress_bulk_sync_user;
