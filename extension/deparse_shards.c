/*-------------------------------------------------------------------------
 *
 * deparse_shards.c
 *	  The SQL by which shards match staged rows that lie beside the target's.
 *
 * All of it joins the two tables on their distribution column, so that Citus
 * sends it to the shards as it is.
 *
 *-------------------------------------------------------------------------
 */
#include "deparse.h"

#include "utils/builtins.h"

/* Where a row is, and which version of it; and where a difference row has that */
static const char *const address_columns[] = {"tableoid", "ctid", "xmin"};
static const AttrNumber address_attnos[] = {
	BULK_SYNC_DIFF_TABLEOID, BULK_SYNC_DIFF_CTID, BULK_SYNC_DIFF_XMIN
};

/* A column of the staged relation */
static char *
staged_column_sql(const BulkSyncPlan *plan, int index)
{
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(plan->staged),
										   plan->columns[index].staged_attno - 1);

	return psprintf(BULK_SYNC_STAGED_ALIAS ".%s", quote_identifier(NameStr(attr->attname)));
}

static void
append_staged_relation(StringInfo buf, const BulkSyncPlan *plan)
{
	appendStringInfo(buf, "%s AS " BULK_SYNC_STAGED_ALIAS, plan->staged_sql);
}

/* The rows of the target in scope, with the columns that are read */
static void
append_scope_rows(StringInfo buf, const BulkSyncPlan *plan)
{
	appendStringInfoString(buf, "(SELECT ");
	for (int i = 0; i < plan->nread; i++)
		appendStringInfo(buf, "%s%s", i == 0 ? "" : ", ",
						 target_column_sql(plan, plan->read_attnos[i]));
	if (bulk_sync_shards_have_addresses(plan))
		for (int i = 0; i < (int) lengthof(address_columns); i++)
			appendStringInfo(buf, ", " BULK_SYNC_TARGET_ALIAS ".%s AS %s%s", address_columns[i],
							 plan->prefix, address_columns[i]);
	appendStringInfo(buf, " FROM %s AS " BULK_SYNC_TARGET_ALIAS " WHERE true", plan->target_sql);
	append_in_scope(buf, plan);
	appendStringInfoString(buf, ") AS " BULK_SYNC_TARGET_ALIAS);
}

/* ON the two have the same key, which is never NULL in the target */
static void
append_same_key(StringInfo buf, const BulkSyncPlan *plan)
{
	appendStringInfoString(buf, " ON ");
	for (int i = 0; i < plan->nkeys; i++)
	{
		if (i > 0)
			appendStringInfoString(buf, " AND ");
		append_equality(buf, &plan->key[i],
						target_column_sql(plan, plan->columns[i].target_attno),
						staged_column_sql(plan, i), plan->key[i].type);
	}
}

/* Is there a row on this side of the join?  The column is NULL in none. */
static char *
is_staged_sql(const BulkSyncPlan *plan)
{
	return staged_column_sql(plan, plan->distribution->column_index);
}

static char *
is_target_sql(const BulkSyncPlan *plan)
{
	return target_column_sql(plan, plan->distribution->attno);
}

/* WHERE the staged row has the value that the scope lets in, or another one */
static void
append_on_shard(StringInfo buf, const BulkSyncPlan *plan, bool same)
{
	appendStringInfo(buf, " WHERE %s%s %s $%d", same ? "" : "NOT ", is_staged_sql(plan),
					 operator_sql(plan->distribution->eq_opr), plan->nscope_values + 1);
}

const char *
bulk_sync_deparse_count_staged(const BulkSyncPlan *plan)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "SELECT pg_catalog.count(*) FROM ");
	append_staged_relation(&buf, plan);
	return buf.data;
}

const char *
bulk_sync_deparse_count_scope(const BulkSyncPlan *plan)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "SELECT pg_catalog.count(*) FROM %s AS " BULK_SYNC_TARGET_ALIAS
					 " WHERE true", plan->target_sql);
	append_in_scope(&buf, plan);
	return buf.data;
}

