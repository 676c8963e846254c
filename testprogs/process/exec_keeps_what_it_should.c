// execve(2): what passes to the new program and what does not.
#include "check.h"
#include "process/process.h"
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

static int action_of(int signal) {
    struct sigaction action;
    sigaction(signal, NULL, &action);
    return action.sa_handler == SIG_IGN ? 'i' : action.sa_handler == SIG_DFL ? 'd' : 'h';
}

static void show(void) {
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    for (int signal = 1; signal < 65; signal++)
        if (sigismember(&mask, signal) > 0)
            check_print("blocked %d\n", signal);
    check_print("%c%c%c%c%c\n", action_of(SIGUSR1), action_of(SIGUSR2), action_of(SIGPIPE), action_of(SIGSEGV),
                action_of(SIGRTMIN + 16));
    sigset_t pending;
    sigpending(&pending);
    check_print("pending %d %d\n", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGTERM));
    for (unsigned resource = 0; resource < RLIM_NLIMITS; resource++) {
        struct rlimit limit;
        getrlimit(resource, &limit);
        if (resource == RLIMIT_AS || resource == RLIMIT_DATA || resource == RLIMIT_STACK || resource == RLIMIT_FSIZE ||
            resource == RLIMIT_NOFILE)
            check_print("%u %ld\n", resource, (long)limit.rlim_cur);
    }
    struct itimerval timer;
    getitimer(ITIMER_REAL, &timer);
    mode_t mode = umask(0);
    int death;
    prctl(PR_GET_PDEATHSIG, &death);
    char name[17] = "", folder[4096] = "";
    prctl(PR_GET_NAME, name);
    check_print("timer %d umask %o death %d name %d folder %s\n", timer.it_value.tv_sec > 500, (unsigned)mode, death,
                strcmp(name, "prior") != 0, strrchr(getcwd(folder, sizeof folder), '/'));
    stack_t stack;
    sigaltstack(NULL, &stack);
    check_print("alternate stack %d nice %d no new privileges %d\n", stack.ss_flags == SS_DISABLE, getpriority(PRIO_PROCESS, 0),
                prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    check_print("pid %d %d\n", getpid() == (int)strtol(getenv("PID"), NULL, 10), getpgrp() == getpid());
}

static void prepare_and_exec(char *self) {
    sigset_t mask;
    sigemptyset(&mask);
    for (int i = 0, signals[] = {SIGUSR1, SIGHUP, SIGSEGV, SIGFPE, SIGRTMIN + 16}; i < 5; i++)
        sigaddset(&mask, signals[i]);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGSEGV, SIG_IGN);
    signal(SIGRTMIN + 16, SIG_IGN);
    kill(getpid(), SIGUSR1);
    struct rlimit limit;
    getrlimit(RLIMIT_STACK, &limit);
    limit.rlim_cur = 3 << 20;
    setrlimit(RLIMIT_STACK, &limit);
    setrlimit(RLIMIT_AS, &(struct rlimit){1L << 40, 1L << 41});
    setrlimit(RLIMIT_DATA, &(struct rlimit){1L << 33, 1L << 34});
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 77;
    setrlimit(RLIMIT_NOFILE, &limit);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 30, 1 << 30});
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {1000, 0}}, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_NAME, "prior");
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    mkdir("elsewhere", 0700);
    if (chdir("elsewhere") < 0)
        _exit(4);
    umask(0123);
    static char alternate[65536];
    sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = sizeof alternate}, NULL);
    setpriority(PRIO_PROCESS, 0, 3);
    setpgid(0, 0);
    char pid[32];
    snprintf(pid, sizeof pid, "PID=%d", getpid());
    execve("/proc/self/exe", (char *[]){self, "show", NULL}, (char *[]){pid, NULL});
}

int main(int argc, char **argv) {
    if (argc > 1) {
        show();
        return 0;
    }
    int status;
    const char *text = OUTPUT_OF(&status, prepare_and_exec(argv[0]));
    check_print("%s", text);
    CHECK_EQ(status, 0);
    for (const char *part = "blocked 1\nblocked 8\nblocked 10\nblocked 11\nblocked 50\ndiiii\n"; *part; part = "")
        CHECK(strncmp(text, part, strlen(part)) == 0);
    CHECK(strstr(text, "pending 1 0\n") != NULL);
    CHECK(strstr(text, "timer 1 umask 123 death 15 name 1 folder /elsewhere") != NULL);
    CHECK(strstr(text, "pid 1 1\n") != NULL);
    CHECK_ERR(wait(NULL), ECHILD);
    return CHECK_DONE();
}
