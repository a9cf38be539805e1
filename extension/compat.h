/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Every difference between PostgreSQL 15, 16, 17 and 18 that matters here.
 *
 * The code is written against the newest signature; older servers get a
 * wrapper of the same name with the prefix.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULK_SYNC_COMPAT_H
#define BULK_SYNC_COMPAT_H

#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/tupconvert.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_relation.h"
#include "storage/buffile.h"
#include "utils/acl.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "bulk_sync supports PostgreSQL 15 to 18"
#endif

/*
 * 16 hides symbols of extensions by default (commit 089480c0770) and exports
 * what is marked PGDLLEXPORT; before, that macro was empty.
 */
#if PG_VERSION_NUM < 160000
#define BULK_SYNC_EXPORT_BEGIN	_Pragma("GCC visibility push(default)")
#define BULK_SYNC_EXPORT_END	_Pragma("GCC visibility pop")
#else
#define BULK_SYNC_EXPORT_BEGIN
#define BULK_SYNC_EXPORT_END
#endif

/* 18 shows what is loaded in pg_get_loaded_modules() */
#if PG_VERSION_NUM >= 180000
#define BULK_SYNC_MODULE_MAGIC	PG_MODULE_MAGIC_EXT(.name = "bulk_sync", .version = BULK_SYNC_VERSION)
#else
#define BULK_SYNC_MODULE_MAGIC	PG_MODULE_MAGIC
#endif

/*
 * 16 moved the permissions out of the range table entry (commit a61b1f74823).
 * The columns that a query reads of a range table entry, as a pointer, so that
 * they can be edited.
 */
static inline Bitmapset **
bulk_sync_selected_cols(Query *query, RangeTblEntry *rte)
{
#if PG_VERSION_NUM >= 160000
	return &getRTEPermissionInfo(query->rteperminfos, rte)->selectedCols;
#else
	(void) query;
	return &rte->selectedCols;
#endif
}

/* The privileges that a query needs on a range table entry */
static inline AclMode *
bulk_sync_required_perms(Query *query, RangeTblEntry *rte)
{
#if PG_VERSION_NUM >= 160000
	return &getRTEPermissionInfo(query->rteperminfos, rte)->requiredPerms;
#else
	(void) query;
	return &rte->requiredPerms;
#endif
}

/*
 * The range table of a finished statement, with the columns it updated, for an
 * EState that queues AFTER STATEMENT triggers.  18 wants the unpruned
 * relations, too (commit cbc127917e0).
 */
static inline void
bulk_sync_init_range_table(EState *estate, PlannedStmt *stmt)
{
#if PG_VERSION_NUM >= 180000
	ExecInitRangeTable(estate, copyObject(stmt->rtable), copyObject(stmt->permInfos),
					   bms_copy(stmt->unprunableRelids));
#elif PG_VERSION_NUM >= 160000
	ExecInitRangeTable(estate, copyObject(stmt->rtable), copyObject(stmt->permInfos));
#else
	ExecInitRangeTable(estate, copyObject(stmt->rtable));
#endif
}

/*
 * The range table of an INSERT, UPDATE or DELETE that was never parsed: one
 * relation, and the columns that it writes.
 */
static inline PlannedStmt *
bulk_sync_make_statement(CmdType command, Relation rel, AclMode perms, Bitmapset *columns)
{
	PlannedStmt *stmt = makeNode(PlannedStmt);
	ModifyTable *plan = makeNode(ModifyTable);
	RangeTblEntry *rte = makeNode(RangeTblEntry);
	Bitmapset  *inserted = command == CMD_INSERT ? columns : NULL;
	Bitmapset  *updated = command == CMD_UPDATE ? columns : NULL;

	rte->rtekind = RTE_RELATION;
	rte->relid = RelationGetRelid(rel);
	rte->relkind = rel->rd_rel->relkind;
	rte->rellockmode = RowExclusiveLock;
	rte->inh = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	rte->eref = makeAlias(RelationGetRelationName(rel), NIL);
	stmt->rtable = list_make1(rte);
#if PG_VERSION_NUM >= 160000
	{
		RTEPermissionInfo *info = addRTEPermissionInfo(&stmt->permInfos, rte);

		info->inh = rte->inh;
		info->requiredPerms = perms;
		info->insertedCols = inserted;
		info->updatedCols = updated;
	}
#else
	rte->requiredPerms = perms;
	rte->insertedCols = inserted;
	rte->updatedCols = updated;
#endif
#if PG_VERSION_NUM >= 180000
	stmt->unprunableRelids = bms_make_singleton(1);
#endif
	plan->operation = command;
	plan->canSetTag = true;
	plan->resultRelations = list_make1_int(1);
	stmt->commandType = command;
	stmt->canSetTag = true;
	stmt->planTree = (Plan *) plan;
	return stmt;
}

