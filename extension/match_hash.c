/*-------------------------------------------------------------------------
 *
 * match_hash.c
 *	  Finds the staged row of a target row in a hash table of staged rows.
 *
 * The table (hash_table.c) is kept within bulk_sync.work_mem.  When the staged rows do not
 * fit, they are split into batches by bits of their hash, and so are the
 * target rows; all batches but the first wait in temporary files.  This is
 * the hybrid hash join of DeWitt et al., "Implementation techniques for main
 * memory database systems" (SIGMOD 1984), with the doubling of the number of
 * batches that PostgreSQL's nodeHash.c uses.
 *
 *-------------------------------------------------------------------------
 */
#include "match.h"

#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/memutils.h"

#define MAX_BATCHES			(1 << 16)

/*
 * Rows are looked up some at a time: first all their slots are fetched into
 * the cache, then all entries found there, then each row is dealt with.  The
 * misses of one row overlap with those of the others.
 */
#define QUEUE_LENGTH 64

typedef struct QueuedRow
{
	uint32		hash;
	MinimalTuple tuple;			/* in the queue's context */
	int64		position;		/* of a staged row */
	bool		reported;
	Oid			tableoid;		/* of a target row */
	ItemPointerData tid;
	int64		written;
} QueuedRow;

typedef struct HashMatcher
{
	MemoryContext context;		/* of the match */
	BulkSyncHashTable *table;	/* staged rows of the current batch */

	int			nbatches;		/* a power of two */
	int			current;
	bool		may_grow;
	BufFile   **staged_files;	/* by batch; NULL: nothing there */
	BufFile   **target_files;

	MemoryContext queue_context;
	QueuedRow	queue[QUEUE_LENGTH];
	int			nqueued;
	TupleTableSlot *staged_slot;	/* of a queued row */
	TupleTableSlot *target_slot;
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
	int64		written;
} TargetRecord;

static int
batch_of(const HashMatcher *matcher, uint32 hash)
{
	/* Other bits than those that choose the slot */
	return murmurhash32(hash) & (matcher->nbatches - 1);
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
		MemoryContext oldcontext = MemoryContextSwitchTo(matcher->context);

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
/* Keeps an entry of the current batch, sends any other to its file */
static bool
keep_entry(BulkSyncEntry *entry, void *arg)
{
	HashMatcher *matcher = (HashMatcher *) arg;
	int			batch = batch_of(matcher, entry->hash);

	if (batch == matcher->current)
		return true;
	write_staged(matcher, batch, entry->hash, entry->position, entry->reported,
				 BULK_SYNC_ENTRY_TUPLE(entry));
	return false;
}

static BufFile **
double_files(BufFile **files, int nbatches)
{
	if (files == NULL)
		return palloc0(2 * nbatches * sizeof(BufFile *));
	files = repalloc(files, 2 * nbatches * sizeof(BufFile *));
	memset(files + nbatches, 0, nbatches * sizeof(BufFile *));
	return files;
}

/*
 * The table has outgrown its budget: twice as many batches, half as many
 * entries in this one.  When that moves nothing, all hashes are alike and it
 * is no use to go on.
 */
static void
double_batches(HashMatcher *matcher)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(matcher->context);

	matcher->staged_files = double_files(matcher->staged_files, matcher->nbatches);
	matcher->target_files = double_files(matcher->target_files, matcher->nbatches);
	matcher->nbatches *= 2;
	matcher->may_grow = bulk_sync_table_split(matcher->table, keep_entry, matcher) &&
		matcher->nbatches < MAX_BATCHES;
	MemoryContextSwitchTo(oldcontext);
}

/*-------------------------------------------------------------------------
 * The queue
 *-------------------------------------------------------------------------
 */
static void
prefetch_queued(const HashMatcher *matcher)
{
	for (int i = 0; i < matcher->nqueued; i++)
		bulk_sync_table_prefetch_slot(matcher->table, matcher->queue[i].hash);
	for (int i = 0; i < matcher->nqueued; i++)
		bulk_sync_table_prefetch_entry(matcher->table, matcher->queue[i].hash);
}

static void
empty_queue(HashMatcher *matcher)
{
	matcher->nqueued = 0;
	MemoryContextReset(matcher->queue_context);
}

