/*-------------------------------------------------------------------------
 *
 * deparse_distributed.c
 *	  The SQL that only distributed tables need.
 *
 * Such a statement cannot see rows that we hold: neither an ephemeral relation
 * nor a temporary table gets to the shards.  So the rows come with the
 * statement, as one value that is an array of records, which Citus sends to
 * the nodes that the statement is about.
 *
 *-------------------------------------------------------------------------
 */
#include "deparse.h"

#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* LOCK TABLE, by which Citus locks a table on all nodes */
const char *
bulk_sync_deparse_lock_table(Oid relid, LOCKMODE mode)
{
	const char *name = mode == ShareUpdateExclusiveLock ? "SHARE UPDATE EXCLUSIVE" :
		mode == ShareRowExclusiveLock ? "SHARE ROW EXCLUSIVE" :
		mode == ExclusiveLock ? "EXCLUSIVE" : "ACCESS EXCLUSIVE";

	return psprintf("LOCK TABLE %s IN %s MODE",
					quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
											   get_rel_name(relid)), name);
}

/* unnest(rows) AS prefix(columns): the rows are parameter $1 */
static void
append_shipped_rows(StringInfo buf, const BulkSyncPlan *plan, TupleDesc desc)
{
	appendStringInfo(buf, "pg_catalog.unnest($1) AS %s(", plan->prefix);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);

		appendStringInfo(buf, "%s%s %s", i == 0 ? "" : ", ", NameStr(attr->attname),
						 type_sql(attr->atttypid, attr->atttypmod));
		if (OidIsValid(attr->attcollation))
			appendStringInfo(buf, " COLLATE %s", collation_sql(attr->attcollation));
	}
	appendStringInfoChar(buf, ')');
}

/* A statement over difference rows, with the rows of that shape that it is about */
const char *
bulk_sync_deparse_shipped(const BulkSyncPlan *plan, TupleDesc desc, const char *statement)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "WITH %srows AS MATERIALIZED (SELECT * FROM ", plan->prefix);
	append_shipped_rows(&buf, plan, desc);
	/*
	 * Citus would send a query of constants to the shards, as text, which no
	 * record can be read from.  One with a volatile function it runs here, and
	 * sends what comes of it.
	 */
	appendStringInfo(&buf, " WHERE pg_catalog.clock_timestamp() IS NOT NULL) %s", statement);
	return buf.data;
}

/*
 * Which row of the target a difference row is about: found by its key, on its
 * shard, as long as all that was read of it is still the same.
 */
void
append_shipped_address(StringInfo buf, const BulkSyncPlan *plan, bool null_keys)
{
	const BulkSyncDistribution *distribution = plan->distribution;

	if (null_keys)
	{
		appendStringInfoChar(buf, '(');
		for (int i = 0; i < plan->nkeys; i++)
			appendStringInfo(buf, "%s%s IS NULL", i == 0 ? "" : " OR ",
							 diff_sql(plan, BULK_SYNC_SHIPPED_OLD(plan, plan->columns[i].read_index)));
		appendStringInfoString(buf, ") AND ");
	}
	for (int i = 0; i < plan->nkeys; i++)
	{
		char	   *column = target_column_sql(plan, plan->columns[i].target_attno);
		char	   *old = diff_sql(plan, BULK_SYNC_SHIPPED_OLD(plan, plan->columns[i].read_index));

		/* The value that decides about the shard is never NULL */
		if (null_keys && plan->columns[i].target_attno != distribution->attno)
			appendStringInfo(buf, "(%s IS NULL AND %s IS NULL OR ", column, old);
		append_equality(buf, &plan->key[i], column, old, plan->key[i].type);
		if (null_keys && plan->columns[i].target_attno != distribution->attno)
			appendStringInfoChar(buf, ')');
		appendStringInfoString(buf, " AND ");
	}
	if (distribution->pinned != NULL)
		appendStringInfo(buf, "%s %s $2 AND ", target_column_sql(plan, distribution->attno),
						 operator_sql(distribution->eq_opr));

	/* ROW = ROW would be taken apart; a function of two rows is not */
	appendStringInfoString(buf, "pg_catalog.record_image_eq(ROW(");
	for (int i = 0; i < plan->nread_to_match; i++)
		appendStringInfo(buf, "%s%s", i == 0 ? "" : ", ",
						 target_column_sql(plan, plan->read_attnos[i]));
	appendStringInfoString(buf, "), ROW(");
	for (int i = 0; i < plan->nread_to_match; i++)
		appendStringInfo(buf, "%s%s", i == 0 ? "" : ", ",
						 diff_sql(plan, BULK_SYNC_SHIPPED_OLD(plan, i)));
	appendStringInfoString(buf, "))");
}
