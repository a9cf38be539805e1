/*-------------------------------------------------------------------------
 *
 * deparse.c
 *	  Every piece of SQL that is generated: all quoting and all qualifying is
 *	  in this file and its neighbours deparse_foreign.c (for other servers),
 *	  deparse_distributed.c and deparse_shards.c (for tables of Citus).
 *
 * Relations, types and operators are named with their schema, operators as
 * OPERATOR(schema.op), so that the search path decides about nothing but the
 * caller's own expressions.  Data never becomes text: it comes as parameters
 * or as rows of an ephemeral relation.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"
#include "deparse.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* Qualified name of a relation */
char *
bulk_sync_relation_sql(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
}

const char *
attribute_sql(const BulkSyncPlan *plan, AttrNumber attno)
{
	return quote_identifier(NameStr(TupleDescAttr(RelationGetDescr(plan->target),
												  attno - 1)->attname));
}

char *
target_column_sql(const BulkSyncPlan *plan, AttrNumber attno)
{
	return psprintf(BULK_SYNC_TARGET_ALIAS ".%s", attribute_sql(plan, attno));
}

const char *
operator_sql(Oid operator)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	char	   *sql;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	sql = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)),
				   NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return sql;
}

const char *
collation_sql(Oid collation)
{
	HeapTuple	tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
	Form_pg_collation form;
	char	   *sql;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for collation %u", collation);
	form = (Form_pg_collation) GETSTRUCT(tuple);
	sql = quote_qualified_identifier(get_namespace_name(form->collnamespace),
									 NameStr(form->collname));
	ReleaseSysCache(tuple);
	return sql;
}

