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
 * A row that was planned may be the newest by its key's next row.  Where it
 * cannot be foreseen what will be stored, or in which order (a trigger, a
 * default that differs from row to row), the further rows of the key are left
 * undecided: apply.c asks for them one by one, and tells what became of each.
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

/* A key, and its newest row so far */
typedef struct HistoryKey
{
	TupleTableSlot *slot;		/* the newest row; it has the key, at least */
	bool		exists;
	bool		is_highest;		/* the database will give it a value above all */
	bool		order_isnull;
	Datum		order;			/* points into the slot, but for a default */
	TupleTableSlot *pending;	/* to be inserted; the key's next row decides how */
	bool		undecided;		/* so are all its further rows */
} HistoryKey;

struct BulkSyncHistory
{
	const BulkSyncPlan *plan;
	BulkSyncDifference *difference;
	MemoryContext context;		/* as long as the difference */
	Tuplesortstate *sort;
	TupleTableSlot *row;		/* on its way into the sort */

	/* The keys of the run of equal hashes at hand */
	HistoryKey *keys;
	int			nkeys;
	int			capacity;

	/* Rows that are decided as they are written, in the order of the sort */
	Tuplestorestate *undecided;
	TupleTableSlot *slot;
	HistoryKey *asked;			/* the key of the row that is being written */
};

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

	history->plan = match->plan;
	history->difference = match->difference;
	history->context = match->context;
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
is_newer(BulkSyncMatch *match, const BulkSyncKeptRow *kept, const BulkSyncTargetRow *row)
{
	const BulkSyncPlan *plan = match->plan;
	int			index = plan->history_read_index;
	TupleTableSlot *slot = match->kept_slot;
	Datum		order;
	bool		isnull;
	int			result;

	ExecStoreMinimalTuple(kept->tuple, slot, false);
	order = slot_getattr(slot, index + 1, &isnull);
	result = compare_order(plan, row->values[index], row->isnull[index], order, isnull);
	if (result != 0)
		return result > 0;

	/* Among equals the one inserted last */
	if (row->written != kept->written)
		return row->written > kept->written;
	if (row->tableoid != kept->tableoid)
		return true;
	return ItemPointerCompare((ItemPointer) &row->tid,
							  (ItemPointer) &kept->tid) > 0;
}

/* A target row whose key is staged */
void
bulk_sync_history_row(BulkSyncMatch *match, BulkSyncEntry *entry, const BulkSyncTargetRow *row)
{
	const BulkSyncKeptRow *kept = bulk_sync_kept_row(match, entry);

	if (kept != NULL && !is_newer(match, kept, row))
		return;
	bulk_sync_keep_row(match, entry, row);
}

/* All target rows of an entry's key have been seen */
void
bulk_sync_history_entry_done(BulkSyncMatch *match, BulkSyncEntry *entry)
{
	const BulkSyncPlan *plan = match->plan;
	const BulkSyncKeptRow *kept = bulk_sync_kept_row(match, entry);
	TupleTableSlot *stored = match->kept_slot;
	TupleTableSlot *slot;

	if (kept == NULL)
		return;
	ExecStoreMinimalTuple(kept->tuple, stored, false);
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

static HistoryKey *
add_key(BulkSyncHistory *history, TupleTableSlot *slot)
{
	HistoryKey *key;

	if (history->nkeys == history->capacity)
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(history->context);
		int			capacity = Max(4, history->capacity * 2);

		history->keys = history->keys == NULL ? palloc0(capacity * sizeof(HistoryKey)) :
			repalloc(history->keys, capacity * sizeof(HistoryKey));
		for (int i = history->capacity; i < capacity; i++)
		{
			history->keys[i].slot = MakeSingleTupleTableSlot(slot->tts_tupleDescriptor,
															 &TTSOpsMinimalTuple);
			history->keys[i].pending = MakeSingleTupleTableSlot(slot->tts_tupleDescriptor,
																&TTSOpsMinimalTuple);
		}
		history->capacity = capacity;
		MemoryContextSwitchTo(oldcontext);
	}
	key = &history->keys[history->nkeys++];
	key->exists = false;
	key->undecided = false;
	ExecClearTuple(key->pending);
	ExecCopySlot(key->slot, slot);
	slot_getallattrs(key->slot);
	return key;
}

/* The state of a row's key, or NULL if none of the run at hand has that key */
static HistoryKey *
find_key(const BulkSyncHistory *history, TupleTableSlot *slot)
{
	for (int i = 0; i < history->nkeys; i++)
	{
		if (same_key(history->plan, history->keys[i].slot, slot))
			return &history->keys[i];
	}
	return NULL;
}

