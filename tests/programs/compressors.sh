# Compressors with several threads.
# needs zstd xz pigz
# only ci
seq 400000 >numbers
for command in 'zstd -q -T2 -3' 'zstd -q -T4 -9 --rsyncable' 'xz -T2 -1 --block-size=262144' 'pigz -p 3 -n'; do
    $command <numbers >packed
    sha256sum packed
    ${command%% *} -dc <packed | cmp - numbers && echo "$command"
done
zstd -q -b1 -e2 -i0 -T2 numbers 2>&1 | grep -c MB/s
xz -dc -T2 --memlimit-decompress=1MiB packed
echo $?
rm packed
