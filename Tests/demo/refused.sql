-- After a call that must have failed: checks that it did, with the SQLSTATE :expected, and that no row version has
-- changed.
\set refused :ERROR
\set state :LAST_ERROR_SQLSTATE
\timing off
\set ECHO none
\set ON_ERROR_STOP on

\echo 'SQLSTATE:' :state
\echo

SELECT :'refused' = 'true' AND :'state' = :'expected' AS right_error \gset
\if :right_error
\else
  \warn 'FAILED: the SQLSTATE must be' :expected
  DO 'BEGIN RAISE EXCEPTION $$not refused as it must be$$; END';
\endif
\i :demo/versions.sql
\if :touched
  DO 'BEGIN RAISE EXCEPTION $$a refused call has written$$; END';
\endif
\set ECHO queries
