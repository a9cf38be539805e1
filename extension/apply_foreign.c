/*-------------------------------------------------------------------------
 *
 * apply_foreign.c
 *	  Writes rows of foreign tables that have addresses: many in one statement.
 *
 * Rows wait until there are enough of them, and then go to the other server in
 * one message.  That server says how many it wrote.  If those are fewer than
 * were sent, something there suppressed some, or wrote to them since they were
 * read, so that they are elsewhere by now.  The latter are looked for, by key and
 * as long as all that was read of them is the same, and written in their new
 * place.
 *
 * A row that another transaction changed is an error of the other server
 * (40001): all of our transaction sees one snapshot there.
 *
 *-------------------------------------------------------------------------
 */
#include "foreign.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* So many rows, or bytes, are sent at once */
#define MAX_ROWS	1000
#define MAX_BYTES	(1024 * 1024)

/* A statement, and what its parameters are */
typedef struct RemoteStatement
{
	BulkSyncRemoteSql *sql;
	BulkSyncStatement *statement;
	ParamListInfo params;
} RemoteStatement;

struct BulkSyncRemote
{
	const BulkSyncPlan *plan;
	const BulkSyncDifference *difference;
	BulkSyncApply *state;		/* NULL: rows are only locked */
	Relation	rel;
	BulkSyncRemoteCommand command;
	bool		many;
	bool		returning;
	MemoryContext context;
	MemoryContext rows_context; /* of the rows that wait, and of a statement that runs */
	RemoteStatement *statement; /* for one row, or many */
	RemoteStatement *find;		/* for rows that were not written; or NULL ... */
	RemoteStatement *one;		/* ... and this for each that was found */
	int			nrows;
	Size		nbytes;
	MinimalTuple *rows;			/* MAX_ROWS of them */
	ItemPointerData last_tid;	/* of the last of them */
	uint64		processed;
};

static RemoteStatement *
prepare(BulkSyncRemote *remote, BulkSyncRemoteCommand command, BulkSyncRemoteRows rows)
{
	const BulkSyncPlan *plan = remote->plan;
	MemoryContext oldcontext = MemoryContextSwitchTo(remote->context);
	RemoteStatement *statement = palloc0(sizeof(RemoteStatement));
	int			nparams;
	Oid		   *types;

	statement->sql = bulk_sync_deparse_remote(plan, remote->difference, remote->rel,
											  command, rows, remote->returning);
	nparams = plan->nscope_values + statement->sql->nparams;
	types = palloc(nparams * sizeof(Oid));
	statement->params = makeParamList(nparams);
	bulk_sync_set_scope_params(plan, statement->params, types);
	for (int i = plan->nscope_values; i < nparams; i++)
	{
		types[i] = statement->sql->params[i - plan->nscope_values].type;
		if (rows == BULK_SYNC_REMOTE_MANY)
			types[i] = get_array_type(types[i]);
		statement->params->params[i].ptype = types[i];
		statement->params->params[i].pflags = 0;
	}
	statement->statement = bulk_sync_prepare(statement->sql->sql, types, nparams, NULL,
											 remote->rel, NULL,
											 remote->rel == plan->target ? BULK_SYNC_AS_STORED :
											 BULK_SYNC_AS_STORED | BULK_SYNC_OF_TREE);
	MemoryContextSwitchTo(oldcontext);
	return statement;
}

/* Begins to write rows of one table; what is in the difference stays there */
BulkSyncRemote *
bulk_sync_remote_begin(const BulkSyncPlan *plan, const BulkSyncDifference *difference,
					   BulkSyncApply *state, Relation rel, BulkSyncRemoteCommand command,
					   bool returning)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "bulk_sync foreign table",
												  ALLOCSET_DEFAULT_SIZES);
	BulkSyncRemote *remote = MemoryContextAllocZero(context, sizeof(BulkSyncRemote));

	remote->plan = plan;
	remote->difference = difference;
	remote->state = state;
	remote->rel = rel;
	remote->command = command;
	remote->returning = returning;
	remote->context = context;
	remote->rows_context = AllocSetContextCreate(context, "bulk_sync foreign rows",
												 ALLOCSET_DEFAULT_SIZES);
	/* Rows that are returned must be told apart */
	remote->many = (state == NULL || state->written == NULL) &&
		bulk_sync_remote_takes_many(plan, difference, command);
	remote->rows = MemoryContextAlloc(context, MAX_ROWS * sizeof(MinimalTuple));
	remote->statement = prepare(remote, command,
								remote->many ? BULK_SYNC_REMOTE_MANY : BULK_SYNC_REMOTE_ONE);
	return remote;
}

