/*-------------------------------------------------------------------------
 *
 * plan_distributed.c
 *	  Is the target a table of Citus, and can this call be carried out there?
 *
 * Citus keeps an empty table under the name of a distributed one; the rows are
 * on its shards.  It is recognized by its own catalog, at run time: nothing of
 * Citus is needed to build or to install this extension, and a server without
 * it pays one look into a cache.
 *
 * What cannot hold on shards is refused here, before any row is read.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/syscache.h"

/* What Citus says of a table */
#define METHOD_HASH		'h'
#define METHOD_NONE		'n'
#define COPY_EVERYWHERE 't'
#define ONE_COPY		's'

/* A column of Citus' catalog: they are found by name, for they may move */
static Datum
catalog_value(Relation catalog, HeapTuple tuple, const char *name, bool *isnull)
{
	AttrNumber	attno = get_attnum(RelationGetRelid(catalog), name);

	if (attno == InvalidAttrNumber)
		elog(ERROR, "unexpected form of %s", RelationGetRelationName(catalog));
	return heap_getattr(tuple, attno, RelationGetDescr(catalog), isnull);
}

typedef struct CatalogEntry
{
	char		method;
	char		model;
	AttrNumber	attno;			/* of the distribution column */
	uint32		colocation;
} CatalogEntry;

/* Fills in how Citus has distributed a relation; false: not at all */
static bool
read_catalog(Oid relid, CatalogEntry *entry)
{
	Oid			catalog_oid = get_relname_relid("pg_dist_partition", PG_CATALOG_NAMESPACE);
	Relation	catalog;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	bool		found = false;

	if (!OidIsValid(catalog_oid))
		return false;
	catalog = table_open(catalog_oid, AccessShareLock);
	ScanKeyInit(&key, get_attnum(catalog_oid, "logicalrelid"), BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, InvalidOid, false, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		value;

		found = true;
		entry->method = DatumGetChar(catalog_value(catalog, tuple, "partmethod", &isnull));
		entry->model = DatumGetChar(catalog_value(catalog, tuple, "repmodel", &isnull));
		entry->colocation = DatumGetUInt32(catalog_value(catalog, tuple, "colocationid", &isnull));
		value = catalog_value(catalog, tuple, "partkey", &isnull);
		entry->attno = isnull ? InvalidAttrNumber :
			castNode(Var, stringToNode(TextDatumGetCString(value)))->varattno;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

bool
bulk_sync_is_distributed(Oid relid)
{
	CatalogEntry entry;

	return read_catalog(relid, &entry);
}

/* Citus keeps hands off its shards, and so do we: a row would be where nobody looks */
static void
check_no_shard(Relation target)
{
	Oid			argument = REGCLASSOID;
	oidvector  *arguments = buildoidvector(&argument, 1);
	Oid			function;

	if (!OidIsValid(get_relname_relid("pg_dist_partition", PG_CATALOG_NAMESPACE)))
		return;
	function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
							   CStringGetDatum("relation_is_a_known_shard"),
							   PointerGetDatum(arguments),
							   ObjectIdGetDatum(PG_CATALOG_NAMESPACE));
	if (OidIsValid(function) &&
		DatumGetBool(OidFunctionCall1(function, ObjectIdGetDatum(RelationGetRelid(target)))))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a shard of a distributed table",
						RelationGetRelationName(target)),
				 errhint("Sync the distributed table.")));
}

/* Does a query read from distributed tables, itself or through views? */
static bool
reads_distributed(Node *node, void *context)
{
	ListCell   *lc;

	if (node == NULL)
		return false;
	if (!IsA(node, Query))
		return expression_tree_walker(node, reads_distributed, context);
	foreach(lc, ((Query *) node)->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);
		bool		found = false;

		if (rte->rtekind != RTE_RELATION)
			continue;
		if (rte->relkind == RELKIND_VIEW)
		{
			Relation	view = relation_open(rte->relid, AccessShareLock);

			/* OLD and NEW of a view's own rule are the view */
			if (RelationGetRelid(view) != *(Oid *) context)
				found = reads_distributed((Node *) get_view_query(view),
										  &rte->relid);
			relation_close(view, AccessShareLock);
		}
		else
			found = bulk_sync_is_distributed(rte->relid);
		if (found)
			return true;
	}
	return query_tree_walker((Query *) node, reads_distributed, context,
							 QTW_IGNORE_JOINALIASES);
}

