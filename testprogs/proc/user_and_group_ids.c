// credentials(7): real, effective and saved ids agree; setting them to themselves is always allowed.
#include "check.h"

#include <grp.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>

int main(void) {
    uid_t r, e, s, uid = getuid();
    gid_t gr, ge, gs, gid = getgid();
    CHECK_OK(getresuid(&r, &e, &s));
    CHECK(r == uid && e == geteuid() && s == e);
    CHECK_OK(getresgid(&gr, &ge, &gs));
    CHECK(gr == gid && ge == getegid() && gs == ge);
    CHECK_OK(syscall(SYS_setuid, uid));
    CHECK_OK(syscall(SYS_setgid, gid));
    CHECK_OK(syscall(SYS_setresuid, -1, -1, -1));
    CHECK_OK(syscall(SYS_setresuid, uid, e, s));
    CHECK_OK(syscall(SYS_setresgid, gid, ge, -1));
    CHECK_OK(syscall(SYS_setreuid, -1, uid));
    CHECK_OK(syscall(SYS_setregid, -1, gid));
    CHECK_EQ(setfsuid(-1), e);
    CHECK_EQ(setfsgid(-1), ge);

    int count = CHECK_OK(getgroups(0, NULL));
    gid_t *groups = calloc(count + 1, sizeof *groups);
    CHECK_EQ(getgroups(count + 1, groups), count);
    CHECK_ERR(syscall(SYS_getgroups, -1, groups), EINVAL);
    CHECK_EQ(syscall(SYS_setgroups, count, groups), e == 0 ? 0 : -1);
    CHECK_EQ(getgroups(0, NULL), count);
    CHECK_ERR(syscall(SYS_setuid, -1), EINVAL);
    CHECK_ERR(syscall(SYS_setgid, -1), EINVAL);
    CHECK_ERR(syscall(SYS_getresuid, &r, NULL, &s), EFAULT);

    if (e == 0) {
        CHECK_OK(syscall(SYS_setgroups, 0, NULL));
        CHECK_OK(syscall(SYS_setresgid, 1000, 1001, 1002));
        CHECK_OK(syscall(SYS_setresuid, 2000, 2001, 2002));
    } else {
        CHECK_ERR(syscall(SYS_setresuid, uid + 1, -1, -1), EPERM);
        CHECK_ERR(syscall(SYS_setresgid, gid + 1, -1, -1), EPERM);
        CHECK_ERR(syscall(SYS_setgroups, 0, NULL), EPERM);
        return CHECK_DONE();
    }
    CHECK_OK(getresuid(&r, &e, &s));
    CHECK(r == 2000 && e == 2001 && s == 2002);
    CHECK_EQ(getegid(), 1001);
    CHECK_EQ(getgroups(0, NULL), 0);
    CHECK_OK(syscall(SYS_setresuid, -1, 2002, -1));
    CHECK_EQ(geteuid(), 2002);
    CHECK_ERR(syscall(SYS_setuid, 0), EPERM);
    CHECK_ERR(syscall(SYS_setgroups, 0, NULL), EPERM);
    return CHECK_DONE();
}