/* Puts the queued staged rows into the table */
static void
flush_staged(BulkSyncMatch *match)
{
	HashMatcher *matcher = (HashMatcher *) match->matcher;
	TupleTableSlot *slot = matcher->staged_slot;

	prefetch_queued(matcher);
	for (int i = 0; i < matcher->nqueued; i++)
	{
		QueuedRow  *row = &matcher->queue[i];
		int			batch = batch_of(matcher, row->hash);

		CHECK_FOR_INTERRUPTS();
		/* There may be more batches than when it was queued */
		if (batch != matcher->current)
		{
			write_staged(matcher, batch, row->hash, row->position, row->reported, row->tuple);
			continue;
		}
		ExecStoreMinimalTuple(row->tuple, slot, false);
		slot_getallattrs(slot);
		bulk_sync_table_put(matcher->table, match, row->hash, row->position, row->reported,
							row->tuple, slot->tts_values, slot->tts_isnull);
		while (matcher->may_grow && bulk_sync_table_is_full(matcher->table))
			double_batches(matcher);
	}
	ExecClearTuple(slot);
	empty_queue(matcher);
}

/* Looks up the queued target rows */
static void
flush_target(BulkSyncMatch *match)
{
	HashMatcher *matcher = (HashMatcher *) match->matcher;
	TupleTableSlot *slot = matcher->target_slot;
	MemoryContext oldcontext = MemoryContextSwitchTo(match->row_context);

	prefetch_queued(matcher);
	for (int i = 0; i < matcher->nqueued; i++)
	{
		QueuedRow  *queued = &matcher->queue[i];
		BulkSyncTargetRow row;

		CHECK_FOR_INTERRUPTS();
		ExecStoreMinimalTuple(queued->tuple, slot, false);
		slot_getallattrs(slot);
		row.tableoid = queued->tableoid;
		row.tid = queued->tid;
		row.written = queued->written;
		row.values = slot->tts_values;
		row.isnull = slot->tts_isnull;
		bulk_sync_match_row(match,
							bulk_sync_table_find(matcher->table, queued->hash, row.values,
												 row.isnull, true), &row);
		MemoryContextReset(match->row_context);
	}
	MemoryContextSwitchTo(oldcontext);
	ExecClearTuple(slot);
	empty_queue(matcher);
}

static QueuedRow *
queue_row(HashMatcher *matcher, uint32 hash, MinimalTuple tuple)
{
	QueuedRow  *row = &matcher->queue[matcher->nqueued++];

	row->hash = hash;
	row->tuple = tuple;
	return row;
}

/*-------------------------------------------------------------------------
 * The steps of a match
 *-------------------------------------------------------------------------
 */
void
bulk_sync_hash_begin(BulkSyncMatch *match)
{
	HashMatcher *matcher = palloc0(sizeof(HashMatcher));
	const BulkSyncPlan *plan = match->plan;

	matcher->context = match->context;
	matcher->table = bulk_sync_table_create(plan);
	matcher->queue_context = AllocSetContextCreate(match->context, "bulk_sync queue",
												   ALLOCSET_DEFAULT_SIZES);
	matcher->nbatches = 1;
	matcher->may_grow = true;
	matcher->staged_slot = MakeSingleTupleTableSlot(plan->wanted_desc, &TTSOpsMinimalTuple);
	matcher->target_slot = MakeSingleTupleTableSlot(plan->read_desc, &TTSOpsMinimalTuple);
	match->matcher = matcher;
}

void
bulk_sync_hash_add(BulkSyncMatch *match, const BulkSyncStagedRow *row)
{
	HashMatcher *matcher = (HashMatcher *) match->matcher;
	uint32		hash = bulk_sync_hash_key(match->plan, row->values, row->isnull, false);
	int			batch = batch_of(matcher, hash);
	MemoryContext oldcontext = MemoryContextSwitchTo(matcher->queue_context);
	MinimalTuple tuple = bulk_sync_form_minimal_tuple(match->plan->wanted_desc,
													  row->values, row->isnull);

	MemoryContextSwitchTo(oldcontext);
	if (batch != matcher->current)
	{
		write_staged(matcher, batch, hash, row->position, false, tuple);
		pfree(tuple);
		return;
	}
	queue_row(matcher, hash, tuple)->position = row->position;
	matcher->queue[matcher->nqueued - 1].reported = false;
	if (matcher->nqueued == QUEUE_LENGTH)
		flush_staged(match);
}

