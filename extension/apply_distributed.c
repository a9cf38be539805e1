/*-------------------------------------------------------------------------
 *
 * apply_distributed.c
 *	  Writes the difference to a distributed table: deletes, then updates, then
 *	  inserts, each in statements that all shards carry out at the same time.
 *
 * Rows cannot be locked beforehand: Citus has no SELECT ... FOR UPDATE over
 * several shards.  So each statement writes only rows that are still what was
 * read, and their number tells whether somebody came in between.  Then all of
 * it is rolled back to where the writing began, and matched again.
 *
 *-------------------------------------------------------------------------
 */
#include "apply.h"

#include "access/xact.h"
#include "nodes/nodeFuncs.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "ship.h"

typedef struct Writing
{
	BulkSyncApply state;
	bool		inserting;
	bool		for_error;		/* once more, for the error that it was */
	int64		deleted;
	int64		updated;
	int64		inserted;
} Writing;

/* Sends the rows on their way by which target rows are to be found */
static BulkSyncShipment *
ship_to_find(BulkSyncApply *state, const BulkSyncRowSet *set, BulkSyncShipmentKind kind)
{
	BulkSyncDistribution *distribution = state->plan->distribution;
	BulkSyncShipment *shipment;

	distribution->by_address = distribution->has_addresses &&
		bulk_sync_is_worth_a_table(state->plan, set);
	shipment = bulk_sync_begin_shipment(state->difference, set, kind);
	if (!bulk_sync_ship_to_table(shipment) && distribution->by_address)
	{
		bulk_sync_end_shipment(shipment);
		distribution->by_address = false;
		shipment = bulk_sync_begin_shipment(state->difference, set, kind);
	}
	return shipment;
}

/* Runs a statement over all rows of a shipment; returns the number of rows written */
static int64
run_shipped(BulkSyncApply *state, BulkSyncShipment *shipment, const char *sql,
			const char *null_keys_sql, bool returning)
{
	int64		before = state->returned;
	int64		processed = 0;

	while (bulk_sync_next_load(shipment))
	{
		for (int null_keys = 0; null_keys <= (null_keys_sql != NULL ? 1 : 0); null_keys++)
			processed += bulk_sync_run_shipped(shipment, null_keys ? null_keys_sql : sql,
											   returning ? bulk_sync_receive_written : NULL,
											   state);
	}
	bulk_sync_end_shipment(shipment);
	/* Citus counts rows that ON CONFLICT passed over */
	return returning ? state->returned - before : processed;
}

/* Are rows with a NULL in the key to be found by it? */
static bool
finds_null_keys(const BulkSyncPlan *plan, const BulkSyncRowSet *set)
{
	return set->nulls_in_key && !plan->distribution->by_address;
}

static bool
write_deletes(Writing *writing)
{
	BulkSyncApply *state = &writing->state;
	const BulkSyncPlan *plan = state->plan;
	const BulkSyncRowSet *set = &state->difference->deletes;
	BulkSyncShipment *shipment;

	if (set->rows == 0)
		return true;
	shipment = ship_to_find(state, set, BULK_SYNC_SHIP_OLD);
	writing->deleted = run_shipped(state, shipment, bulk_sync_deparse_delete(plan, false, false),
								   finds_null_keys(plan, set) ?
								   bulk_sync_deparse_delete(plan, true, false) : NULL, false);
	return writing->deleted == set->rows;
}

static bool
write_updates(Writing *writing)
{
	BulkSyncApply *state = &writing->state;
	const BulkSyncPlan *plan = state->plan;
	BulkSyncDifference *difference = state->difference;
	const BulkSyncRowSet *set = &difference->updates;
	bool		returning = plan->check_update_scope;
	BulkSyncShipment *shipment;
	int64		written;

	if (set->rows == 0)
		return true;
	state->check_scope = plan->check_update_scope;
	state->is_update = true;
	shipment = ship_to_find(state, set, BULK_SYNC_SHIP_CHANGES);
	written = run_shipped(state, shipment,
						  bulk_sync_deparse_update(plan, difference, BULK_SYNC_UPDATE_ALL, false,
												   returning),
						  finds_null_keys(plan, set) ?
						  bulk_sync_deparse_update(plan, difference, BULK_SYNC_UPDATE_ALL, true,
												   returning) : NULL, returning);
	writing->deleted += set->marks;
	writing->updated = set->rows - set->marks;
	return written == set->rows;
}

