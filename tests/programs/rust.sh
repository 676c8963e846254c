# Rust: threads, channels, locks, panics, sockets and child processes of its standard library, dynamic against glibc.
# needs gcc
# seconds 120
# only ci
export PATH=$PATH:${CARGO_HOME:-/root/.cargo}/bin RUSTUP_HOME=${RUSTUP_HOME:-/root/.rustup}
rustc --edition 2021 -O -o program "${0%.sh}.rs"
echo "rustc $?"
./program
echo "$?"
RUST_BACKTRACE=1 ./program panic 2>&1 | grep -e panicked -e 'program::main' | sed 's/thread .main. ([0-9]*)/main/'
{ ./program abort 2>/dev/null; echo $?; ./program overflow 2>/dev/null; echo $?; } 2>/dev/null
rm program
