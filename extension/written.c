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

#include <limits.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* In a RETURNING list: the mark, the columns read, then the rest */
#define RETURNED_FIXED 1

static TupleDesc
written_desc(const BulkSyncDifference *difference)
{
	const BulkSyncPlan *plan = difference->plan;
	int			natts = difference->desc->natts;
	TupleDesc	desc = CreateTemplateTupleDesc(natts + 1 + plan->nlookup);

	for (int i = 1; i <= natts; i++)
		TupleDescCopyEntry(desc, i, difference->desc, i);
	bulk_sync_init_entry(plan, desc, natts + 1, RECORDOID, -1, InvalidOid);
	for (int i = 0; i < plan->nlookup; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(plan->read_desc, plan->lookup[i]);

		bulk_sync_init_entry(plan, desc, natts + 2 + i, attr->atttypid, attr->atttypmod,
							 attr->attcollation);
	}
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

	if (state->source != NULL || set == &state->written->inserts)
	{
		TupleTableSlot *source = inserted_source(state);

		/* A rule may write several rows for one.  The flag is that of a source alone. */
		if (state->source != NULL && state->source_written)
		{
			MemoryContextSwitchTo(oldcontext);
			return;
		}
		state->source_written = (state->source != NULL);
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
	for (int i = 0; i < state->plan->nlookup; i++)
	{
		values[natts + 1 + i] = slot->tts_values[RETURNED_FIXED + state->plan->lookup[i]];
		isnull[natts + 1 + i] = slot->tts_isnull[RETURNED_FIXED + state->plan->lookup[i]];
	}

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
	BulkSyncApply *state;
	BulkSyncRowSet *set;
	Tuplestorestate *found;		/* the rows as they are now */
	Tuplestorestate *lost;		/* those that are no longer where they were */

	/* By key: the row that was found last, until it is known to be the only one */
	bool		holds;
	int64		position;
	Datum		written;
	Datum		row;
	MemoryContext held_context;
	Bitmapset  *positions;		/* of the rows found */
} ReadAgain;

/* Keeps a written row, with another new row unless that is NULL */
static void
keep_row(ReadAgain *context, Tuplestorestate *store, Datum written, Datum *row)
{
	BulkSyncDifference *difference = context->state->difference;
	int			natts = context->set->desc->natts;
	MemoryContext oldcontext = MemoryContextSwitchTo(difference->row_context);
	Datum	   *values = palloc(natts * sizeof(Datum));
	bool	   *isnull = palloc(natts * sizeof(bool));

	bulk_sync_deform_record(written, context->set->desc, values, isnull);
	if (row != NULL)
		values[context->state->written->new_row - 1] = *row;
	tuplestore_putvalues(store, context->set->desc, values, isnull);
	MemoryContextSwitchTo(oldcontext);
}

/*
 * A row is not where it was written.  If it has moved to another partition it
 * is looked for; else it is gone, or the caller may not see it.
 */
static void
keep_lost_row(ReadAgain *context, Datum written)
{
	const BulkSyncPlan *plan = context->state->plan;
	Datum	   *values = palloc(context->set->desc->natts * sizeof(Datum));
	bool	   *isnull = palloc(context->set->desc->natts * sizeof(bool));

	bulk_sync_deform_record(written, context->set->desc, values, isnull);
	if (plan->target->rd_rel->relkind == RELKIND_PARTITIONED_TABLE && plan->nlookup > 0 &&
		bulk_sync_row_has_moved(DatumGetObjectId(values[BULK_SYNC_DIFF_TABLEOID - 1]),
								(ItemPointer) DatumGetPointer(values[BULK_SYNC_DIFF_CTID - 1])))
		keep_row(context, context->lost, written, NULL);
	else if (!plan->row_security)
		keep_row(context, context->found, written, NULL);
}

/* A written row, the address at which it was found, and its columns there */
static void
receive_by_address(TupleTableSlot *slot, void *arg)
{
	ReadAgain  *context = (ReadAgain *) arg;
	BulkSyncDifference *difference = context->state->difference;
	MemoryContext oldcontext = MemoryContextSwitchTo(difference->row_context);
	Datum		row;

	if (slot->tts_isnull[1])
		keep_lost_row(context, slot->tts_values[0]);
	else
	{
		row = new_row(difference, slot->tts_values + 2, slot->tts_isnull + 2);
		keep_row(context, context->found, slot->tts_values[0], &row);
	}
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(difference->row_context);
}

static BulkSyncStatement *
prepare_again(BulkSyncApply *state, const char *sql, BulkSyncRowSet *set, Tuplestorestate *store,
			  const Oid *types, int ntypes, int flags)
{
	QueryEnvironment *env = bulk_sync_row_environment(state->rows_name, set->desc, store,
													  set->rows);

	return bulk_sync_prepare(sql, types, ntypes, env, state->plan->target, NULL, flags);
}

static void
read_by_address(ReadAgain *context)
{
	BulkSyncApply *state = context->state;
	BulkSyncRowSet *set = context->set;
	BulkSyncStatement *statement;

	bulk_sync_difference_readdress(state->difference, set, bulk_sync_readdress_row);
	statement = prepare_again(state, bulk_sync_deparse_written_rows(state->plan), set, set->store,
							  NULL, 0, state->plan->single_table ? BULK_SYNC_BY_ADDRESS : 0);
	bulk_sync_run(statement, NULL, false, receive_by_address, context);
	tuplestore_end(set->store);
}

static int64
position_of(ReadAgain *context, Datum written)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(context->state->difference->row_context);
	int			natts = context->set->desc->natts;
	Datum	   *values = palloc(natts * sizeof(Datum));
	bool	   *isnull = palloc(natts * sizeof(bool));

	bulk_sync_deform_record(written, context->set->desc, values, isnull);
	MemoryContextSwitchTo(oldcontext);
	return DatumGetInt64(values[BULK_SYNC_DIFF_POSITION - 1]);
}

