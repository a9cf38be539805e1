/*-------------------------------------------------------------------------
 *
 * read_target.c
 *	  Reads the rows of the target that staged rows are matched with.
 *
 * There are three ways (and those of read_shards.c):
 *
 * - A target that is in scope as a whole is scanned by ourselves: then rows
 *   can stay where they are, in pinned buffers, until some of them are looked
 *   up together.
 * - Rows of a part of it are read by a query, which brings indexes, pruning and
 *   row security.
 * - Where nothing is deleted, only rows with a staged key matter.  A query
 *   that looks up each key by an index finds them; it is taken if that costs
 *   less than to read all, that is, if there are few keys.
 *
 *-------------------------------------------------------------------------
 */
#include "match.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/*
 * A lookup by an index is reckoned with a quarter of what the planner takes for
 * it: most of the pages are those that will be written to, so that they have to
 * be fetched anyway.
 */
#define LOOKUP_COST_FRACTION 0.25

typedef struct ReadContext
{
	BulkSyncMatch *match;		/* NULL: only the fingerprint is wanted, or ... */
	BulkSyncEqualRows *probed;	/* ... this is to find equal rows, */
	MemoryContext probe_context;	/* in this memory, */
	bool		enough;			/* and has seen enough */
	const BulkSyncPlan *plan;
	BulkSyncGroups *groups;
	uint64		fingerprint;
	TransactionId next_xid;
	int64		nscanned;		/* rows read by scans of ours */
	int64		nrows;			/* of a view: it gives them in the order of writing */
} ReadContext;

static uint64
address_fingerprint(const BulkSyncTargetRow *row)
{
	return hash_bytes_extended((const unsigned char *) &row->tid, sizeof(ItemPointerData),
							   hash_bytes_uint32_extended(row->tableoid, 0));
}

/* A number that changes with any change of the set of rows that were read */
static uint64
row_fingerprint(const BulkSyncPlan *plan, const BulkSyncTargetRow *row)
{
	uint64		hash = 0;

	if (!plan->address_by_key)
		return address_fingerprint(row);
	for (int i = 0; i < plan->nread_to_match; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(plan->read_desc, i);
		uint32		part = row->isnull[i] ? 0 :
			datum_image_hash(row->values[i], attr->attbyval, attr->attlen);

		hash = hash_combine64(hash, hash_bytes_uint32_extended(part, i + 1));
	}
	return hash;
}

/* Hands a row to whoever looks for its staged row */
static void
deliver(ReadContext *context, const BulkSyncTargetRow *row, bool stays)
{
	MemoryContext oldcontext;

	if (context->probed != NULL)
	{
		oldcontext = MemoryContextSwitchTo(context->probe_context);
		context->enough = !bulk_sync_equal_probe(context->probed, row);
		MemoryContextSwitchTo(oldcontext);
		MemoryContextReset(context->probe_context);
		return;
	}
	if (IsolationUsesXactSnapshot())
		context->fingerprint += row_fingerprint(context->plan, row);
	if (context->match == NULL)
		return;
	oldcontext = MemoryContextSwitchTo(context->match->row_context);
	if (context->plan->sort_match)
		bulk_sync_sort_probe(context->match, row);
	else
		bulk_sync_hash_probe(context->match, row, stays);
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(context->match->row_context);
}

/*-------------------------------------------------------------------------
 * By a scan of ours
 *-------------------------------------------------------------------------
 */

/*
 * Rows of a table that wait, in their buffers, to be looked up together.  Each
 * buffer is pinned once more for as long.
 */
typedef struct WaitingRows
{
	int			nrows;
	Datum	   *values;			/* BULK_SYNC_READ_AHEAD x nread */
	bool	   *isnull;
	int			nbuffers;
	int			max_buffers;
	Buffer		buffers[BULK_SYNC_READ_AHEAD];
} WaitingRows;

static void
init_waiting(WaitingRows *waiting, const BulkSyncPlan *plan, Relation rel)
{
	int			pins = RelationUsesLocalBuffers(rel) ? num_temp_buffers / 4 :
		NBuffers / MaxBackends;

	waiting->nrows = 0;
	waiting->values = palloc(BULK_SYNC_READ_AHEAD * plan->nread * sizeof(Datum));
	waiting->isnull = palloc(BULK_SYNC_READ_AHEAD * plan->nread * sizeof(bool));
	waiting->nbuffers = 0;
	waiting->max_buffers = Max(1, Min(pins, BULK_SYNC_READ_AHEAD));
}

/* Looks up the rows that wait, and lets their buffers go */
static void
release_waiting(WaitingRows *waiting, ReadContext *context)
{
	if (context->match != NULL && !context->plan->sort_match)
		bulk_sync_hash_flush(context->match);
	for (int i = 0; i < waiting->nbuffers; i++)
		ReleaseBuffer(waiting->buffers[i]);
	waiting->nrows = waiting->nbuffers = 0;
}