/* 16 moved the permissions out of the range table entry (commit a61b1f74823) */
static inline void
bulk_sync_check_permissions(PlannedStmt *stmt)
{
#if PG_VERSION_NUM >= 160000
	(void) ExecCheckPermissions(stmt->rtable, stmt->permInfos, true);
#else
	(void) ExecCheckRTPerms(stmt->rtable, true);
#endif
}

/* 16 wants to know the result relations */
static inline void
bulk_sync_init_epq(EPQState *epq, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	EvalPlanQualInit(epq, estate, NULL, NIL, -1, NIL);
#else
	EvalPlanQualInit(epq, estate, NULL, NIL, -1);
#endif
}

/*
 * A partition or child that is written to by itself: 16 finds out by itself how
 * its columns differ from those of the root.  A child may have more of them.
 */
static inline void
bulk_sync_init_child(ResultRelInfo *relinfo, ResultRelInfo *root, const AttrNumber *attnos)
{
#if PG_VERSION_NUM < 160000
	TupleDesc	root_desc = RelationGetDescr(root->ri_RelationDesc);
	TupleDesc	desc = RelationGetDescr(relinfo->ri_RelationDesc);
	AttrMap    *map = make_attrmap(desc->natts);

	for (int i = 0; i < root_desc->natts; i++)
	{
		if (attnos[i] != InvalidAttrNumber)
			map->attnums[attnos[i] - 1] = i + 1;
	}
	/* Sets of columns are mapped by it, no rows */
	relinfo->ri_RootToPartitionMap = palloc0(sizeof(TupleConversionMap));
	relinfo->ri_RootToPartitionMap->indesc = root_desc;
	relinfo->ri_RootToPartitionMap->outdesc = desc;
	relinfo->ri_RootToPartitionMap->attrMap = map;
#else
	(void) relinfo;
	(void) root;
	(void) attnos;
#endif
}

/* The map for rows of the root that go to a partition, or NULL */
static inline TupleConversionMap *
bulk_sync_root_to_partition(ResultRelInfo *relinfo, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	return ExecGetRootToChildMap(relinfo, estate);
#else
	(void) estate;
	return relinfo->ri_RootToPartitionMap;
#endif
}

/* 16 knows indexes that only summarize (commit 19d8e2308bc) */
static inline List *
bulk_sync_insert_index_tuples(ResultRelInfo *relinfo, TupleTableSlot *slot, EState *estate,
							  bool update, bool only_summarizing)
{
#if PG_VERSION_NUM >= 160000
	return ExecInsertIndexTuples(relinfo, slot, estate, update, false, NULL, NIL,
								 only_summarizing);
#else
	(void) only_summarizing;
	return ExecInsertIndexTuples(relinfo, slot, estate, update, false, NULL, NIL);
#endif
}

/* Which indexes an update has to write: the same commit */
static inline TM_Result
bulk_sync_table_update(Relation rel, ItemPointer tid, TupleTableSlot *slot, CommandId cid,
					   Snapshot snapshot, TM_FailureData *failure, bool *any_index,
					   bool *only_summarizing)
{
	LockTupleMode lock_mode;
	TM_Result	result;
#if PG_VERSION_NUM >= 160000
	TU_UpdateIndexes indexes;

	result = table_tuple_update(rel, tid, slot, cid, snapshot, InvalidSnapshot, true, failure,
								&lock_mode, &indexes);
	*any_index = result == TM_Ok && indexes != TU_None;
	*only_summarizing = result == TM_Ok && indexes == TU_Summarizing;
#else
	bool		indexes;

	result = table_tuple_update(rel, tid, slot, cid, snapshot, InvalidSnapshot, true, failure,
								&lock_mode, &indexes);
	*any_index = result == TM_Ok && indexes;
	*only_summarizing = false;
#endif
	return result;
}

/*
 * 16 also gives the result of locking the row, and 18 asks whether this is a
 * MERGE.
 */
