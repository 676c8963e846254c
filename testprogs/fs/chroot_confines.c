// chroot(2): "/" and ".." end at the new root, open descriptors reach beyond. Only the refusal without root.
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int main(void) {
    struct stat st, root;
    CHECK_OK(mkdir("jail", 0755));
    close(CHECK_OK(open("outside", O_CREAT | O_RDWR, 0600)));
    close(CHECK_OK(open("jail/inside", O_CREAT | O_RDWR, 0600)));
    int top = CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
    CHECK_ERR(syscall(SYS_chroot, 8L), EFAULT);
    CHECK_ERR(chroot("jail/inside"), ENOTDIR);
    if (chroot("jail") != 0) {
        CHECK_EQ(errno, EPERM);
        return CHECK_DONE();
    }
    CHECK_OK(stat("/inside", &st));
    CHECK_ERR(stat("/outside", &st), ENOENT);
    CHECK_ERR(stat("/../outside", &st), ENOENT);
    CHECK_ERR(stat("/proc/self", &st), ENOENT);
    // The working directory is still outside.
    CHECK_OK(stat("outside", &st));
    char path[64];
    CHECK(syscall(SYS_getcwd, path, sizeof path) > 0);
    CHECK_EQ(strncmp(path, "(unreachable)", 13), 0);
    CHECK_OK(chdir("/"));
    CHECK_EQ(syscall(SYS_getcwd, path, sizeof path), 2);
    CHECK_STR(path, "/");
    CHECK_OK(stat("..", &st));
    CHECK_OK(stat("/", &root));
    CHECK_EQ(st.st_ino, root.st_ino);
    CHECK_OK(fstatat(top, "outside", &st, 0));
    return CHECK_DONE();
}
