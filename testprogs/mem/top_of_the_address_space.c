// The last page that user code can address, with nothing mapped: whoever looks or stores there gets SIGSEGV, again and
// again.
#include "check.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#define LAST_PAGE 0x7fffffffe000

static sigjmp_buf back;
static volatile uintptr_t address;
static volatile int code;

static void on_segv(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    address = (uintptr_t)info->si_addr;
    code = info->si_code;
    siglongjmp(back, 1);
}

static bool faults(uintptr_t at, bool is_store) {
    address = 0;
    if (sigsetjmp(back, 1) == 0) {
        if (is_store)
            *(volatile char *)at = 1;
        else
            (void)*(volatile char *)at;
        return false;
    }
    return address == at && code == SEGV_MAPERR;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO};
    CHECK_OK(sigaction(SIGSEGV, &action, NULL));
    // Where stacks do not begin at random addresses, one is there: then any other page does.
    uintptr_t page = LAST_PAGE;
    if (msync((void *)page, 4096, MS_ASYNC) == 0) {
        page = (uintptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        munmap((void *)page, 4096);
    }
    static const uintptr_t offsets[] = {0, 1, 8, 4095};
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 4; i++) {
            uintptr_t at = page + offsets[i];
            CHECK(faults(at, true));
            CHECK(faults(at, false));
            CHECK_EQ(getpid(), gettid());
        }
    return CHECK_DONE();
}
