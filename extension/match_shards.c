/*-------------------------------------------------------------------------
 *
 * match_shards.c
 *	  Matches on the shards, where the staged rows lie beside those of the
 *	  target: a staged table that is distributed as the target is.
 *
 * Each shard joins its rows, all at the same time.  What comes here are the
 * pairs that differ in some column, and the rows that have no partner; what is
 * to be done about them is decided as ever, in match.c.  Rows that are equal
 * stay where they are.  Where nothing is to be decided, because all that differ
 * are updated in all columns, what differs stays there too, in a table beside the
 * target, and what comes here are numbers.
 *
 *-------------------------------------------------------------------------
 */
#include "match.h"
#include "ship.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"

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

/*-------------------------------------------------------------------------
 * Changes that stay
 *-------------------------------------------------------------------------
 */
typedef struct ChangesTable
{
	const BulkSyncPlan *plan;
	List	   *attnos;			/* of difference rows, in the order of the table */
} ChangesTable;

/*
 * The kind of a row, the wanted row, where the target row is, and last the value
 * by which it is known on which shard that is.
 */
static List *
attributes_of_changes(const BulkSyncPlan *plan)
{
	List	   *attnos = list_make1_int(BULK_SYNC_CHANGE_KIND);

	/* Twice would be too much: Citus must find it in its place */
	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (i != plan->distribution->column_index)
			attnos = lappend_int(attnos, BULK_SYNC_DIFF_WANTED(i));
	}
	if (!plan->single_table)
		attnos = lappend_int(attnos, BULK_SYNC_DIFF_TABLEOID);
	attnos = lappend_int(lappend_int(attnos, BULK_SYNC_DIFF_CTID), BULK_SYNC_DIFF_XMIN);
	return lappend_int(attnos, BULK_SYNC_SHIPPED_OLD(plan, plan->distribution->read_index));
}

static TupleDesc
describe_changes(const BulkSyncDifference *difference, const List *attnos)
{
	const BulkSyncPlan *plan = difference->plan;
	TupleDesc	desc = CreateTemplateTupleDesc(list_length(attnos));
	ListCell   *lc;

	foreach(lc, attnos)
	{
		AttrNumber	attno = lfirst_int(lc);
		AttrNumber	place = foreach_current_index(lc) + 1;
		Form_pg_attribute attr;

		if (attno == BULK_SYNC_CHANGE_KIND)
			bulk_sync_init_entry(plan, desc, place, CHAROID, -1, InvalidOid);
		else
		{
			attr = attno < BULK_SYNC_SHIPPED_OLD(plan, 0) ?
				TupleDescAttr(difference->desc, attno - 1) :
				TupleDescAttr(plan->read_desc, plan->distribution->read_index);
			bulk_sync_init_entry(plan, desc, place, attr->atttypid, attr->atttypmod,
								 attr->attcollation);
		}
		bulk_sync_name_entry(plan, desc, place, attno);
	}
	return desc;
}

static bool
fill_changes(const char *name, void *arg)
{
	const ChangesTable *table = (const ChangesTable *) arg;

	return bulk_sync_run_handed_on(bulk_sync_deparse_fill_changes(table->plan, name,
																  table->attnos));
}

/* How many rows of each kind there are */
static void
receive_changes(TupleTableSlot *slot, void *arg)
{
	BulkSyncDifference *difference = (BulkSyncDifference *) arg;

	difference->planned_deletes = DatumGetInt64(slot->tts_values[0]);
	difference->planned_updates = DatumGetInt64(slot->tts_values[1]);
	difference->planned_inserts = DatumGetInt64(slot->tts_values[2]);
}

/* Has the shards find what differs, and keep it; false if that cannot be */
static bool
match_there(ShardMatch *state)
{
	BulkSyncDifference *difference = state->match->difference;
	const BulkSyncPlan *plan = difference->plan;
	ChangesTable table = {plan, attributes_of_changes(plan)};
	bool		many = difference->staged_rows >= MIN_ROWS_FOR_CHANGES ||
		bulk_sync_applier == BULK_SYNC_APPLIER_DIRECT;
	MemoryContext oldcontext;

	if (!plan->distribution->changes_may_stay || !plan->distribution->has_addresses || !many ||
		!bulk_sync_is_worth_a_table(plan, difference->staged_rows))
		return false;
	oldcontext = MemoryContextSwitchTo(difference->context);
	difference->changes_table =
		bulk_sync_make_shard_table(plan, describe_changes(difference, table.attnos),
								   BULK_SYNC_SHIPPED_OLD(plan, plan->distribution->read_index),
								   fill_changes, &table);
	MemoryContextSwitchTo(oldcontext);
	if (difference->changes_table == NULL)
	{
		/* Another round would get no further */
		plan->distribution->changes_may_stay = false;
		return false;
	}
	bulk_sync_run_on_shards(plan, bulk_sync_deparse_count_changes(plan, difference->changes_table),
							receive_changes, difference);
	difference->deletes.rows = difference->planned_deletes;
	difference->updates.rows = difference->planned_updates;
	state->differing = difference->planned_updates;
	state->new_rows = difference->planned_inserts;
	if (!plan->options->update)
	{
		difference->skipped += difference->planned_updates;
		difference->planned_updates = difference->updates.rows = 0;
	}
	if (!plan->options->insert)
	{
		difference->skipped += difference->planned_inserts;
		difference->planned_inserts = 0;
	}
	return true;
}

/*-------------------------------------------------------------------------
 * The match
 *-------------------------------------------------------------------------
 */

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
	if (difference->nduplicate_keys > 0)
		return;

	/* The limits of deletes are about them */
	if (plan->options->max_deletes >= 0 || plan->options->max_delete_fraction >= 0)
		rows_in_scope = bulk_sync_count_on_shards(plan, bulk_sync_deparse_count_scope(plan));
	if (!match_there(&state))
	{
		bulk_sync_run_on_shards(plan, bulk_sync_deparse_pairs(plan), receive_pair, &state);
		if (bulk_sync_is_on_one_shard(plan))
			bulk_sync_run_on_shards(plan, bulk_sync_deparse_elsewhere(plan), receive_pair, &state);
	}
	difference->unchanged += difference->staged_rows - state.differing - state.new_rows;
	/* Of pairs only those that differ have been counted */
	difference->rows_in_scope = rows_in_scope;
	bulk_sync_phase_done("target rows");
}
