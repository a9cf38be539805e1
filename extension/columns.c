/*-------------------------------------------------------------------------
 *
 * columns.c
 *	  Which columns take part and what role each has: the wanted row.
 *
 * Columns are paired by name and never by position.  Types are the business
 * of types.c, scope and conditions that of plan_rows.c.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/sysattr.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "utils/builtins.h"

/* Is a staged value sometimes not written when the row is updated? */
bool
bulk_sync_column_may_keep(const BulkSyncColumn *column)
{
	return column->assigned ||
		column->role == BULK_SYNC_ROLE_FILL || column->role == BULK_SYNC_ROLE_KEEP;
}

/*
 * Is a column set when a row is updated?  A key column is, where its image
 * differs in some row of the difference; without one, where it can differ.
 */
bool
bulk_sync_column_is_set(const BulkSyncPlan *plan, int index, const BulkSyncDifference *difference)
{
	const BulkSyncColumn *column = &plan->columns[index];

	if (!column->synced || column->role == BULK_SYNC_ROLE_INSERT_ONLY)
		return false;
	/* No row goes to another shard: see bulk_sync_plan_distribution() */
	if (plan->distribution != NULL && index == plan->distribution->column_index)
		return false;
	if (!column->key)
		return true;
	return difference != NULL ? difference->key_image_differs[index] : column->image_may_differ;
}

bool
bulk_sync_column_is_generated(const BulkSyncPlan *plan, AttrNumber attno)
{
	return TupleDescAttr(RelationGetDescr(plan->target), attno - 1)->attgenerated != '\0';
}

static const char *
attribute_name(Relation rel, AttrNumber attno)
{
	return NameStr(TupleDescAttr(RelationGetDescr(rel), attno - 1)->attname);
}

/* Names of the key columns: as given, or those of the primary key */
static List *
key_column_names(const BulkSyncPlan *plan)
{
	const BulkSyncOptions *options = plan->options;
	List	   *names = NIL;
	ListCell   *lc;
	Bitmapset  *attnos;
	Oid			constraint;
	int			member = -1;

	if (options->key_given)
	{
		foreach(lc, options->key_columns)
			(void) bulk_sync_column_attno(plan->target, (char *) lfirst(lc));
		return options->key_columns;
	}

	attnos = get_primary_key_attnos(RelationGetRelid(plan->target), true, &constraint);
	while ((member = bms_next_member(attnos, member)) >= 0)
		names = lappend(names,
						pstrdup(attribute_name(plan->target,
											   member + FirstLowInvalidHeapAttributeNumber)));
	if (names == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("relation \"%s\" has no primary key",
						RelationGetRelationName(plan->target)),
				 errhint("Name the columns to match on, for example key_columns => '{name}'.")));
	return names;
}

static BulkSyncColumn *
add_column(BulkSyncPlan *plan, const char *name)
{
	BulkSyncColumn *column;

	plan->columns = repalloc(plan->columns, (plan->ncolumns + 1) * sizeof(BulkSyncColumn));
	column = &plan->columns[plan->ncolumns++];
	memset(column, 0, sizeof(BulkSyncColumn));
	column->name = pstrdup(name);
	column->read_index = -1;
	return column;
}

static void
set_type(BulkSyncColumn *column, Form_pg_attribute attr)
{
	column->type = attr->atttypid;
	column->typmod = attr->atttypmod;
	column->collation = attr->attcollation;
	column->typlen = attr->attlen;
	column->typbyval = attr->attbyval;
}

/* Adds a column of the target; the caller says where its values come from */
static BulkSyncColumn *
add_target_column(BulkSyncPlan *plan, AttrNumber target_attno, AttrNumber staged_attno)
{
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(plan->target), target_attno - 1);
	BulkSyncColumn *column = add_column(plan, NameStr(attr->attname));

	set_type(column, attr);
	column->target_attno = target_attno;
	column->staged_attno = staged_attno;
	if (attr->attgenerated == '\0')
	{
		column->insertable = true;
		column->synced = true;
		column->assigned = bulk_sync_null_is_assigned(plan->target, attr);
		/* A view does not tell what is below it, and does not mind */
		if (attr->attidentity != '\0' || plan->target->rd_rel->relkind == RELKIND_VIEW)
			plan->has_identity = true;
	}
	if (staged_attno != InvalidAttrNumber)
		bulk_sync_find_conversion(plan, column);
	return column;
}

