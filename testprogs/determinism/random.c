/* Random bytes by all calls that give them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

static void show(const char *name, ssize_t len, unsigned long value)
{
    printf("%s %zd %016lx\n", name, len, value);
}

int main(void)
{
    int fd = open("/dev/urandom", O_RDONLY);
    unsigned long words[2];
    struct iovec parts[] = { { &words[0], 8 }, { &words[1], 8 } };
    show("read", read(fd, words, 8), words[0]);
    show("pread", pread(fd, words, 8, 5), words[0]);
    show("readv", readv(fd, parts, 2), words[1]);
    show("preadv", preadv(fd, parts, 2, 5), words[1]);
    show("preadv2", preadv2(fd, parts, 2, -1, 0), words[1]);
    show("getrandom", getrandom(words, 8, 0), words[0]);
    return 0;
}
