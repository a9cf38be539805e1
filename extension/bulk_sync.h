/*-------------------------------------------------------------------------
 *
 * bulk_sync.h
 *	  The one internal header: the types that the phases hand to each other,
 *	  then the functions of each file.
 *
 * One call goes through its phases in one direction:
 *
 *	  options -> plan -> match -> difference -> guards -> apply -> report
 *
 * Two walls keep this easy to reason about.  Matching never writes, applying
 * never compares; and once the plan is made nobody looks in the catalogs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BULK_SYNC_H
#define BULK_SYNC_H

#include "postgres.h"

#include "access/attnum.h"
#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/execnodes.h"
#include "nodes/lockoptions.h"
#include "nodes/params.h"
#include "nodes/plannodes.h"
#include "storage/itemptr.h"
#include "storage/lockdefs.h"
#include "tcop/dest.h"
#include "utils/jsonb.h"
#include "utils/queryenvironment.h"
#include "utils/rel.h"
#include "utils/snapshot.h"
#include "utils/tuplestore.h"

#include "compat.h"

/* SQLSTATEs of our own, for the guards */
#define ERRCODE_BULK_SYNC_INCOMPLETE_FEED	MAKE_SQLSTATE('S', 'Y', '0', '0', '1')
#define ERRCODE_BULK_SYNC_EMPTY_FEED		MAKE_SQLSTATE('S', 'Y', '0', '0', '2')
#define ERRCODE_BULK_SYNC_DELETE_LIMIT		MAKE_SQLSTATE('S', 'Y', '0', '0', '3')

/* The alias under which a caller's conditions know the two relations */
#define BULK_SYNC_TARGET_ALIAS	"target"
#define BULK_SYNC_STAGED_ALIAS	"staged"

/*-------------------------------------------------------------------------
 * Options: the arguments, validated as far as no relation is needed for it
 *-------------------------------------------------------------------------
 */
typedef enum BulkSyncRole
{
	BULK_SYNC_ROLE_NONE = 0,
	BULK_SYNC_ROLE_INSERT_ONLY,
	BULK_SYNC_ROLE_TOUCH,
	BULK_SYNC_ROLE_FILL,
	BULK_SYNC_ROLE_KEEP
} BulkSyncRole;

#define BULK_SYNC_NUM_ROLES (BULK_SYNC_ROLE_KEEP + 1)

typedef enum BulkSyncDuplicates
{
	BULK_SYNC_DUPLICATES_ERROR,
	BULK_SYNC_DUPLICATES_FIRST,
	BULK_SYNC_DUPLICATES_LAST
} BulkSyncDuplicates;

typedef struct BulkSyncOptions
{
	Oid			target;
	Oid			staged;
	bool		key_given;		/* false: the primary key */
	List	   *key_columns;	/* of char *, as all lists of names here */

	char	   *scope;			/* SQL text or NULL */
	Jsonb	   *scope_values;	/* an object or NULL */
	List	   *scope_columns;

	bool		insert;
	bool		update;
	bool		delete;
	bool		columns_given;	/* false: all staged columns */
	List	   *columns;
	List	   *role_columns[BULK_SYNC_NUM_ROLES];	/* [ROLE_NONE] stays NIL */
	char	   *update_where;
	char	   *soft_delete_column;
	BulkSyncDuplicates duplicates;
	char	   *order_column;
	bool		ignore_conflicts;

	int64		expected_rows;	/* -1: not checked */
	bool		allow_empty;
	int64		max_deletes;	/* -1: no limit */
	double		max_delete_fraction;	/* -1: no limit */

	LOCKMODE	lock_mode;
	bool		dry_run;
} BulkSyncOptions;

/*-------------------------------------------------------------------------
 * Conditions: boolean SQL of the caller, evaluated on values held by us
 *-------------------------------------------------------------------------
 */
typedef struct BulkSyncConditionVar
{
	bool		staged;			/* of the staged row, else of the target row */
	AttrNumber	attno;			/* 0: the whole row */
	int			index;			/* in the row's values; -1 for a whole row */
	Oid			type;
} BulkSyncConditionVar;

