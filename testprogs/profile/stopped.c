// cflags: -pthread
// Functions that begin with all kinds of instructions, called twice each by the main thread, and one that threads, a child
// and a signal handler call all the time. A region that begins at any of them changes nothing.
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAKED __attribute__((naked, noinline, noclone))
#define THREADS 3
#define CALLS 100

__attribute__((noinline, noclone)) long plain(long value)
{
    asm volatile("" : "+r"(value));
    return value + 1;
}

// The flags that it sees.
NAKED uint64_t pushes_flags(void)
{
    asm volatile("pushf\npop %rax\nret");
}

NAKED void moves(char *to, const char *from, uint64_t a, uint64_t count)
{
    (void)to, (void)from, (void)a, (void)count;
    asm volatile("rep movsb\nret");
}

// The address that its call pushes, less its own.
NAKED uint64_t calls(void)
{
    asm volatile("call 1f\n1: pop %rax\nlea calls(%rip), %rdx\nsub %rdx, %rax\nret");
}

NAKED long jumps(long value)
{
    (void)value;
    asm volatile("jmp plain");
}

// r11 after a system call: the flags before it.
NAKED uint64_t makes_call(long number)
{
    (void)number;
    asm volatile("syscall\nmov %r11, %rax\nret");
}

NAKED long faults(long *from)
{
    (void)from;
    asm volatile("mov (%rdi), %rax\nret");
}

// The program's own breakpoint.
NAKED void own(void)
{
    asm volatile("int3\nret");
}

static volatile sig_atomic_t traps, alarms;
static long *page;
static char *fault_at, *fault_rip;

static void on_trap(int number)
{
    (void)number;
    traps++;
}

static void on_alarm(int number)
{
    (void)number;
    alarms += plain(0);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)number;
    fault_at = info->si_addr;
    fault_rip = (char *)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void *caller(void *to)
{
    long value = 0;
    for (int i = 0; i < CALLS; i++)
        value = plain(value);
    *(long *)to = value;
    return NULL;
}

static void together(void)
{
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &often, NULL);
    pthread_t thread[THREADS];
    long value[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, caller, &value[i]);
    pid_t child = fork();
    if (child == 0) {
        long own_value;
        caller(&own_value);
        _exit(own_value == CALLS ? 7 : 1);
    }
    int status = 0;
    while (waitpid(child, &status, 0) != child)
        ;
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    setitimer(ITIMER_REAL, &never, NULL);
    printf("threads %ld %ld %ld, child %d, alarms %d\n", value[0], value[1], value[2], WEXITSTATUS(status), alarms >= 0);
}

int main(void)
{
    struct sigaction on_segv = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &on_segv, NULL);
    signal(SIGTRAP, on_trap);
    for (int i = 0; i < 2; i++) {
        char to[6] = "";
        moves(to, "hello", 0, 6);
        printf("flags %lx, moved %s", (unsigned long)(pushes_flags() & 0x10300), to);
        printf(", called %lu, jumped %ld", (unsigned long)calls(), jumps(41));
        printf(", flags of a call %lx\n", (unsigned long)(makes_call(SYS_getppid) & 0x10300));
        page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        long found = faults(page);
        printf("found %ld, at the page %d, in the function %d\n", found, fault_at == (char *)page, fault_rip == (char *)faults);
        own();
    }
    printf("traps %d\n", (int)traps);
    fflush(stdout);
    together();
    return 0;
}
