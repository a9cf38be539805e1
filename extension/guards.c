/*-------------------------------------------------------------------------
 *
 * guards.c
 *	  Refusals that depend on the rows: all raised before anything is written,
 *	  in the order that the contract gives, with the numbers in the message.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "utils/float.h"

/* A feed that was cut off */
void
bulk_sync_check_expected_rows(const BulkSyncPlan *plan, int64 staged_rows)
{
	int64		expected = plan->options->expected_rows;

	if (expected < 0 || staged_rows == expected)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_BULK_SYNC_INCOMPLETE_FEED),
			 errmsg("expected %lld staged rows, but \"%s\" holds %lld",
					(long long) expected, RelationGetRelationName(plan->staged),
					(long long) staged_rows),
			 errhint("Stage all rows of the feed again, or correct expected_rows.")));
}

/* A feed of which nothing arrived */
void
bulk_sync_check_empty(const BulkSyncPlan *plan, int64 staged_rows)
{
	if (staged_rows > 0 || !plan->options->delete || plan->options->allow_empty)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_BULK_SYNC_EMPTY_FEED),
			 errmsg("0 rows are staged in \"%s\", so that all rows in scope would be deleted",
					RelationGetRelationName(plan->staged)),
			 errhint("Use allow_empty => true if that is what you want.")));
}

static void
check_duplicates(const BulkSyncDifference *difference)
{
	StringInfoData keys;
	int			shown = Min(difference->nduplicate_keys,
							(int) lengthof(difference->duplicate_keys));

	if (difference->nduplicate_keys == 0)
		return;
	initStringInfo(&keys);
	for (int i = 0; i < shown; i++)
		appendStringInfo(&keys, "%s%s", i == 0 ? "" : ", ", difference->duplicate_keys[i]);
	if (shown < difference->nduplicate_keys)
		appendStringInfo(&keys, " and %d more", difference->nduplicate_keys - shown);
	ereport(ERROR,
			(errcode(ERRCODE_CARDINALITY_VIOLATION),
			 errmsg_plural("%d key occurs more than once in \"%s\"",
						   "%d keys occur more than once in \"%s\"",
						   difference->nduplicate_keys, difference->nduplicate_keys,
						   RelationGetRelationName(difference->plan->staged)),
			 errdetail_plural("Duplicate key: %s.", "Duplicate keys: %s.",
							  difference->nduplicate_keys, keys.data),
			 errhint("Use duplicates => 'first' or duplicates => 'last' to keep one row of each key.")));
}

static void
check_matched_twice(const BulkSyncDifference *difference)
{
	if (difference->matched_twice == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CARDINALITY_VIOLATION),
			 errmsg("a staged row matches more than one row of \"%s\"",
					RelationGetRelationName(difference->plan->target)),
			 errdetail("Key: %s.", difference->matched_twice),
			 errhint("Name key columns that identify one row in scope.")));
}

/*
 * Also raised for a row that proves to be outside only when it is written; then
 * without its key where the caller may not know that.
 */
void
bulk_sync_out_of_scope_error(const BulkSyncPlan *plan, const char *key, bool update)
{
	ereport(ERROR,
			(errcode(ERRCODE_WITH_CHECK_OPTION_VIOLATION),
			 update ?
			 errmsg("updated row of \"%s\" would be outside the scope",
					RelationGetRelationName(plan->target)) :
			 errmsg("new row of \"%s\" would be outside the scope",
					RelationGetRelationName(plan->target)),
			 key == NULL ? 0 : errdetail("Key: %s.", key),
			 errhint("Stage only rows of the scope, or widen the scope.")));
}

/* Every row has its shard, and Citus does not move it to another one */
static void
check_shards(const BulkSyncDifference *difference)
{
	const BulkSyncPlan *plan = difference->plan;

	if (difference->homeless != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("null value in distribution column \"%s\" of \"%s\"",
						plan->columns[plan->distribution->column_index].name,
						RelationGetRelationName(plan->target)),
				 errdetail("Key: %s.", difference->homeless),
				 errhint("Stage a value: it decides on which shard the row is.")));
	if (difference->moved == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("distribution column \"%s\" of \"%s\" cannot be updated",
					plan->columns[plan->distribution->column_index].name,
					RelationGetRelationName(plan->target)),
			 errdetail("Key: %s.", difference->moved),
			 plan->columns[plan->distribution->column_index].key ?
			 errhint("Stage the value as the row has it.") :
			 errhint("Stage the value that the row has, or name the column in \"insert_only_columns\".")));
}

static void
check_deletes(const BulkSyncDifference *difference)
{
	const BulkSyncOptions *options = difference->plan->options;
	int64		deletes = difference->planned_deletes;
	int64		rows = difference->rows_in_scope;
	bool		has_number = options->max_deletes >= 0;
	bool		has_fraction = options->max_delete_fraction >= 0;
	bool		over_number = has_number &&
		deletes > options->max_deletes + (BULK_SYNC_MUTANT(one_delete_too_many) ? 1 : 0);
	bool		over_fraction = has_fraction && rows > 0 &&
		(double) deletes / (double) rows > options->max_delete_fraction;
	StringInfoData limits;

	/* Both must be exceeded, but a limit of 0 means "none at all" */
	if (has_number && has_fraction && !(over_number && over_fraction) &&
		!(over_number && options->max_deletes == 0) &&
		!(over_fraction && options->max_delete_fraction == 0))
		return;
	if (!over_number && !over_fraction)
		return;

	initStringInfo(&limits);
	if (has_number)
		appendStringInfo(&limits, "max_deletes => %lld", (long long) options->max_deletes);
	if (has_fraction)
		appendStringInfo(&limits, "%smax_delete_fraction => %s", has_number ? ", " : "",
						 float8out_internal(options->max_delete_fraction));
	ereport(ERROR,
			(errcode(ERRCODE_BULK_SYNC_DELETE_LIMIT),
			 errmsg("%lld of the %lld rows in scope of \"%s\" would be deleted",
					(long long) deletes, (long long) rows,
					RelationGetRelationName(difference->plan->target)),
			 errdetail("The limits are: %s.", limits.data),
			 errhint("Check that the feed is complete, or raise the limit.")));
}

/* Raises the first problem that matching found */
void
bulk_sync_check_difference(const BulkSyncDifference *difference)
{
	check_duplicates(difference);
	check_matched_twice(difference);
	if (difference->out_of_scope != NULL)
		bulk_sync_out_of_scope_error(difference->plan, difference->out_of_scope,
									 difference->out_of_scope_is_update);
	check_shards(difference);
	check_deletes(difference);
}