/* Pins the buffer of a row; false if it has none, and so cannot wait */
static bool
pin_row(WaitingRows *waiting, TupleTableSlot *slot)
{
	Buffer		buffer;

	if (!TTS_IS_BUFFERTUPLE(slot))
		return false;
	buffer = ((BufferHeapTupleTableSlot *) slot)->buffer;
	if (waiting->nbuffers > 0 && waiting->buffers[waiting->nbuffers - 1] == buffer)
		return true;
	IncrBufferRefCount(buffer);
	waiting->buffers[waiting->nbuffers++] = buffer;
	return true;
}

/* Has the row that was scanned last an equal partner?  Then it is done with. */
static bool
is_passed_over(ReadContext *context, const BulkSyncTargetRow *row)
{
	int64		number = context->nscanned++;

	if (context->match == NULL || context->match->equal == NULL ||
		!bulk_sync_target_is_equal(context->match->equal, number))
		return false;
	if (IsolationUsesXactSnapshot())
		context->fingerprint += address_fingerprint(row);
	return true;
}

/* Scans one table of the tree: its columns may be in another order than the target's */
static void
scan_table(ReadContext *context, Relation rel)
{
	const BulkSyncPlan *plan = context->plan;
	AttrNumber *map = bulk_sync_map_attributes(plan->target, rel);
	AttrNumber *attnos = palloc(plan->nread * sizeof(AttrNumber));
	AttrNumber	last = 0;
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	WaitingRows waiting;
	TableScanDesc scan;

	for (int i = 0; i < plan->nread; i++)
	{
		attnos[i] = map[plan->read_attnos[i] - 1];
		last = Max(last, attnos[i]);
	}
	init_waiting(&waiting, plan, rel);

	/* No synchronized scan: the rows come in the order of their addresses */
	scan = table_beginscan_strat(rel, GetActiveSnapshot(), 0, NULL, true, false);
	while (!context->enough && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		BulkSyncTargetRow row;
		bool		stays;

		CHECK_FOR_INTERRUPTS();
		row.tableoid = RelationGetRelid(rel);
		row.tid = slot->tts_tid;
		if (is_passed_over(context, &row))
			continue;
		slot_getsomeattrs(slot, last);
		row.written = 0;
		row.values = waiting.values + waiting.nrows * plan->nread;
		row.isnull = waiting.isnull + waiting.nrows * plan->nread;
		for (int i = 0; i < plan->nread; i++)
		{
			row.values[i] = slot->tts_values[attnos[i] - 1];
			row.isnull[i] = slot->tts_isnull[attnos[i] - 1];
		}
		stays = pin_row(&waiting, slot);
		deliver(context, &row, stays);
		if (++waiting.nrows == BULK_SYNC_READ_AHEAD || waiting.nbuffers == waiting.max_buffers)
			release_waiting(&waiting, context);
	}
	if (!BULK_SYNC_MUTANT(queue_not_flushed))
		release_waiting(&waiting, context);
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	pfree(waiting.values);
	pfree(waiting.isnull);
	pfree(attnos);
	pfree(map);
}

static void
scan_tree(ReadContext *context)
{
	ListCell   *lc;

	foreach(lc, context->plan->tree)
	{
		Relation	rel;

		if (lfirst_oid(lc) == RelationGetRelid(context->plan->target))
			rel = context->plan->target;
		else
			rel = table_open(lfirst_oid(lc), NoLock);
		if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
			scan_table(context, rel);
		if (rel != context->plan->target)
			table_close(rel, NoLock);
	}
}

/*-------------------------------------------------------------------------
 * By a query
 *-------------------------------------------------------------------------
 */
static void
receive_target_row(TupleTableSlot *slot, void *arg)
{
	ReadContext *context = (ReadContext *) arg;
	const BulkSyncPlan *plan = context->plan;
	BulkSyncTargetRow row;

	row.values = slot->tts_values + 2;
	row.isnull = slot->tts_isnull + 2;
	if (context->groups != NULL &&
		!bulk_sync_groups_contain(context->groups, row.values, row.isnull))
		return;
	if (plan->address_by_key && !bulk_sync_shards_have_addresses(plan))
	{
		row.tableoid = InvalidOid;
		ItemPointerSetInvalid(&row.tid);
	}
	else
	{
		row.tableoid = DatumGetObjectId(slot->tts_values[0]);
		row.tid = *(ItemPointer) DatumGetPointer(slot->tts_values[1]);
	}

	row.written = 0;
	if (bulk_sync_shards_have_addresses(plan))
		row.written = DatumGetTransactionId(row.values[plan->nread]);
	if (plan->history_attno != InvalidAttrNumber && plan->address_by_key)
		row.written = ++context->nrows;
	else if (plan->history_attno != InvalidAttrNumber)
		row.written = bulk_sync_writing_rank(DatumGetTransactionId(row.values[plan->nread]),
											 DatumGetCommandId(row.values[plan->nread + 1]),
											 context->next_xid);
	deliver(context, &row, false);
}

