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
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "executor/executor.h"
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

/* 18 has virtual generated columns (commit 83ea6c54025) */
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

#endif							/* BULK_SYNC_COMPAT_H */
