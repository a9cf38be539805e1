/*-------------------------------------------------------------------------
 *
 * match.h
 *	  What the files that match rows share with each other, and with no other.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULK_SYNC_MATCH_H
#define BULK_SYNC_MATCH_H

#include "bulk_sync.h"

#include "utils/datum.h"

/*
 * A target row that is kept for an entry.  Soft delete: a marked row of its
 * key; history: the newest row of its key.
 */
typedef struct BulkSyncKeptRow
{
	Oid			tableoid;
	ItemPointerData tid;
	int64		written;
	MinimalTuple tuple;			/* of all that was read */
} BulkSyncKeptRow;

/*
 * A staged row, as long as it waits for its target row.  There is one of these
 * for each: how many fit into memory decides how fast a large match is.  So what
 * is known of the row lies in the bytes that a MinimalTuple leaves unused.
 */
typedef struct BulkSyncEntry
{
	int64		position;
	/* From here on it is the wanted row, as a MinimalTuple */
	uint32		t_len;
	uint32		hash;			/* in its mt_padding, as the rest */
	uint16		matched:1,		/* to a live row */
				reported:1,		/* as a duplicate */
				dead:1,			/* a better duplicate has taken its place */
				kept_twice:1;
	/* behind it, if rows are kept: the BulkSyncKeptRow, or NULL */
} BulkSyncEntry;

StaticAssertDecl(offsetof(BulkSyncEntry, hash) - offsetof(BulkSyncEntry, t_len) ==
				 offsetof(MinimalTupleData, mt_padding) &&
				 MINIMAL_TUPLE_PADDING >= sizeof(uint32) + sizeof(uint16),
				 "a minimal tuple has no room for an entry");

#define BULK_SYNC_ENTRY_HEADER	offsetof(BulkSyncEntry, t_len)
#define BULK_SYNC_ENTRY_TUPLE(entry) ((MinimalTuple) &(entry)->t_len)

/* Staged rows in memory, by their key (hash_table.c) */
typedef struct BulkSyncHashTable BulkSyncHashTable;

typedef struct BulkSyncMatch
{
	const BulkSyncPlan *plan;
	struct BulkSyncDifference *difference;
	BulkSyncGroups *groups;
	MemoryContext context;		/* of the match */
	MemoryContext row_context;	/* of what is done about one row */
	TupleTableSlot *staged_slot;	/* the staged row of an entry */
	TupleTableSlot *kept_slot;	/* the row kept for an entry */
	void	   *matcher;		/* private to match_hash.c or match_sort.c */
	BulkSyncEqualRows *equal;	/* rows that need not be matched, or NULL */

	/* Scratch space for one pair of rows */
	bool	   *takes;			/* by column index */
	Datum	   *new_values;		/* the row to be written, by read index */
	bool	   *new_isnull;
	bool	   *decided;
	bool	   *generated;		/* by read index */
	bool	   *changed;		/* of the pair, by column index */
	BulkSyncHistory *history;	/* of bulk_insert_changed() alone */
	bool		keeps_rows;		/* target rows beside entries */
} BulkSyncMatch;

/* How much room an entry takes, with a tuple of this size */
static inline Size
bulk_sync_entry_size(const BulkSyncMatch *match, uint32 tuple_size)
{
	return BULK_SYNC_ENTRY_HEADER + MAXALIGN(tuple_size) +
		(match->keeps_rows ? sizeof(BulkSyncKeptRow *) : 0);
}

/* Where an entry has its kept row, if rows are kept */
static inline BulkSyncKeptRow **
bulk_sync_entry_kept(BulkSyncEntry *entry)
{
	return (BulkSyncKeptRow **) ((char *) &entry->t_len + MAXALIGN(entry->t_len));
}

/* The target row that is kept for an entry, or NULL */
static inline BulkSyncKeptRow *
bulk_sync_kept_row(const BulkSyncMatch *match, BulkSyncEntry *entry)
{
	return match->keeps_rows ? *bulk_sync_entry_kept(entry) : NULL;
}

/* The tuple of an entry is there: now what is known of the row */
static inline void
bulk_sync_set_entry(const BulkSyncMatch *match, BulkSyncEntry *entry, uint32 hash,
						int64 position, bool reported)
{
	entry->position = position;
	entry->hash = hash;
	entry->matched = entry->dead = entry->kept_twice = false;
	entry->reported = reported;
	if (match->keeps_rows)
		*bulk_sync_entry_kept(entry) = NULL;
}

