// Several threads make thousands of calls in a row, which kvm-se may answer without leaving the guest: results are right,
// descriptors that another thread turns into others block or fail as they should, and threads come and go between the calls.
#include "check.h"
#include "threads.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { SIZE = 64 * 1024, THREADS = 3 };

static int file;
static unsigned char expected[SIZE];
static atomic_int wrong;

static unsigned next(unsigned *state) { return *state = *state * 1103515245 + 12345, *state >> 8; }

static void read_at_random(int rounds, unsigned state) {
    unsigned char got[64];
    for (int i = 0; i < rounds; i++) {
        unsigned at = next(&state) % (SIZE - 64), length = next(&state) % 64;
        wrong += pread(file, got, length, at) != (ssize_t)length || memcmp(got, expected + at, length) != 0;
    }
}

static void *use_files(void *argument) {
    unsigned number = (unsigned)(size_t)argument;
    char name[32];
    struct stat status;
    snprintf(name, sizeof name, "of thread %u", number);
    for (int i = 0; i < 300; i++) {
        int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
        wrong += fd < 0 || write(fd, expected, 100 + i) != 100 + i || fstat(fd, &status) != 0 || status.st_size != 100 + i;
        wrong += lseek(fd, i, SEEK_SET) != i;
        unsigned char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        wrong += memory == MAP_FAILED || read(fd, memory, 50) != 50 || memcmp(memory, expected + i, 50) != 0;
        wrong += munmap(memory, SIZE) != 0 || unlink(name) != 0 || close(fd) != 0;
        read_at_random(20, number + (unsigned)i);
    }
    return NULL;
}

static void side_by_side(void) {
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, use_files, (void *)i) == 0);
    for (size_t i = 0; i < THREADS; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    CHECK_EQ(wrong, 0);
}

static void *nothing(void *argument) { return argument; }

// Bursts alone and bursts beside others take turns.
static void come_and_go(void) {
    for (int i = 0; i < 8; i++) {
        pthread_t thread;
        read_at_random(400, (unsigned)i);
        REQUIRE(pthread_create(&thread, NULL, i % 2 ? use_files : nothing, NULL) == 0);
        read_at_random(400, (unsigned)i);
        REQUIRE(pthread_join(thread, NULL) == 0);
        pid_t child = fork();
        if (child == 0) {
            read_at_random(200, (unsigned)i);
            _exit(wrong);
        }
        int status;
        REQUIRE(waitpid(child, &status, 0) == child);
        wrong += status != 0;
    }
    CHECK_EQ(wrong, 0);
}

static int changing;
static pthread_t reader;
static atomic_int interrupted;
static atomic_bool is_over, has_ended;
static volatile sig_atomic_t signals;

static void on_signal(int signal) {
    (void)signal;
    signals++;
}

static void *turn_into_pipes(void *argument) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    for (int i = 0; i < 150; i++) {
        int before = interrupted;
        usleep(100);
        REQUIRE(dup2(ends[0], changing) == changing);
        // Again and again, for one may come before the call.
        while (interrupted == before) {
            usleep(1000);
            REQUIRE(pthread_kill(reader, SIGUSR1) == 0);
        }
        REQUIRE(dup2(file, changing) == changing);
    }
    is_over = true;
    while (!has_ended) {
        usleep(1000);
        REQUIRE(pthread_kill(reader, SIGUSR1) == 0);
    }
    REQUIRE(close(ends[0]) == 0 && close(ends[1]) == 0);
    return argument;
}

// A read of what has just become an empty pipe waits until a signal comes.
static void of_changing_descriptors(void) {
    struct sigaction action = {.sa_handler = on_signal};
    pthread_t thread;
    reader = pthread_self();
    changing = dup(file);
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0 && pthread_create(&thread, NULL, turn_into_pipes, NULL) == 0);
    unsigned char byte;
    while (!is_over) {
        wrong += lseek(file, 0, SEEK_SET) != 0;
        ssize_t count = read(changing, &byte, 1);
        if (count == 1)
            wrong += byte != expected[0];
        else if (count == -1 && errno == EINTR)
            interrupted++;
        else
            wrong++;
    }
    has_ended = true;
    REQUIRE(pthread_join(thread, NULL) == 0);
    CHECK(wrong == 0 && interrupted >= 150 && close(changing) == 0);
}

