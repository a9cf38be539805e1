/*-------------------------------------------------------------------------
 *
 * index_entries.c
 *	  Writes the index entries of rows that are written without SQL.
 *
 * The executor inserts the entries of a row as soon as the row is in the table.
 * Here those of btree indexes wait until all rows are.  That has two reasons.
 *
 * - A unique value that one row gives up and another takes is no conflict when
 *   both rows have been written, in whatever order.  So the state after the
 *   statement decides, as it does for a deferred constraint, and no constraint
 *   has to be deferrable.
 *
 * - Entries can be inserted in the order of the index.  Then neighbours go to
 *   the same page while it is in the cache, where a random order fetches
 *   another page for each.  The order is that of the first bytes of the keys,
 *   compared as bits: close enough, and cheaper than the operators are.
 *
 * While they wait, nobody may look for the rows by an index.  Where triggers or
 * functions of the user could, each entry is inserted at once, and unique
 * values are checked again at the end.  So are those of entries that had to be
 * inserted early because they filled the memory.
 *
 * Exclusion constraints, deferrable constraints, values that foreign keys follow
 * by a cascade, and other kinds of indexes are left to the executor.
 *
 *-------------------------------------------------------------------------
 */
#include "direct.h"

#include "access/genam.h"
#include "access/itup.h"
#include "access/nbtree.h"
#include "access/tableam.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/sortsupport.h"
#include "utils/uuid.h"

/* How much of a key decides about its place, in words of 8 bytes */
#define ORDER_WORDS 4
#define ORDER_BYTES (ORDER_WORDS * sizeof(uint64))

/* With more tables than this, nothing waits: the least that is kept would be too much */
#define MAX_SHARERS 256

typedef struct WaitingEntry
{
	uint64		order[ORDER_WORDS];
	IndexTuple	tuple;
} WaitingEntry;

/* Entries of one index that wait */
typedef struct WaitingEntries
{
	MemoryContext context;		/* of their tuples */
	WaitingEntry *entries;
	int64		nentries;
	int64		capacity;
	bool		in_order;		/* they came in it */
} WaitingEntries;

typedef struct OrderedIndex
{
	Relation	rel;
	IndexInfo  *info;
	bool		trusted;		/* its rows are known to be unique by now */
	bool		never_changes;	/* the UPDATE does not write its columns */
	bool		versions_churn; /* a hint: old versions may be worth removing */
	SortSupportData abbreviation;	/* of the first column, where it is needed */
	WaitingEntries kept;		/* of rows that had this key before */
	WaitingEntries new;			/* of all others */
	Tuplestorestate *rechecks;	/* entries that may have broken the constraint */
} OrderedIndex;

struct BulkSyncIndexWriter
{
	EState	   *estate;
	ResultRelInfo *relinfo;
	bool		is_update;
	bool		at_once;
	MemoryContext context;
	Size		budget;			/* for the entries of one index */
	int			nindexes;		/* ours */
	OrderedIndex *indexes;
	int			nothers;		/* left to the executor: they stand first */
	TupleTableSlot *recheck_slot;
};

/*-------------------------------------------------------------------------
 * The order
 *-------------------------------------------------------------------------
 */

/* Adds bytes to the order of a key; false if there is no room for more */
static bool
add_bytes(unsigned char *order, int *length, const void *bytes, int nbytes)
{
	int			room = (int) ORDER_BYTES - *length;

	memcpy(order + *length, bytes, Min(room, nbytes));
	*length += Min(room, nbytes);
	return nbytes < room;
}

static bool
add_word(unsigned char *order, int *length, uint64 value)
{
	uint64		word = pg_hton64(value);

	return add_bytes(order, length, &word, sizeof(word));
}

/* Bits of a signed number, or of a double, that compare as unsigned ones do */
#define SIGN_BIT (UINT64CONST(1) << 63)

static uint64
order_of_double(float8 value)
{
	uint64		bits;

	memcpy(&bits, &value, sizeof(bits));
	return (bits & SIGN_BIT) != 0 ? ~bits : bits | SIGN_BIT;
}

