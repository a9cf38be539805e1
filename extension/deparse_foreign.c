/*-------------------------------------------------------------------------
 *
 * deparse_foreign.c
 *	  The statements that write rows of one foreign table, as postgres_fdw can
 *	  send them as they are.
 *
 * A statement that joins rows of ours with a foreign table costs a message for
 * each row, because the join is made here.  These statements hold their rows in
 * arrays, one for each column, in the order of the addresses:
 *
 *	  UPDATE ONLY t SET v = ($4)[width_bucket(ctid, $1)]
 *	    WHERE ctid = ANY ($1) AND k = ($2)[width_bucket(ctid, $1)] ...
 *
 * width_bucket() says at which place of a sorted array a value stands.  Operators
 * and functions are those that postgres_fdw knows to be the same everywhere; if
 * it should think otherwise of one of them, the statement works here, row by
 * row, to the same effect.
 *
 * The key and the scope are there because the other server may have partitions
 * as well, each with rows of the same ctid.  For the same reason PostgreSQL's
 * own UPDATE is not to be trusted with such a table.
 *
 *-------------------------------------------------------------------------
 */
#include "deparse.h"
#include "foreign.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

typedef struct Deparse
{
	const BulkSyncPlan *plan;
	const BulkSyncDifference *difference;
	BulkSyncRemoteRows rows;
	BulkSyncRemoteSql *remote;
	StringInfoData buf;
} Deparse;

/* "column = value", as matching compares this key column; NULL equals NULL */
static void
append_key_value(StringInfo buf, const BulkSyncPlan *plan, int index, const char *value)
{
	char	   *column = target_column_sql(plan, plan->columns[index].target_attno);

	appendStringInfo(buf, " AND (%s IS NULL AND %s IS NULL OR ", column, value);
	append_equality(buf, &plan->key[index], column, value, plan->key[index].type);
	appendStringInfoChar(buf, ')');
}

/* Adds a parameter; returns its number */
static int
add_param(Deparse *deparse, AttrNumber attno, int bit, Oid type)
{
	BulkSyncRemoteSql *remote = deparse->remote;

	remote->params[remote->nparams].attno = attno;
	remote->params[remote->nparams].bit = bit;
	remote->params[remote->nparams].type = type;
	return deparse->plan->nscope_values + ++remote->nparams;
}

/* The value that a row has in a parameter; the addresses are the first */
static char *
value_sql(Deparse *deparse, AttrNumber attno, int bit, Oid type)
{
	int			param = add_param(deparse, attno, bit, type);

	if (deparse->rows != BULK_SYNC_REMOTE_MANY)
		return psprintf("$%d", param);
	return psprintf("($%d)[pg_catalog.width_bucket(" BULK_SYNC_TARGET_ALIAS ".ctid, $%d)]",
					param, deparse->plan->nscope_values + 1);
}

static char *
wanted_sql(Deparse *deparse, int index)
{
	return value_sql(deparse, BULK_SYNC_DIFF_WANTED(index), -1, deparse->plan->columns[index].type);
}

static void
append_assignment(Deparse *deparse, int index, const char *separator)
{
	const BulkSyncPlan *plan = deparse->plan;
	const BulkSyncColumn *column = &plan->columns[index];

	appendStringInfo(&deparse->buf, "%s%s = ", separator, quote_identifier(column->name));
	if (!bulk_sync_column_may_keep(column))
		appendStringInfoString(&deparse->buf, wanted_sql(deparse, index));
	else
	{
		char	   *takes = value_sql(deparse, BULK_SYNC_DIFF_TAKES, index, BOOLOID);

		appendStringInfo(&deparse->buf, "CASE WHEN %s THEN %s ELSE %s END", takes,
						 wanted_sql(deparse, index),
						 target_column_sql(plan, column->target_attno));
	}
}

