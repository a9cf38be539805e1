/*-------------------------------------------------------------------------
 *
 * bulk_sync.c
 *	  The functions that can be called from SQL: each a list of phases, and no
 *	  decisions.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include <limits.h>

#include "access/xact.h"
#include "commands/extension.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/*
 * A view that is written through gives no addresses to lock rows by; where
 * policies hide rows from being locked, matching again does not help.
 */
#define MAX_VIEW_ROUNDS 3

/*
 * Where rows change so fast that each round finds another change, locks are
 * kept in the end: then there are fewer rows to change from round to round.
 */
#define MAX_ROUNDS_WITHOUT_LOCKS 10

BULK_SYNC_EXPORT_BEGIN
BULK_SYNC_MODULE_MAGIC;
void		_PG_init(void);
PG_FUNCTION_INFO_V1(bulk_sync);
PG_FUNCTION_INFO_V1(bulk_sync_compare);
PG_FUNCTION_INFO_V1(bulk_sync_returning);
PG_FUNCTION_INFO_V1(bulk_sync_insert_changed);
PG_FUNCTION_INFO_V1(bulk_sync_stage);
BULK_SYNC_EXPORT_END

void
_PG_init(void)
{
	bulk_sync_define_settings();
	bulk_sync_define_mutants();
	MarkGUCPrefixReserved("bulk_sync");
}

/*
 * Did the scope change between the snapshot of the transaction and the lock?
 * Rows that stay as they are would never be touched, and so never noticed.
 */
static void
check_transaction_snapshot(const BulkSyncPlan *plan, const BulkSyncDifference *difference)
{
	uint64		fingerprint;

	if (!IsolationUsesXactSnapshot() || plan->options->dry_run)
		return;
	PushActiveSnapshot(GetLatestSnapshot());
	fingerprint = bulk_sync_scope_fingerprint(plan, difference->groups);
	PopActiveSnapshot();
	if (fingerprint != difference->fingerprint && !BULK_SYNC_MUTANT(old_snapshot_accepted))
		bulk_sync_serialization_error();
}

/* What the calls have in common, around what they do with the difference */
typedef struct Call
{
	MemoryContext context;
	MemoryContext oldcontext;
	TupleDesc	counts_desc;	/* where counts are returned */
	BulkSyncPlan *plan;
	BulkSyncStagedSource *source;
	BulkSyncDifference *difference;
	BulkSyncWritten *written;	/* collects the rows to be returned, if any are */
	BulkSyncCounts counts;
	int			round;			/* how often it has been tried to write */
} Call;

/*
 * The form of the result is looked up first, because a long call may outlive
 * its own declaration: another session drops or updates the extension.
 */
static void
begin_call(Call *call, FunctionCallInfo fcinfo, bool returns_rows)
{
	memset(call, 0, sizeof(Call));
	bulk_sync_phase_done(NULL);
	if (returns_rows)
		InitMaterializedSRF(fcinfo, 0);
	else if (get_call_result_type(fcinfo, NULL, &call->counts_desc) == TYPEFUNC_COMPOSITE)
		call->counts_desc = BlessTupleDesc(call->counts_desc);
	else
		elog(ERROR, "return type must be a row type");
	call->context = AllocSetContextCreate(CurrentMemoryContext, "bulk_sync",
										  ALLOCSET_DEFAULT_SIZES);
	call->oldcontext = MemoryContextSwitchTo(call->context);
}

/* Matches and checks, under a snapshot of its own */
static void
find_difference(Call *call)
{
	BulkSyncDifference *difference;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	bulk_sync_phase_done("plan");
	if (call->source == NULL && !bulk_sync_matches_on_shards(call->plan))
		call->source = bulk_sync_open_staged(call->plan);
	difference = bulk_sync_match(call->plan, call->source);
	check_transaction_snapshot(call->plan, difference);
	bulk_sync_apply_policies(call->plan, difference);
	bulk_sync_check_difference(difference);
	bulk_sync_check_trades(call->plan, difference);
	PopActiveSnapshot();
	bulk_sync_phase_done("difference");

	call->difference = difference;
	call->counts.staged_rows = difference->staged_rows;
	call->counts.unchanged = difference->unchanged;
	call->counts.skipped = difference->skipped;
}

/* Finds what is to be done, without doing it */
static void
look(Call *call, const BulkSyncOptions *options)
{
	call->plan = bulk_sync_make_plan(options);
	find_difference(call);
	bulk_sync_close_staged(call->source);
}

