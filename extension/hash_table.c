/*-------------------------------------------------------------------------
 *
 * hash_table.c
 *	  Holds staged rows in memory, to be found by their key.
 *
 * Cache misses are what matching spends its time on.  The table is open-
 * addressed with linear probing, and the hash stands beside the place of the row,
 * so that a row that is not looked for is hardly ever touched.  The rows are
 * packed into chunks, where they are formed in place, and never freed one by one.
 *
 *-------------------------------------------------------------------------
 */
#include "match.h"

#ifndef WIN32
#include <sys/mman.h>
#endif

#include "access/htup_details.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#define FIRST_CHUNK_SIZE	(8 * 1024)
#define LARGEST_CHUNK_SIZE	(16 * 1024 * 1024)
#define FIRST_SLOTS			1024
#define FIRST_UNITS			64
#define HUGE_PAGE_SIZE		(2 * 1024 * 1024)
#define CACHE_LINE			64

/* Fewer entries than this are not worth being split */
#define MIN_ENTRIES			64

/*
 * A place in the chunks takes 4 bytes where a pointer takes 8: the number of a
 * unit of memory, and the place within that, in steps of 8 bytes.
 */
#define UNIT_SIZE			(1024 * 1024)
#define PLACES_IN_UNIT		(UNIT_SIZE / MAXIMUM_ALIGNOF)
#define MAX_UNITS			(PG_UINT32_MAX / PLACES_IN_UNIT)
#define MAX_BUDGET			((int64) MAX_UNITS / 2 * UNIT_SIZE)
#define NO_PLACE			0
#define FIRST_PLACE			MAXIMUM_ALIGNOF	/* of a chunk: the one before is NO_PLACE */

typedef struct Chunk
{
	struct Chunk *next;
	uint32		first_unit;
	Size		size;			/* of data */
	Size		used;
	char		data[FLEXIBLE_ARRAY_MEMBER];
} Chunk;

#define CHUNK_HEADER	MAXALIGN(offsetof(Chunk, data))
#define CHUNK_DATA(chunk) ((char *) (chunk) + CHUNK_HEADER)

typedef struct HashSlot
{
	uint32		hash;
	uint32		place;			/* of the entry; NO_PLACE: empty */
} HashSlot;

struct BulkSyncHashTable
{
	const BulkSyncPlan *plan;
	MemoryContext context;		/* of chunks and slots */
	Chunk	   *first;			/* in the order of staging */
	Chunk	   *last;
	Chunk	   *spare;			/* of an earlier batch, to be used again */
	Size		next_chunk_size;
	Size		max_chunk_size;
	char	  **units;			/* where each begins */
	uint32		nunits;
	uint32		max_units;		/* so many have room in the array */
	uint32		last_place;		/* of the entry that came last */
	HashSlot   *slots;
	uint64		nslots;			/* a power of two */
	int64		nentries;
	Size		used;			/* bytes of chunks and slots */
	Size		dead;			/* of them, in dead entries */
	Size		budget;
	BulkSyncMatch *match;
	TupleTableSlot *slot;		/* of the entry that is looked at */
	TupleTableSlot *new_slot;	/* of an entry that is being linked */
};

/*-------------------------------------------------------------------------
 * Places
 *-------------------------------------------------------------------------
 */
static inline BulkSyncEntry *
entry_at(const BulkSyncHashTable *table, uint32 place)
{
	return (BulkSyncEntry *) (table->units[place / PLACES_IN_UNIT] +
							  (Size) (place % PLACES_IN_UNIT) * MAXIMUM_ALIGNOF);
}

static uint32
place_of(const Chunk *chunk, Size offset)
{
	return (chunk->first_unit + (uint32) (offset / UNIT_SIZE)) * PLACES_IN_UNIT +
		(uint32) (offset % UNIT_SIZE / MAXIMUM_ALIGNOF);
}

/* Gives the units of a chunk their numbers */
static void
number_units(BulkSyncHashTable *table, Chunk *chunk)
{
	uint32		n = (uint32) ((chunk->size + UNIT_SIZE - 1) / UNIT_SIZE);

	if (n > MAX_UNITS - table->nunits)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many staged rows with the same hash value"),
				 errdetail("They cannot be told apart by batches, and no more than %lld GB of rows can be held in memory.",
						   (long long) MAX_UNITS * UNIT_SIZE / (1024 * 1024 * 1024))));
	while (table->nunits + n > table->max_units)
	{
		table->max_units *= 2;
		table->units = repalloc(table->units, table->max_units * sizeof(char *));
	}
	chunk->first_unit = table->nunits;
	for (uint32 i = 0; i < n; i++)
		table->units[table->nunits++] = CHUNK_DATA(chunk) + (Size) i * UNIT_SIZE;
}

