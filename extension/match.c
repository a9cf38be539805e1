/*-------------------------------------------------------------------------
 *
 * match.c
 *	  Staged rows against target rows: what is new, changed, equal or stale.
 *
 * This file drives the matching and decides about each pair of rows.  How a
 * staged row is found for a target row is the business of match_hash.c and
 * match_sort.c; what is planned goes to difference.c.  Nothing here writes.
 *
 *-------------------------------------------------------------------------
 */
#include "match.h"

#include "common/hashfn.h"
#include "access/transam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* From so many staged rows it is concluded how much memory all will take */
#define ROWS_TO_ESTIMATE 4096

/* NULL-safe equality of values, as matching understands it */
static bool
values_equal(BulkSyncEquality *equality, Datum a, bool a_isnull, Datum b, bool b_isnull)
{
	if (a_isnull || b_isnull)
		return a_isnull && b_isnull;
	return DatumGetBool(FunctionCall2Coll(&equality->eq, equality->collation, a, b));
}

/*-------------------------------------------------------------------------
 * Duplicates
 *-------------------------------------------------------------------------
 */

/* Rank of one duplicate against another: < 0 if the first comes earlier */
static int
compare_rank(const BulkSyncPlan *plan,
			 const Datum *a_values, const bool *a_isnull, int64 a_position,
			 const Datum *b_values, const bool *b_isnull, int64 b_position)
{
	int			index = plan->order_index;

	if (index >= 0)
	{
		int			result;

		if (a_isnull[index] || b_isnull[index])
			result = (int) b_isnull[index] - (int) a_isnull[index];
		else
			result = DatumGetInt32(FunctionCall2Coll((FmgrInfo *) &plan->order_cmp,
													 plan->columns[index].collation,
													 a_values[index], b_values[index]));
		if (result != 0)
			return result;
	}
	return a_position < b_position ? -1 : 1;
}

/* Of two staged rows with one key, is the new one to be kept? */
bool
bulk_sync_new_duplicate_wins(const BulkSyncPlan *plan,
							 const Datum *old_values, const bool *old_isnull, int64 old_position,
							 const Datum *new_values, const bool *new_isnull, int64 new_position)
{
	int			order = compare_rank(plan, new_values, new_isnull, new_position,
									 old_values, old_isnull, old_position);

	return (plan->options->duplicates == BULK_SYNC_DUPLICATES_LAST &&
			!BULK_SYNC_MUTANT(first_for_last)) ? order > 0 : order < 0;
}

/* A second staged row has the key of an entry */
void
bulk_sync_match_duplicate(BulkSyncMatch *match, BulkSyncEntry *entry,
						  const Datum *values, const bool *isnull)
{
	BulkSyncDifference *difference = match->difference;

	/* Each staged row of a key is a version of its own: see history.c */
	if (match->history != NULL)
		return;
	if (match->plan->options->duplicates != BULK_SYNC_DUPLICATES_ERROR)
	{
		if (BULK_SYNC_MUTANT(duplicates_not_counted))
			return;
		difference->skipped++;
		return;
	}
	if (entry->reported)
		return;
	entry->reported = true;
	if (difference->nduplicate_keys < (int) lengthof(difference->duplicate_keys))
		difference->duplicate_keys[difference->nduplicate_keys] =
			MemoryContextStrdup(difference->context,
								bulk_sync_describe_key(match->plan, values, isnull));
	difference->nduplicate_keys++;
}

/*-------------------------------------------------------------------------
 * Scope of a row that is going to be written
 *-------------------------------------------------------------------------
 */
static bool
condition_decided(const BulkSyncCondition *condition, const bool *decided)
{
	for (int i = 0; i < condition->nvars; i++)
	{
		if (condition->vars[i].index < 0 || !decided[condition->vars[i].index])
			return false;
	}
	return true;
}

/*
 * Is a row in scope, as far as its decided values tell?  Values are by read
 * index; decided is NULL when all of them are.
 */
