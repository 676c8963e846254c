// /proc/self/maps has Linux's form, can be read in any pieces, and is made anew for each reader that begins.
#include "self.h"

static int nr_lines(const char *text) {
    int lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

// Every line: two addresses that rise, four letters, an offset, a device, an inode, a name at its column or none.
static bool is_well_formed(const char *text) {
    unsigned long last = 0;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        unsigned long start, end, offset, inode;
        unsigned int major, minor;
        char rights[5];
        int used = 0;
        if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %n", &start, &end, rights, &offset, &major, &minor, &inode,
                   &used) != 7)
            return false;
        char again[256];
        int len = snprintf(again, sizeof again, "%08lx-%08lx %s %08lx %02x:%02x %lu ", start, end, rights, offset,
                           major, minor, inode);
        if (strncmp(line, again, len) != 0 || start < last || end <= start)
            return false;
        last = end;
        int name = len;
        while (line[name] == ' ')
            name++;
        if (line[name] == '\n' ? name != len : name < 73 || (name > 73 && len < 73))
            return false;
    }
    return true;
}

int main(void) {
    int fd = open("/proc/self/maps", O_RDONLY);
    static char first[1 << 16], second[1 << 16];
    size_t len = 0;
    ssize_t n;
    while ((n = read(fd, first + len, sizeof first - 1 - len)) > 0)
        len += n;
    CHECK(len > 0 && first[len - 1] == '\n');
    CHECK(is_well_formed(first));
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), len);
    CHECK_EQ(read(fd, second, 10), 0);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    size_t got = 0;
    while (got < sizeof second - 1 && read(fd, second + got, 1) == 1)
        got++;
    CHECK_EQ(got, len);
    CHECK(memcmp(first, second, len) == 0);
    CHECK_EQ(pread(fd, second, 12, 0), 12);
    CHECK(memcmp(first, second, 12) == 0);
    CHECK_EQ(pread(fd, second, 7, 5), 7);
    CHECK(memcmp(first + 5, second, 7) == 0);

    // What is mapped now appears for whoever begins anew.
    char *page = mmap((void *)0x100000000000, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    CHECK(page == (void *)0x100000000000);
    memset(second, 0, sizeof second);
    CHECK(pread(fd, second, sizeof second - 1, 0) > 0);
    CHECK(strncmp(second, "100000000000-100000001000 r--p", 30) == 0 || strstr(second, "\n100000000000-100000001000 r--p") != NULL);
    CHECK_OK(munmap(page, 4096));
    memset(second, 0, sizeof second);
    CHECK(pread(fd, second, sizeof second - 1, 0) > 0);
    CHECK(strstr(second, "100000000000-100000001000") == NULL);

    // Other descriptors of it, and other ways to it.
    int copy = dup(fd);
    CHECK_EQ(lseek(copy, 3, SEEK_SET), 3);
    CHECK(read(fd, second, 4) == 4 && memcmp(second, first + 3, 4) == 0);
    close(copy);
    close(fd);
    char path[64];
    int proc = open("/proc", O_RDONLY | O_DIRECTORY), self = open("/proc/self", O_PATH | O_DIRECTORY);
    snprintf(path, sizeof path, "%d/maps", getpid());
    int fds[] = {openat(proc, path, O_RDONLY), openat(self, "maps", O_RDONLY), open("/proc/thread-self/maps", O_RDONLY),
                 openat(self, "../self/./maps", O_RDONLY), -1, -1, -1};
    snprintf(path, sizeof path, "/proc/self/task/%d/maps", getpid());
    fds[4] = open(path, O_RDONLY);
    CHECK_OK(chdir("/proc/self"));
    fds[5] = open("maps", O_RDONLY);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fds[5]);
    fds[6] = open(path, O_RDONLY);
    for (int i = 0; i < 7; i++) {
        CHECK(read(fds[i], second, 12) == 12 && memcmp(first, second, 12) == 0);
        close(fds[i]);
    }
    FILE *stream = fopen("/proc/self/maps", "r");
    int lines = 0;
    while (fgets(second, sizeof second, stream))
        lines++;
    fclose(stream);
    CHECK(lines >= nr_lines(first) && lines <= nr_lines(first) + 2);

    struct stat st;
    CHECK_OK(stat("/proc/self/maps", &st));
    CHECK(S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0444 && st.st_size == 0);
    return CHECK_DONE();
}
