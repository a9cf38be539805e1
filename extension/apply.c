/*-------------------------------------------------------------------------
 *
 * apply.c
 *	  Writes the difference: deletes, then updates, then inserts.
 *
 * Each phase is an SQL statement over the rows of the difference, so that
 * triggers, rules, row security, partition routing and all else that the
 * executor knows take effect.  Nothing here compares rows.
 *
 * The three phases share one trigger level, as the parts of a MERGE do: AFTER
 * triggers and foreign keys see the final state.  BEFORE STATEMENT triggers
 * fire once a level by themselves, however many statements make up a phase.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/plannodes.h"
#include "parser/parsetree.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

typedef struct ApplyState
{
	const BulkSyncPlan *plan;
	BulkSyncDifference *difference;
	BulkSyncCounts *counts;
	char	   *rows_name;		/* of the ephemeral relation */

	/* The phase that is running */
	bool		check_scope;
	bool		is_update;
	int64		returned;		/* rows that RETURNING gave ... */
	int64		returned_marks; /* ... and marks among them */
	CommandId	first_command;

	/* The statement of each phase that ran, for its AFTER triggers */
	PlannedStmt *delete_stmt;
	PlannedStmt *update_stmt;
	PlannedStmt *insert_stmt;
} ApplyState;

/*-------------------------------------------------------------------------
 * Running statements over difference rows
 *-------------------------------------------------------------------------
 */

/* Refuses a row that was written to a place outside the scope */
static void
check_written_row(ApplyState *state, const Datum *values, const bool *isnull)
{
	if (!bulk_sync_row_in_scope(state->plan, state->difference->groups, values, isnull, NULL))
		bulk_sync_out_of_scope_error(state->plan,
									 bulk_sync_describe_target_key(state->plan, values, isnull),
									 state->is_update);
}

/* A written row: count it, and check the scope where only it can tell */
static void
receive_written(TupleTableSlot *slot, void *arg)
{
	ApplyState *state = (ApplyState *) arg;

	state->returned++;
	if (DatumGetBool(slot->tts_values[0]))
		state->returned_marks++;
	else if (state->check_scope)
		check_written_row(state, slot->tts_values + 1, slot->tts_isnull + 1);
}

static void
receive_found(TupleTableSlot *slot, void *arg)
{
	ApplyState *state = (ApplyState *) arg;

	if (TransactionIdIsCurrentTransactionId(DatumGetTransactionId(slot->tts_values[0])) &&
		DatumGetCommandId(slot->tts_values[1]) >= state->first_command)
		check_written_row(state, slot->tts_values + 2, slot->tts_isnull + 2);
}

/*
 * With rules that take the place of a statement, for some rows or for all,
 * there is no RETURNING.  What was written all the same is looked for.
 */
static void
check_rows_written_since(ApplyState *state, CommandId first_command)
{
	const BulkSyncPlan *plan = state->plan;
	BulkSyncStatement *statement;

	if (plan->address_by_key)
		return;
	state->first_command = first_command;
	CommandCounterIncrement();
	statement = bulk_sync_prepare(bulk_sync_deparse_written(plan), NULL, 0, NULL, plan->target,
								  NULL, false);
	PushActiveSnapshot(GetTransactionSnapshot());
	bulk_sync_run(statement, NULL, false, receive_found, state);
	PopActiveSnapshot();
}

static BulkSyncStatement *
prepare_phase(ApplyState *state, const char *sql, const BulkSyncRowSet *set, Bitmapset *assigned)
{
	const BulkSyncPlan *plan = state->plan;
	QueryEnvironment *env = bulk_sync_row_environment(state->rows_name, set->desc, set->store,
													  plan->row_at_a_time ? 1 : set->rows);
	BulkSyncStatement *statement;

	statement = bulk_sync_prepare(sql, NULL, 0, env, plan->target, assigned,
								  plan->single_table && !plan->address_by_key);
	/* A view is written by what its rules put in its place, a table is not */
	if (plan->target->rd_rel->relkind != RELKIND_VIEW)
		statement->counted_relid = RelationGetRelid(plan->target);
	return statement;
}

static uint64
run_phase(ApplyState *state, BulkSyncStatement *statement, bool returning)
{
	uint64		processed;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	processed = bulk_sync_run(statement, NULL, true, returning ? receive_written : NULL, state);
	PopActiveSnapshot();
	return processed;
}