/* Does a row whose key is not in the run at hand begin another run? */
static bool
begins_run(const BulkSyncHistory *history, TupleTableSlot *slot)
{
	return history->nkeys > 0 &&
		(history->plan->sort_match ||
		 history->keys[0].slot->tts_values[HISTORY_HASH - 1] !=
		 slot->tts_values[HISTORY_HASH - 1]);
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

static bool
differs_from_newest(const BulkSyncHistory *history, const HistoryKey *key, TupleTableSlot *slot)
{
	return !key->exists || BULK_SYNC_MUTANT(equal_version_inserted) ||
		!has_compared_values(history->plan, key->slot, slot);
}

/* Makes a row the newest of its key, unless that has a higher one */
static void
offer_newest(const BulkSyncPlan *plan, HistoryKey *key, TupleTableSlot *slot,
			 Datum order, bool order_isnull, bool is_highest)
{
	if (key->exists && !is_highest &&
		(key->is_highest ||
		 compare_order(plan, order, order_isnull, key->order, key->order_isnull) < 0) &&
		!BULK_SYNC_MUTANT(oldest_for_newest))
		return;
	ExecCopySlot(key->slot, slot);
	slot_getallattrs(key->slot);
	key->exists = true;
	key->is_highest = is_highest;
	key->order_isnull = order_isnull;
	key->order = key->slot->tts_isnull[HISTORY_ORDER - 1] ? order :
		key->slot->tts_values[HISTORY_ORDER - 1];
}

static void
offer_stored(const BulkSyncPlan *plan, HistoryKey *key, TupleTableSlot *slot)
{
	offer_newest(plan, key, slot, slot->tts_values[HISTORY_ORDER - 1],
				 slot->tts_isnull[HISTORY_ORDER - 1], false);
}

/* An integer of whatever width */
static int64
integer_value(Oid type, Datum value)
{
	switch (type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		default:
			return DatumGetInt64(value);
	}
}

/*
 * Can it be told, before the pending row of a key is written, what the newest
 * row of the key will be when "next" has its turn?
 */
static bool
is_foreseen(const BulkSyncPlan *plan, const HistoryKey *key, TupleTableSlot *next)
{
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(plan->target),
										   plan->history_attno - 1);
	bool		staged = plan->history_index >= 0;
	bool		pending_isnull = key->pending->tts_isnull[HISTORY_ORDER - 1];

	if (plan->insert_may_change)
		return false;
	if (staged && pending_isnull && plan->columns[plan->history_index].assigned)
		return false;
	if (!staged && plan->history_assigned == BULK_SYNC_ORDER_UNKNOWN)
		return false;

	/* Values of a sequence are above all that it gave before, not above others */
	if (!staged && plan->history_assigned == BULK_SYNC_ORDER_ASCENDING && key->exists &&
		!key->is_highest && !key->order_isnull &&
		integer_value(attr->atttypid, key->order) > plan->history_last_value)
		return false;

	/* Which of two equals came last, only separate commands tell across tables */
	if (!plan->single_table && plan->history_assigned != BULK_SYNC_ORDER_ASCENDING &&
		(!staged || compare_order(plan, key->pending->tts_values[HISTORY_ORDER - 1],
								  pending_isnull, next->tts_values[HISTORY_ORDER - 1],
								  next->tts_isnull[HISTORY_ORDER - 1]) == 0))
		return false;
	return true;
}

static void
staged_row_of(TupleTableSlot *slot, BulkSyncStagedRow *wanted)
{
	wanted->position = DatumGetInt64(slot->tts_values[HISTORY_POSITION - 1]);
	wanted->values = slot->tts_values + HISTORY_FIXED;
	wanted->isnull = slot->tts_isnull + HISTORY_FIXED;
}

/* Plans to insert the pending row of a key */
static void
plan_pending(BulkSyncHistory *history, HistoryKey *key)
{
	const BulkSyncPlan *plan = history->plan;
	BulkSyncStagedRow wanted;

	if (TTS_EMPTY(key->pending))
		return;
	staged_row_of(key->pending, &wanted);
	bulk_sync_difference_insert(history->difference, &wanted);
	if (plan->history_index >= 0)
		offer_stored(plan, key, key->pending);
	else
		offer_newest(plan, key, key->pending, plan->history_default,
					 plan->history_default_isnull,
					 plan->history_assigned == BULK_SYNC_ORDER_ASCENDING);
	ExecClearTuple(key->pending);
}

/* Copies a row into the scratch slot, as a stored one with the given order */
static TupleTableSlot *
make_stored(BulkSyncHistory *history, TupleTableSlot *slot, Datum order, bool order_isnull)
{
	TupleTableSlot *row = history->row;
	int			natts = row->tts_tupleDescriptor->natts;

	ExecClearTuple(row);
	memcpy(row->tts_values, slot->tts_values, natts * sizeof(Datum));
	memcpy(row->tts_isnull, slot->tts_isnull, natts * sizeof(bool));
	set_value(row, HISTORY_KIND, Int32GetDatum(HISTORY_STORED), false);
	set_value(row, HISTORY_ORDER, order, order_isnull);
	return ExecStoreVirtualTuple(row);
}

