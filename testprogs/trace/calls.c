// A function that is called five times, with the numbers from 0 to 4.
#include <stdio.h>

__attribute__((noinline, noclone)) int called(int value)
{
    asm volatile("" : "+r"(value));
    return value * 3 + 1;
}

int main(void)
{
    int sum = 0;
    for (int i = 0; i < 5; i++)
        sum += called(i);
    printf("%d\n", sum);
    return 0;
}
