/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  From options to a plan: which relations these are, whether they can be
 *	  used, how they are locked, and how the target can be read and written.
 *
 * After this nobody looks in the catalogs.  All that can be refused without
 * reading a row is refused here, in the order that the contract gives.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/relation.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "commands/trigger.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteDefine.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

struct LockViewContext;
static void lock_view(Oid relid, struct LockViewContext *context);

/*-------------------------------------------------------------------------
 * Kinds of relation
 *-------------------------------------------------------------------------
 */
static void
undefined_relation_error(Oid relid, const char *argument)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("relation with OID %u does not exist", relid),
			 errdetail("It was given as argument \"%s\".", argument)));
}

static Relation
open_relation(Oid relid, const char *argument)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);

	if (rel == NULL)
		undefined_relation_error(relid, argument);
	return rel;
}

static void
check_not_other_temp(Relation rel)
{
	if (RELATION_IS_OTHER_TEMP(rel))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot access temporary tables of other sessions")));
}

static void
wrong_kind_error(Relation rel, const char *argument, const char *kinds)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("relation \"%s\" cannot be used as \"%s\"",
					RelationGetRelationName(rel), argument),
			 errdetail_relkind_not_supported(rel->rd_rel->relkind),
			 errhint("Use %s.", kinds)));
}

/* Not even a superuser, and not through a view either */
void
bulk_sync_check_no_catalog(Relation rel)
{
	if (IsSystemRelation(rel) || RelationGetNamespace(rel) == PG_CATALOG_NAMESPACE)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied: \"%s\" is a system catalog",
						RelationGetRelationName(rel))));
}

/* Opens a relation that rows are to be written to */
Relation
bulk_sync_open_target(Oid relid, const char *argument)
{
	Relation	rel = open_relation(relid, argument);

	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_VIEW:
		case RELKIND_FOREIGN_TABLE:
			break;
		default:
			wrong_kind_error(rel, argument,
							 "a table, a partitioned table, a foreign table or a view");
	}
	bulk_sync_check_no_catalog(rel);
	check_not_other_temp(rel);
	return rel;
}

static Relation
open_staged(Oid relid)
{
	Relation	rel = open_relation(relid, "staged");

	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
		case RELKIND_FOREIGN_TABLE:
			break;
		default:
			wrong_kind_error(rel, "staged",
							 "a table, a partitioned table, a foreign table, a view or a materialized view");
	}
	check_not_other_temp(rel);
	return rel;
}

/* A view or a foreign table may not take what the actions need */
static void
check_writable(const BulkSyncPlan *plan)
{
	const BulkSyncOptions *options = plan->options;
	Relation	rel = plan->target;
	bool		soft = options->soft_delete_column != NULL;
	int			events;
	const char *verb;

	if (rel->rd_rel->relkind != RELKIND_VIEW && rel->rd_rel->relkind != RELKIND_FOREIGN_TABLE)
		return;
	events = relation_is_updatable(RelationGetRelid(rel), NIL, true, NULL);
	if (options->insert && (events & (1 << CMD_INSERT)) == 0)
		verb = "insert into";
	else if ((options->update || (soft && options->delete)) && (events & (1 << CMD_UPDATE)) == 0)
		verb = "update";
	else if (options->delete && !soft && (events & (1 << CMD_DELETE)) == 0)
		verb = "delete from";
	else
		return;

	if (rel->rd_rel->relkind == RELKIND_VIEW)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot %s view \"%s\"", verb, RelationGetRelationName(rel)),
				 errhint("Sync the table below it, make the view automatically updatable, or give it INSTEAD OF triggers.")));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot %s foreign table \"%s\"", verb, RelationGetRelationName(rel)),
			 errhint("Leave the action out of \"actions\", or sync the table on its own server.")));
}

/*-------------------------------------------------------------------------
 * How staged rows are read
 *-------------------------------------------------------------------------
 */