bool
bulk_sync_row_in_scope(const BulkSyncPlan *plan, BulkSyncGroups *groups,
					   const Datum *values, const bool *isnull, const bool *decided)
{
	ListCell   *lc;

	if (decided == NULL && plan->scope != NULL)
	{
		if (!bulk_sync_condition_true(plan, plan->scope, values, isnull, NULL, NULL))
			return false;
	}
	else
	{
		foreach(lc, plan->scope_conjuncts)
		{
			BulkSyncCondition *condition = (BulkSyncCondition *) lfirst(lc);

			if (condition_decided(condition, decided) &&
				!bulk_sync_condition_true(plan, condition, values, isnull, NULL, NULL))
				return false;
		}
	}
	for (int i = 0; i < plan->nscope_values; i++)
	{
		BulkSyncScopeColumn *scope = &plan->scope_values[i];

		if ((decided == NULL || decided[scope->read_index]) &&
			!values_equal(&scope->equality, values[scope->read_index],
						  isnull[scope->read_index], scope->value, scope->isnull))
			return false;
	}
	/* A planned row's own group occurs among the staged ones, if it is decided */
	if (decided == NULL && groups != NULL)
		return bulk_sync_groups_contain(groups, values, isnull);
	return true;
}

/* The column that says on which shard a row is, or -1 */
static int
distribution_index(const BulkSyncPlan *plan)
{
	return plan->distribution == NULL ? -1 : plan->distribution->column_index;
}

/* Checks the row that an update (row given) or an insert would make */
static void
check_planned_scope(BulkSyncMatch *match, const BulkSyncTargetRow *row,
					const BulkSyncStagedRow *wanted, bool revive)
{
	const BulkSyncPlan *plan = match->plan;
	BulkSyncDifference *difference = match->difference;

	if ((plan->scope == NULL && plan->nscope_values == 0) || difference->out_of_scope != NULL ||
		BULK_SYNC_MUTANT(scope_of_planned_rows_unchecked))
		return;

	for (int i = 0; i < plan->nread; i++)
	{
		match->decided[i] = (row != NULL && !match->generated[i]);
		if (row != NULL)
		{
			match->new_values[i] = row->values[i];
			match->new_isnull[i] = row->isnull[i];
		}
	}
	for (int i = 0; i < plan->ncolumns; i++)
	{
		const BulkSyncColumn *column = &plan->columns[i];

		if (column->read_index < 0)
			continue;
		if (row != NULL ? !(match->takes[i] && (bulk_sync_column_is_set(plan, i, NULL) ||
												i == distribution_index(plan))) :
			(!column->insertable || (column->assigned && wanted->isnull[i])))
			continue;
		match->new_values[column->read_index] = wanted->values[i];
		match->new_isnull[column->read_index] = wanted->isnull[i];
		match->decided[column->read_index] = true;
	}
	if (revive)
	{
		match->new_values[plan->soft_read_index] = BoolGetDatum(false);
		match->new_isnull[plan->soft_read_index] = !plan->soft_is_bool;
	}

	if (bulk_sync_row_in_scope(plan, NULL, match->new_values, match->new_isnull,
							   match->decided))
		return;
	difference->out_of_scope =
		MemoryContextStrdup(difference->context,
							plan->nkeys > 0 ?
							bulk_sync_describe_key(plan, wanted->values, wanted->isnull) :
							psprintf("none, in staged row %lld", (long long) wanted->position));
	difference->out_of_scope_is_update = (row != NULL);
}

/*-------------------------------------------------------------------------
 * Decisions
 *-------------------------------------------------------------------------
 */
bool
bulk_sync_is_marked(const BulkSyncPlan *plan, const BulkSyncTargetRow *row)
{
	if (plan->soft_attno == InvalidAttrNumber || row->isnull[plan->soft_read_index])
		return false;
	return !plan->soft_is_bool || DatumGetBool(row->values[plan->soft_read_index]);
}

/*
 * Would the pair change, and which staged values would be written?  Sets
 * match->takes, and match->changed: of all columns if rows are returned, else
 * of the key and unique columns and of the first other one.
 */
