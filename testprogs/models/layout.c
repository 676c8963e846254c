/* Where a program finds itself: its stack, memory, auxiliary vector, names and ids. */
#define _GNU_SOURCE
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static const char *const NAMES[] = {
    [AT_NULL] = "NULL",       [AT_PHDR] = "PHDR",     [AT_PHENT] = "PHENT",       [AT_PHNUM] = "PHNUM",
    [AT_PAGESZ] = "PAGESZ",   [AT_BASE] = "BASE",     [AT_FLAGS] = "FLAGS",       [AT_ENTRY] = "ENTRY",
    [AT_UID] = "UID",         [AT_EUID] = "EUID",     [AT_GID] = "GID",           [AT_EGID] = "EGID",
    [AT_PLATFORM] = "PLATFORM", [AT_HWCAP] = "HWCAP", [AT_CLKTCK] = "CLKTCK",     [AT_SECURE] = "SECURE",
    [AT_RANDOM] = "RANDOM",   [AT_HWCAP2] = "HWCAP2", [AT_EXECFN] = "EXECFN",     [AT_SYSINFO_EHDR] = "SYSINFO_EHDR",
    [AT_MINSIGSTKSZ] = "MINSIGSTKSZ",
};

extern char __ehdr_start[], _end;

int main(int argc, char **argv)
{
    static const char zeros[16];
    /* Before the library asks for memory. */
    uintptr_t pages = ((uintptr_t)sbrk(0) - (((uintptr_t)&_end + 0xfff) & ~0xffful)) >> 12;
    uintptr_t mapped = (uintptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int variables = 0;
    while (environ[variables]) {
        variables++;
    }
    printf("argc %d below %s, environment %d\n", argc, argv[0], variables);
    const char *last = variables ? environ[variables - 1] : argv[argc - 1];
    uintptr_t top = (uintptr_t)last + strlen(last) + 1;
    top += strlen((char *)top) + 1;
    printf("file name is argv[0]: %d\n", strcmp((char *)top - strlen(argv[0]) - 1, argv[0]) == 0);
    printf("stack %lx, argc at a multiple of 16: %d\n", top + 8, ((uintptr_t)argv - 8) % 16 == 0);
    ElfW(auxv_t) *entry = (void *)(environ + variables + 1);
    for (; entry->a_type != AT_NULL; entry++) {
        unsigned long value = entry->a_un.a_val;
        const char *name = entry->a_type < sizeof NAMES / sizeof *NAMES ? NAMES[entry->a_type] : NULL;
        switch (entry->a_type) {
        case AT_RANDOM: printf("RANDOM: zeros %d\n", memcmp((void *)value, zeros, 16) == 0); break;
        case AT_EXECFN: printf("EXECFN: argv %d\n", value == (unsigned long)argv); break;
        case AT_PLATFORM: printf("PLATFORM: %s, above RANDOM\n", (char *)value); break;
        case AT_PHDR:
        case AT_ENTRY: printf("%s: in the image %d\n", name, value - (uintptr_t)__ehdr_start < 1 << 20); break;
        default: printf("%s: %lx\n", name ? name : "?", value);
        }
    }
    printf("image %lx\n", (unsigned long)__ehdr_start);
    printf("break %s\n", pages < 64 ? "behind the image" : "elsewhere");
    printf("mmap %lx\n", mapped);
    struct utsname name;
    uname(&name);
    printf("%s %s %s %s %s\n", name.sysname, name.nodename, name.release, name.version, name.machine);
    unsigned ids[6] = { 1, 2, 3, 4, 5, 6 };
    getresuid(ids, ids + 1, ids + 2);
    getresgid(ids + 3, ids + 4, ids + 5);
    printf("ids %d %d %d %d, %u %u %u %u %u %u\n", getuid(), geteuid(), getgid(), getegid(), ids[0], ids[1], ids[2],
           ids[3], ids[4], ids[5]);
    printf("setuid(100) %d setuid(0) %d\n", setuid(100), setuid(0));
    printf("pid %d parent %d group %d\n", getpid(), getppid(), getpgid(0));
    unsigned char *page = (unsigned char *)0xffffffffff600000;
    struct timeval now = { 0 };
    time_t then = ((time_t(*)(time_t *))(page + 0x400))(NULL);
    int result = ((int (*)(struct timeval *, void *))page)(&now, NULL);
    printf("vsyscall %02x %02x %02x, %d %d\n", page[0], page[3], page[0x403], result, then != 0 && now.tv_sec - then < 2);
    struct timespec clock;
    clock_gettime(CLOCK_REALTIME, &clock);
    printf("the same clock: %d\n", clock.tv_sec - now.tv_sec < 2);
    return 0;
}
