/*-------------------------------------------------------------------------
 *
 * match_hash.c
 *	  Finds the staged row of a target row in a hash table of staged rows.
 *
 * The table is kept within bulk_sync.work_mem.  When the staged rows do not
 * fit, they are split into batches by bits of their hash, and so are the
 * target rows; all batches but the first wait in temporary files.  This is
 * the hybrid hash join of DeWitt et al., "Implementation techniques for main
 * memory database systems" (SIGMOD 1984), with the doubling of the number of
 * batches that PostgreSQL's nodeHash.c uses.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/memutils.h"

#define FIRST_CHUNK_SIZE	(8 * 1024)
#define LARGEST_CHUNK_SIZE	(1024 * 1024)
/* Batches of fewer entries than this are not worth their files */
#define MIN_BATCH_ENTRIES	64
#define FIRST_SLOTS			1024
#define MAX_BATCHES			(1 << 16)

/* Entries are packed into chunks: they are never freed one by one */
typedef struct Chunk
{
	struct Chunk *next;
	Size		size;			/* of data */
	Size		used;
	char		data[FLEXIBLE_ARRAY_MEMBER];
} Chunk;

#define CHUNK_HEADER	MAXALIGN(offsetof(Chunk, data))
#define CHUNK_DATA(chunk) ((char *) (chunk) + CHUNK_HEADER)

/*
 * The table is open-addressed with linear probing.  The hash stands beside the
 * pointer, so that a row that is not looked for is hardly ever touched: it is
 * cache misses that matching spends its time on.
 */
typedef struct HashSlot
{
	BulkSyncEntry *entry;		/* NULL: empty */
	uint32		hash;
} HashSlot;

typedef struct HashMatcher
{
	MemoryContext match_context;	/* of all else */
	MemoryContext context;		/* of chunks and slots */
	Chunk	   *first;			/* in the order of staging */
	Chunk	   *last;
	Size		next_chunk_size;
	Size		max_chunk_size;
	HashSlot   *slots;
	uint64		nslots;			/* a power of two */
	int64		nentries;
	Size		used;			/* bytes of chunks and slots */
	Size		budget;

	int			nbatches;		/* a power of two */
	int			current;
	bool		may_grow;
	BufFile   **staged_files;	/* by batch; NULL: nothing there */
	BufFile   **target_files;
	TupleTableSlot *key_slot;	/* of an entry that is looked at */
	TupleTableSlot *row_slot;	/* of a row from a file */
} HashMatcher;

/* What precedes the tuple in a file */
typedef struct StagedRecord
{
	int64		position;
	uint32		hash;
	bool		reported;
} StagedRecord;

typedef struct TargetRecord
{
	uint32		hash;
	Oid			tableoid;
	ItemPointerData tid;
} TargetRecord;

static int
batch_of(const HashMatcher *matcher, uint32 hash)
{
	/* Other bits than those that choose the slot */
	return murmurhash32(hash) & (matcher->nbatches - 1);
}

static uint32
hash_key(const BulkSyncPlan *plan, const Datum *values, const bool *isnull, bool target)
{
	uint32		hash = 0;

	for (int i = 0; i < plan->nkeys; i++)
	{
		int			index = target ? plan->columns[i].read_index : i;
		uint32		part = 0;

		if (!isnull[index])
			part = DatumGetUInt32(FunctionCall1Coll(&plan->key[i].hash, plan->key[i].collation,
													values[index]));
		hash = hash_combine(hash, part);
	}
	return hash;
}

/* Does the entry have this key? */
static bool
entry_has_key(const BulkSyncPlan *plan, HashMatcher *matcher, BulkSyncEntry *entry,
			  const Datum *values, const bool *isnull, bool target)
{
	TupleTableSlot *slot = matcher->key_slot;

	ExecStoreMinimalTuple(BULK_SYNC_ENTRY_TUPLE(entry), slot, false);
	slot_getsomeattrs(slot, plan->nkeys);
	for (int i = 0; i < plan->nkeys; i++)
	{
		int			index = target ? plan->columns[i].read_index : i;

		if (isnull[index] || slot->tts_isnull[i])
		{
			if (!isnull[index] || !slot->tts_isnull[i])
				return false;
		}
		else if (!DatumGetBool(FunctionCall2Coll(&plan->key[i].eq, plan->key[i].collation,
												 slot->tts_values[i], values[index])))
			return false;
	}
	return true;
}