/*-------------------------------------------------------------------------
 * Finding
 *-------------------------------------------------------------------------
 */

/* Hash of a key; values by column index, or by read index of a target row */
uint32
bulk_sync_hash_key(const BulkSyncPlan *plan, const Datum *values, const bool *isnull, bool target)
{
	uint32		hash = 0;

	for (int i = 0; i < plan->nkeys; i++)
	{
		int			index = target ? plan->columns[i].read_index : i;
		uint32		part = 0;

		if (!isnull[index] && !(BULK_SYNC_MUTANT(second_key_column_ignored) && i == 1))
			part = DatumGetUInt32(FunctionCall1Coll(&plan->key[i].hash, plan->key[i].collation,
													values[index]));
		hash = hash_combine(hash, part);
	}
	return hash;
}

/* Are these the same bits?  False if that would take more than a look. */
static bool
same_bits(const BulkSyncColumn *column, Datum a, Datum b)
{
	if (column->typbyval)
		return a == b;
	return column->typlen == -1 && bulk_sync_is_plain(a) && bulk_sync_is_plain(b) &&
		bulk_sync_image_equal(column, a, false, b, false);
}

/* Does the entry have this key? */
static bool
entry_has_key(BulkSyncHashTable *table, BulkSyncEntry *entry,
			  const Datum *values, const bool *isnull, bool target)
{
	const BulkSyncPlan *plan = table->plan;
	TupleTableSlot *slot = table->slot;

	ExecStoreMinimalTuple(BULK_SYNC_ENTRY_TUPLE(entry), slot, false);
	slot_getsomeattrs(slot, plan->nkeys);
	for (int i = 0; i < plan->nkeys; i++)
	{
		int			index = target ? plan->columns[i].read_index : i;

		/* The same bits are equal in every type, which is cheaper to see */
		if (!isnull[index] && !slot->tts_isnull[i] &&
			same_bits(&plan->columns[i], slot->tts_values[i], values[index]))
			continue;
		if (isnull[index] || slot->tts_isnull[i])
		{
			if (!isnull[index] || !slot->tts_isnull[i] || BULK_SYNC_MUTANT(null_key_matches_nothing))
				return false;
		}
		else if (!(BULK_SYNC_MUTANT(second_key_column_ignored) && i == 1) &&
				 !DatumGetBool(FunctionCall2Coll(&plan->key[i].eq, plan->key[i].collation,
												 slot->tts_values[i], values[index])))
			return false;
	}
	return true;
}

/* The slot of a key: that of its entry, or the empty one where it belongs */
static HashSlot *
find_slot(BulkSyncHashTable *table, uint32 hash,
		  const Datum *values, const bool *isnull, bool target)
{
	uint64		mask = table->nslots - 1;

	for (uint64 i = hash & mask;; i = (i + 1) & mask)
	{
		HashSlot   *slot = &table->slots[i];

		if (slot->place == NO_PLACE ||
			(slot->hash == hash &&
			 entry_has_key(table, entry_at(table, slot->place), values, isnull, target)))
			return slot;
	}
}

/* The entry of a target row's key, or NULL */
BulkSyncEntry *
bulk_sync_table_find(BulkSyncHashTable *table, uint32 hash, const Datum *values,
					 const bool *isnull)
{
	HashSlot   *slot = find_slot(table, hash, values, isnull, true);

	return slot->place != NO_PLACE ? entry_at(table, slot->place) : NULL;
}

/* Fetches what a lookup will touch first: its slot, and then its entry */
void
bulk_sync_table_prefetch_slot(const BulkSyncHashTable *table, uint32 hash)
{
	__builtin_prefetch(&table->slots[hash & (table->nslots - 1)]);
}

void
bulk_sync_table_prefetch_entry(const BulkSyncHashTable *table, uint32 hash)
{
	const HashSlot *slot = &table->slots[hash & (table->nslots - 1)];

	if (slot->place != NO_PLACE && slot->hash == hash)
	{
		const char *entry = (const char *) entry_at(table, slot->place);

		__builtin_prefetch(entry);
		__builtin_prefetch(entry + CACHE_LINE);
	}
}

/*-------------------------------------------------------------------------
 * Memory
 *-------------------------------------------------------------------------
 */
/*
 * Every lookup goes somewhere else: with small pages most of them miss in the
 * translation of addresses as well.
 */
