/*-------------------------------------------------------------------------
 *
 * plan_direct.c
 *	  Can rows be written without SQL?
 *
 * They can where all that takes effect are constraints, indexes, triggers and
 * partitions.  Rules, policies and views are left to the statements of apply.c;
 * of foreign tables see plan_foreign.c.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/relation.h"
#include "access/sysattr.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "nodes/nodes.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/lsyscache.h"

/* Is a column read that no row holds?  The planner puts its expression there. */
bool
bulk_sync_reads_virtual(const BulkSyncPlan *plan)
{
	for (int i = 0; i < plan->nread; i++)
	{
		if (bulk_sync_is_virtual(TupleDescAttr(RelationGetDescr(plan->target),
											   plan->read_attnos[i] - 1)))
			return true;
	}
	return false;
}

/* The columns that an update may set, as a relation of the tree numbers them */
static Bitmapset *
set_columns(const BulkSyncPlan *plan, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(plan->target);
	Bitmapset  *columns = NULL;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		int			column = bulk_sync_find_column(plan, i + 1);

		if (i + 1 == plan->soft_attno ||
			(column >= 0 && bulk_sync_column_is_set(plan, column, NULL)))
			columns = bms_add_member(columns, bulk_sync_find_attribute(rel, NameStr(attr->attname)) -
									 FirstLowInvalidHeapAttributeNumber);
	}
	return columns;
}

/* May an update change what decides about a row's partition? */
static bool
update_may_move(const BulkSyncPlan *plan)
{
	bool		may_move = false;
	ListCell   *lc;

	foreach(lc, plan->tree)
	{
		Relation	rel = relation_open(lfirst_oid(lc), NoLock);

		if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
			may_move = may_move || has_partition_attrs(rel, set_columns(plan, rel), NULL);
		relation_close(rel, NoLock);
	}
	return may_move;
}

/* Does a column that is not staged have a type that might refuse NULL? */
static bool
domain_gets_null(const BulkSyncPlan *plan)
{
	TupleDesc	desc = RelationGetDescr(plan->target);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		int			column = bulk_sync_find_column(plan, i + 1);

		if (!attr->attisdropped && attr->attgenerated == '\0' &&
			get_typtype(attr->atttypid) == TYPTYPE_DOMAIN &&
			(column < 0 || !plan->columns[column].insertable) &&
			build_column_default(plan->target, i + 1) == NULL)
			return true;
	}
	return false;
}

/* A mark in a column of a domain would have to be checked, and a precise one rounded */
bool
bulk_sync_mark_fits(const BulkSyncPlan *plan)
{
	Form_pg_attribute attr;

	if (plan->soft_attno == InvalidAttrNumber)
		return true;
	attr = TupleDescAttr(RelationGetDescr(plan->target), plan->soft_attno - 1);
	return attr->atttypid == plan->soft_type && attr->atttypmod == -1;
}

/*
 * Does anybody notice in which order rows are inserted?  Whoever looks at the
 * ids that a sequence gave them, and triggers.
 */
static bool
order_is_noticed(const BulkSyncPlan *plan)
{
	TupleDesc	desc = RelationGetDescr(plan->target);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		int			column = bulk_sync_find_column(plan, i + 1);

		if (attr->attisdropped || attr->attgenerated != '\0' ||
			(column >= 0 && plan->columns[column].insertable && !plan->columns[column].assigned))
			continue;
		if (contain_volatile_functions(build_column_default(plan->target, i + 1)))
			return true;
	}
	return plan->insert_by_key;
}

/*
 * May a CHECK constraint, or the condition of a trigger, look for the rows that
 * were written before?  A statement lets its function see them.
 */
static bool
conditions_may_look(const BulkSyncPlan *plan)
{
	bool		may_look = false;
	ListCell   *lc;

	foreach(lc, plan->tree)
	{
		Relation	rel = relation_open(lfirst_oid(lc), NoLock);
		TupleConstr *constr = RelationGetDescr(rel)->constr;
		TriggerDesc *triggers = rel->trigdesc;

		for (int i = 0; constr != NULL && i < constr->num_check && !may_look; i++)
			may_look = contain_volatile_functions(stringToNode(constr->check[i].ccbin));
		for (int i = 0; triggers != NULL && i < triggers->numtriggers && !may_look; i++)
			may_look = triggers->triggers[i].tgqual != NULL &&
				contain_volatile_functions(stringToNode(triggers->triggers[i].tgqual));
		relation_close(rel, NoLock);
	}
	return may_look;
}

/* only_checks: all that triggers do is to check */
void
bulk_sync_plan_direct(BulkSyncPlan *plan, bool only_checks)
{
	Relation	target = plan->target;
	bool		partitioned = target->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;

	if (bulk_sync_applier == BULK_SYNC_APPLIER_SQL ||
		plan->address_by_key || plan->has_rules || plan->row_security ||
		bulk_sync_reads_virtual(plan))
		return;

	/* What a BEFORE trigger sends to another partition, SQL chases */
	if (partitioned && plan->row_at_a_time)
		return;

	if (!bulk_sync_mark_fits(plan))
		return;

	plan->direct = true;
	/* Of a partition that is the target itself, SQL says that it cannot leave */
	plan->update_may_move = target->rd_rel->relispartition ||
		(partitioned && update_may_move(plan));
	plan->direct_insert = !plan->options->ignore_conflicts && !domain_gets_null(plan) &&
		bulk_sync_can_insert_remotely(plan);
	plan->conditions_look = conditions_may_look(plan);
	plan->insert_in_order = !only_checks || plan->conditions_look || order_is_noticed(plan) ||
		plan->options->purpose == BULK_SYNC_HISTORY;
}
