/*-------------------------------------------------------------------------
 *
 * condition.c
 *	  Boolean conditions of the caller ("scope", "update_where"): parsed once,
 *	  evaluated on rows that we hold.
 *
 * Where a condition is part of a query, its text is used (deparse.c).  Here it
 * is an expression whose references to the two relations are parameters, so
 * that it can be evaluated for a row that is not in any table yet.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_node.h"
#include "parser/parser.h"
#include "rewrite/rewriteManip.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

/* Range table indexes while a condition is parsed */
#define TARGET_VARNO	1
#define STAGED_VARNO	2

/* As it will stand in a statement: on lines of its own, for it may end in a comment */
#define WRAPPED_PREFIX	"(\n"
#define WRAPPED_SUFFIX	"\n)"

typedef struct ConditionSource
{
	const char *argument;
	const char *text;
	const char *wrapped;
	int			shift;			/* of error positions against the text */
} ConditionSource;

static void
not_one_expression_error(const char *argument)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("argument \"%s\" must be a single expression", argument)));
}

/* The expression that a text is, if it is one and nothing else */
static Node *
parse_single_expression(const char *argument, const char *text)
{
	List	   *parsed = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);
	SelectStmt *select = (SelectStmt *) linitial_node(RawStmt, parsed)->stmt;
	ResTarget  *target;

	if (!IsA(select, SelectStmt) || list_length(select->targetList) != 1 ||
		select->fromClause != NIL || select->whereClause != NULL ||
		select->groupClause != NIL || select->havingClause != NULL ||
		select->windowClause != NIL || select->sortClause != NIL ||
		select->distinctClause != NIL || select->limitOffset != NULL ||
		select->limitCount != NULL || select->lockingClause != NIL)
		not_one_expression_error(argument);

	target = linitial_node(ResTarget, select->targetList);
	if (target->name != NULL || target->indirection != NIL)
		not_one_expression_error(argument);
	if (IsA(target->val, ColumnRef) &&
		IsA(linitial(((ColumnRef *) target->val)->fields), A_Star))
		not_one_expression_error(argument);
	return target->val;
}

/*
 * Reads the text as one expression: by itself, so that it cannot close a
 * parenthesis that it did not open, and in the parentheses in which it will
 * stand, so that it means the same there.
 */
static Node *
parse_expression(ConditionSource *source)
{
	(void) parse_single_expression(source->argument, source->text);
	source->shift = strlen(WRAPPED_PREFIX);
	return parse_single_expression(source->argument, source->wrapped);
}

/* Points out which argument an error is about, and where in it */
static void
condition_error_callback(void *arg)
{
	ConditionSource *source = (ConditionSource *) arg;
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(Max(position - source->shift, 1));
		internalerrquery(source->text);
	}
	errcontext("argument \"%s\"", source->argument);
}

/*-------------------------------------------------------------------------
 * From columns to parameters
 *-------------------------------------------------------------------------
 */
typedef struct ReplaceContext
{
	BulkSyncCondition *condition;
	int			sublevels_up;
} ReplaceContext;

static Param *
parameter_for(BulkSyncCondition *condition, Var *var)
{
	bool		staged = (var->varno == STAGED_VARNO);
	Param	   *param = makeNode(Param);
	int			i;

	for (i = 0; i < condition->nvars; i++)
	{
		if (condition->vars[i].staged == staged && condition->vars[i].attno == var->varattno)
			break;
	}
	if (i == condition->nvars)
	{
		if (condition->nvars == 0)
			condition->vars = palloc(sizeof(BulkSyncConditionVar));
		else
			condition->vars = repalloc(condition->vars,
									   (condition->nvars + 1) * sizeof(BulkSyncConditionVar));
		condition->vars[i].staged = staged;
		condition->vars[i].attno = var->varattno;
		condition->vars[i].index = -1;
		condition->vars[i].type = var->vartype;
		condition->nvars++;
	}

	param->paramkind = PARAM_EXTERN;
	param->paramid = i + 1;
	param->paramtype = var->vartype;
	param->paramtypmod = var->vartypmod;
	param->paramcollid = var->varcollid;
	param->location = var->location;
	return param;
}

