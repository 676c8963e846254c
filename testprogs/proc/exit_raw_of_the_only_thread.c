// _exit(2): the raw exit call of the only thread ends the process with its status; buffers are lost.
#include "check.h"

#include <sys/syscall.h>

static void never(void) { CHECK(!"atexit function ran"); }

int main(void) {
    CHECK_EQ(atexit(never), 0);
    CHECK_EQ(setvbuf(stdout, NULL, _IOFBF, 4096), 0);
    CHECK(printf("this stays in the buffer\n") > 0);
    CHECK_ERR(syscall(SYS_exit_group + 100000), ENOSYS);
    CHECK(getpid() == gettid());
    (void)CHECK_DONE();
    syscall(SYS_exit, 0x1207);
    return 1;
}
