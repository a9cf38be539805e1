/*-------------------------------------------------------------------------
 *
 * report_rows.c
 *	  Result rows of bulk_compare() and bulk_sync_returning(): one for each
 *	  difference, with the old and the new row as JSON.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* The columns of a result row */
enum
{
	RESULT_ACTION,
	RESULT_STAGED_ROW,
	RESULT_KEY,
	RESULT_CHANGED_COLUMNS,
	RESULT_OLD,
	RESULT_NEW,
	RESULT_COLUMNS
};

StaticAssertDecl(RESULT_COLUMNS == BULK_SYNC_ROW_COLUMNS, "columns of a result row");

typedef struct RowReport
{
	const BulkSyncPlan *plan;
	BulkSyncDifference *difference;
	Tuplestorestate *store;		/* of the result */
	TupleDesc	desc;
	MemoryContext row_context;
	BulkSyncJsonShape *key_shape;
	BulkSyncJsonShape *row_shape;	/* the columns shown */
	int		   *column_of_shown;	/* index in columns[], or -1 */
	int		   *by_attno;		/* indexes of columns[], in the target's order */

	/* Of the row at hand, by read index */
	Datum	   *old_values;
	bool	   *old_isnull;
	Datum	   *new_values;
	bool	   *new_isnull;

	/* Scratch space for the columns shown, or the key */
	Datum	   *values;
	bool	   *isnull;
} RowReport;

/* Which of a written row's columns hold what; NULL where there is no such row */
typedef struct ReportedRow
{
	const char *action;
	TupleTableSlot *slot;		/* a difference row, perhaps of a written one */
	bool		has_old;
	bool		has_staged;
	AttrNumber	new_row;		/* 0: the new row is only planned, or not there */
} ReportedRow;

static TupleDesc
key_desc(const BulkSyncPlan *plan)
{
	TupleDesc	desc = CreateTemplateTupleDesc(plan->nkeys);

	for (int i = 0; i < plan->nkeys; i++)
	{
		const BulkSyncColumn *column = &plan->columns[i];

		TupleDescInitEntry(desc, i + 1, column->name, column->type, column->typmod, 0);
		TupleDescInitEntryCollation(desc, i + 1, column->collation);
	}
	return desc;
}

static void
init_report(RowReport *report, FunctionCallInfo fcinfo, BulkSyncDifference *difference)
{
	const BulkSyncPlan *plan = difference->plan;
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			capacity = Max(1, Max(plan->nshown, plan->nkeys));
	int			count = 0;

	memset(report, 0, sizeof(RowReport));
	report->plan = plan;
	report->difference = difference;
	report->store = rsinfo->setResult;
	report->desc = rsinfo->setDesc;
	report->row_context = AllocSetContextCreate(CurrentMemoryContext, "bulk_sync result row",
												ALLOCSET_DEFAULT_SIZES);
	report->key_shape = bulk_sync_json_shape(key_desc(plan));
	report->row_shape = bulk_sync_json_shape(plan->shown_desc);
	report->old_values = palloc0(Max(plan->nread, 1) * sizeof(Datum));
	report->old_isnull = palloc0(Max(plan->nread, 1) * sizeof(bool));
	report->new_values = palloc0(Max(plan->nread, 1) * sizeof(Datum));
	report->new_isnull = palloc0(Max(plan->nread, 1) * sizeof(bool));
	report->values = palloc0(capacity * sizeof(Datum));
	report->isnull = palloc0(capacity * sizeof(bool));
	report->column_of_shown = palloc(Max(plan->nshown, 1) * sizeof(int));
	for (int i = 0; i < plan->nshown; i++)
		report->column_of_shown[i] = bulk_sync_find_column(plan,
														   plan->read_attnos[plan->shown[i]]);
	report->by_attno = palloc(Max(plan->ncolumns, 1) * sizeof(int));
	for (AttrNumber attno = 1; attno <= RelationGetDescr(plan->target)->natts; attno++)
	{
		int			index = bulk_sync_find_column(plan, attno);

		if (index >= 0)
			report->by_attno[count++] = index;
	}
	while (count < plan->ncolumns)
		report->by_attno[count++] = -1;
}