/* All staged rows have been added: from now on the table is complete */
void
bulk_sync_hash_added(BulkSyncMatch *match)
{
	flush_staged(match);
}

void
bulk_sync_hash_probe(BulkSyncMatch *match, const BulkSyncTargetRow *row)
{
	const BulkSyncPlan *plan = match->plan;
	HashMatcher *matcher = (HashMatcher *) match->matcher;
	uint32		hash = bulk_sync_hash_key(plan, row->values, row->isnull, true);
	int			batch = batch_of(matcher, hash);
	MemoryContext oldcontext = MemoryContextSwitchTo(matcher->queue_context);
	MinimalTuple tuple = bulk_sync_form_minimal_tuple(plan->read_desc, row->values, row->isnull);
	QueuedRow  *queued;

	MemoryContextSwitchTo(oldcontext);
	if (batch != matcher->current)
	{
		TargetRecord record;

		memset(&record, 0, sizeof(record));
		record.hash = hash;
		record.tableoid = row->tableoid;
		record.tid = row->tid;
		record.written = row->written;
		write_target(matcher, batch, &record, tuple);
		pfree(tuple);
		return;
	}
	queued = queue_row(matcher, hash, tuple);
	queued->tableoid = row->tableoid;
	queued->tid = row->tid;
	queued->written = row->written;
	if (matcher->nqueued == QUEUE_LENGTH)
		flush_target(match);
}

static void
rewind_file(BufFile *file)
{
	if (BufFileSeek(file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file: %m")));
}

/* Fills the table with the staged rows of the current batch */
static void
load_batch(BulkSyncMatch *match)
{
	HashMatcher *matcher = (HashMatcher *) match->matcher;
	BufFile    *file = matcher->staged_files[matcher->current];
	StagedRecord record;

	if (file == NULL)
		return;
	rewind_file(file);
	while (read_record(file, &record, sizeof(record)))
	{
		MinimalTuple tuple = read_tuple(file, matcher->queue_context);
		QueuedRow  *row;

		CHECK_FOR_INTERRUPTS();
		row = queue_row(matcher, record.hash, tuple);
		row->position = record.position;
		row->reported = record.reported;
		if (matcher->nqueued == QUEUE_LENGTH)
			flush_staged(match);
	}
	flush_staged(match);
	BufFileClose(file);
	matcher->staged_files[matcher->current] = NULL;
}

/* Looks up the target rows of the current batch */
static void
probe_batch(BulkSyncMatch *match)
{
	HashMatcher *matcher = (HashMatcher *) match->matcher;
	BufFile    *file = matcher->target_files[matcher->current];
	TargetRecord record;

	if (file == NULL)
		return;
	rewind_file(file);
	while (read_record(file, &record, sizeof(record)))
	{
		MinimalTuple tuple = read_tuple(file, matcher->queue_context);
		int			batch = batch_of(matcher, record.hash);
		QueuedRow  *row;

		CHECK_FOR_INTERRUPTS();
		if (batch != matcher->current)
		{
			write_target(matcher, batch, &record, tuple);
			pfree(tuple);
			continue;
		}
		row = queue_row(matcher, record.hash, tuple);
		row->tableoid = record.tableoid;
		row->tid = record.tid;
		row->written = record.written;
		if (matcher->nqueued == QUEUE_LENGTH)
			flush_target(match);
	}
	flush_target(match);
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

	if (!BULK_SYNC_MUTANT(queue_not_flushed))
		flush_target(match);
	bulk_sync_table_for_each(matcher->table, finish_entry, match);

	for (matcher->current = 1; matcher->current < matcher->nbatches; matcher->current++)
	{
		if (BULK_SYNC_MUTANT(last_batch_lost) && matcher->current == matcher->nbatches - 1)
			break;
		bulk_sync_table_reset(matcher->table);
		matcher->may_grow = matcher->nbatches < MAX_BATCHES;
		load_batch(match);
		probe_batch(match);
		bulk_sync_table_for_each(matcher->table, finish_entry, match);
	}

	ExecDropSingleTupleTableSlot(matcher->staged_slot);
	ExecDropSingleTupleTableSlot(matcher->target_slot);
	bulk_sync_table_free(matcher->table);
	MemoryContextDelete(matcher->queue_context);
}