/* A type with its modifier; always qualified */
char *
type_sql(Oid type, int32 typmod)
{
	return format_type_extended(type, typmod,
								FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

/* Column of a difference row; names are those given in difference.c */
char *
diff_sql(const BulkSyncPlan *plan, AttrNumber attno)
{
	return psprintf("%s.%sc%d", plan->prefix, plan->prefix, attno);
}

/* The relation of difference rows and its alias */
static void
append_diff_relation(StringInfo buf, const BulkSyncPlan *plan)
{
	appendStringInfo(buf, "%srows AS %s", plan->prefix, plan->prefix);
}

static void
append_and(StringInfo buf, bool *first)
{
	appendStringInfoString(buf, *first ? " WHERE " : " AND ");
	*first = false;
}

/*
 * jsonb_to_record() does what jsonb_populate_record() does, for the columns
 * named alone: the others may be of domains that refuse NULL.
 */
const char *
bulk_sync_deparse_scope_values(const BulkSyncPlan *plan)
{
	StringInfoData buf;
	TupleDesc	desc = RelationGetDescr(plan->target);

	initStringInfo(&buf);
	appendStringInfoString(&buf, "SELECT * FROM pg_catalog.jsonb_to_record($1) AS v(");
	for (int i = 0; i < plan->nscope_values; i++)
	{
		AttrNumber	attno = plan->scope_values[i].target_attno;
		Form_pg_attribute attr = TupleDescAttr(desc, attno - 1);

		appendStringInfo(&buf, "%s%s %s", i == 0 ? "" : ", ", attribute_sql(plan, attno),
						 type_sql(attr->atttypid, attr->atttypmod));
	}
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

/* The staged rows, where the relation cannot simply be scanned */
const char *
bulk_sync_deparse_staged(const BulkSyncPlan *plan)
{
	StringInfoData buf;
	TupleDesc	desc = RelationGetDescr(plan->staged);
	bool		any = false;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "SELECT");
	for (int i = 0; i < plan->ncolumns; i++)
	{
		const BulkSyncColumn *column = &plan->columns[i];

		if (column->raw_attno == 0)
			continue;
		appendStringInfo(&buf, "%s " BULK_SYNC_STAGED_ALIAS ".%s", any ? "," : "",
						 quote_identifier(NameStr(TupleDescAttr(desc, column->staged_attno - 1)->attname)));
		any = true;
	}
	appendStringInfo(&buf, " FROM %s AS " BULK_SYNC_STAGED_ALIAS, plan->staged_sql);
	if (plan->staged_ordered)
		appendStringInfoString(&buf, " ORDER BY " BULK_SYNC_STAGED_ALIAS ".tableoid, "
							   BULK_SYNC_STAGED_ALIAS ".ctid");
	return buf.data;
}

/* "leftop = rightop" by the operator that matching uses */
void
append_equality(StringInfo buf, const BulkSyncEquality *equality,
				const char *left, const char *right, Oid right_type)
{
	generate_operator_clause(buf, left, equality->type, equality->eq_opr, right, right_type);
}

/* The column has the value of scope_values[index], which is parameter $index + 1 */
void
append_scope_value(StringInfo buf, const BulkSyncPlan *plan, int index)
{
	BulkSyncScopeColumn *scope = &plan->scope_values[index];
	char	   *column = target_column_sql(plan, scope->target_attno);

	if (scope->isnull)
		appendStringInfo(buf, "%s IS NULL", column);
	else
		append_equality(buf, &scope->equality, column, psprintf("$%d", index + 1),
						scope->equality.type);
}

/*
 * The row has the key that the difference row has in these columns; NULL
 * equals NULL if null_safe
 */
static void
append_key(StringInfo buf, const BulkSyncPlan *plan, int first_column, bool null_safe)
{
	for (int i = 0; i < plan->nkeys; i++)
	{
		char	   *column = target_column_sql(plan, plan->columns[i].target_attno);
		char	   *old = diff_sql(plan, first_column + i);

		if (i > 0)
			appendStringInfoString(buf, " AND ");
		if (null_safe)
			appendStringInfo(buf, "(%s IS NULL AND %s IS NULL OR ", column, old);
		append_equality(buf, &plan->key[i], column, old, plan->key[i].type);
		if (null_safe)
			appendStringInfoChar(buf, ')');
	}
}

/*
 * The rows of the target that are in scope.  Scope values are parameters
 * $1 ... in their order; behind them come arrays with the values that occur
 * in each scope column, for those in scope_arrays.  With "keyed", only rows that
 * have one of the keys in the relation of difference rows, or in arrays behind
 * the others where a join would ask another server for each key.
 */
const char *
bulk_sync_deparse_read(const BulkSyncPlan *plan, const bool *scope_nulls,
					   const bool *scope_arrays, bool keyed)
{
	StringInfoData buf;
	bool		first = true;
	int			nparams = plan->nscope_values;

	initStringInfo(&buf);
	if (plan->address_by_key && !bulk_sync_shards_have_addresses(plan))
		appendStringInfoString(&buf, "SELECT NULL::pg_catalog.oid, NULL::pg_catalog.tid");
	else
		appendStringInfoString(&buf, "SELECT " BULK_SYNC_TARGET_ALIAS ".tableoid, "
							   BULK_SYNC_TARGET_ALIAS ".ctid");
	for (int i = 0; i < plan->nread; i++)
		appendStringInfo(&buf, ", %s", target_column_sql(plan, plan->read_attnos[i]));
	if (bulk_sync_shards_have_addresses(plan))
		appendStringInfoString(&buf, ", " BULK_SYNC_TARGET_ALIAS ".xmin");
	/* Among equals the row that was inserted last is the newest */
	if (plan->history_attno != InvalidAttrNumber && !plan->address_by_key)
		appendStringInfoString(&buf, ", " BULK_SYNC_TARGET_ALIAS ".xmin, "
							   BULK_SYNC_TARGET_ALIAS ".cmin");
	appendStringInfo(&buf, " FROM %s AS " BULK_SYNC_TARGET_ALIAS, plan->target_sql);
	if (keyed && plan->foreign == NIL)
	{
		appendStringInfoString(&buf, ", ");
		append_diff_relation(&buf, plan);
		append_and(&buf, &first);
		append_key(&buf, plan, 1, false);
	}

	if (plan->scope != NULL && !BULK_SYNC_MUTANT(scope_ignored))
	{
		append_and(&buf, &first);
		appendStringInfo(&buf, CONDITION_FORMAT, plan->options->scope);
	}
	for (int i = 0; i < plan->nscope_values && !BULK_SYNC_MUTANT(scope_values_ignored); i++)
	{
		append_and(&buf, &first);
		append_scope_value(&buf, plan, i);
	}
	for (int i = 0; i < plan->nscope_columns; i++)
	{
		BulkSyncScopeColumn *scope = &plan->scope_columns[i];
		char	   *column = target_column_sql(plan, scope->target_attno);

		if (!scope_arrays[i])
			continue;
		append_and(&buf, &first);
		nparams++;
		appendStringInfo(&buf, "(%s::%s %s ANY ($%d)", column,
						 type_sql(bulk_sync_scope_element_type(&scope->equality), -1),
						 operator_sql(scope->equality.eq_opr), nparams);
		if (scope_nulls[i])
			appendStringInfo(&buf, " OR %s IS NULL", column);
		appendStringInfoChar(&buf, ')');
	}
	if (keyed && plan->foreign != NIL)
		bulk_sync_append_key_arrays(&buf, plan, first ? " WHERE " : " AND ", nparams);
	return buf.data;
}

/* The difference row has a NULL in the key; AND */
static void
append_null_in_key(StringInfo buf, const BulkSyncPlan *plan, int first_column)
{
	appendStringInfoChar(buf, '(');
	for (int i = 0; i < plan->nkeys; i++)
		appendStringInfo(buf, "%s%s IS NULL", i == 0 ? "" : " OR ",
						 diff_sql(plan, first_column + i));
	appendStringInfoString(buf, ") AND ");
}

/*
 * Which row of the target a difference row is about.  A row without an
 * address is found by its key, within the scope, and only as long as all that
 * was read of it is still the same; rows with a NULL in the key need a clause
 * that cannot be hashed, and so get a statement of their own.
 */
static void
append_row_address(StringInfo buf, const BulkSyncPlan *plan, BulkSyncFind find)
{
	if (plan->distribution != NULL)
	{
		append_shipped_address(buf, plan, find);
		return;
	}
	if (find == BULK_SYNC_FIND_BY_ADDRESS)
	{
		if (!plan->single_table)
			appendStringInfo(buf, BULK_SYNC_TARGET_ALIAS ".tableoid OPERATOR(pg_catalog.=) %s AND ",
							 diff_sql(plan, BULK_SYNC_DIFF_TABLEOID));
		appendStringInfo(buf, BULK_SYNC_TARGET_ALIAS ".ctid OPERATOR(pg_catalog.=) %s",
						 diff_sql(plan, BULK_SYNC_DIFF_CTID));
		return;
	}

	if (find == BULK_SYNC_FIND_BY_NULL_KEY)
		append_null_in_key(buf, plan, BULK_SYNC_DIFF_OLD_KEY(plan, 0));
	append_key(buf, plan, BULK_SYNC_DIFF_OLD_KEY(plan, 0), find == BULK_SYNC_FIND_BY_NULL_KEY);
	appendStringInfoString(buf, " AND ROW(");
	for (int i = 0; i < plan->nread_to_match; i++)
		appendStringInfo(buf, "%s%s", i == 0 ? "" : ", ",
						 target_column_sql(plan, plan->read_attnos[i]));
	appendStringInfo(buf, ") OPERATOR(pg_catalog.*=) %s", diff_sql(plan, BULK_SYNC_DIFF_OLD));
	if (plan->scope != NULL && !plan->scope->has_sublinks)
		appendStringInfo(buf, " AND " CONDITION_FORMAT, plan->options->scope);
}

/*
 * What RETURNING gives: is it a mark, and the columns that are read; if the
 * rows are returned to the caller, also the address of the row and, but for an
 * INSERT, the difference row.
 */
static void
append_returning(StringInfo buf, const BulkSyncPlan *plan, const char *mark, bool insert)
{
	appendStringInfo(buf, " RETURNING %s", mark);
	for (int i = 0; i < plan->nread; i++)
		appendStringInfo(buf, ", %s", target_column_sql(plan, plan->read_attnos[i]));
	if (plan->options->purpose != BULK_SYNC_RETURN)
		return;
	if (plan->address_by_key || plan->instead_rules)
		appendStringInfoString(buf, ", NULL::pg_catalog.oid, NULL::pg_catalog.tid");
	else
		appendStringInfoString(buf, ", " BULK_SYNC_TARGET_ALIAS ".tableoid, "
							   BULK_SYNC_TARGET_ALIAS ".ctid");
	if (!insert)
		appendStringInfo(buf, ", %s", plan->prefix);
}

const char *
bulk_sync_deparse_delete(const BulkSyncPlan *plan, BulkSyncFind find, bool returning)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "DELETE FROM %s AS " BULK_SYNC_TARGET_ALIAS " USING ",
					 plan->target_sql);
	append_diff_relation(&buf, plan);
	appendStringInfoString(&buf, " WHERE ");
	append_row_address(&buf, plan, find);
	if (returning)
		append_returning(&buf, plan, "false", false);
	return buf.data;
}