static void
plan_staged(BulkSyncPlan *plan)
{
	Relation	staged = plan->staged;
	bool		plain = staged->rd_rel->relkind == RELKIND_RELATION;
	int			position = 0;

	plan->staged_sql = bulk_sync_relation_sql(staged);
	/* Shards are read at the same time, and an empty table stands for them here */
	plain = plain && !bulk_sync_is_distributed(RelationGetRelid(staged));
	plan->staged_ordered = plain;
	if (!plain && plan->options->duplicates != BULK_SYNC_DUPLICATES_ERROR &&
		plan->options->order_column == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the rows of \"%s\" have no order", RelationGetRelationName(staged)),
				 errdetail("Which duplicate is first or last is only known for a plain table."),
				 errhint("Name a column in \"order_column\" that ranks duplicates.")));

	/* A scan of ours gives the rows in the order of COPY, without a plan */
	plan->staged_scan = plain &&
		!has_subclass(RelationGetRelid(staged)) &&
		check_enable_rls(RelationGetRelid(staged), InvalidOid, true) != RLS_ENABLED &&
		!bulk_sync_has_virtual_columns(RelationGetDescr(staged));

	for (int i = 0; i < plan->ncolumns; i++)
	{
		BulkSyncColumn *column = &plan->columns[i];

		if (column->staged_attno == InvalidAttrNumber)
			continue;
		column->raw_attno = plan->staged_scan ? column->staged_attno : ++position;
	}
}

/*-------------------------------------------------------------------------
 * Locks
 *-------------------------------------------------------------------------
 */

typedef struct LockViewContext
{
	LOCKMODE	mode;
	List	   *views;			/* being walked: a view's OLD and NEW are itself */
	Oid			userid;			/* whose rights count below the innermost of them */
} LockViewContext;

/* May a user write anything to a relation? */
static bool
may_write(Oid relid, Oid userid)
{
	return pg_class_aclmask(relid, userid, ACL_INSERT | ACL_UPDATE | ACL_DELETE | ACL_TRUNCATE,
							ACLMASK_ANY) != ACL_NO_RIGHTS ||
		pg_attribute_aclcheck_all(relid, userid, ACL_INSERT, ACLMASK_ANY) == ACLCHECK_OK ||
		pg_attribute_aclcheck_all(relid, userid, ACL_UPDATE, ACLMASK_ANY) == ACLCHECK_OK;
}

/*
 * Locks the relations that a view reads, as LOCK TABLE does, but for those that
 * nobody could write through it: anybody can make a view of anything, and give
 * it an INSTEAD OF trigger.
 */
static bool
lock_view_walker(Node *node, void *arg)
{
	LockViewContext *context = (LockViewContext *) arg;
	ListCell   *lc;

	if (node == NULL)
		return false;
	if (!IsA(node, Query))
		return expression_tree_walker(node, lock_view_walker, context);

	foreach(lc, ((Query *) node)->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind != RTE_RELATION || list_member_oid(context->views, rte->relid) ||
			!may_write(rte->relid, context->userid))
			continue;
		if (rte->relkind == RELKIND_RELATION || rte->relkind == RELKIND_PARTITIONED_TABLE)
		{
			LockRelationOid(rte->relid, context->mode);
			(void) find_all_inheritors(rte->relid, context->mode, NULL);
		}
		else if (rte->relkind == RELKIND_VIEW)
			lock_view(rte->relid, context);
	}
	return query_tree_walker((Query *) node, lock_view_walker, context,
							 QTW_IGNORE_JOINALIASES);
}

static void
lock_view(Oid relid, LockViewContext *context)
{
	Oid			userid = context->userid;
	Relation	view;

	LockRelationOid(relid, context->mode);
	view = try_relation_open(relid, NoLock);
	if (view == NULL)
		return;
	context->views = lappend_oid(context->views, relid);
	context->userid = RelationHasSecurityInvoker(view) ? GetUserId() : view->rd_rel->relowner;
	(void) lock_view_walker((Node *) get_view_query(view), context);
	context->userid = userid;
	context->views = list_delete_last(context->views);
	relation_close(view, NoLock);
}

/*
 * Takes the lock of the call on the target and all its children.  No lock on
 * the target may be held by us: two calls that both held a weak one while
 * they wait for a strong one would deadlock.
 */
static void
lock_target(const BulkSyncOptions *options)
{
	LockViewContext context = {options->lock_mode, NIL, GetUserId()};

	bulk_sync_lock_distributed(options);
	LockRelationOid(options->target, options->lock_mode);
	/* It may have been dropped while we waited */
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(options->target)))
		undefined_relation_error(options->target, "target");
	if (get_rel_relkind(options->target) == RELKIND_VIEW)
		lock_view(options->target, &context);
	else
		(void) find_all_inheritors(options->target, options->lock_mode, NULL);
}

/*-------------------------------------------------------------------------
 * How the target can be written
 *-------------------------------------------------------------------------
 */
static void
merge_trigger_flags(TriggerDesc *all, const TriggerDesc *triggers)
{
	if (triggers == NULL)
		return;
	all->trig_insert_before_row |= triggers->trig_insert_before_row |
		triggers->trig_insert_instead_row;
	all->trig_update_before_row |= triggers->trig_update_before_row |
		triggers->trig_update_instead_row;
	all->trig_delete_before_row |= triggers->trig_delete_before_row;
	all->trig_update_before_statement |= triggers->trig_update_before_statement;
	all->trig_delete_before_statement |= triggers->trig_delete_before_statement;
}