/* Adds one column; false if what follows would tell nothing */
static bool
add_column(OrderedIndex *index, int column, Datum value, bool isnull,
		   unsigned char *order, int *length)
{
	if (isnull)
		return add_word(order, length, PG_UINT64_MAX);

	switch (index->rel->rd_opcintype[column])
	{
		case INT2OID:
			return add_word(order, length, (uint64) (int64) DatumGetInt16(value) ^ SIGN_BIT);
		case INT4OID:
		case DATEOID:
			return add_word(order, length, (uint64) (int64) DatumGetInt32(value) ^ SIGN_BIT);
		case INT8OID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case TIMEOID:
		case CASHOID:
			return add_word(order, length, (uint64) DatumGetInt64(value) ^ SIGN_BIT);
		case OIDOID:
		case ANYENUMOID:
			return add_word(order, length, DatumGetObjectId(value));
		case FLOAT4OID:
			return add_word(order, length, order_of_double(DatumGetFloat4(value)));
		case FLOAT8OID:
			return add_word(order, length, order_of_double(DatumGetFloat8(value)));
		case BOOLOID:
			return add_word(order, length, DatumGetBool(value));
		case UUIDOID:
			return add_bytes(order, length, DatumGetUUIDP(value)->data, UUID_LEN);
		case TEXTOID:
		case BPCHAROID:
		case BYTEAOID:
			{
				struct varlena *string = PG_DETOAST_DATUM_PACKED(value);

				return add_bytes(order, length, VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string)) &&
					add_bytes(order, length, "", 1);
			}
		default:
			/* Any number that grows or falls with the value will do */
			if (column == 0 && index->abbreviation.abbrev_converter != NULL)
				return add_word(order, length,
								(uint64) index->abbreviation.abbrev_converter(value, &index->abbreviation));
			return false;
	}
}

static void
make_order(OrderedIndex *index, const Datum *values, const bool *isnull, uint64 *order)
{
	unsigned char bytes[ORDER_BYTES];
	int			length = 0;
	int			ncolumns = IndexRelationGetNumberOfKeyAttributes(index->rel);

	memset(bytes, 0, sizeof(bytes));
	for (int i = 0; i < ncolumns; i++)
	{
		if (!add_column(index, i, values[i], isnull[i], bytes, &length))
			break;
	}
	memcpy(order, bytes, sizeof(bytes));
	for (int i = 0; i < ORDER_WORDS; i++)
		order[i] = pg_ntoh64(order[i]);
}

static int
compare_entries(const WaitingEntry *a, const WaitingEntry *b)
{
	for (int i = 0; i < ORDER_WORDS; i++)
	{
		if (a->order[i] != b->order[i])
			return a->order[i] < b->order[i] ? -1 : 1;
	}
	return ItemPointerCompare(&a->tuple->t_tid, &b->tuple->t_tid);
}

#define ST_SORT sort_entries
#define ST_ELEMENT_TYPE WaitingEntry
#define ST_COMPARE(a, b) compare_entries(a, b)
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

/* Some types have their numbers from the operator class */
static void
init_abbreviation(OrderedIndex *index)
{
	switch (index->rel->rd_opcintype[0])
	{
		case NUMERICOID:
		case INETOID:
		case MACADDROID:
			index->abbreviation.ssup_cxt = CurrentMemoryContext;
			index->abbreviation.ssup_collation = index->rel->rd_indcollation[0];
			index->abbreviation.ssup_attno = 1;
			index->abbreviation.abbreviate = true;
			PrepareSortSupportFromIndexRel(index->rel, BTLessStrategyNumber,
										   &index->abbreviation);
			break;
		default:
			break;
	}
}

/*-------------------------------------------------------------------------
 * Insertion
 *-------------------------------------------------------------------------
 */

/* Remembers an entry that is to be checked again */
static void
remember(BulkSyncIndexWriter *writer, OrderedIndex *index, IndexTuple tuple)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(writer->context);
	Size		size = IndexTupleSize(tuple);
	bytea	   *packed = palloc(VARHDRSZ + size);
	Datum		datum = PointerGetDatum(packed);
	bool		isnull = false;

	SET_VARSIZE(packed, VARHDRSZ + size);
	memcpy(VARDATA(packed), tuple, size);
	if (index->rechecks == NULL)
		index->rechecks = bulk_sync_begin_row_store();
	tuplestore_putvalues(index->rechecks, writer->recheck_slot->tts_tupleDescriptor, &datum,
						 &isnull);
	pfree(packed);
	MemoryContextSwitchTo(oldcontext);
}

