-- Views that are written by rules: DO INSTEAD rules do the writing, with and without a scope; a rule
-- that does nothing makes skipped rows
-- Contract 1.3.8, 1.5, 1.7; cases 155, 179
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA views_rules;
SET search_path = views_rules, public;
\set VERBOSITY sqlstate

-- The life of a synced table, a line for each step: see the file
\getenv abs_srcdir PG_ABS_SRCDIR
\set life :abs_srcdir '/include/life.sql'
\set ECHO none
\i :life
\set ECHO all

CREATE TABLE base (k int PRIMARY KEY, grp int, val text CHECK (val <> 'bad'));
CREATE VIEW ruled AS SELECT val AS v, grp AS g, k FROM base OFFSET 0;
CREATE RULE ruled_insert AS ON INSERT TO ruled DO INSTEAD INSERT INTO base VALUES (new.k, new.g, new.v);
CREATE RULE ruled_update AS ON UPDATE TO ruled DO INSTEAD UPDATE base SET grp = new.g, val = new.v WHERE k = old.k;
CREATE RULE ruled_delete AS ON DELETE TO ruled DO INSTEAD DELETE FROM base WHERE k = old.k;
SELECT * FROM life('ruled', 'life_staged', '');
SELECT * FROM base ORDER BY k;

-- without a scope
TRUNCATE life_staged;
INSERT INTO life_staged VALUES (2, 1, 'by rule'), (3, 2, 'C'), (50, 1, 'by rule');
SELECT * FROM bulk_sync('ruled', 'life_staged', '{k}', actions => '{insert,update}');
SELECT * FROM base ORDER BY k;

-- only rules for the actions that are asked for are needed
DROP RULE ruled_delete ON ruled;
SELECT * FROM bulk_sync('ruled', 'life_staged', '{k}', scope => 'true');
UPDATE life_staged SET v = 'again' WHERE k = 2;
SELECT * FROM bulk_sync('ruled', 'life_staged', '{k}', scope => 'true', actions => '{insert,update}');

-- a rule beside what the view can do by itself: one more statement
CREATE TABLE log (entry text);
CREATE VIEW simple AS SELECT k, grp AS g, val AS v FROM base;
CREATE RULE also AS ON UPDATE TO simple DO ALSO INSERT INTO log VALUES ('updated ' || old.k);
TRUNCATE life_staged;
INSERT INTO life_staged VALUES (2, 1, 'also'), (3, 2, 'C'), (60, 1, 'new');
SELECT * FROM bulk_sync('simple', 'life_staged', '{k}', scope => 'true');
SELECT * FROM base ORDER BY k;
SELECT entry FROM log;

-- a condition takes from the view what it could do by itself, an unconditional rule gives it back;
-- what that does not write is skipped
CREATE RULE never AS ON INSERT TO simple WHERE new.k = 61 DO INSTEAD NOTHING;
INSERT INTO life_staged VALUES (61, 1, 'never'), (62, 1, 'new');
SELECT * FROM bulk_sync('simple', 'life_staged', '{k}', scope => 'true');
CREATE RULE nothing AS ON INSERT TO simple DO INSTEAD NOTHING;
SELECT * FROM bulk_sync('simple', 'life_staged', '{k}', scope => 'true');
SELECT * FROM base ORDER BY k;

SET client_min_messages = warning;
DROP SCHEMA views_rules CASCADE;
DROP TABLE life_staged;