static Node *
replace_columns(Node *node, ReplaceContext *context)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;

		if ((int) var->varlevelsup != context->sublevels_up)
			return (Node *) copyObject(var);
		if (var->varattno < 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("system columns cannot be used in argument \"%s\"",
							context->condition->argument)));
		return (Node *) parameter_for(context->condition, var);
	}
	if (IsA(node, Query))
	{
		Query	   *result;

		if (((Query *) node)->rowMarks != NIL || ((Query *) node)->hasModifyingCTE)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("argument \"%s\" must not lock or modify rows",
							context->condition->argument)));
		context->sublevels_up++;
		result = query_tree_mutator((Query *) node, replace_columns, context, 0);
		context->sublevels_up--;
		return (Node *) result;
	}
	return expression_tree_mutator(node, replace_columns, context);
}

static BulkSyncCondition *
make_condition(const char *argument, Node *expr, bool has_sublinks)
{
	BulkSyncCondition *condition = palloc0(sizeof(BulkSyncCondition));
	ReplaceContext context;

	condition->argument = argument;
	condition->has_sublinks = has_sublinks;
	condition->leaky = contain_leaked_vars(expr);
	context.condition = condition;
	context.sublevels_up = 0;
	condition->expr = (Expr *) replace_columns(expr, &context);
	return condition;
}

/*
 * Parses a condition over the target and, unless staged_desc is NULL, over
 * staged rows of that shape.  The caller's search_path is in force.
 *
 * With conjuncts, the parts that are ANDed are returned one by one, too.
 */
BulkSyncCondition *
bulk_sync_parse_condition(const char *argument, const char *text, Relation target,
						  TupleDesc staged_desc, bool allow_volatile, List **conjuncts)
{
	ParseState *pstate = make_parsestate(NULL);
	ParseNamespaceItem *item;
	ErrorContextCallback callback;
	ConditionSource source;
	Node	   *expr;
	BulkSyncCondition *condition;

	source.argument = argument;
	source.text = text;
	source.wrapped = psprintf(WRAPPED_PREFIX "%s" WRAPPED_SUFFIX, text);
	source.shift = 0;
	callback.callback = condition_error_callback;
	callback.arg = &source;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	pstate->p_sourcetext = source.wrapped;
	item = addRangeTableEntryForRelation(pstate, target, AccessShareLock,
										 makeAlias(BULK_SYNC_TARGET_ALIAS, NIL), true, true);
	addNSItemToQuery(pstate, item, true, true, true);
	if (staged_desc != NULL)
	{
		pstate->p_queryEnv = bulk_sync_row_environment(BULK_SYNC_STAGED_ALIAS, staged_desc,
													   NULL, 0);
		item = addRangeTableEntryForENR(pstate,
										makeRangeVar(NULL, BULK_SYNC_STAGED_ALIAS, -1), true);
		addNSItemToQuery(pstate, item, true, true, true);
		/* It names one row: to a FROM of the caller's it is a table like any other */
		pstate->p_queryEnv = NULL;
	}

	expr = transformExpr(pstate, parse_expression(&source), EXPR_KIND_WHERE);
	expr = coerce_to_boolean(pstate, expr, argument);
	assign_expr_collations(pstate, expr);
	if (!allow_volatile && contain_volatile_functions(expr))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("volatile functions cannot be used in argument \"%s\"", argument),
				 errdetail("Which rows belong to the scope must not depend on when it is asked.")));

	condition = make_condition(argument, expr, pstate->p_hasSubLinks);
	if (conjuncts != NULL)
	{
		ListCell   *lc;

		*conjuncts = NIL;
		foreach(lc, make_ands_implicit((Expr *) expr))
			*conjuncts = lappend(*conjuncts,
								 make_condition(argument, (Node *) lfirst(lc),
												checkExprHasSubLink((Node *) lfirst(lc))));
	}
	error_context_stack = callback.previous;
	free_parsestate(pstate);
	return condition;
}

/* Is it true of every row, because it is the constant? */
bool
bulk_sync_condition_is_constant(const BulkSyncCondition *condition)
{
	const Const *constant = (const Const *) condition->expr;

	return IsA(constant, Const) && !constant->constisnull && DatumGetBool(constant->constvalue);
}

/*-------------------------------------------------------------------------
 * Evaluation
 *-------------------------------------------------------------------------
 */