typedef enum RowFate
{
	ROW_SAME,					/* still the version that was planned for */
	ROW_CHANGED,				/* another version has taken its place */
	ROW_GONE
} RowFate;

/* Follows a row to its present version */
static RowFate
follow_row(Oid tableoid, ItemPointer tid)
{
	Relation	rel = table_open(tableoid, NoLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan;
	ItemPointerData present = *tid;
	RowFate		fate = ROW_CHANGED;

	PushActiveSnapshot(GetTransactionSnapshot());
	scan = table_beginscan_tid(rel, GetActiveSnapshot());
	table_tuple_get_latest_tid(scan, &present);
	table_endscan(scan);
	if (ItemPointerEquals(&present, tid))
		fate = table_tuple_fetch_row_version(rel, tid, GetActiveSnapshot(), slot) ?
			ROW_SAME : ROW_GONE;
	PopActiveSnapshot();
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	*tid = present;
	return fate;
}

static void
readdress_row(Oid tableoid, ItemPointer tid)
{
	(void) follow_row(tableoid, tid);
}

typedef struct MovedContext
{
	bool		found;
	Oid			tableoid;
	ItemPointerData tid;
} MovedContext;

static void
receive_moved(TupleTableSlot *slot, void *arg)
{
	MovedContext *context = (MovedContext *) arg;

	if (!TransactionIdIsCurrentTransactionId(DatumGetTransactionId(slot->tts_values[2])))
		return;
	context->found = true;
	context->tableoid = DatumGetObjectId(slot->tts_values[0]);
	context->tid = *(ItemPointer) DatumGetPointer(slot->tts_values[1]);
}

/*
 * Finds a row that a trigger of this call moved to another partition: no
 * chain of versions leads there, but it has its key and was written by us.
 */
static bool
find_moved_row(ApplyState *state, const BulkSyncRowSet *set, Datum *values, bool *isnull,
			   MovedContext *context)
{
	Tuplestorestate *store = tuplestore_begin_heap(false, false, 64);
	QueryEnvironment *env = bulk_sync_row_environment(state->rows_name, set->desc, store, 1);
	BulkSyncStatement *statement;

	tuplestore_set_eflags(store, EXEC_FLAG_REWIND);
	tuplestore_putvalues(store, set->desc, values, isnull);
	statement = bulk_sync_prepare(bulk_sync_deparse_find_moved(state->plan), NULL, 0, env,
								  state->plan->target, NULL, false);
	context->found = false;
	PushActiveSnapshot(GetTransactionSnapshot());
	bulk_sync_run(statement, NULL, false, receive_moved, context);
	PopActiveSnapshot();
	tuplestore_end(store);
	return context->found;
}

/* Runs a statement for a single difference row */
static uint64
run_for_row(ApplyState *state, BulkSyncStatement *statement, const BulkSyncRowSet *set,
			Datum *values, bool *isnull, bool returning)
{
	EphemeralNamedRelation enr = get_ENR(statement->env, state->rows_name);
	Tuplestorestate *store = tuplestore_begin_heap(false, false, 64);
	uint64		processed;

	tuplestore_set_eflags(store, EXEC_FLAG_REWIND);
	if (values != NULL)
		tuplestore_putvalues(store, set->desc, values, isnull);
	enr->reldata = store;
	processed = run_phase(state, statement, returning);
	tuplestore_end(store);
	return processed;
}

/*
 * A row that was not written: if it has another version or another place by
 * now, it is written there; if not, something suppressed it, or it is gone.
 */
static uint64
run_for_changed_row(ApplyState *state, BulkSyncStatement *statement, const BulkSyncRowSet *set,
					TupleTableSlot *slot, bool returning)
{
	Datum	   *values = slot->tts_values;
	Oid			tableoid = DatumGetObjectId(values[BULK_SYNC_DIFF_TABLEOID - 1]);
	ItemPointerData tid = *(ItemPointer) DatumGetPointer(values[BULK_SYNC_DIFF_CTID - 1]);
	MovedContext moved;

	CommandCounterIncrement();
	switch (follow_row(tableoid, &tid))
	{
		case ROW_SAME:
			return 0;
		case ROW_CHANGED:
			values[BULK_SYNC_DIFF_CTID - 1] = PointerGetDatum(&tid);
			break;
		case ROW_GONE:
			if (!state->plan->move_chased ||
				!find_moved_row(state, set, values, slot->tts_isnull, &moved))
				return 0;
			values[BULK_SYNC_DIFF_TABLEOID - 1] = ObjectIdGetDatum(moved.tableoid);
			values[BULK_SYNC_DIFF_CTID - 1] = PointerGetDatum(&moved.tid);
			break;
	}
	return run_for_row(state, statement, set, values, slot->tts_isnull, returning);
}

/*
 * Writes rows one by one: a BEFORE trigger may change rows that come later in
 * the phase, and each must be found in the version it has by then.
 */
static uint64
run_row_by_row(ApplyState *state, BulkSyncStatement *statement, const BulkSyncRowSet *set,
			   bool returning)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(set->desc, &TTSOpsMinimalTuple);
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "bulk_sync row",
													  ALLOCSET_DEFAULT_SIZES);
	uint64		processed = 0;

	/* Without a row: BEFORE STATEMENT triggers have their say first */
	(void) run_for_row(state, statement, set, NULL, NULL, returning);

	tuplestore_select_read_pointer(set->store, 0);
	tuplestore_rescan(set->store);
	while (tuplestore_gettupleslot(set->store, true, false, slot))
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(row_context);
		uint64		written;

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(slot);
		written = run_for_row(state, statement, set, slot->tts_values, slot->tts_isnull,
							  returning);
		if (written == 0)
			written = run_for_changed_row(state, statement, set, slot, returning);
		processed += written;
		MemoryContextSwitchTo(oldcontext);
		MemoryContextReset(row_context);
	}
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextDelete(row_context);
	return processed;
}