static void
ask_for_huge_pages(void *start, Size size)
{
#ifdef MADV_HUGEPAGE
	uintptr_t	first = TYPEALIGN(HUGE_PAGE_SIZE, (uintptr_t) start);
	uintptr_t	end = TYPEALIGN_DOWN(HUGE_PAGE_SIZE, (uintptr_t) start + size);

	/* It is a wish: nothing depends on the answer */
	if (end > first)
		(void) madvise((void *) first, end - first, MADV_HUGEPAGE);
#endif
}

static Size
entry_size(const BulkSyncHashTable *table, const BulkSyncEntry *entry)
{
	return bulk_sync_entry_size(table->match, entry->t_len);
}

/*
 * A chunk with room for so many bytes.  Memory that the system has just given is
 * dear: what an earlier batch left comes first, whatever its size.
 */
static Chunk *
new_chunk(BulkSyncHashTable *table, Size needed)
{
	Chunk	   *chunk = table->spare;

	if (chunk != NULL && chunk->size >= needed)
		table->spare = chunk->next;
	else
	{
		Size		size = Max(table->next_chunk_size, needed);

		chunk = MemoryContextAllocHuge(table->context, CHUNK_HEADER + size);
		ask_for_huge_pages(chunk, CHUNK_HEADER + size);
		chunk->size = size;
		number_units(table, chunk);
		table->next_chunk_size = Min(table->next_chunk_size * 2, table->max_chunk_size);
	}
	chunk->next = NULL;
	chunk->used = FIRST_PLACE;
	return chunk;
}

/*
 * Makes room for a staged row.  The caller fills in the tuple, says what is known
 * of it, and then links the entry.
 */
BulkSyncEntry *
bulk_sync_table_allocate(BulkSyncHashTable *table, uint32 tuple_size)
{
	Size		size = bulk_sync_entry_size(table->match, tuple_size);
	Chunk	   *chunk = table->last;
	BulkSyncEntry *entry;

	if (chunk == NULL || chunk->size - chunk->used < size)
	{
		chunk = new_chunk(table, FIRST_PLACE + size);
		if (table->last == NULL)
			table->first = chunk;
		else
			table->last->next = chunk;
		table->last = chunk;
		table->used += CHUNK_HEADER + chunk->size;
	}
	entry = (BulkSyncEntry *) (CHUNK_DATA(chunk) + chunk->used);
	table->last_place = place_of(chunk, chunk->used);
	chunk->used += size;
	entry->t_len = tuple_size;
	return entry;
}

/*
 * Makes an entry of a staged row.  heap_form_minimal_tuple() would do the same
 * in memory of its own, to be copied from there.
 */
BulkSyncEntry *
bulk_sync_table_form(BulkSyncHashTable *table, uint32 hash, int64 position,
					 const Datum *values, const bool *isnull)
{
	TupleDesc	desc = table->plan->wanted_desc;
	bool		has_null = false;
	Size		header = SizeofMinimalTupleHeader;
	Size		data;
	BulkSyncEntry *entry;
	MinimalTuple tuple;

	for (int i = 0; i < desc->natts && !has_null; i++)
		has_null = isnull[i];
	if (has_null)
		header += BITMAPLEN(desc->natts);
	header = MAXALIGN(header);
	data = heap_compute_data_size(desc, (Datum *) values, (bool *) isnull);

	entry = bulk_sync_table_allocate(table, header + data);
	tuple = BULK_SYNC_ENTRY_TUPLE(entry);
	memset(tuple, 0, header + data);
	tuple->t_len = header + data;
	HeapTupleHeaderSetNatts(tuple, desc->natts);
	tuple->t_hoff = header + MINIMAL_TUPLE_OFFSET;
	heap_fill_tuple(desc, (Datum *) values, (bool *) isnull, (char *) tuple + header, data,
					&tuple->t_infomask, has_null ? tuple->t_bits : NULL);
	bulk_sync_set_entry(table->match, entry, hash, position, false);
	return entry;
}

/* Calls a function for each entry, in the order in which they came */
static void
for_each_entry(BulkSyncHashTable *table, void (*function) (BulkSyncEntry *entry, void *arg),
			   void *arg)
{
	for (Chunk *chunk = table->first; chunk != NULL; chunk = chunk->next)
	{
		Size		offset = FIRST_PLACE;

		while (offset < chunk->used)
		{
			BulkSyncEntry *entry = (BulkSyncEntry *) (CHUNK_DATA(chunk) + offset);

			CHECK_FOR_INTERRUPTS();
			offset += entry_size(table, entry);
			if (!entry->dead)
				function(entry, arg);
		}
	}
}

