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

#include "ship.h"

typedef struct Writing
{
	BulkSyncApply state;
	bool		inserting;
	bool		for_error;		/* once more, for the error that it was */
	BulkSyncShipment *deletes;	/* NULL: there are none */
	BulkSyncShipment *updates;
	int64		deleted;
	int64		updated;
	int64		inserted;
} Writing;

/*
 * Sends the rows on their way by which target rows are to be found.
 *
 * A table for them is made before the savepoint to which the writing goes back:
 * of a connection on which a statement failed Citus makes use again only behind
 * the savepoint that was set on it last.
 */
static BulkSyncShipment *
ship_to_find(BulkSyncApply *state, const BulkSyncRowSet *set, BulkSyncShipmentKind kind)
{
	BulkSyncShipment *shipment;
	bool		by_address;

	if (set->rows == 0 || state->difference->changes_table != NULL)
		return NULL;
	by_address = state->plan->distribution->has_addresses &&
		bulk_sync_is_worth_a_table(state->plan, set->rows);
	shipment = bulk_sync_begin_shipment(state->difference, set, kind, by_address);
	if (!bulk_sync_ship_to_table(shipment) && by_address)
	{
		bulk_sync_end_shipment(shipment);
		shipment = bulk_sync_begin_shipment(state->difference, set, kind, false);
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

	bulk_sync_rewind_shipment(shipment);
	while (bulk_sync_next_load(shipment))
	{
		for (int null_keys = 0; null_keys <= (null_keys_sql != NULL ? 1 : 0); null_keys++)
			processed += bulk_sync_run_shipped(shipment, null_keys ? null_keys_sql : sql,
											   returning ? bulk_sync_receive_written : NULL,
											   state);
	}
	/* Citus counts rows that ON CONFLICT passed over */
	return returning ? state->returned - before : processed;
}

/* Are rows with a NULL in the key to be found by it? */
static bool
finds_null_keys(const BulkSyncShipment *shipment, const BulkSyncRowSet *set)
{
	return set->nulls_in_key && bulk_sync_shipment_find(shipment) != BULK_SYNC_FIND_BY_ADDRESS;
}

static bool
write_deletes(Writing *writing)
{
	BulkSyncApply *state = &writing->state;
	const BulkSyncPlan *plan = state->plan;
	const BulkSyncRowSet *set = &state->difference->deletes;
	const char *sql;
	const char *null_keys_sql = NULL;

	if (writing->deletes == NULL)
		return true;
	sql = bulk_sync_deparse_delete(plan, bulk_sync_shipment_find(writing->deletes), false);
	if (finds_null_keys(writing->deletes, set))
		null_keys_sql = bulk_sync_deparse_delete(plan, BULK_SYNC_FIND_BY_NULL_KEY, false);
	writing->deleted = run_shipped(state, writing->deletes, sql, null_keys_sql, false);
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
	const char *sql;
	const char *null_keys_sql = NULL;
	int64		written;

	if (writing->updates == NULL)
		return true;
	state->check_scope = plan->check_update_scope;
	state->is_update = true;
	sql = bulk_sync_deparse_update(plan, difference, BULK_SYNC_UPDATE_ALL,
								   bulk_sync_shipment_find(writing->updates), returning);
	if (finds_null_keys(writing->updates, set))
		null_keys_sql = bulk_sync_deparse_update(plan, difference, BULK_SYNC_UPDATE_ALL,
												 BULK_SYNC_FIND_BY_NULL_KEY, returning);
	written = run_shipped(state, writing->updates, sql, null_keys_sql, returning);
	writing->deleted += set->marks;
	writing->updated = set->rows - set->marks;
	return written == set->rows;
}

static void
write_inserts(Writing *writing)
{
	BulkSyncApply *state = &writing->state;
	const BulkSyncPlan *plan = state->plan;
	const BulkSyncRowSet *set = &state->difference->inserts;
	bool		returning = plan->check_insert_scope || plan->options->ignore_conflicts ||
		writing->for_error;
	BulkSyncShipment *shipment;

	if (set->rows == 0)
		return;
	writing->inserting = true;
	state->check_scope = plan->check_insert_scope;
	state->is_update = false;
	shipment = bulk_sync_begin_shipment(state->difference, set, BULK_SYNC_SHIP_NEW, false);
	writing->inserted = run_shipped(state, shipment,
									bulk_sync_deparse_insert(plan, state->difference, returning),
									NULL, returning);
	bulk_sync_end_shipment(shipment);
}

/*-------------------------------------------------------------------------
 * Changes that are on their shards already (match_shards.c)
 *-------------------------------------------------------------------------
 */

/* Runs a statement over rows of their table; returns the number of rows written */
static int64
run_there(BulkSyncApply *state, const char *sql, bool returning)
{
	int64		before = state->returned;
	int64		processed;

	processed = bulk_sync_run_afresh(sql, 0, NULL, NULL, state->plan->target,
									 returning ? bulk_sync_receive_written : NULL, state);
	return returning ? state->returned - before : processed;
}

/* Deletes or updates; false if a row is no longer what was read */
static bool
write_there(Writing *writing, char kind)
{
	BulkSyncApply *state = &writing->state;
	BulkSyncDifference *difference = state->difference;
	bool		deletes = kind == BULK_SYNC_CHANGE_DELETE;
	int64		planned = deletes ? difference->planned_deletes : difference->planned_updates;
	int64	   *written = deletes ? &writing->deleted : &writing->updated;
	const char *sql;

	if (planned == 0)
		return true;
	sql = deletes ? bulk_sync_deparse_delete(state->plan, BULK_SYNC_FIND_BY_ADDRESS, false) :
		bulk_sync_deparse_update(state->plan, difference, BULK_SYNC_UPDATE_ALL,
								 BULK_SYNC_FIND_BY_ADDRESS, false);
	sql = bulk_sync_deparse_over_table(state->plan, difference->changes_table, kind, sql);
	*written = run_there(state, sql, false);
	return *written == planned;
}

static void
write_inserts_there(Writing *writing)
{
	BulkSyncApply *state = &writing->state;
	const BulkSyncPlan *plan = state->plan;
	bool		returning = plan->options->ignore_conflicts || writing->for_error;
	const char *sql;

	if (state->difference->planned_inserts == 0)
		return;
	writing->inserting = true;
	state->check_scope = false;
	state->is_update = false;
	sql = bulk_sync_deparse_insert_changes(plan, state->difference->changes_table, returning);
	writing->inserted = run_there(state, sql, returning);
}

static bool
write_difference(void *arg)
{
	Writing    *writing = (Writing *) arg;
	bool		there = writing->state.difference->changes_table != NULL;
	bool		found;

	found = there ? write_there(writing, BULK_SYNC_CHANGE_DELETE) : write_deletes(writing);
	bulk_sync_phase_done("deletes");
	if (!found)
		return false;
	found = there ? write_there(writing, BULK_SYNC_CHANGE_UPDATE) : write_updates(writing);
	bulk_sync_phase_done("updates");
	if (!found)
		return false;
	if (there)
		write_inserts_there(writing);
	else
		write_inserts(writing);
	bulk_sync_phase_done("inserts");
	return true;
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
	writing.deletes = ship_to_find(&writing.state, &difference->deletes, BULK_SYNC_SHIP_OLD);
	writing.updates = ship_to_find(&writing.state, &difference->updates, BULK_SYNC_SHIP_CHANGES);
	done = try_to_write(&writing);
	if (!done && writing.for_error)
		done = try_to_write(&writing);
	if (writing.deletes != NULL)
		bulk_sync_end_shipment(writing.deletes);
	if (writing.updates != NULL)
		bulk_sync_end_shipment(writing.updates);
	if (difference->changes_table != NULL)
		bulk_sync_drop_shard_table(difference->changes_table);
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
