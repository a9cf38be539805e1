/*-------------------------------------------------------------------------
 *
 * mutants.c
 *	  The setting that chooses a deliberate bug; nothing in a usual build.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#ifdef BULK_SYNC_MUTANTS

#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

int			bulk_sync_mutant = BULK_SYNC_NO_MUTANT;

static const struct config_enum_entry mutants[] = {
	{"none", BULK_SYNC_NO_MUTANT, false},
#define MUTANT(name) {#name, BULK_SYNC_MUTANT_##name, false},
	BULK_SYNC_ALL_MUTANTS
#undef MUTANT
	{NULL, 0, false}
};

void
bulk_sync_define_mutants(void)
{
	DefineCustomEnumVariable("bulk_sync.mutant",
							 "Makes the deliberate mistake of this name.",
							 NULL, &bulk_sync_mutant, BULK_SYNC_NO_MUTANT, mutants,
							 PGC_USERSET, 0, NULL, NULL, NULL);
}

/* Equality in the place of the image, where the type has any */
bool
bulk_sync_mutant_equal(Oid type, Oid collation, Datum a, Datum b)
{
	TypeCacheEntry *cache = lookup_type_cache(type, TYPECACHE_EQ_OPR_FINFO);

	if (OidIsValid(cache->eq_opr_finfo.fn_oid))
		return DatumGetBool(FunctionCall2Coll(&cache->eq_opr_finfo, collation, a, b));
	return datum_image_eq(a, b, get_typbyval(type), get_typlen(type));
}

/* Is a column of this number one that another could be taken for without a crash? */
bool
bulk_sync_mutant_attribute(Relation rel, int number, Oid type)
{
	TupleDesc	desc = RelationGetDescr(rel);

	return number <= desc->natts && !TupleDescAttr(desc, number - 1)->attisdropped &&
		TupleDescAttr(desc, number - 1)->atttypid == type;
}

#endif							/* BULK_SYNC_MUTANTS */