static bool
pair_differs(BulkSyncMatch *match, const BulkSyncTargetRow *row, const BulkSyncStagedRow *wanted)
{
	const BulkSyncPlan *plan = match->plan;
	bool		all = bulk_sync_returns_rows(plan->options);
	bool		differs = false;

	for (int i = 0; i < plan->ncolumns; i++)
	{
		const BulkSyncColumn *column = &plan->columns[i];
		bool		staged_null = wanted->isnull[i];

		match->takes[i] = true;
		match->changed[i] = false;
		if (column->assigned && staged_null)
			match->takes[i] = false;
		else if (column->role == BULK_SYNC_ROLE_KEEP && staged_null &&
				 !BULK_SYNC_MUTANT(keep_forgotten))
			match->takes[i] = false;
		else if (column->role == BULK_SYNC_ROLE_FILL)
		{
			match->takes[i] = row->isnull[column->read_index] ||
				BULK_SYNC_MUTANT(fill_overwrites);
			match->changed[i] = match->takes[i] && !staged_null;
		}
		else if (column->compared && (all || column->key || column->unique || !differs))
			match->changed[i] =
				!bulk_sync_image_equal(column, row->values[column->read_index],
									   row->isnull[column->read_index],
									   wanted->values[i], staged_null);
		differs |= match->changed[i];
	}
	return differs || BULK_SYNC_MUTANT(all_updated);
}

/* Does the update of this pair change a value that foreign keys may refer to? */
static bool
unique_value_changes(const BulkSyncMatch *match)
{
	const BulkSyncPlan *plan = match->plan;

	for (int i = 0; i < plan->ncolumns; i++)
	{
		const BulkSyncColumn *column = &plan->columns[i];

		/* A touch column is not compared */
		if (column->unique && match->takes[i] &&
			(match->changed[i] || column->role == BULK_SYNC_ROLE_TOUCH))
			return true;
	}
	return false;
}

/* An update cannot give a row another value in the distribution column */
static void
check_shard(BulkSyncMatch *match, const BulkSyncStagedRow *wanted)
{
	const BulkSyncPlan *plan = match->plan;
	BulkSyncDifference *difference = match->difference;
	int			index = distribution_index(plan);

	if (index >= 0 && match->changed[index] && difference->moved == NULL)
		difference->moved =
			MemoryContextStrdup(difference->context,
								bulk_sync_describe_key(plan, wanted->values, wanted->isnull));
}

static void
decide_pair(BulkSyncMatch *match, const BulkSyncTargetRow *row, const BulkSyncStagedRow *wanted,
			bool revive)
{
	const BulkSyncPlan *plan = match->plan;
	BulkSyncDifference *difference = match->difference;

	if (!pair_differs(match, row, wanted) && !revive)
	{
		difference->unchanged++;
		if (plan->options->include_unchanged)
			bulk_sync_difference_equal(difference, row, wanted);
		return;
	}
	if (!plan->options->update ||
		(plan->update_where != NULL && !BULK_SYNC_MUTANT(update_where_forgotten) &&
		 !bulk_sync_condition_true(plan, plan->update_where, row->values, row->isnull,
								   wanted->values, wanted->isnull)))
	{
		difference->skipped++;
		return;
	}
	check_planned_scope(match, row, wanted, revive);
	check_shard(match, wanted);
	for (int i = 0; i < plan->nkeys; i++)
		difference->key_image_differs[i] |= match->changed[i];
	bulk_sync_difference_update(difference, row, wanted, match->takes, match->changed,
								unique_value_changes(match), revive);
}

/* Without a value in the distribution column a new row belongs to no shard */
static void
check_new_shard(BulkSyncMatch *match, const BulkSyncStagedRow *wanted)
{
	const BulkSyncPlan *plan = match->plan;
	BulkSyncDifference *difference = match->difference;
	int			index = distribution_index(plan);

	if (index >= 0 && wanted->isnull[index] && !plan->columns[index].assigned &&
		difference->homeless == NULL)
		difference->homeless =
			MemoryContextStrdup(difference->context,
								plan->nkeys > 0 ?
								bulk_sync_describe_key(plan, wanted->values, wanted->isnull) :
								psprintf("none, in staged row %lld", (long long) wanted->position));
}

