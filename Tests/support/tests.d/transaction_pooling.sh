#!/usr/bin/env bash
# Can a sync go through a proxy that pools transactions? Each transaction of a client may get another server connection, on which
# others have left what they had. Stage, COPY and call in one transaction, ON COMMIT DROP, need nothing of the session: several
# clients on two server connections each sync exactly their own rows, though all of them stage under one name. Case 292
set -euo pipefail
# shellcheck source=Tests/support/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=Tests/support/sql.sh
. "$SUPPORT/sql.sh"
scratch_directory

CLIENTS=6
ROUNDS=20
database=$PGDATABASE

# pooled COMMAND...: of sql.sh, through the proxy
pooled() {
    PGHOST=$proxy PGPORT=6432 "$@"
}

# start_proxy SIZE: pools of that many server connections, behind a unix socket in a directory of its own
start_proxy() {
    local tries
    proxy="$(mktemp -d "$SCRATCH/pXXXX")"
    cat >"$proxy/pgbouncer.ini" <<INI
[databases]
$database = host=$PGHOST port=$PGPORT user=$PGUSER application_name=pooled
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = $proxy
pidfile = $proxy/pid
logfile = $proxy/log
auth_type = any
pool_mode = transaction
default_pool_size = $1
INI
    # The proxy refuses to run as root, as the server does.
    chmod 755 "$proxy"
    if [ "$(id -u)" -eq 0 ]; then
        chown "$(as_server_user id -u)" "$proxy"
    fi
    as_server_user /usr/sbin/pgbouncer --quiet --daemon "$proxy/pgbouncer.ini" || { cat "$proxy/log" >&2; die 'pgbouncer does not start'; }
    for ((tries = 0; tries < 300; tries++)); do
        [ "$(pooled run "$database" 'select 1')" != 1 ] || return 0
        sleep 0.1
    done
    cat "$proxy/log" >&2
    die 'pgbouncer does not answer'
}

# stop_proxy DIRECTORY: at once, with its connections
stop_proxy() {
    local pid tries
    pid="$(cat "$1/pid" 2>/dev/null)" || return 0
    kill "$pid"
    for ((tries = 0; tries < 300; tries++)); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    die 'pgbouncer does not stop'
}

# of_client NUMBER: what a client sends in one connection; its rows move on by one and change in each round, so that a round that
# was lost, or that had another's rows, shows in the counts
of_client() {
    local round
    for ((round = 1; round <= ROUNDS; round++)); do
        cat <<SQL
begin;
select bulk_stage('target', '{k,v}', on_commit_drop => true) \\g /dev/null
insert into served values ($1, pg_backend_pid());
copy target_staged from stdin;
$(for ((k = round; k < round + 50; k++)); do printf '%s\t%s in %s\n' "$(($1 * 1000 + k))" "$1" "$round"; done)
\\.
select * from bulk_sync('target', 'target_staged', scope_values => '{"g": $1}', expected_rows => 50);
commit;
SQL
    done
}

run "$database" "create extension bulk_sync;
    create table target (k int primary key, g int not null, v text);
    create table served (client int, backend int)" >/dev/null
start_proxy 2
at_exit stop_proxy "$proxy"

# 1. All clients at once.
wanted="50|50|0|0|0|0$(for ((round = 2; round <= ROUNDS; round++)); do printf '\n50|1|49|0|0|1'; done)"
clients=()
for ((client = 1; client <= CLIENTS; client++)); do
    of_client "$client" >"$SCRATCH/$client.sql"
    (pooled run "$database" "$(cat "$SCRATCH/$client.sql")" >"$SCRATCH/$client.out") &
    clients+=($!)
done
wait "${clients[@]}"
for ((client = 1; client <= CLIENTS; client++)); do
    [ "$(cat "$SCRATCH/$client.out")" = "$wanted" ] || { cat "$SCRATCH/$client.out" >&2; die "client $client was told otherwise"; }
