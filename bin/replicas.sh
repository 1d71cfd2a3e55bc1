# The standbys of an instance, kept as PGFEED_REPLICAS says. Sourced by bin/up, whose functions it
# calls at one server after the other.
# shellcheck shell=bash disable=SC2034  # what is set here is used by bin/up and bin/lib.sh

REPLICAS=${PGFEED_REPLICAS:-0}
SYNCHRONOUS=${PGFEED_SYNCHRONOUS:-off}

# The numbers of those that should be standbys: the lowest but the primary's.
standby_members() {
    local number found=0
    for ((number = 0; found < REPLICAS; number++)); do
        if ((number != PRIMARY)); then
            printf '%s\n' "$number"
            found=$((found + 1))
        fi
    done
}

check_replicas() {
    [[ $REPLICAS =~ ^[0-9]$ ]] || die "PGFEED_REPLICAS is a number of standbys up to 9, not $REPLICAS"
    [[ $SYNCHRONOUS =~ ^(on|off)$ ]] || die "PGFEED_SYNCHRONOUS is on or off, not $SYNCHRONOUS"
    [[ $SYNCHRONOUS == off ]] || ((REPLICAS)) \
        || die "PGFEED_SYNCHRONOUS=on needs a standby: set PGFEED_REPLICAS"
    ((REPLICAS == 0)) || [[ -z ${PGFEED_PEERS:-} ]] \
        || die "PGFEED_PEERS names servers elsewhere, PGFEED_REPLICAS makes them here: set one"
    local member
    for member in $(other_members); do
        (
            use_member "$member"
            [[ -e $DATA_DIR/standby.signal || -e $MEMBER/fenced ]] \
                || die "server $member in $MEMBER is no standby, and not the primary that we know:" \
                    "bin/promote replica$member makes it the primary in every way; if it is not to" \
                    "be that, move its data away (docs/dba/replicas.md)"
        )
    done
}

on_primary() { psql -XAtq -h "$PRIMARY_SOCKET" -d postgres -v ON_ERROR_STOP=1 "$@"; }

# ---------------------------------------------------------------------- PostgreSQL

keep_standbys() {
    PRIMARY_SOCKET=$SOCKET_DIR
    local member
    for member in $(standby_members); do
        (use_member "$member" && keep_standby "replica$member")
    done
}

keep_standby() {
    local slot=$1
    make_member_folders
    if [[ $(on_primary -c "select wal_status from pg_replication_slots where slot_name = '$slot'") \
        == lost ]]; then
        say "$slot was away for too long: it is copied anew"
        stop_postgrest
        stop_standby
        on_primary -o /dev/null -c "select pg_drop_replication_slot('$slot')"
        rm -rf "$DATA_DIR"
    fi
    on_primary -o /dev/null -c "select pg_create_physical_replication_slot('$slot', true)
        where not exists (select from pg_replication_slots where slot_name = '$slot')"
    if [[ ! -s $DATA_DIR/PG_VERSION ]]; then
        copy_primary "$slot"
    elif [[ -e $MEMBER/fenced ]]; then
        rewind_former_primary
    fi

    CLUSTER_NAME=$slot PRIMARY_SLOT=$slot
    PRIMARY_CONNINFO="host=$PRIMARY_SOCKET port=$PGPORT user=postgres application_name=$slot"
    start_postgres
    if ! wait_for_stream; then
        say "$slot received from a former primary after the promotion: it is copied anew"
        stop_standby
        rm -rf "$DATA_DIR"
        copy_primary "$slot"
        start_postgres
        wait_for_stream || die "$slot has another history than its primary"
    fi
}

copy_primary() {
    local slot=$1
    say "copying the primary to $DATA_DIR"
    rm -rf "$DATA_DIR" "$DATA_DIR.new"
    mkdir -m 0700 "$DATA_DIR.new"
    own "$DATA_DIR.new"
    as_server "$PG_BIN/pg_basebackup" -h "$PRIMARY_SOCKET" -p "$PGPORT" -U postgres --no-password \
        -D "$DATA_DIR.new" -X stream -S "$slot" -c fast >"$MEMBER/log/copy.log" 2>&1 \
        || die "the primary could not be copied (log: $MEMBER/log/copy.log)"
    make_standby "$DATA_DIR.new"
    # Whole or not there, whatever becomes of us.
    mv "$DATA_DIR.new" "$DATA_DIR"
}

# A copy of a primary's data becomes a standby's. Whom commits wait for is the primary's affair.
make_standby() {
    as_server touch "$1/standby.signal"
    rm -f "$1/conf.d/synchronous.conf"
}

