// clock_gettime, gettimeofday and time as system calls, which kvm-se may answer without leaving the guest: they agree with
// what the C library says, keep registers and flags, and fail as they should, whatever comes between.
#include "check.h"
#include "clean_call.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

static long raw_clock(long clock, void *to) { return syscall(SYS_clock_gettime, clock, to); }

static long long ns(const struct timespec *at) { return at->tv_sec * 1000000000LL + at->tv_nsec; }

// What the call says lies between what the library says before and after it.
static bool agrees(clockid_t clock) {
    struct timespec before, at = {0}, after;
    return clock_gettime(clock, &before) == 0 && raw_clock(clock, &at) == 0 && clock_gettime(clock, &after) == 0 &&
           ns(&before) <= ns(&at) && ns(&at) <= ns(&after);
}

static bool times_of_day_agree(void) {
    struct timeval before, at = {0}, after;
    struct timespec coarse;
    time_t second = 0;
    gettimeofday(&before, NULL);
    long result = syscall(SYS_gettimeofday, &at, NULL);
    gettimeofday(&after, NULL);
    bool is_right = result == 0 && timercmp(&before, &at, <=) && timercmp(&at, &after, <=);
    // Seconds are counted when the clock ticks.
    clock_gettime(CLOCK_REALTIME_COARSE, &coarse);
    long now = syscall(SYS_time, &second), later = syscall(SYS_time, NULL);
    is_right = is_right && now == second && now >= coarse.tv_sec && later >= now;
    clock_gettime(CLOCK_REALTIME_COARSE, &coarse);
    return is_right && later <= coarse.tv_sec;
}

static int all_agree(int rounds) {
    static const clockid_t clocks[] = {CLOCK_REALTIME,  CLOCK_MONOTONIC,         CLOCK_MONOTONIC_RAW,
                                       CLOCK_BOOTTIME,  CLOCK_REALTIME_COARSE,   CLOCK_MONOTONIC_COARSE,
                                       CLOCK_TAI,       CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    int wrong = 0;
    for (int i = 0; i < rounds; i++) {
        for (size_t c = 0; c < sizeof clocks / sizeof *clocks; c++)
            wrong += (i % 100 == 0 || c < 7) && !agrees(clocks[c]);
        wrong += !times_of_day_agree();
    }
    return wrong;
}

static int registers(int rounds) {
    int wrong = 0;
    struct timespec at;
    struct timeval day;
    for (int i = 0; i < rounds; i++) {
        at.tv_sec = day.tv_sec = 0;
        wrong += !calls_cleanly((unsigned)i, 0, SYS_clock_gettime, CLOCK_MONOTONIC, (long)&at, 99) || at.tv_sec == 0;
        wrong += !calls_cleanly((unsigned)i, 0, SYS_gettimeofday, (long)&day, 0, 99) || day.tv_sec == 0;
    }
    return wrong;
}

static void errors(void) {
    char *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(pages != MAP_FAILED && mprotect(pages, 4096, PROT_READ) == 0 && mprotect(pages + 8192, 4096, PROT_NONE) == 0);
    int file = open("empty", O_RDWR | O_CREAT | O_EXCL, 0600);
    char *past_end = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    REQUIRE(file >= 0 && past_end != MAP_FAILED);
    void *bad[] = {past_end, pages, pages + 4088, pages + 8192, pages + 8184, (void *)16, (void *)-4096L, (void *)(1L << 62), NULL};
    int wrong = 0;
    for (int i = 0; i < 20; i++) {
        for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
            wrong += raw_clock(CLOCK_MONOTONIC, bad[b]) != -1 || errno != EFAULT;
            if (bad[b] != NULL)
                wrong += syscall(SYS_gettimeofday, bad[b], NULL) != -1 || errno != EFAULT;
        }
        wrong += syscall(SYS_time, pages) != -1 || errno != EFAULT || syscall(SYS_time, -4096L) != -1 || errno != EFAULT;
        wrong += raw_clock(99, pages + 4096) != -1 || errno != EINVAL || raw_clock(-1, NULL) != -1 || errno != EINVAL;
        wrong += raw_clock(CLOCK_MONOTONIC, pages + 4096) != 0 || raw_clock(CLOCK_MONOTONIC, pages + 8176) != 0;
        struct timezone zone = {77, 77};
        struct timeval day = {0};
        wrong += syscall(SYS_gettimeofday, &day, &zone) != 0 || day.tv_sec == 0 || zone.tz_minuteswest == 77;
        wrong += syscall(SYS_gettimeofday, NULL, &zone) != 0 || syscall(SYS_gettimeofday, NULL, NULL) != 0;
    }
    CHECK_EQ(wrong, 0);
    // Memory that nobody has written before.
    unsigned char *fresh = mmap(NULL, 200 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 200; i++)
        wrong += raw_clock(CLOCK_REALTIME, fresh + 4096 * i) != 0 || *(long *)(fresh + 4096 * i) == 0;
    CHECK_EQ(wrong, 0);
}

static volatile int ticks, handler_wrong;

static void on_alarm(int signal, siginfo_t *info, void *context) {
    char here;
    ucontext_t *at = context;
    // The stack is the program's own.
    handler_wrong += signal != SIGALRM || info->si_code != SI_KERNEL || labs(at->uc_mcontext.gregs[REG_RSP] - (long)&here) > 1 << 16;
    handler_wrong += !agrees(CLOCK_MONOTONIC);
    ticks++;
}

static void while_signals_come(void) {
    struct sigaction action = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO};
    int wrong = 0;
    CHECK_OK(sigaction(SIGALRM, &action, NULL));
    for (int round = 0; round < 600; round++) {
        REQUIRE(setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = 30 + round}, NULL) == 0);
        struct timespec last = {0}, at;
        for (unsigned i = 0; ticks == round; i++) {
            wrong += !calls_cleanly(i, 0, SYS_clock_gettime, CLOCK_MONOTONIC, (long)&at, 5) || ns(&at) < ns(&last);
            last = at;
        }
    }
    CHECK(wrong == 0 && handler_wrong == 0);
}

static void *in_thread(void *arg) {
    *(int *)arg = all_agree(300) + registers(2000);
    return NULL;
}

static int in_child(int rounds) {
    pid_t child = fork();
    if (child == 0)
        _exit(all_agree(rounds) + registers(rounds) != 0);
    int status;
    REQUIRE(waitpid(child, &status, 0) == child);
    return status;
}

// Whoever takes the vDSO away gets the time all the same.
static void without_vdso(void) {
    unsigned long vdso = getauxval(AT_SYSINFO_EHDR);
    pid_t child = fork();
    if (child == 0) {
        struct timespec at = {0}, later = {0};
        long wrong = raw_clock(CLOCK_MONOTONIC, &at) != 0 || (vdso != 0 && syscall(SYS_munmap, vdso, 8192) != 0);
        for (int i = 0; i < 10; i++)
            wrong += raw_clock(CLOCK_MONOTONIC, &later) != 0 || ns(&later) < ns(&at);
        _exit(wrong != 0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int main(void) {
    CHECK_EQ(all_agree(500), 0);
    CHECK_EQ(registers(5000), 0);
    errors();
    while_signals_come();
    pthread_t threads[3];
    int wrong[3] = {1, 1, 1};
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_create(&threads[i], NULL, in_thread, &wrong[i]) == 0);
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    CHECK_EQ(wrong[0] + wrong[1] + wrong[2], 0);
    CHECK_EQ(in_child(200), 0);
    without_vdso();
    pid_t child = vfork();
    if (child == 0)
        _exit(all_agree(20) != 0);
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    return CHECK_DONE();
}
