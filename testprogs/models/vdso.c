/* The vDSO is made for the processor that CPUID tells of, and its clocks are right. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <link.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char *vdso;

typedef int predicate(const ElfW(Sym) *symbol, const char *name, const void *wanted);

static const ElfW(Sym) *find(predicate *is_wanted, const void *wanted)
{
    const ElfW(Ehdr) *header = (const void *)vdso;
    const ElfW(Phdr) *segments = (const void *)(vdso + header->e_phoff);
    const ElfW(Dyn) *dynamic = NULL;
    for (int i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type == PT_DYNAMIC) {
            dynamic = (const void *)(vdso + segments[i].p_offset);
        }
    }
    const ElfW(Sym) *symbols = NULL;
    const char *names = NULL;
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
        symbols = dynamic->d_tag == DT_SYMTAB ? (const void *)(vdso + dynamic->d_un.d_ptr) : symbols;
        names = dynamic->d_tag == DT_STRTAB ? vdso + dynamic->d_un.d_ptr : names;
    }
    /* The names follow the symbols. */
    for (const ElfW(Sym) *symbol = symbols; (const char *)symbol < names; symbol++) {
        if (is_wanted(symbol, names + symbol->st_name, wanted)) {
            return symbol;
        }
    }
    return NULL;
}

static int is_named(const ElfW(Sym) *symbol, const char *name, const void *wanted)
{
    return symbol->st_size && strcmp(name, wanted) == 0;
}

static int has_code(const ElfW(Sym) *symbol, const char *name, const void *wanted)
{
    (void)name;
    return memmem(vdso + symbol->st_value, symbol->st_size, wanted, 3) != NULL;
}

static void *function(const char *name) { return (void *)(vdso + find(is_named, name)->st_value); }

static int64_t clock_by(int (*get)(clockid_t, struct timespec *))
{
    struct timespec time = {0};
    get(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000 + time.tv_nsec;
}

static int by_call(clockid_t clock, struct timespec *time) { return (int)syscall(SYS_clock_gettime, clock, time); }

int main(void)
{
    vdso = (const char *)getauxval(AT_SYSINFO_EHDR);
    if (!vdso) {
        puts("no vDSO");
        return 1;
    }
    int (*gettime)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))function("__vdso_clock_gettime");
    long (*get_cpu)(unsigned *, unsigned *, void *) = (long (*)(unsigned *, unsigned *, void *))function("__vdso_getcpu");
    int is_right = 1;
    for (int i = 0; i < 1000; i++) {
        int64_t before = clock_by(by_call), here = clock_by(gettime), after = clock_by(by_call);
        is_right &= before <= here && here <= after;
    }
    printf("clocks agree: %d\n", is_right);
    unsigned cpu = ~0u, node = ~0u;
    printf("getcpu: %ld, a processor: %d\n", get_cpu(&cpu, &node, NULL), cpu < CPU_SETSIZE && node < 1024);
    unsigned eax, ebx, ecx, edx;
    int has_rdtscp = __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && edx >> 27 & 1;
    printf("rdtscp only where it is: %d\n", has_rdtscp || !find(has_code, "\x0f\x01\xf9"));
    return 0;
}
