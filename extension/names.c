/*-------------------------------------------------------------------------
 *
 * names.c
 *	  Finds columns by the names that callers use.
 *
 * Names are exact catalog names.  A name that is not found gets an error with
 * the column that was probably meant.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "utils/varlena.h"

/* How far a misspelt name may be from the column we suggest */
#define MAX_NAME_DISTANCE 3

/* Attribute number of a live user column, InvalidAttrNumber if there is none */
AttrNumber
bulk_sync_find_attribute(Relation rel, const char *name)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);

		if (!attr->attisdropped && strcmp(NameStr(attr->attname), name) == 0)
			return attr->attnum;
	}
	return InvalidAttrNumber;
}

/*
 * The numbers that the columns of a relation have in a partition or child of it,
 * by their own number - 1.
 */
AttrNumber *
bulk_sync_map_attributes(Relation rel, Relation child)
{
	TupleDesc	desc = RelationGetDescr(rel);
	AttrNumber *attnos = palloc0(Max(desc->natts, 1) * sizeof(AttrNumber));

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);

		if (attr->attisdropped)
			continue;
		if (rel == child ||
			(BULK_SYNC_MUTANT(attributes_by_number) &&
			 bulk_sync_mutant_attribute(child, i + 1, attr->atttypid)))
			attnos[i] = i + 1;
		else
			attnos[i] = bulk_sync_find_attribute(child, NameStr(attr->attname));
	}
	return attnos;
}

/* The column whose name is most like the given one, or NULL */
const char *
bulk_sync_nearest_column(Relation rel, const char *name)
{
	TupleDesc	desc = RelationGetDescr(rel);
	const char *nearest = NULL;
	int			best = MAX_NAME_DISTANCE + 1;
	int			len = strlen(name);

	if (len == 0 || len > 255)
		return NULL;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		const char *candidate = NameStr(attr->attname);
		int			distance;

		if (attr->attisdropped)
			continue;
		if (pg_strcasecmp(candidate, name) == 0)
			return candidate;
		distance = varstr_levenshtein_less_equal(name, len, candidate, strlen(candidate),
												 1, 1, 1, MAX_NAME_DISTANCE, true);
		/* More than half of the name wrong is no misspelling */
		if (distance < best && distance <= len / 2)
		{
			best = distance;
			nearest = candidate;
		}
	}
	return nearest;
}

static void
unknown_column_error(Relation rel, const char *name)
{
	const char *nearest = bulk_sync_nearest_column(rel, name);

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of relation \"%s\" does not exist",
					name, RelationGetRelationName(rel)),
			 nearest == NULL ? 0 :
			 errhint("Perhaps you meant to name the column \"%s\".", nearest)));
}

/* Attribute number of a column that must exist */
AttrNumber
bulk_sync_column_attno(Relation rel, const char *name)
{
	AttrNumber	attno = bulk_sync_find_attribute(rel, name);

	if (attno == InvalidAttrNumber)
		unknown_column_error(rel, name);
	return attno;
}

bool
bulk_sync_list_has_name(const List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp((char *) lfirst(lc), name) == 0)
			return true;
	}
	return false;
}
