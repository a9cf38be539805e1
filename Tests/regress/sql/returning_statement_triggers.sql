-- bulk_sync_returning gives the new rows of a partitioned table that has BEFORE triggers for statements: its deletes are written
-- row by row, its inserts all at once.
-- Contract 3
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA returning_statement_triggers;
SET search_path = returning_statement_triggers, public;

CREATE TABLE t (k int PRIMARY KEY, v text) PARTITION BY HASH (k);
CREATE TABLE t0 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE t1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE log (n serial, line text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO log (line) VALUES (TG_WHEN || ' ' || TG_OP);
	RETURN NULL;
END $$;
CREATE TRIGGER note BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TABLE s AS SELECT i AS k, 'new' AS v FROM generate_series(2, 4) i;
INSERT INTO t VALUES (1, 'old'), (2, 'old');
SELECT action, staged_row, old, new FROM bulk_sync_returning('t', 's', scope => 'true') ORDER BY key::text;
TABLE t ORDER BY k;
SELECT line FROM log ORDER BY n;

SET client_min_messages = warning;
DROP SCHEMA returning_statement_triggers CASCADE;
