/*-------------------------------------------------------------------------
 *
 * columns.c
 *	  Which columns take part, what role each has, and how its staged values
 *	  become values of the target.
 *
 * Columns are paired by name and never by position.  The relations are open;
 * privileges are checked elsewhere (privileges.c).
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/nbtree.h"
#include "access/sysattr.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "rewrite/rewriteHandler.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "utils/varlena.h"

/* How far a misspelt name may be from the column we suggest */
#define MAX_NAME_DISTANCE 3

/*-------------------------------------------------------------------------
 * Looking up names
 *-------------------------------------------------------------------------
 */

/* Attribute number of a live user column, InvalidAttrNumber if there is none */
static AttrNumber
find_attribute(Relation rel, const char *name)
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

/* The column whose name is most like the given one, or NULL */
static const char *
nearest_column(Relation rel, const char *name)
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
	const char *nearest = nearest_column(rel, name);

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
	AttrNumber	attno = find_attribute(rel, name);

	if (attno == InvalidAttrNumber)
		unknown_column_error(rel, name);
	return attno;
}

static bool
list_has_name(const List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp((char *) lfirst(lc), name) == 0)
			return true;
	}
	return false;
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

/*-------------------------------------------------------------------------
 * Types
 *-------------------------------------------------------------------------
 */

/*
 * Equality as GROUP BY decides it: the default btree operator class of the
 * type, or else the default hash one, under the column's collation.
 */
void
bulk_sync_init_equality(BulkSyncEquality *equality, Oid type, Oid collation,
						const char *column)
{
	TypeCacheEntry *typentry;

	typentry = lookup_type_cache(type, TYPECACHE_EQ_OPR | TYPECACHE_EQ_OPR_FINFO |
								 TYPECACHE_LT_OPR |
								 TYPECACHE_HASH_PROC | TYPECACHE_HASH_PROC_FINFO);
	if (!OidIsValid(typentry->eq_opr))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("could not identify an equality operator for type %s",
						format_type_be(type)),
				 errdetail("Column \"%s\" is used to match rows.", column)));
	equality->type = type;
	equality->collation = collation;
	equality->eq_opr = typentry->eq_opr;
	equality->lt_opr = typentry->lt_opr;
	fmgr_info(typentry->eq_opr_finfo.fn_oid, &equality->eq);
	if (OidIsValid(typentry->hash_proc))
		fmgr_info(typentry->hash_proc, &equality->hash);
	else
		equality->hash.fn_oid = InvalidOid;
}

/*
 * The element type of an array that a scope column can be looked up in with
 * its equality operator, or InvalidOid
 */
Oid
bulk_sync_scope_element_type(const BulkSyncEquality *equality)
{
	Oid			left;
	Oid			right;

	op_input_types(equality->eq_opr, &left, &right);
	if (left != right || IsPolymorphicType(left) || left == RECORDOID ||
		!OidIsValid(get_array_type(left)))
		return InvalidOid;
	return left;
}

/* Is a staged value sometimes not written when the row is updated? */
bool
bulk_sync_column_may_keep(const BulkSyncColumn *column)
{
	return column->assigned ||
		column->role == BULK_SYNC_ROLE_FILL || column->role == BULK_SYNC_ROLE_KEEP;
}

/* Is the column set when a row is updated? */
bool
bulk_sync_column_is_set(const BulkSyncColumn *column, bool key_image_differs)
{
	if (!column->synced || column->role == BULK_SYNC_ROLE_INSERT_ONLY)
		return false;
	return !column->key || (column->image_may_differ && key_image_differs);
}

/* Can two values be equal and yet have different images? */
static bool
image_may_differ(Oid type, Oid collation)
{
	TypeCacheEntry *typentry = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY);
	Oid			proc;

	if (!OidIsValid(typentry->btree_opf))
		return true;
	proc = get_opfamily_proc(typentry->btree_opf, typentry->btree_opintype,
							 typentry->btree_opintype, BTEQUALIMAGE_PROC);
	if (!OidIsValid(proc))
		return true;
	return !DatumGetBool(OidFunctionCall1Coll(proc, collation,
											  ObjectIdGetDatum(typentry->btree_opintype)));
}

