/*-------------------------------------------------------------------------
 *
 * apply_direct.c
 *	  Deletes and updates rows of plain tables and partitions by calls of the
 *	  table access method, in the order of their addresses.
 *
 * For one row the steps are those of the executor, in its order: BEFORE
 * trigger, generated columns, partition check, constraints, the table, the
 * indexes (see index_entries.c), AFTER triggers and transition tables.  What
 * the caller can see of them is the same as of a statement.
 *
 * Every row has been locked, or the lock on the table keeps writers out: a row
 * that is not what it was has been changed by a trigger or a function of the
 * call itself.
 *
 *-------------------------------------------------------------------------
 */
#include "direct.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "executor/nodeModifyTable.h"
#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/*
 * Opens the table of a row and gives its address.  Where a BEFORE trigger may
 * have changed the row it is followed to its present version, and everything is
 * a command of its own; false if it is gone.
 */
static bool
find_row(BulkSyncDirect *direct, TupleTableSlot *source, CmdType command, ItemPointer tid)
{
	Oid			tableoid = DatumGetObjectId(source->tts_values[BULK_SYNC_DIFF_TABLEOID - 1]);

	*tid = *(ItemPointer) DatumGetPointer(source->tts_values[BULK_SYNC_DIFF_CTID - 1]);
	bulk_sync_direct_open(direct, tableoid, command);
	if (!direct->plan->row_at_a_time || BULK_SYNC_MUTANT(row_not_followed))
		return true;

	CommandCounterIncrement();
	UpdateActiveSnapshotCommandId();
	direct->estate->es_output_cid = GetCurrentCommandId(true);
	return bulk_sync_find_version(tableoid, tid);
}

static void
fetch_old_row(BulkSyncDirectTable *table, ItemPointer tid)
{
	if (!table_tuple_fetch_row_version(table->rel, tid, SnapshotAny, table->old_slot))
		elog(ERROR, "failed to fetch a planned row");
	slot_getallattrs(table->old_slot);
}

/*
 * Has the row been written?  It may not have been if a function of the call
 * did something to it meanwhile: that is what the executor says of it.
 */
static bool
row_was_written(BulkSyncDirect *direct, TM_Result result, const TM_FailureData *failure,
				const char *verb)
{
	switch (result)
	{
		case TM_Ok:
			return true;
		case TM_SelfModified:
			if (failure->cmax != direct->estate->es_output_cid)
				ereport(ERROR,
						(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
						 errmsg("tuple to be %s was already modified by an operation triggered by the current command",
								verb),
						 errhint("Consider using an AFTER trigger instead of a BEFORE trigger to propagate changes to other rows.")));
			return false;
		case TM_Updated:
		case TM_Deleted:
			/* Its lock is ours */
			bulk_sync_serialization_error();
			return false;
		default:
			elog(ERROR, "unrecognized table_tuple_%s status: %u", verb, result);
	}
}

/*-------------------------------------------------------------------------
 * Deletes
 *-------------------------------------------------------------------------
 */
static bool
delete_row(BulkSyncDirect *direct, TupleTableSlot *source)
{
	EState	   *estate = direct->estate;
	BulkSyncDirectTable *table;
	TriggerDesc *triggers;
	ItemPointerData tid;
	TM_FailureData failure;
	TM_Result	result;

	if (!find_row(direct, source, CMD_DELETE, &tid))
		return false;
	table = direct->table;
	triggers = table->relinfo->ri_TrigDesc;
	if (triggers != NULL && triggers->trig_delete_before_row &&
		!bulk_sync_before_delete(estate, &direct->epq, table->relinfo, &tid, &result, &failure))
		return false;
	if (direct->returning)
		fetch_old_row(table, &tid);
	result = table_tuple_delete(table->rel, &tid, estate->es_output_cid, estate->es_snapshot,
								InvalidSnapshot, true, &failure, false);
	if (!row_was_written(direct, result, &failure, "deleted"))
		return false;
	ExecARDeleteTriggers(estate, table->relinfo, &tid, NULL, direct->capture, false);
	bulk_sync_direct_report(direct, source, table, table->old_slot, false);
	return true;
}

/* Deletes the planned rows; returns how many were */
uint64
bulk_sync_direct_delete(BulkSyncApply *state)
{
	const BulkSyncRowSet *set = &state->difference->deletes;
	BulkSyncDirect direct;
	TupleTableSlot *source;
	uint64		processed = 0;

	bulk_sync_direct_begin(&direct, state, CMD_DELETE, state->written != NULL);
	source = bulk_sync_direct_first(set);
	while (bulk_sync_direct_next(&direct, set, source))
		processed += delete_row(&direct, source);
	ExecDropSingleTupleTableSlot(source);
	state->delete_stmt = direct.stmt;
	bulk_sync_direct_end(&direct);
	return processed;
}

/*-------------------------------------------------------------------------
 * New versions
 *-------------------------------------------------------------------------
 */

struct BulkSyncSetColumn
{
	int			index;			/* among the columns of the plan */
	AttrNumber	target_attno;
	bool		may_keep;		/* a row may keep its own value */
};

