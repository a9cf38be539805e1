/*-------------------------------------------------------------------------
 *
 * options.c
 *	  The arguments of a call, read by name and validated.
 *
 * Nothing here looks at a relation: whether a column exists, or what a
 * condition means, is decided in plan.c.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* The arguments of one call, to be found by the names of the parameters */
typedef struct CallArguments
{
	FunctionCallInfo fcinfo;
	char	  **names;
	int			nnames;
	bool	   *known;			/* asked for by the code below */
} CallArguments;

static const char *const role_arguments[BULK_SYNC_NUM_ROLES] = {
	[BULK_SYNC_ROLE_INSERT_ONLY] = "insert_only_columns",
	[BULK_SYNC_ROLE_TOUCH] = "touch_columns",
	[BULK_SYNC_ROLE_FILL] = "fill_columns",
	[BULK_SYNC_ROLE_KEEP] = "keep_columns"
};

static const struct
{
	const char *name;
	LOCKMODE	mode;
}			lock_modes[] = {
	{"row exclusive", RowExclusiveLock},
	{"share update exclusive", ShareUpdateExclusiveLock},
	{"share row exclusive", ShareRowExclusiveLock},
	{"exclusive", ExclusiveLock},
	{"access exclusive", AccessExclusiveLock}
};

const char *
bulk_sync_role_argument(BulkSyncRole role)
{
	return role_arguments[role];
}

/*
 * The functions of this extension share their parameters by name, not by
 * position, so a parameter that one of them lacks simply has its default.
 */
static void
read_argument_names(CallArguments *args, FunctionCallInfo fcinfo)
{
	HeapTuple	tuple;
	Oid		   *types;
	char	   *modes;

	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fcinfo->flinfo->fn_oid));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", fcinfo->flinfo->fn_oid);
	args->fcinfo = fcinfo;
	get_func_arg_info(tuple, &types, &args->names, &modes);
	args->nnames = args->names == NULL ? 0 : PG_NARGS();
	args->known = palloc0(Max(args->nnames, 1) * sizeof(bool));
	ReleaseSysCache(tuple);
}

/* Position of an argument, or -1 if the function has none of that name */
static int
argument_position(const CallArguments *args, const char *name)
{
	for (int i = 0; i < args->nnames; i++)
	{
		if (strcmp(args->names[i], name) == 0)
		{
			args->known[i] = true;
			return i;
		}
	}
	return -1;
}

/* Fetches an argument; false if it is NULL or the function has no such one */
static bool
get_argument(const CallArguments *args, const char *name, Datum *value)
{
	int			position = argument_position(args, name);

	if (position < 0 || args->fcinfo->args[position].isnull)
		return false;
	*value = args->fcinfo->args[position].value;
	return true;
}

static void
null_argument_error(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("argument \"%s\" must not be null", name)));
}

static Datum
get_required_argument(const CallArguments *args, const char *name)
{
	Datum		value;

	if (!get_argument(args, name, &value))
		null_argument_error(name);
	return value;
}

static bool
get_bool(const CallArguments *args, const char *name, bool default_value)
{
	Datum		value;

	return get_argument(args, name, &value) ? DatumGetBool(value) : default_value;
}

/* A text argument, NULL if not given; an empty one is refused */
static char *
get_string(const CallArguments *args, const char *name)
{
	Datum		value;
	char	   *string;

	if (!get_argument(args, name, &value))
		return NULL;
	string = TextDatumGetCString(value);
	if (string[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be empty", name)));
	return string;
}

/* The same for SQL, where blanks are nothing either */
static char *
get_condition(const CallArguments *args, const char *name)
{
	char	   *string = get_string(args, name);

	if (string != NULL && string[strspn(string, " \t\r\n\f\v")] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be empty", name)));
	return string;
}

/*
 * A list of names.  *given tells an absent argument from an empty list, which
 * is refused unless allow_empty.
 */
static List *
get_name_list(const CallArguments *args, const char *name, bool allow_empty, bool *given)
{
	Datum		value;
	ArrayType  *array;
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	List	   *list = NIL;

	*given = get_argument(args, name, &value);
	if (!*given)
		return NIL;

	array = DatumGetArrayTypeP(value);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be a one-dimensional array", name)));
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	if (count == 0 && !allow_empty)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be empty", name)));

	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not contain nulls", name)));
		list = lappend(list, TextDatumGetCString(elements[i]));
	}
	return list;
}

static void
check_names_once(const char *argument, List *names)
{
	ListCell   *lc;
	int			position = 0;

	foreach(lc, names)
	{
		char	   *name = (char *) lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < position; i++)
		{
			if (strcmp(name, (char *) list_nth(names, i)) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("\"%s\" appears more than once in argument \"%s\"",
								name, argument)));
		}
		position++;
	}
}