static void
append_assignment(StringInfo buf, const BulkSyncPlan *plan, int index, bool marks)
{
	const BulkSyncColumn *column = &plan->columns[index];
	char	   *wanted = diff_sql(plan, BULK_SYNC_DIFF_WANTED(index));

	appendStringInfo(buf, "%s = ", attribute_sql(plan, column->target_attno));
	if (bulk_sync_column_may_keep(column))
		appendStringInfo(buf, "CASE WHEN pg_catalog.get_bit(%s, %d::pg_catalog.int8) "
						 "OPERATOR(pg_catalog.=) 1 THEN %s ELSE %s END",
						 diff_sql(plan, BULK_SYNC_DIFF_TAKES), index, wanted,
						 target_column_sql(plan, column->target_attno));
	else if (marks)
		appendStringInfo(buf, "CASE WHEN %s THEN %s ELSE %s END",
						 diff_sql(plan, BULK_SYNC_DIFF_MARK),
						 target_column_sql(plan, column->target_attno), wanted);
	else
		appendStringInfoString(buf, wanted);
}

/*
 * Updates, and marks of soft-deleted rows: one statement, because to
 * statement triggers they are one.
 */
const char *
bulk_sync_deparse_update(const BulkSyncPlan *plan, const BulkSyncDifference *difference,
						 BulkSyncUpdatePart part, BulkSyncFind find, bool returning)
{
	const BulkSyncRowSet *updates = &difference->updates;
	StringInfoData buf;
	bool		marks = updates->marks > 0;
	const char *separator = "";

	initStringInfo(&buf);
	appendStringInfo(&buf, "UPDATE %s AS " BULK_SYNC_TARGET_ALIAS " SET ", plan->target_sql);
	if (updates->marks < updates->rows)
	{
		for (int i = 0; i < plan->ncolumns; i++)
		{
			if (!bulk_sync_column_is_set(plan, i, difference))
				continue;
			appendStringInfoString(&buf, separator);
			append_assignment(&buf, plan, i, marks);
			separator = ", ";
		}
	}
	if (plan->soft_attno != InvalidAttrNumber && difference->soft_written)
		appendStringInfo(&buf, "%s%s = CASE WHEN %s THEN %s ELSE %s END",
						 separator, attribute_sql(plan, plan->soft_attno),
						 diff_sql(plan, BULK_SYNC_DIFF_SET_SOFT),
						 diff_sql(plan, BULK_SYNC_DIFF_SOFT),
						 target_column_sql(plan, plan->soft_attno));
	appendStringInfoString(&buf, " FROM ");
	append_diff_relation(&buf, plan);
	appendStringInfoString(&buf, " WHERE ");
	append_row_address(&buf, plan, find);
	if (part != BULK_SYNC_UPDATE_ALL)
		appendStringInfo(&buf, " AND %s%s", part == BULK_SYNC_UPDATE_MARKS ? "" : "NOT ",
						 diff_sql(plan, BULK_SYNC_DIFF_MARK));
	if (returning)
		append_returning(&buf, plan, diff_sql(plan, BULK_SYNC_DIFF_MARK), false);
	return buf.data;
}