/* Keys that occur more than once, but for those that ask for a value */
const char *
bulk_sync_deparse_duplicates(const BulkSyncPlan *plan)
{
	StringInfoData buf;
	StringInfoData keys;

	initStringInfo(&buf);
	initStringInfo(&keys);
	for (int i = 0; i < plan->nkeys; i++)
		appendStringInfo(&keys, "%s%s", i == 0 ? "" : ", ", staged_column_sql(plan, i));
	appendStringInfo(&buf, "SELECT %s FROM ", keys.data);
	append_staged_relation(&buf, plan);
	appendStringInfoString(&buf, " WHERE true");
	for (int i = 0; i < plan->nkeys; i++)
	{
		if (plan->columns[i].assigned)
			appendStringInfo(&buf, " AND %s IS NOT NULL", staged_column_sql(plan, i));
	}
	appendStringInfo(&buf, " GROUP BY %s HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1",
					 keys.data);
	return buf.data;
}

/*
 * Is a pair worth a look?  A column that is kept, or assigned, may make it one
 * in which nothing changes after all.
 */
static void
append_differs(StringInfo buf, const BulkSyncPlan *plan)
{
	StringInfoData target;
	StringInfoData staged;

	initStringInfo(&target);
	initStringInfo(&staged);
	for (int i = 0; i < plan->ncolumns; i++)
	{
		const BulkSyncColumn *column = &plan->columns[i];
		const char *separator = target.len == 0 ? "" : ", ";

		if (column->role == BULK_SYNC_ROLE_FILL)
			appendStringInfo(buf, " OR %s IS NULL AND %s IS NOT NULL",
							 target_column_sql(plan, column->target_attno),
							 staged_column_sql(plan, i));
		else if (column->compared)
		{
			appendStringInfo(&target, "%s%s", separator,
							 target_column_sql(plan, column->target_attno));
			appendStringInfo(&staged, "%s%s", separator, staged_column_sql(plan, i));
		}
	}
	if (target.len > 0)
		appendStringInfo(buf, " OR NOT pg_catalog.record_image_eq(ROW(%s), ROW(%s))",
						 target.data, staged.data);
}

/*
 * Pairs that differ, and rows without a partner; see receive_pair() of
 * match_shards.c.  Target rows without one matter if they are to be deleted,
 * staged ones unless they stay on their shards.
 */
const char *
bulk_sync_deparse_pairs(const BulkSyncPlan *plan, bool new_on_shards)
{
	StringInfoData buf;
	char	   *is_staged = is_staged_sql(plan);
	char	   *is_target = is_target_sql(plan);

	initStringInfo(&buf);
	appendStringInfo(&buf, "SELECT %s IS NOT NULL, %s IS NOT NULL", is_staged, is_target);
	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (plan->columns[i].staged_attno == InvalidAttrNumber)
			continue;
		appendStringInfo(&buf, ", %s", staged_column_sql(plan, i));
	}
	if (bulk_sync_shards_have_addresses(plan))
		for (int i = 0; i < (int) lengthof(address_columns); i++)
			appendStringInfo(&buf, ", " BULK_SYNC_TARGET_ALIAS ".%s%s", plan->prefix,
							 address_columns[i]);
	for (int i = 0; i < plan->nread; i++)
		appendStringInfo(&buf, ", %s", target_column_sql(plan, plan->read_attnos[i]));
	appendStringInfoString(&buf, " FROM ");
	append_scope_rows(&buf, plan);
	appendStringInfo(&buf, " %s JOIN ", new_on_shards ?
					 (plan->options->delete ? "LEFT" : "INNER") :
					 (plan->options->delete ? "FULL" : "RIGHT"));
	if (bulk_sync_is_on_one_shard(plan))
	{
		appendStringInfoString(&buf, "(SELECT * FROM ");
		append_staged_relation(&buf, plan);
		append_on_shard(&buf, plan, true);
		appendStringInfoString(&buf, ") AS " BULK_SYNC_STAGED_ALIAS);
	}
	else
		append_staged_relation(&buf, plan);
	append_same_key(&buf, plan);
	appendStringInfo(&buf, " WHERE %s IS NULL OR %s IS NULL", is_staged, is_target);
	append_differs(&buf, plan);
	return buf.data;
}

