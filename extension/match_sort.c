/*-------------------------------------------------------------------------
 *
 * match_sort.c
 *	  Finds the staged row of a target row by sorting both sides and merging.
 *
 * For key types that have a btree operator class and no hash one (money, bit,
 * tsvector, and what contains them).  Sorting spills by itself.
 *
 *-------------------------------------------------------------------------
 */
#include "match.h"

#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/sortsupport.h"
#include "utils/tuplesort.h"

typedef struct SortMatcher
{
	Tuplesortstate *staged;		/* wanted row, position */
	Tuplesortstate *target;		/* columns read, tableoid, ctid, when written */
	TupleTableSlot *staged_slot;
	TupleTableSlot *target_slot;
	TupleTableSlot *staged_virtual;
	TupleTableSlot *target_virtual;
	SortSupport keys;			/* to compare a staged row with another row */
	bool		have_staged;	/* staged_slot holds the row after the entry */
	BulkSyncEntry *entry;
	MemoryContext entry_context;
	TupleTableSlot *entry_slot;
} SortMatcher;

/* A row shape of ours with some columns behind it */
static TupleDesc
extended_desc(TupleDesc desc, int extra)
{
	TupleDesc	result = CreateTemplateTupleDesc(desc->natts + extra);

	for (int i = 1; i <= desc->natts; i++)
		TupleDescCopyEntry(result, i, desc, i);
	return result;
}

static Tuplesortstate *
begin_sort(const BulkSyncPlan *plan, TupleDesc desc, bool target)
{
	AttrNumber *attnos = palloc(plan->nkeys * sizeof(AttrNumber));
	Oid		   *operators = palloc(plan->nkeys * sizeof(Oid));
	Oid		   *collations = palloc(plan->nkeys * sizeof(Oid));
	bool	   *nulls_first = palloc0(plan->nkeys * sizeof(bool));

	for (int i = 0; i < plan->nkeys; i++)
	{
		attnos[i] = (target ? plan->columns[i].read_index : i) + 1;
		operators[i] = plan->key[i].lt_opr;
		collations[i] = plan->key[i].collation;
	}
	return tuplesort_begin_heap(desc, plan->nkeys, attnos, operators, collations, nulls_first,
								Max(64, bulk_sync_memory_budget() / 2048), NULL,
								TUPLESORT_NONE);
}

void
bulk_sync_sort_begin(BulkSyncMatch *match)
{
	const BulkSyncPlan *plan = match->plan;
	SortMatcher *matcher = palloc0(sizeof(SortMatcher));
	TupleDesc	staged_desc = extended_desc(plan->wanted_desc, 1);
	TupleDesc	target_desc = extended_desc(plan->read_desc, 3);

	TupleDescInitEntry(staged_desc, staged_desc->natts, "position", INT8OID, -1, 0);
	TupleDescInitEntry(target_desc, target_desc->natts - 2, "tableoid", OIDOID, -1, 0);
	TupleDescInitEntry(target_desc, target_desc->natts - 1, "ctid", TIDOID, -1, 0);
	TupleDescInitEntry(target_desc, target_desc->natts, "written", INT8OID, -1, 0);

	matcher->staged = begin_sort(plan, staged_desc, false);
	matcher->target = begin_sort(plan, target_desc, true);
	matcher->staged_slot = MakeSingleTupleTableSlot(staged_desc, &TTSOpsMinimalTuple);
	matcher->target_slot = MakeSingleTupleTableSlot(target_desc, &TTSOpsMinimalTuple);
	matcher->staged_virtual = MakeSingleTupleTableSlot(staged_desc, &TTSOpsVirtual);
	matcher->target_virtual = MakeSingleTupleTableSlot(target_desc, &TTSOpsVirtual);
	matcher->entry_slot = MakeSingleTupleTableSlot(plan->wanted_desc, &TTSOpsMinimalTuple);
	matcher->entry_context = AllocSetContextCreate(match->context, "bulk_sync sorted row",
												   ALLOCSET_DEFAULT_SIZES);
	matcher->keys = palloc0(plan->nkeys * sizeof(SortSupportData));
	for (int i = 0; i < plan->nkeys; i++)
	{
		SortSupport key = &matcher->keys[i];

		key->ssup_cxt = match->context;
		key->ssup_collation = plan->key[i].collation;
		key->ssup_nulls_first = false;
		PrepareSortSupportFromOrderingOp(plan->key[i].lt_opr, key);
	}
	match->matcher = matcher;
}

void
bulk_sync_sort_add(BulkSyncMatch *match, const BulkSyncStagedRow *row)
{
	SortMatcher *matcher = (SortMatcher *) match->matcher;
	TupleTableSlot *slot = matcher->staged_virtual;
	int			ncolumns = match->plan->ncolumns;

	ExecClearTuple(slot);
	memcpy(slot->tts_values, row->values, ncolumns * sizeof(Datum));
	memcpy(slot->tts_isnull, row->isnull, ncolumns * sizeof(bool));
	slot->tts_values[ncolumns] = Int64GetDatum(row->position);
	slot->tts_isnull[ncolumns] = false;
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(matcher->staged, slot);
}

void
bulk_sync_sort_probe(BulkSyncMatch *match, const BulkSyncTargetRow *row)
{
	SortMatcher *matcher = (SortMatcher *) match->matcher;
	TupleTableSlot *slot = matcher->target_virtual;
	int			nread = match->plan->nread;

	ExecClearTuple(slot);
	memcpy(slot->tts_values, row->values, nread * sizeof(Datum));
	memcpy(slot->tts_isnull, row->isnull, nread * sizeof(bool));
	slot->tts_values[nread] = ObjectIdGetDatum(row->tableoid);
	slot->tts_isnull[nread] = false;
	slot->tts_values[nread + 1] = PointerGetDatum(&row->tid);
	slot->tts_isnull[nread + 1] = false;
	slot->tts_values[nread + 2] = Int64GetDatum(row->written);
	slot->tts_isnull[nread + 2] = false;
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(matcher->target, slot);
}

