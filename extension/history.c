/*-------------------------------------------------------------------------
 *
 * history.c
 *	  Append-only history: which staged rows differ from the newest row of
 *	  their key?
 *
 * The matcher finds the rows of the target that have a staged key; of each
 * key the newest one is kept.  Those rows and all staged rows are sorted
 * together, by key, and within a key the target row before the staged ones in
 * their order.  One pass over the sorted rows then compares each staged row
 * with the newest row of its key so far.  That costs n log n, whatever indexes
 * there are, and sorting spills by itself.
 *
 * Where the key can be hashed, its hash stands in for it in the sort: it is
 * cheaper to compare, and a run of equal hashes nearly always is one key.
 *
 *-------------------------------------------------------------------------
 */
#include "match.h"

#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/tuplesort.h"

/* Attributes of a sorted row; the columns of the wanted row follow */
#define HISTORY_HASH		1	/* of the key; 0 where it cannot be hashed */
#define HISTORY_KIND		2	/* one of the below */
#define HISTORY_ORDER		3	/* value of the order column, if there is one */
#define HISTORY_POSITION	4	/* of a staged row */
#define HISTORY_FIXED		4

#define HISTORY_STORED		0	/* the newest row of its key in the target */
#define HISTORY_STAGED		1

/* The newest row of a key so far */
typedef struct HistoryKey
{
	TupleTableSlot *slot;		/* it has the key, at least */
	bool		exists;
	bool		order_unknown;	/* it was just planned, and the database orders it */
	bool		order_isnull;
	Datum		order;			/* points into the slot */
} HistoryKey;

typedef struct BulkSyncHistory
{
	Tuplesortstate *sort;
	TupleTableSlot *row;		/* on its way into the sort */

	/* The keys of the run of equal hashes at hand */
	HistoryKey *keys;
	int			nkeys;
	int			capacity;
} BulkSyncHistory;

static TupleDesc
sorted_desc(const BulkSyncPlan *plan)
{
	TupleDesc	desc = CreateTemplateTupleDesc(HISTORY_FIXED + plan->ncolumns);

	TupleDescInitEntry(desc, HISTORY_HASH, "hash", INT8OID, -1, 0);
	TupleDescInitEntry(desc, HISTORY_KIND, "kind", INT4OID, -1, 0);
	TupleDescCopyEntry(desc, HISTORY_ORDER, RelationGetDescr(plan->target), plan->history_attno);
	TupleDescInitEntry(desc, HISTORY_POSITION, "position", INT8OID, -1, 0);
	for (int i = 1; i <= plan->ncolumns; i++)
		TupleDescCopyEntry(desc, HISTORY_FIXED + i, plan->wanted_desc, i);
	return desc;
}

static Tuplesortstate *
begin_sort(const BulkSyncPlan *plan, TupleDesc desc)
{
	int			capacity = plan->nkeys + HISTORY_FIXED;
	AttrNumber *attnos = palloc(capacity * sizeof(AttrNumber));
	Oid		   *operators = palloc(capacity * sizeof(Oid));
	Oid		   *collations = palloc0(capacity * sizeof(Oid));
	bool	   *nulls_first = palloc0(capacity * sizeof(bool));
	int			count = 0;

	for (int i = 0; plan->sort_match && i < plan->nkeys; i++)
	{
		attnos[count] = HISTORY_FIXED + i + 1;
		operators[count] = plan->key[i].lt_opr;
		collations[count++] = plan->key[i].collation;
	}
	if (!plan->sort_match)
	{
		attnos[count] = HISTORY_HASH;
		operators[count++] = Int8LessOperator;
	}
	attnos[count] = HISTORY_KIND;
	operators[count++] = Int4LessOperator;
	attnos[count] = HISTORY_ORDER;
	operators[count] = plan->history_lt_opr;
	collations[count] = TupleDescAttr(desc, HISTORY_ORDER - 1)->attcollation;
	nulls_first[count++] = true;
	attnos[count] = HISTORY_POSITION;
	operators[count++] = Int8LessOperator;
	return tuplesort_begin_heap(desc, count, attnos, operators, collations, nulls_first,
								Max(64, bulk_sync_memory_budget() / 2048), NULL,
								TUPLESORT_NONE);
}