static void
find_set_columns(BulkSyncDirect *direct)
{
	const BulkSyncPlan *plan = direct->plan;

	direct->set = palloc(Max(plan->ncolumns, 1) * sizeof(struct BulkSyncSetColumn));
	for (int i = 0; i < plan->ncolumns; i++)
	{
		struct BulkSyncSetColumn *set = &direct->set[direct->nset];

		if (!bulk_sync_column_is_set(plan, i, direct->state->difference))
			continue;
		set->index = i;
		set->target_attno = plan->columns[i].target_attno;
		set->may_keep = bulk_sync_column_may_keep(&plan->columns[i]);
		direct->nset++;
	}
}

/* The row as it is to be: the old one, with the values that are written */
static void
make_new_row(BulkSyncDirect *direct, TupleTableSlot *source)
{
	const BulkSyncPlan *plan = direct->plan;
	BulkSyncDirectTable *table = direct->table;
	TupleTableSlot *old = table->old_slot;
	TupleTableSlot *new = table->new_slot;
	int			natts = old->tts_tupleDescriptor->natts;
	bool		mark = DatumGetBool(source->tts_values[BULK_SYNC_DIFF_MARK - 1]);

	ExecClearTuple(new);
	memcpy(new->tts_values, old->tts_values, natts * sizeof(Datum));
	memcpy(new->tts_isnull, old->tts_isnull, natts * sizeof(bool));
	for (int i = 0; i < direct->nset && !mark; i++)
	{
		const struct BulkSyncSetColumn *set = &direct->set[i];
		int			to = table->attnos[set->target_attno - 1] - 1;
		int			from = BULK_SYNC_DIFF_WANTED(set->index) - 1;

		if (set->may_keep && !bulk_sync_get_bit(source, BULK_SYNC_DIFF_TAKES, set->index))
			continue;
		new->tts_values[to] = source->tts_values[from];
		new->tts_isnull[to] = source->tts_isnull[from];
	}
	if (DatumGetBool(source->tts_values[BULK_SYNC_DIFF_SET_SOFT - 1]))
	{
		AttrNumber	attno = table->attnos[plan->soft_attno - 1];

		new->tts_values[attno - 1] = source->tts_values[BULK_SYNC_DIFF_SOFT - 1];
		new->tts_isnull[attno - 1] = source->tts_isnull[BULK_SYNC_DIFF_SOFT - 1];
	}
	ExecStoreVirtualTuple(new);
	new->tts_tableOid = RelationGetRelid(table->rel);
}

/* What the executor does to a row before it writes it */
static void
check_new_row(BulkSyncDirect *direct, BulkSyncDirectTable *table, CmdType command)
{
	TupleConstr *constr = RelationGetDescr(table->rel)->constr;

	if (constr != NULL && constr->has_generated_stored)
		ExecComputeStoredGenerated(table->relinfo, direct->estate, table->new_slot, command);
	if (constr != NULL)
		ExecConstraints(table->relinfo, table->new_slot, direct->estate);
}

/*-------------------------------------------------------------------------
 * Updates that move a row to another partition
 *-------------------------------------------------------------------------
 */
static bool
row_moves(BulkSyncDirect *direct)
{
	BulkSyncDirectTable *table = direct->table;

	return direct->plan->update_may_move && table->rel->rd_rel->relispartition &&
		!ExecPartitionCheck(table->relinfo, table->new_slot, direct->estate, false);
}

/*
 * Must the row be left to SQL?  If it cannot leave because the partition is the
 * target itself, SQL says so; and if foreign keys refer to it, SQL knows what is
 * to become of them.
 */
static bool
must_be_left(const BulkSyncDirect *direct)
{
	TriggerDesc *triggers = direct->table->relinfo->ri_TrigDesc;

	if (direct->routing == NULL)
		return true;
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		if (RI_FKey_trigger_type(triggers->triggers[i].tgfoid) == RI_TRIGGER_PK)
			return true;
	}
	return false;
}

static void
leave_to_sql(BulkSyncDirect *direct, BulkSyncRowSet *moved, TupleTableSlot *source)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(direct->state->difference->context);

	if (moved->store == NULL)
		bulk_sync_init_row_set(moved, source->tts_tupleDescriptor);
	tuplestore_puttupleslot(moved->store, source);
	moved->rows++;
	MemoryContextSwitchTo(oldcontext);
}

/* Queues triggers for one half of a move; the transition tables know an UPDATE */
static void
half_moved(BulkSyncDirect *direct, BulkSyncDirectTable *table, ItemPointer old_tid,
		   TupleTableSlot *new, List *recheck)
{
	TransitionCaptureState *capture = direct->capture;
	bool		captured = capture != NULL &&
		(new == NULL ? capture->tcs_update_old_table : capture->tcs_update_new_table) &&
		!BULK_SYNC_MUTANT(moved_row_not_captured);

	if (captured)
		ExecARUpdateTriggers(direct->estate, table->relinfo, NULL, NULL, old_tid, NULL, new, NIL,
							 capture, false);
	if (new == NULL)
		ExecARDeleteTriggers(direct->estate, table->relinfo, old_tid, NULL,
							 captured ? NULL : capture, true);
	else
		ExecARInsertTriggers(direct->estate, table->relinfo, new, recheck,
							 captured ? NULL : capture);
}

