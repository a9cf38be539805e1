/*-------------------------------------------------------------------------
 *
 * ship.c
 *	  Rows of a difference on their way to the shards of a distributed table.
 *
 * They go along with a statement, as an array of records: Citus sends rows that
 * are to be found to the nodes that may have them, and new rows to their shard.
 * A query may be sent on as it is, as text from which no record can be read: so
 * keys go as arrays of their columns.
 *
 * A statement gets as many rows as are worth its while, and not more than memory
 * allows.  Many rows that are to be found go into a table beside the shards
 * instead (shard_table.c), and the statement reads that.
 *
 *-------------------------------------------------------------------------
 */
#include "ship.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/*
 * Each shard reads all of the rows that are to be found, so that many of them
 * are sent in several loads; of new rows it gets its own alone.
 */
#define MAX_ROWS_TO_FIND	50000
#define MAX_ROWS_TO_INSERT	100000
#define MAX_BYTES			(16 * 1024 * 1024)

struct BulkSyncShipment
{
	const BulkSyncPlan *plan;
	const BulkSyncDifference *difference;
	const BulkSyncRowSet *set;
	MemoryContext context;
	MemoryContext load_context;
	TupleDesc	desc;
	AttrNumber *attnos;			/* in the difference row; beyond it: in the old row */
	Datum	   *values;
	bool	   *isnull;
	Datum	   *old_values;
	bool	   *old_isnull;
	bool		needs_old;
	bool		by_address;		/* target rows are to be found by it */
	TupleTableSlot *slot;
	bool		more;			/* a row waits in the slot */
	ExprState **defaults;		/* by column: what a NULL asks for */
	ExprContext *econtext;
	int			max_rows;
	bool		by_column;		/* an array for each column, not one of records */

	/* The parameters of a statement with the present load */
	int			nparams;
	Oid		   *types;
	Datum	   *params;
	Datum	   *arrays;			/* among them: the rows */
	char	   *table;			/* qualified name of where the rows are, or NULL */
};

/* Is an attribute of that number one of the old row? */
static int
old_index(const BulkSyncPlan *plan, AttrNumber attno)
{
	return attno - BULK_SYNC_SHIPPED_OLD(plan, 0);
}

static bool
some_column_may_keep(const BulkSyncPlan *plan)
{
	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (bulk_sync_column_may_keep(&plan->columns[i]))
			return true;
	}
	return false;
}

/* The attributes to send: of the difference row, then of the old row */
static List *
attributes_to_ship(const BulkSyncDifference *difference, BulkSyncShipmentKind kind,
				   bool by_address)
{
	const BulkSyncPlan *plan = difference->plan;
	List	   *attnos = NIL;
	bool		old = kind == BULK_SYNC_SHIP_OLD || kind == BULK_SYNC_SHIP_CHANGES;

	if (kind == BULK_SYNC_SHIP_NEW)
		attnos = lappend_int(attnos, BULK_SYNC_DIFF_POSITION);
	if (kind == BULK_SYNC_SHIP_CHANGES)
	{
		attnos = lappend_int(attnos, BULK_SYNC_DIFF_MARK);
		if (plan->soft_attno != InvalidAttrNumber)
			attnos = lappend_int(lappend_int(attnos, BULK_SYNC_DIFF_SET_SOFT),
								 BULK_SYNC_DIFF_SOFT);
		if (some_column_may_keep(plan))
			attnos = lappend_int(attnos, BULK_SYNC_DIFF_TAKES);
	}
	if (kind == BULK_SYNC_SHIP_LOOKUP)
	{
		for (int i = 0; i < plan->nkeys; i++)
			attnos = lappend_int(attnos, i + 1);
		return attnos;
	}
	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (kind == BULK_SYNC_SHIP_CHANGES ? bulk_sync_column_is_set(plan, i, difference) :
			kind == BULK_SYNC_SHIP_NEW ? plan->columns[i].insertable :
			kind == BULK_SYNC_SHIP_KEYS ? i < plan->nkeys : false)
			attnos = lappend_int(attnos, BULK_SYNC_DIFF_WANTED(i));
	}
	if (old && by_address)
	{
		if (!plan->single_table)
			attnos = lappend_int(attnos, BULK_SYNC_DIFF_TABLEOID);
		attnos = lappend_int(attnos, BULK_SYNC_DIFF_CTID);
		attnos = lappend_int(attnos, BULK_SYNC_DIFF_XMIN);
		if (plan->distribution->attno != InvalidAttrNumber)
			attnos = lappend_int(attnos,
								 BULK_SYNC_SHIPPED_OLD(plan, plan->distribution->read_index));
		return attnos;
	}
	for (int i = 0; old && i < plan->nread_to_match; i++)
		attnos = lappend_int(attnos, BULK_SYNC_SHIPPED_OLD(plan, i));
	return attnos;
}