/* Writes the difference, unless another transaction came in between */
static bool
lock_and_write(void *arg)
{
	Call	   *call = (Call *) arg;
	const BulkSyncPlan *plan = call->plan;

	if (plan->lock_rows && !bulk_sync_lock_planned_rows(plan, call->difference) &&
		(!plan->address_by_key || call->round < MAX_VIEW_ROUNDS))
		return false;
	bulk_sync_phase_done("row locks");
	if (plan->distribution != NULL)
	{
		if (call->round > MAX_ROUNDS_WITHOUT_LOCKS)
			bulk_sync_serialization_error();
		if (!bulk_sync_apply_distributed(plan, call->difference, &call->counts))
			return false;
		bulk_sync_close_staged(call->source);
		return true;
	}
	bulk_sync_close_staged(call->source);
	bulk_sync_apply(plan, call->difference, &call->counts, call->written);
	return true;
}

/*
 * Other syncs that may run beside this one wait for its locks while it waits
 * for theirs, if it may wait with locks of an earlier round: see attempt.c.  In
 * a transaction with one snapshot there is no other round.
 */
static bool
locks_are_given_back(const Call *call)
{
	return call->plan->lock_rows && call->plan->options->lock_mode == RowExclusiveLock &&
		!IsolationUsesXactSnapshot() && call->round <= MAX_ROUNDS_WITHOUT_LOCKS &&
		call->difference->deletes.rows + call->difference->updates.rows > 1;
}

/* Finds what is to be done, and does it */
static void
carry_out(Call *call, const BulkSyncOptions *options)
{
	bool		done = false;

	call->plan = bulk_sync_make_plan(options);
	while (!done)
	{
		if (call->difference != NULL)
			bulk_sync_difference_free(call->difference);
		find_difference(call);
		bulk_sync_difference_sort(call->difference);
		bulk_sync_phase_done("order");
		call->round++;
		done = locks_are_given_back(call) ? bulk_sync_attempt(lock_and_write, call) :
			lock_and_write(call);
	}
}

static void
end_call(Call *call)
{
	bulk_sync_difference_free(call->difference);
	bulk_sync_close_plan(call->plan);
	MemoryContextSwitchTo(call->oldcontext);
	MemoryContextDelete(call->context);
}

Datum
bulk_sync(PG_FUNCTION_ARGS)
{
	Call		call;
	BulkSyncOptions *options;

	begin_call(&call, fcinfo, false);
	options = bulk_sync_read_options(fcinfo, BULK_SYNC_COUNT);
	if (options->dry_run)
	{
		look(&call, options);
		call.counts.inserted = call.difference->planned_inserts;
		call.counts.updated = call.difference->planned_updates;
		call.counts.deleted = call.difference->planned_deletes;
	}
	else
		carry_out(&call, options);
	end_call(&call);
	PG_RETURN_DATUM(bulk_sync_counts_tuple(call.counts_desc, &call.counts));
}

Datum
bulk_sync_compare(PG_FUNCTION_ARGS)
{
	Call		call;

	begin_call(&call, fcinfo, true);
	look(&call, bulk_sync_read_options(fcinfo, BULK_SYNC_COMPARE));
	bulk_sync_report_planned(fcinfo, call.difference);
	end_call(&call);
	return (Datum) 0;
}

Datum
bulk_sync_returning(PG_FUNCTION_ARGS)
{
	Call		call;
	BulkSyncWritten written = {0};

	begin_call(&call, fcinfo, true);
	call.written = &written;
	carry_out(&call, bulk_sync_read_options(fcinfo, BULK_SYNC_RETURN));
	bulk_sync_report_written(fcinfo, call.difference, &written);
	bulk_sync_written_free(&written);
	end_call(&call);
	return (Datum) 0;
}

Datum
bulk_sync_insert_changed(PG_FUNCTION_ARGS)
{
	Call		call;

	begin_call(&call, fcinfo, false);
	carry_out(&call, bulk_sync_read_history_options(fcinfo));
	call.counts.unchanged = call.difference->unchanged;
	end_call(&call);
	PG_RETURN_DATUM(bulk_sync_history_counts_tuple(call.counts_desc, &call.counts));
}

Datum
bulk_sync_stage(PG_FUNCTION_ARGS)
{
	Oid			target;
	List	   *columns;
	char	   *staged_name;
	bool		on_commit_drop;

	bulk_sync_read_stage_options(fcinfo, &target, &columns, &staged_name, &on_commit_drop);
	PG_RETURN_OID(bulk_sync_create_stage(target, columns, staged_name, on_commit_drop));
}
