/*-------------------------------------------------------------------------
 *
 * policies.c
 *	  Row-level security: which planned rows may the caller see but not write?
 *
 * UPDATE and DELETE would pass over them by themselves.  They are taken out of
 * the difference before the guards look at it and before a dry run reports it,
 * so that both speak of what would really be done.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "executor/executor.h"
#include "utils/memutils.h"

typedef struct WritableRows
{
	BulkSyncRowSet *set;
	Tuplestorestate *store;
	int64		rows;
	int64		marks;
} WritableRows;

static void
receive_writable(TupleTableSlot *slot, void *arg)
{
	WritableRows *writable = (WritableRows *) arg;

	tuplestore_putvalues(writable->store, writable->set->desc, slot->tts_values,
						 slot->tts_isnull);
	writable->rows++;
	if (DatumGetBool(slot->tts_values[BULK_SYNC_DIFF_MARK - 1]))
		writable->marks++;
}

/* Leaves the rows that the policies for a command let through */
static void
keep_writable_rows(const BulkSyncPlan *plan, BulkSyncDifference *difference, BulkSyncRowSet *set,
				   CmdType command)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(difference->context);
	QueryEnvironment *env = bulk_sync_row_environment(psprintf("%srows", plan->prefix),
													  set->desc, set->store, set->rows);
	WritableRows writable = {set, bulk_sync_begin_row_store(), 0, 0};
	BulkSyncStatement *statement;

	statement = bulk_sync_prepare_writable(bulk_sync_deparse_writable(plan, set->desc), env,
										   plan->target, command);
	bulk_sync_run(statement, NULL, false, receive_writable, &writable);
	tuplestore_end(set->store);
	set->store = writable.store;
	set->rows = writable.rows;
	set->marks = writable.marks;
	set->ordered = false;
	MemoryContextSwitchTo(oldcontext);
}

/* Takes out of the difference what no policy lets the caller write */
void
bulk_sync_apply_policies(const BulkSyncPlan *plan, BulkSyncDifference *difference)
{
	BulkSyncRowSet *updates = &difference->updates;
	int64		changes;

	if (!plan->row_security || plan->address_by_key)
		return;
	if (difference->deletes.rows > 0)
	{
		keep_writable_rows(plan, difference, &difference->deletes, CMD_DELETE);
		difference->planned_deletes = difference->deletes.rows;
	}
	if (updates->rows > 0)
	{
		changes = updates->rows - updates->marks;
		keep_writable_rows(plan, difference, updates, CMD_UPDATE);
		if (plan->soft_attno != InvalidAttrNumber)
			difference->planned_deletes = updates->marks;
		difference->planned_updates = updates->rows - updates->marks;
		difference->skipped += changes - difference->planned_updates;
	}
}
