# OpenSSL with several processes and as many clients at once.
# needs openssl
# only ci
openssl speed -seconds 1 -multi 2 -bytes 1024 sha256 aes-128-cbc 2>/dev/null | sed 's/[0-9.]*k//g;s/ *$//;s/:[0-9.]* from/ from/' | sort | grep -v -e ^version -e ^built -e ^options -e ^compiler -e ^CPUINFO
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=localhost -days 1000 2>/dev/null
port=$((20000 + $$ % 20000))
openssl s_server -accept 127.0.0.1:$port -key key.pem -cert cert.pem -www -quiet >/dev/null 2>&1 &
server=$!
for i in $(seq 100); do
    (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null && break
    sleep 0.05
done
for i in 1 2 3 4; do
    printf 'GET / HTTP/1.0\r\n\r\n' | openssl s_client -connect 127.0.0.1:$port -CAfile cert.pem -quiet -verify_quiet 2>/dev/null | grep -a -c 'HTTP/1.0 200' &
done
wait $(jobs -p | tail -n +2)
openssl s_time -connect 127.0.0.1:$port -CAfile cert.pem -new -time 1 | grep -c 'connections in'
kill $server
wait $server 2>/dev/null
echo "server $?"
rm key.pem cert.pem
