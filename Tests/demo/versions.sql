-- Sets touched: has any row version come, gone or been locked since the call began?
SELECT EXISTS (SELECT FROM pg_temp.before_call AS b
                 FULL JOIN (SELECT ctid, xmin::text, xmax::text FROM package) AS p
                   ON p.ctid = b.tid AND p.xmin = b.created AND p.xmax = b.locked
                WHERE p.ctid IS NULL OR b.tid IS NULL) AS touched \gset
