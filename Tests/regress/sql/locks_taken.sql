-- The locks that a call takes and holds until the transaction ends: the one of lock_mode on the target, its partitions and
-- children, and what is below a view; ACCESS SHARE on all that is only read. What they keep out is in the isolation
-- spec lock_modes.
-- Contract 1.6, 1.5 (dry run)
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA locks_taken;
SET search_path = locks_taken, public;

CREATE TABLE plain (k int PRIMARY KEY, v text);
CREATE TABLE parent (k int, v text);
CREATE TABLE child (more int) INHERITS (parent);
CREATE TABLE grandchild () INHERITS (child);
CREATE TABLE parted (k int, v text) PARTITION BY RANGE (k);
CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (100) PARTITION BY LIST (k);
CREATE TABLE subpart PARTITION OF part DEFAULT;
CREATE VIEW of_parent AS SELECT * FROM parent;
CREATE VIEW of_view AS SELECT * FROM of_parent WHERE k > 0;
CREATE TABLE s (k int, v text);
CREATE VIEW staged_view AS SELECT * FROM s;
CREATE TABLE allowed (k int);
INSERT INTO s VALUES (1, 'a');
INSERT INTO allowed VALUES (1);

-- Calls, says the strongest lock on each relation that has one, and lets them go again.
CREATE FUNCTION locks(arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  held text;
BEGIN
  EXECUTE format('SELECT bulk_sync(%s)', arguments);
  SELECT string_agg(name || ' ' || mode, ', ' ORDER BY name COLLATE "C") INTO held
    FROM (SELECT DISTINCT ON (name) relname AS name, replace(mode, 'Lock', '') AS mode
            FROM pg_locks JOIN pg_class c ON c.oid = relation JOIN unnest('{AccessShareLock,RowShareLock,RowExclusiveLock,ShareUpdateExclusiveLock,
                 ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'::text[]) WITH ORDINALITY AS strength (mode, n) USING (mode)
           WHERE pid = pg_backend_pid() AND relnamespace = 'locks_taken'::regnamespace AND relkind IN ('r', 'p', 'v')
           ORDER BY name, n DESC) AS strongest;
  RAISE SQLSTATE 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
  RETURN held;
END $$;
\x on
SELECT locks($$'plain', 's', scope => 'true'$$) AS "default";
SELECT mode, locks(format($$'parent', 's', '{k}', scope => 'true', lock_mode => %L$$, mode)) AS locks
  FROM unnest('{row exclusive,share update exclusive,share row exclusive,exclusive,access exclusive}'::text[]) AS mode;
SELECT locks($$'parted', 's', '{k}', scope => 'true', lock_mode => 'exclusive'$$) AS partitions,
       locks($$'child', 's', '{k}', scope => 'true', lock_mode => 'exclusive'$$) AS of_a_child,
       locks($$'of_view', 's', '{k}', scope => 'true', lock_mode => 'share row exclusive'$$) AS below_a_view;
-- what is only read: the staged table, what it is a view of, and what conditions ask
SELECT locks($$'plain', 'staged_view', scope => 'k IN (SELECT k FROM allowed)', lock_mode => 'access exclusive'$$) AS read;
-- a dry run reads all of it, whatever the mode
SELECT locks($$'of_view', 'staged_view', '{k}', scope => 'true', lock_mode => 'access exclusive', dry_run => true$$) AS dry_run;
\x off

SET client_min_messages = warning;
DROP SCHEMA locks_taken CASCADE;
