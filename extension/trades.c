/*-------------------------------------------------------------------------
 *
 * trades.c
 *	  Would rows of a distributed table trade unique values with each other?
 *
 * A shard checks a unique index for each row as it is updated, so whether one
 * row may take the value that another gives up depends on which comes first.
 * Such calls are refused before anything is written.  Rows are compared by
 * sorting them: the values that updated rows give up beside those that they
 * take.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplesort.h"

/* Behind the columns of the index: the row, and does it take the values? */
#define ROW_NUMBER(search)	((search)->index->ncolumns + 1)
#define ROW_TAKES(search)	((search)->index->ncolumns + 2)

typedef struct TradeSearch
{
	const BulkSyncPlan *plan;
	const BulkSyncDifference *difference;
	const BulkSyncUniqueIndex *index;
	int		   *read_indexes;	/* of its columns; -1: tells nobody apart */
	int		   *column_indexes; /* in columns[], where it is set; else -1 */
	TupleDesc	desc;
	Tuplesortstate *sort;
	Datum	   *old_values;
	bool	   *old_isnull;
} TradeSearch;

/*-------------------------------------------------------------------------
 * The plan
 *-------------------------------------------------------------------------
 */

/* A unique index whose columns can be compared without it, else NULL */
static BulkSyncUniqueIndex *
describe_index(Relation rel)
{
	Form_pg_index form = rel->rd_index;
	BulkSyncUniqueIndex *index;

	if (!form->indisunique || !form->indimmediate || rel->rd_rel->relam != BTREE_AM_OID ||
		!heap_attisnull(rel->rd_indextuple, Anum_pg_index_indexprs, NULL) ||
		!heap_attisnull(rel->rd_indextuple, Anum_pg_index_indpred, NULL))
		return NULL;
	index = palloc0(sizeof(BulkSyncUniqueIndex));
	index->name = pstrdup(RelationGetRelationName(rel));
	index->nulls_are_equal = form->indnullsnotdistinct;
	index->ncolumns = form->indnkeyatts;
	index->attnos = palloc(index->ncolumns * sizeof(AttrNumber));
	index->equality = palloc0(index->ncolumns * sizeof(BulkSyncEquality));
	for (int i = 0; i < index->ncolumns; i++)
	{
		BulkSyncEquality *equality = &index->equality[i];
		Oid			type = rel->rd_opcintype[i];

		index->attnos[i] = form->indkey.values[i];
		equality->type = type;
		equality->collation = rel->rd_indcollation[i];
		equality->eq_opr = get_opfamily_member(rel->rd_opfamily[i], type, type,
											   BTEqualStrategyNumber);
		equality->lt_opr = get_opfamily_member(rel->rd_opfamily[i], type, type,
											   BTLessStrategyNumber);
		fmgr_info(get_opcode(equality->eq_opr), &equality->eq);
	}
	return index;
}

/* Finds the unique indexes of a distributed target, for bulk_sync_check_trades() */
void
bulk_sync_plan_unique_indexes(BulkSyncPlan *plan)
{
	ListCell   *lc;

	if (!plan->options->update)
		return;
	foreach(lc, RelationGetIndexList(plan->target))
	{
		Relation	rel = index_open(lfirst_oid(lc), AccessShareLock);
		BulkSyncUniqueIndex *index = describe_index(rel);

		if (index != NULL)
			plan->distribution->unique_indexes = lappend(plan->distribution->unique_indexes,
														 index);
		index_close(rel, AccessShareLock);
	}
}

/*-------------------------------------------------------------------------
 * The search
 *-------------------------------------------------------------------------
 */

/* Can updates make the index refuse a row?  Finds its columns. */
static bool
index_is_affected(TradeSearch *search)
{
	const BulkSyncPlan *plan = search->plan;
	bool		affected = false;

	search->read_indexes = palloc(search->index->ncolumns * sizeof(int));
	search->column_indexes = palloc(search->index->ncolumns * sizeof(int));
	for (int i = 0; i < search->index->ncolumns; i++)
	{
		AttrNumber	attno = search->index->attnos[i];
		int			column = bulk_sync_find_column(plan, attno);
		bool		set = column >= 0 && bulk_sync_column_is_set(plan, column,
																 search->difference);

		search->read_indexes[i] = plan->read_index[attno - 1];
		search->column_indexes[i] = set ? column : -1;
		if (set && !plan->columns[column].key)
			affected = true;
		/* What is not read is the same before and after, and tells nobody apart */
		if (search->read_indexes[i] < 0 || search->read_indexes[i] >= plan->nread_to_match)
		{
			if (set)
				return false;
			search->read_indexes[i] = -1;
		}
	}
	return affected;
}

