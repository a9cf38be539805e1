/*-------------------------------------------------------------------------
 *
 * written.c
 *	  The rows that a call wrote, to be returned: each difference row together
 *	  with what became of it in the table.
 *
 * RETURNING tells what was stored.  An UPDATE or a DELETE returns the
 * difference row along with it.  An INSERT cannot: its rows are paired with
 * what it returns by their order, which holds as long as none is passed over;
 * where one may be, rows are inserted one by one.
 *
 * RETURNING speaks of the moment of writing.  Where a trigger or a rule may
 * have changed the row afterwards, or where a policy decides who may see it,
 * the rows are read again when everything has happened.
 *
 *-------------------------------------------------------------------------
 */
#include "apply.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* In a RETURNING list: the mark, the columns read, then the rest */
#define RETURNED_FIXED 1

static TupleDesc
written_desc(const BulkSyncDifference *difference)
{
	int			natts = difference->desc->natts;
	TupleDesc	desc = CreateTemplateTupleDesc(natts + 1);

	for (int i = 1; i <= natts; i++)
		TupleDescCopyEntry(desc, i, difference->desc, i);
	bulk_sync_init_entry(difference->plan, desc, natts + 1, RECORDOID, -1, InvalidOid);
	return desc;
}

/* Prepares to collect rows, in the current memory context */
void
bulk_sync_written_begin(BulkSyncApply *state)
{
	BulkSyncWritten *written = state->written;

	if (written == NULL)
		return;
	written->desc = written_desc(state->difference);
	written->new_row = state->difference->desc->natts + 1;
	bulk_sync_init_row_set(&written->deletes, written->desc);
	bulk_sync_init_row_set(&written->updates, written->desc);
	bulk_sync_init_row_set(&written->inserts, written->desc);
}

/* Reads the rows to be inserted in step with the statement that inserts them */
void
bulk_sync_collect_inserts(BulkSyncApply *state)
{
	BulkSyncRowSet *set = &state->difference->inserts;

	Assert(set->ordered);
	state->source_store = set->store;
	state->source_pointer = tuplestore_alloc_read_pointer(set->store, EXEC_FLAG_REWIND);
	tuplestore_select_read_pointer(set->store, state->source_pointer);
	tuplestore_rescan(set->store);
	state->next_source = MakeSingleTupleTableSlot(set->desc, &TTSOpsMinimalTuple);
}

/* The difference row of a row that was inserted */
static TupleTableSlot *
inserted_source(BulkSyncApply *state)
{
	MemoryContext oldcontext;

	if (state->source != NULL)
		return state->source;
	tuplestore_select_read_pointer(state->source_store, state->source_pointer);
	/* A row that comes from disk must live as long as its slot holds it */
	oldcontext = MemoryContextSwitchTo(state->next_source->tts_mcxt);
	if (!tuplestore_gettupleslot(state->source_store, true, false, state->next_source))
		elog(ERROR, "more rows were inserted than planned");
	MemoryContextSwitchTo(oldcontext);
	slot_getallattrs(state->next_source);
	return state->next_source;
}

/* The columns that are read, as a record */
static Datum
new_row(const BulkSyncDifference *difference, Datum *values, bool *isnull)
{
	return HeapTupleGetDatum(heap_form_tuple(difference->row_desc, values, isnull));
}

