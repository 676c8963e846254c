// personality(2): 0xffffffff asks; the value set is kept, and 32 bits wide.
#include "check.h"

#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

int main(void) {
    long before = CHECK_OK(syscall(SYS_personality, 0xffffffff));
    CHECK_EQ(before & 0xff, PER_LINUX);
    CHECK_EQ(syscall(SYS_personality, before | ADDR_COMPAT_LAYOUT), before);
    CHECK_EQ(syscall(SYS_personality, 0xffffffff), before | ADDR_COMPAT_LAYOUT);
    struct utsname u;
    CHECK_EQ(syscall(SYS_personality, PER_LINUX | UNAME26), before | ADDR_COMPAT_LAYOUT);
    CHECK_OK(uname(&u));
    CHECK_EQ(strncmp(u.release, "2.6.", 4), 0);
    CHECK_EQ(syscall(SYS_personality, PER_LINUX32), PER_LINUX | UNAME26);
    CHECK_OK(uname(&u));
    CHECK_STR(u.machine, "i686");
    CHECK_EQ(syscall(SYS_personality, before), PER_LINUX32);
    CHECK_OK(uname(&u));
    CHECK_STR(u.machine, "x86_64");
    CHECK_ERR(syscall(SYS_uname, 8L), EFAULT);
    return CHECK_DONE();
}
