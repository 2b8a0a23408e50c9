#!/usr/bin/env bash
# Compiles the Java clients of tests/interop/java against one release of the ActiveMQ client.
#
#   scripts/java.sh VERSION      prints the class path; VERSION is debian (5.17.2), 5.19 or 6
#
# Debian's release comes from the package libactivemq-java, the others from Maven Central, each jar checked against
# the checksum that Central publishes beside it. Nothing is compiled twice.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?usage: scripts/java.sh debian|5.19|6}
central=${MAVEN_CENTRAL:-https://repo.maven.apache.org/maven2}
build=target/interop/$version
mkdir -p "$build/jars" "$build/src" "$build/classes"

need() { # PACKAGE FILE: installs a Debian package by name when the file is not there
    [ -e "$2" ] && return
    echo "installing $1" >&2
    apt-get install -y --no-install-recommends "$1" >&2 || { apt-get update >&2 && apt-get install -y --no-install-recommends "$1" >&2; }
}

fetch() { # GROUP/ARTIFACT VERSION
    local artifact=${1##*/} file
    file="$build/jars/$artifact-$2.jar"
    [ -s "$file" ] && return
    curl -fsSL --retry 3 -o "$file.part" "$central/$1/$2/$artifact-$2.jar"
    echo "$(curl -fsSL --retry 3 "$central/$1/$2/$artifact-$2.jar.sha1" | cut -c1-40)  $file.part" | sha1sum -c --quiet - >&2
    mv "$file.part" "$file"
}

command -v javac >/dev/null || need default-jdk-headless /usr/bin/javac
case $version in
debian)
    java=/usr/share/java
    need libactivemq-java $java/activemq-client.jar
    need libslf4j-java $java/slf4j-nop.jar
    path=
    for jar in activemq-client activemq-openwire-legacy geronimo-jms_1.1_spec geronimo-j2ee-management-1.1-spec hawtbuf \
        slf4j-api slf4j-nop geronimo-jta-1.2-spec; do path=$path:$java/$jar.jar; done ;;
5.19 | 6)
    command -v curl >/dev/null || need curl /usr/bin/curl
    if [ "$version" = 6 ]; then client=6.3.1 jms=3.1.0; else client=5.19.9 jms=2.0.3; fi # 2.0.3 is the last with javax.jms
    fetch org/apache/activemq/activemq-client $client
    fetch jakarta/jms/jakarta.jms-api $jms
    fetch org/fusesource/hawtbuf/hawtbuf 1.11
    fetch org/slf4j/slf4j-api 2.0.17
    fetch org/slf4j/slf4j-nop 2.0.17
    path=$(printf ':%s' "$PWD/$build"/jars/*.jar) ;;
*) echo "scripts/java.sh: unknown client '$version': want debian, 5.19 or 6" >&2; exit 64 ;;
esac

# The sources speak javax.jms; the 6.x client knows the same API as jakarta.jms.
for source in tests/interop/java/*.java; do
    if [ "$version" = 6 ]; then
        sed 's/javax\.jms/jakarta.jms/g' "$source"
    else
        cat "$source"
    fi > "$build/src/$(basename "$source").new"
    if cmp -s "$build/src/$(basename "$source").new" "$build/src/$(basename "$source")"; then
        rm "$build/src/$(basename "$source").new"
    else
        mv "$build/src/$(basename "$source").new" "$build/src/$(basename "$source")"
        rm -f "$build/compiled"
    fi
done
if [ ! -e "$build/compiled" ]; then
    javac -nowarn -cp "${path#:}" -d "$build/classes" "$build"/src/*.java >&2
    touch "$build/compiled"
fi
echo "$PWD/$build/classes$path"
