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
#include "apply.h"

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

/*-------------------------------------------------------------------------
 * Rows that were written
 *-------------------------------------------------------------------------
 */

/* Refuses a row that was written to a place outside the scope */
static void
check_written_row(BulkSyncApply *state, const Datum *values, const bool *isnull)
{
	const BulkSyncPlan *plan = state->plan;
	bool		hidden = !state->is_update && plan->insert_keys_hidden;

	if (!bulk_sync_row_in_scope(plan, state->difference->groups, values, isnull, NULL))
		bulk_sync_out_of_scope_error(plan,
									 hidden ? NULL : bulk_sync_describe_target_key(plan, values, isnull),
									 state->is_update);
}

/* A written row: count it, and check the scope where only it can tell */
void
bulk_sync_receive_written(TupleTableSlot *slot, void *arg)
{
	BulkSyncApply *state = (BulkSyncApply *) arg;

	state->returned++;
	if (state->history != NULL)
		bulk_sync_history_stored(state->history, slot->tts_values + 1, slot->tts_isnull + 1);
	if (state->collected != NULL)
		bulk_sync_collect_written(state, slot);
	if (DatumGetBool(slot->tts_values[0]))
		state->returned_marks++;
	else if (state->check_scope && !BULK_SYNC_MUTANT(scope_of_written_rows_unchecked))
		check_written_row(state, slot->tts_values + 1, slot->tts_isnull + 1);
}

static void
receive_found(TupleTableSlot *slot, void *arg)
{
	BulkSyncApply *state = (BulkSyncApply *) arg;

	if (TransactionIdIsCurrentTransactionId(DatumGetTransactionId(slot->tts_values[0])) &&
		DatumGetCommandId(slot->tts_values[1]) >= state->first_command)
		check_written_row(state, slot->tts_values + 2, slot->tts_isnull + 2);
}

/*
 * With rules that take the place of a statement, for some rows or for all,
 * there is no RETURNING.  What was written all the same is looked for.
 */
