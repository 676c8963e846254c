// getauxval(3): what the kernel tells a static program about itself, checked against what it can see.
#include "check.h"

#include <cpuid.h>
#include <elf.h>
#include <libgen.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>

extern char __ehdr_start[], _start[];

int main(int argc, char **argv, char **envp) {
    const Elf64_Ehdr *header = (const void *)__ehdr_start;
    CHECK(argc >= 1 && argv[argc] == NULL);
    CHECK_EQ(getauxval(AT_PAGESZ), 4096);
    CHECK_EQ(getauxval(AT_PHENT), sizeof(Elf64_Phdr));
    CHECK_EQ(getauxval(AT_PHNUM), header->e_phnum);
    CHECK_EQ(getauxval(AT_ENTRY), _start);
    const Elf64_Phdr *phdr = (const void *)getauxval(AT_PHDR);
    CHECK_EQ(phdr, __ehdr_start + header->e_phoff);
    int loads = 0;
    for (unsigned i = 0; i < header->e_phnum; i++)
        loads += phdr[i].p_type == PT_LOAD;
    CHECK(loads >= 2);
    CHECK_EQ(getauxval(AT_UID), getuid());
    CHECK_EQ(getauxval(AT_EUID), geteuid());
    CHECK_EQ(getauxval(AT_GID), getgid());
    CHECK_EQ(getauxval(AT_EGID), getegid());
    CHECK_EQ(getauxval(AT_SECURE), 0);
    CHECK_EQ(getauxval(AT_CLKTCK), 100);
    CHECK_EQ(getauxval(AT_CLKTCK), sysconf(_SC_CLK_TCK));
    CHECK_EQ(getauxval(AT_FLAGS), 0);
    CHECK_EQ(getauxval(AT_BASE), 0);
    CHECK_STR((char *)getauxval(AT_PLATFORM), "x86_64");
    CHECK(getauxval(AT_MINSIGSTKSZ) >= 2048);

    const char *name = (const char *)getauxval(AT_EXECFN);
    char *copy = strdup(name);
    CHECK_STR(basename(copy), "auxiliary_vector");
    const unsigned char *random = (const void *)getauxval(AT_RANDOM);
    int bits = 0;
    for (int i = 0; i < 16; i++)
        bits += __builtin_popcount(random[i]);
    CHECK(bits > 16 && bits < 112);

    // The strings lie above the vector, which lies above the environment, which lies above argv.
    char **at = envp;
    while (*at != NULL)
        at++;
    const Elf64_auxv_t *vector = (const void *)(at + 1);
    int entries = 0;
    while (vector[entries].a_type != AT_NULL)
        entries++;
    CHECK(entries >= 15 && entries < 40);
    // getauxval of a static glibc answers AT_HWCAP with bits of its own.
    unsigned a, b, c, d;
    __cpuid(1, a, b, c, d);
    const unsigned sure = 1 << 0 | 1 << 4 | 1 << 8 | 1 << 15 | 1 << 24 | 1 << 25 | 1 << 26;
    for (int i = 0; i < entries; i++) {
        if (vector[i].a_type == AT_HWCAP) {
            CHECK_EQ(vector[i].a_un.a_val & sure, sure);
            CHECK_EQ(d & sure, sure);
            CHECK_EQ(vector[i].a_un.a_val >> 32, 0);
        }
        if (vector[i].a_type == AT_HWCAP || vector[i].a_type == AT_HWCAP2)
            NOTE("type %lu is %#lx", vector[i].a_type, vector[i].a_un.a_val);
    }
    CHECK((char *)envp == (char *)(argv + argc + 1));
    CHECK((const char *)random > (const char *)(vector + entries));
    CHECK(argv[0] > (const char *)random && name > argv[0]);
    CHECK_EQ(name[strlen(name) + 1], 0);

    errno = 0;
    CHECK_EQ(getauxval(9999), 0);
    CHECK_EQ(errno, ENOENT);
    const Elf64_Ehdr *vdso = (const void *)getauxval(AT_SYSINFO_EHDR);
    CHECK(vdso == NULL || memcmp(vdso->e_ident, ELFMAG, SELFMAG) == 0);
    CHECK_ERR(mprotect((void *)1, 4096, PROT_READ), EINVAL);
    return CHECK_DONE();
}
