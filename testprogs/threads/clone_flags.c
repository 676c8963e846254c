// cflags: -pthread
// clone(2) and clone3(2) with CLONE_THREAD, bare: where ids go, stack, TLS, and what Linux refuses.
#include "check.h"
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

int parent_tid, child_tid = -1, finished, seen_tid;
static char *stack;

// The new thread has no C library: it may only do bare system calls.
long clone_raw(unsigned long flags, void *sp, int *parent, int *child, unsigned long tls);
__asm__(".text\n"
        "clone_raw:\n"
        "  mov %rcx, %r10\n"
        "  mov $56, %eax\n"
        "  syscall\n"
        "  test %rax, %rax\n"
        "  jz 1f\n"
        "  ret\n"
        "1: mov $186, %eax\n" // gettid
        "  syscall\n"
        "  mov %eax, seen_tid(%rip)\n"
        "  mov child_tid(%rip), %eax\n"
        "  mov %eax, finished(%rip)\n"
        "  xor %edi, %edi\n"
        "  mov $60, %eax\n"
        "  syscall\n"
        "  ud2\n");

static void wait_for_clear(void) {
    int value;
    while ((value = __atomic_load_n(&child_tid, __ATOMIC_SEQ_CST)) != 0)
        syscall(SYS_futex, &child_tid, FUTEX_WAIT, value, NULL);
}

#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

int main(void) {
    stack = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(stack != MAP_FAILED);
    unsigned long flags = THREAD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    long tid = clone_raw(flags, stack + 65536, &parent_tid, &child_tid, 0);
    CHECK(tid > 0);
    wait_for_clear();
    CHECK_EQ(parent_tid, tid);
    CHECK_EQ(finished, tid);
    CHECK_EQ(seen_tid, tid);
    CHECK_EQ(child_tid, 0);
    // The kernel's errors come as negative numbers here.
    CHECK_EQ(clone_raw(CLONE_THREAD, stack + 65536, 0, 0, 0), -EINVAL);
    CHECK_EQ(clone_raw(CLONE_THREAD | CLONE_SIGHAND, stack + 65536, 0, 0, 0), -EINVAL);
    CHECK_EQ(clone_raw(CLONE_SIGHAND, stack + 65536, 0, 0, 0), -EINVAL);
    CHECK_EQ(clone_raw(THREAD | CLONE_SETTLS, stack + 65536, 0, 0, -1UL), -EPERM);
    CHECK_EQ(clone_raw(THREAD | CLONE_NEWUSER, stack + 65536, 0, 0, 0), -EINVAL);
    child_tid = 7;
    flags = THREAD | CLONE_CHILD_CLEARTID | CLONE_DETACHED;
    tid = clone_raw(flags, stack + 65536, 0, &child_tid, 0);
    CHECK(tid > 0);
    wait_for_clear();
    CHECK_EQ(seen_tid, tid);
    CHECK_EQ(finished, 7);
    CHECK_DONE();
    return 0;
}
