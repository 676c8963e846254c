// Calls from a few places, made so often that kvm-se turns them into jumps. With an argument the program waits until its own
// code shows that; natively it never does. Then what goes on there is as before: results, registers, signals, interrupted
// calls, processes that share the code or copy it, threads.
#include "check.h"
#include "clean_call.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

enum { SIZE = 4096 };

// The places.
__attribute__((noinline)) static long seek(long fd, long to) {
    long result;
    __asm__ volatile("mov $8, %%eax\n syscall" : "=a"(result) : "D"(fd), "S"(to), "d"(SEEK_SET) : "rcx", "r11", "memory");
    return result;
}

__attribute__((noinline)) static long open_at(const char *path, long flags) {
    long result;
    register long mode __asm__("r10") = 0600;
    __asm__ volatile("mov $257, %%eax\n syscall"
                     : "=a"(result)
                     : "D"(AT_FDCWD), "S"(path), "d"(flags), "r"(mode)
                     : "rcx", "r11", "memory");
    return result;
}

__attribute__((noinline)) static long close_it(long fd) {
    long result;
    __asm__ volatile("mov $3, %%eax\n syscall" : "=a"(result) : "D"(fd) : "rcx", "r11", "memory");
    return result;
}

// Bytes of a call that has not become a jump: `mov $nr, %eax; syscall`.
static bool has_call(const void *function, unsigned char nr) {
    const unsigned char *code = function;
    for (int i = 0; i < 64; i++)
        if (code[i] == 0xb8 && code[i + 1] == nr && code[i + 5] == 0x0f && code[i + 6] == 0x05)
            return true;
    return false;
}

static bool all_are_jumps(void) { return !has_call(seek, 8) && !has_call(open_at, 257 % 256) && !has_call(close_it, 3); }

static int file;
static volatile int ticks;

static int round_of_calls(long turn) {
    int wrong = seek(file, turn) != turn || lseek(file, 0, SEEK_CUR) != turn;
    long fd = open_at("hot", O_RDONLY);
    wrong += fd != file + 1 || close_it(fd) != 0 || close_it(fd) != -EBADF;
    return wrong + (open_at("missing", O_RDONLY) != -ENOENT);
}

static int calls(int rounds) {
    int wrong = 0;
    for (int i = 0; i < rounds; i++)
        wrong += round_of_calls(i % SIZE);
    return wrong;
}

static bool become_jumps(int seconds) {
    time_t end = time(NULL) + seconds;
    while (!all_are_jumps()) {
        if (time(NULL) > end || calls(200) != 0)
            return false;
    }
    return true;
}

static bool seeks_cleanly(long to) {
    struct after_call after = CALL_BY("call seek_with_flags", (unsigned)to, 8, file, to, SEEK_SET);
    return after.result == to && after.keeps_all;
}

__asm__(".text\n"
        ".type seek_with_flags, @function\n"
        "seek_with_flags:\n"
        ".cfi_startproc\n"
        "mov $8, %eax\n"
        "syscall\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size seek_with_flags, . - seek_with_flags\n");

static void registers(void) {
    int wrong = 0;
    for (int i = 0; i < 5000; i++)
        wrong += !seeks_cleanly(i % SIZE);
    CHECK_EQ(wrong, 0);
}

static void on_alarm(int signal) {
    (void)signal;
    ticks++;
    // From the same places.
    REQUIRE(close_it(open_at("hot", O_RDONLY)) == 0 && seek(1000, 0) == -EBADF);
}

static void while_signals_come(void) {
    CHECK_OK(sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm, .sa_flags = SA_RESTART}, NULL));
    int wrong = 0;
    for (int round = 0; round < 300; round++) {
        REQUIRE(setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = 40 + round}, NULL) == 0);
        for (long i = 0; ticks == round; i++)
            wrong += seek(file, i % SIZE) != i % SIZE || !seeks_cleanly(i % SIZE);
    }
    CHECK_EQ(wrong, 0);
}

static void *write_to_fifo(void *unused) {
    usleep(20000);
    int fd = open("fifo", O_WRONLY);
    REQUIRE(fd >= 0 && write(fd, "f", 1) == 1 && close(fd) == 0);
    return unused;
}

// An open that blocks is made again after a handler, or not, as that says.
static void interrupted_calls(void) {
    CHECK_OK(mkfifo("fifo", 0600));
    CHECK_OK(sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm}, NULL));
    // Again and again, for one may come before the call.
    REQUIRE(setitimer(ITIMER_REAL, &(struct itimerval){{0, 3000}, {0, 3000}}, NULL) == 0);
    CHECK_EQ(open_at("fifo", O_RDONLY), -EINTR);
    CHECK_OK(sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm, .sa_flags = SA_RESTART}, NULL));
    int before = ticks;
    pid_t child = fork();
    if (child == 0) {
        write_to_fifo(NULL);
        _exit(0);
    }
    long fd = open_at("fifo", O_RDONLY);
    REQUIRE(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL) == 0);
    char byte = 0;
    CHECK(fd == file + 1 && ticks > before && read((int)fd, &byte, 1) == 1 && byte == 'f');
    CHECK_EQ(close_it(fd), 0);
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static int status_of(pid_t child) {
    int status;
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
    return status;
}

static void processes(void) {
    volatile int wrong = 0;
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        if (child == 0) {
            // With a position of its own.
            REQUIRE(close(file) == 0 && open("hot", O_RDWR) == file);
            _exit(calls(i % 2 ? 1000 : 10) != 0 || getppid() == getpid());
        }
        wrong += calls(100);
        wrong += status_of(child) != 0;
    }
    CHECK_EQ(wrong, 0);
    for (int i = 0; i < 10; i++) {
        pid_t child = vfork();
        if (child == 0)
            _exit(calls(100) != 0 || getppid() == getpid());
        wrong += status_of(child) != 0 || calls(100) != 0;
    }
    CHECK_EQ(wrong, 0);
    char *args[] = {"true", NULL};
    for (int i = 0; i < 3; i++) {
        pid_t child;
        wrong += posix_spawn(&child, "/bin/true", NULL, NULL, args, args + 1) != 0 || status_of(child) != 0;
        wrong += calls(100);
    }
    CHECK_EQ(wrong, 0);
}

static void *calls_in_thread(void *arg) {
    int *wrong = arg;
    for (int i = 0; i < 3000; i++) {
        long fd = open_at("hot", O_RDONLY);
        *wrong += fd < 0 || seek(fd, i) != i || close_it(fd) != 0;
    }
    *wrong += syscall(SYS_gettid) == getpid();
    return NULL;
}

static void threads(void) {
    pthread_t threads[3];
    int wrong[3] = {0};
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_create(&threads[i], NULL, calls_in_thread, &wrong[i]) == 0);
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    CHECK(wrong[0] == 0 && wrong[1] == 0 && wrong[2] == 0);
    CHECK_EQ(calls(1000), 0);
}

int main(int argc, char **argv) {
    file = open("hot", O_RDWR | O_CREAT | O_EXCL, 0600);
    REQUIRE(file >= 0);
    CHECK_EQ(calls(2000), 0);
    registers();
    if (argc > 1 && !become_jumps(atoi(argv[1]))) {
        printf("no jumps after %s seconds\n", argv[1]);
        return 2;
    }
    registers();
    while_signals_come();
    interrupted_calls();
    processes();
    threads();
    return check_done();
}
