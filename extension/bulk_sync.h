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
#include "nodes/primnodes.h"
#include "rewrite/prs2lock.h"
#include "storage/itemptr.h"
#include "storage/lockdefs.h"
#include "tcop/dest.h"
#include "utils/jsonb.h"
#include "utils/queryenvironment.h"
#include "utils/rel.h"
#include "utils/snapshot.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "mutants.h"

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

/* What the call is for, and so what it gives back */
typedef enum BulkSyncPurpose
{
	BULK_SYNC_COUNT,			/* bulk_sync(): do it, and count */
	BULK_SYNC_RETURN,			/* bulk_sync_returning(): do it, and return the rows */
	BULK_SYNC_COMPARE,			/* bulk_compare(): return what would be done */
	BULK_SYNC_HISTORY			/* bulk_insert_changed(): append what is new */
} BulkSyncPurpose;

typedef struct BulkSyncOptions
{
	BulkSyncPurpose purpose;
	const char *function;		/* its name, for messages */
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
	bool		dry_run;		/* nothing is written; bulk_compare() neither */
	bool		include_unchanged;	/* rows that are equal are returned as well */

	/* bulk_insert_changed() alone; order_column is then one of the target */
	bool		compare_given;	/* false: all that is staged */
	List	   *compare_columns;
} BulkSyncOptions;

/* Are rows returned, and not only counts? */
static inline bool
bulk_sync_returns_rows(const BulkSyncOptions *options)
{
	return options->purpose == BULK_SYNC_RETURN || options->purpose == BULK_SYNC_COMPARE;
}

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
	bool		leaky;			/* may tell what a row holds, by messages for one */

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
	bool		unique;			/* foreign keys may refer to it */
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

/* What an inserted row gets in an order column that is not staged */
typedef enum BulkSyncAssignedOrder
{
	BULK_SYNC_ORDER_KNOWN,		/* a default that is the same for all rows */
	BULK_SYNC_ORDER_ASCENDING,	/* the next value of a sequence */
	BULK_SYNC_ORDER_UNKNOWN
} BulkSyncAssignedOrder;

/* A unique index of a distributed table, of columns alone, checked row by row */
typedef struct BulkSyncUniqueIndex
{
	char	   *name;
	bool		nulls_are_equal;
	int			ncolumns;
	AttrNumber *attnos;
	BulkSyncEquality *equality; /* as the index compares */
} BulkSyncUniqueIndex;

/*
 * Where the rows of a Citus table are: on the shard that the value of one column
 * decides, or, without such a column, all on one shard or on every node.
 */
typedef struct BulkSyncDistribution
{
	bool		reference;		/* a copy on every node */
	AttrNumber	attno;			/* the distribution column; 0: there is none */
	Oid			eq_opr;			/* "=" of its values */
	int			read_index;		/* in the rows read */
	int			column_index;	/* in columns[], or -1 */
	Expr	   *pinned;			/* the one value that the scope lets in, or NULL */
	Datum		pinned_value;
	bool		pinned_isnull;
	bool		has_addresses;	/* a row is on one node, where it has an address */
	uint32		colocation;		/* which tables lie beside each other */
	bool		on_shards;		/* rows are matched there ... */
	bool		changes_may_stay;	/* ... and what differs may stay there */
	bool		staged_unique;	/* no key can be staged twice */
	List	   *unique_indexes; /* of BulkSyncUniqueIndex */
	bool		no_tables;		/* none could be made beside the shards */
} BulkSyncDistribution;

