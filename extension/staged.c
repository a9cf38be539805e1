/*-------------------------------------------------------------------------
 *
 * staged.c
 *	  Reads the staged rows, each once and in their order, and converts them
 *	  to the types of the target.
 *
 * A plain table is scanned directly, under the snapshot of the moment when
 * the source was opened; reading it again gives the same rows.  Anything else
 * is read once by a query and kept, because a view may answer differently the
 * second time.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"

/* What converting one column needs at run time */
typedef struct Converter
{
	FmgrInfo	output;			/* of the staged type */
	FmgrInfo	input;			/* of the target's type */
	Oid			typioparam;
	bool		trim_blanks;	/* char(n): the padding says nothing */
	ExprState  *cast;
} Converter;

struct BulkSyncStagedSource
{
	const BulkSyncPlan *plan;
	MemoryContext context;
	Snapshot	snapshot;
	bool		converts;		/* some column needs a conversion */
	bool		as_staged;		/* the wanted row is the staged row ... */
	bool		as_stored;		/* ... bit for bit */

	/* One of these */
	TableScanDesc scan;
	Tuplestorestate *store;

	TupleTableSlot *slot;
	int64		position;
	const BulkSyncEqualRows *passed_over;	/* rows that are not returned, or NULL */
	Converter  *converters;
	ExprContext *econtext;
	Datum	   *values;
	bool	   *isnull;
	const BulkSyncColumn *current;	/* being converted: for error messages */
};

static void
conversion_error_callback(void *arg)
{
	BulkSyncStagedSource *source = (BulkSyncStagedSource *) arg;

	if (source->current != NULL)
		errcontext("staged row %lld, column \"%s\"",
				   (long long) source->position, source->current->name);
}

static void
init_converters(BulkSyncStagedSource *source)
{
	const BulkSyncPlan *plan = source->plan;

	source->converters = palloc0(Max(plan->ncolumns, 1) * sizeof(Converter));
	source->as_staged = true;
	for (int i = 0; i < plan->ncolumns; i++)
	{
		const BulkSyncColumn *column = &plan->columns[i];
		Converter  *converter = &source->converters[i];
		Oid			function;
		bool		varlena;

		source->as_staged = source->as_staged && column->raw_attno == i + 1 &&
			column->conversion == BULK_SYNC_CONVERT_NONE;
		if (column->conversion == BULK_SYNC_CONVERT_NONE)
			continue;
		source->converts = true;
		if (column->conversion == BULK_SYNC_CONVERT_CAST)
		{
			converter->cast = ExecInitExpr(column->cast, NULL);
			continue;
		}
		getTypeOutputInfo(column->staged_type, &function, &varlena);
		fmgr_info(function, &converter->output);
		getTypeInputInfo(column->type, &function, &converter->typioparam);
		fmgr_info(function, &converter->input);
		converter->trim_blanks = (getBaseType(column->staged_type) == BPCHAROID);
	}
}

typedef struct StoreReceiver
{
	Tuplestorestate *store;
} StoreReceiver;

static void
receive_staged(TupleTableSlot *slot, void *arg)
{
	tuplestore_puttupleslot(((StoreReceiver *) arg)->store, slot);
}

/* The shape of the rows that bulk_sync_deparse_staged() asks for */
static TupleDesc
raw_desc(const BulkSyncPlan *plan)
{
	TupleDesc	staged_desc = RelationGetDescr(plan->staged);
	TupleDesc	desc;
	int			natts = 0;

	for (int i = 0; i < plan->ncolumns; i++)
		natts = Max(natts, plan->columns[i].raw_attno);
	desc = CreateTemplateTupleDesc(natts);
	for (int i = 0; i < plan->ncolumns; i++)
	{
		const BulkSyncColumn *column = &plan->columns[i];

		if (column->raw_attno != 0)
			TupleDescCopyEntry(desc, column->raw_attno, staged_desc, column->staged_attno);
	}
	return desc;
}

/* Reads all rows of a query into a tuplestore */
static void
materialize(BulkSyncStagedSource *source)
{
	BulkSyncStatement *statement;
	StoreReceiver receiver;

	source->store = bulk_sync_begin_row_store();
	receiver.store = source->store;
	statement = bulk_sync_prepare_staged(bulk_sync_deparse_staged(source->plan),
										 source->plan->staged);
	PushActiveSnapshot(source->snapshot);
	bulk_sync_run(statement, NULL, false, receive_staged, &receiver);
	PopActiveSnapshot();
	source->slot = MakeSingleTupleTableSlot(raw_desc(source->plan), &TTSOpsMinimalTuple);
}