// An echo of what comes, by events.
static void *serve(void *argument) {
    int listener = *(int *)argument, events = epoll_create1(0), socket;
    unsigned char bytes[4096];
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    REQUIRE(epoll_ctl(events, EPOLL_CTL_ADD, listener, &event) == 0);
    while (true) {
        int count = epoll_wait(events, &event, 1, -1);
        REQUIRE(count == 1);
        if (event.data.fd == listener) {
            while ((socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = socket};
                REQUIRE(epoll_ctl(events, EPOLL_CTL_ADD, socket, &event) == 0);
            }
            wrong += errno != EAGAIN;
            continue;
        }
        ssize_t got = recv(event.data.fd, bytes, sizeof bytes, 0);
        wrong += got < 0;
        if (got <= 0)
            break;
        wrong += send(event.data.fd, bytes, (size_t)got, MSG_NOSIGNAL) != got;
    }
    REQUIRE(close(events) == 0 && close(event.data.fd) == 0);
    return NULL;
}

static void by_sockets(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    pthread_t thread;
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), own = socket(AF_UNIX, SOCK_STREAM, 0);
    unsigned char got[4096];
    REQUIRE(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 8) == 0);
    wrong += accept(listener, NULL, NULL) != -1 || errno != EAGAIN;
    REQUIRE(pthread_create(&thread, NULL, serve, &listener) == 0);
    REQUIRE(connect(own, (struct sockaddr *)&address, sizeof address) == 0);
    for (unsigned i = 0; i < 3000; i++) {
        size_t length = 1 + i % 2000, done = 0;
        if (i % 3 == 0) {
            wrong += write(own, expected + i, length) != (ssize_t)length;
        } else if (i % 3 == 1) {
            wrong += send(own, expected + i, length, 0) != (ssize_t)length;
        } else {
            struct iovec pieces[2] = {{expected + i, length / 2}, {expected + i + length / 2, length - length / 2}};
            wrong += sendmsg(own, &(struct msghdr){.msg_iov = pieces, .msg_iovlen = 2}, 0) != (ssize_t)length;
        }
        struct pollfd polled = {.fd = own, .events = POLLIN};
        wrong += i % 7 == 0 && (poll(&polled, 1, -1) != 1 || polled.revents != POLLIN);
        while (done < length) {
            ssize_t count = i % 2 ? recv(own, got + done, sizeof got - done, 0) : read(own, got + done, sizeof got - done);
            REQUIRE(count > 0);
            done += (size_t)count;
        }
        wrong += done != length || memcmp(got, expected + i, length) != 0;
        wrong += recv(own, got, 1, MSG_DONTWAIT) != -1 || errno != EAGAIN;
    }
    CHECK(shutdown(own, SHUT_WR) == 0 && read(own, got, 1) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    CHECK(wrong == 0 && unlink("socket") == 0);
    // Each is told by a signal of its own.
    CHECK(signal(SIGPIPE, on_signal) != SIG_ERR);
    signals = 0;
    for (int i = 0; i < 300; i++) {
        wrong += write(own, "x", 1) != -1 || errno != EPIPE || send(own, "x", 1, 0) != -1 || errno != EPIPE;
        wrong += send(own, "x", 1, MSG_NOSIGNAL) != -1 || errno != EPIPE;
    }
    CHECK(wrong == 0 && signals == 600 && close(own) == 0 && close(listener) == 0);
    sigset_t pending;
    CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE));
    CHECK(signal(SIGPIPE, SIG_DFL) == on_signal);
}

// Sends in two pieces what it is asked for.
static void *send_slowly(void *argument) {
    int end = *(int *)argument;
    char token;
    while (read(end, &token, 1) == 1) {
        wrong += send(end, expected, 50, 0) != 50;
        usleep(200);
        wrong += send(end, expected, 50, 0) != 50;
    }
    return NULL;
}

