/*-------------------------------------------------------------------------
 *
 * sql.h
 *	  Generated SQL: what deparse.c writes and statement.c plans and runs.
 *	  Included by bulk_sync.h, behind the types that it needs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULK_SYNC_SQL_H
#define BULK_SYNC_SQL_H

/* How a statement finds the row of the target that a difference row is about */
typedef enum BulkSyncFind
{
	BULK_SYNC_FIND_BY_ADDRESS,
	BULK_SYNC_FIND_BY_KEY,
	BULK_SYNC_FIND_BY_NULL_KEY	/* one with a NULL in the key */
} BulkSyncFind;

static inline BulkSyncFind
bulk_sync_find(const BulkSyncPlan *plan, bool null_keys)
{
	if (null_keys)
		return BULK_SYNC_FIND_BY_NULL_KEY;
	return plan->address_by_key ? BULK_SYNC_FIND_BY_KEY : BULK_SYNC_FIND_BY_ADDRESS;
}

/* in deparse.c */
extern char *bulk_sync_relation_sql(Relation rel);
extern const char *bulk_sync_deparse_scope_values(const BulkSyncPlan *plan);
extern const char *bulk_sync_deparse_staged(const BulkSyncPlan *plan);
extern const char *bulk_sync_deparse_read(const BulkSyncPlan *plan, const bool *scope_nulls,
										  const bool *scope_arrays, bool keyed);
extern const char *bulk_sync_deparse_delete(const BulkSyncPlan *plan, BulkSyncFind find,
											bool returning);
extern const char *bulk_sync_deparse_update(const BulkSyncPlan *plan,
											const BulkSyncDifference *difference,
											BulkSyncUpdatePart part, BulkSyncFind find,
											bool returning);
extern const char *bulk_sync_deparse_written(const BulkSyncPlan *plan);
extern const char *bulk_sync_deparse_written_rows(const BulkSyncPlan *plan);
extern const char *bulk_sync_deparse_written_keys(const BulkSyncPlan *plan,
												  AttrNumber first_lookup);
extern const char *bulk_sync_deparse_find_moved(const BulkSyncPlan *plan);
extern const char *bulk_sync_deparse_insert(const BulkSyncPlan *plan,
											const BulkSyncDifference *difference,
											bool returning);
extern const char *bulk_sync_deparse_writable(const BulkSyncPlan *plan, TupleDesc desc);
extern const char *bulk_sync_deparse_conflict(const BulkSyncPlan *plan, bool null_keys);
extern const char *bulk_sync_deparse_lock(const BulkSyncPlan *plan, BulkSyncFind find);
extern const char *bulk_sync_deparse_stage(Relation target, List *columns, const char *name,
										   bool on_commit_drop);
extern const char *bulk_sync_deparse_drop_stage(const char *name);

/* in deparse_foreign.c */
extern void bulk_sync_append_key_arrays(StringInfo buf, const BulkSyncPlan *plan,
										const char *separator, int nparams);

/* in deparse_distributed.c */
extern const char *bulk_sync_deparse_lock_table(Oid relid, LOCKMODE mode);
extern const char *bulk_sync_deparse_shipped(const BulkSyncPlan *plan, TupleDesc desc,
											 bool by_column, const char *statement);
extern const char *bulk_sync_deparse_shard_table(const BulkSyncPlan *plan, TupleDesc desc,
												 const char *name);
extern const char *bulk_sync_deparse_drop_table(const char *name);
extern const char *bulk_sync_deparse_distribute(const BulkSyncPlan *plan, const char *name,
											   AttrNumber attno);
extern const char *bulk_sync_deparse_fill_shard_table(const BulkSyncPlan *plan, TupleDesc desc,
													  bool by_column, const char *name);
extern const char *bulk_sync_deparse_over_table(const BulkSyncPlan *plan, const char *name,
												char kind, const char *statement);

/* in deparse_shards.c; the kinds of rows in a table of changes, in this attribute */
#define BULK_SYNC_CHANGE_KIND	0
#define BULK_SYNC_ALL_KINDS		'\0'
#define BULK_SYNC_CHANGE_DELETE	'd'
#define BULK_SYNC_CHANGE_UPDATE	'u'
#define BULK_SYNC_CHANGE_INSERT	'i'
extern const char *bulk_sync_deparse_count_staged(const BulkSyncPlan *plan);
extern const char *bulk_sync_deparse_duplicates(const BulkSyncPlan *plan);
extern const char *bulk_sync_deparse_pairs(const BulkSyncPlan *plan);
extern const char *bulk_sync_deparse_elsewhere(const BulkSyncPlan *plan);
extern const char *bulk_sync_deparse_count_scope(const BulkSyncPlan *plan);
extern const char *bulk_sync_deparse_fill_changes(const BulkSyncPlan *plan, const char *name,
												  const List *attnos);
extern const char *bulk_sync_deparse_count_changes(const BulkSyncPlan *plan, const char *name);
extern const char *bulk_sync_deparse_insert_changes(const BulkSyncPlan *plan, const char *name,
													bool returning);

/* What is special about a statement: flags of bulk_sync_prepare() */
#define BULK_SYNC_BY_ADDRESS	0x01	/* fetches each row by its tid */
#define BULK_SYNC_UNSEEN		0x02	/* an INSERT: what it returns, only we see */
#define BULK_SYNC_OF_TREE		0x04	/* of a partition: privileges on the target count */
#define BULK_SYNC_AS_STORED		0x08	/* an UPDATE: values have the columns' modifiers */

/* in statement.c */
extern BulkSyncStatement *bulk_sync_prepare(const char *sql, const Oid *param_types, int nparams,
											QueryEnvironment *env, Relation target,
											Bitmapset *assigned, int flags);
extern uint64 bulk_sync_run_with_values(const char *sql, int nvalues, const Oid *types,
										const Datum *values, Relation target,
										BulkSyncRowCallback callback, void *arg);
extern uint64 bulk_sync_run_afresh(const char *sql, int nvalues, const Oid *types,
								   const Datum *values, Relation target,
								   BulkSyncRowCallback callback, void *arg);
extern bool bulk_sync_run_handed_on(const char *sql);
extern BulkSyncStatement *bulk_sync_prepare_read(const char *sql, const Oid *param_types,
												 int nparams, QueryEnvironment *env,
												 Relation target, ParamListInfo params,
												 bool by_lookup);
extern BulkSyncStatement *bulk_sync_prepare_staged(const char *sql, Relation staged);
extern void bulk_sync_check_target_name(const BulkSyncPlan *plan);
extern void bulk_sync_check_statement(BulkSyncStatement *statement);
extern BulkSyncStatement *bulk_sync_prepare_query(Query *query, const char *sql);
extern BulkSyncStatement *bulk_sync_prepare_writable(const char *sql, QueryEnvironment *env,
													 Relation target, CmdType command);
extern uint64 bulk_sync_run(BulkSyncStatement *statement, ParamListInfo params,
							bool skip_triggers, BulkSyncRowCallback callback, void *arg);
extern QueryEnvironment *bulk_sync_row_environment(const char *name, TupleDesc desc,
												   Tuplestorestate *store, int64 rows);

#endif							/* BULK_SYNC_SQL_H */
