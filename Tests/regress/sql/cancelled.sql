-- A call that runs into statement_timeout, wherever it is: reading the staged rows, converting them, testing the scope,
-- matching, asking update_where, in a trigger, a default or a foreign-key check of each phase. It ends then and there
-- (57014), leaves every row as it was, and the session goes on. Cancelling is in the isolation spec of this name.
-- Contract 1.6; case 260
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA cancelled;
SET search_path = cancelled, public;

-- Sleeps a minute for the key that the setting names, and so for ever, as a timeout of a fraction of a second sees it.
CREATE FUNCTION sleepy(k int, place text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF current_setting('cancelled.place', true) = place THEN PERFORM pg_sleep(60); END IF;
  RETURN true;
END $$;
CREATE DOMAIN lazy AS text CHECK (sleepy(0, 'conversion'));
CREATE TABLE t (k int PRIMARY KEY, v lazy, d boolean DEFAULT sleepy(0, 'default'), CHECK (sleepy(k, 'check')));
CREATE TABLE s (k int, v text);
CREATE VIEW slow_s AS SELECT k, v FROM s WHERE sleepy(k, 'staged');
INSERT INTO t SELECT i, 'old' FROM generate_series(1, 300) i;
INSERT INTO s SELECT i, 'new' FROM generate_series(101, 400) i;
CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM sleepy(0, lower(concat_ws(' ', TG_WHEN, TG_OP, TG_LEVEL)));
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, k FROM t;
CREATE FUNCTION untouched() RETURNS boolean LANGUAGE sql AS $$
  SELECT count(*) = 300 AND bool_and(t.ctid = old_ctid AND t.xmin = old_xmin) FROM t FULL JOIN before USING (k) $$;

-- First without triggers, so that the rows are written in bulk, then with them, and then through a view.
\set VERBOSITY sqlstate
SET statement_timeout = '200ms';
\set call 'SELECT * FROM bulk_sync(:target, ''slow_s'', ''{k}'', ''sleepy(k, \'\'scope\'\')'', update_where => ''sleepy(target.k, \'\'update_where\'\')'');'
\set target '''t'''
SET cancelled.place = 'staged';
:call
SET cancelled.place = 'conversion';
:call
SET cancelled.place = 'scope';
:call
SET cancelled.place = 'update_where';
:call
SET cancelled.place = 'check';
:call
SET cancelled.place = 'default';
:call
RESET statement_timeout;
SELECT untouched();

CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION nap();
CREATE TRIGGER before_statement BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION nap();
CREATE TRIGGER after_row AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION nap();
CREATE TRIGGER after_statement AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION nap();
SET statement_timeout = '200ms';
SET cancelled.place = 'before delete statement';
:call
SET cancelled.place = 'before delete row';
:call
SET cancelled.place = 'before update statement';
:call
SET cancelled.place = 'before update row';
:call
SET cancelled.place = 'before insert statement';
:call
SET cancelled.place = 'before insert row';
:call
SET cancelled.place = 'after delete row';
:call
SET cancelled.place = 'after update row';
:call
SET cancelled.place = 'after insert row';
:call
SET cancelled.place = 'after insert statement';
:call
RESET statement_timeout;
SELECT untouched();

-- through a view, where each phase is one statement
CREATE VIEW vt AS SELECT k, v FROM t;
\set target '''vt'''
SET statement_timeout = '200ms';
SET cancelled.place = 'scope';
:call
SET cancelled.place = 'before update row';
:call
SET cancelled.place = 'after insert statement';
:call
RESET statement_timeout;
SELECT untouched();
DROP TRIGGER before_row ON t;
DROP TRIGGER before_statement ON t;
DROP TRIGGER after_row ON t;
DROP TRIGGER after_statement ON t;

-- Where nothing sleeps and there is merely much to do: matching looks for the timeout too. Half a million rows take far
-- longer than a hundredth of a second; it is over long before they are.
CREATE TABLE many (k int, v text);
CREATE VIEW many_staged AS SELECT i AS k, repeat('x', 20) AS v FROM generate_series(1, 500000) i;
SELECT clock_timestamp() AS began \gset
SET statement_timeout = '10ms';
SELECT * FROM bulk_sync('many', 'many_staged', '{k}', 'true');
SET bulk_sync.work_mem = '64kB';
SELECT * FROM bulk_sync('many', 'many_staged', '{k}', 'true');
RESET bulk_sync.work_mem;
RESET statement_timeout;
SELECT clock_timestamp() - :'began' < interval '5 s' AS at_once, (SELECT count(*) FROM many) AS rows;

-- caught, it leaves the transaction as it was before the call; then the same call is made, and nothing is in its way
\set VERBOSITY default
BEGIN;
SET LOCAL statement_timeout = '200ms';
SET LOCAL cancelled.place = 'check';
DO $$
BEGIN
  PERFORM bulk_sync('t', 's', scope => 'true');
EXCEPTION WHEN query_canceled THEN RAISE NOTICE 'cancelled, untouched: %', untouched();
END $$;
SET LOCAL statement_timeout = 0;
SET LOCAL cancelled.place = '';
SELECT * FROM bulk_sync('t', 's', scope => 'true');
COMMIT;
SELECT v::text, count(*) FROM t GROUP BY v ORDER BY v;

SET client_min_messages = warning;
DROP SCHEMA cancelled CASCADE;
