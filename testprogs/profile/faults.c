// cflags: -O1 -fno-omit-frame-pointer -pthread -g
// Uses known numbers of pages for the first time in known functions, on two threads and in a child.
#define _GNU_SOURCE
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

#define NEVER_INLINE __attribute__((noinline, noclone))

static char *map(size_t pages)
{
    char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        err(1, "mmap");
    return at;
}

static NEVER_INLINE void touch(volatile char *at, size_t pages)
{
    for (size_t page = 0; page < pages; page++)
        at[page * PAGE]++;
}

static NEVER_INLINE void few(void)
{
    touch(map(300), 150);
}

// More than the 2 MiB that a fault maps otherwise.
static NEVER_INLINE void many(void)
{
    char *at = map(4096);
    touch(at, 1300);
    // They are no new pages, whatever rights they had meanwhile.
    mprotect(at, 4096 * PAGE, PROT_READ);
    mprotect(at, 4096 * PAGE, PROT_READ | PROT_WRITE);
    touch(at, 1300);
}

static NEVER_INLINE void *in_thread(void *unused)
{
    pthread_setname_np(pthread_self(), "second");
    touch(map(200), 200);
    return unused;
}

static NEVER_INLINE void in_child(void)
{
    touch(map(100), 70);
}

int main(void)
{
    few();
    many();
    pthread_t thread;
    if (pthread_create(&thread, NULL, in_thread, NULL) != 0)
        errx(1, "pthread_create");
    pthread_join(thread, NULL);
    pid_t child = fork();
    if (child == 0) {
        in_child();
        _exit(0);
    }
    waitpid(child, NULL, 0);
    puts("done");
    return 0;
}
