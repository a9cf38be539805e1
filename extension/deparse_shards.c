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

#include "access/htup_details.h"
#include "catalog/pg_operator.h"
#include "parser/parse_oper.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* Where a row is, and which version of it; and where a difference row has that */
static const struct
{
	const char *name;
	const char *type;
	AttrNumber	attno;
}			address_columns[] = {
	{"tableoid", "oid", BULK_SYNC_DIFF_TABLEOID},
	{"ctid", "tid", BULK_SYNC_DIFF_CTID},
	{"xmin", "xid", BULK_SYNC_DIFF_XMIN}
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
			appendStringInfo(buf, ", " BULK_SYNC_TARGET_ALIAS ".%s AS %s%s",
							 address_columns[i].name, plan->prefix, address_columns[i].name);
	appendStringInfo(buf, " FROM %s AS " BULK_SYNC_TARGET_ALIAS " WHERE true", plan->target_sql);
	append_in_scope(buf, plan);
	appendStringInfoString(buf, ") AS " BULK_SYNC_TARGET_ALIAS);
}

/* Is the operator found by its name for two values of the type, as they are? */
static bool
needs_no_cast(const BulkSyncEquality *equality)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(equality->eq_opr));
	Form_pg_operator form;
	List	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", equality->eq_opr);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	name = list_make2(makeString(get_namespace_name(form->oprnamespace)),
					  makeString(pstrdup(NameStr(form->oprname))));
	ReleaseSysCache(tuple);
	return compatible_oper_opid(name, equality->type, equality->type, true) == equality->eq_opr;
}

/*
 * ON the two have the same key, which is never NULL in the target.  Where the
 * column that distributes them is cast, Citus does not see that they are joined
 * by it: varchar has the operator of text.
 */
static void
append_same_key(StringInfo buf, const BulkSyncPlan *plan)
{
	appendStringInfoString(buf, " ON ");
	for (int i = 0; i < plan->nkeys; i++)
	{
		const BulkSyncEquality *equality = &plan->key[i];
		char	   *target = target_column_sql(plan, plan->columns[i].target_attno);
		char	   *staged = staged_column_sql(plan, i);

		if (i > 0)
			appendStringInfoString(buf, " AND ");
		if (needs_no_cast(equality))
			appendStringInfo(buf, "%s %s %s", target, operator_sql(equality->eq_opr), staged);
		else
			append_equality(buf, equality, target, staged, equality->type);
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
 * match_shards.c.  Target rows without one matter if they are to be deleted.
 */
const char *
bulk_sync_deparse_pairs(const BulkSyncPlan *plan)
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
							 address_columns[i].name);
	for (int i = 0; i < plan->nread; i++)
		appendStringInfo(&buf, ", %s", target_column_sql(plan, plan->read_attnos[i]));
	appendStringInfoString(&buf, " FROM ");
	append_scope_rows(&buf, plan);
	appendStringInfo(&buf, " %s JOIN ", plan->options->delete ? "FULL" : "RIGHT");
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

/*-------------------------------------------------------------------------
 * Changes that stay on their shards
 *-------------------------------------------------------------------------
 */
static const char *
kind_sql(char kind)
{
	return psprintf("'%c'::pg_catalog.\"char\"", kind);
}

/* A row of the table of changes is of that kind */
void
append_kind(StringInfo buf, const BulkSyncPlan *plan, char kind)
{
	appendStringInfo(buf, "%s OPERATOR(pg_catalog.=) %s", diff_sql(plan, BULK_SYNC_CHANGE_KIND),
					 kind_sql(kind));
}

/* What stands in an attribute of a row of changes, one about a target row or a new one */
static const char *
change_sql(const BulkSyncPlan *plan, AttrNumber attno, bool is_new)
{
	if (attno == BULK_SYNC_CHANGE_KIND)
		return is_new ? kind_sql(BULK_SYNC_CHANGE_INSERT) :
			psprintf("CASE WHEN %s IS NULL THEN %s ELSE %s END", is_staged_sql(plan),
					 kind_sql(BULK_SYNC_CHANGE_DELETE), kind_sql(BULK_SYNC_CHANGE_UPDATE));
	if (attno == BULK_SYNC_SHIPPED_OLD(plan, plan->distribution->read_index))
		return is_new ? is_staged_sql(plan) : is_target_sql(plan);
	for (int i = 0; i < (int) lengthof(address_columns); i++)
	{
		if (attno == address_columns[i].attno)
			return is_new ? psprintf("NULL::pg_catalog.%s", address_columns[i].type) :
				psprintf(BULK_SYNC_TARGET_ALIAS ".%s", address_columns[i].name);
	}
	return staged_column_sql(plan, attno - BULK_SYNC_DIFF_WANTED(0));
}

static void
append_changes(StringInfo buf, const BulkSyncPlan *plan, const List *attnos, bool is_new)
{
	ListCell   *lc;

	appendStringInfoString(buf, "SELECT ");
	foreach(lc, attnos)
		appendStringInfo(buf, "%s%s", lc == list_head(attnos) ? "" : ", ",
						 change_sql(plan, lfirst_int(lc), is_new));
	appendStringInfoString(buf, " FROM ");
}

/*
 * Puts all that differs into a table with those attributes, each shard its own.
 * It is one statement, so that each shard looks at its rows once, under one
 * snapshot: of two, the one might take for equal what the other does not see.
 */
const char *
bulk_sync_deparse_fill_changes(const BulkSyncPlan *plan, const char *name, const List *attnos)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "INSERT INTO %s SELECT * FROM (", name);
	append_changes(&buf, plan, attnos, false);
	appendStringInfo(&buf, "%s AS " BULK_SYNC_TARGET_ALIAS " %s JOIN ", plan->target_sql,
					 plan->options->delete ? "LEFT" : "INNER");
	append_staged_relation(&buf, plan);
	append_same_key(&buf, plan);
	appendStringInfo(&buf, " WHERE %s IS NULL", is_staged_sql(plan));
	append_differs(&buf, plan);
	appendStringInfoString(&buf, " UNION ALL ");
	append_changes(&buf, plan, attnos, true);
	append_staged_relation(&buf, plan);
	appendStringInfo(&buf, " LEFT JOIN %s AS " BULK_SYNC_TARGET_ALIAS, plan->target_sql);
	append_same_key(&buf, plan);
	appendStringInfo(&buf, " WHERE %s IS NULL) AS %s", is_target_sql(plan), plan->prefix);
	return buf.data;
}

