import array, ast, asyncio, base64, bz2, collections, configparser, contextlib, csv, ctypes, datetime, decimal, errno, fcntl, fractions, functools, gc, gzip, hashlib, io, itertools, json, locale, lzma, math, mmap, os, pickle, pathlib, platform, pty, random, re, resource, select, shutil, signal, socket, sqlite3, stat, string, struct, subprocess, sys, tempfile, termios, textwrap, time, traceback, urllib.request, uuid, xml.etree.ElementTree as ET, zipfile, zlib

def section(name):
    print('==', name, flush=True)
section('numbers')
print(2 ** 200 % 10 ** 9, math.pi, sum((1 / n for n in range(1, 1000))), decimal.Decimal(2).sqrt(), fractions.Fraction(1, 3) + 1, math.factorial(50), hash(3.5), 0.1 + 0.2, random.Random(42).sample(range(1000), 5), divmod(-7, 3), float.hex(1.1), round(2.675, 2), complex(1, 2) ** 2, int('zz', 36), math.fsum([0.1] * 10))
section('text')
print(re.sub('(\\w+) (\\w+)', '\\2 \\1', 'hello world'), f"{255:#x} {3.14159:.2f} {'x':>5}", textwrap.shorten('many words in a line', 12), 'äöü'.encode(), json.dumps({'b': [1, None, True], 'a': 'ü'}, sort_keys=True), ast.literal_eval('[1, (2, 3)]'), string.Template('$x').substitute(x=1), list(csv.reader(io.StringIO('a,"b,c"\n'))), ET.fromstring("<a><b c='1'/></a>")[0].attrib)
section('compression and hashes')
blob = bytes((i * i % 251 for i in range(200000)))
for m in (zlib, bz2, lzma, gzip):
    print(m.__name__, len(m.compress(blob)) < len(blob), m.decompress(m.compress(blob)) == blob)
for h in ('md5', 'sha256', 'blake2b', 'sha3_256'):
    print(h, hashlib.new(h, blob).hexdigest())
print(zlib.crc32(blob), base64.b85encode(b'text'), hashlib.pbkdf2_hmac('sha256', b'p', b's', 10000).hex(), pickle.loads(pickle.dumps({1: {2, 3}})))
section('processes')
pid = os.fork()
if pid == 0:
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(subprocess.run(['cat'], input=b'through cat', capture_output=True).stdout, subprocess.run('exit 3', shell=True).returncode, subprocess.run(['sh', '-c', 'kill -9 $$']).returncode)
try:
    subprocess.run(['nosuchprogram'])
except FileNotFoundError as e:
    print(e)
try:
    subprocess.run(['sleep', '5'], timeout=0.1)
except subprocess.TimeoutExpired as e:
    print(e.cmd)
with subprocess.Popen(['tr', 'a-z', 'A-Z'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True) as p:
    print(p.communicate('upper'), p.returncode)
print(os.posix_spawn('/bin/true', ['true'], {}) > 0, os.wait()[1], os.popen('echo popen').read(), os.system('exit 5'))
r = resource.getrusage(resource.RUSAGE_CHILDREN)
print(r.ru_utime >= 0, resource.getrlimit(resource.RLIMIT_CORE)[0])
pid, fd = pty.fork()
if pid == 0:
    print(os.isatty(0), os.ttyname(0).startswith('/dev/pts/'), os.getsid(0) == os.getpid(), flush=True)
    os._exit(0)
out = b''
with contextlib.suppress(OSError):
    while (chunk := os.read(fd, 1000)):
        out += chunk
print(out, os.waitpid(pid, 0)[1])
section('signals')
seen = []
signal.signal(signal.SIGUSR1, lambda *a: seen.append(a[0]))
os.kill(os.getpid(), signal.SIGUSR1)
print(seen)

def alarm(*a):
    raise TimeoutError('alarm')
signal.signal(signal.SIGALRM, alarm)
signal.setitimer(signal.ITIMER_REAL, 0.05)
try:
    time.sleep(5)
except TimeoutError as e:
    print(e)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
os.kill(os.getpid(), signal.SIGUSR2)
print(signal.sigpending(), signal.sigtimedwait({signal.SIGUSR2}, 1).si_pid == os.getpid(), signal.sigtimedwait({signal.SIGUSR2}, 0.01))
signal.set_wakeup_fd(-1)
print(signal.getsignal(signal.SIGINT).__name__)
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)
except KeyboardInterrupt:
    print('KeyboardInterrupt')
section('files')
p = pathlib.Path('d/e')
p.mkdir(parents=True)
(p / 'f').write_text('text\n' * 100)
print(sorted((str(x) for x in pathlib.Path().rglob('*'))), (p / 'f').stat().st_size, oct((p / 'f').stat().st_mode))
shutil.copytree('d', 'copy')
shutil.make_archive('arch', 'zip', 'd')
print(zipfile.ZipFile('arch.zip').namelist())
shutil.rmtree('copy')
os.symlink('e/f', 'd/l')
print(os.readlink('d/l'), [e.name for e in sorted(os.scandir('d'), key=lambda e: e.name)])
with open('lock', 'w') as f:
    fcntl.flock(f, fcntl.LOCK_EX)
    fcntl.lockf(f, fcntl.LOCK_EX)
    print(fcntl.fcntl(f, fcntl.F_GETFD), os.fstat(f.fileno()).st_nlink)
