// prctl(2), arch_prctl(2): names, flags and timers of the process, and refusals of the unknown.
#include "check.h"

#include <asm/prctl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

int main(void) {
    char name[17] = "";
    CHECK_OK(prctl(PR_GET_NAME, name));
    CHECK_STR(name, "prctl_options");
    CHECK_OK(prctl(PR_SET_NAME, "longer than fifteen bytes"));
    CHECK_OK(prctl(PR_GET_NAME, name));
    CHECK_STR(name, "longer than fif");
    CHECK_OK(prctl(PR_SET_NAME, ""));
    CHECK_OK(prctl(PR_GET_NAME, name));
    CHECK_STR(name, "");
    CHECK_ERR(prctl(PR_SET_NAME, 8), EFAULT);

    CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
    CHECK_OK(prctl(PR_SET_DUMPABLE, 0));
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
    CHECK_ERR(prctl(PR_SET_DUMPABLE, 2), EINVAL);
    CHECK_OK(prctl(PR_SET_DUMPABLE, 1));

    int signal = -1;
    CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
    CHECK_OK(prctl(PR_GET_PDEATHSIG, &signal));
    CHECK_EQ(signal, SIGUSR1);
    CHECK_OK(prctl(PR_SET_PDEATHSIG, 0));
    CHECK_ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
    CHECK_ERR(prctl(PR_GET_PDEATHSIG, 8), EFAULT);

    CHECK_OK(prctl(PR_SET_TIMERSLACK, 70000));
    CHECK_EQ(prctl(PR_GET_TIMERSLACK), 70000);
    CHECK_OK(prctl(PR_SET_TIMERSLACK, 0));
    CHECK(prctl(PR_GET_TIMERSLACK) > 0);
    CHECK_EQ(prctl(PR_GET_KEEPCAPS), 0);
    CHECK_OK(prctl(PR_SET_KEEPCAPS, 1));
    CHECK_EQ(prctl(PR_GET_KEEPCAPS), 1);
    CHECK_ERR(prctl(PR_SET_KEEPCAPS, 2), EINVAL);
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
    CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
    CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0), EINVAL);
    CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    int reaper = -1;
    CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    CHECK_OK(prctl(PR_GET_CHILD_SUBREAPER, &reaper));
    CHECK_EQ(reaper, 1);
    CHECK_EQ(prctl(PR_CAPBSET_READ, 0) & ~1, 0);
    CHECK_ERR(prctl(PR_CAPBSET_READ, 1000), EINVAL);
    CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
    CHECK_EQ(prctl(PR_GET_TIMING), PR_TIMING_STATISTICAL);
    CHECK_ERR(prctl(PR_SET_TIMING, PR_TIMING_TIMESTAMP), EINVAL);
    CHECK_ERR(prctl(99999), EINVAL);
    CHECK_ERR(prctl(-1), EINVAL);

    unsigned long fs = 0, gs = 1;
    CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
    unsigned long self;
    __asm__("mov %%fs:0, %0" : "=r"(self));
    CHECK_EQ(fs, self);
    CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, &gs));
    unsigned long loaded;
    __asm__("mov %%gs:0, %0" : "=r"(loaded));
    CHECK_EQ(loaded, 1);
    CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &fs));
    CHECK_EQ(fs, &gs);
    CHECK_ERR(syscall(SYS_arch_prctl, ARCH_SET_FS, 0x800000000000000), EPERM);
    CHECK_ERR(syscall(SYS_arch_prctl, ARCH_SET_GS, -1L), EPERM);
    CHECK_ERR(syscall(SYS_arch_prctl, ARCH_GET_FS, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_arch_prctl, 0x9999, 0), EINVAL);
    return CHECK_DONE();
}
