/*-------------------------------------------------------------------------
 *
 * apply_insert.c
 *	  Inserts rows into plain tables and partitions as COPY does: many at a
 *	  time, into buffers of the partitions that they go to.
 *
 * A row goes in by itself where somebody could look for those before it: where
 * its table has BEFORE triggers, or a default calls a function that may.  These
 * are the conditions of COPY (see copyfrom.c); a CHECK constraint or the
 * condition of a trigger that calls such a function is one of ours.
 *
 *-------------------------------------------------------------------------
 */
#include "direct.h"

#include "access/heapam.h"
#include "access/tableam.h"
#include "executor/execPartition.h"
#include "executor/nodeModifyTable.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "utils/memutils.h"

/* A buffer is full with so many rows, or so many bytes: as those of COPY */
#define MAX_ROWS	1000
#define MAX_BYTES	65535

/* So many tables get a ring of buffers of their own */
#define MAX_RINGS	32

/* So many slots are kept that fit one table alone */
#define MAX_OWN_SLOTS	(4 * MAX_ROWS)

/* The rows that wait for one table; hung on its ResultRelInfo */
typedef struct RowBuffer
{
	BulkSyncDirectTable table;
	bool		at_once;		/* rows must not wait */
	bool		target_shape;	/* its rows fit slots of the target */
	int			first;			/* those that wait: a chain of Inserts.waiting */
	int			last;
	int			nrows;
	List	   *own_slots;		/* free ones, if they must be its own */
	BulkInsertState bulk;
} RowBuffer;

typedef struct WaitingRow
{
	TupleTableSlot *slot;
	TupleTableSlot *source;		/* difference row, if they are returned */
	int			next;			/* of the same table */
} WaitingRow;

/* A table may get thousands of rows, one of thousands of tables some: slots go round */
typedef struct FreeSlots
{
	int			n;
	TupleTableSlot *slots[MAX_ROWS];
} FreeSlots;

typedef struct Inserts
{
	BulkSyncDirect direct;
	bool		at_once;		/* whatever the table */
	int			nrows;			/* waiting, in all buffers */
	Size		nbytes;
	WaitingRow *waiting;		/* MAX_ROWS of them */
	List	   *buffers;		/* of RowBuffer */
	const TupleTableSlotOps *slot_ops;	/* of slots of the target */
	FreeSlots  *target_slots;
	FreeSlots  *source_slots;
	int			nown_slots;		/* free ones, of all buffers */

	/* What a row gets in columns that are not staged, by attribute number - 1 */
	ExprState **defaults;
} Inserts;

/*-------------------------------------------------------------------------
 * Rows
 *-------------------------------------------------------------------------
 */

static void
init_defaults(Inserts *inserts)
{
	const BulkSyncPlan *plan = inserts->direct.plan;
	int			natts = RelationGetDescr(plan->target)->natts;

	inserts->defaults = palloc0(Max(natts, 1) * sizeof(ExprState *));
	for (int i = 0; i < natts; i++)
	{
		Expr	   *expr;

		if (plan->defaults[i] == NULL)
			continue;
		expr = expression_planner(plan->defaults[i]);
		inserts->defaults[i] = ExecInitExpr(expr, NULL);
		/* May it look at the table? */
		inserts->at_once |= contain_volatile_functions_not_nextval((Node *) expr);
	}
}

/* The row to be inserted, as the target has its columns */
static void
make_row(Inserts *inserts, TupleTableSlot *source, TupleTableSlot *slot)
{
	const BulkSyncPlan *plan = inserts->direct.plan;
	ExprContext *econtext = GetPerTupleExprContext(inserts->direct.estate);
	int			natts = slot->tts_tupleDescriptor->natts;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, natts * sizeof(bool));
	for (int i = 0; i < plan->ncolumns; i++)
	{
		AttrNumber	attno = plan->columns[i].target_attno;

		if (!plan->columns[i].insertable)
			continue;
		slot->tts_values[attno - 1] = source->tts_values[BULK_SYNC_DIFF_WANTED(i) - 1];
		slot->tts_isnull[attno - 1] = source->tts_isnull[BULK_SYNC_DIFF_WANTED(i) - 1];
	}
	for (int i = 0; i < natts; i++)
	{
		if (inserts->defaults[i] != NULL && slot->tts_isnull[i])
		{
			MemoryContext oldcontext = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);

			slot->tts_values[i] = ExecEvalExpr(inserts->defaults[i], econtext,
											   &slot->tts_isnull[i]);
			MemoryContextSwitchTo(oldcontext);
		}
	}
	ExecStoreVirtualTuple(slot);
}

