/*-------------------------------------------------------------------------
 *
 * plan_history.c
 *	  bulk_insert_changed(): which row of a key is the newest, and which
 *	  columns are compared with it?
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "catalog/pg_sequence.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/primnodes.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

static void
plan_compared_columns(BulkSyncPlan *plan)
{
	const BulkSyncOptions *options = plan->options;
	ListCell   *lc;

	for (int i = 0; i < plan->ncolumns; i++)
	{
		BulkSyncColumn *column = &plan->columns[i];

		column->compared = options->compare_given ?
			bulk_sync_list_has_name(options->compare_columns, column->name) :
			!column->key && i != plan->history_index;
	}
	foreach(lc, options->compare_columns)
	{
		char	   *name = (char *) lfirst(lc);
		AttrNumber	attno = bulk_sync_column_attno(plan->target, name);

		if (bulk_sync_find_column(plan, attno) >= 0)
			continue;
		if (bulk_sync_column_is_generated(plan, attno))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column \"%s\" cannot be named in \"%s\"", name, "compare_columns"),
					 errdetail("It is a generated column.")));
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" is not staged",
						name, RelationGetRelationName(plan->target)),
				 errhint("Add the column to \"%s\", or leave it out of \"compare_columns\".",
						 RelationGetRelationName(plan->staged))));
	}
}

/* The sequence that a default draws from, if it gives ascending integers */
static Oid
ascending_sequence(Node *expr)
{
	Oid			sequence = InvalidOid;
	HeapTuple	tuple;
	Form_pg_sequence form;
	bool		ascending;

	/* A serial column may be narrower than its sequence */
	if (IsA(expr, FuncExpr) && (((FuncExpr *) expr)->funcid == F_INT4_INT8 ||
								((FuncExpr *) expr)->funcid == F_INT2_INT8))
		expr = linitial(((FuncExpr *) expr)->args);
	if (IsA(expr, NextValueExpr))
		sequence = ((NextValueExpr *) expr)->seqid;
	else if (IsA(expr, FuncExpr) && ((FuncExpr *) expr)->funcid == F_NEXTVAL)
	{
		Node	   *arg = linitial(((FuncExpr *) expr)->args);

		if (IsA(arg, Const) && !((Const *) arg)->constisnull)
			sequence = DatumGetObjectId(((Const *) arg)->constvalue);
	}
	tuple = SearchSysCache1(SEQRELID, ObjectIdGetDatum(sequence));
	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	form = (Form_pg_sequence) GETSTRUCT(tuple);
	ascending = form->seqincrement > 0 && !form->seqcycle && form->seqcache == 1;
	ReleaseSysCache(tuple);
	return ascending ? sequence : InvalidOid;
}

/* The highest value that a sequence has given so far */
static int64
sequence_last_value(Oid sequence)
{
	Relation	rel = relation_open(sequence, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan(rel, SnapshotAny, 0, NULL);
	int64		last_value = PG_INT64_MIN;

	/* Its one row has last_value, log_cnt and is_called */
	if (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		slot_getallattrs(slot);
		last_value = DatumGetInt64(slot->tts_values[0]);
		if (!DatumGetBool(slot->tts_values[2]))
			last_value--;
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	relation_close(rel, NoLock);
	return last_value;
}

/* What does the database give an inserted row in the order column? */
static void
plan_assigned_order(BulkSyncPlan *plan, Form_pg_attribute attr)
{
	Node	   *expr;
	EState	   *estate;
	Datum		value;

	plan->history_assigned = BULK_SYNC_ORDER_UNKNOWN;
	if (attr->attgenerated != '\0')
		return;
	expr = build_column_default(plan->target, attr->attnum);
	if (expr != NULL && contain_volatile_functions(expr))
	{
		Oid			sequence = ascending_sequence(expr);

		if (OidIsValid(sequence) && (attr->atttypid == INT2OID || attr->atttypid == INT4OID ||
									 attr->atttypid == INT8OID))
		{
			plan->history_assigned = BULK_SYNC_ORDER_ASCENDING;
			plan->history_last_value = sequence_last_value(sequence);
		}
		return;
	}
	plan->history_assigned = BULK_SYNC_ORDER_KNOWN;
	plan->history_default_isnull = true;
	if (expr == NULL)
		return;

	estate = CreateExecutorState();
	value = ExecEvalExprSwitchContext(ExecPrepareExpr((Expr *) expr, estate),
									  GetPerTupleExprContext(estate),
									  &plan->history_default_isnull);
	if (!plan->history_default_isnull)
		plan->history_default = datumCopy(value, attr->attbyval, attr->attlen);
	FreeExecutorState(estate);
}

/* Which column says which row of a key is the newest, and what is compared */
void
bulk_sync_plan_history(BulkSyncPlan *plan)
{
	const char *name = plan->options->order_column;
	AttrNumber	attno;
	Form_pg_attribute attr;
	TypeCacheEntry *typentry;

	if (plan->options->purpose != BULK_SYNC_HISTORY)
		return;
	attno = bulk_sync_column_attno(plan->target, name);
	plan->history_attno = attno;
	plan->history_index = bulk_sync_find_column(plan, attno);
	if (plan->history_index >= 0 && plan->columns[plan->history_index].key)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" cannot be both a key column and the order column",
						name)));
	attr = TupleDescAttr(RelationGetDescr(plan->target), attno - 1);
	typentry = lookup_type_cache(attr->atttypid, TYPECACHE_CMP_PROC | TYPECACHE_LT_OPR);
	if (!OidIsValid(typentry->cmp_proc) || !OidIsValid(typentry->lt_opr))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("could not identify an ordering operator for type %s",
						format_type_be(attr->atttypid)),
				 errdetail("Column \"%s\" says which row is the newest.", name)));
	fmgr_info(typentry->cmp_proc, &plan->history_cmp);
	plan->history_lt_opr = typentry->lt_opr;
	if (plan->history_index < 0)
		plan_assigned_order(plan, attr);
	plan_compared_columns(plan);
}
