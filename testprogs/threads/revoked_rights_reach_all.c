// cflags: -pthread
// When mprotect, munmap, mmap, madvise or mremap has returned, no other thread reads or writes by the
// right that was taken, nor sees the content that was there: two threads access all the time. 3,000
// rounds, or as many as there are in a second, or in the seconds that the argument says.
#include "check.h"
#include "threads/threads.h"
#include <setjmp.h>

#define PAGE 4096l
#define PAGES 4
#define WORKERS 2
#define ROUNDS 3000

enum { OPEN, READ_ONLY, CLOSED, ZEROED, FRESH };

// What holds for the pages: the kind in the low bits, and a number that grows. While `change` is odd,
// a call is on its way and anything may be seen.
static atomic_long change, kind, value;
static atomic_bool stop;
static char *pages, *aside;
static __thread sigjmp_buf refused;
static __thread volatile bool expects_fault;
static atomic_long wrong, checked;

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    REQUIRE(signal == SIGSEGV && expects_fault);
    REQUIRE((char *)info->si_addr >= pages && (char *)info->si_addr < pages + PAGES * PAGE);
    siglongjmp(refused, 1);
}

// Reads a word, or writes it back as it is. Whether that worked.
static bool access_word(volatile long *word, bool writes, long *seen) {
    if (sigsetjmp(refused, 0) != 0) {
        expects_fault = false;
        return false;
    }
    expects_fault = true;
    if (writes)
        __asm__ volatile("lock orq $0, %0" : "+m"(*word));
    else
        *seen = *word;
    expects_fault = false;
    return true;
}

static void *work(void *number) {
    long me = (long)number, turn = 0;
    while (!stop) {
        long before = change, is = kind, expected = value;
        volatile long *word = (long *)(pages + turn++ % PAGES * PAGE + me * 64);
        bool writes = turn % 3 == 0;
        long seen = expected;
        bool worked = access_word(word, writes, &seen);
        // What was seen counts if no call was on its way all the time.
        if (before & 1 || before != change)
            continue;
        bool may = is == READ_ONLY ? !writes : is != CLOSED;
        if (worked != may || seen != expected) {
            dprintf(1, "FAIL change %ld kind %ld writes %d worked %d saw %ld, not %ld\n", before, is,
                    writes, worked, seen, expected);
            wrong++;
        }
        checked++;
    }
    return NULL;
}

static void fill(long with) {
    for (int page = 0; page < PAGES; page++)
        for (int me = 0; me < WORKERS; me++)
            *(long *)(pages + page * PAGE + me * 64) = with;
}

static void begin(void) { change++; }

// Publishes what holds now, and lets the workers look at it.
static void end(long new_kind, long new_value) {
    kind = new_kind;
    value = new_value;
    long enough = checked + 8;
    change++;
    while (checked < enough && wrong == 0)
        sched_yield();
}

static void map_anew(int protection) {
    REQUIRE(mmap(pages, PAGES * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == pages);
}

static void take(int how) {
    const size_t length = PAGES * PAGE;
    switch (how) {
    case 0:
        REQUIRE(mprotect(pages, length, PROT_NONE) == 0);
        return end(CLOSED, 0);
    case 1:
        REQUIRE(mprotect(pages, length, PROT_READ) == 0);
        return end(READ_ONLY, value);
    case 2:
        REQUIRE(munmap(pages, length) == 0);
        return end(CLOSED, 0);
    case 3:
        map_anew(PROT_READ | PROT_WRITE);
        return end(FRESH, 0);
    case 4:
        REQUIRE(madvise(pages, length, MADV_DONTNEED) == 0);
        return end(ZEROED, 0);
    case 5:
        REQUIRE(mremap(pages, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, aside) == aside);
        return end(CLOSED, 0);
    default:
        map_anew(PROT_READ);
        return end(READ_ONLY, 0);
    }
}

int main(int argc, char **argv) {
    // One range for both, since the first is a hole at times.
    pages = mmap(NULL, 2 * PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    aside = pages + PAGES * PAGE;
    REQUIRE(pages != MAP_FAILED);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    REQUIRE(sigaction(SIGSEGV, &action, NULL) == 0);
    pthread_t threads[WORKERS];
    change = 1;
    for (long i = 0; i < WORKERS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    double deadline = now() + (argc > 1 ? atoi(argv[1]) : 1);
    for (long round = 1; (argc > 1 || round <= ROUNDS) && now() < deadline && wrong == 0; round++) {
        map_anew(PROT_READ | PROT_WRITE);
        fill(round);
        end(OPEN, round);
        begin();
        take((int)(round % 7));
        begin();
    }
    stop = true;
    for (int i = 0; i < WORKERS; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    printf("%ld wrong\n", wrong);
    return 0;
}
