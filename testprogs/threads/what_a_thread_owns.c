// cflags: -pthread
// What belongs to one thread: its name, stack, affinity, priority, signal mask, errno, variables and
// the values of keys; and what /proc shows of it.
#include "check.h"
#include "threads/threads.h"
#include <asm/prctl.h>
#include <dirent.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static __thread int zero, started = 42, big[3000];
static __thread char text[] = "each has its own";
static __thread struct { long a; char b; } __attribute__((aligned(64))) aligned = {7, 'b'};
static pthread_key_t keys[40];
static atomic_int destroyed, rounds, tid;
static sem_t go, ready;

static void read_line(const char *path, char *line, size_t size) {
    int fd = open(path, O_RDONLY);
    ssize_t length = fd < 0 ? 0 : read(fd, line, size - 1);
    line[length < 0 ? 0 : length] = 0;
    line[strcspn(line, "\n")] = 0;
    close(fd);
}

// A value that is set again by its destructor is destroyed again.
static void destroy(void *value) {
    destroyed++;
    if (value == (void *)9 && rounds++ < 2)
        pthread_setspecific(keys[9], value);
}

static void *work(void *arg) {
    long number = (long)arg;
    REQUIRE(zero == 0 && started == 42 && big[2999] == 0 && text[0] == 'e' && aligned.a == 7);
    REQUIRE((uintptr_t)&aligned % 64 == 0);
    zero = started = big[2999] = (int)number;
    text[0] = (char)number;
    for (int i = 0; i < 40; i++) {
        REQUIRE(pthread_getspecific(keys[i]) == NULL);
        REQUIRE(pthread_setspecific(keys[i], (void *)(long)i) == 0);
    }
    errno = (int)number;
    sem_post(&ready);
    sem_wait_for(&go);
    REQUIRE(errno == number && zero == number && big[2999] == number && text[0] == number);
    return NULL;
}

static void variables_and_keys(void) {
    for (int i = 0; i < 40; i++)
        CHECK_EQ(pthread_key_create(&keys[i], destroy), 0);
    pthread_t threads[5];
    for (long i = 0; i < 5; i++)
        threads[i] = start(work, (void *)(i + 1));
    for (int i = 0; i < 5; i++)
        sem_wait_for(&ready);
    for (int i = 0; i < 5; i++)
        sem_post(&go);
    for (int i = 0; i < 5; i++)
        join(threads[i]);
    // Not the null one.
    CHECK_EQ(destroyed, 5 * 39 + 2);
    CHECK(zero == 0 && started == 42 && text[0] == 'e');
}

static void *be_named(void *arg) {
    tid = gettid();
    REQUIRE(prctl(PR_SET_NAME, "by prctl") == 0);
    sem_post(&ready);
    sem_wait_for(&go);
    sem_post(&ready);
    sem_wait_for(&go);
    return arg;
}

static void names(void) {
    char name[64], path[64];
    pthread_t thread = start(be_named, NULL);
    sem_wait_for(&ready);
    CHECK_EQ(pthread_getname_np(thread, name, sizeof name), 0);
    CHECK_STR(name, "by prctl");
    CHECK_EQ(pthread_setname_np(thread, "set by another"), 0);
    CHECK_EQ(pthread_setname_np(thread, "sixteen letters!"), ERANGE);
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid);
    read_line(path, name, sizeof name);
    CHECK_STR(name, "set by another");
    snprintf(path, sizeof path, "/proc/%d/task/%d/comm", getpid(), tid);
    int fd = CHECK_OK(open(path, O_WRONLY));
    CHECK_EQ(write(fd, "written", 7), 7);
    close(fd);
    CHECK_EQ(pthread_getname_np(thread, name, sizeof name), 0);
    CHECK_STR(name, "written");
    CHECK_EQ(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    CHECK_STR(name, "what_a_thread_o");
    prctl(PR_GET_NAME, name);
    CHECK_STR(name, "what_a_thread_o");
    sem_post(&go);
    sem_wait_for(&ready);

    int threads = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;)
        threads += entry->d_name[0] != '.';
    closedir(tasks);
    CHECK_EQ(threads, 2);
    sem_post(&go);
    join(thread);
}

