-- Key types that can be sorted but not hashed (money, bit, varbit, tsvector), types with operator classes of
-- their own, and types that have no equality at all and are refused before any row is read.
-- Contract 1.1.1; case 47
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA key_operator_classes;
SET search_path = key_operator_classes, public;

-- btree only: every kind of row once.
CREATE TABLE prices (k money, v int);
CREATE TEMPORARY TABLE prices_staged (k money, v int);
INSERT INTO prices VALUES (1, 1), (2, 2), (3, 3), (NULL, 4);
INSERT INTO prices_staged VALUES (NULL, 4), (3, 30), (1, 1), (5, 5);
SELECT * FROM bulk_sync('prices', 'prices_staged', '{k}', scope => 'true');
SELECT k::numeric, v FROM prices ORDER BY k;
SELECT * FROM bulk_sync('prices', 'prices_staged', '{k}', scope => 'true');
-- duplicates, first and last (the position decides, not the sort), a row that is matched twice
INSERT INTO prices_staged VALUES (3, 31), (NULL, 40), (3, 29), (NULL, 3);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('prices', 'prices_staged', '{k}', scope => 'true');
\set VERBOSITY default
SELECT * FROM bulk_sync('prices', 'prices_staged', '{k}', scope => 'true', duplicates => 'first');
SELECT * FROM bulk_sync('prices', 'prices_staged', '{k}', scope => 'true', duplicates => 'last');
SELECT k::numeric, v FROM prices ORDER BY k;
SELECT * FROM bulk_sync('prices', 'prices_staged', '{k}', scope => 'true', duplicates => 'last',
	order_column => 'v');
SELECT k::numeric, v FROM prices ORDER BY k;
INSERT INTO prices VALUES (3, 3);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('prices', 'prices_staged', '{k}', scope => 'true', duplicates => 'last');
\set VERBOSITY default

-- Beside a column that can be hashed, in arrays, in rows, in ranges and in domains.
CREATE TYPE priced AS (name text, price money);
CREATE TYPE moneyrange AS RANGE (subtype = money);
CREATE DOMAIN flags AS bit(3);
CREATE TABLE mixed (a int, m money, b bit(3), vb varbit, ts tsvector, ms money[], p priced, r moneyrange,
	d flags, v int);
CREATE TEMPORARY TABLE mixed_staged (LIKE mixed);
INSERT INTO mixed SELECT i % 3, i % 5, i::bit(3), (i % 4)::bit(8)::varbit, ('w' || i % 2)::tsvector,
	ARRAY[i % 2, NULL]::money[], ('n', i % 2)::priced, moneyrange((i % 2)::money, 9::money), (i % 8)::bit(3),
	i FROM generate_series(0, 199) i;
DELETE FROM mixed WHERE v >= 120;
INSERT INTO mixed_staged SELECT a, m, b, vb, ts, ms, p, r, d, v + v % 2 FROM mixed WHERE v >= 20;
INSERT INTO mixed_staged SELECT a + 3, m, b, vb, ts, ms, p, r, d, v FROM mixed WHERE v < 20;
-- 20 new, 20 stale, and of the 100 the fifty odd ones changed
SELECT * FROM bulk_sync('mixed', 'mixed_staged', '{a,m,b,vb,ts,ms,p,r,d}', scope => 'true');
SELECT count(*) AS differences FROM
	((TABLE mixed EXCEPT ALL TABLE mixed_staged) UNION ALL (TABLE mixed_staged EXCEPT ALL TABLE mixed)) d;
-- varbit: the length is part of the value; bit strings of one length differ in a bit.
CREATE TABLE bits (k varbit, v int);
CREATE TEMPORARY TABLE bits_staged (k varbit, v int);
INSERT INTO bits VALUES (B'0', 1), (B'1', 2), (B'', 3);
INSERT INTO bits_staged VALUES (B'00', 1), (B'1', 2), (B'', 3);
SELECT * FROM bulk_sync('bits', 'bits_staged', '{k}', scope => 'true');
SELECT k, length(k), v FROM bits ORDER BY v;

-- A default btree operator class of one's own says that case does not matter. Rows hash field by field, which
-- is not the same equality: what is sorted by this class must not be hashed by that one.
CREATE TYPE label AS (name text);
CREATE FUNCTION label_cmp(label, label) RETURNS int IMMUTABLE LANGUAGE sql
	RETURN sign(bttextcmp(lower(($1).name), lower(($2).name)));