/*
 * Inserts the entry of a row that had the same key before: it breaks nothing,
 * and what may not have its key is found out when that gets its own entry.  So
 * there is no need to look at the old version, which would make the index look
 * for versions to remove: of those that this transaction replaces none can go.
 */
static void
insert_kept(BulkSyncIndexWriter *writer, OrderedIndex *index, Datum *values, bool *isnull,
			ItemPointer tid)
{
	(void) index_insert(index->rel, values, isnull, tid, writer->relinfo->ri_RelationDesc,
						UNIQUE_CHECK_NO, index->versions_churn, index->info);
}

/* Can the constraint be broken by this key?  Not if NULLs are distinct. */
static bool
must_be_unique(const OrderedIndex *index, const bool *isnull)
{
	if (!index->info->ii_Unique)
		return false;
	for (int i = 0; i < index->info->ii_NumIndexKeyAttrs; i++)
	{
		if (isnull[i] && !index->info->ii_NullsNotDistinct)
			return false;
	}
	return true;
}

/*
 * Inserts the entry of any other row.  As long as rows may still change, what is
 * in its way may go, and what is not may come: then it is remembered, to be
 * checked when all are written.
 */
static void
insert_new(BulkSyncIndexWriter *writer, OrderedIndex *index, Datum *values, bool *isnull,
		   ItemPointer tid, IndexTuple tuple, bool all_written)
{
	Relation	rel = writer->relinfo->ri_RelationDesc;
	bool		unique = must_be_unique(index, isnull);

	if (!unique || all_written)
	{
		(void) index_insert(index->rel, values, isnull, tid, rel,
							unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO,
							index->versions_churn && index->never_changes, index->info);
		return;
	}

	(void) index_insert(index->rel, values, isnull, tid, rel, UNIQUE_CHECK_PARTIAL, false,
						index->info);
	if (tuple == NULL)
	{
		tuple = index_form_tuple(RelationGetDescr(index->rel), values, isnull);
		tuple->t_tid = *tid;
	}
	remember(writer, index, tuple);
}

/* Inserts entries that wait */
static void
flush_entries(BulkSyncIndexWriter *writer, OrderedIndex *index, WaitingEntries *waiting,
			  bool all_written)
{
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull[INDEX_MAX_KEYS];
	MemoryContext oldcontext = MemoryContextSwitchTo(GetPerTupleMemoryContext(writer->estate));

	if (!waiting->in_order)
		sort_entries(waiting->entries, waiting->nentries);
	for (int64 i = 0; i < waiting->nentries; i++)
	{
		IndexTuple	tuple = waiting->entries[i].tuple;

		CHECK_FOR_INTERRUPTS();
		index_deform_tuple(tuple, RelationGetDescr(index->rel), values, isnull);
		if (waiting == &index->kept)
			insert_kept(writer, index, values, isnull, &tuple->t_tid);
		else
			insert_new(writer, index, values, isnull, &tuple->t_tid, tuple, all_written);
		ResetPerTupleExprContext(writer->estate);
	}
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(waiting->context);
	waiting->nentries = 0;
	waiting->in_order = true;
}

static Size
waiting_size(const WaitingEntries *waiting)
{
	return MemoryContextMemAllocated(waiting->context, false) +
		waiting->capacity * sizeof(WaitingEntry);
}

