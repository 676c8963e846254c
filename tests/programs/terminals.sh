# Pseudo-terminals made by script(1) and used by an interactive shell, with job control, Ctrl-C, Ctrl-Z and resizing.
# needs script /usr/bin/python3
script -qec 'tty -s && echo a terminal; stty -echo; read -r line; echo "read $line"; exit 5' /dev/null <<<typed
echo $?
script -qec 'sleep 0.1; kill -TERM $$' log </dev/null
echo $?
grep -c 'Script' log
cp "${0%.sh}.py" drive.py
/usr/bin/python3 -I drive.py
echo $?
cat >hangup.py <<'END'
import os, pty, time
pid, fd = pty.fork()
if pid == 0: os.execv("/bin/sh", ["sh", "-c", "trap 'echo hung up >hup; exit' HUP; echo ready; while :; do sleep 0.05; done"])
while b"ready" not in os.read(fd, 100): pass
os.close(fd); print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])); print(open("hup").read())
END
/usr/bin/python3 -I hangup.py
rm -f log
