// fork(2): memory is private from then on, in both directions; shared mappings stay shared.
#include "check.h"
#include "process/process.h"

static int data = 1;
static int bss[5000];

static int child_sees(int *heap, int *mapped, int *shared, int *local) {
    int right = data == 1 && bss[4999] == 2 && *heap == 3 && *mapped == 4 && *shared == 5 && *local == 6;
    data = 11, bss[4999] = 12, *heap = 13, *mapped = 14, *shared = 15, *local = 16;
    return right && data == 11 && bss[4999] == 12 && *heap == 13 && *mapped == 14 && *local == 16;
}

int main(void) {
    int local = 6, *heap = malloc(sizeof *heap);
    int *mapped = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int *shared = shared_memory(4096);
    bss[4999] = 2, *heap = 3, *mapped = 4, *shared = 5;
    CHECK_EQ(code_of(IN_CHILD(child_sees(heap, mapped, shared, &local))), 1);
    CHECK_EQ(data, 1);
    CHECK_EQ(bss[4999], 2);
    CHECK_EQ(*heap, 3);
    CHECK_EQ(*mapped, 4);
    CHECK_EQ(*shared, 15);
    CHECK_EQ(local, 6);

    // The other way: the parent writes while the child lives.
    int go[2], back[2];
    CHECK_OK(pipe(go));
    CHECK_OK(pipe(back));
    pid_t pid = CHECKED_FORK();
    if (pid == 0) {
        char byte;
        if (read(go[0], &byte, 1) != 1)
            _exit(9);
        _exit(data == 1 && *mapped == 4 && *heap == 3 && *shared == 25 ? 42 : 43);
    }
    data = 21, *heap = 23, *mapped = 24, *shared = 25;
    CHECK_EQ(write(go[1], "g", 1), 1);
    CHECK_EQ(code_of(wait_for(pid)), 42);
    CHECK_EQ(data, 21);
    return CHECK_DONE();
}