static bool
is_string_type(Oid type)
{
	char		category;
	bool		preferred;

	get_type_category_preferred(getBaseType(type), &category, &preferred);
	return category == TYPCATEGORY_STRING;
}

/*
 * Finds out how a staged value becomes a value of the column.  A string is
 * read by the input function, as COPY would read it, unless the column holds
 * strings itself: an assignment cast knows about the blanks of char(n).
 */
static void
find_conversion(const BulkSyncPlan *plan, BulkSyncColumn *column)
{
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(plan->staged),
										   column->staged_attno - 1);
	CaseTestExpr *placeholder = makeNode(CaseTestExpr);
	Node	   *cast = NULL;
	Node	   *stripped;
	bool		staged_string = is_string_type(attr->atttypid);

	column->staged_type = attr->atttypid;
	if (staged_string && !is_string_type(column->type))
	{
		column->conversion = BULK_SYNC_CONVERT_INPUT;
		return;
	}

	placeholder->typeId = attr->atttypid;
	placeholder->typeMod = attr->atttypmod;
	placeholder->collation = attr->attcollation;
	cast = coerce_to_target_type(NULL, (Node *) placeholder, attr->atttypid,
								 column->type, column->typmod,
								 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	if (cast == NULL && staged_string)
	{
		column->conversion = BULK_SYNC_CONVERT_INPUT;
		return;
	}
	if (cast == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" is of type %s but the staged column is of type %s",
						column->name, format_type_be(column->type),
						format_type_be(attr->atttypid)),
				 errhint("Stage the column as %s, or as text.", format_type_be(column->type))));

	/* Binary-coercible types need no work */
	stripped = cast;
	while (IsA(stripped, RelabelType))
		stripped = (Node *) ((RelabelType *) stripped)->arg;
	if (IsA(stripped, CaseTestExpr))
	{
		column->conversion = BULK_SYNC_CONVERT_NONE;
		return;
	}
	assign_expr_collations(NULL, cast);
	column->conversion = BULK_SYNC_CONVERT_CAST;
	column->cast = expression_planner((Expr *) cast);
}

/* Does the default of a column draw from a sequence? */
static bool
draws_from_sequence(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, NextValueExpr))
		return true;
	if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcid == F_NEXTVAL)
		return true;
	return expression_tree_walker(node, draws_from_sequence, context);
}

static bool
null_is_assigned(Relation target, Form_pg_attribute attr)
{
	if (attr->attidentity != '\0')
		return true;
	if (!attr->attnotnull || !attr->atthasdef || attr->attgenerated != '\0')
		return false;
	return draws_from_sequence(build_column_default(target, attr->attnum), NULL);
}

/*-------------------------------------------------------------------------
 * The wanted row
 *-------------------------------------------------------------------------
 */
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
		column->assigned = null_is_assigned(plan->target, attr);
		if (attr->attidentity != '\0')
			plan->has_identity = true;
	}
	if (staged_attno != InvalidAttrNumber)
		find_conversion(plan, column);
	return column;
}

