// cflags: -O1 -pthread
// Uses known numbers of pages of known mappings, one mapping after the other, each for as many milliseconds as the first
// argument says. Prints for each how many pages it used; natively with the argument `referenced` as the kernel found it
// (/proc/self/clear_refs in proc_pid_clear_refs(5)).
#define _GNU_SOURCE
#include <alloca.h>
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, BLOCK = 2 << 20 };

static long milliseconds;
static bool asks_kernel;
static volatile char sink;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

// A mapping that no neighbour is joined with.
static char *map_apart(size_t pages, size_t align, int prot, int flags, int fd)
{
    size_t room = (pages + 2) * PAGE + align;
    char *all = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    char *at = (char *)(((size_t)all + PAGE + align - 1) & ~(align - 1));
    if (all == MAP_FAILED || mmap(at, pages * PAGE, prot, flags | MAP_FIXED, fd, 0) != at)
        err(1, "mmap");
    return at;
}

// Pages of the mapping around `at` that the kernel has seen used.
static long referenced(void *at)
{
    char line[512];
    unsigned long start, end;
    long kib = -1;
    bool is_here = false;
    FILE *smaps = fopen("/proc/self/smaps", "r");
    while (smaps && fgets(line, sizeof line, smaps)) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            is_here = start <= (unsigned long)at && (unsigned long)at < end;
        else if (is_here)
            sscanf(line, "Referenced: %ld", &kib);
    }
    if (smaps)
        fclose(smaps);
    return kib / 4;
}

static void forget_references(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY);
    if (fd < 0 || write(fd, "1", 1) != 1)
        err(1, "clear_refs");
    close(fd);
    // The processor still knows the entries as used. To unmap this much makes it forget all of them.
    char *other = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    munmap(other, BLOCK);
}

static void touch(volatile char *at, long written, long read)
{
    for (long page = 0; page < written; page++)
        at[page * PAGE]++;
    for (long page = written; page < written + read; page++)
        sink += at[page * PAGE];
}

// Uses pages from `at` on until the time is over.
static void use(const char *name, char *at, long written, long read)
{
    touch(at, written, read);
    if (asks_kernel)
        forget_references();
    double end = now() + milliseconds;
    do
        touch(at, written, read);
    while (now() < end);
    printf("%s %ld %ld\n", name, asks_kernel ? referenced(at) : written + read, written);
    fflush(stdout);
}

static void use_file(void)
{
    int fd = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || ftruncate(fd, 64 * PAGE) != 0)
        err(1, "mapped");
    use("mapped", map_apart(64, PAGE, PROT_READ, MAP_PRIVATE, fd), 0, 40);
    close(fd);
}

static void use_shared(void)
{
    char *at = map_apart(32, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
    pid_t child = fork();
    if (child == 0) {
        use("shared_child", at, 10, 3);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    use("shared_parent", at, 4, 17);
}

static __attribute__((noinline)) void use_stack(void)
{
    char *at = alloca(60 * PAGE);
    // From the middle of one page on to that of the last one.
    use("stack", at + 2048, 59, 0);
}

static void *in_thread(void *at)
{
    use("thread", at, 25, 0);
    return NULL;
}

int main(int argc, char **argv)
{
    milliseconds = argc > 1 ? atol(argv[1]) : 100;
    asks_kernel = argc > 2 && strcmp(argv[2], "referenced") == 0;
    int private = MAP_PRIVATE | MAP_ANONYMOUS, both = PROT_READ | PROT_WRITE;
    if (argc > 2 && strcmp(argv[2], "executed") == 0) {
        use("executed", map_apart(101, PAGE, both, private, -1), 77, 0);
        return 0;
    }
    char *large = map_apart(2000, PAGE, both, private, -1);
    madvise(large, 2000 * PAGE, MADV_NOHUGEPAGE);
    // What is only read has no page of its own.
    touch(large, 1000, 0);
    use("private", large, 700, 300);
    use("less", large, 20, 30);
    use_file();
    use_shared();
    use_stack();
    if (!asks_kernel)
        use("blocks", map_apart(4 * 512 - 8, BLOCK, both, private, -1), 3 * 512 + 5, 0);
    char *brief = map_apart(55, PAGE, both, private, -1);
    touch(brief, 33, 11);
    munmap(brief, 55 * PAGE);
    pthread_t thread;
    if (pthread_create(&thread, NULL, in_thread, map_apart(90, PAGE, both, private, -1)) != 0)
        errx(1, "pthread_create");
    pthread_join(thread, NULL);
    if (!asks_kernel && argc > 0) {
        execl("/proc/self/exe", argv[0], argc > 1 ? argv[1] : "100", "executed", NULL);
        err(1, "execl");
    }
    return 0;
}