/* Rows of a view are written by statements over rows that only this node has */
static void
check_no_distributed_view(Relation target)
{
	Oid			relid = RelationGetRelid(target);

	if (target->rd_rel->relkind != RELKIND_VIEW ||
		!OidIsValid(get_relname_relid("pg_dist_partition", PG_CATALOG_NAMESPACE)) ||
		!reads_distributed((Node *) get_view_query(target), &relid))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("view \"%s\" of a distributed table cannot be synced",
					RelationGetRelationName(target)),
			 errhint("Sync the distributed table, with the condition of the view as \"scope\".")));
}

/* What Citus says of the target; NULL: it is an ordinary relation */
BulkSyncDistribution *
bulk_sync_find_distribution(const BulkSyncOptions *options, Relation target)
{
	BulkSyncDistribution *distribution;
	CatalogEntry entry;

	if (!read_catalog(RelationGetRelid(target), &entry))
	{
		check_no_shard(target);
		check_no_distributed_view(target);
		return NULL;
	}
	if (entry.method != METHOD_HASH && entry.method != METHOD_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("distributed table \"%s\" cannot be synced",
						RelationGetRelationName(target)),
				 errdetail("It is not distributed by hash."),
				 errhint("Distribute the table by hash, or make it a reference table.")));
	if (options->purpose == BULK_SYNC_RETURN || options->purpose == BULK_SYNC_HISTORY)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s cannot be used on distributed table \"%s\"",
						options->function, RelationGetRelationName(target)),
				 options->purpose == BULK_SYNC_RETURN ?
				 errhint("Call bulk_compare() and then bulk_sync() in one transaction, with lock_mode => 'exclusive'.") :
				 errhint("Use bulk_sync() with actions => '{insert}' and a key that contains the order column.")));

	distribution = palloc0(sizeof(BulkSyncDistribution));
	distribution->reference = entry.method == METHOD_NONE && entry.model == COPY_EVERYWHERE;
	distribution->attno = entry.attno;
	distribution->has_addresses = entry.model == ONE_COPY;
	distribution->colocation = entry.colocation;
	distribution->read_index = distribution->column_index = -1;
	return distribution;
}

/*-------------------------------------------------------------------------
 * A scope on one shard
 *-------------------------------------------------------------------------
 */
static bool
contains_parameter(Node *node, void *arg)
{
	if (node == NULL)
		return false;
	return IsA(node, Param) || IsA(node, SubLink) ||
		expression_tree_walker(node, contains_parameter, arg);
}

/* Is the expression the distribution column?  Columns are parameters by now. */
static bool
is_distribution_column(const BulkSyncPlan *plan, const BulkSyncCondition *condition, Node *node)
{
	while (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node != NULL && IsA(node, Param) &&
		condition->vars[((Param *) node)->paramid - 1].attno == plan->distribution->attno;
}

/* From "distribution column = expression" the expression, else NULL */
static Expr *
pinned_expression(const BulkSyncPlan *plan, const BulkSyncCondition *condition)
{
	OpExpr	   *op = (OpExpr *) condition->expr;
	Node	   *left;
	Node	   *right;

	if (!IsA(op, OpExpr) || list_length(op->args) != 2)
		return NULL;
	left = linitial(op->args);
	right = lsecond(op->args);
	if (!op_mergejoinable(op->opno, exprType(left)))
		return NULL;
	if (is_distribution_column(plan, condition, left) && !contains_parameter(right, NULL))
		return (Expr *) right;
	if (is_distribution_column(plan, condition, right) && !contains_parameter(left, NULL))
		return (Expr *) left;
	return NULL;
}

/* Does the scope let in one value of the distribution column alone? */
static void
find_pinned_value(BulkSyncPlan *plan)
{
	BulkSyncDistribution *distribution = plan->distribution;
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(plan->target),
										   distribution->attno - 1);
	ListCell   *lc;

	for (int i = 0; i < plan->nscope_values; i++)
	{
		BulkSyncScopeColumn *scope = &plan->scope_values[i];

		if (scope->target_attno == distribution->attno && !scope->isnull)
			distribution->pinned = (Expr *) makeConst(attr->atttypid, -1, attr->attcollation,
													  attr->attlen, scope->value, false,
													  attr->attbyval);
	}
	foreach(lc, plan->scope_conjuncts)
	{
		Expr	   *expr = pinned_expression(plan, (BulkSyncCondition *) lfirst(lc));

		/* company_id = 501 compares a bigint with an integer */
		if (distribution->pinned == NULL && expr != NULL)
			distribution->pinned = (Expr *)
				coerce_to_target_type(NULL, (Node *) expr, exprType((Node *) expr),
									  attr->atttypid, -1, COERCION_IMPLICIT,
									  COERCE_IMPLICIT_CAST, -1);
	}
}

