/*-------------------------------------------------------------------------
 *
 * statement.c
 *	  Plans and runs one generated SQL statement.
 *
 * SPI would do most of this, but not all: the rows come to a receiver of ours
 * one by one, under a snapshot that we choose; AFTER triggers are left to the
 * caller; the source can be an ephemeral named relation that changes between
 * two runs of one plan; and system columns of the target need no privilege.
 *
 * What the statements say is in deparse.c.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/sysattr.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/analyze.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "rewrite/rowsecurity.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* A receiver that hands every row to a function */
typedef struct RowReceiver
{
	DestReceiver pub;
	BulkSyncRowCallback callback;
	void	   *arg;
} RowReceiver;

static bool
receiver_receive(TupleTableSlot *slot, DestReceiver *self)
{
	RowReceiver *receiver = (RowReceiver *) self;

	slot_getallattrs(slot);
	receiver->callback(slot, receiver->arg);
	return true;
}

static void
receiver_startup(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	(void) self;
	(void) operation;
	(void) typeinfo;
}

static void
receiver_shutdown(DestReceiver *self)
{
	(void) self;
}

/*
 * A caller with privileges on columns only may not select ctid, tableoid or
 * xmin, although we need nothing but the address of the row.  Privileges on
 * all that is really read were checked by plan.c, so the system columns of
 * the relation are taken out of what the executor checks.
 */
static void
forgive_system_columns(Query *query, Oid relid)
{
	ListCell   *lc;

	foreach(lc, query->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);
		Bitmapset **columns;

		if (rte->rtekind != RTE_RELATION || rte->relid != relid)
			continue;
		columns = bulk_sync_selected_cols(query, rte);
		for (AttrNumber attno = FirstLowInvalidHeapAttributeNumber + 1; attno < 0; attno++)
			*columns = bms_del_member(*columns, attno - FirstLowInvalidHeapAttributeNumber);
	}
}

/*
 * A statement names its relation, and whoever owns the schema can give that
 * name to another one meanwhile: privileges were checked, and locks taken, for
 * the one that was named in the call.
 */
static void
replaced_error(Relation expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("relation \"%s\" was replaced while it was being synced",
					RelationGetRelationName(expected)),
			 errdetail("Its name now belongs to another relation.")));
}

static void
check_relation(Query *query, const char *alias, Relation expected)
{
	ListCell   *lc;

	foreach(lc, query->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind == RTE_RELATION && rte->alias != NULL &&
			strcmp(rte->alias->aliasname, alias) == 0 &&
			rte->relid != RelationGetRelid(expected))
			replaced_error(expected);
	}
}

/* The same before rows are written without a statement, which would name it */
void
bulk_sync_check_target_name(const BulkSyncPlan *plan)
{
	if (RangeVarGetRelid(plan->target_name, NoLock, true) != RelationGetRelid(plan->target))
		replaced_error(plan->target);
}

/*
 * What an INSERT returns to us is seen by nobody else: it must not make the
 * new row subject to the policies for reading, which a plain INSERT is not.
 */
static void
forgive_returning(Query *query)
{
	RangeTblEntry *rte = rt_fetch(query->resultRelation, query->rtable);

	*bulk_sync_required_perms(query, rte) &= ~ACL_SELECT;
}

/*
 * Who names a partitioned table needs no privileges on its partitions.  Those on
 * the target were checked by privileges.c, and again as the phase began.
 */
static void
forgive_partition(Query *query, Oid relid)
{
	ListCell   *lc;

	foreach(lc, query->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind == RTE_RELATION && rte->relid == relid)
			*bulk_sync_required_perms(query, rte) = 0;
	}
}

/*
 * The values were brought to the type modifiers of their columns when they were
 * staged.  To do it again would keep a foreign server from evaluating them.
 */
