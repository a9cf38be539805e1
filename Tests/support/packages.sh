# shellcheck shell=bash
# Which Debian packages are needed, and are they here? Sourced by lib.sh.

# util-linux has setpriv, binutils (in build-essential) has nm.
PACKAGES=(build-essential git libcurl4 libpq-dev openssl pgbouncer pkg-config postgresql-15 postgresql-client-15 postgresql-server-dev-15
    python3 python3-pip shellcheck util-linux)

package_is_installed() {
    [ "$(dpkg-query -W -f '${Status}' "$1" 2>/dev/null)" = 'install ok installed' ]
}

setup_packages() {
    local package missing=()
    command -v dpkg-query >/dev/null || die 'this needs a Debian system; elsewhere use make installcheck PG_CONFIG=...'
    for package in "${PACKAGES[@]}"; do
        package_is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0

    if [ "$(id -u)" -ne 0 ]; then
        say 'packages are missing; as root run'
        say "    apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
        exit 1
    fi
    say "installing ${missing[*]}"
    apt_get update
    if [[ " ${missing[*]} " == *' pgbouncer '* ]]; then
        install_without_service pgbouncer
    fi
    if package_is_installed postgresql-15; then
        apt_get install "${missing[@]}"
    else
        install_without_cluster "${missing[@]}"
    fi
}

# What apt has to say is of interest only when it fails.
apt_get() {
    local output
    output="$(DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
        "$@" 2>&1 </dev/null)" || { say "$output"; die "apt-get $1 failed"; }
}

# The proxy's package starts a proxy, now and with the machine; the tests start their own. Services are not started while there
# is such a policy, and one that the machine has (as containers have) is left as it is.
install_without_service() {
    local service=$1 policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        at_exit remove_policy "$policy"
        printf '#!/bin/sh\n# bulk_sync: while packages are installed\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    apt_get install "$service"
    remove_policy "$policy"
    if [ -d /run/systemd/system ]; then
        systemctl --quiet disable "$service.service" >/dev/null 2>&1 || true
    fi
}

# remove_policy FILE: ours alone
remove_policy() {
    if grep -qs '^# bulk_sync:' "$1"; then
        rm -f "$1"
    fi
}

# The server's package creates and starts a cluster unless postgresql-common, installed before it, is told not to. The
# tests have no use for that cluster. The setting is put back: it is the machine's, not ours.
install_without_cluster() {
    local setting=/etc/postgresql-common/createcluster.conf
    apt_get install postgresql-common
    cp -p "$setting" "$setting.bulk_sync"
    at_exit mv -f "$setting.bulk_sync" "$setting"
    echo 'create_main_cluster = false' >>"$setting"
    apt_get install "$@"
}
