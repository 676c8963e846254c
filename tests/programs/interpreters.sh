# Lua, SQLite with a write-ahead log and two processes, busybox, expect.
# needs lua5.4 sqlite3 busybox expect
# only ci
cat >l.lua <<'END'
local t = {} for i = 1, 1000 do t[i] = (i * 7919) % 1009 end table.sort(t) print(#t, t[1], t[1000], table.concat(t, ",", 1, 5))
local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i * i) end return "end" end) print(co(), co(), co(), co())
print(string.format("%5.2f|%q|%x", math.pi, "quo\"te", 255), ("hello"):gsub("l", "L"), ("key=value"):match("(%w+)=(%w+)"), 7 // 2, 7 % -3, 1 << 62, math.maxinteger + 1 == math.mininteger)
print(pcall(error, { code = 5 })) print(select("#", pcall(string.rep, "x", -1)), load("return 1 +")) print(xpcall(function() local x = nil; return x.y end, function(m) return "handled: " .. m end))
local f = io.open("file", "w") f:write("line\n", 42, "\n") f:close() for l in io.lines("file") do print(l) end print(io.open("nosuch")) local p = io.popen("echo from a pipe; exit 3") print(p:read("a"), p:close()) print(os.execute("kill -9 $$")) print(os.getenv("LC_ALL"), os.time({ year = 2001, month = 9, day = 9, hour = 1, min = 46, sec = 40 }), os.rename("file", "moved"), os.remove("nosuch"))
setmetatable(t, { __gc = function() print("collected") end }) t = nil collectgarbage() print(collectgarbage("count") > 0) local s = {} for i = 1, 20000 do s[#s + 1] = ("x"):rep(i % 100) end print(#table.concat(s)) local function deep(n) return n == 0 and 0 or 1 + deep(n - 1) end print(pcall(deep, 1e6)) os.exit(6)
END
lua5.4 l.lua 2>&1 | sed 's/0x[0-9a-f]*/ADDRESS/'
echo "${PIPESTATUS[0]}"
lua5.4 -e 'print(#arg, arg[1])' x
lua5.4 nosuch.lua
echo $?
lua5.4 - <<<'error("failed")'
echo $?
sqlite3 db 'pragma journal_mode=wal; create table t(id integer primary key, who text, n int); create index i on t(n);'
for who in one two; do (
    for i in $(seq 20); do echo "begin immediate; insert into t(who, n) values('$who', $i); commit;"; done | sqlite3 -cmd '.timeout 20000' db
    echo "writer $?"
) & done
wait
sqlite3 db "select who, count(*), sum(n) from t group by who; pragma integrity_check; pragma wal_checkpoint(truncate); explain query plan select * from t where n = 3;"
ls db*
(
    echo 'begin exclusive; insert into t(who) values("lock"); select "locked";'
    sleep 1
    echo 'rollback;'
) | sqlite3 db &
sleep 0.4
sqlite3 db 'insert into t(who) values("x")'
echo "busy $?"
wait
sqlite3 db <<'END'
.mode column
.headers on
with recursive c(x) as (select 1 union all select x + 1 from c where x < 1000) select sum(x), avg(x), group_concat(x % 3, '') like '120%' as g from c;
create virtual table ft using fts5(body); insert into ft values('quick brown fox'), ('lazy dog'); select * from ft where ft match 'dog';
select json_extract('{"a":[1,2]}', '$.a[1]'), round(3.14159, 2), hex(x'ff'), date(1e9, 'unixepoch'), sqrt(2);
create trigger tr after insert on t begin insert into t2 values(new.id); end; create table t2(id); insert into t(who) values('trigger'); select count(*) from t2; vacuum; 
select nosuch from t;
END
echo $?
sqlite3 db .dump | sqlite3 db2
sqlite3 db2 'select count(*) from t'
cmp db nosuch
sqlite3 :memory: 'pragma mmap_size=1000000; select 1'
echo 'garbage that is longer than a header of sqlite, so to say, more or less' >bad
for i in 1 2 3; do
    cat bad bad bad bad >bad2
    cp bad2 bad
done
sqlite3 bad 'select * from t'
echo $?
busybox sh -c 'for i in 1 2 3; do echo $i; done | busybox awk "{ s += \$1 } END { print s }"; busybox seq 10 | busybox xargs -n 3 -P 2 busybox echo | busybox sort; (sleep 0.05; exit 4) & wait $!; echo $?; busybox find /etc/passwd; trap "echo t" TERM; kill $$; busybox nosuch; busybox timeout 0.1 busybox sleep 3; echo $?; busybox tar -c /etc/passwd 2>/dev/null | busybox gzip | busybox zcat | busybox tar -t; busybox vi --help 2>&1 | busybox head -1; busybox diff /etc/passwd /etc/group | busybox wc -l >/dev/null; busybox ps | busybox grep -c "busybox ps"; busybox nc 127.0.0.1 1 </dev/null; echo $?'
expect -c 'log_user 0; set timeout 20; spawn cat; send "typed\r"; expect "typed\r\ntyped\r\n" { puts "echoed" } timeout { puts timeout }; send "\004"; expect eof { puts eof }; puts [wait -i $spawn_id -nowait]; spawn sh; send "tty -s && echo a-terminal; stty size; exit 3\r"; expect -re "a-terminal\r\n(\[0-9]+ \[0-9]+)" { puts $expect_out(1,string) }; expect eof; puts [lindex [wait] 3]; spawn sh -c "trap \"echo got int\" INT; echo ready; sleep 5; echo end"; expect ready; send "\003"; expect "got int" { puts "got int" } timeout { puts timeout }; expect eof' | sed 's/^[0-9]* exp[0-9]*/PID/'
rm -f db* bad*