/* Does a rule take effect in this session? */
static bool
rule_is_enabled(const RewriteRule *rule)
{
	if (rule->event == CMD_SELECT || rule->enabled == RULE_DISABLED)
		return false;
	if (SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA)
		return rule->enabled != RULE_FIRES_ON_ORIGIN;
	return rule->enabled != RULE_FIRES_ON_REPLICA;
}

static void
plan_rules(BulkSyncPlan *plan)
{
	RuleLock   *rules = plan->target->rd_rules;

	for (int i = 0; rules != NULL && i < rules->numLocks; i++)
	{
		if (!rule_is_enabled(rules->rules[i]))
			continue;
		plan->has_rules = true;
		if (!rules->rules[i]->isInstead)
			continue;
		bulk_sync_check_rule_returns(plan, rules->rules[i]);
		plan->instead_rules = true;
		plan->instead_of_insert |= rules->rules[i]->event == CMD_INSERT;
		plan->instead_of_update |= rules->rules[i]->event == CMD_UPDATE;
	}
}

/* Does an inserted row get this column from us? */
static bool
column_is_inserted(const BulkSyncPlan *plan, AttrNumber attno)
{
	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (plan->columns[i].target_attno == attno)
			return plan->columns[i].insertable && !plan->columns[i].assigned;
	}
	return false;
}

/*
 * Which rows must be checked against the scope once more when they have been
 * written, because only defaults, generated columns or triggers decide?
 */
static void
plan_scope_checks(BulkSyncPlan *plan, const TriggerDesc *triggers)
{
	bool		undecided_insert = false;
	bool		undecided_update = false;

	if (plan->scope == NULL && plan->nscope_values == 0 && plan->nscope_columns == 0)
		return;
	for (int i = 0; plan->scope != NULL && i < plan->scope->nvars; i++)
	{
		AttrNumber	attno = plan->scope->vars[i].attno;

		undecided_insert |= attno == 0 || !column_is_inserted(plan, attno);
		undecided_update |= attno == 0 || bulk_sync_column_is_generated(plan, attno);
	}
	for (int i = 0; i < plan->nscope_values; i++)
	{
		undecided_insert |= !column_is_inserted(plan, plan->scope_values[i].target_attno);
		undecided_update |= bulk_sync_column_is_generated(plan, plan->scope_values[i].target_attno);
	}
	for (int i = 0; i < plan->nscope_columns; i++)
	{
		undecided_insert |= !column_is_inserted(plan, plan->scope_columns[i].target_attno);
		undecided_update |= bulk_sync_column_is_generated(plan, plan->scope_columns[i].target_attno);
	}
	plan->check_insert_scope = undecided_insert || triggers->trig_insert_before_row;
	plan->check_update_scope = undecided_update || triggers->trig_update_before_row ||
		(plan->target->rd_rel->relkind == RELKIND_PARTITIONED_TABLE &&
		 triggers->trig_insert_before_row);

	/* What a trigger did to a row before its turn, this file cannot know */
	plan->check_update_scope |= plan->row_at_a_time || plan->has_rules;
}

/*
 * Might the caller get to know more of an inserted row, and of what defaults
 * and triggers made of it, than that it is outside the scope?  Then, where he
 * may be forbidden to read it, it is for PostgreSQL to say so, as of INSERT ...
 * RETURNING.  Below a view there may be policies, and rights of somebody else.
 */
static bool
caller_sees_inserts(const BulkSyncPlan *plan)
{
	if (plan->target->rd_rel->relkind == RELKIND_VIEW)
		return plan->options->purpose == BULK_SYNC_RETURN ||
			(plan->check_insert_scope &&
			 ((plan->scope != NULL && plan->scope->nvars > 0) ||
			  plan->nscope_values > 0 || plan->nscope_columns > 0));

	/* Rows that are returned are read again: see written.c */
	return plan->row_security && plan->check_insert_scope &&
		plan->scope != NULL && plan->scope->leaky;
}

/* Is it known of every inserted row that its key is the one that was staged? */
static bool
inserts_keep_keys(const BulkSyncPlan *plan)
{
	for (int i = 0; i < plan->nkeys; i++)
	{
		if (!column_is_inserted(plan, plan->columns[i].target_attno))
			return false;
	}
	return !plan->insert_may_change;
}

