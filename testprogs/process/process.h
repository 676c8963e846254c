// What the programs about processes share. Include it after check.h.
#ifndef PROCESS_H
#define PROCESS_H

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

// The status of a child, as waitpid(2) gives it; -1 on failure.
static inline int wait_for(pid_t pid) {
    int status;
    pid_t got;
    do
        got = waitpid(pid, &status, 0);
    while (got < 0 && errno == EINTR);
    return got == pid ? status : -1;
}

// fork(2), checked by the parent alone: what both print would come in any order.
#define CHECKED_FORK()                                                                             \
    ({                                                                                             \
        pid_t forked_pid = fork();                                                                 \
        if (forked_pid != 0)                                                                       \
            CHECK(forked_pid > 0);                                                                 \
        forked_pid;                                                                                \
    })

// Forks a child that does `act` and exits with its value.
#define IN_CHILD(act)                                                                              \
    ({                                                                                             \
        pid_t in_child_pid = fork();                                                               \
        if (in_child_pid == 0)                                                                     \
            _exit(act);                                                                            \
        wait_for(in_child_pid);                                                                    \
    })

// The same as the exit status, or 1000 plus the signal.
static inline int code_of(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : -1;
}

// Memory that a child shares with its parent.
static inline void *shared_memory(size_t length) {
    return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

// Writes a file of the working directory.
static inline void make_file(const char *name, const char *content, mode_t mode) {
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, content, strlen(content)) != (ssize_t)strlen(content) || fchmod(fd, mode) < 0)
        _exit(3);
    close(fd);
}

// What a child writes to its standard output, and its status.
#define OUTPUT_OF(status, act)                                                                     \
    ({                                                                                             \
        static char output_text[65536];                                                            \
        int output_ends[2];                                                                        \
        if (pipe(output_ends) < 0)                                                                 \
            _exit(3);                                                                              \
        pid_t output_pid = fork();                                                                 \
        if (output_pid == 0) {                                                                     \
            dup2(output_ends[1], 1);                                                               \
            close(output_ends[0]);                                                                 \
            close(output_ends[1]);                                                                 \
            act;                                                                                   \
            _exit(127);                                                                            \
        }                                                                                          \
        close(output_ends[1]);                                                                     \
        size_t output_length = 0;                                                                  \
        ssize_t output_got;                                                                        \
        while ((output_got = read(output_ends[0], output_text + output_length,                     \
                                  sizeof output_text - 1 - output_length)) > 0)                    \
            output_length += (size_t)output_got;                                                   \
        output_text[output_length] = 0;                                                            \
        close(output_ends[0]);                                                                     \
        *(status) = wait_for(output_pid);                                                          \
        output_text;                                                                               \
    })

#endif
