/*-------------------------------------------------------------------------
 *
 * equal_rows.c
 *	  Sorts out equal rows before the match, where the staged rows are wide and
 *	  more than memory holds.
 *
 * Rows that do not fit into memory go through temporary files, on both sides:
 * with wide rows that costs more than all the rest.  Most of them are equal, and
 * to know that takes no more than their digest (digest.c), 32 bytes for a row.  So
 * both sides are read once for that; the match that follows passes over the rows
 * that have a partner with the same image, and holds what is left.
 *
 * Only what is certain is decided here.  Rows of which two have one hash of the
 * key, on either side, are left to the match, which knows what to do about
 * duplicates, and so is all else that is more than "equal".
 *
 *-------------------------------------------------------------------------
 */
#include "match.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "executor/executor.h"
#include "optimizer/optimizer.h"
#include "utils/memutils.h"

/* Rows less wide than this, in bytes, are as soon written to a file */
#define MIN_WIDTH			384

/* So many staged rows tell how wide they are */
#define ROWS_TO_SAMPLE		1000

/* After so many target rows it is asked whether a part of them are equal */
#define ROWS_TO_TRY			10000
#define MIN_EQUAL_FRACTION	0.25

typedef enum PartnerState
{
	PARTNER_EMPTY,				/* the slot is free */
	PARTNER_ALONE,				/* a staged row, no target row of its hash yet */
	PARTNER_EQUAL,				/* one target row, which is equal */
	PARTNER_UNDECIDED			/* it is for the match to decide */
} PartnerState;

/* A staged row, or those of one hash of the key */
typedef struct Partner
{
	uint32		hash;
	uint32		state;
	uint32		staged;			/* its position */
	uint32		target;			/* number of its partner, as they were read */
	uint64		digest[2];
} Partner;

struct BulkSyncEqualRows
{
	BulkSyncMatch *match;
	MemoryContext context;
	BulkSyncDigestKey key;
	Partner    *slots;
	uint32		nslots;			/* a power of two */
	uint32		nused;
	bool		abandoned;
	int64		nequal;
	int64		ntargets;
	uint64	   *staged_bits;	/* by position - 1: has an equal partner */
	uint64		staged_words;
	uint64	   *target_bits;	/* by number */
	uint64		target_words;
};

static inline bool
bit_is_set(const uint64 *bits, uint64 nwords, uint64 bit)
{
	return bit / 64 < nwords && (bits[bit / 64] >> (bit % 64) & 1) != 0;
}

#ifdef HAVE_INT128

/*-------------------------------------------------------------------------
 * Bits
 *-------------------------------------------------------------------------
 */
static void
set_bit(BulkSyncEqualRows *equal, uint64 **bits, uint64 *nwords, uint64 bit)
{
	if (bit / 64 >= *nwords)
	{
		uint64		n = Max(*nwords * 2, bit / 64 + 1024);

		if (*bits == NULL)
			*bits = MemoryContextAllocHuge(equal->context, n * sizeof(uint64));
		else
			*bits = repalloc_huge(*bits, n * sizeof(uint64));
		memset(*bits + *nwords, 0, (n - *nwords) * sizeof(uint64));
		*nwords = n;
	}
	(*bits)[bit / 64] |= UINT64CONST(1) << (bit % 64);
}

static inline void
clear_bit(uint64 *bits, uint64 bit)
{
	bits[bit / 64] &= ~(UINT64CONST(1) << (bit % 64));
}

/*-------------------------------------------------------------------------
 * Partners
 *-------------------------------------------------------------------------
 */

/* The slot of a hash, or the empty one where it belongs */
static Partner *
find_partner(const BulkSyncEqualRows *equal, uint32 hash)
{
	uint32		mask = equal->nslots - 1;
	uint32		i = hash & mask;

	while (equal->slots[i].state != PARTNER_EMPTY && equal->slots[i].hash != hash)
		i = (i + 1) & mask;
	return &equal->slots[i];
}

/* Two rows of one hash on one side: nothing is certain about them */
static void
leave_to_match(BulkSyncEqualRows *equal, Partner *partner)
{
	if (partner->state == PARTNER_EQUAL)
	{
		clear_bit(equal->staged_bits, partner->staged - 1);
		clear_bit(equal->target_bits, partner->target);
		equal->nequal--;
	}
	partner->state = PARTNER_UNDECIDED;
}

