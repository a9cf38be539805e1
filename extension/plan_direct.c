/*-------------------------------------------------------------------------
 *
 * plan_direct.c
 *	  Can rows be written without SQL?
 *
 * They can where all that takes effect are constraints, indexes, triggers and
 * partitions.  Rules, policies and views are left to the statements of apply.c;
 * of foreign tables see plan_foreign.c, of distributed ones plan_distributed.c.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
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
	AttrNumber *attnos = bulk_sync_map_attributes(plan->target, rel);
	Bitmapset  *columns = NULL;

	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (bulk_sync_column_is_set(plan, i, NULL))
			columns = bms_add_member(columns, attnos[plan->columns[i].target_attno - 1] -
									 FirstLowInvalidHeapAttributeNumber);
	}
	if (plan->soft_attno != InvalidAttrNumber)
		columns = bms_add_member(columns, attnos[plan->soft_attno - 1] -
								 FirstLowInvalidHeapAttributeNumber);
	return columns;
}

/*
 * May a CHECK constraint, or the condition of a trigger, look for the rows that
 * were written before?  A statement lets its function see them.
 */
static bool
conditions_may_look(Relation rel)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;
	TriggerDesc *triggers = rel->trigdesc;

	for (int i = 0; constr != NULL && i < constr->num_check; i++)
	{
		if (contain_volatile_functions(stringToNode(constr->check[i].ccbin)))
			return true;
	}
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		if (triggers->triggers[i].tgqual != NULL &&
			contain_volatile_functions(stringToNode(triggers->triggers[i].tgqual)))
			return true;
	}
	return false;
}

/* What the tables of the tree say, each for itself */
static void
look_at_tree(BulkSyncPlan *plan)
{
	ListCell   *lc;

	/* A row of a partition that is the target itself cannot leave, SQL says so */
	plan->update_may_move = plan->target->rd_rel->relispartition;
	foreach(lc, plan->tree)
	{
		Relation	rel = table_open(lfirst_oid(lc), NoLock);

		plan->conditions_look = plan->conditions_look || conditions_may_look(rel);
		/* May an update change what decides about a row's partition? */
		if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
			plan->update_may_move = plan->update_may_move ||
				has_partition_attrs(rel, set_columns(plan, rel), NULL);
		else if (rel->rd_rel->relkind != RELKIND_FOREIGN_TABLE)
		{
			BlockNumber pages;
			double		tuples;
			double		visible;

			table_relation_estimate_size(rel, NULL, &pages, &tuples, &visible);
			plan->target_rows += tuples;
		}
		table_close(rel, NoLock);
	}
}

/*
 * The defaults of columns that get no staged value, or may be asked to assign
 * one.  "*refused": the type of such a column might refuse to be NULL.
 */
static void
find_defaults(BulkSyncPlan *plan, bool *refused)
{
	TupleDesc	desc = RelationGetDescr(plan->target);

	*refused = false;
	plan->defaults = palloc0(Max(desc->natts, 1) * sizeof(Expr *));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		int			column = bulk_sync_find_column(plan, i + 1);

		if (attr->attisdropped || attr->attgenerated != '\0' ||
			(column >= 0 && plan->columns[column].insertable && !plan->columns[column].assigned))
			continue;
		plan->defaults[i] = (Expr *) build_column_default(plan->target, i + 1);
		if (plan->defaults[i] == NULL && get_typtype(attr->atttypid) == TYPTYPE_DOMAIN)
			*refused = true;
	}
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
	for (int i = 0; i < RelationGetDescr(plan->target)->natts; i++)
	{
		if (contain_volatile_functions((Node *) plan->defaults[i]))
			return true;
	}
	return plan->insert_by_key;
}

/* only_checks: all that triggers do is to check */
void
bulk_sync_plan_direct(BulkSyncPlan *plan, bool only_checks)
{
	Relation	target = plan->target;
	bool		null_refused;

	if (plan->distribution != NULL)
	{
		/* They are evaluated here, by ship.c */
		find_defaults(plan, &null_refused);
		return;
	}
	if (bulk_sync_applier == BULK_SYNC_APPLIER_SQL ||
		plan->address_by_key || plan->has_rules || plan->row_security ||
		bulk_sync_reads_virtual(plan))
		return;

	/* What a BEFORE trigger sends to another partition, SQL chases */
	if (target->rd_rel->relkind == RELKIND_PARTITIONED_TABLE && plan->row_at_a_time)
		return;

	if (!bulk_sync_mark_fits(plan))
		return;

	plan->direct = true;
	look_at_tree(plan);
	find_defaults(plan, &null_refused);
	plan->direct_insert = !plan->options->ignore_conflicts && !null_refused &&
		bulk_sync_can_insert_remotely(plan);
	plan->insert_in_order = !only_checks || plan->conditions_look || order_is_noticed(plan) ||
		plan->options->purpose == BULK_SYNC_HISTORY;
}
