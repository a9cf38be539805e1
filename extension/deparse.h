/*-------------------------------------------------------------------------
 *
 * deparse.h
 *	  What the files that write SQL share with each other, and with no other.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULK_SYNC_DEPARSE_H
#define BULK_SYNC_DEPARSE_H

#include "bulk_sync.h"

/* Condition text stands on lines of its own: it may end in a comment */
#define CONDITION_FORMAT	"(\n%s\n)"

/* in deparse.c */
extern const char *attribute_sql(const BulkSyncPlan *plan, AttrNumber attno);
extern char *target_column_sql(const BulkSyncPlan *plan, AttrNumber attno);
extern const char *operator_sql(Oid operator);
extern const char *collation_sql(Oid collation);
extern char *type_sql(Oid type, int32 typmod);
extern char *diff_sql(const BulkSyncPlan *plan, AttrNumber attno);
extern void append_equality(StringInfo buf, const BulkSyncEquality *equality,
							const char *left, const char *right, Oid right_type);
extern void append_insert(StringInfo buf, const BulkSyncPlan *plan);
extern void append_in_scope(StringInfo buf, const BulkSyncPlan *plan);
extern void append_scope_value(StringInfo buf, const BulkSyncPlan *plan, int index);

/* in deparse_distributed.c */
extern void append_shipped_address(StringInfo buf, const BulkSyncPlan *plan, BulkSyncFind find);

/* in deparse_shards.c */
extern void append_kind(StringInfo buf, const BulkSyncPlan *plan, char kind);

#endif							/* BULK_SYNC_DEPARSE_H */
