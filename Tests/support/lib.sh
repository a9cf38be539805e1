# shellcheck shell=bash
# What the scripts of this repository share: packages, PostgreSQL installations, throw-away servers. Bash, to be sourced.
#
#     set -euo pipefail
#     . "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
#     setup_packages                         # installs what is missing when root, else names the command and exits
#     start_server 15                        # or 16, 18; settings may follow: start_server 18 work_mem=1GB 'port=5433'
#     psql -c 'create extension bulk_sync' -c 'select bulk_sync_version()'
#
# start_server builds the extension, installs it into a private copy of that PostgreSQL version and starts a new cluster
# (superuser "postgres", no password, C.UTF-8, fsync off, a unix socket and no TCP). The extension's files are installed;
# CREATE EXTENSION is left to the caller. These are exported afterwards:
#
#     PGHOST PGPORT PGUSER PGDATABASE   for psql, libpq and pg_regress; the database is "postgres"
#     PG_CONFIG                         of the private copy: "$("$PG_CONFIG" --bindir)/pgbench", make PG_CONFIG=...
#     PATH                              begins with the copy's bin directory: psql, pgbench, pg_dump of that version
#     SERVER_DATA SERVER_LOG            the data directory and the server's log
#
# Further calls:
#     start_server ... again            a second server beside the first (same version: nothing is built again); the
#                                       variables speak of the newest one
#     start_cluster [--option] [setting=value]
#                                       a new cluster of the current installation (PG_CONFIG); options are initdb's
#     start_standby                     a hot standby of the current server, made current
#     use_server DATA_DIRECTORY         makes an earlier server current again (its SERVER_DATA)
#     restart_server [setting=value]    restarts the current server with further settings
#     stop_server                       stops the current server (all are stopped, and everything is removed, on exit)
#     scratch_directory                 sets SCRATCH, a directory that the server's user can read, removed on exit
#     use_installation VERSION          what start_server does before it starts anything: PG_CONFIG and PATH
#     at_exit COMMAND...                runs the command on exit, before the servers are stopped
#     data_in_memory                keeps the data of servers that are started from now on in memory, if there is plenty
#     say TEXT / die TEXT               message to standard error / and exit 1
#
# start_server fails (returns 1) when the extension does not build, and shows the compiler's output. A script that was
# itself started with a running server in its environment (tests.d) may source this and go on with that server.
#
# Nothing is written outside .build (cache of downloaded servers, test output) and a directory below ${TMPDIR:-/tmp}, or
# one in /dev/shm for data_in_memory.

[ -n "${BULK_SYNC_LIB:-}" ] && return 0
BULK_SYNC_LIB=1

SUPPORT="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
REPOSITORY="$(cd "$SUPPORT/../.." && pwd)"

# The make that called us must not pass its own flags and variables on to the builds that we start.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
# Nor may the caller's connection settings decide which server is tested, unless they are start_server's own.
[ -n "${BULK_SYNC_SERVER:-}" ] || unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGPASSFILE PGSERVICE PGSERVICEFILE PGOPTIONS PGDATA PGSSLMODE \
    PGCLIENTENCODING PGTZ PGDATESTYLE PG_CONFIG

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "error: $*"
    exit 1
}

EXIT_COMMANDS=()

at_exit() {
    EXIT_COMMANDS=("$(printf '%q ' "$@")" "${EXIT_COMMANDS[@]}")
}

run_exit_commands() {
    local status=$? command directory
    trap - EXIT
    set +e
    for command in "${EXIT_COMMANDS[@]}"; do
        eval "$command"
    done
    stop_all_servers
    for directory in "${SCRATCH:-}" "${DATA_IN_MEMORY:-}"; do
        [ -z "$directory" ] || rm -rf "$directory"
    done
    exit "$status"
}

trap run_exit_commands EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The directory is short because a socket's path may not exceed 107 bytes.
scratch_directory() {
    [ -n "${SCRATCH:-}" ] && return 0
    SCRATCH="$(mktemp -d "${TMPDIR:-/tmp}/bulk_sync.XXXXXX")"
    chmod 755 "$SCRATCH"
}

# shellcheck source=Tests/support/packages.sh
. "$SUPPORT/packages.sh"
# shellcheck source=Tests/support/installation.sh
. "$SUPPORT/installation.sh"
# shellcheck source=Tests/support/server.sh
. "$SUPPORT/server.sh"
