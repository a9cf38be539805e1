/*-------------------------------------------------------------------------
 *
 * mutants.h
 *	  Deliberate bugs, to see whether the tests notice them.
 *
 * They exist only in a library that is built with -DBULK_SYNC_MUTANTS, where
 * the setting bulk_sync.mutant chooses one: "make test-mutants" runs the tests
 * with each of them (Tests/support/mutants.sh).  In any other library
 * BULK_SYNC_MUTANT() is the constant false and nothing is left of it.
 *
 * A mutant is one condition at the place where the mistake could be made.  Add
 * one here and there: the script finds it by this list.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULK_SYNC_MUTANTS_H
#define BULK_SYNC_MUTANTS_H

#ifdef BULK_SYNC_MUTANTS

/* MUTANT(name), in the order of the phases; the comment says what goes wrong */
#define BULK_SYNC_ALL_MUTANTS \
	/* matching */ \
	MUTANT(scope_ignored)			/* rows outside "scope" are read, and deleted */ \
	MUTANT(scope_values_ignored)	/* the same for scope_values */ \
	MUTANT(null_key_matches_nothing) \
	MUTANT(second_key_column_ignored) \
	MUTANT(last_batch_lost)			/* of those that did not fit into memory */ \
	MUTANT(queue_not_flushed)		/* the last rows that were read are lost */ \
	MUTANT(digest_of_key)			/* rows of one key are taken for equal */ \
	/* deciding */ \
	MUTANT(duplicates_not_counted) \
	MUTANT(first_for_last)			/* the wrong one of duplicates is kept */ \
	MUTANT(matched_twice_accepted) \
	MUTANT(all_updated)				/* equal rows are written, too */ \
	MUTANT(equality_for_image)		/* 1.0 and 1.00 count as equal */ \
	MUTANT(null_equals_all)			/* a value that becomes NULL is no change */ \
	MUTANT(keep_forgotten) \
	MUTANT(fill_overwrites) \
	MUTANT(update_where_forgotten) \
	MUTANT(marked_row_deleted_again) \
	MUTANT(revival_forgotten)		/* a marked row that comes back stays marked */ \
	MUTANT(assigned_key_matched)	/* NULL in a key that the database assigns matches NULL */ \
	/* guards */ \
	MUTANT(scope_of_planned_rows_unchecked) \
	MUTANT(one_delete_too_many)		/* max_deletes is off by one */ \
	/* locking */ \
	MUTANT(rows_not_locked) \
	MUTANT(changed_row_accepted)	/* is not matched again */ \
	MUTANT(old_snapshot_accepted) \
	/* applying */ \
	MUTANT(inserts_first) \
	MUTANT(scope_of_written_rows_unchecked) \
	MUTANT(triggers_after_each_phase) \
	MUTANT(planned_for_written)		/* counts rows that a trigger suppressed */ \
	/* applying without SQL */ \
	MUTANT(buffer_not_flushed)		/* the last inserted rows are lost */ \
	MUTANT(entries_not_checked_again)	/* those that were inserted early */ \
	MUTANT(changed_key_unchecked)	/* is taken for one that the row had before */ \
	MUTANT(attributes_by_number)	/* of a partition with its columns in another order */ \
	MUTANT(moved_row_not_captured)	/* is not in the transition table */ \
	MUTANT(before_update_skipped)	/* the BEFORE triggers of an UPDATE */ \
	MUTANT(row_not_followed)		/* to the version that a trigger made */ \
	/* reporting */ \
	MUTANT(staged_row_from_zero) \
	MUTANT(planned_row_returned)	/* "new" without what triggers and defaults made of it */ \
	MUTANT(old_row_not_returned) \
	/* history */ \
	MUTANT(oldest_for_newest) \
	MUTANT(equal_version_inserted)

typedef enum BulkSyncMutant
{
	BULK_SYNC_NO_MUTANT,
#define MUTANT(name) BULK_SYNC_MUTANT_##name,
	BULK_SYNC_ALL_MUTANTS
#undef MUTANT
} BulkSyncMutant;

extern int	bulk_sync_mutant;
extern void bulk_sync_define_mutants(void);
extern bool bulk_sync_mutant_equal(Oid type, Oid collation, Datum a, Datum b);
extern bool bulk_sync_mutant_attribute(Relation rel, int number, Oid type);

#define BULK_SYNC_MUTANT(name) (bulk_sync_mutant == BULK_SYNC_MUTANT_##name)

#else

#define BULK_SYNC_MUTANT(name) false
#define bulk_sync_define_mutants() ((void) 0)
#define bulk_sync_mutant_equal(type, collation, a, b) false
#define bulk_sync_mutant_attribute(rel, number, type) false

#endif							/* BULK_SYNC_MUTANTS */

#endif							/* BULK_SYNC_MUTANTS_H */
