/* Leaves in a vector register alone how often it has run in this folder. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
    int fd = open("left", O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, 4096) != 0) {
        return 1;
    }
    unsigned char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED) {
        return 1;
    }
    __asm__ volatile("incb (%0); movdqu (%0), %%xmm7; mov $231, %%eax; xor %%edi, %%edi; syscall" ::"r"(shared)
                     : "rax", "rdi", "rcx", "r11", "xmm7", "memory");
    __builtin_unreachable();
}