/*-------------------------------------------------------------------------
 * Buffers
 *-------------------------------------------------------------------------
 */
static RowBuffer *
make_buffer(Inserts *inserts, ResultRelInfo *relinfo)
{
	BulkSyncDirect *direct = &inserts->direct;
	RowBuffer  *buffer = palloc0(sizeof(RowBuffer));
	TriggerDesc *triggers = relinfo->ri_TrigDesc;
	Relation	rel = relinfo->ri_RelationDesc;

	buffer->table.rel = rel;
	buffer->table.relinfo = relinfo;
	buffer->table.attnos = bulk_sync_map_attributes(direct->plan->target, rel);
	buffer->at_once = inserts->at_once || (triggers != NULL && triggers->trig_insert_before_row);
	if (inserts->slot_ops == NULL)
		inserts->slot_ops = table_slot_callbacks(rel);
	buffer->target_shape = inserts->slot_ops == table_slot_callbacks(rel) &&
		(direct->routing == NULL ||
		 bulk_sync_root_to_partition(relinfo, direct->estate) == NULL);
	/* Syncs that run side by side wait for each other in the order of the key */
	buffer->table.indexes = bulk_sync_index_begin(direct->estate, relinfo, CMD_INSERT,
												  buffer->at_once || direct->plan->insert_by_key,
												  false, list_length(direct->plan->tree));
	if (list_length(inserts->buffers) < MAX_RINGS)
		buffer->bulk = GetBulkInsertState();
	relinfo->ri_CopyMultiInsertBuffer = (struct CopyMultiInsertBuffer *) buffer;
	inserts->buffers = lappend(inserts->buffers, buffer);
	return buffer;
}

static RowBuffer *
buffer_of(Inserts *inserts, ResultRelInfo *relinfo)
{
	if (relinfo->ri_CopyMultiInsertBuffer == NULL)
		return make_buffer(inserts, relinfo);
	return (RowBuffer *) relinfo->ri_CopyMultiInsertBuffer;
}

/*-------------------------------------------------------------------------
 * Slots
 *-------------------------------------------------------------------------
 */

/* A slot for the next row of a table */
static TupleTableSlot *
take_slot(Inserts *inserts, RowBuffer *buffer)
{
	FreeSlots  *free = inserts->target_slots;
	TupleTableSlot *slot;

	if (buffer->target_shape)
		return free->n > 0 ? free->slots[--free->n] :
			MakeSingleTupleTableSlot(RelationGetDescr(inserts->direct.plan->target),
									 inserts->slot_ops);
	if (buffer->own_slots == NIL)
		return table_slot_create(buffer->table.rel, NULL);
	slot = llast(buffer->own_slots);
	buffer->own_slots = list_delete_last(buffer->own_slots);
	inserts->nown_slots--;
	return slot;
}

static void
give_slot(Inserts *inserts, RowBuffer *buffer, TupleTableSlot *slot)
{
	ExecClearTuple(slot);
	if (buffer->target_shape)
		inserts->target_slots->slots[inserts->target_slots->n++] = slot;
	else if (inserts->nown_slots >= MAX_OWN_SLOTS)
		ExecDropSingleTupleTableSlot(slot);
	else
	{
		buffer->own_slots = lappend(buffer->own_slots, slot);
		inserts->nown_slots++;
	}
}

/* A copy of the row that a row comes from, which is read on meanwhile */
static TupleTableSlot *
keep_source(Inserts *inserts, TupleTableSlot *source)
{
	FreeSlots  *free = inserts->source_slots;
	TupleTableSlot *slot;

	if (!inserts->direct.returning)
		return NULL;
	slot = free->n > 0 ? free->slots[--free->n] :
		MakeSingleTupleTableSlot(source->tts_tupleDescriptor, &TTSOpsMinimalTuple);
	ExecCopySlot(slot, source);
	slot_getallattrs(slot);
	return slot;
}

static void
drop_slots(FreeSlots *free)
{
	for (int i = 0; i < free->n; i++)
		ExecDropSingleTupleTableSlot(free->slots[i]);
}