/* Index of the column that holds a target column, or -1 */
static int
column_of_target(const BulkSyncPlan *plan, AttrNumber target_attno)
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
static int
require_staged_column(BulkSyncPlan *plan, AttrNumber staged_attno, bool paired)
{
	Form_pg_attribute staged_attr = TupleDescAttr(RelationGetDescr(plan->staged),
												  staged_attno - 1);
	AttrNumber	target_attno = InvalidAttrNumber;
	BulkSyncColumn *column;

	if (paired)
		target_attno = find_attribute(plan->target, NameStr(staged_attr->attname));
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
		find_conversion(plan, column);
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
		AttrNumber	target_attno = find_attribute(plan->target, name);
		AttrNumber	staged_attno = find_attribute(plan->staged, name);
		BulkSyncColumn *column;

		if (staged_attno == InvalidAttrNumber && !is_supplied(plan, target_attno))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("key column \"%s\" of relation \"%s\" is neither staged nor supplied",
							name, RelationGetRelationName(plan->target)),
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
		column->image_may_differ = image_may_differ(column->type, column->collation);
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
		if (options->columns_given && !list_has_name(options->columns, name))
			continue;
		target_attno = find_attribute(plan->target, name);
		if (target_attno == InvalidAttrNumber)
		{
			const char *nearest;

			if (options->order_column != NULL && strcmp(options->order_column, name) == 0)
				continue;
			nearest = nearest_column(plan->target, name);
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of relation \"%s\" does not exist",
							name, RelationGetRelationName(plan->target)),
					 errdetail("Relation \"%s\" has a column of that name.",
							   RelationGetRelationName(plan->staged)),
					 nearest != NULL ?
					 errhint("Perhaps you meant to name the column \"%s\".", nearest) :
					 errhint("Use the argument \"columns\" to name the columns to sync.")));
		}
		if (column_of_target(plan, target_attno) >= 0)
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
			int			index = column_of_target(plan, find_attribute(plan->target, name));

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
		int			index = column_of_target(plan, scope->target_attno);
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

/*-------------------------------------------------------------------------
 * Scope
 *-------------------------------------------------------------------------
 */
typedef struct ScopeValuesReceiver
{
	BulkSyncPlan *plan;
} ScopeValuesReceiver;

static void
receive_scope_values(TupleTableSlot *slot, void *arg)
{
	BulkSyncPlan *plan = ((ScopeValuesReceiver *) arg)->plan;
	MemoryContext oldcontext = MemoryContextSwitchTo(plan->context);

	for (int i = 0; i < plan->nscope_values; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(slot->tts_tupleDescriptor, i);

		plan->scope_values[i].isnull = slot->tts_isnull[i];
		if (!slot->tts_isnull[i])
			plan->scope_values[i].value = datumCopy(slot->tts_values[i],
													attr->attbyval, attr->attlen);
	}
	MemoryContextSwitchTo(oldcontext);
}

static void
scope_values_error_callback(void *arg)
{
	(void) arg;
	errcontext("argument \"scope_values\"");
}

static void
init_scope_column(BulkSyncPlan *plan, BulkSyncScopeColumn *scope, const char *name)
{
	Form_pg_attribute attr;

	scope->target_attno = bulk_sync_column_attno(plan->target, name);
	scope->column_index = -1;
	attr = TupleDescAttr(RelationGetDescr(plan->target), scope->target_attno - 1);
	bulk_sync_init_equality(&scope->equality, attr->atttypid, attr->attcollation, name);
}

/* Reads scope_values as jsonb_populate_record() would: data, never SQL */
static void
read_scope_values(BulkSyncPlan *plan)
{
	Jsonb	   *object = plan->options->scope_values;
	JsonbIterator *iterator;
	JsonbValue	value;
	JsonbIteratorToken token;
	ScopeValuesReceiver receiver = {plan};
	ErrorContextCallback callback;
	BulkSyncStatement *statement;
	ParamListInfo params;
	Oid			type = JSONBOID;

	if (object == NULL)
		return;

	plan->scope_values = palloc0(JB_ROOT_COUNT(object) * sizeof(BulkSyncScopeColumn));
	iterator = JsonbIteratorInit(&object->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			init_scope_column(plan, &plan->scope_values[plan->nscope_values++],
							  pnstrdup(value.val.string.val, value.val.string.len));
	}

	callback.callback = scope_values_error_callback;
	callback.arg = NULL;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	statement = bulk_sync_prepare(bulk_sync_deparse_scope_values(plan), &type, 1,
								  NULL, NULL, NULL, false);
	params = makeParamList(1);
	params->params[0].ptype = JSONBOID;
	params->params[0].value = JsonbPGetDatum(object);
	params->params[0].isnull = false;
	params->params[0].pflags = 0;
	bulk_sync_run(statement, params, false, receive_scope_values, &receiver);
	error_context_stack = callback.previous;
}

