#!/usr/bin/env bash
# Measures Holdfast beside ActiveMQ 5.17 and Artemis on this machine's disk, brokers in turn, and writes BENCHMARKS.md.
#
#   scripts/bench.sh [GROUP...] [--rounds 5] [--quick] [--holdfast BINARY] [--brokers holdfast,activemq] [--list]
#   scripts/bench.sh report
#
# Groups: disk send own transacted nonpersistent drain pair latency takeover startup slowdisk scale backlog steady proof;
# none means all of them. Every run goes into target/bench/results.json under its group, so groups can be measured one at a time;
# `report` puts BENCHMARKS.md and benchmarks/ together from what is there. `--quick` makes everything small, for
# trying out, and its figures never go into the report. Ends with 75 when the machine is not quiet.
#
# Installs by name what is missing: a JDK, activemq (Debian), fio, strace, linux-perf, libaio1; Artemis comes from Maven Central, every jar
# checked against tests/bench/artemis.jars.
set -euo pipefail
cd "$(dirname "$0")/.."
build=target/bench/build
central=${MAVEN_CENTRAL:-https://repo.maven.apache.org/maven2}
mkdir -p $build/jms $build/artemis $build/jars

need() { # PACKAGE FILE [optional]
    [ -e "$2" ] && return
    echo "installing $1" >&2
    apt-get install -y -q --no-install-recommends "$1" >&2 && return
    { apt-get update -q && apt-get install -y -q --no-install-recommends "$1"; } >&2 && return
    [ -n "${3:-}" ] && echo "bench.sh: $1 cannot be had; the report will say what was not counted" >&2
}

install_what_is_missing() {
    command -v python3 >/dev/null || need python3 /usr/bin/python3
    command -v javac >/dev/null || need default-jdk-headless /usr/bin/javac
    command -v curl >/dev/null || need curl /usr/bin/curl
    command -v fio >/dev/null || need fio /usr/bin/fio
    command -v strace >/dev/null || need strace /usr/bin/strace optional # for the group proof
    command -v perf >/dev/null || need linux-perf /usr/bin/perf optional
    need activemq /usr/share/java/activemq-broker.jar
    need libslf4j-java /usr/share/java/slf4j-nop.jar
    ldconfig -p | grep -q 'libaio\.so\.1 ' || need libaio1 /usr/lib/x86_64-linux-gnu/libaio.so.1 optional
}

fetch_artemis() { # prints the class path, or nothing when Central is out of reach
    local sum path file jars=
    while read -r sum path; do
        [ "$sum" = "#" ] && continue
        file=$build/jars/${path##*/}
        if [ ! -s "$file" ]; then
            curl -fsSL --retry 3 -o "$file.part" "$central/$path" || { echo "bench.sh: no $path; going on without Artemis" >&2; return; }
            echo "$sum  $file.part" | sha256sum -c --quiet - >&2
            mv "$file.part" "$file"
        fi
        jars=$jars:$PWD/$file
    done < tests/bench/artemis.jars
    echo "${jars#:}"
}

compile() { # CLASS_PATH OUT SOURCE...
    local path=$1 out=$2
    shift 2
    for source in "$@"; do
        if [ ! -e "$out/compiled" ] || [ "$source" -nt "$out/compiled" ]; then
            javac -nowarn -cp "$path" -d "$out" "$@" >&2
            touch "$out/compiled"
            return
        fi
    done
}

if [[ " $* " != *" --list "* && " $* " != *" --help "* && "${1:-}" != report ]]; then
    install_what_is_missing
    jms=
    for jar in activemq-client activemq-broker activemq-kahadb-store activemq-openwire-legacy geronimo-jms_1.1_spec \
        geronimo-j2ee-management-1.1-spec hawtbuf slf4j-api activemq-protobuf geronimo-jta-1.2-spec slf4j-nop; do
        jms=$jms:/usr/share/java/$jar.jar
    done
    compile "${jms#:}" $build/jms tests/bench/java/JmsBench.java tests/bench/java/AmqBroker.java
    export BENCH_JMS_PATH=$PWD/$build/jms$jms
    artemis=$(fetch_artemis)
    if [ -n "$artemis" ]; then
        compile "$artemis" $build/artemis tests/bench/java/ArtemisBroker.java
        export BENCH_ARTEMIS_PATH=$PWD/$build/artemis:$artemis
    fi
    [[ " $* " == *" --holdfast "* ]] || cargo build --release -q
    cargo build --release -q --example bare-broker
fi
exec python3 -B scripts/bench/main.py "$@"
