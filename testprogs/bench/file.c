// What programs ask about files: all of them lie in a folder that is made for it here.
#define _GNU_SOURCE
#include "bench/bench.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES = 1000 };
static char folder[] = "files-XXXXXX";

static const char *name(long file) {
    static char name[64];
    snprintf(name, sizeof name, "%s/%ld", folder, file);
    return name;
}

static void make_files(void) {
    require(mkdtemp(folder));
    for (long file = 0; file < FILES; file++) {
        int fd = open(name(file), O_WRONLY | O_CREAT | O_EXCL, 0600);
        require(fd >= 0 && close(fd) == 0);
    }
}

static void remove_files(void) {
    for (long file = 0; file < FILES; file++)
        require(unlink(name(file)) == 0);
    require(rmdir(folder) == 0);
}

static void stat_each(long rounds) {
    struct stat status;
    for (long i = 0; i < rounds; i++)
        require(stat(name(i % FILES), &status) == 0);
}

static void fstat_one(long rounds) {
    struct stat status;
    int fd = open(name(0), O_RDONLY);
    require(fd >= 0);
    for (long i = 0; i < rounds; i++)
        require(fstat(fd, &status) == 0);
}

static void open_and_close(long rounds) {
    for (long i = 0; i < rounds; i++) {
        int fd = open(name(i % FILES), O_RDONLY);
        require(fd >= 0 && close(fd) == 0);
    }
}

int main(int argc, char **argv) {
    static const struct operation operations[] = {
        {"stat", stat_each}, {"fstat", fstat_one}, {"open", open_and_close}, {0}};
    make_files();
    int status = measure(operations, argc, argv);
    remove_files();
    return status;
}