static void
strip_length_coercions(Query *query)
{
	ListCell   *lc;

	foreach(lc, query->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);
		Node	   *value = NULL;

		if (IsA(entry->expr, FuncExpr) &&
			((FuncExpr *) entry->expr)->funcformat == COERCE_IMPLICIT_CAST)
			value = linitial(((FuncExpr *) entry->expr)->args);
		else if (IsA(entry->expr, ArrayCoerceExpr))
			value = (Node *) ((ArrayCoerceExpr *) entry->expr)->arg;
		if (value != NULL && exprType(value) == exprType((Node *) entry->expr))
			entry->expr = (Expr *) value;
	}
}

/* NULL staged in a column that assigns values: take the column's default */
static void
coalesce_with_defaults(Query *query, Relation target, Bitmapset *attnos)
{
	ListCell   *lc;

	foreach(lc, query->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);
		CoalesceExpr *coalesce;
		Node	   *value;

		if (entry->resjunk || !bms_is_member(entry->resno, attnos))
			continue;
		value = build_column_default(target, entry->resno);
		if (value == NULL)
			continue;
		coalesce = makeNode(CoalesceExpr);
		coalesce->coalescetype = exprType((Node *) entry->expr);
		coalesce->coalescecollid = exprCollation((Node *) entry->expr);
		coalesce->args = list_make2(entry->expr, value);
		coalesce->location = -1;
		entry->expr = (Expr *) coalesce;
	}
}

/* Analyzes a statement in which "alias" must be that relation (none if NULL) */
static Query *
analyze_statement(const char *sql, const Oid *param_types, int nparams, QueryEnvironment *env,
				  const char *alias, Relation relation)
{
	List	   *parsed = pg_parse_query(sql);
	Query	   *query;

	Assert(list_length(parsed) == 1);
	query = parse_analyze_fixedparams(linitial_node(RawStmt, parsed), sql,
									  param_types, nparams, env);
	if (relation != NULL)
		check_relation(query, alias, relation);
	return query;
}

/*
 * Plans a rewritten query.  one_by_one says that it is to fetch one row after the
 * other: rows of the difference by their tid, which writes in that order, needs
 * no memory and no statistics, and never reads the whole table; or rows with a
 * staged key by an index, to learn what that would cost.
 */
