// What gdb goes over to: children, and theirs.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int depth;

static int work(int who) {
    depth++;
    return who * 10 + depth;
}

static void show_descriptor(const char *where) {
    printf("%s: %d\n", where, open("/dev/null", O_RDONLY));
    fflush(stdout);
}

static int in_child(int generations) {
    int result = work(generations);
    show_descriptor("child");
    if (generations > 1) {
        pid_t child = fork();
        if (child == 0)
            exit(in_child(generations - 1));
        int status;
        waitpid(child, &status, 0);
        printf("below %d: %d\n", generations, WEXITSTATUS(status));
        fflush(stdout);
    }
    return result;
}

static int in_parent(int status) { return WEXITSTATUS(status); }

int main(void) {
    int status;
    show_descriptor("parent");
    pid_t child = fork();
    if (child == 0)
        exit(in_child(2));
    waitpid(child, &status, 0);
    printf("child %d\n", in_parent(status));
    return 5;
}
