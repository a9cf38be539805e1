/*-------------------------------------------------------------------------
 *
 * privileges.c
 *	  Which privileges a call needs: they follow from its arguments and never
 *	  from the rows.
 *
 * The executor checks again what the generated statements do, but only when
 * there is something to do; a feed that happens to delete nothing must not
 * hide that the caller may not delete.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/relation.h"
#include "catalog/objectaddress.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

/* Is a view written by something else than its own definition? */
static bool
view_has_instead_trigger_or_rule(Relation view, CmdType command)
{
	TriggerDesc *triggers = view->trigdesc;
	RuleLock   *rules = view->rd_rules;

	if (triggers != NULL &&
		((command == CMD_INSERT && triggers->trig_insert_instead_row) ||
		 (command == CMD_UPDATE && triggers->trig_update_instead_row) ||
		 (command == CMD_DELETE && triggers->trig_delete_instead_row)))
		return true;
	for (int i = 0; rules != NULL && i < rules->numLocks; i++)
	{
		if (rules->rules[i]->event == command && rules->rules[i]->isInstead)
			return true;
	}
	return false;
}

/* Privilege on the whole relation, or on each of the columns */
static void
check_columns_as(Relation rel, Oid userid, AclMode mode, Bitmapset *attnos)
{
	Oid			relid = RelationGetRelid(rel);
	int			member = -1;

	if (pg_class_aclcheck(relid, userid, mode) == ACLCHECK_OK)
		return;
	if (bms_is_empty(attnos) &&
		pg_attribute_aclcheck_all(relid, userid, mode, ACLMASK_ANY) == ACLCHECK_OK)
		return;
	while ((member = bms_next_member(attnos, member)) >= 0)
	{
		if (pg_attribute_aclcheck(relid, member, userid, mode) != ACLCHECK_OK)
			break;
	}
	if (bms_is_empty(attnos) || member >= 0)
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(rel->rd_rel->relkind),
					   RelationGetRelationName(rel));
}

static void
check_columns(Relation rel, AclMode mode, Bitmapset *attnos)
{
	check_columns_as(rel, GetUserId(), mode, attnos);
}

/*
 * What is written to an updatable view is written to the relation below it,
 * with the rights of the view's owner, or of the caller for a security invoker
 * view.
 */
static void
check_written_columns(Relation rel, Oid userid, AclMode mode, CmdType command, Bitmapset *attnos)
{
	Query	   *query;
	RangeTblEntry *rte;
	Relation	base;
	Bitmapset  *base_attnos = NULL;
	int			member = -1;

	check_columns_as(rel, userid, mode, attnos);
	if (rel->rd_rel->relkind != RELKIND_VIEW ||
		view_has_instead_trigger_or_rule(rel, command))
		return;
	query = get_view_query(rel);
	if (list_length(query->jointree->fromlist) != 1 ||
		!IsA(linitial(query->jointree->fromlist), RangeTblRef))
		return;
	rte = rt_fetch(((RangeTblRef *) linitial(query->jointree->fromlist))->rtindex, query->rtable);
	if (rte->rtekind != RTE_RELATION)
		return;
	while ((member = bms_next_member(attnos, member)) >= 0)
	{
		TargetEntry *entry = get_tle_by_resno(query->targetList, member);

		if (entry != NULL && IsA(entry->expr, Var) && ((Var *) entry->expr)->varattno > 0)
			base_attnos = bms_add_member(base_attnos, ((Var *) entry->expr)->varattno);
	}
	base = relation_open(rte->relid, AccessShareLock);
	bulk_sync_check_no_catalog(base);
	check_written_columns(base, RelationHasSecurityInvoker(rel) ? GetUserId() : rel->rd_rel->relowner,
						  mode, command, base_attnos);
	relation_close(base, NoLock);
}

static Bitmapset *
columns_to_insert(const BulkSyncPlan *plan)
{
	Bitmapset  *attnos = NULL;

	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (plan->columns[i].insertable)
			attnos = bms_add_member(attnos, plan->columns[i].target_attno);
	}
	return attnos;
}

/*
 * A key column is updated where its image differs, which depends on the rows;
 * the privilege is asked for where its type makes that possible.
 */
static Bitmapset *
columns_to_update(const BulkSyncPlan *plan)
{
	Bitmapset  *attnos = NULL;

	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (bulk_sync_column_is_set(plan, i, NULL))
			attnos = bms_add_member(attnos, plan->columns[i].target_attno);
	}
	return attnos;
}

static Bitmapset *
columns_to_read(const BulkSyncPlan *plan)
{
	Bitmapset  *attnos = NULL;

	for (int i = 0; i < plan->nread; i++)
		attnos = bms_add_member(attnos, plan->read_attnos[i]);
	return attnos;
}

static Bitmapset *
staged_columns_to_read(const BulkSyncPlan *plan)
{
	Bitmapset  *attnos = NULL;

	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (plan->columns[i].staged_attno != InvalidAttrNumber)
			attnos = bms_add_member(attnos, plan->columns[i].staged_attno);
	}
	return attnos;
}

static void
check_privileges_to_write(const BulkSyncPlan *plan)
{
	const BulkSyncOptions *options = plan->options;
	Bitmapset  *update = NULL;

	if (options->insert)
		check_written_columns(plan->target, GetUserId(), ACL_INSERT, CMD_INSERT,
							  columns_to_insert(plan));
	if (options->update)
		update = columns_to_update(plan);
	if (plan->soft_attno != InvalidAttrNumber && (options->update || options->delete))
		update = bms_add_member(update, plan->soft_attno);
	if (!bms_is_empty(update))
		check_written_columns(plan->target, GetUserId(), ACL_UPDATE, CMD_UPDATE, update);
	if (options->delete && plan->soft_attno == InvalidAttrNumber)
		check_written_columns(plan->target, GetUserId(), ACL_DELETE, CMD_DELETE, NULL);
}

/*
 * A relation can be named by its OID, and the staged rows may be read without a
 * statement that names it; that is no way around the rights on its schema.
 */
static void
check_schema(Relation rel)
{
	Oid			namespace = RelationGetNamespace(rel);
	AclResult	result = bulk_sync_schema_aclcheck(namespace, GetUserId(), ACL_USAGE);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_SCHEMA, get_namespace_name(namespace));
}

void
bulk_sync_check_privileges(const BulkSyncPlan *plan)
{
	check_schema(plan->staged);
	check_schema(plan->target);
	check_columns(plan->staged, ACL_SELECT, staged_columns_to_read(plan));
	if (plan->nread > 0)
		check_columns(plan->target, ACL_SELECT, columns_to_read(plan));
	if (plan->options->purpose != BULK_SYNC_COMPARE)
		check_privileges_to_write(plan);

	/* With row_security = off this raises an error where policies would apply */
	(void) check_enable_rls(RelationGetRelid(plan->target), InvalidOid, false);
	(void) check_enable_rls(RelationGetRelid(plan->staged), InvalidOid, false);
}