static void
leave_undecided(BulkSyncHistory *history, TupleTableSlot *slot)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(history->context);

	if (history->undecided == NULL)
		history->undecided = bulk_sync_begin_row_store();
	tuplestore_puttupleslot(history->undecided, slot);
	MemoryContextSwitchTo(oldcontext);
}

static void
decide_staged(BulkSyncHistory *history, HistoryKey *key, TupleTableSlot *slot)
{
	if (!TTS_EMPTY(key->pending) && !key->undecided)
	{
		if (is_foreseen(history->plan, key, slot))
			plan_pending(history, key);
		else
		{
			key->undecided = true;
			if (key->exists)
				leave_undecided(history, make_stored(history, key->slot, key->order,
													 key->order_isnull));
			leave_undecided(history, key->pending);
			ExecClearTuple(key->pending);
		}
	}
	if (key->undecided)
		leave_undecided(history, slot);
	else if (!differs_from_newest(history, key, slot))
		history->difference->unchanged++;
	else
	{
		ExecCopySlot(key->pending, slot);
		slot_getallattrs(key->pending);
	}
}

static void
finish_run(BulkSyncHistory *history)
{
	for (int i = 0; i < history->nkeys; i++)
		plan_pending(history, &history->keys[i]);
	history->nkeys = 0;
}

static bool
is_stored(TupleTableSlot *slot)
{
	return DatumGetInt32(slot->tts_values[HISTORY_KIND - 1]) == HISTORY_STORED;
}

/* All rows have been seen: plans the inserts */
void
bulk_sync_history_finish(BulkSyncMatch *match)
{
	BulkSyncHistory *history = match->history;

	history->slot = MakeSingleTupleTableSlot(history->row->tts_tupleDescriptor,
											 &TTSOpsMinimalTuple);
	tuplesort_performsort(history->sort);
	while (tuplesort_gettupleslot(history->sort, true, false, history->slot, NULL))
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(match->row_context);
		HistoryKey *key;

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(history->slot);
		key = find_key(history, history->slot);
		if (key == NULL)
		{
			if (begins_run(history, history->slot))
				finish_run(history);
			key = add_key(history, history->slot);
		}
		if (is_stored(history->slot))
			offer_stored(history->plan, key, history->slot);
		else
			decide_staged(history, key, history->slot);
		MemoryContextSwitchTo(oldcontext);
		MemoryContextReset(match->row_context);
	}
	finish_run(history);
	tuplesort_end(history->sort);
	ExecClearTuple(history->slot);
	match->difference->history = history->undecided == NULL ? NULL : history;
	if (history->undecided == NULL)
		bulk_sync_history_free(history);
}

/*-------------------------------------------------------------------------
 * Rows that are decided as they are written
 *-------------------------------------------------------------------------
 */

/* The next row that has to be inserted; false if there is none */
bool
bulk_sync_history_next(BulkSyncHistory *history, BulkSyncStagedRow *wanted)
{
	TupleTableSlot *slot = history->slot;

	while (tuplestore_gettupleslot(history->undecided, true, false, slot))
	{
		HistoryKey *key;

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(slot);
		key = find_key(history, slot);
		if (key == NULL)
		{
			if (begins_run(history, slot))
				history->nkeys = 0;
			key = add_key(history, slot);
		}
		if (is_stored(slot))
			offer_stored(history->plan, key, slot);
		else if (!differs_from_newest(history, key, slot))
			history->difference->unchanged++;
		else
		{
			history->difference->planned_inserts++;
			history->asked = key;
			staged_row_of(slot, wanted);
			return true;
		}
	}
	return false;
}

/*
 * What was stored of the row that bulk_sync_history_next() gave; values by
 * read index, or NULL where it is stored as it was staged.
 */
void
bulk_sync_history_stored(BulkSyncHistory *history, const Datum *values, const bool *isnull)
{
	const BulkSyncPlan *plan = history->plan;
	TupleTableSlot *slot = history->slot;

	if (values != NULL)
	{
		slot = make_stored(history, slot, values[plan->history_read_index],
						   isnull[plan->history_read_index]);
		for (int i = 0; i < plan->ncolumns; i++)
		{
			int			index = plan->columns[i].read_index;

			if (index >= 0)
				set_value(slot, HISTORY_FIXED + i + 1, values[index], isnull[index]);
		}
		/* A trigger gave it another key */
		if (!same_key(plan, history->asked->slot, slot))
			return;
	}
	offer_stored(plan, history->asked, slot);
}

void
bulk_sync_history_free(BulkSyncHistory *history)
{
	for (int i = 0; i < history->capacity; i++)
	{
		ExecDropSingleTupleTableSlot(history->keys[i].slot);
		ExecDropSingleTupleTableSlot(history->keys[i].pending);
	}
	ExecDropSingleTupleTableSlot(history->row);
	ExecDropSingleTupleTableSlot(history->slot);
	if (history->undecided != NULL)
		tuplestore_end(history->undecided);
}
