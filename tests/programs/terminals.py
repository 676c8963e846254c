import os, pty, re, select, signal, struct, sys, termios, fcntl, time
pid, fd = pty.fork()
if pid == 0:
    os.execvpe('bash', ['bash', '--norc', '--noprofile', '-i'], {'PATH': os.environ['PATH'], 'PS1': '$ ', 'TERM': 'dumb', 'HISTFILE': '', 'LC_ALL': 'C'})
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
seen = b''

def until(pattern, limit=30):
    global seen
    end = time.monotonic() + limit
    while not (m := re.search(pattern, seen)):
        if time.monotonic() > end or not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            print('TIMED OUT', pattern, seen)
            os.kill(pid, signal.SIGKILL)
            sys.exit(1)
        try:
            seen += os.read(fd, 4096)
        except OSError:
            break
    if m:
        print('saw', m.group(0))
        seen = seen[m.end():]

def type(text):
    os.write(fd, text)
until(b'\\$ ')
type(b"stty -echo; PS1='> '\n")
until(b'> $')
type(b'echo interactive $-\n')
until(b'interactive \\w*i\\w*m\\w*\\r\\n')
type(b'stty size\n')
until(b'24 80\\r\\n')
type(b'sleep 100\n')
time.sleep(0.5)
type(b'\x03')
until(b'> ')
type(b'echo status $?\n')
until(b'status 130\\r\\n')
type(b'sleep 100\n')
time.sleep(0.5)
type(b'\x1a')
until(b'\\[1\\]\\+ +Stopped +sleep 100\\r\\n')
type(b'jobs; echo $?\n')
until(b'Stopped +sleep 100\\r\\n0\\r\\n')
type(b'bg\n')
until(b'\\[1\\]\\+ sleep 100 &\\r\\n')
type(b'fg\n')
until(b'sleep 100\\r\\n')
time.sleep(0.3)
type(b'\x03')
type(b'echo again $?\n')
until(b'again 130\\r\\n')
type(b'sh -c \'trap "echo resized; stty size; exit" WINCH; echo waiting; while :; do sleep 0.05; done\'\n')
until(b'waiting\\r\\n')
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 132, 0, 0))
until(b'resized\\r\\n40 132\\r\\n')
type(b'\necho $LINES $COLUMNS\n')
until(b'40 132\\r\\n')
type(b'cat\n')
time.sleep(0.3)
type(b'a line\n')
until(b'a line\\r\\n')
type(b'\x04')
type(b'echo after cat\n')
until(b'after cat\\r\\n')
type(b'cat & wait\n')
until(b'\\[1\\] \\d+\\r\\n') if False else until(b'Stopped +cat\\r\\n|\\[1\\] ')
type(b'\x03')
time.sleep(0.2)
type(b'kill -9 %1; wait; echo tty input stops\n')
until(b'tty input stops\\r\\n')
type(b"(trap 'echo caught int' INT; sleep 0.2; echo went on)\n")
time.sleep(0.1)
type(b'echo x\n')
until(b'went on\\r\\nx\\r\\n|went on\\r\\n')
type(b"sh -c 'kill -STOP $$; echo continued'\n")
until(b'Stopped')
type(b'fg\n')
until(b'continued\\r\\n')
type(b'sleep 0.2 | sleep 100 | cat\n')
time.sleep(0.5)
type(b'\x1a')
until(b'Stopped')
type(b'kill %%; fg; echo pipeline gone\n')
until(b'pipeline gone\\r\\n')
type(b"python3 -ic 'import os; print(os.tcgetpgrp(0) == os.getpgrp())'\n" if False else b'sleep 100\n')
time.sleep(0.4)
type(b'\x1c')
until(b'Quit')
type(b'echo quit $?\n')
until(b'quit 131\\r\\n')
type(b'stty raw -echo; head -c 3 | od -An -c; stty sane\n')
time.sleep(0.4)
type(b'\x03\x1a\x04')
until(b'003 +032 +004')
type(b'\nexit 9\n')
while True:
    try:
        if not os.read(fd, 4096):
            break
    except OSError:
        break
print('bash', os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