/* Index of the column that holds a target column, or -1 */
int
bulk_sync_find_column(const BulkSyncPlan *plan, AttrNumber target_attno)
{
	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (plan->columns[i].target_attno == target_attno)
			return i;
	}
	return -1;
}

/*
 * The wanted row holds what is written; a condition or a ranking may need a
 * staged column beside it.  Returns the index of the column that holds the
 * staged one, converted to the target's type if "paired" and raw if not.
 */
int
bulk_sync_require_staged_column(BulkSyncPlan *plan, AttrNumber staged_attno, bool paired)
{
	Form_pg_attribute staged_attr = TupleDescAttr(RelationGetDescr(plan->staged),
												  staged_attno - 1);
	AttrNumber	target_attno = InvalidAttrNumber;
	BulkSyncColumn *column;

	if (paired)
		target_attno = bulk_sync_find_attribute(plan->target, NameStr(staged_attr->attname));
	for (int i = 0; i < plan->ncolumns; i++)
	{
		bool		is_paired = (plan->columns[i].conversion != BULK_SYNC_CONVERT_NONE ||
								 plan->columns[i].type != staged_attr->atttypid);

		if (plan->columns[i].staged_attno == staged_attno &&
			(target_attno != InvalidAttrNumber || !is_paired))
			return i;
	}

	column = add_column(plan, NameStr(staged_attr->attname));
	column->staged_attno = staged_attno;
	if (target_attno != InvalidAttrNumber)
	{
		set_type(column, TupleDescAttr(RelationGetDescr(plan->target), target_attno - 1));
		bulk_sync_find_conversion(plan, column);
	}
	else
		set_type(column, staged_attr);
	return plan->ncolumns - 1;
}

static void
check_columns_argument(const BulkSyncPlan *plan)
{
	ListCell   *lc;

	foreach(lc, plan->options->columns)
		(void) bulk_sync_column_attno(plan->staged, (char *) lfirst(lc));
}

static bool
is_supplied(const BulkSyncPlan *plan, AttrNumber target_attno)
{
	for (int i = 0; i < plan->nscope_values; i++)
	{
		if (plan->scope_values[i].target_attno == target_attno)
			return true;
	}
	return false;
}

static void
add_key_columns(BulkSyncPlan *plan)
{
	List	   *names = key_column_names(plan);
	ListCell   *lc;

	plan->nkeys = list_length(names);
	plan->key = palloc0(Max(plan->nkeys, 1) * sizeof(BulkSyncEquality));
	plan->matching = plan->nkeys > 0;

	foreach(lc, names)
	{
		char	   *name = (char *) lfirst(lc);
		AttrNumber	target_attno = bulk_sync_find_attribute(plan->target, name);
		AttrNumber	staged_attno = bulk_sync_find_attribute(plan->staged, name);
		BulkSyncColumn *column;

		if (staged_attno == InvalidAttrNumber && !is_supplied(plan, target_attno))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("key column \"%s\" of relation \"%s\" is neither staged nor supplied",
							name, RelationGetRelationName(plan->target)),
					 plan->options->purpose == BULK_SYNC_HISTORY ?
					 errhint("Add the column to \"%s\".", RelationGetRelationName(plan->staged)) :
					 errhint("Add the column to \"%s\", or give its value in scope_values.",
							 RelationGetRelationName(plan->staged))));
		if (target_attno == plan->soft_attno)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column \"%s\" cannot be both a key column and the soft-delete column",
							name)));
		column = add_target_column(plan, target_attno, staged_attno);
		column->key = true;
		column->compared = column->synced;
		column->image_may_differ = bulk_sync_image_may_differ(column->type, column->collation);
		bulk_sync_init_equality(&plan->key[foreach_current_index(lc)],
								column->type, column->collation, name);
	}
}

