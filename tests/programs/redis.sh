# A server of keys and values with its threads and forks, and the benchmark that comes with it, on loopback.
# needs redis-server redis-cli redis-benchmark
# seconds 90
# only ci
port=$((20000 + $$ % 20000))
redis-server --port $port --bind 127.0.0.1 --daemonize no --save '' --appendonly yes --io-threads 2 --logfile log &
server=$!
cli() { redis-cli -p $port "$@"; }
for i in $(seq 200); do [ "$(cli ping 2>/dev/null)" = PONG ] && break; sleep 0.05; done
cli set key value
cli append key +more
cli get key
cli incrby counter 41
cli incr counter
cli lpush list a b c
cli lrange list 0 -1
cli hset hash field 1 other 2
cli hgetall hash
cli eval 'local s = 0 for i = 1, 1000 do s = s + i end return {s, KEYS[1], redis.call("get", KEYS[1])}' 1 key
cli --raw dump key | wc -c
cli expire key 1000
cli ttl key
cli pexpire key 10
sleep 0.1
cli exists key
(sleep 0.3; cli rpush queue job) >/dev/null &
cli blpop queue 10
cli nosuchcommand
cli --csv subscribe news >heard &
subscriber=$!
for i in $(seq 200); do [ "$(cli publish news hello)" = 1 ] && break; sleep 0.05; done
for i in $(seq 200); do grep -q hello heard && break; sleep 0.05; done
kill $subscriber
cat heard
redis-benchmark -p $port -q -n 1000 -c 20 -P 4 -t ping,set,get,incr,lpush,lrange_100 | tr '\r' '\n' | sed -n 's/: [0-9.]* requests per second.*/ done/p'
redis-benchmark -p $port -q -n 500 -c 10 --threads 2 -t set | tr '\r' '\n' | sed -n 's/: [0-9.]* requests per second.*/ done/p'
cli dbsize
cli save
cli bgsave
for i in $(seq 200); do cli info persistence | grep -q 'rdb_bgsave_in_progress:0' && break; sleep 0.05; done
cli info persistence | grep -a -o 'rdb_last_bgsave_status:ok'
cli bgrewriteaof
for i in $(seq 200); do cli info persistence | grep -q 'aof_rewrite_in_progress:0' && break; sleep 0.05; done
cli debug jmap
cli flushall async
cli client list | wc -l
cli shutdown nosave
wait $server
echo "server $?"
redis-server --port $port --bind 127.0.0.1 --save '' --appendonly yes --logfile log &
server=$!
for i in $(seq 200); do [ "$(cli ping 2>/dev/null)" = PONG ] && break; sleep 0.05; done
cli dbsize
kill -TERM $server
wait $server
echo "server $?"
rm -rf log appendonlydir dump.rdb
