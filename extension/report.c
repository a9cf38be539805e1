/*-------------------------------------------------------------------------
 *
 * report.c
 *	  What the caller gets to read: keys in messages, and the counts.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* Longer values are cut, as in other messages about rows */
#define MAX_VALUE_LENGTH 64

static void
append_value(StringInfo buf, Oid type, Datum value, bool isnull)
{
	Oid			function;
	bool		varlena;
	char	   *string;
	int			length;

	if (isnull)
	{
		appendStringInfoString(buf, "null");
		return;
	}
	getTypeOutputInfo(type, &function, &varlena);
	string = OidOutputFunctionCall(function, value);
	length = strlen(string);
	if (length > MAX_VALUE_LENGTH)
	{
		appendBinaryStringInfo(buf, string, pg_mbcliplen(string, length, MAX_VALUE_LENGTH));
		appendStringInfoString(buf, "...");
	}
	else
		appendStringInfoString(buf, string);
}

static char *
describe_key(const BulkSyncPlan *plan, const Datum *values, const bool *isnull, bool target)
{
	StringInfoData buf;

	if (plan->nkeys == 0)
		return pstrdup("none");
	initStringInfo(&buf);
	appendStringInfoChar(&buf, '(');
	for (int i = 0; i < plan->nkeys; i++)
		appendStringInfo(&buf, "%s%s", i == 0 ? "" : ", ", plan->columns[i].name);
	appendStringInfoString(&buf, ")=(");
	for (int i = 0; i < plan->nkeys; i++)
	{
		int			index = target ? plan->columns[i].read_index : i;

		if (i > 0)
			appendStringInfoString(&buf, ", ");
		append_value(&buf, plan->columns[i].type, values[index], isnull[index]);
	}
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

/* "(name)=(value)" of a staged row, by column index */
char *
bulk_sync_describe_key(const BulkSyncPlan *plan, const Datum *values, const bool *isnull)
{
	return describe_key(plan, values, isnull, false);
}

/* The same of a target row, by read index */
char *
bulk_sync_describe_target_key(const BulkSyncPlan *plan, const Datum *values, const bool *isnull)
{
	return describe_key(plan, values, isnull, true);
}

/* The result row of bulk_sync() */
Datum
bulk_sync_counts_tuple(FunctionCallInfo fcinfo, const BulkSyncCounts *counts)
{
	TupleDesc	desc;
	Datum		values[6];
	bool		isnull[6] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int64GetDatum(counts->staged_rows);
	values[1] = Int64GetDatum(counts->inserted);
	values[2] = Int64GetDatum(counts->updated);
	values[3] = Int64GetDatum(counts->unchanged);
	values[4] = Int64GetDatum(counts->skipped);
	values[5] = Int64GetDatum(counts->deleted);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, isnull));
}
