// Shows one aspect of how it was started, or ends as it is told: `show WHAT [ARGUMENT]...`.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

// One string a line, with all that is not printable ASCII in hexadecimal.
static void print_escaped(const char *string) {
    for (; *string != 0; string++) {
        if (*string >= ' ' && *string < 127)
            putchar(*string);
        else
            printf("\\x%02x", (unsigned char)*string);
    }
    putchar('\n');
}

static void show_strings(char **strings) {
    for (; *strings != NULL; strings++)
        print_escaped(*strings);
}

// Which of the first descriptors are open, into a file that is named, since stdout may not be.
static int show_descriptors(const char *name) {
    char open_ones[11] = "";
    for (int fd = 0; fd < 10; fd++)
        open_ones[fd] = fcntl(fd, F_GETFD) >= 0 ? 'o' : '-';
    int file = open(name, O_CREAT | O_WRONLY | O_EXCL, 0600);
    dprintf(file, "%s, the next is %d\n", open_ones, file);
    return close(file);
}

static void show_signals(void) {
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) != 0)
            continue;
        if (action.sa_handler == SIG_IGN)
            printf("%d ignored\n", number);
        else if (action.sa_handler != SIG_DFL)
            printf("%d handled\n", number);
        if (sigismember(&blocked, number) == 1)
            printf("%d blocked\n", number);
    }
}

// All but the number of descriptors, of which the runner keeps some for itself.
static void show_limits(void) {
    for (int resource = 0; resource < RLIMIT_NLIMITS; resource++) {
        struct rlimit limit;
        if (resource == RLIMIT_NOFILE)
            continue;
        getrlimit(resource, &limit);
        printf("%d: %lld %lld\n", resource, (long long)limit.rlim_cur, (long long)limit.rlim_max);
    }
    void *start = mmap(NULL, (size_t)8 << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    printf("8 GiB: %s\n", start == MAP_FAILED ? strerror(errno) : "granted");
}

// Opens files until the limit of descriptors.
static void exhaust_descriptors(void) {
    int last = -1;
    for (int fd; (fd = open("/dev/null", O_RDONLY)) >= 0;)
        last = fd;
    printf("last %d, %s\n", last, strerror(errno));
}

static void copy_input(void) {
    char buffer[1000];
    for (size_t length; (length = fread(buffer, 1, sizeof buffer, stdin)) > 0;)
        fwrite(buffer, 1, length, stdout);
}

static int flood(void) {
    while (puts("a line that nobody reads") >= 0)
        continue;
    return 1;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "", *first = argc > 2 ? argv[2] : "0";
    if (strcmp(what, "arguments") == 0)
        show_strings(argv);
    else if (strcmp(what, "environment") == 0)
        show_strings(environ);
    else if (strcmp(what, "directory") == 0)
        puts(getcwd(NULL, 0));
    else if (strcmp(what, "descriptors") == 0)
        return show_descriptors(first);
    else if (strcmp(what, "signals") == 0)
        show_signals();
    else if (strcmp(what, "limits") == 0)
        show_limits();
    else if (strcmp(what, "exhaustion") == 0)
        exhaust_descriptors();
    else if (strcmp(what, "input") == 0)
        copy_input();
    else if (strcmp(what, "flood") == 0)
        return flood();
    else if (strcmp(what, "missing") == 0)
        printf("%ld\n", syscall(1000));
    else if (strcmp(what, "status") == 0)
        return atoi(first);
    else if (strcmp(what, "signal") == 0)
        raise(atoi(first));
    else if (strcmp(what, "crash") == 0)
        *(volatile char *)8 = 1;
    else
        fprintf(stderr, "show: %s?\n", what);
    return 0;
}