/* Does a value of variable length stand there as it is? */
static inline bool
bulk_sync_is_plain(Datum value)
{
	return VARATT_IS_4B_U(DatumGetPointer(value)) ||
		(VARATT_IS_SHORT(DatumGetPointer(value)) &&
		 !VARATT_IS_EXTERNAL(DatumGetPointer(value)));
}

/* Have two values of a column the same image?  NULL is like NULL. */
static inline bool
bulk_sync_image_equal(const BulkSyncColumn *column, Datum a, bool a_isnull,
					  Datum b, bool b_isnull)
{
	if (a_isnull || b_isnull)
		return (a_isnull && b_isnull) || BULK_SYNC_MUTANT(null_equals_all);
	if (BULK_SYNC_MUTANT(equality_for_image))
		return bulk_sync_mutant_equal(column->type, column->collation, a, b);
	if (column->typbyval)
		return a == b;
	/* What datum_image_eq() does, where nothing need be fetched or decompressed */
	if (column->typlen == -1 && bulk_sync_is_plain(a) && bulk_sync_is_plain(b))
		return VARSIZE_ANY_EXHDR(DatumGetPointer(a)) == VARSIZE_ANY_EXHDR(DatumGetPointer(b)) &&
			memcmp(VARDATA_ANY(DatumGetPointer(a)), VARDATA_ANY(DatumGetPointer(b)),
				   VARSIZE_ANY_EXHDR(DatumGetPointer(a))) == 0;
	return datum_image_eq(a, b, false, column->typlen);
}

/* What a digest is made with: drawn anew for each call (digest.c) */
#define BULK_SYNC_DIGEST_BLOCK 64	/* words */

typedef struct BulkSyncDigestKey
{
	uint64		words[2][BULK_SYNC_DIGEST_BLOCK];
	uint64		place[2];
} BulkSyncDigestKey;

typedef struct BulkSyncDigest
{
	const BulkSyncDigestKey *key;
	uint64		hash[2];		/* the digest, in the end */
	int			nwords;			/* waiting in the block */
	uint64		block[BULK_SYNC_DIGEST_BLOCK];
} BulkSyncDigest;

/* in digest.c */
extern bool bulk_sync_digest_init(BulkSyncDigestKey *key);
extern void bulk_sync_digest_begin(BulkSyncDigest *digest, const BulkSyncDigestKey *key);
extern void bulk_sync_digest_add(BulkSyncDigest *digest, const BulkSyncColumn *column,
								 Datum value, bool isnull);
extern void bulk_sync_digest_end(BulkSyncDigest *digest);

/* in equal_rows.c */
extern BulkSyncEqualRows *bulk_sync_find_equal_rows(BulkSyncMatch *match,
													BulkSyncStagedSource *source);
extern bool bulk_sync_equal_probe(BulkSyncEqualRows *equal, const BulkSyncTargetRow *row);
extern int64 bulk_sync_equal_count(const BulkSyncEqualRows *equal);
extern bool bulk_sync_target_is_equal(const BulkSyncEqualRows *equal, int64 number);

/* in match.c */
extern bool bulk_sync_key_is_assigned(const BulkSyncPlan *plan, const BulkSyncStagedRow *row);
extern bool bulk_sync_is_marked(const BulkSyncPlan *plan, const BulkSyncTargetRow *row);
extern bool bulk_sync_new_duplicate_wins(const BulkSyncPlan *plan,
										 const Datum *old_values, const bool *old_isnull,
										 int64 old_position,
										 const Datum *new_values, const bool *new_isnull,
										 int64 new_position);
extern void bulk_sync_match_duplicate(BulkSyncMatch *match, BulkSyncEntry *entry,
									  const Datum *values, const bool *isnull);
extern void bulk_sync_match_row(BulkSyncMatch *match, BulkSyncEntry *entry,
								const BulkSyncTargetRow *row);
extern void bulk_sync_match_entry_done(BulkSyncMatch *match, BulkSyncEntry *entry);

extern void bulk_sync_keep_row(BulkSyncMatch *match, BulkSyncEntry *entry,
							   const BulkSyncTargetRow *row);
extern void bulk_sync_forget_row(BulkSyncMatch *match, BulkSyncEntry *entry);

extern void bulk_sync_match_pair(BulkSyncMatch *match, const BulkSyncTargetRow *row,
								 const BulkSyncStagedRow *wanted);
extern void bulk_sync_match_new(BulkSyncMatch *match, const BulkSyncStagedRow *wanted);

/* in match_shards.c */
extern void bulk_sync_match_on_shards(BulkSyncMatch *match);

