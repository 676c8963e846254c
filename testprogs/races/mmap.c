// cflags: -pthread
// Threads that map, touch, protect, move and unmap memory of their own and share one region, while one
// reads and writes files by way of it: each sees its own content, whatever its neighbours do.
#include "check.h"
#include "races/races.h"

#define THREADS 4
#define OPERATIONS 150
#define PAGE 4096ul

static char *common;
static atomic_long turns;

static void *storm(void *arg) {
    unsigned long long seed = 1 + (unsigned long long)(long)arg;
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    for (int i = 0; i < OPERATIONS; i++) {
        size_t pages = 1 + random_below(&seed, 40), length = pages * PAGE;
        char mark = (char)(1 + random_below(&seed, 100));
        char *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(at != MAP_FAILED);
        size_t touched = random_below(&seed, pages);
        REQUIRE(at[touched * PAGE] == 0);
        at[touched * PAGE] = mark;
        // By way of the kernel, from and to memory that neighbours change the tables of.
        REQUIRE(write(ends[1], at + touched * PAGE, 8) == 8);
        REQUIRE(read(ends[0], at + (pages - 1) * PAGE + 64, 8) == 8 && at[(pages - 1) * PAGE + 64] == mark);
        switch (random_below(&seed, 5)) {
        case 0:
            REQUIRE(mprotect(at, length, PROT_READ) == 0 && at[touched * PAGE] == mark);
            break;
        case 1: {
            char *moved = mremap(at, length, length * 2, MREMAP_MAYMOVE);
            REQUIRE(moved != MAP_FAILED && moved[touched * PAGE] == mark && moved[length] == 0);
            REQUIRE(munmap(moved + length, length) == 0);
            at = moved;
            break;
        }
        case 2:
            REQUIRE(madvise(at, length, MADV_DONTNEED) == 0 && at[touched * PAGE] == 0);
            break;
        case 3:
            REQUIRE(mmap(at, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
            REQUIRE(at[touched * PAGE] == 0);
            break;
        default:
            __atomic_fetch_add((long *)(common + touched * PAGE), 1, __ATOMIC_SEQ_CST);
            turns++;
        }
        REQUIRE(munmap(at, length) == 0);
    }
    close(ends[0]);
    close(ends[1]);
    return NULL;
}

int main(int argc, char **argv) {
    while (next_round(argc, argv)) {
        common = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        turns = 0;
        pthread_t threads[THREADS];
        for (long i = 0; i < THREADS; i++)
            threads[i] = start(storm, (void *)i);
        for (int i = 0; i < THREADS; i++)
            join(threads[i]);
        long sum = 0;
        for (int page = 0; page < 64; page++)
            sum += *(long *)(common + page * PAGE);
        REQUIRE(sum == turns);
        REQUIRE(munmap(common, 64 * PAGE) == 0);
    }
    return races_done();
}