/* The slot of a key: that of its entry, or the empty one where it belongs */
static HashSlot *
find_slot(const BulkSyncPlan *plan, HashMatcher *matcher, uint32 hash,
		  const Datum *values, const bool *isnull, bool target)
{
	uint64		mask = matcher->nslots - 1;

	for (uint64 i = hash & mask;; i = (i + 1) & mask)
	{
		HashSlot   *slot = &matcher->slots[i];

		if (slot->entry == NULL ||
			(slot->hash == hash &&
			 entry_has_key(plan, matcher, slot->entry, values, isnull, target)))
			return slot;
	}
}

/*-------------------------------------------------------------------------
 * Memory
 *-------------------------------------------------------------------------
 */
static BulkSyncEntry *
allocate_entry(HashMatcher *matcher, Size tuple_size)
{
	Size		size = BULK_SYNC_ENTRY_SIZE + MAXALIGN(tuple_size);
	Chunk	   *chunk = matcher->last;
	BulkSyncEntry *entry;

	if (chunk == NULL || chunk->size - chunk->used < size)
	{
		Size		chunk_size = Max(matcher->next_chunk_size, size);

		chunk = MemoryContextAllocHuge(matcher->context, CHUNK_HEADER + chunk_size);
		chunk->next = NULL;
		chunk->size = chunk_size;
		chunk->used = 0;
		if (matcher->last == NULL)
			matcher->first = chunk;
		else
			matcher->last->next = chunk;
		matcher->last = chunk;
		matcher->used += CHUNK_HEADER + chunk_size;
		matcher->next_chunk_size = Min(matcher->next_chunk_size * 2, matcher->max_chunk_size);
	}
	entry = (BulkSyncEntry *) (CHUNK_DATA(chunk) + chunk->used);
	chunk->used += size;
	memset(entry, 0, BULK_SYNC_ENTRY_SIZE);
	entry->space = MAXALIGN(tuple_size);
	return entry;
}

/* Calls a function for each entry, in the order in which they came */
static void
for_each_entry(Chunk *chunk, void (*function) (BulkSyncEntry *entry, void *arg), void *arg)
{
	for (; chunk != NULL; chunk = chunk->next)
	{
		Size		offset = 0;

		while (offset < chunk->used)
		{
			BulkSyncEntry *entry = (BulkSyncEntry *) (CHUNK_DATA(chunk) + offset);

			offset += BULK_SYNC_ENTRY_SIZE + entry->space;
			if (!entry->replaced)
				function(entry, arg);
		}
	}
}

static void
put_entry(HashMatcher *matcher, uint32 hash, BulkSyncEntry *entry)
{
	uint64		mask = matcher->nslots - 1;
	uint64		i = hash & mask;

	while (matcher->slots[i].entry != NULL)
		i = (i + 1) & mask;
	matcher->slots[i].entry = entry;
	matcher->slots[i].hash = hash;
}

static void
relink(BulkSyncEntry *entry, void *arg)
{
	put_entry((HashMatcher *) arg, entry->hash, entry);
}