void
bulk_sync_history_begin(BulkSyncMatch *match)
{
	BulkSyncHistory *history = palloc0(sizeof(BulkSyncHistory));
	TupleDesc	desc = sorted_desc(match->plan);

	history->sort = begin_sort(match->plan, desc);
	history->row = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	match->history = history;
}

/*-------------------------------------------------------------------------
 * Rows that are going to be sorted
 *-------------------------------------------------------------------------
 */
static void
set_value(TupleTableSlot *slot, AttrNumber attno, Datum value, bool isnull)
{
	slot->tts_values[attno - 1] = value;
	slot->tts_isnull[attno - 1] = isnull;
}

static TupleTableSlot *
start_row(BulkSyncHistory *history, uint32 hash, int kind)
{
	TupleTableSlot *slot = history->row;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	set_value(slot, HISTORY_HASH, Int64GetDatum(hash), false);
	set_value(slot, HISTORY_KIND, Int32GetDatum(kind), false);
	return slot;
}

static void
put_row(BulkSyncHistory *history)
{
	ExecStoreVirtualTuple(history->row);
	tuplesort_puttupleslot(history->sort, history->row);
}

/* A staged row; the matcher gets it as well, for its key */
void
bulk_sync_history_add_staged(BulkSyncMatch *match, const BulkSyncStagedRow *row)
{
	const BulkSyncPlan *plan = match->plan;
	uint32		hash = plan->sort_match ? 0 :
		bulk_sync_hash_key(plan, row->values, row->isnull, false);
	TupleTableSlot *slot = start_row(match->history, hash, HISTORY_STAGED);

	if (plan->history_index >= 0)
		set_value(slot, HISTORY_ORDER, row->values[plan->history_index],
				  row->isnull[plan->history_index]);
	set_value(slot, HISTORY_POSITION, Int64GetDatum(row->position), false);
	for (int i = 0; i < plan->ncolumns; i++)
		set_value(slot, HISTORY_FIXED + i + 1, row->values[i], row->isnull[i]);
	put_row(match->history);
}

/* NULL is the lowest value of all */
static int
compare_order(const BulkSyncPlan *plan, Datum a, bool a_isnull, Datum b, bool b_isnull)
{
	Form_pg_attribute attr;

	if (a_isnull || b_isnull)
		return (int) b_isnull - (int) a_isnull;
	attr = TupleDescAttr(RelationGetDescr(plan->target), plan->history_attno - 1);
	return DatumGetInt32(FunctionCall2Coll((FmgrInfo *) &plan->history_cmp, attr->attcollation,
										   a, b));
}

/* Is a target row newer than the one that its key has so far? */
static bool
is_newer(BulkSyncMatch *match, const BulkSyncEntry *entry, const BulkSyncTargetRow *row)
{
	const BulkSyncPlan *plan = match->plan;
	int			index = plan->history_read_index;
	TupleTableSlot *slot = match->marked_slot;
	Datum		order;
	bool		isnull;
	int			result;

	ExecStoreMinimalTuple(entry->marked, slot, false);
	order = slot_getattr(slot, index + 1, &isnull);
	result = compare_order(plan, row->values[index], row->isnull[index], order, isnull);
	if (result != 0)
		return result > 0;

	/* Among equals the one inserted last; rows without an address come in order */
	if (row->written != entry->marked_written)
		return row->written > entry->marked_written;
	if (plan->address_by_key || row->tableoid != entry->marked_tableoid)
		return true;
	return ItemPointerCompare((ItemPointer) &row->tid,
							  (ItemPointer) &entry->marked_tid) > 0;
}