/*-------------------------------------------------------------------------
 * Into the tables
 *-------------------------------------------------------------------------
 */

/* What comes after a row is in its table */
static void
row_inserted(Inserts *inserts, RowBuffer *buffer, TupleTableSlot *slot, TupleTableSlot *source)
{
	BulkSyncDirect *direct = &inserts->direct;
	List	   *recheck;

	recheck = bulk_sync_index_add(buffer->table.indexes, NULL, slot, false);
	ExecARInsertTriggers(direct->estate, buffer->table.relinfo, slot, recheck, direct->capture);
	list_free(recheck);
	bulk_sync_direct_report(direct, source, &buffer->table, slot, false);
}

/* Inserts the rows that wait for a table */
static void
flush_buffer(Inserts *inserts, RowBuffer *buffer)
{
	EState	   *estate = inserts->direct.estate;
	TupleTableSlot *slots[MAX_ROWS];
	MemoryContext oldcontext;
	int			n = 0;

	if (buffer->nrows == 0)
		return;
	for (int i = buffer->first; n < buffer->nrows; i = inserts->waiting[i].next)
		slots[n++] = inserts->waiting[i].slot;
	oldcontext = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));
	table_multi_insert(buffer->table.rel, slots, n, estate->es_output_cid, 0, buffer->bulk);
	MemoryContextSwitchTo(oldcontext);
	if (buffer->bulk != NULL && inserts->direct.routing != NULL)
		ReleaseBulkInsertStatePin(buffer->bulk);
	for (int i = buffer->first; n > 0; i = inserts->waiting[i].next, n--)
	{
		WaitingRow *row = &inserts->waiting[i];

		CHECK_FOR_INTERRUPTS();
		ResetPerTupleExprContext(estate);
		row_inserted(inserts, buffer, row->slot, row->source);
		give_slot(inserts, buffer, row->slot);
		if (row->source != NULL)
		{
			ExecClearTuple(row->source);
			inserts->source_slots->slots[inserts->source_slots->n++] = row->source;
		}
	}
	buffer->nrows = 0;
}

static void
flush_all(Inserts *inserts)
{
	ListCell   *lc;

	foreach(lc, inserts->buffers)
		flush_buffer(inserts, (RowBuffer *) lfirst(lc));
	inserts->nrows = 0;
	inserts->nbytes = 0;
}

/* Puts a row to those that wait */
static void
wait_with_row(Inserts *inserts, RowBuffer *buffer, TupleTableSlot *slot, TupleTableSlot *source)
{
	WaitingRow *row = &inserts->waiting[inserts->nrows];

	ExecMaterializeSlot(slot);
	row->slot = slot;
	row->source = keep_source(inserts, source);
	if (buffer->nrows == 0)
		buffer->first = inserts->nrows;
	else
		inserts->waiting[buffer->last].next = inserts->nrows;
	buffer->last = inserts->nrows;
	buffer->nrows++;
	inserts->nrows++;
	inserts->nbytes += ((MinimalTupleTableSlot *) source)->mintuple->t_len;
	if (inserts->nrows >= MAX_ROWS || inserts->nbytes >= MAX_BYTES)
		flush_all(inserts);
}

/*-------------------------------------------------------------------------
 * The phase
 *-------------------------------------------------------------------------
 */

/* BEFORE trigger, generated columns, constraints; false: a trigger suppressed it */
static bool
check_row(Inserts *inserts, RowBuffer *buffer, TupleTableSlot *slot)
{
	EState	   *estate = inserts->direct.estate;
	ResultRelInfo *relinfo = buffer->table.relinfo;
	TupleConstr *constr = RelationGetDescr(buffer->table.rel)->constr;
	bool		triggered = relinfo->ri_TrigDesc != NULL &&
		relinfo->ri_TrigDesc->trig_insert_before_row;

	slot->tts_tableOid = RelationGetRelid(buffer->table.rel);
	if (triggered && !ExecBRInsertTriggers(estate, relinfo, slot))
		return false;
	if (constr != NULL && constr->has_generated_stored)
		ExecComputeStoredGenerated(relinfo, estate, slot, CMD_INSERT);
	if (constr != NULL)
		ExecConstraints(relinfo, slot, estate);
	/* Routing has found the right partition, but for what a trigger did */
	if (buffer->table.rel->rd_rel->relispartition && (inserts->direct.routing == NULL || triggered))
		ExecPartitionCheck(relinfo, slot, estate, true);
	return true;
}