static PlannedStmt *
plan_query(Query *query, const char *sql, ParamListInfo params, bool one_by_one)
{
	PlannedStmt *planned;
	int			nestlevel;

	if (query->commandType == CMD_UTILITY)
	{
		planned = makeNode(PlannedStmt);
		planned->commandType = CMD_UTILITY;
		planned->canSetTag = query->canSetTag;
		planned->utilityStmt = query->utilityStmt;
		planned->stmt_location = query->stmt_location;
		planned->stmt_len = query->stmt_len;
		return planned;
	}

	if (!one_by_one)
		return pg_plan_query(query, sql, 0, params);

	nestlevel = NewGUCNestLevel();
	(void) set_config_option("enable_hashjoin", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("enable_mergejoin", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("enable_nestloop", "on", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("enable_tidscan", "on", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	planned = pg_plan_query(query, sql, 0, params);
	AtEOXact_GUC(true, nestlevel);
	return planned;
}

/* Rewrites an analyzed query and plans all that comes of it; see plan_query() */
static BulkSyncStatement *
plan_statement(Query *query, const char *sql, QueryEnvironment *env, ParamListInfo params,
			   bool one_by_one)
{
	BulkSyncStatement *statement = palloc0(sizeof(BulkSyncStatement));
	ListCell   *lc;

	statement->sql = sql;
	statement->env = env;
	foreach(lc, pg_rewrite_query(query))
		statement->stmts = lappend(statement->stmts,
								   plan_query(lfirst_node(Query, lc), sql, params, one_by_one));
	return statement;
}

/*
 * Plans a statement.  The result lives in the current memory context.
 *
 *	target		relation whose system columns may be read (or NULL)
 *	assigned	attribute numbers whose NULLs an INSERT replaces by defaults
 *	flags		BULK_SYNC_BY_ADDRESS, BULK_SYNC_UNSEEN and so on
 */
BulkSyncStatement *
bulk_sync_prepare(const char *sql, const Oid *param_types, int nparams,
				  QueryEnvironment *env, Relation target, Bitmapset *assigned, int flags)
{
	Query	   *query = analyze_statement(sql, param_types, nparams, env,
										  BULK_SYNC_TARGET_ALIAS, target);

	if (target != NULL)
	{
		forgive_system_columns(query, RelationGetRelid(target));
		if (query->commandType == CMD_INSERT && (flags & BULK_SYNC_UNSEEN) != 0)
			forgive_returning(query);
		if ((flags & BULK_SYNC_OF_TREE) != 0)
			forgive_partition(query, RelationGetRelid(target));
		if (query->commandType == CMD_UPDATE && (flags & BULK_SYNC_AS_STORED) != 0)
			strip_length_coercions(query);
		if (!bms_is_empty(assigned))
			coalesce_with_defaults(query, target, assigned);
	}
	return plan_statement(query, sql, env, NULL, (flags & BULK_SYNC_BY_ADDRESS) != 0);
}

/*
 * Plans a query whose parameters are known, so that statistics can be used.
 * by_lookup says that it is to look for each row of the environment.
 */
BulkSyncStatement *
bulk_sync_prepare_read(const char *sql, const Oid *param_types, int nparams,
					   QueryEnvironment *env, Relation target, ParamListInfo params,
					   bool by_lookup)
{
	Query	   *query = analyze_statement(sql, param_types, nparams, env,
										  BULK_SYNC_TARGET_ALIAS, target);

	forgive_system_columns(query, RelationGetRelid(target));
	return plan_statement(query, sql, env, params, by_lookup);
}

/* Plans the query that reads the staged rows */
BulkSyncStatement *
bulk_sync_prepare_staged(const char *sql, Relation staged)
{
	Query	   *query = analyze_statement(sql, NULL, 0, NULL, BULK_SYNC_STAGED_ALIAS, staged);

	return plan_statement(query, sql, NULL, NULL, false);
}

/* The same for a query tree made from the caller's expression */
BulkSyncStatement *
bulk_sync_prepare_query(Query *query, const char *sql)
{
	BulkSyncStatement *statement;

	AcquireRewriteLocks(query, true, false);
	statement = plan_statement(query, sql, NULL, NULL, false);
	Assert(list_length(statement->stmts) == 1);
	return statement;
}

/* Checks all privileges that a statement needs, without running it */
void
bulk_sync_check_statement(BulkSyncStatement *statement)
{
	QueryDesc  *query_desc;

	query_desc = CreateQueryDesc(linitial_node(PlannedStmt, statement->stmts), statement->sql,
								 GetActiveSnapshot(), InvalidSnapshot, None_Receiver, NULL,
								 statement->env, 0);
	ExecutorStart(query_desc, EXEC_FLAG_EXPLAIN_ONLY);
	ExecutorEnd(query_desc);
	FreeQueryDesc(query_desc);
}

/*
 * Plans a query over planned rows that gives those which the policies let the
 * caller update or delete.  The query joins nothing but addresses: there is
 * no expression of the caller that a policy would have to come before.
 */
BulkSyncStatement *
bulk_sync_prepare_writable(const char *sql, QueryEnvironment *env, Relation target,
						   CmdType command)
{
	Query	   *query = analyze_statement(sql, NULL, 0, env, BULK_SYNC_TARGET_ALIAS, target);
	BulkSyncStatement *statement;
	List	   *quals;
	List	   *check_options;
	bool		row_security;
	bool		sublinks;

	forgive_system_columns(query, RelationGetRelid(target));

	/* The policies of a command are those of its result relation */
	query->commandType = command;
	query->resultRelation = 1;
	get_row_security_policies(query, rt_fetch(1, query->rtable), 1, &quals, &check_options,
							  &row_security, &sublinks);
	query->commandType = CMD_SELECT;
	query->resultRelation = 0;
	query->jointree->quals = make_and_qual(query->jointree->quals,
										   (Node *) make_ands_explicit(quals));
	query->hasSubLinks |= sublinks;
	query->hasRowSecurity |= row_security;

	/* The parser locked what it read, and knows nothing of what the policies read */
	AcquireRewriteLocks(query, true, false);
	statement = plan_statement(query, sql, env, NULL, false);
	Assert(list_length(statement->stmts) == 1);
	return statement;
}

/* OID of the relation that a statement says it writes to */
static Oid
written_relation(const PlannedStmt *planned)
{
	ModifyTable *node = (ModifyTable *) planned->planTree;
	Index		rti;

	if (node == NULL || !IsA(node, ModifyTable))
		return InvalidOid;
	rti = node->rootRelation > 0 ? node->rootRelation : linitial_int(node->resultRelations);
	return rt_fetch(rti, planned->rtable)->relid;
}

/* A rule may have put something else in the place of what we asked for */
static bool
statement_counts(const BulkSyncStatement *statement, const PlannedStmt *planned)
{
	return !OidIsValid(statement->counted_relid) ||
		statement->counted_relid == written_relation(planned);
}

/*
 * Runs a statement under the active snapshot, each result row being given to
 * the callback.  Returns the number of rows that the statement (not a rule's
 * addition to it) processed.
 *
 * With skip_triggers, AFTER triggers stay queued at the caller's query level.
 */
uint64
bulk_sync_run(BulkSyncStatement *statement, ParamListInfo params, bool skip_triggers,
			  BulkSyncRowCallback callback, void *arg)
{
	RowReceiver receiver;
	uint64		processed = 0;
	ListCell   *lc;

	memset(&receiver, 0, sizeof(receiver));
	receiver.pub.receiveSlot = receiver_receive;
	receiver.pub.rStartup = receiver_startup;
	receiver.pub.rShutdown = receiver_shutdown;
	receiver.pub.rDestroy = receiver_shutdown;
	receiver.pub.mydest = DestNone;
	receiver.callback = callback;
	receiver.arg = arg;

	/* Citus takes an empty list for none, and looks into it all the same */
	if (params != NULL && params->numParams == 0)
		params = NULL;

	foreach(lc, statement->stmts)
	{
		PlannedStmt *planned = lfirst_node(PlannedStmt, lc);
		QueryDesc  *query_desc;
		DestReceiver *dest = None_Receiver;

		CHECK_FOR_INTERRUPTS();

		/* What a rule adds sees what the statements before it did */
		if (foreach_current_index(lc) > 0)
		{
			CommandCounterIncrement();
			UpdateActiveSnapshotCommandId();
		}

		if (planned->commandType == CMD_UTILITY)
		{
			ProcessUtility(planned, statement->sql, true, PROCESS_UTILITY_QUERY,
						   params, statement->env, None_Receiver, NULL);
			continue;
		}

		if (callback != NULL && planned->canSetTag)
			dest = &receiver.pub;
		query_desc = CreateQueryDesc(planned, statement->sql, GetActiveSnapshot(),
									 InvalidSnapshot, dest, params, statement->env, 0);
		ExecutorStart(query_desc, skip_triggers ? EXEC_FLAG_SKIP_TRIGGERS : 0);
		bulk_sync_executor_run(query_desc);
		if (planned->canSetTag && statement_counts(statement, planned))
			processed = query_desc->estate->es_processed;
		ExecutorFinish(query_desc);
		ExecutorEnd(query_desc);
		FreeQueryDesc(query_desc);
	}
	return processed;
}

typedef struct ValuesContext
{
	int			nvalues;
	const Oid  *types;
	const Datum *values;
} ValuesContext;

static Node *
put_values(Node *node, void *arg)
{
	ValuesContext *context = (ValuesContext *) arg;

	if (node == NULL)
		return NULL;
	if (IsA(node, Query))
		return (Node *) query_tree_mutator((Query *) node, put_values, context, 0);
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXTERN)
	{
		int			index = ((Param *) node)->paramid - 1;
		int16		typlen;
		bool		typbyval;

		Assert(index < context->nvalues);
		get_typlenbyval(context->types[index], &typlen, &typbyval);
		return (Node *) makeConst(context->types[index], -1,
								  get_typcollation(context->types[index]), typlen,
								  context->values[index], false, typbyval);
	}
	return expression_tree_mutator(node, put_values, context);
}

static void
set_for_statement(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
}

/*
 * Citus writes names of pg_catalog without their schema into what it has the
 * shards do, and reads that here for those on this node: there the first schema
 * of the search path would decide.  Everything else stays in its order.
 *
 * It writes strings as this session would read them, and other nodes read them
 * in the standard way: a backslash would be doubled.
 */
static void
set_as_shards_read(void)
{
	set_for_statement("search_path",
					  psprintf("pg_catalog, %s", namespace_search_path[0] == '\0' ?
							   "\"\"" : namespace_search_path));
	set_for_statement("standard_conforming_strings", "on");
}

/*
 * Runs a statement on a distributed table; see bulk_sync_run().  The target is
 * NULL in statements that do not name it so.  The values of parameters become
 * part of the statement: Citus would send them to the shards, where a record has
 * no type, and looks for the shards that it is about before it runs.
 */
uint64
bulk_sync_run_with_values(const char *sql, int nvalues, const Oid *types, const Datum *values,
						  Relation target, BulkSyncRowCallback callback, void *arg)
{
	ValuesContext context = {nvalues, types, values};
	Query	   *query = analyze_statement(sql, types, nvalues, NULL, BULK_SYNC_TARGET_ALIAS,
										  target);
	int			nestlevel = NewGUCNestLevel();
	uint64		processed;

	set_as_shards_read();
	query = query_tree_mutator(query, put_values, &context, 0);
	processed = bulk_sync_run(plan_statement(query, sql, NULL, NULL, false), NULL, false,
							  callback, arg);
	AtEOXact_GUC(true, nestlevel);
	return processed;
}

/* The same under a snapshot of its own, which sees what was written so far */
uint64
bulk_sync_run_afresh(const char *sql, int nvalues, const Oid *types, const Datum *values,
					 Relation target, BulkSyncRowCallback callback, void *arg)
{
	uint64		processed;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	processed = bulk_sync_run_with_values(sql, nvalues, types, values, target, callback, arg);
	PopActiveSnapshot();
	return processed;
}

/*
 * Runs a statement that inserts, if Citus hands it on to the shards as a whole,
 * and says so.  Else it would read the rows first, and its parts might see
 * different ones.  What it is going to do is known by the name of its plan.
 */
bool
bulk_sync_run_handed_on(const char *sql)
{
	int			nestlevel = NewGUCNestLevel();
	BulkSyncStatement *statement;
	bool		handed_on = true;
	ListCell   *lc;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	set_as_shards_read();
	statement = plan_statement(analyze_statement(sql, NULL, 0, NULL, NULL, NULL), sql, NULL, NULL,
							   false);
	foreach(lc, statement->stmts)
	{
		CustomScan *scan = (CustomScan *) lfirst_node(PlannedStmt, lc)->planTree;

		handed_on = handed_on && IsA(scan, CustomScan) &&
			strcmp(scan->methods->CustomName, "Citus Adaptive") == 0;
	}
	if (handed_on)
		bulk_sync_run(statement, NULL, false, NULL, NULL);
	AtEOXact_GUC(true, nestlevel);
	PopActiveSnapshot();
	return handed_on;
}

/* An environment in which "name" is the rows of a tuplestore */
QueryEnvironment *
bulk_sync_row_environment(const char *name, TupleDesc desc, Tuplestorestate *store, int64 rows)
{
	QueryEnvironment *env = create_queryEnv();
	EphemeralNamedRelation enr = palloc0(sizeof(EphemeralNamedRelationData));

	enr->md.name = pstrdup(name);
	enr->md.reliddesc = InvalidOid;
	enr->md.tupdesc = desc;
	enr->md.enrtype = ENR_NAMED_TUPLESTORE;
	enr->md.enrtuples = (double) rows;
	enr->reldata = store;
	register_ENR(env, enr);
	return env;
}