typedef struct BulkSyncPlan
{
	const BulkSyncOptions *options;
	MemoryContext context;		/* as long as the call */

	/* The relations: open, and locked until the end of the transaction */
	Relation	target;
	Relation	staged;
	RangeVar   *target_name;	/* as it was when the plan was made */
	char	   *target_sql;		/* the same, qualified and quoted */
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

	/*
	 * The target columns that are read, in this order: first those that
	 * matching needs, then those that are only shown.
	 */
	int			nread;
	int			nread_to_match;
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

	/* Rows to be returned: which of the columns read they show */
	int			nshown;
	int		   *shown;			/* read indexes, in the order of the target */
	TupleDesc	shown_desc;
	bool		read_again;		/* once more when all triggers have fired */
	int			nlookup;		/* columns that tell a row that has moved, */
	int		   *lookup;			/* by read index; 0: it cannot be looked for */
	BulkSyncEquality *lookup_equality;

	/* History: the order column says which row of a key is the newest */
	AttrNumber	history_attno;	/* 0: this is no history */
	int			history_index;	/* in columns[]; -1: it is not staged */
	int			history_read_index;
	FmgrInfo	history_cmp;
	Oid			history_lt_opr;
	BulkSyncAssignedOrder history_assigned; /* if it is not staged */
	int64		history_last_value; /* ascending: that is above this */
	Datum		history_default;	/* known */
	bool		history_default_isnull;

	BulkSyncDistribution *distribution; /* NULL: the rows are here */

	/* How the target can be written */
	bool		address_by_key; /* rows have no tableoid and ctid to go by */
	List	   *foreign;		/* OIDs of the foreign tables of the tree */
	bool		remote;			/* their rows have addresses: see apply_foreign.c */
	bool		remote_may_move;	/* an update may send such a row elsewhere */
	bool		row_security;	/* policies decide what may be written */
	bool		lock_rows;		/* planned rows are locked before any write */
	bool		direct;			/* rows are deleted and updated without SQL ... */
	bool		direct_insert;	/* ... and inserted, */
	bool		insert_in_order;	/* then in an order that somebody may notice */
	bool		conditions_look;	/* CHECK, or WHEN of triggers, for rows written before */
	bool		update_may_move;	/* an update may send a row to another partition */
	double		target_rows;	/* in all of its tables, about */
	Expr	  **defaults;		/* of columns that are not staged, by attribute number - 1 */
	bool		row_at_a_time;	/* BEFORE triggers may change planned rows */
	bool		single_table;	/* neither partitions nor children */
	bool		has_rules;		/* rules add to what is done to the target ... */
	bool		instead_rules;
	bool		instead_of_insert;	/* ... or take its place, for some rows or */
	bool		instead_of_update;	/* all: then RETURNING is not allowed */
	bool		move_chased;	/* a trigger may move a planned row elsewhere */
	bool		insert_by_key;	/* insert in the order of the key, not of staging */
	bool		insert_may_skip;	/* a row to be inserted may vanish silently ... */
	bool		insert_may_change;	/* ... or be stored otherwise than planned */
	bool		check_insert_scope; /* only the written row decides */
	bool		check_update_scope;
	bool		inserts_unseen; /* nothing of a new row gets to the caller ... */
	bool		insert_keys_hidden; /* ... not even its key, in a message */
	bool		has_identity;
	Bitmapset  *assigned_attnos;	/* an inserted NULL becomes the default */
	char	   *prefix;			/* of generated names: no target column has it */

	/* How the staged rows are read */
	bool		staged_scan;	/* by scanning the table, else by a query */
	bool		staged_ordered; /* "order of staging" has a meaning */
	bool		matching;		/* false: key_columns => '{}' */
	bool		sort_match;		/* a key type that cannot be hashed */
	bool		target_scan;	/* all of the target is in scope and can be scanned */
} BulkSyncPlan;

/* Are staged rows matched where they lie? */
static inline bool
bulk_sync_matches_on_shards(const BulkSyncPlan *plan)
{
	return plan->distribution != NULL && plan->distribution->on_shards;
}

/* Does the scope let in one value of the distribution column alone? */
static inline bool
bulk_sync_is_on_one_shard(const BulkSyncPlan *plan)
{
	return plan->distribution != NULL && plan->distribution->pinned != NULL &&
		!plan->distribution->pinned_isnull;
}

/* Can a row on a shard be addressed as on this node? */
static inline bool
bulk_sync_shards_have_addresses(const BulkSyncPlan *plan)
{
	return plan->distribution != NULL && plan->distribution->has_addresses;
}

/*-------------------------------------------------------------------------
 * Rows
 *-------------------------------------------------------------------------
 */

/* A row of the target as it was read; values by read index */
typedef struct BulkSyncTargetRow
{
	Oid			tableoid;
	ItemPointerData tid;
	int64		written;		/* history: when, by transaction and command; a
								 * row of a shard: its xmin */
	Datum	   *values;
	bool	   *isnull;
} BulkSyncTargetRow;

/* A converted staged row; values by column index */
typedef struct BulkSyncStagedRow
{
	int64		position;		/* in the order of staging, from 1 */
	Datum	   *values;
	bool	   *isnull;
	HeapTuple	stored;			/* just read: if it is stored just so, else NULL */
} BulkSyncStagedRow;