/* Keeps a row as RETURNING gives it: see append_returning() in deparse.c */
void
bulk_sync_collect_written(BulkSyncApply *state, TupleTableSlot *slot)
{
	BulkSyncDifference *difference = state->difference;
	int			natts = difference->desc->natts;
	int			address = RETURNED_FIXED + state->plan->nread;
	BulkSyncRowSet *set = state->collected;
	MemoryContext oldcontext = MemoryContextSwitchTo(difference->row_context);
	Datum	   *values = palloc(set->desc->natts * sizeof(Datum));
	bool	   *isnull = palloc(set->desc->natts * sizeof(bool));

	if (set == &state->written->inserts)
	{
		TupleTableSlot *source = inserted_source(state);

		memcpy(values, source->tts_values, natts * sizeof(Datum));
		memcpy(isnull, source->tts_isnull, natts * sizeof(bool));
	}
	else
		bulk_sync_deform_record(slot->tts_values[address + 2], difference->desc, values,
								isnull);
	values[BULK_SYNC_DIFF_TABLEOID - 1] = slot->tts_values[address];
	isnull[BULK_SYNC_DIFF_TABLEOID - 1] = slot->tts_isnull[address];
	values[BULK_SYNC_DIFF_CTID - 1] = slot->tts_values[address + 1];
	isnull[BULK_SYNC_DIFF_CTID - 1] = slot->tts_isnull[address + 1];
	values[natts] = new_row(difference, slot->tts_values + RETURNED_FIXED,
							slot->tts_isnull + RETURNED_FIXED);
	isnull[natts] = false;

	tuplestore_putvalues(set->store, set->desc, values, isnull);
	set->rows++;
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(difference->row_context);
}

/*-------------------------------------------------------------------------
 * Reading rows again
 *-------------------------------------------------------------------------
 */
typedef struct ReadAgain
{
	BulkSyncDifference *difference;
	BulkSyncRowSet *set;
	Tuplestorestate *store;
} ReadAgain;

/* A written row, the address at which it was found, and its columns there */
static void
receive_again(TupleTableSlot *slot, void *arg)
{
	ReadAgain  *context = (ReadAgain *) arg;
	BulkSyncDifference *difference = context->difference;
	int			natts = context->set->desc->natts;
	MemoryContext oldcontext;
	Datum	   *values;
	bool	   *isnull;

	/* The caller may not see it; or else it is gone or has moved, and is
	 * returned as it was written */
	if (slot->tts_isnull[1] && difference->plan->row_security)
		return;
	oldcontext = MemoryContextSwitchTo(difference->row_context);
	values = palloc(natts * sizeof(Datum));
	isnull = palloc(natts * sizeof(bool));
	bulk_sync_deform_record(slot->tts_values[0], context->set->desc, values, isnull);
	if (!slot->tts_isnull[1])
		values[natts - 1] = new_row(difference, slot->tts_values + 2, slot->tts_isnull + 2);
	tuplestore_putvalues(context->store, context->set->desc, values, isnull);
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(difference->row_context);
}

static void
read_again(BulkSyncApply *state, BulkSyncRowSet *set)
{
	const BulkSyncPlan *plan = state->plan;
	ReadAgain	context = {state->difference, set, NULL};
	QueryEnvironment *env;
	BulkSyncStatement *statement;

	if (set->rows == 0)
		return;
	bulk_sync_difference_readdress(state->difference, set, bulk_sync_readdress_row);
	context.store = bulk_sync_begin_row_store();
	env = bulk_sync_row_environment(state->rows_name, set->desc, set->store, set->rows);
	statement = bulk_sync_prepare(bulk_sync_deparse_written_rows(plan), NULL, 0, env,
								  plan->target, NULL, plan->single_table);
	PushActiveSnapshot(GetTransactionSnapshot());
	bulk_sync_run(statement, NULL, false, receive_again, &context);
	PopActiveSnapshot();
	tuplestore_end(set->store);
	set->store = context.store;
}

/* All triggers have fired: what was written stays as it is now */
void
bulk_sync_written_finish(BulkSyncApply *state)
{
	if (state->next_source != NULL)
		ExecDropSingleTupleTableSlot(state->next_source);
	if (state->written == NULL || !state->plan->read_again)
		return;
	read_again(state, &state->written->updates);
	read_again(state, &state->written->inserts);
}

void
bulk_sync_written_free(BulkSyncWritten *written)
{
	tuplestore_end(written->deletes.store);
	tuplestore_end(written->updates.store);
	tuplestore_end(written->inserts.store);
}
