/*-------------------------------------------------------------------------
 *
 * deparse_distributed.c
 *	  The SQL that only distributed tables need.
 *
 * Such a statement cannot see rows that we hold: neither an ephemeral relation
 * nor a temporary table gets to the shards.  So the rows come with the
 * statement, as values that are arrays, which Citus sends to the nodes that the
 * statement is about.
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

/* "type COLLATE collation" of an attribute */
static void
append_definition(StringInfo buf, Form_pg_attribute attr)
{
	appendStringInfo(buf, "%s", type_sql(attr->atttypid, attr->atttypmod));
	if (OidIsValid(attr->attcollation))
		appendStringInfo(buf, " COLLATE %s", collation_sql(attr->attcollation));
}

/*
 * SELECT ... FROM unnest(rows): as records, in the parameter behind the scope values.
 *
 * Citus would send a query of constants on to the shards, as text, from which no
 * record can be read.  One with a volatile function it runs here, in whatever
 * modifies rows, and sends what comes of it.
 */
static void
append_records(StringInfo buf, const BulkSyncPlan *plan, TupleDesc desc)
{
	appendStringInfo(buf, "SELECT * FROM pg_catalog.unnest($%d) AS %s(",
					 plan->nscope_values + 1, plan->prefix);
	for (int i = 0; i < desc->natts; i++)
	{
		appendStringInfo(buf, "%s%s ", i == 0 ? "" : ", ", NameStr(TupleDescAttr(desc, i)->attname));
		append_definition(buf, TupleDescAttr(desc, i));
	}
	appendStringInfoString(buf, ") WHERE pg_catalog.clock_timestamp() IS NOT NULL");
}

/* The same of arrays with the values of each column, in as many parameters */
static void
append_columns(StringInfo buf, const BulkSyncPlan *plan, TupleDesc desc)
{
	appendStringInfoString(buf, "SELECT ");
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);

		appendStringInfo(buf, "%s%s.%s::", i == 0 ? "" : ", ", plan->prefix, NameStr(attr->attname));
		append_definition(buf, attr);
		appendStringInfo(buf, " AS %s", NameStr(attr->attname));
	}
	appendStringInfoString(buf, " FROM ROWS FROM (");
	for (int i = 0; i < desc->natts; i++)
		appendStringInfo(buf, "%spg_catalog.unnest($%d)", i == 0 ? "" : ", ",
						 plan->nscope_values + i + 1);
	appendStringInfo(buf, ") AS %s(", plan->prefix);
	for (int i = 0; i < desc->natts; i++)
		appendStringInfo(buf, "%s%s", i == 0 ? "" : ", ", NameStr(TupleDescAttr(desc, i)->attname));
	appendStringInfoChar(buf, ')');
}

/* A statement over difference rows, with the rows of that shape that it is about */
const char *
bulk_sync_deparse_shipped(const BulkSyncPlan *plan, TupleDesc desc, bool by_column,
						  const char *statement)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "WITH %srows AS MATERIALIZED (", plan->prefix);
	if (by_column)
		append_columns(&buf, plan, desc);
	else
		append_records(&buf, plan, desc);
	appendStringInfo(&buf, ") %s", statement);
	return buf.data;
}

/* A table of difference rows beside the shards of the target, by that name */
const char *
bulk_sync_deparse_shard_table(const BulkSyncPlan *plan, TupleDesc desc, const char *name)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "CREATE UNLOGGED TABLE %s (", name);
	for (int i = 0; i < desc->natts; i++)
	{
		appendStringInfo(&buf, "%s%s ", i == 0 ? "" : ", ", NameStr(TupleDescAttr(desc, i)->attname));
		append_definition(&buf, TupleDescAttr(desc, i));
	}
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

const char *
bulk_sync_deparse_drop_table(const char *name)
{
	return psprintf("DROP TABLE %s", name);
}

/* Each of its rows to the node that has the row of the target */
const char *
bulk_sync_deparse_distribute(const BulkSyncPlan *plan, const char *name, AttrNumber attno)
{
	return psprintf("SELECT pg_catalog.create_distributed_table(%s, '%sc%d', colocate_with => %s)",
					quote_literal_cstr(name), plan->prefix, attno,
					quote_literal_cstr(plan->target_sql));
}

/* Puts rows into it, which are a parameter */
const char *
bulk_sync_deparse_fill_shard_table(const BulkSyncPlan *plan, TupleDesc desc, bool by_column,
								   const char *name)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "INSERT INTO %s ", name);
	if (by_column)
		append_columns(&buf, plan, desc);
	else
		append_records(&buf, plan, desc);
	return buf.data;
}

/* A statement over difference rows that are in that table, or over those of one kind */
const char *
bulk_sync_deparse_over_table(const BulkSyncPlan *plan, const char *name, char kind,
							 const char *statement)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "WITH %srows AS NOT MATERIALIZED (SELECT *", plan->prefix);
	/* Rows of different kinds have the value that distributes them once */
	if (kind != BULK_SYNC_ALL_KINDS)
		appendStringInfo(&buf, ", %s AS %sc%d",
						 diff_sql(plan, BULK_SYNC_SHIPPED_OLD(plan, plan->distribution->read_index)),
						 plan->prefix, BULK_SYNC_DIFF_WANTED(plan->distribution->column_index));
	appendStringInfo(&buf, " FROM %s AS %s", name, plan->prefix);
	if (kind != BULK_SYNC_ALL_KINDS)
	{
		appendStringInfoString(&buf, " WHERE ");
		append_kind(&buf, plan, kind);
	}
	appendStringInfo(&buf, ") %s", statement);
	return buf.data;
}

/* ... and it is on the shard of that row */
static void
append_same_shard(StringInfo buf, const BulkSyncPlan *plan)
{
	const BulkSyncDistribution *distribution = plan->distribution;

	if (distribution->attno == InvalidAttrNumber)
		return;
	appendStringInfo(buf, "%s %s %s AND ", target_column_sql(plan, distribution->attno),
					 operator_sql(distribution->eq_opr),
					 diff_sql(plan, BULK_SYNC_SHIPPED_OLD(plan, distribution->read_index)));
	if (distribution->pinned != NULL)
		appendStringInfo(buf, "%s %s $%d AND ", target_column_sql(plan, distribution->attno),
						 operator_sql(distribution->eq_opr), plan->nscope_values + 2);
}

/*
 * Which row of the target a difference row is about: found by its address, or by
 * its key, on its shard, as long as it is still what was read.  A row that is
 * waited for is looked at once more, in the version that it has by then, and
 * there the address alone would not tell.
 */
void
append_shipped_address(StringInfo buf, const BulkSyncPlan *plan, BulkSyncFind find)
{
	const BulkSyncDistribution *distribution = plan->distribution;
	bool		null_keys = find == BULK_SYNC_FIND_BY_NULL_KEY;

	append_same_shard(buf, plan);
	if (find == BULK_SYNC_FIND_BY_ADDRESS)
	{
		if (!plan->single_table)
			appendStringInfo(buf, BULK_SYNC_TARGET_ALIAS ".tableoid OPERATOR(pg_catalog.=) %s AND ",
							 diff_sql(plan, BULK_SYNC_DIFF_TABLEOID));
		appendStringInfo(buf, BULK_SYNC_TARGET_ALIAS ".ctid OPERATOR(pg_catalog.=) %s AND "
						 BULK_SYNC_TARGET_ALIAS ".xmin OPERATOR(pg_catalog.=) %s",
						 diff_sql(plan, BULK_SYNC_DIFF_CTID), diff_sql(plan, BULK_SYNC_DIFF_XMIN));
		return;
	}
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
