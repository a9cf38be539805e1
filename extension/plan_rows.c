/*-------------------------------------------------------------------------
 *
 * plan_rows.c
 *	  What a call asks of a row beside its columns: is it in scope, is it
 *	  marked, may it be updated, how does it rank?  And which columns of the
 *	  target must be read to answer.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

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

/* Sets the first parameters of a query to the scope values */
void
bulk_sync_set_scope_params(const BulkSyncPlan *plan, ParamListInfo params, Oid *types)
{
	for (int i = 0; i < plan->nscope_values; i++)
	{
		types[i] = plan->scope_values[i].equality.type;
		params->params[i].ptype = types[i];
		params->params[i].value = plan->scope_values[i].value;
		params->params[i].isnull = plan->scope_values[i].isnull;
		params->params[i].pflags = PARAM_FLAG_CONST;
	}
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
void
bulk_sync_plan_scope_values(BulkSyncPlan *plan)
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
								  NULL, NULL, NULL, 0);
	params = makeParamList(1);
	params->params[0].ptype = JSONBOID;
	params->params[0].value = JsonbPGetDatum(object);
	params->params[0].isnull = false;
	params->params[0].pflags = 0;
	bulk_sync_run(statement, params, false, receive_scope_values, &receiver);
	error_context_stack = callback.previous;
}

void
bulk_sync_plan_scope_columns(BulkSyncPlan *plan)
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
		staged_attno = bulk_sync_find_attribute(plan->staged, name);
		if (staged_attno == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("scope column \"%s\" of relation \"%s\" is not staged",
							name, RelationGetRelationName(plan->target)),
					 errhint("Add the column to \"%s\", or give its value in scope_values.",
							 RelationGetRelationName(plan->staged))));
		scope->column_index = bulk_sync_require_staged_column(plan, staged_attno, true);
	}
}

void
bulk_sync_plan_soft_delete(BulkSyncPlan *plan)
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
	plan->soft_type = base_type;
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
		AttrNumber	target_attno = bulk_sync_find_attribute(plan->target, NameStr(attr->attname));

		if (target_attno != InvalidAttrNumber)
			attr = TupleDescAttr(RelationGetDescr(plan->target), target_attno - 1);
		TupleDescInitEntry(desc, i + 1, NameStr(attr->attname), attr->atttypid,
						   attr->atttypmod, 0);
		TupleDescInitEntryCollation(desc, i + 1, attr->attcollation);
	}
	return BlessTupleDesc(desc);
}

void
bulk_sync_plan_update_where(BulkSyncPlan *plan)
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
			var->index = bulk_sync_require_staged_column(plan, attnos[var->attno - 1], true);
		else
		{
			for (int j = 0; j < natts; j++)
				plan->condition_staged_index[j] = bulk_sync_require_staged_column(plan, attnos[j], true);
		}
	}
}

void
bulk_sync_plan_order_column(BulkSyncPlan *plan)
{
	const char *name = plan->options->order_column;
	BulkSyncColumn *column;
	AttrNumber	attno;
	TypeCacheEntry *typentry;

	plan->order_index = -1;
	if (name == NULL || plan->options->purpose == BULK_SYNC_HISTORY)
		return;
	attno = bulk_sync_column_attno(plan->staged, name);
	plan->order_index = bulk_sync_require_staged_column(plan, attno, false);
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

/* What matching needs */
static Bitmapset *
attnos_to_match(const BulkSyncPlan *plan)
{
	Bitmapset  *attnos = NULL;

	for (int i = 0; i < plan->ncolumns; i++)
	{
		BulkSyncColumn *column = &plan->columns[i];

		if (column->target_attno != InvalidAttrNumber && plan->matching &&
			(column->key || column->compared || column->role == BULK_SYNC_ROLE_FILL))
			attnos = bms_add_member(attnos, column->target_attno);
	}
	for (int i = 0; i < plan->nscope_values; i++)
		attnos = bms_add_member(attnos, plan->scope_values[i].target_attno);
	for (int i = 0; i < plan->nscope_columns; i++)
		attnos = bms_add_member(attnos, plan->scope_columns[i].target_attno);
	attnos = bms_add_members(attnos, bulk_sync_attnos_of_partition(plan));
	if (plan->soft_attno != InvalidAttrNumber)
		attnos = bms_add_member(attnos, plan->soft_attno);
	if (plan->scope != NULL)
		attnos = add_condition_attnos(attnos, plan, plan->scope);
	if (plan->update_where != NULL)
		attnos = add_condition_attnos(attnos, plan, plan->update_where);
	if (plan->history_attno != InvalidAttrNumber)
		attnos = bms_add_member(attnos, plan->history_attno);
	/* A row is found on its shard */
	if (plan->distribution != NULL && plan->distribution->attno != InvalidAttrNumber)
		attnos = bms_add_member(attnos, plan->distribution->attno);
	return attnos;
}

static void
add_columns_read(BulkSyncPlan *plan, const Bitmapset *attnos)
{
	int			member = -1;

	while ((member = bms_next_member(attnos, member)) >= 0)
	{
		plan->read_attnos[plan->nread] = member;
		plan->read_index[member - 1] = plan->nread++;
		TupleDescCopyEntry(plan->read_desc, plan->nread, RelationGetDescr(plan->target), member);
	}
}

void
bulk_sync_plan_columns_read(BulkSyncPlan *plan)
{
	TupleDesc	desc = RelationGetDescr(plan->target);
	Bitmapset  *to_match = attnos_to_match(plan);
	Bitmapset  *to_show = bulk_sync_attnos_to_show(plan);
	int			nread = bms_num_members(bms_union(to_match, to_show));
	ListCell   *lc;

	plan->read_attnos = palloc(Max(nread, 1) * sizeof(AttrNumber));
	plan->read_index = palloc(Max(desc->natts, 1) * sizeof(int));
	plan->read_desc = CreateTemplateTupleDesc(nread);
	for (int i = 0; i < desc->natts; i++)
		plan->read_index[i] = -1;
	add_columns_read(plan, to_match);
	plan->nread_to_match = plan->nread;
	add_columns_read(plan, bms_difference(to_show, to_match));
	bulk_sync_plan_shown_columns(plan, to_show);

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
	if (plan->history_attno != InvalidAttrNumber)
		plan->history_read_index = plan->read_index[plan->history_attno - 1];
	if (plan->scope != NULL)
		resolve_condition(plan, plan->scope);
	foreach(lc, plan->scope_conjuncts)
		resolve_condition(plan, (BulkSyncCondition *) lfirst(lc));
	if (plan->update_where != NULL)
		resolve_condition(plan, plan->update_where);
}
