/*-------------------------------------------------------------------------
 *
 * plan_foreign.c
 *	  Foreign tables of the target: have their rows addresses?
 *
 * A foreign table of postgres_fdw gives the ctid that a row has on its own
 * server, and sends conditions on it there.  That server works on one snapshot
 * for as long as the transaction, so that a row found is the row that is
 * written, or an error (40001).  A wrapper that we do not know promises neither.
 *
 * Rows with an address are written by apply_foreign.c, many in one statement,
 * while those of local partitions are written without SQL.  Where anything
 * else has a say (triggers, rules, policies), the statements of apply.c write
 * all rows, which find them by key.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/sysattr.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "commands/trigger.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/syscache.h"

/* Is it a table of postgres_fdw, whatever the wrapper is called here? */
static bool
is_postgres(Oid relid)
{
	ForeignTable *table = GetForeignTable(relid);
	ForeignServer *server = GetForeignServer(table->serverid);
	ForeignDataWrapper *wrapper = GetForeignDataWrapper(server->fdwid);
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(wrapper->fdwhandler));
	bool		found = false;

	if (HeapTupleIsValid(tuple))
	{
		Datum		source;
		bool		isnull;

		source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
		found = !isnull && ((Form_pg_proc) GETSTRUCT(tuple))->prolang == ClanguageId &&
			strcmp(TextDatumGetCString(source), "postgres_fdw_handler") == 0;
		ReleaseSysCache(tuple);
	}
	return found;
}

/* Has the target foreign partitions?  Asked before its tree is locked. */
static bool
has_foreign_partitions(Relation target)
{
	ListCell   *lc;

	if (target->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return false;
	foreach(lc, find_all_inheritors(RelationGetRelid(target), NoLock, NULL))
	{
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
			return true;
	}
	return false;
}

/*
 * The columns of the partition key, to be read if an update may write one of
 * them and rows lie on other servers: see partition_is_known()
 */
Bitmapset *
bulk_sync_attnos_of_partition(const BulkSyncPlan *plan)
{
	Bitmapset  *attnos = NULL;
	bool		set = false;
	PartitionKey key;
	Bitmapset  *members = NULL;
	int			member = -1;

	if (!has_foreign_partitions(plan->target))
		return NULL;
	key = RelationGetPartitionKey(plan->target);
	pull_varattnos((Node *) key->partexprs, 1, &members);
	for (int i = 0; i < key->partnatts; i++)
		members = bms_add_member(members, key->partattrs[i] - FirstLowInvalidHeapAttributeNumber);
	while ((member = bms_next_member(members, member)) >= 0)
	{
		AttrNumber	attno = member + FirstLowInvalidHeapAttributeNumber;
		int			column;

		if (attno <= 0)
			continue;
		column = bulk_sync_find_column(plan, attno);
		set = set || (column >= 0 && bulk_sync_column_is_set(plan, column, NULL));
		attnos = bms_add_member(attnos, attno);
	}
	return set ? attnos : NULL;
}

/*
 * Is all known that decides whether an updated row may stay in its partition?
 * PostgreSQL does not look; the row would then be in a place where nobody finds
 * it.
 */
static bool
partition_is_known(BulkSyncPlan *plan, Relation rel)
{
	Bitmapset  *attnos = NULL;
	bool		known = true;
	bool		set = false;
	int			member = -1;

	pull_varattnos((Node *) RelationGetPartitionQual(rel), 1, &attnos);
	while ((member = bms_next_member(attnos, member)) >= 0)
	{
		AttrNumber	attno = member + FirstLowInvalidHeapAttributeNumber;
		AttrNumber	target_attno = attno <= 0 ? InvalidAttrNumber :
			bulk_sync_find_attribute(plan->target,
									 NameStr(TupleDescAttr(RelationGetDescr(rel), attno - 1)->attname));
		int			column;
		int			read_index;

		if (target_attno == InvalidAttrNumber)
			return false;
		column = bulk_sync_find_column(plan, target_attno);
		set = set || target_attno == plan->soft_attno ||
			(column >= 0 && bulk_sync_column_is_set(plan, column, NULL));
		read_index = plan->read_index[target_attno - 1];
		known = known && read_index >= 0 && read_index < plan->nread_to_match;
	}
	plan->remote_may_move |= set;
	return known || !set;
}

/* Row triggers that fire when rows are written: a statement sees to them */
static bool
has_after_row_triggers_alone(const TriggerDesc *triggers)
{
	return triggers == NULL ||
		!(triggers->trig_insert_before_row || triggers->trig_update_before_row ||
		  triggers->trig_delete_before_row ||
		  triggers->trig_insert_before_statement || triggers->trig_insert_after_statement ||
		  triggers->trig_update_before_statement || triggers->trig_update_after_statement ||
		  triggers->trig_delete_before_statement || triggers->trig_delete_after_statement);
}

/*
 * May rows of this foreign table be written by statements that name it, where
 * the caller names the target?
 */
static bool
table_is_remote(BulkSyncPlan *plan, Relation rel)
{
	return is_postgres(RelationGetRelid(rel)) && has_after_row_triggers_alone(rel->trigdesc) &&
		bulk_sync_schema_aclcheck(RelationGetNamespace(rel), GetUserId(), ACL_USAGE) == ACLCHECK_OK &&
		partition_is_known(plan, rel);
}

/*
 * Are rows of foreign tables addressed, and written many at a time?  "triggers"
 * are those of the whole tree.
 */
bool
bulk_sync_plan_remote(BulkSyncPlan *plan, const TriggerDesc *triggers, bool only_checks)
{
	const TriggerDesc *own = plan->target->trigdesc;
	bool		partitioned = plan->target->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	ListCell   *lc;

	if (plan->foreign == NIL || bulk_sync_applier == BULK_SYNC_APPLIER_SQL ||
		plan->options->purpose == BULK_SYNC_HISTORY || plan->has_rules ||
		plan->row_security || bulk_sync_reads_virtual(plan) || !bulk_sync_mark_fits(plan))
		return false;
	/* Written rows that are returned are not read again from another server */
	if (plan->options->purpose == BULK_SYNC_RETURN && !only_checks)
		return false;
	if (triggers->trig_update_before_row || triggers->trig_update_before_statement ||
		triggers->trig_delete_before_row || triggers->trig_delete_before_statement ||
		(partitioned && triggers->trig_insert_before_row))
		return false;
	/* No transition table has foreign rows: PostgreSQL says so */
	if (own != NULL && (own->trig_insert_new_table || own->trig_update_old_table ||
						own->trig_update_new_table || own->trig_delete_old_table))
		return false;

	foreach(lc, plan->foreign)
	{
		Relation	rel = relation_open(lfirst_oid(lc), NoLock);
		bool		remote = table_is_remote(plan, rel);

		relation_close(rel, NoLock);
		if (!remote)
			return false;
	}
	return true;
}

/* Are rows of this table written by apply_foreign.c? */
bool
bulk_sync_is_remote(const BulkSyncPlan *plan, Oid tableoid)
{
	return plan->remote && list_member_oid(plan->foreign, tableoid);
}

/*
 * Can new rows be handed to the wrapper without a statement?  Not where they are
 * wanted back as they were stored, and not to a target that is a foreign table
 * itself: there a statement does the same.
 */
bool
bulk_sync_can_insert_remotely(const BulkSyncPlan *plan)
{
	return plan->foreign == NIL ||
		(plan->target->rd_rel->relkind != RELKIND_FOREIGN_TABLE &&
		 plan->options->purpose != BULK_SYNC_RETURN && !plan->check_insert_scope);
}