static List *
get_column_list(const CallArguments *args, const char *name, bool allow_empty, bool *given)
{
	List	   *list = get_name_list(args, name, allow_empty, given);

	check_names_once(name, list);
	return list;
}

static void
read_actions(const CallArguments *args, BulkSyncOptions *options)
{
	bool		given;
	List	   *actions = get_name_list(args, "actions", false, &given);
	ListCell   *lc;

	if (!given)
	{
		options->insert = options->update = options->delete = true;
		return;
	}

	foreach(lc, actions)
	{
		char	   *action = (char *) lfirst(lc);
		bool	   *flag;

		if (pg_strcasecmp(action, "insert") == 0)
			flag = &options->insert;
		else if (pg_strcasecmp(action, "update") == 0)
			flag = &options->update;
		else if (pg_strcasecmp(action, "delete") == 0)
			flag = &options->delete;
		else
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unrecognized action \"%s\"", action),
					 errhint("Valid actions are \"insert\", \"update\" and \"delete\".")));
		if (*flag)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("\"%s\" appears more than once in argument \"%s\"",
							action, "actions")));
		*flag = true;
	}
}

static BulkSyncDuplicates
read_duplicates(const CallArguments *args)
{
	char	   *policy = get_string(args, "duplicates");

	if (policy == NULL || pg_strcasecmp(policy, "error") == 0)
		return BULK_SYNC_DUPLICATES_ERROR;
	if (pg_strcasecmp(policy, "first") == 0)
		return BULK_SYNC_DUPLICATES_FIRST;
	if (pg_strcasecmp(policy, "last") == 0)
		return BULK_SYNC_DUPLICATES_LAST;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized policy for duplicates \"%s\"", policy),
			 errhint("Valid policies are \"error\", \"first\" and \"last\".")));
}

static LOCKMODE
read_lock_mode(const CallArguments *args)
{
	char	   *mode = get_string(args, "lock_mode");

	if (mode == NULL)
		return ShareUpdateExclusiveLock;
	for (int i = 0; i < (int) lengthof(lock_modes); i++)
	{
		if (pg_strcasecmp(mode, lock_modes[i].name) == 0)
			return lock_modes[i].mode;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized lock mode \"%s\"", mode),
			 errhint("Valid lock modes are \"row exclusive\", \"share update exclusive\", "
					 "\"share row exclusive\", \"exclusive\" and \"access exclusive\".")));
}

static Jsonb *
read_scope_values(const CallArguments *args)
{
	Datum		value;
	Jsonb	   *object;

	if (!get_argument(args, "scope_values", &value))
		return NULL;
	object = DatumGetJsonbPCopy(value);
	if (!JB_ROOT_IS_OBJECT(object))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"scope_values\" must be a JSON object"),
				 errhint("Give columns and values, for example '{\"company_id\": 501}'.")));
	if (JB_ROOT_COUNT(object) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"scope_values\" must not be empty")));
	return object;
}

static int64
read_limit(const CallArguments *args, const char *name)
{
	Datum		value;
	int64		limit;

	if (!get_argument(args, name, &value))
		return -1;
	limit = DatumGetInt64(value);
	if (limit < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be negative: %lld", name, (long long) limit)));
	return limit;
}

static double
read_fraction(const CallArguments *args, const char *name)
{
	Datum		value;
	double		fraction;

	if (!get_argument(args, name, &value))
		return -1;
	fraction = DatumGetFloat8(value);
	if (isnan(fraction) || fraction < 0 || fraction > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be between 0 and 1: %s", name,
						float8out_internal(fraction))));
	return fraction;
}