/* The shape of the rows that hold staged keys: names as in difference.c */
static TupleDesc
key_desc(const BulkSyncPlan *plan)
{
	TupleDesc	desc = CreateTemplateTupleDesc(plan->nkeys);

	for (int i = 0; i < plan->nkeys; i++)
		bulk_sync_init_entry(plan, desc, i + 1, plan->columns[i].type, plan->columns[i].typmod,
							 plan->columns[i].collation);
	return desc;
}

static Cost
statement_cost(const BulkSyncStatement *statement)
{
	Cost		cost = 0;
	ListCell   *lc;

	foreach(lc, statement->stmts)
		cost += lfirst_node(PlannedStmt, lc)->planTree->total_cost;
	return cost;
}

/*
 * May only the rows with staged keys be read?  Not if others count as well:
 * those to be deleted, and in a transaction with one snapshot all that may
 * have changed.
 */
static bool
keys_are_enough(const ReadContext *context)
{
	const BulkSyncPlan *plan = context->plan;

	return context->match != NULL && !plan->options->delete && !plan->sort_match &&
		bulk_sync_matcher != BULK_SYNC_MATCHER_HASH &&
		(!IsolationUsesXactSnapshot() || plan->options->dry_run) &&
		bulk_sync_hash_is_whole(context->match);
}

/*
 * The query that reads rows with staged keys, if that is what is to be done;
 * else NULL.  Rows with a NULL in the key would not be found by it.
 */
static BulkSyncStatement *
prepare_keyed(ReadContext *context, const bool *nulls, const bool *use_array, const Oid *types,
			  ParamListInfo params, const BulkSyncStatement *whole, Tuplestorestate **store)
{
	const BulkSyncPlan *plan = context->plan;
	char	   *name = psprintf("%srows", plan->prefix);
	TupleDesc	desc = key_desc(plan);
	BulkSyncStatement *statement;
	bool		null_keys;
	QueryEnvironment *env;

	env = bulk_sync_row_environment(name, desc, NULL, bulk_sync_hash_count(context->match));
	statement = bulk_sync_prepare_read(bulk_sync_deparse_read(plan, nulls, use_array, true), types,
									   params->numParams, env, plan->target, params,
									   bulk_sync_matcher != BULK_SYNC_MATCHER_JOIN);
	if (bulk_sync_matcher != BULK_SYNC_MATCHER_JOIN &&
		statement_cost(statement) * LOOKUP_COST_FRACTION >= statement_cost(whole))
		return NULL;
	*store = bulk_sync_hash_keys(context->match, desc, &null_keys);
	if (null_keys)
		return NULL;
	get_ENR(env, name)->reldata = *store;
	return statement;
}

/* The values that staged keys have in a column, each as often as it occurs */
static Datum
key_array(Tuplestorestate *store, TupleDesc desc, int index, Oid type)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	ArrayBuildState *array = initArrayResult(type, CurrentMemoryContext, true);
	bool		isnull;
	Datum		result;

	tuplestore_rescan(store);
	while (tuplestore_gettupleslot(store, true, false, slot))
	{
		Datum		value = slot_getattr(slot, index + 1, &isnull);

		array = accumArrayResult(array, value, isnull, type, CurrentMemoryContext);
	}
	result = makeArrayResult(array, CurrentMemoryContext);
	ExecDropSingleTupleTableSlot(slot);
	return result;
}

/*
 * The same where rows lie on other servers, which get all keys at once.  The
 * parameters are known to the planner, because only so does it make a hash table
 * of a long array.
 */
static BulkSyncStatement *
prepare_keyed_remotely(ReadContext *context, const bool *nulls, const bool *use_array,
					   Oid *types, ParamListInfo params, const BulkSyncStatement *whole)
{
	const BulkSyncPlan *plan = context->plan;
	TupleDesc	desc = key_desc(plan);
	int			nparams = params->numParams;
	BulkSyncStatement *statement;
	bool		null_keys;
	Tuplestorestate *store = bulk_sync_hash_keys(context->match, desc, &null_keys);

	for (int i = 0; i < plan->nkeys && !null_keys; i++)
	{
		Oid			type = bulk_sync_scope_element_type(&plan->key[i]);
		ParamExternData *param = &params->params[params->numParams];

		if (!OidIsValid(type))
			continue;
		param->ptype = types[params->numParams++] = get_array_type(type);
		param->value = key_array(store, desc, i, type);
		param->isnull = false;
		param->pflags = PARAM_FLAG_CONST;
	}
	tuplestore_end(store);
	if (params->numParams == nparams)
		return NULL;
	statement = bulk_sync_prepare_read(bulk_sync_deparse_read(plan, nulls, use_array, true), types,
									   params->numParams, NULL, plan->target, params, false);
	if (bulk_sync_matcher != BULK_SYNC_MATCHER_JOIN &&
		statement_cost(statement) * LOOKUP_COST_FRACTION >= statement_cost(whole))
		return NULL;
	return statement;
}

