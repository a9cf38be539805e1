/*-------------------------------------------------------------------------
 *
 * lock.c
 *	  Is the difference still true?  Locks the planned rows before any of them
 *	  is written and finds those that another transaction changed meanwhile.
 *
 * Rows are locked in the order of their addresses, deletes and updates
 * together, so that two calls wait for each other and do not deadlock.  From
 * then on nobody but this call can change them.
 *
 *-------------------------------------------------------------------------
 */
#include "foreign.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

/* The rows of one set, one after the other */
typedef struct SetCursor
{
	const BulkSyncRowSet *set;
	TupleTableSlot *slot;
	bool		valid;
	Oid			tableoid;
	ItemPointerData tid;
} SetCursor;

void
bulk_sync_serialization_error(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent update"),
			 errdetail("Rows in the scope of the sync were changed by another transaction."),
			 errhint("Retry the transaction.")));
}

/*
 * The lock is the one that the DELETE or UPDATE of this row will take: an
 * update that leaves unique values alone lets new child rows refer to it.
 */
static LockTupleMode
lock_mode_of(const BulkSyncPlan *plan, const SetCursor *cursor, bool is_delete)
{
	if (is_delete || bulk_sync_get_bit(cursor->slot, BULK_SYNC_DIFF_TAKES,
									   BULK_SYNC_TAKES_UNIQUE(plan)))
		return LockTupleExclusive;
	return LockTupleNoKeyExclusive;
}

static void
advance(SetCursor *cursor)
{
	bool		isnull;

	cursor->valid = tuplestore_gettupleslot(cursor->set->store, true, false, cursor->slot);
	if (!cursor->valid)
		return;
	cursor->tableoid = DatumGetObjectId(slot_getattr(cursor->slot, BULK_SYNC_DIFF_TABLEOID,
													 &isnull));
	cursor->tid = *(ItemPointer) DatumGetPointer(slot_getattr(cursor->slot, BULK_SYNC_DIFF_CTID,
															  &isnull));
}

static void
open_cursor(SetCursor *cursor, const BulkSyncRowSet *set)
{
	cursor->set = set;
	cursor->slot = MakeSingleTupleTableSlot(set->desc, &TTSOpsMinimalTuple);
	tuplestore_select_read_pointer(set->store, 0);
	tuplestore_rescan(set->store);
	advance(cursor);
}

static bool
comes_first(const SetCursor *a, const SetCursor *b)
{
	if (!a->valid || !b->valid)
		return a->valid;
	if (a->tableoid != b->tableoid)
		return a->tableoid < b->tableoid;
	return ItemPointerCompare((ItemPointer) &a->tid, (ItemPointer) &b->tid) < 0;
}

/* Locks one row; false if it is no longer the version that was read */
static bool
lock_row(Relation rel, ItemPointer tid, LockTupleMode mode, TupleTableSlot *slot)
{
	TM_FailureData failure;
	TM_Result	result;

	result = table_tuple_lock(rel, tid, GetActiveSnapshot(), slot, GetCurrentCommandId(true),
							  mode, LockWaitBlock, 0, &failure);
	ExecClearTuple(slot);
	switch (result)
	{
		case TM_Ok:
			return true;
		case TM_SelfModified:
		case TM_Invisible:
			/* Nothing but a function in a condition of the caller can have done it */
			ereport(ERROR,
					(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
					 errmsg("row to be written was changed by an expression of the same call"),
					 errhint("Functions in \"scope\" and \"update_where\" must not modify the target.")));
			return false;
		case TM_Updated:
		case TM_Deleted:
			if (IsolationUsesXactSnapshot())
				bulk_sync_serialization_error();
			return false;
		default:
			elog(ERROR, "unrecognized table_tuple_lock status: %u", result);
	}
}

/*
 * Rows of another server, where calls that run side by side must wait for each
 * other in one order.  In other modes they follow each other; and whether a row is
 * still what was read, that server says as it is written.
 */
static bool
must_lock_remotely(const BulkSyncPlan *plan)
{
	return plan->remote && plan->options->lock_mode == RowExclusiveLock;
}

/* Locks the rows of one table on another server */
static void
lock_remote_table(const BulkSyncPlan *plan, const BulkSyncDifference *difference, Oid tableoid,
				  SetCursor *deletes, SetCursor *updates)
{
	Relation	rel = table_open(tableoid, RowExclusiveLock);
	BulkSyncRemote *remote = NULL;

	if (must_lock_remotely(plan))
		remote = bulk_sync_remote_begin(plan, difference, NULL, rel, BULK_SYNC_REMOTE_LOCK,
										false);
	while ((deletes->valid && deletes->tableoid == tableoid) ||
		   (updates->valid && updates->tableoid == tableoid))
	{
		SetCursor  *cursor = comes_first(deletes, updates) ? deletes : updates;

		CHECK_FOR_INTERRUPTS();
		if (remote != NULL)
			bulk_sync_remote_add(remote, cursor->slot);
		advance(cursor);
	}
	if (remote != NULL)
		(void) bulk_sync_remote_end(remote);
	table_close(rel, NoLock);
}