static void
init_desc(BulkSyncShipment *shipment, List *attnos)
{
	const BulkSyncPlan *plan = shipment->plan;
	int			natts = list_length(attnos);
	ListCell   *lc;

	if (natts > MaxHeapAttributeNumber)
		ereport(ERROR,
				(errcode(ERRCODE_TOO_MANY_COLUMNS),
				 errmsg("distributed table \"%s\" has too many columns to be synced",
						RelationGetRelationName(plan->target)),
				 errhint("Name fewer columns in \"columns\".")));
	shipment->desc = CreateTemplateTupleDesc(natts);
	shipment->attnos = palloc(natts * sizeof(AttrNumber));
	foreach(lc, attnos)
	{
		int			i = foreach_current_index(lc);
		AttrNumber	attno = lfirst_int(lc);
		int			index = old_index(plan, attno);
		Form_pg_attribute attr = index >= 0 ? TupleDescAttr(plan->read_desc, index) :
			TupleDescAttr(shipment->set->desc, attno - 1);

		shipment->attnos[i] = attno;
		shipment->needs_old |= index >= 0;
		bulk_sync_init_entry(plan, shipment->desc, i + 1, attr->atttypid, attr->atttypmod,
							 attr->attcollation);
		bulk_sync_name_entry(plan, shipment->desc, i + 1, attno);
	}
	shipment->desc = BlessTupleDesc(shipment->desc);
}

/*
 * What the parameters are: the scope values, for conditions on the scope, then
 * the rows, last the one value of the distribution column.
 */
static void
init_params(BulkSyncShipment *shipment)
{
	const BulkSyncPlan *plan = shipment->plan;
	const BulkSyncDistribution *distribution = plan->distribution;
	int			narrays = shipment->by_column ? shipment->desc->natts : 1;
	int			nparams = plan->nscope_values;

	shipment->types = palloc((nparams + narrays + 1) * sizeof(Oid));
	shipment->params = palloc0((nparams + narrays + 1) * sizeof(Datum));
	for (int i = 0; i < nparams; i++)
	{
		shipment->types[i] = plan->scope_values[i].equality.type;
		shipment->params[i] = plan->scope_values[i].value;
	}
	shipment->arrays = shipment->params + nparams;
	for (int i = 0; i < narrays; i++)
		shipment->types[nparams++] = !shipment->by_column ? RECORDARRAYOID :
			get_array_type(bulk_sync_shipped_type(TupleDescAttr(shipment->desc, i)->atttypid));
	if (distribution->pinned != NULL && !shipment->by_column)
	{
		shipment->types[nparams] = exprType((Node *) distribution->pinned);
		shipment->params[nparams++] = distribution->pinned_value;
	}
	shipment->nparams = nparams;
}

/* The defaults of columns in which a NULL asks for one: as COPY evaluates them */
static void
init_defaults(BulkSyncShipment *shipment)
{
	const BulkSyncPlan *plan = shipment->plan;

	shipment->defaults = palloc0(Max(plan->ncolumns, 1) * sizeof(ExprState *));
	for (int i = 0; i < plan->ncolumns; i++)
	{
		const BulkSyncColumn *column = &plan->columns[i];
		Expr	   *value = plan->defaults[column->target_attno - 1];

		if (column->assigned && column->insertable && value != NULL)
			shipment->defaults[i] = ExecInitExpr(expression_planner(value), NULL);
	}
	shipment->econtext = CreateStandaloneExprContext();
}