/* A target row whose key is staged */
void
bulk_sync_history_row(BulkSyncMatch *match, BulkSyncEntry *entry, const BulkSyncTargetRow *row)
{
	MemoryContext oldcontext;

	if (entry->marked != NULL)
	{
		if (!is_newer(match, entry, row))
			return;
		ExecClearTuple(match->marked_slot);
		pfree(entry->marked);
	}
	oldcontext = MemoryContextSwitchTo(match->context);
	entry->marked = bulk_sync_form_minimal_tuple(match->plan->read_desc, row->values,
												 row->isnull);
	entry->marked_tableoid = row->tableoid;
	entry->marked_tid = row->tid;
	entry->marked_written = row->written;
	MemoryContextSwitchTo(oldcontext);
}

/* All target rows of an entry's key have been seen */
void
bulk_sync_history_entry_done(BulkSyncMatch *match, BulkSyncEntry *entry)
{
	const BulkSyncPlan *plan = match->plan;
	TupleTableSlot *stored = match->marked_slot;
	TupleTableSlot *slot;

	if (entry->marked == NULL)
		return;
	ExecStoreMinimalTuple(entry->marked, stored, false);
	slot_getallattrs(stored);
	slot = start_row(match->history, entry->hash, HISTORY_STORED);
	set_value(slot, HISTORY_ORDER, stored->tts_values[plan->history_read_index],
			  stored->tts_isnull[plan->history_read_index]);
	for (int i = 0; i < plan->ncolumns; i++)
	{
		int			index = plan->columns[i].read_index;

		if (index >= 0)
			set_value(slot, HISTORY_FIXED + i + 1, stored->tts_values[index],
					  stored->tts_isnull[index]);
	}
	put_row(match->history);
	ExecClearTuple(stored);
}

/*-------------------------------------------------------------------------
 * The pass over the sorted rows
 *-------------------------------------------------------------------------
 */
static bool
same_key(const BulkSyncPlan *plan, TupleTableSlot *a, TupleTableSlot *b)
{
	for (int i = 0; i < plan->nkeys; i++)
	{
		int			index = HISTORY_FIXED + i;

		if (a->tts_isnull[index] || b->tts_isnull[index])
		{
			if (!a->tts_isnull[index] || !b->tts_isnull[index])
				return false;
		}
		else if (!DatumGetBool(FunctionCall2Coll(&plan->key[i].eq, plan->key[i].collation,
												 a->tts_values[index], b->tts_values[index])))
			return false;
	}
	return true;
}

/* The state of a row's key; a new one if it is the first row of its key */
static HistoryKey *
key_of_row(BulkSyncMatch *match, TupleTableSlot *slot)
{
	const BulkSyncPlan *plan = match->plan;
	BulkSyncHistory *history = match->history;
	HistoryKey *key;

	for (int i = 0; i < history->nkeys; i++)
	{
		if (same_key(plan, history->keys[i].slot, slot))
			return &history->keys[i];
	}

	/* Does the row begin another run? */
	if (history->nkeys > 0 &&
		(plan->sort_match ||
		 history->keys[0].slot->tts_values[HISTORY_HASH - 1] !=
		 slot->tts_values[HISTORY_HASH - 1]))
		history->nkeys = 0;
	if (history->nkeys == history->capacity)
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(match->context);
		int			capacity = Max(4, history->capacity * 2);

		history->keys = history->keys == NULL ? palloc0(capacity * sizeof(HistoryKey)) :
			repalloc(history->keys, capacity * sizeof(HistoryKey));
		for (int i = history->capacity; i < capacity; i++)
			history->keys[i].slot = MakeSingleTupleTableSlot(slot->tts_tupleDescriptor,
															 &TTSOpsMinimalTuple);
		history->capacity = capacity;
		MemoryContextSwitchTo(oldcontext);
	}
	key = &history->keys[history->nkeys++];
	key->exists = false;
	ExecCopySlot(key->slot, slot);
	slot_getallattrs(key->slot);
	return key;
}

