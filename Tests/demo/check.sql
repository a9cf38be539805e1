-- After a call whose result is in variables: prints it as psql would have, and checks
--   that the counts are those of :expected;
--   that the part :part of the table now holds the staged rows, or, where nothing was to be :written, that not one row
--   version is another;
--   that every package that was there before has the id that it had.
\timing off
\set ECHO none

SELECT :staged_rows AS staged_rows, :inserted AS inserted, :updated AS updated,
       :unchanged AS unchanged, :skipped AS skipped, :deleted AS deleted;

SELECT (:staged_rows, :inserted, :updated, :unchanged, :skipped, :deleted) = (:expected) AS right_counts,
       EXISTS (SELECT FROM package AS p JOIN pg_temp.before_call AS b USING (name) WHERE p.id <> b.id) AS other_ids \gset

\if :right_counts
\else
  \warn 'FAILED: the counts must be' :expected
  DO 'BEGIN RAISE EXCEPTION $$wrong counts$$; END';
\endif
\if :other_ids
  DO 'BEGIN RAISE EXCEPTION $$a package has got another id$$; END';
\endif

\if :written
  SELECT EXISTS (SELECT name, version, architecture, section, installed_size, size, maintainer, description
                   FROM package WHERE :part EXCEPT ALL TABLE pg_temp.package_staged)
         OR EXISTS (TABLE pg_temp.package_staged EXCEPT ALL
                    SELECT name, version, architecture, section, installed_size, size, maintainer, description
                      FROM package WHERE :part) AS other_rows \gset
  \if :other_rows
    DO 'BEGIN RAISE EXCEPTION $$the table does not hold the staged rows$$; END';
  \endif
\else
  \i :demo/versions.sql
  \if :touched
    DO 'BEGIN RAISE EXCEPTION $$rows were written although nothing was to be written$$; END';
  \endif
\endif
\set ECHO queries