/* The row held is the only one of its key: that is what became of it */
static void
release_held(ReadAgain *context)
{
	MemoryContext oldcontext;

	if (!context->holds)
		return;
	keep_row(context, context->found, context->written, &context->row);
	oldcontext = MemoryContextSwitchTo(context->state->difference->context);
	context->positions = bms_add_member(context->positions, (int) context->position);
	MemoryContextSwitchTo(oldcontext);
	context->holds = false;
	MemoryContextReset(context->held_context);
}

/* A written row, the command that wrote a row of its key, and the columns there */
static void
receive_by_key(TupleTableSlot *slot, void *arg)
{
	ReadAgain  *context = (ReadAgain *) arg;
	BulkSyncApply *state = context->state;
	MemoryContext oldcontext;
	int64		position;

	/* It has moved; what was there before is another row */
	if (!slot->tts_isnull[1] &&
		(!TransactionIdIsCurrentTransactionId(DatumGetTransactionId(slot->tts_values[1])) ||
		 DatumGetCommandId(slot->tts_values[2]) < state->begin_command))
		return;

	/* The query knows the other scopes; with two rows of a key, it is the one in scope */
	if (state->difference->groups != NULL &&
		!bulk_sync_groups_contain(state->difference->groups, slot->tts_values + 3,
								  slot->tts_isnull + 3))
		return;

	position = position_of(context, slot->tts_values[0]);
	if (position <= 0 || position > INT_MAX)
		return;
	if (context->position == position)
		context->holds = false; /* which of them is it? */
	else
	{
		release_held(context);
		context->holds = true;
		oldcontext = MemoryContextSwitchTo(context->held_context);
		context->written = datumCopy(slot->tts_values[0], false, -1);
		context->row = new_row(state->difference, slot->tts_values + 3, slot->tts_isnull + 3);
		MemoryContextSwitchTo(oldcontext);
	}
	context->position = position;
	MemoryContextReset(state->difference->row_context);
}

/*
 * Looks for rows by what identifies them: a view has no addresses, and no
 * chain of versions leads to another partition.
 */
static void
read_by_key(ReadAgain *context, Tuplestorestate *store)
{
	BulkSyncApply *state = context->state;
	const BulkSyncPlan *plan = state->plan;
	Oid		   *types = palloc0(Max(plan->nscope_values, 1) * sizeof(Oid));
	ParamListInfo params = makeParamList(plan->nscope_values);
	BulkSyncStatement *statement;
	TupleTableSlot *slot;

	context->held_context = AllocSetContextCreate(CurrentMemoryContext, "bulk_sync held row",
												  ALLOCSET_SMALL_SIZES);
	bulk_sync_set_scope_params(plan, params, types);
	if (plan->nlookup > 0 && tuplestore_tuple_count(store) > 0)
	{
		statement = prepare_again(state,
								  bulk_sync_deparse_written_keys(plan,
																 state->written->new_row + 1),
								  context->set, store, types, plan->nscope_values, 0);
		bulk_sync_run(statement, params, false, receive_by_key, context);
		release_held(context);
	}

	/* The others are returned as they were written, if the caller may see them */
	slot = MakeSingleTupleTableSlot(context->set->desc, &TTSOpsMinimalTuple);
	tuplestore_select_read_pointer(store, 0);
	tuplestore_rescan(store);
	while (!plan->row_security && tuplestore_gettupleslot(store, true, false, slot))
	{
		int64		position;
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		position = DatumGetInt64(slot_getattr(slot, BULK_SYNC_DIFF_POSITION, &isnull));
		if (position < 0 || position > INT_MAX ||
			!bms_is_member((int) position, context->positions))
			tuplestore_puttupleslot(context->found, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(store);
}

static void
read_again(BulkSyncApply *state, BulkSyncRowSet *set)
{
	const BulkSyncPlan *plan = state->plan;
	bool		is_view = plan->target->rd_rel->relkind == RELKIND_VIEW;
	ReadAgain	context = {0};

	if (set->rows == 0 || (is_view && plan->nlookup == 0))
		return;
	context.state = state;
	context.set = set;
	context.found = bulk_sync_begin_row_store();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (is_view)
		read_by_key(&context, set->store);
	else
	{
		context.lost = bulk_sync_begin_row_store();
		read_by_address(&context);
		read_by_key(&context, context.lost);
	}
	PopActiveSnapshot();
	set->store = context.found;
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
