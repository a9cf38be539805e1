/*-------------------------------------------------------------------------
 *
 * direct.c
 *	  What a phase needs to write rows without SQL: the executor's state for
 *	  its target, the table that rows are written to, and a way to tell what
 *	  was written.
 *
 * The state is that of a statement that was never planned.  Triggers, foreign
 * keys, transition tables and generated columns ask it for no more than a range
 * table, in which stand the target and the columns that are written.
 *
 *-------------------------------------------------------------------------
 */
#include "direct.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/execPartition.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* The columns that the statement of a phase names */
static Bitmapset *
written_columns(const BulkSyncPlan *plan, const BulkSyncDifference *difference, CmdType command)
{
	Bitmapset  *columns = NULL;

	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (command == CMD_INSERT ? plan->columns[i].insertable :
			command == CMD_UPDATE && difference->updates.marks < difference->updates.rows &&
			bulk_sync_column_is_set(plan, i, difference))
			columns = bms_add_member(columns, plan->columns[i].target_attno -
									 FirstLowInvalidHeapAttributeNumber);
	}
	if (command == CMD_UPDATE && difference->soft_written)
		columns = bms_add_member(columns,
								 plan->soft_attno - FirstLowInvalidHeapAttributeNumber);
	return columns;
}

/* Rows shaped as by RETURNING: see append_returning() in deparse.c */
static TupleTableSlot *
make_returned_slot(const BulkSyncPlan *plan)
{
	TupleDesc	desc = CreateTemplateTupleDesc(plan->nread + 3);

	TupleDescInitEntry(desc, 1, "mark", BOOLOID, -1, 0);
	for (int i = 0; i < plan->nread; i++)
		TupleDescCopyEntry(desc, i + 2, plan->read_desc, i + 1);
	TupleDescInitEntry(desc, plan->nread + 2, "tableoid", OIDOID, -1, 0);
	TupleDescInitEntry(desc, plan->nread + 3, "ctid", TIDOID, -1, 0);
	return MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
}

/*
 * Begins a phase: what a statement does before its first row.  From here to
 * bulk_sync_direct_end() memory is that of the statement.
 */
void
bulk_sync_direct_begin(BulkSyncDirect *direct, BulkSyncApply *state, CmdType command,
					   bool returning)
{
	const BulkSyncPlan *plan = state->plan;
	AclMode		perms = command == CMD_INSERT ? ACL_INSERT :
		command == CMD_UPDATE ? ACL_UPDATE : ACL_DELETE;

	memset(direct, 0, sizeof(BulkSyncDirect));
	direct->state = state;
	direct->plan = plan;
	direct->returning = returning;
	direct->stmt = bulk_sync_make_statement(command, plan->target, perms,
											written_columns(plan, state->difference, command));
	bulk_sync_check_target_name(plan);
	bulk_sync_check_permissions(direct->stmt);
	/* Beside the lock of the call, the one that a statement takes */
	LockRelationOid(RelationGetRelid(plan->target), RowExclusiveLock);

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	direct->estate = CreateExecutorState();
	direct->oldcontext = MemoryContextSwitchTo(direct->estate->es_query_cxt);
	bulk_sync_init_range_table(direct->estate, direct->stmt);
	direct->estate->es_snapshot = GetActiveSnapshot();
	direct->estate->es_output_cid = GetCurrentCommandId(true);
	bulk_sync_init_epq(&direct->epq, direct->estate);
	direct->root = makeNode(ResultRelInfo);
	InitResultRelInfo(direct->root, plan->target, 1, NULL, 0);
	if (returning)
		direct->returned = make_returned_slot(plan);

	if (command == CMD_INSERT)
		ExecBSInsertTriggers(direct->estate, direct->root);
	else if (command == CMD_UPDATE)
		ExecBSUpdateTriggers(direct->estate, direct->root);
	else
		ExecBSDeleteTriggers(direct->estate, direct->root);
	direct->capture = MakeTransitionCaptureState(plan->target->trigdesc,
												 RelationGetRelid(plan->target), command);
}

/*-------------------------------------------------------------------------
 * Tables
 *-------------------------------------------------------------------------
 */

/*
 * All rows of the open tables have been written.  A partition is here twice if
 * rows of its own were updated and others moved to it; what the one half does
 * not check, the other must find.
 */