CREATE FUNCTION label_lt(label, label) RETURNS bool IMMUTABLE LANGUAGE sql RETURN label_cmp($1, $2) < 0;
CREATE FUNCTION label_le(label, label) RETURNS bool IMMUTABLE LANGUAGE sql RETURN label_cmp($1, $2) <= 0;
CREATE FUNCTION label_eq(label, label) RETURNS bool IMMUTABLE LANGUAGE sql RETURN label_cmp($1, $2) = 0;
CREATE FUNCTION label_ge(label, label) RETURNS bool IMMUTABLE LANGUAGE sql RETURN label_cmp($1, $2) >= 0;
CREATE FUNCTION label_gt(label, label) RETURNS bool IMMUTABLE LANGUAGE sql RETURN label_cmp($1, $2) > 0;
CREATE OPERATOR <<< (LEFTARG = label, RIGHTARG = label, FUNCTION = label_lt);
CREATE OPERATOR <<= (LEFTARG = label, RIGHTARG = label, FUNCTION = label_le);
CREATE OPERATOR === (LEFTARG = label, RIGHTARG = label, FUNCTION = label_eq);
CREATE OPERATOR >>= (LEFTARG = label, RIGHTARG = label, FUNCTION = label_ge);
CREATE OPERATOR >>> (LEFTARG = label, RIGHTARG = label, FUNCTION = label_gt);
CREATE OPERATOR CLASS label_ops DEFAULT FOR TYPE label USING btree AS
	OPERATOR 1 <<<, OPERATOR 2 <<=, OPERATOR 3 ===, OPERATOR 4 >>=, OPERATOR 5 >>>,
	FUNCTION 1 label_cmp(label, label);
CREATE TABLE labels (k label, v int);
CREATE TEMPORARY TABLE labels_staged (k label, v int);
INSERT INTO labels VALUES ('(a)', 1), ('(b)', 2), ('(c)', 3);
INSERT INTO labels_staged VALUES ('(A)', 1), ('(b)', 2), ('(D)', 3);
SELECT count(*) AS groups FROM (SELECT k FROM labels UNION ALL SELECT k FROM labels_staged) u GROUP BY k
	HAVING count(*) > 1;
SELECT * FROM bulk_sync('labels', 'labels_staged', '{k}', scope => 'true');
SELECT * FROM labels ORDER BY v;
INSERT INTO labels_staged VALUES ('(B)', 4);
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('labels', 'labels_staged', '{k}', scope => 'true');
\set VERBOSITY default

-- No equality: refused, with no row on either side and for every action; so are the types built on such types.
CREATE TYPE with_json AS (a int, j json);
CREATE DOMAIN some_json AS json;
CREATE TABLE none (j json, x xml, p point, b box, c circle, l line, pg polygon, pa path, ls lseg,
	ja json[], r with_json, d some_json, a aclitem[], q jsonpath, t txid_snapshot, i int);
CREATE TEMPORARY TABLE none_staged (LIKE none);
SELECT * FROM bulk_sync('none', 'none_staged', '{j}', scope => 'true');
DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY '{x,p,b,c,l,pg,pa,ls,ja,r,d,q,t}'::text[] LOOP
		BEGIN
			PERFORM bulk_sync('none', 'none_staged', ARRAY['i', name], actions => '{update}');
			RAISE INFO '%: no error', name;
		EXCEPTION WHEN undefined_function THEN
			RAISE INFO '%: % %', name, SQLSTATE, SQLERRM;
		END;
	END LOOP;
END $$;
-- The same column is no trouble where it is no key; and the refusal comes before the rows and their values.
SELECT * FROM bulk_sync('none', 'none_staged', '{i}', scope => 'true', allow_empty => true);
CREATE TEMPORARY TABLE none_text (j text, i text);
INSERT INTO none_text VALUES ('{', 'x');
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('none', 'none_text', '{j}', scope => 'true');
SELECT * FROM bulk_sync('none', 'none_text', '{i}', scope => 'true');
\set VERBOSITY default

SET client_min_messages = warning;
DROP SCHEMA key_operator_classes CASCADE;
DROP TABLE prices_staged, mixed_staged, bits_staged, labels_staged, none_staged, none_text;
