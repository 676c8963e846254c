// statfs(2), fstatfs(2), ustat(2): magic numbers of known file systems, sane figures, refusals.
#include "check.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

int main(void) {
    struct statfs here, again, proc;
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_OK(syscall(SYS_statfs, ".", &here));
    CHECK_OK(syscall(SYS_fstatfs, fd, &again));
    CHECK(here.f_type == again.f_type && here.f_bsize == again.f_bsize);
    CHECK(memcmp(&here.f_fsid, &again.f_fsid, sizeof here.f_fsid) == 0);
    CHECK(here.f_bsize >= 512 && here.f_namelen == 255);
    CHECK(here.f_bfree <= here.f_blocks && here.f_bavail <= here.f_bfree);
    CHECK_OK(statfs("/proc", &proc));
    CHECK_EQ(proc.f_type, PROC_SUPER_MAGIC);
    CHECK_EQ(proc.f_blocks, 0);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_OK(fstatfs(ends[0], &again));
    CHECK_EQ(again.f_type, PIPEFS_MAGIC);
    struct statvfs vfs;
    CHECK_OK(statvfs(".", &vfs));
    CHECK_EQ(vfs.f_namemax, 255);
    CHECK_EQ(vfs.f_flag & ST_RDONLY, 0);

    struct {
        int free_blocks;
        unsigned long free_inodes;
        char names[12];
    } old;
    struct stat st;
    CHECK_OK(fstat(ends[0], &st));
    CHECK_ERR(syscall(SYS_ustat, 0xffffffffL, &old), EINVAL);
    CHECK_ERR(statfs("none", &here), ENOENT);
    CHECK_ERR(statfs("file/x", &here), ENOTDIR);
    CHECK_ERR(syscall(SYS_statfs, ".", NULL), EFAULT);
    CHECK_ERR(syscall(SYS_statfs, 8L, &here), EFAULT);
    CHECK_ERR(fstatfs(99, &here), EBADF);
    return CHECK_DONE();
}
