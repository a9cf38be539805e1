-- xml has no equality and no operator class; as a column it is compared by image like any other, as a key it is
-- refused. (Needs a server built with libxml.) Contract 1.1.1, 1.1.2, 1.3.1; case 61
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA contrib_xml;
SET search_path = contrib_xml, public;

CREATE TABLE t (k int PRIMARY KEY, x xml, xs xml[]);
CREATE TEMPORARY TABLE s (k int, x xml, xs xml[]);
INSERT INTO t VALUES (1, '<a/>', '{<a/>}'), (2, '<a/>', '{<a/>}'), (3, '<a/>', '{<a/>}'), (4, NULL, '{NULL}');
INSERT INTO s VALUES (1, '<a/>', '{<a/>}'), (2, '<a></a>', '{<a/>}'), (3, '<a/>', '{<a></a>}'), (4, NULL, '{NULL}'),
	(5, '<b/>', NULL);
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
SELECT * FROM t ORDER BY k;
SELECT * FROM bulk_sync('t', 's', '{k}', scope => 'true');
-- Staged as text it goes through the input function, and has to be well-formed content.
CREATE TEMPORARY TABLE s_text (k int, x text);
INSERT INTO s_text SELECT k, x FROM t;
SELECT * FROM bulk_sync('t', 's_text', '{k}', scope => 'true');
UPDATE s_text SET x = '<a>' WHERE k = 3;
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('t', 's_text', '{k}', scope => 'true');
SELECT * FROM bulk_sync('t', 's', '{x}', scope => 'true');
\set VERBOSITY default

SET client_min_messages = warning;
DROP SCHEMA contrib_xml CASCADE;
DROP TABLE s, s_text;