static void
begin_sort(TradeSearch *search)
{
	int			nkeys = search->index->ncolumns;
	AttrNumber *attnos = palloc(nkeys * sizeof(AttrNumber));
	Oid		   *operators = palloc(nkeys * sizeof(Oid));
	Oid		   *collations = palloc(nkeys * sizeof(Oid));
	bool	   *nulls_first = palloc0(nkeys * sizeof(bool));
	int			used = 0;

	search->desc = CreateTemplateTupleDesc(nkeys + 2);
	for (int i = 0; i < nkeys; i++)
	{
		Form_pg_attribute attr;

		if (search->read_indexes[i] < 0)
		{
			bulk_sync_init_entry(search->plan, search->desc, i + 1, BOOLOID, -1, InvalidOid);
			continue;
		}
		attr = TupleDescAttr(search->plan->read_desc, search->read_indexes[i]);
		bulk_sync_init_entry(search->plan, search->desc, i + 1, attr->atttypid, -1,
							 attr->attcollation);
		attnos[used] = i + 1;
		operators[used] = search->index->equality[i].lt_opr;
		collations[used++] = search->index->equality[i].collation;
	}
	bulk_sync_init_entry(search->plan, search->desc, ROW_NUMBER(search), INT8OID, -1, InvalidOid);
	bulk_sync_init_entry(search->plan, search->desc, ROW_TAKES(search), BOOLOID, -1, InvalidOid);
	search->sort = tuplesort_begin_heap(search->desc, used, attnos, operators, collations,
										nulls_first, Max(64, bulk_sync_memory_budget() / (16 * 1024)),
										NULL, TUPLESORT_NONE);
}

/* Puts in what a row gives up and what it takes, if its values change */
static void
add_row(TradeSearch *search, TupleTableSlot *row, TupleTableSlot *slot, int64 number)
{
	const BulkSyncPlan *plan = search->plan;
	bool		changes = false;

	bulk_sync_deform_record(row->tts_values[BULK_SYNC_DIFF_OLD - 1],
							search->difference->old_desc, search->old_values, search->old_isnull);
	for (int takes = 1; takes >= 0; takes--)
	{
		bool		has_null = false;

		ExecClearTuple(slot);
		for (int i = 0; i < search->index->ncolumns; i++)
		{
			int			read = search->read_indexes[i];
			int			column = search->column_indexes[i];
			Datum		value = read < 0 ? (Datum) 0 : search->old_values[read];
			bool		isnull = read < 0 || search->old_isnull[read];

			if (takes && column >= 0 && bulk_sync_get_bit(row, BULK_SYNC_DIFF_TAKES, column))
			{
				AttrNumber	attno = BULK_SYNC_DIFF_WANTED(column);
				Form_pg_attribute attr = TupleDescAttr(plan->read_desc, read);

				if (isnull != row->tts_isnull[attno - 1] ||
					(!isnull && !datum_image_eq(value, row->tts_values[attno - 1],
												attr->attbyval, attr->attlen)))
					changes = true;
				value = row->tts_values[attno - 1];
				isnull = row->tts_isnull[attno - 1];
			}
			slot->tts_values[i] = value;
			slot->tts_isnull[i] = isnull;
			has_null |= isnull && read >= 0;
		}
		slot->tts_values[ROW_NUMBER(search) - 1] = Int64GetDatum(number);
		slot->tts_isnull[ROW_NUMBER(search) - 1] = false;
		slot->tts_values[ROW_TAKES(search) - 1] = BoolGetDatum(takes);
		slot->tts_isnull[ROW_TAKES(search) - 1] = false;
		/* A row that keeps its values gives nothing up, and takes nothing */
		if (!changes)
			return;
		if (has_null && !search->index->nulls_are_equal)
			continue;
		ExecStoreVirtualTuple(slot);
		tuplesort_puttupleslot(search->sort, slot);
	}
}

