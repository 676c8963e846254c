// /proc/self/limits says what getrlimit(2) says, in Linux's form.
#include "self.h"

#include <sys/resource.h>

static const struct {
    const char *name, *unit;
    int resource;
} known[] = {
    {"Max cpu time", "seconds", RLIMIT_CPU},       {"Max file size", "bytes", RLIMIT_FSIZE},
    {"Max data size", "bytes", RLIMIT_DATA},       {"Max stack size", "bytes", RLIMIT_STACK},
    {"Max core file size", "bytes", RLIMIT_CORE},  {"Max resident set", "bytes", RLIMIT_RSS},
    {"Max processes", "processes", RLIMIT_NPROC},  {"Max open files", "files", RLIMIT_NOFILE},
    {"Max locked memory", "bytes", RLIMIT_MEMLOCK}, {"Max address space", "bytes", RLIMIT_AS},
};

static void number(char *to, rlim_t limit) {
    if (limit == RLIM_INFINITY)
        strcpy(to, "unlimited");
    else
        sprintf(to, "%lu", (unsigned long)limit);
}

static void compare(void) {
    char *text = read_whole("/proc/self/limits");
    CHECK(text && strncmp(text, "Limit                     Soft Limit           Hard Limit           Units     \n", 79) == 0);
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
        struct rlimit limit;
        CHECK_OK(getrlimit(known[i].resource, &limit));
        char soft[32], hard[32], line[128];
        number(soft, limit.rlim_cur);
        number(hard, limit.rlim_max);
        sprintf(line, "\n%-25s %-20s %-20s %-10s\n", known[i].name, soft, hard, known[i].unit);
        CHECK(strstr(text, line) != NULL);
    }
    free(text);
}

int main(void) {
    compare();
    struct rlimit limit = {64, 128};
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    limit = (struct rlimit){1UL << 30, 1UL << 31};
    CHECK_OK(setrlimit(RLIMIT_AS, &limit));
    CHECK_OK(setrlimit(RLIMIT_DATA, &limit));
    limit = (struct rlimit){1 << 20, 4 << 20};
    CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
    limit = (struct rlimit){4096, 8192};
    CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &limit));
    compare();
    return CHECK_DONE();
}