/* The statement that counts, for its triggers */
static PlannedStmt *
main_statement(const BulkSyncStatement *statement)
{
	ListCell   *lc;

	foreach(lc, statement->stmts)
	{
		PlannedStmt *stmt = lfirst_node(PlannedStmt, lc);

		if (stmt->canSetTag && stmt->planTree != NULL && IsA(stmt->planTree, ModifyTable))
			return stmt;
	}
	return NULL;
}

/*-------------------------------------------------------------------------
 * The phases
 *-------------------------------------------------------------------------
 */
static void
apply_deletes(ApplyState *state)
{
	const BulkSyncPlan *plan = state->plan;
	const BulkSyncRowSet *set = &state->difference->deletes;

	for (int null_keys = 0; null_keys <= (set->nulls_in_key ? 1 : 0); null_keys++)
	{
		BulkSyncStatement *statement;

		statement = prepare_phase(state, bulk_sync_deparse_delete(plan, null_keys), set, NULL);
		state->delete_stmt = main_statement(statement);
		if (plan->row_at_a_time)
			state->counts->deleted += run_row_by_row(state, statement, set, false);
		else
			state->counts->deleted += run_phase(state, statement, false);
	}
}

/* Runs the updates, or a part of them; returns the number of rows written */
static uint64
run_updates(ApplyState *state, BulkSyncUpdatePart part, bool returning)
{
	const BulkSyncPlan *plan = state->plan;
	const BulkSyncRowSet *set = &state->difference->updates;
	uint64		processed = 0;

	for (int null_keys = 0; null_keys <= (set->nulls_in_key ? 1 : 0); null_keys++)
	{
		BulkSyncStatement *statement;

		statement = prepare_phase(state,
								  bulk_sync_deparse_update(plan, state->difference, part,
														   null_keys, returning),
								  set, NULL);
		state->update_stmt = main_statement(statement);
		if (plan->row_at_a_time)
			processed += run_row_by_row(state, statement, set, returning);
		else
			processed += run_phase(state, statement, returning);
	}
	return processed;
}