done
expect "$database" "$((CLIENTS * 50))|$CLIENTS" "select count(*), count(distinct g) from target
     where k between g * 1000 + $ROUNDS and g * 1000 + $((ROUNDS + 49)) and v = g || ' in $ROUNDS'"
expect "$database" $((CLIENTS * 50)) 'select count(*) from target'
# It was as it was meant to be: few connections served them all.
expect "$database" "$((CLIENTS * ROUNDS))|t" 'select count(*), count(distinct backend) between 1 and 2 from served'
expect "$database" 0 "select count(*) from pg_class where relpersistence = 't'"
stop_proxy "$proxy"

# 2. On a single connection: what others leave on it. A table that was staged outside of a transaction is still there for whoever
# comes next, and the next one's rows are nevertheless its own.
start_proxy 1
at_exit stop_proxy "$proxy"
pooled expect "$database" target_staged "select bulk_stage('target')"
pooled expect "$database" '' "insert into target_staged select 1000 + k, 1, 'of somebody else' from generate_series(1, 100) as k"
pooled expect "$database" 'ERROR:  42P07' 'create temporary table target_staged (k int)'
pooled expect "$database" 'target_staged
50|0|50|0|0|0' "begin; select bulk_stage('target', '{k,v}', on_commit_drop => true);
    insert into target_staged select 1019 + k, 'again' from generate_series(1, 50) as k;
    select * from bulk_sync('target', 'target_staged', scope_values => '{\"g\": 1}', expected_rows => 50); commit"
expect "$database" 0 "select count(*) from pg_class where relpersistence = 't'"
expect "$database" "50|0" "select count(*) filter (where v = 'again'), count(*) filter (where v like '%else') from target where g = 1"

# A call that is refused, and a transaction that is given up, leave nothing to the next one.
stage="begin; select bulk_stage('target', '{k,v}', on_commit_drop => true) \\g /dev/null"
pooled expect "$database" 'ERROR:  SY002' "$stage
    select * from bulk_sync('target', 'target_staged', scope => 'true'); commit"
pooled expect "$database" 'ERROR:  42P01' "select * from bulk_sync('target', 'target_staged', scope => 'true')"
pooled expect "$database" '0|0|0|0|0|50' "$stage
    select * from bulk_sync('target', 'target_staged', scope => 'g = 1', allow_empty => true); rollback"
expect "$database" 50 'select count(*) from target where g = 1'

# Settings are for the transaction: SET LOCAL, on a connection that has or has not got the library.
pooled expect "$database" '64kB
0|0|0|0|0|50' "$stage
    set local bulk_sync.work_mem = '64kB'; show bulk_sync.work_mem;
    select * from bulk_sync('target', 'target_staged', scope => 'g = 1', allow_empty => true, dry_run => true); commit"
pooled expect "$database" -1 'show bulk_sync.work_mem'

# 3. A client that vanishes while it copies: its transaction is over, its staged table gone, and the next one is served.
{ printf '%s\ncopy target_staged from stdin;\n1\tx\n' "$stage"; while sleep 0.1; do printf '2\tx\n' || exit; done; } 2>/dev/null |
    PGHOST=$proxy PGPORT=6432 PGAPPNAME=vanishing psql -X -q -d "$database" >/dev/null 2>&1 &
copying="select count(*) from pg_stat_activity where query like 'copy target_staged%' and state in ('active', 'idle in transaction') and datname = '$database'"
wait_for "$database" 1 "$copying"
# The last of the pipeline is psql.
kill -9 $!
wait_for "$database" 0 "$copying"
wait_for "$database" 0 "select count(*) from pg_class where relpersistence = 't'"
pooled expect "$database" '50|50' "select count(*), count(*) filter (where v = 'again') from target where g = 1"
pooled expect "$database" '1|1|0|0|0|50' "$stage
    insert into target_staged values (1, 'last');
    select * from bulk_sync('target', 'target_staged', scope_values => '{\"g\": 1}'); commit"