/* The row that waits outlives the load before it, so it is not in its context */
static void
advance(BulkSyncShipment *shipment)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(shipment->context);

	shipment->more = tuplestore_gettupleslot(shipment->set->store, true, false, shipment->slot);
	MemoryContextSwitchTo(oldcontext);
}

BulkSyncShipment *
bulk_sync_begin_shipment(BulkSyncDifference *difference, const BulkSyncRowSet *set,
						 BulkSyncShipmentKind kind, bool by_address)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "bulk_sync shipment",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	BulkSyncShipment *shipment = palloc0(sizeof(BulkSyncShipment));

	shipment->plan = difference->plan;
	shipment->difference = difference;
	shipment->set = set;
	shipment->context = context;
	shipment->load_context = AllocSetContextCreate(context, "bulk_sync load",
												   ALLOCSET_DEFAULT_SIZES);
	init_desc(shipment, attributes_to_ship(difference, kind, by_address));
	shipment->by_address = by_address;
	shipment->values = palloc(shipment->desc->natts * sizeof(Datum));
	shipment->isnull = palloc(shipment->desc->natts * sizeof(bool));
	shipment->old_values = palloc(Max(difference->old_desc->natts, 1) * sizeof(Datum));
	shipment->old_isnull = palloc(Max(difference->old_desc->natts, 1) * sizeof(bool));
	shipment->by_column = kind == BULK_SYNC_SHIP_KEYS || kind == BULK_SYNC_SHIP_LOOKUP;
	init_params(shipment);
	shipment->max_rows = kind == BULK_SYNC_SHIP_NEW ? MAX_ROWS_TO_INSERT : MAX_ROWS_TO_FIND;
	if (kind == BULK_SYNC_SHIP_NEW)
		init_defaults(shipment);
	shipment->slot = MakeSingleTupleTableSlot(set->desc, &TTSOpsMinimalTuple);
	MemoryContextSwitchTo(oldcontext);
	bulk_sync_rewind_shipment(shipment);
	return shipment;
}

BulkSyncFind
bulk_sync_shipment_find(const BulkSyncShipment *shipment)
{
	return shipment->by_address ? BULK_SYNC_FIND_BY_ADDRESS : BULK_SYNC_FIND_BY_KEY;
}

/* The rows once more, from the first one on */
void
bulk_sync_rewind_shipment(BulkSyncShipment *shipment)
{
	shipment->more = shipment->set->rows > 0;
	if (shipment->table != NULL)
		return;
	tuplestore_select_read_pointer(shipment->set->store, 0);
	tuplestore_rescan(shipment->set->store);
	advance(shipment);
}

/* Takes the row in the slot apart */
static void
deform_row(BulkSyncShipment *shipment)
{
	const BulkSyncPlan *plan = shipment->plan;

	slot_getallattrs(shipment->slot);
	if (shipment->needs_old)
		bulk_sync_deform_record(shipment->slot->tts_values[BULK_SYNC_DIFF_OLD - 1],
								shipment->difference->old_desc, shipment->old_values,
								shipment->old_isnull);
	for (int i = 0; i < shipment->desc->natts; i++)
	{
		AttrNumber	attno = shipment->attnos[i];
		int			index = old_index(plan, attno);
		int			column = attno - BULK_SYNC_DIFF_WANTED(0);

		shipment->values[i] = index >= 0 ? shipment->old_values[index] :
			shipment->slot->tts_values[attno - 1];
		shipment->isnull[i] = index >= 0 ? shipment->old_isnull[index] :
			shipment->slot->tts_isnull[attno - 1];
		if (index < 0 && column >= 0 && shipment->isnull[i] && shipment->defaults != NULL &&
			shipment->defaults[column] != NULL)
			shipment->values[i] = ExecEvalExprSwitchContext(shipment->defaults[column],
															shipment->econtext,
															&shipment->isnull[i]);
	}
}

