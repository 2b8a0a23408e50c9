#!/usr/bin/env bash
# The real ActiveMQ clients against a real broker: Debian's 5.17.2, and 5.19 and 6 from Maven Central.
#
#   scripts/interop.sh [CLIENT...]        default: debian 5.19 6
#
# Runs every scenario of tests/interop/java against one broker, then a short round of scripts/chaos.sh with each
# client. Installs a JDK and libactivemq-java by name where they are missing.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release -q
work=$(mktemp -d target/interop.XXXXXX)
broker=
trap '[ -z "$broker" ] || kill -9 $broker 2>/dev/null || true; rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- debian 5.19 6

for client in "$@"; do
    echo "== client $client"
    classes=$(scripts/java.sh "$client")
    target/release/holdfast broker --name interop --data "$work/$client" --listen tcp://127.0.0.1:0 --log-format json > "$work/log" 2>&1 &
    broker=$!
    for _ in $(seq 100); do
        grep -q '"master.ready"' "$work/log" && break
        sleep 0.1
    done
    # Read only now: a port looked for before the broker was ready may not have been there yet.
    port=$(sed -n 's/.*"listener.bound".*127\.0\.0\.1:\([0-9]*\).*/\1/p' "$work/log" | head -1)
    java -cp "$classes" Interop "tcp://127.0.0.1:${port:?the broker did not start: $(cat "$work/log")}"
    kill -TERM $broker
    wait $broker
    broker=
    for mode in client tx:20; do
        scripts/chaos.sh --brokers 2 --seconds 10 --every 2 --mode $mode --producers 2 --client "$client"
    done
done