static void
check_rows_written_since(BulkSyncApply *state, CommandId first_command)
{
	const BulkSyncPlan *plan = state->plan;
	BulkSyncStatement *statement;

	if (plan->address_by_key)
		return;
	state->first_command = first_command;
	CommandCounterIncrement();
	statement = bulk_sync_prepare(bulk_sync_deparse_written(plan), NULL, 0, NULL, plan->target,
								  NULL, 0);
	PushActiveSnapshot(GetTransactionSnapshot());
	bulk_sync_run(statement, NULL, false, receive_found, state);
	PopActiveSnapshot();
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
apply_deletes(BulkSyncApply *state)
{
	const BulkSyncPlan *plan = state->plan;
	const BulkSyncRowSet *set = &state->difference->deletes;
	bool		returning = state->written != NULL;

	state->collected = returning ? &state->written->deletes : NULL;
	if (plan->direct)
	{
		state->counts->deleted += bulk_sync_direct_delete(state);
		return;
	}
	for (int null_keys = 0; null_keys <= (set->nulls_in_key ? 1 : 0); null_keys++)
	{
		const char *sql = bulk_sync_deparse_delete(plan, bulk_sync_find(plan, null_keys), returning);
		BulkSyncStatement *statement = bulk_sync_prepare_phase(state, sql, set, NULL);

		state->delete_stmt = main_statement(statement);
		if (plan->row_at_a_time)
			state->counts->deleted += bulk_sync_run_row_by_row(state, statement, set, returning,
															   true);
		else
			state->counts->deleted += bulk_sync_run_phase(state, statement, returning);
	}
}

/* Runs updates, or a part of them; returns the number of rows written */
static uint64
run_updates(BulkSyncApply *state, const BulkSyncRowSet *set, BulkSyncUpdatePart part,
			bool returning)
{
	const BulkSyncPlan *plan = state->plan;
	uint64		processed = 0;

	for (int null_keys = 0; null_keys <= (set->nulls_in_key ? 1 : 0); null_keys++)
	{
		const char *sql = bulk_sync_deparse_update(plan, state->difference, part,
												   bulk_sync_find(plan, null_keys), returning);
		BulkSyncStatement *statement = bulk_sync_prepare_phase(state, sql, set, NULL);

		state->update_stmt = main_statement(statement);
		if (plan->row_at_a_time)
			processed += bulk_sync_run_row_by_row(state, statement, set, returning, true);
		else
			processed += bulk_sync_run_phase(state, statement, returning);
	}
	return processed;
}

/*
 * Updates without SQL, but for rows that go to another partition.  Returns the
 * number of rows written, and how many of them are marks.
 */
static uint64
update_directly(BulkSyncApply *state, bool returning, uint64 *marks)
{
	BulkSyncRowSet moved = {0};
	uint64		processed = bulk_sync_direct_update(state, returning, marks, &moved);

	if (moved.rows > 0)
	{
		int64		marks_before = state->returned_marks;
		uint64		rows = run_updates(state, &moved, BULK_SYNC_UPDATE_ALL, returning);

		processed += rows;
		/* Where rows are not returned, all are marks or none: see apply_updates() */
		if (returning)
			*marks += state->returned_marks - marks_before;
		else if (state->difference->updates.marks > 0)
			*marks += rows;
		tuplestore_end(moved.store);
	}
	return processed;
}

static void
apply_updates(BulkSyncApply *state)
{
	const BulkSyncPlan *plan = state->plan;
	BulkSyncRowSet *set = &state->difference->updates;
	bool		mixed = set->marks > 0 && set->marks < set->rows;
	bool		returning = state->written != NULL ||
		((plan->check_update_scope || mixed) && !plan->instead_of_update);
	CommandId	first_command = GetCurrentCommandId(false);
	uint64		processed;
	uint64		marks;

	/* Rules on DELETE may have changed rows that are planned here */
	if (plan->has_rules && !plan->row_at_a_time && !plan->address_by_key &&
		state->difference->deletes.rows > 0)
	{
		CommandCounterIncrement();
		bulk_sync_difference_readdress(state->difference, set, bulk_sync_readdress_row);
	}

	state->collected = state->written != NULL ? &state->written->updates : NULL;
	state->check_scope = plan->check_update_scope;
	state->is_update = true;
	if (plan->direct)
		processed = update_directly(state, returning, &marks);
	else if (mixed && !returning)
	{
		marks = run_updates(state, set, BULK_SYNC_UPDATE_MARKS, false);
		processed = marks + run_updates(state, set, BULK_SYNC_UPDATE_CHANGES, false);
	}
	else
	{
		processed = run_updates(state, set, BULK_SYNC_UPDATE_ALL, returning);
		if (returning)
			marks = state->returned_marks;
		else
			marks = set->marks > 0 ? processed : 0;
	}
	state->counts->deleted += marks;
	state->counts->updated += processed - marks;

	/* Marks may leave the scope; with such rules they cannot be told apart */
	if (plan->check_update_scope && !returning && set->marks == 0)
		check_rows_written_since(state, first_command);
}

/*
 * For a PG_CATCH block: raises the error, or another one if it is about a key
 * that another transaction inserted.
 */
static void
raise_or_serialization_error(BulkSyncApply *state, MemoryContext context)
{
	const BulkSyncPlan *plan = state->plan;
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	if (error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION && plan->matching &&
		plan->options->purpose != BULK_SYNC_HISTORY &&
		!plan->options->ignore_conflicts && plan->foreign == NIL)
	{
		FlushErrorState();
		bulk_sync_check_concurrent_insert(state);
		ReThrowError(error);
	}
	PG_RE_THROW();
}

/* Runs the INSERT, if there is one; returns the number of rows written */
static uint64
run_inserts(BulkSyncApply *state, BulkSyncStatement *statement, bool returning, bool row_by_row)
{
	const BulkSyncRowSet *set = &state->difference->inserts;
	MemoryContext context = CurrentMemoryContext;
	volatile uint64 processed = 0;

	PG_TRY();
	{
		if (statement == NULL)
			processed = bulk_sync_direct_insert(state, returning);
		else if (row_by_row)
			processed = bulk_sync_run_row_by_row(state, statement, set, returning, false);
		else
			processed = bulk_sync_run_phase(state, statement, returning);
	}
	PG_CATCH();
	{
		raise_or_serialization_error(state, context);
	}
	PG_END_TRY();
	return processed;
}

static void
apply_inserts(BulkSyncApply *state)
{
	const BulkSyncPlan *plan = state->plan;
	const BulkSyncRowSet *set = &state->difference->inserts;
	bool		returning = state->written != NULL ||
		(plan->check_insert_scope && !plan->instead_of_insert);
	bool		row_by_row = state->written != NULL && plan->insert_may_skip;
	CommandId	first_command = GetCurrentCommandId(false);
	BulkSyncStatement *statement;

	state->collected = state->written != NULL ? &state->written->inserts : NULL;
	state->check_scope = plan->check_insert_scope;
	state->is_update = false;
	if (plan->direct_insert)
	{
		state->counts->inserted = run_inserts(state, NULL, returning, false);
		return;
	}
	if (state->written != NULL && !row_by_row)
		bulk_sync_collect_inserts(state);

	statement = bulk_sync_prepare_phase(state,
										bulk_sync_deparse_insert(plan, state->difference,
																 returning),
										set, plan->assigned_attnos);
	state->insert_stmt = main_statement(statement);
	state->counts->inserted = run_inserts(state, statement, returning, row_by_row);

	if (plan->check_insert_scope && !returning)
		check_rows_written_since(state, first_command);
}

/*
 * Further versions of a key in a history, where what was stored of the one
 * before decides.  Each row is a command of its own, so that among equals it
 * can be told which came last.
 */
static void
apply_history(BulkSyncApply *state)
{
	const BulkSyncPlan *plan = state->plan;
	BulkSyncDifference *difference = state->difference;
	const BulkSyncRowSet *set = &difference->inserts;
	bool		returning = !plan->instead_of_insert;
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "bulk_sync row",
													  ALLOCSET_DEFAULT_SIZES);
	BulkSyncStatement *statement;
	BulkSyncStagedRow wanted;

	if (difference->history == NULL)
		return;
	state->history = difference->history;
	statement = bulk_sync_prepare_phase(state,
										bulk_sync_deparse_insert(plan, difference, returning),
										set, plan->assigned_attnos);
	state->insert_stmt = main_statement(statement);
	while (bulk_sync_history_next(difference->history, &wanted))
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(row_context);
		uint64		written;

		bulk_sync_difference_form_insert(difference, &wanted);
		written = bulk_sync_run_for_row(state, statement, set, difference->values,
										difference->isnull, returning);
		if (written > 0 && !returning)
			bulk_sync_history_stored(difference->history, NULL, NULL);
		state->counts->inserted += written;
		MemoryContextSwitchTo(oldcontext);
		MemoryContextReset(row_context);
	}
	state->history = NULL;
	MemoryContextDelete(row_context);
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

	if (stmt == NULL || BULK_SYNC_MUTANT(triggers_after_each_phase))
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

