#!/usr/bin/env bash
# Kills masters under the stock ActiveMQ client and judges what came out.
#
#   scripts/chaos.sh [--brokers 3] [--seconds 60] [--every 3] [--signal KILL|TERM] [--mode client|auto|tx:N]
#                    [--producers 1] [--consumers 1] [--size 1024] [--backlog N] [--options 'randomize=false']
#                    [--client debian|5.19|6] [--keep]
#
# Starts the brokers on one directory, sends and receives through failover:, ends the master every few seconds and
# starts it again as a slave. The last lines give the longest pause of a producer for each kill, their median, and the
# verdict; the exit code is the verdict's.
set -euo pipefail
cd "$(dirname "$0")/.."
brokers=3 seconds=60 every=3 signal=KILL mode=client producers=1 consumers=1 size=1024 backlog=0 options= client=debian keep=0
while [ $# -gt 0 ]; do
    case $1 in
    --brokers) brokers=$2 ;; --seconds) seconds=$2 ;; --every) every=$2 ;; --signal) signal=$2 ;; --mode) mode=$2 ;;
    --producers) producers=$2 ;; --consumers) consumers=$2 ;; --size) size=$2 ;; --backlog) backlog=$2 ;;
    --options) options=$2 ;; --client) client=$2 ;;
    --keep) keep=1; shift; continue ;;
    *) echo "chaos.sh: unknown option $1; see the head of this file" >&2; exit 64 ;;
    esac
    shift 2
done

[ -n "${HOLDFAST:-}" ] || cargo build --release -q
holdfast=${HOLDFAST:-$PWD/target/release/holdfast} # HOLDFAST=/path/to/another/build
classes=$(scripts/java.sh "$client")
work=$(mktemp -d "${CHAOS_DIR:-$PWD/target}/chaos.XXXXXX")
declare -a pid port
judge=
cleanup() {
    [ -z "$judge" ] || kill -9 "$judge" 2>/dev/null || true
    for i in "${!pid[@]}"; do kill -9 "${pid[$i]}" 2>/dev/null || true; done
    wait 2>/dev/null || true
    if [ $keep = 1 ]; then echo "kept $work"; else rm -rf "$work"; fi
}
trap cleanup EXIT

free_port() { # a port nobody answers on; the broker says so itself if somebody takes it meanwhile
    local candidate
    while :; do
        candidate=$((20000 + RANDOM % 20000))
        (exec 3<> "/dev/tcp/127.0.0.1/$candidate") 2>/dev/null || { echo $candidate; return; }
    done
}
start() { # INDEX
    "$holdfast" broker --name "b$1" --data "$work/data" --listen "tcp://127.0.0.1:${port[$1]}" --log-format json \
        >> "$work/b$1.log" 2>&1 &
    pid[$1]=$!
}
master() { # index of the broker whose pid the lock file names, once it is ready; waits up to 10 s
    local deadline=$((SECONDS + 10)) holder i
    while [ $SECONDS -lt $deadline ]; do
        holder=$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$work/data/lock" 2>/dev/null | head -1)
        for i in "${!pid[@]}"; do
            if [ "${pid[$i]}" = "$holder" ] && [ "$(grep -c '"master.ready"' "$work/b$i.log" || true)" -gt "$(grep -c 'chaos.kill' "$work/b$i.log" || true)" ]; then
                echo "$i"; return
            fi
        done
        sleep 0.02
    done
    echo "chaos.sh: no master within 10 s; the logs are in $work" >&2; keep=1; exit 69
}

uris=
for ((i = 0; i < brokers; i++)); do
    port[$i]=$(free_port)
    start "$i"
    uris=$uris,tcp://127.0.0.1:${port[$i]}
done
uri="failover:(${uris#,})${options:+?$options}"
current=$(master)
if [ "$backlog" -gt 0 ]; then
    echo "queueing $backlog messages of $size bytes"
    "$holdfast" bench --url "tcp://127.0.0.1:${port[$current]}" --queue chaos.backlog --messages "$backlog" --size "$size" \
        --producers 4 --consumers 0 --window 256
fi

java -cp "$classes" Chaos "$uri" chaos "$seconds" "$size" "$mode" "$producers" "$consumers" > "$work/client.log" 2>&1 &
judge=$!
: > "$work/kills"
end=$((SECONDS + seconds - 1))
sleep "$every"
while [ $SECONDS -lt $end ] && kill -0 $judge 2>/dev/null; do
    current=$(master)
    # Only a master that has just been killed has as many kills as ready lines: that is how `master` tells a new one.
    echo '{"event":"chaos.kill"}' >> "$work/b$current.log"
    date +%s%3N >> "$work/kills"
    kill -"$signal" "${pid[$current]}"
    wait "${pid[$current]}" 2>/dev/null || true
    start "$current"
    sleep "$every"
done
verdict=0
wait $judge || verdict=$?
judge=
awk -v every="$every" '
    FILENAME ~ /kills$/ { kill[++kills] = $1; next }
    /^gap / { for (k = 1; k <= kills; k++) if ($5 >= kill[k] && $5 - $2 - kill[k] < every * 1000 && $5 - $2 <= kill[k] + 5 && $2 > longest[k]) longest[k] = $2 }
    END {
        printf "longest pause per kill, ms:"
        for (k = 1; k <= kills; k++) printf " %.0f", longest[k]
        n = asort_(longest, kills)
        printf "\nkills %d, median %.1f ms, worst %.1f ms\n", kills, sorted[int((kills + 1) / 2)], sorted[kills]
    }
    function asort_(values, n,   i, j, v) {
        for (i = 1; i <= n; i++) { v = values[i] + 0; for (j = i - 1; j > 0 && sorted[j] > v; j--) sorted[j + 1] = sorted[j]; sorted[j + 1] = v }
        return n
    }' "$work/kills" "$work/client.log"
grep -v '^gap ' "$work/client.log" | tail -5
[ $verdict = 0 ] || { keep=1; tail -3 "$work"/b*.log; }
exit $verdict
