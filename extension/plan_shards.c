/*-------------------------------------------------------------------------
 *
 * plan_shards.c
 *	  The staged rows lie beside those of the target: can each shard match its
 *	  own, without sending them here?
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_index.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

/* Are the staged values what the target holds, as they are? */
static bool
needs_no_conversion(const BulkSyncPlan *plan)
{
	for (int i = 0; i < plan->ncolumns; i++)
	{
		const BulkSyncColumn *column = &plan->columns[i];
		Form_pg_attribute attr;

		if (column->staged_attno == InvalidAttrNumber)
		{
			if (column->key || column->synced)
				return false;
			continue;
		}
		attr = TupleDescAttr(RelationGetDescr(plan->staged), column->staged_attno - 1);
		if (attr->atttypid != column->type || column->conversion != BULK_SYNC_CONVERT_NONE ||
			(column->key && attr->attcollation != column->collation))
			return false;
	}
	return true;
}

/* Which column of the key has that attribute number in a relation?  -1: none */
static int
find_key(const BulkSyncPlan *plan, Relation rel, AttrNumber attno)
{
	for (int i = 0; i < plan->nkeys; i++)
	{
		if (attno == (rel == plan->target ? plan->columns[i].target_attno :
					  plan->columns[i].staged_attno))
			return i;
	}
	return -1;
}

/*
 * Does a column of an index tell apart all values that the key tells apart?  The
 * operator class may have another equality, as record_image_ops has, and so may
 * the collation.
 */
static bool
index_compares_alike(const BulkSyncEquality *key, Relation index, int column)
{
	Oid			type = index->rd_opcintype[column];
	Oid			collation = index->rd_indcollation[column];

	return get_opfamily_member(index->rd_opfamily[column], type, type,
							   BTEqualStrategyNumber) == key->eq_opr &&
		(collation == key->collation ||
		 (get_collation_isdeterministic(collation) &&
		  get_collation_isdeterministic(key->collation)));
}

/* Can a relation have but one row of each key, and none with a NULL in it? */
static bool
key_is_unique(const BulkSyncPlan *plan, Relation rel)
{
	bool		unique = false;
	ListCell   *lc;

	for (int i = 0; i < plan->nkeys; i++)
	{
		AttrNumber	attno = rel == plan->target ? plan->columns[i].target_attno :
			plan->columns[i].staged_attno;

		if (!bulk_sync_is_never_null(RelationGetDescr(rel), attno))
			return false;
	}
	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		Form_pg_index form = index->rd_index;
		bool		covered = form->indisunique && form->indisvalid && form->indimmediate &&
			heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL);

		for (int i = 0; i < form->indnkeyatts && covered; i++)
		{
			int			key = find_key(plan, rel, form->indkey.values[i]);

			covered = key >= 0 && index_compares_alike(&plan->key[key], index, i);
		}
		unique = unique || covered;
		index_close(index, AccessShareLock);
	}
	return unique;
}

/* Can the rows of a key be joined by it, whatever their number? */
static bool
key_is_joinable(const BulkSyncPlan *plan)
{
	for (int i = 0; i < plan->nkeys; i++)
	{
		if (!op_hashjoinable(plan->key[i].eq_opr, plan->key[i].type))
			return false;
	}
	return true;
}

/* Is no unique index checked row by row while updates change its values? */
static bool
no_value_can_be_traded(const BulkSyncPlan *plan)
{
	ListCell   *lc;

	foreach(lc, plan->distribution->unique_indexes)
	{
		const BulkSyncUniqueIndex *index = (const BulkSyncUniqueIndex *) lfirst(lc);

		for (int i = 0; i < index->ncolumns; i++)
		{
			int			column = bulk_sync_find_column(plan, index->attnos[i]);

			if (column >= 0 && bulk_sync_column_is_set(plan, column, NULL))
				return false;
		}
	}
	return true;
}

/* Beside the columns of a pair: what it is, and where its target row is */
#define OTHER_COLUMNS	6

/*
 * May the rows that differ stay on their shards until they are written?  They
 * may if there is nothing to decide about them: a pair that differs is updated in
 * all columns, whatever they hold, a staged row without a partner is inserted as
 * it is, and a target row without one is deleted.
 */
static bool
changes_may_stay(const BulkSyncPlan *plan)
{
	if (plan->options->dry_run || !plan->distribution->has_addresses ||
		plan->ncolumns + OTHER_COLUMNS > MaxHeapAttributeNumber ||
		plan->update_where != NULL || plan->nscope_values > 0 ||
		(plan->scope != NULL && !bulk_sync_condition_is_constant(plan->scope)))
		return false;
	for (int i = 0; i < plan->ncolumns; i++)
	{
		const BulkSyncColumn *column = &plan->columns[i];

		if (bulk_sync_column_may_keep(column) || (column->key && column->image_may_differ) ||
			column->staged_attno == InvalidAttrNumber)
			return false;
	}
	return no_value_can_be_traded(plan);
}

/* Can the call be carried out there?  Then staged rows are matched where they lie. */
void
bulk_sync_plan_on_shards(BulkSyncPlan *plan)
{
	const BulkSyncOptions *options = plan->options;
	BulkSyncDistribution *distribution = plan->distribution;

	distribution->on_shards = distribution->attno != InvalidAttrNumber &&
		options->purpose == BULK_SYNC_COUNT &&
		options->duplicates == BULK_SYNC_DUPLICATES_ERROR &&
		plan->soft_attno == InvalidAttrNumber && plan->nscope_columns == 0 &&
		(plan->scope == NULL || !plan->scope->has_sublinks) &&
		(bulk_sync_matcher == BULK_SYNC_MATCHER_AUTO ||
		 bulk_sync_matcher == BULK_SYNC_MATCHER_JOIN) &&
		check_enable_rls(RelationGetRelid(plan->staged), InvalidOid, true) != RLS_ENABLED &&
		plan->ncolumns + plan->nread + OTHER_COLUMNS <= MaxTupleAttributeNumber &&
		bulk_sync_lies_beside_target(plan) && needs_no_conversion(plan) && key_is_joinable(plan) &&
		key_is_unique(plan, plan->target);
	if (!distribution->on_shards)
		return;
	distribution->changes_may_stay = changes_may_stay(plan);
	distribution->staged_unique = key_is_unique(plan, plan->staged);
}
