# grep, sed, awk, ed, bc, m4, diff and patch on text.
# needs gawk mawk ed bc m4 patch vim column
for i in $(seq 1 300); do echo "$i $((i * i)) word$((i % 7)) $((i * 7919 % 1000))"; done >table
grep -c word3 table
grep -n '^1[05] ' table
grep -E '(11|22)+ ' table | head -3
grep -P '(?<=word)[56] 1\d\d$' table | head -2
grep -r --include=table 'word0 7$' .
grep -v word table
echo $?
grep x nosuch
echo $?
grep -o '[0-9]*$' table | sort -n | tail -1
grep -A1 -B1 '^150 ' table
fgrep -w 49 table
grep -z b table | tr -d '\0' | wc -c
zgrep -c word1 table
grep -m2 -b word2 table
sed -n '5,7p;/^100 /s/word\([0-9]\)/W<\1>/p;$=' table
sed -i.bak -e '1,290d' -e 's/word/w/;y/0123/abcd/' table
cat table
mv table.bak table
sed -E 's/^([0-9]+) ([0-9]+)/\2 \1/;10q' table
sed -n '1~100{h;G;l}' table
sed '2,$!N;$!d;s/\n/ | /' <(seq 3)
sed -n '/2/{w out' -e '}' table
wc -l out
sed --expression='1e echo executed' table | head -1
sed s/unterminated
echo $?
for awk in mawk gawk; do
    $awk '{ sum += $2; n[$3]++ } END { for (k in n) print k, n[k] | "sort"; close("sort"); print sum, NR, sqrt(2), substr("abcdef", 2, 3), length("xyz"), index("hay needle", "needle") }' table
    $awk -F: 'BEGIN { while ((getline line < "table") > 0) c++; print c; "echo from a pipe" | getline v; print v; printf "%5.2f|%-5s|%05d|%x|%c\n", 3.14159, "ab", 42, 255, 65; print toupper("x") tolower("Y"), split("a:b:c", p, ":"), p[3]; s = "aaa"; print gsub(/a/, "b", s), s; print system("exit 3"); print ENVIRON["LC_ALL"]; srand(1); print match("foobar", /o+/), RSTART, RLENGTH; exit 5 }'
    echo $?
    $awk '$1 % 50 == 0 { print > ("row" $1) } END { print "end" > "/dev/stderr" }' table
    cat row*
    rm row*
done
gawk 'BEGIN { n = asorti(PROCINFO, keys); print n > 0; print strftime("%F", 0, 1); cmd = "cat"; print "to a coprocess" |& cmd; close(cmd, "to"); cmd |& getline back; print back; print gensub(/(a)(b)/, "\\2\\1", "g", "abab"); print strtonum("0x1F"), and(12, 10) }'
printf '%s\n' a 'first line' 'second line' . 1s/first/changed/ ,n w\ edited q | ed -s
cat edited
ed -s edited <<<$'2i\ninserted\n.\n,p\n!echo shell\nwq'
bc -l <<<'scale=30; 4*a(1); e(1); 2^200; sqrt(2)'
bc <<<'define f(n) { if (n < 2) return 1; return n * f(n - 1); } f(60); ibase=16; FF; obase=2; A'
dc -e '20k2vp' 2>&1 | head -1
m4 -DX=3 <<'END'
define(`square', `eval($1 * $1)')square(X) ifelse(X, 3, three, other) len(`text') substr(abcdef, 1, 3) translit(abc, a-c, A-C)
define(`loop', `ifelse($1, 0, , `$1 loop(decr($1))')')loop(10)
syscmd(echo from m4)esyscmd(seq 3)sysval include(nosuch)
END
echo $?
seq 20 >old
sed '3d;10s/$/ changed/;15a\new' old >new
diff old new
echo $?
diff -u --label a --label b old new >p
cat p
diff -y -W 30 old new | head -12
cp old patched
patch -b patched <p
cmp patched new && echo patched
patch -R patched p
cmp old patched && echo reversed
patch --dry-run new p
echo $?
diff3 -m old new old | head -5
sdiff -s old new
cmp old new
diff -rq . .
diff -q old nosuch
vim -es -u NONE -c '%s/1/one/g' -c 'g/0$/d' -c 'wq! vimmed' new </dev/null
echo $?
cat vimmed
vim -es -u NONE +'put =system(\"echo from vim\")' +'%print' +'q!' </dev/null
echo $?
column -t <<<$'a bbb c\naaaa b c'
rev <<<abc
tac -s : <<<a:b:c
cut -f2 -d' ' table | paste - - - | head -2
nl -s. old | head -2
strings -n 3 /bin/true | head -3
file -b old /bin/sh
comm -3 old new | head -3
iconv -f utf8 -t utf16 <<<ä | od -tx1
hexdump -C old | head -2
xxd old 2>/dev/null | head -1
look wor table 2>&1 | head -1
split -l 5 old
ls x*