static void
apply_updates(ApplyState *state)
{
	const BulkSyncPlan *plan = state->plan;
	BulkSyncRowSet *set = &state->difference->updates;
	bool		mixed = set->marks > 0 && set->marks < set->rows;
	bool		returning = (plan->check_update_scope || mixed) && !plan->instead_of_update;
	CommandId	first_command = GetCurrentCommandId(false);
	uint64		processed;
	uint64		marks;

	/* Rules on DELETE may have changed rows that are planned here */
	if (plan->has_rules && !plan->row_at_a_time && !plan->address_by_key &&
		state->difference->deletes.rows > 0)
	{
		CommandCounterIncrement();
		bulk_sync_difference_readdress(state->difference, set, readdress_row);
	}

	state->check_scope = plan->check_update_scope;
	state->is_update = true;
	if (mixed && plan->instead_of_update)
	{
		marks = run_updates(state, BULK_SYNC_UPDATE_MARKS, false);
		processed = marks + run_updates(state, BULK_SYNC_UPDATE_CHANGES, false);
	}
	else
	{
		processed = run_updates(state, BULK_SYNC_UPDATE_ALL, returning);
		if (returning)
			marks = state->returned_marks;
		else
			marks = set->marks > 0 ? processed : 0;
	}
	state->counts->deleted += marks;
	state->counts->updated += processed - marks;

	/* Marks may leave the scope; with such rules they cannot be told apart */
	if (plan->check_update_scope && plan->instead_of_update && set->marks == 0)
		check_rows_written_since(state, first_command);
}

/*-------------------------------------------------------------------------
 * A key that somebody else inserted
 *-------------------------------------------------------------------------
 */
typedef struct ConflictContext
{
	BulkSyncGroups *groups;
	bool		found;
} ConflictContext;

static void
receive_conflict(TupleTableSlot *slot, void *arg)
{
	ConflictContext *context = (ConflictContext *) arg;

	/* Rows of our own are no concurrent insert */
	if (!slot->tts_isnull[0] &&
		TransactionIdIsCurrentTransactionId(DatumGetTransactionId(slot->tts_values[0])))
		return;
	if (context->groups != NULL &&
		!bulk_sync_groups_contain(context->groups, slot->tts_values + 1, slot->tts_isnull + 1))
		return;
	context->found = true;
}

/* Is there by now a row in scope with the key of a row to be inserted? */
static bool
key_was_inserted(ApplyState *state)
{
	const BulkSyncPlan *plan = state->plan;
	const BulkSyncRowSet *set = &state->difference->inserts;
	Oid		   *types = palloc0(Max(plan->nscope_values, 1) * sizeof(Oid));
	ParamListInfo params = makeParamList(plan->nscope_values);
	QueryEnvironment *env = bulk_sync_row_environment(state->rows_name, set->desc, set->store,
													  set->rows);
	BulkSyncStatement *statement;
	ConflictContext context = {state->difference->groups, false};

	bulk_sync_set_scope_params(plan, params, types);
	statement = bulk_sync_prepare(bulk_sync_deparse_conflict(plan), types, plan->nscope_values,
								  env, plan->target, NULL, false);
	PushActiveSnapshot(GetLatestSnapshot());
	bulk_sync_run(statement, params, false, receive_conflict, &context);
	PopActiveSnapshot();
	return context.found;
}

/*
 * A unique violation while rows are inserted: if another transaction inserted
 * the key since the rows were matched, a retry will find it and update it.
 * Called with the error cleared away; returns if it was an ordinary violation,
 * or if the question cannot be answered any more.  The transaction is going to
 * be aborted in any case: the subtransaction only gives the question a clean
 * ground.
 */
static void
check_concurrent_insert(ApplyState *state)
{
	MemoryContext oldcontext = CurrentMemoryContext;
	ResourceOwner oldowner = CurrentResourceOwner;
	volatile bool found = false;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(oldcontext);
	PG_TRY();
	{
		found = key_was_inserted(state);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(oldcontext);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(oldcontext);
	CurrentResourceOwner = oldowner;

	/* A cancel must not get lost behind the violation */
	if (error != NULL && ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		ReThrowError(error);
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent insert"),
				 errdetail("A key to be inserted into \"%s\" was inserted by another transaction.",
						   RelationGetRelationName(state->plan->target)),
				 errhint("Retry the transaction.")));
}

static void
apply_inserts(ApplyState *state)
{
	const BulkSyncPlan *plan = state->plan;
	const BulkSyncRowSet *set = &state->difference->inserts;
	bool		returning = plan->check_insert_scope && !plan->instead_of_insert;
	CommandId	first_command = GetCurrentCommandId(false);
	BulkSyncStatement *statement;
	MemoryContext context = CurrentMemoryContext;

	state->check_scope = returning;
	state->is_update = false;

	statement = prepare_phase(state,
							  bulk_sync_deparse_insert(plan, state->difference, returning),
							  set, plan->assigned_attnos);
	state->insert_stmt = main_statement(statement);
	PG_TRY();
	{
		state->counts->inserted = run_phase(state, statement, returning);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION && plan->matching &&
			!plan->options->ignore_conflicts && !plan->has_foreign)
		{
			FlushErrorState();
			check_concurrent_insert(state);
			ReThrowError(error);
		}
		PG_RE_THROW();
	}
	PG_END_TRY();

	if (plan->check_insert_scope && plan->instead_of_insert)
		check_rows_written_since(state, first_command);
}

