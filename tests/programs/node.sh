# Node: an HTTP server and client, threads, child processes, signals, the garbage collector, WebAssembly.
# needs node
# seconds 90
# only ci
node "${0%.sh}.js" argument
echo $?
node -e 'throw new Error("uncaught")' 2>&1 | grep -e '^Error' -e uncaught
node -p 'process.argv.length + [1, 2, 3].map(x => x ** 2).join()'
echo 'console.log("from stdin"); process.exitCode = 4' | node -
echo $?
node --max-old-space-size=40 -e 'const a = []; for (;;) a.push(new Array(1000).fill(1.5))' 2>/dev/null &
{ wait $!; echo $?; } 2>/dev/null
node -e 'process.kill(process.pid, "SIGKILL")' &
{ wait $!; echo $?; } 2>/dev/null
node -e 'setTimeout(() => {}, 60000); process.on("SIGINT", () => { console.log("int"); process.exit(7) }); console.log("ready")' | { read -r line; echo "$line"; pkill -INT -P $$ -x node; cat; }
echo "${PIPESTATUS[0]}"
