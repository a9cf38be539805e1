/*-------------------------------------------------------------------------
 *
 * foreign.h
 *	  Rows of foreign tables that have addresses: what the files that write
 *	  them share with each other.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULK_SYNC_FOREIGN_H
#define BULK_SYNC_FOREIGN_H

#include "apply.h"

typedef enum BulkSyncRemoteCommand
{
	BULK_SYNC_REMOTE_LOCK,
	BULK_SYNC_REMOTE_FIND,		/* gives the address that a row has by now */
	BULK_SYNC_REMOTE_DELETE,
	BULK_SYNC_REMOTE_MARK,		/* a soft delete */
	BULK_SYNC_REMOTE_UPDATE,
	BULK_SYNC_REMOTE_TAKE		/* deletes a row that moves, and returns all of it */
} BulkSyncRemoteCommand;

/* By what rows are found */
typedef enum BulkSyncRemoteRows
{
	BULK_SYNC_REMOTE_MANY,		/* arrays of addresses and keys */
	BULK_SYNC_REMOTE_ONE,		/* an address and a key */
	BULK_SYNC_REMOTE_BY_KEY		/* a key, and all that was read of the row */
} BulkSyncRemoteRows;

/* A parameter: an attribute of the difference row, or a bit of what it takes */
typedef struct BulkSyncRemoteParam
{
	AttrNumber	attno;
	int			bit;			/* of BULK_SYNC_DIFF_TAKES; -1: none */
	Oid			type;
} BulkSyncRemoteParam;

typedef struct BulkSyncRemoteSql
{
	char	   *sql;
	int			nparams;		/* behind those of scope_values */
	BulkSyncRemoteParam *params;
} BulkSyncRemoteSql;

/* in deparse_foreign.c */
extern bool bulk_sync_remote_takes_many(const BulkSyncPlan *plan,
										const BulkSyncDifference *difference,
										BulkSyncRemoteCommand command);
extern BulkSyncRemoteSql *bulk_sync_deparse_remote(const BulkSyncPlan *plan,
												   const BulkSyncDifference *difference,
												   Relation rel, BulkSyncRemoteCommand command,
												   BulkSyncRemoteRows rows, bool returning);

/* Rows of one table that are on their way (apply_foreign.c) */
typedef struct BulkSyncRemote BulkSyncRemote;

/* in apply_foreign.c */
extern BulkSyncRemote *bulk_sync_remote_begin(const BulkSyncPlan *plan,
											  const BulkSyncDifference *difference,
											  BulkSyncApply *state, Relation rel,
											  BulkSyncRemoteCommand command, bool returning);
extern void bulk_sync_remote_add(BulkSyncRemote *remote, TupleTableSlot *source);
extern uint64 bulk_sync_remote_end(BulkSyncRemote *remote);
extern bool bulk_sync_remote_take(const BulkSyncPlan *plan, const BulkSyncDifference *difference,
								  Relation rel, TupleTableSlot *source, TupleTableSlot *slot);

#endif							/* BULK_SYNC_FOREIGN_H */
