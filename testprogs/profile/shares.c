// cflags: -O2 -fomit-frame-pointer -pthread -g
// Known shares of processor time in known functions: on the main thread, in a recursion, inlined, and in a second
// thread. Each function does a fixed part of the loop's rounds. The argument says how many million rounds there are.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define NEVER_INLINE __attribute__((noinline, noclone))
#define ALWAYS_INLINE static inline __attribute__((always_inline))

static volatile uint64_t sink;

ALWAYS_INLINE uint64_t rounds(uint64_t count, uint64_t x)
{
    // Unknown to the compiler, which would do it but once.
    asm volatile("" : "+r"(x));
    for (uint64_t i = 0; i < count; i++) {
        x = x * 6364136223846793005ull + 1442695040888963407ull;
        x ^= x >> 13;
    }
    return x;
}

// Half of all.
NEVER_INLINE uint64_t half(uint64_t count)
{
    return rounds(count, 1);
}

// A fifth, at the bottom of a recursion that is 40 calls deep.
NEVER_INLINE uint64_t recursive(int depth, uint64_t count)
{
    volatile uint64_t frame[8] = {depth};
    if (depth == 0)
        return rounds(count, 2);
    return recursive(depth - 1, count) + frame[0];
}

ALWAYS_INLINE uint64_t inlined(uint64_t count)
{
    return rounds(count, 3);
}

// A tenth, in a function that is inlined here.
NEVER_INLINE uint64_t caller_of_inlined(uint64_t count)
{
    return inlined(count) + 1;
}

// A fifth, by another thread.
NEVER_INLINE uint64_t in_thread(uint64_t count)
{
    return rounds(count, 4);
}

static void *thread(void *count)
{
    prctl(PR_SET_NAME, "second");
    sink += in_thread(*(uint64_t *)count);
    return NULL;
}

int main(int argc, char **argv)
{
    // In pieces, so that a change of the processor's pace hits all of them.
    const int pieces = 20;
    uint64_t all = (argc > 1 ? strtoull(argv[1], NULL, 10) : 200) * 1000000 / pieces;
    for (int piece = 0; piece < pieces; piece++) {
        sink += half(all * 5 / 10);
        sink += recursive(40, all * 2 / 10);
        sink += caller_of_inlined(all / 10);
        uint64_t count = all * 2 / 10;
        pthread_t second;
        if (pthread_create(&second, NULL, thread, &count) != 0 || pthread_join(second, NULL) != 0)
            return 1;
    }
    puts("done");
    return 0;
}
