/*-------------------------------------------------------------------------
 *
 * scope_groups.c
 *	  scope_columns: which groups occur among the staged rows?
 *
 * A set of value tuples, with NULL equal to NULL.  It is asked for every row
 * that is read of the target; when it is small, its values also become arrays
 * in the query that reads the target, so that an index can help.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* More groups than this are not worth a list in a query */
#define MAX_GROUPS_IN_QUERY 1000

typedef struct ScopeGroup
{
	struct ScopeGroup *next;
	uint32		hash;
	bool	   *isnull;
	Datum		values[FLEXIBLE_ARRAY_MEMBER];
} ScopeGroup;

struct BulkSyncGroups
{
	const BulkSyncPlan *plan;
	MemoryContext context;
	ScopeGroup	  **buckets;
	uint32		nbuckets;		/* a power of two */
	int64		ngroups;
};

BulkSyncGroups *
bulk_sync_groups_create(const BulkSyncPlan *plan)
{
	BulkSyncGroups *groups;

	if (plan->nscope_columns == 0)
		return NULL;
	groups = palloc0(sizeof(BulkSyncGroups));
	groups->plan = plan;
	groups->context = AllocSetContextCreate(CurrentMemoryContext, "bulk_sync groups",
											ALLOCSET_DEFAULT_SIZES);
	groups->nbuckets = 64;
	groups->buckets = MemoryContextAllocZero(groups->context,
											 groups->nbuckets * sizeof(ScopeGroup *));
	return groups;
}

static uint32
hash_value(BulkSyncScopeColumn *scope, Datum value, bool isnull)
{
	if (isnull || !OidIsValid(scope->equality.hash.fn_oid))
		return 0;
	return DatumGetUInt32(FunctionCall1Coll(&scope->equality.hash, scope->equality.collation,
											value));
}

static bool
equal_value(BulkSyncScopeColumn *scope, Datum a, bool a_isnull, Datum b, bool b_isnull)
{
	if (a_isnull || b_isnull)
		return a_isnull && b_isnull;
	return DatumGetBool(FunctionCall2Coll(&scope->equality.eq, scope->equality.collation, a, b));
}

static void
grow(BulkSyncGroups *groups)
{
	uint32		nbuckets = groups->nbuckets * 2;
	ScopeGroup	  **buckets = MemoryContextAllocExtended(groups->context, nbuckets * sizeof(ScopeGroup *),
													 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (uint32 i = 0; i < groups->nbuckets; i++)
	{
		ScopeGroup	   *next;

		CHECK_FOR_INTERRUPTS();
		for (ScopeGroup *group = groups->buckets[i]; group != NULL; group = next)
		{
			next = group->next;
			group->next = buckets[group->hash & (nbuckets - 1)];
			buckets[group->hash & (nbuckets - 1)] = group;
		}
	}
	pfree(groups->buckets);
	groups->buckets = buckets;
	groups->nbuckets = nbuckets;
}

/* Adds the group of a staged row, dropped duplicates included */
void
bulk_sync_groups_add(BulkSyncGroups *groups, const BulkSyncStagedRow *row)
{
	const BulkSyncPlan *plan = groups->plan;
	MemoryContext oldcontext;
	ScopeGroup	   *group;
	uint32		hash = 0;

	for (int i = 0; i < plan->nscope_columns; i++)
	{
		BulkSyncScopeColumn *scope = &plan->scope_columns[i];

		hash = hash_combine(hash, hash_value(scope, row->values[scope->column_index],
											 row->isnull[scope->column_index]));
	}
	for (group = groups->buckets[hash & (groups->nbuckets - 1)]; group != NULL; group = group->next)
	{
		bool		equal = group->hash == hash;

		for (int i = 0; i < plan->nscope_columns && equal; i++)
		{
			BulkSyncScopeColumn *scope = &plan->scope_columns[i];

			equal = equal_value(scope, group->values[i], group->isnull[i],
								row->values[scope->column_index],
								row->isnull[scope->column_index]);
		}
		if (equal)
			return;
	}

	if (groups->ngroups >= groups->nbuckets)
		grow(groups);
	oldcontext = MemoryContextSwitchTo(groups->context);
	group = palloc(offsetof(ScopeGroup, values) + plan->nscope_columns * sizeof(Datum) +
				   plan->nscope_columns * sizeof(bool));
	group->isnull = (bool *) &group->values[plan->nscope_columns];
	group->hash = hash;
	for (int i = 0; i < plan->nscope_columns; i++)
	{
		const BulkSyncColumn *column = &plan->columns[plan->scope_columns[i].column_index];
		int			index = plan->scope_columns[i].column_index;

		group->isnull[i] = row->isnull[index];
		group->values[i] = row->isnull[index] ? (Datum) 0 :
			datumCopy(row->values[index], column->typbyval, column->typlen);
	}
	group->next = groups->buckets[hash & (groups->nbuckets - 1)];
	groups->buckets[hash & (groups->nbuckets - 1)] = group;
	groups->ngroups++;
	MemoryContextSwitchTo(oldcontext);
}

/* Is the group of a target row (values by read index) among them? */
bool
bulk_sync_groups_contain(const BulkSyncGroups *groups, const Datum *values, const bool *isnull)
{
	const BulkSyncPlan *plan = groups->plan;
	uint32		hash = 0;

	for (int i = 0; i < plan->nscope_columns; i++)
	{
		BulkSyncScopeColumn *scope = &plan->scope_columns[i];

		hash = hash_combine(hash, hash_value(scope, values[scope->read_index],
											 isnull[scope->read_index]));
	}
	for (ScopeGroup *group = groups->buckets[hash & (groups->nbuckets - 1)]; group != NULL;
		 group = group->next)
	{
		bool		equal = group->hash == hash;

		for (int i = 0; i < plan->nscope_columns && equal; i++)
		{
			BulkSyncScopeColumn *scope = &plan->scope_columns[i];

			equal = equal_value(scope, group->values[i], group->isnull[i],
								values[scope->read_index], isnull[scope->read_index]);
		}
		if (equal)
			return true;
	}
	return false;
}

/*
 * For each scope column: is there an array of its values, and is NULL one of
 * them?
 */
void
bulk_sync_groups_arrays(const BulkSyncGroups *groups, bool *nulls, bool *use_array, Datum *arrays)
{
	const BulkSyncPlan *plan = groups->plan;

	for (int i = 0; i < plan->nscope_columns; i++)
	{
		Oid			type = bulk_sync_scope_element_type(&plan->scope_columns[i].equality);
		Datum	   *elements;
		int			nelements = 0;
		int16		typlen;
		bool		typbyval;
		char		typalign;

		nulls[i] = false;
		use_array[i] = OidIsValid(type) && groups->ngroups <= MAX_GROUPS_IN_QUERY;
		if (!use_array[i])
			continue;
		elements = palloc(Max(groups->ngroups, 1) * sizeof(Datum));
		for (uint32 bucket = 0; bucket < groups->nbuckets; bucket++)
		{
			for (ScopeGroup *group = groups->buckets[bucket]; group != NULL; group = group->next)
			{
				if (group->isnull[i])
					nulls[i] = true;
				else
					elements[nelements++] = group->values[i];
			}
		}
		get_typlenbyvalalign(type, &typlen, &typbyval, &typalign);
		arrays[i] = PointerGetDatum(construct_array(elements, nelements, type,
													typlen, typbyval, typalign));
	}
}