/* Rows as an array of records */
static void
load_records(BulkSyncShipment *shipment)
{
	Datum	   *records = palloc(shipment->max_rows * sizeof(Datum));
	Size		bytes = 0;
	int			nrecords = 0;

	while (shipment->more && nrecords < shipment->max_rows && bytes < MAX_BYTES)
	{
		HeapTuple	tuple;

		CHECK_FOR_INTERRUPTS();
		deform_row(shipment);
		tuple = heap_form_tuple(shipment->desc, shipment->values, shipment->isnull);
		bytes += tuple->t_len;
		records[nrecords++] = HeapTupleGetDatum(tuple);
		if (shipment->defaults != NULL)
			ResetExprContext(shipment->econtext);
		advance(shipment);
	}
	shipment->arrays[0] = PointerGetDatum(construct_array(records, nrecords, RECORDOID, -1,
														  false, TYPALIGN_DOUBLE));
}

/* An array has no arrays for elements: such values go as text */
Oid
bulk_sync_shipped_type(Oid type)
{
	return OidIsValid(get_array_type(type)) ? type : TEXTOID;
}

/* typlen of the type in which its values go */
static int
shipped_length(Form_pg_attribute attr)
{
	return bulk_sync_shipped_type(attr->atttypid) == attr->atttypid ? attr->attlen : -1;
}

/* A value that outlives its row, in the type in which it goes */
static Datum
shipped_value(Form_pg_attribute attr, Datum value)
{
	Oid			output;
	bool		varlena;

	if (bulk_sync_shipped_type(attr->atttypid) == attr->atttypid)
		return datumCopy(value, attr->attbyval, attr->attlen);
	getTypeOutputInfo(attr->atttypid, &output, &varlena);
	return CStringGetTextDatum(OidOutputFunctionCall(output, value));
}

/* Rows as an array for each column */
static void
load_columns(BulkSyncShipment *shipment)
{
	int			natts = shipment->desc->natts;
	ArrayBuildState **arrays = palloc0(natts * sizeof(ArrayBuildState *));
	Size		bytes = 0;

	for (int nrows = 0; shipment->more && nrows < shipment->max_rows && bytes < MAX_BYTES; nrows++)
	{
		CHECK_FOR_INTERRUPTS();
		deform_row(shipment);
		for (int i = 0; i < natts; i++)
		{
			Form_pg_attribute attr = TupleDescAttr(shipment->desc, i);
			Datum		value = 0;

			if (!shipment->isnull[i])
			{
				value = shipped_value(attr, shipment->values[i]);
				bytes += attr->attbyval ? sizeof(Datum) :
					datumGetSize(value, false, shipped_length(attr));
			}
			arrays[i] = accumArrayResult(arrays[i], value, shipment->isnull[i],
										 bulk_sync_shipped_type(attr->atttypid),
										 CurrentMemoryContext);
		}
		advance(shipment);
	}
	for (int i = 0; i < natts; i++)
		shipment->arrays[i] = makeArrayResult(arrays[i], CurrentMemoryContext);
}

/* Loads the next rows; false if there are no more */
bool
bulk_sync_next_load(BulkSyncShipment *shipment)
{
	MemoryContext oldcontext;

	if (!shipment->more)
		return false;
	if (shipment->table != NULL)
	{
		/* All are there already, for one statement */
		shipment->more = false;
		return true;
	}
	MemoryContextReset(shipment->load_context);
	oldcontext = MemoryContextSwitchTo(shipment->load_context);
	if (shipment->by_column)
		load_columns(shipment);
	else
		load_records(shipment);
	MemoryContextSwitchTo(oldcontext);
	return true;
}

/*
 * Runs a statement over difference rows with the present load of them; returns
 * the number of rows that it processed.
 */
