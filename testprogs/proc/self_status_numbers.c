// Sizes, signals and places in /proc/self/status, stat and statm are this program's.
#include "self.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char etext;

// Field `number` of /proc/self/stat, as proc_pid_stat(5) counts.
static unsigned long field(int number) {
    char *text = read_whole("/proc/self/stat"), *at = strrchr(text, ')') + 2;
    for (int i = 3; i < number; i++)
        at = strchr(at, ' ') + 1;
    unsigned long value = strtoul(at, NULL, 10);
    free(text);
    return value;
}

static unsigned long set_in_status(const char *key) {
    char *text = read_whole("/proc/self/status"), *line = strstr(text, key);
    unsigned long bits = line ? strtoul(line + strlen(key) + 1, NULL, 16) : ~0UL;
    free(text);
    return bits;
}

static long pages(int index) {
    char *text = read_whole("/proc/self/statm"), *at = text;
    for (int i = 0; i < index; i++)
        at = strchr(at, ' ') + 1;
    long value = strtol(at, NULL, 10);
    free(text);
    return value;
}

// What a child that ignores a signal more reads of its parent's file, which stays its parent's.
static int ignored_by_parent(void) {
    char text[8192];
    int fd = open("/proc/self/status", O_RDONLY), status;
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        signal(SIGHUP, SIG_IGN);
        ssize_t length = read(fd, text, sizeof text - 1);
        text[length < 0 ? 0 : length] = 0;
        char *pid = strstr(text, "\nPid:"), *ignored = strstr(text, "\nSigIgn:");
        if (!pid || !ignored || atoi(pid + 5) != parent)
            _exit(1);
        _exit(strtoul(ignored + 8, NULL, 16) == 1UL << (SIGPIPE - 1) ? 2 : 3);
    }
    close(fd);
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void on_signal(int signal) {
    (void)signal;
}

int main(int argc, char **argv) {
    (void)argc;
    free(malloc(2 << 20));
    free(read_whole("/proc/self/status"));
    long size = number_in("/proc/self/status", "VmSize"), locals = number_in("/proc/self/status", "VmData");
    CHECK(size > 0 && size < 64 << 10);
    CHECK_EQ(field(23), size * 1024);
    CHECK_EQ(pages(0), size / 4);
    char *memory = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_EQ(number_in("/proc/self/status", "VmSize"), size + (16 << 10));
    CHECK_EQ(number_in("/proc/self/status", "VmData"), locals + (16 << 10));
    long rss = number_in("/proc/self/status", "VmRSS"), anon = number_in("/proc/self/status", "RssAnon");
    // The kernel's own count may be some pages off (`percpu_counter`).
    CHECK(rss > 0 && rss <= size + 1024);
    memset(memory, 1, 16 << 20);
    long grown = number_in("/proc/self/status", "VmRSS") - rss;
    CHECK(grown > 15 << 10 && grown < 18 << 10);
    grown = number_in("/proc/self/status", "RssAnon") - anon;
    CHECK(grown > 15 << 10 && grown < 18 << 10);
    CHECK(field(24) > 15 << 8 && pages(1) > 15 << 8 && pages(1) <= pages(0) && pages(2) <= pages(1));
    CHECK_OK(munmap(memory, 16 << 20));
    CHECK_EQ(number_in("/proc/self/status", "VmSize"), size);
    CHECK(number_in("/proc/self/status", "VmPeak") >= size + (16 << 10));
    CHECK(number_in("/proc/self/status", "VmHWM") > 15 << 10);
    CHECK(number_in("/proc/self/status", "VmStk") >= 132 && number_in("/proc/self/status", "VmExe") > 0);
    CHECK_EQ(number_in("/proc/self/status", "Threads"), 1);
    CHECK_EQ(field(20), 1);
    CHECK_EQ(number_in("/proc/self/status", "Pid"), getpid());
    CHECK_EQ(field(1 + 3), getppid());
    CHECK(number_in("/proc/self/status", "FDSize") >= 64 && number_in("/proc/self/status", "FDSize") <= 1024);

    struct mapping m;
    CHECK(field(26) <= (unsigned long)main && (unsigned long)main < field(27));
    CHECK(find_mapping((void *)field(28), &m) && strcmp(m.name, "[stack]") == 0);
    CHECK(field(48) == (unsigned long)argv[0] && field(49) > field(48));
    CHECK(field(50) <= field(51));
    CHECK(field(47) <= (unsigned long)sbrk(0) && field(45) < field(46));

    // Two of them the C library keeps for itself.
    static const unsigned long by_default[4];
    for (int signal = 1; signal < 65; signal++)
        syscall(SYS_rt_sigaction, signal, by_default, NULL, 8);
    sigset_t set;
    sigemptyset(&set);
    CHECK_OK(sigprocmask(SIG_SETMASK, &set, NULL));
    CHECK(set_in_status("SigBlk") == 0 && set_in_status("SigIgn") == 0 && set_in_status("SigCgt") == 0);
    CHECK_OK(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_signal}, NULL));
    CHECK_OK(sigaction(SIGSEGV, &(struct sigaction){.sa_handler = on_signal}, NULL));
    CHECK_OK(sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL));
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGBUS);
    sigaddset(&set, 50);
    CHECK_OK(sigprocmask(SIG_SETMASK, &set, NULL));
    CHECK_EQ(set_in_status("SigBlk"), 1UL << (SIGUSR2 - 1) | 1UL << (SIGBUS - 1) | 1UL << 49);
    CHECK_EQ(set_in_status("SigIgn"), 1UL << (SIGPIPE - 1));
    CHECK_EQ(ignored_by_parent(), 2);
    CHECK_EQ(set_in_status("SigCgt"), 1UL << (SIGUSR1 - 1) | 1UL << (SIGSEGV - 1));
    CHECK_EQ(field(32), 1UL << (SIGUSR2 - 1) | 1UL << (SIGBUS - 1));
    CHECK_EQ(field(34), 1UL << (SIGUSR1 - 1) | 1UL << (SIGSEGV - 1));
    kill(getpid(), SIGUSR2);
    CHECK_EQ(set_in_status("ShdPnd") | set_in_status("SigPnd"), 1UL << (SIGUSR2 - 1));
    kill(getpid(), SIGBUS);
    CHECK_EQ(set_in_status("ShdPnd") | set_in_status("SigPnd"), 1UL << (SIGUSR2 - 1) | 1UL << (SIGBUS - 1));
    return CHECK_DONE();
}
