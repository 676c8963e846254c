// A pseudo-terminal sends SIGINT, SIGQUIT and SIGTSTP for keys and SIGWINCH for a new size.
#include "check.h"
#include "signals.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

static volatile int last, count;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)info, (void)context;
    last = signal;
    count++;
}

static int child_of_terminal(int report) {
    static const int signals[] = {SIGINT, SIGQUIT, SIGWINCH, SIGCONT};
    for (int i = 0; i < 4; i++)
        install(signals[i], handler, 0);
    if (write(report, "r", 1) != 1)
        return 9;
    int seen = 0;
    while (seen < 4) {
        if (seen == count)
            usleep(1000);
        if (seen < count) {
            unsigned char byte = (unsigned char)last;
            seen = count;
            if (write(report, &byte, 1) != 1)
                return 9;
        }
    }
    return 7;
}

static int reported(int from) {
    unsigned char byte = 0;
    return read(from, &byte, 1) == 1 ? byte : -1;
}

int main(void) {
    int ends[2], terminal = -1, how = 0;
    CHECK_OK(pipe(ends));
    pid_t child = CHECK_OK(forkpty(&terminal, NULL, NULL, NULL));
    if (child < 0)
        return 1;
    if (child == 0)
        _exit(child_of_terminal(ends[1]));
    CHECK_EQ(reported(ends[0]), 'r');
    CHECK_EQ(write(terminal, "\3", 1), 1);
    CHECK_EQ(reported(ends[0]), SIGINT);
    CHECK_EQ(write(terminal, "\34", 1), 1);
    CHECK_EQ(reported(ends[0]), SIGQUIT);
    struct winsize size = {50, 100, 0, 0};
    CHECK_OK(ioctl(terminal, TIOCSWINSZ, &size));
    CHECK_EQ(reported(ends[0]), SIGWINCH);
    CHECK_OK(kill(child, SIGSTOP));
    CHECK_EQ(waitpid(child, &how, WUNTRACED), child);
    CHECK(WIFSTOPPED(how) && WSTOPSIG(how) == SIGSTOP);
    CHECK_OK(kill(child, SIGCONT));
    CHECK_EQ(reported(ends[0]), SIGCONT);
    CHECK_EQ(waitpid(child, &how, 0), child);
    CHECK(WIFEXITED(how) && WEXITSTATUS(how) == 7);
    return CHECK_DONE();
}