static void
add_staged(BulkSyncEqualRows *equal, const BulkSyncStagedRow *row, uint32 hash,
		   const BulkSyncDigest *digest)
{
	Partner    *partner = find_partner(equal, hash);

	if (partner->state != PARTNER_EMPTY)
	{
		leave_to_match(equal, partner);
		return;
	}
	if (equal->nused >= equal->nslots / 4 * 3 || row->position > PG_INT32_MAX)
	{
		equal->abandoned = true;
		return;
	}
	equal->nused++;
	partner->hash = hash;
	partner->state = PARTNER_ALONE;
	partner->staged = (uint32) row->position;
	memcpy(partner->digest, digest->hash, sizeof(partner->digest));
}

/*-------------------------------------------------------------------------
 * Reading
 *-------------------------------------------------------------------------
 */

/* All that could make a row differ; more than that does no harm */
static void
make_digest(BulkSyncEqualRows *equal, BulkSyncDigest *digest, const Datum *values,
			const bool *isnull, bool target)
{
	const BulkSyncPlan *plan = equal->match->plan;

	bulk_sync_digest_begin(digest, &equal->key);
	for (int i = 0; i < plan->ncolumns; i++)
	{
		const BulkSyncColumn *column = &plan->columns[i];
		int			index = target ? column->read_index : i;

		if (BULK_SYNC_MUTANT(digest_of_key) ? column->key :
			column->key || column->compared || column->role == BULK_SYNC_ROLE_FILL)
			bulk_sync_digest_add(digest, column, values[index], isnull[index]);
	}
	bulk_sync_digest_end(digest);
}

static void
read_staged(BulkSyncEqualRows *equal, BulkSyncStagedSource *source)
{
	BulkSyncMatch *match = equal->match;
	BulkSyncStagedRow row;

	while (!equal->abandoned && bulk_sync_next_staged(source, &row))
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(match->row_context);
		BulkSyncDigest digest;

		if (!bulk_sync_key_is_assigned(match->plan, &row))
		{
			make_digest(equal, &digest, row.values, row.isnull, false);
			add_staged(equal, &row, bulk_sync_hash_key(match->plan, row.values, row.isnull, false),
					   &digest);
		}
		MemoryContextSwitchTo(oldcontext);
		MemoryContextReset(match->row_context);
	}
}

/* A value out of line is fetched for it: only where there is a partner to compare with */
static bool
is_equal(BulkSyncEqualRows *equal, const Partner *partner, const BulkSyncTargetRow *row)
{
	BulkSyncDigest digest;

	if (partner->state != PARTNER_ALONE || bulk_sync_is_marked(equal->match->plan, row))
		return false;
	make_digest(equal, &digest, row->values, row->isnull, true);
	return memcmp(partner->digest, digest.hash, sizeof(partner->digest)) == 0;
}

/*
 * A target row; returns false when no more are wanted.  Its values are needed
 * for the moment only, as is the memory that is used here.
 */
bool
bulk_sync_equal_probe(BulkSyncEqualRows *equal, const BulkSyncTargetRow *row)
{
	const BulkSyncPlan *plan = equal->match->plan;
	uint32		number = (uint32) equal->ntargets++;
	Partner    *partner = find_partner(equal, bulk_sync_hash_key(plan, row->values, row->isnull,
																 true));

	if (is_equal(equal, partner, row))
	{
		partner->state = PARTNER_EQUAL;
		partner->target = number;
		set_bit(equal, &equal->staged_bits, &equal->staged_words, partner->staged - 1);
		set_bit(equal, &equal->target_bits, &equal->target_words, number);
		equal->nequal++;
	}
	else if (partner->state != PARTNER_EMPTY)
		leave_to_match(equal, partner);

	/* Their bits stay as long as the match */
	if (equal->ntargets > PG_INT32_MAX ||
		equal->target_words * sizeof(uint64) > bulk_sync_memory_budget() / 4)
		equal->abandoned = true;
	if (equal->ntargets == ROWS_TO_TRY && bulk_sync_matcher != BULK_SYNC_MATCHER_FILTER &&
		equal->nequal < ROWS_TO_TRY * MIN_EQUAL_FRACTION)
		equal->abandoned = true;
	return !equal->abandoned;
}

