// pipe(7): a write to a pipe without readers kills by SIGPIPE, unless that is ignored or MSG_NOSIGNAL
// is given.
#include "check.h"

#include <signal.h>
#include <sys/socket.h>

int main(void) {
    int ends[2], pair[2];
    signal(SIGPIPE, SIG_IGN);
    CHECK_OK(pipe(ends));
    close(ends[0]);
    CHECK_ERR(write(ends[1], "x", 1), EPIPE);
    signal(SIGPIPE, SIG_DFL);
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    close(pair[0]);
    CHECK_ERR(send(pair[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(write(ends[1], "", 0), 0);
    CHECK_DEATH(SIGPIPE, (void)!write(ends[1], "x", 1));
}
