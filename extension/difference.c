/*-------------------------------------------------------------------------
 *
 * difference.c
 *	  The rows that are going to be written, in three sets: deletes, updates
 *	  (with the marks of soft deletes) and inserts.
 *
 * Each set is a tuplestore and spills to disk.  Rows to be updated or deleted
 * are brought into the order of their addresses, the one order in which every
 * call locks and writes.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/tuplesort.h"

/* pg_operator.dat gives no symbol to oid < oid */
#define OID_LESS_OPERATOR 609

/* An attribute of a row shape of ours: it is called by its number */
void
bulk_sync_init_entry(const BulkSyncPlan *plan, TupleDesc desc, AttrNumber attno, Oid type,
					 int32 typmod, Oid collation)
{
	TupleDescInitEntry(desc, attno, psprintf("%sc%d", plan->prefix, attno), type, typmod, 0);
	TupleDescInitEntryCollation(desc, attno, collation);
}

/* It is called by another number, as in the row that it is taken from */
void
bulk_sync_name_entry(const BulkSyncPlan *plan, TupleDesc desc, AttrNumber place,
					 AttrNumber attno)
{
	namestrcpy(&TupleDescAttr(desc, place - 1)->attname, psprintf("%sc%d", plan->prefix, attno));
}

static TupleDesc
difference_desc(const BulkSyncPlan *plan)
{
	bool		by_key = plan->address_by_key || plan->move_chased || plan->remote;
	int			nkeys = by_key ? plan->nkeys : 0;
	TupleDesc	desc = CreateTemplateTupleDesc(BULK_SYNC_DIFF_FIXED + plan->ncolumns + nkeys);
	Oid			soft_type = OidIsValid(plan->soft_type) ? plan->soft_type : BOOLOID;

	bulk_sync_init_entry(plan, desc, BULK_SYNC_DIFF_TABLEOID, OIDOID, -1, InvalidOid);
	bulk_sync_init_entry(plan, desc, BULK_SYNC_DIFF_CTID, TIDOID, -1, InvalidOid);
	bulk_sync_init_entry(plan, desc, BULK_SYNC_DIFF_POSITION, INT8OID, -1, InvalidOid);
	bulk_sync_init_entry(plan, desc, BULK_SYNC_DIFF_MARK, BOOLOID, -1, InvalidOid);
	bulk_sync_init_entry(plan, desc, BULK_SYNC_DIFF_SET_SOFT, BOOLOID, -1, InvalidOid);
	bulk_sync_init_entry(plan, desc, BULK_SYNC_DIFF_SOFT, soft_type, -1, InvalidOid);
	bulk_sync_init_entry(plan, desc, BULK_SYNC_DIFF_TAKES, BYTEAOID, -1, InvalidOid);
	bulk_sync_init_entry(plan, desc, BULK_SYNC_DIFF_OLD, RECORDOID, -1, InvalidOid);
	bulk_sync_init_entry(plan, desc, BULK_SYNC_DIFF_CHANGED, BYTEAOID, -1, InvalidOid);
	bulk_sync_init_entry(plan, desc, BULK_SYNC_DIFF_ROW, RECORDOID, -1, InvalidOid);
	bulk_sync_init_entry(plan, desc, BULK_SYNC_DIFF_XMIN, XIDOID, -1, InvalidOid);
	for (int i = 0; i < plan->ncolumns; i++)
		bulk_sync_init_entry(plan, desc, BULK_SYNC_DIFF_WANTED(i), plan->columns[i].type,
							 plan->columns[i].typmod, plan->columns[i].collation);
	for (int i = 0; i < nkeys; i++)
		bulk_sync_init_entry(plan, desc, BULK_SYNC_DIFF_OLD_KEY(plan, i), plan->columns[i].type,
							 plan->columns[i].typmod, plan->columns[i].collation);
	return desc;
}

/* A store for rows, in the current memory context */
Tuplestorestate *
bulk_sync_begin_row_store(void)
{
	Tuplestorestate *store;

	store = tuplestore_begin_heap(false, false, Max(64, bulk_sync_memory_budget() / (64 * 1024)));
	tuplestore_set_eflags(store, EXEC_FLAG_REWIND);
	return store;
}

void
bulk_sync_init_row_set(BulkSyncRowSet *set, TupleDesc desc)
{
	set->desc = desc;
	set->store = bulk_sync_begin_row_store();
	set->ordered = true;
}