/* The pinned value, once the plan stands */
static void
evaluate_pinned_value(BulkSyncPlan *plan)
{
	BulkSyncDistribution *distribution = plan->distribution;
	ExprContext *econtext;
	ExprState  *state;
	int16		typlen;
	bool		typbyval;

	if (distribution->pinned == NULL)
		return;
	econtext = CreateStandaloneExprContext();
	state = ExecInitExpr(expression_planner((Expr *) copyObject(distribution->pinned)), NULL);
	distribution->pinned_value = ExecEvalExprSwitchContext(state, econtext,
														   &distribution->pinned_isnull);
	get_typlenbyval(exprType((Node *) distribution->pinned), &typlen, &typbyval);
	if (!distribution->pinned_isnull)
		distribution->pinned_value = datumCopy(distribution->pinned_value, typbyval, typlen);
	FreeExprContext(econtext, true);
}

/*
 * Might the planner find that nothing can be in scope?  Then Citus asks no shard,
 * and fails to give the addresses of no rows.  One comparison contradicts
 * nothing; who combines conditions can do without addresses.
 */
static bool
scope_may_be_impossible(const BulkSyncPlan *plan)
{
	const BulkSyncDistribution *distribution = plan->distribution;
	BulkSyncCondition *condition;
	Const	   *constant;

	if (list_length(plan->scope_conjuncts) + plan->nscope_values + plan->nscope_columns == 0)
		return false;
	if (list_length(plan->scope_conjuncts) + plan->nscope_values + plan->nscope_columns > 1)
		return true;
	if (distribution->pinned != NULL)
		return distribution->pinned_isnull;
	if (plan->nscope_values > 0 || plan->nscope_columns > 0)
		return plan->nscope_columns > 0 || plan->scope_values[0].isnull;

	condition = (BulkSyncCondition *) linitial(plan->scope_conjuncts);
	constant = (Const *) eval_const_expressions(NULL, (Node *) condition->expr);
	if (IsA(constant, Const))
		return constant->constisnull || !DatumGetBool(constant->constvalue);
	for (int i = 0; i < condition->nvars; i++)
	{
		if (condition->vars[i].attno == 0 || condition->vars[i].attno == distribution->attno)
			return true;
	}
	return !IsA(condition->expr, OpExpr);
}

/*-------------------------------------------------------------------------
 * What cannot hold
 *-------------------------------------------------------------------------
 */
static void
check_key(const BulkSyncPlan *plan, const char *column)
{
	const BulkSyncDistribution *distribution = plan->distribution;

	if (!plan->matching || distribution->pinned != NULL ||
		(distribution->column_index >= 0 && plan->columns[distribution->column_index].key))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("the key of distributed table \"%s\" must contain its distribution column \"%s\"",
					RelationGetRelationName(plan->target), column),
			 errdetail("Rows are matched on each shard by itself."),
			 errhint("Add the column to \"key_columns\", or name its one value in \"scope_values\".")));
}

static void
check_distribution_column(const BulkSyncPlan *plan, const char *name)
{
	int			index = plan->distribution->column_index;
	const BulkSyncColumn *column = index >= 0 ? &plan->columns[index] : NULL;

	if (plan->options->insert && (column == NULL || !column->insertable))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("distribution column \"%s\" of relation \"%s\" is neither staged nor supplied",
						name, RelationGetRelationName(plan->target)),
				 errhint("Add the column to \"%s\", or give its value in scope_values.",
						 RelationGetRelationName(plan->staged))));
	if (column != NULL && (column->role == BULK_SYNC_ROLE_TOUCH ||
						   column->role == BULK_SYNC_ROLE_FILL))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" cannot be named in \"%s\"", name,
						bulk_sync_role_argument(column->role)),
				 errdetail("It is the distribution column, which cannot be updated.")));
	if (plan->soft_attno == plan->distribution->attno)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" cannot be the soft-delete column", name),
				 errdetail("It is the distribution column, which cannot be updated.")));
}