static void
decide_new(BulkSyncMatch *match, const BulkSyncStagedRow *wanted)
{
	BulkSyncDifference *difference = match->difference;

	if (!match->plan->options->insert)
	{
		difference->skipped++;
		return;
	}
	check_planned_scope(match, NULL, wanted, false);
	check_new_shard(match, wanted);
	bulk_sync_difference_insert(difference, wanted);
}

/*
 * The row of an entry.  Looking for the key has often put it into the slot
 * already, and taken it apart in part.
 */
static void
staged_row_of(BulkSyncMatch *match, const BulkSyncEntry *entry, BulkSyncStagedRow *wanted)
{
	TupleTableSlot *slot = match->staged_slot;
	MinimalTuple tuple = BULK_SYNC_ENTRY_TUPLE(entry);

	if (TTS_EMPTY(slot) || ((MinimalTupleTableSlot *) slot)->mintuple != tuple)
		ExecStoreMinimalTuple(tuple, slot, false);
	slot_getallattrs(slot);
	wanted->position = entry->position;
	wanted->values = slot->tts_values;
	wanted->isnull = slot->tts_isnull;
}

/* Keeps a target row beside an entry, in the place of one that is kept already */
void
bulk_sync_keep_row(BulkSyncMatch *match, BulkSyncEntry *entry, const BulkSyncTargetRow *row)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(match->context);
	BulkSyncKeptRow *kept = palloc(sizeof(BulkSyncKeptRow));

	kept->tableoid = row->tableoid;
	kept->tid = row->tid;
	kept->written = row->written;
	kept->tuple = bulk_sync_form_minimal_tuple(match->plan->read_desc, row->values, row->isnull);
	bulk_sync_forget_row(match, entry);
	*bulk_sync_entry_kept(entry) = kept;
	MemoryContextSwitchTo(oldcontext);
}

void
bulk_sync_forget_row(BulkSyncMatch *match, BulkSyncEntry *entry)
{
	BulkSyncKeptRow *kept = bulk_sync_kept_row(match, entry);

	if (kept == NULL)
		return;
	ExecClearTuple(match->kept_slot);
	pfree(kept->tuple);
	pfree(kept);
	*bulk_sync_entry_kept(entry) = NULL;
}

static void
matched_twice(BulkSyncMatch *match, const BulkSyncStagedRow *wanted)
{
	BulkSyncDifference *difference = match->difference;

	if (difference->matched_twice == NULL)
		difference->matched_twice =
			MemoryContextStrdup(difference->context,
								bulk_sync_describe_key(match->plan, wanted->values,
													   wanted->isnull));
}

/* A target row in scope, with the staged row of its key or without one */
void
bulk_sync_match_row(BulkSyncMatch *match, BulkSyncEntry *entry, const BulkSyncTargetRow *row)
{
	const BulkSyncPlan *plan = match->plan;
	BulkSyncDifference *difference = match->difference;
	bool		marked = bulk_sync_is_marked(plan, row);
	BulkSyncStagedRow wanted;

	if (match->history != NULL)
	{
		if (entry != NULL)
			bulk_sync_history_row(match, entry, row);
		return;
	}
	if (!marked)
		difference->rows_in_scope++;
	if (entry == NULL)
	{
		if ((!marked || BULK_SYNC_MUTANT(marked_row_deleted_again)) && plan->options->delete)
			bulk_sync_difference_delete(difference, row);
		return;
	}

	/* A marked row is the partner only if no live one turns up */
	if (marked)
	{
		if (bulk_sync_kept_row(match, entry) != NULL)
			entry->kept_twice = true;
		else
			bulk_sync_keep_row(match, entry, row);
		return;
	}

	staged_row_of(match, entry, &wanted);
	if (entry->matched && !BULK_SYNC_MUTANT(matched_twice_accepted))
	{
		matched_twice(match, &wanted);
		return;
	}
	entry->matched = true;
	decide_pair(match, row, &wanted, false);
}

