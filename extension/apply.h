/*-------------------------------------------------------------------------
 *
 * apply.h
 *	  What the files that write rows share with each other, and with no other.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULK_SYNC_APPLY_H
#define BULK_SYNC_APPLY_H

#include "bulk_sync.h"

typedef struct BulkSyncApply
{
	const BulkSyncPlan *plan;
	BulkSyncDifference *difference;
	BulkSyncCounts *counts;
	BulkSyncWritten *written;	/* NULL: rows are only counted */
	char	   *rows_name;		/* of the ephemeral relation */
	CommandId	begin_command;

	/* The phase that is running */
	bool		check_scope;
	bool		is_update;
	int64		returned;		/* rows that RETURNING gave ... */
	int64		returned_marks; /* ... and marks among them */
	CommandId	first_command;
	BulkSyncRowSet *collected;	/* where written rows go, or NULL */
	BulkSyncHistory *history;	/* that wants to know what is written, or NULL */

	/* The difference row that is being inserted: RETURNING does not know it */
	TupleTableSlot *source;		/* rows one by one: it is set for each */
	bool		source_written;
	TupleTableSlot *next_source;	/* all at once: read in step with the INSERT */
	Tuplestorestate *source_store;
	int			source_pointer;

	/* The statement of each phase that ran, for its AFTER triggers */
	PlannedStmt *delete_stmt;
	PlannedStmt *update_stmt;
	PlannedStmt *insert_stmt;
} BulkSyncApply;

/* in apply.c */
extern void bulk_sync_receive_written(TupleTableSlot *slot, void *arg);

/* in apply_rows.c */
extern BulkSyncStatement *bulk_sync_prepare_phase(BulkSyncApply *state, const char *sql,
												  const BulkSyncRowSet *set, Bitmapset *assigned);
extern uint64 bulk_sync_run_phase(BulkSyncApply *state, BulkSyncStatement *statement,
								  bool returning);
extern uint64 bulk_sync_run_row_by_row(BulkSyncApply *state, BulkSyncStatement *statement,
									   const BulkSyncRowSet *set, bool returning, bool follow);
extern uint64 bulk_sync_run_for_row(BulkSyncApply *state, BulkSyncStatement *statement,
									const BulkSyncRowSet *set, Datum *values, bool *isnull,
									bool returning);
extern bool bulk_sync_find_version(Oid tableoid, ItemPointer tid);
extern bool bulk_sync_row_has_moved(Oid tableoid, ItemPointer tid);
extern void bulk_sync_readdress_row(Oid tableoid, ItemPointer tid);

/* in apply_direct.c */
extern uint64 bulk_sync_direct_delete(BulkSyncApply *state);
extern uint64 bulk_sync_direct_update(BulkSyncApply *state, bool returning, uint64 *marks,
									  BulkSyncRowSet *moved);

/* in apply_insert.c */
extern uint64 bulk_sync_direct_insert(BulkSyncApply *state, bool returning);

/* in conflict.c */
extern void bulk_sync_check_concurrent_insert(BulkSyncApply *state);

/* in written.c */
extern void bulk_sync_written_begin(BulkSyncApply *state);
extern void bulk_sync_collect_inserts(BulkSyncApply *state);
extern void bulk_sync_collect_written(BulkSyncApply *state, TupleTableSlot *slot);
extern void bulk_sync_written_finish(BulkSyncApply *state);

#endif							/* BULK_SYNC_APPLY_H */
