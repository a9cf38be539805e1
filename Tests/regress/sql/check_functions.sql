-- A CHECK constraint, or a condition of a trigger, whose function looks at the table sees the rows that the call wrote before, as in any statement: whether it
-- reads the table or an index of it.
-- Contract 1.3.8
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA check_functions;
SET search_path = check_functions, public;
\set SHOW_CONTEXT never

CREATE TABLE seats (k int PRIMARY KEY, room int, v int);
CREATE INDEX ON seats (room);
CREATE FUNCTION has_room(room int) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN (SELECT count(*) FROM check_functions.seats s WHERE s.room = has_room.room) < 3;
END $$;
ALTER TABLE seats ADD CONSTRAINT has_room CHECK (has_room(room));
CREATE TABLE seats_staged (k int, room int, v int);

CREATE PROCEDURE try(scan text) LANGUAGE plpgsql AS $$
DECLARE
  result record;
BEGIN
  PERFORM set_config(scan, 'off', true);
  SELECT * INTO result FROM bulk_sync('seats', 'seats_staged', scope => 'true');
  RAISE NOTICE '%', result;
EXCEPTION WHEN check_violation THEN
  RAISE NOTICE '%', sqlerrm;
END $$;

-- inserted rows: three in a room are one more than those before each of them, four are too many
INSERT INTO seats_staged SELECT i, i / 5, 0 FROM generate_series(1, 8) i;
CALL try('enable_seqscan');
CALL try('enable_indexscan');
UPDATE seats_staged SET room = k % 3;
CALL try('enable_seqscan');
SELECT room, count(*) FROM seats GROUP BY room ORDER BY room;
-- updated rows
TRUNCATE seats;
INSERT INTO seats SELECT i, i, 0 FROM generate_series(1, 8) i;
UPDATE seats_staged SET room = 20 + k / 5;
CALL try('enable_seqscan');
CALL try('enable_indexscan');
UPDATE seats_staged SET room = 20 + k % 3;
CALL try('enable_seqscan');
SELECT room, count(*) FROM seats GROUP BY room ORDER BY room;

-- conditions of triggers
ALTER TABLE seats DROP CONSTRAINT has_room;
TRUNCATE seats;
CREATE TABLE log (line text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log VALUES (format('%s %s', lower(TG_OP), NEW.k));
  RETURN NULL;
END $$;
CREATE TRIGGER full_room AFTER INSERT OR UPDATE ON seats FOR EACH ROW WHEN (NOT has_room(NEW.room)) EXECUTE FUNCTION note();
UPDATE seats_staged SET room = k / 5;
CALL try('enable_seqscan');
SELECT line FROM log ORDER BY line;
TRUNCATE log;
UPDATE seats_staged SET room = 10 + k / 5;
CALL try('enable_seqscan');
SELECT line FROM log ORDER BY line;

SET client_min_messages = warning;
DROP SCHEMA check_functions CASCADE;
