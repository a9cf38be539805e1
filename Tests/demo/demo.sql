-- A tutorial, run by Tests/demo/run in a directory with the feeds as files for COPY. Each step that calls bulk_sync ends
-- in a check, which prints the result and stops the script unless it is what it must be. So that the check can have the
-- result, it goes into variables: "\; \gset" instead of a semicolon.

\pset footer off
\set ECHO queries

\echo
\echo '=== A table of packages ==='
\echo
\echo 'The key by which feed and table are matched is the name of the package. The id is ours: the feed'
\echo 'does not know it, and it must stay the same as long as the package exists.'
\echo

CREATE EXTENSION bulk_sync;

CREATE TABLE package (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL UNIQUE,
    version        text NOT NULL,
    architecture   text,
    section        text,
    installed_size bigint,
    size           bigint,
    maintainer     text,
    description    text
);

\echo
\echo '=== First load ==='
\echo
\echo 'bulk_stage makes a temporary table with the columns of the target. COPY fills it, and one call'
\echo 'makes the target match. scope => ''true'' says that the feed describes the whole table.'
\echo

SELECT bulk_stage('package');

\echo '\\copy package_staged FROM ''day-1.tsv'''
\set ECHO none
\copy package_staged FROM 'day-1.tsv'
\set ECHO queries

\i :demo/begin.sql
SELECT * FROM bulk_sync('package', 'package_staged', '{name}', scope => 'true')\; \gset
\set expected :first_load
\i :demo/check.sql

SELECT section, count(*) AS packages, pg_size_pretty(sum(size)) AS size
  FROM package GROUP BY section ORDER BY packages DESC, section LIMIT 5;

\echo
\echo '=== The next day: first a dry run ==='
\echo
\echo 'In the feed of the next day packages are new, gone and changed. A dry run counts what the sync'
\echo 'would do, and writes nothing.'
\echo

SELECT bulk_stage('package');

\echo '\\copy package_staged FROM ''day-2.tsv'''
\set ECHO none
\copy package_staged FROM 'day-2.tsv'
\set ECHO queries

\i :demo/begin.sql
SELECT * FROM bulk_sync('package', 'package_staged', '{name}', scope => 'true',
                        dry_run => true)\; \gset
\set expected :next_day
\set written false
\i :demo/check.sql

\echo
\echo '=== The next day ==='
\echo
\echo 'Now for real, and with a guard: a feed that would delete more than one row in twenty is refused.'
\echo

\i :demo/begin.sql
SELECT * FROM bulk_sync('package', 'package_staged', '{name}', scope => 'true',
                        max_delete_fraction => 0.05)\; \gset
\set expected :next_day
\i :demo/check.sql

\echo 'Changed packages were updated in place and have kept their id:'
\echo

SELECT id, name, version FROM package WHERE version LIKE '%+next1' ORDER BY id LIMIT 3;

\echo
\echo '=== The same again ==='
\echo
\echo 'Rows that are equal are not touched: no row version, no WAL, no lock, no trigger.'
\echo

\i :demo/begin.sql
SELECT * FROM bulk_sync('package', 'package_staged', '{name}', scope => 'true')\; \gset
\set expected :again
\set written false
\i :demo/check.sql

\echo
\echo '=== One section ==='
\echo
\echo 'A feed may describe a part of the table: here the games, and as they were on the first day. Rows'
\echo 'outside the scope are neither matched nor deleted.'
\echo

SELECT bulk_stage('package');

\echo '\\copy package_staged FROM ''games.tsv'''
\set ECHO none
\copy package_staged FROM 'games.tsv'
\set ECHO queries

\i :demo/begin.sql
SELECT * FROM bulk_sync('package', 'package_staged', '{name}', scope => $$section = 'games'$$)\; \gset
\set expected :games
\set part 'section = ''games'''
\i :demo/check.sql

\echo 'A program, which should not build SQL from its data, says the same with scope_values:'
\echo

\i :demo/begin.sql
SELECT * FROM bulk_sync('package', 'package_staged', '{name}', scope_values => '{"section": "games"}')\; \gset
\set expected :games_again
\set written false
\i :demo/check.sql

\echo 'What belongs elsewhere cannot slip in: staged rows that would land outside the scope are an error.'
\echo

\i :demo/begin.sql
\set ON_ERROR_STOP off
SELECT * FROM bulk_sync('package', 'package_staged', '{name}', scope => $$section = 'net'$$);
\set expected 44000
\i :demo/refused.sql

\echo
\echo '=== A feed that was cut off ==='
\echo
\echo 'The connection broke after 60 % of the lines. Whoever knows how many rows there must be says so:'
\echo

TRUNCATE package_staged;

\echo '\\copy package_staged FROM ''cut-off.tsv'''
\set ECHO none
\copy package_staged FROM 'cut-off.tsv'
\set ECHO queries

\i :demo/begin.sql
\set ON_ERROR_STOP off
SELECT * FROM bulk_sync('package', 'package_staged', '{name}', scope => 'true',
                        expected_rows => :day_2_rows);
\set expected SY001
\i :demo/refused.sql

\echo 'Whoever does not know it limits the deletes:'
\echo

\i :demo/begin.sql
\set ON_ERROR_STOP off
SELECT * FROM bulk_sync('package', 'package_staged', '{name}', scope => 'true',
                        max_delete_fraction => 0.05);
\set expected SY003
\i :demo/refused.sql

\echo 'An empty feed never empties a table, unless that is said with allow_empty => true:'
\echo

TRUNCATE package_staged;

\i :demo/begin.sql
\set ON_ERROR_STOP off
SELECT * FROM bulk_sync('package', 'package_staged', '{name}', scope => 'true');
\set expected SY002
\i :demo/refused.sql

\echo
\echo '=== Soft delete ==='
\echo
\echo 'With a column that says when a row went, what is gone from the feed is marked instead of deleted.'
\echo

ALTER TABLE package ADD COLUMN removed_at timestamptz;

\echo '\\copy package_staged FROM ''day-2.tsv'''
\set ECHO none
\copy package_staged FROM 'day-2.tsv'
\set ECHO queries

\i :demo/begin.sql
SELECT * FROM bulk_sync('package', 'package_staged', '{name}', scope => 'true',
                        soft_delete_column => 'removed_at')\; \gset
\set expected :soft
\set part 'removed_at IS NULL'
\i :demo/check.sql

SELECT count(*) FILTER (WHERE removed_at IS NULL) AS live, count(removed_at) AS removed FROM package;

\echo 'When the feed has them again they come back to life, with the id they had:'
\echo

TRUNCATE package_staged;

\echo '\\copy package_staged FROM ''day-2-old-games.tsv'''
\set ECHO none
\copy package_staged FROM 'day-2-old-games.tsv'
\set ECHO queries

\i :demo/begin.sql
SELECT * FROM bulk_sync('package', 'package_staged', '{name}', scope => 'true',
                        soft_delete_column => 'removed_at')\; \gset
\set expected :revived
\set part 'removed_at IS NULL'
\i :demo/check.sql

SELECT count(*) FILTER (WHERE removed_at IS NULL) AS live, count(removed_at) AS removed FROM package;

\echo 'Every count was what it had to be.'
