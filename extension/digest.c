/*-------------------------------------------------------------------------
 *
 * digest.c
 *	  A number for the image of a row, by which equal rows are recognised.
 *
 * Rows with one image have one digest.  Two different rows have the same one
 * by chance alone, once in 2^100 pairs or less, whatever is in them: the key is
 * drawn anew for each call, so that nobody can choose rows that collide.
 *
 * It is a universal hash function of Carter and Wegman, in two steps, as in
 * UMAC (Black, Halevi, Krawczyk, Krovetz and Rogaway, CRYPTO '99): blocks are
 * compressed by NH, sums of products of 64 bit words to which the key is added
 * (different blocks agree once in 2^64); the results are the coefficients of a
 * polynomial, whose value at a secret place modulo 2^61 - 1 is the hash (two
 * polynomials of degree n agree at n places at most).  Two such hashes with keys of
 * their own make the digest.
 *
 *-------------------------------------------------------------------------
 */
#include "match.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#ifdef HAVE_INT128

#define PRIME	((UINT64CONST(1) << 61) - 1)

/* How long a NULL is: no value is */
#define LENGTH_OF_NULL	PG_UINT64_MAX

bool
bulk_sync_digest_init(BulkSyncDigestKey *key)
{
	if (!pg_strong_random(key, sizeof(BulkSyncDigestKey)))
		return false;
	for (int lane = 0; lane < 2; lane++)
		key->place[lane] %= PRIME;
	return true;
}

static inline uint64
modulo_prime(uint128 n)
{
	uint64		sum = (uint64) (n & PRIME) + (uint64) (n >> 61);

	sum = (sum & PRIME) + (sum >> 61);
	return sum >= PRIME ? sum - PRIME : sum;
}

/* Adds the block that is full, or the last one, padded with zeros */
static void
add_block(BulkSyncDigest *digest)
{
	const BulkSyncDigestKey *key = digest->key;
	const uint64 *words = digest->block;

	for (int i = digest->nwords; i < BULK_SYNC_DIGEST_BLOCK; i++)
		digest->block[i] = 0;
	for (int lane = 0; lane < 2; lane++)
	{
		const uint64 *k = key->words[lane];
		uint64		hash = digest->hash[lane];
		uint128		sum = 0;

		for (int i = 0; i < BULK_SYNC_DIGEST_BLOCK; i += 2)
			sum += (uint128) (words[i] + k[i]) * (words[i + 1] + k[i + 1]);
		hash = modulo_prime((uint128) hash * key->place[lane] + (uint64) (sum & PRIME));
		hash = modulo_prime((uint128) hash * key->place[lane] + (uint64) (sum >> 61 & PRIME));
		hash = modulo_prime((uint128) hash * key->place[lane] + (uint64) (sum >> 122));
		digest->hash[lane] = hash;
	}
	digest->nwords = 0;
}

static inline void
add_word(BulkSyncDigest *digest, uint64 word)
{
	if (digest->nwords == BULK_SYNC_DIGEST_BLOCK)
		add_block(digest);
	digest->block[digest->nwords++] = word;
}

static void
add_bytes(BulkSyncDigest *digest, const char *bytes, Size length)
{
	while (length > 0)
	{
		Size		room;
		Size		n;

		if (digest->nwords == BULK_SYNC_DIGEST_BLOCK)
			add_block(digest);
		room = (BULK_SYNC_DIGEST_BLOCK - digest->nwords) * sizeof(uint64);
		n = Min(length, room);
		/* The last word may be a part of one */
		digest->block[digest->nwords + (n - 1) / sizeof(uint64)] = 0;
		memcpy(&digest->block[digest->nwords], bytes, n);
		digest->nwords += (n + sizeof(uint64) - 1) / sizeof(uint64);
		bytes += n;
		length -= n;
	}
}

void
bulk_sync_digest_begin(BulkSyncDigest *digest, const BulkSyncDigestKey *key)
{
	digest->key = key;
	digest->nwords = 0;
	/* Not 0: rows of different length are polynomials of different degree */
	digest->hash[0] = digest->hash[1] = 1;
}

/*
 * Adds the image of a value, as bulk_sync_image_equal() understands it.  Memory
 * that a value out of line needs is that of the current context.
 */
void
bulk_sync_digest_add(BulkSyncDigest *digest, const BulkSyncColumn *column, Datum value,
					 bool isnull)
{
	if (isnull)
		add_word(digest, LENGTH_OF_NULL);
	else if (column->typbyval)
	{
		add_word(digest, sizeof(Datum));
		add_word(digest, value);
	}
	else if (column->typlen == -1)
	{
		struct varlena *image = bulk_sync_is_plain(value) ?
			(struct varlena *) DatumGetPointer(value) : PG_DETOAST_DATUM_PACKED(value);

		add_word(digest, VARSIZE_ANY_EXHDR(image));
		add_bytes(digest, VARDATA_ANY(image), VARSIZE_ANY_EXHDR(image));
	}
	else
	{
		Size		length = datumGetSize(value, false, column->typlen);

		add_word(digest, length);
		add_bytes(digest, DatumGetPointer(value), length);
	}
}

void
bulk_sync_digest_end(BulkSyncDigest *digest)
{
	add_block(digest);
}

#endif							/* HAVE_INT128 */
