// /proc/self/smaps and smaps_rollup count the pages that were touched.
#include "self.h"

// A number of the mapping at `addr` in smaps; -1 if there is none.
static long amount(const void *addr, const char *key) {
    char *text = read_whole("/proc/self/smaps"), place[32];
    snprintf(place, sizeof place, "%lx-", (unsigned long)addr);
    char *line = text ? strstr(text, place) : NULL;
    long found = -1;
    while (line && (line = strchr(line, '\n')) && *++line && !(line[0] >= '0' && line[0] <= '9')) {
        if (line[0] >= 'a' && line[0] <= 'f')
            break;
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':') {
            found = strtol(line + strlen(key) + 1, NULL, 10);
            break;
        }
    }
    free(text);
    return found;
}

int main(void) {
    char *memory = mmap((void *)0x100000000000, 64 * 4096, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    CHECK_OK(madvise(memory, 64 * 4096, MADV_NOHUGEPAGE));
    CHECK_EQ(amount(memory, "Size"), 256);
    CHECK_EQ(amount(memory, "KernelPageSize"), 4);
    CHECK_EQ(amount(memory, "Rss"), 0);
    memset(memory, 1, 8 * 4096);
    CHECK_EQ(amount(memory, "Rss"), 32);
    CHECK_EQ(amount(memory, "Private_Dirty"), 32);
    CHECK_EQ(amount(memory, "Anonymous"), 32);
    CHECK_OK(madvise(memory, 4 * 4096, MADV_DONTNEED));
    CHECK_EQ(amount(memory, "Rss"), 16);
    long before = number_in("/proc/self/smaps_rollup", "Private_Dirty");
    memset(memory, 1, 64 * 4096);
    long after = number_in("/proc/self/smaps_rollup", "Private_Dirty");
    CHECK(after - before >= 240 && after - before < 240 + 2048);
    CHECK(number_in("/proc/self/smaps_rollup", "Rss") >= 256);
    CHECK(number_in("/proc/self/smaps_rollup", "Rss") < 64 << 10);
    char *reserved = mmap((void *)0x110000000000, 1 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    CHECK_EQ(amount(reserved, "Size"), 1 << 20);
    CHECK_EQ(amount(reserved, "Rss"), 0);
    char *text = read_whole("/proc/self/smaps");
    CHECK(strstr(text, "\nVmFlags: rd wr ") != NULL && strstr(text, " gd ") != NULL);
    return CHECK_DONE();
}
