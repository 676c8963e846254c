// read, write or pread: transfer CALL PATH BYTES ROUNDS. A file is made with 16 MiB, which it keeps.
#define _GNU_SOURCE
#include "bench/bench.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const off_t file_len = 16 << 20;

static int fd;
static size_t len;
static off_t at;
static char *buffer;

// The next place in the file: its start again after its end.
static void advance(void) {
    at += (off_t)len;
    if (at + (off_t)len > file_len) {
        at = 0;
        require(lseek(fd, 0, SEEK_SET) == 0);
    }
}

static void read_on(long rounds) {
    for (long i = 0; i < rounds; i++, advance())
        require(read(fd, buffer, len) == (ssize_t)len);
}

static void write_on(long rounds) {
    for (long i = 0; i < rounds; i++, advance())
        require(write(fd, buffer, len) == (ssize_t)len);
}

static void read_at(long rounds) {
    for (long i = 0; i < rounds; i++, advance())
        require(pread(fd, buffer, len, at) == (ssize_t)len);
}

static void open_file(const char *path) {
    struct stat status;
    fd = open(path, O_RDWR | O_CREAT, 0600);
    require(fd >= 0 && fstat(fd, &status) == 0);
    if (!S_ISREG(status.st_mode))
        return;
    char *text = malloc((size_t)file_len);
    require(text);
    memset(text, 'x', (size_t)file_len);
    require(write(fd, text, (size_t)file_len) == file_len && lseek(fd, 0, SEEK_SET) == 0);
    free(text);
}

int main(int argc, char **argv) {
    static const struct operation operations[] = {
        {"read", read_on}, {"write", write_on}, {"pread", read_at}, {0}};
    require(argc == 5);
    len = strtoul(argv[3], NULL, 10);
    buffer = malloc(len);
    require(len > 0 && buffer);
    memset(buffer, 'x', len);
    open_file(argv[2]);
    return measure(operations, argc, argv);
}