/*
 * "value USING <, " by the operator that sorts keys.  Of the operators of that
 * name in that schema the one for exactly the value's type would be taken.
 */
static void
append_ordering(StringInfo buf, const BulkSyncEquality *equality, const char *value)
{
	Oid			left;
	Oid			right;

	op_input_types(equality->lt_opr, &left, &right);
	appendStringInfoString(buf, value);
	if (left != equality->type && !IsPolymorphicType(left))
		appendStringInfo(buf, "::%s", type_sql(left, -1));
	appendStringInfo(buf, " USING %s, ", operator_sql(equality->lt_opr));
}

/* The order in which rows are inserted (see plan.c), unless they have it already */
static void
append_insert_order(StringInfo buf, const BulkSyncPlan *plan, const BulkSyncDifference *difference)
{
	if (difference->inserts.ordered)
		return;
	appendStringInfoString(buf, " ORDER BY ");
	for (int i = 0; plan->insert_by_key && i < plan->nkeys; i++)
		append_ordering(buf, &plan->key[i], diff_sql(plan, BULK_SYNC_DIFF_WANTED(i)));
	appendStringInfoString(buf, diff_sql(plan, BULK_SYNC_DIFF_POSITION));
}

/* INSERT INTO the target and its columns */
void
append_insert(StringInfo buf, const BulkSyncPlan *plan)
{
	const char *separator = "";

	appendStringInfo(buf, "INSERT INTO %s AS " BULK_SYNC_TARGET_ALIAS, plan->target_sql);
	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (!plan->columns[i].insertable)
			continue;
		appendStringInfo(buf, "%s%s", separator[0] == '\0' ? " (" : separator,
						 attribute_sql(plan, plan->columns[i].target_attno));
		separator = ", ";
	}
	if (separator[0] != '\0')
		appendStringInfoChar(buf, ')');
	if (plan->has_identity)
		appendStringInfoString(buf, " OVERRIDING SYSTEM VALUE");
}

