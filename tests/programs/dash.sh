# The POSIX shell, which starts children by vfork or fork and keeps them in lists.
# needs dash
cat >script <<'END'
set -u
i=0
while [ $i -lt 20 ]; do i=$((i + 1)); done
echo $i
echo a b c | { read -r x y; echo "$y $x"; }
f() { local v=$1; [ "$v" -gt 0 ] || return 3; f $((v - 1)); }
f 50; echo "returned $?"
cat <<EOT
here $i $(echo sub)
EOT
trap 'echo term' TERM
kill -TERM $$
trap 'echo leaving $?' EXIT
sleep 0.05 & p=$!
wait $p; echo "waited $?"
(exit 7) & wait $!; echo "child $?"
( kill -9 $(sh -c 'echo $PPID') ); echo "killed $?"
set -- one two three; shift; echo $# "$*"
case $1 in t*) echo pattern;; esac
for w in *; do [ -f "$w" ] && echo "file $w"; done
exec 3>out; echo to three >&3; exec 3>&-; cat out
umask 077; : >private; ls -l private | cut -c1-10
ulimit -n 50; ulimit -n
printf '%s|%5d|%-5s|%x\n' text 42 left 255
echo ${x-unset} ${HOME%/*} ${#i}
command -v ls; type cd
read -r first rest <<EOT
one two three
EOT
echo "$first,$rest"
nosuchcommand
echo $?
set -e
false
echo not reached
END
dash script
echo "status $?"
dash -c 'echo $0 $1' name argument
echo 'echo from stdin; exit 4' | dash
echo "status $?"
{ dash -c 'kill -SEGV $$'; echo "status $?"; } 2>/dev/null
dash -x -c 'a=1; echo $a'
dash -c 'while :; do :; done & p=$!; kill $p; wait $p; echo ended $?'
