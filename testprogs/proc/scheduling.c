// sched(7), getpriority(2): affinity masks, policies, nice values.
#include "check.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

int main(void) {
    unsigned long mask[16] = {0}, saved[16];
    long size = CHECK_OK(syscall(SYS_sched_getaffinity, 0, sizeof mask, mask));
    CHECK(size >= 8 && size % 8 == 0);
    int bits = 0;
    for (int i = 0; i < 16; i++)
        bits += __builtin_popcountl(mask[i]);
    CHECK(bits >= 1);
    memcpy(saved, mask, sizeof saved);
    CHECK_OK(syscall(SYS_sched_setaffinity, 0, sizeof mask, mask));
    unsigned long none[16] = {0};
    CHECK_ERR(syscall(SYS_sched_setaffinity, 0, sizeof none, none), EINVAL);
    CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 4L, mask), EINVAL);
    CHECK_ERR(syscall(SYS_sched_getaffinity, 0x3fffffff, sizeof mask, mask), ESRCH);
    CHECK_OK(syscall(SYS_sched_getaffinity, getpid(), sizeof mask, mask));
    CHECK_EQ(memcmp(mask, saved, sizeof mask), 0);

    struct sched_param param = {.sched_priority = 0};
    CHECK_EQ(sched_yield(), 0);
    CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
    CHECK_OK(sched_getparam(0, &param));
    CHECK_EQ(param.sched_priority, 0);
    CHECK_OK(sched_setscheduler(0, SCHED_BATCH, &param));
    CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
    CHECK_OK(sched_setscheduler(0, SCHED_OTHER, &param));
    param.sched_priority = 1;
    CHECK_ERR(sched_setscheduler(0, SCHED_OTHER, &param), EINVAL);
    CHECK_ERR(sched_setscheduler(0, 99, &param), EINVAL);
    CHECK_ERR(sched_getscheduler(-1), EINVAL);
    CHECK_ERR(sched_getscheduler(0x3fffffff), ESRCH);
    CHECK(sched_get_priority_min(SCHED_FIFO) == 1 && sched_get_priority_max(SCHED_RR) == 99);
    CHECK_EQ(sched_get_priority_max(SCHED_OTHER), 0);
    CHECK_ERR(sched_get_priority_max(99), EINVAL);

    // The raw call returns 20 - nice, so that no value is negative.
    long before = CHECK_OK(syscall(SYS_getpriority, PRIO_PROCESS, 0));
    CHECK(before >= 1 && before <= 40);
    CHECK_OK(setpriority(PRIO_PROCESS, 0, 19));
    CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 1);
    errno = 0;
    CHECK_EQ(getpriority(PRIO_PROCESS, getpid()), 19);
    CHECK_OK(setpriority(PRIO_PROCESS, 0, 1000));
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
    CHECK_ERR(setpriority(99, 0, 0), EINVAL);
    CHECK_ERR(syscall(SYS_getpriority, -1, 0), EINVAL);
    CHECK_ERR(setpriority(PRIO_PROCESS, 0x3fffffff, 0), ESRCH);
    return CHECK_DONE();
}