/* Puts an entry to those that wait */
static void
wait_with_entry(BulkSyncIndexWriter *writer, OrderedIndex *index, WaitingEntries *waiting,
				Datum *values, bool *isnull, ItemPointer tid)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(waiting->context);
	WaitingEntry *entry;

	if (waiting->nentries == waiting->capacity)
	{
		int64		capacity = Max(256, waiting->capacity * 2);

		waiting->entries = waiting->entries == NULL ?
			MemoryContextAllocHuge(writer->context, capacity * sizeof(WaitingEntry)) :
			repalloc_huge(waiting->entries, capacity * sizeof(WaitingEntry));
		waiting->capacity = capacity;
	}
	entry = &waiting->entries[waiting->nentries];
	entry->tuple = index_form_tuple(RelationGetDescr(index->rel), values, isnull);
	entry->tuple->t_tid = *tid;
	make_order(index, values, isnull, entry->order);
	if (waiting->in_order && waiting->nentries > 0)
		waiting->in_order = compare_entries(entry - 1, entry) <= 0;
	waiting->nentries++;
	MemoryContextSwitchTo(oldcontext);

	if (waiting->nentries % 256 == 0 &&
		waiting_size(&index->kept) + waiting_size(&index->new) > writer->budget)
		flush_entries(writer, index, waiting, !writer->is_update);
}

/* Has the row the key in this index that its old version had? */
static bool
keeps_key(const OrderedIndex *index, TupleTableSlot *old, TupleTableSlot *new)
{
	if (!index->trusted)
		return false;
	for (int i = 0; i < index->info->ii_NumIndexKeyAttrs && !index->never_changes; i++)
	{
		AttrNumber	attno = index->info->ii_IndexAttrNumbers[i];
		Form_pg_attribute attr = TupleDescAttr(new->tts_tupleDescriptor, attno - 1);
		bool		old_isnull;
		bool		new_isnull;
		Datum		old_value = slot_getattr(old, attno, &old_isnull);
		Datum		new_value = slot_getattr(new, attno, &new_isnull);

		if ((old_isnull != new_isnull ||
			 (!new_isnull &&
			  !datum_image_eq(old_value, new_value, attr->attbyval, attr->attlen))) &&
			!BULK_SYNC_MUTANT(changed_key_unchecked))
			return false;
	}
	return true;
}

/*
 * Makes the entries of a row that has been written, or sees to it that they
 * will be made.  Returns the indexes whose constraints are to be checked by
 * AFTER triggers, as ExecInsertIndexTuples() does.  "old" is the version that the
 * row had in this table, or NULL.
 */
List *
bulk_sync_index_add(BulkSyncIndexWriter *writer, TupleTableSlot *old, TupleTableSlot *slot,
					bool only_summarizing)
{
	EState	   *estate = writer->estate;
	ExprContext *econtext = GetPerTupleExprContext(estate);
	List	   *recheck = NIL;
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull[INDEX_MAX_KEYS];

	if (writer->nothers > 0)
		recheck = bulk_sync_insert_index_tuples(writer->relinfo, slot, estate, writer->is_update,
												only_summarizing);
	if (only_summarizing)
		return recheck;

	econtext->ecxt_scantuple = slot;
	for (int i = 0; i < writer->nindexes; i++)
	{
		OrderedIndex *index = &writer->indexes[i];
		IndexInfo  *info = index->info;
		bool		kept;

		if (info->ii_Predicate != NIL)
		{
			if (info->ii_PredicateState == NULL)
				info->ii_PredicateState = ExecPrepareQual(info->ii_Predicate, estate);
			if (!ExecQual(info->ii_PredicateState, econtext))
				continue;
		}
		FormIndexDatum(info, slot, estate, values, isnull);
		kept = old != NULL && keeps_key(index, old, slot);
		if (!writer->at_once)
			wait_with_entry(writer, index, kept ? &index->kept : &index->new, values, isnull,
							&slot->tts_tid);
		else if (kept)
			insert_kept(writer, index, values, isnull, &slot->tts_tid);
		else
			insert_new(writer, index, values, isnull, &slot->tts_tid, NULL, !writer->is_update);
	}
	return recheck;
}

/*
 * Checks entries that had something in their way.  What was in the way has
 * been written by now, or it stays; and so may the row itself have been, by a
 * trigger.
 */
