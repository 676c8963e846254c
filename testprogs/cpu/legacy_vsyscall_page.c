// The legacy page at 0xffffffffff600000: gettimeofday, time and getcpu where the kernel has it; nothing else there.
#include "check.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#define PAGE 0xffffffffff600000UL

static sigjmp_buf back;
static siginfo_t last;

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    last = *info;
    siglongjmp(back, signal);
}

static long call(unsigned long at, void *first, void *second) {
    return ((long (*)(void *, void *))at)(first, second);
}

// The signal that the call ends in, or 0.
static int fate(unsigned long at, void *first, void *second) {
    int signal = sigsetjmp(back, 1);
    if (signal == 0)
        call(at, first, second);
    return signal;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    bool has_page = false;
    while (maps && fgets(line, sizeof line, maps))
        has_page |= strstr(line, "[vsyscall]") != NULL;
    struct timeval now = {0}, then;
    unsigned cpu = 99999;
    CHECK_EQ(fate(PAGE, &now, NULL), has_page ? 0 : SIGSEGV);
    if (has_page) {
        gettimeofday(&then, NULL);
        CHECK(then.tv_sec - now.tv_sec >= 0 && then.tv_sec - now.tv_sec < 60);
        time_t seconds = 0, returned = call(PAGE + 0x400, &seconds, NULL);
        CHECK(returned == seconds && seconds - then.tv_sec >= -1 && seconds - then.tv_sec < 60);
        CHECK_EQ(call(PAGE + 0x800, &cpu, NULL), 0);
        CHECK(cpu < 99999);
        CHECK_EQ(call(PAGE + 0x400, NULL, NULL) >= seconds, true);
        // Bad pointers are faults of the caller.
        CHECK_EQ(fate(PAGE, (void *)8, NULL), SIGSEGV);
        CHECK_EQ(last.si_code, SI_KERNEL);
        CHECK_EQ(fate(PAGE, (void *)-4096L, NULL), SIGSEGV);
        CHECK(last.si_code == SEGV_MAPERR && last.si_addr == (void *)-4096L);
        CHECK_EQ(fate(PAGE + 0x123, NULL, NULL), SIGSEGV);
        CHECK_EQ(fate(PAGE + 0xc00, NULL, NULL), SIGSEGV);
    }
    CHECK_EQ(fate(PAGE + 0x1000, NULL, NULL), SIGSEGV);
    CHECK(last.si_code == SEGV_MAPERR && last.si_addr == (void *)(PAGE + 0x1000));
    CHECK_EQ(fate(PAGE - 0x1000, NULL, NULL), SIGSEGV);
    return CHECK_DONE();
}
