// posix_spawn(3): success, file actions, attributes, and errors that come back through shared memory.
#include "check.h"
#include "process/process.h"
#include <spawn.h>

static char *none[] = {NULL};

static int spawn(pid_t *pid, const char *path, char **args, posix_spawn_file_actions_t *actions,
                 posix_spawnattr_t *attributes) {
    return posix_spawn(pid, path, actions, attributes, args, none);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "status") == 0)
        return atoi(argv[2]);
    if (argc > 1 && strcmp(argv[1], "write") == 0)
        return write(1, argv[2], strlen(argv[2])) < 0;
    if (argc > 1 && strcmp(argv[1], "ignored") == 0) {
        struct sigaction action;
        sigaction(SIGUSR2, NULL, &action);
        sigset_t mask;
        sigprocmask(SIG_BLOCK, NULL, &mask);
        return (action.sa_handler == SIG_IGN) + 2 * sigismember(&mask, SIGHUP) + 4 * (getpgrp() == getpid());
    }
    pid_t pid;
    char *status[] = {argv[0], "status", "33", NULL};
    CHECK_EQ(spawn(&pid, "/proc/self/exe", status, NULL, NULL), 0);
    CHECK_EQ(code_of(wait_for(pid)), 33);
    CHECK_EQ(spawn(&pid, "no/such/file", status, NULL, NULL), ENOENT);
    CHECK_EQ(spawn(&pid, "/", status, NULL, NULL), EACCES);
    CHECK_ERR(wait(NULL), ECHILD);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "output", O_WRONLY | O_CREAT, 0600);
    char *writing[] = {argv[0], "write", "to a file", NULL};
    CHECK_EQ(spawn(&pid, "/proc/self/exe", writing, &actions, NULL), 0);
    CHECK_EQ(code_of(wait_for(pid)), 0);
    char text[32] = "";
    int fd = CHECK_OK(open("output", O_RDONLY));
    CHECK_EQ(read(fd, text, sizeof text), 9);
    CHECK_STR(text, "to a file");
    posix_spawn_file_actions_addclose(&actions, -5);
    posix_spawn_file_actions_addopen(&actions, 5, "no/such/folder/file", O_RDONLY, 0);
    CHECK_EQ(spawn(&pid, "/proc/self/exe", writing, &actions, NULL), ENOENT);

    sigset_t mask, defaults;
    sigemptyset(&mask);
    sigaddset(&mask, SIGHUP);
    sigemptyset(&defaults);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attributes, &mask);
    signal(SIGUSR2, SIG_IGN);
    char *ignored[] = {argv[0], "ignored", NULL};
    CHECK_EQ(spawn(&pid, "/proc/self/exe", ignored, NULL, &attributes), 0);
    CHECK_EQ(code_of(wait_for(pid)), 7);
    sigaddset(&defaults, SIGUSR2);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    CHECK_EQ(spawn(&pid, "/proc/self/exe", ignored, NULL, &attributes), 0);
    CHECK_EQ(code_of(wait_for(pid)), 0);
    CHECK(signal(SIGUSR2, SIG_DFL) == SIG_IGN);
    int right = 0;
    for (int i = 0; i < 10; i++)
        right += spawn(&pid, "/proc/self/exe", status, NULL, NULL) == 0 && code_of(wait_for(pid)) == 33;
    CHECK_EQ(right, 10);
    return CHECK_DONE();
}
