// Says hello by way of the C library, which the dynamic loader brings.
#include <stdio.h>

int main(void) { return puts("hello") < 0; }