static void
put_entry(BulkSyncHashTable *table, uint32 hash, uint32 place)
{
	uint64		mask = table->nslots - 1;
	uint64		i = hash & mask;

	while (table->slots[i].place != NO_PLACE)
		i = (i + 1) & mask;
	table->slots[i].place = place;
	table->slots[i].hash = hash;
}

static void
allocate_slots(BulkSyncHashTable *table, uint64 nslots)
{
	table->slots = MemoryContextAllocHuge(table->context, nslots * sizeof(HashSlot));
	ask_for_huge_pages(table->slots, nslots * sizeof(HashSlot));
	memset(table->slots, 0, nslots * sizeof(HashSlot));
	table->nslots = nslots;
	table->used += nslots * sizeof(HashSlot);
}

static void
double_slots(BulkSyncHashTable *table)
{
	HashSlot   *old = table->slots;
	uint64		nold = table->nslots;

	table->used -= nold * sizeof(HashSlot);
	allocate_slots(table, nold * 2);
	for (uint64 i = 0; i < nold; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (old[i].place != NO_PLACE)
			put_entry(table, old[i].hash, old[i].place);
	}
	pfree(old);
}

/* Empties the table, and keeps its memory for the next batch */
void
bulk_sync_table_reset(BulkSyncHashTable *table)
{
	ExecClearTuple(table->slot);
	ExecClearTuple(table->new_slot);
	if (table->last != NULL)
	{
		table->last->next = table->spare;
		table->spare = table->first;
	}
	table->first = table->last = NULL;
	table->nentries = 0;
	table->dead = 0;
	table->used = table->nslots * sizeof(HashSlot);
	memset(table->slots, 0, table->nslots * sizeof(HashSlot));
}

BulkSyncHashTable *
bulk_sync_table_create(BulkSyncMatch *match)
{
	BulkSyncHashTable *table = palloc0(sizeof(BulkSyncHashTable));

	table->plan = match->plan;
	table->match = match;
	table->context = AllocSetContextCreate(CurrentMemoryContext, "bulk_sync hash table",
										   ALLOCSET_DEFAULT_SIZES);
	table->budget = Min(bulk_sync_memory_budget(), MAX_BUDGET);
	table->max_chunk_size = Max(FIRST_CHUNK_SIZE, Min(LARGEST_CHUNK_SIZE, table->budget / 8));
	/* What is found there, the caller goes on with: see staged_row_of() */
	table->slot = match->staged_slot;
	table->new_slot = MakeSingleTupleTableSlot(match->plan->wanted_desc, &TTSOpsMinimalTuple);
	table->next_chunk_size = FIRST_CHUNK_SIZE;
	table->max_units = FIRST_UNITS;
	table->units = MemoryContextAlloc(table->context, table->max_units * sizeof(char *));
	allocate_slots(table, FIRST_SLOTS);
	return table;
}

void
bulk_sync_table_free(BulkSyncHashTable *table)
{
	ExecClearTuple(table->slot);
	ExecDropSingleTupleTableSlot(table->new_slot);
	MemoryContextDelete(table->context);
}

/*
 * How much memory, in bytes, will it need for so many times the rows that it
 * holds now?
 */
double
bulk_sync_table_extrapolate(const BulkSyncHashTable *table, double times)
{
	double		slots = 1024;
	double		data = 0;

	for (const Chunk *chunk = table->first; chunk != NULL; chunk = chunk->next)
		data += chunk->used;
	while (slots * 3 / 4 < table->nentries * times)
		slots *= 2;
	return data * times + slots * sizeof(HashSlot);
}

int64
bulk_sync_table_budget(const BulkSyncHashTable *table)
{
	return table->budget;
}

/* Does it hold more than it may? */
bool
bulk_sync_table_is_over(const BulkSyncHashTable *table)
{
	return table->used > table->budget;
}

/* How many keys are there? */
int64
bulk_sync_table_count(const BulkSyncHashTable *table)
{
	return table->nentries;
}

void
bulk_sync_table_for_each(BulkSyncHashTable *table,
						 void (*function) (BulkSyncEntry *entry, void *arg), void *arg)
{
	for_each_entry(table, function, arg);
}

/* Makes an entry of a staged row that is stored as it is wanted */
BulkSyncEntry *
bulk_sync_table_copy(BulkSyncHashTable *table, uint32 hash, int64 position, HeapTuple stored)
{
	uint32		size = stored->t_len - MINIMAL_TUPLE_OFFSET;
	BulkSyncEntry *entry = bulk_sync_table_allocate(table, size);

	memcpy(BULK_SYNC_ENTRY_TUPLE(entry), (char *) stored->t_data + MINIMAL_TUPLE_OFFSET, size);
	entry->t_len = size;
	bulk_sync_set_entry(table->match, entry, hash, position, false);
	return entry;
}

