// exit(3), _exit(2): the status is what the parent may see of it, 298 & 0xff; atexit and stdio run before.
#include "check.h"

#include <sys/syscall.h>

static int order;

static void second(void) {
    printf("second of the functions, order %d\n", order++);
}

static void first(void) {
    printf("first of the functions, order %d\n", order++);
}

__attribute__((destructor)) static void last(void) { puts("the destructor"); }

int main(void) {
    CHECK_EQ(atexit(second), 0);
    CHECK_EQ(atexit(first), 0);
    CHECK_ERR(syscall(SYS_close, 99), EBADF);
    CHECK_EQ(order, 0);
    CHECK_EQ(setvbuf(stdout, NULL, _IOFBF, 4096), 0);
    printf("buffered until exit\n");
    (void)CHECK_DONE();
    exit(256 + 42);
}