# What it wrote and no standby had is undone: it is nobody's any more.
rewind_former_primary() {
    local log=$MEMBER/log/rewind.log
    say "the former primary in $DATA_DIR becomes a standby"
    clear_after_crash
    # pg_rewind looks into the control file, which knows of a promotion by the next checkpoint.
    on_primary -c checkpoint
    as_server "$PG_BIN/pg_rewind" -D "$DATA_DIR" \
        --source-server="host=$PRIMARY_SOCKET port=$PGPORT user=postgres dbname=postgres" \
        >"$log" 2>&1 \
        || die "pg_rewind failed (log: $log): move $DATA_DIR away, and bin/up copies the primary anew"
    make_standby "$DATA_DIR"
    rm "$MEMBER/fenced"
}

stop_standby() {
    postgres_pid >/dev/null || return 0
    as_server "$PG_BIN/pg_ctl" -D "$DATA_DIR" -s -w -t 60 -m fast stop \
        >>"$LOG_DIR/down.log" 2>&1 || die "$DATA_DIR did not stop (log: $MEMBER/log/postgres.log)"
}

# Waits until it receives the primary's own timeline. Fails when it never will, as PostgreSQL's log
# says twice a second: it has more of the timeline before than the primary had.
wait_for_stream() {
    local log=$MEMBER/log/postgres.log tries timeline
    timeline=$(on_primary -c "select left(pg_walfile_name(pg_current_wal_lsn()), 8)")
    for ((tries = 0; tries < 300; tries++)); do
        [[ $(psql -XAtq -h "$SOCKET_DIR" -d postgres -c "
            select lpad(upper(to_hex(r.received_tli)), 8, '0')
            from pg_stat_wal_receiver as r where r.status = 'streaming'") != "$timeline" ]] || return 0
        ! tail -n 6 "$log" | grep -q 'forked off current database system timeline' || return 1
        ((tries != 20)) || say "waiting for $CLUSTER_NAME to receive (log: $log)"
        sleep 0.2
    done
    die "$CLUSTER_NAME receives nothing after 60 s (log: $log)"
}

# Any one of the members but the primary itself, which may be in the list without harm.
synchronous_names() {
    local names
    names=$(standby_members | sed 's/^/replica/' | paste -sd ,)
    printf 'ANY 1 (%s)' "$names"
}

# In a file of its own: it is only right once the standbys are there, and a commit waits for them.
set_synchronous() {
    local file=$DATA_DIR/conf.d/synchronous.conf line="synchronous_standby_names = '$1'"
    [[ -d $DATA_DIR/conf.d ]] || return 0
    [[ -n $1 || -e $file ]] || return 0
    [[ $(cat "$file" 2>/dev/null) != "$line" ]] || return 0
    printf '%s\n' "$line" >"$file"
    own "$file"
    ! postgres_pid >/dev/null || as_server "$PG_BIN/pg_ctl" -D "$DATA_DIR" -s reload
}

# Stops and removes the standbys that are no longer wanted, and what the primary keeps for them.
remove_surplus() {
    PRIMARY_SOCKET=$SOCKET_DIR
    local member wanted
    wanted=" $(standby_members | paste -sd ' ') "
    for member in $(other_members); do
        [[ $wanted != *" $member "* ]] || continue
        (
            use_member "$member"
            stop_postgrest
            stop_standby
            # A former primary's data is left: it may have what nobody else has.
            if ((member)); then
                say "removing the standby in $MEMBER"
                rm -rf "$MEMBER"
            fi
        )
    done
    on_primary -o /dev/null -c "select pg_drop_replication_slot(slot_name) from pg_replication_slots
        where slot_name ~ '^replica[0-9]$' and not active
            and position(' ' || substr(slot_name, 8) || ' ' in '$wanted') = 0"
}

# ---------------------------------------------------------------------- PostgREST

# Starts a PostgREST at each standby, and tells the gateway of all of them.
start_standby_rests() {
    ((REPLICAS)) || return 0
    local member peers=127.0.0.1:$REST_PORT:$ADMIN_PORT
    for member in $(standby_members); do
        peers+=,$(use_member "$member" && start_standby_rest)
    done
    PGFEED_PEERS=$peers
}

start_standby_rest() {
    local rest admin attempt CHANNEL=false
    rest=$(rest_setting server-port) admin=$(rest_setting admin-server-port)
    for attempt in 1 2 3 4 5; do
        if ((rest)) && postgrest_pid >/dev/null; then
            rest="=$rest" admin="=$admin"
        else
            stop_postgrest
        fi
        read -r REST_PORT ADMIN_PORT < <(free_ports "$rest" "$admin")
        if render_postgrest || ! is_postgrest_ready; then stop_postgrest; fi
        if postgrest_pid >/dev/null || start_postgrest; then
            printf '127.0.0.1:%s:%s\n' "$REST_PORT" "$ADMIN_PORT"
            return 0
        fi
        rest=0 admin=0
    done
    die "no free ports after $attempt attempts (log: $MEMBER/log/postgrest.log)"
}
