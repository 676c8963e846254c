// cflags: -pthread
// Each thread repairs its own faults with mprotect in a SIGSEGV handler, all at once; each also runs
// out of stack, is caught on its alternate stack, and goes on.
#include "check.h"
#include "threads/threads.h"
#include <setjmp.h>

#define THREADS 4
#define PAGE 4096l
#define ROUNDS 30
#define PAGES 8

static __thread char *pages;
static __thread sigjmp_buf overflown;
static __thread volatile int repaired;
static __thread char *alternate;
static __thread volatile bool overflows;
static atomic_int overflows_seen, repairs;

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    char here, *at = info->si_addr;
    REQUIRE(signal == SIGSEGV);
    REQUIRE(&here > alternate && &here < alternate + 65536);
    if (overflows)
        siglongjmp(overflown, 1);
    REQUIRE(at >= pages && at < pages + PAGES * PAGE && info->si_code == SEGV_ACCERR);
    char *page = (char *)((uintptr_t)at & ~(uintptr_t)(PAGE - 1));
    REQUIRE(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0);
    repaired++;
}

__attribute__((noinline)) static long descend(long depth) {
    volatile char frame[1000];
    frame[depth % 1000] = 1;
    return depth == 0 ? 0 : descend(depth + 1) + frame[1];
}

static void use_pages(long number) {
    for (int round = 0; round < ROUNDS; round++) {
        int protection = round % 2 ? PROT_READ : PROT_NONE;
        REQUIRE(mprotect(pages, PAGES * PAGE, protection) == 0);
        for (int i = 0; i < PAGES; i++)
            *(volatile long *)(pages + i * PAGE + 8 * number) += number;
        REQUIRE(repaired == PAGES * (round + 1));
    }
    for (int i = 0; i < PAGES; i++)
        REQUIRE(*(long *)(pages + i * PAGE + 8 * number) == number * ROUNDS);
    repairs += repaired;
}

static void overflow(void) {
    for (int i = 0; i < 5; i++) {
        overflows = true;
        if (sigsetjmp(overflown, 1) == 0) {
            descend(1);
            REQUIRE(false);
        }
        overflows = false;
        overflows_seen++;
        // The handler was left, so its stack is free again.
        stack_t stack;
        REQUIRE(sigaltstack(NULL, &stack) == 0 && stack.ss_flags == 0 && stack.ss_sp == alternate);
    }
}

static void *work(void *arg) {
    alternate = malloc(65536);
    REQUIRE(sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = 65536}, NULL) == 0);
    pages = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(pages != MAP_FAILED);
    use_pages((long)arg);
    overflow();
    REQUIRE(sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL) == 0);
    free(alternate);
    return NULL;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    REQUIRE(sigaction(SIGSEGV, &action, NULL) == 0);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 128 * 1024);
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], &attr, work, (void *)(i + 1)) == 0);
    for (int i = 0; i < THREADS; i++)
        join(threads[i]);
    printf("%d repairs, %d overflows\n", repairs, overflows_seen);
    return 0;
}