static bool
get_flag(TupleTableSlot *slot, AttrNumber attno)
{
	return !slot->tts_isnull[attno - 1] && DatumGetBool(slot->tts_values[attno - 1]);
}

/* Takes apart a record of the columns that were read */
static void
read_record(RowReport *report, TupleTableSlot *slot, AttrNumber attno, Datum *values,
			bool *isnull)
{
	bulk_sync_deform_record(slot->tts_values[attno - 1], report->difference->row_desc, values,
							isnull);
}

/* Takes a value as the next one of a JSON object */
static void
take_value(RowReport *report, int place, Datum value, bool isnull)
{
	report->values[place] = value;
	report->isnull[place] = isnull;
}

static void
take_from_slot(RowReport *report, int place, TupleTableSlot *slot, AttrNumber attno)
{
	take_value(report, place, slot->tts_values[attno - 1], slot->tts_isnull[attno - 1]);
}

static Datum
make_object(RowReport *report, BulkSyncJsonShape *shape)
{
	return bulk_sync_json_object(shape, report->values, report->isnull);
}

static Datum
key_object(RowReport *report, const ReportedRow *row)
{
	const BulkSyncPlan *plan = report->plan;

	for (int i = 0; i < plan->nkeys; i++)
	{
		int			index = plan->columns[i].read_index;

		if (row->has_staged)
			take_from_slot(report, i, row->slot, BULK_SYNC_DIFF_WANTED(i));
		else
			take_value(report, i, report->old_values[index], report->old_isnull[index]);
	}
	return make_object(report, report->key_shape);
}

/* The columns shown of a row; its values by read index */
static Datum
row_object(RowReport *report, const Datum *values, const bool *isnull)
{
	for (int i = 0; i < report->plan->nshown; i++)
	{
		int			index = report->plan->shown[i];

		take_value(report, i, values[index], isnull[index]);
	}
	return make_object(report, report->row_shape);
}

/* Does a planned row get the staged value of a column? */
static bool
gets_staged_value(RowReport *report, const ReportedRow *row, int column)
{
	const BulkSyncPlan *plan = report->plan;

	if (!row->has_old)
		return plan->columns[column].insertable;
	return bulk_sync_column_is_set(plan, column, report->difference) &&
		bulk_sync_get_bit(row->slot, BULK_SYNC_DIFF_TAKES, column);
}

/* The row that would be written, as far as it is decided before triggers */
static Datum
planned_object(RowReport *report, const ReportedRow *row)
{
	const BulkSyncPlan *plan = report->plan;

	for (int i = 0; i < plan->nshown; i++)
	{
		int			column = report->column_of_shown[i];
		int			index = plan->shown[i];

		if (row->has_old && plan->read_attnos[index] == plan->soft_attno &&
			get_flag(row->slot, BULK_SYNC_DIFF_SET_SOFT))
			take_from_slot(report, i, row->slot, BULK_SYNC_DIFF_SOFT);
		else if (column >= 0 && gets_staged_value(report, row, column))
			take_from_slot(report, i, row->slot, BULK_SYNC_DIFF_WANTED(column));
		else if (row->has_old)
			take_value(report, i, report->old_values[index], report->old_isnull[index]);
		else
			take_value(report, i, (Datum) 0, true); /* the database assigns it */
	}
	return make_object(report, report->row_shape);
}

