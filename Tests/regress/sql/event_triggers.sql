-- A sync is no DDL: no event trigger fires, no object comes or goes, whatever the call does.
-- Contract 1.1.4, 1.6; case 182
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA event_triggers;
SET search_path = event_triggers, public;

CREATE TABLE t (k int PRIMARY KEY, v text, x int UNIQUE, gone boolean NOT NULL DEFAULT false);
CREATE TABLE s (k int, v text, x int);
CREATE TEMPORARY TABLE temp_s (k int, v text, x int);
CREATE TABLE log (what text);
-- only what this session does while it watches is of interest
CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('event_triggers.watch', true) = 'on' THEN
    INSERT INTO event_triggers.log VALUES (TG_EVENT || ' ' || TG_TAG);
  END IF;
END $$;
CREATE EVENT TRIGGER event_triggers_start ON ddl_command_start EXECUTE FUNCTION note();
CREATE EVENT TRIGGER event_triggers_end ON ddl_command_end EXECUTE FUNCTION note();
CREATE EVENT TRIGGER event_triggers_drop ON sql_drop EXECUTE FUNCTION note();
CREATE EVENT TRIGGER event_triggers_rewrite ON table_rewrite EXECUTE FUNCTION note();

INSERT INTO t SELECT i, 'old', i FROM generate_series(1, 3000) i;
INSERT INTO s SELECT i, 'new', i FROM generate_series(1001, 4000) i;
INSERT INTO temp_s SELECT i, 'newer', i FROM generate_series(2001, 5000) i;
CREATE TABLE objects AS SELECT oid FROM pg_class;

SET event_triggers.watch = on;
-- the watch works
CREATE TABLE seen ();
TABLE log;
DROP TABLE seen;
TRUNCATE log;
-- a permanent staged table, a temporary one, soft delete, duplicates, a dry run, a refusal
SELECT * FROM bulk_sync('t', 's', scope => 'true');
SELECT * FROM bulk_sync('t', 'temp_s', scope => 'true', duplicates => 'last', dry_run => true);
SELECT * FROM bulk_sync('t', 'temp_s', scope => 'true', soft_delete_column => 'gone', duplicates => 'last');
SELECT * FROM bulk_sync('t', 's', scope => 'true', soft_delete_column => 'gone', update_where => 'staged.k > 2000', lock_mode => 'access exclusive');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's', scope => 'true', expected_rows => 1);
\set VERBOSITY default
TABLE log;
RESET event_triggers.watch;
-- and nothing was left in the catalogs, nor taken from them
SELECT count(*) AS new_objects FROM pg_class LEFT JOIN objects USING (oid)
 WHERE objects.oid IS NULL AND relnamespace IN ('event_triggers'::regnamespace, pg_my_temp_schema()) AND relname <> 'objects';

SET client_min_messages = warning;
DROP EVENT TRIGGER event_triggers_start;
DROP EVENT TRIGGER event_triggers_end;
DROP EVENT TRIGGER event_triggers_drop;
DROP EVENT TRIGGER event_triggers_rewrite;
DROP TABLE temp_s;
DROP SCHEMA event_triggers CASCADE;
