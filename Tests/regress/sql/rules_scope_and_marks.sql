-- A rule on the target, however little it does, switches off no promise: rows that triggers or defaults would take out of
-- the scope are refused, and marks and updates, which are one UPDATE, are counted each as what was written.
-- Contract 1.2.5, 1.3.8, 1.3.9, 1.5
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA rules_scope_and_marks;
SET search_path = rules_scope_and_marks, public;

CREATE TABLE t (k int PRIMARY KEY, v text, area int NOT NULL DEFAULT 2);
CREATE TABLE s (k int, v text);
CREATE TABLE log (k int);
INSERT INTO t VALUES (1, 'old', 1);
INSERT INTO s VALUES (1, 'new'), (2, 'comes');
CREATE RULE r AS ON UPDATE TO t DO ALSO INSERT INTO log VALUES (NEW.k);
\set VERBOSITY sqlstate

-- a default that puts the new row outside the scope
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1', actions => '{insert}');
TABLE t ORDER BY k;
-- a BEFORE trigger that takes the changed row there
CREATE FUNCTION to_2() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.area := 2; RETURN NEW; END $$;
CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION to_2();
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1', actions => '{update}');
TABLE t ORDER BY k;
SELECT count(*) FROM log;
DROP TRIGGER x ON t;
\set VERBOSITY default
-- what stays inside is written as ever
SELECT * FROM bulk_sync('t', 's', scope => 'area = 1', actions => '{update}');
TABLE t ORDER BY k;

-- marks that a rule suppresses are no deletes, updates that it suppresses are skipped, whatever comes together
CREATE TABLE soft (k int PRIMARY KEY, v text, gone boolean NOT NULL DEFAULT false);
INSERT INTO soft VALUES (1, 'goes'), (2, 'goes'), (3, 'goes'), (4, 'old'), (5, 'old');
TRUNCATE s;
INSERT INTO s VALUES (4, 'new'), (5, 'new');
CREATE RULE r AS ON UPDATE TO soft WHERE NEW.gone DO INSTEAD NOTHING;
SELECT * FROM bulk_sync('soft', 's', scope => 'true', soft_delete_column => 'gone');
TABLE soft ORDER BY k;
DROP RULE r ON soft;
UPDATE s SET v = 'newer';
CREATE RULE r AS ON UPDATE TO soft WHERE NOT NEW.gone DO INSTEAD NOTHING;
SELECT * FROM bulk_sync('soft', 's', scope => 'true', soft_delete_column => 'gone');
TABLE soft ORDER BY k;
DROP RULE r ON soft;
-- the same decisions made by a trigger
UPDATE soft SET gone = false;
CREATE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.gone::text = TG_ARGV[0] THEN RETURN NULL; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER x BEFORE UPDATE ON soft FOR EACH ROW EXECUTE FUNCTION suppress('true');
SELECT * FROM bulk_sync('soft', 's', scope => 'true', soft_delete_column => 'gone');
TABLE soft ORDER BY k;
DROP TRIGGER x ON soft;
CREATE TRIGGER x BEFORE UPDATE ON soft FOR EACH ROW EXECUTE FUNCTION suppress('false');
UPDATE s SET v = 'newest';
SELECT * FROM bulk_sync('soft', 's', scope => 'true', soft_delete_column => 'gone');
TABLE soft ORDER BY k;

-- An INSTEAD rule about other rows leaves the check in force: neither a default nor a trigger smuggles a row out.
CREATE TABLE places (k int PRIMARY KEY, v text, area int DEFAULT 2);
CREATE TABLE places_staged AS SELECT 5 AS k, 'x'::text AS v;
CREATE RULE big AS ON INSERT TO places WHERE new.k > 100 DO INSTEAD NOTHING;
SELECT * FROM bulk_sync('places', 'places_staged', scope => 'area = 1', actions => '{insert}');
CREATE RULE never AS ON UPDATE TO places WHERE new.v = 'never' DO INSTEAD NOTHING;
INSERT INTO places VALUES (5, 'old', 1), (6, 'elsewhere', 2);
CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN new.area := 2; RETURN new; END$$;
CREATE TRIGGER move BEFORE UPDATE ON places FOR EACH ROW EXECUTE FUNCTION move();
SELECT * FROM bulk_sync('places', 'places_staged', scope => 'area = 1');
DROP TRIGGER move ON places;
SELECT * FROM bulk_sync('places', 'places_staged', scope => 'area = 1');
TABLE places ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA rules_scope_and_marks CASCADE;
