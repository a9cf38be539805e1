/*-------------------------------------------------------------------------
 *
 * apply_rows.c
 *	  Runs a statement over the rows of a difference set: over all of them at
 *	  once, or one by one where a row may have moved on by its turn.
 *
 *-------------------------------------------------------------------------
 */
#include "apply.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* Plans a statement of a phase; see bulk_sync_prepare() for "assigned" */
BulkSyncStatement *
bulk_sync_prepare_phase(BulkSyncApply *state, const char *sql, const BulkSyncRowSet *set,
						Bitmapset *assigned)
{
	const BulkSyncPlan *plan = state->plan;
	QueryEnvironment *env = bulk_sync_row_environment(state->rows_name, set->desc, set->store,
													  plan->row_at_a_time ? 1 : set->rows);
	BulkSyncStatement *statement;

	statement = bulk_sync_prepare(sql, NULL, 0, env, plan->target, assigned,
								  (plan->single_table && !plan->address_by_key ?
								   BULK_SYNC_BY_ADDRESS : 0) |
								  (plan->inserts_unseen ? BULK_SYNC_UNSEEN : 0));
	/* A view is written by what its rules put in its place, a table is not */
	if (plan->target->rd_rel->relkind != RELKIND_VIEW)
		statement->counted_relid = RelationGetRelid(plan->target);
	return statement;
}

/* Runs a statement over all rows; returns the number of rows written */
uint64
bulk_sync_run_phase(BulkSyncApply *state, BulkSyncStatement *statement, bool returning)
{
	uint64		processed;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	processed = bulk_sync_run(statement, NULL, true, returning ? bulk_sync_receive_written : NULL, state);
	PopActiveSnapshot();
	return processed;
}

typedef enum RowFate
{
	ROW_SAME,					/* still the version that was planned for */
	ROW_CHANGED,				/* another version has taken its place */
	ROW_GONE
} RowFate;