/* The first of the columns that are read, for a record */
static TupleDesc
record_desc(const BulkSyncPlan *plan, int natts)
{
	TupleDesc	desc = CreateTemplateTupleDesc(natts);

	for (int i = 1; i <= natts; i++)
		TupleDescCopyEntry(desc, i, plan->read_desc, i);
	return BlessTupleDesc(desc);
}

/* Makes an empty difference, in a context of its own below the current one */
BulkSyncDifference *
bulk_sync_difference_create(const BulkSyncPlan *plan)
{
	MemoryContext context = AllocSetContextCreate(plan->context, "bulk_sync difference",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	BulkSyncDifference *difference = palloc0(sizeof(BulkSyncDifference));

	difference->plan = plan;
	difference->context = context;
	difference->row_context = AllocSetContextCreate(context, "bulk_sync difference row",
													ALLOCSET_DEFAULT_SIZES);
	difference->desc = difference_desc(plan);
	difference->key_image_differs = palloc0(Max(plan->nkeys, 1) * sizeof(bool));
	difference->values = palloc0(difference->desc->natts * sizeof(Datum));
	difference->isnull = palloc0(difference->desc->natts * sizeof(bool));
	/* By the columns that matching needs a row without an address is known */
	difference->old_desc = record_desc(plan, plan->nread_to_match);
	difference->row_desc = record_desc(plan, plan->nread);
	bulk_sync_init_row_set(&difference->deletes, difference->desc);
	bulk_sync_init_row_set(&difference->updates, difference->desc);
	bulk_sync_init_row_set(&difference->inserts, difference->desc);
	bulk_sync_init_row_set(&difference->equals, difference->desc);
	difference->inserts.ordered = !plan->insert_by_key;
	MemoryContextSwitchTo(oldcontext);
	return difference;
}

/* The values of a record in a row of ours */
void
bulk_sync_deform_record(Datum record, TupleDesc desc, Datum *values, bool *isnull)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(record);
	HeapTupleData tuple;

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, desc, values, isnull);
}

/*-------------------------------------------------------------------------
 * Adding rows
 *-------------------------------------------------------------------------
 */
static void
set_value(BulkSyncDifference *difference, AttrNumber attno, Datum value)
{
	difference->values[attno - 1] = value;
	difference->isnull[attno - 1] = false;
}

static void
start_row(BulkSyncDifference *difference)
{
	MemoryContextReset(difference->row_context);
	memset(difference->isnull, true, difference->desc->natts * sizeof(bool));
	set_value(difference, BULK_SYNC_DIFF_MARK, BoolGetDatum(false));
	set_value(difference, BULK_SYNC_DIFF_SET_SOFT, BoolGetDatum(false));
}

static void
add_row(BulkSyncDifference *difference, BulkSyncRowSet *set)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(difference->context);

	tuplestore_putvalues(set->store, set->desc, difference->values, difference->isnull);
	set->rows++;
	MemoryContextSwitchTo(oldcontext);
}

static void
set_old_key(BulkSyncDifference *difference, BulkSyncRowSet *set, const BulkSyncTargetRow *row)
{
	const BulkSyncPlan *plan = difference->plan;

	for (int i = 0; i < plan->nkeys; i++)
	{
		int			index = plan->columns[i].read_index;

		if (!row->isnull[index])
			set_value(difference, BULK_SYNC_DIFF_OLD_KEY(plan, i), row->values[index]);
		else if (plan->address_by_key)
			set->nulls_in_key = true;
	}
}

/* The row that was read, or its first columns, as a record */
static void
set_record(BulkSyncDifference *difference, AttrNumber attno, TupleDesc desc,
		   const BulkSyncTargetRow *row)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(difference->row_context);
	HeapTuple	tuple = heap_form_tuple(desc, row->values, row->isnull);

	set_value(difference, attno, HeapTupleGetDatum(tuple));
	MemoryContextSwitchTo(oldcontext);
}