static inline bool
bulk_sync_before_update(EState *estate, EPQState *epq, ResultRelInfo *relinfo, ItemPointer tid,
						TupleTableSlot *slot, TM_Result *result, TM_FailureData *failure)
{
#if PG_VERSION_NUM >= 180000
	return ExecBRUpdateTriggers(estate, epq, relinfo, tid, NULL, slot, result, failure, false);
#elif PG_VERSION_NUM >= 160000
	return ExecBRUpdateTriggers(estate, epq, relinfo, tid, NULL, slot, result, failure);
#else
	*result = TM_Ok;
	return ExecBRUpdateTriggers(estate, epq, relinfo, tid, NULL, slot, failure);
#endif
}

static inline bool
bulk_sync_before_delete(EState *estate, EPQState *epq, ResultRelInfo *relinfo, ItemPointer tid,
						TM_Result *result, TM_FailureData *failure)
{
#if PG_VERSION_NUM >= 180000
	return ExecBRDeleteTriggers(estate, epq, relinfo, tid, NULL, NULL, result, failure, false);
#elif PG_VERSION_NUM >= 160000
	return ExecBRDeleteTriggers(estate, epq, relinfo, tid, NULL, NULL, result, failure);
#else
	(void) failure;
	*result = TM_Ok;
	return ExecBRDeleteTriggers(estate, epq, relinfo, tid, NULL, NULL);
#endif
}

/* 18 dropped execute_once (commit 3eea7a0c97e) */
static inline void
bulk_sync_executor_run(QueryDesc *query_desc)
{
#if PG_VERSION_NUM >= 180000
	ExecutorRun(query_desc, ForwardScanDirection, 0);
#else
	ExecutorRun(query_desc, ForwardScanDirection, 0, true);
#endif
}

/* 18 has room for more in front of a minimal tuple (commit 8fe3e697a1a) */
static inline MinimalTuple
bulk_sync_form_minimal_tuple(TupleDesc desc, Datum *values, bool *isnull)
{
#if PG_VERSION_NUM >= 180000
	return heap_form_minimal_tuple(desc, values, isnull, 0);
#else
	return heap_form_minimal_tuple(desc, values, isnull);
#endif
}

/* 16 introduced BufFileReadExact() (commit 20428d344a2) */
static inline void
bulk_sync_buffile_read_exact(BufFile *file, void *ptr, size_t size)
{
#if PG_VERSION_NUM >= 160000
	BufFileReadExact(file, ptr, size);
#else
	if (BufFileRead(file, ptr, size) != size)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read from temporary file: %m")));
#endif
}

/* 16 made the source of a write const (commit 2d4f1ba6cfc) */
static inline void
bulk_sync_buffile_write(BufFile *file, const void *ptr, size_t size)
{
#if PG_VERSION_NUM >= 160000
	BufFileWrite(file, ptr, size);
#else
	BufFileWrite(file, (void *) ptr, size);
#endif
}

/* 16 has one function for the privileges on all kinds of objects (commit c727f511bd7) */
static inline AclResult
bulk_sync_schema_aclcheck(Oid namespace, Oid userid, AclMode mode)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(NamespaceRelationId, namespace, userid, mode);
#else
	return pg_namespace_aclcheck(namespace, userid, mode);
#endif
}

/* 18 has virtual generated columns (commit 83ea6c54025): is this one? */
static inline bool
bulk_sync_is_virtual(Form_pg_attribute attr)
{
#if PG_VERSION_NUM >= 180000
	return attr->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL;
#else
	(void) attr;
	return false;
#endif
}

/* Has a relation any? */
static inline bool
bulk_sync_has_virtual_columns(TupleDesc desc)
{
#if PG_VERSION_NUM >= 180000
	return desc->constr != NULL && desc->constr->has_generated_virtual;
#else
	(void) desc;
	return false;
#endif
}

/*
 * Does no row have a NULL there?  In 18 (commit a379061a22a) a constraint may be
 * NOT VALID, which looks at new rows alone.
 */
static inline bool
bulk_sync_is_never_null(TupleDesc desc, AttrNumber attno)
{
#if PG_VERSION_NUM >= 180000
	return TupleDescCompactAttr(desc, attno - 1)->attnullability == ATTNULLABLE_VALID;
#else
	return TupleDescAttr(desc, attno - 1)->attnotnull;
#endif
}

#endif							/* BULK_SYNC_COMPAT_H */