// A blocking read that wants more than is there waits for it.
static void low_water(void) {
    int ends[2], least = 100;
    unsigned char got[200];
    pthread_t thread;
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    REQUIRE(pthread_create(&thread, NULL, send_slowly, &ends[1]) == 0);
    for (int i = 0; i < 60; i++) {
        read_at_random(100, (unsigned)i);
        wrong += write(ends[0], "t", 1) != 1 || recv(ends[0], got, 100, MSG_WAITALL) != 100;
    }
    CHECK_OK(setsockopt(ends[0], SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least));
    for (int i = 0; i < 60; i++) {
        wrong += write(ends[0], "t", 1) != 1;
        read_at_random(20 * (i % 8), (unsigned)i);
        wrong += (i % 2 ? recv(ends[0], got, 200, 0) : read(ends[0], got, 200)) != 100;
    }
    CHECK(wrong == 0 && shutdown(ends[0], SHUT_WR) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

static int call_out;
static atomic_uint word;

static void *count_events(void *argument) {
    uint64_t count, *sum = argument;
    while (*sum < 3000) {
        struct pollfd polled = {.fd = call_out, .events = POLLIN};
        REQUIRE(poll(&polled, 1, -1) == 1);
        wrong += read(call_out, &count, sizeof count) != sizeof count;
        *sum += count;
    }
    wrong += read(call_out, &count, sizeof count) != -1 || errno != EAGAIN;
    return NULL;
}

static void by_events(void) {
    uint64_t sum = 0, one = 1;
    pthread_t thread;
    call_out = eventfd(0, EFD_NONBLOCK);
    REQUIRE(pthread_create(&thread, NULL, count_events, &sum) == 0);
    for (int i = 0; i < 3000; i++)
        wrong += write(call_out, &one, sizeof one) != sizeof one;
    REQUIRE(pthread_join(thread, NULL) == 0);
    CHECK(wrong == 0 && sum == 3000 && close(call_out) == 0);
}

static void *take_turns(void *argument) {
    for (unsigned turn = 1; turn < 4000; turn += 2) {
        while (word != turn)
            futex(&word, FUTEX_WAIT_PRIVATE, turn - 1, NULL, NULL, 0);
        word = turn + 1;
        futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
    return argument;
}

static void by_futexes(void) {
    pthread_t thread;
    for (int i = 0; i < 500; i++) {
        wrong += futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0) != 0;
        wrong += futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0) != -1 || errno != EAGAIN;
        wrong += futex((char *)&word + 1, FUTEX_WAIT, 1, NULL, NULL, 0) != -1 || errno != EINVAL;
        wrong += futex((void *)16, FUTEX_WAIT, 1, NULL, NULL, 0) != -1 || errno != EFAULT;
        wrong += futex(&word, FUTEX_WAIT, 0, &(struct timespec){.tv_nsec = -1}, NULL, 0) != -1 || errno != EINVAL;
    }
    CHECK_EQ(wrong, 0);
    REQUIRE(pthread_create(&thread, NULL, take_turns, NULL) == 0);
    for (unsigned turn = 0; turn < 4000; turn += 2) {
        while (word != turn)
            futex(&word, FUTEX_WAIT_PRIVATE, turn - 1, NULL, NULL, 0);
        word = turn + 1;
        futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
    REQUIRE(pthread_join(thread, NULL) == 0);
    CHECK_EQ(word, 4000);
}

int main(void) {
    for (int i = 0; i < SIZE; i++)
        expected[i] = (unsigned char)(i * 7 + i / 251);
    file = open("burst", O_RDWR | O_CREAT | O_EXCL, 0600);
    REQUIRE(file >= 0 && write(file, expected, SIZE) == SIZE);
    low_water();
    side_by_side();
    come_and_go();
    of_changing_descriptors();
    by_sockets();
    by_events();
    by_futexes();
    return CHECK_DONE();
}