/*
 * Which columns may foreign keys refer to?  An UPDATE that changes one of them
 * takes a stronger lock on the row, for which it waits until no new child row
 * holds its parent.
 */
static void
plan_unique_columns(BulkSyncPlan *plan)
{
	Bitmapset  *key_attnos = RelationGetIndexAttrBitmap(plan->target, INDEX_ATTR_BITMAP_KEY);

	for (int i = 0; i < plan->ncolumns; i++)
		plan->columns[i].unique = bulk_sync_column_is_set(plan, i, NULL) &&
			bms_is_member(plan->columns[i].target_attno - FirstLowInvalidHeapAttributeNumber,
						  key_attnos);
	bms_free(key_attnos);
}

/*
 * Without addresses, rows are locked by SELECT ... FOR UPDATE.  That works for
 * a view that PostgreSQL can update by itself, and for a caller who may do so;
 * a foreign server has its own ways.
 */
static bool
can_lock_by_key(const BulkSyncPlan *plan)
{
	Relation	rel = plan->target;

	return rel->rd_rel->relkind == RELKIND_VIEW && plan->options->update &&
		(relation_is_updatable(RelationGetRelid(rel), NIL, false, NULL) & (1 << CMD_UPDATE)) != 0 &&
		!plan->instead_of_update &&
		!(rel->trigdesc != NULL && rel->trigdesc->trig_update_instead_row);
}

/* Is all of the target in scope, so that its tables can simply be scanned? */
static bool
can_scan(const BulkSyncPlan *plan)
{
	bool		whole = plan->scope == NULL || bulk_sync_condition_is_constant(plan->scope);
	bool		fixed = plan->single_table || plan->options->dry_run ||
		plan->options->lock_mode > RowExclusiveLock;

	/* Partitions may come and go from look to look, if the lock allows it */
	return whole && fixed && plan->nscope_values == 0 && plan->nscope_columns == 0 &&
		!plan->address_by_key && plan->foreign == NIL && !plan->row_security &&
		plan->history_attno == InvalidAttrNumber && !bulk_sync_reads_virtual(plan);
}

/*
 * In which order are new rows inserted?  In that of staging, so that generated
 * ids follow it; where several syncs may run at once, in the order of the key,
 * so that two that insert the same keys wait for each other and do not
 * deadlock.
 */
static bool
inserts_by_key(const BulkSyncPlan *plan)
{
	if (plan->options->lock_mode != RowExclusiveLock || plan->nkeys == 0)
		return false;
	for (int i = 0; i < plan->nkeys; i++)
	{
		if (!OidIsValid(plan->key[i].lt_opr))
			return false;
	}
	return true;
}

