// capget(2), capset(2): the three sets of this process, header versions, and only ever fewer.
#include "check.h"

#include <linux/capability.h>
#include <sys/syscall.h>

int main(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2], again[2];
    CHECK_OK(syscall(SYS_capget, &header, data));
    CHECK_EQ(data[0].effective & ~data[0].permitted, 0);
    CHECK_EQ(data[1].effective & ~data[1].permitted, 0);
    CHECK_OK(syscall(SYS_capset, &header, data));
    header.pid = getpid();
    CHECK_OK(syscall(SYS_capget, &header, again));
    CHECK_EQ(memcmp(data, again, sizeof data), 0);
    memset(data, 0, sizeof data);
    CHECK_OK(syscall(SYS_capset, &header, data));
    CHECK_OK(syscall(SYS_capget, &header, again));
    CHECK_EQ(again[0].permitted | again[1].permitted | again[0].effective, 0);
    data[0].effective = data[0].permitted = 1;
    CHECK_ERR(syscall(SYS_capset, &header, data), EPERM);

    // An unknown version is answered with the best one.
    header = (struct __user_cap_header_struct){0x12345678, 0};
    CHECK_ERR(syscall(SYS_capget, &header, data), EINVAL);
    CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
    header.version = 0;
    CHECK_OK(syscall(SYS_capget, &header, NULL));
    CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
    header.pid = 0x3fffffff;
    CHECK_ERR(syscall(SYS_capget, &header, data), ESRCH);
    header.pid = -1;
    CHECK_ERR(syscall(SYS_capget, &header, data), EINVAL);
    header.pid = 0;
    CHECK_ERR(syscall(SYS_capget, &header, 8L), EFAULT);
    return CHECK_DONE();
}