/* The staged columns beside the key, in the order of the staged relation */
static void
add_synced_columns(BulkSyncPlan *plan)
{
	const BulkSyncOptions *options = plan->options;
	TupleDesc	desc = RelationGetDescr(plan->staged);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		const char *name = NameStr(attr->attname);
		AttrNumber	target_attno;
		Form_pg_attribute target_attr;
		BulkSyncColumn *column;

		if (attr->attisdropped)
			continue;
		if (options->columns_given && !bulk_sync_list_has_name(options->columns, name))
			continue;
		target_attno = bulk_sync_find_attribute(plan->target, name);
		if (target_attno == InvalidAttrNumber)
		{
			const char *nearest;

			if (options->order_column != NULL && strcmp(options->order_column, name) == 0)
				continue;
			nearest = bulk_sync_nearest_column(plan->target, name);
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of relation \"%s\" does not exist",
							name, RelationGetRelationName(plan->target)),
					 errdetail("Relation \"%s\" has a column of that name.",
							   RelationGetRelationName(plan->staged)),
					 nearest != NULL ?
					 errhint("Perhaps you meant to name the column \"%s\".", nearest) :
					 options->purpose == BULK_SYNC_HISTORY ? 0 :
					 errhint("Use the argument \"columns\" to name the columns to sync.")));
		}
		if (bulk_sync_find_column(plan, target_attno) >= 0)
			continue;			/* a key column */
		if (target_attno == plan->soft_attno)
			continue;			/* written by soft deletes alone */
		target_attr = TupleDescAttr(RelationGetDescr(plan->target), target_attno - 1);
		if (target_attr->attgenerated != '\0')
			continue;			/* computed, whatever was staged */

		column = add_target_column(plan, target_attno, attr->attnum);
		column->compared = true;
		if (target_attr->attidentity == ATTRIBUTE_IDENTITY_ALWAYS)
		{
			column->role = BULK_SYNC_ROLE_INSERT_ONLY;
			column->compared = false;
		}
	}
}

static void
check_role_column(const BulkSyncPlan *plan, const char *name, BulkSyncRole role, int index)
{
	const char *argument = bulk_sync_role_argument(role);
	const char *detail = NULL;
	AttrNumber	attno = bulk_sync_column_attno(plan->target, name);

	if (index < 0)
		detail = "It is not synced.";
	else if (plan->columns[index].key)
		detail = "It is a key column.";
	else if (TupleDescAttr(RelationGetDescr(plan->target), attno - 1)->attidentity ==
			 ATTRIBUTE_IDENTITY_ALWAYS)
		detail = "It is an identity column defined as GENERATED ALWAYS.";
	if (detail != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" cannot be named in \"%s\"", name, argument),
				 errdetail_internal("%s", detail)));
}

static void
assign_roles(BulkSyncPlan *plan)
{
	for (int role = BULK_SYNC_ROLE_INSERT_ONLY; role < BULK_SYNC_NUM_ROLES; role++)
	{
		ListCell   *lc;

		foreach(lc, plan->options->role_columns[role])
		{
			char	   *name = (char *) lfirst(lc);
			int			index = bulk_sync_find_column(plan, bulk_sync_find_attribute(plan->target, name));

			check_role_column(plan, name, role, index);
			plan->columns[index].role = role;
			plan->columns[index].compared = (role == BULK_SYNC_ROLE_KEEP);
		}
	}
}

/* Values of scope_values: for keys not staged, and for what is inserted */
static void
add_supplied_columns(BulkSyncPlan *plan)
{
	for (int i = 0; i < plan->nscope_values; i++)
	{
		BulkSyncScopeColumn *scope = &plan->scope_values[i];
		int			index = bulk_sync_find_column(plan, scope->target_attno);
		BulkSyncColumn *column;

		if (index < 0)
		{
			Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(plan->target),
												   scope->target_attno - 1);

			if (attr->attgenerated != '\0')
				continue;		/* restricts, but cannot be supplied */
			column = add_target_column(plan, scope->target_attno, InvalidAttrNumber);
			column->synced = false;
			index = plan->ncolumns - 1;
		}
		scope->column_index = index;
		column = &plan->columns[index];
		if (column->staged_attno == InvalidAttrNumber)
		{
			column->supplied = scope->value;
			column->supplied_isnull = scope->isnull;
		}
	}
}

