// Thousands of calls in a row, which kvm-se may answer without leaving the guest: each result is right, registers and flags
// are kept, signals come between them, and what changes for the calling thread changes for the next call.
#include "check.h"
#include "clean_call.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { SIZE = 64 * 1024 };

static int file;
static unsigned char expected[SIZE];

static void make_file(void) {
    for (int i = 0; i < SIZE; i++)
        expected[i] = (unsigned char)(i * 7 + i / 251);
    file = open("burst", O_RDWR | O_CREAT | O_EXCL, 0600);
    REQUIRE(file >= 0 && write(file, expected, SIZE) == SIZE);
}

static unsigned next(unsigned *state) { return *state = *state * 1103515245 + 12345, *state >> 8; }

// Returns how many of the results were wrong.
static int read_at_random(int rounds) {
    int wrong = 0;
    unsigned state = 1;
    unsigned char got[64];
    for (int i = 0; i < rounds; i++) {
        unsigned at = next(&state) % (SIZE - 64), length = next(&state) % 64;
        wrong += pread(file, got, length, at) != (ssize_t)length || memcmp(got, expected + at, length) != 0;
    }
    return wrong;
}

static int files_and_errors(int rounds) {
    int wrong = 0;
    struct stat status;
    char path[4096];
    for (int i = 0; i < rounds; i++) {
        int fd = open("burst", O_RDONLY);
        wrong += fd != file + 1;
        wrong += fstat(fd, &status) != 0 || status.st_size != SIZE;
        wrong += lseek(fd, i, SEEK_SET) != i || lseek(fd, 0, SEEK_CUR) != i;
        wrong += fcntl(fd, F_GETFD) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_GETFD) != FD_CLOEXEC;
        wrong += write(fd, "x", 1) != -1 || errno != EBADF;
        wrong += syscall(SYS_read, fd, 16, 8) != -1 || errno != EFAULT;
        wrong += close(fd) != 0 || close(fd) != -1 || errno != EBADF;
        wrong += open("missing", O_RDONLY) != -1 || errno != ENOENT;
        wrong += stat("burst/below", &status) != -1 || errno != ENOTDIR;
        wrong += access((char *)16, F_OK) != -1 || errno != EFAULT;
        wrong += getcwd(path, sizeof path) != path || path[0] != '/';
        wrong += readlink("burst", path, sizeof path) != -1 || errno != EINVAL;
    }
    return wrong;
}

static int memory(int rounds) {
    int wrong = 0;
    for (int i = 0; i < rounds; i++) {
        unsigned char *at = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, file, 0);
        wrong += at == MAP_FAILED || at[i] != expected[i];
        wrong += mprotect(at, 4096, PROT_READ | PROT_WRITE) != 0;
        at[i % 4096] = 1;
        wrong += munmap(at, SIZE) != 0 || syscall(SYS_access, at, F_OK) != -1 || errno != EFAULT;
    }
    return wrong;
}

static volatile int ticks, faults;

static void on_alarm(int signal) {
    (void)signal;
    ticks++;
}

static void on_fault(int signal) {
    (void)signal;
    faults++;
}

// It is made once: the position shows how often.
static bool reads_cleanly(unsigned turn) {
    static unsigned at;
    unsigned char got = 0;
    if (at == SIZE)
        at = (unsigned)lseek(file, 0, SEEK_SET);
    return calls_cleanly(turn, 1, SYS_read, file, (long)&got, 1) && got == expected[at++];
}

static void while_signals_come(void) {
    CHECK(signal(SIGALRM, on_alarm) != SIG_ERR && signal(SIGSEGV, on_fault) != SIG_ERR);
    int wrong = lseek(file, 0, SEEK_SET) != 0;
    for (int round = 0; round < 500; round++) {
        REQUIRE(setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = 50 + round}, NULL) == 0);
        for (unsigned i = 0; ticks == round; i++)
            wrong += !reads_cleanly(i);
    }
    CHECK_EQ(wrong, 0);
    // Of signals like this a sender may have any thread take one.
    for (int i = 0; i < 200; i++) {
        wrong += kill(getpid(), SIGSEGV) != 0;
        wrong += read_at_random(5);
    }
    CHECK(wrong == 0 && faults == 200);
}

