# find, xargs, archives, compression and what looks at files.
# needs find xargs tar gzip bzip2 xz zstd cpio zip unzip rsync file strings ldd
# only ci
mkdir -p tree/{a,b}/{1,2} && for i in $(seq 40); do seq $((i * 100)) >tree/a/1/file$i; done
ln -s ../a tree/b/link
ln tree/a/1/file1 tree/b/hard
touch -d @1000000000 $(find tree -type f)
chmod 600 tree/a/1/file2
mkfifo tree/fifo
find tree -printf '%p %y %m %s %n %l\n' | sort | grep -v ' d ' | head -60
find tree -name 'file1*' -size +1k -newermt 2000-01-01 | sort
find tree -type f -exec sh -c 'echo $#' sh {} +
find tree -name file3 -exec wc -l {} \; -o -name file4 -delete -print
find -L tree -xtype l -o -samefile tree/b/hard | sort
find nosuch
find tree -maxdepth 1 -mindepth 1 -print0 | sort -z | tr '\0' ' '
find tree -regex '.*file[56]' -execdir echo {} \; | sort
find tree -empty
find tree -perm 600 -quit
find tree -newer tree/a/1/file9 -type f
find tree -type f | sort | xargs -n 7 echo | wc -l
find tree -type f -print0 | xargs -0 -P 4 -n 3 md5sum | sort -k2
seq 20 | xargs -P 4 -I N sh -c 'exit $((N == 13 ? 3 : 0))'
echo $?
echo 255 | xargs sh -c 'exit 255'
echo $?
xargs -r false </dev/null
echo $?
xargs -a <(seq 3) -d '\n' -t echo
xargs nosuch <<<x
echo $?
seq 100000 | xargs | wc -w
seq 3 | xargs --process-slot-var=S -P 1 -n 1 sh -c 'echo $S $1' sh
echo a | xargs sh -c 'kill $$'
echo $?
tar -cf all.tar --sort=name --owner=0 --group=0 --mtime=@0 tree
sha256sum all.tar
tar -tvf all.tar | wc -l
for z in gzip bzip2 xz zstd; do
    tar -c --sort=name --mtime=@0 --use-compress-program=$z -f all.$z tree
    mkdir out.$z
    tar -xpf all.$z -C out.$z && diff -r --no-dereference -x fifo tree out.$z/tree && echo same from $z
done
tar -xOf all.tar tree/a/1/file7 | tail -1
tar --delete -f all.tar tree/a/1/file7
tar -df all.tar | head -3
tar -rf all.tar --transform 's/a/z/' tree/a/1/file7
tar -tf all.tar | tail -1
tar -xf nosuch.tar
echo $?
tar -c --checkpoint=20 --checkpoint-action=exec='echo checkpoint' -f /dev/null tree 2>&1 | head -2
tar -cf - tree | (mkdir piped && cd piped && tar -xf - --exclude='file1?') && find piped | wc -l
tar -c -M -L 50 -f v1 -f v2 -f v3 -f v4 -f v5 -f v6 -f v7 tree/a 2>&1 | tail -1
cat tree/a/1/* >big
for z in 'gzip -9n' 'bzip2 -1' 'xz -1 -T1' 'zstd -q -3 --single-thread'; do
    $z <big >big.z
    ls -s big.z >/dev/null
    stat -c %s big.z
    ${z%% *} -dc <big.z | cmp - big && echo $z
    ${z%% *} -t <big.z
    echo $?
    head -c 100 big.z | ${z%% *} -dc | wc -c
done
rm big.z
gzip -kv big 2>&1 | cut -c1-10
gzip -l big.gz | wc -l
zcat big.gz | tail -1
zdiff big big.gz
gunzip -f big.gz
gzip nosuch
echo $?
echo garbage | xz -dc
echo $?
xz -l nosuch
xzcat <(xz -c <<<text)
find tree -type f | sort | cpio -o --quiet -H newc --reproducible --device-independent | tee all.cpio | cpio -it --quiet | wc -l
mkdir cpio.out
(cd cpio.out && cpio -idm --quiet <../all.cpio && find . -type f | wc -l)
find tree -depth -type f | sort | cpio -pdml --quiet passed
stat -c %h passed/tree/a/1/file9
zip -qrX all.zip tree -x '*fifo' && unzip -l all.zip | tail -1
unzip -q all.zip -d unzipped && diff -r -x fifo tree unzipped/tree && echo unzipped
unzip -p all.zip tree/a/1/file8 | tail -1
unzip -tq all.zip
zip -d all.zip tree/a/1/file8
echo secret | zip -qP pass enc.zip - && unzip -qP pass -p enc.zip
unzip -qP wrong -p enc.zip
echo $?
rsync -a --no-owner --no-group tree/ synced/ && rsync -ain tree/ synced/
echo changed >>synced/b/hard
rsync -aic --out-format='%i %n' tree/ synced/
rsync -a --delete --exclude 'file2*' --delete-excluded tree/ synced/
find synced -type f | wc -l
rsync --list-only tree/a/1/file9 | awk '{print $2}'
rsync -a nosuch/ x
echo $?
file -b tree all.tar all.gzip all.zip big tree/fifo tree/b/link /bin/sh /dev/null
file -bi all.xz
strings -n 8 /bin/true | head -5
strings -t x all.tar | head -2
ldd /bin/ls | sed 's/(0x.*//'
readelf -h /bin/true | grep -v -i entry
readelf -d /bin/ls | grep NEEDED
nm -D /bin/true | head -5
objdump -d /bin/true | head -20 | tail -5
size /bin/true
ldd all.tar
echo $?
locale
locale -a
getconf PAGESIZE ARG_MAX
getconf _NPROCESSORS_ONLN
getent passwd root
getent hosts localhost | wc -l
iconv -l | wc -l
ar rc lib.a big
ar t lib.a
objcopy --only-section=.text /bin/true text.o
stat -c %s text.o
strip -o stripped /bin/true
cmp /bin/true stripped && echo was stripped
rm -rf *.zip synced out.* passed unzipped v?