static void
allocate_slots(HashMatcher *matcher, uint64 nslots)
{
	matcher->slots = MemoryContextAllocExtended(matcher->context, nslots * sizeof(HashSlot),
												MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	matcher->nslots = nslots;
	matcher->used += nslots * sizeof(HashSlot);
}

static void
double_slots(HashMatcher *matcher)
{
	HashSlot   *old = matcher->slots;
	uint64		nold = matcher->nslots;

	matcher->used -= nold * sizeof(HashSlot);
	allocate_slots(matcher, nold * 2);
	for (uint64 i = 0; i < nold; i++)
	{
		if (old[i].entry != NULL)
			put_entry(matcher, old[i].hash, old[i].entry);
	}
	pfree(old);
}

static void
reset_table(HashMatcher *matcher)
{
	MemoryContextReset(matcher->context);
	matcher->first = matcher->last = NULL;
	matcher->next_chunk_size = FIRST_CHUNK_SIZE;
	matcher->nentries = 0;
	matcher->used = 0;
	allocate_slots(matcher, FIRST_SLOTS);
}

/*-------------------------------------------------------------------------
 * Files
 *-------------------------------------------------------------------------
 */
static BufFile *
batch_file(HashMatcher *matcher, BufFile **files, int batch)
{
	if (files[batch] == NULL)
	{
		/* Called for single rows, but the file outlives them */
		MemoryContext oldcontext = MemoryContextSwitchTo(matcher->match_context);

		files[batch] = BufFileCreateTemp(false);
		MemoryContextSwitchTo(oldcontext);
	}
	return files[batch];
}

static void
write_tuple(BufFile *file, MinimalTuple tuple)
{
	bulk_sync_buffile_write(file, tuple, tuple->t_len);
}

/* Reads the tuple after a record; it lives until the context is reset */
static MinimalTuple
read_tuple(BufFile *file, MemoryContext context)
{
	uint32		len;
	MinimalTuple tuple;

	bulk_sync_buffile_read_exact(file, &len, sizeof(len));
	tuple = MemoryContextAlloc(context, len);
	tuple->t_len = len;
	bulk_sync_buffile_read_exact(file, (char *) tuple + sizeof(len), len - sizeof(len));
	return tuple;
}

static void
write_staged(HashMatcher *matcher, int batch, uint32 hash, int64 position, bool reported,
			 MinimalTuple tuple)
{
	BufFile    *file = batch_file(matcher, matcher->staged_files, batch);
	StagedRecord record;

	memset(&record, 0, sizeof(record));
	record.position = position;
	record.hash = hash;
	record.reported = reported;
	bulk_sync_buffile_write(file, &record, sizeof(record));
	write_tuple(file, tuple);
}

static void
write_target(HashMatcher *matcher, int batch, const TargetRecord *record, MinimalTuple tuple)
{
	BufFile    *file = batch_file(matcher, matcher->target_files, batch);

	bulk_sync_buffile_write(file, record, sizeof(TargetRecord));
	write_tuple(file, tuple);
}

/* Reads a record; false at the end of the file */
static bool
read_record(BufFile *file, void *record, size_t size)
{
	size_t		nread = BufFileRead(file, record, size);

	if (nread == 0)
		return false;
	if (nread != size)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read from temporary file: read only %zu of %zu bytes",
						nread, size)));
	return true;
}

/*-------------------------------------------------------------------------
 * Batches
 *-------------------------------------------------------------------------
 */
typedef struct SplitContext
{
	HashMatcher *matcher;
	int64		moved;
} SplitContext;

/* Keeps an entry of the current batch, sends any other to its file */
static void
split_entry(BulkSyncEntry *entry, void *arg)
{
	SplitContext *context = (SplitContext *) arg;
	HashMatcher *matcher = context->matcher;
	MinimalTuple tuple = BULK_SYNC_ENTRY_TUPLE(entry);
	int			batch = batch_of(matcher, entry->hash);
	BulkSyncEntry *copy;

	CHECK_FOR_INTERRUPTS();
	if (batch != matcher->current)
	{
		write_staged(matcher, batch, entry->hash, entry->position, entry->reported, tuple);
		context->moved++;
		return;
	}
	copy = allocate_entry(matcher, tuple->t_len);
	copy->hash = entry->hash;
	copy->position = entry->position;
	copy->reported = entry->reported;
	memcpy(BULK_SYNC_ENTRY_TUPLE(copy), tuple, tuple->t_len);
	matcher->nentries++;
}

/*
 * The table has outgrown its budget: twice as many batches, half as many
 * entries in this one.  When that moves nothing, all hashes are alike and it
 * is no use to go on.
 */
static void
double_batches(BulkSyncMatch *match)
{
	HashMatcher *matcher = (HashMatcher *) match->matcher;
	int			nbatches = matcher->nbatches * 2;
	Chunk	   *old = matcher->first;
	SplitContext split = {matcher, 0};
	MemoryContext oldcontext = MemoryContextSwitchTo(match->context);

	if (matcher->staged_files == NULL)
	{
		matcher->staged_files = palloc0(nbatches * sizeof(BufFile *));
		matcher->target_files = palloc0(nbatches * sizeof(BufFile *));
	}
	else
	{
		matcher->staged_files = repalloc(matcher->staged_files, nbatches * sizeof(BufFile *));
		matcher->target_files = repalloc(matcher->target_files, nbatches * sizeof(BufFile *));
		memset(matcher->staged_files + matcher->nbatches, 0,
			   matcher->nbatches * sizeof(BufFile *));
		memset(matcher->target_files + matcher->nbatches, 0,
			   matcher->nbatches * sizeof(BufFile *));
	}
	matcher->nbatches = nbatches;

	matcher->first = matcher->last = NULL;
	matcher->next_chunk_size = FIRST_CHUNK_SIZE;
	matcher->nentries = 0;
	matcher->used = matcher->nslots * sizeof(HashSlot);
	while (old != NULL)
	{
		Chunk	   *next = old->next;

		old->next = NULL;
		for_each_entry(old, split_entry, &split);
		pfree(old);
		old = next;
	}
	memset(matcher->slots, 0, matcher->nslots * sizeof(HashSlot));
	for_each_entry(matcher->first, relink, matcher);

	matcher->may_grow = split.moved > 0 && nbatches < MAX_BATCHES;
	MemoryContextSwitchTo(oldcontext);
}

