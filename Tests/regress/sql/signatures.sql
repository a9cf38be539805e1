-- The functions of the extension as \df+ shows them: names, arguments with their defaults, results, and properties; there is nothing
-- else in it. Programs call these by name and by position: a change here is a change of the contract.
-- Contract 1 to 6 (signatures); case 22
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;

CREATE TEMPORARY VIEW functions AS
	SELECT p.* FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	  JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'bulk_sync';

-- Called with NULL arguments, for NULL means the default; volatile and not for parallel workers where they write, lock, or follow
-- the commands of the transaction; with the caller's rights and the caller's settings.
SELECT proname AS function, lanname AS language, CASE provolatile WHEN 'v' THEN 'volatile' WHEN 's' THEN 'stable' ELSE 'immutable' END AS volatility,
	   CASE proparallel WHEN 'u' THEN 'unsafe' WHEN 'r' THEN 'restricted' ELSE 'safe' END AS parallel,
	   proisstrict AS strict, prosecdef AS definer, proleakproof AS leakproof, proretset AS set, prokind AS kind, proconfig AS settings
  FROM functions JOIN pg_language AS l ON l.oid = prolang ORDER BY proname;

-- The arguments in their order: bulk_compare has those of bulk_sync but for the guards, the lock mode and the writing;
-- bulk_sync_returning has all but the dry run; both can show unchanged rows.
SELECT proname AS function, a.n, proargnames[n] AS name, format_type(type, NULL) AS type,
	   pg_get_function_arg_default(functions.oid, n::int) AS "default"
  FROM functions, unnest(proargtypes::oid[]) WITH ORDINALITY AS a (type, n) ORDER BY proname, n;

-- The columns of the result, or its type.
SELECT proname AS function, a.n - pronargs AS n, proargnames[n] AS name, format_type(type, NULL) AS type
  FROM functions, unnest(proallargtypes, proargmodes) WITH ORDINALITY AS a (type, mode, n) WHERE mode IN ('o', 't') ORDER BY proname, a.n;
SELECT proname AS function, format_type(prorettype, NULL) AS result FROM functions WHERE proallargtypes IS NULL ORDER BY proname;

-- One function of each name, each with a comment; every option with a default is one that bulk_sync has by the same name, type and default.
SELECT proname, count(*) FROM functions GROUP BY proname HAVING count(*) > 1;
SELECT proname FROM functions WHERE obj_description(oid, 'pg_proc') IS NULL;
WITH a AS (SELECT proname, proargnames[n] AS name, type, pg_get_function_arg_default(oid, n::int) AS standard, n
			 FROM functions, unnest(proargtypes::oid[]) WITH ORDINALITY AS a (type, n))
SELECT o.proname, o.name FROM a AS o WHERE o.proname IN ('bulk_compare', 'bulk_sync_returning')
   AND NOT EXISTS (SELECT FROM a AS s WHERE s.proname = 'bulk_sync' AND (s.name, s.type, s.standard) IS NOT DISTINCT FROM (o.name, o.type, o.standard)) ORDER BY 1, 2;

DROP VIEW functions;