for call in (lambda: open('nosuch'), lambda: os.mkdir('d'), lambda: os.rmdir('d'), lambda: os.open('/etc/passwd', os.O_DIRECTORY), lambda: os.close(99), lambda: os.kill(99999999, 0), lambda: os.link('d', 'x')):
    try:
        call()
    except OSError as e:
        print(errno.errorcode[e.errno], e)
print(os.sendfile(os.open('out', os.O_RDWR | os.O_CREAT), os.open('d/e/f', os.O_RDONLY), 0, 50), os.path.getsize('out'), os.pread(os.open('d/e/f', 0), 4, 5), os.statvfs('.').f_bsize > 0, os.memfd_create('m') > 2)
with open('d/e/f', 'r+b') as f, mmap.mmap(f.fileno(), 0) as m:
    m[0:4] = b'TEXT'
    print(m.find(b'text'), m[:9])
    m.flush()
    m.resize(8192)
    print(len(m), m.size())
m = mmap.mmap(-1, 1 << 20)
m[1 << 19] = 1
if (pid := os.fork()) == 0:
    m[0] = 42
    os._exit(0)
os.waitpid(pid, 0)
print(m[0], m.read().count(1))
section('sockets')
s = socket.create_server(('127.0.0.1', 0))
if (pid := os.fork()) == 0:
    c, _ = s.accept()
    while (data := c.recv(100)):
        c.sendall(data.upper())
    os._exit(0)
c = socket.create_connection(s.getsockname())
c.sendall(b'over tcp')
c.shutdown(socket.SHUT_WR)
print(c.recv(100), c.recv(1), os.waitpid(pid, 0)[1])
c.close()
s.close()
a, b = socket.socketpair()
r, w = os.pipe()
os.write(w, b'passed')
socket.send_fds(a, [b'fd'], [r])
msg, fds, *_ = socket.recv_fds(b, 10, 4)
print(msg, os.read(fds[0], 10))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(('127.0.0.1', 0))
u.sendto(b'datagram', u.getsockname())
print(u.recvfrom(100)[0])
u.settimeout(0.05)
try:
    u.recv(1)
except TimeoutError as e:
    print(e)
try:
    socket.create_connection(('127.0.0.1', 1))
except OSError as e:
    print(e)
x = socket.socket(socket.AF_UNIX)
x.bind('sock')
x.listen()
y = socket.socket(socket.AF_UNIX)
y.connect('sock')
z, _ = x.accept()
y.send(b'unix')
print(z.recv(9), struct.unpack('3i', z.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1:])
print(socket.getaddrinfo('127.0.0.1', 80, type=socket.SOCK_STREAM), socket.gethostname() != '')
ep = select.epoll()
ep.register(b, select.EPOLLIN)
print(ep.poll(0.01))
a.send(b'x')
print([e for _, e in ep.poll(1)], select.select([b], [a], [], 0)[0] == [b])
po = select.poll()
po.register(b)
print([e for _, e in po.poll(10)])

async def main():

    async def handle(r, w):
        w.write((await r.readline()).upper())
        await w.drain()
        w.close()
    server = await asyncio.start_server(handle, '127.0.0.1', 0)
    r, w = await asyncio.open_connection(*server.sockets[0].getsockname())
    w.write(b'asyncio\n')
    print(await r.read())
    w.close()
    server.close()
    print(await asyncio.gather(*(asyncio.sleep(0.01 * (3 - n), n) for n in range(3))))
    p = await asyncio.create_subprocess_exec('echo', 'child', stdout=asyncio.subprocess.PIPE)
    print(await p.communicate()) if sys.version_info > (3, 12) else await p.wait()
    try:
        await asyncio.wait_for(asyncio.sleep(5), 0.05)
    except asyncio.TimeoutError:
        print('timed out')
asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
asyncio.run(main())
section('modules in C')
db = sqlite3.connect(':memory:')
db.execute('create table t(a, b)')
db.executemany('insert into t values(?, ?)', ((i, str(i) * 2) for i in range(1000)))
print(db.execute('select count(*), sum(a), max(b) from t').fetchone())
libc = ctypes.CDLL(None)
print(libc.abs(-5), ctypes.create_string_buffer(b'x', 3).raw)
cmp = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))(lambda x, y: x[0] - y[0])
arr = (ctypes.c_int * 5)(5, 3, 1, 4, 2)
libc.qsort(arr, 5, 4, cmp)
print(list(arr))
print(time.strftime('%F', time.gmtime(1000000000.0)), datetime.datetime(2024, 2, 29).isoformat(), uuid.uuid5(uuid.NAMESPACE_DNS, 'x'), platform.machine(), platform.system(), sys.platform, time.get_clock_info('monotonic').implementation)

def deep(n):
    return 0 if n == 0 else 1 + deep(n - 1)
try:
    deep(10 ** 6)
except RecursionError as e:
    print(e)
x = [bytearray(100000) for _ in range(500)]
del x
print(gc.collect() >= 0, sys.getrefcount(object()))
try:
    bytearray(1 << 46)
except MemoryError:
    print('MemoryError')
sieve = bytearray([1]) * 300000
for i in range(2, 548):
    sieve[i * i::i] = bytes(len(range(i * i, 300000, i))) if sieve[i] else sieve[i * i::i]
print(sum(sieve) - 2)
sys.stderr.write('to stderr\n')
print(1 / 0)
