-- Children that follow a unique value of their parents (ON UPDATE CASCADE). PostgreSQL lets them follow one parent after the
-- other: after a swap all would be with one of the two. Such a trade is refused, as any statement refuses it, and nothing is
-- changed; what can be done in the order in which the rows lie is done, and each child stays with its parent. Where children
-- do not follow (NO ACTION), values are traded, and a child has the parent that has its value.
-- Contract 1.3.7, 1.3.8 (foreign-key actions), 1.3.6 (they run when all phases are done)
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA trade_cascades;
SET search_path = trade_cascades, public;

CREATE TABLE parent (k int PRIMARY KEY, code text NOT NULL UNIQUE);
-- a child knows whose it is: owner is the key of its parent, and no foreign key
CREATE TABLE child (n int PRIMARY KEY, owner int NOT NULL, code text REFERENCES parent (code) ON UPDATE CASCADE ON DELETE CASCADE);
CREATE TABLE staged (k int, code text);
CREATE PROCEDURE fill(codes text[]) LANGUAGE sql AS $$
  TRUNCATE parent, child, staged;
  INSERT INTO parent SELECT i, codes[i] FROM generate_subscripts(codes, 1) i;
  INSERT INTO child SELECT 2 * i - d, i, codes[i] FROM generate_subscripts(codes, 1) i, generate_series(0, 1) d;
  INSERT INTO staged TABLE parent $$;
CREATE VIEW families AS SELECT k, parent.code, (SELECT string_agg(child.code, ' ' ORDER BY n) FROM child WHERE owner = k) AS of_children
  FROM parent;

-- a chain in the order of the rows: each takes what the one before it has left
CALL fill('{b,c,d}');
UPDATE staged SET code = (ARRAY['a', 'b', 'c'])[k];
SELECT * FROM bulk_sync('parent', 'staged', scope => 'true');
TABLE families ORDER BY k;
-- and against it
UPDATE staged SET code = (ARRAY['b', 'c', 'd'])[k];
SELECT * FROM bulk_sync('parent', 'staged', scope => 'true');
TABLE families ORDER BY k;
-- a swap, beside a parent that is not updated
UPDATE staged SET code = (ARRAY['b', 'a', 'c'])[k];
SELECT * FROM bulk_sync('parent', 'staged', scope => 'true');
TABLE families ORDER BY k;
-- a circle
UPDATE staged SET code = (ARRAY['a', 'c', 'b'])[k];
SELECT * FROM bulk_sync('parent', 'staged', scope => 'true');
TABLE families ORDER BY k;
-- a parent goes, with its children; a parent gets its value, and a new one, without children, the value of that
DELETE FROM staged WHERE k = 1;
UPDATE staged SET code = 'a' WHERE k = 2;
INSERT INTO staged VALUES (4, 'c');
SELECT * FROM bulk_sync('parent', 'staged', scope => 'true');
TABLE families ORDER BY k;

-- children with values of two columns, and of another type than that of the parent
CREATE TABLE places (k int PRIMARY KEY, region int NOT NULL, place int NOT NULL, UNIQUE (region, place));
CREATE TABLE visits (n int PRIMARY KEY, owner int, region bigint, place bigint, FOREIGN KEY (region, place) REFERENCES places (region, place) ON UPDATE CASCADE);
CREATE TABLE places_staged (k int, region int, place int);
INSERT INTO places VALUES (1, 1, 1), (2, 1, 2), (3, 2, 1), (4, 2, 2);
INSERT INTO visits SELECT k, k, region, place FROM places;
INSERT INTO visits VALUES (5, NULL, NULL, 2);
INSERT INTO places_staged VALUES (1, 1, 2), (2, 2, 1), (3, 1, 1), (4, 2, 2);
SELECT * FROM bulk_sync('places', 'places_staged', scope => 'true');
SELECT n, owner, v.region, v.place, (v.region, v.place) = (p.region, p.place) AS at_home FROM visits v LEFT JOIN places p ON p.k = owner ORDER BY n;

-- the row itself is a child: each has the other, or itself, for its boss
CREATE TABLE people (k int PRIMARY KEY, badge int NOT NULL UNIQUE, boss_badge int REFERENCES people (badge) ON UPDATE CASCADE, note text);
CREATE TABLE people_staged (k int, badge int);
INSERT INTO people VALUES (1, 10, 20, 'boss is 2'), (2, 20, 10, 'boss is 1'), (3, 30, 30, 'boss is 3'), (4, 40, 10, 'boss is 1');
INSERT INTO people_staged VALUES (1, 20), (2, 30), (3, 10), (4, 40);
SELECT * FROM bulk_sync('people', 'people_staged', scope => 'true');
SELECT p.k, p.badge, b.k AS boss, p.note FROM people p JOIN people b ON b.badge = p.boss_badge ORDER BY p.k;

-- children that do not follow: the value counts, whoever has it
CREATE TABLE plain (k int PRIMARY KEY, code text NOT NULL UNIQUE);
CREATE TABLE plain_child (n int PRIMARY KEY, code text REFERENCES plain (code));
CREATE TABLE plain_staged (k int, code text);
INSERT INTO plain VALUES (1, 'a'), (2, 'b');
INSERT INTO plain_child VALUES (1, 'a'), (2, 'b');
INSERT INTO plain_staged VALUES (1, 'b'), (2, 'a');
SELECT * FROM bulk_sync('plain', 'plain_staged', scope => 'true');
SELECT n, code, k FROM plain_child JOIN plain USING (code) ORDER BY n;
-- a value that nobody has in the end
UPDATE plain_staged SET code = (ARRAY['a', 'c'])[k];
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('plain', 'plain_staged', scope => 'true');
\set VERBOSITY default
SELECT n, code, k FROM plain_child JOIN plain USING (code) ORDER BY n;

SET client_min_messages = warning;
DROP SCHEMA trade_cascades CASCADE;