/* A planned statement, ready to be run any number of times (statement.c) */
typedef struct BulkSyncStatement
{
	const char *sql;
	QueryEnvironment *env;
	List	   *stmts;			/* of PlannedStmt: more than one, or none, by rules */
	Oid			counted_relid;	/* rows written elsewhere do not count; 0: all do */
} BulkSyncStatement;

typedef void (*BulkSyncRowCallback) (TupleTableSlot *slot, void *arg);

typedef struct BulkSyncCondition
{
	const char *argument;		/* name of the argument it came from */
	Expr	   *expr;			/* boolean, every Var replaced by a Param */
	int			nvars;
	BulkSyncConditionVar *vars; /* what Param i + 1 stands for */
	bool		has_sublinks;

	/* Evaluation, prepared on first use */
	ParamListInfo params;
	ExprContext *econtext;
	struct ExprState *state;	/* without subqueries, or else ... */
	BulkSyncStatement *statement;
} BulkSyncCondition;

/*-------------------------------------------------------------------------
 * Plan: what the catalogs say about this call, and what follows from it
 *-------------------------------------------------------------------------
 */
typedef enum BulkSyncConversion
{
	BULK_SYNC_CONVERT_NONE,		/* same type, or binary-coercible */
	BULK_SYNC_CONVERT_INPUT,	/* a string: the type's input function */
	BULK_SYNC_CONVERT_CAST		/* an assignment cast */
} BulkSyncConversion;

/*
 * A column of the "wanted row": what a staged row says, converted to the
 * target's types.  The key columns come first, then the other synced ones,
 * then those supplied by scope_values, last staged columns that only
 * update_where or order_column read.
 */
typedef struct BulkSyncColumn
{
	char	   *name;
	AttrNumber	target_attno;	/* 0: only read by us, not a target column */
	AttrNumber	staged_attno;	/* 0: supplied by scope_values */
	Oid			type;
	int32		typmod;
	Oid			collation;
	int16		typlen;
	bool		typbyval;

	bool		key;
	bool		synced;			/* takes part in update, not only in insert */
	bool		insertable;		/* listed in an INSERT */
	bool		compared;		/* a different image is a change */
	bool		assigned;		/* a staged NULL asks for an assigned value */
	bool		image_may_differ;	/* key: equal values of two images exist */
	BulkSyncRole role;
	int			read_index;		/* place in the rows read, -1: not read */

	/* Conversion of the staged value */
	BulkSyncConversion conversion;
	Expr	   *cast;			/* over a CaseTestExpr */
	Oid			staged_type;
	int			raw_attno;		/* where the source of staged rows has it */
	Datum		supplied;		/* the value, where scope_values gives it */
	bool		supplied_isnull;
} BulkSyncColumn;

/* Equality, and a hash or an order, for a column that rows are matched on */
typedef struct BulkSyncEquality
{
	Oid			type;
	Oid			collation;
	Oid			eq_opr;
	Oid			lt_opr;			/* InvalidOid: cannot be sorted */
	FmgrInfo	eq;
	FmgrInfo	hash;			/* fn_oid InvalidOid: cannot be hashed */
} BulkSyncEquality;

/* A column of scope_values or scope_columns */
typedef struct BulkSyncScopeColumn
{
	AttrNumber	target_attno;
	int			read_index;
	int			column_index;	/* in columns[], or -1 */
	BulkSyncEquality equality;
	Datum		value;			/* scope_values only */
	bool		isnull;
} BulkSyncScopeColumn;

