/*-------------------------------------------------------------------------
 *
 * settings.h
 *	  The settings, and which ways they choose between.  Included by bulk_sync.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULK_SYNC_SETTINGS_H
#define BULK_SYNC_SETTINGS_H

/* in settings.c */
typedef enum BulkSyncMatcher
{
	BULK_SYNC_MATCHER_AUTO,
	BULK_SYNC_MATCHER_HASH,		/* all rows in scope are looked up in a hash table */
	BULK_SYNC_MATCHER_JOIN,		/* those with staged keys, where that is enough */
	BULK_SYNC_MATCHER_SORT,		/* both sides are sorted, where they can be */
	BULK_SYNC_MATCHER_FILTER	/* equal rows are sorted out first, where they can be */
} BulkSyncMatcher;

typedef enum BulkSyncApplier
{
	BULK_SYNC_APPLIER_AUTO,
	BULK_SYNC_APPLIER_DIRECT,	/* by calls of the table access method, where possible */
	BULK_SYNC_APPLIER_SQL		/* by statements */
} BulkSyncApplier;

extern int	bulk_sync_matcher;
extern int	bulk_sync_applier;
extern void bulk_sync_define_settings(void);
extern int64 bulk_sync_memory_budget(void);

#endif							/* BULK_SYNC_SETTINGS_H */