/*-------------------------------------------------------------------------
 * What the match asks
 *-------------------------------------------------------------------------
 */

/*
 * Do rows come in the same order when they are read again?  They go by number.
 * A heap promises as much for one snapshot, another access method need not.
 */
static bool
has_one_order(const BulkSyncPlan *plan)
{
	bool		result = plan->staged->rd_tableam == GetHeapamTableAmRoutine();
	ListCell   *lc;

	foreach(lc, plan->tree)
	{
		Relation	rel = table_open(lfirst_oid(lc), NoLock);

		result = result && (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ||
							rel->rd_tableam == GetHeapamTableAmRoutine());
		table_close(rel, NoLock);
	}
	return result;
}

/* Is a row converted to the same when it is read again? */
static bool
converts_alike(const BulkSyncPlan *plan)
{
	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (plan->columns[i].conversion == BULK_SYNC_CONVERT_CAST &&
			contain_volatile_functions((Node *) plan->columns[i].cast))
			return false;
	}
	return true;
}

/*
 * Are the rows such that it pays?  Then "*nslots" is how many slots they need:
 * a power of two.
 */
static bool
pays(const BulkSyncMatch *match, BulkSyncStagedSource *source, uint32 *nslots)
{
	const BulkSyncPlan *plan = match->plan;
	double		budget = bulk_sync_memory_budget();
	double		bytes;
	double		rows;
	double		slots = 1024;

	if (bulk_sync_matcher != BULK_SYNC_MATCHER_FILTER && bulk_sync_matcher != BULK_SYNC_MATCHER_AUTO)
		return false;
	if (!plan->matching || plan->sort_match || !plan->target_scan || plan->nscope_columns > 0 ||
		match->history != NULL || plan->options->include_unchanged || !converts_alike(plan) ||
		!bulk_sync_sample_staged(source, bulk_sync_matcher == BULK_SYNC_MATCHER_FILTER ? 0 : budget,
								 ROWS_TO_SAMPLE, &rows, &bytes) ||
		!has_one_order(plan))
		return false;
	/* The estimate may be too small by a part */
	while (slots * 3 / 4 < rows * 1.1)
		slots *= 2;
	*nslots = (uint32) Min(slots, (double) (PG_UINT32_MAX / 2 + 1));
	if (bulk_sync_matcher == BULK_SYNC_MATCHER_FILTER)
		return true;
	return bytes > budget && bytes / rows >= MIN_WIDTH && slots * sizeof(Partner) <= budget;
}

/*
 * Reads both sides, and returns which rows have an equal partner; NULL if it
 * does not pay to know.
 */
BulkSyncEqualRows *
bulk_sync_find_equal_rows(BulkSyncMatch *match, BulkSyncStagedSource *source)
{
	BulkSyncEqualRows *equal;
	uint32		nslots;

	if (!pays(match, source, &nslots))
		return NULL;
	equal = palloc0(sizeof(BulkSyncEqualRows));
	if (!bulk_sync_digest_init(&equal->key))
		return NULL;
	equal->match = match;
	equal->context = CurrentMemoryContext;
	equal->nslots = nslots;
	equal->slots = MemoryContextAllocExtended(equal->context, nslots * sizeof(Partner),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	read_staged(equal, source);
	bulk_sync_rewind_staged(source);
	if (!equal->abandoned)
		bulk_sync_read_to_probe(match, equal);
	pfree(equal->slots);
	bulk_sync_phase_done("equal rows");
	return equal->abandoned ? NULL : equal;
}

#else

bool
bulk_sync_equal_probe(BulkSyncEqualRows *equal, const BulkSyncTargetRow *row)
{
	return false;
}

BulkSyncEqualRows *
bulk_sync_find_equal_rows(BulkSyncMatch *match, BulkSyncStagedSource *source)
{
	return NULL;
}

#endif							/* HAVE_INT128 */

int64
bulk_sync_equal_count(const BulkSyncEqualRows *equal)
{
	return equal != NULL ? equal->nequal : 0;
}

bool
bulk_sync_staged_is_equal(const BulkSyncEqualRows *equal, int64 position)
{
	return bit_is_set(equal->staged_bits, equal->staged_words, position - 1);
}

bool
bulk_sync_target_is_equal(const BulkSyncEqualRows *equal, int64 number)
{
	return bit_is_set(equal->target_bits, equal->target_words, number);
}