/*-------------------------------------------------------------------------
 * AFTER triggers
 *-------------------------------------------------------------------------
 */

/*
 * Each phase queued its AFTER STATEMENT triggers behind its own rows.  Queuing
 * them once more replaces them: now they come behind the rows of all phases.
 */
static void
queue_statement_triggers(PlannedStmt *stmt, CmdType command)
{
	ModifyTable *node;
	Index		rti;
	Relation	rel;
	EState	   *estate;
	ResultRelInfo *relinfo;
	TransitionCaptureState *capture;
	MemoryContext oldcontext;

	if (stmt == NULL)
		return;
	node = (ModifyTable *) stmt->planTree;
	rti = node->rootRelation > 0 ? node->rootRelation : linitial_int(node->resultRelations);
	rel = table_open(rt_fetch(rti, stmt->rtable)->relid, NoLock);
	if (rel->trigdesc != NULL &&
		((command == CMD_DELETE && rel->trigdesc->trig_delete_after_statement) ||
		 (command == CMD_UPDATE && rel->trigdesc->trig_update_after_statement) ||
		 (command == CMD_INSERT && rel->trigdesc->trig_insert_after_statement)))
	{
		estate = CreateExecutorState();
		oldcontext = MemoryContextSwitchTo(estate->es_query_cxt);
		bulk_sync_init_range_table(estate, stmt);
		relinfo = makeNode(ResultRelInfo);
		InitResultRelInfo(relinfo, rel, rti, NULL, 0);
		capture = MakeTransitionCaptureState(rel->trigdesc, RelationGetRelid(rel), command);
		if (command == CMD_DELETE)
			ExecASDeleteTriggers(estate, relinfo, capture);
		else if (command == CMD_UPDATE)
			ExecASUpdateTriggers(estate, relinfo, capture);
		else
			ExecASInsertTriggers(estate, relinfo, capture);
		MemoryContextSwitchTo(oldcontext);
		FreeExecutorState(estate);
	}
	table_close(rel, NoLock);
}

static void
fire_after_triggers(ApplyState *state)
{
	EState	   *estate;

	queue_statement_triggers(state->delete_stmt, CMD_DELETE);
	queue_statement_triggers(state->update_stmt, CMD_UPDATE);
	queue_statement_triggers(state->insert_stmt, CMD_INSERT);

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	estate = CreateExecutorState();
	AfterTriggerEndQuery(estate);
	ExecCloseResultRelations(estate);
	ExecResetTupleTable(estate->es_tupleTable, false);
	FreeExecutorState(estate);
	PopActiveSnapshot();
	CommandCounterIncrement();
}

/* Writes the difference and counts what was really written */
void
bulk_sync_apply(const BulkSyncPlan *plan, BulkSyncDifference *difference, BulkSyncCounts *counts)
{
	ApplyState	state;

	memset(&state, 0, sizeof(state));
	state.plan = plan;
	state.difference = difference;
	state.counts = counts;
	state.rows_name = psprintf("%srows", plan->prefix);

	AfterTriggerBeginQuery();
	/* "Deletes must come before inserts": they free unique values */
	if (difference->deletes.rows > 0)
		apply_deletes(&state);
	if (difference->updates.rows > 0)
		apply_updates(&state);
	if (difference->inserts.rows > 0)
		apply_inserts(&state);
	fire_after_triggers(&state);

	/* A rule of a view may have written more rows than it was asked to */
	counts->inserted = Min(counts->inserted, difference->planned_inserts);
	counts->updated = Min(counts->updated, difference->planned_updates);
	counts->deleted = Min(counts->deleted, difference->planned_deletes);

	/* Planned, but suppressed by a trigger, a rule, a policy or a conflict */
	counts->skipped += difference->planned_inserts - counts->inserted;
	counts->skipped += difference->planned_updates - counts->updated;
}
