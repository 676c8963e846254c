'use strict';
const assert = require('assert');
const { execSync, fork, spawn, spawnSync } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const net = require('net');
const path = require('path');
const readline = require('readline');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const zlib = require('zlib');

if (!isMainThread) {
  const cells = new Int32Array(workerData.shared);
  for (let i = 0; i < 1000; i++) Atomics.add(cells, 0, 1);
  Atomics.add(cells, 1, 1);
  Atomics.notify(cells, 1);
  let sum = 0;
  for (let i = 0; i < 2e6; i++) sum = (sum + i * workerData.n) % 1000003;
  parentPort.postMessage({ n: workerData.n, sum });
} else if (process.argv[2] === 'child') {
  process.on('message', (m) => {
    process.send({ double: m.value * 2 });
    process.disconnect();
  });
} else {
  main().catch((error) => {
    console.log('failed', error);
    process.exit(1);
  });
}

async function main() {
  console.log(process.argv.slice(2), process.platform, process.arch, typeof process.pid);
  await files();
  await network();
  await children();
  await threads();
  await signals();
  memory();
  await webAssembly();
  process.on('exit', (code) => console.log('exit', code));
  process.exit(5);
}

async function files() {
  fs.mkdirSync('a/b', { recursive: true });
  await fs.promises.writeFile('a/b/file', 'text\n'.repeat(1000));
  console.log((await fs.promises.stat('a/b/file')).size, fs.readdirSync('a'), path.resolve('/x', '../y'));
  const all = await Promise.all([...Array(50).keys()].map((i) => fs.promises.writeFile(`a/f${i}`, String(i))));
  console.log(all.length, fs.readdirSync('a').length);
  await new Promise((done) => fs.createReadStream('a/b/file').pipe(zlib.createGzip()).pipe(fs.createWriteStream('a/z')).on('finish', done));
  console.log(zlib.gunzipSync(fs.readFileSync('a/z')).length);
  await assert.rejects(fs.promises.readFile('nosuch'), { code: 'ENOENT' });
  const hash = await new Promise((done) => crypto.pbkdf2('password', 'salt', 10000, 16, 'sha256', (e, key) => done(key.toString('hex'))));
  console.log(hash, crypto.createHash('sha1').update('x').digest('hex'), crypto.randomBytes(8).length);
  const watched = new Promise((done) => {
    const watcher = fs.watch('a', (event, name) => { watcher.close(); done([event, name]); });
    setImmediate(() => fs.writeFileSync('a/watched', ''));
  });
  console.log(await watched);
  fs.rmSync('a', { recursive: true });
  const lines = [];
  for await (const line of readline.createInterface({ input: spawn('seq', ['5']).stdout })) lines.push(line);
  console.log(lines);
}

async function network() {
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    response.setHeader('Content-Type', 'text/plain');
    response.end(`${request.method} ${request.url} ${body.toUpperCase()}`);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  const ask = (i) => new Promise((done, fail) => {
    const request = http.request({ port, agent, method: 'POST', path: `/${i}`, host: '127.0.0.1' }, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      done(text);
    });
    request.on('error', fail);
    request.end(`body ${i}`);
  });
  const answers = await Promise.all([...Array(40).keys()].map(ask));
  console.log(answers.length, answers[0], answers[39]);
  agent.destroy();
  await new Promise((done) => server.close(done));
  await ask(0).catch((error) => console.log(error.code));
  const echo = net.createServer((socket) => socket.pipe(socket));
  await new Promise((done) => echo.listen('socket', done));
  const client = net.connect('socket');
  client.end('through a unix socket');
  let back = '';
  for await (const chunk of client) back += chunk;
  console.log(back);
  await new Promise((done) => echo.close(done));
}

async function children() {
  console.log(execSync('echo from a shell').toString(), spawnSync('sh', ['-c', 'exit 3']).status, spawnSync('nosuch').error.code);
  const cat = spawn('tr', ['a-z', 'A-Z']);
  cat.stdin.end('piped');
  let out = '';
  for await (const chunk of cat.stdout) out += chunk;
  console.log(out);
  const killed = spawn('sleep', ['100']);
  killed.kill('SIGTERM');
  console.log(await new Promise((done) => killed.on('exit', (code, signal) => done([code, signal]))));
  const child = fork(__filename, ['child']);
  child.send({ value: 21 });
  console.log(await new Promise((done) => child.on('message', done)), await new Promise((done) => child.on('exit', done)));
}

async function threads() {
  const shared = new SharedArrayBuffer(8);
  const workers = [1, 2, 3, 4].map((n) => new Worker(__filename, { workerData: { n, shared } }));
  const sums = await Promise.all(workers.map((worker) => new Promise((done, fail) => worker.on('message', done).on('error', fail))));
  console.log(sums, [...new Int32Array(shared)]);
  const thrower = new Worker('throw new Error("in a worker")', { eval: true });
  console.log((await new Promise((done) => thrower.on('error', done))).message);
  const endless = new Worker('for (;;);', { eval: true });
  await new Promise((done) => endless.on('online', done));
  console.log(await endless.terminate());
}

async function signals() {
  const seen = new Promise((done) => process.once('SIGUSR2', done));
  process.kill(process.pid, 'SIGUSR2');
  console.log('signal', await seen);
}

function memory() {
  let kept = [];
  for (let round = 0; round < 20; round++) {
    kept = [];
    for (let i = 0; i < 20000; i++) kept.push({ i, text: 'x'.repeat(i % 50), list: [i, i + 1] });
  }
  console.log(kept.length, kept[19999].list, process.memoryUsage().rss > 1e6);
  const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2));
  console.log(fib(25), new Float64Array(1e6).fill(0.5).reduce((a, b) => a + b), [3, 1, 2].sort(), 2n ** 100n);
  const deep = (n) => deep(n + 1);
  try { deep(0); } catch (error) { console.log(error instanceof RangeError); }
  try { null.x; } catch (error) { console.log(error.message); }
}

async function webAssembly() {
  const add = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11]);
  const { instance } = await WebAssembly.instantiate(add);
  console.log(instance.exports.add(40, 2));
  await new Promise((done) => setTimeout(done, 100));
}
