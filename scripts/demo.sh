#!/usr/bin/env bash
# Three brokers on one directory, a producer and a consumer, and a master that dies again and again.
#
#   scripts/demo.sh [KILLS]       default 5
#
# Needs nothing but Rust. Everything lives in a temporary directory and is gone afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."
kills=${1:-5}
[ -n "${HOLDFAST:-}" ] || cargo build --release -q
holdfast=${HOLDFAST:-$PWD/target/release/holdfast} # HOLDFAST=/path/to/another/build
work=$(mktemp -d)
declare -a pid port
say() { printf '%s  %s\n' "$(date +%T.%3N)" "$*"; }
cleanup() {
    for i in "${!pid[@]}"; do kill -9 "${pid[$i]}" 2>/dev/null || true; done
    [ -z "${sender:-}" ] || kill "$sender" 2>/dev/null || true
    [ -z "${receiver:-}" ] || kill "$receiver" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
free_port() {
    local candidate
    while :; do
        candidate=$((20000 + RANDOM % 20000))
        (exec 3<> "/dev/tcp/127.0.0.1/$candidate") 2>/dev/null || { echo $candidate; return; }
    done
}
start() {
    "$holdfast" broker --name "broker-$1" --data "$work/data" --listen "tcp://127.0.0.1:${port[$1]}" --log-format json \
        >> "$work/$1.log" 2>&1 &
    pid[$1]=$!
}
ready() { cat "$work"/*.log 2>/dev/null | grep -c '"master.ready"' || true; }
wait_ready() { # until N masters have been ready in all
    for _ in $(seq 500); do [ "$(ready)" -ge "$1" ] && return; sleep 0.02; done
    say "no master within 10 s:"; tail -n 3 "$work"/*.log; exit 69
}

urls=()
for i in 1 2 3; do port[$i]=$(free_port); start $i; urls+=(--url "tcp://127.0.0.1:${port[$i]}"); done
wait_ready 1
say "three brokers on $work/data; one is master, two are waiting for its lock"
"$holdfast" status "$work/data"
"$holdfast" receive demo "${urls[@]}" --timeout 3s > "$work/receive" 2>&1 & receiver=$!
"$holdfast" send demo "${urls[@]}" --count $((kills * 1500 + 1500)) --rate 1000 --size 1024 > "$work/send" 2>&1 & sender=$!
say "a producer sends 1,000 persistent messages a second, a consumer receives them"

for ((n = 1; n <= kills; n++)); do
    sleep 1.5
    holder=$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$work/data/lock" | head -1)
    for i in 1 2 3; do
        [ "${pid[$i]}" = "$holder" ] || continue
        say "kill -9 broker-$i, the master"
        kill -9 "$holder"; wait "$holder" 2>/dev/null || true
        wait_ready $((n + 1))
        say "$(cat "$work"/*.log | grep '"master.ready"' | sort | tail -1 | sed 's/.*"epoch":\([0-9]*\).*"total_ms":\([0-9.]*\).*/a slave took over: epoch \1, ready \2 ms after it got the lock/')"
        start $i
        say "broker-$i is back, as a slave"
        break
    done
done
wait $sender || { cat "$work/send"; exit 1; }
wait $receiver || { cat "$work/receive"; exit 1; }
sender= receiver=
say "producer: $(tail -1 "$work/send")"
say "consumer: $(tail -1 "$work/receive")"