static void
check_again(BulkSyncIndexWriter *writer, OrderedIndex *index)
{
	TupleTableSlot *slot = writer->recheck_slot;
	Relation	rel = writer->relinfo->ri_RelationDesc;

	tuplestore_rescan(index->rechecks);
	while (tuplestore_gettupleslot(index->rechecks, true, false, slot))
	{
		Datum		values[INDEX_MAX_KEYS];
		bool		isnull[INDEX_MAX_KEYS];
		MemoryContext oldcontext = MemoryContextSwitchTo(GetPerTupleMemoryContext(writer->estate));
		bytea	   *packed;
		IndexTuple	tuple;
		ItemPointerData newest;
		bool		packed_isnull;

		CHECK_FOR_INTERRUPTS();
		/* At an aligned place */
		packed = DatumGetByteaPP(slot_getattr(slot, 1, &packed_isnull));
		tuple = palloc(VARSIZE_ANY_EXHDR(packed));
		memcpy(tuple, VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed));
		/* A trigger may have made a version of the row that shares its entry */
		newest = tuple->t_tid;
		if (table_index_fetch_tuple_check(rel, &newest, SnapshotSelf, NULL))
		{
			index_deform_tuple(tuple, RelationGetDescr(index->rel), values, isnull);
			(void) index_insert(index->rel, values, isnull, &tuple->t_tid, rel,
								UNIQUE_CHECK_EXISTING, false, index->info);
		}
		MemoryContextSwitchTo(oldcontext);
		ResetPerTupleExprContext(writer->estate);
	}
	ExecClearTuple(slot);
}

/*-------------------------------------------------------------------------
 * Begin and end
 *-------------------------------------------------------------------------
 */

/* Does an UPDATE leave the columns of an index alone?  A trigger may not. */
static bool
never_changes(ResultRelInfo *relinfo, EState *estate, const IndexInfo *info)
{
	Bitmapset  *updated = bms_union(ExecGetUpdatedCols(relinfo, estate),
									ExecGetExtraUpdatedCols(relinfo, estate));

	if (info->ii_Expressions != NIL ||
		(relinfo->ri_TrigDesc != NULL && relinfo->ri_TrigDesc->trig_update_before_row))
		return false;
	for (int i = 0; i < info->ii_NumIndexAttrs; i++)
	{
		if (bms_is_member(info->ii_IndexAttrNumbers[i] - FirstLowInvalidHeapAttributeNumber,
						  updated))
			return false;
	}
	return true;
}

/*
 * Do foreign keys change or clear their values when one of this index changes?
 * They do so for one row after the other, so that two parents that traded
 * values would get each other's children.  The executor's way, in which each
 * row is checked as it is written, lets no such trade through.
 */
static bool
has_cascading_updates(const ResultRelInfo *relinfo, Relation index)
{
	TriggerDesc *triggers = relinfo->ri_TrigDesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if ((trigger->tgfoid == F_RI_FKEY_CASCADE_UPD || trigger->tgfoid == F_RI_FKEY_SETNULL_UPD ||
			 trigger->tgfoid == F_RI_FKEY_SETDEFAULT_UPD) &&
			(trigger->tgconstrindid == RelationGetRelid(index) ||
			 relinfo->ri_RelationDesc->rd_rel->relispartition))
			return true;
	}
	return false;
}

static bool
is_ours(const ResultRelInfo *relinfo, Relation index, const IndexInfo *info)
{
	return index->rd_rel->relam == BTREE_AM_OID && info->ii_ReadyForInserts &&
		info->ii_ExclusionOps == NULL && index->rd_index->indimmediate &&
		!(info->ii_Unique && has_cascading_updates(relinfo, index));
}

static void
init_waiting(WaitingEntries *waiting, MemoryContext context)
{
	waiting->context = GenerationContextCreate(context, "bulk_sync waiting entries",
											   ALLOCSET_DEFAULT_SIZES);
	waiting->in_order = true;
}

/*
 * Prepares to write the index entries of a table whose indexes are open.
 *
 *	at_once		they do not wait
 *	churn		old versions of rows may be worth removing, for few are replaced
 *	sharers		so many tables share the memory
 */