/* Starts again from the first row */
void
bulk_sync_rewind_staged(BulkSyncStagedSource *source)
{
	ExecClearTuple(source->slot);
	if (source->scan != NULL)
		table_rescan(source->scan, NULL);
	else
		tuplestore_rescan(source->store);
	source->position = 0;
	source->passed_over = NULL;
}

/* From here to the next rewinding, rows that have an equal partner do not come */
void
bulk_sync_pass_over_equal(BulkSyncStagedSource *source, const BulkSyncEqualRows *equal)
{
	source->passed_over = equal;
}

static bool
next_raw(BulkSyncStagedSource *source)
{
	CHECK_FOR_INTERRUPTS();
	if (source->scan != NULL)
		return table_scan_getnextslot(source->scan, ForwardScanDirection, source->slot);
	return tuplestore_gettupleslot(source->store, true, false, source->slot);
}

/*-------------------------------------------------------------------------
 * The order of staging
 *
 * Rows lie in a table in the order in which they came, but a later command may
 * fill holes that an earlier one left.  Where the order decides between
 * duplicates, the commands that wrote the rows put it right.  (Within one
 * command nothing tells it any more; COPY does not look for holes in a table
 * that was made in the same transaction.)
 *-------------------------------------------------------------------------
 */

/* When a row was written: by transaction, then by command */
int64
bulk_sync_writing_rank(TransactionId xmin, CommandId cmin, TransactionId next)
{
	/* Transaction ids wrap around: count back from the next one */
	return ((int64) (int32) (xmin - next)) * (INT64CONST(1) << 32) + cmin;
}

static int64
staging_rank(BulkSyncStagedSource *source, TransactionId next)
{
	bool		isnull;
	TransactionId xmin = DatumGetTransactionId(slot_getsysattr(source->slot,
															   MinTransactionIdAttributeNumber,
															   &isnull));
	CommandId	cmin = DatumGetCommandId(slot_getsysattr(source->slot,
														 MinCommandIdAttributeNumber,
														 &isnull));

	return bulk_sync_writing_rank(xmin, cmin, next);
}

static bool
lies_in_order(BulkSyncStagedSource *source, TransactionId next)
{
	int64		last = PG_INT64_MIN;
	bool		ordered = true;

	while (ordered && next_raw(source))
	{
		int64		rank = staging_rank(source, next);

		ordered = rank >= last;
		last = rank;
	}
	bulk_sync_rewind_staged(source);
	return ordered;
}

/* Reads the table into a tuplestore, in the order of staging */
static void
sort_by_staging(BulkSyncStagedSource *source, TransactionId next)
{
	TupleDesc	staged_desc = RelationGetDescr(source->plan->staged);
	int			natts = staged_desc->natts;
	TupleDesc	desc = CreateTemplateTupleDesc(natts + 2);
	AttrNumber	attnos[2] = {natts + 1, natts + 2};
	Oid			operators[2] = {Int8LessOperator, Int8LessOperator};
	Oid			collations[2] = {InvalidOid, InvalidOid};
	bool		nulls_first[2] = {false, false};
	Tuplesortstate *sort;
	TupleTableSlot *row;
	int64		place = 0;

	for (int i = 1; i <= natts; i++)
		TupleDescCopyEntry(desc, i, staged_desc, i);
	TupleDescInitEntry(desc, natts + 1, "rank", INT8OID, -1, 0);
	TupleDescInitEntry(desc, natts + 2, "place", INT8OID, -1, 0);
	sort = tuplesort_begin_heap(desc, 2, attnos, operators, collations, nulls_first,
								Max(64, bulk_sync_memory_budget() / (16 * 1024)), NULL,
								TUPLESORT_NONE);

	row = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	while (next_raw(source))
	{
		slot_getallattrs(source->slot);
		ExecClearTuple(row);
		memcpy(row->tts_values, source->slot->tts_values, natts * sizeof(Datum));
		memcpy(row->tts_isnull, source->slot->tts_isnull, natts * sizeof(bool));
		row->tts_values[natts] = Int64GetDatum(staging_rank(source, next));
		row->tts_isnull[natts] = false;
		row->tts_values[natts + 1] = Int64GetDatum(++place);
		row->tts_isnull[natts + 1] = false;
		ExecStoreVirtualTuple(row);
		tuplesort_puttupleslot(sort, row);
	}
	ExecDropSingleTupleTableSlot(row);
	ExecDropSingleTupleTableSlot(source->slot);
	table_endscan(source->scan);
	source->scan = NULL;

	tuplesort_performsort(sort);
	source->slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	source->store = bulk_sync_begin_row_store();
	while (tuplesort_gettupleslot(sort, true, false, source->slot, NULL))
	{
		CHECK_FOR_INTERRUPTS();
		tuplestore_puttupleslot(source->store, source->slot);
	}
	ExecClearTuple(source->slot);
	tuplesort_end(sort);
}

