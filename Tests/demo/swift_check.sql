-- Whichever way the feed of the second day took, the table holds its rows.
CREATE TEMPORARY TABLE feed (LIKE package_by_command);
\copy feed FROM 'day-2.tsv'
DO $$
BEGIN
	IF EXISTS (TABLE package_by_library EXCEPT ALL TABLE feed) OR EXISTS (TABLE feed EXCEPT ALL TABLE package_by_library) OR
	   EXISTS (TABLE package_by_command EXCEPT ALL TABLE feed) OR EXISTS (TABLE feed EXCEPT ALL TABLE package_by_command) THEN
		RAISE EXCEPTION 'the tables do not hold the feed';
	END IF;
END
$$;
\echo
\echo 'Both tables hold the feed.'