/* Compares the key of the entry with that of another row */
static int
compare_key(const BulkSyncMatch *match, const Datum *values, const bool *isnull, bool target)
{
	const BulkSyncPlan *plan = match->plan;
	SortMatcher *matcher = (SortMatcher *) match->matcher;
	TupleTableSlot *slot = matcher->entry_slot;

	for (int i = 0; i < plan->nkeys; i++)
	{
		int			index = target ? plan->columns[i].read_index : i;
		int			order = ApplySortComparator(slot->tts_values[i], slot->tts_isnull[i],
												values[index], isnull[index],
												&matcher->keys[i]);

		if (order != 0)
			return order;
	}
	return 0;
}

static void
fetch_staged(SortMatcher *matcher)
{
	matcher->have_staged = tuplesort_gettupleslot(matcher->staged, true, false,
												  matcher->staged_slot, NULL);
	if (matcher->have_staged)
		slot_getallattrs(matcher->staged_slot);
}

/* Makes an entry of the staged row at hand */
static void
set_entry(BulkSyncMatch *match, bool reported)
{
	SortMatcher *matcher = (SortMatcher *) match->matcher;
	TupleTableSlot *slot = matcher->staged_slot;
	int			ncolumns = match->plan->ncolumns;
	MinimalTuple tuple = bulk_sync_form_minimal_tuple(match->plan->wanted_desc,
													  slot->tts_values, slot->tts_isnull);
	BulkSyncEntry *entry;

	ExecClearTuple(matcher->entry_slot);
	ExecClearTuple(match->staged_slot);
	MemoryContextReset(matcher->entry_context);
	entry = MemoryContextAlloc(matcher->entry_context,
							   bulk_sync_entry_size(match, tuple->t_len));
	memcpy(BULK_SYNC_ENTRY_TUPLE(entry), tuple, tuple->t_len);
	bulk_sync_set_entry(match, entry, 0, DatumGetInt64(slot->tts_values[ncolumns]), reported);
	pfree(tuple);
	matcher->entry = entry;
	ExecStoreMinimalTuple(BULK_SYNC_ENTRY_TUPLE(entry), matcher->entry_slot, false);
	slot_getallattrs(matcher->entry_slot);
}

/* The next distinct staged key; false when there is none */
static bool
next_entry(BulkSyncMatch *match)
{
	SortMatcher *matcher = (SortMatcher *) match->matcher;

	matcher->entry = NULL;
	if (!matcher->have_staged)
		return false;
	set_entry(match, false);
	for (fetch_staged(matcher); matcher->have_staged; fetch_staged(matcher))
	{
		TupleTableSlot *slot = matcher->staged_slot;
		bool		reported;

		CHECK_FOR_INTERRUPTS();
		if (compare_key(match, slot->tts_values, slot->tts_isnull, false) != 0)
			break;
		bulk_sync_match_duplicate(match, matcher->entry, slot->tts_values, slot->tts_isnull);
		reported = matcher->entry->reported;
		if (bulk_sync_new_duplicate_wins(match->plan, matcher->entry_slot->tts_values,
										 matcher->entry_slot->tts_isnull,
										 matcher->entry->position,
										 slot->tts_values, slot->tts_isnull,
										 DatumGetInt64(slot->tts_values[match->plan->ncolumns])))
			set_entry(match, reported);
	}
	return true;
}

/* All rows have been seen: sort and merge */
void
bulk_sync_sort_finish(BulkSyncMatch *match)
{
	const BulkSyncPlan *plan = match->plan;
	SortMatcher *matcher = (SortMatcher *) match->matcher;
	TupleTableSlot *slot = matcher->target_slot;

	tuplesort_performsort(matcher->staged);
	tuplesort_performsort(matcher->target);
	fetch_staged(matcher);
	(void) next_entry(match);

	while (tuplesort_gettupleslot(matcher->target, true, false, slot, NULL))
	{
		BulkSyncTargetRow row;
		int			order = 1;

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(slot);
		row.values = slot->tts_values;
		row.isnull = slot->tts_isnull;
		row.tableoid = DatumGetObjectId(slot->tts_values[plan->nread]);
		row.tid = *(ItemPointer) DatumGetPointer(slot->tts_values[plan->nread + 1]);
		row.written = DatumGetInt64(slot->tts_values[plan->nread + 2]);

		while (matcher->entry != NULL)
		{
			order = compare_key(match, row.values, row.isnull, true);
			if (order >= 0)
				break;
			bulk_sync_match_entry_done(match, matcher->entry);
			(void) next_entry(match);
		}
		bulk_sync_match_row(match, matcher->entry != NULL && order == 0 ? matcher->entry : NULL,
							&row);
	}
	while (matcher->entry != NULL)
	{
		bulk_sync_match_entry_done(match, matcher->entry);
		(void) next_entry(match);
	}

	tuplesort_end(matcher->staged);
	tuplesort_end(matcher->target);
	ExecDropSingleTupleTableSlot(matcher->staged_slot);
	ExecDropSingleTupleTableSlot(matcher->target_slot);
	ExecDropSingleTupleTableSlot(matcher->staged_virtual);
	ExecDropSingleTupleTableSlot(matcher->target_virtual);
	ExecDropSingleTupleTableSlot(matcher->entry_slot);
}
