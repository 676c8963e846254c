// What Linux does for processes of one thread alone: user and time namespaces.
#include "check.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>

static int in_child(int (*act)(void)) {
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(act());
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int user(void) {
    if (unshare(CLONE_NEWUSER) != 0)
        return errno;
    // Nobody has mapped ids, so every user is the overflow user.
    return getuid() == 65534 ? 0 : 255;
}

static int time_space(void) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWTIME) != 0)
        return errno;
    int fd = open("/proc/self/ns/time_for_children", O_RDONLY);
    if (fd < 0 || setns(fd, CLONE_NEWTIME) != 0)
        return errno;
    return 0;
}

static int bad_flags(void) { return unshare(1) == -1 ? errno : 0; }

int main(void) {
    int result = in_child(user);
    if (result != 0)
        SKIP("this user may not have user namespaces");
    CHECK_EQ(result, 0);
    CHECK_EQ(in_child(user), 0);
    result = in_child(time_space);
    CHECK(result == 0 || result == EINVAL || result == ENOENT); // Old kernels have none.
    NOTE("time namespace: %d", result);
    CHECK_EQ(in_child(bad_flags), EINVAL);
    return CHECK_DONE();
}
