/*-------------------------------------------------------------------------
 *
 * direct.h
 *	  What the files that write rows without SQL share with each other.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULK_SYNC_DIRECT_H
#define BULK_SYNC_DIRECT_H

#include "apply.h"

#include "commands/trigger.h"
#include "executor/executor.h"

/* Index entries of the rows of one table (index_entries.c) */
typedef struct BulkSyncIndexWriter BulkSyncIndexWriter;

/* A table that rows are written to: the target, or a partition of it */
typedef struct BulkSyncDirectTable
{
	Relation	rel;
	ResultRelInfo *relinfo;
	AttrNumber *attnos;			/* by attribute number of the target - 1 */
	TupleTableSlot *old_slot;
	TupleTableSlot *new_slot;
	BulkSyncIndexWriter *indexes;
} BulkSyncDirectTable;

/* One phase: the executor's state for it, made without a plan */
typedef struct BulkSyncDirect
{
	BulkSyncApply *state;
	const BulkSyncPlan *plan;
	PlannedStmt *stmt;			/* no plan, but all that triggers ask for */
	EState	   *estate;
	EPQState	epq;			/* BEFORE triggers want one */
	ResultRelInfo *root;		/* of the target */
	TransitionCaptureState *capture;
	BulkSyncDirectTable *table; /* deletes, updates: the one that they are in */
	List	   *tables;			/* all that are open */
	struct BulkSyncSetColumn *set;	/* updates: the columns that are written */
	int			nset;
	bool		returning;		/* written rows are wanted */
	TupleTableSlot *returned;	/* shaped as by RETURNING */
	MemoryContext oldcontext;

	/* A partitioned target: which partition does a row go to? */
	TupleTableSlot *root_slot;
	ModifyTableState *mtstate;
	struct PartitionTupleRouting *routing;
} BulkSyncDirect;

/* in direct.c */
extern void bulk_sync_direct_begin(BulkSyncDirect *direct, BulkSyncApply *state, CmdType command,
								   bool returning);
extern void bulk_sync_direct_end(BulkSyncDirect *direct);
extern void bulk_sync_direct_open(BulkSyncDirect *direct, Oid tableoid, CmdType command);
extern BulkSyncDirectTable *bulk_sync_direct_partition(BulkSyncDirect *direct,
														 ResultRelInfo *relinfo);
extern void bulk_sync_direct_begin_routing(BulkSyncDirect *direct);
extern ResultRelInfo *bulk_sync_direct_route(BulkSyncDirect *direct);
extern void bulk_sync_direct_convert(BulkSyncDirect *direct, ResultRelInfo *relinfo,
									 TupleTableSlot *slot);
extern void bulk_sync_direct_report(BulkSyncDirect *direct, TupleTableSlot *source,
									const BulkSyncDirectTable *table, TupleTableSlot *row,
									bool mark);
extern TupleTableSlot *bulk_sync_direct_first(const BulkSyncRowSet *set);
extern bool bulk_sync_direct_next(BulkSyncDirect *direct, const BulkSyncRowSet *set,
								  TupleTableSlot *slot);

/* in index_entries.c */
extern BulkSyncIndexWriter *bulk_sync_index_begin(EState *estate, ResultRelInfo *relinfo,
												  CmdType command, bool at_once, bool churn,
												  int sharers);
extern List *bulk_sync_index_add(BulkSyncIndexWriter *writer, TupleTableSlot *old,
								 TupleTableSlot *slot, bool only_summarizing);
extern void bulk_sync_index_flush_kept(BulkSyncIndexWriter *writer);
extern void bulk_sync_index_finish(BulkSyncIndexWriter *writer);

#endif							/* BULK_SYNC_DIRECT_H */