static void
close_tables(BulkSyncDirect *direct)
{
	ListCell   *lc;

	foreach(lc, direct->tables)
	{
		BulkSyncDirectTable *table = (BulkSyncDirectTable *) lfirst(lc);

		if (table->indexes != NULL)
			bulk_sync_index_flush_kept(table->indexes);
	}
	foreach(lc, direct->tables)
	{
		BulkSyncDirectTable *table = (BulkSyncDirectTable *) lfirst(lc);
		bool		own = table->relinfo->ri_CopyMultiInsertBuffer == NULL;

		if (table->indexes != NULL)
			bulk_sync_index_finish(table->indexes);
		table->relinfo->ri_CopyMultiInsertBuffer = NULL;
		ExecDropSingleTupleTableSlot(table->old_slot);
		ExecDropSingleTupleTableSlot(table->new_slot);
		/* Routing closes what it has opened */
		if (!own)
			continue;
		if (table->indexes != NULL)
			ExecCloseIndices(table->relinfo);
		table_close(table->rel, NoLock);
	}
	list_free_deep(direct->tables);
	direct->tables = NIL;
	direct->table = NULL;
}

static BulkSyncDirectTable *
add_table(BulkSyncDirect *direct, Relation rel, ResultRelInfo *relinfo)
{
	BulkSyncDirectTable *table = palloc0(sizeof(BulkSyncDirectTable));

	table->rel = rel;
	table->relinfo = relinfo;
	table->attnos = bulk_sync_map_attributes(direct->plan->target, rel);
	table->old_slot = table_slot_create(rel, NULL);
	table->new_slot = table_slot_create(rel, NULL);
	direct->tables = lappend(direct->tables, table);
	return table;
}

static void
begin_index_entries(BulkSyncDirect *direct, BulkSyncDirectTable *table)
{
	const BulkSyncPlan *plan = direct->plan;
	const BulkSyncDifference *difference = direct->state->difference;
	bool		few = difference->updates.rows < Max(difference->rows_in_scope, plan->target_rows) / 8;

	table->indexes = bulk_sync_index_begin(direct->estate, table->relinfo, CMD_UPDATE,
										   plan->row_at_a_time || plan->conditions_look, few,
										   plan->update_may_move ? 2 * list_length(plan->tree) : 1);
}

/* Opens the table in which the next rows lie, unless it is open */
void
bulk_sync_direct_open(BulkSyncDirect *direct, Oid tableoid, CmdType command)
{
	const BulkSyncPlan *plan = direct->plan;
	ResultRelInfo *relinfo = direct->root;
	Relation	rel;

	if (direct->table != NULL && RelationGetRelid(direct->table->rel) == tableoid)
		return;
	if (!plan->update_may_move)
		close_tables(direct);

	/* Locked by the plan, with all of the tree; this lock is what DML takes */
	rel = table_open(tableoid, RowExclusiveLock);
	CheckCmdReplicaIdentity(rel, command);
	if (tableoid != RelationGetRelid(plan->target))
	{
		relinfo = makeNode(ResultRelInfo);
		InitResultRelInfo(relinfo, rel, 0, direct->root, 0);
	}
	direct->table = add_table(direct, rel, relinfo);
	if (relinfo != direct->root)
		bulk_sync_init_child(relinfo, direct->root, direct->table->attnos);
	if (command == CMD_UPDATE)
	{
		ExecOpenIndices(relinfo, false);
		begin_index_entries(direct, direct->table);
	}
}

/*-------------------------------------------------------------------------
 * Routing
 *-------------------------------------------------------------------------
 */

/* Routing asks for the state of a plan: this much of it */
void
bulk_sync_direct_begin_routing(BulkSyncDirect *direct)
{
	Relation	target = direct->plan->target;

	direct->mtstate = makeNode(ModifyTableState);
	direct->mtstate->ps.state = direct->estate;
	direct->mtstate->operation = CMD_INSERT;
	direct->mtstate->mt_nrels = 1;
	direct->mtstate->resultRelInfo = direct->root;
	direct->mtstate->rootResultRelInfo = direct->root;
	direct->routing = ExecSetupPartitionTupleRouting(direct->estate, target);
	direct->root_slot = table_slot_create(target, NULL);
}

/* The partition that the row in root_slot goes to */
ResultRelInfo *
bulk_sync_direct_route(BulkSyncDirect *direct)
{
	return ExecFindPartition(direct->mtstate, direct->root, direct->routing, direct->root_slot,
							 direct->estate);
}

