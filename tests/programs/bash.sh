# The shell itself: pipelines, here-documents, traps, job control, arrays, process substitution, coprocesses.
set -u
section() { printf '\n== %s\n' "$1"; }

section pipelines
printf '%s\n' pear apple fig apple | sort | uniq -c | sed 's/^ *//' | tr '\n' ';'
echo
true | false | true
echo "status $? each ${PIPESTATUS[*]}"
set -o pipefail
true | false | true
echo "with pipefail $?"
set +o pipefail
seq 100000 | head -n 1
echo "the writer of a closed pipe: ${PIPESTATUS[0]}"
yes | head -c 100000 | wc -c
{ echo out; echo err >&2; } 2>&1 | cat -n
{ echo left; echo right >&2; } |& sort
! echo negated | grep -q nothing
echo "not: $?"
shopt -s lastpipe
echo kept | read -r word
echo "last of a pipeline in this shell: ${word:-lost}"
shopt -u lastpipe

section here-documents
name=world
cat <<END
hello $name $((6 * 7)) $(echo from a command)
END
cat <<'END'
hello $name $(not run)
END
cat <<-END
	tabs are gone
	END
tr a-z A-Z <<<"a here-string with $name"
while read -r a b; do echo "$b-$a"; done <<END
one two
three four
END
cat <(echo first) - <(echo third) <<<second
big=$(printf 'x%.0s' {1..70000})
wc -c <<<"$big"

section arrays
list=(zero one "two words" three)
list+=(four)
echo "${#list[@]} ${list[2]} ${list[-1]} ${list[*]:1:2}"
unset 'list[1]'
echo "${!list[@]}"
declare -A map=([x]=1 [y]=2)
map[z]=3
for key in $(printf '%s\n' "${!map[@]}" | sort); do printf '%s=%s ' "$key" "${map[$key]}"; done
echo
mapfile -t lines < <(printf 'l%d\n' 1 2 3)
echo "${#lines[@]} ${lines[*]}"
readarray -d : -t fields <<<'a:b:c'
echo "${fields[@]}"

section expansion
path=/usr/lib/archive.tar.gz
echo "${path##*/} ${path%.*} ${path/lib/LIB} ${path^^} ${#path} ${unset:-default} ${path: -6}"
echo {a..e} {01..10..3} x{1,2}{a,b}
[[ 2024-05-17 =~ ^([0-9]+)-([0-9]+)-([0-9]+)$ ]] && echo "${BASH_REMATCH[@]:1}"
shopt -s extglob nullglob
mkdir globs && touch globs/{one,two,three}.txt globs/other.log
echo globs/*.txt globs/!(*.txt) globs/*.none
printf '%q %s %05d %x %.3f %b\n' 'a b' text 42 255 3.14159 'tab\there'
echo $((0x1f + 010 + 2#1011)) $((7 ** 20)) $((-7 / 2)) $((-7 % 3)) $((5 > 3 ? 1 : 0))

section functions
factorial() { local n=$1; if ((n <= 1)); then echo 1; else echo $((n * $(factorial $((n - 1))))); fi; }
factorial 12
outer() { local seen=inner-visible; inner; }
inner() { echo "$seen ${FUNCNAME[*]}"; }
outer
recurse() { (($1 == 0)) && return 7; recurse $(($1 - 1)); }
recurse 200
echo "returned $?"

section traps
trap 'echo "USR1 in $BASH_SUBSHELL"' USR1
kill -USR1 $$
kill -USR1 $$
trap 'echo "TERM ignored once"; trap - TERM' TERM
kill -TERM $$
(trap 'echo "subshell leaves with $?"' EXIT; exit 3)
echo "status $?"
(trap 'echo got INT; exit 9' INT; kill -INT $BASHPID; echo not reached)
echo "status $?"
(kill -TERM $BASHPID)
echo "killed: $?"
trap 'echo "ERR at a false"' ERR
false
trap - ERR
count=0
trap 'count=$((count + 1))' DEBUG
: ; : ; :
trap - DEBUG
echo "DEBUG trap ran $count times"
trap '' PIPE
(echo "nobody reads this" 2>/dev/null; echo "write to a closed pipe: $?" >&2) 2>&1 >&- | cat
trap - PIPE
trap -p | sort

section jobs
sleep 0.05 & first=$!
(exit 5) & second=$!
wait $second
echo "second $?"
wait $first
echo "first $?"
for i in 3 1 2; do (sleep 0.$i; exit $i) & done
for i in 1 2 3; do wait -n; echo "next one: $?"; done
wait -n
echo "no child left: $?"
trap 'echo "USR1 broke the wait"' USR1
sleep 100 & sleeper=$!
(sleep 0.1; kill -USR1 $$) & disown
wait $sleeper
echo "wait returned $(($? > 128))"
kill $sleeper
wait $sleeper 2>/dev/null
trap - USR1
sleep 100 &
kill -STOP $!
kill -CONT $!
kill $!
wait $! 2>/dev/null
echo "killed child: $?"
set -m
sleep 100 &
job=$!
jobs | sed 's/  */ /g'
[ "$(ps -o pgid= $job | tr -d ' ')" = $job ] && echo "a group of its own"
kill -TSTP %%
while [ "$(jobs -s)" = "" ]; do sleep 0.01; done
jobs | sed 's/  */ /g'
bg %% >/dev/null
{ kill %%; wait $job; echo "job ended: $?"; jobs; } 2>/dev/null
sleep 0.05 | cat &
fg >/dev/null
echo "foreground: $?"
(sleep 0.01 & wait; echo waited in a group of its own)
set +m