static void
append_update(Deparse *deparse)
{
	const BulkSyncPlan *plan = deparse->plan;
	const char *separator = "";

	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (!bulk_sync_column_is_set(plan, i, deparse->difference))
			continue;
		append_assignment(deparse, i, separator);
		separator = ", ";
	}
	/* A marked row that is staged again */
	if (plan->soft_attno != InvalidAttrNumber && deparse->difference->soft_written)
	{
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(plan->target),
											   plan->soft_attno - 1);

		appendStringInfo(&deparse->buf, "%s%s = CASE WHEN %s THEN %s ELSE %s END", separator,
						 quote_identifier(NameStr(attr->attname)),
						 value_sql(deparse, BULK_SYNC_DIFF_SET_SOFT, -1, BOOLOID),
						 plan->soft_is_bool ? "false" : "NULL",
						 target_column_sql(plan, plan->soft_attno));
	}
}

static void
append_mark(Deparse *deparse)
{
	const BulkSyncPlan *plan = deparse->plan;
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(plan->target), plan->soft_attno - 1);

	appendStringInfo(&deparse->buf, "%s = %s", quote_identifier(NameStr(attr->attname)),
					 value_sql(deparse, BULK_SYNC_DIFF_SOFT, -1, plan->soft_type));
}

/*
 * The row is in scope, as far as the row by itself says so, and says it in any
 * table of the tree
 */
static void
append_own_scope(StringInfo buf, const BulkSyncPlan *plan)
{
	bool		own = plan->scope != NULL && !plan->scope->has_sublinks;

	for (int i = 0; own && i < plan->scope->nvars; i++)
		own = plan->scope->vars[i].attno != InvalidAttrNumber;
	/* Text of the caller, on lines of its own: it may end in a comment */
	if (own)
		appendStringInfo(buf, " AND " CONDITION_FORMAT, plan->options->scope);
	for (int i = 0; i < plan->nscope_values; i++)
	{
		appendStringInfoString(buf, " AND ");
		append_scope_value(buf, plan, i);
	}
}

/* Which rows: see the top of this file */
static void
append_rows(Deparse *deparse)
{
	const BulkSyncPlan *plan = deparse->plan;
	StringInfo	buf = &deparse->buf;
	int			address = plan->nscope_values + 1;

	appendStringInfoString(buf, " WHERE ");
	if (deparse->rows == BULK_SYNC_REMOTE_BY_KEY)
	{
		appendStringInfoString(buf, "ROW(");
		for (int i = 0; i < plan->nread_to_match; i++)
			appendStringInfo(buf, "%s%s", i == 0 ? "" : ", ",
							 target_column_sql(plan, plan->read_attnos[i]));
		appendStringInfo(buf, ") OPERATOR(pg_catalog.*=) $%d", address);
	}
	else
		appendStringInfo(buf, BULK_SYNC_TARGET_ALIAS ".ctid OPERATOR(pg_catalog.=) %s",
						 psprintf(deparse->rows == BULK_SYNC_REMOTE_MANY ? "ANY ($%d)" : "$%d",
								  address));
	for (int i = 0; i < plan->nkeys; i++)
		append_key_value(buf, plan, i,
						 value_sql(deparse, BULK_SYNC_DIFF_OLD_KEY(plan, i), -1,
								   plan->columns[i].type));
	append_own_scope(buf, plan);
}

/* What RETURNING gives to apply.c: see append_returning() in deparse.c */
static void
append_returning(Deparse *deparse, bool mark)
{
	const BulkSyncPlan *plan = deparse->plan;

	appendStringInfo(&deparse->buf, " RETURNING %s", mark ? "true" : "false");
	for (int i = 0; i < plan->nread; i++)
		appendStringInfo(&deparse->buf, ", %s",
						 target_column_sql(plan, plan->read_attnos[i]));
	appendStringInfoString(&deparse->buf, ", NULL::pg_catalog.oid, NULL::pg_catalog.tid");
}