BulkSyncIndexWriter *
bulk_sync_index_begin(EState *estate, ResultRelInfo *relinfo, CmdType command, bool at_once,
					  bool churn, int sharers)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(estate->es_query_cxt);
	BulkSyncIndexWriter *writer = palloc0(sizeof(BulkSyncIndexWriter));
	int			nindexes = relinfo->ri_NumIndices;
	Relation   *ours = palloc(Max(nindexes, 1) * sizeof(Relation));
	IndexInfo **infos = palloc(Max(nindexes, 1) * sizeof(IndexInfo *));
	TupleDesc	recheck_desc = CreateTemplateTupleDesc(1);

	writer->estate = estate;
	writer->relinfo = relinfo;
	writer->is_update = (command == CMD_UPDATE);
	writer->at_once = at_once || sharers > MAX_SHARERS;
	writer->context = AllocSetContextCreate(CurrentMemoryContext, "bulk_sync index entries",
											ALLOCSET_SMALL_SIZES);
	TupleDescInitEntry(recheck_desc, 1, "entry", BYTEAOID, -1, 0);
	writer->recheck_slot = MakeSingleTupleTableSlot(recheck_desc, &TTSOpsMinimalTuple);
	writer->indexes = palloc0(Max(nindexes, 1) * sizeof(OrderedIndex));

	/* The executor's own come first, and it is made to believe that they are all */
	for (int i = 0; i < nindexes; i++)
	{
		Relation	rel = relinfo->ri_IndexRelationDescs[i];
		IndexInfo  *info = relinfo->ri_IndexRelationInfo[i];

		if (is_ours(relinfo, rel, info))
		{
			OrderedIndex *index = &writer->indexes[writer->nindexes];

			ours[writer->nindexes] = rel;
			infos[writer->nindexes] = info;
			writer->nindexes++;
			index->rel = rel;
			index->info = info;
			index->never_changes = writer->is_update && never_changes(relinfo, estate, info);
			index->versions_churn = churn;
			/* Of expressions and predicates, nothing is known; of an index that is not valid neither */
			index->trusted = info->ii_Expressions == NIL && info->ii_Predicate == NIL &&
				rel->rd_index->indisvalid;
			init_waiting(&index->kept, writer->context);
			init_waiting(&index->new, writer->context);
			if (!writer->at_once)
				init_abbreviation(index);
		}
		else
		{
			relinfo->ri_IndexRelationDescs[writer->nothers] = rel;
			relinfo->ri_IndexRelationInfo[writer->nothers] = info;
			writer->nothers++;
		}
	}
	for (int i = 0; i < writer->nindexes; i++)
	{
		relinfo->ri_IndexRelationDescs[writer->nothers + i] = ours[i];
		relinfo->ri_IndexRelationInfo[writer->nothers + i] = infos[i];
	}
	relinfo->ri_NumIndices = writer->nothers;
	writer->budget = bulk_sync_memory_budget() / 2 / sharers / Max(writer->nindexes, 1);
	MemoryContextSwitchTo(oldcontext);
	return writer;
}

/*
 * All rows have been written: now the entries of those that kept their key.
 * They are not checked, so they must be there before others are.
 */
void
bulk_sync_index_flush_kept(BulkSyncIndexWriter *writer)
{
	for (int i = 0; i < writer->nindexes; i++)
		flush_entries(writer, &writer->indexes[i], &writer->indexes[i].kept, true);
}

/* Now all other entries, and what is to be checked again */
void
bulk_sync_index_finish(BulkSyncIndexWriter *writer)
{
	bulk_sync_index_flush_kept(writer);
	for (int i = 0; i < writer->nindexes; i++)
		flush_entries(writer, &writer->indexes[i], &writer->indexes[i].new, true);
	for (int i = 0; i < writer->nindexes; i++)
	{
		OrderedIndex *index = &writer->indexes[i];

		if (index->rechecks == NULL)
			continue;
		if (!BULK_SYNC_MUTANT(entries_not_checked_again))
			check_again(writer, index);
		tuplestore_end(index->rechecks);
		index->rechecks = NULL;
	}
	ExecDropSingleTupleTableSlot(writer->recheck_slot);
	writer->relinfo->ri_NumIndices = writer->nothers + writer->nindexes;
	MemoryContextDelete(writer->context);
}