// A call that blocks does so, and a signal ends it.
static void blocking(void) {
    int ends[2], wrong = 0;
    char byte = 'b';
    struct sigaction action = {.sa_handler = on_alarm};
    CHECK_OK(sigaction(SIGALRM, &action, NULL));
    CHECK_OK(pipe(ends));
    CHECK_OK(mkfifo("fifo", 0600));
    for (int i = 0; i < 20; i++) {
        wrong += read_at_random(200);
        // Again and again, for one may come before the call.
        REQUIRE(setitimer(ITIMER_REAL, &(struct itimerval){{0, 3000}, {0, 3000}}, NULL) == 0);
        wrong += (i % 2 ? read(ends[0], &byte, 1) : open("fifo", O_RDONLY)) != -1 || errno != EINTR;
        REQUIRE(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL) == 0);
        wrong += write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1 || byte != 'b';
    }
    CHECK_EQ(wrong, 0);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

static volatile int broken;

static void on_broken_pipe(int signal) {
    (void)signal;
    broken++;
}

// What goes into a pipe comes out of it, whole, however much there is room for.
static void through_a_pipe(void) {
    int ends[2], wrong = 0;
    unsigned state = 5;
    static unsigned char got[SIZE];
    CHECK_OK(pipe(ends));
    for (int i = 0; i < 5000; i++) {
        unsigned length = 1 + next(&state) % (i % 100 == 0 ? SIZE : 4096), at = next(&state) % (SIZE - length + 1), done = 0;
        wrong += write(ends[1], expected + at, length) != (ssize_t)length;
        while (done < length) {
            ssize_t count = read(ends[0], got + done, SIZE - done);
            REQUIRE(count > 0);
            done += (unsigned)count;
        }
        wrong += done != length || memcmp(got, expected + at, length) != 0;
    }
    CHECK_EQ(wrong, 0);
    for (int i = 0; i < 1000; i++) {
        wrong += syscall(SYS_write, ends[1], 16, 8) != -1 || errno != EFAULT;
        wrong += write(ends[0], "x", 1) != -1 || errno != EBADF || write(ends[1], "x", 0) != 0;
        wrong += write(ends[1], "abc", 3) != 3 || syscall(SYS_read, ends[0], 16, 8) != -1 || errno != EFAULT;
        wrong += read(ends[0], got, 2) != 2 || read(ends[0], got, 8) != 1 || got[0] != 'c';
    }
    CHECK_EQ(wrong, 0);
    CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 && fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
    for (int i = 0; i < 20; i++) {
        int full = 0;
        wrong += read(ends[0], got, 1) != -1 || errno != EAGAIN;
        while (write(ends[1], expected, 4096) == 4096)
            full++;
        wrong += full != 16 || errno != EAGAIN || write(ends[1], expected, 1) != -1;
        while (read(ends[0], got, 4096) == 4096)
            full--;
        wrong += full != 0 || errno != EAGAIN;
    }
    CHECK_EQ(wrong, 0);
    CHECK(signal(SIGPIPE, on_broken_pipe) != SIG_ERR && close(ends[0]) == 0);
    for (int i = 0; i < 500; i++)
        wrong += write(ends[1], "x", 1) != -1 || errno != EPIPE;
    CHECK(wrong == 0 && broken == 500 && close(ends[1]) == 0);
    CHECK(signal(SIGPIPE, SIG_DFL) == on_broken_pipe);
}

