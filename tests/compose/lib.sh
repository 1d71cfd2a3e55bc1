# What the tests of docker-compose.yml share: a copy of the checkout to work in, tokens, requests,
# waits. Sourced, never run.
#
# Works under a project name of its own and removes what it made.
# shellcheck shell=bash disable=SC2034  # what is set here is used by those who source it

set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
[[ -z ${1:-} ]] || export DOCKER_HOST=$1
export COMPOSE_PROJECT_NAME=pgfeed-test-$$
export PGFEED_PORT=$((20000 + RANDOM % 10000)) PGFEED_ADDRESS=127.0.0.1
url=http://$PGFEED_ADDRESS:$PGFEED_PORT
# As Docker's own builder is the only one that Compose 1 uses unless told.
export DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1

if docker compose version >/dev/null 2>&1; then
    compose() { docker compose "$@"; }
else
    compose() { docker-compose "$@"; }
fi

work=$(mktemp -d /tmp/pgfeed-compose.XXXXXX)
finish() {
    local status=${1:-$?}
    trap - EXIT
    if ((status)); then compose logs --tail 30 || true; fi
    compose down -v --remove-orphans >/dev/null 2>&1 || true
    rm -rf "$work"
    ((status == 0)) || echo "FAILED after $passed checks" >&2
    exit "$status"
}
passed=0
trap finish EXIT
trap 'exit 130' INT TERM

step() { printf '\n# %s (%d s)\n' "$*" "$SECONDS"; }
ok() {
    passed=$((passed + 1))
    printf 'ok %d - %s\n' "$passed" "$*"
}
fail() {
    printf 'not ok - %s\n' "$*"
    exit 1
}
is() { if [[ $2 == "$3" ]]; then ok "$1"; else fail "$1: $2 is not $3"; fi; }
# Once for all when a check is repeated.
always() {
    local what=$1 wanted=$2 times=$3 found
    shift 3
    while ((times-- > 0)); do
        found=$("$@") || true
        [[ $found == "$wanted" ]] || fail "$what: $found is not $wanted"
    done
    ok "$what"
}
# Until a command prints what is wanted.
eventually() {
    local what=$1 wanted=$2 tries found=
    shift 2
    for ((tries = 0; tries < 120; tries++)); do
        found=$("$@" 2>/dev/null) || found=
        [[ $found != "$wanted" ]] || break
        sleep 0.5
    done
    is "$what" "$found" "$wanted"
}
isnt() { if [[ $2 != "$3" ]]; then ok "$1"; else fail "$1: still $2"; fi; }

# ---------------------------------------------------------------------- tools

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# A token of a role and a user, signed with what is in secrets/ now.
token() {
    local text
    text=$(printf '{"alg":"HS256","typ":"JWT"}' | base64url).$(
        printf '{"role":"%s","sub":"%s","exp":%d}' "$1" "$2" $((EPOCHSECONDS + 3600)) | base64url
    )
    printf '%s.%s' "$text" "$(
        printf %s "$text" | openssl dgst -sha256 -hmac "$(<secrets/jwt_secret)" -binary | base64url
    )"
}

# The status of a user's request, its body in $work/body.
request() {
    curl -s -o "$work/body" -w '%{http_code}' --max-time 30 \
        -H "Authorization: Bearer $(token authenticated "$user")" "$@"
}

# The user's feed at one moment, so that two are equal whenever they are asked for.
feed_ids() {
    curl -sf --max-time 30 -H "Authorization: Bearer $(token service_role "$user")" \
        "$url/api/v1/feed?user_uid=$user&as_of=$as_of&limit=20&select=listing_id" \
        | grep -o '[0-9a-f-]\{36\}'
}

sql() { compose exec -T database psql -XAtq -v ON_ERROR_STOP=1 -c "$1"; }

container() { compose ps -q "$1"; }

is_healthy() {
    [[ $(docker inspect -f '{{.State.Health.Status}}' "$(container "$1")" 2>/dev/null) == healthy ]]
}

# Until the service is healthy and the gateway answers.
wait_for() {
    local tries service
    for ((tries = 0; tries < 180; tries++)); do
        for service in database postgrest gateway; do is_healthy "$service" || continue 2; done
        ! curl -sf -o /dev/null --max-time 5 "$url/healthz" || return 0
        sleep 1
    done 2>/dev/null
    fail "nothing answers at $url/healthz after $tries tries"
}

up() {
    compose up -d >>"$work/up.log" 2>&1 || {
        tail -n 40 "$work/up.log"
        fail "compose up"
    }
    for ((tries = 0; tries < 180; tries++)); do
        is_healthy gateway && break
        sleep 1
    done
    wait_for
}

# The process itself dies, not its container's init: what a crash looks like to Docker.
crash() {
    local restarts=0
    # The container may be gone before this shell in it has ended.
    # shellcheck disable=SC2016  # for the inner shell
    compose exec -T "$1" bash -c 'read -r pid _ </proc/1/task/1/children; kill -KILL "$pid"' || true
    for ((tries = 0; tries < 60; tries++)); do
        restarts=$(docker inspect -f '{{.RestartCount}}' "$(container "$1")")
        ((restarts == 0)) || break
        sleep 0.5
    done
    ((restarts > 0)) || fail "Docker did not start $1 again"
    wait_for
}

# ---------------------------------------------------------------------- from nothing

enter_copy() {
    step "a copy of the checkout in $work"
    mkdir "$work/checkout"
    (
        cd "$repository"
        git -c safe.directory='*' ls-files -z -co --exclude-standard \
            | while IFS= read -rd '' file; do [[ ! -f $file ]] || printf '%s\0' "$file"; done \
            | tar -c --null -T - | tar -xC "$work/checkout"
    )
    cd "$work/checkout"
    bin/secrets
}

build() {
    step "compose build"
    compose build >"$work/build.log" 2>&1 || {
        tail -n 60 "$work/build.log"
        fail "compose build"
    }
    ok "the images build"
    docker images --filter reference='pgfeed/*' --format '  {{.Repository}} {{.Size}}'
}

# A small world, one of its users, and their feed at one moment.
synthesize() {
    step "a synthetic world"
    compose run --rm -T migration bin/pgfeed synth --scale tiny 2>&1 | tail -n 1
    compose run --rm -T migration bin/pgfeed train 2>&1 | tail -n 3
    user=$(sql "select u.user_uid from feed.users as u
        inner join feed.user_listing_states using (user_no)
        where u.location is not null group by u.user_uid order by count(*) desc, 1 limit 1")
    as_of=$(sql "select to_char(now() + interval '1 minute', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
    feed=$(feed_ids)
    is "a feed through the gateway" "$(wc -l <<<"$feed")" 20
    first=$(head -n 1 <<<"$feed")
}