const char *
bulk_sync_deparse_insert(const BulkSyncPlan *plan, const BulkSyncDifference *difference,
						 bool returning)
{
	StringInfoData buf;
	const char *separator = "";

	initStringInfo(&buf);
	append_insert(&buf, plan);
	appendStringInfoString(&buf, " SELECT ");
	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (!plan->columns[i].insertable)
			continue;
		appendStringInfo(&buf, "%s%s", separator, diff_sql(plan, BULK_SYNC_DIFF_WANTED(i)));
		separator = ", ";
	}
	appendStringInfoString(&buf, " FROM ");
	append_diff_relation(&buf, plan);
	append_insert_order(&buf, plan, difference);
	if (plan->options->ignore_conflicts)
		appendStringInfoString(&buf, " ON CONFLICT DO NOTHING");
	if (returning)
		append_returning(&buf, plan, "false", true);
	return buf.data;
}

/* The planned rows that are there to be written */
const char *
bulk_sync_deparse_writable(const BulkSyncPlan *plan, TupleDesc desc)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "SELECT");
	for (int i = 1; i <= desc->natts; i++)
		appendStringInfo(&buf, "%s %s", i == 1 ? "" : ",", diff_sql(plan, i));
	appendStringInfo(&buf, " FROM %s AS " BULK_SYNC_TARGET_ALIAS ", ", plan->target_sql);
	append_diff_relation(&buf, plan);
	appendStringInfoString(&buf, " WHERE ");
	append_row_address(&buf, plan, bulk_sync_find(plan, false));
	return buf.data;
}

/* ... and the row is in scope, but for scope_columns */
void
append_in_scope(StringInfo buf, const BulkSyncPlan *plan)
{
	if (plan->scope != NULL)
		appendStringInfo(buf, " AND " CONDITION_FORMAT, plan->options->scope);
	for (int i = 0; i < plan->nscope_values; i++)
	{
		appendStringInfoString(buf, " AND ");
		append_scope_value(buf, plan, i);
	}
}

/*
 * Rows in scope (but for scope_columns) with the key of a row that was to be
 * inserted: the transaction that wrote them, and the columns that are read.
 * Rows with a NULL in the key have a statement of their own, as in
 * append_row_address().
 */
const char *
bulk_sync_deparse_conflict(const BulkSyncPlan *plan, bool null_keys)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "SELECT %s", plan->address_by_key ? "NULL::pg_catalog.xid" :
					 BULK_SYNC_TARGET_ALIAS ".xmin");
	for (int i = 0; i < plan->nread; i++)
		appendStringInfo(&buf, ", %s", target_column_sql(plan, plan->read_attnos[i]));
	appendStringInfo(&buf, " FROM %s AS " BULK_SYNC_TARGET_ALIAS ", ", plan->target_sql);
	append_diff_relation(&buf, plan);
	appendStringInfoString(&buf, " WHERE ");
	if (null_keys)
		append_null_in_key(&buf, plan, BULK_SYNC_DIFF_WANTED(0));
	append_key(&buf, plan, BULK_SYNC_DIFF_WANTED(0), null_keys);
	append_in_scope(&buf, plan);
	return buf.data;
}

/*
 * Rows with the key of a target row that is no longer where it was: their
 * addresses, and the transaction that wrote them.
 */
const char *
bulk_sync_deparse_find_moved(const BulkSyncPlan *plan)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "SELECT " BULK_SYNC_TARGET_ALIAS ".tableoid, " BULK_SYNC_TARGET_ALIAS
					 ".ctid, " BULK_SYNC_TARGET_ALIAS ".xmin FROM %s AS " BULK_SYNC_TARGET_ALIAS
					 ", ", plan->target_sql);
	append_diff_relation(&buf, plan);
	appendStringInfoString(&buf, " WHERE ");
	append_key(&buf, plan, BULK_SYNC_DIFF_OLD_KEY(plan, 0), true);
	return buf.data;
}