/* What a row has in a parameter */
static Datum
param_value(const BulkSyncRemoteParam *param, TupleTableSlot *row, bool *isnull)
{
	if (param->bit >= 0)
	{
		*isnull = false;
		return BoolGetDatum(bulk_sync_get_bit(row, param->attno, param->bit));
	}
	return slot_getattr(row, param->attno, isnull);
}

static uint64
run(BulkSyncRemote *remote, RemoteStatement *statement)
{
	return bulk_sync_run(statement->statement, statement->params, true,
						 remote->returning ? bulk_sync_receive_written : NULL, remote->state);
}

/* Sets the parameters to what one row has in them */
static void
set_params(BulkSyncRemote *remote, RemoteStatement *statement, TupleTableSlot *row)
{
	ParamExternData *params = statement->params->params + remote->plan->nscope_values;

	for (int i = 0; i < statement->sql->nparams; i++)
		params[i].value = param_value(&statement->sql->params[i], row, &params[i].isnull);
}

/* Runs a statement for the row in a slot */
static uint64
run_for_row(BulkSyncRemote *remote, RemoteStatement *statement, TupleTableSlot *row)
{
	uint64		processed;

	slot_getallattrs(row);
	set_params(remote, statement, row);
	if (remote->state == NULL)
		return run(remote, statement);
	remote->state->source = row;
	remote->state->source_written = false;
	processed = run(remote, statement);
	remote->state->source = NULL;
	return processed;
}

/* An array of what all waiting rows have in a parameter */
static Datum
param_array(BulkSyncRemote *remote, const BulkSyncRemoteParam *param, TupleTableSlot *slot)
{
	Datum	   *values = palloc(remote->nrows * sizeof(Datum));
	bool	   *isnull = palloc(remote->nrows * sizeof(bool));
	int			lower_bound = 1;
	int16		typlen;
	bool		typbyval;
	char		typalign;

	get_typlenbyvalalign(param->type, &typlen, &typbyval, &typalign);
	for (int i = 0; i < remote->nrows; i++)
	{
		ExecStoreMinimalTuple(remote->rows[i], slot, false);
		values[i] = param_value(param, slot, &isnull[i]);
	}
	return PointerGetDatum(construct_md_array(values, isnull, 1, &remote->nrows, &lower_bound,
											  param->type, typlen, typbyval, typalign));
}

/* Runs the statement for all waiting rows */
static uint64
run_for_all(BulkSyncRemote *remote, TupleTableSlot *slot)
{
	RemoteStatement *statement = remote->statement;
	int			first = remote->plan->nscope_values;

	for (int i = 0; i < statement->sql->nparams; i++)
	{
		statement->params->params[first + i].value =
			param_array(remote, &statement->sql->params[i], slot);
		statement->params->params[first + i].isnull = false;
	}
	return run(remote, statement);
}

typedef struct FoundRows
{
	int			n;
	ItemPointerData tids[MAX_ROWS];
} FoundRows;

static void
receive_found(TupleTableSlot *slot, void *arg)
{
	FoundRows  *found = (FoundRows *) arg;

	if (found->n < MAX_ROWS)
		found->tids[found->n++] = *(ItemPointer) DatumGetPointer(slot->tts_values[0]);
}

/* Writes those of the waiting rows that are elsewhere by now: see the top of this file */
static uint64
run_for_moved(BulkSyncRemote *remote, TupleTableSlot *slot)
{
	FoundRows  *found = palloc(sizeof(FoundRows));
	uint64		processed = 0;

	if (remote->find == NULL)
	{
		remote->find = prepare(remote, BULK_SYNC_REMOTE_FIND, BULK_SYNC_REMOTE_BY_KEY);
		remote->one = prepare(remote, remote->command, BULK_SYNC_REMOTE_ONE);
	}
	for (int i = 0; i < remote->nrows; i++)
	{
		ItemPointerData tid;

		ExecStoreMinimalTuple(remote->rows[i], slot, false);
		slot_getallattrs(slot);
		tid = *(ItemPointer) DatumGetPointer(slot->tts_values[BULK_SYNC_DIFF_CTID - 1]);
		set_params(remote, remote->find, slot);
		found->n = 0;
		(void) bulk_sync_run(remote->find->statement, remote->find->params, true, receive_found,
							 found);
		for (int j = 0; j < found->n; j++)
		{
			/* A row that is where it was has been suppressed */
			if (ItemPointerEquals(&found->tids[j], &tid))
				continue;
			slot->tts_values[BULK_SYNC_DIFF_CTID - 1] = PointerGetDatum(&found->tids[j]);
			processed += run_for_row(remote, remote->one, slot);
		}
	}
	return processed;
}

