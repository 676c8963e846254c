/* getdents64(2) by small parts, of /proc's directories as well: nothing is written behind what it returns. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct entry {
    unsigned long inode, position;
    unsigned short len;
    unsigned char kind;
    char name[];
};

static void list(const char *path, size_t len)
{
    static _Alignas(8) unsigned char buffer[4096];
    int fd = open(path, O_RDONLY | O_DIRECTORY), entries = 0, altered = 0, short_names = 0;
    long got;
    do {
        memset(buffer, 0x55, sizeof buffer);
        got = syscall(SYS_getdents64, fd, buffer, len);
        for (size_t at = got < 0 ? 0 : got; at < sizeof buffer; at++)
            altered += buffer[at] != 0x55;
        for (long at = 0; at < got; at += ((struct entry *)(buffer + at))->len) {
            entries++;
            short_names += strlen(((struct entry *)(buffer + at))->name) < 3;
        }
    } while (got > 0);
    printf("%s: %ld, %d entries, %d short, %d bytes altered\n", path, got, entries, short_names, altered);
    close(fd);
}

int main(void)
{
    mkdir("many", 0755);
    for (int i = 0; i < 100; i++) {
        char name[32];
        sprintf(name, "many/%d%.*s", i, i % 17, "a-longer-name-than");
        close(open(name, O_CREAT | O_WRONLY, 0644));
    }
    list("many", 4096);
    list("many", 300);
    list("many", 64);
    list("/proc/self/task", 4096);
    list("/proc/self/fd", 4096);
    list("/proc/self/fd", 24);
    return 0;
}
