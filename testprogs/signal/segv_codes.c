// sigaction(2), segv codes: si_code, si_addr and the machine context for each kind of bad access.
#include "check.h"
#include "signals.h"

#include <sys/mman.h>

static sigjmp_buf back;
static volatile int code, count;
static volatile unsigned long addr, error, vector, cr2;

static void handler(int signal, siginfo_t *info, void *context) {
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)signal;
    count++;
    code = info->si_code;
    addr = (unsigned long)info->si_addr;
    error = (unsigned long)regs[REG_ERR];
    vector = (unsigned long)regs[REG_TRAPNO];
    cr2 = (unsigned long)regs[REG_CR2];
    siglongjmp(back, 1);
}

#define FAULT(statement)                                                                           \
    do {                                                                                           \
        code = -1;                                                                                 \
        if (sigsetjmp(back, 1) == 0) {                                                             \
            statement;                                                                             \
        }                                                                                          \
    } while (0)

enum { WRITE = 2, USER = 4, FETCH = 16 };

int main(void) {
    CHECK_OK(install(SIGSEGV, handler, 0));
    char *pages = CHECK_OK(mmap(NULL, 5 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    munmap(pages + 4 * 4096, 4096);
    mprotect(pages + 4096, 4096, PROT_READ);
    mprotect(pages + 2 * 4096, 4096, PROT_NONE);

    FAULT(*(volatile int *)16);
    CHECK(code == SEGV_MAPERR && addr == 16 && vector == 14 && cr2 == 16);
    CHECK_EQ(error & (WRITE | USER | FETCH), USER);
    FAULT(pages[4 * 4096 + 9] = 1);
    CHECK(code == SEGV_MAPERR && addr == (unsigned long)pages + 4 * 4096 + 9);
    CHECK_EQ(error & (WRITE | USER | FETCH), USER | WRITE);
    FAULT(pages[4097] = 1);
    CHECK(code == SEGV_ACCERR && addr == (unsigned long)pages + 4097 && cr2 == addr);
    CHECK_EQ(error & (WRITE | USER | FETCH), USER | WRITE);
    FAULT((void)*(volatile char *)(pages + 2 * 4096 + 3));
    CHECK(code == SEGV_ACCERR && addr == (unsigned long)pages + 2 * 4096 + 3);
    CHECK_EQ(error & (WRITE | USER | FETCH), USER);
    pages[3 * 4096] = (char)0xc3;
    FAULT(((void (*)(void))(pages + 3 * 4096))());
    CHECK(code == SEGV_ACCERR && addr == (unsigned long)pages + 3 * 4096);
    CHECK_EQ(error & (WRITE | USER | FETCH), USER | FETCH);
    FAULT(((void (*)(void))0x1000)());
    CHECK(code == SEGV_MAPERR && addr == 0x1000);
    // Across a page border, the address is the first byte that is missing.
    FAULT(*(volatile long *)(pages + 4 * 4096 - 4) = 1);
    CHECK(code == SEGV_MAPERR && addr == (unsigned long)pages + 4 * 4096);

    FAULT(*(volatile int *)0x8000000000000000ul);
    CHECK(code == SI_KERNEL && addr == 0 && vector == 13 && error == 0);
    CHECK_EQ(cr2, (unsigned long)pages + 4 * 4096);
    FAULT(*(volatile int *)0xffffffff81000000ul);
    CHECK(code == SEGV_MAPERR && addr == 0xffffffff81000000ul && (error & (USER | 1)) == (USER | 1));
    FAULT(__asm__ volatile("hlt"));
    CHECK(code == SI_KERNEL && addr == 0 && vector == 13);
    FAULT(__asm__ volatile("int $0x41"));
    CHECK(code == SI_KERNEL && addr == 0 && vector == 13);
    CHECK_EQ(count, 11);
    // The last fault stays in the frames of other signals.
    CHECK_OK(install(SIGUSR1, handler, 0));
    FAULT(raise(SIGUSR1));
    CHECK(code == SI_TKILL && vector == 13);
    return CHECK_DONE();
}
