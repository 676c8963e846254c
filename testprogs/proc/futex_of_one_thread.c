// futex(2), get_robust_list(2), membarrier(2): what one thread alone can see of them.
#include "check.h"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

static long futex(void *word, int op, unsigned value, const void *timeout, void *second, unsigned v3) {
    return syscall(SYS_futex, word, op, value, timeout, second, v3);
}

int main(void) {
    static uint32_t word = 5, other = 6;
    struct timespec soon = {0, 2000000}, bad = {0, 1000000000}, start, now;
    CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
    CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0), 0);
    CHECK_ERR(futex(&word, FUTEX_WAIT, 4, NULL, NULL, 0), EAGAIN);
    CHECK_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 4, NULL, NULL, 0), EAGAIN);
    clock_gettime(CLOCK_MONOTONIC, &start);
    CHECK_ERR(futex(&word, FUTEX_WAIT, 5, &soon, NULL, 0), ETIMEDOUT);
    clock_gettime(CLOCK_MONOTONIC, &now);
    CHECK((now.tv_sec - start.tv_sec) * 1000000000L + now.tv_nsec - start.tv_nsec >= 2000000);
    CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 5, &start, NULL, 1), ETIMEDOUT);
    CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 5, &start, NULL, ~0u), ETIMEDOUT);
    CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 5, &start, NULL, 0), EINVAL);
    CHECK_ERR(futex(&word, FUTEX_WAIT, 5, &bad, NULL, 0), EINVAL);
    CHECK_EQ(futex(&word, FUTEX_REQUEUE, 1, (void *)1, &other, 0), 0);
    CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &other, 5), 0);
    CHECK_ERR(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &other, 6), EAGAIN);
    // FUTEX_WAKE_OP changes the second word: here it adds 3.
    CHECK_EQ(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other,
                   FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 6)), 0);
    CHECK_EQ(other, 9);

    CHECK_ERR(futex((char *)&word + 1, FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERR(futex((char *)&word + 2, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
    CHECK_ERR(futex(NULL, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
    CHECK_ERR(futex((void *)0x7ffffffff000, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
    CHECK_ERR(futex(&word, 99, 0, NULL, NULL, 0), ENOSYS);
    CHECK_ERR(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0), ENOSYS);

    uint32_t *shared = CHECK_OK((uint32_t *)mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    CHECK_EQ(futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
    CHECK_ERR(futex(shared, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);

    // A free priority-inheritance lock takes the thread's id; a lock held by oneself would never come.
    static uint32_t lock;
    CHECK_EQ(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0), 0);
    CHECK_EQ(lock, gettid());
    CHECK_ERR(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK);
    CHECK_EQ(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
    CHECK_EQ(lock, 0);
    CHECK_ERR(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);

    struct robust_list_head head = {{&head.list}, 0, NULL}, *back;
    size_t size = 0;
    CHECK_OK(syscall(SYS_set_robust_list, &head, sizeof head));
    CHECK_OK(syscall(SYS_get_robust_list, 0, &back, &size));
    CHECK(back == &head && size == sizeof head);
    CHECK_ERR(syscall(SYS_set_robust_list, &head, 1L), EINVAL);
    CHECK_ERR(syscall(SYS_get_robust_list, 0x3fffffff, &back, &size), ESRCH);

    CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) >= 0);
    CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 99, 0), EINVAL);
    CHECK_ERR(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
    return CHECK_DONE();
}