/*
 * The checks of deferrable unique constraints are AFTER triggers: a key that
 * another transaction inserted may come to light here.
 */
static void
fire_after_triggers(BulkSyncApply *state)
{
	MemoryContext context = CurrentMemoryContext;
	EState	   *estate;

	queue_statement_triggers(state->delete_stmt, CMD_DELETE);
	queue_statement_triggers(state->update_stmt, CMD_UPDATE);
	queue_statement_triggers(state->insert_stmt, CMD_INSERT);

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	estate = CreateExecutorState();
	PG_TRY();
	{
		AfterTriggerEndQuery(estate);
	}
	PG_CATCH();
	{
		if (state->insert_stmt == NULL)
			PG_RE_THROW();
		raise_or_serialization_error(state, context);
	}
	PG_END_TRY();
	ExecCloseResultRelations(estate);
	ExecResetTupleTable(estate->es_tupleTable, false);
	FreeExecutorState(estate);
	PopActiveSnapshot();
	CommandCounterIncrement();
}

/*
 * Writes the difference and counts what was really written.  The rows go to
 * "written", unless that is NULL.
 */
void
bulk_sync_apply(const BulkSyncPlan *plan, BulkSyncDifference *difference, BulkSyncCounts *counts,
				BulkSyncWritten *written)
{
	BulkSyncApply	state;

	memset(&state, 0, sizeof(state));
	state.plan = plan;
	state.difference = difference;
	state.counts = counts;
	state.written = written;
	state.rows_name = psprintf("%srows", plan->prefix);

	state.begin_command = GetCurrentCommandId(true);
	bulk_sync_written_begin(&state);
	AfterTriggerBeginQuery();
	if (difference->inserts.rows > 0 && BULK_SYNC_MUTANT(inserts_first))
		apply_inserts(&state);
	/* "Deletes must come before inserts": they free unique values */
	if (difference->deletes.rows > 0)
		apply_deletes(&state);
	bulk_sync_phase_done("deletes");
	if (difference->updates.rows > 0)
		apply_updates(&state);
	bulk_sync_phase_done("updates");
	if (difference->inserts.rows > 0 && !BULK_SYNC_MUTANT(inserts_first))
		apply_inserts(&state);
	apply_history(&state);
	bulk_sync_phase_done("inserts");
	fire_after_triggers(&state);
	bulk_sync_phase_done("AFTER triggers");
	bulk_sync_written_finish(&state);

	if (BULK_SYNC_MUTANT(planned_for_written))
	{
		counts->inserted = difference->planned_inserts;
		counts->updated = difference->planned_updates;
		counts->deleted = difference->planned_deletes;
	}

	/* A rule of a view may have written more rows than it was asked to */
	counts->inserted = Min(counts->inserted, difference->planned_inserts);
	counts->updated = Min(counts->updated, difference->planned_updates);
	counts->deleted = Min(counts->deleted, difference->planned_deletes);

	/* Planned, but suppressed by a trigger, a rule, a policy or a conflict */
	counts->skipped += difference->planned_inserts - counts->inserted;
	counts->skipped += difference->planned_updates - counts->updated;
}
