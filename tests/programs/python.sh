# Python without threads: processes, pipes, sockets, signals, files, memory maps, modules in C.
# needs /usr/bin/python3
cp "${0%.sh}.py" p.py
/usr/bin/python3 -I p.py
echo $?
/usr/bin/python3 -c 'import sys; print(sys.argv, sys.stdin.read())' a b <<<input
/usr/bin/python3 -m json.tool <<<'{"a":[1,2]}'
echo 'print("from stdin")' | /usr/bin/python3 -
/usr/bin/python3 -X importtime -c pass 2>&1 | grep -c 'import time'
/usr/bin/python3 -c 'import os; os.abort()' &
{
    wait $!
    echo $?
} 2>/dev/null
/usr/bin/python3 -X faulthandler -c 'import ctypes; ctypes.string_at(0)' 2>&1 | grep -v 0x | head -3
/usr/bin/python3 -m compileall -q p.py && ls __pycache__
/usr/bin/python3 -c 'import signal, os; signal.signal(signal.SIGPIPE, signal.SIG_DFL); print("x" * 100000)' | head -c 3
echo "${PIPESTATUS[0]}"
/usr/bin/python3 -m zipfile -l arch.zip | wc -l
/usr/bin/python3 -c 'raise SystemExit(9)'
echo $?
/usr/bin/python3 -c 'import time; time.sleep(9)' &
sleep 0.3
kill -INT $!
kill $!
{
    wait $!
    echo $?
} 2>/dev/null
rm -rf __pycache__ arch.zip sock
