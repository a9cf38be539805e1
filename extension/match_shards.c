/*-------------------------------------------------------------------------
 *
 * match_shards.c
 *	  Matches on the shards, where the staged rows lie beside those of the
 *	  target: a staged table that is distributed as the target is.
 *
 * Each shard joins its rows, all at the same time.  What comes here are the
 * pairs that differ in some column, and the rows that have no partner; what is
 * to be done about them is decided as ever, in match.c.  Rows that are equal
 * stay where they are, and, where nothing but their being new decides, so do
 * new ones.  Where nothing is to be decided at all, because all that differ are
 * updated in all columns, even those stay, in a table beside the target, and
 * what comes here are their numbers.
 *
 *-------------------------------------------------------------------------
 */
#include "match.h"
#include "ship.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/*
 * Inserting new rows where they lie takes one more join; sending a few of them
 * here and back is cheaper.  Which part of the staged rows is many?
 */
#define MANY_NEW_ROWS	0.25

/* Of so many staged rows the changes may be worth a table before they are known */
#define MIN_ROWS_FOR_CHANGES	100000

typedef struct ShardMatch
{
	BulkSyncMatch *match;
	int64		received;
	int64		differing;		/* pairs */
	int64		new_rows;
	Datum	   *values;			/* of the staged row */
	bool	   *isnull;
} ShardMatch;

/* A key that occurs more than once */
static void
receive_duplicate(TupleTableSlot *slot, void *arg)
{
	BulkSyncDifference *difference = ((ShardMatch *) arg)->match->difference;

	if (difference->nduplicate_keys < (int) lengthof(difference->duplicate_keys))
		difference->duplicate_keys[difference->nduplicate_keys] =
			MemoryContextStrdup(difference->context,
								bulk_sync_describe_key(difference->plan, slot->tts_values,
													   slot->tts_isnull));
	difference->nduplicate_keys++;
}

/*
 * A pair, or a row without a partner: is there a staged row, is there a target
 * row, then the columns of the one, and address and columns of the other.
 */
static void
receive_pair(TupleTableSlot *slot, void *arg)
{
	ShardMatch *state = (ShardMatch *) arg;
	BulkSyncMatch *match = state->match;
	const BulkSyncPlan *plan = match->plan;
	bool		is_staged = DatumGetBool(slot->tts_values[0]);
	bool		is_target = DatumGetBool(slot->tts_values[1]);
	MemoryContext oldcontext = MemoryContextSwitchTo(match->row_context);
	BulkSyncTargetRow row;
	BulkSyncStagedRow wanted;
	int			next = 2;

	CHECK_FOR_INTERRUPTS();
	for (int i = 0; i < plan->ncolumns; i++)
	{
		const BulkSyncColumn *column = &plan->columns[i];
		bool		supplied = column->staged_attno == InvalidAttrNumber;

		state->values[i] = supplied ? column->supplied : slot->tts_values[next];
		state->isnull[i] = supplied ? column->supplied_isnull : slot->tts_isnull[next];
		if (!supplied)
			next++;
	}
	wanted.values = state->values;
	wanted.isnull = state->isnull;
	wanted.stored = NULL;
	ItemPointerSetInvalid(&row.tid);
	row.tableoid = InvalidOid;
	row.written = 0;
	if (is_target && bulk_sync_shards_have_addresses(plan))
	{
		row.tableoid = DatumGetObjectId(slot->tts_values[next]);
		row.tid = *(ItemPointer) DatumGetPointer(slot->tts_values[next + 1]);
		row.written = DatumGetTransactionId(slot->tts_values[next + 2]);
	}
	if (bulk_sync_shards_have_addresses(plan))
		next += 3;
	row.values = slot->tts_values + next;
	row.isnull = slot->tts_isnull + next;

	wanted.position = ++state->received;
	if (!is_staged)
		bulk_sync_match_row(match, NULL, &row);
	else if (is_target)
	{
		state->differing++;
		bulk_sync_match_pair(match, &row, &wanted);
	}
	else
	{
		state->new_rows++;
		bulk_sync_match_new(match, &wanted);
	}
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(match->row_context);
}

/* Deletes and updates, of the table of changes */
static void
receive_changes(TupleTableSlot *slot, void *arg)
{
	BulkSyncDifference *difference = (BulkSyncDifference *) arg;

	difference->planned_deletes = DatumGetInt64(slot->tts_values[0]);
	difference->planned_updates = DatumGetInt64(slot->tts_values[1]);
	difference->deletes.rows = difference->planned_deletes;
	difference->updates.rows = difference->planned_updates;
}