/* Follows a row to its present version */
static RowFate
follow_row(Oid tableoid, ItemPointer tid)
{
	Relation	rel = table_open(tableoid, NoLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan;
	ItemPointerData present = *tid;
	RowFate		fate = ROW_CHANGED;

	PushActiveSnapshot(GetTransactionSnapshot());
	scan = table_beginscan_tid(rel, GetActiveSnapshot());
	table_tuple_get_latest_tid(scan, &present);
	table_endscan(scan);
	if (ItemPointerEquals(&present, tid))
		fate = table_tuple_fetch_row_version(rel, tid, GetActiveSnapshot(), slot) ?
			ROW_SAME : ROW_GONE;
	PopActiveSnapshot();
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	*tid = present;
	return fate;
}

/* Follows a row to its present version; false if it is gone */
bool
bulk_sync_find_version(Oid tableoid, ItemPointer tid)
{
	return follow_row(tableoid, tid) != ROW_GONE;
}

/* Follows a row for bulk_sync_difference_readdress() */
void
bulk_sync_readdress_row(Oid tableoid, ItemPointer tid)
{
	(void) follow_row(tableoid, tid);
}

/*
 * Did an UPDATE move the row to another partition?  The last version of a row
 * in a heap says so.
 */
bool
bulk_sync_row_has_moved(Oid tableoid, ItemPointer tid)
{
	Relation	rel = table_open(tableoid, NoLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	ItemPointerData version = *tid;
	bool		moved = false;

	while (TTS_IS_BUFFERTUPLE(slot) && !moved &&
		   table_tuple_fetch_row_version(rel, &version, SnapshotAny, slot))
	{
		HeapTupleHeader header;

		CHECK_FOR_INTERRUPTS();
		header = ((BufferHeapTupleTableSlot *) slot)->base.tuple->t_data;

		moved = HeapTupleHeaderIndicatesMovedPartitions(header);
		/* Versions of this call alone are followed: nobody removes those */
		if (moved || ItemPointerEquals(&header->t_ctid, &version) ||
			!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmin(header)))
			break;
		version = header->t_ctid;
	}
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	return moved;
}

typedef struct MovedContext
{
	bool		found;
	Oid			tableoid;
	ItemPointerData tid;
} MovedContext;

static void
receive_moved(TupleTableSlot *slot, void *arg)
{
	MovedContext *context = (MovedContext *) arg;

	if (!TransactionIdIsCurrentTransactionId(DatumGetTransactionId(slot->tts_values[2])))
		return;
	context->found = true;
	context->tableoid = DatumGetObjectId(slot->tts_values[0]);
	context->tid = *(ItemPointer) DatumGetPointer(slot->tts_values[1]);
}

/*
 * Finds a row that a trigger of this call moved to another partition: no
 * chain of versions leads there, but it has its key and was written by us.
 */
static bool
find_moved_row(BulkSyncApply *state, const BulkSyncRowSet *set, Datum *values, bool *isnull,
			   MovedContext *context)
{
	Tuplestorestate *store = tuplestore_begin_heap(false, false, 64);
	QueryEnvironment *env = bulk_sync_row_environment(state->rows_name, set->desc, store, 1);
	BulkSyncStatement *statement;

	tuplestore_set_eflags(store, EXEC_FLAG_REWIND);
	tuplestore_putvalues(store, set->desc, values, isnull);
	statement = bulk_sync_prepare(bulk_sync_deparse_find_moved(state->plan), NULL, 0, env,
								  state->plan->target, NULL, 0);
	context->found = false;
	PushActiveSnapshot(GetTransactionSnapshot());
	bulk_sync_run(statement, NULL, false, receive_moved, context);
	PopActiveSnapshot();
	tuplestore_end(store);
	return context->found;
}

/* Runs a statement for a single difference row */
uint64
bulk_sync_run_for_row(BulkSyncApply *state, BulkSyncStatement *statement,
					  const BulkSyncRowSet *set, Datum *values, bool *isnull, bool returning)
{
	EphemeralNamedRelation enr = get_ENR(statement->env, state->rows_name);
	Tuplestorestate *store = tuplestore_begin_heap(false, false, 64);
	uint64		processed;

	tuplestore_set_eflags(store, EXEC_FLAG_REWIND);
	if (values != NULL)
		tuplestore_putvalues(store, set->desc, values, isnull);
	enr->reldata = store;
	processed = bulk_sync_run_phase(state, statement, returning);
	tuplestore_end(store);
	return processed;
}

/*
 * A row that was not written: if it has another version or another place by
 * now, it is written there; if not, something suppressed it, or it is gone.
 */
static uint64
run_for_changed_row(BulkSyncApply *state, BulkSyncStatement *statement, const BulkSyncRowSet *set,
					TupleTableSlot *slot, bool returning)
{
	Datum	   *values = slot->tts_values;
	Oid			tableoid = DatumGetObjectId(values[BULK_SYNC_DIFF_TABLEOID - 1]);
	ItemPointerData tid = *(ItemPointer) DatumGetPointer(values[BULK_SYNC_DIFF_CTID - 1]);
	MovedContext moved;

	CommandCounterIncrement();
	switch (follow_row(tableoid, &tid))
	{
		case ROW_SAME:
			return 0;
		case ROW_CHANGED:
			values[BULK_SYNC_DIFF_CTID - 1] = PointerGetDatum(&tid);
			break;
		case ROW_GONE:
			if (!state->plan->move_chased ||
				!find_moved_row(state, set, values, slot->tts_isnull, &moved))
				return 0;
			values[BULK_SYNC_DIFF_TABLEOID - 1] = ObjectIdGetDatum(moved.tableoid);
			values[BULK_SYNC_DIFF_CTID - 1] = PointerGetDatum(&moved.tid);
			break;
	}
	return bulk_sync_run_for_row(state, statement, set, values, slot->tts_isnull, returning);
}

/*
 * Writes rows one by one.  With "follow", each is found in the version that it
 * has by its turn: a BEFORE trigger may have changed it.
 */
uint64
bulk_sync_run_row_by_row(BulkSyncApply *state, BulkSyncStatement *statement,
						 const BulkSyncRowSet *set, bool returning, bool follow)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(set->desc, &TTSOpsMinimalTuple);
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "bulk_sync row",
													  ALLOCSET_DEFAULT_SIZES);
	uint64		processed = 0;

	/* Without a row: BEFORE STATEMENT triggers have their say first */
	(void) bulk_sync_run_for_row(state, statement, set, NULL, NULL, returning);

	tuplestore_select_read_pointer(set->store, 0);
	tuplestore_rescan(set->store);
	while (tuplestore_gettupleslot(set->store, true, false, slot))
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(row_context);
		uint64		written;

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(slot);
		state->source = slot;
		state->source_written = false;
		written = bulk_sync_run_for_row(state, statement, set, slot->tts_values, slot->tts_isnull,
							  returning);
		if (written == 0 && follow)
			written = run_for_changed_row(state, statement, set, slot, returning);
		processed += written;
		MemoryContextSwitchTo(oldcontext);
		MemoryContextReset(row_context);
	}
	state->source = NULL;
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextDelete(row_context);
	return processed;
}