/* What stands in an attribute of a difference row that is made on a shard */
static char *
shard_attribute_sql(const BulkSyncPlan *plan, AttrNumber attno)
{
	const BulkSyncDistribution *distribution = plan->distribution;

	if (attno == BULK_SYNC_DIFF_MARK)
		return psprintf("%s IS NULL", is_staged_sql(plan));
	if (attno == BULK_SYNC_SHIPPED_OLD(plan, distribution->read_index))
		return is_target_sql(plan);
	for (int i = 0; i < (int) lengthof(address_columns); i++)
	{
		if (attno == address_attnos[i])
			return psprintf(BULK_SYNC_TARGET_ALIAS ".%s%s", plan->prefix, address_columns[i]);
	}
	return staged_column_sql(plan, attno - BULK_SYNC_DIFF_WANTED(0));
}

/*
 * Puts the rows to be updated, and those to be deleted, which are marked, into a
 * table with those attributes, each shard its own
 */
const char *
bulk_sync_deparse_fill_changes(const BulkSyncPlan *plan, const char *name, int natts,
							   const AttrNumber *attnos)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "INSERT INTO %s SELECT ", name);
	for (int i = 0; i < natts; i++)
		appendStringInfo(&buf, "%s%s", i == 0 ? "" : ", ", shard_attribute_sql(plan, attnos[i]));
	appendStringInfoString(&buf, " FROM ");
	append_scope_rows(&buf, plan);
	appendStringInfo(&buf, " %s JOIN ", plan->options->delete ? "LEFT" : "INNER");
	append_staged_relation(&buf, plan);
	append_same_key(&buf, plan);
	appendStringInfo(&buf, " WHERE %s IS NULL", is_staged_sql(plan));
	append_differs(&buf, plan);
	return buf.data;
}

/* How many of either kind are in it */
const char *
bulk_sync_deparse_count_changes(const BulkSyncPlan *plan, const char *name)
{
	char	   *mark = psprintf("%sc%d", plan->prefix, BULK_SYNC_DIFF_MARK);

	return psprintf("SELECT pg_catalog.count(*) FILTER (WHERE %s), "
					"pg_catalog.count(*) FILTER (WHERE NOT %s) FROM %s", mark, mark, name);
}

/* ... FROM the staged rows that have no partner in scope */
static void
append_new(StringInfo buf, const BulkSyncPlan *plan)
{
	appendStringInfoString(buf, " FROM ");
	append_staged_relation(buf, plan);
	appendStringInfoString(buf, " LEFT JOIN ");
	append_scope_rows(buf, plan);
	append_same_key(buf, plan);
	appendStringInfo(buf, " WHERE %s IS NULL", is_target_sql(plan));
}

/*
 * The staged rows on other shards than the one that the scope is about, in the
 * shape of pairs without a target row: asking that shard for them would mean to
 * ask all.
 */
const char *
bulk_sync_deparse_elsewhere(const BulkSyncPlan *plan)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "SELECT true, false");
	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (plan->columns[i].staged_attno != InvalidAttrNumber)
			appendStringInfo(&buf, ", %s", staged_column_sql(plan, i));
	}
	appendStringInfoString(&buf, " FROM ");
	append_staged_relation(&buf, plan);
	append_on_shard(&buf, plan, false);
	return buf.data;
}

const char *
bulk_sync_deparse_count_new(const BulkSyncPlan *plan)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "SELECT pg_catalog.count(*)");
	append_new(&buf, plan);
	return buf.data;
}

/* Inserts the staged rows that have no partner, each shard its own */
const char *
bulk_sync_deparse_insert_new(const BulkSyncPlan *plan)
{
	StringInfoData buf;
	const char *separator = "";

	initStringInfo(&buf);
	appendStringInfo(&buf, "INSERT INTO %s AS " BULK_SYNC_TARGET_ALIAS " (", plan->target_sql);
	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (!plan->columns[i].insertable)
			continue;
		appendStringInfo(&buf, "%s%s", separator,
						 attribute_sql(plan, plan->columns[i].target_attno));
		separator = ", ";
	}
	appendStringInfoString(&buf, plan->has_identity ? ") OVERRIDING SYSTEM VALUE SELECT " :
						   ") SELECT ");
	separator = "";
	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (!plan->columns[i].insertable)
			continue;
		appendStringInfo(&buf, "%s%s", separator, staged_column_sql(plan, i));
		separator = ", ";
	}
	append_new(&buf, plan);
	if (plan->options->ignore_conflicts)
		appendStringInfo(&buf, " ON CONFLICT DO NOTHING RETURNING %s", is_target_sql(plan));
	return buf.data;
}