/* Which row of the target this is */
static void
set_address(BulkSyncDifference *difference, BulkSyncRowSet *set, const BulkSyncTargetRow *row)
{
	const BulkSyncPlan *plan = difference->plan;

	if (!plan->address_by_key)
	{
		if (row->tableoid < set->last_tableoid ||
			(row->tableoid == set->last_tableoid &&
			 ItemPointerIsValid(&set->last_tid) &&
			 ItemPointerCompare((ItemPointer) &row->tid, &set->last_tid) < 0))
			set->ordered = false;
		set->last_tableoid = row->tableoid;
		set->last_tid = row->tid;
		set_value(difference, BULK_SYNC_DIFF_TABLEOID, ObjectIdGetDatum(row->tableoid));
		set_value(difference, BULK_SYNC_DIFF_CTID, PointerGetDatum(&row->tid));
		if (bulk_sync_is_remote(plan, row->tableoid))
			set_record(difference, BULK_SYNC_DIFF_OLD, difference->old_desc, row);
		if (plan->move_chased || plan->remote)
			set_old_key(difference, set, row);
		return;
	}

	set_record(difference, BULK_SYNC_DIFF_OLD, difference->old_desc, row);
	set_old_key(difference, set, row);
	if (bulk_sync_shards_have_addresses(plan))
	{
		set_value(difference, BULK_SYNC_DIFF_TABLEOID, ObjectIdGetDatum(row->tableoid));
		set_value(difference, BULK_SYNC_DIFF_CTID, PointerGetDatum(&row->tid));
		set_value(difference, BULK_SYNC_DIFF_XMIN,
				  TransactionIdGetDatum((TransactionId) row->written));
	}
}

/* What was read of the row, if it is returned */
static void
set_old_row(BulkSyncDifference *difference, const BulkSyncTargetRow *row)
{
	if (bulk_sync_returns_rows(difference->plan->options))
		set_record(difference, BULK_SYNC_DIFF_ROW, difference->row_desc, row);
}

static void
set_wanted(BulkSyncDifference *difference, const BulkSyncStagedRow *wanted)
{
	set_value(difference, BULK_SYNC_DIFF_POSITION, Int64GetDatum(wanted->position));
	for (int i = 0; i < difference->plan->ncolumns; i++)
	{
		difference->values[BULK_SYNC_DIFF_WANTED(i) - 1] = wanted->values[i];
		difference->isnull[BULK_SYNC_DIFF_WANTED(i) - 1] = wanted->isnull[i];
	}
}

/* A flag for each column, as a bit string, and one more; NULL: none is set */
static bytea *
pack_flags(BulkSyncDifference *difference, const bool *flags, bool one_more)
{
	int			ncolumns = difference->plan->ncolumns;
	Size		size = VARHDRSZ + ncolumns / 8 + 1;
	bytea	   *packed = MemoryContextAllocZero(difference->row_context, size);

	SET_VARSIZE(packed, size);
	for (int i = 0; i <= ncolumns; i++)
	{
		if (i == ncolumns ? one_more : flags != NULL && flags[i])
			VARDATA(packed)[i / 8] |= (1 << (i % 8));
	}
	return packed;
}

/* One of these flags */
bool
bulk_sync_get_bit(TupleTableSlot *slot, AttrNumber attno, int index)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, attno, &isnull);

	if (isnull)
		return false;
	return (VARDATA_ANY(DatumGetByteaPP(value))[index / 8] & (1 << (index % 8))) != 0;
}

/* A value stored out of line that stays as it is */
static bool
reuses_stored_value(const BulkSyncColumn *column, const BulkSyncTargetRow *row,
					const BulkSyncStagedRow *wanted, int index)
{
	Datum		stored;

	if (!column->compared || column->typlen != -1 || wanted->isnull[index] ||
		row->isnull[column->read_index])
		return false;
	stored = row->values[column->read_index];
	return VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(stored)) &&
		datum_image_eq(stored, wanted->values[index], false, -1);
}

/* Plans to delete a row, or to mark it */
void
bulk_sync_difference_delete(BulkSyncDifference *difference, const BulkSyncTargetRow *row)
{
	const BulkSyncPlan *plan = difference->plan;
	bool		mark = plan->soft_attno != InvalidAttrNumber;
	BulkSyncRowSet *set = mark ? &difference->updates : &difference->deletes;

	start_row(difference);
	set_address(difference, set, row);
	set_old_row(difference, row);
	difference->planned_deletes++;
	set_value(difference, BULK_SYNC_DIFF_POSITION, Int64GetDatum(-difference->planned_deletes));
	if (mark)
	{
		set_value(difference, BULK_SYNC_DIFF_MARK, BoolGetDatum(true));
		set_value(difference, BULK_SYNC_DIFF_SET_SOFT, BoolGetDatum(true));
		set_value(difference, BULK_SYNC_DIFF_SOFT, plan->soft_mark);
		set_value(difference, BULK_SYNC_DIFF_TAKES, PointerGetDatum(pack_flags(difference, NULL, false)));
		set->marks++;
		difference->soft_written = true;
	}
	add_row(difference, set);
}

