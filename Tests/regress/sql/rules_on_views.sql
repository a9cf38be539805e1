-- A view that can be written through rules is written through them, as with ordinary DML; and triggers of the table below
-- a view may change planned rows as those of a table may.
-- Contract 1.3.8, 1.3.10, 1.7 (only a view that cannot be written is refused)
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA rules_on_views;
SET search_path = rules_on_views, public;

CREATE TABLE base (k int PRIMARY KEY, v text, w text NOT NULL DEFAULT '');
CREATE TABLE s (k int, v text);
INSERT INTO base VALUES (1, 'goes'), (2, 'old'), (3, 'same');
INSERT INTO s VALUES (2, 'new'), (3, 'same'), (4, 'comes');

-- a view that PostgreSQL cannot update by itself, with a rule for each event: whatever the actions and the scope
CREATE VIEW ruled AS SELECT k, v, 1 AS area FROM base UNION ALL SELECT 0, '', 0 WHERE false;
CREATE RULE i AS ON INSERT TO ruled DO INSTEAD INSERT INTO base VALUES (NEW.k, NEW.v);
CREATE RULE u AS ON UPDATE TO ruled DO INSTEAD UPDATE base SET v = NEW.v WHERE k = OLD.k;
CREATE RULE d AS ON DELETE TO ruled DO INSTEAD DELETE FROM base WHERE k = OLD.k;
SELECT * FROM bulk_sync('ruled', 's', '{k}', scope => 'true');
TABLE base ORDER BY k;
UPDATE s SET v = 'newer' WHERE k = 2;
SELECT * FROM bulk_sync('ruled', 's', '{k}', actions => '{insert,update}');
DELETE FROM s WHERE k = 3;
UPDATE s SET v = 'newest' WHERE k = 2;
SELECT * FROM bulk_sync('ruled', 's', '{k}', scope => 'k > 0');
TABLE base ORDER BY k;

-- a rule of the table below a view takes effect as well: an UPDATE of the view is rewritten to one of the table
CREATE TABLE log (k int, v text);
CREATE VIEW plain AS SELECT k, v FROM base;
CREATE RULE also AS ON UPDATE TO base DO ALSO INSERT INTO log VALUES (NEW.k, NEW.v);
UPDATE s SET v = 'x' WHERE k = 2;
SELECT * FROM bulk_sync('plain', 's', '{k}', scope => 'true');
TABLE log;
DROP RULE also ON base;

-- A BEFORE STATEMENT trigger of the table below changes planned rows. Weaker than contract 1.3.10: behind a view that is
-- the error of ordinary DML (27000), and nothing is written; on the table itself the rows are found in their new version.
\set VERBOSITY sqlstate
CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() = 1 THEN UPDATE base SET w = w || 'd'; END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER x BEFORE DELETE ON base FOR EACH STATEMENT EXECUTE FUNCTION mark();
INSERT INTO base VALUES (8, 'goes'), (9, 'goes');
UPDATE s SET v = 'y' WHERE k = 2;
SELECT * FROM bulk_sync('plain', 's', '{k}', scope => 'true');
SELECT k, v, w <> '' AS marked FROM base ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA rules_on_views CASCADE;
