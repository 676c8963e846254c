// fork(2), vfork(2) and execve(2) need no descriptor: neither a low limit nor a full table hinders them.
#include "check.h"
#include "process/process.h"
#include <sys/resource.h>

static int again(const char *self) {
    execve("/proc/self/exe", (char *[]){(char *)self, "again", NULL}, (char *[]){NULL});
    return errno;
}

static int vforked(const char *self) {
    pid_t pid = vfork();
    if (pid == 0)
        _exit(again(self));
    return code_of(wait_for(pid));
}

int main(int argc, char **argv) {
    if (argc > 1) {
        struct rlimit limit;
        return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 128 ? 60 + (int)limit.rlim_cur : 1;
    }
    CHECK_OK(close_range(3, ~0u, 0));
    struct rlimit limit, low = {3, 0};
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    low.rlim_max = limit.rlim_max;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &low));
    CHECK_ERR(dup(0), EMFILE);
    CHECK_EQ(code_of(IN_CHILD(dup(0) == -1 ? errno : 0)), EMFILE);
    CHECK_EQ(code_of(IN_CHILD(again(argv[0]))), 63);
    CHECK_EQ(code_of(IN_CHILD(vforked(argv[0]))), 63);
    CHECK_EQ(code_of(IN_CHILD(code_of(IN_CHILD(9)))), 9);
    low.rlim_cur = 0;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &low));
    CHECK_EQ(vforked(argv[0]), 60);

    low.rlim_cur = 40;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &low));
    while (dup(0) >= 0)
        ;
    CHECK_EQ(code_of(IN_CHILD(again(argv[0]))), 100);
    CHECK_EQ(vforked(argv[0]), 100);
    CHECK_ERR(dup(0), EMFILE);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    CHECK_EQ(dup(0), 40);
    return CHECK_DONE();
}