/* Is a wanted row stored as the staged row is?  Then it need not be formed. */
static bool
is_stored_so(const BulkSyncStagedSource *source)
{
	TupleDesc	wanted = source->plan->wanted_desc;
	TupleDesc	staged = source->slot->tts_tupleDescriptor;

	if (!source->as_staged || !TTS_IS_BUFFERTUPLE(source->slot) || staged->natts != wanted->natts)
		return false;
	for (int i = 0; i < wanted->natts; i++)
	{
		Form_pg_attribute a = TupleDescAttr(wanted, i);
		Form_pg_attribute b = TupleDescAttr(staged, i);

		if (a->attlen != b->attlen || a->attbyval != b->attbyval || a->attalign != b->attalign ||
			b->attisdropped)
			return false;
	}
	return true;
}

/* Opens the source under the active snapshot, in the current memory context */
BulkSyncStagedSource *
bulk_sync_open_staged(const BulkSyncPlan *plan)
{
	BulkSyncStagedSource *source = palloc0(sizeof(BulkSyncStagedSource));

	source->plan = plan;
	source->context = CurrentMemoryContext;
	source->snapshot = RegisterSnapshot(GetActiveSnapshot());
	source->values = palloc0(Max(plan->ncolumns, 1) * sizeof(Datum));
	source->isnull = palloc0(Max(plan->ncolumns, 1) * sizeof(bool));
	source->econtext = CreateStandaloneExprContext();
	init_converters(source);

	if (plan->staged_scan)
	{
		source->slot = table_slot_create(plan->staged, NULL);
		/* No synchronized scan: the rows come in the order of staging */
		source->scan = table_beginscan_strat(plan->staged, source->snapshot, 0, NULL,
											 true, false);
		/* Does anything depend on the order, or on the position of a row? */
		if (plan->options->duplicates != BULK_SYNC_DUPLICATES_ERROR ||
			plan->options->purpose != BULK_SYNC_COUNT)
		{
			TransactionId next = ReadNextTransactionId();

			if (!lies_in_order(source, next))
				sort_by_staging(source, next);
		}
	}
	else
		materialize(source);
	source->as_stored = is_stored_so(source);
	return source;
}

/*
 * The number of staged rows, before any of them is converted.  Returns -1
 * where no conversion can fail: they may as well be counted as they are read.
 */
int64
bulk_sync_count_staged(BulkSyncStagedSource *source)
{
	int64		count = 0;

	if (!source->converts)
		return -1;
	if (source->store != NULL)
		return tuplestore_tuple_count(source->store);
	while (next_raw(source))
		count++;
	bulk_sync_rewind_staged(source);
	return count;
}

/* How much of the staged rows, about, has been read?  From 0, exclusive, to 1. */
double
bulk_sync_staged_fraction(const BulkSyncStagedSource *source)
{
	double		blocks;

	if (source->store != NULL)
		return Min((double) source->position / Max(tuplestore_tuple_count(source->store), 1), 1);
	blocks = RelationGetNumberOfBlocks(source->plan->staged);
	return Min((ItemPointerGetBlockNumberNoCheck(&source->slot->tts_tid) + 1.0) / Max(blocks, 1), 1);
}