/* Puts a row of the current batch into the table */
static void
insert_entry(BulkSyncMatch *match, uint32 hash, int64 position, bool reported,
			 MinimalTuple tuple, const Datum *values, const bool *isnull)
{
	const BulkSyncPlan *plan = match->plan;
	HashMatcher *matcher = (HashMatcher *) match->matcher;
	HashSlot   *slot = find_slot(plan, matcher, hash, values, isnull, false);
	BulkSyncEntry *existing = slot->entry;
	BulkSyncEntry *entry;

	if (existing != NULL)
	{
		existing->reported |= reported;
		bulk_sync_match_duplicate(match, existing, values, isnull);
		if (plan->options->duplicates == BULK_SYNC_DUPLICATES_ERROR)
			return;
		slot_getallattrs(matcher->key_slot);
		if (!bulk_sync_new_duplicate_wins(plan, matcher->key_slot->tts_values,
										  matcher->key_slot->tts_isnull, existing->position,
										  values, isnull, position))
			return;
		/* In its place if there is room: many duplicates must not fill the memory */
		if (tuple->t_len <= existing->space)
		{
			memcpy(BULK_SYNC_ENTRY_TUPLE(existing), tuple, tuple->t_len);
			existing->position = position;
			return;
		}
		existing->replaced = true;
		matcher->nentries--;
	}

	entry = allocate_entry(matcher, tuple->t_len);
	entry->hash = hash;
	entry->position = position;
	entry->reported = reported;
	memcpy(BULK_SYNC_ENTRY_TUPLE(entry), tuple, tuple->t_len);
	slot->entry = entry;
	slot->hash = hash;
	matcher->nentries++;

	if (matcher->nentries > matcher->nslots / 4 * 3)
		double_slots(matcher);
	while (matcher->used > matcher->budget && matcher->may_grow &&
		   matcher->nentries > MIN_BATCH_ENTRIES)
		double_batches(match);
}

/*-------------------------------------------------------------------------
 * The steps of a match
 *-------------------------------------------------------------------------
 */
void
bulk_sync_hash_begin(BulkSyncMatch *match)
{
	HashMatcher *matcher = palloc0(sizeof(HashMatcher));

	matcher->context = AllocSetContextCreate(match->context, "bulk_sync hash table",
											 ALLOCSET_DEFAULT_SIZES);
	matcher->match_context = match->context;
	matcher->budget = bulk_sync_memory_budget();
	matcher->max_chunk_size = Max(FIRST_CHUNK_SIZE, Min(LARGEST_CHUNK_SIZE, matcher->budget / 16));
	matcher->nbatches = 1;
	matcher->may_grow = true;
	matcher->key_slot = MakeSingleTupleTableSlot(match->plan->wanted_desc, &TTSOpsMinimalTuple);
	matcher->row_slot = MakeSingleTupleTableSlot(match->plan->wanted_desc, &TTSOpsMinimalTuple);
	reset_table(matcher);
	match->matcher = matcher;
}

void
bulk_sync_hash_add(BulkSyncMatch *match, const BulkSyncStagedRow *row)
{
	HashMatcher *matcher = (HashMatcher *) match->matcher;
	uint32		hash = hash_key(match->plan, row->values, row->isnull, false);
	int			batch = batch_of(matcher, hash);
	MinimalTuple tuple = bulk_sync_form_minimal_tuple(match->plan->wanted_desc,
													  row->values, row->isnull);

	if (batch != matcher->current)
		write_staged(matcher, batch, hash, row->position, false, tuple);
	else
		insert_entry(match, hash, row->position, false, tuple, row->values, row->isnull);
	pfree(tuple);
}

