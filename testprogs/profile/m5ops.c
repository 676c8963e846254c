// cflags: -pthread
// gem5's m5ops, one after the other; the argument says which. Without --m5ops they are illegal instructions.
#include "m5.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile sig_atomic_t alarms;

static void on_sigill(int number, siginfo_t *info, void *context)
{
    (void)context;
    printf("signal %d, code %d, at the instruction: %d\n", number, info->si_code, info->si_addr == (void *)m5_sum);
    siglongjmp(back, 1);
}

static void illegal(void)
{
    struct sigaction action = {.sa_sigaction = on_sigill, .sa_flags = SA_SIGINFO};
    sigaction(SIGILL, &action, NULL);
    if (!sigsetjmp(back, 1))
        printf("sum %lu\n", (unsigned long)m5_sum(1, 2, 3, 4, 5, 6));
}

static void *sums(void *to)
{
    uint64_t all = 0;
    for (uint64_t i = 0; i < 1000; i++)
        all += m5_sum(i, 1, 1, 1, 1, 1);
    *(uint64_t *)to = all;
    return NULL;
}

static void threads(void)
{
    pthread_t thread[4];
    uint64_t all[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&thread[i], NULL, sums, &all[i]);
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        printf("thread %d: %lu\n", i, (unsigned long)all[i]);
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        m5_fail(0, 9, 0, 0, 0, 0);
    int status = 0;
    waitpid(child, &status, 0);
    printf("child: %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

// As libm5's map_m5_mem and the functions of its address form do it.
static void window(void)
{
    int fd = open("/dev/mem", O_RDWR | O_SYNC);
    char *window = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0xffff0000);
    if (fd < 0 || window == MAP_FAILED) {
        perror("window");
        exit(1);
    }
    close(fd);
    uint64_t sum = 0x23 << 8;
    register uint64_t four asm("rcx") = 4, five asm("r8") = 5, six asm("r9") = 6;
    asm volatile("mov (%1, %0), %0" : "+r"(sum) : "r"(window), "D"(1), "S"(2), "d"(3), "r"(four), "r"(five), "r"(six) : "memory");
    printf("sum %lu\n", (unsigned long)sum);
    uint64_t fail;
    asm volatile("mov 0x2200(%1), %0" : "=r"(fail) : "r"(window), "D"(0), "S"(21) : "memory");
}

static void on_alarm(int number)
{
    (void)number;
    alarms++;
}

static void waits(void)
{
    signal(SIGALRM, on_alarm);
    struct itimerval soon = {.it_value.tv_usec = 10000};
    setitimer(ITIMER_REAL, &soon, NULL);
    uint64_t before = m5_rpns(0, 0, 0, 0, 0, 0);
    uint64_t result = m5_quiesce_ns(50000000, 0, 0, 0, 0, 0);
    uint64_t waited = m5_rpns(0, 0, 0, 0, 0, 0) - before, said = m5_quiesce_time(0, 0, 0, 0, 0, 0);
    printf("result %d, waited %d, said %d, alarms %d\n", (int)result, waited >= 50000000, said >= 50000000 && said <= waited,
           (int)alarms);
}

static void parameters(void)
{
    uint64_t size[2] = {0};
    memcpy(size, "dist-size", 9);
    uint64_t other[2] = {0};
    memcpy(other, "unknown", 7);
    printf("%ld %ld %ld\n", (long)m5_init_param(0, 0, 0, 0, 0, 0), (long)m5_init_param(size[0], size[1], 0, 0, 0, 0),
           (long)m5_init_param(other[0], other[1], 0, 0, 0, 0));
}

static void files(void)
{
    static char buffer[64];
    uint64_t to = (uintptr_t)buffer, name = (uintptr_t)"out.txt", up = (uintptr_t)"../out.txt";
    long got = (long)m5_read_file(to, 5, 2, 0, 0, 0);
    printf("read %ld: %s\n", got, buffer);
    printf("bad buffer %ld\n", (long)m5_read_file(8, 5, 0, 0, 0, 0));
    printf("wrote %ld", (long)m5_write_file((uintptr_t)"hello world", 11, 0, name, 0, 0));
    printf(" %ld", (long)m5_write_file((uintptr_t)"HELLO", 5, 6, name, 0, 0));
    printf(" %ld\n", (long)m5_write_file((uintptr_t)"x", 1, 0, up, 0, 0));
}

static void statistics(void)
{
    for (int i = 0; i < 3; i++)
        getppid();
    m5_dump_stats(0, 0, 0, 0, 0, 0);
    m5_reset_stats(0, 0, 0, 0, 0, 0);
    getppid();
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    const char *what = argc > 1 ? argv[1] : "illegal";
    if (!strcmp(what, "illegal"))
        illegal();
    else if (!strcmp(what, "default"))
        m5_sum(1, 2, 3, 4, 5, 6);
    else if (!strcmp(what, "threads"))
        threads();
    else if (!strcmp(what, "window"))
        window();
    else if (!strcmp(what, "waits"))
        waits();
    else if (!strcmp(what, "parameters"))
        parameters();
    else if (!strcmp(what, "files"))
        files();
    else if (!strcmp(what, "exit"))
        m5_exit(0, 0, 0, 0, 0, 0);
    else if (!strcmp(what, "panic"))
        m5_panic(0, 0, 0, 0, 0, 0);
    else if (!strcmp(what, "statistics"))
        statistics();
    else if (!strcmp(what, "refused"))
        printf("%ld %ld %ld %ld\n", (long)m5_checkpoint(0, 0, 0, 0, 0, 0), (long)m5_checkpoint(0, 0, 0, 0, 0, 0),
               (long)m5_arm(0, 0, 0, 0, 0, 0), (long)m5_dump_stats(0, 0, 0, 0, 0, 0));
    else
        return 99;
    return 3;
}