/* Brings the row in root_slot into the shape of a partition */
void
bulk_sync_direct_convert(BulkSyncDirect *direct, ResultRelInfo *relinfo, TupleTableSlot *slot)
{
	TupleConversionMap *map = bulk_sync_root_to_partition(relinfo, direct->estate);

	if (map != NULL)
		(void) execute_attr_map_slot(map->attrMap, direct->root_slot, slot);
	else
		ExecCopySlot(slot, direct->root_slot);
	slot->tts_tableOid = RelationGetRelid(relinfo->ri_RelationDesc);
}

/* The partition that updated rows move to */
BulkSyncDirectTable *
bulk_sync_direct_partition(BulkSyncDirect *direct, ResultRelInfo *relinfo)
{
	BulkSyncDirectTable *table = (BulkSyncDirectTable *) relinfo->ri_CopyMultiInsertBuffer;

	if (table == NULL)
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(direct->estate->es_query_cxt);

		table = add_table(direct, relinfo->ri_RelationDesc, relinfo);
		begin_index_entries(direct, table);
		relinfo->ri_CopyMultiInsertBuffer = (struct CopyMultiInsertBuffer *) table;
		MemoryContextSwitchTo(oldcontext);
	}
	return table;
}

/* Ends a phase; what its AFTER triggers will need stays */
void
bulk_sync_direct_end(BulkSyncDirect *direct)
{
	close_tables(direct);
	if (direct->routing != NULL)
	{
		ExecCleanupTupleRouting(direct->mtstate, direct->routing);
		ExecDropSingleTupleTableSlot(direct->root_slot);
	}
	if (direct->returned != NULL)
		ExecDropSingleTupleTableSlot(direct->returned);
	EvalPlanQualEnd(&direct->epq);
	ExecCloseResultRelations(direct->estate);
	ExecResetTupleTable(direct->estate->es_tupleTable, false);
	MemoryContextSwitchTo(direct->oldcontext);
	FreeExecutorState(direct->estate);
	PopActiveSnapshot();
}

/*-------------------------------------------------------------------------
 * Rows
 *-------------------------------------------------------------------------
 */

/* Tells apply.c of a written row as RETURNING would, if that is wanted */
void
bulk_sync_direct_report(BulkSyncDirect *direct, TupleTableSlot *source,
						const BulkSyncDirectTable *table, TupleTableSlot *row, bool mark)
{
	const BulkSyncPlan *plan = direct->plan;
	TupleTableSlot *returned = direct->returned;
	ItemPointerData tid = row->tts_tid;

	if (!direct->returning)
		return;
	slot_getallattrs(row);
	ExecClearTuple(returned);
	memset(returned->tts_isnull, false, (plan->nread + 3) * sizeof(bool));
	returned->tts_values[0] = BoolGetDatum(mark);
	for (int i = 0; i < plan->nread; i++)
	{
		AttrNumber	attno = table->attnos[plan->read_attnos[i] - 1];

		returned->tts_values[i + 1] = row->tts_values[attno - 1];
		returned->tts_isnull[i + 1] = row->tts_isnull[attno - 1];
	}
	returned->tts_values[plan->nread + 1] = ObjectIdGetDatum(RelationGetRelid(table->rel));
	returned->tts_values[plan->nread + 2] = PointerGetDatum(&tid);
	ExecStoreVirtualTuple(returned);

	direct->state->source = source;
	direct->state->source_written = false;
	bulk_sync_receive_written(returned, direct->state);
	direct->state->source = NULL;
	ExecClearTuple(returned);
}

/* The rows of a difference set, one after the other */
TupleTableSlot *
bulk_sync_direct_first(const BulkSyncRowSet *set)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(set->desc, &TTSOpsMinimalTuple);

	tuplestore_select_read_pointer(set->store, 0);
	tuplestore_rescan(set->store);
	return slot;
}

bool
bulk_sync_direct_next(BulkSyncDirect *direct, const BulkSyncRowSet *set, TupleTableSlot *slot)
{
	CHECK_FOR_INTERRUPTS();
	ResetPerTupleExprContext(direct->estate);
	if (!tuplestore_gettupleslot(set->store, true, false, slot))
		return false;
	slot_getallattrs(slot);
	return true;
}