void
bulk_sync_hash_probe(BulkSyncMatch *match, const BulkSyncTargetRow *row)
{
	const BulkSyncPlan *plan = match->plan;
	HashMatcher *matcher = (HashMatcher *) match->matcher;
	uint32		hash = hash_key(plan, row->values, row->isnull, true);
	int			batch = batch_of(matcher, hash);

	if (batch != matcher->current)
	{
		MinimalTuple tuple = bulk_sync_form_minimal_tuple(plan->read_desc, row->values,
														  row->isnull);
		TargetRecord record;

		memset(&record, 0, sizeof(record));
		record.hash = hash;
		record.tableoid = row->tableoid;
		record.tid = row->tid;
		write_target(matcher, batch, &record, tuple);
		pfree(tuple);
		return;
	}
	bulk_sync_match_row(match,
						find_slot(plan, matcher, hash, row->values, row->isnull, true)->entry,
						row);
}

/* Fills the table with the staged rows of the current batch */
static void
load_batch(BulkSyncMatch *match)
{
	MemoryContext row_context = match->row_context;
	HashMatcher *matcher = (HashMatcher *) match->matcher;
	BufFile    *file = matcher->staged_files[matcher->current];
	StagedRecord record;
	MemoryContext oldcontext;

	if (file == NULL)
		return;
	if (BufFileSeek(file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file: %m")));
	oldcontext = MemoryContextSwitchTo(row_context);
	while (read_record(file, &record, sizeof(record)))
	{
		MinimalTuple tuple = read_tuple(file, row_context);
		int			batch = batch_of(matcher, record.hash);

		CHECK_FOR_INTERRUPTS();
		if (batch != matcher->current)
			write_staged(matcher, batch, record.hash, record.position, record.reported, tuple);
		else
		{
			ExecStoreMinimalTuple(tuple, matcher->row_slot, false);
			slot_getallattrs(matcher->row_slot);
			insert_entry(match, record.hash, record.position, record.reported, tuple,
						 matcher->row_slot->tts_values, matcher->row_slot->tts_isnull);
		}
		MemoryContextReset(row_context);
	}
	MemoryContextSwitchTo(oldcontext);
	BufFileClose(file);
	matcher->staged_files[matcher->current] = NULL;
}

/* Looks up the target rows of the current batch */
static void
probe_batch(BulkSyncMatch *match)
{
	MemoryContext row_context = match->row_context;
	const BulkSyncPlan *plan = match->plan;
	HashMatcher *matcher = (HashMatcher *) match->matcher;
	BufFile    *file = matcher->target_files[matcher->current];
	TupleTableSlot *slot;
	TargetRecord record;
	MemoryContext oldcontext;

	if (file == NULL)
		return;
	slot = MakeSingleTupleTableSlot(plan->read_desc, &TTSOpsMinimalTuple);
	if (BufFileSeek(file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file: %m")));
	oldcontext = MemoryContextSwitchTo(row_context);
	while (read_record(file, &record, sizeof(record)))
	{
		MinimalTuple tuple = read_tuple(file, row_context);
		int			batch = batch_of(matcher, record.hash);
		BulkSyncTargetRow row;

		CHECK_FOR_INTERRUPTS();
		if (batch != matcher->current)
			write_target(matcher, batch, &record, tuple);
		else
		{
			ExecStoreMinimalTuple(tuple, slot, false);
			slot_getallattrs(slot);
			row.tableoid = record.tableoid;
			row.tid = record.tid;
			row.values = slot->tts_values;
			row.isnull = slot->tts_isnull;
			bulk_sync_match_row(match,
								find_slot(plan, matcher, record.hash, row.values, row.isnull,
										  true)->entry, &row);
		}
		MemoryContextReset(row_context);
	}
	MemoryContextSwitchTo(oldcontext);
	ExecDropSingleTupleTableSlot(slot);
	BufFileClose(file);
	matcher->target_files[matcher->current] = NULL;
}

static void
finish_entry(BulkSyncEntry *entry, void *arg)
{
	bulk_sync_match_entry_done((BulkSyncMatch *) arg, entry);
}

/* All rows have been seen: finish the first batch, then do the others */
void
bulk_sync_hash_finish(BulkSyncMatch *match)
{
	HashMatcher *matcher = (HashMatcher *) match->matcher;

	for_each_entry(matcher->first, finish_entry, match);

	for (matcher->current = 1; matcher->current < matcher->nbatches; matcher->current++)
	{
		reset_table(matcher);
		matcher->may_grow = matcher->nbatches < MAX_BATCHES;
		load_batch(match);
		probe_batch(match);
		for_each_entry(matcher->first, finish_entry, match);
	}

	ExecDropSingleTupleTableSlot(matcher->key_slot);
	ExecDropSingleTupleTableSlot(matcher->row_slot);
	MemoryContextDelete(matcher->context);
}
