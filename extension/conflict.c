/*-------------------------------------------------------------------------
 *
 * conflict.c
 *	  A new row breaks a unique constraint: did another transaction insert its
 *	  key since the rows were matched?
 *
 * Then a retry of the transaction will find the row and update it, and the
 * caller is told so.
 *
 *-------------------------------------------------------------------------
 */
#include "apply.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "ship.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

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

/* The same of a distributed table, which can only be asked with the keys at hand */
static bool
key_was_inserted_on_shards(BulkSyncApply *state)
{
	const BulkSyncPlan *plan = state->plan;
	const BulkSyncRowSet *set = &state->difference->inserts;
	BulkSyncShipment *shipment;
	ConflictContext context = {state->difference->groups, false};

	if (state->difference->changes_table != NULL)
	{
		/* None of its keys has a NULL that the target could hold */
		bulk_sync_run_on_shards(plan,
								bulk_sync_deparse_over_table(plan, state->difference->changes_table,
															 BULK_SYNC_CHANGE_INSERT,
															 bulk_sync_deparse_conflict(plan, false)),
								receive_conflict, &context);
		return context.found;
	}
	shipment = bulk_sync_begin_shipment(state->difference, set, BULK_SYNC_SHIP_KEYS, false);
	while (!context.found && bulk_sync_next_load(shipment))
	{
		for (int null_keys = 0; null_keys <= (set->nulls_in_key ? 1 : 0); null_keys++)
			bulk_sync_run_shipped(shipment, bulk_sync_deparse_conflict(plan, null_keys),
								  receive_conflict, &context);
	}
	bulk_sync_end_shipment(shipment);
	return context.found;
}

/* Is there by now a row in scope with the key of a row to be inserted? */
static bool
key_was_inserted(BulkSyncApply *state)
{
	const BulkSyncPlan *plan = state->plan;
	const BulkSyncRowSet *set = &state->difference->inserts;
	Oid		   *types = palloc0(Max(plan->nscope_values, 1) * sizeof(Oid));
	ParamListInfo params = makeParamList(plan->nscope_values);
	Tuplestorestate *store = set->store;
	ConflictContext context = {state->difference->groups, false};

	/* Row by row the question is about this row: those before it are ours */
	if (state->source != NULL)
	{
		store = bulk_sync_begin_row_store();
		tuplestore_putvalues(store, set->desc, state->source->tts_values,
							 state->source->tts_isnull);
	}
	bulk_sync_set_scope_params(plan, params, types);
	PushActiveSnapshot(GetLatestSnapshot());
	for (int null_keys = 0; null_keys <= (set->nulls_in_key ? 1 : 0); null_keys++)
	{
		QueryEnvironment *env = bulk_sync_row_environment(state->rows_name, set->desc, store,
														  set->rows);
		BulkSyncStatement *statement;

		statement = bulk_sync_prepare(bulk_sync_deparse_conflict(plan, null_keys), types,
									  plan->nscope_values, env, plan->target, NULL, 0);
		bulk_sync_run(statement, params, false, receive_conflict, &context);
	}
	PopActiveSnapshot();
	if (store != set->store)
		tuplestore_end(store);
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
void
bulk_sync_check_concurrent_insert(BulkSyncApply *state)
{
	MemoryContext oldcontext = CurrentMemoryContext;
	ResourceOwner oldowner = CurrentResourceOwner;
	volatile bool found = false;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(oldcontext);
	PG_TRY();
	{
		found = state->plan->distribution != NULL ? key_was_inserted_on_shards(state) :
			key_was_inserted(state);
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