/*-------------------------------------------------------------------------
 * Changing
 *-------------------------------------------------------------------------
 */

static void
bury(BulkSyncHashTable *table, BulkSyncEntry *entry)
{
	entry->dead = true;
	table->dead += entry_size(table, entry);
}

/*
 * Makes a row in the table one that can be found.  Of rows with one key, one
 * stays; which one, and whether that is an error, match.c decides.
 */
void
bulk_sync_table_link(BulkSyncHashTable *table, uint32 place)
{
	BulkSyncEntry *entry = entry_at(table, place);
	uint64		mask = table->nslots - 1;
	uint64		i = entry->hash & mask;
	TupleTableSlot *new = table->new_slot;
	HashSlot   *slot;

	while (table->slots[i].place != NO_PLACE && table->slots[i].hash != entry->hash)
		i = (i + 1) & mask;
	slot = &table->slots[i];
	if (slot->place != NO_PLACE)
	{
		ExecStoreMinimalTuple(BULK_SYNC_ENTRY_TUPLE(entry), new, false);
		slot_getallattrs(new);
		slot = find_slot(table, entry->hash, new->tts_values, new->tts_isnull, false);
	}
	if (slot->place != NO_PLACE)
	{
		BulkSyncEntry *existing = entry_at(table, slot->place);

		existing->reported |= entry->reported;
		bulk_sync_match_duplicate(table->match, existing, new->tts_values, new->tts_isnull);
		slot_getallattrs(table->slot);
		if (table->plan->options->duplicates == BULK_SYNC_DUPLICATES_ERROR ||
			!bulk_sync_new_duplicate_wins(table->plan, table->slot->tts_values,
										  table->slot->tts_isnull, existing->position,
										  new->tts_values, new->tts_isnull, entry->position))
		{
			bury(table, entry);
			return;
		}
		entry->reported = existing->reported;
		bury(table, existing);
		slot->place = place;
		return;
	}

	slot->place = place;
	slot->hash = entry->hash;
	table->nentries++;
	if (table->nentries > table->nslots / 4 * 3)
		double_slots(table);
}

/* The place of the row that came last, to be linked */
uint32
bulk_sync_table_last_place(const BulkSyncHashTable *table)
{
	return table->last_place;
}

/*
 * Keeps the entries for which "keep" is true, in the order in which they came.
 * Returns false if it was true for all of them.
 */
bool
bulk_sync_table_split(BulkSyncHashTable *table,
					  bool (*keep) (BulkSyncEntry *entry, void *arg), void *arg)
{
	Chunk	   *old = table->first;
	bool		moved = false;

	table->first = table->last = NULL;
	table->nentries = 0;
	table->dead = 0;
	table->used = table->nslots * sizeof(HashSlot);
	ExecClearTuple(table->slot);
	ExecClearTuple(table->new_slot);
	memset(table->slots, 0, table->nslots * sizeof(HashSlot));
	while (old != NULL)
	{
		Chunk	   *next = old->next;
		Size		offset = FIRST_PLACE;

		CHECK_FOR_INTERRUPTS();
		while (offset < old->used)
		{
			BulkSyncEntry *entry = (BulkSyncEntry *) (CHUNK_DATA(old) + offset);
			BulkSyncEntry *copy;

			offset += entry_size(table, entry);
			if (entry->dead)
				continue;
			if (!keep(entry, arg))
			{
				moved = true;
				continue;
			}
			copy = bulk_sync_table_allocate(table, entry->t_len);
			memcpy(BULK_SYNC_ENTRY_TUPLE(copy), BULK_SYNC_ENTRY_TUPLE(entry), entry->t_len);
			bulk_sync_set_entry(table->match, copy, entry->hash, entry->position,
									entry->reported);
			put_entry(table, copy->hash, table->last_place);
			table->nentries++;
		}
		old->next = table->spare;
		table->spare = old;
		old = next;
	}
	return moved;
}

static bool
keep_all(BulkSyncEntry *entry, void *arg)
{
	(void) entry;
	(void) arg;
	return true;
}

/*
 * Does the table hold more than it may, and would it help to split it?  Many
 * duplicates must not fill the memory: if it is full of them, they go.
 */
bool
bulk_sync_table_is_full(BulkSyncHashTable *table)
{
	if (bulk_sync_table_is_over(table) && table->dead > table->used / 2)
		(void) bulk_sync_table_split(table, keep_all, NULL);
	return bulk_sync_table_is_over(table) && table->nentries > MIN_ENTRIES;
}
