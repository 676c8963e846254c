/* Instructions that tell: in ordinary code, made at run time, changed, and moved between protections. */
#include <cpuid.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <x86intrin.h>

typedef uint64_t code(void);

/* Functions that return what they are told. */
static const struct {
    const char *name;
    unsigned char bytes[16];
} TELL[] = {
    { "rdtsc", { 0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0, 0xc3 } },
    { "rdtscp", { 0x0f, 0x01, 0xf9, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0, 0xc3 } },
    { "rdrand", { 0x48, 0x0f, 0xc7, 0xf0, 0xc3 } },
    { "rdrand of 16 bits", { 0x31, 0xc0, 0x66, 0x0f, 0xc7, 0xf0, 0xc3 } },
    { "rdseed", { 0x48, 0x0f, 0xc7, 0xf8, 0xc3 } },
    { "xgetbv", { 0x31, 0xc9, 0x0f, 0x01, 0xd0, 0xc3 } },
    { "rdpid", { 0xf3, 0x0f, 0xc7, 0xf8, 0xc3 } },
    /* The number of the processor. */
    { "cpuid", { 0x53, 0xb8, 1, 0, 0, 0, 0x0f, 0xa2, 0x89, 0xd8, 0xc1, 0xe8, 0x18, 0x5b, 0xc3 } },
};

int main(void)
{
    int all = PROT_READ | PROT_WRITE | PROT_EXEC;
    unsigned char *page = mmap(NULL, 8192, all, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < sizeof TELL / sizeof *TELL; i++) {
            memcpy(page, TELL[i].bytes, sizeof TELL[i].bytes);
            printf("%s: %lx\n", TELL[i].name, ((code *)page)());
        }
    }
    mprotect(page, 8192, PROT_READ | PROT_WRITE);
    /* Across the border of two pages. */
    memcpy(page + 4095, TELL[0].bytes, sizeof TELL[0].bytes);
    mprotect(page, 8192, PROT_READ | PROT_EXEC);
    printf("across pages: %lx\n", ((code *)(page + 4095))());
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0, processor;
    __get_cpuid(1, &eax, &ebx, &ecx, &edx);
    printf("cpuid: %x\n", ebx >> 24);
    printf("ordinary: %llx\n", __rdtsc());
    printf("ordinary: %llx\n", __rdtscp(&processor));
    return 0;
}