static void
prepare_condition(BulkSyncCondition *condition, MemoryContext context)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(context);

	condition->params = makeParamList(condition->nvars);
	for (int i = 0; i < condition->nvars; i++)
	{
		condition->params->params[i].pflags = 0;
		condition->params->params[i].ptype = condition->vars[i].type;
	}

	condition->econtext = CreateStandaloneExprContext();
	condition->econtext->ecxt_param_list_info = condition->params;
	if (condition->has_sublinks)
	{
		Query	   *query = makeNode(Query);

		query->commandType = CMD_SELECT;
		query->querySource = QSRC_ORIGINAL;
		query->canSetTag = true;
		query->hasSubLinks = true;
		query->jointree = makeFromExpr(NIL, NULL);
		query->targetList = list_make1(makeTargetEntry((Expr *) copyObject(condition->expr), 1,
													   pstrdup("condition"), false));
		condition->statement = bulk_sync_prepare_query(query, condition->argument);
		bulk_sync_check_statement(condition->statement);
	}
	else
	{
		condition->state = ExecInitExprWithParams(expression_planner((Expr *) copyObject(condition->expr)),
												  condition->params);
	}
	MemoryContextSwitchTo(oldcontext);
}

/*
 * Prepares all conditions of a plan.  Functions that the caller may not
 * execute are found out here, whatever the rows.
 */
void
bulk_sync_prepare_conditions(BulkSyncPlan *plan)
{
	ListCell   *lc;

	if (plan->scope != NULL)
		prepare_condition(plan->scope, plan->context);
	foreach(lc, plan->scope_conjuncts)
		prepare_condition((BulkSyncCondition *) lfirst(lc), plan->context);
	if (plan->update_where != NULL)
		prepare_condition(plan->update_where, plan->context);
}

static void
receive_result(TupleTableSlot *slot, void *arg)
{
	*(bool *) arg = !slot->tts_isnull[0] && DatumGetBool(slot->tts_values[0]);
}

/* Builds the value of a whole row from the attributes that were read */
static Datum
whole_row(TupleDesc desc, const Datum *values, const bool *isnull, const int *index_of)
{
	Datum	   *row_values = palloc0(desc->natts * sizeof(Datum));
	bool	   *row_isnull = palloc(desc->natts * sizeof(bool));

	for (int i = 0; i < desc->natts; i++)
	{
		int			index = index_of == NULL ? i : index_of[i];

		row_isnull[i] = (index < 0 || isnull[index]);
		if (!row_isnull[i])
			row_values[i] = values[index];
	}
	return HeapTupleGetDatum(heap_form_tuple(desc, row_values, row_isnull));
}

/*
 * Is the condition true?  The values of the target row are by read index,
 * those of the staged row by column index, as plan.c numbered them.
 */
bool
bulk_sync_condition_true(const BulkSyncPlan *plan, BulkSyncCondition *condition,
						 const Datum *target_values, const bool *target_isnull,
						 const Datum *staged_values, const bool *staged_isnull)
{
	MemoryContext oldcontext;
	bool		result;

	ResetExprContext(condition->econtext);
	oldcontext = MemoryContextSwitchTo(condition->econtext->ecxt_per_tuple_memory);

	for (int i = 0; i < condition->nvars; i++)
	{
		BulkSyncConditionVar *var = &condition->vars[i];
		ParamExternData *param = &condition->params->params[i];
		const Datum *values = var->staged ? staged_values : target_values;
		const bool *isnull = var->staged ? staged_isnull : target_isnull;

		if (var->attno != 0)
		{
			param->value = values[var->index];
			param->isnull = isnull[var->index];
			continue;
		}
		param->isnull = false;
		if (var->staged)
			param->value = whole_row(plan->condition_staged_desc, values, isnull,
									 plan->condition_staged_index);
		else
			param->value = whole_row(RelationGetDescr(plan->target), values, isnull,
									 plan->read_index);
	}

	if (condition->has_sublinks)
	{
		result = false;
		bulk_sync_run(condition->statement, condition->params, false, receive_result, &result);
	}
	else
	{
		bool		isnull;
		Datum		value = ExecEvalExpr(condition->state, condition->econtext, &isnull);

		result = !isnull && DatumGetBool(value);
	}
	MemoryContextSwitchTo(oldcontext);
	return result;
}