/*
 * Plans to update a row.  Only the columns in "takes" get the staged value;
 * where the image is the same either way, a value out of line is not written
 * again if the row gets the pointer that it has.
 */
void
bulk_sync_difference_update(BulkSyncDifference *difference, const BulkSyncTargetRow *row,
							const BulkSyncStagedRow *wanted, const bool *takes,
							const bool *changed, bool unique_changes, bool revive)
{
	const BulkSyncPlan *plan = difference->plan;

	start_row(difference);
	set_address(difference, &difference->updates, row);
	set_old_row(difference, row);
	set_wanted(difference, wanted);
	set_value(difference, BULK_SYNC_DIFF_TAKES,
			  PointerGetDatum(pack_flags(difference, takes, unique_changes)));
	if (bulk_sync_returns_rows(plan->options))
		set_value(difference, BULK_SYNC_DIFF_CHANGED,
				  PointerGetDatum(pack_flags(difference, changed, false)));
	if (revive)
	{
		set_value(difference, BULK_SYNC_DIFF_SET_SOFT, BoolGetDatum(true));
		if (plan->soft_is_bool)
			set_value(difference, BULK_SYNC_DIFF_SOFT, BoolGetDatum(false));
		difference->soft_written = true;
	}
	for (int i = 0; i < plan->ncolumns; i++)
	{
		const BulkSyncColumn *column = &plan->columns[i];

		if (reuses_stored_value(column, row, wanted, i))
			difference->values[BULK_SYNC_DIFF_WANTED(i) - 1] = row->values[column->read_index];
	}
	difference->planned_updates++;
	add_row(difference, &difference->updates);
}

/* The difference row of a row to be inserted, as values and isnull */
void
bulk_sync_difference_form_insert(BulkSyncDifference *difference, const BulkSyncStagedRow *wanted)
{
	start_row(difference);
	set_wanted(difference, wanted);
}

/* Plans to insert a row */
void
bulk_sync_difference_insert(BulkSyncDifference *difference, const BulkSyncStagedRow *wanted)
{
	BulkSyncRowSet *set = &difference->inserts;

	bulk_sync_difference_form_insert(difference, wanted);
	for (int i = 0; i < difference->plan->nkeys; i++)
		set->nulls_in_key |= wanted->isnull[i];
	if (wanted->position < set->last_position)
		set->ordered = false;
	set->last_position = wanted->position;
	difference->planned_inserts++;
	add_row(difference, set);
}

/* Keeps a row that is not to be written, because it is to be returned */
void
bulk_sync_difference_equal(BulkSyncDifference *difference, const BulkSyncTargetRow *row,
						   const BulkSyncStagedRow *wanted)
{
	start_row(difference);
	set_old_row(difference, row);
	set_wanted(difference, wanted);
	add_row(difference, &difference->equals);
}

/*-------------------------------------------------------------------------
 * Order
 *-------------------------------------------------------------------------
 */
typedef struct SortKeys
{
	int			count;
	AttrNumber *attnos;
	Oid		   *operators;
	Oid		   *collations;
	bool	   *nulls_first;
} SortKeys;

static void
init_sort_keys(SortKeys *keys, int capacity)
{
	keys->count = 0;
	keys->attnos = palloc(capacity * sizeof(AttrNumber));
	keys->operators = palloc(capacity * sizeof(Oid));
	keys->collations = palloc(capacity * sizeof(Oid));
	keys->nulls_first = palloc0(capacity * sizeof(bool));
}

static void
add_sort_key(SortKeys *keys, AttrNumber attno, Oid operator, Oid collation)
{
	keys->attnos[keys->count] = attno;
	keys->operators[keys->count] = operator;
	keys->collations[keys->count] = collation;
	keys->count++;
}

