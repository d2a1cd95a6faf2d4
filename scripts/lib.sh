# shellcheck shell=bash
# What the scripts here share; to be sourced by them.

set -euo pipefail
export LC_ALL=C.UTF-8
export PATH="$PATH:/usr/sbin:/sbin"

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
export ROOT

CAPABILITIES=()
for file in "$ROOT"/modules/*/ngx_http_azora_*_module.c; do
    [[ -f $file ]] && CAPABILITIES+=("$(basename "$(dirname "$file")")")
done
unset file


say() {
    printf '%s\n' "$*"
}


warn() {
    printf 'azora: %s\n' "$*" >&2
}


die() {
    warn "$*"
    exit 1
}


hash_of() {
    printf '%s' "$*" | sha256sum | cut -c1-10
}


# Many tools (NGINX's configure, libpq's conninfo, configuration files) have
# their own ideas about blanks and quotes, so such paths get a short alias.
is_plain_path() {
    [[ $1 =~ ^[A-Za-z0-9._/@+=,:-]+$ && $1 != *,* && $1 != *:* ]]
}


# A directory with a short plain name for what cannot live under a long one:
# Unix sockets hold at most 107 bytes.  $1 what for, $2 the path it stands for.
short_dir() {
    local base=${XDG_RUNTIME_DIR:-/tmp} mode=0700 dir

    if ((EUID == 0)); then
        # workers and PostgreSQL run as other users and must get through
        base=/run
        mode=0711
    fi

    is_plain_path "$base" && ((${#base} < 60)) || base=/tmp
    [[ -d $base && -w $base ]] || base=/tmp
    dir=$base/azora-$1-$EUID-$(hash_of "$2")

    if ! mkdir -m "$mode" "$dir" 2>/dev/null; then
        # anybody may create names in /tmp: trust only what is our own
        [[ -d $dir && ! -L $dir && -O $dir ]] \
            || die "$dir exists but is not yours; remove it or set" \
                   "XDG_RUNTIME_DIR"
    fi

    printf '%s\n' "$dir"
}


# The checkout under a name that NGINX's configure can stand.
plain_root() {
    local dir

    if is_plain_path "$ROOT"; then
        printf '%s\n' "$ROOT"
        return
    fi

    dir=$(short_dir src "$ROOT")
    ln -sfn "$ROOT" "$dir/tree"
    printf '%s\n' "$dir/tree"
}


need() {
    local tool

    for tool in "$@"; do
        command -v "$tool" >/dev/null 2>&1 \
            || die "$tool is missing; scripts/packages installs it"
    done
}
