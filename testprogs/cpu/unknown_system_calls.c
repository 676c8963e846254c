// A number without a system call is ENOSYS; only the lower half of rax is the number. syscalls(2).
#include "cpu/cpu.h"

int main(void) {
    CHECK_ERR(syscall(1000), ENOSYS);
    CHECK_ERR(syscall(100000), ENOSYS);
    CHECK_ERR(syscall(-1), ENOSYS);
    CHECK_ERR(syscall(-2), ENOSYS);
    CHECK_ERR(syscall(0x7fffffff), ENOSYS);
    CHECK_ERR(syscall(-0x7fffffffl - 1), ENOSYS);
    CHECK_ERR(syscall(0xffffffff), ENOSYS);

    // Numbers that are reserved, removed or never were.
    CHECK_ERR(syscall(350), ENOSYS);
    CHECK_ERR(syscall(400), ENOSYS);
    CHECK_ERR(syscall(SYS_create_module, 0, 0), ENOSYS);
    CHECK_ERR(syscall(SYS_get_kernel_syms, 0), ENOSYS);
    CHECK_ERR(syscall(SYS_query_module, 0, 0, 0, 0, 0), ENOSYS);
    CHECK_ERR(syscall(SYS_nfsservctl, 0, 0, 0), ENOSYS);
    CHECK_ERR(syscall(SYS_getpmsg, 0, 0, 0), ENOSYS);
    CHECK_ERR(syscall(SYS_putpmsg, 0, 0, 0), ENOSYS);
    CHECK_ERR(syscall(SYS_afs_syscall), ENOSYS);
    CHECK_ERR(syscall(SYS_tuxcall), ENOSYS);
    CHECK_ERR(syscall(SYS_security), ENOSYS);
    CHECK_ERR(syscall(SYS_set_thread_area, 0), ENOSYS);
    CHECK_ERR(syscall(SYS_get_thread_area, 0), ENOSYS);
    CHECK_ERR(syscall(SYS_epoll_ctl_old), ENOSYS);
    CHECK_ERR(syscall(SYS_epoll_wait_old), ENOSYS);
    CHECK_ERR(syscall(SYS_vserver), ENOSYS);
    CHECK_ERR(syscall(SYS__sysctl, 0), ENOSYS);

    // The bit of the x32 interface, with a number that has no meaning there either.
    CHECK_ERR(syscall(0x40000000 | 1000), ENOSYS);
    CHECK_ERR(syscall(0x40000000 | 0x3fffffff), ENOSYS);

    // The upper half of rax is not looked at.
    CHECK_EQ(syscall(0x100000000 | SYS_getpid), getpid());
    CHECK_EQ(syscall(-0x100000000 | SYS_getpid), getpid());
    CHECK_ERR(syscall(0x100000000 | 1000), ENOSYS);
    return CHECK_DONE();
}