/* The columns are known: what do they say about shards? */
void
bulk_sync_plan_distribution(BulkSyncPlan *plan)
{
	BulkSyncDistribution *distribution = plan->distribution;
	Form_pg_attribute attr;
	BulkSyncEquality equality;

	if (distribution == NULL)
		return;
	if (check_enable_rls(RelationGetRelid(plan->target), InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("row-level security is enabled on distributed table \"%s\"",
						RelationGetRelationName(plan->target)),
				 errdetail("What the policies would let through, only the shards know."),
				 errhint("Let a role sync that the policies do not apply to.")));
	if (!plan->options->dry_run && IsolationUsesXactSnapshot() && !distribution->reference)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("distributed table \"%s\" cannot be synced in a %s transaction",
						RelationGetRelationName(plan->target),
						XactIsoLevel == XACT_SERIALIZABLE ? "SERIALIZABLE" : "REPEATABLE READ"),
				 errdetail("Each node has a snapshot of its own, and what changed since cannot be seen."),
				 errhint("Use READ COMMITTED.")));
	if (distribution->attno == InvalidAttrNumber)
		return;

	attr = TupleDescAttr(RelationGetDescr(plan->target), distribution->attno - 1);
	bulk_sync_init_equality(&equality, attr->atttypid, attr->attcollation,
							NameStr(attr->attname));
	distribution->eq_opr = equality.eq_opr;
	distribution->column_index = bulk_sync_find_column(plan, distribution->attno);
	distribution->read_index = plan->read_index[distribution->attno - 1];
	find_pinned_value(plan);
	check_key(plan, NameStr(attr->attname));
	check_distribution_column(plan, NameStr(attr->attname));
}

/* Is the staged table distributed as the target is, by the column of that name? */
bool
bulk_sync_lies_beside_target(const BulkSyncPlan *plan)
{
	const BulkSyncDistribution *distribution = plan->distribution;
	CatalogEntry entry;

	return distribution->column_index >= 0 &&
		plan->columns[distribution->column_index].key &&
		read_catalog(RelationGetRelid(plan->staged), &entry) &&
		entry.method == METHOD_HASH && entry.colocation == distribution->colocation &&
		entry.attno == plan->columns[distribution->column_index].staged_attno;
}

/* The locks are held and all triggers known */
void
bulk_sync_plan_distributed_writing(BulkSyncPlan *plan, const TriggerDesc *triggers)
{
	int			index = plan->distribution->column_index;

	if (!plan->options->dry_run &&
		(triggers->trig_insert_before_row || triggers->trig_update_before_row ||
		 triggers->trig_delete_before_row))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("distributed table \"%s\" has BEFORE triggers",
						RelationGetRelationName(plan->target)),
				 errdetail("A row that they suppress cannot be told from one that somebody else changed."),
				 errhint("Disable them for the sync, or make them AFTER triggers.")));

	if (!plan->options->dry_run && plan->has_rules)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("distributed table \"%s\" has rules",
						RelationGetRelationName(plan->target)),
				 errhint("Disable them for the sync, or make them AFTER triggers.")));

	/* It is always compared: no row can go to another shard */
	if (index >= 0)
		plan->columns[index].unique = true;
	evaluate_pinned_value(plan);
	/* Privileges on columns do not cover those of the system */
	plan->distribution->has_addresses &= !scope_may_be_impossible(plan) &&
		pg_class_aclcheck(RelationGetRelid(plan->target), GetUserId(), ACL_SELECT) == ACLCHECK_OK;
	bulk_sync_plan_unique_indexes(plan);
	bulk_sync_plan_on_shards(plan);
}

/*
 * Takes the lock of the call on the other nodes as well, so that syncs which
 * were started there wait for this one.  Citus does so for LOCK TABLE, which
 * asks for other privileges than the call; who has not got those is alone.
 */
void
bulk_sync_lock_distributed(const BulkSyncOptions *options)
{
	if (!bulk_sync_is_distributed(options->target) || options->lock_mode <= RowExclusiveLock ||
		pg_class_aclmask(options->target, GetUserId(), ACL_UPDATE | ACL_DELETE | ACL_TRUNCATE,
						 ACLMASK_ANY) == ACL_NO_RIGHTS)
		return;
	bulk_sync_run_command(bulk_sync_deparse_lock_table(options->target, options->lock_mode));
}