typedef struct BulkSyncPlan
{
	const BulkSyncOptions *options;
	MemoryContext context;		/* as long as the call */

	/* The relations: open, and locked until the end of the transaction */
	Relation	target;
	Relation	staged;
	char	   *target_sql;		/* qualified and quoted */
	char	   *staged_sql;
	List	   *tree;			/* OIDs: the target and all its children */

	/* The wanted row */
	int			ncolumns;
	BulkSyncColumn *columns;
	TupleDesc	wanted_desc;
	int			nkeys;			/* the first columns are the key */
	BulkSyncEquality *key;
	int			order_index;	/* column that ranks duplicates, or -1 */
	FmgrInfo	order_cmp;

	/* The target columns that are read, in this order */
	int			nread;
	AttrNumber *read_attnos;
	int		   *read_index;		/* by attribute number - 1; -1: not read */
	TupleDesc	read_desc;

	/* Scope */
	BulkSyncCondition *scope;	/* NULL: none given */
	List	   *scope_conjuncts;	/* of BulkSyncCondition: its ANDed parts */
	int			nscope_values;
	BulkSyncScopeColumn *scope_values;
	int			nscope_columns;
	BulkSyncScopeColumn *scope_columns;

	BulkSyncCondition *update_where;	/* or NULL */
	TupleDesc	condition_staged_desc;	/* what update_where calls "staged" */
	int		   *condition_staged_index; /* its columns in columns[], or -1 */

	/* Soft delete */
	AttrNumber	soft_attno;		/* 0: none */
	int			soft_read_index;
	bool		soft_is_bool;	/* else a timestamp */
	Oid			soft_type;		/* below any domain: assigning checks that */
	Datum		soft_mark;		/* the value that marks a row */

	/* How the target can be written */
	bool		address_by_key; /* rows have no tableoid and ctid to go by */
	bool		has_foreign;	/* some rows are on another server */
	bool		row_security;	/* policies decide what may be written */
	bool		lock_rows;		/* planned rows are locked before any write */
	bool		row_at_a_time;	/* BEFORE triggers may change planned rows */
	bool		single_table;	/* neither partitions nor children */
	bool		has_rules;		/* rules add to what is done to the target ... */
	bool		instead_of_insert;	/* ... or take its place, for some rows or */
	bool		instead_of_update;	/* all: then RETURNING is not allowed */
	bool		move_chased;	/* a trigger may move a planned row elsewhere */
	bool		check_insert_scope; /* only the written row decides */
	bool		check_update_scope;
	bool		has_identity;
	Bitmapset  *assigned_attnos;	/* an inserted NULL becomes the default */
	LockTupleMode lock_tuple_mode;	/* of a row to be updated */
	char	   *prefix;			/* of generated names: no target column has it */

	/* How the staged rows are read */
	bool		staged_scan;	/* by scanning the table, else by a query */
	bool		staged_ordered; /* "order of staging" has a meaning */
	bool		matching;		/* false: key_columns => '{}' */
	bool		sort_match;		/* a key type that cannot be hashed */
} BulkSyncPlan;

/*-------------------------------------------------------------------------
 * Rows
 *-------------------------------------------------------------------------
 */

/* A row of the target as it was read; values by read index */
typedef struct BulkSyncTargetRow
{
	Oid			tableoid;
	ItemPointerData tid;
	Datum	   *values;
	bool	   *isnull;
} BulkSyncTargetRow;

/* A converted staged row; values by column index */
typedef struct BulkSyncStagedRow
{
	int64		position;		/* in the order of staging, from 1 */
	Datum	   *values;
	bool	   *isnull;
} BulkSyncStagedRow;

/* Reads the staged rows and converts them (staged.c) */
typedef struct BulkSyncStagedSource BulkSyncStagedSource;

/* The groups of scope_columns that occur among the staged rows (scope_groups.c) */
typedef struct BulkSyncGroups BulkSyncGroups;

/*-------------------------------------------------------------------------
 * Matching
 *-------------------------------------------------------------------------
 */

/* A staged row, as long as it waits for its target row */
typedef struct BulkSyncEntry
{
	MinimalTuple marked;		/* soft delete: a marked row of its key */
	int64		position;
	uint32		hash;
	bool		matched;		/* to a live row */
	bool		reported;		/* as a duplicate */
	bool		replaced;		/* by a better duplicate */
	bool		marked_twice;
	uint32		space;			/* for the tuple */
	Oid			marked_tableoid;
	ItemPointerData marked_tid;
	/* the wanted row follows, as a MinimalTuple, at MAXALIGN */
} BulkSyncEntry;

#define BULK_SYNC_ENTRY_SIZE	MAXALIGN(sizeof(BulkSyncEntry))
#define BULK_SYNC_ENTRY_TUPLE(entry) \
	((MinimalTuple) ((char *) (entry) + BULK_SYNC_ENTRY_SIZE))

/* Staged rows in memory, by their key (hash_table.c) */
typedef struct BulkSyncHashTable BulkSyncHashTable;

