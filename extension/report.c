/*-------------------------------------------------------------------------
 *
 * report.c
 *	  What the caller gets to read: keys in messages, and the counts.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "portability/instr_time.h"

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

static Datum
make_counts_tuple(TupleDesc desc, const int64 *counts, int ncounts)
{
	Datum	   *values = palloc(ncounts * sizeof(Datum));
	bool	   *isnull = palloc0(ncounts * sizeof(bool));

	for (int i = 0; i < ncounts; i++)
		values[i] = Int64GetDatum(counts[i]);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, isnull));
}

/* The result row of bulk_sync() */
Datum
bulk_sync_counts_tuple(TupleDesc desc, const BulkSyncCounts *counts)
{
	int64		result[BULK_SYNC_COUNT_COLUMNS] = {
		counts->staged_rows, counts->inserted, counts->updated,
		counts->unchanged, counts->skipped, counts->deleted
	};

	return make_counts_tuple(desc, result, lengthof(result));
}

/* The result row of bulk_insert_changed() */
Datum
bulk_sync_history_counts_tuple(TupleDesc desc, const BulkSyncCounts *counts)
{
	int64		result[BULK_SYNC_HISTORY_COLUMNS] = {
		counts->staged_rows, counts->inserted, counts->unchanged
	};

	return make_counts_tuple(desc, result, lengthof(result));
}

/*
 * Says how long a phase has taken, to whoever wants to know: SET
 * client_min_messages = debug1.  NULL: the first one begins.
 */
void
bulk_sync_phase_done(const char *phase)
{
	static instr_time start;
	instr_time	now;
	instr_time	duration;

	INSTR_TIME_SET_CURRENT(now);
	duration = now;
	INSTR_TIME_SUBTRACT(duration, start);
	start = now;
	if (phase != NULL)
		ereport(DEBUG1,
				(errmsg_internal("bulk_sync: %s: %.3f ms", phase,
								 INSTR_TIME_GET_MILLISEC(duration))));
}
