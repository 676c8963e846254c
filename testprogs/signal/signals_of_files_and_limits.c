// SIGPIPE, SIGXFSZ, SIGXCPU, SIGIO and SIGURG reach handlers, and the calls that cause them say why they fail.
#include "check.h"
#include "signals.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

static volatile int last, count, code, fd;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)context;
    last = signal;
    code = info->si_code;
    fd = info->si_fd;
    count++;
}

int main(void) {
    int ends[2], sockets[2];
    static const int signals[] = {SIGPIPE, SIGXFSZ, SIGXCPU, SIGIO, SIGVTALRM, SIGPROF};
    for (int i = 0; i < 6; i++)
        CHECK_OK(install(signals[i], handler, 0));
    CHECK_OK(pipe(ends));
    close(ends[0]);
    CHECK_ERR(write(ends[1], "x", 1), EPIPE);
    CHECK_EQ(last, SIGPIPE);
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    close(sockets[0]);
    CHECK_ERR(send(sockets[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(count, 1);
    CHECK_ERR(send(sockets[1], "x", 1, 0), EPIPE);
    CHECK_EQ(count, 2);

    struct rlimit limit = {1 << 20, RLIM_INFINITY};
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
    int file = CHECK_OK(open("file", O_RDWR | O_CREAT, 0600));
    CHECK_ERR(pwrite(file, "x", 1, 1 << 20), EFBIG);
    CHECK_EQ(last, SIGXFSZ);

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    CHECK_OK(fcntl(sockets[0], F_SETOWN, getpid()));
    CHECK_OK(fcntl(sockets[0], F_SETFL, O_ASYNC | O_NONBLOCK));
    CHECK_EQ(write(sockets[1], "x", 1), 1);
    CHECK_EQ(last, SIGIO);
    CHECK_OK(fcntl(sockets[0], F_SETSIG, SIGRTMIN));
    CHECK_OK(install(SIGRTMIN, handler, 0));
    CHECK_EQ(write(sockets[1], "x", 1), 1);
    CHECK(last == SIGRTMIN && fd == sockets[0]);

    // Timers of processor time: the loop ends by them alone.
    struct itimerval value = {{0, 0}, {0, 20000}};
    last = 0;
    CHECK_OK(setitimer(ITIMER_VIRTUAL, &value, NULL));
    while (last != SIGVTALRM)
        ;
    CHECK_OK(setitimer(ITIMER_PROF, &value, NULL));
    while (last != SIGPROF)
        ;
    CHECK_EQ(mask_now(), 0);
    return CHECK_DONE();
}