static Datum
changed_columns(RowReport *report, TupleTableSlot *slot)
{
	const BulkSyncPlan *plan = report->plan;
	Datum	   *names = palloc((plan->ncolumns + 1) * sizeof(Datum));
	int			count = 0;

	for (int i = 0; i < plan->ncolumns && report->by_attno[i] >= 0; i++)
	{
		int			column = report->by_attno[i];

		if (bulk_sync_get_bit(slot, BULK_SYNC_DIFF_CHANGED, column))
			names[count++] = CStringGetTextDatum(plan->columns[column].name);
	}
	if (get_flag(slot, BULK_SYNC_DIFF_SET_SOFT))
		names[count++] = CStringGetTextDatum(plan->options->soft_delete_column);
	return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
put_row(RowReport *report, const ReportedRow *row)
{
	Datum		values[RESULT_COLUMNS] = {0};
	bool		isnull[RESULT_COLUMNS] = {false};
	bool		is_delete = strcmp(row->action, "delete") == 0;
	bool		is_update = strcmp(row->action, "update") == 0;
	MemoryContext oldcontext = MemoryContextSwitchTo(report->row_context);

	if (row->has_old)
		read_record(report, row->slot, BULK_SYNC_DIFF_ROW, report->old_values,
					report->old_isnull);
	values[RESULT_ACTION] = CStringGetTextDatum(row->action);
	values[RESULT_STAGED_ROW] = row->slot->tts_values[BULK_SYNC_DIFF_POSITION - 1];
	if (row->has_staged && BULK_SYNC_MUTANT(staged_row_from_zero))
		values[RESULT_STAGED_ROW] -= 1;
	isnull[RESULT_STAGED_ROW] = !row->has_staged;
	values[RESULT_KEY] = key_object(report, row);
	if (is_update)
		values[RESULT_CHANGED_COLUMNS] = changed_columns(report, row->slot);
	isnull[RESULT_CHANGED_COLUMNS] = !is_update;
	if (row->has_old)
		values[RESULT_OLD] = row_object(report, report->old_values, report->old_isnull);
	isnull[RESULT_OLD] = !row->has_old || BULK_SYNC_MUTANT(old_row_not_returned);
	if (row->new_row != 0 && !BULK_SYNC_MUTANT(planned_row_returned))
	{
		read_record(report, row->slot, row->new_row, report->new_values, report->new_isnull);
		values[RESULT_NEW] = row_object(report, report->new_values, report->new_isnull);
	}
	else if (!is_delete)
		values[RESULT_NEW] = planned_object(report, row);
	isnull[RESULT_NEW] = is_delete && row->new_row == 0;

	MemoryContextSwitchTo(oldcontext);
	tuplestore_putvalues(report->store, report->desc, values, isnull);
	MemoryContextReset(report->row_context);
}

/* All rows of a set; of an update set, either the marks or the others */
static void
put_rows(RowReport *report, const BulkSyncRowSet *set, ReportedRow row, bool marks)
{
	row.slot = MakeSingleTupleTableSlot(set->desc, &TTSOpsMinimalTuple);
	tuplestore_select_read_pointer(set->store, 0);
	tuplestore_rescan(set->store);
	while (tuplestore_gettupleslot(set->store, true, false, row.slot))
	{
		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(row.slot);
		if (get_flag(row.slot, BULK_SYNC_DIFF_MARK) == marks)
			put_row(report, &row);
	}
	ExecDropSingleTupleTableSlot(row.slot);
}

/* The result rows, deletes first.  new_row is 0 where nothing was written. */
static void
put_all_rows(RowReport *report, const BulkSyncRowSet *deletes, const BulkSyncRowSet *updates,
			 const BulkSyncRowSet *inserts, AttrNumber new_row)
{
	ReportedRow delete = {"delete", NULL, true, false, 0};
	ReportedRow mark = {"delete", NULL, true, false, new_row};
	ReportedRow update = {"update", NULL, true, true, new_row};
	ReportedRow insert = {"insert", NULL, false, true, new_row};
	ReportedRow unchanged = {"unchanged", NULL, true, true, 0};

	put_rows(report, deletes, delete, false);
	put_rows(report, updates, mark, true);
	put_rows(report, updates, update, false);
	put_rows(report, inserts, insert, false);
	put_rows(report, &report->difference->equals, unchanged, false);
	MemoryContextDelete(report->row_context);
}

/* Returns what a sync would do */
void
bulk_sync_report_planned(FunctionCallInfo fcinfo, BulkSyncDifference *difference)
{
	RowReport	report;

	init_report(&report, fcinfo, difference);
	put_all_rows(&report, &difference->deletes, &difference->updates, &difference->inserts, 0);
}

/* Returns what a sync did */
void
bulk_sync_report_written(FunctionCallInfo fcinfo, BulkSyncDifference *difference,
						 BulkSyncWritten *written)
{
	RowReport	report;

	init_report(&report, fcinfo, difference);
	put_all_rows(&report, &written->deletes, &written->updates, &written->inserts,
				 written->new_row);
}