/* A column can have one role only; the lists are short */
static void
check_roles_once(const BulkSyncOptions *options)
{
	for (int role = BULK_SYNC_ROLE_INSERT_ONLY; role < BULK_SYNC_NUM_ROLES; role++)
	{
		ListCell   *lc;

		foreach(lc, options->role_columns[role])
		{
			char	   *name = (char *) lfirst(lc);

			CHECK_FOR_INTERRUPTS();
			for (int other = role + 1; other < BULK_SYNC_NUM_ROLES; other++)
			{
				ListCell   *lc2;

				foreach(lc2, options->role_columns[other])
				{
					if (strcmp(name, (char *) lfirst(lc2)) == 0)
						ereport(ERROR,
								(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								 errmsg("column \"%s\" has more than one role", name),
								 errdetail("It is named in \"%s\" and in \"%s\".",
										   role_arguments[role], role_arguments[other])));
				}
			}
		}
	}
}

static void
check_relations_differ(const BulkSyncOptions *options)
{
	if (options->target == options->staged)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("target and staged must be different relations")));
}

/* The function that was called, as messages name it */
static const char *
function_name(FunctionCallInfo fcinfo)
{
	return psprintf("%s()", get_func_name(fcinfo->flinfo->fn_oid));
}

static int
newer_declaration(void)
{
	errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE);
	errdetail("The library is that of bulk_sync %s, and the extension in this database is newer.",
			  BULK_SYNC_VERSION);
	errhint("Connect again, because a session keeps the library that it has loaded. If that does "
			"not help, install the files of the newer version on this server.");
	return 0;
}

/*
 * The extension in the database may be newer than the library: a session
 * keeps the one that it has loaded, and files may be put back.  An argument
 * that we do not know could be a guard, so it must not be passed over, and we
 * have no value for a further column.  To be called when all arguments have
 * been asked for.  (An older extension lacks arguments, which then have their
 * defaults, and columns at the end, which are left out.)
 */
static void
check_declaration(const CallArguments *args, int result_columns)
{
	TupleDesc	desc;

	for (int i = 0; i < args->nnames; i++)
	{
		if (!args->known[i])
			ereport(ERROR,
					(newer_declaration(),
					 errmsg("argument \"%s\" of function %s is unknown to the loaded library",
							args->names[i], function_name(args->fcinfo))));
	}
	if (get_call_result_type(args->fcinfo, NULL, &desc) == TYPEFUNC_COMPOSITE &&
		desc->natts > result_columns)
		ereport(ERROR,
				(newer_declaration(),
				 errmsg("result column \"%s\" of function %s is unknown to the loaded library",
						NameStr(TupleDescAttr(desc, result_columns)->attname),
						function_name(args->fcinfo))));
}

/*
 * Reads and validates the arguments of a call.  The result lives in the
 * current memory context.
 */
