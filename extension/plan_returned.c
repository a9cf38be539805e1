/*-------------------------------------------------------------------------
 *
 * plan_returned.c
 *	  bulk_sync_returning() and bulk_compare(): what returned rows show, and
 *	  how they are found once more after they were written.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/relation.h"
#include "access/sysattr.h"
#include "catalog/pg_constraint.h"
#include "utils/fmgroids.h"
#include "utils/partcache.h"

/* What returned rows show: all columns, or those that the call is about */
Bitmapset *
bulk_sync_attnos_to_show(const BulkSyncPlan *plan)
{
	TupleDesc	desc = RelationGetDescr(plan->target);
	Bitmapset  *attnos = NULL;
	Bitmapset  *primary_key;
	Oid			constraint;
	int			member = -1;

	if (!bulk_sync_returns_rows(plan->options))
		return NULL;
	if (plan->options->purpose == BULK_SYNC_RETURN)
	{
		for (int i = 0; i < desc->natts; i++)
		{
			if (!TupleDescAttr(desc, i)->attisdropped)
				attnos = bms_add_member(attnos, i + 1);
		}
		return attnos;
	}
	primary_key = get_primary_key_attnos(RelationGetRelid(plan->target), true, &constraint);
	while ((member = bms_next_member(primary_key, member)) >= 0)
		attnos = bms_add_member(attnos, member + FirstLowInvalidHeapAttributeNumber);
	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (plan->columns[i].target_attno != InvalidAttrNumber)
			attnos = bms_add_member(attnos, plan->columns[i].target_attno);
	}
	return attnos;
}

/* The columns shown, in the order of the target */
void
bulk_sync_plan_shown_columns(BulkSyncPlan *plan, const Bitmapset *attnos)
{
	int			member = -1;

	plan->nshown = bms_num_members(attnos);
	plan->shown = palloc(Max(plan->nshown, 1) * sizeof(int));
	plan->shown_desc = CreateTemplateTupleDesc(plan->nshown);
	for (int i = 0; (member = bms_next_member(attnos, member)) >= 0; i++)
	{
		plan->shown[i] = plan->read_index[member - 1];
		TupleDescCopyEntry(plan->shown_desc, i + 1, RelationGetDescr(plan->target), member);
	}
}

/* Does a rule that takes the place of a statement say what it wrote? */
static bool
rule_returns(const RewriteRule *rule)
{
	ListCell   *lc;

	if (rule->qual != NULL)
		return false;
	foreach(lc, rule->actions)
	{
		if (lfirst_node(Query, lc)->returningList != NIL)
			return true;
	}
	return false;
}

/* Written rows cannot be returned where PostgreSQL itself could not */
void
bulk_sync_check_rule_returns(const BulkSyncPlan *plan, const RewriteRule *rule)
{
	if (plan->options->purpose != BULK_SYNC_RETURN || rule_returns(rule))
		return;
	if ((rule->event == CMD_INSERT && !plan->options->insert) ||
		(rule->event == CMD_DELETE &&
		 (!plan->options->delete || plan->soft_attno != InvalidAttrNumber)) ||
		(rule->event == CMD_UPDATE && !plan->options->update &&
		 !(plan->options->delete && plan->soft_attno != InvalidAttrNumber)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot return the rows that are written to \"%s\"",
					RelationGetRelationName(plan->target)),
			 errdetail("A rule takes the place of what is written and does not return it."),
			 errhint("Use bulk_sync(), or an unconditional INSTEAD rule with a RETURNING clause.")));
}

/* Does a trigger do nothing but check? */
static bool
trigger_only_checks(const Trigger *trigger)
{
	switch (trigger->tgfoid)
	{
		case F_RI_FKEY_CHECK_INS:
		case F_RI_FKEY_CHECK_UPD:
		case F_RI_FKEY_NOACTION_DEL:
		case F_RI_FKEY_NOACTION_UPD:
		case F_RI_FKEY_RESTRICT_DEL:
		case F_RI_FKEY_RESTRICT_UPD:
		case F_UNIQUE_KEY_RECHECK:
			return true;
		default:
			return false;
	}
}

bool
bulk_sync_triggers_only_check(const TriggerDesc *triggers)
{
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		if (!trigger_only_checks(&triggers->triggers[i]))
			return false;
	}
	return true;
}

/* The partition keys of the tree: no such column identifies a row that moves */
static bool
is_in_partition_key(const BulkSyncPlan *plan, const char *name)
{
	ListCell   *lc;

	foreach(lc, plan->tree)
	{
		Relation	rel = relation_open(lfirst_oid(lc), NoLock);
		AttrNumber	attno = bulk_sync_find_attribute(rel, name);
		PartitionKey key = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ?
			RelationGetPartitionKey(rel) : NULL;
		bool		found = false;

		for (int i = 0; key != NULL && i < key->partnatts; i++)
			found = found || key->partattrs[i] == attno;
		relation_close(rel, NoLock);
		if (found)
			return true;
	}
	return false;
}

/*
 * By what is a written row looked for that is no longer where it was?  By its
 * primary key, as far as that does not decide about the partition, or else by
 * the key of the call.
 */
void
bulk_sync_plan_lookup(BulkSyncPlan *plan)
{
	Oid			constraint;
	Bitmapset  *primary_key;
	int			member = -1;

	if (!plan->read_again)
		return;
	primary_key = get_primary_key_attnos(RelationGetRelid(plan->target), true, &constraint);
	plan->lookup = palloc0(INDEX_MAX_KEYS * sizeof(int));
	plan->lookup_equality = palloc0(INDEX_MAX_KEYS * sizeof(BulkSyncEquality));
	while ((member = bms_next_member(primary_key, member)) >= 0)
	{
		AttrNumber	attno = member + FirstLowInvalidHeapAttributeNumber;
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(plan->target), attno - 1);

		if (is_in_partition_key(plan, NameStr(attr->attname)))
			continue;
		bulk_sync_init_equality(&plan->lookup_equality[plan->nlookup], attr->atttypid,
								attr->attcollation, NameStr(attr->attname));
		plan->lookup[plan->nlookup++] = plan->read_index[attno - 1];
	}
	if (plan->nlookup > 0 || plan->nkeys > INDEX_MAX_KEYS)
		return;
	for (int i = 0; i < plan->nkeys; i++)
	{
		plan->lookup_equality[i] = plan->key[i];
		plan->lookup[i] = plan->columns[i].read_index;
	}
	plan->nlookup = plan->nkeys;
}
