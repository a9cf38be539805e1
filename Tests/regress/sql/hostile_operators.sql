-- Types, operator classes and casts of users': rows are matched by the operators of the type's own default class and no others of their names, and
-- values converted by the casts that an INSERT would use, whatever operators stand beside them in the same schema.
-- Contract 1.1.1, 1.1.2, the paragraphs at the end; cases 206, 208
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
CREATE ROLE regress_bulk_sync_attacker;
RESET client_min_messages;
CREATE SCHEMA hostile_operators;
SET search_path = hostile_operators, public;

-- A type with a class of its own, as an extension would make it, in a schema where others may create, too.
CREATE TYPE num AS (n int);
CREATE FUNCTION num_lt(num, num) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).n < ($2).n';
CREATE FUNCTION num_le(num, num) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).n <= ($2).n';
CREATE FUNCTION num_eq(num, num) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).n = ($2).n';
CREATE FUNCTION num_ge(num, num) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).n >= ($2).n';
CREATE FUNCTION num_gt(num, num) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).n > ($2).n';
CREATE FUNCTION num_cmp(num, num) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.btint4cmp(($1).n, ($2).n)';
CREATE OPERATOR < (LEFTARG = num, RIGHTARG = num, FUNCTION = num_lt, COMMUTATOR = >, NEGATOR = >=);
CREATE OPERATOR <= (LEFTARG = num, RIGHTARG = num, FUNCTION = num_le, COMMUTATOR = >=, NEGATOR = >);
CREATE OPERATOR = (LEFTARG = num, RIGHTARG = num, FUNCTION = num_eq, COMMUTATOR = =, MERGES);
CREATE OPERATOR >= (LEFTARG = num, RIGHTARG = num, FUNCTION = num_ge, COMMUTATOR = <=, NEGATOR = <);
CREATE OPERATOR > (LEFTARG = num, RIGHTARG = num, FUNCTION = num_gt, COMMUTATOR = <, NEGATOR = <=);
CREATE OPERATOR CLASS num_ops DEFAULT FOR TYPE num USING btree AS
	OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 num_cmp(num, num);
CREATE DOMAIN price AS num;
GRANT USAGE, CREATE ON SCHEMA hostile_operators TO regress_bulk_sync_attacker;

CREATE TABLE t (k price, g price, v text);
CREATE VIEW w AS SELECT k, g, v FROM t;
CREATE TABLE p (k price, g price, v text) PARTITION BY LIST (v);
CREATE TABLE p_rest PARTITION OF p DEFAULT;
CREATE TABLE s (k text, g num, v text);
INSERT INTO s VALUES ('(4)', '(1)', 'new'), ('(2)', '(1)', 'new'), ('(3)', '(1)', 'old');
CREATE FUNCTION fresh() RETURNS void LANGUAGE sql AS $$
	DELETE FROM t; DELETE FROM p;
	INSERT INTO t VALUES (ROW(1), ROW(1), 'old'), (ROW(2), ROW(1), 'old'), (ROW(3), ROW(1), 'old'), (ROW(9), ROW(2), 'old');
	INSERT INTO p SELECT * FROM t $$;
CREATE FUNCTION all_calls() RETURNS TABLE (call text, result text) LANGUAGE plpgsql AS $f$
BEGIN
	FOREACH call IN ARRAY ARRAY[$$'t', 's', '{k}', scope_columns => '{g}'$$, $$'t', 's', '{k}', scope_values => '{"g": {"n": 1}}'$$,
		$$'t', 's', '{k}', scope_columns => '{g}', lock_mode => 'row exclusive'$$, $$'t', 's', '{k,g}', scope_columns => '{g}', lock_mode => 'row exclusive'$$,
		$$'w', 's', '{k}', scope_columns => '{g}', lock_mode => 'row exclusive'$$, $$'p', 's', '{k}', scope_columns => '{g}', lock_mode => 'row exclusive'$$,
		$$'t', 's', '{k}', duplicates => 'last', order_column => 'g', scope_columns => '{g}'$$] LOOP
		BEGIN
			PERFORM fresh();
			EXECUTE 'SELECT r::text FROM bulk_sync(' || call || ') r' INTO result;
		EXCEPTION WHEN OTHERS THEN result := SQLSTATE || ' ' || SQLERRM;
		END;
		RETURN NEXT;
	END LOOP;
	call := 'bulk_insert_changed';
	SELECT r::text INTO result FROM bulk_insert_changed('t', 's', '{k}', 'g') r;
	RETURN NEXT;
END $f$;
CREATE TABLE peace AS SELECT * FROM all_calls();
SELECT * FROM peace;

-- Operators for exactly the domain, in the schema of the class; operators and casts that fit as well as the right ones.
SET ROLE regress_bulk_sync_attacker;
CREATE FUNCTION evil(price, price) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$ BEGIN RAISE EXCEPTION 'hijacked by % and %', $1, $2; END $$;
CREATE FUNCTION evil(price, num) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$ BEGIN RAISE EXCEPTION 'hijacked by % and %', $1, $2; END $$;
CREATE FUNCTION evil(num, price) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$ BEGIN RAISE EXCEPTION 'hijacked by % and %', $1, $2; END $$;
CREATE FUNCTION evil(price, price[]) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$ BEGIN RAISE EXCEPTION 'hijacked by % and %', $1, $2; END $$;
DO $$
DECLARE
	op text;
	args text[];
BEGIN
	FOREACH op IN ARRAY '{<,<=,=,>=,>,<>}'::text[] LOOP
		FOREACH args SLICE 1 IN ARRAY '{{price,price},{price,num},{num,price},{price,price[]}}'::text[] LOOP
			EXECUTE format('CREATE OPERATOR %s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil)', op, args[1], args[2]);
		END LOOP;
	END LOOP;
END $$;
RESET ROLE;
SELECT call, peace.result = fire.result AS same, CASE WHEN peace.result <> fire.result THEN fire.result END AS instead FROM peace JOIN all_calls() fire USING (call) ORDER BY call COLLATE "C";

-- Casts of a type that its owner makes: an assignment cast is taken as INSERT takes it, another is not; none is taken in place of the input function.
CREATE TYPE feed AS (n int);
CREATE FUNCTION feed_to_int(feed) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT ($1).n * 100';
CREATE FUNCTION text_to_num(text) RETURNS num LANGUAGE sql IMMUTABLE AS 'SELECT ROW(666)::num';
CREATE CAST (text AS num) WITH FUNCTION text_to_num(text) AS ASSIGNMENT;
CREATE TABLE ints (k int PRIMARY KEY, n num);
CREATE TABLE feeds (k feed, n text);
INSERT INTO feeds VALUES (ROW(1), '(5)');
\set VERBOSITY terse
SELECT * FROM bulk_sync('ints', 'feeds', scope => 'true');
INSERT INTO ints SELECT k FROM feeds;
CREATE CAST (feed AS int) WITH FUNCTION feed_to_int(feed);
SELECT * FROM bulk_sync('ints', 'feeds', scope => 'true');
INSERT INTO ints SELECT k FROM feeds;
DROP CAST (feed AS int);
CREATE CAST (feed AS int) WITH FUNCTION feed_to_int(feed) AS ASSIGNMENT;
SELECT * FROM bulk_sync('ints', 'feeds', scope => 'true');
SELECT * FROM ints;

SET client_min_messages = warning;
DROP SCHEMA hostile_operators CASCADE;
DROP ROLE regress_bulk_sync_attacker;