/* Inserts a row without waiting */
static bool
insert_now(Inserts *inserts, RowBuffer *buffer, TupleTableSlot *slot, TupleTableSlot *source)
{
	EState	   *estate = inserts->direct.estate;
	BulkSyncApply *state = inserts->direct.state;
	bool		written;

	/* To conflict.c the question is about this row: those before it are ours */
	state->source = source;
	ExecMaterializeSlot(slot);
	written = check_row(inserts, buffer, slot);
	if (written)
	{
		table_tuple_insert(buffer->table.rel, slot, estate->es_output_cid, 0, buffer->bulk);
		row_inserted(inserts, buffer, slot, source);
	}
	state->source = NULL;
	give_slot(inserts, buffer, slot);
	return written;
}

static bool
insert_row(Inserts *inserts, TupleTableSlot *source)
{
	BulkSyncDirect *direct = &inserts->direct;
	ResultRelInfo *relinfo = direct->root;
	RowBuffer  *buffer;
	TupleTableSlot *slot;

	if (inserts->direct.routing != NULL)
	{
		make_row(inserts, source, direct->root_slot);
		relinfo = bulk_sync_direct_route(direct);
		buffer = buffer_of(inserts, relinfo);
		slot = take_slot(inserts, buffer);
		bulk_sync_direct_convert(direct, relinfo, slot);
	}
	else
	{
		buffer = buffer_of(inserts, relinfo);
		slot = take_slot(inserts, buffer);
		make_row(inserts, source, slot);
	}

	if (buffer->at_once)
		return insert_now(inserts, buffer, slot, source);
	(void) check_row(inserts, buffer, slot);
	wait_with_row(inserts, buffer, slot, source);
	return true;
}

static void
begin_inserts(Inserts *inserts, BulkSyncApply *state, bool returning)
{
	BulkSyncDirect *direct = &inserts->direct;
	Relation	target = state->plan->target;

	memset(inserts, 0, sizeof(Inserts));
	bulk_sync_direct_begin(direct, state, CMD_INSERT, returning);
	inserts->waiting = palloc(MAX_ROWS * sizeof(WaitingRow));
	inserts->target_slots = palloc0(sizeof(FreeSlots));
	inserts->source_slots = palloc0(sizeof(FreeSlots));
	inserts->at_once = state->plan->conditions_look;
	init_defaults(inserts);
	if (target->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
	{
		CheckCmdReplicaIdentity(target, CMD_INSERT);
		ExecOpenIndices(direct->root, false);
		return;
	}

	bulk_sync_direct_begin_routing(direct);
}

static void
end_inserts(Inserts *inserts)
{
	ListCell   *lc;
	ListCell   *slot;

	if (!BULK_SYNC_MUTANT(buffer_not_flushed))
		flush_all(inserts);
	foreach(lc, inserts->buffers)
	{
		RowBuffer  *buffer = (RowBuffer *) lfirst(lc);

		bulk_sync_index_finish(buffer->table.indexes);
		buffer->table.relinfo->ri_CopyMultiInsertBuffer = NULL;
		foreach(slot, buffer->own_slots)
			ExecDropSingleTupleTableSlot((TupleTableSlot *) lfirst(slot));
		if (buffer->bulk != NULL)
			FreeBulkInsertState(buffer->bulk);
		table_finish_bulk_insert(buffer->table.rel, 0);
	}
	drop_slots(inserts->target_slots);
	drop_slots(inserts->source_slots);
	if (inserts->direct.routing == NULL)
		ExecCloseIndices(inserts->direct.root);
	inserts->direct.state->insert_stmt = inserts->direct.stmt;
	bulk_sync_direct_end(&inserts->direct);
}

/* Inserts the planned rows; returns how many were */
uint64
bulk_sync_direct_insert(BulkSyncApply *state, bool returning)
{
	const BulkSyncRowSet *set = &state->difference->inserts;
	Inserts		inserts;
	TupleTableSlot *source;
	uint64		processed = 0;

	begin_inserts(&inserts, state, returning);
	source = bulk_sync_direct_first(set);
	while (bulk_sync_direct_next(&inserts.direct, set, source))
		processed += insert_row(&inserts, source);
	ExecDropSingleTupleTableSlot(source);
	end_inserts(&inserts);
	return processed;
}