typedef struct BulkSyncMatch
{
	const BulkSyncPlan *plan;
	struct BulkSyncDifference *difference;
	BulkSyncGroups *groups;
	MemoryContext context;		/* of the match */
	MemoryContext row_context;	/* of what is done about one row */
	TupleTableSlot *staged_slot;	/* the staged row of an entry */
	TupleTableSlot *marked_slot;	/* the marked row of an entry */
	void	   *matcher;		/* private to match_hash.c or match_sort.c */

	/* Scratch space for one pair of rows */
	bool	   *takes;			/* by column index */
	Datum	   *new_values;		/* the row to be written, by read index */
	bool	   *new_isnull;
	bool	   *decided;
	bool	   *generated;		/* by read index */
	bool	   *key_image_differs;	/* of the pair, by key column */
} BulkSyncMatch;

/*-------------------------------------------------------------------------
 * Difference: what is to be written.  Kept in tuplestores, so that its size
 * is bounded by disk and not by memory.
 *-------------------------------------------------------------------------
 */
/*
 * Attributes of a difference row: these, then the wanted columns, then, where
 * rows are addressed by key, the key of the target row.
 */
#define BULK_SYNC_DIFF_TABLEOID		1
#define BULK_SYNC_DIFF_CTID			2
#define BULK_SYNC_DIFF_POSITION		3	/* of the staged row; < 0 for a delete */
#define BULK_SYNC_DIFF_MARK			4	/* soft delete: mark only */
#define BULK_SYNC_DIFF_SET_SOFT		5	/* write DIFF_SOFT */
#define BULK_SYNC_DIFF_SOFT			6	/* new value of the soft-delete column */
#define BULK_SYNC_DIFF_TAKES		7	/* bytea: bit i = column i is written */
#define BULK_SYNC_DIFF_OLD			8	/* record: the target row as it was read */
#define BULK_SYNC_DIFF_FIXED		8
#define BULK_SYNC_DIFF_WANTED(column)	(BULK_SYNC_DIFF_FIXED + (column) + 1)
#define BULK_SYNC_DIFF_OLD_KEY(plan, key) \
	(BULK_SYNC_DIFF_FIXED + (plan)->ncolumns + (key) + 1)

typedef struct BulkSyncRowSet
{
	TupleDesc	desc;
	Tuplestorestate *store;
	int64		rows;
	int64		marks;			/* of them, soft-delete marks */
	bool		ordered;		/* in the order of writing so far */
	bool		nulls_in_key;	/* of rows to be found by their key */
	Oid			last_tableoid;
	ItemPointerData last_tid;
	int64		last_position;
} BulkSyncRowSet;

typedef struct BulkSyncDifference
{
	const BulkSyncPlan *plan;
	MemoryContext context;
	MemoryContext row_context;
	TupleDesc	desc;
	TupleDesc	old_desc;		/* of BULK_SYNC_DIFF_OLD */
	Datum	   *values;			/* one difference row, being built */
	bool	   *isnull;

	BulkSyncRowSet deletes;
	BulkSyncRowSet updates;		/* updates and soft-delete marks */
	BulkSyncRowSet inserts;

	/* What was planned */
	int64		staged_rows;
	int64		planned_inserts;
	int64		planned_updates;
	int64		planned_deletes;	/* or marks */
	int64		unchanged;
	int64		skipped;
	int64		rows_in_scope;	/* live ones, under soft delete */
	bool	   *key_image_differs;	/* by key column: in some row, it is written */
	bool		soft_written;	/* in some row: it is marked or revived */

	/* Problems found on the way, raised in the contract's order */
	int			nduplicate_keys;
	char	   *duplicate_keys[5];
	char	   *matched_twice;
	char	   *out_of_scope;
	bool		out_of_scope_is_update;

	/* Of the match that made it */
	uint64		fingerprint;	/* of the rows read, in a transaction snapshot */
	MemoryContext match_context;
	BulkSyncGroups *groups;
} BulkSyncDifference;

/* Which rows of the update set a statement is about */
typedef enum BulkSyncUpdatePart
{
	BULK_SYNC_UPDATE_ALL,
	BULK_SYNC_UPDATE_MARKS,		/* soft deletes alone */
	BULK_SYNC_UPDATE_CHANGES	/* all but those */
} BulkSyncUpdatePart;

typedef struct BulkSyncCounts
{
	int64		staged_rows;
	int64		inserted;
	int64		updated;
	int64		unchanged;
	int64		skipped;
	int64		deleted;
} BulkSyncCounts;