/* How many of each kind are in it: to be deleted, updated, inserted */
const char *
bulk_sync_deparse_count_changes(const BulkSyncPlan *plan, const char *name)
{
	static const char kinds[] = {
		BULK_SYNC_CHANGE_DELETE, BULK_SYNC_CHANGE_UPDATE, BULK_SYNC_CHANGE_INSERT
	};
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < (int) lengthof(kinds); i++)
	{
		appendStringInfo(&buf, "%s pg_catalog.count(*) FILTER (WHERE ", i == 0 ? "SELECT" : ",");
		append_kind(&buf, plan, kinds[i]);
		appendStringInfoChar(&buf, ')');
	}
	appendStringInfo(&buf, " FROM %s AS %s", name, plan->prefix);
	return buf.data;
}

/* Inserts the new rows that are in it, each shard its own */
const char *
bulk_sync_deparse_insert_changes(const BulkSyncPlan *plan, const char *name, bool returning)
{
	const BulkSyncDistribution *distribution = plan->distribution;
	StringInfoData buf;
	const char *separator = " SELECT ";

	initStringInfo(&buf);
	append_insert(&buf, plan);
	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (!plan->columns[i].insertable)
			continue;
		/* Citus goes by the column that distributes the table */
		appendStringInfo(&buf, "%s%s", separator,
						 diff_sql(plan, i == distribution->column_index ?
								  BULK_SYNC_SHIPPED_OLD(plan, distribution->read_index) :
								  BULK_SYNC_DIFF_WANTED(i)));
		separator = ", ";
	}
	appendStringInfo(&buf, " FROM %s AS %s WHERE ", name, plan->prefix);
	append_kind(&buf, plan, BULK_SYNC_CHANGE_INSERT);
	if (plan->options->ignore_conflicts)
		appendStringInfoString(&buf, " ON CONFLICT DO NOTHING");
	if (returning)
		appendStringInfo(&buf, " RETURNING %s", is_target_sql(plan));
	return buf.data;
}
