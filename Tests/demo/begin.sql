-- Before a call: remembers the rows and their versions, and says what the call is expected to do, if it says nothing
-- else: write, to the whole table.
\set ECHO none
SET client_min_messages = warning;
DROP TABLE IF EXISTS pg_temp.before_call;
CREATE TEMPORARY TABLE before_call AS
SELECT name, id, ctid AS tid, xmin::text AS created, xmax::text AS locked FROM package;
RESET client_min_messages;
\set written true
\set part true
\set ECHO queries
\timing on