static void
read_scope_columns(BulkSyncPlan *plan)
{
	ListCell   *lc;

	plan->scope_columns = palloc0(Max(list_length(plan->options->scope_columns), 1) *
								  sizeof(BulkSyncScopeColumn));
	foreach(lc, plan->options->scope_columns)
	{
		char	   *name = (char *) lfirst(lc);
		BulkSyncScopeColumn *scope = &plan->scope_columns[plan->nscope_columns++];
		AttrNumber	staged_attno;

		init_scope_column(plan, scope, name);
		staged_attno = find_attribute(plan->staged, name);
		if (staged_attno == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("scope column \"%s\" of relation \"%s\" is not staged",
							name, RelationGetRelationName(plan->target)),
					 errhint("Add the column to \"%s\", or give its value in scope_values.",
							 RelationGetRelationName(plan->staged))));
		scope->column_index = require_staged_column(plan, staged_attno, true);
	}
}

static void
read_soft_delete_column(BulkSyncPlan *plan)
{
	const char *name = plan->options->soft_delete_column;
	Form_pg_attribute attr;
	Oid			base_type;

	if (name == NULL)
		return;
	plan->soft_attno = bulk_sync_column_attno(plan->target, name);
	attr = TupleDescAttr(RelationGetDescr(plan->target), plan->soft_attno - 1);
	base_type = getBaseType(attr->atttypid);
	if ((base_type != BOOLOID && base_type != TIMESTAMPOID && base_type != TIMESTAMPTZOID) ||
		attr->attgenerated != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" cannot be the soft-delete column", name),
				 errdetail("It must be of type boolean or timestamp, and not generated.")));
	plan->soft_type = attr->atttypid;
	plan->soft_is_bool = (base_type == BOOLOID);
	if (plan->soft_is_bool)
		plan->soft_mark = BoolGetDatum(true);
	else if (base_type == TIMESTAMPTZOID)
		plan->soft_mark = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	else
		plan->soft_mark = DirectFunctionCall1(timestamptz_timestamp,
											  TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
}

/*-------------------------------------------------------------------------
 * Conditions
 *-------------------------------------------------------------------------
 */

/* What update_where may call "staged": converted where paired */
static TupleDesc
staged_condition_desc(const BulkSyncPlan *plan, AttrNumber **attnos)
{
	TupleDesc	staged_desc = RelationGetDescr(plan->staged);
	TupleDesc	desc;
	int			natts = 0;

	*attnos = palloc0(Max(staged_desc->natts, 1) * sizeof(AttrNumber));
	for (int i = 0; i < staged_desc->natts; i++)
	{
		if (!TupleDescAttr(staged_desc, i)->attisdropped)
			(*attnos)[natts++] = i + 1;
	}
	desc = CreateTemplateTupleDesc(natts);
	for (int i = 0; i < natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(staged_desc, (*attnos)[i] - 1);
		AttrNumber	target_attno = find_attribute(plan->target, NameStr(attr->attname));

		if (target_attno != InvalidAttrNumber)
			attr = TupleDescAttr(RelationGetDescr(plan->target), target_attno - 1);
		TupleDescInitEntry(desc, i + 1, NameStr(attr->attname), attr->atttypid,
						   attr->atttypmod, 0);
		TupleDescInitEntryCollation(desc, i + 1, attr->attcollation);
	}
	return BlessTupleDesc(desc);
}