/* Reads the staged rows and converts them (staged.c) */
typedef struct BulkSyncStagedSource BulkSyncStagedSource;

/* Staged rows of a history beside the newest rows of their keys (history.c) */
typedef struct BulkSyncHistory BulkSyncHistory;

/* The groups of scope_columns that occur among the staged rows (scope_groups.c) */
typedef struct BulkSyncGroups BulkSyncGroups;

/* Rows with an equal partner on the other side (equal_rows.c) */
typedef struct BulkSyncEqualRows BulkSyncEqualRows;

extern bool bulk_sync_staged_is_equal(const BulkSyncEqualRows *equal, int64 position);

/*-------------------------------------------------------------------------
 * Difference: what is to be written.  Kept in tuplestores, so that its size
 * is bounded by disk and not by memory.
 *-------------------------------------------------------------------------
 */
/*
 * Attributes of a difference row: these, then the wanted columns, then, where
 * rows are addressed or checked by key, the key of the target row.  CHANGED and ROW are
 * NULL unless rows are returned.
 *
 * The number of attributes is limited to what a table may have and some more
 * (1664), so whole rows beside the wanted one are records.
 */
#define BULK_SYNC_DIFF_TABLEOID		1
#define BULK_SYNC_DIFF_CTID			2
#define BULK_SYNC_DIFF_POSITION		3	/* of the staged row; < 0 for a delete */
#define BULK_SYNC_DIFF_MARK			4	/* soft delete: mark only */
#define BULK_SYNC_DIFF_SET_SOFT		5	/* write DIFF_SOFT */
#define BULK_SYNC_DIFF_SOFT			6	/* new value of the soft-delete column */
#define BULK_SYNC_DIFF_TAKES		7	/* bytea: bit i = column i is written, and ... */
#define BULK_SYNC_DIFF_OLD			8	/* record: the target row that was matched */
#define BULK_SYNC_DIFF_CHANGED		9	/* bytea: bit i = column i would change */
#define BULK_SYNC_DIFF_ROW			10	/* record: the target row, all that was read */
#define BULK_SYNC_DIFF_XMIN			11	/* on a shard: who wrote it */
#define BULK_SYNC_DIFF_FIXED		11
#define BULK_SYNC_TAKES_UNIQUE(plan)	((plan)->ncolumns)	/* ... one for: a unique value changes */
#define BULK_SYNC_DIFF_WANTED(column)	(BULK_SYNC_DIFF_FIXED + (column) + 1)
#define BULK_SYNC_DIFF_OLD_KEY(plan, key) \
	(BULK_SYNC_DIFF_FIXED + (plan)->ncolumns + (key) + 1)
/* Columns of BULK_SYNC_DIFF_OLD, as rows that are sent to shards have them */
#define BULK_SYNC_SHIPPED_OLD(plan, index) \
	(BULK_SYNC_DIFF_FIXED + (plan)->ncolumns + (index) + 1)

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
	TupleDesc	row_desc;		/* of BULK_SYNC_DIFF_ROW */
	Datum	   *values;			/* one difference row, being built */
	bool	   *isnull;

	BulkSyncRowSet deletes;
	BulkSyncRowSet updates;		/* updates and soft-delete marks */
	BulkSyncRowSet inserts;
	BulkSyncRowSet equals;		/* unchanged rows, if they are returned */
	BulkSyncHistory *history;	/* rows to be decided as they are written, or NULL */

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
	char	   *moved;			/* an update would send it to another shard ... */
	char	   *homeless;		/* ... or there is none for a new row */
	char	   *changes_table;	/* all rows are on shards, in this table, or NULL */
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

/*
 * Rows as they were written: difference rows, in which the address is that of
 * the new row, with that row behind them (a record as BULK_SYNC_DIFF_ROW), and
 * then the columns by which it is looked for if it moves.
 */
typedef struct BulkSyncWritten
{
	TupleDesc	desc;
	AttrNumber	new_row;
	BulkSyncRowSet deletes;
	BulkSyncRowSet updates;
	BulkSyncRowSet inserts;
} BulkSyncWritten;

/* How rows become JSON (json.c) */
typedef struct BulkSyncJsonShape BulkSyncJsonShape;

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

/* How many columns the results have: counts, rows, counts of a history */
#define BULK_SYNC_COUNT_COLUMNS	6
#define BULK_SYNC_ROW_COLUMNS	6
#define BULK_SYNC_HISTORY_COLUMNS	3

