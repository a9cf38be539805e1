/*-------------------------------------------------------------------------
 *
 * stage.c
 *	  bulk_stage(): the temporary table to COPY into.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "mb/pg_wchar.h"
#include "tcop/tcopprot.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#define STAGED_SUFFIX "_staged"

/* The name given, or that of the target with a suffix */
static char *
staged_table_name(Relation target, char *given)
{
	const char *name = RelationGetRelationName(target);
	int			length;

	if (given == NULL)
	{
		length = pg_mbcliplen(name, strlen(name), NAMEDATALEN - 1 - strlen(STAGED_SUFFIX));
		given = psprintf("%.*s" STAGED_SUFFIX, length, name);
	}
	else if (strchr(given, '.') != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid name for a staging table: \"%s\"", given),
				 errhint("Give the name alone: a temporary table has no schema to choose.")));
	else if (strlen(given) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("name for a staging table is too long: \"%s\"", given),
				 errdetail("A name has at most %d bytes.", NAMEDATALEN - 1)));
	if (strcmp(given, name) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("staging table \"%s\" would hide its target", given),
				 errhint("Choose another name for the staging table.")));
	return given;
}

/* Attribute numbers of the columns to stage */
static List *
columns_to_stage(Relation target, List *names)
{
	TupleDesc	desc = RelationGetDescr(target);
	List	   *attnos = NIL;
	ListCell   *lc;

	if (names != NIL)
	{
		foreach(lc, names)
			attnos = lappend_int(attnos, bulk_sync_column_attno(target, (char *) lfirst(lc)));
		return attnos;
	}
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);

		if (!attr->attisdropped && attr->attgenerated == '\0' &&
			attr->attidentity != ATTRIBUTE_IDENTITY_ALWAYS)
			attnos = lappend_int(attnos, attr->attnum);
	}
	return attnos;
}

/* Runs a command as the caller would */
void
bulk_sync_run_command(const char *sql)
{
	List	   *parsed = pg_parse_query(sql);
	PlannedStmt *stmt = makeNode(PlannedStmt);

	stmt->commandType = CMD_UTILITY;
	stmt->canSetTag = true;
	stmt->utilityStmt = linitial_node(RawStmt, parsed)->stmt;
	stmt->stmt_location = -1;
	ProcessUtility(stmt, sql, false, PROCESS_UTILITY_QUERY, NULL, NULL, None_Receiver, NULL);
	CommandCounterIncrement();
}

/* OID of a temporary relation of ours, InvalidOid if there is none */
static Oid
temporary_relation(const char *name)
{
	Oid			namespace = LookupExplicitNamespace("pg_temp", true);

	return OidIsValid(namespace) ? get_relname_relid(name, namespace) : InvalidOid;
}

/* Is the name taken by a temporary type?  A table needs one of its name. */
static bool
is_temporary_type(const char *name)
{
	Oid			namespace = LookupExplicitNamespace("pg_temp", true);

	return OidIsValid(namespace) &&
		SearchSysCacheExists2(TYPENAMENSP, PointerGetDatum(name), ObjectIdGetDatum(namespace));
}

static void
drop_previous(const char *name)
{
	Oid			relid = temporary_relation(name);
	bool		is_table = OidIsValid(relid) && get_rel_relkind(relid) == RELKIND_RELATION;

	if (!is_table && (OidIsValid(relid) || is_temporary_type(name)))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("temporary object \"%s\" is not a table", name),
				 errhint("Drop it, or choose another name for the staging table.")));
	if (!is_table)
		return;
	bulk_sync_run_command(bulk_sync_deparse_drop_stage(name));
}

Oid
bulk_sync_create_stage(Oid target_oid, List *columns, char *staged_name, bool on_commit_drop)
{
	Relation	target = bulk_sync_open_target(target_oid, "target");
	char	   *name = staged_table_name(target, staged_name);
	List	   *attnos = columns_to_stage(target, columns);
	const char *sql = bulk_sync_deparse_stage(target, attnos, name, on_commit_drop);

	PreventCommandIfReadOnly("bulk_stage()");
	relation_close(target, AccessShareLock);
	drop_previous(name);
	bulk_sync_run_command(sql);
	return temporary_relation(name);
}
