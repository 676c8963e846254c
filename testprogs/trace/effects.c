// Instructions whose effects their operands alone do not tell, and three system calls.
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    static unsigned bits[8] __attribute__((aligned(32)));
    unsigned number = 100;
    asm volatile("bts %1, %0" : "+m"(bits[0]) : "r"(number) : "memory", "cc");
    asm volatile("fninit");
    pid_t first = getppid(), second = getppid(), third = getppid();
    printf("%x %d\n", bits[3], first == second && second == third);
    return 0;
}