/* The same of a pair that shards have found */
void
bulk_sync_match_pair(BulkSyncMatch *match, const BulkSyncTargetRow *row,
					 const BulkSyncStagedRow *wanted)
{
	match->difference->rows_in_scope++;
	decide_pair(match, row, wanted, false);
}

/* ... or of a staged row for which there is none */
void
bulk_sync_match_new(BulkSyncMatch *match, const BulkSyncStagedRow *wanted)
{
	decide_new(match, wanted);
}

/* All target rows of an entry's key have been seen */
void
bulk_sync_match_entry_done(BulkSyncMatch *match, BulkSyncEntry *entry)
{
	BulkSyncKeptRow *kept = bulk_sync_kept_row(match, entry);
	BulkSyncStagedRow wanted;
	MemoryContext oldcontext = MemoryContextSwitchTo(match->row_context);

	CHECK_FOR_INTERRUPTS();
	if (match->history != NULL)
		bulk_sync_history_entry_done(match, entry);
	else if (!entry->matched)
	{
		staged_row_of(match, entry, &wanted);
		if (kept == NULL)
			decide_new(match, &wanted);
		else if (entry->kept_twice)
			matched_twice(match, &wanted);
		else
		{
			BulkSyncTargetRow row;

			ExecStoreMinimalTuple(kept->tuple, match->kept_slot, false);
			slot_getallattrs(match->kept_slot);
			row.tableoid = kept->tableoid;
			row.tid = kept->tid;
			row.written = kept->written;
			row.values = match->kept_slot->tts_values;
			row.isnull = match->kept_slot->tts_isnull;
			decide_pair(match, &row, &wanted, !BULK_SYNC_MUTANT(revival_forgotten));
		}
	}
	bulk_sync_forget_row(match, entry);
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(match->row_context);
}

/*-------------------------------------------------------------------------
 * The match
 *-------------------------------------------------------------------------
 */
static void
init_match(BulkSyncMatch *match, const BulkSyncPlan *plan)
{
	int			nread = Max(plan->nread, 1);

	memset(match, 0, sizeof(BulkSyncMatch));
	match->plan = plan;
	match->context = CurrentMemoryContext;
	match->row_context = AllocSetContextCreate(match->context, "bulk_sync row",
											   ALLOCSET_DEFAULT_SIZES);
	match->difference = bulk_sync_difference_create(plan);
	match->groups = bulk_sync_groups_create(plan);
	match->staged_slot = MakeSingleTupleTableSlot(plan->wanted_desc, &TTSOpsMinimalTuple);
	match->kept_slot = MakeSingleTupleTableSlot(plan->read_desc, &TTSOpsMinimalTuple);
	match->keeps_rows = plan->soft_attno != InvalidAttrNumber ||
		plan->history_attno != InvalidAttrNumber;
	match->takes = palloc0(Max(plan->ncolumns, 1) * sizeof(bool));
	match->changed = palloc0(Max(plan->ncolumns, 1) * sizeof(bool));
	match->new_values = palloc0(nread * sizeof(Datum));
	match->new_isnull = palloc0(nread * sizeof(bool));
	match->decided = palloc0(nread * sizeof(bool));
	match->generated = palloc0(nread * sizeof(bool));
	for (int i = 0; i < plan->nread; i++)
		match->generated[i] = TupleDescAttr(RelationGetDescr(plan->target),
											plan->read_attnos[i] - 1)->attgenerated != '\0';
}

/* Does the key ask for an assigned value?  Such a row matches nothing. */
bool
bulk_sync_key_is_assigned(const BulkSyncPlan *plan, const BulkSyncStagedRow *row)
{
	for (int i = 0; i < plan->nkeys; i++)
	{
		if (plan->columns[i].assigned && row->isnull[i] && !BULK_SYNC_MUTANT(assigned_key_matched))
			return true;
	}
	return false;
}