/*-------------------------------------------------------------------------
 * Functions
 *-------------------------------------------------------------------------
 */

/* in options.c */
extern BulkSyncOptions *bulk_sync_read_options(FunctionCallInfo fcinfo);
extern void bulk_sync_read_stage_options(FunctionCallInfo fcinfo, Oid *target, List **columns,
										 char **staged_name, bool *on_commit_drop);
extern const char *bulk_sync_role_argument(BulkSyncRole role);

/* in plan.c */
extern BulkSyncPlan *bulk_sync_make_plan(const BulkSyncOptions *options);
extern void bulk_sync_close_plan(BulkSyncPlan *plan);
extern Relation bulk_sync_open_target(Oid relid, const char *argument);

/* in columns.c */
extern void bulk_sync_plan_columns(BulkSyncPlan *plan);
extern int	bulk_sync_require_staged_column(BulkSyncPlan *plan, AttrNumber staged_attno,
											bool paired);
extern bool bulk_sync_column_may_keep(const BulkSyncColumn *column);
extern bool bulk_sync_column_is_set(const BulkSyncPlan *plan, int index,
									const BulkSyncDifference *difference);

/* in plan_rows.c */
extern void bulk_sync_plan_soft_delete(BulkSyncPlan *plan);
extern void bulk_sync_plan_scope_values(BulkSyncPlan *plan);
extern void bulk_sync_plan_scope_columns(BulkSyncPlan *plan);
extern void bulk_sync_set_scope_params(const BulkSyncPlan *plan, ParamListInfo params, Oid *types);
extern void bulk_sync_plan_update_where(BulkSyncPlan *plan);
extern void bulk_sync_plan_order_column(BulkSyncPlan *plan);
extern void bulk_sync_plan_columns_read(BulkSyncPlan *plan);

/* in names.c */
extern AttrNumber bulk_sync_find_attribute(Relation rel, const char *name);
extern const char *bulk_sync_nearest_column(Relation rel, const char *name);
extern AttrNumber bulk_sync_column_attno(Relation rel, const char *name);
extern bool bulk_sync_list_has_name(const List *names, const char *name);

/* in types.c */
extern void bulk_sync_init_equality(BulkSyncEquality *equality, Oid type, Oid collation,
									const char *column);
extern Oid	bulk_sync_scope_element_type(const BulkSyncEquality *equality);
extern bool bulk_sync_image_may_differ(Oid type, Oid collation);
extern void bulk_sync_find_conversion(const BulkSyncPlan *plan, BulkSyncColumn *column);
extern bool bulk_sync_null_is_assigned(Relation target, Form_pg_attribute attr);

/* in condition.c */
extern BulkSyncCondition *bulk_sync_parse_condition(const char *argument, const char *text,
													Relation target, TupleDesc staged_desc,
													bool allow_volatile, List **conjuncts);
extern void bulk_sync_prepare_conditions(BulkSyncPlan *plan);
extern bool bulk_sync_condition_true(const BulkSyncPlan *plan, BulkSyncCondition *condition,
									 const Datum *target_values, const bool *target_isnull,
									 const Datum *staged_values, const bool *staged_isnull);

/* in privileges.c */
extern void bulk_sync_check_privileges(const BulkSyncPlan *plan);

/* in staged.c */
extern BulkSyncStagedSource *bulk_sync_open_staged(const BulkSyncPlan *plan);
extern void bulk_sync_rewind_staged(BulkSyncStagedSource *source);
extern bool bulk_sync_next_staged(BulkSyncStagedSource *source, BulkSyncStagedRow *row);
extern int64 bulk_sync_count_staged(BulkSyncStagedSource *source);
extern void bulk_sync_close_staged(BulkSyncStagedSource *source);

/* in match.c */
extern BulkSyncDifference *bulk_sync_match(const BulkSyncPlan *plan, BulkSyncStagedSource *source);
extern uint64 bulk_sync_scope_fingerprint(const BulkSyncPlan *plan, BulkSyncGroups *groups);
extern bool bulk_sync_row_in_scope(const BulkSyncPlan *plan, BulkSyncGroups *groups,
								   const Datum *values, const bool *isnull,
								   const bool *decided);