static void *look_at_stack(void *arg) {
    pthread_attr_t attr;
    void *start;
    size_t size, guard;
    char here;
    REQUIRE(pthread_getattr_np(pthread_self(), &attr) == 0);
    REQUIRE(pthread_attr_getstack(&attr, &start, &size) == 0 && pthread_attr_getguardsize(&attr, &guard) == 0);
    REQUIRE(&here > (char *)start && &here < (char *)start + size);
    if (arg != NULL)
        REQUIRE(size == *(size_t *)arg && guard == 8192);
    pthread_attr_destroy(&attr);
    return (void *)size;
}

static void stacks(void) {
    size_t size = 300 * 1024;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    CHECK_EQ(pthread_attr_setstacksize(&attr, size), 0);
    CHECK_EQ(pthread_attr_setguardsize(&attr, 8192), 0);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, &attr, look_at_stack, &size), 0);
    CHECK((size_t)join(thread) == size);
    struct rlimit limit;
    getrlimit(RLIMIT_STACK, &limit);
    CHECK(limit.rlim_cur == RLIM_INFINITY || (size_t)look_at_stack(NULL) <= limit.rlim_cur);
    char *own = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_init(&attr);
    CHECK_EQ(pthread_attr_setstack(&attr, own, 65536), 0);
    CHECK_EQ(pthread_create(&thread, &attr, look_at_stack, NULL), 0);
    CHECK_EQ(join(thread), 65536);
    CHECK_EQ(munmap(own, 65536), 0);
}

#define ROUNDS_UP_SSE 0x5f80
#define ROUNDS_UP_X87 0xb7f

static void *inherit(void *arg) {
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    REQUIRE(sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGRTMIN + 3) && !sigismember(&mask, SIGUSR2));
    sigaddset(&mask, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    cpu_set_t set;
    REQUIRE(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) == 1);
    unsigned cpu, node;
    REQUIRE(getcpu(&cpu, &node) == 0 && CPU_ISSET(cpu, &set) && sched_getcpu() == (int)cpu);
    stack_t stack;
    REQUIRE(sigaltstack(NULL, &stack) == 0 && stack.ss_flags == SS_DISABLE);
    unsigned long gs;
    REQUIRE(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs) == 0 && gs == 0x12345000);
    unsigned mxcsr;
    unsigned short x87;
    __asm__("stmxcsr %0\n fnstcw %1" : "=m"(mxcsr), "=m"(x87));
    REQUIRE((mxcsr & ~0x3f) == ROUNDS_UP_SSE && x87 == ROUNDS_UP_X87);
    int policy;
    struct sched_param param;
    REQUIRE(pthread_getschedparam(pthread_self(), &policy, &param) == 0);
    REQUIRE(policy == SCHED_BATCH && param.sched_priority == 0);
    return arg;
}

static void inheritance(void) {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigaddset(&mask, SIGRTMIN + 3);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &mask, NULL), 0);
    cpu_set_t all, one;
    CHECK_OK(sched_getaffinity(0, sizeof all, &all));
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    CHECK_EQ(pthread_setaffinity_np(pthread_self(), sizeof one, &one), 0);
    struct sched_param param = {0};
    CHECK_EQ(pthread_setschedparam(pthread_self(), SCHED_BATCH, &param), 0);
    static char alternate[65536];
    CHECK_OK(sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = sizeof alternate}, NULL));
    CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x12345000L));
    unsigned mxcsr = ROUNDS_UP_SSE;
    unsigned short x87 = ROUNDS_UP_X87;
    __asm__ volatile("ldmxcsr %0\n fldcw %1" ::"m"(mxcsr), "m"(x87));
    join(start(inherit, NULL));
    mxcsr = 0x1f80, x87 = 0x37f;
    __asm__ volatile("ldmxcsr %0\n fldcw %1" ::"m"(mxcsr), "m"(x87));
    CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, 0L));
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    CHECK(!sigismember(&mask, SIGUSR2));
    CHECK_EQ(pthread_setaffinity_np(pthread_self(), sizeof all, &all), 0);
    param.sched_priority = 1;
    CHECK_EQ(pthread_setschedparam(pthread_self(), SCHED_OTHER, &param), EINVAL);
    param.sched_priority = 0;
    CHECK_EQ(pthread_setschedparam(pthread_self(), SCHED_OTHER, &param), 0);
}

int main(void) {
    REQUIRE(sem_init(&go, 0, 0) == 0 && sem_init(&ready, 0, 0) == 0);
    variables_and_keys();
    names();
    stacks();
    inheritance();
    return CHECK_DONE();
}