/* Hands a staged row to whoever looks for its target row */
static void
add_staged(BulkSyncMatch *match, const BulkSyncStagedRow *row)
{
	if (match->history != NULL)
		bulk_sync_history_add_staged(match, row);
	if (match->plan->sort_match)
		bulk_sync_sort_add(match, row);
	else
		bulk_sync_hash_add(match, row);
}

static void
read_staged(BulkSyncMatch *match, BulkSyncStagedSource *source)
{
	const BulkSyncPlan *plan = match->plan;
	BulkSyncDifference *difference = match->difference;
	int64		nread = 0;
	BulkSyncStagedRow row;

	match->equal = bulk_sync_find_equal_rows(match, source);
	bulk_sync_pass_over_equal(source, match->equal);
	difference->staged_rows = difference->unchanged = difference->rows_in_scope =
		bulk_sync_equal_count(match->equal);
	while (bulk_sync_next_staged(source, &row))
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(match->row_context);

		difference->staged_rows++;
		if (match->groups != NULL)
			bulk_sync_groups_add(match->groups, &row);
		if (!plan->matching || bulk_sync_key_is_assigned(plan, &row))
			decide_new(match, &row);
		else
			add_staged(match, &row);
		MemoryContextSwitchTo(oldcontext);
		MemoryContextReset(match->row_context);
		if (++nread == ROWS_TO_ESTIMATE && !plan->sort_match)
			bulk_sync_hash_expect(match, 1 / bulk_sync_staged_fraction(source));
	}
	if (!plan->sort_match)
		bulk_sync_hash_added(match);
}

/* Reads both sides, and finds a staged row for each target row */
static void
match_here(BulkSyncMatch *match, BulkSyncStagedSource *source)
{
	const BulkSyncPlan *plan = match->plan;
	int64		counted = -1;

	bulk_sync_rewind_staged(source);
	if (plan->options->expected_rows >= 0)
		counted = bulk_sync_count_staged(source);
	if (counted >= 0)
		bulk_sync_check_expected_rows(plan, counted);

	if (plan->sort_match)
		bulk_sync_sort_begin(match);
	else
		bulk_sync_hash_begin(match);
	if (plan->history_attno != InvalidAttrNumber)
		bulk_sync_history_begin(match);
	read_staged(match, source);
	bulk_sync_check_expected_rows(plan, match->difference->staged_rows);
	bulk_sync_check_empty(plan, match->difference->staged_rows);
	bulk_sync_phase_done("staged rows");

	if (plan->matching)
		match->difference->fingerprint = bulk_sync_read_target(match);
	bulk_sync_phase_done("target rows");
	if (plan->sort_match)
		bulk_sync_sort_finish(match);
	else
		bulk_sync_hash_finish(match);
	if (match->history != NULL)
		bulk_sync_history_finish(match);
}

/*
 * Matches all staged rows with the target rows in scope, under the active
 * snapshot, and returns the difference.  Problems with the rows are recorded
 * in it and raised by guards.c.
 */
BulkSyncDifference *
bulk_sync_match(const BulkSyncPlan *plan, BulkSyncStagedSource *source)
{
	BulkSyncMatch match;
	MemoryContext match_context;
	MemoryContext oldcontext;

	match_context = AllocSetContextCreate(CurrentMemoryContext, "bulk_sync match",
										  ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(match_context);
	init_match(&match, plan);

	if (bulk_sync_matches_on_shards(plan))
		bulk_sync_match_on_shards(&match);
	else
		match_here(&match, source);

	ExecDropSingleTupleTableSlot(match.staged_slot);
	ExecDropSingleTupleTableSlot(match.kept_slot);
	MemoryContextSwitchTo(oldcontext);

	/* The scope groups are asked again for rows as they are written */
	match.difference->match_context = match_context;
	match.difference->groups = match.groups;
	return match.difference;
}
