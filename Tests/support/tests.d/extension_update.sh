#!/usr/bin/env bash
# Does ALTER EXTENSION bulk_sync UPDATE work? A next version is made here: one function gets an argument, one is new. At every
# moment of an upgrade (new files beside an old extension, a session that still has the old library, an updated extension, old
# files put back) a call either works or says what is wrong, and an updated extension is what a new one would be. The steps are
# those of "A new version" in extension/README.md. Cases 322 and 325
set -euo pipefail
# shellcheck source=Tests/support/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=Tests/support/sql.sh
. "$SUPPORT/sql.sh"

owner=regress_bulk_sync_owner

as_owner() {
    PGUSER=$owner run owned "$1"
}

# Every function of the extension, each of them once; the same answer whatever the library, as long as it knows them.
calls="begin;
    select bulk_stage('target');
    insert into target_staged values (1, 'a'), (2, 'y'), (4, 'd');
    select action, key, changed_columns, old, new from bulk_compare('target', 'target_staged', scope => 'true') order by action;
    select action, key, new from bulk_sync_returning('target', 'target_staged', actions => '{insert}');
    select * from bulk_sync('target', 'target_staged', scope => 'true', max_deletes => 1);
    select * from bulk_insert_changed('history', 'target_staged', '{k}', 'at');
    rollback"

# The objects of the extension in full: definitions, privileges, comments, owners.
objects="select pg_get_functiondef(p.oid), p.proacl, pg_get_userbyid(p.proowner), obj_description(p.oid, 'pg_proc'), i.initprivs
      from pg_depend as d
      join pg_extension as e on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and e.extname = 'bulk_sync' and d.deptype = 'e'
      join pg_proc as p on d.classid = 'pg_proc'::regclass and d.objid = p.oid
      left join pg_init_privs as i on i.classoid = d.classid and i.objoid = p.oid
     order by p.oid::regprocedure::text;
    select pg_describe_object(classid, objid, objsubid) from pg_depend
     where refclassid = 'pg_extension'::regclass and deptype = 'e' and classid <> 'pg_proc'::regclass and refobjid = (select oid from pg_extension where extname = 'bulk_sync');
    select extversion, extrelocatable, extconfig, extcondition, obj_description(oid, 'pg_extension') from pg_extension where extname = 'bulk_sync'"

# The version of the library that a session has loaded, as far as the server tells.
loaded="select version from pg_get_loaded_modules() where module_name = 'bulk_sync'"

own_installation
version="$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')"
start_server "$version"
library="$("$PG_CONFIG" --pkglibdir)/bulk_sync.so"
current="$(run postgres "select default_version from pg_available_extensions where name = 'bulk_sync'")"
next="$current-next"

# make_next_version DIRECTORY: a copy of the sources, with the changes
make_next_version() {
    local sources=$1
    mkdir "$sources"
    cp -r "$REPOSITORY/Makefile" "$REPOSITORY/extension" "$REPOSITORY/sql" "$sources/"
    sed -i "s/^default_version.*/default_version = '$next'/" "$sources/extension/bulk_sync.control"

    # The script for CREATE EXTENSION: as a whole, changed where it changes.
    sed -E -e '/^CREATE FUNCTION bulk_stage\(/,/;$/s/^(\ton_commit_drop boolean DEFAULT false)\)$/\1,\n\tadded_argument text DEFAULT NULL)/' \
        -e '/^COMMENT ON FUNCTION bulk_stage\(/s/boolean\)/boolean, text)/' \
        "$REPOSITORY/sql/bulk_sync--$current.sql" >"$sources/sql/bulk_sync--$next.sql"
    grep -q added_argument "$sources/sql/bulk_sync--$next.sql" || die 'bulk_stage is not declared as it was'
    cat >>"$sources/sql/bulk_sync--$next.sql" <<'SQL'

CREATE FUNCTION bulk_sync_added()
RETURNS text
AS 'MODULE_PATHNAME', 'bulk_sync_added'
LANGUAGE C STABLE PARALLEL SAFE;

COMMENT ON FUNCTION bulk_sync_added()
IS 'what the next version brings';
SQL

    # The script for UPDATE: the same text, for what is new or has changed.
    {
        echo "/* sql/bulk_sync--$current--$next.sql */"
        echo 'DROP FUNCTION bulk_stage(regclass, text[], text, boolean);'
        sed -nE -e '/^CREATE FUNCTION bulk_(stage|sync_added)\(/,/;$/p' -e '/^COMMENT ON FUNCTION bulk_(stage|sync_added)\(/,/;$/p' \
            "$sources/sql/bulk_sync--$next.sql"
    } >"$sources/sql/bulk_sync--$current--$next.sql"

    cat >"$sources/extension/added.c" <<'C'
#include "bulk_sync.h"

#include "utils/builtins.h"

BULK_SYNC_EXPORT_BEGIN
PG_FUNCTION_INFO_V1(bulk_sync_added);
BULK_SYNC_EXPORT_END

Datum
bulk_sync_added(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text("added"));
}
C
    sed -i 's/^\t\*on_commit_drop = .*/&\n\t(void) get_string(\&args, "added_argument");/' "$sources/extension/options.c"
    grep -q added_argument "$sources/extension/options.c" || die 'options.c does not read on_commit_drop as it did'
}

install_next_version() {
    mkdir "$SCRATCH/build-next"
    make -C "$SCRATCH/build-next" -f "$1/Makefile" -j "$(nproc)" --no-print-directory PG_CONFIG="$PG_CONFIG" with_llvm=no all install \
        >"$SCRATCH/build-next.log" 2>&1 || { cat "$SCRATCH/build-next.log" >&2; die 'the next version does not build'; }
}

