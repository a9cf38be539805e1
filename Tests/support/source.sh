# shellcheck shell=bash
# A PostgreSQL 15 built from Debian's source with checks of its own switched on. Sourced by instrumented.sh.
#
#     15-cassert    --enable-cassert: the server's assertions, freed memory overwritten
#     15-sanitize   the same with the address and undefined-behaviour sanitizers, the extension too
#     15-valgrind   the same with USE_VALGRIND, each process of the server under valgrind (memcheck)
#
# Each is built once, and kept in .build/servers beside the downloaded ones; use_installation copies it.

# shellcheck disable=SC2034 # instrumented.sh adds them to PACKAGES
SOURCE_PACKAGES=(dpkg-dev libicu-dev libxml2-dev zlib1g-dev)

# build_from_source KIND DIRECTORY
build_from_source() {
    local kind=$1 directory=$2 work="$SERVER_CACHE-source.$$" log="$SERVER_CACHE-source.$$/log" configure=() flags='-Og -g'
    mkdir -p "$work"
    at_exit rm -rf "$work"
    fetch_source "$work"
    say "building PostgreSQL $kind"
    # Debian's source installs libraries into the system's folder, over the server that is there, unless their own is named so.
    configure=(--prefix="$directory" --libdir="$directory/lib/postgresql" --enable-cassert --enable-debug --with-icu --with-libxml
        --without-readline)
    case $kind in
    *-sanitize)
        # Without recovery: a finding ends the backend, and so the test. The server itself asks for -fwrapv.
        flags='-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined'
        configure+=(LDFLAGS='-fsanitize=address,undefined')
        # configure's own programs leak.
        export ASAN_OPTIONS=$SANITIZER_OPTIONS
        ;;
    *-valgrind) flags="$flags -DUSE_VALGRIND" ;;
    esac
    (
        cd "$work/source"
        ./configure "${configure[@]}" CFLAGS="$flags"
        make -j "$(nproc)" world-bin
        # shellcheck disable=SC2016 # for make
        place="$(printf 'top_builddir = .\ninclude src/Makefile.global\nplace: ; @echo $(pkglibdir)\n' | make -s -f - place)"
        [[ "$place" == "$directory"/* ]] || { echo "libraries would go to $place"; exit 1; }
        make install-world-bin
    ) >"$log" 2>&1 || { tail -n 30 "$log" >&2; die "PostgreSQL $kind does not build"; }
    cp "$work/source/src/tools/valgrind.supp" "$directory/"
}

# The stack after return is of no use to a server that runs deep recursions; what is alive at exit is no leak to it.
SANITIZER_OPTIONS='detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=1:disable_coredump=1'

# The source of the package that Debian offers now, by lists of our own: the machine's need not have deb-src. Some mirrors
# have no sources of security updates; then it is the version before.
fetch_source() {
    local work=$1 release
    release="$(. /etc/os-release && echo "$VERSION_CODENAME")"
    say 'downloading the source of PostgreSQL 15'
    fetch_source_from "$work" "deb http://deb.debian.org/debian $release main" \
        "deb http://deb.debian.org/debian-security $release-security main" ||
        fetch_source_from "$work" "deb http://deb.debian.org/debian $release main" ||
        { tail -n 20 "$work/log" >&2; die 'the source of PostgreSQL 15 could not be downloaded'; }
    mv "$work"/postgresql-15-15.*/ "$work/source"
}

# fetch_source_from DIRECTORY ARCHIVE...
fetch_source_from() {
    local work=$1 options
    shift
    rm -rf "$work/lists"
    mkdir -p "$work/lists/partial" "$work/archives/partial"
    printf '%s\n' "${@/#deb /deb-src }" >"$work/sources.list"
    options=(-o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$work/lists"
        -o "Dir::Cache=$work" -o Dir::Cache::Archives=archives -o APT::Sandbox::User=)
    (cd "$work" && apt-get "${options[@]}" -q update && apt-get "${options[@]}" -q source postgresql-15) >"$work/log" 2>&1
}

# copy_from_source KIND COPY: the directories are relative to the executables, as in the other installations.
copy_from_source() {
    local kind=$1 copy=$2 built="$SERVER_CACHE-$1"
    # One that was built before its libraries had a place of their own is of no use
    if [ ! -d "$built" ] || [[ "$("$built/bin/pg_config" --pkglibdir)" != "$built"/* ]]; then
        rm -rf "$built" "$built.new"
        build_from_source "$kind" "$built.new"
        mv "$built.new" "$built"
    fi
    cp -a "$built" "$copy"
    chmod -R a+rX "$copy"
    case $kind in
    *-valgrind) wrap_in_valgrind "$copy" ;;
    esac
}

# Each process of the server writes a report of its own, as long as it has nothing to say that is empty.
wrap_in_valgrind() {
    local copy=$1
    mkdir -p "$SCRATCH/valgrind"
    chmod 777 "$SCRATCH/valgrind"
    mv "$copy/bin/postgres" "$copy/bin/postgres.real"
    cat >"$copy/bin/postgres" <<EOF
#!/bin/sh
case "\$1" in
-V | --version | --boot | --single | --check | -C) exec "$copy/bin/postgres.real" "\$@" ;;
esac
exec valgrind --quiet --trace-children=yes --leak-check=no --error-markers=BEGIN,END --suppressions="$copy/valgrind.supp" \\
    --time-stamp=yes --gen-suppressions=all --num-callers=25 --log-file="$SCRATCH/valgrind/%p.log" "$copy/bin/postgres.real" "\$@"
EOF
    chmod 755 "$copy/bin/postgres"
}