section 'process substitution and coprocesses'
diff <(printf '1\n2\n3\n') <(printf '1\n3\n4\n')
echo tee | tee >(tr a-z A-Z >upper) >lower
while [ ! -s upper ]; do sleep 0.01; done
cat lower upper
coproc BC { while read -r a b; do echo $((a * b)); done; }
echo 6 7 >&"${BC[1]}"
read -r product <&"${BC[0]}"
echo "coprocess says $product"
coprocess=$BC_PID
exec {BC[1]}>&-
wait "$coprocess"
echo "coprocess ended: $?"

section descriptors
exec 3>file3 4<&0 {other}>file-other
echo three >&3
echo other >&$other
exec 3>&- 4<&- {other}>&-
cat file3 file-other
echo append >>file3
wc -l <file3
exec 5<>file3
read -r line <&5
echo "$line"; echo replaced >&5
exec 5>&-
cat file3
echo x 2>/dev/null >&9 || echo "bad descriptor: $?"
set -C
echo y >file3 || echo "noclobber: $?"
echo y >|file3
set +C

section limits
(ulimit -n 64; ulimit -n; exec 70>/dev/null; echo "descriptor 70: $?")
{ (ulimit -f 1; head -c 100000 /dev/zero >too-large); echo "file of too many blocks: $?"; } 2>/dev/null
stat -c %s too-large
(ulimit -S -s 4096; ulimit -s; bash -c 'ulimit -s')
(ulimit -t 1; ulimit -t)
(ulimit -c 0; ulimit -c; ulimit -Hc)
(ulimit -v 1000000; ulimit -v; /bin/true; echo "address space: $?")
(ulimit -u 1000; bash -c 'ulimit -u')

section commands
type -t cd ls if section
command -v sed
hash -r
nosuchcommand; echo "$?"
./file3; echo "$?"
/; echo "$?"
exec -a other-name bash -c 'echo $0' &
wait
env -i A=1 bash -c 'echo $A ${HOME-unset}'
bash -c 'echo $# "$@"' name one "two three" ''
bash -n <<<'if then' ; echo "syntax: $?"
bash -e -c 'false; echo not reached'; echo "errexit: $?"
eval 'echo evaluated'; printf 'echo sourced $1\n' >source; . ./source argument
time_format=$({ TIMEFORMAT=%P; time :; } 2>&1); [[ $time_format =~ ^[0-9.]+$ ]] && echo timed
read -r -t 0.05 nothing < <(sleep 1); echo "read timed out: $(($? > 128))"
getopts ab: option -b value; echo "$option $OPTARG"
select choice in red green; do echo "chose $choice"; break; done <<<2 2>/dev/null
printf '%(%F)T\n' 86400
echo "$BASH_SUBSHELL $(echo $BASH_SUBSHELL) $SHLVL $(bash -c 'echo $SHLVL')"
enable -n echo; echo external; enable echo
umask 027; touch masked; stat -c %a masked; umask -S
pushd / >/dev/null; pwd; popd >/dev/null
exit 42