static void
query_target(ReadContext *context)
{
	const BulkSyncPlan *plan = context->plan;
	int			nscope = plan->nscope_values + plan->nscope_columns;
	int			capacity = nscope + plan->nkeys;
	Oid		   *types = palloc0(Max(capacity, 1) * sizeof(Oid));
	bool	   *nulls = palloc0(Max(plan->nscope_columns, 1) * sizeof(bool));
	bool	   *use_array = palloc0(Max(plan->nscope_columns, 1) * sizeof(bool));
	Datum	   *arrays = palloc0(Max(plan->nscope_columns, 1) * sizeof(Datum));
	ParamListInfo params = makeParamList(capacity);
	BulkSyncStatement *statement;
	BulkSyncStatement *keyed = NULL;
	Tuplestorestate *store = NULL;
	int			nparams = plan->nscope_values;

	bulk_sync_set_scope_params(plan, params, types);
	if (context->groups != NULL)
		bulk_sync_groups_arrays(context->groups, nulls, use_array, arrays);
	for (int i = 0; i < plan->nscope_columns; i++)
	{
		if (!use_array[i])
			continue;
		types[nparams] = get_array_type(bulk_sync_scope_element_type(&plan->scope_columns[i].equality));
		params->params[nparams].value = arrays[i];
		params->params[nparams].isnull = false;
		params->params[nparams].pflags = PARAM_FLAG_CONST;
		params->params[nparams].ptype = types[nparams];
		nparams++;
	}
	params->numParams = nparams;
	context->next_xid = ReadNextTransactionId();

	if (plan->distribution != NULL)
	{
		if (!keys_are_enough(context) ||
			!bulk_sync_read_keys_on_shards(context->match, key_desc(plan), receive_target_row,
										   context))
			bulk_sync_read_shards(plan, bulk_sync_deparse_read(plan, nulls, use_array, false),
								  params, receive_target_row, context);
		return;
	}
	statement = bulk_sync_prepare_read(bulk_sync_deparse_read(plan, nulls, use_array, false),
									   types, nparams, NULL, plan->target, params, false);
	if (keys_are_enough(context) && plan->foreign != NIL)
		keyed = prepare_keyed_remotely(context, nulls, use_array, types, params, statement);
	else if (keys_are_enough(context))
		keyed = prepare_keyed(context, nulls, use_array, types, params, statement, &store);
	if (keyed != NULL)
		bulk_sync_run(keyed, params, false, receive_target_row, context);
	else if (plan->target_scan)
		scan_tree(context);
	else
		bulk_sync_run(statement, params, false, receive_target_row, context);
	if (store != NULL)
		tuplestore_end(store);
}

/* Reads the rows in scope, under the active snapshot */
static void
read_target(ReadContext *context)
{
	if (context->plan->target_scan && !keys_are_enough(context))
		scan_tree(context);
	else
		query_target(context);
}

/*
 * Reads the rows in scope and hands them to the matcher; returns their
 * fingerprint, if the transaction has one snapshot.
 */
uint64
bulk_sync_read_target(BulkSyncMatch *match)
{
	ReadContext context;

	memset(&context, 0, sizeof(context));
	context.match = match;
	context.plan = match->plan;
	context.groups = match->groups;
	read_target(&context);
	return context.fingerprint;
}

/*
 * Reads a target that is in scope as a whole to find the rows that are equal, in
 * the order in which bulk_sync_read_target() will read it.
 */
void
bulk_sync_read_to_probe(BulkSyncMatch *match, BulkSyncEqualRows *equal)
{
	ReadContext context;

	memset(&context, 0, sizeof(context));
	context.probed = equal;
	context.probe_context = match->row_context;
	context.plan = match->plan;
	scan_tree(&context);
}

/*
 * Fingerprint of the rows in scope under the active snapshot, to be compared
 * with that of the difference.
 */
uint64
bulk_sync_scope_fingerprint(const BulkSyncPlan *plan, BulkSyncGroups *groups)
{
	ReadContext context;

	memset(&context, 0, sizeof(context));
	context.plan = plan;
	context.groups = groups;
	if (plan->matching)
		read_target(&context);
	return context.fingerprint;
}