/* Are there arrays of all that the rows of a statement have? */
bool
bulk_sync_remote_takes_many(const BulkSyncPlan *plan, const BulkSyncDifference *difference,
							BulkSyncRemoteCommand command)
{
	for (int i = 0; i < plan->ncolumns; i++)
	{
		bool		used = plan->columns[i].key ||
			(command == BULK_SYNC_REMOTE_UPDATE && bulk_sync_column_is_set(plan, i, difference));

		if (used && !OidIsValid(get_array_type(plan->columns[i].type)))
			return false;
	}
	return command != BULK_SYNC_REMOTE_TAKE;
}

BulkSyncRemoteSql *
bulk_sync_deparse_remote(const BulkSyncPlan *plan, const BulkSyncDifference *difference,
						 Relation rel, BulkSyncRemoteCommand command, BulkSyncRemoteRows rows,
						 bool returning)
{
	Deparse		deparse = {.plan = plan, .difference = difference, .rows = rows};
	char	   *table = bulk_sync_relation_sql(rel);

	deparse.remote = palloc0(sizeof(BulkSyncRemoteSql));
	deparse.remote->params = palloc((2 * plan->ncolumns + plan->nkeys + 3) *
									sizeof(BulkSyncRemoteParam));
	initStringInfo(&deparse.buf);
	if (rows == BULK_SYNC_REMOTE_BY_KEY)
		(void) add_param(&deparse, BULK_SYNC_DIFF_OLD, -1, RECORDOID);
	else
		(void) add_param(&deparse, BULK_SYNC_DIFF_CTID, -1, TIDOID);

	switch (command)
	{
		case BULK_SYNC_REMOTE_LOCK:
		case BULK_SYNC_REMOTE_FIND:
			appendStringInfo(&deparse.buf, "SELECT " BULK_SYNC_TARGET_ALIAS ".ctid FROM ONLY %s AS " BULK_SYNC_TARGET_ALIAS,
							 table);
			break;
		case BULK_SYNC_REMOTE_DELETE:
		case BULK_SYNC_REMOTE_TAKE:
			appendStringInfo(&deparse.buf, "DELETE FROM ONLY %s AS " BULK_SYNC_TARGET_ALIAS,
							 table);
			break;
		case BULK_SYNC_REMOTE_MARK:
		case BULK_SYNC_REMOTE_UPDATE:
			appendStringInfo(&deparse.buf, "UPDATE ONLY %s AS " BULK_SYNC_TARGET_ALIAS " SET ",
							 table);
			if (command == BULK_SYNC_REMOTE_MARK)
				append_mark(&deparse);
			else
				append_update(&deparse);
			break;
	}
	append_rows(&deparse);
	if (command == BULK_SYNC_REMOTE_LOCK)
		appendStringInfoString(&deparse.buf, " FOR UPDATE");
	else if (command == BULK_SYNC_REMOTE_TAKE)
		appendStringInfoString(&deparse.buf, " RETURNING " BULK_SYNC_TARGET_ALIAS ".*");
	else if (returning && command != BULK_SYNC_REMOTE_FIND)
		append_returning(&deparse, command == BULK_SYNC_REMOTE_MARK);
	deparse.remote->sql = deparse.buf.data;
	return deparse.remote;
}

/*
 * Conditions on the key columns that all rows with a staged key meet, and some
 * others: each has one of the values in an array.  "separator" comes before the
 * first; the arrays are the parameters behind "nparams", one for each key column
 * that bulk_sync_scope_element_type() knows a type for.
 */
void
bulk_sync_append_key_arrays(StringInfo buf, const BulkSyncPlan *plan, const char *separator,
							int nparams)
{
	for (int i = 0; i < plan->nkeys; i++)
	{
		const BulkSyncEquality *equality = &plan->key[i];
		Oid			type = bulk_sync_scope_element_type(equality);

		if (!OidIsValid(type))
			continue;
		appendStringInfoString(buf, separator);
		generate_operator_clause(buf,
								 target_column_sql(plan, plan->columns[i].target_attno),
								 equality->type, equality->eq_opr,
								 psprintf("ANY ($%d)", ++nparams), type);
		separator = " AND ";
	}
}