/* Deletes the row here, and inserts it where it belongs */
static bool
move_row(BulkSyncDirect *direct, TupleTableSlot *source, ItemPointer tid)
{
	EState	   *estate = direct->estate;
	BulkSyncDirectTable *from = direct->table;
	TupleConversionMap *map = ExecGetChildToRootMap(from->relinfo);
	BulkSyncDirectTable *to;
	ResultRelInfo *relinfo;
	List	   *recheck;
	TM_FailureData failure;
	TM_Result	result;

	if (map != NULL)
		(void) execute_attr_map_slot(map->attrMap, from->new_slot, direct->root_slot);
	else
		ExecCopySlot(direct->root_slot, from->new_slot);
	relinfo = bulk_sync_direct_route(direct);
	to = bulk_sync_direct_partition(direct, relinfo);
	bulk_sync_direct_convert(direct, relinfo, to->new_slot);

	result = table_tuple_delete(from->rel, tid, estate->es_output_cid, estate->es_snapshot,
								InvalidSnapshot, true, &failure, true);
	if (!row_was_written(direct, result, &failure, "updated"))
		return false;
	half_moved(direct, from, tid, NULL, NIL);

	check_new_row(direct, to, CMD_INSERT);
	table_tuple_insert(to->rel, to->new_slot, estate->es_output_cid, 0, NULL);
	recheck = bulk_sync_index_add(to->indexes, NULL, to->new_slot, false);
	half_moved(direct, to, NULL, to->new_slot, recheck);
	list_free(recheck);
	bulk_sync_direct_report(direct, source, to, to->new_slot,
							DatumGetBool(source->tts_values[BULK_SYNC_DIFF_MARK - 1]));
	return true;
}

/*-------------------------------------------------------------------------
 * Updates
 *-------------------------------------------------------------------------
 */
static bool
update_row(BulkSyncDirect *direct, TupleTableSlot *source, BulkSyncRowSet *moved)
{
	EState	   *estate = direct->estate;
	BulkSyncDirectTable *table;
	TriggerDesc *triggers;
	List	   *recheck = NIL;
	ItemPointerData tid;
	TM_FailureData failure;
	TM_Result	result;
	bool		any_index;
	bool		only_summarizing;

	if (!find_row(direct, source, CMD_UPDATE, &tid))
		return false;
	table = direct->table;
	fetch_old_row(table, &tid);
	make_new_row(direct, source);
	triggers = table->relinfo->ri_TrigDesc;
	if (triggers != NULL && triggers->trig_update_before_row &&
		!BULK_SYNC_MUTANT(before_update_skipped))
	{
		ExecMaterializeSlot(table->new_slot);
		if (!bulk_sync_before_update(estate, &direct->epq, table->relinfo, &tid, table->new_slot,
									 &result, &failure))
			return false;
	}
	if (row_moves(direct))
	{
		if (!must_be_left(direct))
			return move_row(direct, source, &tid);
		leave_to_sql(direct, moved, source);
		return false;
	}
	check_new_row(direct, table, CMD_UPDATE);

	result = bulk_sync_table_update(table->rel, &tid, table->new_slot, estate->es_output_cid,
									estate->es_snapshot, &failure, &any_index, &only_summarizing);
	if (!row_was_written(direct, result, &failure, "updated"))
		return false;
	if (any_index)
		recheck = bulk_sync_index_add(table->indexes, table->old_slot, table->new_slot,
									  only_summarizing);
	ExecARUpdateTriggers(estate, table->relinfo, NULL, NULL, &tid, NULL, table->new_slot, recheck,
						 direct->capture, false);
	list_free(recheck);
	bulk_sync_direct_report(direct, source, table, table->new_slot,
							DatumGetBool(source->tts_values[BULK_SYNC_DIFF_MARK - 1]));
	return true;
}

/*
 * Updates the planned rows; returns how many were, and how many of them are
 * marked now.  Rows that move in a way that only SQL knows are put into "moved".
 */
uint64
bulk_sync_direct_update(BulkSyncApply *state, bool returning, uint64 *marks,
						BulkSyncRowSet *moved)
{
	const BulkSyncRowSet *set = &state->difference->updates;
	BulkSyncDirect direct;
	TupleTableSlot *source;
	uint64		processed = 0;

	bulk_sync_direct_begin(&direct, state, CMD_UPDATE, returning);
	find_set_columns(&direct);
	if (state->plan->update_may_move &&
		state->plan->target->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		bulk_sync_direct_begin_routing(&direct);
	source = bulk_sync_direct_first(set);
	*marks = 0;
	while (bulk_sync_direct_next(&direct, set, source))
	{
		if (!update_row(&direct, source, moved))
			continue;
		processed++;
		*marks += DatumGetBool(source->tts_values[BULK_SYNC_DIFF_MARK - 1]);
	}
	ExecDropSingleTupleTableSlot(source);
	state->update_stmt = direct.stmt;
	bulk_sync_direct_end(&direct);
	return processed;
}