// A child answers each byte that comes from one pipe in another one, at first at once and later on after a while.
static void with_a_partner(void) {
    int there[2], back[2], wrong = 0, status;
    unsigned char byte;
    CHECK(pipe(there) == 0 && pipe(back) == 0);
    pid_t child = fork();
    if (child == 0) {
        REQUIRE(close(there[1]) == 0 && close(back[0]) == 0);
        for (int i = 0; read(there[0], &byte, 1) == 1; i++) {
            if (i > 2000 && i % 100 == 0)
                usleep(1000);
            byte++;
            REQUIRE(write(back[1], &byte, 1) == 1);
        }
        _exit(0);
    }
    CHECK(close(there[0]) == 0 && close(back[1]) == 0);
    for (int i = 0; i < 4000; i++) {
        unsigned char sent = (unsigned char)i;
        wrong += write(there[1], &sent, 1) != 1 || read(back[0], &byte, 1) != 1 || byte != (unsigned char)(sent + 1);
    }
    CHECK_EQ(wrong, 0);
    CHECK(close(there[1]) == 0 && read(back[0], &byte, 1) == 0 && close(back[0]) == 0);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

// A write that does not fit waits until it does.
static void more_than_fits(void) {
    enum { MORE = 3 * SIZE };
    static unsigned char buffer[MORE];
    int ends[2], wrong = 0, status;
    CHECK_OK(pipe(ends));
    pid_t child = fork();
    if (child == 0) {
        long sum = 0;
        ssize_t count;
        REQUIRE(close(ends[1]) == 0);
        while ((count = read(ends[0], buffer, 5000)) > 0)
            sum += count;
        _exit(sum != 60L * MORE + 60);
    }
    CHECK_EQ(close(ends[0]), 0);
    for (int i = 0; i < 60; i++) {
        wrong += read_at_random(200);
        wrong += write(ends[1], buffer, 1) != 1 || write(ends[1], buffer, MORE) != MORE;
    }
    CHECK(wrong == 0 && close(ends[1]) == 0);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static int in_child(int (*body)(void)) {
    pid_t child = fork();
    if (child == 0)
        _exit(body());
    int status;
    REQUIRE(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int reads_on(void) { return read_at_random(3000) != 0; }

static int with_limit(void) {
    struct rlimit limit = {SIZE, SIZE};
    int wrong = read_at_random(1000), fd = open("burst", O_WRONLY);
    wrong += pwrite(fd, expected, 1, 0) != 1 || setrlimit(RLIMIT_FSIZE, &limit) != 0 || read_at_random(1000);
    if (wrong != 0)
        return 1;
    pwrite(fd, "x", 1, SIZE);
    return 2;
}

static int with_other_ids(void) {
    int wrong = read_at_random(1000) + files_and_errors(100);
    REQUIRE(chmod("burst", 0600) == 0 && chmod(".", 0711) == 0);
    REQUIRE(syscall(SYS_setresuid, 1001, 1001, 1001) == 0);
    for (int i = 0; i < 500; i++)
        wrong += open("burst", O_RDONLY) != -1 || errno != EACCES || access("burst", R_OK) != -1 || errno != EACCES;
    return wrong != 0;
}

static int with_another_file_table(void) {
    int wrong = read_at_random(1000), ends[2];
    char byte;
    REQUIRE(pipe(ends) == 0);
    pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | CLONE_FS | SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0) {
        REQUIRE(read(ends[0], &byte, 1) == 1 && read_at_random(500) == 0);
        REQUIRE(close(file) == 0 && chdir("/") == 0);
        _exit(0);
    }
    wrong += read_at_random(1000) + (unshare(CLONE_FILES | CLONE_FS) != 0) + read_at_random(1000);
    wrong += write(ends[1], "x", 1) != 1;
    int status;
    REQUIRE(waitpid(child, &status, 0) == child);
    wrong += status != 0 || close(ends[0]) != 0 || close(ends[1]) != 0;
    return wrong + files_and_errors(200) + read_at_random(1000) != 0;
}

static void *read_in_thread(void *arg) {
    *(int *)arg = read_at_random(3000);
    return NULL;
}

static int nr_threads(int status) {
    char text[4096] = "";
    int count = 0;
    REQUIRE(pread(status, text, sizeof text - 1, 0) > 0);
    const char *line = strstr(text, "Threads:");
    REQUIRE(line && sscanf(line, "Threads: %d", &count) == 1);
    return count;
}

static int thread_after_burst(void) {
    int status = open("/proc/self/status", O_RDONLY), wrong = read_at_random(2000), wrongs[3] = {1, 1, 1};
    wrong += nr_threads(status) != 1;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_create(&threads[i], NULL, read_in_thread, &wrongs[i]) == 0);
    wrong += read_at_random(2000);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    return wrong + wrongs[0] + wrongs[1] + wrongs[2] != 0;
}

int main(void) {
    make_file();
    CHECK_EQ(read_at_random(20000), 0);
    CHECK_EQ(files_and_errors(700), 0);
    CHECK_EQ(memory(500), 0);
    while_signals_come();
    blocking();
    through_a_pipe();
    with_a_partner();
    more_than_fits();
    CHECK_EQ(in_child(reads_on), 0);
    CHECK_EQ(read_at_random(2000), 0);
    CHECK_EQ(in_child(with_limit), 1000 + SIGXFSZ);
    if (geteuid() == 0)
        CHECK_EQ(in_child(with_other_ids), 0);
    CHECK_EQ(in_child(with_another_file_table), 0);
    CHECK_EQ(in_child(thread_after_burst), 0);
    pid_t child = vfork();
    if (child == 0)
        _exit(reads_on());
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK_EQ(read_at_random(2000) + files_and_errors(100), 0);
    return CHECK_DONE();
}