/* Has a staged row the compared values of the newest row of its key? */
static bool
has_compared_values(const BulkSyncPlan *plan, TupleTableSlot *newest, TupleTableSlot *staged)
{
	for (int i = 0; i < plan->ncolumns; i++)
	{
		const BulkSyncColumn *column = &plan->columns[i];
		int			index = HISTORY_FIXED + i;

		if (!column->compared || (column->assigned && staged->tts_isnull[index]))
			continue;
		if (!bulk_sync_image_equal(column, newest->tts_values[index], newest->tts_isnull[index],
								   staged->tts_values[index], staged->tts_isnull[index]))
			return false;
	}
	return true;
}

/* A row has been planned: is it now the newest of its key? */
static void
update_newest(const BulkSyncPlan *plan, HistoryKey *key, TupleTableSlot *slot)
{
	Datum		order = slot->tts_values[HISTORY_ORDER - 1];
	bool		isnull = slot->tts_isnull[HISTORY_ORDER - 1];
	bool		unknown = false;

	if (plan->history_index < 0)
	{
		unknown = !plan->history_known;
		order = plan->history_default;
		isnull = plan->history_default_isnull;
	}
	else if (isnull && plan->columns[plan->history_index].assigned)
		unknown = true;

	/* What the database assigns, it assigns in ascending order */
	if (key->exists && !unknown && !key->order_unknown &&
		compare_order(plan, order, isnull, key->order, key->order_isnull) < 0)
		return;
	ExecCopySlot(key->slot, slot);
	slot_getallattrs(key->slot);
	key->exists = true;
	key->order_unknown = unknown;
	key->order_isnull = isnull;
	key->order = plan->history_index < 0 ? order : key->slot->tts_values[HISTORY_ORDER - 1];
}

static void
decide_row(BulkSyncMatch *match, TupleTableSlot *slot)
{
	const BulkSyncPlan *plan = match->plan;
	HistoryKey *key = key_of_row(match, slot);
	BulkSyncStagedRow wanted;

	if (DatumGetInt32(slot->tts_values[HISTORY_KIND - 1]) == HISTORY_STORED)
	{
		key->exists = true;
		key->order_unknown = false;
		key->order = key->slot->tts_values[HISTORY_ORDER - 1];
		key->order_isnull = key->slot->tts_isnull[HISTORY_ORDER - 1];
		return;
	}
	if (key->exists && has_compared_values(plan, key->slot, slot))
	{
		match->difference->unchanged++;
		return;
	}
	wanted.position = DatumGetInt64(slot->tts_values[HISTORY_POSITION - 1]);
	wanted.values = slot->tts_values + HISTORY_FIXED;
	wanted.isnull = slot->tts_isnull + HISTORY_FIXED;
	bulk_sync_difference_insert(match->difference, &wanted);
	update_newest(plan, key, slot);
}

/* All rows have been seen: plans the inserts */
void
bulk_sync_history_finish(BulkSyncMatch *match)
{
	BulkSyncHistory *history = match->history;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(history->row->tts_tupleDescriptor,
													&TTSOpsMinimalTuple);

	tuplesort_performsort(history->sort);
	while (tuplesort_gettupleslot(history->sort, true, false, slot, NULL))
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(match->row_context);

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(slot);
		decide_row(match, slot);
		MemoryContextSwitchTo(oldcontext);
		MemoryContextReset(match->row_context);
	}
	tuplesort_end(history->sort);
	ExecDropSingleTupleTableSlot(slot);
	ExecDropSingleTupleTableSlot(history->row);
	for (int i = 0; i < history->capacity; i++)
		ExecDropSingleTupleTableSlot(history->keys[i].slot);
}