/* Does a text hold a string, in whatever case? */
static bool
contains(const char *text, const char *string, int length)
{
	for (; *text != '\0'; text++)
	{
		if (pg_strncasecmp(text, string, length) == 0)
			return true;
	}
	return false;
}

/*
 * A prefix for generated names that no column of the target starts with, nor
 * anything that the caller's scope names: statements hold both.
 */
static char *
unused_prefix(Relation target, const char *scope)
{
	TupleDesc	desc = RelationGetDescr(target);
	StringInfoData prefix;
	bool		used = true;

	initStringInfo(&prefix);
	/* By number, and not ever longer: a name has 63 bytes */
	for (int number = 0; used; number++)
	{
		resetStringInfo(&prefix);
		if (number == 0)
			appendStringInfoString(&prefix, "d_");
		else
			appendStringInfo(&prefix, "d%d_", number);
		used = scope != NULL && contains(scope, prefix.data, prefix.len);
		for (int i = 0; i < desc->natts && !used; i++)
			used = strncmp(NameStr(TupleDescAttr(desc, i)->attname),
						   prefix.data, prefix.len) == 0;
	}
	return prefix.data;
}

static void
make_wanted_desc(BulkSyncPlan *plan)
{
	plan->wanted_desc = CreateTemplateTupleDesc(plan->ncolumns);
	for (int i = 0; i < plan->ncolumns; i++)
	{
		BulkSyncColumn *column = &plan->columns[i];

		TupleDescInitEntry(plan->wanted_desc, i + 1, psprintf("%sw%d", plan->prefix, i + 1),
						   column->type, column->typmod, 0);
		TupleDescInitEntryCollation(plan->wanted_desc, i + 1, column->collation);
	}
}

/* Must rows be matched by sorting them, or is that asked for and possible? */
static bool
sorts_to_match(const BulkSyncPlan *plan)
{
	bool		can_sort = plan->nkeys > 0;

	for (int i = 0; i < plan->nkeys; i++)
	{
		if (!OidIsValid(plan->key[i].hash.fn_oid))
			return true;
		can_sort = can_sort && OidIsValid(plan->key[i].lt_opr);
	}
	return can_sort && bulk_sync_matcher == BULK_SYNC_MATCHER_SORT;
}

/*
 * Decides about every column.  The order of the steps is the order in which
 * their errors are reported.
 */
void
bulk_sync_plan_columns(BulkSyncPlan *plan)
{
	plan->columns = palloc(sizeof(BulkSyncColumn));
	plan->prefix = unused_prefix(plan->target, plan->options->scope);

	check_columns_argument(plan);
	bulk_sync_plan_soft_delete(plan);
	bulk_sync_plan_scope_values(plan);
	add_key_columns(plan);
	add_synced_columns(plan);
	assign_roles(plan);
	add_supplied_columns(plan);
	bulk_sync_plan_scope_columns(plan);
	if (plan->options->scope != NULL)
		plan->scope = bulk_sync_parse_condition("scope", plan->options->scope, plan->target,
												NULL, false, &plan->scope_conjuncts);
	bulk_sync_plan_update_where(plan);
	bulk_sync_plan_order_column(plan);
	bulk_sync_plan_history(plan);
	bulk_sync_plan_columns_read(plan);
	make_wanted_desc(plan);

	for (int i = 0; i < plan->ncolumns; i++)
	{
		BulkSyncColumn *column = &plan->columns[i];

		if (column->assigned && column->insertable)
			plan->assigned_attnos = bms_add_member(plan->assigned_attnos, column->target_attno);
	}
	plan->sort_match = sorts_to_match(plan);
	if (plan->sort_match)
	{
		for (int i = 0; i < plan->nkeys; i++)
		{
			if (!OidIsValid(plan->key[i].lt_opr))
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("could not match on these key columns"),
						 errdetail("Some of their types only support hashing, while others "
								   "only support sorting.")));
		}
	}
}