static bool
lock_addressed_rows(const BulkSyncPlan *plan, const BulkSyncDifference *difference)
{
	SetCursor	deletes;
	SetCursor	updates;
	Relation	rel = NULL;
	TupleTableSlot *slot = NULL;
	bool		current = true;

	open_cursor(&deletes, &difference->deletes);
	open_cursor(&updates, &difference->updates);
	while (deletes.valid || updates.valid)
	{
		bool		is_delete = comes_first(&deletes, &updates);
		SetCursor  *cursor = is_delete ? &deletes : &updates;

		CHECK_FOR_INTERRUPTS();
		if (bulk_sync_is_remote(plan, cursor->tableoid))
		{
			lock_remote_table(plan, difference, cursor->tableoid, &deletes, &updates);
			continue;
		}
		if (rel == NULL || RelationGetRelid(rel) != cursor->tableoid)
		{
			if (rel != NULL)
			{
				ExecDropSingleTupleTableSlot(slot);
				table_close(rel, NoLock);
			}
			/* Locked by the plan, with all of the tree; this lock is what DML takes */
			rel = table_open(cursor->tableoid, RowExclusiveLock);
			slot = table_slot_create(rel, NULL);
		}
		if (!BULK_SYNC_MUTANT(rows_not_locked) &&
			!lock_row(rel, &cursor->tid, lock_mode_of(plan, cursor, is_delete), slot))
			current = false;
		advance(cursor);
	}
	if (rel != NULL)
	{
		ExecDropSingleTupleTableSlot(slot);
		table_close(rel, NoLock);
	}
	ExecDropSingleTupleTableSlot(deletes.slot);
	ExecDropSingleTupleTableSlot(updates.slot);
	return current;
}

/*-------------------------------------------------------------------------
 * Views: the rows below them are found by key
 *-------------------------------------------------------------------------
 */
typedef struct CountContext
{
	MemoryContext context;		/* longer than that of one statement */
	Bitmapset  *seen;
} CountContext;

static void
receive_locked(TupleTableSlot *slot, void *arg)
{
	CountContext *context = (CountContext *) arg;
	int64		position = DatumGetInt64(slot->tts_values[0]);
	MemoryContext oldcontext = MemoryContextSwitchTo(context->context);

	context->seen = bms_add_member(context->seen,
								   (int) (position < 0 ? -position * 2 + 1 : position * 2));
	MemoryContextSwitchTo(oldcontext);
}

static int64
lock_by_key(const BulkSyncPlan *plan, const BulkSyncRowSet *set)
{
	char	   *name = psprintf("%srows", plan->prefix);
	CountContext context = {CurrentMemoryContext, NULL};

	for (int null_keys = 0; null_keys <= (set->nulls_in_key ? 1 : 0); null_keys++)
	{
		QueryEnvironment *env = bulk_sync_row_environment(name, set->desc, set->store, set->rows);
		BulkSyncStatement *statement;

		statement = bulk_sync_prepare(bulk_sync_deparse_lock(plan, bulk_sync_find(plan, null_keys)),
									  NULL, 0, env, plan->target, NULL, 0);
		bulk_sync_run(statement, NULL, false, receive_locked, &context);
	}
	return bms_num_members(context.seen);
}

/*
 * Locks all rows that are to be updated or deleted.  Returns false if one of
 * them is no longer what was read, so that rows must be matched again.  In a
 * transaction that works on one snapshot that is an error.
 */
bool
bulk_sync_lock_planned_rows(const BulkSyncPlan *plan, const BulkSyncDifference *difference)
{
	bool		current;

	PushActiveSnapshot(GetTransactionSnapshot());
	if (!plan->address_by_key)
		current = lock_addressed_rows(plan, difference);
	else
		current = lock_by_key(plan, &difference->deletes) == difference->deletes.rows &&
			lock_by_key(plan, &difference->updates) == difference->updates.rows;
	PopActiveSnapshot();
	if (BULK_SYNC_MUTANT(changed_row_accepted))
		current = true;
	if (!current && IsolationUsesXactSnapshot())
		bulk_sync_serialization_error();
	return current;
}
