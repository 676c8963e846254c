// syscalls(2): numbers that are unused, or reserved for what was never or is no longer in the kernel.
#include "check.h"

#include <sys/syscall.h>

static long raw(long number) {
    return syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
}

int main(void) {
    CHECK_ERR(raw(SYS_create_module), ENOSYS);
    CHECK_ERR(raw(SYS_get_kernel_syms), ENOSYS);
    CHECK_ERR(raw(SYS_query_module), ENOSYS);
    CHECK_ERR(raw(SYS_nfsservctl), ENOSYS);
    CHECK_ERR(raw(SYS_getpmsg), ENOSYS);
    CHECK_ERR(raw(SYS_putpmsg), ENOSYS);
    CHECK_ERR(raw(SYS_afs_syscall), ENOSYS);
    CHECK_ERR(raw(SYS_tuxcall), ENOSYS);
    CHECK_ERR(raw(SYS_security), ENOSYS);
    CHECK_ERR(raw(SYS_set_thread_area), ENOSYS);
    CHECK_ERR(raw(SYS_get_thread_area), ENOSYS);
    CHECK_ERR(raw(SYS_epoll_ctl_old), ENOSYS);
    CHECK_ERR(raw(SYS_epoll_wait_old), ENOSYS);
    CHECK_ERR(raw(SYS_vserver), ENOSYS);
    CHECK_ERR(raw(SYS__sysctl), ENOSYS);
    CHECK_ERR(raw(400), ENOSYS);
    CHECK_ERR(raw(1000), ENOSYS);
    CHECK_ERR(raw(100000), ENOSYS);
    CHECK_ERR(raw(-1), ENOSYS);
    CHECK_ERR(raw(INT32_MAX), ENOSYS);
    return CHECK_DONE();
}