static void
receive_nothing(TupleTableSlot *slot, void *arg)
{
	(void) slot;
	(*(int64 *) arg)++;
}

/* New rows that lie beside the target, and have not come here */
static bool
write_inserts_on_shards(Writing *writing)
{
	const BulkSyncPlan *plan = writing->state.plan;
	int64		planned = writing->state.difference->planned_inserts;
	int64		returned = 0;

	if (planned == 0)
		return true;
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	writing->inserted = bulk_sync_run_on_shards(plan, bulk_sync_deparse_insert_new(plan),
												plan->options->ignore_conflicts ?
												receive_nothing : NULL, &returned);
	PopActiveSnapshot();
	if (plan->options->ignore_conflicts)
		writing->inserted = returned;
	/* A key that came or went meanwhile */
	return plan->options->ignore_conflicts || writing->inserted == planned;
}

static bool
write_inserts(Writing *writing)
{
	BulkSyncApply *state = &writing->state;
	const BulkSyncPlan *plan = state->plan;
	const BulkSyncRowSet *set = &state->difference->inserts;
	bool		returning = plan->check_insert_scope || plan->options->ignore_conflicts ||
		writing->for_error;

	if (state->difference->new_on_shards)
		return write_inserts_on_shards(writing);
	if (set->rows == 0)
		return true;
	writing->inserting = true;
	state->check_scope = plan->check_insert_scope;
	state->is_update = false;
	writing->inserted = run_shipped(state,
									bulk_sync_begin_shipment(state->difference, set,
															 BULK_SYNC_SHIP_NEW),
									bulk_sync_deparse_insert(plan, state->difference, returning),
									NULL, returning);
	return true;
}

static bool
write_difference(void *arg)
{
	Writing    *writing = (Writing *) arg;
	bool		done;

	done = write_deletes(writing);
	bulk_sync_phase_done("deletes");
	done = done && write_updates(writing);
	bulk_sync_phase_done("updates");
	done = done && write_inserts(writing);
	bulk_sync_phase_done("inserts");
	return done;
}

/*
 * Writes in a subtransaction.  Returns false, with nothing written, if that has
 * to be done again: a row is no longer what was read, or the error has no code.
 */
static bool
try_to_write(Writing *writing)
{
	const BulkSyncPlan *plan = writing->state.plan;
	BulkSyncDifference *difference = writing->state.difference;
	MemoryContext context = CurrentMemoryContext;
	volatile bool done = false;

	writing->deleted = writing->updated = writing->inserted = 0;
	writing->inserting = false;
	PG_TRY();
	{
		done = bulk_sync_attempt(write_difference, writing);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();

		/*
		 * New rows are copied to their shards, and of what goes wrong there
		 * Citus hands on the words alone.  INSERT ... RETURNING goes another way.
		 */
		if (error->sqlerrcode == ERRCODE_INTERNAL_ERROR && writing->inserting &&
			!writing->for_error)
			writing->for_error = true;
		else
		{
			if (error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION && plan->matching &&
				!plan->options->ignore_conflicts && difference->planned_inserts > 0)
				bulk_sync_check_concurrent_insert(&writing->state);
			ReThrowError(error);
		}
	}
	PG_END_TRY();
	return done;
}

/*
 * Writes the difference and counts what was written.  Returns false, with
 * nothing written, if a row is no longer what was read.
 */
bool
bulk_sync_apply_distributed(const BulkSyncPlan *plan, BulkSyncDifference *difference,
							BulkSyncCounts *counts)
{
	Writing		writing;
	bool		done;

	memset(&writing, 0, sizeof(writing));
	writing.state.plan = plan;
	writing.state.difference = difference;
	done = try_to_write(&writing);
	if (!done && writing.for_error)
		done = try_to_write(&writing);
	if (!done)
	{
		if (IsolationUsesXactSnapshot())
			bulk_sync_serialization_error();

		/*
		 * Any update of a row changes its address, even one of a column that is
		 * not synced; beside busy writers no round would find all rows where it
		 * read them.  By key the row is the same, as long as what was read is.
		 */
		plan->distribution->has_addresses = false;
		return false;
	}
	counts->deleted = writing.deleted;
	counts->updated = writing.updated;
	counts->inserted = writing.inserted;
	counts->skipped += difference->planned_inserts - writing.inserted;
	return true;
}