/* in hash_table.c */
extern BulkSyncHashTable *bulk_sync_table_create(BulkSyncMatch *match);
extern void bulk_sync_table_free(BulkSyncHashTable *table);
extern void bulk_sync_table_reset(BulkSyncHashTable *table);
extern uint32 bulk_sync_hash_key(const BulkSyncPlan *plan, const Datum *values,
								 const bool *isnull, bool target);
extern BulkSyncEntry *bulk_sync_table_allocate(BulkSyncHashTable *table, uint32 tuple_size);
extern BulkSyncEntry *bulk_sync_table_form(BulkSyncHashTable *table, uint32 hash, int64 position,
										   const Datum *values, const bool *isnull);
extern uint32 bulk_sync_table_last_place(const BulkSyncHashTable *table);
extern BulkSyncEntry *bulk_sync_table_copy(BulkSyncHashTable *table, uint32 hash,
										   int64 position, HeapTuple stored);
extern void bulk_sync_table_link(BulkSyncHashTable *table, uint32 place);
extern BulkSyncEntry *bulk_sync_table_find(BulkSyncHashTable *table, uint32 hash,
										   const Datum *values, const bool *isnull);
extern void bulk_sync_table_prefetch_slot(const BulkSyncHashTable *table, uint32 hash);
extern void bulk_sync_table_prefetch_entry(const BulkSyncHashTable *table, uint32 hash);
extern double bulk_sync_table_extrapolate(const BulkSyncHashTable *table, double times);
extern int64 bulk_sync_table_budget(const BulkSyncHashTable *table);
extern bool bulk_sync_table_is_over(const BulkSyncHashTable *table);
extern bool bulk_sync_table_is_full(BulkSyncHashTable *table);
extern int64 bulk_sync_table_count(const BulkSyncHashTable *table);
extern void bulk_sync_table_for_each(BulkSyncHashTable *table,
									 void (*function) (BulkSyncEntry *entry, void *arg),
									 void *arg);
extern bool bulk_sync_table_split(BulkSyncHashTable *table,
								  bool (*keep) (BulkSyncEntry *entry, void *arg), void *arg);

/* in match_hash.c */
extern void bulk_sync_hash_begin(BulkSyncMatch *match);
extern void bulk_sync_hash_add(BulkSyncMatch *match, const BulkSyncStagedRow *row);
extern void bulk_sync_hash_expect(BulkSyncMatch *match, double times);
extern void bulk_sync_hash_added(BulkSyncMatch *match);
extern bool bulk_sync_hash_is_whole(const BulkSyncMatch *match);
extern int64 bulk_sync_hash_count(const BulkSyncMatch *match);
extern Tuplestorestate *bulk_sync_hash_keys(BulkSyncMatch *match, TupleDesc desc, bool *nulls);
extern void bulk_sync_hash_probe(BulkSyncMatch *match, const BulkSyncTargetRow *row, bool stays);
extern void bulk_sync_hash_flush(BulkSyncMatch *match);
extern void bulk_sync_hash_finish(BulkSyncMatch *match);

/* in read_target.c */
#define BULK_SYNC_READ_AHEAD	64	/* target rows that may stay at once */
extern uint64 bulk_sync_read_target(BulkSyncMatch *match);
extern void bulk_sync_read_to_probe(BulkSyncMatch *match, BulkSyncEqualRows *equal);

/* in read_shards.c */
extern void bulk_sync_read_shards(const BulkSyncPlan *plan, const char *sql,
								  const ParamListInfo params, BulkSyncRowCallback receive,
								  void *arg);
extern bool bulk_sync_read_keys_on_shards(BulkSyncMatch *match, TupleDesc desc,
										  BulkSyncRowCallback receive, void *arg);

/* in match_sort.c */
extern void bulk_sync_sort_begin(BulkSyncMatch *match);
extern void bulk_sync_sort_add(BulkSyncMatch *match, const BulkSyncStagedRow *row);
extern void bulk_sync_sort_probe(BulkSyncMatch *match, const BulkSyncTargetRow *row);
extern void bulk_sync_sort_finish(BulkSyncMatch *match);

/* in history.c */
extern void bulk_sync_history_begin(BulkSyncMatch *match);
extern void bulk_sync_history_add_staged(BulkSyncMatch *match, const BulkSyncStagedRow *row);
extern void bulk_sync_history_row(BulkSyncMatch *match, BulkSyncEntry *entry,
								  const BulkSyncTargetRow *row);
extern void bulk_sync_history_entry_done(BulkSyncMatch *match, BulkSyncEntry *entry);
extern void bulk_sync_history_finish(BulkSyncMatch *match);

#endif							/* BULK_SYNC_MATCH_H */