static void
sort_set(BulkSyncRowSet *set, const SortKeys *keys)
{
	Tuplesortstate *sort;
	TupleTableSlot *slot;
	Tuplestorestate *sorted;

	if (set->ordered)
		return;
	sort = tuplesort_begin_heap(set->desc, keys->count, keys->attnos, keys->operators,
								keys->collations, keys->nulls_first,
								Max(64, bulk_sync_memory_budget() / (16 * 1024)), NULL,
								TUPLESORT_NONE);
	slot = MakeSingleTupleTableSlot(set->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(set->store);
	while (tuplestore_gettupleslot(set->store, true, false, slot))
	{
		CHECK_FOR_INTERRUPTS();
		tuplesort_puttupleslot(sort, slot);
	}
	ExecClearTuple(slot);
	tuplestore_end(set->store);

	tuplesort_performsort(sort);
	sorted = bulk_sync_begin_row_store();
	while (tuplesort_gettupleslot(sort, true, false, slot, NULL))
	{
		CHECK_FOR_INTERRUPTS();
		tuplestore_puttupleslot(sorted, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplesort_end(sort);
	set->store = sorted;
	set->ordered = true;
}

/*
 * Brings updates and deletes into the order of their addresses, and inserts
 * into their own if rows are returned or inserted without SQL; else the INSERT
 * sorts them as it goes.
 */
void
bulk_sync_difference_sort(BulkSyncDifference *difference)
{
	const BulkSyncPlan *plan = difference->plan;
	MemoryContext oldcontext = MemoryContextSwitchTo(difference->context);
	SortKeys	by_address;
	SortKeys	by_staging;

	init_sort_keys(&by_address, 2);
	add_sort_key(&by_address, BULK_SYNC_DIFF_TABLEOID, OID_LESS_OPERATOR, InvalidOid);
	add_sort_key(&by_address, BULK_SYNC_DIFF_CTID, TIDLessOperator, InvalidOid);
	sort_set(&difference->deletes, &by_address);
	sort_set(&difference->updates, &by_address);

	if (plan->options->purpose == BULK_SYNC_RETURN || plan->distribution != NULL ||
		(plan->direct_insert && plan->insert_in_order))
	{
		init_sort_keys(&by_staging, plan->nkeys + 1);
		for (int i = 0; plan->insert_by_key && i < plan->nkeys; i++)
			add_sort_key(&by_staging, BULK_SYNC_DIFF_WANTED(i), plan->key[i].lt_opr,
						 plan->key[i].collation);
		add_sort_key(&by_staging, BULK_SYNC_DIFF_POSITION, Int8LessOperator, InvalidOid);
		sort_set(&difference->inserts, &by_staging);
	}
	MemoryContextSwitchTo(oldcontext);
}

/* Gives rows the addresses that they have by now */
void
bulk_sync_difference_readdress(BulkSyncDifference *difference, BulkSyncRowSet *set,
							   void (*follow) (Oid tableoid, ItemPointer tid))
{
	MemoryContext oldcontext = MemoryContextSwitchTo(difference->context);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(set->desc, &TTSOpsMinimalTuple);
	Tuplestorestate *store = bulk_sync_begin_row_store();

	tuplestore_select_read_pointer(set->store, 0);
	tuplestore_rescan(set->store);
	while (tuplestore_gettupleslot(set->store, true, false, slot))
	{
		ItemPointerData tid;

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(slot);
		tid = *(ItemPointer) DatumGetPointer(slot->tts_values[BULK_SYNC_DIFF_CTID - 1]);
		follow(DatumGetObjectId(slot->tts_values[BULK_SYNC_DIFF_TABLEOID - 1]), &tid);
		slot->tts_values[BULK_SYNC_DIFF_CTID - 1] = PointerGetDatum(&tid);
		tuplestore_putvalues(store, set->desc, slot->tts_values, slot->tts_isnull);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(set->store);
	set->store = store;
	MemoryContextSwitchTo(oldcontext);
}

void
bulk_sync_difference_free(BulkSyncDifference *difference)
{
	tuplestore_end(difference->deletes.store);
	tuplestore_end(difference->updates.store);
	tuplestore_end(difference->inserts.store);
	tuplestore_end(difference->equals.store);
	if (difference->history != NULL)
		bulk_sync_history_free(difference->history);
	MemoryContextDelete(difference->match_context);
	MemoryContextDelete(difference->context);
}