/* in options.c */
extern BulkSyncOptions *bulk_sync_read_options(FunctionCallInfo fcinfo, BulkSyncPurpose purpose);
extern BulkSyncOptions *bulk_sync_read_history_options(FunctionCallInfo fcinfo);
extern void bulk_sync_read_stage_options(FunctionCallInfo fcinfo, Oid *target, List **columns,
										 char **staged_name, bool *on_commit_drop);
extern const char *bulk_sync_role_argument(BulkSyncRole role);

/* in plan.c */
extern BulkSyncPlan *bulk_sync_make_plan(const BulkSyncOptions *options);
extern void bulk_sync_close_plan(BulkSyncPlan *plan);
extern void bulk_sync_check_no_catalog(Relation rel);
extern Relation bulk_sync_open_target(Oid relid, const char *argument);

/* in columns.c */
extern void bulk_sync_plan_columns(BulkSyncPlan *plan);
extern int	bulk_sync_find_column(const BulkSyncPlan *plan, AttrNumber target_attno);
extern bool bulk_sync_column_is_generated(const BulkSyncPlan *plan, AttrNumber attno);
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

/* in plan_history.c */
extern void bulk_sync_plan_history(BulkSyncPlan *plan);

/* in plan_returned.c */
extern Bitmapset *bulk_sync_attnos_to_show(const BulkSyncPlan *plan);
extern void bulk_sync_plan_shown_columns(BulkSyncPlan *plan, const Bitmapset *attnos);
extern void bulk_sync_check_rule_returns(const BulkSyncPlan *plan, const RewriteRule *rule);
extern bool bulk_sync_triggers_only_check(const TriggerDesc *triggers);
extern void bulk_sync_plan_lookup(BulkSyncPlan *plan);

/* in plan_direct.c */
extern bool bulk_sync_reads_virtual(const BulkSyncPlan *plan);
extern bool bulk_sync_mark_fits(const BulkSyncPlan *plan);
extern void bulk_sync_plan_direct(BulkSyncPlan *plan, bool only_checks);

/* in plan_foreign.c */
extern Bitmapset *bulk_sync_attnos_of_partition(const BulkSyncPlan *plan);
extern bool bulk_sync_plan_remote(BulkSyncPlan *plan, const TriggerDesc *triggers,
								  bool only_checks);
extern bool bulk_sync_can_insert_remotely(const BulkSyncPlan *plan);
extern bool bulk_sync_is_remote(const BulkSyncPlan *plan, Oid tableoid);

/* in plan_distributed.c */
extern bool bulk_sync_is_distributed(Oid relid);
extern BulkSyncDistribution *bulk_sync_find_distribution(const BulkSyncOptions *options,
														 Relation target);
extern void bulk_sync_plan_distribution(BulkSyncPlan *plan);
extern void bulk_sync_lock_distributed(const BulkSyncOptions *options);
extern bool bulk_sync_lies_beside_target(const BulkSyncPlan *plan);
extern void bulk_sync_plan_distributed_writing(BulkSyncPlan *plan, const TriggerDesc *triggers);

/* in plan_shards.c */
extern void bulk_sync_plan_on_shards(BulkSyncPlan *plan);

/* in names.c */
extern AttrNumber bulk_sync_find_attribute(Relation rel, const char *name);
extern AttrNumber *bulk_sync_map_attributes(Relation rel, Relation child);
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
extern bool bulk_sync_condition_is_constant(const BulkSyncCondition *condition);
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
extern double bulk_sync_staged_fraction(const BulkSyncStagedSource *source);
extern int64 bulk_sync_count_staged(BulkSyncStagedSource *source);
extern bool bulk_sync_sample_staged(BulkSyncStagedSource *source, double least, int nsample,
									double *rows, double *bytes);
extern void bulk_sync_pass_over_equal(BulkSyncStagedSource *source,
									  const BulkSyncEqualRows *equal);
extern int64 bulk_sync_writing_rank(TransactionId xmin, CommandId cmin, TransactionId next);
extern void bulk_sync_close_staged(BulkSyncStagedSource *source);

/* in read_shards.c */
extern uint64 bulk_sync_run_on_shards(const BulkSyncPlan *plan, const char *sql,
									  BulkSyncRowCallback callback, void *arg);
extern int64 bulk_sync_count_on_shards(const BulkSyncPlan *plan, const char *sql);