/* Writes, or locks, the rows that wait */
static void
flush(BulkSyncRemote *remote)
{
	MemoryContext oldcontext;
	TupleTableSlot *slot;
	uint64		processed;

	if (remote->nrows == 0)
		return;
	CHECK_FOR_INTERRUPTS();
	oldcontext = MemoryContextSwitchTo(remote->rows_context);
	slot = MakeSingleTupleTableSlot(remote->difference->desc, &TTSOpsMinimalTuple);
	if (remote->many)
		processed = run_for_all(remote, slot);
	else
	{
		ExecStoreMinimalTuple(remote->rows[0], slot, false);
		processed = run_for_row(remote, remote->statement, slot);
	}
	if (remote->command != BULK_SYNC_REMOTE_LOCK && processed < remote->nrows)
		processed += run_for_moved(remote, slot);
	remote->processed += Min(processed, remote->nrows);
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(remote->rows_context);
	remote->nrows = 0;
	remote->nbytes = 0;
}

/*
 * Adds a difference row; rows come in the order of their addresses.  Where the
 * other server has partitions, two may have the same: not in one statement.
 */
void
bulk_sync_remote_add(BulkSyncRemote *remote, TupleTableSlot *source)
{
	ItemPointer tid = (ItemPointer) DatumGetPointer(source->tts_values[BULK_SYNC_DIFF_CTID - 1]);
	MemoryContext oldcontext;
	MinimalTuple row;

	if (remote->nrows > 0 && ItemPointerEquals(tid, &remote->last_tid))
		flush(remote);
	oldcontext = MemoryContextSwitchTo(remote->rows_context);
	row = ExecCopySlotMinimalTuple(source);
	MemoryContextSwitchTo(oldcontext);
	remote->rows[remote->nrows++] = row;
	remote->last_tid = *tid;
	remote->nbytes += row->t_len;
	if (!remote->many || remote->nrows >= MAX_ROWS || remote->nbytes >= MAX_BYTES)
		flush(remote);
}

/* All rows were added; returns how many were written */
uint64
bulk_sync_remote_end(BulkSyncRemote *remote)
{
	uint64		processed;

	flush(remote);
	processed = remote->processed;
	MemoryContextDelete(remote->context);
	return processed;
}

/*-------------------------------------------------------------------------
 * A row that moves to another partition
 *-------------------------------------------------------------------------
 */
typedef struct TakenRow
{
	TupleTableSlot *slot;
	MemoryContext context;		/* longer than that of the statement */
} TakenRow;

static void
receive_taken(TupleTableSlot *taken, void *arg)
{
	TupleTableSlot *slot = ((TakenRow *) arg)->slot;
	MemoryContext oldcontext = MemoryContextSwitchTo(((TakenRow *) arg)->context);
	int			from = 0;

	ExecClearTuple(slot);
	for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(slot->tts_tupleDescriptor, i);

		slot->tts_isnull[i] = attr->attisdropped || taken->tts_isnull[from];
		slot->tts_values[i] = 0;
		if (attr->attisdropped)
			continue;
		if (!slot->tts_isnull[i])
			slot->tts_values[i] = datumCopy(taken->tts_values[from], attr->attbyval, attr->attlen);
		from++;
	}
	ExecStoreVirtualTuple(slot);
	MemoryContextSwitchTo(oldcontext);
}

/*
 * Deletes a row on the other server, and puts what it was into a slot of its
 * table, to be used in the current memory context; false if it is gone.
 */
bool
bulk_sync_remote_take(const BulkSyncPlan *plan, const BulkSyncDifference *difference,
					  Relation rel, TupleTableSlot *source, TupleTableSlot *slot)
{
	BulkSyncRemote *remote = bulk_sync_remote_begin(plan, difference, NULL, rel,
													BULK_SYNC_REMOTE_TAKE, true);
	TakenRow	taken = {slot, CurrentMemoryContext};
	uint64		processed;

	set_params(remote, remote->statement, source);
	processed = bulk_sync_run(remote->statement->statement, remote->statement->params, true,
							  receive_taken, &taken);
	MemoryContextDelete(remote->context);
	return processed > 0;
}
