// mmap(2): an access past the end of a file is SIGBUS with BUS_ADRERR; a handler can extend the file, or map something.
#include "check.h"
#include "signals.h"

#include <fcntl.h>
#include <sys/mman.h>

static sigjmp_buf back;
static volatile int code, count, extend, fd;
static volatile unsigned long addr;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)context;
    count += signal == SIGBUS;
    code = info->si_code;
    addr = (unsigned long)info->si_addr;
    if (extend)
        extend = ftruncate(fd, 3 * 4096) != 0;
    else
        siglongjmp(back, 1);
}

int main(void) {
    CHECK_OK(install(SIGBUS, handler, 0));
    fd = CHECK_OK(open("file", O_RDWR | O_CREAT, 0600));
    CHECK_OK(ftruncate(fd, 4096 + 10));
    char *map = CHECK_OK(mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    map[4096 + 4095] = 1;
    if (sigsetjmp(back, 1) == 0)
        map[2 * 4096 + 5] = 1;
    CHECK_EQ(count, 1);
    CHECK_EQ(code, BUS_ADRERR);
    CHECK_EQ(addr, map + 2 * 4096 + 5);
    if (sigsetjmp(back, 1) == 0)
        (void)*(volatile char *)(map + 2 * 4096);
    CHECK_EQ(count, 2);
    CHECK_EQ(addr, map + 2 * 4096);
    extend = 1;
    map[2 * 4096 + 7] = 'x';
    CHECK(count == 3 && extend == 0);
    char byte = 0;
    CHECK_EQ(pread(fd, &byte, 1, 2 * 4096 + 7), 1);
    CHECK_EQ(byte, 'x');
    CHECK_OK(ftruncate(fd, 0));
    if (sigsetjmp(back, 1) == 0)
        (void)*(volatile char *)map;
    CHECK(count == 4 && addr == (unsigned long)map);
    CHECK_EQ(mask_now(), 0);
    return CHECK_DONE();
}