# Databases with the extension as it is: of a superuser, and of an owner who is none. One has views on its functions, and has taken
# a function from everybody.
run postgres "create role $owner login; create database used; create database owned owner $owner; create database dependent" >/dev/null
make="create extension bulk_sync;
    create table target (k int primary key, v text);
    create table history (k int, v text, at int generated always as identity);
    insert into target values (1, 'a'), (2, 'b'), (3, 'c')"
expect used '' "$make"
expect dependent '' "$make"
same 'the owner' "$(as_owner "grant create on schema public to $owner; $make")" ''
expect used '' "create view differences as select * from bulk_compare('target', 'history', scope => 'true', columns => '{k,v}');
    revoke execute on function bulk_insert_changed from public"
expect dependent '' "create view stages as select bulk_stage('target')"
before="$(run used "$calls")"
case $before in target_staged*$'\n3|0|1|2|0|1\n3|3|0') ;; *) die "the calls give $before" ;; esac

# A session with the library at work, and the new files.
open_session used
same 'the session' "$(in_session "$calls")" "$before"
cp -p "$library" "$SCRATCH/old.so"
make_next_version "$SCRATCH/next"
install_next_version "$SCRATCH/next"

# 1. New files, old extension: nothing has changed for anybody, in whichever session, until UPDATE is said.
same 'the old session after the files are new' "$(in_session "$calls")" "$before"
expect used "$before" "$calls"
expect used "$current|t" "select bulk_sync_version(), default_version = '$next' from pg_available_extensions where name = 'bulk_sync'"
same 'the owner' "$(as_owner "$calls")" "$before"
if [ "$version" -ge 18 ]; then
    expect used "$next" "load 'bulk_sync'; $loaded"
    same 'the old library' "$(in_session "$loaded")" "$current"
fi
# Both versions can still be made.
expect postgres '' 'create database fresh_old'
expect fresh_old "$current" "create extension bulk_sync version '$current'; select bulk_sync_version()"

# 2. There is a way from every version to the newest.
expect used '' "select source from pg_extension_update_paths('bulk_sync') where target = '$next' and path is null"

# 3. UPDATE. What did not change keeps its views and privileges; what changed is refused if a view depends on it, and nothing is done.
expect used "$next" 'alter extension bulk_sync update; select bulk_sync_version()'
expect used "$before" "$calls"
expect used "added" 'select bulk_sync_added()'
expect used 'target_staged' "select bulk_stage('target', added_argument => 'x')"
expect used 'f' "select has_function_privilege('public', oid, 'execute') from pg_proc where proname = 'bulk_insert_changed'"
expect used 3 "select count(*) from differences where action = 'delete'"
expect dependent 'ERROR:  2BP01' 'alter extension bulk_sync update'
expect dependent "$current" 'select bulk_sync_version()'
expect dependent "$before" "$calls"
expect dependent "$next" 'drop view stages; alter extension bulk_sync update; select bulk_sync_version()'
same 'update by the owner' "$(as_owner 'alter extension bulk_sync update; select bulk_sync_version(), bulk_sync_added()')" "$next|added"
same 'the owner' "$(as_owner "$calls")" "$before"

# The session from before has the old library for the new declarations: it works where it knows them, else it says so.
same 'a declaration that did not change' "$(in_session "select * from bulk_sync('target', 'history', actions => '{insert}', columns => '{k,v}')")" '0|0|0|0|0|0'
same 'an unknown argument' "$(in_session "select bulk_stage('target')")" 'ERROR:  55000'
same 'an unknown function' "$(in_session 'select bulk_sync_added()')" 'ERROR:  42883'
same 'the version of the extension' "$(in_session 'select bulk_sync_version()')" "$next"
# "Connect again"
in_session $'\\connect used\n' >/dev/null
same 'the session, connected again' "$(in_session "$calls; select bulk_sync_added()")" "$before"$'\nadded'

# 4. Updated from any version that can be made, the extension is what it would be if it were new.
run postgres 'create database fresh' >/dev/null
run fresh 'create extension bulk_sync' >/dev/null
fresh="$(run fresh "$objects")"
case $fresh in *added_argument*bulk_sync_added*"$next|t|"*) ;; *) die "the objects are $fresh" ;; esac
tried=0
for from in $(run postgres "select version from pg_available_extension_versions where name = 'bulk_sync' and version <> '$next'"); do
    run postgres 'drop database if exists updated' >/dev/null
    run postgres 'create database updated' >/dev/null
    expect updated "$from|$next" "create extension bulk_sync version '$from';
        select bulk_sync_version() as v \\gset
        alter extension bulk_sync update; select :'v', bulk_sync_version()"
    same "the extension, updated from $from" "$(run updated "$objects")" "$fresh"
    tried=$((tried + 1))
done
[ "$tried" -gt 0 ] || die 'there is no older version to update from'

# 5. Old files put back under an updated extension, as by a package that is downgraded, or a standby that was forgotten.
install -m 755 "$SCRATCH/old.so" "$library"
expect used 'ERROR:  55000' "select bulk_stage('target')"
expect used 'ERROR:  42883' 'select bulk_sync_added()'
expect used '3|0|0|0|3|0' "create table staged as table target; update staged set v = upper(v);
    select * from bulk_sync('target', 'staged', scope => 'true', actions => '{insert,delete}')"
case "$(PSQLRC='' psql -X -d used -c "select bulk_stage('target')" 2>&1)" in
*"argument \"added_argument\" of function bulk_stage() is unknown to the loaded library"*"that of bulk_sync $current,"*'Connect again'*) ;;
*) die 'the old library does not say what is wrong' ;;
esac
run postgres 'create database broken' >/dev/null
expect broken 'ERROR:  42883' 'create extension bulk_sync'
expect broken 0 "select count(*) from pg_proc where proname like 'bulk%'"
