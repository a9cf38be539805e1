# shellcheck shell=bash
# How is a throw-away Citus cluster started? Sourced, after lib.sh, by what needs one:
#
#     use_given_installation PG_CONFIG   a private copy of that installation, with the extension in it: PG_CONFIG and PATH
#     has_citus PG_CONFIG                can a server of that installation have Citus?
#     start_citus N [setting=value...]   N nodes (1 or more), all of which hold shards; the coordinator is the current server
#     citus_database NAME                a new database of that name on each node, made a cluster of its own
#
# Nodes speak to each other through their unix sockets: Citus hands the name of a node to libpq as it is, and the name may be
# that of a directory. Afterwards CITUS_NODES holds these names, the coordinator's first.

has_citus() {
    [ -e "$("$1" --sharedir)/extension/citus.control" ]
}

# What lies beside the installation and beside that is linked, because its libraries may be found by a relative path (the
# wheels have theirs in a folder of its own).
use_given_installation() {
    local bin prefix version copy level
    bin="$(cd "$("$1" --bindir)" && pwd -P)"
    prefix="${bin%/*}"
    version="$("$1" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')"
    scratch_directory
    copy="$SCRATCH/given"
    case "$(cd "$("$1" --sharedir)" && pwd -P)" in
    "$prefix"/*)
        level="$copy/one/two"
        mkdir -p "$level"
        ln -s "$(dirname "$(dirname "$prefix")")"/* "$copy/one/" 2>/dev/null || true
        ln -s "$(dirname "$prefix")"/* "$level/" 2>/dev/null || true
        rm -f "$level/$(basename "$prefix")"
        cp -a "$prefix" "$level/"
        chmod -R a+rX "$level/$(basename "$prefix")"
        PG_CONFIG="$level/$(basename "$prefix")/bin/pg_config"
        ;;
    *)
        copy_from_debian "$version" "$copy"
        PG_CONFIG="$copy/lib/postgresql/$version/bin/pg_config"
        ;;
    esac
    ORIGINAL_PATH="${ORIGINAL_PATH:-$PATH}"
    export PG_CONFIG PATH="${PG_CONFIG%/*}:$ORIGINAL_PATH"
    install_extension "$version" "$copy"
}

start_citus() {
    local count=$1 node nodes=()
    shift
    # A shard count that leaves several shards on each node, without making every call a hundred tasks
    for ((node = 0; node < count; node++)); do
        start_cluster shared_preload_libraries=citus max_connections=200 citus.shard_count=6 \
            citus.enable_statistics_collection=off citus.show_shards_for_app_name_prefixes='*' \
            citus.override_table_visibility=off deadlock_timeout=200ms "$@"
        nodes+=("$SERVER_DATA")
    done
    use_server "${nodes[0]}"
    CITUS_NODES="${nodes[*]%/data}"
    export CITUS_NODES
    make_citus postgres
}

citus_database() {
    local node
    for node in $CITUS_NODES; do
        psql -X -q -h "$node" -d postgres -c "create database $1 template template0"
    done
    make_citus "$1"
}

# make_citus DATABASE: there on each node
make_citus() {
    local node
    for node in $CITUS_NODES; do
        psql -X -q -h "$node" -d "$1" -v ON_ERROR_STOP=1 -c 'create extension citus' >/dev/null
    done
    for node in $CITUS_NODES; do
        if [ "$node" = "$PGHOST" ]; then
            psql -X -q -d "$1" -v ON_ERROR_STOP=1 -c "select citus_set_coordinator_host('$node', $PGPORT)" >/dev/null
        else
            psql -X -q -d "$1" -v ON_ERROR_STOP=1 -c "select citus_add_node('$node', $PGPORT)" >/dev/null
        fi
    done
    psql -X -q -d "$1" -v ON_ERROR_STOP=1 -c "select citus_set_node_property('$PGHOST', $PGPORT, 'shouldhaveshards', true)" \
        -c 'create extension bulk_sync' >/dev/null
}
