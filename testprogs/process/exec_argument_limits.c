// execve(2): E2BIG for one long string, for all together, and by the limit on the stack.
#include "check.h"
#include "process/process.h"
#include <sys/resource.h>

enum { PAGE = 4096, LONGEST = 32 * PAGE };

static char text[LONGEST + 2];
static char *list[1 << 16];

static int run(char **args) {
    return execve("/proc/self/exe", args, (char *[]){NULL});
}

// A list of `count` strings of `length` bytes with their NUL, behind argument 0 and 1.
static char **strings(int count, int length) {
    list[0] = "self", list[1] = "again";
    for (int i = 0; i < count; i++)
        list[i + 2] = text + LONGEST - length + 1;
    list[count + 2] = NULL;
    return list;
}

static int start(int count, int length) {
    run(strings(count, length));
    return errno == E2BIG ? 100 : 101;
}

static int limited(int count, int length, long stack) {
    struct rlimit limit;
    getrlimit(RLIMIT_STACK, &limit);
    limit.rlim_cur = (rlim_t)stack;
    setrlimit(RLIMIT_STACK, &limit);
    return start(count, length);
}

int main(int argc, char **argv) {
    if (argc > 1)
        return argv[1][0] == 'a' && argv[argc - 1] != NULL ? 50 : 51;
    memset(text, 'x', LONGEST);
    CHECK_EQ(code_of(IN_CHILD(start(1, LONGEST))), 50);
    CHECK_EQ(code_of(IN_CHILD(start(1, LONGEST + 1))), 100);
    CHECK_EQ(code_of(IN_CHILD(start(15, LONGEST))), 50);
    // A quarter of the stack limit, at least 128 KiB, at most 6 MiB.
    CHECK_EQ(code_of(IN_CHILD(limited(7, LONGEST, 4L << 20))), 50);
    CHECK_EQ(code_of(IN_CHILD(limited(8, LONGEST, 4L << 20))), 100);
    CHECK_EQ(code_of(IN_CHILD(limited(10, PAGE, 64L << 10))), 50);
    CHECK_EQ(code_of(IN_CHILD(limited(32, PAGE, 256L << 10))), 100);
    CHECK_EQ(code_of(IN_CHILD(limited(47, LONGEST, 64L << 20))), 50);
    CHECK_EQ(code_of(IN_CHILD(limited(48, LONGEST, 64L << 20))), 100);
    // Pointers count, too.
    CHECK_EQ(code_of(IN_CHILD(limited(60000, 1, 2L << 20))), 100);
    CHECK_EQ(code_of(IN_CHILD(limited(50000, 1, 2L << 20))), 50);
    CHECK_ERR(run(strings(1, LONGEST + 1)), E2BIG);
    return CHECK_DONE();
}
