-- A second call with the same rows changes nothing, whatever the columns are: same counts as unchanged, same row versions,
-- same sequences, no trigger.
-- Contract 1.5, 1.3.1, 1.1.2
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA idempotence;
SET search_path = idempotence, public;

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text, c numeric);
CREATE DOMAIN short AS varchar(5) CHECK (VALUE <> '');
CREATE DOMAIN pairs AS pair[];
CREATE SEQUENCE events;
CREATE TABLE t (
  id bigint GENERATED ALWAYS AS IDENTITY, dropped int, code text COLLATE "C", part numeric,
  bo boolean, i2 smallint, i8 bigint, nu numeric, nu2 numeric(10, 2), f4 real, f8 double precision, mo mood,
  te text, vc varchar(5), ch char(5), nm name, ch1 "char", by bytea, bi bit(3), vb bit varying, uu uuid,
  da date, ti time, tz time with time zone, ts timestamp(3), tt timestamptz, iv interval,
  js json, jb jsonb, ar int[], ar2 text[][], co pair, cs pair[], dm short, dp pairs, ra int4range, mr nummultirange, ne inet, ci cidr,
  ma macaddr, po point, ci2 circle, pa path, tv tsvector, tq tsquery, ls pg_lsn, re regclass, big text,
  seq text NOT NULL DEFAULT 'E' || nextval('events'), made text GENERATED ALWAYS AS (code || '!') STORED,
  created timestamptz NOT NULL DEFAULT clock_timestamp(), note text, gone timestamptz, UNIQUE NULLS NOT DISTINCT (code, part));
ALTER TABLE t DROP dropped, ADD late int DEFAULT 3;
ALTER TABLE t ALTER big SET STORAGE EXTERNAL;

CREATE TABLE s (LIKE t);
ALTER TABLE s DROP id, DROP gone, DROP created, DROP made, ALTER seq DROP NOT NULL;
INSERT INTO s (code, part, bo, i2, i8, nu, nu2, f4, f8, mo, te, vc, ch, nm, ch1, by, bi, vb, uu, da, ti, tz, ts, tt, iv, js, jb, ar, ar2,
               co, cs, dm, dp, ra, mr, ne, ci, ma, po, ci2, pa, tv, tq, ls, re, big, seq, note, late)
VALUES
  ('a', 1.0, true, -32768, 9223372036854775807, 1.00, 1, '-0', 'NaN', 'happy', 'x ', 'x  ', 'x  ', 'n', 'c', '\x00ff', '101', '1', '00000000-0000-0000-0000-000000000001',
   'infinity', '24:00', '23:59:59.999999-15:59', '-infinity', '2000-01-01', '1 mon -30 days 720:00', '{"b":1, "a": 1,"a":2}', '{"b": 1.0, "a": [null]}',
   '{1,NULL,2}', '{{a,NULL},{"",b}}', '(1,,1.0)', '{"(,,)",NULL}', 'dom', '{"(1,a,0.10)"}', 'empty', '{[1,2),(5,)}', '::1/64', '10.0.0.0/8',
   '08:00:2b:01:02:03', '(1,-0)', '<(1,2),0>', '[(0,0),(1,1)]', '''a'':1A', 'a & b:*', '16/B374D848', 's', repeat('x', 5000), 'given', 'n', 3),
  ('a', NULL, NULL, NULL, NULL, 'NaN', '-0.00', 'NaN', '-0', NULL, '', '', '', '', '', '', '000', '', NULL,
   '4713-01-01 BC', '0:00', '0:00+0', '2000-01-01 00:00:00.0005', 'infinity', '-0', '  null', 'null', '{}', '{}', '(,,)', '{}', NULL, '{NULL}', '[1,1]', '{}',
   '0.0.0.0/0', '::/0', NULL, '(NaN,Infinity)', NULL, '((0,0))', '', 'c', '0/0', '0', '', NULL, NULL, NULL),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO t (code, part) VALUES ('stale', 1), ('a', 1.00);
CREATE TABLE fired (what text);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO fired VALUES (TG_OP || TG_LEVEL); RETURN coalesce(NEW, OLD); END $$;
CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION fire();
CREATE TRIGGER b BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION fire();

-- the first call writes all three kinds; what is stored is what was staged
SELECT * FROM bulk_sync('t', 's', '{code,part}', scope => 'true', soft_delete_column => 'gone');
SELECT count(*) AS equal FROM s JOIN t ON (to_jsonb(s) - 'seq' - 'part') <@ to_jsonb(t) AND s.part::text IS NOT DISTINCT FROM t.part::text;
SELECT what, count(*) FROM fired GROUP BY what ORDER BY what;
CREATE TABLE before AS SELECT ctid AS old_ctid, xmin AS old_xmin, id FROM t;
CREATE TABLE sequences AS SELECT e.last_value AS e, i.last_value AS i FROM events e, t_id_seq i;
TRUNCATE fired;

-- every later one nothing: as it is, in other roles, in another order, through a view, by values of the scope
CREATE VIEW staged_view AS SELECT * FROM s ORDER BY code DESC, te;
SELECT * FROM bulk_sync('t', 's', '{code,part}', scope => 'true', soft_delete_column => 'gone');
SELECT * FROM bulk_sync('t', 's', '{part,code}', scope => 'gone IS NULL', soft_delete_column => 'gone', touch_columns => '{note}',
                        keep_columns => '{js,po}', fill_columns => '{big,ar}', insert_only_columns => '{seq}');
SELECT * FROM bulk_sync('t', 'staged_view', '{code,part}', scope => $$code IS DISTINCT FROM 'stale'$$);
SELECT * FROM bulk_sync('t', 's', '{code,part}', scope_columns => '{code,part}', update_where => 'true', lock_mode => 'EXCLUSIVE');

-- and so with all of it staged as text, where the text is what the database itself writes
DO $$BEGIN
  EXECUTE (SELECT format('CREATE TABLE s_text AS SELECT %s FROM s', string_agg(format('%1$I::text COLLATE "C" AS %1$I', attname), ', '))
             FROM pg_attribute WHERE attrelid = 's'::regclass AND attnum > 0 AND NOT attisdropped);
END $$;
SELECT * FROM bulk_sync('t', 's_text', '{code,part}', scope => 'gone IS NULL', soft_delete_column => 'gone');
-- a row staged from the target is equal to itself, the generated and the identity column too
CREATE TABLE copy AS SELECT * FROM t;
SELECT * FROM bulk_sync('t', 'copy', '{code,part}', scope => 'true');
SELECT * FROM bulk_sync('t', 'copy', '{id}', scope => 'true');

-- the rows are the same versions, no sequence has moved, and no trigger has fired
SELECT count(*) AS rows, bool_and(t.ctid = old_ctid AND t.xmin = old_xmin) AS untouched FROM t JOIN before USING (id);
SELECT e.last_value = s.e AS events, i.last_value = s.i AS ids FROM sequences s, events e, t_id_seq i;
TABLE fired;

SET client_min_messages = warning;
DROP SCHEMA idempotence CASCADE;
