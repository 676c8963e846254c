// madvise(2): MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK and MADV_KEEPONFORK in a child.
#include "check.h"
#include "process/process.h"

enum { PAGE = 4096 };

static char *pages(int count) {
    char *at = mmap(NULL, (size_t)count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(at, 'p', (size_t)count * PAGE);
    return at;
}

static int read_fault(volatile char *at) { return *at; }

static int is_mapped(char *at) {
    unsigned char vector;
    return mincore(at, PAGE, &vector) == 0;
}

// A new mapping where the parent's was absent.
static int map_again(char *at) {
    char *got = mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (got != at || *at != 0)
        return 1;
    *at = 'c';
    return *at;
}

static int system_call_faults(char *at) {
    int ends[2];
    return pipe(ends) == 0 && write(ends[1], at, 1) == -1 && errno == EFAULT;
}

int main(void) {
    char *at = pages(5);
    CHECK_OK(madvise(at + PAGE, PAGE, MADV_DONTFORK));
    CHECK_EQ(code_of(IN_CHILD(at[0] == 'p' && at[2 * PAGE] == 'p')), 1);
    CHECK_EQ(code_of(IN_CHILD(read_fault(at + PAGE))), 1000 + SIGSEGV);
    CHECK_EQ(code_of(IN_CHILD(is_mapped(at + PAGE))), 0);
    CHECK_EQ(code_of(IN_CHILD(system_call_faults(at + PAGE))), 1);
    CHECK_EQ(code_of(IN_CHILD(map_again(at + PAGE))), 'c');
    CHECK_EQ(at[PAGE], 'p');
    CHECK_OK(madvise(at + PAGE, PAGE, MADV_DOFORK));
    CHECK_EQ(code_of(IN_CHILD(at[PAGE])), 'p');

    CHECK_OK(madvise(at + 3 * PAGE, PAGE, MADV_WIPEONFORK));
    CHECK_EQ(code_of(IN_CHILD(at[3 * PAGE] == 0 && at[4 * PAGE] == 'p')), 1);
    CHECK_EQ(at[3 * PAGE], 'p');
    // It stays wiped in a child of a child that has written to it.
    CHECK_EQ(code_of(IN_CHILD((at[3 * PAGE] = 'w', code_of(IN_CHILD(at[3 * PAGE]))))), 0);
    CHECK_OK(madvise(at + 3 * PAGE, PAGE, MADV_KEEPONFORK));
    CHECK_EQ(code_of(IN_CHILD(at[3 * PAGE])), 'p');

    // Many holes: the child may not put anything of its own there.
    char *many = pages(400);
    for (int i = 0; i < 400; i += 2)
        if (madvise(many + i * PAGE, PAGE, MADV_DONTFORK) < 0)
            CHECK_EQ(i, -1);
    CHECK_EQ(code_of(IN_CHILD(is_mapped(many + 398 * PAGE) + 2 * is_mapped(many + 399 * PAGE))), 2);
    CHECK_EQ(code_of(IN_CHILD(read_fault(many + 200 * PAGE))), 1000 + SIGSEGV);
    CHECK_OK(mlock(at, PAGE));
    CHECK_EQ(code_of(IN_CHILD(munlock(at, PAGE))), 0);
    return CHECK_DONE();
}
