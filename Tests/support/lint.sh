#!/usr/bin/env bash
# Do all sources keep to the style? Says what does not.
set -euo pipefail
# shellcheck source=Tests/support/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$REPOSITORY"

STATUS=0

# complain TITLE: fails the run if standard input has any lines.
complain() {
    local lines
    lines="$(cat)"
    [ -n "$lines" ] || return 0
    printf '%s:\n%s\n' "$1" "$lines" >&2
    STATUS=1
}

# grep, for which finding nothing is no failure.
lines_with() {
    grep -n "$@" /dev/null || true
}

# Files of the repository, be they added to git or not; in an unpacked archive all of them.
files() {
    git ls-files --cached --others --exclude-standard 2>/dev/null || find . -type f -not -path './.build/*' -printf '%P\n'
}

present() {
    files | sort -u | while IFS= read -r file; do
        if [ -f "$file" ]; then
            echo "$file"
        fi
    done
}

lint_swift() {
    if command -v swift >/dev/null; then
        swift format lint --strict --parallel --recursive Package.swift Sources Tests || STATUS=1
    else
        echo 'swift is not installed' | complain 'swift format'
    fi
}

lint_shell() {
    local scripts
    mapfile -t scripts < <(present | while IFS= read -r file; do
        case $file in
        *.sh) echo "$file" ;;
        *) head -n 1 "$file" | tr -d '\0' | grep -qE '^#!.*\b(ba)?sh\b' && echo "$file" ;;
        esac
    done || true)
    if command -v shellcheck >/dev/null; then
        # Optional arguments of functions are no mistake.
        shellcheck --external-sources --exclude=SC2119,SC2120 "${scripts[@]}" || STATUS=1
    else
        echo 'shellcheck is not installed' | complain 'shell scripts'
    fi
}

# What the test drivers write is compared byte by byte, and kept as PostgreSQL wrote it.
text_files() {
    present | grep -vE '^Tests/(regress|isolation)/expected/|\.(png|gz|bin)$'
}

lint_text() {
    local listed
    mapfile -t listed < <(text_files)
    lines_with -E '[[:space:]]+$' "${listed[@]}" | complain 'white space at the end of a line'
    lines_with -P '^ +\t' "${listed[@]}" | complain 'spaces before a tab'
    for file in "${listed[@]}"; do
        if [ -s "$file" ] && [ -n "$(tail -c 1 "$file")" ]; then
            echo "$file"
        fi
    done | complain 'no newline at the end of the file'
}

# pgindent's look has tabs of four columns. Versions are told apart in one file.
lint_c() {
    local sources
    mapfile -t sources < <(present | grep -E '^extension/.*\.[ch]$')
    lines_with -E '^ {4}' "${sources[@]}" | complain 'C indented by spaces'
    mapfile -t sources < <(printf '%s\n' "${sources[@]}" | grep -v '/compat\.h$')
    lines_with PG_VERSION_NUM "${sources[@]}" | complain 'PG_VERSION_NUM outside of extension/compat.h'
}

lint_swift
lint_shell
lint_text
lint_c
exit "$STATUS"