/* Looks at the whole tree of the target, which is locked by now */
static void
plan_writing(BulkSyncPlan *plan)
{
	const BulkSyncOptions *options = plan->options;
	char		relkind = plan->target->rd_rel->relkind;
	TriggerDesc triggers;
	bool		only_checks = true;
	ListCell   *lc;

	memset(&triggers, 0, sizeof(triggers));
	plan_rules(plan);
	plan->row_security = check_enable_rls(RelationGetRelid(plan->target), InvalidOid, true) ==
		RLS_ENABLED;
	if (relkind == RELKIND_VIEW)
	{
		merge_trigger_flags(&triggers, plan->target->trigdesc);
		/* The triggers of the tables below it are not looked for */
		triggers.trig_insert_before_row = triggers.trig_update_before_row = true;
		plan->tree = list_make1_oid(RelationGetRelid(plan->target));
	}
	else
		plan->tree = find_all_inheritors(RelationGetRelid(plan->target),
										 options->dry_run ? AccessShareLock : NoLock, NULL);

	foreach(lc, plan->tree)
	{
		Relation	rel = relation_open(lfirst_oid(lc), NoLock);

		merge_trigger_flags(&triggers, rel->trigdesc);
		only_checks = only_checks && bulk_sync_triggers_only_check(rel->trigdesc);
		if (rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
			plan->foreign = lappend_oid(plan->foreign, RelationGetRelid(rel));
		if (rel->rd_rel->relkind == RELKIND_RELATION)
			check_not_other_temp(rel);
		relation_close(rel, NoLock);
	}
	plan->single_table = relkind == RELKIND_RELATION && list_length(plan->tree) == 1;
	plan->remote = bulk_sync_plan_remote(plan, &triggers, only_checks);
	plan->address_by_key = relkind == RELKIND_VIEW || plan->distribution != NULL ||
		(plan->foreign != NIL && !plan->remote);

	/*
	 * What other transactions did to a planned row is found out by locking it
	 * before anything is written.  That needs no doing where nobody else can
	 * write.
	 */
	plan->lock_rows = !options->dry_run &&
		options->lock_mode < ShareRowExclusiveLock &&
		plan->target->rd_rel->relpersistence != RELPERSISTENCE_TEMP &&
		(!plan->address_by_key || can_lock_by_key(plan));
	plan_unique_columns(plan);
	if (plan->distribution != NULL)
		bulk_sync_plan_distributed_writing(plan, &triggers);

	/*
	 * A BEFORE trigger may change rows that are planned for this phase or a
	 * later one.  Written one by one, each is found in its new version.  An
	 * update that moves a row between partitions fires all kinds of triggers.
	 */
	plan->row_at_a_time = !plan->address_by_key &&
		(triggers.trig_update_before_row || triggers.trig_update_before_statement ||
		 triggers.trig_delete_before_row || triggers.trig_delete_before_statement ||
		 (relkind == RELKIND_PARTITIONED_TABLE && triggers.trig_insert_before_row));
	plan->move_chased = plan->row_at_a_time && relkind == RELKIND_PARTITIONED_TABLE;

	plan->target_scan = can_scan(plan);
	plan->insert_by_key = inserts_by_key(plan);
	plan->insert_may_skip = triggers.trig_insert_before_row || options->ignore_conflicts ||
		plan->foreign != NIL || plan->instead_of_insert;
	plan->insert_may_change = plan->insert_may_skip;

	/* Whoever may change a row that is already written; or decides who sees it */
	plan->read_again = options->purpose == BULK_SYNC_RETURN &&
		(relkind == RELKIND_VIEW ||
		 (!plan->address_by_key && !plan->instead_rules &&
		  (plan->has_rules || plan->row_security || !only_checks)));
	bulk_sync_plan_lookup(plan);
	plan_scope_checks(plan, &triggers);
	plan->inserts_unseen = !caller_sees_inserts(plan);
	plan->insert_keys_hidden = plan->row_security && plan->inserts_unseen &&
		!inserts_keep_keys(plan);
	bulk_sync_plan_direct(plan, only_checks);
}

/*-------------------------------------------------------------------------
 * The plan
 *-------------------------------------------------------------------------
 */
static BulkSyncPlan *
resolve(const BulkSyncOptions *options)
{
	BulkSyncPlan *plan = palloc0(sizeof(BulkSyncPlan));

	plan->options = options;
	plan->context = CurrentMemoryContext;
	plan->target = bulk_sync_open_target(options->target, "target");
	plan->staged = open_staged(options->staged);
	check_writable(plan);
	plan->distribution = bulk_sync_find_distribution(options, plan->target);
	plan->target_name = makeRangeVar(get_namespace_name(RelationGetNamespace(plan->target)),
									 pstrdup(RelationGetRelationName(plan->target)), -1);
	plan->target_sql = bulk_sync_relation_sql(plan->target);
	bulk_sync_plan_columns(plan);
	bulk_sync_plan_distribution(plan);
	plan_staged(plan);
	bulk_sync_check_privileges(plan);
	bulk_sync_prepare_conditions(plan);
	return plan;
}

/*
 * Makes the plan of a call, in the current memory context, and takes its
 * locks.  The relations stay open; they are closed by bulk_sync_close_plan().
 *
 * The catalogs are read twice.  What can be refused is refused before the
 * lock, under nothing stronger than ACCESS SHARE; and what the catalogs say
 * counts only once the lock is held.
 */
BulkSyncPlan *
bulk_sync_make_plan(const BulkSyncOptions *options)
{
	BulkSyncPlan *plan;
	MemoryContext context;
	MemoryContext oldcontext;

	if (!options->dry_run)
	{
		context = AllocSetContextCreate(CurrentMemoryContext, "bulk_sync first plan",
										ALLOCSET_DEFAULT_SIZES);
		oldcontext = MemoryContextSwitchTo(context);
		plan = resolve(options);

		PreventCommandIfReadOnly(options->function);
		PreventCommandIfParallelMode(options->function);

		relation_close(plan->staged, AccessShareLock);
		relation_close(plan->target, AccessShareLock);
		MemoryContextSwitchTo(oldcontext);
		MemoryContextDelete(context);

		lock_target(options);
	}
	plan = resolve(options);
	plan_writing(plan);
	return plan;
}

void
bulk_sync_close_plan(BulkSyncPlan *plan)
{
	relation_close(plan->staged, NoLock);
	relation_close(plan->target, NoLock);
}