static void
read_update_where(BulkSyncPlan *plan)
{
	BulkSyncCondition *condition;
	AttrNumber *attnos;
	int			natts;

	if (plan->options->update_where == NULL)
		return;
	plan->condition_staged_desc = staged_condition_desc(plan, &attnos);
	natts = plan->condition_staged_desc->natts;
	condition = bulk_sync_parse_condition("update_where", plan->options->update_where,
										  plan->target, plan->condition_staged_desc, true, NULL);
	plan->update_where = condition;

	plan->condition_staged_index = palloc(Max(natts, 1) * sizeof(int));
	for (int i = 0; i < natts; i++)
		plan->condition_staged_index[i] = -1;
	for (int i = 0; i < condition->nvars; i++)
	{
		BulkSyncConditionVar *var = &condition->vars[i];

		if (!var->staged)
			continue;
		if (var->attno != 0)
			var->index = require_staged_column(plan, attnos[var->attno - 1], true);
		else
		{
			for (int j = 0; j < natts; j++)
				plan->condition_staged_index[j] = require_staged_column(plan, attnos[j], true);
		}
	}
}

static void
read_order_column(BulkSyncPlan *plan)
{
	const char *name = plan->options->order_column;
	BulkSyncColumn *column;
	AttrNumber	attno;
	TypeCacheEntry *typentry;

	plan->order_index = -1;
	if (name == NULL)
		return;
	attno = bulk_sync_column_attno(plan->staged, name);
	plan->order_index = require_staged_column(plan, attno, false);
	column = &plan->columns[plan->order_index];
	typentry = lookup_type_cache(column->type, TYPECACHE_CMP_PROC);
	if (!OidIsValid(typentry->cmp_proc))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("could not identify an ordering operator for type %s",
						format_type_be(column->type)),
				 errdetail("Column \"%s\" is used to rank duplicates.", name)));
	fmgr_info(typentry->cmp_proc, &plan->order_cmp);
}

/*-------------------------------------------------------------------------
 * What is read of the target
 *-------------------------------------------------------------------------
 */
static Bitmapset *
add_condition_attnos(Bitmapset *attnos, const BulkSyncPlan *plan,
					 const BulkSyncCondition *condition)
{
	TupleDesc	desc = RelationGetDescr(plan->target);

	for (int i = 0; i < condition->nvars; i++)
	{
		if (condition->vars[i].staged)
			continue;
		if (condition->vars[i].attno != 0)
		{
			attnos = bms_add_member(attnos, condition->vars[i].attno);
			continue;
		}
		for (int j = 0; j < desc->natts; j++)
		{
			if (!TupleDescAttr(desc, j)->attisdropped)
				attnos = bms_add_member(attnos, j + 1);
		}
	}
	return attnos;
}

static void
resolve_condition(const BulkSyncPlan *plan, BulkSyncCondition *condition)
{
	for (int i = 0; i < condition->nvars; i++)
	{
		if (!condition->vars[i].staged && condition->vars[i].attno != 0)
			condition->vars[i].index = plan->read_index[condition->vars[i].attno - 1];
	}
}

