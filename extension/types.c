/*-------------------------------------------------------------------------
 *
 * types.c
 *	  What the catalogs know about the type of a column: when two values are
 *	  equal, and how a staged value becomes one of the target.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/nbtree.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

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

/* Can two values be equal and yet have different images? */
bool
bulk_sync_image_may_differ(Oid type, Oid collation)
{
	TypeCacheEntry *typentry = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY);
	Oid			proc;

	/* char without a length is not padded; its operator class does not know */
	if (getBaseType(type) == BPCHAROID || !OidIsValid(typentry->btree_opf))
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
void
bulk_sync_find_conversion(const BulkSyncPlan *plan, BulkSyncColumn *column)
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

bool
bulk_sync_null_is_assigned(Relation target, Form_pg_attribute attr)
{
	if (attr->attidentity != '\0')
		return true;
	if (!attr->attnotnull || attr->attgenerated != '\0')
		return false;
	return draws_from_sequence(build_column_default(target, attr->attnum), NULL);
}
