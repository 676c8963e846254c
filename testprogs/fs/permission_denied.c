// path_resolution(7), credentials(7): without privilege, mode bits of files and directories are obeyed.
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int main(void) {
    umask(0);
    CHECK_OK(mkdir("work", 0777));
    CHECK_OK(chdir("work"));
    // Root gives its power up for good.
    if (geteuid() == 0 && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
        SKIP("cannot leave root");
    struct stat st;
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0000));
    CHECK_EQ(write(fd, "by descriptor", 13), 13);
    CHECK_ERR(open("file", O_RDONLY), EACCES);
    CHECK_ERR(open("file", O_WRONLY | O_TRUNC), EACCES);
    CHECK_ERR(truncate("file", 0), EACCES);
    CHECK_ERR(access("file", R_OK), EACCES);
    CHECK_OK(stat("file", &st));
    CHECK_EQ(st.st_size, 13);
    CHECK_OK(chmod("file", 0400));
    close(CHECK_OK(open("file", O_RDONLY)));
    CHECK_ERR(open("file", O_RDWR), EACCES);

    CHECK_OK(mkdir("dir", 0700));
    close(CHECK_OK(open("dir/f", O_CREAT | O_RDWR, 0600)));
    CHECK_OK(chmod("dir", 0600));
    CHECK_ERR(stat("dir/f", &st), EACCES);
    CHECK_ERR(chdir("dir"), EACCES);
    close(CHECK_OK(open("dir", O_RDONLY | O_DIRECTORY)));
    CHECK_OK(chmod("dir", 0500));
    CHECK_OK(stat("dir/f", &st));
    CHECK_ERR(unlink("dir/f"), EACCES);
    CHECK_ERR(open("dir/new", O_CREAT | O_RDWR, 0600), EACCES);
    CHECK_ERR(rename("dir/f", "dir/g"), EACCES);
    CHECK_ERR(symlink("x", "dir/s"), EACCES);
    CHECK_OK(chmod("dir", 0300));
    CHECK_ERR(open("dir", O_RDONLY | O_DIRECTORY), EACCES);
    CHECK_OK(unlink("dir/f"));

    CHECK_ERR(chown("file", 0, -1), EPERM);
    CHECK_ERR(chroot("."), EPERM);
    CHECK_ERR(mknod("device", S_IFCHR | 0600, 0x103), EPERM);
    CHECK_ERR(chmod("/", 0755), EPERM);
    CHECK_ERR(syscall(SYS_setuid, 0), EPERM);
    return CHECK_DONE();
}
