/* What a program is told of the processor: by CPUID, XGETBV, the auxiliary vector and /proc/cpuinfo. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static unsigned reg[4];

static void leaf(unsigned number, unsigned sub)
{
    __cpuid_count(number, sub, reg[0], reg[1], reg[2], reg[3]);
    printf("%x.%x: %08x %08x %08x %08x\n", number, sub, reg[0], reg[1], reg[2], reg[3]);
}

static void flags(void)
{
    static char line[8192];
    FILE *file = fopen("/proc/cpuinfo", "r");
    int count = 0;
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "flags", 5) == 0 && count++ == 0) {
            printf("%s", line);
        }
    }
    printf("%s of processors\n", count ? "flags" : "no flags");
}

/* As the kernel gave it: getauxval(3) shows what the library has made of it. */
static unsigned long auxv(unsigned long key)
{
    char **place = environ;
    while (*place++) {
    }
    const ElfW(auxv_t) *entry = (void *)place;
    while (entry->a_type != AT_NULL && entry->a_type != key) {
        entry++;
    }
    return entry->a_un.a_val;
}

int main(void)
{
    leaf(0, 0);
    printf("vendor %.4s%.4s%.4s\n", (char *)&reg[1], (char *)&reg[3], (char *)&reg[2]);
    leaf(1, 0);
    int has_xsave = reg[2] >> 27 & 1;
    leaf(7, 0);
    leaf(7, 1);
    leaf(0xb, 0);
    leaf(0x40000000, 0);
    leaf(0x80000000, 0);
    leaf(0x80000001, 0);
    leaf(0x80000008, 0);
    char name[49] = "";
    for (unsigned third = 0; third < 3; third++) {
        __cpuid(0x80000002 + third, reg[0], reg[1], reg[2], reg[3]);
        memcpy(name + third * 16, reg, 16);
    }
    printf("name %s\n", name);
    if (has_xsave) {
        unsigned low, high;
        __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        printf("xcr0 %x %x\n", high, low);
    } else {
        printf("no xsave\n");
    }
    printf("hwcap %lx hwcap2 %lx platform %s\n", auxv(AT_HWCAP), auxv(AT_HWCAP2), (char *)auxv(AT_PLATFORM));
    flags();
    return 0;
}
