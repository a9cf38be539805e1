/*-------------------------------------------------------------------------
 *
 * read_shards.c
 *	  Reads from the shards of a distributed table: its rows, some of its rows,
 *	  or what is to be known of them.
 *
 *-------------------------------------------------------------------------
 */
#include "match.h"
#include "ship.h"

#include "nodes/nodeFuncs.h"

/* So few keys are sent without asking how many rows there are */
#define FEW_KEYS	1000

/*
 * A key costs about as much to send as a row to fetch.  Keys are sent where there
 * are so many times as many rows; more where all shards get all keys, because
 * no table may be made for them.
 */
#define ROWS_FOR_A_KEY			2
#define ROWS_FOR_A_KEY_SENT		20

/* All shards are read at the same time, or only those that the scope is about */
void
bulk_sync_read_shards(const BulkSyncPlan *plan, const char *sql, const ParamListInfo params,
					  BulkSyncRowCallback receive, void *arg)
{
	Oid		   *types = palloc0(Max(params->numParams, 1) * sizeof(Oid));
	Datum	   *values = palloc0(Max(params->numParams, 1) * sizeof(Datum));

	for (int i = 0; i < params->numParams; i++)
	{
		types[i] = params->params[i].ptype;
		values[i] = params->params[i].value;
	}
	bulk_sync_run_with_values(sql, params->numParams, types, values, plan->target, receive, arg);
}

/*
 * Reads only rows with staged keys, in rows of that shape, if that is worth while.
 * Returns false if all rows in scope are to be read.
 *
 * Many keys go into a table beside the shards; a dry run makes none.
 */
bool
bulk_sync_read_keys_on_shards(BulkSyncMatch *match, TupleDesc desc, BulkSyncRowCallback receive,
							  void *arg)
{
	const BulkSyncPlan *plan = match->plan;
	bool		dry_run = plan->options->dry_run;
	BulkSyncShipment *shipment;
	BulkSyncRowSet set;
	bool		null_keys;

	memset(&set, 0, sizeof(set));
	set.desc = desc;
	set.rows = bulk_sync_hash_count(match);
	if (plan->nscope_columns > 0)
		return false;
	if (set.rows > FEW_KEYS && bulk_sync_matcher != BULK_SYNC_MATCHER_JOIN &&
		bulk_sync_count_on_shards(plan, bulk_sync_deparse_count_scope(plan)) <
		set.rows * (dry_run ? ROWS_FOR_A_KEY_SENT : ROWS_FOR_A_KEY))
		return false;
	set.store = bulk_sync_hash_keys(match, desc, &null_keys);
	if (!null_keys)
	{
		shipment = bulk_sync_begin_shipment(match->difference, &set, BULK_SYNC_SHIP_LOOKUP, false);
		if (!dry_run)
			(void) bulk_sync_ship_to_table(shipment);
		while (bulk_sync_next_load(shipment))
			bulk_sync_run_shipped(shipment, bulk_sync_deparse_read(plan, NULL, NULL, true),
								  receive, arg);
		bulk_sync_end_shipment(shipment);
	}
	tuplestore_end(set.store);
	return !null_keys;
}

/*
 * Runs a statement on shards in which the scope values are parameters, and behind
 * them the one value of the distribution column that the scope lets in.  Its
 * snapshot is new on each node, and so it is on this one.
 */
uint64
bulk_sync_run_on_shards(const BulkSyncPlan *plan, const char *sql,
						BulkSyncRowCallback callback, void *arg)
{
	Oid		   *types = palloc0((plan->nscope_values + 1) * sizeof(Oid));
	Datum	   *values = palloc0((plan->nscope_values + 1) * sizeof(Datum));
	int			nvalues = plan->nscope_values;

	for (int i = 0; i < plan->nscope_values; i++)
	{
		types[i] = plan->scope_values[i].equality.type;
		values[i] = plan->scope_values[i].value;
	}
	if (bulk_sync_is_on_one_shard(plan))
	{
		types[nvalues] = exprType((Node *) plan->distribution->pinned);
		values[nvalues++] = plan->distribution->pinned_value;
	}
	return bulk_sync_run_afresh(sql, nvalues, types, values, NULL, callback, arg);
}

static void
receive_count(TupleTableSlot *slot, void *arg)
{
	*(int64 *) arg = DatumGetInt64(slot->tts_values[0]);
}

/* The one number that such a statement gives */
int64
bulk_sync_count_on_shards(const BulkSyncPlan *plan, const char *sql)
{
	int64		count = 0;

	bulk_sync_run_on_shards(plan, sql, receive_count, &count);
	return count;
}