/* in read_target.c */
extern uint64 bulk_sync_scope_fingerprint(const BulkSyncPlan *plan, BulkSyncGroups *groups);

/* in match.c */
extern BulkSyncDifference *bulk_sync_match(const BulkSyncPlan *plan, BulkSyncStagedSource *source);
extern bool bulk_sync_row_in_scope(const BulkSyncPlan *plan, BulkSyncGroups *groups,
								   const Datum *values, const bool *isnull,
								   const bool *decided);

/* in history.c */
extern bool bulk_sync_history_next(BulkSyncHistory *history, BulkSyncStagedRow *wanted);
extern void bulk_sync_history_stored(BulkSyncHistory *history, const Datum *values,
									 const bool *isnull);
extern void bulk_sync_history_free(BulkSyncHistory *history);

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
										const bool *changed, bool unique_changes, bool revive);
extern bool bulk_sync_get_bit(TupleTableSlot *slot, AttrNumber attno, int index);
extern void bulk_sync_difference_insert(BulkSyncDifference *difference,
										const BulkSyncStagedRow *wanted);
extern void bulk_sync_difference_form_insert(BulkSyncDifference *difference,
											 const BulkSyncStagedRow *wanted);
extern void bulk_sync_difference_equal(BulkSyncDifference *difference,
									   const BulkSyncTargetRow *row,
									   const BulkSyncStagedRow *wanted);
extern void bulk_sync_difference_sort(BulkSyncDifference *difference);
extern void bulk_sync_name_entry(const BulkSyncPlan *plan, TupleDesc desc, AttrNumber place,
								 AttrNumber attno);
extern void bulk_sync_init_entry(const BulkSyncPlan *plan, TupleDesc desc, AttrNumber attno,
								 Oid type, int32 typmod, Oid collation);
extern void bulk_sync_deform_record(Datum record, TupleDesc desc, Datum *values, bool *isnull);
extern void bulk_sync_init_row_set(BulkSyncRowSet *set, TupleDesc desc);
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

/* in trades.c */
extern void bulk_sync_plan_unique_indexes(BulkSyncPlan *plan);
extern void bulk_sync_check_trades(const BulkSyncPlan *plan, const BulkSyncDifference *difference);

/* in lock.c */
extern bool bulk_sync_lock_planned_rows(const BulkSyncPlan *plan,
										const BulkSyncDifference *difference);
extern void bulk_sync_serialization_error(void);

/* in attempt.c */
extern bool bulk_sync_attempt(bool (*function) (void *arg), void *arg);

/* in apply.c */
extern void bulk_sync_apply(const BulkSyncPlan *plan, BulkSyncDifference *difference,
							BulkSyncCounts *counts, BulkSyncWritten *written);

/* in apply_distributed.c */
extern bool bulk_sync_apply_distributed(const BulkSyncPlan *plan, BulkSyncDifference *difference,
										BulkSyncCounts *counts);

/* in written.c */
extern void bulk_sync_written_free(BulkSyncWritten *written);

/* in report.c */
extern void bulk_sync_phase_done(const char *phase);
extern char *bulk_sync_describe_key(const BulkSyncPlan *plan, const Datum *values,
									const bool *isnull);
extern char *bulk_sync_describe_target_key(const BulkSyncPlan *plan, const Datum *values,
										   const bool *isnull);
extern Datum bulk_sync_counts_tuple(TupleDesc desc, const BulkSyncCounts *counts);
extern Datum bulk_sync_history_counts_tuple(TupleDesc desc, const BulkSyncCounts *counts);

/* in json.c */
extern BulkSyncJsonShape *bulk_sync_json_shape(TupleDesc desc);
extern Datum bulk_sync_json_object(BulkSyncJsonShape *shape, const Datum *values,
								   const bool *isnull);

/* in report_rows.c */
extern void bulk_sync_report_planned(FunctionCallInfo fcinfo, BulkSyncDifference *difference);
extern void bulk_sync_report_written(FunctionCallInfo fcinfo, BulkSyncDifference *difference,
									 BulkSyncWritten *written);

/* in stage.c */
extern void bulk_sync_run_command(const char *sql);
extern Oid	bulk_sync_create_stage(Oid target_oid, List *columns, char *staged_name,
								   bool on_commit_drop);

#include "settings.h"
#include "sql.h"

#endif							/* BULK_SYNC_H */
