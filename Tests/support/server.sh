# shellcheck shell=bash
# How is a throw-away server started and stopped? Sourced by lib.sh.

SERVERS=()

# The server refuses to run as root.
as_server_user() {
    local user=postgres
    if [ "$(id -u)" -ne 0 ]; then
        "$@"
        return
    fi
    id "$user" >/dev/null 2>&1 || user=nobody
    (cd / && setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups env HOME=/ "$@")
}

# start_server VERSION [setting=value...]
start_server() {
    local version=$1
    shift
    use_installation "$version" || return 1
    start_cluster "$@"
}

# start_cluster [--initdb-option...] [setting=value...]: a new cluster of the current installation.
start_cluster() {
    local options=()
    while [[ ${1:-} == --* ]]; do
        options+=("$1")
        shift
    done
    make_cluster "${options[@]}"
    launch_server "$@"
}

# make_cluster [initdb option...]: a data directory of the current installation, in SERVER_DATA, for launch_server.
make_cluster() {
    new_server_directory
    as_server_user "${PG_CONFIG%/*}/initdb" --pgdata="$SERVER_DATA" --username=postgres --auth=trust --no-sync --no-instructions \
        --encoding=UTF8 --locale=C.UTF-8 "$@" >"$SCRATCH/initdb.log" 2>&1 ||
        { cat "$SCRATCH/initdb.log" >&2; die 'initdb failed'; }
}

# start_standby [setting=value...]: a hot standby of the current server, made current.
start_standby() {
    local primary=$PGHOST
    new_server_directory
    as_server_user "${PG_CONFIG%/*}/pg_basebackup" --host="$primary" --port="$PGPORT" --username=postgres --pgdata="$SERVER_DATA" \
        --no-sync --checkpoint=fast --write-recovery-conf >&2 || die 'pg_basebackup failed'
    launch_server "$@"
}

# data_in_memory: clusters that are started from now on, by scripts too, live in memory where there is plenty of it. The tests
# make and drop thousands of tables and hundreds of databases, and the files of them are much of the work. Not for what
# measures, nor for what crashes servers.
data_in_memory() {
    local memory=/dev/shm free available
    [ -z "${BULK_SYNC_DATA:-}" ] && [ "$(stat -f -c %T "$memory" 2>/dev/null)" = tmpfs ] || return 0
    free="$(df -k --output=avail "$memory" | tail -n 1)"
    available="$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)"
    [ "$free" -ge $((8 << 20)) ] && [ "$available" -ge $((12 << 20)) ] || return 0
    DATA_IN_MEMORY="$(mktemp -d "$memory/bulk_sync.XXXXXX" 2>/dev/null)" || return 0
    chmod 755 "$DATA_IN_MEMORY"
    export BULK_SYNC_DATA="$DATA_IN_MEMORY"
}

# Each server has a directory of its own, with the socket in it, so that all can have the same port.
new_server_directory() {
    local directory
    scratch_directory
    directory="$(mktemp -d "${BULK_SYNC_DATA:-$SCRATCH}/sXXXX")"
    chmod 755 "$directory"
    if [ "$(id -u)" -eq 0 ]; then
        chown "$(as_server_user id -u)" "$directory"
    fi
    SERVER_DATA="$directory/data"
}

launch_server() {
    {
        echo "listen_addresses = ''"
        echo "unix_socket_directories = '${SERVER_DATA%/data}'"
        echo 'fsync = off'
        echo 'autovacuum = on'
        echo "log_line_prefix = '%m [%p] %q%a '"
    } | as_server_user tee -a "$SERVER_DATA/postgresql.conf" >/dev/null
    use_server "$SERVER_DATA"
    SERVERS+=("$SERVER_DATA:${PG_CONFIG%/*}")
    apply_settings "$@"
    run_server
}

# The values are written as given, in single quotes: any setting accepts that.
apply_settings() {
    local setting
    for setting in "$@"; do
        printf "%s = '%s'\n" "${setting%%=*}" "${setting#*=}"
    done | as_server_user tee -a "$SERVER_DATA/postgresql.conf" >/dev/null
}

run_server() {
    as_server_user "${PG_CONFIG%/*}/pg_ctl" --pgdata="$SERVER_DATA" --log="$SERVER_LOG" --silent --wait start >&2 ||
        { cat "$SERVER_LOG" >&2; die 'the server does not start'; }
}

restart_server() {
    apply_settings "$@"
    halt_server
    run_server
}

# halt_server: the current server shuts down cleanly and keeps its data.
halt_server() {
    as_server_user "${PG_CONFIG%/*}/pg_ctl" --pgdata="$SERVER_DATA" --silent --wait --mode=fast stop >&2
}

# use_server DATA_DIRECTORY
use_server() {
    SERVER_DATA=$1
    SERVER_LOG="${SERVER_DATA%/data}/log"
    export SERVER_DATA SERVER_LOG BULK_SYNC_SERVER=1
    export PGHOST="${SERVER_DATA%/data}" PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
}

stop_server() {
    local server kept=()
    for server in "${SERVERS[@]}"; do
        if [ "${server%%:*}" = "$SERVER_DATA" ]; then
            stop_one_server "$server"
        else
            kept+=("$server")
        fi
    done
    SERVERS=("${kept[@]}")
}

stop_all_servers() {
    local server
    for server in "${SERVERS[@]}"; do
        stop_one_server "$server"
    done
    SERVERS=()
}

# The data is thrown away, so that there is nothing to shut down cleanly for.
stop_one_server() {
    local data=${1%%:*} bin=${1#*:}
    as_server_user "$bin/pg_ctl" --pgdata="$data" --silent --wait --mode=immediate stop >/dev/null 2>&1 || true
    rm -rf "${data%/data}"
}
