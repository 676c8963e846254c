# With core files allowed, a program that dies leaves its own or none, never one of the runner's.
# needs gcc file
ulimit -c unlimited
ulimit -c
gcc -xc - -o dies <<<'#include <signal.h>
#include <stdlib.h>
int main(int argc, char **argv) { if (argc > 1) abort(); *(volatile int *)1 = 1; }'
{
    ./dies
    echo $?
    ./dies abort
    echo $?
    sh -c 'kill -QUIT $$'
    echo $?
    (kill -SEGV $BASHPID)
    echo $?
} 2>/dev/null
for core in core*; do
    [ ! -e "$core" ] || { file -b "$core" | grep kvm-se; }
done
rm -f core* dies
