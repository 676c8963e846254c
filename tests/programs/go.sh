# Go: goroutines on threads, channels, timers, net/http on loopback, signals, panics, child processes, the compiler.
# needs go gcc
# seconds 240
# only ci
export GOCACHE=$PWD/cache GOPATH=$PWD/path GO111MODULE=off GOTOOLCHAIN=local GOFLAGS=-p=2
go version | cut -d' ' -f1-2
CGO_ENABLED=0 go build -o program "${0%.sh}.go"
echo "build $?"
for threads in 1 2 8; do
    GOMAXPROCS=$threads ./program
    echo "$threads $?"
done
GODEBUG=asyncpreemptoff=1 GOGC=10 ./program
echo $?
./program panic 2>&1 | head -n 2
./program nil 2>&1 | head -n 2
{ ./program abort 2>/dev/null; echo $?; } 2>/dev/null
chmod -R u+w cache
rm -rf cache path program
