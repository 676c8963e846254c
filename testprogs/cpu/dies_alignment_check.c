// With the alignment check flag an unaligned access is SIGBUS. Intel SDM volume 3, 6.15, vector 17.
#include "cpu/cpu.h"

#include <signal.h>
#include <ucontext.h>

static volatile int count;

// Lets the access be repeated without the flag.
static void on_bus(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    count++;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)ALIGNMENT_CHECK;
}

static void store_unaligned(void) {
    static _Alignas(8) char bytes[8];
    write_flags(read_flags() | ALIGNMENT_CHECK);
    __asm__ volatile("movl $1, (%0)" : : "r"(bytes + 1) : "memory");
    write_flags(read_flags() & ~ALIGNMENT_CHECK);
}

int main(void) {
    check_no_privilege();
    struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
    CHECK_OK(sigaction(SIGBUS, &action, NULL));
    store_unaligned();
    if (count == 0)
        SKIP("a processor without alignment checks");
    CHECK_EQ(count, 1);
    signal(SIGBUS, SIG_DFL);
    CHECK_DEATH(SIGBUS, store_unaligned());
}
