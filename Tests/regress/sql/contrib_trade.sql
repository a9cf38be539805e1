-- Values of a type in which different images are equal are traded, and keys of such a type change their image meanwhile.
-- Contract 1.3.7, 1.3.1 (the image of a key is a change, too)
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE EXTENSION IF NOT EXISTS citext;
CREATE SCHEMA contrib_trade;
SET search_path = contrib_trade, public;
RESET client_min_messages;
\set SHOW_CONTEXT never

CREATE TABLE t (k citext PRIMARY KEY, name citext UNIQUE);
CREATE UNIQUE INDEX t_key_text ON t ((k::text), name);
CREATE TABLE s (k text, name text);
INSERT INTO t VALUES ('A', 'Ann'), ('B', 'Bob'), ('C', 'Cid'), ('D', 'Dan');
-- a and b in lower case, and with each other's names in upper case; C alone changes its name's case; D is equal
INSERT INTO s VALUES ('a', 'BOB'), ('b', 'ANN'), ('C', 'cid'), ('D', 'Dan');
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
-- an equal value of another image is a violation
UPDATE s SET name = 'dAN' WHERE k = 'a';
SELECT * FROM bulk_sync('t', 's', scope => 'true');
TABLE t ORDER BY k;
-- the key is in a unique index by its image: one that was free, and one that an equal key of a deleted row had
CREATE TABLE u (k citext, part int, PRIMARY KEY (k, part));
CREATE UNIQUE INDEX u_image ON u ((k::text));
INSERT INTO u VALUES ('ABC', 1), ('abc', 2), ('Abc', 3);
CREATE TABLE u_staged (k text, part int);
INSERT INTO u_staged VALUES ('abc', 1), ('ABC', 2), ('Abc', 3);
SELECT * FROM bulk_sync('u', 'u_staged', scope => 'true');
TABLE u ORDER BY part;
DELETE FROM u_staged WHERE part = 3;
UPDATE u_staged SET k = (ARRAY['ABC', 'Abc'])[part];
SELECT * FROM bulk_sync('u', 'u_staged', scope => 'true');
TABLE u ORDER BY part;

SET client_min_messages = warning;
DROP SCHEMA contrib_trade CASCADE;
