# shellcheck shell=bash
# What does a server answer, and is it what it should? Sourced, after lib.sh, by scripts that ask one from the outside:
#
#     run DATABASE SQL                its output, or the SQLSTATE that ended it; each statement is a transaction unless SQL says
#                                     otherwise
#     expect DATABASE WANTED SQL      fails unless run gives that
#     wait_for DATABASE WANTED SQL    the same, as soon as it is so, for half a minute
#     same WHAT GOT WANTED            fails unless the two are the same
#
# and one session that stays, with its transaction and with what it has loaded:
#
#     open_session DATABASE
#     in_session SQL                  what run would give; an error does not end the session
#     in_session_gives WANTED SQL     fails unless in_session gives that
#     send SQL / answer               the two halves of in_session, for what has to wait for something else
#
# The server is that of PGHOST and its like; another one is asked by: PGUSER=somebody run ...

run() {
    psql -X -q -A -t -v VERBOSITY=sqlstate -v ON_ERROR_STOP=1 -d "$1" <<<"$2" 2>&1 || true
}

same() {
    [ "$2" = "$3" ] || die "$1
    should give: $3
    gives:       $2"
}

expect() {
    same "$3" "$(run "$1" "$3")" "$2"
}

wait_for() {
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        [ "$(run "$1" "$3")" != "$2" ] || return 0
        sleep 0.1
    done
    expect "$1" "$2" "$3"
}

open_session() {
    coproc SESSION { psql -X -q -A -t -v VERBOSITY=sqlstate -d "$1" 2>&1; }
}

in_session() {
    send "$1"
    answer
}

# Nothing is what a session gives that does not answer, too: hence the variable, whose assignment fails.
in_session_gives() {
    local got
    got="$(in_session "$2")"
    same "in the session, $2" "$got" "$1"
}

send() {
    printf '%s;\n\\echo end of answer\n' "$1" >&"${SESSION[1]}"
}

answer() {
    local line lines=()
    while IFS= read -r -t 60 line <&"${SESSION[0]}" && [ "$line" != 'end of answer' ]; do
        lines+=("$line")
    done
    [ "$line" = 'end of answer' ] || die 'the session does not answer'
    local IFS=$'\n'
    printf '%s' "${lines[*]}"
}
