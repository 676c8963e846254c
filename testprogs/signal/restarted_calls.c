// signal(7): calls that a handler interrupts start again with SA_RESTART, and fail with EINTR without.
#include "check.h"
#include "signals.h"

#include <sys/uio.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <sys/socket.h>

static volatile int count, last;
static int ends[2], sockets[2], listener;
static unsigned futex_word;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    // The last one ends what was restarted.
    if (++count == last) {
        char byte = 'x';
        if (write(ends[1], &byte, 1) != 1 || write(sockets[1], &byte, 1) != 1)
            _exit(4);
        futex_word = 1;
        syscall(SYS_futex, &futex_word, FUTEX_WAKE, 1, NULL, NULL, 0);
        alarm_every(0, 0);
    }
}

static long try_read(void) {
    char byte = 0;
    return read(ends[0], &byte, 1);
}
static long try_recv(void) {
    char byte = 0;
    return recv(sockets[0], &byte, 1, 0);
}
static long try_recvmsg(void) {
    char byte = 0;
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    return recvmsg(sockets[0], &message, 0);
}
static long try_readv(void) {
    char byte = 0;
    struct iovec piece = {&byte, 1};
    return readv(ends[0], &piece, 1);
}
static long try_futex(void) {
    long result = syscall(SYS_futex, &futex_word, FUTEX_WAIT, 0, NULL, NULL, 0);
    return result == -1 && errno == EAGAIN ? 1 : result == 0 ? 1 : result;
}

static void drain(void) {
    char bytes[16];
    while (read(ends[0], bytes, sizeof bytes) > 0 || recv(sockets[0], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
}

int main(void) {
    static const struct {
        const char *name;
        long (*call)(void);
    } calls[] = {{"read", try_read}, {"recv", try_recv}, {"recvmsg", try_recvmsg}, {"readv", try_readv}, {"futex", try_futex}};
    CHECK_OK(pipe2(ends, 0));
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    for (int i = 0; i < 5; i++) {
        for (int restart = 0; restart < 2; restart++) {
            fcntl(ends[0], F_SETFL, O_NONBLOCK);
            drain();
            fcntl(ends[0], F_SETFL, 0);
            NOTE("%s %s SA_RESTART", calls[i].name, restart ? "with" : "without");
            install(SIGALRM, handler, restart ? SA_RESTART : 0);
            count = 0;
            last = restart ? 2 : 0;
            futex_word = 0;
            alarm_every(100, 100);
            errno = 0;
            long result = calls[i].call();
            int error = errno;
            alarm_every(0, 0);
            if (restart) {
                CHECK_EQ(result, 1);
                CHECK_EQ(count, 2);
            } else {
                CHECK(result == -1 && error == EINTR);
                CHECK(count >= 1);
            }
        }
    }
    listener = CHECK_OK(socket(AF_INET, SOCK_STREAM, 0));
    CHECK_OK(listen(listener, 1));
    install(SIGALRM, handler, 0);
    count = last = 0;
    alarm_every(100, 100);
    CHECK_ERR(accept(listener, NULL, NULL), EINTR);
    CHECK(count >= 1);

    // Writing to a full pipe; and a call that has done a part returns the part.
    int full[2];
    static char block[1 << 20];
    CHECK_OK(pipe2(full, 0));
    long size = CHECK_OK(fcntl(full[1], F_GETPIPE_SZ));
    count = 0;
    install(SIGALRM, handler, SA_RESTART);
    CHECK_EQ(write(full[1], block, sizeof block), size);
    CHECK(count >= 1);
    install(SIGALRM, handler, 0);
    CHECK_ERR(write(full[1], block, 1), EINTR);
    alarm_every(0, 0);
    return CHECK_DONE();
}
