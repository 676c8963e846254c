# curl, wget, openssl and ssh-like exchanges with servers on loopback.
# needs curl wget openssl /usr/bin/python3
cp "${0%.sh}.py" server.py
mkdir www
seq 200000 >www/numbers
echo page >www/index.html
(cd www && exec /usr/bin/python3 -I ../server.py) &
server=$!
for i in $(seq 300); do
    [ -s www/port ] && break
    sleep 0.02
done
port=$(cat www/port)
url=http://127.0.0.1:$port
curl -sS $url/
curl -sSi $url/nosuch | sed 's/\r$//;/^Server/d' | head -8
curl -sS $url/numbers | sha256sum
curl -sS -d 'posted body' $url/post
echo
curl -sSI $url/numbers | grep -i length
curl -sS -o got -w '%{http_code} %{size_download} %{num_connects}\n' $url/numbers $url/index.html -o got2
cmp got www/numbers
curl -s http://127.0.0.1:1/
echo $?
curl -sS file://$PWD/www/index.html
curl -s --max-time 0.5 telnet://127.0.0.1:$port </dev/null
echo $?
curl -V | tail -1 | cut -c1-9
curl -sf $url/nosuch
echo $?
no_proxy=127.0.0.1 wget -q -O - $url/
wget -q -O w $url/numbers && cmp w www/numbers && echo wget
wget -q $url/nosuch
echo $?
wget -q -T 1 -t 1 http://127.0.0.1:1/
echo $?
exec 3<>/dev/tcp/127.0.0.1/$port
printf 'GET /index.html HTTP/1.0\r\n\r\n' >&3
tail -1 <&3
exec 3>&-
kill $server
wait $server 2>/dev/null
echo "server $?"
openssl dgst -sha256 www/numbers
openssl dgst -hmac key -sha1 www/numbers
openssl enc -aes-256-cbc -pbkdf2 -pass pass:secret -in www/numbers -out enc && openssl enc -d -aes-256-cbc -pbkdf2 -pass pass:secret -in enc | cmp - www/numbers && echo decrypted
openssl enc -d -aes-128-cbc -pbkdf2 -pass pass:wrong -in enc -out /dev/null 2>/dev/null
echo $?
openssl base64 <<<text
openssl rand -hex 16 | wc -c
openssl prime -generate -bits 64 | wc -l
openssl genrsa -out key.pem 2048 2>/dev/null
openssl rsa -in key.pem -check -noout
openssl req -new -x509 -key key.pem -subj /CN=localhost -days 1000 -out cert.pem
openssl x509 -in cert.pem -noout -subject -issuer
openssl verify -CAfile cert.pem cert.pem
openssl ecparam -name prime256v1 -genkey -noout -out ec.pem
openssl dgst -sha256 -sign ec.pem -out sig www/numbers && openssl pkey -in ec.pem -pubout -out pub.pem && openssl dgst -sha256 -verify pub.pem -signature sig www/numbers
openssl pkcs12 -export -inkey key.pem -in cert.pem -passout pass:x -out p12 && openssl pkcs12 -in p12 -passin pass:x -nokeys | grep -c BEGIN
openssl asn1parse -in cert.pem | wc -l
openssl ciphers | tr : '\n' | head -2
openssl version | cut -d' ' -f1
openssl genpkey -algorithm ed25519 | wc -l
openssl passwd -6 -salt x y
port=$((20000 + $$ % 20000))
openssl s_server -accept 127.0.0.1:$port -key key.pem -cert cert.pem -quiet -rev 2>/dev/null &
server=$!
for i in $(seq 100); do
    (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null && break
    sleep 0.05
done
for version in -tls1_2 -tls1_3; do
    coproc S { openssl s_client -connect 127.0.0.1:$port $version -CAfile cert.pem -quiet -no_ign_eof -verify_quiet 2>/dev/null; }
    client=$S_PID
    echo 'reverse this' >&${S[1]}
    read -r line <&${S[0]}
    echo "$line"
    exec {S[1]}>&-
    wait $client
done
echo Q | openssl s_client -connect 127.0.0.1:$port -CAfile cert.pem 2>/dev/null | grep -e '^Verify return' -e '^New'
kill $server
{
    wait $server
    echo "s_server $?"
} 2>/dev/null
openssl s_client -connect 127.0.0.1:1 2>&1 </dev/null | tail -1
echo $?
rm -f *.pem enc sig p12 got* w www/port
