# Java: threads, garbage collectors, signals, faults that the machine turns into exceptions, sockets, child processes.
# needs java javac jar
# seconds 180
# only ci
javac -d classes "${0%.sh}.java"
echo "javac $?"
for collector in Serial Parallel G1; do
    java -Xmx128m -XX:+Use${collector}GC -cp classes Main one two
    echo "$collector $?"
done
java -Xint -cp classes Main quick
jar --create --file main.jar --main-class Main -C classes .
java -XX:TieredStopAtLevel=1 -jar main.jar quick
echo $?
java -Xshare:off -cp classes Main fail 2>&1 | grep -v '^\s*at java'
echo "${PIPESTATUS[0]}"
java -cp classes Main sleep >ready &
java=$!
for i in $(seq 2000); do grep -q ready ready && break; sleep 0.05; done
kill -TERM $java
wait $java
echo "terminated: $?"
cat ready
java -cp classes Nosuch 2>&1 | head -n 1
rm -rf classes main.jar
