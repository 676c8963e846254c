/* Copies with the function that the C library has chosen for this processor, whose address it prints; then, if there is an
   argument, with the function at that address. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void *copy(void *, const void *, size_t);

static char from[70000], to[70000];

static int check(copy *function)
{
    for (size_t len = 1; len < sizeof to; len += len / 3 + 1) {
        memset(to, 0, sizeof to);
        function(to, from, len);
        if (memcmp(to, from, len) != 0 || (len < sizeof to && to[len] != 0)) {
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof from; i++) {
        from[i] = (char)(i * 7 + 1);
    }
    copy *volatile chosen = memcpy;
    if (check(chosen) != 0 || strlen(from) == 0) {
        return 1;
    }
    printf("%lx\n", (unsigned long)chosen);
    fflush(stdout);
    return argc > 1 ? check((copy *)strtoul(argv[1], NULL, 16)) : 0;
}
