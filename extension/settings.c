/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  The settings: how much memory may be used, and, for tests, which way a
 *	  call goes where there are several.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"

/* Memory for matching in kB; -1: see bulk_sync_memory_budget() */
static int	bulk_sync_work_mem = -1;

int			bulk_sync_matcher = BULK_SYNC_MATCHER_AUTO;
int			bulk_sync_applier = BULK_SYNC_APPLIER_AUTO;

static const struct config_enum_entry matcher_options[] = {
	{"auto", BULK_SYNC_MATCHER_AUTO, false},
	{"hash", BULK_SYNC_MATCHER_HASH, false},
	{"join", BULK_SYNC_MATCHER_JOIN, false},
	{"sort", BULK_SYNC_MATCHER_SORT, false},
	{"filter", BULK_SYNC_MATCHER_FILTER, false},
	{NULL, 0, false}
};

static const struct config_enum_entry applier_options[] = {
	{"auto", BULK_SYNC_APPLIER_AUTO, false},
	{"direct", BULK_SYNC_APPLIER_DIRECT, false},
	{"sql", BULK_SYNC_APPLIER_SQL, false},
	{NULL, 0, false}
};

void
bulk_sync_define_settings(void)
{
	DefineCustomIntVariable("bulk_sync.work_mem",
							"Sets the maximum memory to be used for matching staged rows.",
							"-1 means maintenance_work_mem times hash_mem_multiplier.",
							&bulk_sync_work_mem,
							-1, -1, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomEnumVariable("bulk_sync.matcher",
							 "Forces the way in which staged rows are matched, where it is possible.",
							 "For tests: all ways give the same result.",
							 &bulk_sync_matcher,
							 BULK_SYNC_MATCHER_AUTO, matcher_options,
							 PGC_SUSET, GUC_NOT_IN_SAMPLE,
							 NULL, NULL, NULL);
	DefineCustomEnumVariable("bulk_sync.applier",
							 "Forces the way in which rows are written, where it is possible.",
							 "For tests: all ways give the same result.",
							 &bulk_sync_applier,
							 BULK_SYNC_APPLIER_AUTO, applier_options,
							 PGC_SUSET, GUC_NOT_IN_SAMPLE,
							 NULL, NULL, NULL);
}

/* What the match may hold, in bytes: as a hash join may hold more than a sort */
int64
bulk_sync_memory_budget(void)
{
	double		kilobytes = bulk_sync_work_mem < 0 ? maintenance_work_mem * hash_mem_multiplier :
		bulk_sync_work_mem;

	return (int64) (Max(kilobytes, 64) * 1024);
}