static bool
same_values(TradeSearch *search, TupleTableSlot *a, TupleTableSlot *b)
{
	for (int i = 0; i < search->index->ncolumns; i++)
	{
		if (search->read_indexes[i] < 0)
			continue;
		if (a->tts_isnull[i] || b->tts_isnull[i])
		{
			if (a->tts_isnull[i] != b->tts_isnull[i])
				return false;
			continue;
		}
		if (!DatumGetBool(FunctionCall2Coll(&search->index->equality[i].eq,
											search->index->equality[i].collation,
											a->tts_values[i], b->tts_values[i])))
			return false;
	}
	return true;
}

/* Do any two rows meet, one that gives up the values and one that takes them? */
static bool
rows_meet(TradeSearch *search)
{
	TupleTableSlot *last = MakeSingleTupleTableSlot(search->desc, &TTSOpsMinimalTuple);
	TupleTableSlot *next = MakeSingleTupleTableSlot(search->desc, &TTSOpsMinimalTuple);
	bool		found = false;

	tuplesort_performsort(search->sort);
	while (!found && tuplesort_gettupleslot(search->sort, true, true, next, NULL))
	{
		TupleTableSlot *swap = last;

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(next);
		/* Values are unique, so at most one row gives them up and one takes them */
		found = !TTS_EMPTY(last) && same_values(search, last, next) &&
			DatumGetInt64(last->tts_values[ROW_NUMBER(search) - 1]) !=
			DatumGetInt64(next->tts_values[ROW_NUMBER(search) - 1]) &&
			DatumGetBool(last->tts_values[ROW_TAKES(search) - 1]) !=
			DatumGetBool(next->tts_values[ROW_TAKES(search) - 1]);
		last = next;
		next = swap;
	}
	ExecDropSingleTupleTableSlot(last);
	ExecDropSingleTupleTableSlot(next);
	tuplesort_end(search->sort);
	return found;
}

static bool
index_is_traded(TradeSearch *search)
{
	const BulkSyncRowSet *set = &search->difference->updates;
	TupleTableSlot *row;
	TupleTableSlot *slot;
	int64		number = 0;

	begin_sort(search);
	row = MakeSingleTupleTableSlot(set->desc, &TTSOpsMinimalTuple);
	slot = MakeSingleTupleTableSlot(search->desc, &TTSOpsVirtual);
	search->old_values = palloc(search->difference->old_desc->natts * sizeof(Datum));
	search->old_isnull = palloc(search->difference->old_desc->natts * sizeof(bool));
	tuplestore_select_read_pointer(set->store, 0);
	tuplestore_rescan(set->store);
	while (tuplestore_gettupleslot(set->store, true, false, row))
	{
		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(row);
		add_row(search, row, slot, ++number);
	}
	ExecDropSingleTupleTableSlot(row);
	ExecDropSingleTupleTableSlot(slot);
	return rows_meet(search);
}

/* Refuses a difference in which rows of a distributed table trade unique values */
void
bulk_sync_check_trades(const BulkSyncPlan *plan, const BulkSyncDifference *difference)
{
	MemoryContext context;
	MemoryContext oldcontext;
	ListCell   *lc;

	if (plan->distribution == NULL || difference->updates.rows < 2 ||
		difference->changes_table != NULL)
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "bulk_sync trades",
									ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(context);
	foreach(lc, plan->distribution->unique_indexes)
	{
		TradeSearch search;

		memset(&search, 0, sizeof(search));
		search.plan = plan;
		search.difference = difference;
		search.index = (const BulkSyncUniqueIndex *) lfirst(lc);
		if (index_is_affected(&search) && index_is_traded(&search))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("rows of distributed table \"%s\" would trade unique values with each other",
							RelationGetRelationName(plan->target)),
					 errdetail("Unique index \"%s\" is checked row by row.", search.index->name),
					 errhint("Sync twice, the first time with other values for these rows, or define the constraint as DEFERRABLE.")));
	}
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(context);
}