extern bool bulk_sync_new_duplicate_wins(const BulkSyncPlan *plan,
										 const Datum *old_values, const bool *old_isnull,
										 int64 old_position,
										 const Datum *new_values, const bool *new_isnull,
										 int64 new_position);
extern void bulk_sync_match_duplicate(BulkSyncMatch *match, BulkSyncEntry *entry,
									  const Datum *values, const bool *isnull);
extern void bulk_sync_match_row(BulkSyncMatch *match, BulkSyncEntry *entry,
								const BulkSyncTargetRow *row);
extern void bulk_sync_match_entry_done(BulkSyncMatch *match, BulkSyncEntry *entry);

/* in hash_table.c */
extern BulkSyncHashTable *bulk_sync_table_create(const BulkSyncPlan *plan);
extern void bulk_sync_table_free(BulkSyncHashTable *table);
extern void bulk_sync_table_reset(BulkSyncHashTable *table);
extern uint32 bulk_sync_hash_key(const BulkSyncPlan *plan, const Datum *values,
								 const bool *isnull, bool target);
extern BulkSyncEntry *bulk_sync_table_find(BulkSyncHashTable *table, uint32 hash,
										   const Datum *values, const bool *isnull, bool target);
extern void bulk_sync_table_prefetch_slot(const BulkSyncHashTable *table, uint32 hash);
extern void bulk_sync_table_prefetch_entry(const BulkSyncHashTable *table, uint32 hash);
extern bool bulk_sync_table_is_full(const BulkSyncHashTable *table);
extern void bulk_sync_table_for_each(BulkSyncHashTable *table,
									 void (*function) (BulkSyncEntry *entry, void *arg),
									 void *arg);
extern void bulk_sync_table_put(BulkSyncHashTable *table, BulkSyncMatch *match, uint32 hash,
								int64 position, bool reported, MinimalTuple tuple,
								const Datum *values, const bool *isnull);
extern bool bulk_sync_table_split(BulkSyncHashTable *table,
								  bool (*keep) (BulkSyncEntry *entry, void *arg), void *arg);

/* in match_hash.c */
extern void bulk_sync_hash_begin(BulkSyncMatch *match);
extern void bulk_sync_hash_add(BulkSyncMatch *match, const BulkSyncStagedRow *row);
extern void bulk_sync_hash_added(BulkSyncMatch *match);
extern void bulk_sync_hash_probe(BulkSyncMatch *match, const BulkSyncTargetRow *row);
extern void bulk_sync_hash_finish(BulkSyncMatch *match);

/* in match_sort.c */
extern void bulk_sync_sort_begin(BulkSyncMatch *match);
extern void bulk_sync_sort_add(BulkSyncMatch *match, const BulkSyncStagedRow *row);
extern void bulk_sync_sort_probe(BulkSyncMatch *match, const BulkSyncTargetRow *row);
extern void bulk_sync_sort_finish(BulkSyncMatch *match);

/* in scope_groups.c */
extern BulkSyncGroups *bulk_sync_groups_create(const BulkSyncPlan *plan);
extern void bulk_sync_groups_add(BulkSyncGroups *groups, const BulkSyncStagedRow *row);
extern bool bulk_sync_groups_contain(const BulkSyncGroups *groups, const Datum *values,
									 const bool *isnull);
extern void bulk_sync_groups_arrays(const BulkSyncGroups *groups, bool *nulls, bool *use_array,
									Datum *arrays);

/* in difference.c */
extern BulkSyncDifference *bulk_sync_difference_create(const BulkSyncPlan *plan);
extern void bulk_sync_difference_delete(BulkSyncDifference *difference,
										const BulkSyncTargetRow *row);
extern void bulk_sync_difference_update(BulkSyncDifference *difference,
										const BulkSyncTargetRow *row,
										const BulkSyncStagedRow *wanted, const bool *takes,
										bool revive);
extern void bulk_sync_difference_insert(BulkSyncDifference *difference,
										const BulkSyncStagedRow *wanted);
extern void bulk_sync_difference_sort(BulkSyncDifference *difference);
extern Tuplestorestate *bulk_sync_begin_row_store(void);
extern void bulk_sync_difference_readdress(BulkSyncDifference *difference, BulkSyncRowSet *set,
										   void (*follow) (Oid tableoid, ItemPointer tid));