static Datum
convert(BulkSyncStagedSource *source, int index, Datum value, bool *isnull)
{
	const BulkSyncColumn *column = &source->plan->columns[index];
	Converter  *converter = &source->converters[index];
	char	   *string = NULL;

	if (column->conversion == BULK_SYNC_CONVERT_CAST)
	{
		source->econtext->caseValue_datum = value;
		source->econtext->caseValue_isNull = *isnull;
		return ExecEvalExpr(converter->cast, source->econtext, isnull);
	}

	/* A NULL goes through, too: a domain may refuse it */
	if (!*isnull)
	{
		string = OutputFunctionCall(&converter->output, value);
		if (converter->trim_blanks)
		{
			int			len = strlen(string);

			while (len > 0 && string[len - 1] == ' ')
				string[--len] = '\0';
		}
	}
	return InputFunctionCall(&converter->input, string, converter->typioparam, column->typmod);
}

/* The row at hand, unless columns were added behind it since it was stored */
static HeapTuple
stored_tuple(BulkSyncStagedSource *source)
{
	HeapTuple	tuple = ExecFetchSlotHeapTuple(source->slot, false, NULL);

	return HeapTupleHeaderGetNatts(tuple->t_data) == source->plan->ncolumns ? tuple : NULL;
}

/*
 * Reads the next staged row.  Its values are good until the next call.
 * Returns false when there are no more.
 */
bool
bulk_sync_next_staged(BulkSyncStagedSource *source, BulkSyncStagedRow *row)
{
	const BulkSyncPlan *plan = source->plan;
	ErrorContextCallback callback;
	MemoryContext oldcontext;

	do
	{
		if (!next_raw(source))
			return false;
		source->position++;
	} while (source->passed_over != NULL &&
			 bulk_sync_staged_is_equal(source->passed_over, source->position));
	slot_getallattrs(source->slot);
	row->position = source->position;
	if (source->as_staged)
	{
		row->values = source->slot->tts_values;
		row->isnull = source->slot->tts_isnull;
		row->stored = source->as_stored ? stored_tuple(source) : NULL;
		return true;
	}
	row->stored = NULL;
	ResetExprContext(source->econtext);

	callback.callback = conversion_error_callback;
	callback.arg = source;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	oldcontext = MemoryContextSwitchTo(source->econtext->ecxt_per_tuple_memory);

	for (int i = 0; i < plan->ncolumns; i++)
	{
		const BulkSyncColumn *column = &plan->columns[i];

		if (column->raw_attno == 0)
		{
			source->values[i] = column->supplied;
			source->isnull[i] = column->supplied_isnull;
			continue;
		}
		source->values[i] = source->slot->tts_values[column->raw_attno - 1];
		source->isnull[i] = source->slot->tts_isnull[column->raw_attno - 1];
		if (column->conversion != BULK_SYNC_CONVERT_NONE)
		{
			source->current = column;
			source->values[i] = convert(source, i, source->values[i], &source->isnull[i]);
			source->current = NULL;
		}
	}

	MemoryContextSwitchTo(oldcontext);
	error_context_stack = callback.previous;

	row->values = source->values;
	row->isnull = source->isnull;
	return true;
}

/*
 * How many staged rows are there, about, and how many bytes are they as wanted
 * rows?  False if they are in no table, or the table is no larger than "least".
 */
bool
bulk_sync_sample_staged(BulkSyncStagedSource *source, double least, int nsample, double *rows,
						double *bytes)
{
	TupleDesc	desc = source->plan->wanted_desc;
	BulkSyncStagedRow row;
	double		fraction = 1;
	double		size = 0;
	double		nread = 0;

	if (source->scan == NULL ||
		(double) RelationGetNumberOfBlocks(source->plan->staged) * BLCKSZ <= least)
		return false;
	while (nread < nsample && bulk_sync_next_staged(source, &row))
	{
		size += SizeofMinimalTupleHeader + heap_compute_data_size(desc, row.values, row.isnull);
		/* Past the last row it is not known where it was */
		if (++nread == nsample)
			fraction = bulk_sync_staged_fraction(source);
	}
	bulk_sync_rewind_staged(source);
	*rows = nread / fraction;
	*bytes = size / fraction;
	return nread > 0;
}

void
bulk_sync_close_staged(BulkSyncStagedSource *source)
{
	/* Rows that are matched on shards are not read here */
	if (source == NULL)
		return;
	ExecDropSingleTupleTableSlot(source->slot);
	if (source->scan != NULL)
		table_endscan(source->scan);
	else
		tuplestore_end(source->store);
	FreeExprContext(source->econtext, true);
	UnregisterSnapshot(source->snapshot);
}