/* All rows of the target with the command that wrote them, for apply.c */
const char *
bulk_sync_deparse_written(const BulkSyncPlan *plan)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "SELECT " BULK_SYNC_TARGET_ALIAS ".xmin, "
						   BULK_SYNC_TARGET_ALIAS ".cmin");
	for (int i = 0; i < plan->nread; i++)
		appendStringInfo(&buf, ", %s", target_column_sql(plan, plan->read_attnos[i]));
	appendStringInfo(&buf, " FROM %s AS " BULK_SYNC_TARGET_ALIAS, plan->target_sql);
	return buf.data;
}

/*
 * Written rows, each with the address and the columns that it has by now; NULL
 * for a row that is not there, or that the caller may not see.
 */
const char *
bulk_sync_deparse_written_rows(const BulkSyncPlan *plan)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "SELECT %s, " BULK_SYNC_TARGET_ALIAS ".ctid", plan->prefix);
	for (int i = 0; i < plan->nread; i++)
		appendStringInfo(&buf, ", %s", target_column_sql(plan, plan->read_attnos[i]));
	appendStringInfoString(&buf, " FROM ");
	append_diff_relation(&buf, plan);
	appendStringInfo(&buf, " LEFT JOIN %s AS " BULK_SYNC_TARGET_ALIAS " ON ", plan->target_sql);
	append_row_address(&buf, plan, bulk_sync_find(plan, false));
	return buf.data;
}

/*
 * The same for rows that have no address any more: rows in scope with the
 * values by which they are looked for, in the attributes from first_lookup on;
 * with the command that wrote them, one difference row after the other.
 */
const char *
bulk_sync_deparse_written_keys(const BulkSyncPlan *plan, AttrNumber first_lookup)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "SELECT %s, %s", plan->prefix, plan->address_by_key ?
					 "NULL::pg_catalog.xid, NULL::pg_catalog.cid" :
					 BULK_SYNC_TARGET_ALIAS ".xmin, " BULK_SYNC_TARGET_ALIAS ".cmin");
	for (int i = 0; i < plan->nread; i++)
		appendStringInfo(&buf, ", %s", target_column_sql(plan, plan->read_attnos[i]));
	appendStringInfo(&buf, " FROM %s AS " BULK_SYNC_TARGET_ALIAS ", ", plan->target_sql);
	append_diff_relation(&buf, plan);
	appendStringInfoString(&buf, " WHERE ");
	for (int i = 0; i < plan->nlookup; i++)
	{
		if (i > 0)
			appendStringInfoString(&buf, " AND ");
		append_equality(&buf, &plan->lookup_equality[i],
						target_column_sql(plan, plan->read_attnos[plan->lookup[i]]),
						diff_sql(plan, first_lookup + i), plan->lookup_equality[i].type);
	}
	append_in_scope(&buf, plan);
	appendStringInfo(&buf, " ORDER BY %s", diff_sql(plan, BULK_SYNC_DIFF_POSITION));
	return buf.data;
}

/* Locks the planned rows of a view, which has no addresses of rows */
const char *
bulk_sync_deparse_lock(const BulkSyncPlan *plan, BulkSyncFind find)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "SELECT %s FROM %s AS " BULK_SYNC_TARGET_ALIAS ", ",
					 diff_sql(plan, BULK_SYNC_DIFF_POSITION), plan->target_sql);
	append_diff_relation(&buf, plan);
	appendStringInfoString(&buf, " WHERE ");
	append_row_address(&buf, plan, find);
	appendStringInfoString(&buf, " FOR UPDATE OF " BULK_SYNC_TARGET_ALIAS);
	return buf.data;
}

/* The temporary table to COPY into */
const char *
bulk_sync_deparse_stage(Relation target, List *columns, const char *name, bool on_commit_drop)
{
	StringInfoData buf;
	TupleDesc	desc = RelationGetDescr(target);
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfo(&buf, "CREATE TEMPORARY TABLE %s (", quote_identifier(name));
	foreach(lc, columns)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, lfirst_int(lc) - 1);

		appendStringInfo(&buf, "%s%s %s", foreach_current_index(lc) == 0 ? "" : ", ",
						 quote_identifier(NameStr(attr->attname)),
						 type_sql(attr->atttypid, attr->atttypmod));
		if (OidIsValid(attr->attcollation))
			appendStringInfo(&buf, " COLLATE %s", collation_sql(attr->attcollation));
	}
	appendStringInfoChar(&buf, ')');
	if (on_commit_drop)
		appendStringInfoString(&buf, " ON COMMIT DROP");
	return buf.data;
}

const char *
bulk_sync_deparse_drop_stage(const char *name)
{
	return psprintf("DROP TABLE pg_temp.%s", quote_identifier(name));
}
