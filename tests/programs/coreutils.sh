# Many small programs on files, links, permissions, text and numbers.
seq 1 200 >numbers
mkdir -p a/b/c && touch -d '2001-02-03 04:05:06' a/old && ln -s ../numbers a/link && ln numbers hard && mkfifo pipe
cp -a a copy && cp -r --preserve=all a copy2 && cp --reflink=auto numbers n2 && cp -l numbers n3 && cp --sparse=always numbers n4
mv -v n2 moved
mv -n n3 moved
install -m 751 -d dir
install -m 640 numbers dir/n
rm -rfv copy2 | sort
ln -sf nowhere dangling
readlink dangling
readlink -f a/link | sed 's:.*/::'
realpath --relative-to=. a/b/../link
chmod -v u=rwx,g=rx,o= moved
chmod -R go-rwx a
stat -c '%n %s %a %F %h' moved a a/link hard pipe dangling
stat -L -c '%s' a/link
chown -v 0:0 moved 2>&1 | sed 's/ownership.*//'
touch -c missing
touch -r a/old touched
stat -c %Y touched
date -u -r touched +%F
ls -la a | awk '{print $1, $2, $NF}'
ls -1 | head -50
ls -R a
ls --zero a | tr '\0' '|'
echo
dir -1 a
ls nosuch
du -b --apparent-size numbers
du -s a >/dev/null && echo du
df . | wc -l
cat -A <<<$'tab\there'
tac numbers | head -3
head -c 20 numbers
tail -n 2 numbers
tail -c 5 numbers
tail -f --pid=$$ /dev/null &
kill $!
wait $! 2>/dev/null
nl -ba numbers | tail -1
od -An -tx1 -N16 numbers
base32 <<<text
base64 -w 20 numbers | head -2
base64 -d <<<dGV4dAo=
basenc --base16 <<<x
wc numbers
sum numbers
cksum numbers
b2sum numbers
for s in md5 sha1 sha224 sha256 sha384 sha512; do ${s}sum numbers; done
sha256sum numbers >sums
sha256sum -c sums
sort -rn numbers | head -2
sort -R --random-source=numbers numbers | head -2
sort -u -k1.1,1.1 numbers | wc -l
sort --parallel=1 -S 1M -t: -k2 <<<$'b:1\na:0'
sort -c numbers
sort -m numbers numbers | uniq -d | wc -l
uniq -c <<<$'a\na\nb'
comm -12 <(sort numbers) <(seq 50 55)
join <(printf '1 a\n2 b\n') <(printf '1 x\n2 y\n')
paste -s -d, <(seq 5)
cut -c2-3 <<<abcdef
cut -d: -f1,3 /etc/passwd | head -1
tr -s ' ' '\n' <<<'a  b   c'
tr -d aeiou <<<vowels
expand -t 3 <<<$'\tx'
unexpand -a <<<'        x'
fold -w 7 <<<'folded text line'
fmt -w 20 <<<'words that are filled into lines of twenty'
pr -t -2 -l 5 <(seq 10)
ptx <<<'a b' | head -2
tsort <<<$'a b\nb c'
split -l 50 numbers part.
ls part.*
csplit -s numbers 100
wc -l xx00 xx01 | head -2
split -n 3 -d numbers chunk
cat chunk* | cmp - numbers && echo joined
split -l 100 --filter='wc -l' numbers
dd if=numbers of=dd.out bs=10 skip=2 seek=1 count=5 conv=notrunc,ucase 2>/dev/null
od -c dd.out | head -2
dd if=/dev/zero bs=1M count=8 status=none | wc -c
dd if=numbers bs=3 count=2 iflag=fullblock 2>&1 | head -4
truncate -s 1M sparse
stat -c '%s %b' sparse
fallocate -l 64K full 2>/dev/null
stat -c %s full
shred -n 1 -u full
sync dd.out
expr 7 \* 6
expr abc : 'a\(.\)'
factor 1234567890123456789 18446744073709551615
seq -s, 1 .5 3
numfmt --to=iec 123456789
printf '%s %d %5.2f %o %q\n' s 1 2.5 8 'a b'
test 3 -gt 2 -a -f numbers
echo $?
[ -L a/link ] && echo link
[ -p pipe ] && echo fifo
date -u -d '2020-02-29 + 1 year' +%F
date -u -d @1e9 2>&1 | head -1
date -u -d @0 --rfc-3339=seconds
TZ=Europe/Berlin date -d @1000000000 +%c
env | sort | grep -v -e ^_ -e ^PWD
env -u HOME printenv HOME
printenv LC_ALL
env -i FOO=bar env
env -S 'A=1 printenv A'
env --ignore-signal=TERM sh -c 'kill -TERM $$; echo lives'
env --default-signal sh -c 'trap'
id -u
id -gn
groups
whoami
logname 2>&1
who | wc -l
users | wc -l
hostname >/dev/null && uname -srm
arch
nproc
tty
pathchk -p 'ok'
pwd -P | sed 's:.*/::' | wc -l
uptime >/dev/null
hostid >/dev/null
timeout 0.1 sleep 5
echo $?
{
    timeout -s KILL 0.1 sleep 5
    echo $?
} 2>/dev/null
timeout 5 sh -c 'exit 3'
echo $?
timeout --preserve-status 0.1 sleep 5
echo $?
nice -n 5 nice
nohup echo out 2>&1
sleep 0.01 0.01
stdbuf -oL echo line
chroot / echo in the root
runcon 2>&1 | tail -1
yes | head -2
nohup nosuch 2>&1
echo $?
tee t1 t2 <<<tee >/dev/null
cat t1 t2
tee -a t1 /dev/full <<<again
echo $?
echo full >/dev/full
cat </dev/full | head -c 3 | od -c
mktemp -u x.XXXX | wc -c
mktemp -d d.XXXXXX | wc -c
rmdir d.*
unlink moved
rmdir a
rm nosuch
rm -f nosuch
mkdir a
link numbers l2
mknod node p
ls -l node | cut -c1
pinky -s >/dev/null
stty -a
vdir -d . | cut -c1-4
echo -e 'a\tb\x41\0101'
cat nosuch
cp nosuch x
cat .
mv a a/b
head -c -390 numbers | wc -c
shuf -i 1-5 --random-source=numbers | paste -sd' '
dircolors -b | head -c 10
echo
true
false
echo $?
cat numbers | tee >(wc -l >&2) | md5sum
sleep 0.1
rm -f xx0* l2
