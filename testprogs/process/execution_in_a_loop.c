// Many programs in a row, by vfork(2), fork(2) and posix_spawn(3): neither memory nor descriptors run out.
#include "check.h"
#include "process/process.h"
#include <spawn.h>

enum { ROUNDS = 20 };

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "chain") == 0) {
        // Executes itself as often as the number says.
        int left = atoi(argv[2]);
        char text[16];
        snprintf(text, sizeof text, "%d", left - 1);
        if (left > 0)
            execve("/proc/self/exe", (char *[]){argv[0], "chain", text, NULL}, (char *[]){NULL});
        return left == 0 ? 12 : 13;
    }
    if (argc == 2)
        return atoi(argv[1]);
    char text[16];
    char *args[] = {argv[0], text, NULL}, *none[] = {NULL};
    int spawned = 0, forked = 0, lowest = dup(0);
    CHECK_OK(close(lowest));
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(text, sizeof text, "%d", i);
        pid_t pid;
        if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, args, none) == 0)
            spawned += code_of(wait_for(pid)) == i;
        pid = fork();
        if (pid == 0) {
            execve("/proc/self/exe", args, none);
            _exit(99);
        }
        forked += code_of(wait_for(pid)) == i;
    }
    CHECK_EQ(spawned, ROUNDS);
    CHECK_EQ(forked, ROUNDS);
    CHECK_EQ(code_of(IN_CHILD(execve("/proc/self/exe", (char *[]){argv[0], "chain", "20", NULL}, none))), 12);
    CHECK_EQ(dup(0), lowest);
    CHECK_ERR(wait(NULL), ECHILD);
    return CHECK_DONE();
}
