// Fifty children at once, each reaped with its own status, and a chain of forks twelve deep.
#include "check.h"
#include "process/process.h"

enum { CHILDREN = 50, DEPTH = 12 };

static int descend(int depth) {
    if (depth == 0)
        return 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(descend(depth - 1));
    return code_of(wait_for(pid)) + 1;
}

int main(void) {
    int hold[2];
    CHECK_OK(pipe(hold));
    pid_t pids[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            char byte;
            close(hold[1]);
            _exit(read(hold[0], &byte, 1) == 0 ? i + 1 : 99);
        }
        if (pids[i] < 0)
            break;
    }
    CHECK(pids[CHILDREN - 1] > 0);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), 0);
    close(hold[1]);
    int seen = 0, right = 0, status;
    for (pid_t pid; (pid = wait(&status)) > 0; seen++)
        for (int i = 0; i < CHILDREN; i++)
            right += pids[i] == pid && code_of(status) == i + 1;
    CHECK_EQ(seen, CHILDREN);
    CHECK_EQ(right, CHILDREN);
    CHECK_ERR(wait(NULL), ECHILD);
    CHECK_EQ(descend(DEPTH), DEPTH);
    for (int i = 0; i < 30; i++)
        if (code_of(IN_CHILD(i)) != i)
            CHECK_EQ(i, -1);
    CHECK_ERR(wait(NULL), ECHILD);
    return CHECK_DONE();
}