extern void bulk_sync_difference_free(BulkSyncDifference *difference);

/* in policies.c */
extern void bulk_sync_apply_policies(const BulkSyncPlan *plan, BulkSyncDifference *difference);

/* in guards.c */
extern void bulk_sync_check_expected_rows(const BulkSyncPlan *plan, int64 staged_rows);
extern void bulk_sync_check_empty(const BulkSyncPlan *plan, int64 staged_rows);
extern void bulk_sync_out_of_scope_error(const BulkSyncPlan *plan, const char *key, bool update);
extern void bulk_sync_check_difference(const BulkSyncDifference *difference);

/* in lock.c */
extern bool bulk_sync_lock_planned_rows(const BulkSyncPlan *plan,
										const BulkSyncDifference *difference);
extern void bulk_sync_serialization_error(void);

/* in apply.c */
extern void bulk_sync_apply(const BulkSyncPlan *plan, BulkSyncDifference *difference,
							BulkSyncCounts *counts);

/* in report.c */
extern char *bulk_sync_describe_key(const BulkSyncPlan *plan, const Datum *values,
									const bool *isnull);
extern char *bulk_sync_describe_target_key(const BulkSyncPlan *plan, const Datum *values,
										   const bool *isnull);
extern Datum bulk_sync_counts_tuple(FunctionCallInfo fcinfo, const BulkSyncCounts *counts);

/* in stage.c */
extern Oid	bulk_sync_create_stage(Oid target_oid, List *columns, char *staged_name,
								   bool on_commit_drop);

/* in bulk_sync.c */
extern int64 bulk_sync_memory_budget(void);

/* in deparse.c */
extern char *bulk_sync_relation_sql(Relation rel);
extern const char *bulk_sync_deparse_scope_values(const BulkSyncPlan *plan);
extern const char *bulk_sync_deparse_staged(const BulkSyncPlan *plan);
extern const char *bulk_sync_deparse_read(const BulkSyncPlan *plan, const bool *scope_nulls,
										  const bool *scope_arrays);
extern const char *bulk_sync_deparse_delete(const BulkSyncPlan *plan, bool null_keys);
extern const char *bulk_sync_deparse_update(const BulkSyncPlan *plan,
											const BulkSyncDifference *difference,
											BulkSyncUpdatePart part, bool null_keys,
											bool returning);
extern const char *bulk_sync_deparse_written(const BulkSyncPlan *plan);
extern const char *bulk_sync_deparse_find_moved(const BulkSyncPlan *plan);
extern const char *bulk_sync_deparse_insert(const BulkSyncPlan *plan,
											const BulkSyncDifference *difference,
											bool returning);
extern const char *bulk_sync_deparse_writable(const BulkSyncPlan *plan, TupleDesc desc);
extern const char *bulk_sync_deparse_conflict(const BulkSyncPlan *plan);
extern const char *bulk_sync_deparse_lock(const BulkSyncPlan *plan, bool null_keys);
extern const char *bulk_sync_deparse_stage(Relation target, List *columns, const char *name,
										   bool on_commit_drop);
extern const char *bulk_sync_deparse_drop_stage(const char *name);

/* in statement.c */
extern BulkSyncStatement *bulk_sync_prepare(const char *sql, const Oid *param_types, int nparams,
											QueryEnvironment *env, Relation target,
											Bitmapset *assigned, bool by_address);
extern BulkSyncStatement *bulk_sync_prepare_read(const char *sql, const Oid *param_types,
												 int nparams, Relation target,
												 ParamListInfo params);
extern void bulk_sync_check_statement(BulkSyncStatement *statement);
extern BulkSyncStatement *bulk_sync_prepare_query(Query *query, const char *sql);
extern BulkSyncStatement *bulk_sync_prepare_writable(const char *sql, QueryEnvironment *env,
													 Relation target, CmdType command);
extern uint64 bulk_sync_run(BulkSyncStatement *statement, ParamListInfo params,
							bool skip_triggers, BulkSyncRowCallback callback, void *arg);
extern QueryEnvironment *bulk_sync_row_environment(const char *name, TupleDesc desc,
												   Tuplestorestate *store, int64 rows);

#endif							/* BULK_SYNC_H */
