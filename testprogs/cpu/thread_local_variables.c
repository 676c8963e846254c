// Thread-local variables of the first thread: initial values, zeros, alignment, and they stay over
// system calls. elf(5), PT_TLS.
#include "cpu/cpu.h"

static __thread int initialised = 42;
static __thread char text[] = "thread local";
static __thread long zeros[100];
static __thread _Alignas(64) char aligned = 'a';
static __thread char page[5000];
static __thread int *pointer = NULL;

int main(void) {
    CHECK_EQ(initialised, 42);
    CHECK_STR(text, "thread local");
    CHECK(filled((char *)zeros, sizeof zeros, 0));
    CHECK(filled(page, sizeof page, 0));
    CHECK_EQ((uintptr_t)&aligned % 64, 0);
    CHECK_EQ(aligned, 'a');
    CHECK(pointer == NULL);

    pointer = &initialised;
    for (int i = 0; i < 100; i++)
        zeros[i] = i + getppid() * 0;
    memset(page, 'p', sizeof page);
    *pointer = 43;
    CHECK_EQ(initialised, 43);
    CHECK_EQ(zeros[99], 99);
    CHECK_EQ(pwrite(probe_pipe(1), "x", 1, 0), -1);
    CHECK_EQ(errno, ESPIPE);
    CHECK_EQ(write(probe_pipe(1), text, sizeof text), sizeof text);
    CHECK_EQ(read(probe_pipe(0), page, sizeof text), sizeof text);
    CHECK_STR(page, "thread local");
    CHECK(filled(page + sizeof text, sizeof page - sizeof text, 'p'));
    CHECK_ERR(close(-1), EBADF);
    return CHECK_DONE();
}