BulkSyncOptions *
bulk_sync_read_options(FunctionCallInfo fcinfo, BulkSyncPurpose purpose)
{
	BulkSyncOptions *options = palloc0(sizeof(BulkSyncOptions));
	CallArguments args;
	bool		given;

	read_argument_names(&args, fcinfo);

	options->purpose = purpose;
	options->function = function_name(fcinfo);
	options->target = DatumGetObjectId(get_required_argument(&args, "target"));
	options->staged = DatumGetObjectId(get_required_argument(&args, "staged"));

	/* NULL means the default everywhere but here: a mistaken NULL would write */
	if (argument_position(&args, "dry_run") >= 0)
		options->dry_run = DatumGetBool(get_required_argument(&args, "dry_run"));
	if (purpose == BULK_SYNC_COMPARE)
		options->dry_run = true;

	options->key_columns = get_column_list(&args, "key_columns", true, &options->key_given);
	options->scope = get_condition(&args, "scope");
	options->scope_values = read_scope_values(&args);
	options->scope_columns = get_column_list(&args, "scope_columns", false, &given);
	read_actions(&args, options);
	options->columns = get_column_list(&args, "columns", false, &options->columns_given);
	for (int role = BULK_SYNC_ROLE_INSERT_ONLY; role < BULK_SYNC_NUM_ROLES; role++)
		options->role_columns[role] =
			get_column_list(&args, role_arguments[role], true, &given);
	options->update_where = get_condition(&args, "update_where");
	options->soft_delete_column = get_string(&args, "soft_delete_column");
	options->duplicates = read_duplicates(&args);
	options->order_column = get_string(&args, "order_column");
	options->ignore_conflicts = get_bool(&args, "ignore_conflicts", false);
	options->expected_rows = read_limit(&args, "expected_rows");
	/* Guards are for what is written: bulk_compare() has none */
	options->allow_empty = get_bool(&args, "allow_empty", purpose == BULK_SYNC_COMPARE);
	options->max_deletes = read_limit(&args, "max_deletes");
	options->max_delete_fraction = read_fraction(&args, "max_delete_fraction");
	options->lock_mode = read_lock_mode(&args);
	options->include_unchanged = get_bool(&args, "include_unchanged", false);

	check_declaration(&args, purpose == BULK_SYNC_COUNT ? BULK_SYNC_COUNT_COLUMNS : BULK_SYNC_ROW_COLUMNS);
	check_roles_once(options);

	if (options->delete && options->scope == NULL &&
		options->scope_values == NULL && options->scope_columns == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a scope is required to delete rows"),
				 errhint("State which part of the target the staged rows describe, for example "
						 "scope => 'company_id = 501', or scope => 'true' for the whole table; "
						 "or leave \"delete\" out of the actions.")));

	if (options->key_given && options->key_columns == NIL &&
		(options->update || options->delete || !options->insert))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an empty key can only be used to insert"),
				 errhint("Use actions => '{insert}', or name the key columns.")));

	check_relations_differ(options);
	return options;
}

/*
 * Arguments of bulk_insert_changed(): a call that inserts, and that asks the
 * newest row of a key whether it has to.
 */
BulkSyncOptions *
bulk_sync_read_history_options(FunctionCallInfo fcinfo)
{
	BulkSyncOptions *options = palloc0(sizeof(BulkSyncOptions));
	CallArguments args;

	read_argument_names(&args, fcinfo);

	options->purpose = BULK_SYNC_HISTORY;
	options->function = function_name(fcinfo);
	options->target = DatumGetObjectId(get_required_argument(&args, "target"));
	options->staged = DatumGetObjectId(get_required_argument(&args, "staged"));
	(void) get_required_argument(&args, "key_columns");
	(void) get_required_argument(&args, "order_column");
	options->key_columns = get_column_list(&args, "key_columns", false, &options->key_given);
	options->order_column = get_string(&args, "order_column");
	options->compare_columns = get_column_list(&args, "compare_columns", false,
											   &options->compare_given);
	options->insert = true;
	options->allow_empty = true;
	options->expected_rows = options->max_deletes = -1;
	options->max_delete_fraction = -1;
	options->lock_mode = ShareUpdateExclusiveLock;

	check_declaration(&args, BULK_SYNC_HISTORY_COLUMNS);
	check_relations_differ(options);
	return options;
}

/* Arguments of bulk_stage(), which shares the rules for them */
void
bulk_sync_read_stage_options(FunctionCallInfo fcinfo, Oid *target, List **columns,
							 char **staged_name, bool *on_commit_drop)
{
	CallArguments args;
	bool		given;

	read_argument_names(&args, fcinfo);
	*target = DatumGetObjectId(get_required_argument(&args, "target"));
	*columns = get_column_list(&args, "columns", false, &given);
	*staged_name = get_string(&args, "staged_name");
	*on_commit_drop = get_bool(&args, "on_commit_drop", false);
	check_declaration(&args, 0);
}