/* Finds what differs without bringing it here; false if that cannot be */
static bool
match_there(ShardMatch *state)
{
	const BulkSyncPlan *plan = state->match->plan;
	BulkSyncDifference *difference = state->match->difference;
	bool		forced = bulk_sync_applier == BULK_SYNC_APPLIER_DIRECT;
	int64		matched;

	if (!plan->distribution->changes_may_stay || !plan->distribution->has_addresses ||
		!bulk_sync_is_worth_a_table(plan, difference->staged_rows) ||
		(difference->staged_rows < MIN_ROWS_FOR_CHANGES && !forced) ||
		!bulk_sync_make_changes_table(difference))
		return false;
	/* Some of its rows may have been written by this node itself */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	bulk_sync_run_on_shards(plan, bulk_sync_deparse_count_changes(plan, difference->changes_table),
							receive_changes, difference);
	PopActiveSnapshot();
	state->differing = difference->planned_updates;

	/* A target row has a partner unless it is to be deleted; of those that are not, who knows */
	matched = difference->rows_in_scope - difference->planned_deletes;
	state->new_rows = plan->options->delete ? difference->staged_rows - matched :
		bulk_sync_count_on_shards(plan, bulk_sync_deparse_count_new(plan));
	if (plan->options->insert)
		difference->planned_inserts = state->new_rows;
	else
		difference->skipped += state->new_rows;
	difference->new_on_shards = true;
	return true;
}

/* Brings here what differs, to be decided about */
static void
match_pairs(ShardMatch *state)
{
	BulkSyncMatch *match = state->match;
	const BulkSyncPlan *plan = match->plan;
	BulkSyncDifference *difference = match->difference;

	difference->new_on_shards = plan->distribution->new_may_stay &&
		(bulk_sync_matcher == BULK_SYNC_MATCHER_JOIN ||
		 difference->staged_rows - difference->rows_in_scope >
		 difference->staged_rows * MANY_NEW_ROWS);
	if (difference->new_on_shards)
	{
		state->new_rows = bulk_sync_count_on_shards(plan, bulk_sync_deparse_count_new(plan));
		difference->planned_inserts += state->new_rows;
	}
	bulk_sync_run_on_shards(plan, bulk_sync_deparse_pairs(plan, difference->new_on_shards),
							receive_pair, state);
	if (bulk_sync_is_on_one_shard(plan))
		bulk_sync_run_on_shards(plan, bulk_sync_deparse_elsewhere(plan), receive_pair, state);
}

/*
 * Is it to be known how many rows there are in scope?  They are counted for the
 * limits of deletes, and where new rows may stay on their shards.
 */
static bool
counts_scope(const BulkSyncPlan *plan)
{
	return plan->options->max_deletes >= 0 || plan->options->max_delete_fraction >= 0 ||
		plan->distribution->new_may_stay || plan->distribution->changes_may_stay;
}

/* Matches all staged rows with the target rows in scope; see bulk_sync_match() */
void
bulk_sync_match_on_shards(BulkSyncMatch *match)
{
	const BulkSyncPlan *plan = match->plan;
	BulkSyncDifference *difference = match->difference;
	int64		rows_in_scope = 0;
	ShardMatch	state;

	memset(&state, 0, sizeof(state));
	state.match = match;
	state.values = palloc(plan->ncolumns * sizeof(Datum));
	state.isnull = palloc(plan->ncolumns * sizeof(bool));

	difference->staged_rows = bulk_sync_count_on_shards(plan, bulk_sync_deparse_count_staged(plan));
	bulk_sync_check_expected_rows(plan, difference->staged_rows);
	bulk_sync_check_empty(plan, difference->staged_rows);
	if (!plan->distribution->staged_unique)
		bulk_sync_run_on_shards(plan, bulk_sync_deparse_duplicates(plan), receive_duplicate,
								&state);
	bulk_sync_phase_done("staged rows");

	if (counts_scope(plan))
		rows_in_scope = bulk_sync_count_on_shards(plan, bulk_sync_deparse_count_scope(plan));
	difference->rows_in_scope = rows_in_scope;
	if (!match_there(&state))
		match_pairs(&state);
	difference->unchanged += difference->staged_rows - state.differing - state.new_rows;
	/* Of pairs only those that differ have been counted */
	difference->rows_in_scope = rows_in_scope;
	bulk_sync_phase_done("target rows");
}