uint64
bulk_sync_run_shipped(const BulkSyncShipment *shipment, const char *sql,
					  BulkSyncRowCallback callback, void *arg)
{
	const BulkSyncPlan *plan = shipment->plan;
	MemoryContext oldcontext = MemoryContextSwitchTo(shipment->load_context);
	uint64		processed;

	sql = shipment->table != NULL ?
		bulk_sync_deparse_over_table(plan, shipment->table, BULK_SYNC_ALL_KINDS, sql) :
		bulk_sync_deparse_shipped(plan, shipment->desc, shipment->by_column, sql);
	processed = bulk_sync_run_afresh(sql, shipment->nparams, shipment->types, shipment->params,
									 plan->target, callback, arg);
	MemoryContextSwitchTo(oldcontext);
	return processed;
}

/*-------------------------------------------------------------------------
 * Many rows: in a table beside the shards
 *-------------------------------------------------------------------------
 */

/* The attribute that says on which shard a row is, or 0 */
static AttrNumber
shard_attribute(const BulkSyncShipment *shipment)
{
	const BulkSyncDistribution *distribution = shipment->plan->distribution;

	if (distribution->attno == InvalidAttrNumber)
		return InvalidAttrNumber;
	if (shipment->needs_old)
		return BULK_SYNC_SHIPPED_OLD(shipment->plan, distribution->read_index);
	return shipment->by_column && distribution->column_index >= 0 &&
		distribution->column_index < shipment->plan->nkeys ?
		shipment->attnos[distribution->column_index] : InvalidAttrNumber;
}

/* Puts the rows into the table, load by load */
static bool
fill_table(const char *name, void *arg)
{
	BulkSyncShipment *shipment = (BulkSyncShipment *) arg;
	const char *sql = bulk_sync_deparse_fill_shard_table(shipment->plan, shipment->desc,
														 shipment->by_column, name);

	shipment->max_rows = MAX_ROWS_TO_INSERT;
	while (bulk_sync_next_load(shipment))
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(shipment->load_context);

		bulk_sync_run_afresh(sql, shipment->nparams, shipment->types, shipment->params,
							 NULL, NULL, NULL);
		MemoryContextSwitchTo(oldcontext);
	}
	return true;
}

/* No rows go along with a statement: those of the last load would, with each */
static void
empty_arrays(BulkSyncShipment *shipment)
{
	const Oid  *types = shipment->types + shipment->plan->nscope_values;
	int			narrays = shipment->by_column ? shipment->desc->natts : 1;

	for (int i = 0; i < narrays; i++)
		shipment->arrays[i] = PointerGetDatum(construct_empty_array(get_element_type(types[i])));
	MemoryContextReset(shipment->load_context);
}

/*
 * Puts the rows into a table beside the shards, if they are many, and says so.
 * Only from there can rows of the target be found by their address: Citus does
 * not send addresses along with a statement.
 */
bool
bulk_sync_ship_to_table(BulkSyncShipment *shipment)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(shipment->context);
	AttrNumber	attno = shard_attribute(shipment);
	int			max_rows = shipment->max_rows;

	if (attno != InvalidAttrNumber &&
		bulk_sync_is_worth_a_table(shipment->plan, shipment->set->rows))
	{
		shipment->table = bulk_sync_make_shard_table(shipment->plan, shipment->desc, attno,
													 fill_table, shipment);
		if (shipment->table != NULL)
			empty_arrays(shipment);
		shipment->max_rows = max_rows;
		bulk_sync_rewind_shipment(shipment);
		bulk_sync_phase_done("rows to shards");
	}
	MemoryContextSwitchTo(oldcontext);
	return shipment->table != NULL;
}

void
bulk_sync_end_shipment(BulkSyncShipment *shipment)
{
	if (shipment->table != NULL)
		bulk_sync_drop_shard_table(shipment->table);
	ExecDropSingleTupleTableSlot(shipment->slot);
	if (shipment->econtext != NULL)
		FreeExprContext(shipment->econtext, true);
	MemoryContextDelete(shipment->context);
}
