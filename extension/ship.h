/*-------------------------------------------------------------------------
 *
 * ship.h
 *	  Rows that go to shards along with a statement (ship.c), and tables for
 *	  them (shard_table.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULK_SYNC_SHIP_H
#define BULK_SYNC_SHIP_H

#include "bulk_sync.h"

/* Which part of a difference row the statement is about */
typedef enum BulkSyncShipmentKind
{
	BULK_SYNC_SHIP_OLD,			/* the target row */
	BULK_SYNC_SHIP_CHANGES,		/* the target row, and what it becomes */
	BULK_SYNC_SHIP_NEW,			/* the row to be inserted */
	BULK_SYNC_SHIP_KEYS,		/* its key */
	BULK_SYNC_SHIP_LOOKUP		/* a staged key: the row is nothing else */
} BulkSyncShipmentKind;

typedef struct BulkSyncShipment BulkSyncShipment;

extern Oid	bulk_sync_shipped_type(Oid type);
extern BulkSyncShipment *bulk_sync_begin_shipment(BulkSyncDifference *difference,
												  const BulkSyncRowSet *set,
												  BulkSyncShipmentKind kind, bool by_address);
extern BulkSyncFind bulk_sync_shipment_find(const BulkSyncShipment *shipment);
extern bool bulk_sync_ship_to_table(BulkSyncShipment *shipment);
extern void bulk_sync_rewind_shipment(BulkSyncShipment *shipment);
extern bool bulk_sync_next_load(BulkSyncShipment *shipment);
extern uint64 bulk_sync_run_shipped(const BulkSyncShipment *shipment, const char *sql,
									BulkSyncRowCallback callback, void *arg);
extern void bulk_sync_end_shipment(BulkSyncShipment *shipment);

/* in shard_table.c */
extern bool bulk_sync_is_worth_a_table(const BulkSyncPlan *plan, int64 rows);
extern char *bulk_sync_make_shard_table(const BulkSyncPlan *plan, TupleDesc desc,
										AttrNumber attno,
										bool (*fill) (const char *name, void *arg), void *arg);
extern void bulk_sync_drop_shard_table(const char *name);

#endif							/* BULK_SYNC_SHIP_H */
