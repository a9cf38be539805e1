/*-------------------------------------------------------------------------
 *
 * shard_table.c
 *	  A table of our own beside the shards of a distributed target.
 *
 * It holds rows of a difference, or keys that are looked for, each on the node
 * that has the target row.  It is made and dropped within the call, whatever
 * becomes of the transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "ship.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

/* From so many rows on it is worth making a table */
#define MIN_ROWS_FOR_TABLE	10000

typedef struct Making
{
	const BulkSyncPlan *plan;
	MemoryContext context;
	TupleDesc	desc;
	AttrNumber	attno;
	bool		(*fill) (const char *name, void *arg);
	void	   *arg;
	char	   *name;			/* once it is filled */
} Making;

/*
 * Does Citus carry DDL to the other nodes?  A session may forbid it, or that its
 * triggers fire; then a table would be left there when it is dropped here.
 */
static bool
ddl_reaches_shards(void)
{
	const char *propagation = GetConfigOption("citus.enable_ddl_propagation", true, false);

	return (propagation == NULL || strcmp(propagation, "on") == 0) &&
		SessionReplicationRole != SESSION_REPLICATION_ROLE_REPLICA;
}

/* May there be a table, and are so many rows enough for one? */
bool
bulk_sync_is_worth_a_table(const BulkSyncPlan *plan, int64 rows)
{
	int64		few = bulk_sync_applier == BULK_SYNC_APPLIER_DIRECT ? 0 : MIN_ROWS_FOR_TABLE;

	return plan->distribution->attno != InvalidAttrNumber && rows > few &&
		!plan->distribution->no_tables && bulk_sync_applier != BULK_SYNC_APPLIER_SQL &&
		!XactReadOnly && ddl_reaches_shards();
}

/* Its name is like no other: of this backend, and counted */
static char *
new_name(const BulkSyncPlan *plan)
{
	static uint32 counter = 0;

	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(plan->target)),
									  psprintf("bulk_sync_%d_%u", MyProcPid, ++counter));
}

static bool
make_table(void *arg)
{
	Making	   *making = (Making *) arg;
	const BulkSyncPlan *plan = making->plan;
	char	   *name = MemoryContextStrdup(making->context, new_name(plan));

	/* An error is not the end of the call: what it leaves open goes with the subtransaction */
	CurrentResourceOwner = CurTransactionResourceOwner;
	PushActiveSnapshot(GetTransactionSnapshot());
	bulk_sync_run_command(bulk_sync_deparse_shard_table(plan, making->desc, name));
	PopActiveSnapshot();
	bulk_sync_run_on_shards(plan, bulk_sync_deparse_distribute(plan, name, making->attno), NULL,
							NULL);
	if (making->fill(name, making->arg))
		making->name = name;
	return making->name != NULL;
}

/*
 * Is it an error that is no more than a reason to do without a table?  The caller
 * may not create one in the schema of the target; Citus makes none on this node,
 * or at this point of the transaction.
 */
static bool
can_do_without(int sqlerrcode)
{
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case ERRCODE_CONNECTION_EXCEPTION:
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_SYSTEM_ERROR:
			return false;
		default:
			return sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE;
	}
}

/*
 * Makes a table with rows of that shape, of which the attribute says on which
 * shard each is, and has it filled.  Returns its qualified name, in the current
 * memory context, or NULL if there is none: it cannot be made, or not be filled.
 */
char *
bulk_sync_make_shard_table(const BulkSyncPlan *plan, TupleDesc desc, AttrNumber attno,
						   bool (*fill) (const char *name, void *arg), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	Making		making = {plan, context, desc, attno, fill, arg, NULL};

	PG_TRY();
	{
		(void) bulk_sync_attempt(make_table, &making);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		if (!can_do_without(error->sqlerrcode))
			ReThrowError(error);
		plan->distribution->no_tables = true;
		ereport(DEBUG1,
				(errmsg_internal("bulk_sync: no table beside the shards: %s", error->message)));
	}
	PG_END_TRY();
	return making.name;
}

void
bulk_sync_drop_shard_table(const char *name)
{
	bulk_sync_run_command(bulk_sync_deparse_drop_table(name));
}