static void
choose_columns_read(BulkSyncPlan *plan)
{
	TupleDesc	desc = RelationGetDescr(plan->target);
	Bitmapset  *attnos = NULL;
	int			member = -1;
	ListCell   *lc;

	for (int i = 0; i < plan->ncolumns; i++)
	{
		BulkSyncColumn *column = &plan->columns[i];

		if (column->target_attno != InvalidAttrNumber &&
			(column->key || column->compared || column->role == BULK_SYNC_ROLE_FILL))
			attnos = bms_add_member(attnos, column->target_attno);
	}
	for (int i = 0; i < plan->nscope_values; i++)
		attnos = bms_add_member(attnos, plan->scope_values[i].target_attno);
	for (int i = 0; i < plan->nscope_columns; i++)
		attnos = bms_add_member(attnos, plan->scope_columns[i].target_attno);
	if (plan->soft_attno != InvalidAttrNumber)
		attnos = bms_add_member(attnos, plan->soft_attno);
	if (plan->scope != NULL)
		attnos = add_condition_attnos(attnos, plan, plan->scope);
	if (plan->update_where != NULL)
		attnos = add_condition_attnos(attnos, plan, plan->update_where);

	plan->nread = bms_num_members(attnos);
	plan->read_attnos = palloc(Max(plan->nread, 1) * sizeof(AttrNumber));
	plan->read_index = palloc(Max(desc->natts, 1) * sizeof(int));
	plan->read_desc = CreateTemplateTupleDesc(plan->nread);
	for (int i = 0; i < desc->natts; i++)
		plan->read_index[i] = -1;
	for (int i = 0; (member = bms_next_member(attnos, member)) >= 0; i++)
	{
		plan->read_attnos[i] = member;
		plan->read_index[member - 1] = i;
		TupleDescCopyEntry(plan->read_desc, i + 1, desc, member);
	}

	for (int i = 0; i < plan->ncolumns; i++)
	{
		if (plan->columns[i].target_attno != InvalidAttrNumber)
			plan->columns[i].read_index = plan->read_index[plan->columns[i].target_attno - 1];
	}
	for (int i = 0; i < plan->nscope_values; i++)
		plan->scope_values[i].read_index = plan->read_index[plan->scope_values[i].target_attno - 1];
	for (int i = 0; i < plan->nscope_columns; i++)
		plan->scope_columns[i].read_index = plan->read_index[plan->scope_columns[i].target_attno - 1];
	if (plan->soft_attno != InvalidAttrNumber)
		plan->soft_read_index = plan->read_index[plan->soft_attno - 1];
	if (plan->scope != NULL)
		resolve_condition(plan, plan->scope);
	foreach(lc, plan->scope_conjuncts)
		resolve_condition(plan, (BulkSyncCondition *) lfirst(lc));
	if (plan->update_where != NULL)
		resolve_condition(plan, plan->update_where);
}

/* A prefix for generated names that no column of the target starts with */
static char *
unused_prefix(Relation target)
{
	TupleDesc	desc = RelationGetDescr(target);
	StringInfoData prefix;
	bool		used;

	initStringInfo(&prefix);
	appendStringInfoString(&prefix, "d");
	do
	{
		appendStringInfoChar(&prefix, '_');
		used = false;
		for (int i = 0; i < desc->natts && !used; i++)
			used = strncmp(NameStr(TupleDescAttr(desc, i)->attname),
						   prefix.data, prefix.len) == 0;
	} while (used);
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

/*
 * Decides about every column.  The order of the steps is the order in which
 * their errors are reported.
 */
void
bulk_sync_plan_columns(BulkSyncPlan *plan)
{
	plan->columns = palloc(sizeof(BulkSyncColumn));
	plan->prefix = unused_prefix(plan->target);

	check_columns_argument(plan);
	read_soft_delete_column(plan);
	read_scope_values(plan);
	add_key_columns(plan);
	add_synced_columns(plan);
	assign_roles(plan);
	add_supplied_columns(plan);
	read_scope_columns(plan);
	if (plan->options->scope != NULL)
		plan->scope = bulk_sync_parse_condition("scope", plan->options->scope, plan->target,
												NULL, false, &plan->scope_conjuncts);
	read_update_where(plan);
	read_order_column(plan);
	choose_columns_read(plan);
	make_wanted_desc(plan);

	for (int i = 0; i < plan->ncolumns; i++)
	{
		BulkSyncColumn *column = &plan->columns[i];

		if (column->assigned && column->insertable)
			plan->assigned_attnos = bms_add_member(plan->assigned_attnos, column->target_attno);
	}
	for (int i = 0; i < plan->nkeys; i++)
	{
		if (!OidIsValid(plan->key[i].hash.fn_oid))
			plan->sort_match = true;
	}
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
