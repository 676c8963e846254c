// The errors of mmap and munmap, argument by argument. mmap(2).
#include "mem/mem.h"

#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

int main(void) {
    int fd = file_of_pages("f", 1);
    int writer = CHECK_OK(open("f", O_WRONLY));
    int reader = CHECK_OK(open("f", O_RDONLY));
    int directory = CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
    int path = CHECK_OK(open("f", O_PATH));

    // Length.
    CHECK_ERR(mmap(NULL, 0, PROT_READ, ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERR(mmap(NULL, (size_t)-1, PROT_READ, ANONYMOUS, -1, 0), ENOMEM);
    CHECK_ERR(mmap(NULL, (size_t)1 << 62, PROT_READ, ANONYMOUS, -1, 0), ENOMEM);
    CHECK_ERR(mmap(NULL, (size_t)1 << 57, PROT_NONE, ANONYMOUS | MAP_NORESERVE, -1, 0), ENOMEM);

    // Offset.
    CHECK_ERR(syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1), EINVAL);
    CHECK_ERR(syscall(SYS_mmap, NULL, PAGE, PROT_READ, ANONYMOUS, -1, 100), EINVAL);
    long far = 0x7ffffffffffff000;
    CHECK_ERR(syscall(SYS_mmap, NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, far), EOVERFLOW);
    CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1 << 30));

    // Type.
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, 0, fd, 0), EINVAL);

    // Descriptor.
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0), EBADF);
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, path, 0), EBADF);
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, directory, 0), ENODEV);
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, probe_pipe(0), 0), ENODEV);
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, writer, 0), EACCES);
    CHECK_ERR(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, writer, 0), EACCES);
    CHECK_ERR(mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE, writer, 0), EACCES);
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0), EACCES);
    CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, reader, 0));

    // Fixed address.
    char *p = map_pages(2, PROT_READ);
    CHECK_ERR(mmap(p, PAGE, PROT_READ, MAP_FIXED, fd, 0), EINVAL);
    CHECK_ERR(mmap(p + 8, PAGE, PROT_READ, ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
    void *beyond = (void *)(1ul << 57), *kernel = (void *)0xffff800000000000;
    CHECK_ERR(mmap(beyond, PAGE, PROT_READ, ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
    CHECK_ERR(mmap(kernel, PAGE, PROT_READ, ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
    CHECK_ERR(mmap(p, -(uintptr_t)p, PROT_READ, ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);

    // munmap.
    CHECK_ERR(munmap(p, 0), EINVAL);
    CHECK_ERR(munmap(p + 1, PAGE), EINVAL);
    CHECK_ERR(munmap(beyond, PAGE), EINVAL);
    CHECK_ERR(munmap(p, (size_t)-PAGE), EINVAL);
    CHECK_STR(rights(p, 2), "rr");
    return CHECK_DONE();
}
