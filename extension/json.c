/*-------------------------------------------------------------------------
 *
 * json.c
 *	  A row as a jsonb object, with the values that to_jsonb() gives.
 *
 * to_jsonb() of a whole record would do.  It asks the catalogs about every
 * column of every row, and prints and parses each number; where returned rows
 * are many, that is most of the time.  So the kind of each column is found out
 * once, and the common types become JSON directly.  All others go through
 * to_jsonb() one by one.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/numeric.h"

typedef enum JsonKind
{
	JSON_BOOL,
	JSON_INT2,
	JSON_INT4,
	JSON_INT8,
	JSON_NUMERIC,
	JSON_STRING,
	JSON_OTHER
} JsonKind;

typedef struct JsonColumn
{
	JsonKind	kind;
	JsonbValue	name;
	FmgrInfo	to_jsonb;
} JsonColumn;

struct BulkSyncJsonShape
{
	int			ncolumns;
	JsonColumn	columns[FLEXIBLE_ARRAY_MEMBER];
};

static JsonKind
kind_of_type(Oid type)
{
	switch (type)
	{
		case BOOLOID:
			return JSON_BOOL;
		case INT2OID:
			return JSON_INT2;
		case INT4OID:
			return JSON_INT4;
		case INT8OID:
			return JSON_INT8;
		case NUMERICOID:
			return JSON_NUMERIC;
		case TEXTOID:
		case VARCHAROID:
			return JSON_STRING;
		default:
			return JSON_OTHER;
	}
}

/* Prepares objects with the columns of a row, in the current memory context */
BulkSyncJsonShape *
bulk_sync_json_shape(TupleDesc desc)
{
	BulkSyncJsonShape *shape = palloc0(offsetof(BulkSyncJsonShape, columns) +
									   desc->natts * sizeof(JsonColumn));

	shape->ncolumns = desc->natts;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		JsonColumn *column = &shape->columns[i];
		List	   *args = list_make1(makeNullConst(attr->atttypid, attr->atttypmod,
													attr->attcollation));

		column->kind = kind_of_type(attr->atttypid);
		column->name.type = jbvString;
		column->name.val.string.val = pstrdup(NameStr(attr->attname));
		column->name.val.string.len = strlen(NameStr(attr->attname));
		fmgr_info(F_TO_JSONB, &column->to_jsonb);
		fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSONB, JSONBOID, args, InvalidOid,
												 InvalidOid, COERCE_EXPLICIT_CALL),
						   &column->to_jsonb);
	}
	return shape;
}

/* What to_jsonb() makes of a value */
static void
set_by_function(JsonColumn *column, Datum value, JsonbValue *result)
{
	Jsonb	   *jsonb = DatumGetJsonbP(FunctionCall1(&column->to_jsonb, value));

	if (JsonbExtractScalar(&jsonb->root, result))
		return;
	result->type = jbvBinary;
	result->val.binary.data = &jsonb->root;
	result->val.binary.len = VARSIZE(jsonb) - VARHDRSZ;
}

static void
set_value(JsonColumn *column, Datum value, JsonbValue *result)
{
	JsonKind	kind = column->kind;
	text	   *text_value;

	/* NaN and the infinities are no JSON numbers */
	if (kind == JSON_NUMERIC &&
		(numeric_is_nan(DatumGetNumeric(value)) || numeric_is_inf(DatumGetNumeric(value))))
		kind = JSON_OTHER;
	switch (kind)
	{
		case JSON_BOOL:
			result->type = jbvBool;
			result->val.boolean = DatumGetBool(value);
			break;
		case JSON_INT2:
			result->type = jbvNumeric;
			result->val.numeric = int64_to_numeric(DatumGetInt16(value));
			break;
		case JSON_INT4:
			result->type = jbvNumeric;
			result->val.numeric = int64_to_numeric(DatumGetInt32(value));
			break;
		case JSON_INT8:
			result->type = jbvNumeric;
			result->val.numeric = int64_to_numeric(DatumGetInt64(value));
			break;
		case JSON_NUMERIC:
			result->type = jbvNumeric;
			result->val.numeric = DatumGetNumeric(value);
			break;
		case JSON_STRING:
			text_value = DatumGetTextPP(value);
			result->type = jbvString;
			result->val.string.val = VARDATA_ANY(text_value);
			result->val.string.len = VARSIZE_ANY_EXHDR(text_value);
			break;
		case JSON_OTHER:
			set_by_function(column, value, result);
			break;
	}
}

/* The object of a row */
Datum
bulk_sync_json_object(BulkSyncJsonShape *shape, const Datum *values, const bool *isnull)
{
	JsonbParseState *state = NULL;
	JsonbValue *object;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < shape->ncolumns; i++)
	{
		JsonColumn *column = &shape->columns[i];
		JsonbValue	value;

		(void) pushJsonbValue(&state, WJB_KEY, &column->name);
		if (isnull[i])
			value.type = jbvNull;
		else
			set_value(column, values[i], &value);
		(void) pushJsonbValue(&state, WJB_VALUE, &value);
	}
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbPGetDatum(JsonbValueToJsonb(object));
}
