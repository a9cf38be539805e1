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
#define QUEUE_LENGTH BULK_SYNC_READ_AHEAD

typedef struct QueuedRow
{
	uint32		hash;
	BulkSyncTargetRow row;
	MinimalTuple tuple;			/* its values, in the queue's context; or NULL */
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

	/* Staged rows that are in the table, but not linked */
	uint32		pending[QUEUE_LENGTH];	/* their places */
	int			npending;

	/* Target rows to be looked up */
	MemoryContext queue_context;
	QueuedRow	queue[QUEUE_LENGTH];
	int			nqueued;
	TupleTableSlot *target_slot;	/* of a queued row */
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

/* The size of the tuple after a record, then the tuple itself */
static uint32
read_tuple_size(BufFile *file)
{
	uint32		size;

	bulk_sync_buffile_read_exact(file, &size, sizeof(size));
	return size;
}

static void
read_tuple(BufFile *file, MinimalTuple tuple, uint32 size)
{
	tuple->t_len = size;
	bulk_sync_buffile_read_exact(file, (char *) tuple + sizeof(size), size - sizeof(size));
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
 * The queues
 *-------------------------------------------------------------------------
 */

/* Links the staged rows that wait for it */
static void
link_pending(HashMatcher *matcher)
{
	for (int i = 0; i < matcher->npending; i++)
	{
		CHECK_FOR_INTERRUPTS();
		bulk_sync_table_link(matcher->table, matcher->pending[i]);
	}
	matcher->npending = 0;
	while (matcher->may_grow && bulk_sync_table_is_full(matcher->table))
		double_batches(matcher);
}

/* A staged row of the current batch has come into the table */
static void
add_pending(HashMatcher *matcher, const BulkSyncEntry *entry)
{
	bulk_sync_table_prefetch_slot(matcher->table, entry->hash);
	matcher->pending[matcher->npending++] = bulk_sync_table_last_place(matcher->table);
	/* Rows that are large fill the memory before they fill the queue */
	if (matcher->npending == QUEUE_LENGTH || bulk_sync_table_is_over(matcher->table))
		link_pending(matcher);
}

static QueuedRow *
queue_row(HashMatcher *matcher, uint32 hash)
{
	QueuedRow  *queued = &matcher->queue[matcher->nqueued++];

	bulk_sync_table_prefetch_slot(matcher->table, hash);
	queued->hash = hash;
	queued->tuple = NULL;
	return queued;
}

/* Looks up the queued target rows */
static void
flush_target(BulkSyncMatch *match)
{
	HashMatcher *matcher = (HashMatcher *) match->matcher;
	TupleTableSlot *slot = matcher->target_slot;
	MemoryContext oldcontext = MemoryContextSwitchTo(match->row_context);

	for (int i = 0; i < matcher->nqueued; i++)
		bulk_sync_table_prefetch_entry(matcher->table, matcher->queue[i].hash);
	for (int i = 0; i < matcher->nqueued; i++)
	{
		QueuedRow  *queued = &matcher->queue[i];
		BulkSyncTargetRow *row = &queued->row;

		CHECK_FOR_INTERRUPTS();
		if (queued->tuple != NULL)
		{
			ExecStoreMinimalTuple(queued->tuple, slot, false);
			slot_getallattrs(slot);
			row->values = slot->tts_values;
			row->isnull = slot->tts_isnull;
		}
		bulk_sync_match_row(match, bulk_sync_table_find(matcher->table, queued->hash, row->values,
														row->isnull), row);
		MemoryContextReset(match->row_context);
	}
	MemoryContextSwitchTo(oldcontext);
	ExecClearTuple(slot);
	matcher->nqueued = 0;
	MemoryContextReset(matcher->queue_context);
}

/* The values of queued rows are about to go away */
void
bulk_sync_hash_flush(BulkSyncMatch *match)
{
	if (((HashMatcher *) match->matcher)->nqueued > 0)
		flush_target(match);
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
	matcher->table = bulk_sync_table_create(match);
	matcher->queue_context = AllocSetContextCreate(match->context, "bulk_sync queue",
												   ALLOCSET_DEFAULT_SIZES);
	matcher->nbatches = 1;
	matcher->may_grow = true;
	matcher->target_slot = MakeSingleTupleTableSlot(plan->read_desc, &TTSOpsMinimalTuple);
	match->matcher = matcher;
}

/* A staged row as a tuple, in the current memory context */
static MinimalTuple
minimal_tuple(const BulkSyncMatch *match, const BulkSyncStagedRow *row)
{
	uint32		size;
	MinimalTuple tuple;

	if (row->stored == NULL)
		return bulk_sync_form_minimal_tuple(match->plan->wanted_desc, row->values, row->isnull);
	size = row->stored->t_len - MINIMAL_TUPLE_OFFSET;
	tuple = palloc(size);
	memcpy(tuple, (char *) row->stored->t_data + MINIMAL_TUPLE_OFFSET, size);
	tuple->t_len = size;
	return tuple;
}

void
bulk_sync_hash_add(BulkSyncMatch *match, const BulkSyncStagedRow *row)
{
	HashMatcher *matcher = (HashMatcher *) match->matcher;
	uint32		hash = bulk_sync_hash_key(match->plan, row->values, row->isnull, false);
	int			batch = batch_of(matcher, hash);

	if (batch != matcher->current)
	{
		write_staged(matcher, batch, hash, row->position, false, minimal_tuple(match, row));
		return;
	}
	add_pending(matcher, row->stored != NULL ?
				bulk_sync_table_copy(matcher->table, hash, row->position, row->stored) :
				bulk_sync_table_form(matcher->table, hash, row->position, row->values,
									 row->isnull));
}

/*
 * There will be so many times the rows that there are.  What does not fit is
 * better sent to its batch as it comes than when the table is full: then all
 * that stays would have to be moved.
 */
void
bulk_sync_hash_expect(BulkSyncMatch *match, double times)
{
	HashMatcher *matcher = (HashMatcher *) match->matcher;
	double		needed;

	link_pending(matcher);
	needed = bulk_sync_table_extrapolate(matcher->table, times) /
		bulk_sync_table_budget(matcher->table);
	while (matcher->may_grow && matcher->nbatches < needed)
		double_batches(matcher);
}

/* All staged rows have been added: from now on the table is complete */
void
bulk_sync_hash_added(BulkSyncMatch *match)
{
	HashMatcher *matcher = (HashMatcher *) match->matcher;

	link_pending(matcher);
	matcher->may_grow = false;
}

/* Are all staged rows in memory? */
bool
bulk_sync_hash_is_whole(const BulkSyncMatch *match)
{
	return ((HashMatcher *) match->matcher)->nbatches == 1;
}

int64
bulk_sync_hash_count(const BulkSyncMatch *match)
{
	return bulk_sync_table_count(((HashMatcher *) match->matcher)->table);
}

typedef struct KeyContext
{
	BulkSyncMatch *match;
	TupleDesc	desc;
	Tuplestorestate *store;
	bool		nulls;
} KeyContext;

static void
put_key(BulkSyncEntry *entry, void *arg)
{
	KeyContext *context = (KeyContext *) arg;
	TupleTableSlot *slot = context->match->staged_slot;

	ExecStoreMinimalTuple(BULK_SYNC_ENTRY_TUPLE(entry), slot, false);
	slot_getsomeattrs(slot, context->match->plan->nkeys);
	for (int i = 0; i < context->match->plan->nkeys; i++)
		context->nulls |= slot->tts_isnull[i];
	tuplestore_putvalues(context->store, context->desc, slot->tts_values, slot->tts_isnull);
}

/* The keys in memory, each once; is there a NULL in one of them? */
Tuplestorestate *
bulk_sync_hash_keys(BulkSyncMatch *match, TupleDesc desc, bool *nulls)
{
	KeyContext	context = {match, desc, bulk_sync_begin_row_store(), false};

	bulk_sync_table_for_each(((HashMatcher *) match->matcher)->table, put_key, &context);
	*nulls = context.nulls;
	return context.store;
}

/*
 * Looks up a target row, now or later.  If it "stays" its values are good until
 * bulk_sync_hash_flush() is called, else until the next row.
 */
void
bulk_sync_hash_probe(BulkSyncMatch *match, const BulkSyncTargetRow *row, bool stays)
{
	const BulkSyncPlan *plan = match->plan;
	HashMatcher *matcher = (HashMatcher *) match->matcher;
	uint32		hash = bulk_sync_hash_key(plan, row->values, row->isnull, true);
	int			batch = batch_of(matcher, hash);
	QueuedRow  *queued;

	if (batch != matcher->current)
	{
		TargetRecord record;

		memset(&record, 0, sizeof(record));
		record.hash = hash;
		record.tableoid = row->tableoid;
		record.tid = row->tid;
		record.written = row->written;
		write_target(matcher, batch, &record,
					 bulk_sync_form_minimal_tuple(plan->read_desc, row->values, row->isnull));
		return;
	}
	queued = queue_row(matcher, hash);
	queued->row = *row;
	if (!stays)
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(matcher->queue_context);

		queued->tuple = bulk_sync_form_minimal_tuple(plan->read_desc, row->values, row->isnull);
		MemoryContextSwitchTo(oldcontext);
	}
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
		int			batch = batch_of(matcher, record.hash);
		uint32		size = read_tuple_size(file);
		BulkSyncEntry *entry;

		CHECK_FOR_INTERRUPTS();
		/* There may be more batches than when it was written */
		if (batch != matcher->current)
		{
			MinimalTuple tuple = palloc(size);

			read_tuple(file, tuple, size);
			write_staged(matcher, batch, record.hash, record.position, record.reported, tuple);
			pfree(tuple);
			continue;
		}
		entry = bulk_sync_table_allocate(matcher->table, size);
		read_tuple(file, BULK_SYNC_ENTRY_TUPLE(entry), size);
		bulk_sync_set_entry(match, entry, record.hash, record.position, record.reported);
		add_pending(matcher, entry);
	}
	link_pending(matcher);
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
		int			batch = batch_of(matcher, record.hash);
		uint32		size = read_tuple_size(file);
		MinimalTuple tuple = MemoryContextAlloc(matcher->queue_context, size);
		QueuedRow  *queued;

		CHECK_FOR_INTERRUPTS();
		read_tuple(file, tuple, size);
		if (batch != matcher->current)
		{
			write_target(matcher, batch, &record, tuple);
			pfree(tuple);
			continue;
		}
		queued = queue_row(matcher, record.hash);
		queued->row.tableoid = record.tableoid;
		queued->row.tid = record.tid;
		queued->row.written = record.written;
		queued->tuple = tuple;
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

	ExecDropSingleTupleTableSlot(matcher->target_slot);
	bulk_sync_table_free(matcher->table);
	MemoryContextDelete(matcher->queue_context);
}
